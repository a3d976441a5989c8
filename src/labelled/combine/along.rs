//! The dimension along which files follow each other, and their order.

use super::compare::Differences;
use super::digest::Digest;
use crate::labelled::index::{Index, Values};
use crate::{Error, Result};
use std::cmp::Ordering;
use std::sync::Arc;

/// Files in the order in which they are joined.
#[derive(Debug)]
pub(super) struct Along {
    /// The dimension; `None` for one file.
    pub dim: Option<String>,
    /// The numbers of the files.
    pub members: Vec<usize>,
}

impl Along {
    /// How files with the same variables are joined.
    ///
    /// # Errors
    /// When they do not fit together; names two of them.
    pub fn find(digests: &[Digest], mut members: Vec<usize>) -> Result<Along> {
        let first = &digests[members[0]];
        if members.len() == 1 {
            return Ok(Along { dim: None, members });
        }
        let others = || members[1..].iter().map(|&m| &digests[m]);
        let varying: Vec<&str> = first
            .form
            .dims
            .iter()
            .filter(|dim| first.labels(dim).is_some() && others().all(|o| o.labels(dim).is_some()))
            .filter(|dim| others().any(|o| differ(first, o, dim)))
            .map(String::as_str)
            .collect();
        let mut orders: Vec<(&str, Result<Vec<usize>>)> = varying
            .iter()
            .map(|&dim| (dim, order(digests, &members, dim)))
            .collect();
        // Of several, the one along which they follow each other is meant, and the rest is wrong.
        let good = orders.iter().filter(|(_, o)| o.is_ok()).count();
        if orders.len() > 1 && good == 1 {
            orders.retain(|(_, o)| o.is_ok());
        }
        let dims: Vec<&str> = orders.iter().map(|(d, _)| *d).collect();
        for other in others() {
            let found = Differences::between(first, other, &dims);
            if !found.is_empty() {
                return Err(found.error(first, other));
            }
        }
        match orders.len() {
            1 => {}
            0 => return Err(equal(first, &digests[members[1]])),
            _ => return Err(several(digests, &members, &dims)),
        }
        let (dim, order) = orders.remove(0);
        let dim = Some(dim.to_string());
        members = order?;
        Ok(Along { dim, members })
    }
}

/// Whether the labels of a dimension differ.
fn differ(a: &Digest, b: &Digest, dim: &str) -> bool {
    match (a.labels(dim), b.labels(dim)) {
        (Some(a), Some(b)) => !Arc::ptr_eq(a, b) && a.difference(b).is_some(),
        _ => false,
    }
}

/// The error for files that hold the same.
fn equal(a: &Digest, b: &Digest) -> Error {
    let names = a.form.data_names();
    let text = format!(
        "cannot be joined with {}: both hold {} over the same labels",
        a.path.display(),
        names.iter().take(4).copied().collect::<Vec<_>>().join(", ")
    );
    Error::format(&b.path, text)
}

/// The error for files that differ along more than one dimension.
fn several(digests: &[Digest], members: &[usize], dims: &[&str]) -> Error {
    let first = &digests[members[0]];
    let mut found = Differences::none();
    let differs = |m: &&usize| dims.iter().any(|d| differ(first, &digests[**m], d));
    let other = &digests[members.iter().find(differs).copied().unwrap_or(members[0])];
    for dim in dims {
        let worst = members.iter().find(|&&m| differ(first, &digests[m], dim));
        if let Some(other) = worst.map(|&m| &digests[m])
            && let (Some(a), Some(b)) = (first.labels(dim), other.labels(dim))
            && let Some(text) = a.difference(b)
        {
            found.add(format!("coordinate {dim} of {}: {text}", other.path.display()));
        }
    }
    found.add(format!(
        "files are joined along one dimension, these differ along {}",
        dims.join(" and ")
    ));
    found.error(first, other)
}

/// The files in the order of their labels along a dimension, those without labels last.
fn order(digests: &[Digest], members: &[usize], dim: &str) -> Result<Vec<usize>> {
    let labels = |m: usize| digests[m].labels(dim).map(|l| &**l);
    let mut direction: Option<(bool, usize)> = None;
    for &member in members {
        let Some(index) = labels(member) else { continue };
        let Some(rises) = rises(&digests[member], dim, index)? else {
            continue;
        };
        match direction {
            Some((before, other)) if before != rises => {
                let way = |r: bool| if r { "rises" } else { "falls" };
                return Err(Error::format(
                    &digests[member].path,
                    format!(
                        "cannot be joined with {}: its coordinate {dim} {}, there it {}",
                        digests[other].path.display(),
                        way(rises),
                        way(before)
                    ),
                ));
            }
            _ => direction = direction.or(Some((rises, member))),
        }
    }
    let rising = direction.is_none_or(|(r, _)| r);
    let turned = |o: Ordering| if rising { o } else { o.reverse() };
    let some = |m: usize| labels(m).filter(|l| !l.is_empty());
    let mut sorted = members.to_vec();
    sorted.sort_by(|&a, &b| match (some(a), some(b)) {
        (Some(x), Some(y)) => turned(compare(x, 0, y, 0).unwrap_or(Ordering::Equal)),
        (x, y) => y.is_some().cmp(&x.is_some()),
    });
    for pair in sorted.windows(2) {
        let (Some(a), Some(b)) = (some(pair[0]), some(pair[1])) else {
            continue;
        };
        let follows = compare(a, a.len() - 1, b, 0).map(turned);
        if follows == Some(Ordering::Less) {
            continue;
        }
        let (one, other) = (&digests[pair[0]].path, &digests[pair[1]].path);
        let text = match follows {
            Some(_) => format!(
                "its {dim} overlaps that of {}: that ends with {}, this begins with {}",
                one.display(),
                a.show(a.len() - 1),
                b.show(0)
            ),
            None => format!(
                "cannot be joined with {}: the labels of {dim} cannot be compared",
                one.display()
            ),
        };
        return Err(Error::format(other, text));
    }
    Ok(sorted)
}

/// Whether labels rise (or fall); `None` for fewer than two.
fn rises(digest: &Digest, dim: &str, index: &Index) -> Result<Option<bool>> {
    let way = |at: usize| compare(index, at - 1, index, at);
    let mut direction = None;
    for at in 0..index.len() {
        if compare(index, at, index, at).is_none() {
            return Err(Error::format(
                &digest.path,
                format!(
                    "coordinate {dim}: {} at index {at} is no label to join by",
                    index.show(at)
                ),
            ));
        }
        if at == 0 {
            continue;
        }
        let step = way(at).filter(|o| o.is_ne());
        if step.is_none() || direction.is_some_and(|d| Some(d) != step) {
            return Err(Error::format(
                &digest.path,
                format!(
                    "coordinate {dim} neither rises nor falls throughout: at index {at} {} comes after {}",
                    index.show(at),
                    index.show(at - 1)
                ),
            ));
        }
        direction = step;
    }
    Ok(direction.map(|d| d == Ordering::Less))
}

/// Compares labels of two indices: moments, names or numbers. `None` where they have no order.
fn compare(a: &Index, i: usize, b: &Index, j: usize) -> Option<Ordering> {
    if a.time.is_some() || b.time.is_some() {
        let (x, y) = (a.moment(i)?, b.moment(j)?);
        return (x.calendar == y.calendar).then(|| x.micros.cmp(&y.micros));
    }
    match (&a.values, &b.values) {
        (Values::Int(x), Values::Int(y)) => Some(x[i].cmp(&y[j])),
        (Values::Text(x), Values::Text(y)) => Some(x[i].cmp(&y[j])),
        (Values::Text(_), _) | (_, Values::Text(_)) => None,
        _ => a.number(i).partial_cmp(&b.number(j)),
    }
}
