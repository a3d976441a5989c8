//! The block operation behind a contraction of two arrays.
//!
//! A block of the result needs the same ranges of the axes that it shares with a factor and the
//! whole of those that are summed over. Blocks are nearly square matrices, because the work grows
//! with their area and the reading with their edges.

use super::{Extents, Label};
use crate::expr::{BlockCall, BlockForm, BlockOp, Expr};
use crate::geometry::{AxisChunks, Chunks, Region};
use crate::{Error, Result};
use tilewise_kernels::gemm::{Axes, Factor, contract, scratch_bytes};
use tilewise_kernels::{DType, Isa, dispatch_real};

/// Blocks hold so many times the bytes of other tasks: each element is used many times.
const TARGET_FACTOR: usize = 8;
/// And no more than a GPU binds at once.
const MOST: usize = 1 << 30;
/// Blocks are not cut below this many elements for the sake of parallelism.
const SMALL_BLOCK: usize = 128 * 128;

/// A contraction of two arrays.
#[derive(Clone, Debug)]
pub(super) struct Contraction {
    dtype: DType,
    axes: Axes,
    /// Per operand and axis: the result's axis that it goes with, or the extent that is summed over.
    operands: [Vec<Role>; 2],
    summed: usize,
}

/// What an operand's axis does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    Kept(usize),
    Summed(usize),
}

impl Contraction {
    /// The contraction of terms of these labels to those of the result.
    pub fn new(terms: [&[Label]; 2], out: &[Label], extents: &Extents, dtype: DType) -> Contraction {
        let find = |labels: &[Label], label: Label| labels.iter().position(|&l| l == label);
        let mut axes = Axes::default();
        for (at, &label) in out.iter().enumerate() {
            match (find(terms[0], label), find(terms[1], label)) {
                (Some(a), Some(b)) => axes.batch.push((a, b, at)),
                (Some(a), None) => axes.rows.push((a, at)),
                (None, Some(b)) => axes.cols.push((b, at)),
                (None, None) => {}
            }
        }
        for (a, &label) in terms[0].iter().enumerate() {
            if find(out, label).is_none()
                && let Some(b) = find(terms[1], label)
            {
                axes.summed.push((a, b));
            }
        }
        let roles = terms.map(|labels| {
            let role = |&label: &Label| match find(out, label) {
                Some(axis) => Role::Kept(axis),
                None => Role::Summed(extents[&label]),
            };
            labels.iter().map(role).collect()
        });
        let summed = axes.summed.iter().map(|&(a, _)| extents[&terms[0][a]]).product();
        Contraction {
            dtype,
            axes,
            operands: roles,
            summed,
        }
    }

    /// The result's chunks: those of its factors.
    pub fn chunks(&self, shape: &[usize], factors: [&Expr; 2]) -> Chunks {
        let axes = shape.iter().enumerate().map(|(axis, &extent)| {
            let of = |n: usize| {
                let at = self.operands[n].iter().position(|r| *r == Role::Kept(axis))?;
                Some(factors[n].chunks.axes()[at].clone())
            };
            let cut = [of(0), of(1)].into_iter().flatten().find(|c| c.count() > 1);
            cut.unwrap_or_else(|| AxisChunks::regular(extent, extent))
        });
        Chunks::new(axes.collect())
    }

    /// Rows, columns, and elements of a whole block of these extents.
    fn extents(&self, block: &[usize]) -> (usize, usize, usize) {
        let product = |axes: &[(usize, usize)]| axes.iter().map(|&(_, c)| block[c]).product();
        let batch: usize = self.axes.batch.iter().map(|&(_, _, c)| block[c]).product();
        (product(&self.axes.rows), product(&self.axes.cols), batch)
    }

    fn compute<T: Factor>(&self, call: BlockCall<'_, '_>) {
        let (a, b) = (call.operands[0].strided(), call.operands[1].strided());
        let mut out = call.out.strided::<T::Stored>();
        contract::<T>(Isa::detect(), &a, &b, &mut out, &self.axes);
    }
}

impl BlockOp for Contraction {
    fn name(&self) -> &str {
        "contract"
    }

    fn needs(&self, operand: usize, block: &Region) -> Region {
        let ranges = self.operands[operand].iter().map(|role| match *role {
            Role::Kept(axis) => (block.start[axis], block.shape[axis]),
            Role::Summed(extent) => (0, extent),
        });
        let (start, shape) = ranges.unzip();
        Region { start, shape }
    }

    fn bound(&self, operand: usize, block: &[usize]) -> Vec<usize> {
        let extent = |role: &Role| match *role {
            Role::Kept(axis) => block[axis],
            Role::Summed(extent) => extent,
        };
        self.operands[operand].iter().map(extent).collect()
    }

    fn rereads(&self, _operand: usize) -> bool {
        true
    }

    fn scratch_bytes(&self, block: &[usize]) -> usize {
        let (rows, cols, batch) = self.extents(block);
        let offsets = batch.saturating_mul(3 * size_of::<usize>());
        dispatch_real!(self.dtype, T => scratch_bytes::<T>(rows, cols, self.summed)).saturating_add(offsets)
    }

    fn block_extents(&self, shape: &[usize], target: usize, parts: usize) -> Option<Vec<usize>> {
        let most = target.saturating_mul(TARGET_FACTOR).min(MOST) / self.dtype.size();
        let total = shape.iter().fold(1usize, |n, &d| n.saturating_mul(d));
        let area = (total / parts).max(SMALL_BLOCK);
        let list = |axes: &[(usize, usize)]| -> Vec<usize> { axes.iter().map(|&(_, c)| c).collect() };
        let (rows, cols) = (list(&self.axes.rows), list(&self.axes.cols));
        let count = |axes: &[usize]| axes.iter().map(|&c| shape[c].max(1)).product::<usize>();
        let (m, n) = (count(&rows), count(&cols));
        // Elements of a block of so many rows and columns and of its factors.
        let sides = |edge: usize| (m.min(edge), n.min(edge));
        let held = |(m, n): (usize, usize)| (m + n).saturating_mul(self.summed).saturating_add(m * n);
        let mut edge = 1;
        while edge < m.max(n) {
            let longer = edge + edge.div_ceil(8);
            let (m, n) = sides(longer);
            if held((m, n)) > most || m.saturating_mul(n) > area {
                break;
            }
            edge = longer;
        }
        let (m, n) = sides(edge);
        let room = (most / held((m, n)).max(1)).min(area / (m * n).max(1));
        let mut extents = vec![1; shape.len()];
        let batch = self.axes.batch.iter().map(|&(_, _, c)| c).collect();
        for (mut axes, mut room) in [(rows, m), (cols, n), (batch, room)] {
            // Inner axes first, in pieces of one length.
            axes.sort_unstable();
            for &axis in axes.iter().rev() {
                let extent = shape[axis].max(1);
                extents[axis] = extent.div_ceil(extent.div_ceil(room.max(1)));
                room /= extents[axis];
            }
        }
        Some(extents)
    }

    fn form(&self) -> Option<BlockForm<'_>> {
        Some(BlockForm::Contract {
            axes: &self.axes,
            dtype: self.dtype,
        })
    }

    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        if call.operands.iter().any(|part| part.dtype != self.dtype) {
            return Err(Error::invalid("a contraction of parts of another dtype"));
        }
        dispatch_real!(self.dtype, T => self.compute::<T>(call));
        Ok(())
    }
}
