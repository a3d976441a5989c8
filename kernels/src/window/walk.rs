//! The way of a window through its columns: groups of lanes, and for each the pieces of the axis.

use super::Window;
use super::buffers::{Layout, ROWS, Scratch, States, Walking, carve, next_row};
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

/// A piece of the axis: its indices and where its rows lie.
struct Piece<'a, K> {
    rows: Range<usize>,
    staged: &'a mut [K],
    /// Whether an element is missing.
    misses: bool,
}

/// What is the same for all pieces of a group of lanes.
struct Group<'a, K> {
    window: Window,
    extents: &'a Extents,
    lanes: Lanes,
    native: Option<Columns<'a, K>>,
    way: Way,
}

/// How results go out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Written where they lie.
    Direct,
    /// The same, past the caches.
    Streamed,
    /// Handed on several rows at a time.
    Staged,
}

/// Results of so many bytes are streamed.
const LARGE: usize = 1 << 20;
/// Results that are streamed together, so that memory works while the next are computed.
const STRIP: usize = 256;

impl<K: Real> Group<'_, K> {
    #[inline(always)]
    fn row<'p>(&'p self, piece: &'p Piece<'_, K>, index: usize) -> &'p [K] {
        let count = self.lanes.count;
        match &self.native {
            Some(columns) => {
                let (o, j) = (
                    self.lanes.start / self.extents.inner,
                    self.lanes.start % self.extents.inner,
                );
                &columns.row(o, index - self.extents.from.start)[j..][..count]
            }
            None => &piece.staged[(index - piece.rows.start) * count..][..count],
        }
    }

    /// The row at `index` if there is one in place, to ask for it in time.
    fn ahead(&self, index: usize) -> &[K] {
        match &self.native {
            Some(columns) if index < self.extents.from.end => {
                let (o, j) = (
                    self.lanes.start / self.extents.inner,
                    self.lanes.start % self.extents.inner,
                );
                &columns.row(o, index - self.extents.from.start)[j..][..self.lanes.count]
            }
            _ => &[],
        }
    }
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
    let first_start = (ends.start + 1).saturating_sub(len);
    assert!(from.start <= first_start, "rows of a window are missing");
    let layout = Layout::new(
        len,
        from.len(),
        extents.outer,
        extents.inner,
        size_of::<K>(),
        size_of::<R::Word>(),
        R::PAIR,
    );
    let native = source.native().is_some();
    let way = if sink.native(Lanes { start: 0, count: 1 }, 0).is_none() {
        Way::Staged
    } else if STREAMS && extents.outer * extents.inner * out.len() * size_of::<R::Out>() >= LARGE {
        Way::Streamed
    } else {
        Way::Direct
    };
    let held_out = way != Way::Direct;
    let total = layout.words(!native, held_out);
    let words = &mut scratch.words(total);
    let mut states = Walking::<R::Word> {
        suffix: States::carve(words, layout.rows, layout.lanes, R::PAIR),
        prefix: States::carve(words, 1, layout.lanes, R::PAIR),
        empty: States::carve(words, 1, layout.lanes, R::PAIR),
    };
    states.empty.fill(R::EMPTY);
    let held = if native { 0 } else { layout.rows * layout.lanes };
    let (mut old, mut new) = (carve::<K>(words, held), carve::<K>(words, held));
    let results = carve::<R::Out>(words, if held_out { ROWS * layout.lanes } else { 0 });

    for lanes in groups(extents.outer, extents.inner, layout.lanes) {
        let piece = |rows: Range<usize>, staged, source: &mut dyn Source<K>| {
            let rows = rows.start.max(from.start).min(from.end)..rows.end.min(from.end);
            let rows = rows.start..rows.end.max(rows.start);
            let piece = Piece {
                rows: rows.clone(),
                staged,
                misses: false,
            };
            if !native {
                let local = rows.start - from.start..rows.end - from.start;
                source.stage(lanes, local, &mut piece.staged[..rows.len() * lanes.count]);
            }
            let group = Group {
                window,
                extents,
                lanes,
                native: source.native(),
                way,
            };
            let misses = source.may_miss() && rows.clone().any(|i| misses(group.row(&piece, i)));
            Piece { misses, ..piece }
        };
        let mut at = ends.start / len * len;
        let mut before = piece(first_start.max(at.saturating_sub(len))..at, &mut *old, source);
        let mut spare = &mut *new;
        while at < ends.end {
            let stop = at.saturating_add(len).min(ends.end);
            let here = piece(at..stop, spare, source);
            let group = Group {
                window,
                extents,
                lanes,
                native: source.native(),
                way,
            };
            let states = &mut states;
            let span = (at.max(ends.start), stop);
            if before.misses || here.misses {
                group.windows::<R, true>(&before, &here, at, span, states, sink, results);
            } else {
                group.windows::<R, false>(&before, &here, at, span, states, sink, results);
            }
            spare = before.staged;
            before = here;
            at = stop;
        }
        // Either buffer may be the spare one now.
        (old, new) = (before.staged, spare);
    }
    if way == Way::Streamed {
        settle();
    }
}

impl<K: Real> Group<'_, K> {
    /// The windows that end at the indices `span` in the piece that begins at `at`; `before` is the
    /// piece before it. With `CAREFUL` elements may be missing.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)] // one loop's surroundings
    fn windows<R: Rule<K>, const CAREFUL: bool>(
        &self,
        before: &Piece<'_, K>,
        here: &Piece<'_, K>,
        at: usize,
        (first, stop): (usize, usize),
        walking: &mut Walking<'_, R::Word>,
        sink: &mut dyn Sink<R::Out>,
        results: &mut [R::Out],
    ) {
        let count = self.lanes.count;
        let Walking {
            suffix,
            prefix,
            empty,
        } = walking;
        for i in before.rows.clone().rev() {
            let last = i + 1 == before.rows.end;
            let (row, after) = next_row(suffix, empty, i - before.rows.start, last, count, R::PAIR);
            let n = (before.rows.end - i) as f64;
            push::<R, K, CAREFUL>(self.row(before, i), after, n, row);
        }
        prefix.fill(R::EMPTY);
        let (least, ddof) = (self.window.least as f64, f64::from(self.window.ddof));
        let shift = self.window.ahead + self.extents.out.start;
        let mut held = 0;
        for end in at..stop {
            let inside = end < here.rows.end;
            let n = here.rows.end.min(end + 1).saturating_sub(at) as f64;
            if end < first {
                if inside {
                    take::<R, K, CAREFUL>(self.row(here, end), n, prefix.part(0..count));
                }
                continue;
            }
            let start = (end + 1).saturating_sub(self.window.len);
            let (older, older_n) = match before.rows.end > start.max(before.rows.start) {
                true => (
                    suffix.row(start - before.rows.start, count, R::PAIR),
                    (before.rows.end - start) as f64,
                ),
                false => (empty.row(0, count, R::PAIR), 0.0),
            };
            let row = end - shift;
            let x = if inside { self.row(here, end) } else { &[] };
            let ask = (least, ddof);
            if self.way == Way::Streamed {
                let next = self.ahead(end + self.window.len);
                let Some(target) = sink.native(self.lanes, row) else {
                    continue;
                };
                for from in (0..count).step_by(STRIP) {
                    let strip = from..(from + STRIP).min(count);
                    let out = &mut results[..strip.len()];
                    let states = prefix.part(strip.clone());
                    let older = older.part(strip.clone());
                    if inside {
                        emit::<R, K, CAREFUL, true>(&x[strip.clone()], states, n, older, older_n, ask, out);
                    } else {
                        emit::<R, K, CAREFUL, false>(&[], states, n, older, older_n, ask, out);
                    }
                    stream(
                        bytemuck::cast_slice(out),
                        bytemuck::cast_slice_mut(&mut target[strip.clone()]),
                        &[bytemuck::cast_slice(next.get(strip).unwrap_or(&[]))],
                    );
                }
                continue;
            }
            let place = match self.way {
                Way::Direct => sink.native(self.lanes, row),
                Way::Streamed | Way::Staged => None,
            };
            let out = place.unwrap_or_else(|| &mut results[held * count..][..count]);
            let states = prefix.part(0..count);
            if inside {
                emit::<R, K, CAREFUL, true>(x, states, n, older, older_n, ask, out);
            } else {
                emit::<R, K, CAREFUL, false>(x, states, n, older, older_n, ask, out);
            }
            if self.way == Way::Staged {
                held += 1;
                if held == ROWS || end + 1 == stop {
                    sink.take(self.lanes, row + 1 - held, &results[..held * count]);
                    held = 0;
                }
            }
        }
    }
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
