//! The block operation behind a contraction of two arrays.
//!
//! A block of the result needs the same ranges of the axes that it shares with a factor, and of those
//! that are summed over the whole, or in steps piece after piece. Sums stay in the block between steps,
//! those of half floats in the carry, where they are not rounded.

use super::extents::{Product, Room};
use super::{Extents, Label};
use crate::expr::{BlockCall, BlockForm, BlockOp, Expr};
use crate::geometry::{AxisChunks, Chunks, Region};
use crate::{Error, Result};
use std::sync::Arc;
use tilewise_kernels::gemm::{self, Axes, Factor, SumOf};
use tilewise_kernels::{DType, Isa, StridedMut, dispatch_real};

/// Blocks hold so many times the bytes of other tasks: each element is used many times.
const TARGET_FACTOR: usize = 8;
/// And no more than a GPU binds at once.
const MOST: usize = 1 << 30;
/// Blocks are not cut below this many elements for the sake of parallelism.
const SMALL_BLOCK: usize = 128 * 128;
/// Blocks in steps are that few at least: reading is what they wait for.
const STEPPED_PARTS: usize = 4;
/// What is summed over is cut where that saves this part of what is read.
const WORTH_STEPS: f64 = 1.25;

/// A contraction of two arrays.
#[derive(Clone, Debug)]
pub(super) struct Contraction {
    dtype: DType,
    axes: Axes,
    /// Per operand and axis: the result's axis that it goes with, or the number of the summed one.
    operands: [Vec<Role>; 2],
    /// Extents of the summed axes.
    along: Vec<usize>,
    /// Extents of the pieces in which those are taken: the same where they are taken whole.
    piece: Vec<usize>,
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
        let mut summed: Vec<Label> = Vec::new();
        for (a, &label) in terms[0].iter().enumerate() {
            if find(out, label).is_none()
                && let Some(b) = find(terms[1], label)
            {
                axes.summed.push((a, b));
                summed.push(label);
            }
        }
        let roles = terms.map(|labels| {
            let role = |&label: &Label| match find(out, label) {
                Some(axis) => Role::Kept(axis),
                None => Role::Summed(summed.iter().position(|&l| l == label).unwrap_or(0)),
            };
            labels.iter().map(role).collect()
        });
        let along: Vec<usize> = summed.iter().map(|label| extents[label]).collect();
        Contraction {
            dtype,
            axes,
            operands: roles,
            piece: along.clone(),
            along,
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

    /// Rows, columns, and batches of a whole block of these extents.
    fn extents(&self, block: &[usize]) -> (usize, usize, usize) {
        let product = |axes: &[(usize, usize)]| axes.iter().map(|&(_, c)| block[c]).product();
        let batch: usize = self.axes.batch.iter().map(|&(_, _, c)| block[c]).product();
        (product(&self.axes.rows), product(&self.axes.cols), batch)
    }

    /// Pieces along each summed axis.
    fn pieces(&self) -> impl Iterator<Item = usize> {
        let axes = self.along.iter().zip(&self.piece);
        axes.map(|(&extent, &piece)| extent.div_ceil(piece.max(1)).max(1))
    }

    fn is_whole(&self) -> bool {
        self.piece == self.along
    }

    /// The range of each summed axis that a step takes.
    fn ranges(&self, step: usize) -> Vec<(usize, usize)> {
        let counts: Vec<usize> = self.pieces().collect();
        let (mut rest, mut out) = (step, vec![(0, 0); counts.len()]);
        for axis in (0..counts.len()).rev() {
            let start = rest % counts[axis] * self.piece[axis];
            rest /= counts[axis];
            out[axis] = (start, self.piece[axis].min(self.along[axis] - start));
        }
        out
    }

    /// Whether sums are rounded when they are stored, so that steps keep them in the carry.
    fn rounds(&self) -> bool {
        dispatch_real!(self.dtype, T => size_of::<SumOf<T>>() > size_of::<T>())
    }

    fn compute<T: Factor>(&self, call: BlockCall<'_, '_>) {
        let (a, b) = (call.operands[0].strided(), call.operands[1].strided());
        let isa = Isa::detect();
        if self.is_whole() {
            let mut out = call.out.strided::<T::Stored>();
            return gemm::contract::<T>(isa, &a, &b, &mut out, &self.axes);
        }
        let more = call.step > 0;
        if !self.rounds() {
            let mut out = call.out.strided::<SumOf<T>>();
            return gemm::contract_more::<T>(isa, &a, &b, &mut out, &self.axes, more);
        }
        let shape = &call.block.shape;
        let sums: &mut [SumOf<T>] = bytemuck::cast_slice_mut(call.carry);
        let sums = &mut sums[..shape.iter().product()];
        gemm::contract_more::<T>(isa, &a, &b, &mut StridedMut::dense(sums, shape), &self.axes, more);
        if call.step + 1 == self.pieces().product::<usize>() {
            gemm::narrow::<T>(sums, &mut call.out.strided::<T::Stored>());
        }
    }

    /// What a block may take for tasks of about `target` bytes.
    fn room(&self, shape: &[usize], target: usize, parts: usize) -> Room {
        let total = shape.iter().fold(1usize, |n, &d| n.saturating_mul(d));
        Room {
            elements: target.saturating_mul(TARGET_FACTOR).min(MOST) / self.dtype.size(),
            area: (total / parts).max(SMALL_BLOCK),
        }
    }

    /// The whole product, of matrices of a batch.
    fn product(&self, shape: &[usize]) -> Product {
        let count = |axes: &[(usize, usize)]| axes.iter().map(|&(_, c)| shape[c].max(1)).product();
        Product {
            rows: count(&self.axes.rows),
            cols: count(&self.axes.cols),
            summed: self.along.iter().product(),
        }
    }

    /// How many elements of factors an element of a block counts for where blocks are made in steps.
    fn weight(&self) -> usize {
        match self.rounds() {
            true => 1 + size_of::<f32>() / self.dtype.size(),
            false => 1,
        }
    }

    /// Elements of a piece.
    fn piece_len(&self) -> usize {
        self.piece.iter().product()
    }
}

impl BlockOp for Contraction {
    fn name(&self) -> &str {
        match self.is_whole() {
            true => "contract",
            false => "contract in steps",
        }
    }

    fn needs(&self, operand: usize, block: &Region) -> Region {
        let ranges = self.operands[operand].iter().map(|role| match *role {
            Role::Kept(axis) => (block.start[axis], block.shape[axis]),
            Role::Summed(axis) => (0, self.along[axis]),
        });
        let (start, shape) = ranges.unzip();
        Region { start, shape }
    }

    fn bound(&self, operand: usize, block: &[usize]) -> Vec<usize> {
        let extent = |role: &Role| match *role {
            Role::Kept(axis) => block[axis],
            Role::Summed(axis) => self.piece[axis],
        };
        self.operands[operand].iter().map(extent).collect()
    }

    fn steps(&self, _block: &[usize]) -> usize {
        self.pieces().product()
    }

    fn needs_in_step(&self, operand: usize, block: &Region, step: usize) -> Region {
        let along = self.ranges(step);
        let ranges = self.operands[operand].iter().map(|role| match *role {
            Role::Kept(axis) => (block.start[axis], block.shape[axis]),
            Role::Summed(axis) => along[axis],
        });
        let (start, shape) = ranges.unzip();
        Region { start, shape }
    }

    fn sums_dtype(&self) -> Option<DType> {
        Some(match self.dtype {
            DType::F16 | DType::BF16 | DType::F32 => DType::F32,
            DType::F64 => DType::F64,
            wide if wide.size() == 8 => DType::U64,
            _ => DType::U32,
        })
    }

    fn in_steps(
        &self,
        shape: &[usize],
        target: usize,
        parts: usize,
        forced: bool,
    ) -> Option<Arc<dyn BlockOp>> {
        let (product, room) = (self.product(shape), self.room(shape, target, parts));
        let run = dispatch_real!(self.dtype, T => gemm::run_len::<T>());
        let stepped = self.room(shape, target, parts.min(STEPPED_PARTS));
        let cut = product.pieces(stepped, self.weight(), run);
        let whole = product.whole(room);
        let fits = whole.held(1) <= room.elements;
        if cut.piece >= product.summed || (fits && !forced && cut.reuse() < WORTH_STEPS * whole.reuse()) {
            return None;
        }
        let mut piece = vec![1; self.along.len()];
        let mut room = cut.piece;
        for axis in (0..piece.len()).rev() {
            let extent = self.along[axis].max(1);
            piece[axis] = extent.min(room.max(1));
            room /= piece[axis];
        }
        Some(Arc::new(Contraction {
            piece,
            ..self.clone()
        }))
    }

    fn carry_words(&self, block: &[usize]) -> usize {
        match !self.is_whole() && self.rounds() {
            true => (block.iter().product::<usize>() * size_of::<f32>()).div_ceil(8),
            false => 0,
        }
    }

    fn rereads(&self, _operand: usize) -> bool {
        true
    }

    fn scratch_bytes(&self, block: &[usize]) -> usize {
        let (rows, cols, batch) = self.extents(block);
        let offsets = batch.saturating_mul(3 * size_of::<usize>());
        let summed = self.piece_len();
        let own = dispatch_real!(self.dtype, T => match self.is_whole() {
            true => gemm::scratch_bytes::<T>(rows, cols, summed),
            false => gemm::scratch_bytes_more::<T>(rows, cols, summed),
        });
        own.saturating_add(offsets)
    }

    fn block_extents(&self, shape: &[usize], target: usize, parts: usize) -> Option<Vec<usize>> {
        let parts = if self.is_whole() {
            parts
        } else {
            parts.min(STEPPED_PARTS)
        };
        let (product, room) = (self.product(shape), self.room(shape, target, parts));
        let cut = match self.is_whole() {
            true => product.whole(room),
            false => {
                let run = dispatch_real!(self.dtype, T => gemm::run_len::<T>());
                product.pieces(room, self.weight(), run)
            }
        };
        let (m, n) = (cut.rows, cut.cols);
        let held = cut.held(if self.is_whole() { 1 } else { self.weight() });
        let more = (room.elements / held.max(1)).min(room.area / (m * n).max(1));
        let mut extents = vec![1; shape.len()];
        let list = |axes: &[(usize, usize)]| -> Vec<usize> { axes.iter().map(|&(_, c)| c).collect() };
        let (rows, cols) = (list(&self.axes.rows), list(&self.axes.cols));
        let batch = self.axes.batch.iter().map(|&(_, _, c)| c).collect();
        for (mut axes, mut room) in [(rows, m), (cols, n), (batch, more)] {
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
