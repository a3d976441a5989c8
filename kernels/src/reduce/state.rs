//! The state of a reduction: the cells of all its output elements, as planes.
//!
//! A cell is a few numbers; a plane holds one of them for every output element, so that loops over
//! cells vectorise. The planes are public as [`Cells`]: a device that reduces by itself fills a
//! state's cells and has it merged.

use super::lanes::merge_all;
use super::order::{Ordered, worst};
use super::rule::Rule;
use super::rules::{Class, Found, Work, with_rule};
use super::{ReduceKind, Reduction};
use crate::{DType, Isa};

/// The running state of a reduction for many output elements.
///
/// The index of an output element is its row-major number in the state's shape.
#[derive(Clone, PartialEq, Debug)]
pub struct State {
    pub(super) reduction: Reduction,
    pub(super) dtype: DType,
    pub(super) len: usize,
    pub(super) cells: Cells,
    pub(super) isa: Isa,
}

/// The planes of a state, each of `State::len` elements.
#[derive(Clone, PartialEq, Debug)]
pub enum Cells {
    /// Sum or product of integers modulo 2^64; starts from 0 or 1.
    Wrapping(Vec<u64>),
    /// Sum of floats.
    Sum(Sums),
    /// Product of floats; starts from 1.
    Prod(Vec<f64>),
    /// Mean.
    Mean(Means),
    /// Variance and standard deviation.
    Moments(Moments),
    /// Minimum and maximum; the tag is 1 once something was fed. Starts from the value that loses
    /// against every other: ±infinity or the integer's bound, NaN where NaN is skipped.
    Extreme(Canonical<u8>),
    /// Index of an extreme, first and last; the tag is the index of the value, −1 for none.
    Indexed(Canonical<i64>),
    /// Any or all as 0 or 1; starts from 0 or 1.
    Truth(Vec<u8>),
    /// Number of elements.
    Count(Vec<u64>),
}

/// Sums as two parts: the sum is `sum + error` where that is finite, else `sum`.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Sums {
    /// The rounded sums.
    pub sum: Vec<f64>,
    /// What rounding lost.
    pub error: Vec<f64>,
}

/// Sums with the number of elements in them.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Means {
    /// The sums.
    pub sums: Sums,
    /// How many elements were added, whole numbers.
    pub count: Vec<f64>,
}

/// Count, mean and sum of squared differences from the mean.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Moments {
    /// How many elements, whole numbers.
    pub count: Vec<f64>,
    /// Their mean, rounded; 0 for none.
    pub mean: Vec<f64>,
    /// What is to be added to the rounded mean; 0 where that is not known.
    pub rest: Vec<f64>,
    /// The sum of squared differences from it.
    pub squares: Vec<f64>,
}

/// Values with a tag each.
#[derive(Clone, PartialEq, Debug)]
pub struct Tagged<K, T> {
    /// The values.
    pub value: Vec<K>,
    /// What is known of each.
    pub tag: Vec<T>,
}

/// Values in the type that their dtype is compared in: `I64` for bools and signed integers, `U64`
/// for unsigned ones, `F32` for floats of up to 32 bits, `F64`.
#[derive(Clone, PartialEq, Debug)]
pub enum Canonical<T> {
    /// Bools and signed integers.
    I64(Tagged<i64, T>),
    /// Unsigned integers.
    U64(Tagged<u64, T>),
    /// `F16`, `BF16` and `F32`.
    F32(Tagged<f32, T>),
    /// `F64`.
    F64(Tagged<f64, T>),
}

/// Number of planes of 8, 4 and 1 bytes per cell.
fn planes(reduction: Reduction, dtype: DType) -> (usize, usize, usize) {
    use ReduceKind::{All, Any, ArgMax, ArgMin, Count, First, Last, Max, Mean, Min, Prod, Std, Sum, Var};
    let narrow = matches!(dtype, DType::F16 | DType::BF16 | DType::F32);
    let value = if narrow { (0, 1, 0) } else { (1, 0, 0) };
    match reduction.kind {
        Sum if dtype.is_float() => (2, 0, 0),
        Sum | Prod | Count => (1, 0, 0),
        Mean => (3, 0, 0),
        Var | Std => (4, 0, 0),
        Min | Max => (value.0, value.1, 1),
        ArgMin | ArgMax | First | Last => (value.0 + 1, value.1, 0),
        Any | All => (0, 0, 1),
    }
}

/// Makes a plane `len` times `value`.
fn refill<T: Clone>(plane: &mut Vec<T>, value: T, len: usize) -> Result<(), String> {
    plane.clear();
    plane.try_reserve_exact(len).map_err(|_| {
        format!(
            "cannot allocate {len} cells of {} bytes for a reduction",
            size_of::<T>()
        )
    })?;
    plane.resize(len, value);
    Ok(())
}

/// What an extreme's cell starts from.
fn loser<K: Ordered>(reduction: Reduction) -> K {
    match (reduction.kind, reduction.skipna) {
        (ReduceKind::Max, true) => worst::<K, true, true>(),
        (ReduceKind::Max, false) => worst::<K, true, false>(),
        (_, true) => worst::<K, false, true>(),
        (_, false) => worst::<K, false, false>(),
    }
}

impl<T> Canonical<T> {
    fn empty(dtype: DType) -> Canonical<T> {
        match Class::of(dtype) {
            Class::Signed => Canonical::I64(Tagged::default()),
            Class::Unsigned => Canonical::U64(Tagged::default()),
            Class::Single => Canonical::F32(Tagged::default()),
            Class::Double => Canonical::F64(Tagged::default()),
        }
    }
}

impl<K: Clone, T: Clone> Tagged<K, T> {
    fn refill(&mut self, value: K, tag: T, len: usize) -> Result<(), String> {
        refill(&mut self.value, value, len)?;
        refill(&mut self.tag, tag, len)
    }
}

impl<K, T> Default for Tagged<K, T> {
    fn default() -> Tagged<K, T> {
        Tagged {
            value: Vec::new(),
            tag: Vec::new(),
        }
    }
}

impl Sums {
    fn refill(&mut self, len: usize) -> Result<(), String> {
        refill(&mut self.sum, 0.0, len)?;
        refill(&mut self.error, 0.0, len)
    }
}

impl Cells {
    /// The planes of a reduction, without cells.
    fn empty(reduction: Reduction, dtype: DType) -> Cells {
        use ReduceKind::{All, Any, ArgMax, ArgMin, Count, First, Last, Max, Mean, Min, Prod, Std, Sum, Var};
        match reduction.kind {
            Sum if dtype.is_float() => Cells::Sum(Sums::default()),
            Prod if dtype.is_float() => Cells::Prod(Vec::new()),
            Sum | Prod => Cells::Wrapping(Vec::new()),
            Mean => Cells::Mean(Means::default()),
            Var | Std => Cells::Moments(Moments::default()),
            Min | Max => Cells::Extreme(Canonical::empty(dtype)),
            ArgMin | ArgMax | First | Last => Cells::Indexed(Canonical::empty(dtype)),
            Any | All => Cells::Truth(Vec::new()),
            Count => Cells::Count(Vec::new()),
        }
    }

    /// Makes every plane `len` times what it starts from.
    fn refill(&mut self, reduction: Reduction, len: usize) -> Result<(), String> {
        let product = reduction.kind == ReduceKind::Prod;
        match self {
            Cells::Wrapping(value) => refill(value, u64::from(product), len),
            Cells::Sum(sums) => sums.refill(len),
            Cells::Prod(value) => refill(value, 1.0, len),
            Cells::Mean(means) => {
                means.sums.refill(len)?;
                refill(&mut means.count, 0.0, len)
            }
            Cells::Moments(moments) => {
                refill(&mut moments.count, 0.0, len)?;
                refill(&mut moments.mean, 0.0, len)?;
                refill(&mut moments.rest, 0.0, len)?;
                refill(&mut moments.squares, 0.0, len)
            }
            Cells::Extreme(Canonical::I64(cells)) => cells.refill(loser(reduction), 0, len),
            Cells::Extreme(Canonical::U64(cells)) => cells.refill(loser(reduction), 0, len),
            Cells::Extreme(Canonical::F32(cells)) => cells.refill(loser(reduction), 0, len),
            Cells::Extreme(Canonical::F64(cells)) => cells.refill(loser(reduction), 0, len),
            Cells::Indexed(Canonical::I64(cells)) => cells.refill(0, -1, len),
            Cells::Indexed(Canonical::U64(cells)) => cells.refill(0, -1, len),
            Cells::Indexed(Canonical::F32(cells)) => cells.refill(0.0, -1, len),
            Cells::Indexed(Canonical::F64(cells)) => cells.refill(0.0, -1, len),
            Cells::Truth(value) => refill(value, u8::from(reduction.kind == ReduceKind::All), len),
            Cells::Count(count) => refill(count, 0, len),
        }
    }
}

impl State {
    /// A state of `len` output elements to which nothing was fed. Every kind takes every dtype.
    ///
    /// # Errors
    /// When the memory of the cells cannot be allocated.
    pub fn new(reduction: Reduction, dtype: DType, len: usize) -> Result<State, String> {
        State::with_isa(reduction, dtype, len, Isa::detect())
    }

    /// The same with loops for `isa`, or for the best this machine has if that is less. The
    /// instruction set does not change a result.
    ///
    /// # Errors
    /// When the memory of the cells cannot be allocated.
    pub fn with_isa(reduction: Reduction, dtype: DType, len: usize, isa: Isa) -> Result<State, String> {
        let mut cells = Cells::empty(reduction, dtype);
        cells.refill(reduction, len)?;
        Ok(State {
            reduction,
            dtype,
            len,
            cells,
            isa: isa.min(Isa::detect()),
        })
    }

    /// Bytes that a state of `len` output elements allocates; saturates.
    pub fn bytes_for(reduction: Reduction, dtype: DType, len: usize) -> usize {
        let (eights, fours, ones) = planes(reduction, dtype);
        len.saturating_mul(8 * eights + 4 * fours + ones)
    }

    /// The reduction it runs.
    pub fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// The dtype of the elements fed.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Number of output elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no output element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its planes.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// Its planes, to be filled by a device that reduced by itself. They keep their lengths.
    pub fn cells_mut(&mut self) -> &mut Cells {
        &mut self.cells
    }

    /// Forgets everything fed.
    pub fn reset(&mut self) {
        let again = self.cells.refill(self.reduction, self.len);
        debug_assert!(again.is_ok(), "the planes have their memory");
    }

    /// Adds everything that was fed to `other`, as if its elements came after this state's.
    ///
    /// # Panics
    /// When the states are of different reductions, dtypes or lengths: a defect of the caller.
    pub fn merge(&mut self, other: &State) {
        assert_eq!(
            (self.reduction, self.dtype, self.len),
            (other.reduction, other.dtype, other.len),
            "states of different reductions do not merge"
        );
        let mut work = Merge {
            other: &other.cells,
            len: self.len,
        };
        // Planes are the same for every dtype of a class.
        with_rule(
            self.reduction,
            Class::of(self.dtype).widest(),
            &mut self.cells,
            &mut work,
        );
    }
}

/// Joins the cells of another state.
struct Merge<'a> {
    other: &'a Cells,
    len: usize,
}

impl Work for Merge<'_> {
    fn run<R: Rule>(&mut self, cells: &mut Cells)
    where
        R::Store: Found,
    {
        if let (Some(cells), Some(other)) = (R::Store::of_mut(cells), R::Store::of(self.other)) {
            merge_all::<R>(cells, other, self.len);
        }
    }
}
