//! Histograms and counts of numbers: each piece of the array is counted alone, then counts are added.

use crate::expr::{BlockCall, BlockForm, BlockOp, Expr, Part, named};
use crate::geometry::{Chunks, Region};
use crate::store::MemorySource;
use crate::{Error, Result};
use std::sync::Arc;
use tilewise_kernels::order::{self, BinError, Bins};
use tilewise_kernels::{DType, Element, Literal, ReduceKind, Reduction, Scalar, dispatch_real};

/// Elements that are counted at once.
const PIECE: usize = 1 << 20;

/// Most pieces, unless chunks are that large.
const MOST_PIECES: usize = 1 << 12;

/// The pieces of an array: chunks or several of them, cut where they are large.
fn pieces(array: &Expr) -> Chunks {
    let wanted = PIECE.max(array.len().div_ceil(MOST_PIECES));
    let mut extents = array.chunks.largest();
    let len = |extents: &[usize]| extents.iter().product::<usize>();
    for axis in 0..extents.len() {
        if len(&extents) > wanted {
            let rest = len(&extents) / extents[axis].max(1);
            extents[axis] = (wanted / rest.max(1)).clamp(1, extents[axis].max(1));
        }
    }
    for axis in (0..extents.len()).rev() {
        let times = (wanted / len(&extents).max(1)).max(1);
        extents[axis] = (extents[axis].max(1) * times).min(array.shape[axis].max(1));
    }
    Chunks::regular(&array.shape, &extents)
}

/// Calls `work` for all runs of a part, and of another one of the same shape.
fn runs<S: bytemuck::Pod, W: bytemuck::Pod>(
    part: &Part<'_>,
    beside: Option<&Part<'_>>,
    mut work: impl FnMut(&[S], Option<&[W]>) -> Result<()>,
) -> Result<()> {
    let shape = &part.region.shape;
    if part.region.is_empty() {
        return Ok(());
    }
    let Some(last) = shape.len().checked_sub(1) else {
        return Ok(());
    };
    let mut at = vec![0; shape.len()];
    loop {
        let values = part.columns::<S>(last, None, shape.len(), &at);
        let others = beside.map(|part| part.columns::<W>(last, None, shape.len(), &at));
        match (values.lane(0), others.as_ref().map(|o| o.lane(0))) {
            (Some(values), None) => work(values, None)?,
            (Some(values), Some(Some(others))) => work(values, Some(others))?,
            _ => {
                for i in 0..shape[last] {
                    work(values.row(0, i), others.as_ref().map(|o| o.row(0, i)))?;
                }
            }
        }
        let Some(turn) = (0..last).rev().find(|&a| at[a] + 1 < shape[a]) else {
            return Ok(());
        };
        at[turn] += 1;
        at[turn + 1..].fill(0);
    }
}

/// Which bins a histogram has.
#[derive(Clone, PartialEq, Debug)]
pub enum BinSpec {
    /// So many of equal width, from the smallest element to the largest.
    Count(usize),
    /// So many of equal width between two values.
    Between(usize, f64, f64),
    /// Those between rising edges.
    Edges(Vec<f64>),
}

/// Counts of the elements of each piece by bin, or sums of their weights. Operands are the array,
/// the edges, and the weights if there are any.
#[derive(Debug)]
pub struct Histogram {
    pieces: Chunks,
    edges: usize,
}

/// The region of the piece that a block is about.
fn piece(pieces: &Chunks, block: &Region) -> Region {
    pieces.region(&pieces.block(block.start[0]))
}

impl Histogram {
    fn bins(&self, part: &Part<'_>) -> Result<Bins> {
        let edges = part.columns::<f64>(0, None, 1, &[0]);
        let edges = (0..edges.len()).map(|i| edges.row(0, i)[0]).collect();
        Bins::new(edges).map_err(|error| {
            Error::invalid(match error {
                BinError::TooFew => "histogram: there must be at least one bin",
                BinError::Falling => {
                    "histogram: the edges do not rise, or the array holds NaN or infinities: give a range"
                }
            })
        })
    }

    fn run_typed<T: Element>(&self, call: BlockCall<'_, '_>) -> Result<()> {
        let bins = self.bins(&call.operands[1])?;
        let all = || Error::invalid("histogram: a result that is not contiguous");
        match call.operands.get(2) {
            None => {
                let counts = call.out.contiguous::<i64>().ok_or_else(all)?;
                counts.fill(0);
                runs::<T::Stored, f64>(&call.operands[0], None, |values, _| {
                    order::histogram::<T>(values, &bins, counts);
                    Ok(())
                })
            }
            weights => {
                let sums = call.out.contiguous::<f64>().ok_or_else(all)?;
                sums.fill(0.0);
                runs::<T::Stored, f64>(&call.operands[0], weights, |values, weights| {
                    order::weighted_histogram::<T>(values, weights.unwrap_or_default(), &bins, sums);
                    Ok(())
                })
            }
        }
    }
}

impl BlockOp for Histogram {
    fn name(&self) -> &str {
        "histogram"
    }

    fn needs(&self, operand: usize, block: &Region) -> Region {
        match operand {
            1 => Region::whole(&[self.edges]),
            _ => piece(&self.pieces, block),
        }
    }

    fn bound(&self, operand: usize, _: &[usize]) -> Vec<usize> {
        match operand {
            1 => vec![self.edges],
            _ => self.pieces.largest(),
        }
    }

    fn exact_chunks(&self) -> bool {
        true
    }

    fn rereads(&self, operand: usize) -> bool {
        operand == 1
    }

    fn scratch_bytes(&self, _: &[usize]) -> usize {
        self.edges * size_of::<f64>()
    }

    fn form(&self) -> Option<BlockForm<'_>> {
        Some(BlockForm::Histogram)
    }

    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        dispatch_real!(call.operands[0].dtype, T => self.run_typed::<T>(call))
    }
}

/// How often each number occurs in each piece, or the sums of weights.
#[derive(Debug)]
pub struct Bincount {
    pieces: Chunks,
    length: usize,
}

impl BlockOp for Bincount {
    fn name(&self) -> &str {
        "bincount"
    }

    fn needs(&self, _: usize, block: &Region) -> Region {
        piece(&self.pieces, block)
    }

    fn bound(&self, _: usize, _: &[usize]) -> Vec<usize> {
        self.pieces.largest()
    }

    fn exact_chunks(&self) -> bool {
        true
    }

    fn form(&self) -> Option<BlockForm<'_>> {
        Some(BlockForm::Bincount { length: self.length })
    }

    fn run(&self, call: BlockCall<'_, '_>) -> Result<()> {
        let length = self.length;
        let beyond =
            |value: i64| Error::invalid(format!("bincount: {value} is not from 0 to below {length}"));
        let all = || Error::invalid("bincount: a result that is not contiguous");
        match call.operands.get(1) {
            None => {
                let counts = call.out.contiguous::<i64>().ok_or_else(all)?;
                counts.fill(0);
                runs::<i64, f64>(&call.operands[0], None, |values, _| {
                    order::bincount(values, counts).map_err(beyond)
                })
            }
            weights => {
                let sums = call.out.contiguous::<f64>().ok_or_else(all)?;
                sums.fill(0.0);
                runs::<i64, f64>(&call.operands[0], weights, |values, weights| {
                    order::weighted_bincount(values, weights.unwrap_or_default(), sums).map_err(beyond)
                })
            }
        }
    }
}

/// Counts per piece, added up.
fn added(
    op: Arc<dyn BlockOp>,
    operands: Vec<Expr>,
    pieces: usize,
    length: usize,
    dtype: DType,
) -> Result<Expr> {
    let chunks = Chunks::regular(&[pieces, length], &[1, length.max(1)]);
    let made = Expr::block_op(op, operands, &[pieces, length], dtype, chunks)?;
    made.reduce(Reduction::new(ReduceKind::Sum), Some(&[0]), false)
}

/// A number as a scalar of a dtype that holds it.
fn number(value: Literal, dtype: DType) -> Result<Expr> {
    value.to_scalar(dtype).map(Expr::scalar).map_err(Error::Invalid)
}

/// `first + (last - first) / count * i` up to `last`, in the dtype of both, as `numpy.linspace`; where
/// both are equal, from half below to half above.
fn edges_between(first: &Expr, last: &Expr, count: usize) -> Result<Expr> {
    let dtype = first.dtype;
    let half = number(Literal::Float(0.5), dtype)?;
    let same = Expr::op(named("equal")?, &[first.clone(), last.clone()])?;
    let choose = |name: &str, value: &Expr| {
        let moved = Expr::op(named(name)?, &[value.clone(), half.clone()])?;
        Expr::op(named("where")?, &[same.clone(), moved, value.clone()])
    };
    let (first, last) = (choose("subtract", first)?, choose("add", last)?);
    let span = Expr::op(named("subtract")?, &[last.clone(), first.clone()])?;
    let step = Expr::op(
        named("divide")?,
        &[span, number(Literal::Int(count as i128), dtype)?],
    )?;
    let places = Expr::index(&[count], 0)?.cast(dtype);
    let inner = Expr::op(named("multiply")?, &[places, step])?;
    let inner = Expr::op(named("add")?, &[inner, first])?;
    Ok(Expr::concat(&[inner, last.expand_dims(0)?], 0)?.cast(DType::F64))
}

impl BinSpec {
    /// The edges for elements of `dtype`, where these need not be known; rounded to it where it is
    /// a float and the edges are not given, as NumPy's.
    ///
    /// # Errors
    /// No bin; edges that do not rise; a range that is not finite or falls.
    pub fn edges(&self, dtype: DType) -> Result<Option<Vec<f64>>> {
        let (count, mut low, mut high) = match *self {
            BinSpec::Count(0) | BinSpec::Between(0, ..) => {
                return Err(Error::invalid("histogram: there must be at least one bin"));
            }
            BinSpec::Count(_) => return Ok(None),
            BinSpec::Between(count, low, high) => (count, low, high),
            BinSpec::Edges(ref edges) => {
                Bins::new(edges.clone()).map_err(|error| {
                    Error::invalid(match error {
                        BinError::TooFew => "histogram: there must be two edges at least",
                        BinError::Falling => "histogram: the edges must rise",
                    })
                })?;
                return Ok(Some(edges.clone()));
            }
        };
        if !(low.is_finite() && high.is_finite() && low <= high) {
            return Err(Error::invalid(format!(
                "histogram: the range from {low} to {high} is not finite or falls"
            )));
        }
        crate::geometry::checked_bytes(&[count + 1], size_of::<f64>())?;
        if low == high {
            (low, high) = (low - 0.5, high + 0.5);
        }
        let step = (high - low) / count as f64;
        let rounded = |value: f64| match dtype.is_float() {
            true => Literal::Float(value)
                .to_scalar(dtype)
                .map(Scalar::to_f64)
                .map_err(Error::Invalid),
            false => Ok(value),
        };
        let inner = (0..count).map(|i| i as f64 * step + low);
        inner.chain([high]).map(rounded).collect::<Result<_>>().map(Some)
    }
}

/// The edges of a histogram of `array`, F64.
fn edges_of(array: &Expr, bins: &BinSpec) -> Result<Expr> {
    let known = match (bins, bins.edges(array.dtype)?) {
        (_, Some(edges)) => edges,
        (BinSpec::Count(count), None) if !array.is_empty() => {
            let float = if array.dtype.is_float() {
                array.dtype
            } else {
                DType::F64
            };
            let extreme = |kind| {
                array
                    .reduce(Reduction::new(kind), None, false)
                    .map(|e| e.cast(float))
            };
            return edges_between(&extreme(ReduceKind::Min)?, &extreme(ReduceKind::Max)?, *count);
        }
        (BinSpec::Count(count), None) => BinSpec::Between(*count, 0.0, 1.0)
            .edges(array.dtype)?
            .unwrap_or_default(),
        (_, None) => Vec::new(),
    };
    let source = MemorySource::from_vec::<f64>(&[known.len()], known)?;
    Expr::source(Arc::new(source))
}

/// Weights as f64 of the array's shape.
fn matching(array: &Expr, weights: &Expr) -> Result<Expr> {
    weights.cast(DType::F64).broadcast_to(&array.shape)
}

impl Expr {
    /// How many elements fall into each bin (I64), or the sum of their weights (F64), and the
    /// edges of the bins (F64). Bins hold their left edge, the last one both; NaN is in none.
    ///
    /// # Errors
    /// No bin; edges that do not rise; weights that do not broadcast to the array. When it is
    /// computed: a range that is not finite.
    pub fn histogram(&self, bins: &BinSpec, weights: Option<&Expr>) -> Result<(Expr, Expr)> {
        self.refuse_complex("histogram")?;
        weights.map_or(Ok(()), |w| w.refuse_complex("histogram with weights"))?;
        let edges = edges_of(self, bins)?;
        let array = if self.rank() == 0 {
            self.expand_dims(0)?
        } else {
            self.clone()
        };
        let pieces = pieces(&array);
        let (count, length) = (pieces.count(), edges.len() - 1);
        let dtype = if weights.is_some() { DType::F64 } else { DType::I64 };
        let op = Histogram {
            pieces,
            edges: edges.len(),
        };
        let mut operands = vec![array.clone(), edges.clone()];
        if let Some(weights) = weights {
            operands.push(matching(&array, weights)?);
        }
        Ok((added(Arc::new(op), operands, count, length, dtype)?, edges))
    }

    /// How often each number from 0 to below `length` occurs among integers (I64), or the sum of
    /// the weights there (F64).
    ///
    /// # Errors
    /// An array of another kind; weights that do not broadcast to it. When it is computed: a number
    /// that is negative or not below `length`.
    pub fn bincount(&self, length: usize, weights: Option<&Expr>) -> Result<Expr> {
        weights.map_or(Ok(()), |w| w.refuse_complex("bincount with weights"))?;
        if !self.dtype.is_integer() && self.dtype != DType::Bool {
            return Err(Error::invalid(format!(
                "bincount counts integers, not {}; use digitize or histogram",
                self.dtype
            )));
        }
        let array = if self.rank() == 0 {
            self.expand_dims(0)?
        } else {
            self.clone()
        };
        // The largest u64 are negative as i64, and refused so.
        let array = array.cast(DType::I64);
        let pieces = pieces(&array);
        let count = pieces.count();
        let dtype = if weights.is_some() { DType::F64 } else { DType::I64 };
        let mut operands = vec![array.clone()];
        if let Some(weights) = weights {
            operands.push(matching(&array, weights)?);
        }
        added(
            Arc::new(Bincount { pieces, length }),
            operands,
            count,
            length,
            dtype,
        )
    }
}
