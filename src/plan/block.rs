//! Blocks of a block operation: long where the operation needs it, then as long as fits along the
//! inner axes, so that rows are contiguous.

use super::build::SMALL_BYTES;
use super::{Card, TaskSize};
use crate::expr::{BlockForm, BlockOp, Expr};
use std::sync::Arc;

/// Blocks are at least so many times as long as what they need beyond their ends.
const HALO_FACTOR: usize = 8;

/// Whether a block operation that can be is computed in steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Steps {
    /// With whole parts.
    Never,
    /// Where that saves reading.
    WherePaid,
    /// Because nothing else fits.
    Forced,
}

/// The operation as it is computed by tasks of about `target` bytes.
pub(super) fn in_steps(
    op: &Arc<dyn BlockOp>,
    made: &Expr,
    target: usize,
    parts: usize,
    steps: Steps,
) -> Arc<dyn BlockOp> {
    let stepped = match steps {
        Steps::Never => None,
        _ => op.in_steps(&made.shape, target, parts, steps == Steps::Forced),
    };
    stepped.unwrap_or_else(|| op.clone())
}

/// The extents of the parts of an operand, for tasks of the CPU as large as it likes.
pub(super) fn parts(op: &Arc<dyn BlockOp>, made: &Expr, operand: usize, tasks: TaskSize) -> Vec<usize> {
    let op = in_steps(op, made, tasks.bytes, tasks.parts, Steps::WherePaid);
    op.bound(operand, &extents(op.as_ref(), made, tasks.bytes, tasks.parts))
}

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

/// Whether the kernels of a GPU can hold a block of these extents, with as much again for tiles
/// beside it: by a bound on what they take beside its operands and its result.
pub(super) fn fits_card(op: &dyn BlockOp, made: &Expr, extents: &[usize], card: Card) -> bool {
    let Some(held) = held_on_card(op, made, extents) else {
        return true; // the CPU runs it
    };
    held.largest.saturating_add(512) <= card.binding
        && held.total <= card.memory / 2
        && held.moved <= card.staging
}

/// How many blocks in steps a card holds at once, since their sums stay there, each with as much again
/// for tiles beside it; any number of others.
pub(super) fn at_once_on_card(op: &dyn BlockOp, made: &Expr, extents: &[usize], card: Card) -> usize {
    match held_on_card(op, made, extents) {
        Some(held) if op.steps(extents) > 1 => (card.memory / 2 / held.total.max(1)).max(1) as usize,
        _ => usize::MAX,
    }
}

/// A bound on what kernels of a GPU take for a block, in bytes.
struct Held {
    /// The largest buffer.
    largest: u64,
    /// All of them.
    total: u64,
    /// Those that come from the host or go there.
    moved: u64,
}

fn held_on_card(op: &dyn BlockOp, made: &Expr, extents: &[usize]) -> Option<Held> {
    let form = op.form()?;
    let count = |extents: &[usize]| extents.iter().fold(1, |n: usize, &d| n.saturating_mul(d));
    let results = count(extents);
    let mut moved = vec![results.saturating_mul(made.dtype.size())];
    let mut beside = Vec::new();
    for (number, operand) in made.inputs.iter().enumerate() {
        let (elements, size) = (count(&op.bound(number, extents)), operand.dtype.size());
        moved.push(elements.saturating_mul(size));
        let each = beside_each(&form, number, size);
        beside.extend(each.map(|bytes| elements.saturating_mul(bytes)));
    }
    if let BlockForm::Scan { .. } = form {
        // Narrow results are words first; a carry comes and goes.
        let words = if made.dtype.size() < 4 { 4 } else { 0 };
        beside.extend([results.saturating_mul(words), 16 * op.carry_words(extents)]);
    }
    // Buffers come in sizes of which the next is at most a quarter larger.
    let held = |buffers: &[usize]| {
        buffers
            .iter()
            .fold(0, |sum: u64, &n| sum.saturating_add(n as u64))
            / 4
            * 5
    };
    if let Some(sums) = op.sums_dtype().filter(|_| op.steps(extents) > 1) {
        // Those of the steps before, of this one, and both together.
        beside.extend([results.saturating_mul(sums.size()); 3]);
    }
    Some(Held {
        largest: moved.iter().chain(&beside).max().map_or(0, |&n| n as u64),
        total: held(&moved).saturating_add(held(&beside)),
        moved: held(&moved),
    })
}

/// Bytes of each buffer that kernels have for an element of an operand of that size beside it.
fn beside_each(form: &BlockForm<'_>, operand: usize, size: usize) -> impl Iterator<Item = usize> {
    let word = size.max(4);
    let bytes = match form {
        // Records go to and fro; digits are counted.
        BlockForm::Order { indices, .. } => [word + 4 * usize::from(*indices); 2].into_iter().chain([1]),
        BlockForm::Quantile { .. } => [word; 2].into_iter().chain([1]),
        BlockForm::Searchsorted { .. } if operand == 0 => [word, 0].into_iter().chain([0]),
        // States of chunks, or of blocks along the axis.
        BlockForm::Scan { .. } | BlockForm::Window { .. } => [2, 0].into_iter().chain([0]),
        _ => [0; 2].into_iter().chain([0]),
    };
    bytes.filter(|&n| n > 0)
}
