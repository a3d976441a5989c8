//! Larger blocks than the caches like, where outside data would come in short pieces or be decoded many
//! times, or tiles on disk would be small.
//!
//! The bytes of a block are doubled while that helps and two tasks still fit in memory: reading is the
//! slowest part of such a stage, and beginning to read costs as much as some pages.

use super::build::{Builder, bytes_per_point, finished_bytes, set_segments};
use super::partition::Spec;
use super::stage::{Stage, StageKind};
use super::{Limits, grid, memory, reading};
use crate::geometry::Chunks;
use crate::store::Sink;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Blocks are not grown where fewer tasks than this would fit.
pub(super) const LEAST_AT_ONCE: usize = 2;
/// Tiles are not cut smaller than this where larger blocks avoid it.
const WORTH_A_PLACE: usize = 1 << 20;

/// What is decided before.
pub(super) struct Fitting<'a> {
    pub spec: &'a Spec,
    pub sinks: &'a [Option<Arc<dyn Sink>>],
    /// Bytes for all tasks.
    pub room: u64,
    pub limits: Limits,
}

impl Builder {
    /// Grows the blocks of a stage that fits on `workers`, along the chunks of `hint` and cut at `starts`;
    /// returns how many tasks run at once then.
    pub(super) fn grow(
        &mut self,
        mut stage: Stage,
        fitting: &Fitting<'_>,
        hint: &Chunks,
        starts: &[BTreeSet<usize>],
        mut workers: usize,
    ) -> usize {
        let &Fitting {
            spec,
            sinks,
            room,
            limits,
        } = fitting;
        let per_point = bytes_per_point(&stage, &self.arrays, limits.tasks).max(1);
        let mut bytes = stage.grid.largest().iter().product::<usize>() * per_point;
        let total = stage.shape.iter().product::<usize>().saturating_mul(per_point);
        while bytes < total {
            let before = reading::of_stage(&stage, &self.arrays, &stage.grid.largest());
            let small = self.has_small_tiles(&stage, room);
            if before <= reading::CHEAP && !small {
                break;
            }
            bytes = bytes.saturating_mul(2);
            let mut larger = stage.clone();
            let chosen = grid::choose(hint, bytes / per_point, bytes / per_point);
            larger.grid = grid::refine(&chosen, starts);
            if larger.grid == stage.grid {
                continue;
            }
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
