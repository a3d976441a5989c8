//! Block operations: what is computed from whole blocks rather than point by point, such as scans,
//! windows, sorting, and products of matrices.
//!
//! An operation says which part of each operand a block of its result needs, and computes the
//! block from those parts. Which blocks there are, where parts come from and when they are read is
//! the planner's business.

use super::order::Order;
use super::overlap::StencilForm;
use super::{Expr, NodeKind};
use crate::geometry::{AxisChunks, Chunks, Region, checked_bytes, row_major_strides};
use crate::store::{Patch, dense_from};
use crate::{Error, Result};
use bytemuck::Pod;
use std::fmt;
use std::sync::Arc;
use tilewise_kernels::fft::Transform;
use tilewise_kernels::gemm::Axes;
use tilewise_kernels::order::{QuantileRule, Side};
use tilewise_kernels::scan::Scan;
use tilewise_kernels::window::Window;
use tilewise_kernels::{Columns, ColumnsMut, DType, Strided};

/// An operation on blocks. Its `Debug` text holds every parameter: two of the same text are the
/// same operation.
pub trait BlockOp: fmt::Debug + Send + Sync {
    /// Its name, for plans and messages.
    fn name(&self) -> &str;

    /// The part of an operand that a block of the result needs, within the operand's shape.
    fn needs(&self, operand: usize, block: &Region) -> Region;

    /// At least the extents of [`BlockOp::needs`] for every block of these extents.
    fn bound(&self, operand: usize, block: &[usize]) -> Vec<usize>;

    /// Whether blocks must span that axis of the result.
    fn spans(&self, _axis: usize) -> bool {
        false
    }

    /// How far beyond a block its parts reach along an axis, on both sides together: blocks are made
    /// long in comparison.
    fn halo(&self, _axis: usize) -> usize {
        0
    }

    /// The axis along which blocks run in rising order, each handing a carry to the next.
    fn carry_axis(&self) -> Option<usize> {
        None
    }

    /// Words of the carry for blocks of these extents.
    fn carry_words(&self, _block: &[usize]) -> usize {
        0
    }

    /// In how many steps a block of these extents is computed. Each is a call of [`BlockOp::run`] with
    /// parts of its own, which goes on from what those before left in the block and in the carry.
    fn steps(&self, _block: &[usize]) -> usize {
        1
    }

    /// The part of an operand that a step of a block needs; [`BlockOp::bound`] holds for it.
    fn needs_in_step(&self, operand: usize, block: &Region, _step: usize) -> Region {
        self.needs(operand, block)
    }

    /// The dtype of what steps before the last leave in a block, on a device that keeps it itself.
    fn sums_dtype(&self) -> Option<DType> {
        None
    }

    /// The same operation in steps, of blocks of a result of that shape chosen as
    /// [`BlockOp::block_extents`] says, where `target` bytes of blocks and parts so go further than with
    /// whole parts: much further, or with `forced` at all.
    fn in_steps(
        &self,
        _shape: &[usize],
        _target: usize,
        _parts: usize,
        _forced: bool,
    ) -> Option<Arc<dyn BlockOp>> {
        None
    }

    /// Bytes that [`BlockOp::run`] allocates for a block of these extents, at most.
    fn scratch_bytes(&self, _block: &[usize]) -> usize {
        0
    }

    /// Whether the elements of an operand are needed by many blocks, so that it is computed and
    /// kept first unless it is there already.
    fn rereads(&self, _operand: usize) -> bool {
        false
    }

    /// Extents of blocks of a result of that shape, where the operation knows better than to grow
    /// them along the inner axes until they and their parts take about `target` bytes. They fall
    /// with `target`, and a result that is not small is cut into at least `parts`.
    fn block_extents(&self, _shape: &[usize], _target: usize, _parts: usize) -> Option<Vec<usize>> {
        None
    }

    /// Whether blocks are exactly the chunks of the result.
    fn exact_chunks(&self) -> bool {
        false
    }

    /// Whether its `Debug` text means the same in every process; not so for closures.
    fn is_durable(&self) -> bool {
        true
    }

    /// What it is as plain data, for devices that have a way of their own to compute it.
    fn form(&self) -> Option<BlockForm<'_>> {
        None
    }

    /// Computes a block.
    ///
    /// # Errors
    /// What the operation meets.
    fn run(&self, call: BlockCall<'_, '_>) -> Result<()>;
}

/// A block operation as plain data.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BlockForm<'a> {
    /// A scan along an axis of elements of a dtype.
    Scan {
        /// What it gives.
        scan: &'a Scan,
        /// The axis.
        axis: usize,
        /// The operand's dtype.
        dtype: DType,
    },
    /// Elements in order along an axis, or the places that they come from.
    Order {
        /// What is put in order.
        order: &'a Order,
        /// Whether places are asked for.
        indices: bool,
        /// The axis.
        axis: usize,
    },
    /// Quantiles over axes.
    Quantile {
        /// Which.
        rule: &'a QuantileRule,
        /// Whether NaN is left out.
        skipna: bool,
        /// The rising axes, of which the first has the results.
        axes: &'a [usize],
        /// Elements along them.
        len: usize,
    },
    /// Counts of a piece by bin: operands are the array, the edges, and weights if there are any.
    Histogram,
    /// Counts of each number of a piece, of a second operand's weights if there is one.
    Bincount {
        /// The first number that is not counted.
        length: usize,
    },
    /// Where elements of the second operand stand in the first, which rises.
    Searchsorted {
        /// On which side of equal ones.
        side: Side,
    },
    /// The bins of elements.
    Digitize {
        /// Their rising edges.
        edges: &'a [f64],
        /// Whether bins are counted from the last edge.
        falling: bool,
        /// Whether bins hold their right edge.
        right: bool,
    },
    /// Sums of products of two operands of a dtype.
    Contract {
        /// What their axes have to do with each other.
        axes: &'a Axes,
        /// The dtype of operands and result.
        dtype: DType,
    },
    /// Discrete Fourier transforms along an axis.
    Fft {
        /// Which.
        transform: Transform,
        /// The axis.
        axis: usize,
        /// Points of the transform.
        len: usize,
        /// What results are multiplied by.
        scale: f64,
    },
    /// A window that moves along an axis of elements of a dtype.
    Window {
        /// What it gives.
        window: &'a Window,
        /// The axis.
        axis: usize,
        /// The operand's dtype.
        dtype: DType,
    },
    /// A weighted sum of neighbours.
    Stencil(StencilForm<'a>),
}

/// The part of an operand that lies in memory.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// The bytes that it lies in.
    pub bytes: &'a [u8],
    /// The element of its first point.
    pub offset: usize,
    /// Elements from one index to the next, per axis; not negative.
    pub strides: Vec<usize>,
    /// The region that was asked for.
    pub region: Region,
    /// Its dtype.
    pub dtype: DType,
}

/// One block to compute.
#[derive(Debug)]
pub struct BlockCall<'a, 'b> {
    /// The parts of the operands.
    pub operands: &'a [Part<'a>],
    /// The block of the result.
    pub block: &'a Region,
    /// The number of the step, of [`BlockOp::steps`].
    pub step: usize,
    /// Where it goes; every element must be written, in the first step without regard to what is there.
    pub out: &'a mut Patch<'b>,
    /// What the block or step before handed on; zeros for the first.
    pub carry: &'a mut [u64],
}

impl<'a> Part<'a> {
    /// The part as kernels over several axes see it.
    ///
    /// # Panics
    /// When `T` is not as large as an element.
    pub fn strided<T: Pod>(&self) -> Strided<'a, T> {
        assert_eq!(size_of::<T>(), self.dtype.size(), "elements of another size");
        let whole = self.bytes.len() / size_of::<T>() * size_of::<T>();
        let values = bytemuck::cast_slice(&self.bytes[..whole]);
        Strided::new(values, self.offset, &self.region.shape, &self.strides)
    }

    /// Columns along `axis`: repeated along `outer`, with all axes from `inner_from` on as
    /// neighbours, at the index `at` of the other axes.
    ///
    /// # Panics
    /// When `T` is not as large as an element, or the axes from `inner_from` on not contiguous.
    pub fn columns<T: Pod>(
        &self,
        axis: usize,
        outer: Option<usize>,
        inner_from: usize,
        at: &[usize],
    ) -> Columns<'a, T> {
        assert_eq!(size_of::<T>(), self.dtype.size(), "elements of another size");
        let shape = &self.region.shape;
        assert!(
            dense_from(shape, &self.strides) <= inner_from,
            "neighbours that are not contiguous"
        );
        let whole = self.bytes.len() / size_of::<T>() * size_of::<T>();
        let values: &[T] = bytemuck::cast_slice(&self.bytes[..whole]);
        let others = (0..inner_from).filter(|&a| a != axis && Some(a) != outer);
        let offset = self.offset + others.map(|a| at[a] * self.strides[a]).sum::<usize>();
        let (repeats, outer_step) = outer.map_or((1, 0), |o| (shape[o], self.strides[o]));
        let inner = shape[inner_from..].iter().product();
        let empty = repeats * shape[axis] * inner == 0;
        let values = if empty { &[] } else { &values[offset..] };
        Columns::strided(
            values,
            repeats,
            shape[axis],
            inner,
            outer_step,
            self.strides[axis],
        )
    }
}

/// Calls `work` for all columns along `axis` of a part and of the block made from it, whose other
/// extents are the same. Parts have contiguous rows along the last axis.
///
/// # Errors
/// What `work` returns.
pub fn along<T: Pod, U: Pod>(
    part: &Part<'_>,
    out: &mut Patch<'_>,
    axis: usize,
    mut work: impl FnMut(Columns<'_, T>, ColumnsMut<'_, U>) -> Result<()>,
) -> Result<()> {
    along_places::<T, U>(part, out, axis, |from, to, _| work(from, to))
}

/// Where columns lie among all columns of a block, counted in row-major order of the other axes:
/// the column `o, j` is number `start + o * outer_step + j`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The number of the first.
    pub start: usize,
    /// How far repetitions are apart.
    pub outer_step: usize,
}

/// As [`along`], for work that keeps something for each column.
///
/// # Errors
/// What `work` returns.
pub fn along_places<T: Pod, U: Pod>(
    part: &Part<'_>,
    out: &mut Patch<'_>,
    axis: usize,
    mut work: impl FnMut(Columns<'_, T>, ColumnsMut<'_, U>, Place) -> Result<()>,
) -> Result<()> {
    let shape = part.region.shape.clone();
    if shape.contains(&0) || out.shape().contains(&0) {
        return Ok(());
    }
    let dense = dense_from(&shape, &part.strides).max(out.dense_from());
    let inner_from = dense.max(axis + 1);
    // The longest of the remaining axes is repeated within a call, the others call by call.
    let others: Vec<usize> = (0..inner_from).filter(|&a| a != axis).collect();
    let outer = others.iter().copied().max_by_key(|&a| shape[a]);
    let turns: Vec<usize> = others.into_iter().filter(|&a| Some(a) != outer).collect();
    let mut across = shape.clone();
    across[axis] = 1;
    let steps = row_major_strides(&across);
    let mut at = vec![0; shape.len()];
    loop {
        let from = part.columns::<T>(axis, outer, inner_from, &at);
        let place = Place {
            start: turns.iter().map(|&a| at[a] * steps[a]).sum(),
            outer_step: outer.map_or(0, |o| steps[o]),
        };
        work(from, out.columns::<U>(axis, outer, inner_from, &at), place)?;
        let Some(&turn) = turns.iter().rev().find(|&&a| at[a] + 1 < shape[a]) else {
            return Ok(());
        };
        at[turn] += 1;
        turns.iter().filter(|&&a| a > turn).for_each(|&a| at[a] = 0);
    }
}

impl Expr {
    /// The result of a block operation of that shape, dtype and chunks.
    ///
    /// # Errors
    /// When its size does not fit 64 bits.
    pub fn block_op(
        op: Arc<dyn BlockOp>,
        operands: Vec<Expr>,
        shape: &[usize],
        dtype: DType,
        chunks: Chunks,
    ) -> Result<Expr> {
        checked_bytes(shape, dtype.size())?;
        if chunks.shape() != shape {
            return Err(Error::invalid(format!(
                "{}: chunks of {:?} for a result of {shape:?}",
                op.name(),
                chunks.shape()
            )));
        }
        // Axes that blocks must span are one chunk.
        let axes = chunks.axes().iter().enumerate().map(|(axis, chunks)| {
            if op.spans(axis) {
                AxisChunks::regular(shape[axis], shape[axis])
            } else {
                chunks.clone()
            }
        });
        let chunks = Chunks::new(axes.collect());
        Ok(Expr::node(
            NodeKind::Block(op),
            operands,
            shape.to_vec(),
            dtype,
            chunks,
        ))
    }
}
