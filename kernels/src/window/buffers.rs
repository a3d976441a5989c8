//! The buffers of a window's walk: states, staged rows, and how many of them suit the cache.

use super::stage::WIDE;
use bytemuck::{Pod, Zeroable};
use std::ops::Range;

/// Bytes of rows that should stay in a second-level cache.
const CACHE: usize = 400 << 10;
/// Lanes in place whose states are held at once: enough for results to be streamed in long runs.
const PART: usize = 256;
/// Lanes that are gathered together.
const GATHERED: usize = 64;
/// Rows that are gathered, and rows of results that are handed on together.
const TURNED: usize = 64;
/// Rows of wide results that are handed on together.
const ROWS: usize = 32;

/// How many lanes go together, and how many rows of them there are at a time.
pub(super) struct Layout {
    /// Lanes of a group.
    pub lanes: usize,
    /// Lanes of a part of a group, whose states are held at once; at most 64 parts.
    pub part: usize,
    /// Rows of a piece at most.
    pub rows: usize,
    /// Places along the axis whose rows are staged together; whole pieces.
    pub span: usize,
    /// Staged rows, with those of the piece before.
    pub staged_rows: usize,
    /// Rows of results that are handed on together.
    pub out_rows: usize,
    value: usize,
    word: usize,
    planes: usize,
}

impl Layout {
    /// For windows of `len` over `rows`; a value and a word of a state have so many bytes. Rows are
    /// staged unless they are `native`.
    pub fn new(
        len: usize,
        rows: usize,
        (outer, inner): (usize, usize),
        value: usize,
        word: usize,
        pair: bool,
        native: bool,
    ) -> Layout {
        let planes = 1 + usize::from(pair);
        let wide = inner >= WIDE;
        let (near, all) = (len.min(rows).max(1), rows);
        let states = near.saturating_mul(word * planes);
        let (lanes, part, span) = if native {
            let lanes = (CACHE / near.saturating_mul(2 * value) / 64 * 64).clamp(128, 2048);
            (lanes, PART, len)
        } else if wide {
            let per_lane = states.saturating_add(near.saturating_mul(2 * value + 4));
            let lanes = (CACHE / per_lane / 64 * 64).clamp(128, 2048);
            (lanes, lanes, len)
        } else {
            let pieces = (TURNED / len).max(1);
            (GATHERED, GATHERED, len.saturating_mul(pieces))
        };
        let lanes = lanes.min(if wide { inner } else { inner * outer });
        Layout {
            lanes,
            part: part.min(lanes),
            rows: len.min(all),
            span,
            staged_rows: if native {
                0
            } else {
                len.saturating_add(span).min(all)
            },
            out_rows: if wide { ROWS } else { TURNED },
            value,
            word,
            planes,
        }
    }

    /// Words of all buffers.
    pub fn words(&self) -> usize {
        let states = [self.rows, 1, 1].into_iter().map(|rows| {
            let second = if self.planes == 2 { rows } else { 1 };
            padded(rows * self.part * self.word)
                + padded(second * self.part * self.word)
                + padded(rows * self.part * 4)
        });
        let elements = padded(self.staged_rows * self.lanes * self.value);
        let results = padded(self.out_rows * self.lanes * 8);
        states.sum::<usize>() + elements + results
    }

    /// Bytes that casting lanes from a type of `stored` bytes, and turning results, takes beside.
    pub fn cast_bytes(&self, stored: usize) -> usize {
        self.lanes * (self.staged_rows * stored + self.out_rows * 16)
    }
}

/// Words of a buffer that begins and ends with a cache line.
pub(super) fn padded(bytes: usize) -> usize {
    bytes.div_ceil(64) * 8
}

/// One cache line.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u64; 8]);

/// Buffers that are used again from call to call.
#[derive(Debug, Default)]
pub struct Scratch {
    lines: Vec<Line>,
}

impl Scratch {
    /// So many words, beginning with a cache line.
    pub(super) fn words(&mut self, count: usize) -> &mut [u64] {
        if self.lines.len() * 8 < count {
            self.lines.resize(count.div_ceil(8), Line([0; 8]));
        }
        bytemuck::cast_slice_mut(&mut self.lines)
    }
}

/// The next `count` elements of a buffer, which hold whatever was there.
pub(super) fn carve<'a, T: Pod>(words: &mut &'a mut [u64], count: usize) -> &'a mut [T] {
    let (part, rest) = std::mem::take(words).split_at_mut(padded(count * size_of::<T>()));
    *words = rest;
    &mut bytemuck::cast_slice_mut(part)[..count]
}

/// Rows of states: two planes and, where elements may be missing, how many there are. The second
/// plane has one row where it is not used.
pub(super) struct States<'a, W> {
    pub one: &'a mut [W],
    pub two: &'a mut [W],
    pub n: &'a mut [i32],
}

/// One row of states.
#[derive(Clone, Copy)]
pub(super) struct Row<'a, W> {
    pub one: &'a [W],
    pub two: &'a [W],
    pub n: &'a [i32],
}

impl<'a, W: Pod> States<'a, W> {
    pub fn carve(words: &mut &'a mut [u64], rows: usize, lanes: usize, pair: bool) -> States<'a, W> {
        States {
            one: carve(words, rows * lanes),
            two: carve(words, if pair { rows * lanes } else { lanes }),
            n: carve(words, rows * lanes),
        }
    }

    #[inline(always)]
    pub fn row(&self, at: usize, count: usize, pair: bool) -> Row<'_, W> {
        Row {
            one: &self.one[at * count..][..count],
            two: &self.two[if pair { at * count } else { 0 }..][..count],
            n: &self.n[at * count..][..count],
        }
    }

    /// Those lanes of the first row.
    #[inline(always)]
    pub fn part(&mut self, lanes: Range<usize>) -> States<'_, W> {
        States {
            one: &mut self.one[lanes.clone()],
            two: &mut self.two[lanes.clone()],
            n: &mut self.n[lanes],
        }
    }

    pub fn fill(&mut self, state: (W, W)) {
        self.one.fill(state.0);
        self.two.fill(state.1);
        self.n.fill(0);
    }
}

/// All states of a walk: of the ends of the piece before, of the beginning of this one, of nothing.
pub(super) struct Walking<'a, W> {
    pub suffix: States<'a, W>,
    pub prefix: States<'a, W>,
    pub empty: States<'a, W>,
}

/// The row of `states` at `at`, and the one after it or else `empty`.
#[inline(always)]
pub(super) fn next_row<'s, W: Pod>(
    states: &'s mut States<'_, W>,
    empty: &'s States<'_, W>,
    at: usize,
    last: bool,
    count: usize,
    pair: bool,
) -> (States<'s, W>, Row<'s, W>) {
    let second = if pair { at * count } else { 0 };
    let (one, one_after) = states.one[at * count..].split_at_mut(count);
    let (n, n_after) = states.n[at * count..].split_at_mut(count);
    let (two, two_after) = states.two[second..].split_at_mut(count);
    let row = States { one, two, n };
    if last {
        return (row, empty.row(0, count, pair));
    }
    let two_after: &[W] = if pair { two_after } else { empty.two };
    let after = Row {
        one: &one_after[..count],
        two: &two_after[..count],
        n: &n_after[..count],
    };
    (row, after)
}
