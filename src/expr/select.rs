//! Elements that a condition picks, one after another: how many is told by a first pass over the
//! condition, so that the second, which moves them, has a result of known size.
//!
//! Both passes see arrays as rows: the axes of the condition joined in row-major order, the others behind
//! them. Rows are cut into slabs; each chunk of the result comes from one slab.

use super::{BlockCall, BlockOp, Expr, NodeKind, Part};
use crate::geometry::{AxisChunks, Chunks, Region, row_major_strides};
use crate::store::dense_from;
use crate::{Error, Result};
use std::fmt;
use std::sync::Arc;
use tilewise_kernels::{DType, Op, Scalar};
use xxhash_rust::xxh3::xxh3_64;

/// Slabs are made longer rather than more.
const MOST_SLABS: usize = 1 << 16;
/// Longer chains of operations are stored before their axes are joined.
const DEEPEST: usize = 256;

/// A condition and what it is about to pick, as rows in slabs.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    condition: Expr,
    values: Expr,
    slab: usize,
}

/// How many rows of each slab are picked.
struct Count {
    rows: usize,
    slab: usize,
}

/// The rows of each slab that are picked. Operands are the condition and the values.
struct Select {
    rows: usize,
    slab: usize,
    /// Of each slab that has any: its number, and how many are picked before it.
    slabs: Vec<(usize, usize)>,
    picked: usize,
    /// Extents of a row.
    row: Vec<usize>,
}

/// Tells by its id whether an array is kept when it has been computed.
pub(crate) type Kept<'a> = &'a dyn Fn(u128) -> bool;

impl Rows {
    /// The rows of `values`, and which of them `condition` picks: its shape is that of the first axes of
    /// `values`. A task is to take about `target` bytes. Arrays that are `kept`, told by their ids, are taken
    /// as they are.
    ///
    /// # Errors
    /// Another shape.
    pub fn new(condition: &Expr, values: &Expr, target: usize, kept: Kept<'_>) -> Result<Rows> {
        let lead = condition.rank();
        if values.shape.get(..lead) != Some(&condition.shape) {
            return Err(Error::invalid(format!(
                "a condition of shape {:?} for an array of shape {:?}; it must have the extents of the array's first axes",
                condition.shape, values.shape
            )));
        }
        let values = joined(values, lead, kept)?;
        Rows::of(joined(&condition.cast(DType::Bool), lead, kept)?, values, target)
    }

    /// The row-major numbers of the elements, and which of them `condition` picks.
    ///
    /// # Errors
    /// When they do not fit 64 bits.
    pub fn numbers(condition: &Expr, target: usize, kept: Kept<'_>) -> Result<Rows> {
        let values = Expr::index(&[condition.len()], 0)?;
        Rows::of(
            joined(&condition.cast(DType::Bool), condition.rank(), kept)?,
            values,
            target,
        )
    }

    fn of(condition: Expr, values: Expr, target: usize) -> Result<Rows> {
        let rows = condition.len();
        let each = 1 + values.shape[1..].iter().product::<usize>() * values.dtype.size();
        let slab = (target / each).max(rows / MOST_SLABS + 1).min(rows.max(1));
        Ok(Rows {
            condition,
            values,
            slab,
        })
    }

    /// How many rows of each slab are picked, I64.
    ///
    /// # Errors
    /// When that does not fit 64 bits.
    pub fn counts(&self) -> Result<Expr> {
        let rows = self.condition.len();
        let op = Count {
            rows,
            slab: self.slab,
        };
        let slabs = rows.div_ceil(self.slab);
        let chunks = Chunks::regular(&[slabs], &[1]);
        let condition = vec![self.condition.clone()];
        Expr::block_op(Arc::new(op), condition, &[slabs], DType::I64, chunks)
    }

    /// The picked rows, of which there are so many in each slab.
    ///
    /// # Errors
    /// When their size does not fit 64 bits.
    pub fn picked(&self, counts: impl Iterator<Item = usize>) -> Result<Expr> {
        let (mut slabs, mut sizes, mut picked) = (Vec::new(), Vec::new(), 0);
        for (number, count) in counts.enumerate().filter(|&(_, count)| count > 0) {
            slabs.push((number, picked));
            sizes.push(count);
            picked += count;
        }
        let row = self.values.shape[1..].to_vec();
        let shape: Vec<usize> = [picked].into_iter().chain(row.iter().copied()).collect();
        if picked == 0 {
            return self.values.take(&[], 0);
        }
        let op = Select {
            rows: self.condition.len(),
            slab: self.slab,
            slabs,
            picked,
            row,
        };
        let axes = std::iter::once(AxisChunks::from_sizes(&sizes))
            .chain(op.row.iter().map(|&n| AxisChunks::regular(n, n)));
        let chunks = Chunks::new(axes.collect());
        let operands = vec![self.condition.clone(), self.values.clone()];
        Expr::block_op(Arc::new(op), operands, &shape, self.values.dtype, chunks)
    }
}

/// The first `lead` axes as one. What is computed point by point is computed from operands whose axes are
/// joined, so that only these need to be stored; but not what is kept anyway.
fn joined(expr: &Expr, lead: usize, kept: Kept<'_>) -> Result<Expr> {
    if lead == 1 {
        return Ok(expr.clone());
    }
    let rows: usize = expr.shape[..lead].iter().product();
    let shape: Vec<usize> = [rows]
        .into_iter()
        .chain(expr.shape[lead..].iter().copied())
        .collect();
    let through = expr.depth <= DEEPEST && !kept(expr.id());
    match &expr.kind {
        NodeKind::Cast if through => Ok(joined(&expr.inputs[0], lead, kept)?.cast(expr.dtype)),
        NodeKind::Op(op) if through => {
            let inputs: Vec<Expr> = expr
                .inputs
                .iter()
                .map(|i| joined(i, lead, kept))
                .collect::<Result<_>>()?;
            Expr::op(*op, &inputs)
        }
        NodeKind::View(_) if expr.inputs[0].len() == 1 && !expr.is_empty() => {
            expr.inputs[0].reshape(&[])?.broadcast_to(&shape)
        }
        NodeKind::Index { axis } if *axis < lead => {
            let strides = row_major_strides(&expr.shape[..lead]);
            let number = Expr::index(&shape, 0)?;
            along_axis(&number, strides[*axis], expr.shape[*axis])
        }
        _ => {
            let wanted: Vec<isize> = shape.iter().map(|&n| n as isize).collect();
            in_bands(expr)?.reshape(&wanted)
        }
    }
}

/// The index along an axis of that extent whose steps are `stride` row-major numbers apart.
pub(crate) fn along_axis(number: &Expr, stride: usize, extent: usize) -> Result<Expr> {
    let by = |value: usize| Expr::scalar(Scalar::new(value.max(1) as i64)).broadcast_to(&number.shape);
    let op = |name: &str, a: &Expr, b: &Expr| {
        let op = Op::find(name).ok_or_else(|| Error::invalid(format!("no op {name}")))?;
        Expr::op(op, &[a.clone(), b.clone()])
    };
    let steps = op("floor_divide", number, &by(stride)?)?;
    op("remainder", &steps, &by(extent)?)
}

/// Stored chunks that cut rows are brought together first: each would be read for every row.
fn in_bands(expr: &Expr) -> Result<Expr> {
    let NodeKind::Source(source) = &expr.kind else {
        return Ok(expr.clone());
    };
    let cut = |chunk: &[usize]| (1..expr.rank()).any(|axis| chunk[axis] < expr.shape[axis]);
    match source.chunks() {
        Some(chunk) if cut(chunk) => {
            let band: Vec<usize> = chunk[..1].iter().chain(&expr.shape[1..]).copied().collect();
            expr.rechunk(Chunks::regular(&expr.shape, &band))
        }
        _ => Ok(expr.clone()),
    }
}

/// Calls `work` with each index at which a condition holds.
fn picks(condition: &Part<'_>, mut work: impl FnMut(usize)) {
    let rows = condition.columns::<u8>(0, None, 1, &[0]);
    match rows.lane(0) {
        Some(lane) => {
            let holds = lane.iter().enumerate().filter(|&(_, &holds)| holds != 0);
            holds.for_each(|(i, _)| work(i));
        }
        None => (0..rows.len()).filter(|&i| rows.row(0, i)[0] != 0).for_each(work),
    }
}

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count of slabs of {} of {} rows", self.slab, self.rows)
    }
}

impl BlockOp for Count {
    fn name(&self) -> &str {
        "count picked"
    }

    fn needs(&self, _: usize, block: &Region) -> Region {
        let start = (block.start[0] * self.slab).min(self.rows);
        let stop = (block.stop(0) * self.slab).min(self.rows);
        Region::new(vec![start], vec![stop - start])
    }

    fn bound(&self, _: usize, block: &[usize]) -> Vec<usize> {
        vec![block[0].saturating_mul(self.slab).min(self.rows)]
    }

    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        let mut counts = vec![0i64; call.block.shape[0]];
        picks(&call.operands[0], |i| counts[i / self.slab] += 1);
        call.out.fill_from(bytemuck::cast_slice(&counts));
        Ok(())
    }

    fn scratch_bytes(&self, block: &[usize]) -> usize {
        block[0] * size_of::<i64>()
    }
}

impl fmt::Debug for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slabs: Vec<u64> = self
            .slabs
            .iter()
            .flat_map(|&(n, at)| [n as u64, at as u64])
            .collect();
        let hash = xxh3_64(bytemuck::cast_slice(&slabs));
        let Select {
            rows, slab, picked, ..
        } = self;
        write!(f, "{picked} of {rows} rows in slabs of {slab}, {hash:x}")
    }
}

impl Select {
    /// The place in `slabs` of the one that a picked row comes from.
    fn find(&self, picked: usize) -> usize {
        self.slabs
            .partition_point(|&(_, before)| before <= picked)
            .saturating_sub(1)
    }

    /// Copies the rows `skip ..` that are picked, until `out` is full; whether they are as many.
    fn copy(&self, condition: &Part<'_>, values: &Part<'_>, skip: usize, out: &mut [u8]) -> bool {
        let size = values.dtype.size();
        let row = self.row.iter().product::<usize>() * size;
        let at = |index: usize| (values.offset + index * values.strides[0]) * size;
        let dense = dense_from(&values.region.shape, &values.strides) <= 1;
        let inner = Region::whole(&self.row);
        let (mut passed, mut done) = (0, 0);
        picks(condition, |index| {
            passed += 1;
            if passed <= skip || done + row > out.len() {
                return;
            }
            let to = &mut out[done..done + row];
            match (dense, row) {
                (true, 4) => to.copy_from_slice(&values.bytes[at(index)..][..4]),
                (true, 8) => to.copy_from_slice(&values.bytes[at(index)..][..8]),
                (true, _) => to.copy_from_slice(&values.bytes[at(index)..][..row]),
                (false, _) => gather(values, at(index), &inner, to),
            }
            done += row;
        });
        done == out.len()
    }
}

/// Copies a row that does not lie in one piece.
fn gather(values: &Part<'_>, first: usize, row: &Region, to: &mut [u8]) {
    let size = values.dtype.size();
    let steps = row_major_strides(&row.shape);
    for (number, to) in to.chunks_exact_mut(size).enumerate() {
        let along = steps.iter().zip(&row.shape).zip(&values.strides[1..]);
        let from: usize = along.map(|((step, n), stride)| number / step % n * stride).sum();
        to.copy_from_slice(&values.bytes[first + from * size..][..size]);
    }
}

impl BlockOp for Select {
    fn name(&self) -> &str {
        "picked rows"
    }

    fn needs(&self, operand: usize, block: &Region) -> Region {
        let last = block.stop(0).max(block.start[0] + 1) - 1;
        let (first, last) = (self.find(block.start[0]), self.find(last));
        let start = self.slabs[first].0 * self.slab;
        let stop = ((self.slabs[last].0 + 1) * self.slab).min(self.rows);
        let rows = Region::new(vec![start], vec![stop - start]);
        match operand {
            0 => rows,
            _ => Region::new(
                rows.start.into_iter().chain(self.row.iter().map(|_| 0)).collect(),
                rows.shape.into_iter().chain(self.row.iter().copied()).collect(),
            ),
        }
    }

    fn bound(&self, operand: usize, block: &[usize]) -> Vec<usize> {
        // A chunk of the result comes from one slab; what is no chunk is all of it.
        let rows = if block[0] <= self.slab {
            self.slab
        } else {
            self.rows
        };
        let row: &[usize] = if operand == 0 { &[] } else { &self.row };
        std::iter::once(rows.min(self.rows))
            .chain(row.iter().copied())
            .collect()
    }

    fn spans(&self, axis: usize) -> bool {
        axis > 0
    }

    fn exact_chunks(&self) -> bool {
        true
    }

    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        let skip = call.block.start[0] - self.slabs[self.find(call.block.start[0])].1;
        let [condition, values] = call.operands else {
            return Err(Error::invalid("picked rows: not two operands"));
        };
        // Blocks span the axes of a row.
        let all = || Error::invalid("picked rows: a result that is not contiguous");
        let out = call.out.bytes_mut().ok_or_else(all)?;
        match self.copy(condition, values, skip, out) {
            true => Ok(()),
            false => Err(Error::invalid(
                "fewer rows are picked than were counted: the condition's source has changed meanwhile",
            )),
        }
    }
}
