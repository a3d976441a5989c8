//! The buffers of a window's walk: states, staged rows, and how many of them suit the cache.

use super::stage::WIDE;
use bytemuck::{Pod, Zeroable};
use std::ops::Range;

/// Bytes of states and rows that should stay in a second-level cache.
const CACHE: usize = 400 << 10;
/// Lanes that are gathered together.
const GATHERED: usize = 16;
/// Rows of results that are handed on together.
pub(super) const ROWS: usize = 32;

/// How many lanes go together, and how many rows of them a piece has at most.
pub(super) struct Layout {
    pub lanes: usize,
    pub rows: usize,
    value: usize,
    word: usize,
    planes: usize,
}

impl Layout {
    /// For windows of `len` over `rows`; a value and a word of a state have so many bytes.
    pub fn new(
        len: usize,
        rows: usize,
        outer: usize,
        inner: usize,
        value: usize,
        word: usize,
        pair: bool,
    ) -> Layout {
        let rows = len.min(rows);
        let planes = 1 + usize::from(pair);
        let lanes = if inner >= WIDE {
            let per_lane = rows.max(1).saturating_mul(2 * value + word * planes + 4);
            (CACHE / per_lane / 64 * 64).clamp(128, 2048).min(inner)
        } else {
            GATHERED.min(outer * inner)
        };
        Layout {
            lanes,
            rows,
            value,
            word,
            planes,
        }
    }

    /// Words of all buffers; rows of elements and of results are held where they are staged.
    pub fn words(&self, stage_in: bool, stage_out: bool) -> usize {
        let states = [self.rows, 1, 1].into_iter().map(|rows| {
            let second = if self.planes == 2 { rows } else { 1 };
            padded(rows * self.lanes * self.word)
                + padded(second * self.lanes * self.word)
                + padded(rows * self.lanes * 4)
        });
        let elements = if stage_in {
            2 * padded(self.rows * self.lanes * self.value)
        } else {
            0
        };
        let results = if stage_out {
            padded(ROWS * self.lanes * 8)
        } else {
            0
        };
        states.sum::<usize>() + elements + results
    }

    /// Bytes that casting lanes from a type of `stored` bytes takes beside.
    pub fn cast_bytes(&self, stored: usize) -> usize {
        self.lanes * (self.rows * stored + ROWS * 8)
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

impl<W> Row<'_, W> {
    /// Those lanes of it.
    #[inline(always)]
    pub fn part(&self, lanes: Range<usize>) -> Row<'_, W> {
        Row {
            one: &self.one[lanes.clone()],
            two: &self.two[lanes.clone()],
            n: &self.n[lanes],
        }
    }
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
