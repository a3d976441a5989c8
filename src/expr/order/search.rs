//! Places of values among sorted ones.

use crate::expr::{BlockCall, BlockForm, BlockOp, Expr, Part, along};
use crate::geometry::Region;
use crate::store::Patch;
use crate::{Error, Result};
use std::sync::Arc;
use tilewise_kernels::order::{self, KEYED_TABLE, Ordered, Side, Table};
use tilewise_kernels::{DType, dispatch_real, promote};

/// Calls `work` for all runs of elements and their results.
fn runs<T: Ordered>(
    part: &Part<'_>,
    out: &mut Patch<'_>,
    mut work: impl FnMut(&[T::Stored], &mut [i64]),
) -> Result<()> {
    along::<T::Stored, i64>(part, out, 0, |from, mut to| {
        for o in 0..from.outer() {
            match (from.lane(o), to.lane(o)) {
                (Some(lane), Some(places)) => work(lane, places),
                _ => (0..from.len()).for_each(|i| work(from.row(o, i), to.row(o, i))),
            }
        }
        Ok(())
    })
}

/// Where values stand in a sorted table: the first operand is the table, the second the values.
#[derive(Debug)]
pub struct Searchsorted {
    side: Side,
    table: usize,
}

impl BlockOp for Searchsorted {
    fn name(&self) -> &str {
        "searchsorted"
    }

    fn needs(&self, operand: usize, block: &Region) -> Region {
        if operand == 0 {
            Region::whole(&[self.table])
        } else {
            block.clone()
        }
    }

    fn bound(&self, operand: usize, block: &[usize]) -> Vec<usize> {
        if operand == 0 {
            vec![self.table]
        } else {
            block.to_vec()
        }
    }

    fn rereads(&self, operand: usize) -> bool {
        operand == 0
    }

    fn scratch_bytes(&self, _: &[usize]) -> usize {
        self.table.min(KEYED_TABLE) * size_of::<u64>()
    }

    fn form(&self) -> Option<BlockForm<'_>> {
        Some(BlockForm::Searchsorted { side: self.side })
    }

    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        let (table, values) = (&call.operands[0], &call.operands[1]);
        dispatch_real!(table.dtype, T => {
            let columns = table.columns::<<T as tilewise_kernels::Element>::Stored>(0, None, 1, &[0]);
            let table = columns.lane(0).unwrap_or_default();
            let table = Table::<T>::new(table);
            runs::<T>(values, call.out, |values, places| table.search(values, self.side, places))
        })
    }
}

/// The bins of values.
#[derive(Debug)]
pub struct Digitize {
    /// Rising.
    edges: Vec<f64>,
    falling: bool,
    right: bool,
}

impl BlockOp for Digitize {
    fn name(&self) -> &str {
        "digitize"
    }

    fn needs(&self, _: usize, block: &Region) -> Region {
        block.clone()
    }

    fn bound(&self, _: usize, block: &[usize]) -> Vec<usize> {
        block.to_vec()
    }

    fn scratch_bytes(&self, _: &[usize]) -> usize {
        self.edges.len().min(KEYED_TABLE) * size_of::<u64>()
    }

    fn form(&self) -> Option<BlockForm<'_>> {
        Some(BlockForm::Digitize {
            edges: &self.edges,
            falling: self.falling,
            right: self.right,
        })
    }

    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        let values = &call.operands[0];
        let edges = Table::new(&self.edges);
        dispatch_real!(values.dtype, T => runs::<T>(values, call.out, |values, bins| {
            order::digitize::<T>(&edges, self.falling, values, self.right, bins);
        }))
    }
}

/// The result of `make` for an array that has axes.
fn with_axes(array: &Expr, make: impl Fn(&Expr) -> Result<Expr>) -> Result<Expr> {
    match array.rank() {
        0 => make(&array.expand_dims(0)?)?.squeeze(None),
        _ => make(array),
    }
}

impl Expr {
    /// For each of `values`, how many elements of this array, which rises along its one axis, stand
    /// before it; with [`Side::Right`] also those equal to it.
    ///
    /// # Errors
    /// When the array has not one axis.
    pub fn searchsorted(&self, values: &Expr, side: Side) -> Result<Expr> {
        self.refuse_complex("searchsorted")?;
        values.refuse_complex("searchsorted")?;
        let [table] = self.shape[..] else {
            return Err(Error::invalid(format!(
                "searchsorted: the sorted array must have one axis, not shape {:?}",
                self.shape
            )));
        };
        let dtype = promote(self.dtype, values.dtype);
        with_axes(&values.cast(dtype), |values| {
            Expr::block_op(
                Arc::new(Searchsorted { side, table }),
                vec![self.cast(dtype), values.clone()],
                &values.shape,
                DType::I64,
                values.chunks.clone(),
            )
        })
    }

    /// For each element the number of its bin: 0 before the first of `edges`, as many as there are
    /// behind the last. With `right` bins hold their right edge instead of the left.
    ///
    /// # Errors
    /// When edges neither rise nor fall.
    pub fn digitize(&self, edges: &[f64], right: bool) -> Result<Expr> {
        self.refuse_complex("digitize")?;
        let rises = edges.windows(2).all(|w| w[0] <= w[1]);
        let falls = edges.windows(2).all(|w| w[0] >= w[1]);
        if !rises && !falls {
            return Err(Error::invalid("digitize: the edges must rise or fall"));
        }
        let mut edges = edges.to_vec();
        if !rises {
            edges.reverse();
        }
        with_axes(self, |array| {
            let op = Digitize {
                edges: edges.clone(),
                falling: !rises,
                right,
            };
            Expr::block_op(
                Arc::new(op),
                vec![array.clone()],
                &array.shape,
                DType::I64,
                array.chunks.clone(),
            )
        })
    }
}
