//! Scans: what has come so far, handed from block to block.

use super::super::block::{BlockCall, BlockForm, BlockOp, along_places};
use super::super::{Expr, Place, complex};
use crate::Result;
use crate::geometry::{Region, normalize_axis};
use std::sync::Arc;
use tilewise_kernels::scan::{Carry, Scan, ScanFn, ScanKind, Scanned};
use tilewise_kernels::{Columns, ColumnsMut, DType, Element, Isa, dispatch_real};

/// A scan along an axis of elements of a dtype.
#[derive(Debug)]
struct Along {
    scan: Scan,
    axis: usize,
    dtype: DType,
}

impl Along {
    fn walk<T: Element, U: Element>(&self, call: BlockCall<'_, '_>, run: ScanFn<T, U>) -> Result<()> {
        let BlockCall {
            operands,
            out,
            carry,
            block,
            ..
        } = call;
        let plane = columns(&block.shape, self.axis);
        let work = |from: Columns<'_, T::Stored>, to: ColumnsMut<'_, U::Stored>, place: Place| {
            let mut carry = Carry::strided(carry, place.start, place.outer_step, plane);
            run(from, to, &mut carry);
            Ok(())
        };
        along_places::<T::Stored, U::Stored>(&operands[0], out, self.axis, work)
    }
}

/// Number of columns of a block along an axis.
fn columns(block: &[usize], axis: usize) -> usize {
    let others = block.iter().enumerate().filter(|(a, _)| *a != axis);
    others.map(|(_, n)| n).product()
}

impl BlockOp for Along {
    fn name(&self) -> &str {
        self.scan.kind.name()
    }

    fn needs(&self, _: usize, block: &Region) -> Region {
        block.clone()
    }

    fn bound(&self, _: usize, block: &[usize]) -> Vec<usize> {
        block.to_vec()
    }

    fn carry_axis(&self) -> Option<usize> {
        Some(self.axis)
    }

    fn carry_words(&self, block: &[usize]) -> usize {
        columns(block, self.axis) * self.scan.carry_words(self.dtype)
    }

    fn form(&self) -> Option<BlockForm<'_>> {
        Some(BlockForm::Scan {
            scan: &self.scan,
            axis: self.axis,
            dtype: self.dtype,
        })
    }

    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        let isa = Isa::detect();
        dispatch_real!(self.dtype, T => match self.scan.kind {
            ScanKind::Sum | ScanKind::Prod =>
                self.walk::<T, <T as Scanned>::Total>(call, T::total(self.scan, isa)),
            ScanKind::Max | ScanKind::Min => self.walk::<T, T>(call, T::extreme(self.scan, isa)),
        })
    }
}

impl Expr {
    /// What has come so far along `axis` at each place, of the shape of the array.
    ///
    /// # Errors
    /// An axis out of range; a result too large for 64 bits.
    pub fn scan(&self, scan: Scan, axis: isize) -> Result<Expr> {
        if self.dtype.is_complex() {
            return complex::scanned(self, scan, axis);
        }
        let axis = normalize_axis(axis, self.rank())?;
        let scan = Scan {
            skipna: scan.skipna && self.dtype.is_float(),
            ..scan
        };
        let op = Along {
            scan,
            axis,
            dtype: self.dtype,
        };
        Expr::block_op(
            Arc::new(op),
            vec![self.clone()],
            &self.shape,
            scan.result(self.dtype),
            self.chunks.clone(),
        )
    }
}
