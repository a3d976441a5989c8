//! How columns of any dtype become rows of the type that windows are computed in, and back.
//!
//! Rows that lie in that type and are wide are used in place. Others are gathered, block by block,
//! into rows of neighbouring lanes, and cast on the way.

use super::rules::Real;
use crate::stream::prefetch;
use crate::turned::{following, gather, scatter, turns};
use crate::{Columns, ColumnsMut, Element, Isa, StripFn, cast_kernel};
use std::ops::Range;

/// Fewer neighbours than these are gathered with those of other repetitions.
pub(super) const WIDE: usize = 16;

/// Some lanes: of the columns counted along `inner` first, then `outer`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes {
    /// The first.
    pub start: usize,
    /// How many.
    pub count: usize,
}

/// Lanes in groups of at most `count`, which stay within a repetition where it is wide.
pub(super) fn groups(outer: usize, inner: usize, count: usize) -> impl Iterator<Item = Lanes> {
    let whole = if inner >= WIDE { inner } else { inner * outer };
    (0..outer * inner).step_by(whole.max(1)).flat_map(move |first| {
        (0..whole).step_by(count).map(move |at| Lanes {
            start: first + at,
            count: count.min(whole - at),
        })
    })
}

/// Where rows of `K` come from.
pub(super) trait Source<K> {
    /// The columns, if rows of lanes lie in them as they are.
    fn native(&self) -> Option<Columns<'_, K>>;
    /// Fills `out` with those rows of the lanes, one after another.
    fn stage(&mut self, lanes: Lanes, rows: Range<usize>, out: &mut [K]);
    /// Whether there may be NaN.
    fn may_miss(&self) -> bool;
}

/// Where rows of `O` go.
pub(super) trait Sink<O> {
    /// A row of the lanes, if results lie there as they are.
    fn native(&mut self, lanes: Lanes, row: usize) -> Option<&mut [O]>;
    /// Takes rows of the lanes from `first` on.
    fn take(&mut self, lanes: Lanes, first: usize, rows: &[O]);
}

/// Columns of `T`, read as `K`.
pub(super) struct Input<'a, T: Element, K> {
    columns: Columns<'a, T::Stored>,
    cast: StripFn,
    raw: Vec<T::Stored>,
    same: Option<Columns<'a, K>>,
}

impl<'a, T: Element, K: Real> Input<'a, T, K> {
    pub fn new(columns: Columns<'a, T::Stored>, isa: Isa) -> Self {
        let wide = columns.inner() >= WIDE && T::DTYPE == K::DTYPE;
        Input {
            columns,
            cast: cast_kernel(T::DTYPE, K::DTYPE, isa),
            raw: Vec::new(),
            same: wide.then(|| columns.cast()).flatten(),
        }
    }
}

impl<T: Element, K: Real> Source<K> for Input<'_, T, K> {
    fn native(&self) -> Option<Columns<'_, K>> {
        self.same
    }

    fn stage(&mut self, lanes: Lanes, rows: Range<usize>, out: &mut [K]) {
        let inner = self.columns.inner();
        let count = lanes.count;
        if rows.is_empty() {
            return;
        }
        let cast = |from: &[T::Stored], to: &mut [K]| {
            (self.cast)(&[bytemuck::cast_slice(from)], bytemuck::cast_slice_mut(to));
        };
        if inner >= WIDE {
            let (o, j) = (lanes.start / inner, lanes.start % inner);
            for (i, out) in rows.zip(out.chunks_exact_mut(count)) {
                cast(&self.columns.row(o, i)[j..][..count], out);
            }
            return;
        }
        let total = rows.len() * count;
        let out = &mut out[..total];
        let same = T::DTYPE == K::DTYPE;
        let raw: &mut [T::Stored] = if same {
            bytemuck::cast_slice_mut(out)
        } else {
            self.raw.resize(total, T::Stored::default());
            &mut self.raw
        };
        if self.columns.lane(0).is_some() && turns(size_of::<T::Stored>()) {
            let ahead = following(&self.columns, lanes.start, count, rows.clone());
            (0..count).for_each(|lane| prefetch(ahead(lane)));
            gather(&self.columns, lanes.start, count, rows, raw);
            if !same {
                cast(&self.raw, out);
            }
            return;
        }
        for l in 0..count {
            let (o, j) = ((lanes.start + l) / inner, (lanes.start + l) % inner);
            let slots = raw[l..].iter_mut().step_by(count);
            match self.columns.lane(o) {
                Some(lane) => slots.zip(&lane[rows.clone()]).for_each(|(slot, x)| *slot = *x),
                None => slots
                    .zip(rows.clone())
                    .for_each(|(slot, i)| *slot = self.columns.row(o, i)[j]),
            }
        }
        if !same {
            cast(&self.raw, out);
        }
    }

    fn may_miss(&self) -> bool {
        T::DTYPE.is_float()
    }
}

/// Columns of `U`, written as `O`.
pub(super) struct Output<'a, U: Element, O> {
    columns: ColumnsMut<'a, U::Stored>,
    cast: StripFn,
    raw: Vec<U::Stored>,
    flat: Vec<U::Stored>,
    same: bool,
    from: std::marker::PhantomData<O>,
}

impl<'a, U: Element, O: Real> Output<'a, U, O> {
    pub fn new(columns: ColumnsMut<'a, U::Stored>, isa: Isa) -> Self {
        Output {
            same: columns.inner() >= WIDE && U::DTYPE == O::DTYPE,
            columns,
            cast: cast_kernel(O::DTYPE, U::DTYPE, isa),
            raw: Vec::new(),
            flat: Vec::new(),
            from: std::marker::PhantomData,
        }
    }
}

impl<U: Element, O: Real> Sink<O> for Output<'_, U, O> {
    fn native(&mut self, lanes: Lanes, row: usize) -> Option<&mut [O]> {
        if !self.same {
            return None;
        }
        let inner = self.columns.inner();
        let (o, j) = (lanes.start / inner, lanes.start % inner);
        let whole = &mut self.columns.row(o, row)[j..][..lanes.count];
        bytemuck::try_cast_slice_mut(whole).ok()
    }

    fn take(&mut self, lanes: Lanes, first: usize, rows: &[O]) {
        let inner = self.columns.inner();
        let count = lanes.count;
        if inner >= WIDE {
            let (o, j) = (lanes.start / inner, lanes.start % inner);
            for (i, row) in rows.chunks_exact(count).enumerate() {
                let out = &mut self.columns.row(o, first + i)[j..][..count];
                (self.cast)(&[bytemuck::cast_slice(row)], bytemuck::cast_slice_mut(out));
            }
            return;
        }
        let raw: &[U::Stored] = if U::DTYPE == O::DTYPE {
            bytemuck::cast_slice(rows)
        } else {
            self.raw.resize(rows.len(), U::Stored::default());
            let target = bytemuck::cast_slice_mut(&mut self.raw);
            (self.cast)(&[bytemuck::cast_slice(rows)], target);
            &self.raw
        };
        if self.columns.lane(0).is_some() && turns(size_of::<U::Stored>()) {
            self.flat.resize(raw.len(), U::Stored::default());
            let (columns, flat) = (&mut self.columns, &mut self.flat[..]);
            // Runs are too short for streaming to pay.
            scatter(raw, count, columns, (lanes.start, first), flat, false, |_| &[]);
            return;
        }
        for l in 0..count {
            let (o, j) = ((lanes.start + l) / inner, (lanes.start + l) % inner);
            let values = raw[l..].iter().step_by(count);
            match self.columns.lane(o) {
                Some(lane) => lane[first..]
                    .iter_mut()
                    .zip(values)
                    .for_each(|(slot, x)| *slot = *x),
                None => values
                    .enumerate()
                    .for_each(|(i, x)| self.columns.row(o, first + i)[j] = *x),
            }
        }
    }
}
