//! Merging of rechunks: two in a row would move every byte twice, only the last grid counts.

use super::Rule;
use crate::Result;
use crate::expr::{Expr, NodeKind};

/// Replaces `rechunk(rechunk(x, a), b)` by `rechunk(x, b)`, and drops one to the grid it has.
pub(crate) struct MergeRechunks;

impl Rule for MergeRechunks {
    fn name(&self) -> &'static str {
        "merge rechunks"
    }

    fn apply(&self, expr: &Expr) -> Result<Option<Expr>> {
        if !matches!(expr.kind, NodeKind::Rechunk) {
            return Ok(None);
        }
        let input = &expr.inputs[0];
        if input.chunks == expr.chunks {
            return Ok(Some(input.clone()));
        }
        if !matches!(input.kind, NodeKind::Rechunk) {
            return Ok(None);
        }
        input.inputs[0].rechunk(expr.chunks.clone()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Chunks;

    #[test]
    fn the_last_grid_counts() {
        let x = Expr::index(&[8], 0).unwrap();
        let grid = |n: usize| Chunks::regular(&[8], &[n]);
        let twice = x.rechunk(grid(2)).unwrap().rechunk(grid(4)).unwrap();
        assert_eq!(
            MergeRechunks.apply(&twice).unwrap(),
            Some(x.rechunk(grid(4)).unwrap())
        );
        let back = x.rechunk(grid(2)).unwrap().rechunk(grid(8)).unwrap();
        assert_eq!(MergeRechunks.apply(&back).unwrap(), Some(x));
    }
}
