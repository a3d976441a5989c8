//! Taking up what an earlier run has finished: its blocks are delivered again, what is left is computed,
//! and stages whose arrays nobody needs any more are passed over.

use super::{Checkpoint, Kind, PartWriter, blocks_of};
use crate::Result;
use crate::plan::{Feed, Stage, StageKind};
use crate::session::event::Event;
use crate::session::report::StageReport;
use crate::session::run::{Placement, Run};
use crate::session::{blocks, lock, output};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use tilewise_kernels::reduce::State;

impl<'a> Run<'a> {
    /// The checkpoint, where a stage's blocks go to one. A stage that is run again for lost tiles computes
    /// them anew.
    pub(in crate::session) fn kept_of(&self, stage: usize) -> Option<&Checkpoint<'a>> {
        let again = self.again.load(Ordering::Relaxed);
        self.checkpoint.as_ref().filter(|c| !again && c.keeps(stage))
    }

    /// Tells where the disk has refused.
    pub(in crate::session) fn note_kept(&self, kept: io::Result<()>) {
        if let (Err(error), Some(checkpoint)) = (kept, &self.checkpoint) {
            let folder = checkpoint.folder().path().to_path_buf();
            let reason = error.to_string();
            self.tell(&Event::CheckpointStopped { folder, reason });
        }
    }

    /// Which stages have to run, by their numbers: those whose arrays are asked for, or read by one that
    /// has to run and whose log is not whole.
    pub(in crate::session) fn needed(&self) -> Vec<bool> {
        let stages = &self.plan.stages;
        let Some(checkpoint) = &self.checkpoint else {
            return vec![true; stages.len()];
        };
        let arrays = &self.plan.arrays;
        let mut read = vec![false; arrays.len()];
        let mut needed = vec![false; stages.len()];
        for stage in stages.iter().rev() {
            needed[stage.id] = stage
                .arrays
                .iter()
                .any(|&id| read[id] || !arrays[id].roots.is_empty());
            if needed[stage.id] && !checkpoint.is_whole(stage.id) {
                inputs(stage).for_each(|id| read[id] = true);
            }
        }
        needed
    }

    /// What is told of a stage that is passed over.
    pub(in crate::session) fn passed_over(&self, stage: &Stage) -> StageReport {
        StageReport {
            stage: stage.id,
            reason: stage.reason.clone(),
            device: "none: what follows from it was finished by an earlier run".into(),
            ..StageReport::default()
        }
    }

    /// Delivers what the log of a stage has; then makes sure of its inputs if more is to be computed.
    ///
    /// # Errors
    /// What delivering and computing inputs meet.
    pub(in crate::session) fn take_up(
        &self,
        stage: &Stage,
        placement: &Placement,
        items: usize,
        place: &dyn Fn(&Stage) -> Placement,
    ) -> Result<()> {
        let Some(checkpoint) = &self.checkpoint else {
            return Ok(());
        };
        self.note_kept(checkpoint.begin(stage.id, &placement.device.name()));
        self.next_use.enter(stage.id);
        self.deliver_again(stage, checkpoint)?;
        let done = (0..items).filter(|&item| self.is_taken(stage, item)).count();
        checkpoint.items.fetch_add(done as u64, Ordering::Relaxed);
        if done > 0 {
            self.tell(&Event::Resumed {
                stage: stage.id,
                tasks: done as u64,
            });
        }
        if done == items {
            return Ok(());
        }
        // A log that seemed whole may have turned out not to be: then its inputs were passed over.
        let mut missing: Vec<usize> = inputs(stage).map(|id| self.plan.arrays[id].made_by).collect();
        missing.retain(|&id| !checkpoint.ran[id].load(Ordering::Relaxed));
        missing.sort_unstable();
        missing.dedup();
        for id in missing {
            self.stage_or_again(&self.plan.stages[id], place)?;
        }
        Ok(())
    }

    /// Whether all that an item gives was delivered from the log.
    pub(in crate::session) fn is_taken(&self, stage: &Stage, item: usize) -> bool {
        let Some(checkpoint) = self.kept_of(stage.id) else {
            return false;
        };
        let taken = |number: usize| {
            (0..stage.arrays.len()).all(|array| checkpoint.has_taken(stage.id, array, number))
        };
        match &stage.kind {
            StageKind::Reduce { segments, .. } => taken(item / segments),
            StageKind::Block(op) => {
                let mut column = blocks::column(stage, op.as_ref(), item);
                column.all(|at| taken(stage.grid.number(&at)) || stage.grid.region(&at).is_empty())
            }
            _ => taken(item),
        }
    }

    /// Delivers the blocks in a stage's log whose checksums are right.
    fn deliver_again(&self, stage: &Stage, checkpoint: &Checkpoint<'_>) -> Result<()> {
        let Some(log) = checkpoint.log(stage.id) else {
            return Ok(());
        };
        if log
            .found
            .iter()
            .all(|bits| (0..bits.len()).all(|at| !bits.get(at)))
        {
            return Ok(());
        }
        let next = Mutex::new(log.log.first());
        let workers = self.plan.memory.stages[stage.id].workers;
        self.parallel(workers, workers, |_| {
            loop {
                self.go_on()?;
                let found = log.log.next(&mut lock(&next));
                let Some((record, place)) = found else {
                    return Ok(());
                };
                if record.kind != Kind::Block {
                    continue;
                }
                let (array, number) = (record.of as usize, record.number as usize);
                let grid = blocks_of(self.plan, stage, array);
                let block = grid.region(&grid.block(number));
                let id = stage.arrays[array];
                let bytes = block.len() * self.plan.arrays[id].dtype.size();
                if record.len != bytes as u64 || log.taken[array].get(number) {
                    continue;
                }
                let mut data = self.store.take("output blocks", bytes)?;
                // One that was written twice may meet itself here.
                if log.log.read(&record, place, &mut [&mut data]) && log.taken[array].set(number) {
                    output::hand_on(self, id, &block, data)?;
                    checkpoint.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                }
            }
        })?;
        // What was found and is not right is written again.
        let taken: usize = log
            .taken
            .iter()
            .map(|bits| (0..bits.len()).filter(|&at| bits.get(at)).count())
            .sum();
        log.kept.store(taken as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Forgets the blocks of stages that nothing needs after `stage`, even after a kill.
    pub(in crate::session) fn forget_kept(&self, stage: &Stage) {
        let Some(checkpoint) = self.checkpoint.as_ref().filter(|c| c.is_whole(stage.id)) else {
            return;
        };
        let arrays = &self.plan.arrays;
        let reads = |reader: &Stage, made: &Stage| inputs(reader).any(|id| made.arrays.contains(&id));
        for made in inputs(stage).map(|id| &self.plan.stages[arrays[id].made_by]) {
            let free = made.arrays.iter().all(|&id| arrays[id].roots.is_empty());
            let mut readers = self.plan.stages.iter().filter(|reader| reads(reader, made));
            if free && readers.all(|reader| checkpoint.is_whole(reader.id)) {
                checkpoint.forget(made.id);
            }
        }
    }

    /// Writes the states of a run of a reduction while it is fed, where that is asked for.
    pub(in crate::session) fn part_writer(&self, stage: &Stage, item: usize) -> Option<PartWriter<'_>> {
        self.kept_of(stage.id).map(|c| PartWriter::new(c, stage.id, item))
    }

    /// Keeps the states of a finished run of a reduction.
    pub(in crate::session) fn keep_run(&self, stage: &Stage, item: usize, states: &[State]) {
        if let Some(checkpoint) = self.kept_of(stage.id) {
            self.note_kept(checkpoint.keep_run(stage.id, item, states));
        }
    }
}

/// The arrays that a stage reads.
fn inputs(stage: &Stage) -> impl Iterator<Item = usize> {
    let inputs = stage.variants.iter().flat_map(|v| &v.inputs);
    inputs.filter_map(|input| match input.feed.base() {
        Feed::Array(id) => Some(*id),
        _ => None,
    })
}
