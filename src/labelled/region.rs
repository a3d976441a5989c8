//! Results written into a part of a store that is there already.
//!
//! The labels of the results say where they belong. So several runs, side by side or one after another,
//! fill one store that was made with its full extents.

use super::append::{described, known, stored, stream};
use super::coord::Coord;
use super::data_array::DataArray;
use super::dataset::Dataset;
use crate::expr::Expr;
use crate::io::OutputFormat;
use crate::session::Session;
use crate::{Error, Result};
use std::path::Path;

/// Computes arrays and writes them over those of the same names in the store at `path`, where the labels
/// along `dims` say; along other dimensions they have the store's extents. Coordinates stay as they are.
///
/// Chunks are replaced one by one, so readers see new ones meanwhile.
///
/// # Errors
/// When the store is missing or of a format whose parts are not written, a variable, dtype or dimension
/// does not fit, a label is not in the store, labels are not neighbours there in the same order, and what
/// computing and writing meet.
pub fn write_region(
    session: &Session,
    path: &Path,
    format: OutputFormat,
    dims: &[String],
    arrays: &[DataArray],
) -> Result<()> {
    let old = Dataset::open(path)?;
    let mut starts: Vec<(&str, usize)> = Vec::new();
    let mut parts: Vec<(String, Vec<String>, Expr)> = Vec::new();
    for array in arrays {
        let variable = known(&old, array.name())?;
        let there = old.get(array.name())?;
        for (dim, &len) in array.dims().iter().zip(array.shape()) {
            if !dims.contains(dim) {
                let axis = there.dims().iter().position(|d| d == dim);
                if axis.map(|axis| there.shape()[axis]) != Some(len) {
                    return Err(Error::invalid(format!(
                        "{} has {len} along {dim}, its variable in {} another extent; name {dim} too where its \
                         labels say which part it is",
                        array.name(),
                        path.display()
                    )));
                }
                continue;
            }
            let at = place(array, &there, dim, path)?;
            match starts.iter().find(|(known, _)| known == dim) {
                Some(&(_, before)) if before != at => {
                    return Err(Error::invalid(format!(
                        "results begin at different labels along {dim}"
                    )));
                }
                Some(_) => {}
                None => starts.push((dim, at)),
            }
        }
        let values = stored(variable, array.expr(), path)?;
        parts.push((array.name().to_string(), array.dims().to_vec(), values));
    }
    if let Some(dim) = dims.iter().find(|dim| !starts.iter().any(|(d, _)| d == dim)) {
        return Err(Error::invalid(format!("no result has the dimension {dim}")));
    }
    let spec = described(&parts)?;
    let writer = format.region(path, &starts, &spec)?;
    drop(old);
    stream(session, &parts, &*writer)?;
    writer.finish()
}

/// Where the labels of an array along a dimension begin among those of the store.
fn place(array: &DataArray, there: &DataArray, dim: &str, path: &Path) -> Result<usize> {
    let labels = |of: &DataArray, whose: &str| {
        let index = of.coord(dim).and_then(Coord::index).cloned();
        index.ok_or_else(|| Error::invalid(format!("{whose} has no labels along {dim} to tell its place by")))
    };
    let ours = labels(array, array.name())?;
    let theirs = labels(there, &path.display().to_string())?;
    let refused = |what: &str| {
        Error::invalid(format!(
            "{}: the labels of {} along {dim} ({} to {}) are {what}",
            path.display(),
            array.name(),
            ours.show(0),
            ours.show(ours.len().saturating_sub(1))
        ))
    };
    if ours.is_empty() {
        return Ok(0);
    }
    let places = theirs
        .places_of(&ours)
        .ok_or_else(|| refused("not all in the store"))?;
    let follow = places.windows(2).all(|pair| pair[1] == pair[0] + 1);
    match follow {
        true => Ok(places[0]),
        false => Err(refused("not neighbours in the same order there")),
    }
}
