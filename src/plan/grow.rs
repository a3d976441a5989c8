//! Larger blocks than the caches like, where outside data would come in short pieces or be decoded many
//! times, or tiles on disk would be small.
//!
//! The bytes of a block are doubled while that helps and two tasks still fit in memory: reading is the
//! slowest part of such a stage, and beginning to read costs as much as some pages.

use super::build::{Builder, finished_bytes, set_segments};
use super::partition::Spec;
use super::stage::{Stage, StageKind};
use super::{Limits, memory, reading};
use crate::geometry::Chunks;
use crate::store::Sink;
use std::sync::Arc;

/// Blocks are not grown where fewer tasks than this would fit.
pub(super) const LEAST_AT_ONCE: usize = 2;
/// Tiles are not cut smaller than this where larger blocks avoid it.
const WORTH_A_PLACE: usize = 1 << 20;

/// Sizes twice as large each time, from twice `from` on, of which the last reaches `most`.
pub(super) fn doubled(from: usize, most: usize) -> impl Iterator<Item = usize> {
    let next = move |&size: &usize| (size < most).then(|| size.saturating_mul(2));
    std::iter::successors(Some(from.max(1)), next).skip(1)
}

/// What is decided before.
pub(super) struct Fitting<'a> {
    pub spec: &'a Spec,
    pub sinks: &'a [Option<Arc<dyn Sink>>],
    /// Bytes for all tasks.
    pub room: u64,
    pub limits: Limits,
}

impl Builder {
    /// Gives a stage that fits on `workers` the best of some grids, of rising size; returns how many tasks
    /// run at once then.
    pub(super) fn grow(
        &mut self,
        mut stage: Stage,
        fitting: &Fitting<'_>,
        mut workers: usize,
        grids: impl Iterator<Item = Chunks>,
    ) -> usize {
        let &Fitting {
            spec,
            sinks,
            room,
            limits,
        } = fitting;
        for grid in grids {
            let before = reading::of_stage(&stage, &self.arrays, &stage.grid.largest());
            let small = self.has_small_tiles(&stage, room);
            if before <= reading::CHEAP && !small {
                break;
            }
            if grid == stage.grid {
                continue;
            }
            let mut larger = Stage {
                grid,
                ..stage.clone()
            };
            set_segments(&mut larger, room, limits.tasks.parts);
            self.place_arrays(&larger, spec);
            let block = larger.grid.largest();
            let terms = memory::task_terms(&larger, &self.arrays, sinks, &block, limits.tasks);
            let task =
                terms.iter().map(|t| t.bytes).sum::<u64>() + finished_bytes(&larger, &self.arrays, &block);
            let held = |n: usize| task * n as u64 + memory::state_bytes(&larger, &block, n);
            if held(LEAST_AT_ONCE) > room {
                break;
            }
            if small || reading::of_stage(&larger, &self.arrays, &block) < before {
                workers = (1..=limits.workers.max(1))
                    .rev()
                    .find(|&n| held(n) <= room)
                    .unwrap_or(1);
                stage = larger;
            }
        }
        self.place_arrays(&stage, spec);
        self.stages.push(stage);
        workers
    }

    /// Whether a stage cuts its blocks to small tiles of arrays that will not stay in memory.
    fn has_small_tiles(&self, stage: &Stage, room: u64) -> bool {
        if !matches!(stage.kind, StageKind::Store) {
            return false;
        }
        let made: u64 = stage
            .arrays
            .iter()
            .map(|&id| memory::array_bytes(&self.arrays[id]))
            .sum();
        let is_small = |&id: &usize| {
            let array = &self.arrays[id];
            let tile = array.grid.largest().iter().product::<usize>() * array.dtype.size();
            array.grid != stage.grid && tile < WORTH_A_PLACE
        };
        made > room / 4 * 3 && stage.arrays.iter().any(is_small)
    }
}
