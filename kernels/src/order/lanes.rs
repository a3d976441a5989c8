//! Columns copied into lanes, a few cache lines of neighbours at a time, so that no line is read
//! twice. Rows are first copied as they are: the loop is so short that many of them are under way
//! from memory at once.

use crate::{Columns, ColumnsMut};

/// Room for the lanes of one cache line of neighbours, their results, and a spare lane.
#[derive(Debug)]
pub struct Lanes<R, U> {
    lanes: Vec<R>,
    spare: Vec<R>,
    results: Vec<U>,
}

impl<R, U> Default for Lanes<R, U> {
    fn default() -> Lanes<R, U> {
        Lanes {
            lanes: Vec::new(),
            spare: Vec::new(),
            results: Vec::new(),
        }
    }
}

/// The bytes of a cache line.
const LINE: usize = 64;

/// Cache lines of a row that are copied together: memory gives two as fast as one.
const STAGED: usize = 2;

/// Rows and columns that are turned at a time.
const TILE: (usize, usize) = (16, 8);

/// Elements from one lane to the next: past the lane and no multiple of a page, which would put all
/// lanes into one set of the cache.
fn step(len: usize) -> usize {
    (len | 15) + 2
}

/// Neighbours of `size` bytes that are copied together.
fn group(size: usize) -> usize {
    (LINE / size).max(8)
}

/// Turns the first `count` columns of `len` rows, `width` elements apart, into lanes.
#[inline(always)]
fn turn<S: Copy, R: Copy + Default>(
    rows: &[S],
    width: usize,
    count: usize,
    len: usize,
    lanes: &mut [R],
    lane_step: usize,
    load: impl Fn(S, usize) -> R,
) {
    for top in (0..len).step_by(TILE.0) {
        for left in (0..count).step_by(TILE.1) {
            let (high, wide) = (TILE.0.min(len - top), TILE.1.min(count - left));
            let mut tile = [[R::default(); TILE.1]; TILE.0];
            for (i, turned) in tile[..high].iter_mut().enumerate() {
                let row = &rows[(top + i) * width + left..];
                match row.first_chunk::<{ TILE.1 }>() {
                    Some(row) => *turned = row.map(|value| load(value, top + i)),
                    None => {
                        for (slot, &value) in turned.iter_mut().zip(row) {
                            *slot = load(value, top + i);
                        }
                    }
                }
            }
            for j in 0..wide {
                let lane = &mut lanes[(left + j) * lane_step + top..];
                match lane.first_chunk_mut::<{ TILE.0 }>() {
                    Some(lane) if high == TILE.0 => *lane = std::array::from_fn(|i| tile[i][j]),
                    _ => {
                        for (slot, turned) in lane[..high].iter_mut().zip(&tile) {
                            *slot = turned[j];
                        }
                    }
                }
            }
        }
    }
}

impl<R: Copy + Default, U: Copy + Default> Lanes<R, U> {
    /// Bytes that lanes of `len` elements of `size` bytes with so many neighbours take, with their
    /// results of `out` elements and a spare lane.
    pub fn bytes(size: usize, len: usize, inner: usize, out: usize) -> usize {
        let group = group(size).min(inner.max(1));
        let staged = (STAGED * group).min(inner) * len * size;
        staged + (group + 1) * step(len) * size_of::<R>() + group * step(out) * size_of::<U>()
    }

    /// Bytes that it holds between calls.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let records = self.lanes.capacity() + self.spare.capacity();
        records * size_of::<R>() + self.results.capacity() * size_of::<U>()
    }

    /// Calls `work` for every column: it gets the column's elements as `load` made them from
    /// element and index, room for a spare lane, and the column of `to` to be filled.
    pub fn each<S: Copy>(
        &mut self,
        from: Columns<'_, S>,
        to: &mut ColumnsMut<'_, U>,
        load: impl Fn(S, usize) -> R,
        mut work: impl FnMut(&mut [R], &mut Vec<R>, &mut [U]),
    ) {
        let (len, out, inner) = (from.len(), to.len(), from.inner());
        let group = group(size_of::<S>()).min(inner.max(1));
        let (lane_step, out_step) = (step(len), step(out));
        self.lanes.resize(group * lane_step, R::default());
        self.results.resize(group * out_step, U::default());
        let mut staged = Vec::new();
        for o in 0..from.outer() {
            if let (Some(lane), Some(result)) = (from.lane(o), to.lane(o)) {
                let lanes = &mut self.lanes[..len];
                for (i, (slot, &value)) in lanes.iter_mut().zip(lane).enumerate() {
                    *slot = load(value, i);
                }
                work(lanes, &mut self.spare, result);
                continue;
            }
            for first in (0..inner).step_by(STAGED * group) {
                let width = (STAGED * group).min(inner - first);
                staged.clear();
                staged.reserve_exact(width * len);
                for i in 0..len {
                    staged.extend_from_slice(&from.row(o, i)[first..first + width]);
                }
                for skip in (0..width).step_by(group) {
                    let count = group.min(width - skip);
                    let rows = staged.get(skip..).unwrap_or_default();
                    turn(rows, width, count, len, &mut self.lanes, lane_step, &load);
                    for j in 0..count {
                        let lane = &mut self.lanes[j * lane_step..][..len];
                        work(lane, &mut self.spare, &mut self.results[j * out_step..][..out]);
                    }
                    for i in 0..out {
                        let row = &mut to.row(o, i)[first + skip..][..count];
                        for (j, slot) in row.iter_mut().enumerate() {
                            *slot = self.results[j * out_step + i];
                        }
                    }
                }
            }
        }
    }
}
