//! Reshapes move below elementwise ops, towards arrays whose rows can be read in any cut, so that
//! the ops still fuse with what follows.

use super::Rule;
use crate::Result;
use crate::expr::{Expr, NodeKind};

/// Replaces `reshape(op(x, y))` by `op(reshape(x), reshape(y))` and merges reshapes in a row.
pub(crate) struct PushReshape;

impl Rule for PushReshape {
    fn name(&self) -> &'static str {
        "push reshape"
    }

    fn apply(&self, expr: &Expr) -> Result<Option<Expr>> {
        if !matches!(expr.kind, NodeKind::Reshape) {
            return Ok(None);
        }
        let input = &expr.inputs[0];
        let target: Vec<isize> = expr.shape.iter().map(|&n| n as isize).collect();
        match &input.kind {
            NodeKind::Reshape => input.inputs[0].reshape(&target).map(Some),
            NodeKind::Cast => Ok(Some(input.inputs[0].reshape(&target)?.cast(input.dtype))),
            NodeKind::Op(op) => {
                let args: Vec<Expr> = input
                    .inputs
                    .iter()
                    .map(|arg| match repeats_one_value(arg) {
                        Some(scalar) => scalar.broadcast_to(&expr.shape),
                        None => arg.reshape(&target),
                    })
                    .collect::<Result<_>>()?;
                Expr::op(*op, &args).map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// The scalar that a broadcast view repeats.
fn repeats_one_value(expr: &Expr) -> Option<&Expr> {
    match expr.kind {
        NodeKind::View(_) if matches!(expr.inputs[0].kind, NodeKind::Scalar(_)) => Some(&expr.inputs[0]),
        _ => None,
    }
}
