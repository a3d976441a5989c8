//! The range of every variable of a file: what `info --stats` adds.

use crate::summary::{self, Statistics};
use tilewise::labelled::{DataArray, Dataset};
use tilewise::{Result, Session};

/// The statistics of a variable of that name.
#[derive(Debug)]
pub struct Ranged {
    /// The variable.
    pub name: String,
    /// Its statistics; `None` where it has no element.
    pub statistics: Option<Statistics>,
    /// Its elements.
    pub elements: usize,
}

/// Computes the statistics of all variables that hold numbers, decoded, in one run.
///
/// # Errors
/// What reading meets.
pub fn of(session: &Session, dataset: &Dataset) -> Result<Vec<Ranged>> {
    let arrays: Vec<DataArray> = dataset
        .names()
        .into_iter()
        .map(|name| dataset.get(name))
        .collect::<Result<_>>()?;
    let statistics = summary::statistics(session, &arrays)?;
    let ranged = arrays.iter().zip(statistics).map(|(array, statistics)| Ranged {
        name: array.name().to_string(),
        statistics,
        elements: array.expr().len(),
    });
    Ok(ranged.collect())
}
