//! Reductions: running states of many output elements, fed strip by strip.
//!
//! A reduction is `init`, `feed`, `merge`, `finish` over a [`State`]. The state of one output
//! element is a few numbers (a sum; a count, mean and M2; a value and its index), kept as planes
//! (structure of arrays) so that loops vectorise and a state can live in a tile buffer.
//! Float sums run in f64, variances by Chan's merge, so results do not depend on how the
//! data was cut beyond the last place of the accumulator.

#![allow(clippy::needless_range_loop)] // lanes of several arrays are indexed in step

mod bytes;
mod elements;
mod extremes;
mod feed;
mod finish;
mod indexed;
mod lanes;
mod moments;
mod order;
mod planes;
mod rule;
mod rules;
mod state;
mod sums;
mod truth;
mod whole;

pub use feed::Rows;
pub use state::{Canonical, Cells, Means, Moments, State, Sums, Tagged};

use crate::DType;

/// What is computed from the reduced elements.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ReduceKind {
    /// Sum; integers wrap in 64 bits.
    Sum,
    /// Product; integers wrap in 64 bits.
    Prod,
    /// Smallest; NaN wins unless skipped.
    Min,
    /// Largest; NaN wins unless skipped.
    Max,
    /// Arithmetic mean in f64.
    Mean,
    /// Variance with `ddof`.
    Var,
    /// Standard deviation with `ddof`.
    Std,
    /// Any true.
    Any,
    /// All true.
    All,
    /// Number of elements (of non-NaN elements when NaN is skipped).
    Count,
    /// Index of the first smallest.
    ArgMin,
    /// Index of the first largest.
    ArgMax,
    /// The element of lowest index (of those not NaN when skipped).
    First,
    /// The element of highest index (of those not NaN when skipped).
    Last,
}

/// A reduction as asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Reduction {
    /// What is computed.
    pub kind: ReduceKind,
    /// Whether NaN elements are left out.
    pub skipna: bool,
    /// Delta degrees of freedom of `Var` and `Std`.
    pub ddof: u32,
}

impl ReduceKind {
    /// Every kind with its Array API/xarray name.
    pub const ALL: [(ReduceKind, &'static str); 14] = [
        (ReduceKind::Sum, "sum"),
        (ReduceKind::Prod, "prod"),
        (ReduceKind::Min, "min"),
        (ReduceKind::Max, "max"),
        (ReduceKind::Mean, "mean"),
        (ReduceKind::Var, "var"),
        (ReduceKind::Std, "std"),
        (ReduceKind::Any, "any"),
        (ReduceKind::All, "all"),
        (ReduceKind::Count, "count"),
        (ReduceKind::ArgMin, "argmin"),
        (ReduceKind::ArgMax, "argmax"),
        (ReduceKind::First, "first"),
        (ReduceKind::Last, "last"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        ReduceKind::ALL
            .iter()
            .find(|(k, _)| *k == self)
            .map_or("?", |(_, n)| n)
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<ReduceKind> {
        ReduceKind::ALL.iter().find(|(_, n)| *n == name).map(|(k, _)| *k)
    }

    /// Whether the value depends on element indices.
    pub fn uses_index(self) -> bool {
        matches!(
            self,
            ReduceKind::ArgMin | ReduceKind::ArgMax | ReduceKind::First | ReduceKind::Last
        )
    }
}

impl Reduction {
    /// A reduction that keeps NaN, with `ddof` 0.
    pub fn new(kind: ReduceKind) -> Reduction {
        Reduction {
            kind,
            skipna: false,
            ddof: 0,
        }
    }

    /// The same, leaving NaN elements out.
    pub fn skipna(self, skipna: bool) -> Reduction {
        Reduction { skipna, ..self }
    }

    /// The dtype of the result for elements of `dtype`, as NumPy 2: sums and products of bools
    /// and signed integers are i64, of unsigned integers u64, of floats the same float; means and
    /// variances of integers are f64; `any`/`all` bool; counts and indices i64.
    pub fn result(self, dtype: DType) -> DType {
        use ReduceKind::{All, Any, ArgMax, ArgMin, Count, First, Last, Max, Mean, Min, Prod, Std, Sum, Var};
        match self.kind {
            Sum | Prod => match dtype.kind() {
                crate::Kind::Float => dtype,
                crate::Kind::Unsigned => DType::U64,
                _ => DType::I64,
            },
            Min | Max | First | Last => dtype,
            Mean | Var | Std if dtype.is_float() => dtype,
            Mean | Var | Std => DType::F64,
            Any | All => DType::Bool,
            Count | ArgMin | ArgMax => DType::I64,
        }
    }

    /// Whether a reduction over no element at all has a value (NumPy raises for min, argmin, …).
    pub fn has_identity(self) -> bool {
        use ReduceKind::{ArgMax, ArgMin, First, Last, Max, Min};
        !matches!(self.kind, Min | Max | ArgMin | ArgMax | First | Last)
    }
}
