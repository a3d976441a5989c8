//! Sorting along an axis, wholly or as far as asked.

use super::axis::{bound_along, chunks_along, whole_along};
use crate::expr::{BlockCall, BlockForm, BlockOp, Expr, along};
use crate::geometry::{Region, normalize_axis};
use crate::{Error, Result};
use std::sync::Arc;
use tilewise_kernels::order::{IndexRoom, LONGEST, Ordered, SortRoom};
use tilewise_kernels::{DType, Element, Isa, dispatch_real, order};

/// What is put in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// Everything.
    Sort,
    /// What stands at some rising places, with smaller elements before and larger ones behind.
    Partition(Vec<usize>),
    /// So many largest elements, falling.
    Largest(usize),
    /// So many smallest elements, rising.
    Smallest(usize),
}

/// Elements in order along an axis, or their indices.
#[derive(Debug)]
pub struct Ordering {
    order: Order,
    indices: bool,
    axis: usize,
    dtype: DType,
    shape: Vec<usize>,
}

impl Ordering {
    fn run_typed<T: Ordered>(&self, call: BlockCall<'_, '_>) -> Result<()> {
        let (part, isa) = (&call.operands[0], Isa::detect());
        if self.indices {
            let mut room = IndexRoom::<T>::default();
            return along::<T::Stored, i64>(part, call.out, self.axis, |from, to| {
                match &self.order {
                    Order::Sort => order::argsort::<T>(from, to, &mut room),
                    Order::Partition(kth) => order::argpartition::<T>(from, to, kth, &mut room),
                    Order::Largest(_) => order::argtop::<T>(from, to, false, &mut room),
                    Order::Smallest(_) => order::argtop::<T>(from, to, true, &mut room),
                }
                Ok(())
            });
        }
        let mut room = SortRoom::<T>::default();
        along::<T::Stored, T::Stored>(part, call.out, self.axis, |from, to| {
            match &self.order {
                Order::Sort => order::sort::<T>(from, to, isa, &mut room),
                Order::Partition(kth) => order::partition::<T>(from, to, kth, &mut room),
                Order::Largest(_) => order::top::<T>(from, to, false, &mut room),
                Order::Smallest(_) => order::top::<T>(from, to, true, &mut room),
            }
            Ok(())
        })
    }
}

impl BlockOp for Ordering {
    fn name(&self) -> &str {
        match (&self.order, self.indices) {
            (Order::Sort, false) => "sort",
            (Order::Sort, true) => "argsort",
            (Order::Partition(_), false) => "partition",
            (Order::Partition(_), true) => "argpartition",
            (_, false) => "topk",
            (_, true) => "argtopk",
        }
    }

    fn needs(&self, _: usize, block: &Region) -> Region {
        whole_along(&[self.axis], &self.shape, block)
    }

    fn bound(&self, _: usize, block: &[usize]) -> Vec<usize> {
        bound_along(&[self.axis], &self.shape, block)
    }

    fn spans(&self, axis: usize) -> bool {
        axis == self.axis
    }

    fn scratch_bytes(&self, block: &[usize]) -> usize {
        let (len, out) = (self.shape[self.axis], block[self.axis]);
        let inner = block[self.axis + 1..].iter().product();
        dispatch_real!(self.dtype, T => match self.indices {
            true => IndexRoom::<T>::bytes(size_of::<<T as Element>::Stored>(), len, inner, out),
            false => SortRoom::<T>::bytes(len, inner, out),
        })
    }

    fn form(&self) -> Option<BlockForm<'_>> {
        Some(BlockForm::Order {
            order: &self.order,
            indices: self.indices,
            axis: self.axis,
        })
    }

    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        dispatch_real!(self.dtype, T => self.run_typed::<T>(call))
    }
}

impl Expr {
    /// The elements along `axis` in `order`, or with `indices` the places that they come from.
    ///
    /// # Errors
    /// An axis out of range or, for indices, too long; a place beyond the axis.
    pub fn ordered(&self, order: Order, indices: bool, axis: isize) -> Result<Expr> {
        self.refuse_complex("sorting")?;
        let axis = normalize_axis(axis, self.rank())?;
        let len = self.shape[axis];
        if indices && len > LONGEST {
            return Err(Error::invalid(format!(
                "indices along axis {axis} of extent {len}: the longest is {LONGEST}"
            )));
        }
        let (order, extent) = match order {
            Order::Sort => (Order::Sort, len),
            Order::Partition(mut kth) => {
                kth.sort_unstable();
                kth.dedup();
                if let Some(far) = kth.iter().find(|&&k| k >= len) {
                    return Err(Error::invalid(format!(
                        "partition: place {far} of axis {axis}, which has extent {len}"
                    )));
                }
                (Order::Partition(kth), len)
            }
            Order::Largest(count) => (Order::Largest(count.min(len)), count.min(len)),
            Order::Smallest(count) => (Order::Smallest(count.min(len)), count.min(len)),
        };
        let mut shape = self.shape.clone();
        shape[axis] = extent;
        let op = Ordering {
            order,
            indices,
            axis,
            dtype: self.dtype,
            shape: self.shape.clone(),
        };
        Expr::block_op(
            Arc::new(op),
            vec![self.clone()],
            &shape,
            if indices { DType::I64 } else { self.dtype },
            chunks_along(&self.chunks, &[(axis, extent)]),
        )
    }
}
