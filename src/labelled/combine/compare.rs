//! What two files have to have in common, and what to say where they have not.

use super::digest::{Digest, Facts, FormVariable};
use crate::io::{Attributes, VarType};
use crate::labelled::cftime::TimeUnits;
use crate::labelled::dataset::time_units;
use crate::{DType, Error};
use std::sync::Arc;

/// The most differences of two files that are told.
const MOST: usize = 4;

/// The differences of two files.
#[derive(Debug)]
pub(super) struct Differences(Vec<String>);

impl Differences {
    /// No difference.
    pub fn none() -> Differences {
        Differences(Vec::new())
    }

    /// The differences of two files that are to be joined along one of the dimensions `along`:
    /// of everything but the extents and labels of those.
    pub fn between(a: &Digest, b: &Digest, along: &[&str]) -> Differences {
        let mut found = Differences::none();
        if !Arc::ptr_eq(&a.form, &b.form) {
            found.names(a, b);
        }
        for dim in a.form.dims.iter().filter(|d| !along.contains(&d.as_str())) {
            found.dim(a, b, dim);
        }
        let all = a.form.variables.iter().zip(&a.facts).enumerate();
        for (at, (variable, facts)) in all {
            let Some((other, others, _)) = b.variable(&variable.name, at) else {
                continue;
            };
            if !Arc::ptr_eq(&a.form, &b.form) {
                let (own, new) = (a.dims_of(variable), b.dims_of(other));
                if own != new {
                    let text = format!("({}) against ({})", own.join(", "), new.join(", "));
                    found.add(format!("variable {}: dimensions {text}", variable.name));
                    continue;
                }
                if !same_kind(variable, other) {
                    found.add(format!(
                        "variable {}: {} against {}",
                        variable.name, variable.dtype, other.dtype
                    ));
                }
            }
            if !Arc::ptr_eq(&facts.meaning, &others.meaning) {
                found.meaning(&variable.name, facts, others);
            }
            let joined = a.dims_of(variable).iter().any(|d| along.contains(d));
            let of_dim = a.dim(&variable.name).is_some();
            if let (Some(own), Some(new), false) = (&facts.labels, &others.labels, joined || of_dim)
                && !Arc::ptr_eq(own, new)
                && let Some(text) = own.difference(new)
            {
                found.add(format!("variable {}: {text}", variable.name));
            }
        }
        found
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one.
    pub fn add(&mut self, text: String) {
        self.0.push(text);
    }

    /// The error that tells them.
    pub fn error(&self, a: &Digest, b: &Digest) -> Error {
        let mut told: Vec<String> = self.0.iter().take(MOST).cloned().collect();
        if self.0.len() > MOST {
            told.push(format!("and {} more", self.0.len() - MOST));
        }
        let text = format!("cannot be joined with {}: {}", a.path.display(), told.join("; "));
        Error::format(&b.path, text)
    }

    fn names(&mut self, a: &Digest, b: &Digest) {
        for (has, lacks) in [(a, b), (b, a)] {
            for variable in &has.form.variables {
                if lacks.variable(&variable.name, 0).is_none() {
                    self.add(format!(
                        "variable {} is in {} only",
                        variable.name,
                        has.path.display()
                    ));
                }
            }
        }
        let missing = a.form.dims.iter().find(|d| b.dim(d).is_none());
        if let (Some(dim), true) = (missing, self.is_empty()) {
            self.add(format!("dimension {dim} is in {} only", a.path.display()));
        }
    }

    fn dim(&mut self, a: &Digest, b: &Digest, dim: &str) {
        if b.dim(dim).is_none() {
            return;
        }
        match (a.labels(dim), b.labels(dim)) {
            (Some(own), Some(new)) if Arc::ptr_eq(own, new) => {}
            (Some(own), Some(new)) => {
                if let Some(text) = own.difference(new) {
                    self.add(format!("coordinate {dim}: {text}"));
                }
            }
            _ if a.extent(dim) != b.extent(dim) => self.add(format!(
                "dimension {dim}, which has no labels: {} places against {}",
                a.extent(dim),
                b.extent(dim)
            )),
            _ => {}
        }
    }

    /// Units and calendars; packing may differ, and so may the moment that times count from.
    fn meaning(&mut self, name: &str, own: &Facts, new: &Facts) {
        let text = |facts: &Facts, key: &str| facts.meaning.text(key).map(str::to_string);
        let shown = |text: Option<String>| text.map_or("none".to_string(), |t| format!("{t:?}"));
        match (times(own), times(new)) {
            (Some(a), Some(b)) if a.calendar() == b.calendar() => {}
            (Some(a), Some(b)) => self.add(format!(
                "variable {name}: calendar {} against {}",
                a.calendar().name(),
                b.calendar().name()
            )),
            _ => {
                for key in ["units", "calendar"] {
                    let (a, b) = (text(own, key), text(new, key));
                    if a != b {
                        self.add(format!(
                            "variable {name}: {key} {} against {}",
                            shown(a),
                            shown(b)
                        ));
                    }
                }
            }
        }
    }
}

/// Units and calendar of a variable that holds times.
pub(super) fn times(facts: &Facts) -> Option<TimeUnits> {
    let meaning: &Attributes = &facts.meaning;
    time_units(meaning)
}

/// Whether elements of both can stand in one array: numbers become those of the wider dtype.
fn same_kind(a: &FormVariable, b: &FormVariable) -> bool {
    match (&a.dtype, &b.dtype) {
        (VarType::Numeric(a), VarType::Numeric(b)) => (*a == DType::Bool) == (*b == DType::Bool),
        (VarType::Text | VarType::Char, VarType::Text | VarType::Char) => true,
        (a, b) => a == b,
    }
}
