//! Scans along an axis: running sums, products, maxima and minima.
//!
//! A scan goes through its columns in order, so it gives the same bits however an axis is cut. It
//! hands on a carry from block to block: words per column that begin as zeros.

mod rules;
mod walk;

pub use rules::Scanned;

use crate::{Columns, ColumnsMut, DType, Element};

/// What a scan gives at each place, of all elements up to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ScanKind {
    /// Their sum.
    Sum,
    /// Their product.
    Prod,
    /// The largest; NaN wins.
    Max,
    /// The smallest; NaN wins.
    Min,
}

impl ScanKind {
    /// Every kind with its name.
    pub const ALL: [(ScanKind, &'static str); 4] = [
        (ScanKind::Sum, "cumsum"),
        (ScanKind::Prod, "cumprod"),
        (ScanKind::Max, "cummax"),
        (ScanKind::Min, "cummin"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        ScanKind::ALL
            .iter()
            .find(|(k, _)| *k == self)
            .map_or("", |(_, n)| n)
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<ScanKind> {
        ScanKind::ALL.iter().find(|(_, n)| *n == name).map(|(k, _)| *k)
    }
}

/// A scan.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Scan {
    /// What it gives.
    pub kind: ScanKind,
    /// Whether NaN is left out: it counts as 0 in sums, as 1 in products, and extremes pass over
    /// it (they are NaN until there is an element).
    pub skipna: bool,
}

impl Scan {
    /// The dtype of the result for elements of `dtype`, as NumPy's: sums and products of bools and
    /// integers have 64 bits and wrap.
    pub fn result(self, dtype: DType) -> DType {
        match self.kind {
            ScanKind::Max | ScanKind::Min => dtype,
            ScanKind::Sum | ScanKind::Prod => match dtype {
                DType::Bool | DType::I8 | DType::I16 | DType::I32 | DType::I64 => DType::I64,
                DType::U8 | DType::U16 | DType::U32 | DType::U64 => DType::U64,
                float => float,
            },
        }
    }

    /// Words of carry for each column.
    pub fn carry_words(self, dtype: DType) -> usize {
        1 + usize::from(self.kind == ScanKind::Sum && dtype.is_float())
    }
}

/// The carries of some columns within those of a block: column `o, j` has the words at
/// `start + o * outer_step + j` and, where it has two, one plane further on.
#[derive(Debug)]
pub struct Carry<'a> {
    words: &'a mut [u64],
    start: usize,
    outer_step: usize,
    plane: usize,
}

impl<'a> Carry<'a> {
    /// The carries of all columns of a block, one after another.
    pub fn dense(words: &'a mut [u64], outer: usize, inner: usize) -> Carry<'a> {
        Carry::strided(words, 0, inner, outer * inner)
    }

    /// Carries at such places; `plane` is the number of columns of the block.
    pub fn strided(words: &'a mut [u64], start: usize, outer_step: usize, plane: usize) -> Carry<'a> {
        Carry {
            words,
            start,
            outer_step,
            plane,
        }
    }

    /// The words numbered `word` of the columns `o, from..from + count`.
    fn of(&mut self, word: usize, o: usize, from: usize, count: usize) -> &mut [u64] {
        let at = word * self.plane + self.start + o * self.outer_step + from;
        &mut self.words[at..][..count]
    }
}

/// The loop of a scan over columns of `T` that gives `U`.
pub type ScanFn<T, U> =
    fn(Columns<'_, <T as Element>::Stored>, ColumnsMut<'_, <U as Element>::Stored>, &mut Carry<'_>);
