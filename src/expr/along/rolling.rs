//! Rolling windows: blocks that see their neighbours along an axis.

use super::super::block::{BlockCall, BlockForm, BlockOp, along};
use super::super::{Expr, complex};
use crate::geometry::{Region, normalize_axis};
use crate::{Error, Result};
use std::sync::Arc;
use tilewise_kernels::window::{Scratch, Window, WindowKind};
use tilewise_kernels::{DType, Element, Isa, dispatch_real};

/// A window moving along an axis of some extent.
#[derive(Debug)]
struct Rolling {
    window: Window,
    axis: usize,
    extent: usize,
    dtype: DType,
}

impl Rolling {
    fn walk<T: Element, U: Element>(&self, call: BlockCall<'_, '_>) -> Result<()> {
        let part = &call.operands[0];
        let (from_at, out_at) = (part.region.start[self.axis], call.block.start[self.axis]);
        let isa = Isa::detect();
        let mut scratch = Scratch::default();
        along::<T::Stored, U::Stored>(part, call.out, self.axis, |from, to| {
            let (from, to) = ((from, from_at), (to, out_at));
            self.window.run::<T, U>(from, to, &mut scratch, isa);
            Ok(())
        })
    }
}

impl BlockOp for Rolling {
    fn name(&self) -> &str {
        match self.window.kind {
            WindowKind::Mean => "rolling mean",
            WindowKind::Sum => "rolling sum",
            WindowKind::Min => "rolling min",
            WindowKind::Max => "rolling max",
            WindowKind::Var => "rolling var",
            WindowKind::Std => "rolling std",
            WindowKind::Count => "rolling count",
        }
    }

    fn needs(&self, _: usize, block: &Region) -> Region {
        let mut region = block.clone();
        let (first, rows) = self
            .window
            .needs(block.start[self.axis], block.shape[self.axis], self.extent);
        region.start[self.axis] = first;
        region.shape[self.axis] = rows;
        region
    }

    fn bound(&self, _: usize, block: &[usize]) -> Vec<usize> {
        let mut bound = block.to_vec();
        bound[self.axis] = bound[self.axis]
            .saturating_add(self.window.len - 1)
            .min(self.extent);
        bound
    }

    fn halo(&self, axis: usize) -> usize {
        if axis == self.axis { self.window.len - 1 } else { 0 }
    }

    fn scratch_bytes(&self, block: &[usize]) -> usize {
        let rows = self.bound(0, block)[self.axis];
        let others: usize = (0..block.len())
            .filter(|&a| a != self.axis)
            .map(|a| block[a])
            .product();
        // Neighbours are as many as lie side by side; both ways have their own buffers.
        let inner: usize = block[self.axis + 1..].iter().product();
        let bytes = |outer, inner| self.window.scratch_bytes(self.dtype, rows, outer, inner);
        bytes(1, inner).max(bytes(others, 1))
    }

    fn form(&self) -> Option<BlockForm<'_>> {
        Some(BlockForm::Window {
            window: &self.window,
            axis: self.axis,
            dtype: self.dtype,
        })
    }

    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        dispatch_real!(self.dtype, T => match self.window.result(self.dtype) {
            DType::F64 => self.walk::<T, f64>(call),
            _ => self.walk::<T, T>(call),
        })
    }
}

impl Expr {
    /// What a window gives at each place along `axis`, of the shape of the array.
    ///
    /// # Errors
    /// An axis out of range; a window of no place or of 2^31 or more; a least number of elements
    /// that is 0 or more than the window has.
    pub fn rolling(&self, window: Window, axis: isize) -> Result<Expr> {
        if self.dtype.is_complex() {
            return complex::rolled(self, window, axis);
        }
        let axis = normalize_axis(axis, self.rank())?;
        if window.len == 0 || i32::try_from(window.len).is_err() {
            return Err(Error::invalid(format!(
                "rolling: a window of {} places; it has 1 to {}",
                window.len,
                i32::MAX
            )));
        }
        if window.least == 0 || window.least > window.len {
            return Err(Error::invalid(format!(
                "rolling: min_periods is {}; it is 1 to the window's {}",
                window.least, window.len
            )));
        }
        if window.ahead >= window.len {
            return Err(Error::invalid(format!(
                "rolling: a window of {} places cannot reach {} ahead",
                window.len, window.ahead
            )));
        }
        let op = Rolling {
            window,
            axis,
            extent: self.shape[axis],
            dtype: self.dtype,
        };
        Expr::block_op(
            Arc::new(op),
            vec![self.clone()],
            &self.shape,
            window.result(self.dtype),
            self.chunks.clone(),
        )
    }
}
