//! Other expressions in the place of some, wherever they stand in a graph, and whether a graph needs all
//! of an expression.

use super::{Expr, NodeKind};
use crate::geometry::{AxisMap, IndexMap};
use std::collections::HashMap;

/// Graphs with some nodes replaced.
#[derive(Debug, Default)]
pub(crate) struct Substitution(HashMap<u128, Expr>);

impl Substitution {
    /// Puts `by`, of the same shape and dtype, in the place of `expr` from now on.
    pub fn put(&mut self, expr: &Expr, by: Expr) {
        self.0.insert(expr.id(), by.in_chunks_of(expr));
    }

    /// Whether something stands in the place of that expression.
    pub fn holds(&self, id: u128) -> bool {
        self.0.contains_key(&id)
    }

    /// The graph with everything replaced; without recursion, as chains may be long.
    pub fn of(&self, expr: &Expr) -> Expr {
        let mut known = self.0.clone();
        let mut stack = vec![(expr.clone(), false)];
        while let Some((expr, inputs_known)) = stack.pop() {
            if known.contains_key(&expr.id()) {
                continue;
            }
            if !inputs_known {
                let inputs: Vec<_> = expr.inputs.iter().map(|input| (input.clone(), false)).collect();
                stack.push((expr, true));
                stack.extend(inputs);
                continue;
            }
            let inputs: Vec<Expr> = expr.inputs.iter().map(|i| known[&i.id()].clone()).collect();
            let same = inputs == expr.inputs;
            let made = if same {
                expr.clone()
            } else {
                expr.with_inputs(inputs)
            };
            known.insert(expr.id(), made);
        }
        known[&expr.id()].clone()
    }
}

impl Expr {
    /// The same values in the chunks of another array of its shape.
    fn in_chunks_of(self, other: &Expr) -> Expr {
        match self.chunks == other.chunks {
            true => self,
            false => self.in_chunks(other.chunks.clone()),
        }
    }
}

/// The nodes below some expressions down to those that are `there`, by id, and whether all of each one's
/// elements are needed.
pub(crate) fn needs(exprs: &[Expr], there: impl Fn(u128) -> bool) -> HashMap<u128, bool> {
    let mut needs = HashMap::new();
    let mut stack: Vec<(Expr, bool)> = exprs.iter().map(|expr| (expr.clone(), true)).collect();
    while let Some((expr, all)) = stack.pop() {
        match needs.get(&expr.id()) {
            Some(true) => continue,
            Some(false) if !all => continue,
            _ => needs.insert(expr.id(), all),
        };
        if there(expr.id()) {
            continue;
        }
        for input in &expr.inputs {
            let covered = match &expr.kind {
                NodeKind::View(map) => covers(map, &expr.shape, &input.shape),
                _ => true,
            };
            stack.push((input.clone(), all && covered));
        }
    }
    needs
}

/// Whether a view of this shape shows every element of what it is of.
fn covers(map: &IndexMap, shape: &[usize], of: &[usize]) -> bool {
    map.axes.iter().zip(of).all(|(axis, &extent)| match axis {
        _ if extent <= 1 => true,
        AxisMap::Fixed(_) => false,
        AxisMap::Affine { axis, step, .. } => step.unsigned_abs() == 1 && shape[*axis] >= extent,
        AxisMap::Table { indices, .. } => {
            let mut seen = vec![false; extent];
            indices.iter().for_each(|&i| seen[i] = true);
            seen.into_iter().all(|seen| seen)
        }
    })
}
