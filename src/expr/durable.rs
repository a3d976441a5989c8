//! Ids of expressions that other processes find equal too, so that work which one process left can be
//! taken up by the next.
//!
//! [`Expr::id`] tells arrays in memory apart by where they are, and closures by when they were made.
//! A durable id goes by the content of the former; what holds one of the latter has none.

use super::{Expr, NodeKind};
use std::collections::HashMap;

/// The durable ids found so far, by [`Expr::id`].
#[derive(Debug, Default)]
pub(crate) struct DurableIds(HashMap<u128, Option<u128>>);

impl DurableIds {
    /// The durable id of an expression, if it has one.
    pub fn of(&mut self, expr: &Expr) -> Option<u128> {
        // Without recursion: chains may be long.
        let mut stack = vec![(expr.clone(), false)];
        while let Some((expr, inputs_known)) = stack.pop() {
            if self.0.contains_key(&expr.id()) {
                continue;
            }
            if inputs_known {
                let id = self.make(&expr);
                self.0.insert(expr.id(), id);
            } else {
                let inputs: Vec<_> = expr.inputs.iter().map(|input| (input.clone(), false)).collect();
                stack.push((expr, true));
                stack.extend(inputs);
            }
        }
        self.0.get(&expr.id()).copied().flatten()
    }

    /// The id of a node whose inputs have theirs.
    fn make(&self, expr: &Expr) -> Option<u128> {
        let own = match &expr.kind {
            NodeKind::Source(source) => source.durable_fingerprint()?,
            NodeKind::Custom(_) => return None,
            NodeKind::Block(op) if !op.is_durable() => return None,
            _ => 0,
        };
        let known = |input: &Expr| self.0.get(&input.id()).copied().flatten();
        let ids: Vec<u128> = expr.inputs.iter().map(known).collect::<Option<_>>()?;
        Some(expr.hash(|_| own, ids.into_iter()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Op;
    use crate::expr::Custom;
    use crate::store::MemorySource;
    use std::sync::Arc;

    fn array(values: &[f32]) -> Expr {
        let source = MemorySource::from_vec::<f32>(&[values.len()], values.to_vec());
        Expr::source(Arc::new(source.unwrap())).unwrap()
    }

    fn sum(a: &Expr, b: &Expr) -> Expr {
        Expr::op(Op::find("add").unwrap(), &[a.clone(), b.clone()]).unwrap()
    }

    #[test]
    fn content_counts_and_not_where_it_lies() {
        let (a, same, other) = (array(&[1.0, 2.0]), array(&[1.0, 2.0]), array(&[1.0, 3.0]));
        assert_ne!(a.id(), same.id());
        let of = |expr: &Expr| DurableIds::default().of(expr).unwrap();
        assert_eq!(of(&sum(&a, &a)), of(&sum(&same, &a)));
        assert_ne!(of(&sum(&a, &a)), of(&sum(&a, &other)));
        assert_ne!(of(&sum(&other, &a)), of(&sum(&a, &other)));
    }

    #[test]
    fn closures_have_none() {
        let a = array(&[1.0]);
        let same = Custom::new("same", Arc::new(|_, _, _, _| Ok(())));
        let custom = Expr::custom(same, std::slice::from_ref(&a), a.dtype).unwrap();
        let mut ids = DurableIds::default();
        assert_eq!(ids.of(&sum(&a, &custom)), None);
        assert!(ids.of(&a).is_some());
    }

    #[test]
    fn long_chains_do_not_recurse() {
        let one = array(&[1.0]);
        let chain = (0..100_000).fold(one.clone(), |sum_so_far, _| sum(&sum_so_far, &one));
        assert!(DurableIds::default().of(&chain).is_some());
    }
}
