//! Many files as one dataset, by their coordinates.
//!
//! Files with the same variables over a dimension whose labels follow each other are joined along
//! it, in the order of the labels; files with other variables over the same labels are put side by
//! side. What is the same in all is taken from the first, after it was compared: sizes, labels,
//! units, calendars, dtypes. What does not fit is told with the two files and the first differences,
//! and nothing is joined.

mod along;
mod build;
mod compare;
mod convert;
mod digest;
mod patterns;

pub(super) use patterns::{expand, is_pattern};

use self::along::Along;
use self::digest::Digest;
use crate::io::{Container, KEPT_OPEN};
use crate::{Error, Result};
use std::path::PathBuf;

/// Files as one container called `name`, of which at most `most_open` stay open.
///
/// # Errors
/// No file, a file that cannot be opened, or files that do not fit together: names the two that do
/// not, the variable and what differs.
pub(super) fn combine(name: PathBuf, paths: &[PathBuf], most_open: usize) -> Result<Container> {
    if let [only] = paths {
        return Container::open(only);
    }
    let digests = digest::all(paths)?;
    let clusters = clusters(&digests);
    let joined = clusters
        .into_iter()
        .map(|members| Along::find(&digests, members))
        .collect::<Result<Vec<_>>>()?;
    if joined.is_empty() {
        return Err(Error::invalid(format!("{}: no file is there", name.display())));
    }
    build::build(name, &digests, &joined, most_open)
}

/// Files that were named one by one: those that fit together are joined, all others stay alone.
#[derive(Debug)]
pub(super) enum Set {
    /// One file as it is.
    One(PathBuf),
    /// Several as one.
    Joined(Container),
    /// Files with the same variables that do not fit together, and why not.
    Apart(Vec<PathBuf>, Error),
}

/// Sorts files that were named one by one into sets, in the order of their first members.
///
/// # Errors
/// A file that cannot be opened.
pub(super) fn sets(paths: &[PathBuf]) -> Result<Vec<Set>> {
    if let [only] = paths {
        return Ok(vec![Set::One(only.clone())]);
    }
    let digests = digest::all(paths)?;
    let mut sets = Vec::new();
    for members in clusters(&digests) {
        let files: Vec<PathBuf> = members.iter().map(|&m| digests[m].path.clone()).collect();
        if let [only] = files.as_slice() {
            sets.push(Set::One(only.clone()));
            continue;
        }
        let name = files[0].clone();
        let joined = Along::find(&digests, members)
            .and_then(|along| build::build(name, &digests, &[along], KEPT_OPEN));
        sets.push(match joined {
            Ok(container) => Set::Joined(container),
            // The machine's failures are no reason to go on.
            Err(error @ (Error::Format { .. } | Error::Invalid(_))) => Set::Apart(files, error),
            Err(error) => return Err(error),
        });
    }
    Ok(sets)
}

/// The numbers of files with the same data variables, clusters and members in order.
fn clusters(digests: &[Digest]) -> Vec<Vec<usize>> {
    let mut found: Vec<(Vec<&str>, Vec<usize>)> = Vec::new();
    // Thousands of files share a few forms, whose names are compared once.
    let mut known: Vec<(*const digest::Form, usize)> = Vec::new();
    for (at, digest) in digests.iter().enumerate() {
        let form = std::sync::Arc::as_ptr(&digest.form);
        if let Some((_, cluster)) = known.iter().find(|(f, _)| *f == form) {
            found[*cluster].1.push(at);
            continue;
        }
        let names = digest.form.data_names();
        let cluster = found.iter().position(|(n, _)| *n == names).unwrap_or_else(|| {
            found.push((names, Vec::new()));
            found.len() - 1
        });
        found[cluster].1.push(at);
        known.push((form, cluster));
    }
    found.into_iter().map(|(_, members)| members).collect()
}
