//! Einstein sums: `"bij,bjk->bik"`.
//!
//! Letters name axes; one that several operands have is run along together, one that the result
//! lacks is summed over, one that an operand has twice is its diagonal. Without `->` the result has
//! the letters that come once, in alphabetical order. `...` stands for axes that broadcast.

use super::{Extents, Label};
use crate::expr::Expr;
use crate::{Error, Result};

/// The labels of the axes that `...` stands for begin here, that of the last axis first.
const BROADCAST: Label = 1 << 24;

/// One side of a subscript: letters before and after `...`, if there is one.
struct Letters {
    before: Vec<Label>,
    after: Option<Vec<Label>>,
}

impl Letters {
    fn parse(text: &str) -> Result<Letters, String> {
        let letters = |part: &str| -> Result<Vec<Label>, String> {
            let letter = |c: char| match c.is_ascii_alphabetic() {
                true => Ok(c as Label),
                false => Err(format!("{c:?} is no letter")),
            };
            part.chars().filter(|c| !c.is_whitespace()).map(letter).collect()
        };
        match text.split_once("...") {
            Some((before, after)) => Ok(Letters {
                before: letters(before)?,
                after: Some(letters(after)?),
            }),
            None => Ok(Letters {
                before: letters(text)?,
                after: None,
            }),
        }
    }

    /// A label per axis, where `...` stands for `broadcast` axes.
    fn labels(&self, broadcast: usize) -> Vec<Label> {
        let mut labels = self.before.clone();
        if let Some(after) = &self.after {
            labels.extend((0..broadcast as Label).rev().map(|axis| BROADCAST + axis));
            labels.extend(after);
        }
        labels
    }

    fn count(&self) -> usize {
        self.before.len() + self.after.as_ref().map_or(0, Vec::len)
    }
}

/// How a label is written.
fn spell(label: Label) -> String {
    char::from_u32(label)
        .filter(|_| label < BROADCAST)
        .map_or("...".into(), String::from)
}

impl Expr {
    /// The Einstein sum of some arrays.
    ///
    /// # Errors
    /// A subscript that is not well formed or does not fit the arrays; extents of one letter that
    /// differ. Messages name the subscript and the letter.
    pub fn einsum(subscripts: &str, operands: &[Expr]) -> Result<Expr> {
        sum(subscripts, operands).map_err(|why| Error::invalid(format!("einsum {subscripts:?}: {why}")))
    }
}

fn sum(subscripts: &str, operands: &[Expr]) -> Result<Expr, String> {
    let (inputs, result) = match subscripts.split_once("->") {
        Some((inputs, result)) => (inputs, Some(Letters::parse(result)?)),
        None => (subscripts, None),
    };
    let inputs: Vec<Letters> = inputs
        .split(',')
        .map(Letters::parse)
        .collect::<Result<_, String>>()?;
    if inputs.len() != operands.len() {
        return Err(format!(
            "{} subscripts for {} arrays",
            inputs.len(),
            operands.len()
        ));
    }
    let mut extents = Extents::new();
    let mut labels = Vec::new();
    let mut broadcast = 0;
    for (number, (letters, operand)) in inputs.iter().zip(operands).enumerate() {
        let spare = operand.rank().checked_sub(letters.count());
        let Some(spare) = spare.filter(|&n| n == 0 || letters.after.is_some()) else {
            return Err(format!(
                "operand {number} of shape {:?} has {} axes, its subscript {}",
                operand.shape,
                operand.rank(),
                letters.count()
            ));
        };
        broadcast = broadcast.max(spare);
        let own = letters.labels(spare);
        for (&label, &extent) in own.iter().zip(&operand.shape) {
            let known = extents.entry(label).or_insert(extent);
            if *known == 1 {
                *known = extent;
            }
            if extent != 1 && *known != extent {
                return Err(format!("{} has extents {known} and {extent}", spell(label)));
            }
        }
        for (at, label) in own.iter().enumerate() {
            let same = own[..at].iter().position(|l| l == label);
            if let Some(other) = same.filter(|&o| operand.shape[o] != operand.shape[at]) {
                let (x, y) = (operand.shape[other], operand.shape[at]);
                return Err(format!(
                    "{} has extents {x} and {y} in operand {number}",
                    spell(*label)
                ));
            }
        }
        labels.push(own);
    }
    let out = match &result {
        Some(letters) => {
            if letters.after.is_none() && broadcast > 0 {
                return Err("the result lacks \"...\"".into());
            }
            letters.labels(broadcast)
        }
        None => implicit(&labels, broadcast),
    };
    for (at, label) in out.iter().enumerate() {
        if !extents.contains_key(label) {
            return Err(format!("{} of the result is in no operand", spell(*label)));
        }
        if out[..at].contains(label) {
            return Err(format!("{} comes twice in the result", spell(*label)));
        }
    }
    let terms: Vec<(&Expr, &[Label])> = operands.iter().zip(labels.iter().map(Vec::as_slice)).collect();
    Expr::contract(&terms, &out).map_err(|e| e.to_string())
}

/// The result without `->`: broadcast axes, then letters that come once.
fn implicit(labels: &[Vec<Label>], broadcast: usize) -> Vec<Label> {
    let mut all: Vec<Label> = labels
        .iter()
        .flatten()
        .copied()
        .filter(|&l| l < BROADCAST)
        .collect();
    all.sort_unstable();
    let once = |label: &Label| all.iter().filter(|l| *l == label).count() == 1;
    let axes = (0..broadcast as Label).rev().map(|axis| BROADCAST + axis);
    axes.chain(all.iter().copied().filter(once)).collect()
}
