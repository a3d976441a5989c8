//! The one pass through a table at its opening: kinds of columns and places of rows.

use super::cells::{float_of, integer_of, is_integer, is_missing};
use super::rows::{Rows, text_of_cell};
use crate::io::file::ReadFile;
use crate::{Error, Result};
use std::collections::{HashMap, HashSet};

/// Rows between two places that are remembered, at first.
const STRIDE: usize = 1024;

/// The most places that are remembered; then every second is forgotten.
const MOST_PLACES: usize = 1 << 20;

/// The most columns of a table.
const MOST_COLUMNS: usize = 1 << 16;

/// What all cells of a column are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
pub(super) enum Kind {
    Integer,
    Float,
    Text,
}

/// A column.
#[derive(Debug)]
pub(super) struct ColumnOf {
    pub name: String,
    pub kind: Kind,
    /// Whether it has an integer that int64 does not hold.
    wide: bool,
}

/// What the pass finds.
#[derive(Debug)]
pub(super) struct Scan {
    pub columns: Vec<ColumnOf>,
    pub rows: usize,
    /// The most bytes of a row.
    pub longest: u64,
    pub notes: Vec<String>,
    /// Where rows `0`, `stride`, `2 · stride`, … begin.
    places: Vec<u64>,
    stride: usize,
}

impl Scan {
    /// A place at or before a row, and the row that begins there.
    pub fn place_of(&self, row: usize) -> (u64, usize) {
        let at = (row / self.stride).min(self.places.len().saturating_sub(1));
        (self.places.get(at).copied().unwrap_or(0), at * self.stride)
    }
}

/// Reads through a file.
///
/// # Errors
/// As [`super::CsvFile::open`].
pub(super) fn scan(file: &ReadFile, delimiter: u8) -> Result<Scan> {
    let mut rows = Rows::at(file, delimiter, 0);
    let names: Vec<String> = match rows.next()? {
        Some(record) if record.len() > MOST_COLUMNS => {
            let reason = format!("it has {} columns, more than 65,536", record.len());
            return Err(Error::format(file.path(), reason));
        }
        Some(record) => record.iter().map(text_of_cell).collect(),
        None => {
            return Err(Error::format(
                file.path(),
                "it has no line with the names of columns",
            ));
        }
    };
    let mut notes = Vec::new();
    let mut scan = Scan {
        columns: unique(names, &mut notes),
        rows: 0,
        longest: 0,
        notes,
        places: Vec::new(),
        stride: STRIDE,
    };
    while let Some(record) = rows.next()? {
        for (column, cell) in scan.columns.iter_mut().zip(record) {
            column.look_at(cell);
        }
        let (begin, end) = rows.span();
        scan.longest = scan.longest.max(end - begin);
        if scan.rows.is_multiple_of(scan.stride) {
            scan.places.push(begin);
            if scan.places.len() == MOST_PLACES {
                let mut even = false;
                scan.places.retain(|_| {
                    even = !even;
                    even
                });
                scan.stride *= 2;
            }
        }
        scan.rows += 1;
    }
    for column in scan.columns.iter().filter(|c| c.wide && c.kind == Kind::Float) {
        scan.notes.push(format!(
            "{} has integers beyond int64 and is read as float64, which rounds them",
            column.name
        ));
    }
    Ok(scan)
}

impl ColumnOf {
    /// Widens the kind so that it holds a cell.
    fn look_at(&mut self, cell: &[u8]) {
        if self.kind == Kind::Integer && integer_of(cell).is_none() {
            self.kind = Kind::Float;
        }
        if self.kind == Kind::Float {
            self.wide |= is_integer(cell) && integer_of(cell).is_none();
            if !is_missing(cell) && float_of(cell).is_none() {
                self.kind = Kind::Text;
            }
        }
    }
}

/// Names that differ: of several equal ones the later get a number, as pandas gives them.
fn unique(names: Vec<String>, notes: &mut Vec<String>) -> Vec<ColumnOf> {
    let mut taken: HashSet<String> = names.iter().cloned().collect();
    let mut seen = HashSet::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut columns = Vec::new();
    for (number, given) in names.into_iter().enumerate() {
        let base = match given.is_empty() {
            true => format!("column_{number}"),
            false => given.clone(),
        };
        let mut name = base.clone();
        if given.is_empty() || !seen.insert(given) {
            let next = numbers.entry(base.clone()).or_default();
            while !taken.insert(name.clone()) {
                *next += 1;
                name = format!("{base}.{next}");
            }
            notes.push(format!(
                "the name of column {number} is empty or taken: it is called {name}"
            ));
        }
        columns.push(ColumnOf {
            name,
            kind: Kind::Integer,
            wide: false,
        });
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_unique() {
        let given = ["a", "b", "a", "", "a.1", "a"].map(String::from).to_vec();
        let names: Vec<String> = unique(given, &mut Vec::new())
            .into_iter()
            .map(|c| c.name)
            .collect();
        assert_eq!(names, ["a", "b", "a.2", "column_3", "a.1", "a.3"]);
    }

    #[test]
    fn kinds_widen() {
        let mut column = ColumnOf {
            name: String::new(),
            kind: Kind::Integer,
            wide: false,
        };
        let mut kinds = Vec::new();
        for cell in ["1", "-7", "99999999999999999999", "", "2.5", "x", "3"] {
            column.look_at(cell.as_bytes());
            kinds.push(column.kind);
        }
        use Kind::{Float, Integer, Text};
        assert_eq!(kinds, [Integer, Integer, Float, Float, Float, Text, Text]);
        assert!(column.wide);
    }
}
