//! Windows that move along an axis: rolling means, sums, extremes, spreads and counts.
//!
//! By the method of van Herk and of Gil and Werman (1992): the axis is cut where its index is a
//! multiple of the window's length, so that each window is the end of one piece and the beginning
//! of the next; states of both are built up by one step an element and merged. That takes the same
//! time for any length, and as nothing is taken out of a sum again, its error does not drift and
//! infinities leave with their window. The cuts belong to the axis, so results do not depend on
//! how it is cut into blocks.

mod buffers;
mod rows;
mod rules;
mod stage;
mod walk;

use crate::promote::float_of;
use crate::{Columns, ColumnsMut, DType, Element, Isa};
use buffers::Layout;
pub use buffers::Scratch;
use rules::{Count, Extreme, Real, Rule, Spread, Sum};
use stage::{Input, Output, WIDE};

/// What a window gives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum WindowKind {
    /// Mean.
    Mean,
    /// Sum.
    Sum,
    /// Smallest element.
    Min,
    /// Largest element.
    Max,
    /// Variance.
    Var,
    /// Standard deviation.
    Std,
    /// Number of elements.
    Count,
}

impl WindowKind {
    /// Every kind with its name.
    pub const ALL: [(WindowKind, &'static str); 7] = [
        (WindowKind::Mean, "mean"),
        (WindowKind::Sum, "sum"),
        (WindowKind::Min, "min"),
        (WindowKind::Max, "max"),
        (WindowKind::Var, "var"),
        (WindowKind::Std, "std"),
        (WindowKind::Count, "count"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        let named = WindowKind::ALL.iter().find(|(k, _)| *k == self);
        named.map_or("", |(_, n)| n)
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<WindowKind> {
        let named = WindowKind::ALL.iter().find(|(_, n)| *n == name);
        named.map(|(k, _)| *k)
    }
}

/// A window along an axis. Places beyond the ends of the axis and NaN count as missing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Window {
    /// What it gives.
    pub kind: WindowKind,
    /// Places it spans; at least 1 and less than 2^31.
    pub len: usize,
    /// How many of them lie after the place of its result; less than `len`.
    pub ahead: usize,
    /// Elements that must not be missing, or the result is NaN; at least 1.
    pub least: usize,
    /// Delta degrees of freedom of `Var` and `Std`.
    pub ddof: u32,
}

impl Window {
    /// A window of `len` places that ends at its result, or with `center` lies about it; one of
    /// even length reaches one place further back than ahead.
    pub fn new(kind: WindowKind, len: usize, least: usize, center: bool) -> Window {
        Window {
            kind,
            len,
            ahead: if center { len.saturating_sub(1) / 2 } else { 0 },
            least,
            ddof: 0,
        }
    }

    /// The dtype of its result for elements of `dtype`: floats stay, others and counts become f64.
    pub fn result(self, dtype: DType) -> DType {
        match (self.kind, dtype.is_float()) {
            (WindowKind::Count, _) | (_, false) => DType::F64,
            _ => float_of(dtype),
        }
    }

    /// The rows that results `start..start + count` of an axis of `extent` need: first and number.
    pub fn needs(self, start: usize, count: usize, extent: usize) -> (usize, usize) {
        let first = start.saturating_sub(self.len - 1 - self.ahead);
        let end = (start + count).saturating_add(self.ahead).min(extent);
        (first, end - first)
    }

    /// Bytes that computing needs beside its input and output, for `rows` of input in lanes of
    /// `inner` neighbours, `outer` times.
    pub fn scratch_bytes(self, dtype: DType, rows: usize, outer: usize, inner: usize) -> usize {
        let (word, pair) = match self.kind {
            WindowKind::Min | WindowKind::Max if dtype == DType::F32 => (4, false),
            WindowKind::Count => (4, false),
            WindowKind::Var | WindowKind::Std => (8, true),
            _ => (8, false),
        };
        let value = if dtype == DType::F32 { 4 } else { 8 };
        let native = inner >= WIDE && matches!(dtype, DType::F32 | DType::F64);
        let layout = Layout::new(self.len, rows, (outer, inner), value, word, pair, native);
        layout.words() * 8 + layout.cast_bytes(dtype.size())
    }

    /// Computes columns of results from columns of elements. The first row of `from` has the index
    /// `from_at` along the axis, that of `out` has `out_at`; what [`Window::needs`] names is there.
    /// `U` is the type of [`Window::result`].
    ///
    /// # Panics
    /// When rows are missing or the columns' other extents differ.
    pub fn run<T: Element, U: Element>(
        self,
        (from, from_at): (Columns<'_, T::Stored>, usize),
        (out, out_at): (ColumnsMut<'_, U::Stored>, usize),
        scratch: &mut Scratch,
        isa: Isa,
    ) {
        assert_eq!(
            (from.outer(), from.inner()),
            (out.outer(), out.inner()),
            "other extents"
        );
        assert_eq!(self.result(T::DTYPE), U::DTYPE, "another dtype of results");
        if T::DTYPE == DType::F32 {
            self.run_in::<f32, T, U>((from, from_at), (out, out_at), scratch, isa);
        } else {
            self.run_in::<f64, T, U>((from, from_at), (out, out_at), scratch, isa);
        }
    }

    fn run_in<K: Real, T: Element, U: Element>(
        self,
        from: (Columns<'_, T::Stored>, usize),
        out: (ColumnsMut<'_, U::Stored>, usize),
        scratch: &mut Scratch,
        isa: Isa,
    ) {
        match self.kind {
            WindowKind::Mean => self.by::<Sum<true>, K, T, U>(from, out, scratch, isa),
            WindowKind::Sum => self.by::<Sum<false>, K, T, U>(from, out, scratch, isa),
            WindowKind::Min => self.by::<Extreme<false>, K, T, U>(from, out, scratch, isa),
            WindowKind::Max => self.by::<Extreme<true>, K, T, U>(from, out, scratch, isa),
            WindowKind::Var => self.by::<Spread<false>, K, T, U>(from, out, scratch, isa),
            WindowKind::Std => self.by::<Spread<true>, K, T, U>(from, out, scratch, isa),
            WindowKind::Count => self.by::<Count, K, T, U>(from, out, scratch, isa),
        }
    }

    fn by<R: Rule<K>, K: Real, T: Element, U: Element>(
        self,
        (from, from_at): (Columns<'_, T::Stored>, usize),
        (out, out_at): (ColumnsMut<'_, U::Stored>, usize),
        scratch: &mut Scratch,
        isa: Isa,
    ) {
        let (outer, inner) = (from.outer(), from.inner());
        let extents = walk::Extents {
            outer,
            inner,
            from: from_at..from_at + from.len(),
            out: out_at..out_at + out.len(),
        };
        let mut input = Input::<T, K>::new(from, isa);
        let mut output = Output::<U, R::Out>::new(out, isa);
        walk::select::<R, K>(isa)(self, &extents, &mut input, &mut output, scratch);
    }
}
