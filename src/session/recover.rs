//! Going on without a device that was lost in the middle of a run.
//!
//! Tiles that lay there are gone. The stages that made what is still needed are run again on the CPU,
//! from the sources if it must be, and then the stage that found out goes on. What callers and
//! sinks got before stays as it is.

use super::report::StageReport;
use super::run::{Placement, Progress, Run};
use crate::plan::{ArrayId, Feed, Stage};
use crate::store::TileKey;
use crate::{Error, Result};
use std::sync::atomic::Ordering;

impl Run<'_> {
    /// Runs a stage; where tiles were lost with their device, makes them again and goes on.
    pub(super) fn stage_or_again(
        &self,
        stage: &Stage,
        place: &dyn Fn(&Stage) -> Placement,
    ) -> Result<StageReport> {
        let placement = place(stage);
        let keeps = placement.device.keeper().is_some();
        let mut progress = Progress::new(stage, keeps);
        self.take_up(stage, &placement, progress.items(), place)?;
        let error = match self.stage(stage, &placement, &progress) {
            Err(error) if self.residents.is_lost() && !matches!(error, Error::Cancelled) => error,
            other => return other,
        };
        let reason = format!("{error}; what lay there was computed again");
        // Tiles that this stage left there are gone as well.
        if self.counters.kept_bytes.swap(0, Ordering::Relaxed) > 0 {
            progress = Progress::new(stage, false);
        }
        self.make_again(stage.id)?;
        self.note_fallback(stage, &reason);
        self.stage(stage, &self.on_cpu(&reason), &progress)
    }

    /// The CPU, because of a lost device.
    fn on_cpu(&self, reason: &str) -> Placement {
        Placement {
            device: self.cpu.clone(),
            words: format!("{} ({reason})", self.cpu.name()),
        }
    }

    /// Makes the tiles again that stages from number `from` on need and nobody has.
    fn make_again(&self, from: usize) -> Result<()> {
        self.residents.clear_lost();
        let stages = &self.plan.stages;
        let mut needed: Vec<bool> = (0..self.plan.arrays.len()).map(|id| self.is_kept(id)).collect();
        stages[from..]
            .iter()
            .for_each(|stage| need_inputs(stage, &mut needed));
        let mut missing = vec![false; from];
        for stage in stages[..from].iter().rev() {
            let lacks = |&id: &ArrayId| needed[id] && !self.has_all(id);
            if stage.arrays.iter().any(lacks) {
                missing[stage.id] = true;
                need_inputs(stage, &mut needed);
            }
        }
        let placement = self.on_cpu("a device was lost");
        self.again.store(true, Ordering::Relaxed);
        let outcome = stages[..from]
            .iter()
            .filter(|s| missing[s.id])
            .try_for_each(|stage| {
                self.stage(stage, &placement, &Progress::new(stage, false))?;
                self.forget_after(stage);
                Ok(())
            });
        self.again.store(false, Ordering::Relaxed);
        outcome
    }

    /// Whether the store has every tile of an array.
    fn has_all(&self, id: ArrayId) -> bool {
        let array = self.keys[id];
        (0..self.plan.arrays[id].grid.count() as u64)
            .all(|block| self.store.contains(TileKey { array, block }))
    }
}

/// Marks the arrays that a stage reads.
fn need_inputs(stage: &Stage, needed: &mut [bool]) {
    for input in stage.variants.iter().flat_map(|v| &v.inputs) {
        if let Feed::Array(id) = input.feed.base() {
            needed[*id] = true;
        }
    }
}
