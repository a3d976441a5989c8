//! Closures over overlapping blocks: each sees its block and what lies around it.

use super::Boundary;
use super::reach::{self, Reach};
use crate::expr::{BlockCall, BlockOp, Expr, Part};
use crate::geometry::Region;
use crate::store::copy_region;
use crate::{Error, Result};
use bytemuck::Pod;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tilewise_kernels::{DType, Element, Scalar};

/// A block with what lies around it, dense and row-major.
#[derive(Clone, Copy, Debug)]
pub struct Overlap<'a, S> {
    /// The elements.
    pub values: &'a [S],
    /// Extents of all of them.
    pub shape: &'a [usize],
    /// How many of them lie before the block, per axis.
    pub before: &'a [usize],
    /// The block in the array.
    pub block: &'a Region,
}

/// A closure on the bytes of an overlap, and of what it fills.
type Closure = dyn Fn(Overlap<'_, u8>, &mut [u8]) -> Result<()> + Send + Sync;

/// A closure over the blocks of an array of that shape.
#[derive(Clone)]
struct Mapped {
    name: String,
    identity: u64,
    dtype: DType,
    result: DType,
    shape: Vec<usize>,
    reaches: Vec<Reach>,
    /// Elements of the result beside the block are computed and dropped.
    trim: bool,
    fills: Vec<Scalar>,
    run: Arc<Closure>,
}

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}#{} {:?} {}",
            self.name, self.identity, self.reaches, self.trim
        )
    }
}

impl Expr {
    /// A closure on each chunk and `depth` elements around it along each axis, which beyond the
    /// ends of the array are what the boundaries say ([`Boundary::None`]: there are none). With
    /// `trim` it fills as many elements as it sees, and those around the chunk are dropped; without,
    /// it fills those of the chunk.
    ///
    /// # Errors
    /// An array of another dtype than `T`; not one depth and one boundary per axis; a constant that
    /// the dtype cannot hold.
    pub fn map_overlap<T: Element, U: Element>(
        &self,
        name: &str,
        depth: &[usize],
        boundaries: &[Boundary],
        trim: bool,
        f: impl Fn(Overlap<'_, T::Stored>, &mut [U::Stored]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Expr> {
        let wrong = |why: String| Error::invalid(format!("{name}: map_overlap of {:?}: {why}", self.shape));
        if self.dtype != T::DTYPE {
            let (takes, is) = (T::DTYPE, self.dtype);
            return Err(wrong(format!(
                "the closure takes {takes}, the array is {is}; use astype first"
            )));
        }
        if depth.len() != self.rank() || boundaries.len() != self.rank() {
            return Err(wrong(format!(
                "{} depths and {} boundaries for {} axes",
                depth.len(),
                boundaries.len(),
                self.rank()
            )));
        }
        let mut reaches = Vec::new();
        let mut fills = Vec::new();
        for (axis, (&depth, &boundary)) in depth.iter().zip(boundaries).enumerate() {
            let fits = self.shape[axis]
                .checked_add(depth)
                .and_then(|n| n.checked_add(depth));
            if fits.is_none_or(|n| n > 1 << 53) {
                return Err(wrong(format!(
                    "a depth of {depth} along axis {axis} is beyond counting"
                )));
            }
            fills.push(match boundary {
                Boundary::Constant(value) => value.to_scalar(self.dtype).map_err(wrong)?,
                _ => Scalar::new(T::default()),
            });
            reaches.push(Reach {
                before: depth,
                after: depth,
                beyond: Some(boundary),
            });
        }
        let operand = reach::unrolled(self, &mut reaches)?;
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let run = move |seen: Overlap<'_, u8>, out: &mut [u8]| {
            f(
                Overlap {
                    values: bytemuck::cast_slice(seen.values),
                    shape: seen.shape,
                    before: seen.before,
                    block: seen.block,
                },
                bytemuck::cast_slice_mut(out),
            )
        };
        let op = Mapped {
            name: name.into(),
            identity: NEXT.fetch_add(1, Ordering::Relaxed),
            dtype: T::DTYPE,
            result: U::DTYPE,
            shape: operand.shape.clone(),
            reaches,
            trim,
            fills,
            run: Arc::new(run),
        };
        let chunks = self.chunks.clone();
        Expr::block_op(Arc::new(op), vec![operand], &self.shape, U::DTYPE, chunks)
    }
}

impl Mapped {
    /// Extents of what the closure sees of a block of these extents, at most.
    fn seen(&self, block: &[usize]) -> usize {
        let longer = block.iter().zip(&self.reaches).map(|(n, r)| n + r.both());
        longer.fold(1, usize::saturating_mul)
    }

    fn compute(&self, call: BlockCall<'_, '_>) -> Result<()> {
        let block = call.block;
        let mut tables: Vec<Vec<Option<usize>>> = Vec::new();
        let mut before = Vec::new();
        for (axis, reach) in self.reaches.iter().enumerate() {
            let (start, len, n) = (block.start[axis], block.shape[axis], self.shape[axis]);
            let mut table = reach.table(start, len, n);
            let mut lead = reach.before;
            if reach.beyond == Some(Boundary::None) {
                lead -= table[..lead].iter().filter(|at| at.is_none()).count();
                table.retain(Option::is_some);
            }
            tables.push(table);
            before.push(lead);
        }
        let shape: Vec<usize> = tables.iter().map(Vec::len).collect();
        let count: usize = shape.iter().product();
        let mut values = Words::new(count * self.dtype.size());
        let part = &call.operands[0];
        match self.dtype.size() {
            1 => spread::<u8>(part, &tables, &self.fills, values.bytes()),
            2 => spread::<u16>(part, &tables, &self.fills, values.bytes()),
            4 => spread::<u32>(part, &tables, &self.fills, values.bytes()),
            8 => spread::<u64>(part, &tables, &self.fills, values.bytes()),
            _ => spread::<[u64; 2]>(part, &tables, &self.fills, values.bytes()),
        }
        let overlap = Overlap {
            values: &*values.bytes(),
            shape: &shape,
            before: &before,
            block,
        };
        let size = self.result.size();
        let filled = if self.trim { count } else { block.len() };
        let mut result = Words::new(filled * size);
        (self.run)(overlap, result.bytes())?;
        if !self.trim {
            call.out.fill_from(result.bytes());
            return Ok(());
        }
        let inner = Region::new(before, block.shape.clone());
        let mut kept = vec![0; block.len() * size];
        let origin = vec![0; block.rank()];
        copy_region(
            result.bytes(),
            &shape,
            &inner,
            &mut kept,
            &block.shape,
            &origin,
            size,
        );
        call.out.fill_from(&kept);
        Ok(())
    }
}

/// Bytes that elements of any dtype can lie in.
struct Words {
    words: Vec<u64>,
    len: usize,
}

impl Words {
    fn new(len: usize) -> Words {
        Words {
            words: vec![0; len.div_ceil(8)],
            len,
        }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }
}

/// Copies what tables find in a part, row after row; the rest is what stands beyond the last axis
/// that it lies beyond of.
fn spread<S: Pod>(part: &Part<'_>, tables: &[Vec<Option<usize>>], fills: &[Scalar], out: &mut [u8]) {
    let part = part.strided::<S>();
    let out: &mut [S] = bytemuck::cast_slice_mut(out);
    let Some(last) = tables.len().checked_sub(1) else {
        out[0] = part.values()[0];
        return;
    };
    let fill = |axis: usize| -> S { bytemuck::pod_read_unaligned(&fills[axis].bytes()) };
    let fills: Vec<S> = (0..=last).map(fill).collect();
    let width = tables[last].len();
    let mut at = vec![0; last];
    for line in out.chunks_exact_mut(width.max(1)) {
        let mut row = Ok(0);
        for axis in 0..last {
            row = match tables[axis][at[axis]] {
                Some(i) => row.map(|offset| offset + i * part.strides()[axis]),
                None => Err(axis),
            };
        }
        for (slot, found) in line.iter_mut().zip(&tables[last]) {
            *slot = match (row, found) {
                (_, None) => fills[last],
                (Err(axis), _) => fills[axis],
                (Ok(offset), Some(i)) => part.values()[offset + i],
            };
        }
        for axis in (0..last).rev() {
            at[axis] += 1;
            if at[axis] < tables[axis].len() {
                break;
            }
            at[axis] = 0;
        }
    }
}

impl BlockOp for Mapped {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_durable(&self) -> bool {
        false
    }

    fn needs(&self, _operand: usize, block: &Region) -> Region {
        reach::needs(&self.reaches, block, &self.shape)
    }

    fn bound(&self, _operand: usize, block: &[usize]) -> Vec<usize> {
        (0..block.len())
            .map(|a| self.reaches[a].bound(block[a], self.shape[a]))
            .collect()
    }

    fn scratch_bytes(&self, block: &[usize]) -> usize {
        let seen = self.seen(block);
        let own: usize = block.iter().product();
        let filled = if self.trim { seen.saturating_add(own) } else { own };
        let tables: usize = block.iter().zip(&self.reaches).map(|(n, r)| n + r.both()).sum();
        seen.saturating_mul(self.dtype.size())
            .saturating_add(filled.saturating_mul(self.result.size()))
            .saturating_add(tables * size_of::<Option<usize>>())
    }

    fn exact_chunks(&self) -> bool {
        true
    }

    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        if call.operands[0].dtype != self.dtype {
            return Err(Error::invalid("a closure over a part of another dtype"));
        }
        self.compute(call)
    }
}
