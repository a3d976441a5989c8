//! Stencils of fixed weights: each element becomes a weighted sum of its neighbours.

use super::Boundary;
use super::reach::{self, Reach};
use crate::expr::{BlockCall, BlockForm, BlockOp, Expr, complex};
use crate::geometry::{AxisChunks, Chunks, Region};
use crate::{Error, Result};
use std::sync::Arc;
use tilewise_kernels::gemm::{Factor, Ring};
use tilewise_kernels::{DType, Isa, Scalar, dispatch_real, promote, weighted_sum};

/// A stencil over an operand of that shape.
#[derive(Clone, Debug)]
struct Stencil {
    dtype: DType,
    shape: Vec<usize>,
    reaches: Vec<Reach>,
    /// The place of each neighbour, counted from the first that is reached, and its weight.
    taps: Vec<(Vec<usize>, Scalar)>,
    /// What stands beyond constant boundaries, per axis.
    fills: Vec<Scalar>,
}

/// A stencil as plain data.
#[derive(Clone, Copy, Debug)]
pub struct StencilForm<'a>(&'a Stencil);

impl<'a> StencilForm<'a> {
    /// The place of each neighbour, counted along each axis from the first that is reached, and its
    /// weight, in row-major order.
    pub fn taps(self) -> &'a [(Vec<usize>, Scalar)] {
        &self.0.taps
    }

    /// What stands beyond constant boundaries, per axis; of several axes beyond which a neighbour
    /// lies the last decides.
    pub fn fills(self) -> &'a [Scalar] {
        &self.0.fills
    }

    /// For each index that a block reaches along an axis where it is found, counted from the first
    /// that the block needs; `None` for what has no place in the operand.
    pub fn table(self, axis: usize, block: &Region) -> Vec<Option<usize>> {
        self.0.reaches[axis].table(block.start[axis], block.shape[axis], self.0.shape[axis])
    }

    /// The part of [`StencilForm::table`] that lies in the operand as it is: its first entry and its
    /// end.
    pub fn plain(self, axis: usize, block: &Region) -> (usize, usize) {
        self.0.reaches[axis].plain(block.start[axis], block.shape[axis], self.0.shape[axis])
    }
}

impl Expr {
    /// `out[i] = Σ_k weights[k] · self[i + k − n/2]`, for weights of `extents` in row-major order,
    /// where `n/2` is half of an extent of the weights, rounded down: `scipy.ndimage.correlate`.
    /// Weights of 0 do not count, whatever they meet. With [`Boundary::None`] along an axis the
    /// result has only the indices whose neighbours all exist. The result's dtype is that of both
    /// promoted, in which products are summed (half floats in f32, integers wrap, bools by "or").
    ///
    /// # Errors
    /// Not one extent and one boundary per axis; weights of extent 0; without a boundary, weights
    /// longer than the array; a constant that the dtype cannot hold; an empty periodic axis.
    pub fn stencil(&self, extents: &[usize], weights: &[Scalar], boundaries: &[Boundary]) -> Result<Expr> {
        if self.dtype.is_complex() || weights.iter().any(|w| w.dtype().is_complex()) {
            return complex::weighted(self, weights, |part, weights, imaginary| {
                let filled = boundaries.iter().map(|boundary| boundary.part(imaginary));
                part.stencil(extents, weights, &filled.collect::<Vec<_>>())
            });
        }
        let wrong = |why: String| {
            Error::invalid(format!(
                "stencil of {extents:?} weights on {:?}: {why}",
                self.shape
            ))
        };
        if extents.len() != self.rank() || boundaries.len() != self.rank() || self.rank() == 0 {
            let count = boundaries.len();
            return Err(wrong(format!(
                "one extent and one boundary ({count} given) per axis is needed"
            )));
        }
        if extents.contains(&0) || extents.iter().product::<usize>() != weights.len() {
            return Err(wrong(format!("{} weights", weights.len())));
        }
        let own = weights.first().map_or(self.dtype, |w| w.dtype());
        let dtype = promote(self.dtype, own);
        let mut reaches = Vec::new();
        let mut fills = Vec::new();
        let mut shape = self.shape.clone();
        for (axis, (&extent, &boundary)) in extents.iter().zip(boundaries).enumerate() {
            if boundary == Boundary::None {
                shape[axis] = (self.shape[axis].checked_sub(extent))
                    .map(|n| n + 1)
                    .ok_or_else(|| wrong(format!("axis {axis} is shorter and has no boundary")))?;
            }
            if boundary == Boundary::Periodic && self.shape[axis] == 0 && extent > 1 {
                return Err(wrong(format!("the periodic axis {axis} is empty")));
            }
            fills.push(match boundary {
                Boundary::Constant(value) => value.to_scalar(dtype).map_err(wrong)?,
                _ => zero(dtype),
            });
            reaches.push(Reach {
                before: extent / 2,
                after: extent - 1 - extent / 2,
                beyond: Some(boundary).filter(|b| *b != Boundary::None),
            });
        }
        let operand = reach::unrolled(&self.cast(dtype), &mut reaches)?;
        let strides = crate::geometry::row_major_strides(extents);
        let taps = weights.iter().enumerate().filter_map(|(number, weight)| {
            let at = strides.iter().zip(extents).map(|(s, n)| number / s % n).collect();
            (weight.to_f64() != 0.0).then(|| (at, cast(*weight, dtype)))
        });
        let op = Stencil {
            dtype,
            shape: operand.shape.clone(),
            reaches,
            taps: taps.collect(),
            fills,
        };
        let chunks = result_chunks(self, &shape);
        Expr::block_op(Arc::new(op), vec![operand], &shape, dtype, chunks)
    }
}

/// The chunks of an array, or regular ones of their extent where the result is shorter.
fn result_chunks(expr: &Expr, shape: &[usize]) -> Chunks {
    let axes = expr.chunks.axes().iter().zip(shape).map(|(axis, &n)| {
        if axis.len() == n {
            axis.clone()
        } else {
            AxisChunks::regular(n, axis.largest())
        }
    });
    Chunks::new(axes.collect())
}

fn zero(dtype: DType) -> Scalar {
    dispatch_real!(dtype, T => Scalar::new(T::default()))
}

/// A scalar in a dtype that its own promotes to.
fn cast(value: Scalar, dtype: DType) -> Scalar {
    if value.dtype() == dtype {
        return value;
    }
    let kernel = tilewise_kernels::cast_kernel(value.dtype(), dtype, Isa::Baseline);
    let mut out = [0u64];
    let from = [value.bits()];
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut out);
    kernel(
        &[&bytemuck::cast_slice(&from)[..value.dtype().size()]],
        &mut bytes[..dtype.size()],
    );
    Scalar::from_bytes(dtype, bytes)
}

impl Stencil {
    fn compute<T: Factor>(&self, call: BlockCall<'_, '_>) {
        let isa = Isa::detect();
        let part = call.operands[0].strided::<T::Stored>();
        let block = call.block;
        let mut out = call.out.strided::<T::Stored>();
        let last = block.rank() - 1;
        let value = |scalar: &Scalar| scalar.get::<T>().unwrap_or_default().store();
        let tables: Vec<Vec<Option<usize>>> = (0..=last)
            .map(|a| self.reaches[a].table(block.start[a], block.shape[a], self.shape[a]))
            .collect();
        let taps: Vec<(&Vec<usize>, T::Ring)> =
            self.taps.iter().map(|(at, w)| (at, T::widen(value(w)))).collect();
        let fills: Vec<T::Stored> = self.fills.iter().map(value).collect();
        let width = block.shape[last];
        // Where all neighbours along the last axis lie side by side in the array.
        let (low, high) = self.reaches[last].plain(block.start[last], width, self.shape[last]);
        let middle =
            low.min(width)..(high.saturating_sub(self.reaches[last].both())).clamp(low.min(width), width);
        let constant: Vec<Vec<T::Stored>> = fills.iter().map(|&v| vec![v; width]).collect();
        let mut rows: Vec<Result<usize, usize>> = vec![Ok(0); taps.len()];
        let mut sides: Vec<(&[T::Stored], T::Ring)> = Vec::with_capacity(taps.len());
        let mut at = vec![0; last];
        loop {
            // Where each neighbour's row begins, or the axis along which it lies beyond.
            for (row, (tap, _)) in rows.iter_mut().zip(&taps) {
                *row = Ok(0);
                for axis in 0..last {
                    *row = match tables[axis][at[axis] + tap[axis]] {
                        Some(i) => row.map(|offset| offset + i * part.strides()[axis]),
                        None => Err(axis),
                    };
                }
            }
            let line = out.row(&at);
            if !middle.is_empty() {
                sides.clear();
                for (row, (tap, weight)) in rows.iter().zip(&taps) {
                    let side = match (*row, tables[last][middle.start + tap[last]]) {
                        (Ok(offset), Some(first)) => &part.values()[offset + first..][..middle.len()],
                        (Err(axis), _) => &constant[axis][..middle.len()],
                        (_, None) => &constant[last][..middle.len()],
                    };
                    sides.push((side, *weight));
                }
                weighted_sum::<T>(isa, &sides, &mut line[middle.clone()]);
            }
            for j in (0..middle.start).chain(middle.end..width) {
                let neighbours = rows.iter().zip(&taps).map(|(row, (tap, weight))| {
                    let value = match (*row, tables[last][j + tap[last]]) {
                        (_, None) => fills[last],
                        (Err(axis), _) => fills[axis],
                        (Ok(offset), Some(i)) => part.values()[offset + i],
                    };
                    (value, *weight)
                });
                let add = |sum, (value, weight)| T::Ring::fma::<false>(weight, T::widen(value), sum);
                line[j] = T::narrow(neighbours.fold(T::Ring::ZERO, add));
            }
            let Some(turn) = (0..last).rev().find(|&a| at[a] + 1 < block.shape[a]) else {
                return;
            };
            at[turn] += 1;
            at[turn + 1..].fill(0);
        }
    }
}

impl BlockOp for Stencil {
    fn name(&self) -> &str {
        "stencil"
    }

    fn needs(&self, _operand: usize, block: &Region) -> Region {
        reach::needs(&self.reaches, block, &self.shape)
    }

    fn bound(&self, _operand: usize, block: &[usize]) -> Vec<usize> {
        (0..block.len())
            .map(|a| self.reaches[a].bound(block[a], self.shape[a]))
            .collect()
    }

    fn halo(&self, axis: usize) -> usize {
        self.reaches[axis].both()
    }

    fn scratch_bytes(&self, block: &[usize]) -> usize {
        let tables: usize = (0..block.len())
            .map(|a| (block[a] + self.reaches[a].both()) * size_of::<Option<usize>>())
            .sum();
        let width = block.last().copied().unwrap_or(0);
        tables + width * block.len() * self.dtype.size() + self.taps.len() * 64
    }

    fn form(&self) -> Option<BlockForm<'_>> {
        Some(BlockForm::Stencil(StencilForm(self)))
    }

    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        if call.operands[0].dtype != self.dtype {
            return Err(Error::invalid("a stencil over a part of another dtype"));
        }
        dispatch_real!(self.dtype, T => self.compute::<T>(call));
        Ok(())
    }
}
