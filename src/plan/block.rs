//! Blocks of a block operation: long where the operation needs it, then as long as fits along the
//! inner axes, so that rows are contiguous.

use super::build::SMALL_BYTES;
use crate::expr::{BlockOp, Expr};

/// Blocks are at least so many times as long as what they need beyond their ends.
const HALO_FACTOR: usize = 8;

/// Extents of blocks of `made` whose operands and result take about `target` bytes, for the result
/// of `op`; larger where the operation must span axes, smaller where there would not be `parts`.
pub(super) fn extents(op: &dyn BlockOp, made: &Expr, target: usize, parts: usize) -> Vec<usize> {
    let shape = &made.shape;
    if op.exact_chunks() {
        return made.chunks.largest();
    }
    if let Some(extents) = op.block_extents(shape, target, parts) {
        return extents;
    }
    let bytes = |extents: &[usize]| {
        let parts = made.inputs.iter().enumerate().map(|(number, operand)| {
            let part = op.bound(number, extents);
            part.iter()
                .fold(operand.dtype.size(), |n, &d| n.saturating_mul(d))
        });
        let out = extents
            .iter()
            .fold(made.dtype.size(), |n, &d| n.saturating_mul(d));
        parts.fold(out, usize::saturating_add)
    };
    let total = bytes(shape);
    let target = target.min((total / parts).max(SMALL_BYTES));
    let mut extents: Vec<usize> = (0..shape.len())
        .map(|axis| {
            let n = shape[axis].max(1);
            if op.spans(axis) { n } else { 1 }
        })
        .collect();
    let grow = |extents: &mut Vec<usize>, axis: usize, most: usize| {
        let (mut low, mut high) = (extents[axis], most.max(extents[axis]));
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            extents[axis] = middle;
            if bytes(extents) <= target {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        extents[axis] = low;
    };
    // What is re-read at the ends comes first, then contiguous rows, then the rest.
    for (axis, &n) in shape.iter().enumerate() {
        let reach = op.halo(axis).saturating_mul(HALO_FACTOR);
        if reach > 0 {
            grow(&mut extents, axis, reach.min(n));
        }
    }
    // Columns along which a carry goes are shared out among workers.
    let carry = op.carry_axis();
    for axis in (0..shape.len()).rev() {
        let most = if carry.is_some() && carry != Some(axis) {
            let columns: usize = (0..shape.len())
                .filter(|&a| Some(a) != carry)
                .map(|a| shape[a])
                .product();
            let others: usize = (0..shape.len())
                .filter(|&a| Some(a) != carry && a != axis)
                .map(|a| extents[a])
                .product();
            (columns / parts / others.max(1)).clamp(1, shape[axis].max(1))
        } else {
            shape[axis]
        };
        if Some(axis) != carry {
            grow(&mut extents, axis, most);
        }
    }
    if let Some(axis) = carry {
        grow(&mut extents, axis, shape[axis]);
    }
    extents
}
