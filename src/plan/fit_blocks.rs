//! The grid of a block operation: blocks as its axes ask, of tasks that fit, in steps where that saves
//! reading.

use super::block::{self, Steps};
use super::build::{Builder, NOMINAL_WORKERS, SMALL_BYTES};
use super::grow::{Fitting, LEAST_AT_ONCE, doubled};
use super::partition::Spec;
use super::stage::{Stage, StageKind};
use super::{Limits, TaskSize, memory};
use crate::Result;
use crate::expr::BlockOp;
use crate::geometry::Chunks;
use crate::store::Sink;
use std::sync::Arc;

/// How often the size of blocks in steps is halved towards what just fits.
const CLOSER: usize = 5;

impl Builder {
    /// Chooses the grid of a block operation: as its axes ask, of tasks that fit; in steps where that
    /// saves reading, or where nothing else fits.
    pub(super) fn fit_blocks(
        &mut self,
        mut stage: Stage,
        spec: &Spec,
        op: &Arc<dyn BlockOp>,
        sinks: &[Option<Arc<dyn Sink>>],
        results: u64,
        limits: Limits,
    ) -> Result<usize> {
        let (made, tasks) = (&spec.makes[0], limits.tasks);
        let fixed = memory::pinned_bytes(&stage, &self.arrays) + results;
        let room = limits.host.saturating_sub(fixed);
        let can_step = op.in_steps(&made.shape, 1, tasks.parts, true).is_some();
        // What lies in the host's memory is brought to a card all the same.
        let brings = tasks.card.is_some() || memory::brings(&stage, &self.arrays);
        let mut steps = match can_step && brings {
            true => Steps::WherePaid,
            false => Steps::Never,
        };
        let mut target = tasks.bytes;
        let (mut task, enough) = loop {
            let (task, suits) = self.cut_blocks(&mut stage, spec, (op, steps), sinks, target, tasks);
            let enough = if target > SMALL_BYTES { NOMINAL_WORKERS } else { 1 } as u64;
            let smallest = match steps {
                Steps::Never => {
                    let least = block::extents(op.as_ref(), made, 1, tasks.parts);
                    op.exact_chunks() || stage.grid == Chunks::regular(&made.shape, &least)
                }
                _ => target <= 1,
            };
            match (suits && task * enough <= room, smallest) {
                (true, _) => break (task, enough),
                (false, true) if steps == Steps::Never && can_step && task > room => {
                    (steps, target) = (Steps::Forced, tasks.bytes);
                }
                (false, true) => break (task, 0),
                (false, false) => target /= 2,
            }
        };
        if steps != Steps::Never && enough > 0 && target < tasks.bytes {
            // The larger the blocks, the less is read.
            let (mut low, mut high) = (target, 2 * target);
            for _ in 0..CLOSER {
                let middle = low + (high - low) / 2;
                let (task, suits) = self.cut_blocks(&mut stage, spec, (op, steps), sinks, middle, tasks);
                match suits && task * enough <= room {
                    true => low = middle,
                    false => high = middle,
                }
            }
            (task, _) = self.cut_blocks(&mut stage, spec, (op, steps), sinks, low, tasks);
        }
        let most = (room / task.max(1)).clamp(1, limits.workers.max(1) as u64) as usize;
        if steps == Steps::Never && enough > 0 && tasks.card.is_none() && !op.exact_chunks() {
            let fitting = Fitting {
                spec,
                sinks,
                room,
                limits,
            };
            // Fewer and larger blocks than caches and many threads like, but for two tasks at least.
            let parts = tasks.parts.min(LEAST_AT_ONCE);
            let grids = doubled(target, room as usize).map(|target| {
                Chunks::regular(&made.shape, &block::extents(op.as_ref(), made, target, parts))
            });
            return Ok(self.grow(stage, &fitting, most, grids));
        }
        let most = match (&stage.kind, tasks.card) {
            (StageKind::Block(op), Some(card)) => {
                let held = block::at_once_on_card(op.as_ref(), made, &stage.grid.largest(), card);
                most.min(held)
            }
            _ => most,
        };
        self.stages.push(stage);
        Ok(most)
    }

    /// Cuts a block operation into blocks for about `target` bytes; what a task takes, and whether a
    /// card holds it.
    fn cut_blocks(
        &mut self,
        stage: &mut Stage,
        spec: &Spec,
        (op, steps): (&Arc<dyn BlockOp>, Steps),
        sinks: &[Option<Arc<dyn Sink>>],
        target: usize,
        tasks: TaskSize,
    ) -> (u64, bool) {
        let made = &spec.makes[0];
        let op = block::in_steps(op, made, target, tasks.parts, steps);
        let extents = block::extents(op.as_ref(), made, target, tasks.parts);
        stage.grid = if op.exact_chunks() {
            made.chunks.clone()
        } else {
            Chunks::regular(&made.shape, &extents)
        };
        let suits = |card| block::fits_card(op.as_ref(), made, &extents, card);
        let suits = tasks.card.is_none_or(suits);
        stage.kind = StageKind::Block(op);
        self.place_arrays(stage, spec);
        let terms = memory::task_terms(stage, &self.arrays, sinks, &stage.grid.largest(), tasks);
        (terms.iter().map(|t| t.bytes).sum(), suits)
    }
}
