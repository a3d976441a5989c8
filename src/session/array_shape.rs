//! Views and structure of arrays, named as in NumPy and Dask.

use super::array::Array;
use crate::expr::{Expr, SliceItem};
use crate::geometry::{AxisChunks, Chunks};
use crate::{Error, Result};

/// Chunks along one axis, as Dask writes them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChunkSpec {
    /// As they are.
    Keep,
    /// One chunk, Dask's `-1`.
    Whole,
    /// Chunks of so many elements.
    Size(usize),
    /// These sizes.
    Sizes(Vec<usize>),
}

/// `start:stop:step` for [`Array::slice`].
pub fn s(start: Option<isize>, stop: Option<isize>, step: Option<isize>) -> SliceItem {
    SliceItem::Slice { start, stop, step }
}

/// The expressions of some arrays.
fn exprs(arrays: &[&Array]) -> Vec<Expr> {
    arrays.iter().map(|a| a.expr().clone()).collect()
}

impl Array {
    /// NumPy's basic indexing.
    ///
    /// # Errors
    /// Too many items, an index out of range, a step of 0.
    pub fn slice(&self, items: &[SliceItem]) -> Result<Array> {
        self.expr().slice(items).map(Array::from_expr)
    }

    /// Axes in another order.
    ///
    /// # Errors
    /// When `axes` is not a permutation.
    pub fn permute_dims(&self, axes: &[isize]) -> Result<Array> {
        self.expr().permute(axes).map(Array::from_expr)
    }

    /// Axes in reverse order.
    ///
    /// # Errors
    /// Never for an array that exists.
    pub fn transpose(&self) -> Result<Array> {
        self.permute_dims(&(0..self.rank() as isize).rev().collect::<Vec<_>>())
    }

    /// Repeated to a larger shape by broadcasting.
    ///
    /// # Errors
    /// When the shape does not broadcast.
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<Array> {
        self.expr().broadcast_to(shape).map(Array::from_expr)
    }

    /// Order reversed along axes.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn flip(&self, axes: &[isize]) -> Result<Array> {
        self.expr().flip(axes).map(Array::from_expr)
    }

    /// A new axis of extent 1.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn expand_dims(&self, axis: isize) -> Result<Array> {
        self.expr().expand_dims(axis).map(Array::from_expr)
    }

    /// Axes of extent 1 removed, all when `None`.
    ///
    /// # Errors
    /// An axis of another extent.
    pub fn squeeze(&self, axes: Option<&[isize]>) -> Result<Array> {
        self.expr().squeeze(axes).map(Array::from_expr)
    }

    /// Elements at `indices` along `axis`.
    ///
    /// # Errors
    /// An index out of range.
    pub fn take(&self, indices: &[i64], axis: isize) -> Result<Array> {
        self.expr().take(indices, axis).map(Array::from_expr)
    }

    /// The same elements under another shape; one extent may be `-1`.
    ///
    /// # Errors
    /// When the counts differ.
    pub fn reshape(&self, shape: &[isize]) -> Result<Array> {
        self.expr().reshape(shape).map(Array::from_expr)
    }

    /// Moved along an axis, what is pushed out re-entering.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn roll(&self, shift: i64, axis: isize) -> Result<Array> {
        self.expr().roll(shift, axis).map(Array::from_expr)
    }

    /// Each element repeated along an axis.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn repeat(&self, count: usize, axis: isize) -> Result<Array> {
        self.expr().repeat(count, axis).map(Array::from_expr)
    }

    /// The array repeated along its axes.
    ///
    /// # Errors
    /// When the size does not fit 64 bits.
    pub fn tile(&self, counts: &[usize]) -> Result<Array> {
        self.expr().tile(counts).map(Array::from_expr)
    }

    /// Arrays one after another along an axis; dtypes are promoted.
    ///
    /// # Errors
    /// Shapes that do not agree.
    pub fn concat(arrays: &[&Array], axis: isize) -> Result<Array> {
        Expr::concat(&promoted(arrays)?, axis).map(Array::from_expr)
    }

    /// Arrays stacked along a new axis; dtypes are promoted.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn stack(arrays: &[&Array], axis: isize) -> Result<Array> {
        Expr::stack(&promoted(arrays)?, axis).map(Array::from_expr)
    }

    /// Another chunk grid, one entry per axis.
    ///
    /// # Errors
    /// Another number of entries; sizes that do not add up.
    pub fn rechunk(&self, chunks: &[ChunkSpec]) -> Result<Array> {
        if chunks.len() != self.rank() {
            return Err(Error::invalid(format!(
                "rechunk: {} entries for an array of {} axes",
                chunks.len(),
                self.rank()
            )));
        }
        let axes = chunks
            .iter()
            .enumerate()
            .map(|(axis, spec)| {
                let extent = self.shape()[axis];
                Ok(match spec {
                    ChunkSpec::Keep => self.chunks().axes()[axis].clone(),
                    ChunkSpec::Whole => AxisChunks::regular(extent, extent),
                    ChunkSpec::Size(0) => {
                        return Err(Error::invalid(format!(
                            "rechunk: chunks of 0 elements along axis {axis}"
                        )));
                    }
                    ChunkSpec::Size(n) => AxisChunks::regular(extent, *n),
                    ChunkSpec::Sizes(sizes) => {
                        let sizes = std::slice::from_ref(sizes);
                        Chunks::from_sizes(&[extent], sizes)?.axes()[0].clone()
                    }
                })
            })
            .collect::<Result<_>>()?;
        self.expr().rechunk(Chunks::new(axes)).map(Array::from_expr)
    }
}

/// Expressions in the dtype that all promote to.
fn promoted(arrays: &[&Array]) -> Result<Vec<Expr>> {
    let dtype = arrays
        .iter()
        .map(|a| a.dtype())
        .reduce(tilewise_kernels::promote)
        .ok_or_else(|| Error::invalid("no array given"))?;
    Ok(exprs(arrays).iter().map(|e| e.cast(dtype)).collect())
}
