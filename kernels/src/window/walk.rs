//! The way of a window through its columns: groups of lanes, and for each the pieces of the axis.

use super::Window;
use super::buffers::{Layout, Scratch, States, Walking, carve, next_row};
use super::rows::{emit, misses, push, take};
use super::rules::{Real, Rule};
use super::stage::{Lanes, Sink, Source, groups};
use crate::stream::{STREAMS, settle, stream};
use crate::{Columns, Isa};
use std::ops::Range;

/// Where columns lie along the axis.
pub(super) struct Extents {
    pub outer: usize,
    pub inner: usize,
    /// The indices of the rows of elements.
    pub from: Range<usize>,
    /// The indices of the rows of results.
    pub out: Range<usize>,
}

/// Rows of elements of some lanes, told by their indices along the axis.
#[derive(Clone, Copy)]
struct Rows<'a, K> {
    columns: Columns<'a, K>,
    /// The repetition, and the first neighbour.
    at: (usize, usize),
    /// The indices that there are.
    there: (usize, usize),
}

impl<'a, K> Rows<'a, K> {
    #[inline(always)]
    fn row(&self, index: usize, lanes: &Range<usize>) -> &'a [K] {
        let row = self.columns.row(self.at.0, index - self.there.0);
        &row[self.at.1 + lanes.start..][..lanes.len()]
    }

    /// The row at `index` if there is one, to ask for it in time.
    #[inline(always)]
    fn ahead(&self, index: usize, lanes: &Range<usize>) -> &'a [K] {
        if index < self.there.1 {
            self.row(index, lanes)
        } else {
            &[]
        }
    }

    /// Those of the indices that there are.
    fn clip(&self, rows: Range<usize>) -> Range<usize> {
        let start = rows.start.clamp(self.there.0, self.there.1);
        start..rows.end.min(self.there.1).max(start)
    }
}

/// Results of so many bytes are streamed.
const LARGE: usize = 1 << 20;

/// What is the same for all pieces of a group of lanes.
struct Group<'a> {
    window: Window,
    extents: &'a Extents,
    layout: &'a Layout,
    lanes: Lanes,
    /// Whether results go past the caches.
    streams: bool,
    /// The first index that is looked at.
    first: usize,
    /// Whether elements may be missing at all.
    may_miss: bool,
}

/// Results that are held: of a few lanes on their way out, or staged rows.
struct Held<'a, O> {
    results: &'a mut [O],
    rows: usize,
}

#[inline(always)]
fn run<R: Rule<K>, K: Real>(
    window: Window,
    extents: &Extents,
    source: &mut dyn Source<K>,
    sink: &mut dyn Sink<R::Out>,
    scratch: &mut Scratch,
) {
    let (from, out) = (&extents.from, &extents.out);
    if extents.outer * extents.inner == 0 || out.is_empty() {
        return;
    }
    let (len, ahead) = (window.len, window.ahead);
    // A window is told by the index of its end, which may lie beyond the axis.
    let ends = out.start + ahead..out.end + ahead;
    let first = (ends.start + 1).saturating_sub(len);
    assert!(from.start <= first, "rows of a window are missing");
    let native = source.native().is_some();
    let layout = Layout::new(
        len,
        from.len(),
        (extents.outer, extents.inner),
        size_of::<K>(),
        size_of::<R::Word>(),
        R::PAIR,
        native,
    );
    let streams = STREAMS && extents.outer * extents.inner * out.len() * size_of::<R::Out>() >= LARGE;
    let total = layout.words();
    let words = &mut scratch.words(total);
    let mut states = Walking::<R::Word> {
        suffix: States::carve(words, layout.rows, layout.part, R::PAIR),
        prefix: States::carve(words, 1, layout.part, R::PAIR),
        empty: States::carve(words, 1, layout.part, R::PAIR),
    };
    states.empty.fill(R::EMPTY);
    let staged = carve::<K>(words, layout.staged_rows * layout.lanes);
    let results = carve::<R::Out>(words, layout.out_rows * layout.lanes);
    let mut held = Held { results, rows: 0 };

    for lanes in groups(extents.outer, extents.inner, layout.lanes) {
        let group = Group {
            window,
            extents,
            layout: &layout,
            lanes,
            streams,
            first: first.max(from.start),
            may_miss: source.may_miss(),
        };
        let mut missed = 0;
        let mut at = ends.start / len * len;
        if let Some(columns) = source.native() {
            let rows = Rows {
                columns,
                at: (lanes.start / extents.inner, lanes.start % extents.inner),
                there: (from.start, from.end),
            };
            group.pieces::<R, K>(&rows, (at, ends.end), &mut missed, &mut states, sink, &mut held);
            continue;
        }
        // Rows are staged some pieces at a time; those before them, which windows reach, stay.
        let count = lanes.count;
        let mut there = from.start..from.start;
        while at < ends.end {
            let stop = at.saturating_add(layout.span).min(ends.end);
            let start = at.saturating_sub(len).max(group.first).min(from.end);
            let end = stop.min(from.end).max(start);
            let kept = there.end.max(start) - start;
            if kept > 0 {
                let old = (start - there.start) * count;
                staged.copy_within(old..old + kept * count, 0);
            }
            let fresh = start + kept - from.start..end - from.start;
            source.stage(lanes, fresh, &mut staged[kept * count..(end - start) * count]);
            there = start..end;
            let rows = Rows {
                columns: Columns::dense(&*staged, 1, end - start, count),
                at: (0, 0),
                there: (start, end),
            };
            group.pieces::<R, K>(&rows, (at, stop), &mut missed, &mut states, sink, &mut held);
            at = stop;
        }
    }
    if streams {
        settle();
    }
}

impl Group<'_> {
    /// The windows that end in the pieces from index `at` to `stop`. The bits of `missed` tell in
    /// which parts of the lanes an element is missing in the piece before.
    #[inline(always)]
    fn pieces<R: Rule<K>, K: Real>(
        &self,
        rows: &Rows<'_, K>,
        (mut at, stop): (usize, usize),
        missed: &mut u64,
        states: &mut Walking<'_, R::Word>,
        sink: &mut dyn Sink<R::Out>,
        held: &mut Held<'_, R::Out>,
    ) {
        let len = self.window.len;
        // What was staged or computed in an earlier piece is known.
        let mut known = at > self.first && at - self.first > len;
        while at < stop {
            let end = at.saturating_add(len).min(stop);
            let before = rows.clip(at.saturating_sub(len).max(self.first)..at);
            let here = rows.clip(at.max(self.first)..end);
            let mut missing = 0;
            for (number, start) in (0..self.lanes.count).step_by(self.layout.part).enumerate() {
                let part = start..(start + self.layout.part).min(self.lanes.count);
                let bit = 1 << number;
                if self.may_miss && any_misses(rows, &here, &part) {
                    missing |= bit;
                }
                if self.may_miss && !known && any_misses(rows, &before, &part) {
                    *missed |= bit;
                }
                let piece = Piece {
                    rows,
                    before: before.clone(),
                    here: here.clone(),
                    lanes: part,
                    ends: at..end,
                };
                if (missing | *missed) & bit != 0 {
                    self.windows::<R, K, true>(piece, states, sink, held);
                } else {
                    self.windows::<R, K, false>(piece, states, sink, held);
                }
            }
            *missed = missing;
            known = true;
            at = end;
        }
    }

    /// The windows that end in a piece. With `CAREFUL` elements may be missing.
    #[inline(always)]
    fn windows<R: Rule<K>, K: Real, const CAREFUL: bool>(
        &self,
        piece: Piece<'_, K>,
        walking: &mut Walking<'_, R::Word>,
        sink: &mut dyn Sink<R::Out>,
        held: &mut Held<'_, R::Out>,
    ) {
        let Piece {
            rows,
            before,
            here,
            lanes,
            ends,
        } = piece;
        let count = lanes.len();
        let Walking {
            suffix,
            prefix,
            empty,
        } = walking;
        for i in before.clone().rev() {
            let last = i + 1 == before.end;
            let (row, after) = next_row(suffix, empty, i - before.start, last, count, R::PAIR);
            let n = (before.end - i) as f64;
            push::<R, K, CAREFUL>(rows.row(i, &lanes), after, n, row);
        }
        prefix.fill(R::EMPTY);
        let ask = (self.window.least as f64, f64::from(self.window.ddof));
        let shift = self.window.ahead + self.extents.out.start;
        let target = Lanes {
            start: self.lanes.start + lanes.start,
            count,
        };
        for end in ends.clone() {
            let inside = end < here.end;
            let n = here.end.min(end + 1).saturating_sub(ends.start) as f64;
            if end < shift {
                if inside {
                    take::<R, K, CAREFUL>(rows.row(end, &lanes), n, prefix.part(0..count));
                }
                continue;
            }
            let start = (end + 1).saturating_sub(self.window.len);
            let (older, older_n) = match before.end > start.max(before.start) {
                true => (
                    suffix.row(start - before.start, count, R::PAIR),
                    (before.end - start) as f64,
                ),
                false => (empty.row(0, count, R::PAIR), 0.0),
            };
            let row = end - shift;
            let states = prefix.part(0..count);
            let x = if inside { rows.row(end, &lanes) } else { &[] };
            let out = &mut held.results[held.rows * count..][..count];
            if inside {
                emit::<R, K, CAREFUL, true>(x, states, n, older, older_n, ask, out);
            } else {
                emit::<R, K, CAREFUL, false>(x, states, n, older, older_n, ask, out);
            }
            if let Some(to) = sink.native(target, row) {
                if self.streams {
                    let next = rows.ahead(end + self.window.len, &lanes);
                    let to = bytemuck::cast_slice_mut(to);
                    stream(bytemuck::cast_slice(out), to, &[bytemuck::cast_slice(next)]);
                } else {
                    to.copy_from_slice(out);
                }
                continue;
            }
            held.rows += 1;
            if held.rows == self.layout.out_rows || row + 1 == self.extents.out.len() {
                let results = &held.results[..held.rows * count];
                sink.take(target, row + 1 - held.rows, results);
                held.rows = 0;
            }
        }
    }
}

/// Whether an element of those rows and lanes is missing.
#[inline(always)]
fn any_misses<K: Real>(rows: &Rows<'_, K>, range: &Range<usize>, lanes: &Range<usize>) -> bool {
    let mut found = false;
    for i in range.clone() {
        found |= misses(rows.row(i, lanes));
    }
    found
}

/// A piece of the axis for some lanes of a group.
struct Piece<'a, K> {
    rows: &'a Rows<'a, K>,
    /// The indices of the rows of the piece before, and of this one.
    before: Range<usize>,
    here: Range<usize>,
    /// Which lanes.
    lanes: Range<usize>,
    /// The indices of the ends of windows.
    ends: Range<usize>,
}

/// The loops of a rule, compiled for an instruction set.
pub(super) type Walk<K, O> = fn(Window, &Extents, &mut dyn Source<K>, &mut dyn Sink<O>, &mut Scratch);

fn baseline<R: Rule<K>, K: Real>(
    window: Window,
    extents: &Extents,
    source: &mut dyn Source<K>,
    sink: &mut dyn Sink<R::Out>,
    scratch: &mut Scratch,
) {
    run::<R, K>(window, extents, source, sink, scratch);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn compiled_for_avx2<R: Rule<K>, K: Real>(
    window: Window,
    extents: &Extents,
    source: &mut dyn Source<K>,
    sink: &mut dyn Sink<R::Out>,
    scratch: &mut Scratch,
) {
    run::<R, K>(window, extents, source, sink, scratch);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512dq,avx512bw,avx512vl")]
fn compiled_for_avx512<R: Rule<K>, K: Real>(
    window: Window,
    extents: &Extents,
    source: &mut dyn Source<K>,
    sink: &mut dyn Sink<R::Out>,
    scratch: &mut Scratch,
) {
    run::<R, K>(window, extents, source, sink, scratch);
}

#[cfg(target_arch = "x86_64")]
fn avx2<R: Rule<K>, K: Real>(
    window: Window,
    extents: &Extents,
    source: &mut dyn Source<K>,
    sink: &mut dyn Sink<R::Out>,
    scratch: &mut Scratch,
) {
    // SAFETY: only `select` hands this function out, after `Isa::available` found AVX2.
    unsafe { compiled_for_avx2::<R, K>(window, extents, source, sink, scratch) }
}

#[cfg(target_arch = "x86_64")]
fn avx512<R: Rule<K>, K: Real>(
    window: Window,
    extents: &Extents,
    source: &mut dyn Source<K>,
    sink: &mut dyn Sink<R::Out>,
    scratch: &mut Scratch,
) {
    // SAFETY: only `select` hands this function out, after `Isa::available` found AVX-512 F, DQ,
    // BW and VL; each machine with those has AVX2.
    unsafe { compiled_for_avx512::<R, K>(window, extents, source, sink, scratch) }
}

/// The loops of a rule for `isa`, or the baseline ones where this machine lacks it.
pub(super) fn select<R: Rule<K>, K: Real>(isa: Isa) -> Walk<K, R::Out> {
    #[cfg(target_arch = "x86_64")]
    match isa {
        Isa::Avx512 if isa.available() => return avx512::<R, K>,
        Isa::Avx2 if isa.available() => return avx2::<R, K>,
        _ => {}
    }
    let _ = isa;
    baseline::<R, K>
}
