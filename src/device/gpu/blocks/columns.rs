//! The columns of an operand along an axis, as the kernels of scans and windows find them.
//!
//! Operands lie as they lie: with any offset and steps. Axes that lie one after another as one are
//! walked as one, so a column of a dense block is found by at most two divisions.

use crate::device::gpu::expression::{self, fetched, shift, word};
use crate::device::gpu::launch::alignment;
use crate::device::{BlockTask, Operand};
use crate::{DType, Error, Result};
use std::ops::Range;

/// The parameters that every kernel over columns begins with.
pub(super) const HEAD: usize = 7;

/// Where the columns of an operand lie.
pub(super) struct Columns {
    /// Bytes of the operand that are bound.
    pub range: Range<usize>,
    /// Extent of the axis.
    pub len: usize,
    /// Number of columns.
    pub count: usize,
    /// How many of them are neighbours: the extents after the axis.
    pub inner: usize,
    /// Element of the first point in what is bound.
    base: usize,
    step: usize,
    /// Extents and steps of the other axes, from the innermost on.
    others: Vec<(usize, usize)>,
}

impl Columns {
    /// The columns along `axis` of an operand that is not empty.
    pub fn new(operand: &Operand<'_>, axis: usize) -> Columns {
        let shape = &operand.region.shape;
        let mut others: Vec<(usize, usize)> = Vec::new();
        for a in (0..shape.len()).rev().filter(|&a| a != axis && shape[a] > 1) {
            match others.last_mut() {
                Some((n, step)) if operand.strides[a] == *n * *step => *n *= shape[a],
                _ => others.push((shape[a], operand.strides[a])),
            }
        }
        let (range, base) = bound(operand);
        Columns {
            range,
            len: shape[axis],
            count: others.iter().map(|(n, _)| n).product(),
            inner: shape[axis + 1..].iter().product(),
            base,
            step: operand.strides[axis],
            others,
        }
    }

    /// Columns of such extents, one after another or side by side.
    #[cfg(test)]
    pub fn of_extents(count: usize, len: usize, contiguous: bool) -> Columns {
        let (inner, step) = if contiguous { (1, 1) } else { (count, count) };
        Columns {
            range: 0..count * len,
            len,
            count,
            inner,
            base: 0,
            step,
            others: vec![(count, if contiguous { len } else { 1 })],
        }
    }

    /// Whether a column's elements lie side by side, and so do its results.
    pub fn contiguous(&self) -> bool {
        self.step == 1 && self.inner == 1
    }

    /// Parameters: [`HEAD`] of them, those of a kernel of its own, and the list of axes.
    pub fn parameters(&self, own: &[usize]) -> Vec<u32> {
        let list = HEAD + own.len();
        let head = [
            self.base,
            self.step,
            self.len,
            self.count,
            self.inner,
            self.others.len(),
            list,
        ];
        let axes = self.others.iter().flat_map(|&(n, step)| [n, step]);
        let all = head.into_iter().chain(own.iter().copied()).chain(axes);
        all.map(|n| n as u32).collect()
    }
}

/// The bytes that an operand of some points spans, from where a buffer may be bound, and the
/// element of its first point in them.
pub(super) fn bound(operand: &Operand<'_>) -> (Range<usize>, usize) {
    let size = operand.dtype.size();
    let start = operand.offset * size / alignment(&operand.bytes) * alignment(&operand.bytes);
    let reach = |(n, step): (&usize, &usize)| (n - 1) * step;
    let last: usize = operand.region.shape.iter().zip(&operand.strides).map(reach).sum();
    let end = (operand.offset + last + 1) * size;
    (start..end, operand.offset - start / size)
}

/// The type of an element in registers: bools are words.
pub(super) fn register(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "u32",
        _ => dtype.info().wgsl,
    }
}

/// What loads the element at `at0` of `in0` into a register.
pub(super) fn loaded(dtype: DType) -> String {
    let shift = shift(dtype, "at0");
    let value = expression::loaded(dtype, &fetched(0, dtype, "at0"), shift.as_deref());
    match dtype {
        DType::Bool => format!("select(0u, 1u, {value})"),
        _ => value,
    }
}

/// The type of elements of a buffer: words, each for as many as it holds, unless they have 64 bits.
pub(super) fn stored_as(dtype: DType) -> &'static str {
    word(dtype)
}

/// Checks that indices of a task fit the kernels' 32 bits.
///
/// # Errors
/// When a part or its result is too large.
pub(super) fn check(task: &BlockTask<'_>) -> Result<()> {
    let points = |shape: &[usize]| shape.iter().product::<usize>();
    let parts = task.operands.iter().map(|o| bound(o).0.len() / o.dtype.size());
    match parts.chain([points(&task.block.shape)]).max() {
        Some(most) if most >= 1 << 31 => Err(Error::Device(format!(
            "{}: a block of {most} elements; a kernel takes fewer than 2^31",
            task.op.name()
        ))),
        _ => Ok(()),
    }
}
