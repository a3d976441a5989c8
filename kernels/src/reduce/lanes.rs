//! The three ways a strip reaches a state, written once for every reduction.
//!
//! A reduction says how one element joins a running cell and how two cells join; the drivers here
//! decide which cells meet which elements. Cells are handled [`LANES`] at a time as small arrays,
//! so the loops vectorise, and up to [`BLOCK`] rows join a cell while it is in registers, so that
//! a state is read and written once for eight rows of data. The shape of the additions depends on
//! these two numbers only, never on the instruction set.

use crate::Isa;
use std::hint::black_box;

/// Cells handled side by side.
pub(super) const LANES: usize = 16;

/// Rows that join a cell before it is written back.
pub(super) const BLOCK: usize = 8;

/// Runs of [`LANES`] elements of one row that join at a time.
const RUN: usize = 64;

/// How elements join the cells of one state.
pub(super) trait Rule {
    /// The planes of the cells.
    type Store;
    /// The type of the elements fed.
    type Elem: Copy + Default;
    /// `L` cells in registers.
    type Lanes<const L: usize>: Copy;
    /// Whether loops for wider instruction sets are worth their code.
    const WIDE: bool;

    /// Cells that nothing has joined.
    fn blank<const L: usize>() -> Self::Lanes<L>;
    /// The cells `at .. at + L`.
    fn load<const L: usize>(store: &Self::Store, at: usize) -> Self::Lanes<L>;
    /// Writes the cells `at .. at + L`.
    fn save<const L: usize>(store: &mut Self::Store, at: usize, lanes: Self::Lanes<L>);
    /// Joins `x[l]`, whose index is `index + l * step`, to cell `l`.
    fn feed<const L: usize>(lanes: &mut Self::Lanes<L>, x: &[Self::Elem; L], index: i64, step: i64);
    /// Joins `other[l]` to cell `l`.
    fn merge<const L: usize>(lanes: &mut Self::Lanes<L>, other: &Self::Lanes<L>);
    /// The cells `from .. from + M`.
    fn pick<const L: usize, const M: usize>(lanes: &Self::Lanes<L>, from: usize) -> Self::Lanes<M>;

    /// Joins several rows: the elements `starts[r] .. starts[r] + L` of `values`.
    #[inline(always)]
    fn feed_block<const L: usize>(
        lanes: &mut Self::Lanes<L>,
        values: &[Self::Elem],
        starts: &[usize],
        indices: &[i64],
        step: i64,
    ) {
        for (&start, &index) in starts.iter().zip(indices) {
            Self::feed(lanes, &window(values, start), index, step);
        }
    }

    /// Notes that something was fed to the cells `at .. at + len`.
    #[inline(always)]
    fn mark(_store: &mut Self::Store, _at: usize, _len: usize) {}

    /// Notes that everything fed to `other` was fed.
    fn merge_marks(_store: &mut Self::Store, _other: &Self::Store) {}
}

/// Typed rows with the cell that each begins at.
pub(super) struct TypedRows<'a, T> {
    /// The elements.
    pub values: &'a [T],
    /// First element of each row.
    pub starts: &'a [usize],
    /// Elements per row.
    pub len: usize,
    /// Cell of each row's first element.
    pub cells: &'a [usize],
    /// Index of each row's first element.
    pub indices: &'a [i64],
    /// What one element adds to the index.
    pub step: i64,
}

/// Where the elements of a row go.
#[derive(Clone, Copy)]
pub(super) enum Direction<'a> {
    /// Element `j` to cell `c + j`.
    Across,
    /// All to cell `c`.
    Along,
    /// Element `j` to cell `c + labels[j] * stride`; labels from `groups` on are left out.
    Grouped {
        /// One label per element of a row.
        labels: &'a [u32],
        /// Number of groups.
        groups: usize,
        /// Cells between groups.
        stride: usize,
    },
}

/// The `L` elements from `start` on.
#[inline(always)]
pub(super) fn window<T: Copy + Default, const L: usize>(values: &[T], start: usize) -> [T; L] {
    let mut out = [T::default(); L];
    out.copy_from_slice(&values[start..start + L]);
    out
}

/// Feeds rows to cells. `isa` must be available on this machine.
pub(super) fn drive<R: Rule>(
    store: &mut R::Store,
    rows: &TypedRows<'_, R::Elem>,
    direction: Direction<'_>,
    isa: Isa,
) {
    debug_assert!(isa.available());
    match (direction, isa) {
        (
            Direction::Grouped {
                labels,
                groups,
                stride,
            },
            _,
        ) => grouped::<R>(store, rows, labels, groups, stride),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a state only holds an instruction set that `Isa::detect` found.
        (Direction::Across, Isa::Avx512) if R::WIDE => unsafe { x86::across_avx512::<R>(store, rows) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        (Direction::Across, Isa::Avx2) if R::WIDE => unsafe { x86::across_avx2::<R>(store, rows) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        (Direction::Along, Isa::Avx512) if R::WIDE => unsafe { x86::along_avx512::<R>(store, rows) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        (Direction::Along, Isa::Avx2) if R::WIDE => unsafe { x86::along_avx2::<R>(store, rows) },
        (Direction::Across, _) => across::<R>(store, rows),
        (Direction::Along, _) => along::<R>(store, rows),
    }
}

/// The same loops compiled for wider vectors.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Rule, TypedRows, across, along};

    #[target_feature(enable = "avx2")]
    pub(super) fn across_avx2<R: Rule>(store: &mut R::Store, rows: &TypedRows<'_, R::Elem>) {
        across::<R>(store, rows);
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn along_avx2<R: Rule>(store: &mut R::Store, rows: &TypedRows<'_, R::Elem>) {
        along::<R>(store, rows);
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl")]
    pub(super) fn across_avx512<R: Rule>(store: &mut R::Store, rows: &TypedRows<'_, R::Elem>) {
        across::<R>(store, rows);
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl")]
    pub(super) fn along_avx512<R: Rule>(store: &mut R::Store, rows: &TypedRows<'_, R::Elem>) {
        along::<R>(store, rows);
    }
}

#[inline(always)]
fn across<R: Rule>(store: &mut R::Store, rows: &TypedRows<'_, R::Elem>) {
    let mut row = 0;
    while row < rows.starts.len() {
        let cell = rows.cells[row];
        let mut end = row + 1;
        while end < rows.starts.len() && end - row < BLOCK && rows.cells[end] == cell {
            end += 1;
        }
        R::mark(store, cell, rows.len);
        let mut column = 0;
        while column + LANES <= rows.len {
            column_block::<R, LANES>(store, rows, row..end, cell, column);
            column += LANES;
        }
        while column < rows.len {
            column_block::<R, 1>(store, rows, row..end, cell, column);
            column += 1;
        }
        row = end;
    }
}

/// Joins the columns `column .. column + L` of some rows to their cells.
#[inline(always)]
fn column_block<R: Rule, const L: usize>(
    store: &mut R::Store,
    rows: &TypedRows<'_, R::Elem>,
    which: std::ops::Range<usize>,
    cell: usize,
    column: usize,
) {
    let mut starts = [0; BLOCK];
    let mut indices = [0; BLOCK];
    let count = which.len();
    for (slot, row) in which.enumerate() {
        starts[slot] = rows.starts[row] + column;
        indices[slot] = rows.indices[row] + column as i64 * rows.step;
    }
    let mut lanes = R::load::<L>(store, cell + column);
    R::feed_block(
        &mut lanes,
        rows.values,
        &starts[..count],
        &indices[..count],
        rows.step,
    );
    R::save(store, cell + column, lanes);
}

#[inline(always)]
fn along<R: Rule>(store: &mut R::Store, rows: &TypedRows<'_, R::Elem>) {
    if rows.len == 0 {
        return;
    }
    for row in 0..rows.starts.len() {
        let cell = rows.cells[row];
        R::mark(store, cell, 1);
        let mut total = R::load::<1>(store, cell);
        let whole = rows.len - rows.len % LANES;
        if whole > 0 {
            let lanes = stretch::<R, LANES>(R::blank(), rows, row, 0, whole);
            R::merge(&mut total, &tree::<R>(&lanes));
        }
        let total = stretch::<R, 1>(total, rows, row, whole, rows.len);
        R::save(store, cell, total);
    }
}

/// Joins the elements `from .. to` of a row to `L` cells in turn; `to - from` is a multiple of `L`.
/// Cells pass through memory after a run of elements: the compiler vectorises backwards from
/// neighbouring stores, and finds none where cells only meet in the tree that joins them.
#[inline(always)]
fn stretch<R: Rule, const L: usize>(
    mut lanes: R::Lanes<L>,
    rows: &TypedRows<'_, R::Elem>,
    row: usize,
    from: usize,
    to: usize,
) -> R::Lanes<L> {
    let mut at = from;
    while at < to {
        let mut starts = [0; RUN];
        let mut indices = [0; RUN];
        let count = ((to - at) / L).min(RUN);
        for slot in 0..count {
            let element = at + slot * L;
            starts[slot] = rows.starts[row] + element;
            indices[slot] = rows.indices[row] + element as i64 * rows.step;
        }
        let mut part = lanes;
        R::feed_block(
            &mut part,
            rows.values,
            &starts[..count],
            &indices[..count],
            rows.step,
        );
        lanes = black_box(part);
        at += count * L;
    }
    lanes
}

/// All lanes joined, halves first.
#[inline(always)]
fn tree<R: Rule>(lanes: &R::Lanes<LANES>) -> R::Lanes<1> {
    let mut eight = R::pick::<LANES, 8>(lanes, 0);
    R::merge(&mut eight, &R::pick::<LANES, 8>(lanes, 8));
    let mut four = R::pick::<8, 4>(&eight, 0);
    R::merge(&mut four, &R::pick::<8, 4>(&eight, 4));
    let mut two = R::pick::<4, 2>(&four, 0);
    R::merge(&mut two, &R::pick::<4, 2>(&four, 2));
    let mut one = R::pick::<2, 1>(&two, 0);
    R::merge(&mut one, &R::pick::<2, 1>(&two, 1));
    one
}

fn grouped<R: Rule>(
    store: &mut R::Store,
    rows: &TypedRows<'_, R::Elem>,
    labels: &[u32],
    groups: usize,
    stride: usize,
) {
    for row in 0..rows.starts.len() {
        let values = &rows.values[rows.starts[row]..][..rows.len];
        let mut index = rows.indices[row];
        for (&value, &label) in values.iter().zip(labels) {
            if (label as usize) < groups {
                let cell = rows.cells[row] + label as usize * stride;
                R::mark(store, cell, 1);
                let mut lanes = R::load::<1>(store, cell);
                R::feed(&mut lanes, &[value], index, rows.step);
                R::save(store, cell, lanes);
            }
            index += rows.step;
        }
    }
}

/// Joins every cell of `other` to the same cell of `store`, for states of `len` cells.
pub(super) fn merge_all<R: Rule>(store: &mut R::Store, other: &R::Store, len: usize) {
    R::merge_marks(store, other);
    let mut at = 0;
    while at + LANES <= len {
        let mut lanes = R::load::<LANES>(store, at);
        R::merge(&mut lanes, &R::load(other, at));
        R::save(store, at, lanes);
        at += LANES;
    }
    while at < len {
        let mut lanes = R::load::<1>(store, at);
        R::merge(&mut lanes, &R::load(other, at));
        R::save(store, at, lanes);
        at += 1;
    }
}
