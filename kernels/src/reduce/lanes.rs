//! The ways in which rows reach a state: across its cells, along into one, or by label.
//!
//! Rows across are taken as they lie, a stretch of columns at a time. A row along is cut into
//! short rows that follow each other, so that it is a batch as well; what its columns hold is
//! joined as a tree, for several rows at once. Where columns join without a merge, such a batch is
//! one cell at once. Short rows along are turned first, so that each is a column.

use super::planes::{Planes, Room, View};
use super::rule::{Batch, COLUMNS, ROWS, Rule, take, take_all};
use crate::Isa;

/// Columns that a row along is cut into.
pub(super) const WIDTH: usize = 32;

/// The same for narrow elements, of which more fit a register.
const NARROW: usize = 64;

/// Rows along whose columns are joined together.
const LANES: usize = 16;

/// Columns per row then.
const FOLDED: usize = 16;

/// Rows along of at most so many elements are turned.
const SHORT: usize = 48;

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

/// Feeds rows to cells. `isa` must be available on this machine.
pub(super) fn drive<R: Rule>(
    store: &mut R::Store,
    rows: &TypedRows<'_, R::Elem>,
    direction: Direction<'_>,
    isa: Isa,
) {
    debug_assert!(isa.available());
    if rows.len == 0 {
        return;
    }
    match (direction, isa) {
        // Batches want rising indices.
        (Direction::Along, _) if R::INDEXED && rows.step < 0 => each::<R>(store, rows, |_| Some(0)),
        (
            Direction::Grouped {
                labels,
                groups,
                stride,
            },
            _,
        ) => each::<R>(store, rows, |j| {
            let label = labels[j] as usize;
            (label < groups).then_some(label * stride)
        }),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a state only holds an instruction set that `Isa::detect` found.
        (Direction::Across, Isa::Avx512) if R::WIDE => unsafe { x86::avx512::feed_across::<R>(store, rows) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        (Direction::Across, Isa::Avx2) if R::WIDE => unsafe { x86::avx2::feed_across::<R>(store, rows) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        (Direction::Along, Isa::Avx512) if R::WIDE => unsafe { x86::avx512::feed_along::<R>(store, rows) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        (Direction::Along, Isa::Avx2) if R::WIDE => unsafe { x86::avx2::feed_along::<R>(store, rows) },
        (Direction::Across, _) => across::<R>(store, rows, plain::<R>),
        (Direction::Along, _) => along::<R>(store, rows, plain::<R>, plain::<R>, plain_all::<R>),
    }
}

/// Joins a batch, once for all ways of feeding.
#[inline(never)]
fn plain<R: Rule>(part: &mut R::Part, batch: &Batch<'_, R::Elem>) {
    take::<R, 0>(part, batch);
}

/// Joins all columns of a batch.
#[inline(never)]
fn plain_all<R: Rule>(part: &mut R::Part, values: &[R::Elem]) -> R::Cell {
    if const { width::<R>() == WIDTH } {
        take_all::<R, WIDTH>(part, values)
    } else {
        take_all::<R, NARROW>(part, values)
    }
}

/// Columns that rows along are cut into.
const fn width<R: Rule>() -> usize {
    if size_of::<R::Elem>() > 2 { WIDTH } else { NARROW }
}

/// The same loops compiled for an instruction set.
#[cfg(target_arch = "x86_64")]
macro_rules! compiled {
    ($isa:ident, $features:literal) => {
        pub(super) mod $isa {
            use super::super::{Batch, NARROW, Rule, TypedRows, WIDTH, across, along, take, take_all, width};

            #[inline(never)]
            #[target_feature(enable = $features)]
            fn batch<R: Rule, const W: usize>(part: &mut R::Part, batch: &Batch<'_, R::Elem>) {
                take::<R, W>(part, batch);
            }

            #[inline(never)]
            #[target_feature(enable = $features)]
            fn all<R: Rule, const W: usize>(part: &mut R::Part, values: &[R::Elem]) -> R::Cell {
                take_all::<R, W>(part, values)
            }

            #[target_feature(enable = $features)]
            pub(in super::super) fn feed_across<R: Rule>(
                store: &mut R::Store,
                rows: &TypedRows<'_, R::Elem>,
            ) {
                across::<R>(store, rows, |part, rows| batch::<R, 0>(part, rows));
            }

            #[target_feature(enable = $features)]
            pub(in super::super) fn feed_along<R: Rule>(store: &mut R::Store, rows: &TypedRows<'_, R::Elem>) {
                let any = |part: &mut R::Part, rows: &Batch<'_, R::Elem>| batch::<R, 0>(part, rows);
                let wide = |part: &mut R::Part, rows: &Batch<'_, R::Elem>| {
                    if const { width::<R>() == WIDTH } {
                        batch::<R, WIDTH>(part, rows);
                    } else {
                        batch::<R, NARROW>(part, rows);
                    }
                };
                along::<R>(store, rows, any, wide, |part, values| {
                    if const { width::<R>() == WIDTH } {
                        all::<R, WIDTH>(part, values)
                    } else {
                        all::<R, NARROW>(part, values)
                    }
                });
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    compiled!(avx2, "avx2");
    compiled!(avx512, "avx512f,avx512dq,avx512bw,avx512vl");
}

#[inline(always)]
fn across<R: Rule>(
    store: &mut R::Store,
    rows: &TypedRows<'_, R::Elem>,
    take: impl Fn(&mut R::Part, &Batch<'_, R::Elem>),
) {
    let mut part = R::part();
    let (mut starts, mut indices) = ([0; ROWS], [0; ROWS]);
    let mut row = 0;
    while row < rows.starts.len() {
        let cell = rows.cells[row];
        let mut end = row + 1;
        while end < rows.starts.len()
            && end - row < ROWS
            && rows.cells[end] == cell
            && (!R::INDEXED || rows.indices[end] > rows.indices[end - 1])
        {
            end += 1;
        }
        R::mark(store, cell, rows.len);
        let count = end - row;
        for column in (0..rows.len).step_by(COLUMNS) {
            let columns = COLUMNS.min(rows.len - column);
            for slot in 0..count {
                starts[slot] = rows.starts[row + slot] + column;
                indices[slot] = rows.indices[row + slot] + column as i64 * rows.step;
            }
            let batch = Batch {
                values: rows.values,
                starts: &starts[..count],
                columns,
                last: columns,
                indices: &indices[..count],
                step: rows.step,
            };
            take(&mut part, &batch);
            let mut cells = store.view(cell + column, columns);
            for j in 0..columns {
                cells.set(j, R::merge(cells.get(j), R::close(&part, j, &batch)));
            }
        }
        row = end;
    }
}

/// The room of a rule's cells.
type RoomOf<R> = <<R as Rule>::Store as Planes>::Room;

/// Joins the second of two runs of `len` cells at the start of a room to the first.
#[inline(always)]
fn halve<R: Rule>(room: &mut RoomOf<R>, len: usize) {
    let (mut low, high) = room.view(0, 2 * len).halves(len);
    for j in 0..len {
        low.set(j, R::merge(low.get(j), high.get(j)));
    }
}

#[inline(always)]
fn along<R: Rule>(
    store: &mut R::Store,
    rows: &TypedRows<'_, R::Elem>,
    any: impl Fn(&mut R::Part, &Batch<'_, R::Elem>),
    wide: impl Fn(&mut R::Part, &Batch<'_, R::Elem>),
    joined: impl Fn(&mut R::Part, &[R::Elem]) -> R::Cell,
) {
    if R::JOINS && rows.len > SHORT {
        return whole::<R>(store, rows, joined);
    }
    let mut part = R::part();
    // The columns of one row, and of several: column by column.
    let (mut columns, mut all) = (RoomOf::<R>::new(), RoomOf::<R>::new());
    let mut row = 0;
    while row < rows.starts.len() {
        let left = rows.starts.len() - row;
        let width = if left < LANES / 4 { 1 } else { LANES };
        let count = width.min(left);
        if let Some(apart) = turns::<R>(rows, row, count) {
            turned::<R>(rows, row, count, apart, &mut part, &mut all, &any);
        } else {
            for lane in 0..count {
                folded::<R>(rows, row + lane, &mut part, &mut columns, &wide);
                let (from, mut to) = (columns.view(0, FOLDED), all.view(0, width * FOLDED));
                for j in 0..FOLDED {
                    to.set(j * width + lane, from.get(j));
                }
            }
            let mut apart = FOLDED / 2;
            while apart > 0 {
                halve::<R>(&mut all, apart * width);
                apart /= 2;
            }
        }
        let (cells, lanes) = (&rows.cells[row..row + count], all.view(0, count));
        cells.iter().for_each(|&cell| R::mark(store, cell, 1));
        if cells.windows(2).all(|pair| pair[1] == pair[0] + 1) {
            let mut into = store.view(cells[0], count);
            for lane in 0..count {
                into.set(lane, R::merge(into.get(lane), lanes.get(lane)));
            }
        } else {
            for (lane, &cell) in cells.iter().enumerate() {
                let mut into = store.view(cell, 1);
                into.set(0, R::merge(into.get(0), lanes.get(lane)));
            }
        }
        row += count;
    }
}

/// Rows along whose columns join without a merge: a stretch of a row is one batch and one cell.
/// The stretches of a row join as a tree.
#[inline(always)]
fn whole<R: Rule>(
    store: &mut R::Store,
    rows: &TypedRows<'_, R::Elem>,
    joined: impl Fn(&mut R::Part, &[R::Elem]) -> R::Cell,
) {
    let (mut part, mut room) = (R::part(), RoomOf::<R>::new());
    let most = width::<R>() * ROWS;
    let stretches = rows.len.div_ceil(most);
    let per_row = stretches.min(LANES);
    let at_once = LANES / per_row;
    for first in (0..rows.starts.len()).step_by(at_once) {
        let count = at_once.min(rows.starts.len() - first);
        let cells = &rows.cells[first..first + count];
        cells.iter().for_each(|&cell| R::mark(store, cell, 1));
        for from in (0..stretches).step_by(per_row) {
            let lanes = per_row.min(stretches - from);
            for row in 0..count {
                for lane in 0..lanes {
                    let at = (from + lane) * most;
                    let values = &rows.values[rows.starts[first + row]..][..rows.len];
                    let cell = joined(&mut part, &values[at..rows.len.min(at + most)]);
                    room.view(lane * count + row, 1).set(0, cell);
                }
            }
            // Neighbours join, rows side by side.
            let mut left = lanes;
            while left > 1 {
                let half = left.div_ceil(2);
                let (mut low, high) = room.view(0, 2 * half * count).halves(half * count);
                for j in 0..(left - half) * count {
                    low.set(j, R::merge(low.get(j), high.get(j)));
                }
                left = half;
            }
            let lanes = room.view(0, count);
            if cells.windows(2).all(|pair| pair[1] == pair[0] + 1) {
                let mut into = store.view(cells[0], count);
                for row in 0..count {
                    into.set(row, R::merge(into.get(row), lanes.get(row)));
                }
            } else {
                for (row, &cell) in cells.iter().enumerate() {
                    let mut into = store.view(cell, 1);
                    into.set(0, R::merge(into.get(0), lanes.get(row)));
                }
            }
        }
    }
}

/// All elements of a row along, joined to the first cells of a room.
#[inline(always)]
fn folded<R: Rule>(
    rows: &TypedRows<'_, R::Elem>,
    row: usize,
    part: &mut R::Part,
    room: &mut RoomOf<R>,
    take: &impl Fn(&mut R::Part, &Batch<'_, R::Elem>),
) {
    let width = width::<R>();
    let (mut starts, mut indices) = ([0; ROWS], [0; ROWS]);
    let mut from = 0;
    while from < rows.len {
        let len = (rows.len - from).min(width * ROWS);
        let count = len.div_ceil(width);
        for slot in 0..count {
            let element = from + slot * width;
            starts[slot] = rows.starts[row] + element;
            indices[slot] = rows.indices[row] + element as i64 * rows.step;
        }
        let batch = Batch {
            values: rows.values,
            starts: &starts[..count],
            columns: width,
            last: len - (count - 1) * width,
            indices: &indices[..count],
            step: rows.step,
        };
        take(part, &batch);
        let mut cells = room.view(0, width);
        if from == 0 {
            for j in 0..width {
                cells.set(j, R::close(part, j, &batch));
            }
        } else {
            for j in 0..width {
                cells.set(j, R::merge(cells.get(j), R::close(part, j, &batch)));
            }
        }
        from += len;
    }
    let mut len = width / 2;
    while len >= FOLDED {
        halve::<R>(room, len);
        len /= 2;
    }
}

/// Whether short rows along are to be turned, so that each becomes a column: how far apart their
/// indices are. `None` for rows that are long or few, or whose indices do not rise in step.
#[inline(always)]
fn turns<R: Rule>(rows: &TypedRows<'_, R::Elem>, row: usize, count: usize) -> Option<i64> {
    let indices = &rows.indices[row..row + count];
    let apart = if count > 1 { indices[1] - indices[0] } else { 0 };
    let in_step = !R::INDEXED || indices.windows(2).all(|pair| pair[1] - pair[0] == apart);
    (R::READS && rows.len <= SHORT && count > 1 && in_step).then_some(apart)
}

/// Short rows along, turned.
#[inline(always)]
fn turned<R: Rule>(
    rows: &TypedRows<'_, R::Elem>,
    row: usize,
    count: usize,
    apart: i64,
    part: &mut R::Part,
    room: &mut RoomOf<R>,
    take: &impl Fn(&mut R::Part, &Batch<'_, R::Elem>),
) {
    let mut values = [R::Elem::default(); SHORT * LANES];
    let (mut starts, mut indices) = ([0; SHORT], [0; SHORT]);
    for lane in 0..count {
        let from = &rows.values[rows.starts[row + lane]..][..rows.len];
        for (turned, &x) in values.chunks_exact_mut(LANES).zip(from) {
            turned[lane] = x;
        }
    }
    for j in 0..rows.len {
        starts[j] = j * LANES;
        indices[j] = rows.indices[row] + j as i64 * rows.step;
    }
    let batch = Batch {
        values: &values,
        starts: &starts[..rows.len],
        columns: LANES,
        last: LANES,
        indices: &indices[..rows.len],
        step: apart,
    };
    take(part, &batch);
    let mut cells = room.view(0, count);
    for lane in 0..count {
        cells.set(lane, R::close(part, lane, &batch));
    }
}

/// Joins one element after the other; `cell` tells how far from the row's the cell of a column is.
fn each<R: Rule>(store: &mut R::Store, rows: &TypedRows<'_, R::Elem>, cell: impl Fn(usize) -> Option<usize>) {
    let mut part = R::part();
    for row in 0..rows.starts.len() {
        for j in 0..rows.len {
            if let Some(away) = cell(j) {
                let cell = rows.cells[row] + away;
                R::mark(store, cell, 1);
                let batch = Batch {
                    values: rows.values,
                    starts: &[rows.starts[row] + j],
                    columns: 1,
                    last: 1,
                    indices: &[rows.indices[row] + j as i64 * rows.step],
                    step: rows.step,
                };
                plain::<R>(&mut part, &batch);
                let mut into = store.view(cell, 1);
                into.set(0, R::merge(into.get(0), R::close(&part, 0, &batch)));
            }
        }
    }
}

/// Joins every cell of `other` to the same cell of `store`, for states of `len` cells.
pub(super) fn merge_all<R: Rule>(store: &mut R::Store, other: &R::Store, len: usize) {
    R::merge_marks(store, other);
    let mut into = store.view(0, len);
    for at in 0..len {
        into.set(at, R::merge(into.get(at), other.read(at)));
    }
}
