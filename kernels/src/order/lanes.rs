//! Columns copied into lanes: a cache line of neighbours at a time, so that no line is read twice.

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

/// Elements from one lane to the next: past the lane and no multiple of a page, which would put all
/// lanes into one set of the cache.
fn step(len: usize) -> usize {
    (len | 15) + 2
}

/// Neighbours of `size` bytes that are copied together.
fn group(size: usize) -> usize {
    (LINE / size).max(8)
}

impl<R: Copy + Default, U: Copy + Default> Lanes<R, U> {
    /// Bytes that lanes of `len` elements of `size` bytes with so many neighbours take, with their
    /// results of `out` elements and a spare lane.
    pub fn bytes(size: usize, len: usize, inner: usize, out: usize) -> usize {
        let group = group(size).min(inner.max(1));
        (group + 1) * step(len) * size_of::<R>() + group * step(out) * size_of::<U>()
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
        for o in 0..from.outer() {
            if let (Some(lane), Some(result)) = (from.lane(o), to.lane(o)) {
                let lanes = &mut self.lanes[..len];
                for (i, (slot, &value)) in lanes.iter_mut().zip(lane).enumerate() {
                    *slot = load(value, i);
                }
                work(lanes, &mut self.spare, result);
                continue;
            }
            for first in (0..inner).step_by(group) {
                let count = group.min(inner - first);
                for i in 0..len {
                    let row = &from.row(o, i)[first..][..count];
                    for (j, &value) in row.iter().enumerate() {
                        self.lanes[j * lane_step + i] = load(value, i);
                    }
                }
                for j in 0..count {
                    let lane = &mut self.lanes[j * lane_step..][..len];
                    work(lane, &mut self.spare, &mut self.results[j * out_step..][..out]);
                }
                for i in 0..out {
                    let row = &mut to.row(o, i)[first..][..count];
                    for (j, slot) in row.iter_mut().enumerate() {
                        *slot = self.results[j * out_step + i];
                    }
                }
            }
        }
    }
}
