//! Rewrite rules on the graph, applied bottom-up until none fits.
//!
//! Each rule keeps shape, dtype and values; what it changes is what will be moved or computed.

mod fold_constants;
mod merge_casts;
mod merge_rechunks;
mod merge_views;
mod push_reshape;

use crate::Result;
use crate::expr::Expr;
use std::collections::HashMap;

/// One rewrite.
pub(crate) trait Rule {
    /// Its name, for `explain` and tests.
    fn name(&self) -> &'static str;
    /// The better expression for this node, if the rule fits it.
    fn apply(&self, expr: &Expr) -> Result<Option<Expr>>;
}

/// Every rule, in the order they are tried.
pub(crate) const RULES: &[&dyn Rule] = &[
    &merge_views::MergeViews,
    &merge_casts::MergeCasts,
    &merge_rechunks::MergeRechunks,
    &push_reshape::PushReshape,
    &fold_constants::FoldConstants,
];

/// Rewrites whole graphs; equal nodes are rewritten once.
#[derive(Default)]
pub(crate) struct Rewriter {
    done: HashMap<u128, Expr>,
    /// How often each rule was applied.
    pub applied: HashMap<&'static str, usize>,
}

impl Rewriter {
    /// The expression after all rules.
    pub fn rewrite(&mut self, expr: &Expr) -> Result<Expr> {
        if let Some(done) = self.done.get(&expr.id()) {
            return Ok(done.clone());
        }
        let inputs: Vec<Expr> = expr
            .inputs
            .iter()
            .map(|i| self.rewrite(i))
            .collect::<Result<_>>()?;
        let mut out = if inputs == expr.inputs {
            expr.clone()
        } else {
            expr.with_inputs(inputs)
        };
        'again: loop {
            for rule in RULES {
                if let Some(better) = rule.apply(&out)? {
                    debug_assert_eq!(
                        (&better.shape, better.dtype),
                        (&out.shape, out.dtype),
                        "{}",
                        rule.name()
                    );
                    *self.applied.entry(rule.name()).or_default() += 1;
                    let inputs: Vec<Expr> = better
                        .inputs
                        .iter()
                        .map(|i| self.rewrite(i))
                        .collect::<Result<_>>()?;
                    out = if inputs == better.inputs {
                        better
                    } else {
                        better.with_inputs(inputs)
                    };
                    continue 'again;
                }
            }
            break;
        }
        self.done.insert(expr.id(), out.clone());
        Ok(out)
    }
}
