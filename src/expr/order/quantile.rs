//! Quantiles and medians over one axis or several.

use super::axis::{bound_along, chunks_along, whole_along};
use crate::expr::{BlockCall, BlockForm, BlockOp, Expr, Part, along};
use crate::geometry::{Region, normalize_axis, row_major_strides};
use crate::store::Patch;
use crate::{Error, Result};
use bytemuck::Pod;
use std::sync::Arc;
use tilewise_kernels::order::{self, Lanes, Ordered, QuantileRule, Quantiles};
use tilewise_kernels::{Columns, ColumnsMut, DType, Element, dispatch_real};

/// Quantiles over axes, of which the first has a result's extent and the others have 1.
#[derive(Debug)]
pub struct Quantile {
    rule: QuantileRule,
    skipna: bool,
    axes: Vec<usize>,
    dtype: DType,
    shape: Vec<usize>,
}

impl Quantile {
    fn run_typed<T: Quantiles>(&self, call: BlockCall<'_, '_>) -> Result<()> {
        let (rule, skipna) = (&self.rule, self.skipna);
        if self.rule.picks() {
            let mut room = Lanes::default();
            return self.columns::<T::Stored, T::Stored>(call, |from, to| {
                order::pick::<T>(from, to, rule, skipna, &mut room);
            });
        }
        let mut room = Lanes::default();
        self.columns::<T::Stored, <T::Blended as Element>::Stored>(call, |from, to| {
            order::quantile::<T>(from, to, rule, skipna, &mut room);
        })
    }

    /// Calls `work` for all columns: along the one axis, or of elements gathered from several.
    fn columns<S: Pod, U: Pod + Default>(
        &self,
        call: BlockCall<'_, '_>,
        mut work: impl FnMut(Columns<'_, S>, ColumnsMut<'_, U>),
    ) -> Result<()> {
        let part = &call.operands[0];
        if let [axis] = self.axes[..] {
            return along::<S, U>(part, call.out, axis, |from, to| {
                work(from, to);
                Ok(())
            });
        }
        if part.region.is_empty() || call.block.is_empty() {
            return Ok(());
        }
        let gathered = gather::<S>(part, &self.axes);
        let len: usize = self.axes.iter().map(|&a| part.region.shape[a]).product();
        let (columns, count) = (gathered.len() / len, self.rule.count());
        let mut results = vec![U::default(); columns * count];
        work(
            Columns::dense(&gathered, columns, len, 1),
            ColumnsMut::dense(&mut results, columns, count, 1),
        );
        scatter(&results, count, self.axes[0], call.out);
        Ok(())
    }
}

/// The elements of a part with those along `axes` together, which become the last ones.
fn gather<S: Pod>(part: &Part<'_>, axes: &[usize]) -> Vec<S> {
    let shape = &part.region.shape;
    let rank = shape.len();
    let kept = (0..rank).filter(|a| !axes.contains(a));
    let turned: Vec<usize> = kept.chain(axes.iter().copied()).collect();
    // The last axis of all is the innermost loop, so that its rows are read once.
    let turned_shape: Vec<usize> = turned.iter().map(|&a| shape[a]).collect();
    let turned_strides = row_major_strides(&turned_shape);
    let mut step = vec![0; rank];
    for (place, &axis) in turned.iter().enumerate() {
        step[axis] = turned_strides[place];
    }
    let mut out = vec![S::zeroed(); shape.iter().product()];
    let last = rank - 1;
    let mut at = vec![0; rank];
    loop {
        let columns = part.columns::<S>(last, None, rank, &at);
        let to: usize = (0..last).map(|a| at[a] * step[a]).sum();
        match columns.lane(0) {
            Some(lane) if step[last] == 1 => out[to..to + lane.len()].copy_from_slice(lane),
            _ => (0..shape[last]).for_each(|i| out[to + i * step[last]] = columns.row(0, i)[0]),
        }
        let Some(turn) = (0..last).rev().find(|&a| at[a] + 1 < shape[a]) else {
            return out;
        };
        at[turn] += 1;
        at[turn + 1..].fill(0);
    }
}

/// Writes `count` results of each column along `axis`; all other axes of `out` hold columns.
fn scatter<U: Pod>(results: &[U], count: usize, axis: usize, out: &mut Patch<'_>) {
    let shape = out.shape().to_vec();
    let mut at = vec![0; shape.len()];
    for column in results.chunks_exact(count) {
        let mut to = out.columns::<U>(axis, None, shape.len(), &at);
        for (i, &value) in column.iter().enumerate() {
            to.row(0, i)[0] = value;
        }
        let others = (0..shape.len()).rev().filter(|&a| a != axis);
        for a in others {
            at[a] += 1;
            if at[a] < shape[a] {
                break;
            }
            at[a] = 0;
        }
    }
}

impl BlockOp for Quantile {
    fn name(&self) -> &str {
        match self.rule {
            QuantileRule::At(..) => "quantile",
            QuantileRule::Median => "median",
        }
    }

    fn needs(&self, _: usize, block: &Region) -> Region {
        whole_along(&self.axes, &self.shape, block)
    }

    fn bound(&self, _: usize, block: &[usize]) -> Vec<usize> {
        bound_along(&self.axes, &self.shape, block)
    }

    fn spans(&self, axis: usize) -> bool {
        self.axes.contains(&axis)
    }

    fn scratch_bytes(&self, block: &[usize]) -> usize {
        let len: usize = self.axes.iter().map(|&a| self.shape[a]).product();
        let count = self.rule.count();
        let columns: usize = (0..block.len())
            .filter(|a| !self.axes.contains(a))
            .map(|a| block[a])
            .product();
        let (inner, gathered) = match self.axes[..] {
            [axis] => (block[axis + 1..].iter().product(), 0),
            _ => {
                let results = columns * count * self.rule.result(self.dtype).size();
                (1, columns * len * self.dtype.size() + results)
            }
        };
        dispatch_real!(self.dtype, T => {
            type Key = <T as Ordered>::Key;
            gathered + Lanes::<Key, u64>::bytes(size_of::<Key>(), len, inner, count)
        })
    }

    fn form(&self) -> Option<BlockForm<'_>> {
        Some(BlockForm::Quantile {
            rule: &self.rule,
            skipna: self.skipna,
            axes: &self.axes,
            len: self.axes.iter().map(|&a| self.shape[a]).product(),
        })
    }

    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        dispatch_real!(self.dtype, T => self.run_typed::<T>(call))
    }
}

impl Expr {
    /// Quantiles over `axes` (all when `None`), along a new first axis unless it is one number that
    /// is asked for by [`QuantileRule::Median`].
    ///
    /// # Errors
    /// An axis out of range or named twice; no element to choose from; a quantile that is not from
    /// 0 to 1.
    pub fn quantiles(
        &self,
        rule: QuantileRule,
        axes: Option<&[isize]>,
        skipna: bool,
        keepdims: bool,
    ) -> Result<Expr> {
        let op_name = match rule {
            QuantileRule::At(..) => "quantile",
            QuantileRule::Median => "median",
        };
        self.refuse_complex(op_name)?;
        if let QuantileRule::At(qs, _) = &rule
            && let Some(bad) = qs.iter().find(|q| !(0.0..=1.0).contains(*q))
        {
            return Err(Error::invalid(format!(
                "quantile: {bad} is not from 0 to 1 (percentiles are from 0 to 100)"
            )));
        }
        let mut axes: Vec<usize> = match axes {
            Some(axes) => axes
                .iter()
                .map(|&a| normalize_axis(a, self.rank()))
                .collect::<Result<_>>()?,
            None => (0..self.rank()).collect(),
        };
        axes.sort_unstable();
        if axes.windows(2).any(|w| w[0] == w[1]) {
            return Err(Error::invalid(format!("{op_name}: an axis is named twice")));
        }
        if axes.iter().any(|&a| self.shape[a] == 0) {
            return Err(Error::invalid(format!(
                "{op_name} over no element: shape {:?}, axes {axes:?}",
                self.shape
            )));
        }
        // An array without axes to choose along has one element per column.
        let (array, added) = match axes.first() {
            Some(_) => (self.clone(), false),
            None => (self.expand_dims(0)?, true),
        };
        let spanned = if added { vec![0] } else { axes.clone() };
        let first = spanned[0];
        let extents: Vec<(usize, usize)> = spanned
            .iter()
            .map(|&a| (a, if a == first { rule.count() } else { 1 }))
            .collect();
        let mut shape = array.shape.clone();
        extents.iter().for_each(|&(a, n)| shape[a] = n);
        let several = matches!(rule, QuantileRule::At(..));
        let dtype = rule.result(array.dtype);
        let op = Quantile {
            rule,
            skipna,
            axes: spanned.clone(),
            dtype: array.dtype,
            shape: array.shape.clone(),
        };
        let chunks = chunks_along(&array.chunks, &extents);
        let made = Expr::block_op(Arc::new(op), vec![array], &shape, dtype, chunks)?;
        // The results' axis goes to the front; the axes chosen along vanish or stay with extent 1.
        let made = if several {
            let made = made.expand_dims(0)?;
            let mut order: Vec<isize> = (0..made.rank() as isize).collect();
            order.swap(0, first + 1);
            made.permute(&order)?
        } else {
            made
        };
        if keepdims && !added {
            return Ok(made);
        }
        let gone: Vec<isize> = spanned
            .iter()
            .map(|&a| (a + usize::from(several)) as isize)
            .collect();
        made.squeeze(Some(&gone))
    }
}
