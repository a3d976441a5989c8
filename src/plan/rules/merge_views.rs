//! Merging of adjacent views: a chain of slices, transposes and takes is one index map.

use super::Rule;
use crate::Result;
use crate::expr::{Expr, NodeKind};

/// Replaces `view(view(x, a), b)` by `view(x, a then b)`.
pub(crate) struct MergeViews;

impl Rule for MergeViews {
    fn name(&self) -> &'static str {
        "merge views"
    }

    fn apply(&self, expr: &Expr) -> Result<Option<Expr>> {
        let NodeKind::View(outer) = &expr.kind else {
            return Ok(None);
        };
        let input = &expr.inputs[0];
        let NodeKind::View(inner) = &input.kind else {
            return Ok(None);
        };
        Ok(Some(input.inputs[0].view(inner.then(outer))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::SliceItem;

    #[test]
    fn a_chain_of_views_is_one() {
        let x = Expr::index(&[6, 4], 0).unwrap();
        let every_second = SliceItem::Slice {
            start: None,
            stop: None,
            step: Some(2),
        };
        let chain = x.slice(&[every_second]).unwrap().permute(&[1, 0]).unwrap();
        let merged = MergeViews.apply(&chain).unwrap().unwrap();
        assert_eq!(format!("{merged:?}"), "view(index(0, [6, 4]) -> [4, 3])");
        let there_and_back = x.permute(&[1, 0]).unwrap().permute(&[1, 0]).unwrap();
        assert_eq!(MergeViews.apply(&there_and_back).unwrap().unwrap(), x);
    }
}
