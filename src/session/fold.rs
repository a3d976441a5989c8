//! Reductions: kept blocks × folded blocks, in an order that fixes the bits.
//!
//! The folded blocks of each kept block are cut into a fixed number of runs. A run is fed block
//! after block into one state by one worker; the states of the runs are merged in their order,
//! whoever finishes first. So the result does not depend on the number of threads.
//!
//! A run begins when it is near enough to the oldest one that has not ended ([`runs_ahead`]), so few
//! states wait to be merged. The oldest one always has a worker that waits for no other run.

use super::checkpoint::{Begun, PartWriter};
use super::run::{Placement, Run};
use super::{fetch, output};
use crate::Result;
use crate::device::{Accumulator, OutMut};
use crate::geometry::{Chunks, Region};
use crate::plan::{Stage, StageKind, runs_ahead};
use crate::store::Reservation;
use crate::{Error, geometry};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tilewise_kernels::reduce::State;

/// How often a run that waits for its turn looks whether all is cancelled.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The states of one run, with the memory they hold.
struct States {
    states: Vec<State>,
    _memory: Reservation,
}

/// A kept block whose runs come in.
#[derive(Default)]
struct Fold {
    next: usize,
    merged: Option<States>,
    waiting: BTreeMap<usize, States>,
}

/// The kept blocks in work, and which runs may begin.
#[derive(Default)]
pub(super) struct Folds {
    folds: Mutex<HashMap<usize, Fold>>,
    line: Mutex<Line>,
    moved: Condvar,
}

/// Where the runs of a stage are, all kept blocks together.
#[derive(Default)]
struct Line {
    /// The oldest item that has not ended.
    oldest: usize,
    /// Those behind it that have.
    ended: BTreeSet<usize>,
    /// Whether an item failed, so that no other begins.
    failed: bool,
}

/// An item's leave to run. Dropping it before it is done lets no other begin.
pub(super) struct Turn<'a> {
    folds: &'a Folds,
    item: usize,
}

/// The blocks of a stage apart: those along kept and those along folded axes.
struct Split {
    kept: Chunks,
    folded: Chunks,
    is_folded: Vec<bool>,
    segments: usize,
}

impl Split {
    fn new(stage: &Stage) -> Split {
        let is_folded = stage.folded();
        let pick = |want: bool| {
            let axes = stage
                .grid
                .axes()
                .iter()
                .zip(&is_folded)
                .filter(|(_, f)| **f == want);
            Chunks::new(axes.map(|(axis, _)| axis.clone()).collect())
        };
        let segments = match &stage.kind {
            StageKind::Reduce { segments, .. } => *segments,
            _ => 1,
        };
        Split {
            kept: pick(false),
            folded: pick(true),
            segments,
            is_folded,
        }
    }

    /// The region of a kept and a folded block together.
    fn region(&self, kept: &[usize], folded: &[usize]) -> Region {
        let (k, f) = (self.kept.region(kept), self.folded.region(folded));
        let (mut ki, mut fi) = (0, 0);
        let (start, shape) = self
            .is_folded
            .iter()
            .map(|&is_folded| {
                let (region, at) = if is_folded { (&f, &mut fi) } else { (&k, &mut ki) };
                *at += 1;
                (region.start[*at - 1], region.shape[*at - 1])
            })
            .unzip();
        Region { start, shape }
    }

    /// The blocks of an item that are not empty, in order.
    fn blocks(&self, item: usize) -> impl Iterator<Item = Region> {
        let (kept, segment) = (self.kept.block(item / self.segments), item % self.segments);
        let count = self.folded.count();
        let run = segment * count / self.segments..(segment + 1) * count / self.segments;
        let regions = run.map(move |number| self.region(&kept, &self.folded.block(number)));
        regions.filter(|block| !block.is_empty())
    }
}

/// The block that an item begins with.
pub(super) fn first_block(stage: &Stage, item: usize) -> Option<Region> {
    Split::new(stage).blocks(item).next()
}

/// Number of items of a reduction: kept blocks times runs.
pub(super) fn item_count(stage: &Stage) -> usize {
    let split = Split::new(stage);
    split.kept.count() * split.segments
}

/// Feeds one run and, when it is its turn, merges it; the last one hands the results on.
pub(super) fn run_item(
    run: &Run<'_>,
    stage: &Stage,
    placement: &Placement,
    folds: &Folds,
    item: usize,
) -> Result<()> {
    let split = Split::new(stage);
    let (kept_number, segment) = (item / split.segments, item % split.segments);
    let kept = split.kept.block(kept_number);
    if split.kept.region(&kept).is_empty() {
        return Ok(());
    }
    let mut states = new_states(run, stage, &split, &kept)?;
    let blocks = || split.blocks(item);
    let begun = run
        .kept_of(stage.id)
        .and_then(|checkpoint| checkpoint.take_run(stage.id, item, &mut states.states));
    let fed = match begun {
        None if gather(run, stage, placement, blocks, &mut states.states)? => None,
        None => Some(0),
        Some(Begun::Blocks(fed)) => Some(fed),
        Some(Begun::Whole) => None,
    };
    let mut part = run.part_writer(stage, item);
    if let Some(fed) = fed {
        let tell = |next: &Region| fetch::announce(run, stage.variant(&next.start), next);
        for (number, block) in (fed..).zip(fetch::announced(blocks().skip(fed), tell)) {
            run.go_on()?;
            feed(run, stage, placement, &block, &mut states.states)?;
            if let Some(part) = &mut part {
                run.note_kept(part.fed(number + 1, &states.states));
            }
        }
    }
    if split.segments > 1 && begun != Some(Begun::Whole) {
        run.keep_run(stage, item, &states.states);
    }
    if let Some(done) = folds.arrive(kept_number, segment, split.segments, states) {
        finish(run, stage, &split, &kept, &done.states)?;
    }
    part.into_iter().for_each(PartWriter::done);
    Ok(())
}

/// Fresh states for a kept block.
fn new_states(run: &Run<'_>, stage: &Stage, split: &Split, kept: &[usize]) -> Result<States> {
    let StageKind::Reduce { reductions, .. } = &stage.kind else {
        return Err(Error::invalid("a stage without reductions cannot be folded"));
    };
    let program = &stage.variants[0].program;
    let first = split.region(kept, &vec![0; split.folded.axes().len()]);
    let len = geometry::element_count(&stage.state_shape(&first.shape))?;
    let dtypes: Vec<_> = program
        .outputs
        .iter()
        .map(|o| program.insts[o.value()].dtype)
        .collect();
    let bytes: usize = reductions
        .iter()
        .zip(&dtypes)
        .map(|(r, &d)| State::bytes_for(*r, d, len))
        .sum();
    let memory = run.store.reserve("reduction states", bytes as u64)?;
    let states = reductions
        .iter()
        .zip(dtypes)
        .map(|(r, dtype)| State::new(*r, dtype, len).map_err(Error::Invalid))
        .collect::<Result<_>>()?;
    Ok(States {
        states,
        _memory: memory,
    })
}

/// Feeds blocks into states in the device's memory; whether it did: one block is fed at once, and
/// large states would crowd out all else. A device that fails leaves the states as they were before.
fn gather<B: Iterator<Item = Region>>(
    run: &Run<'_>,
    stage: &Stage,
    placement: &Placement,
    blocks: impl Fn() -> B,
    states: &mut Vec<State>,
) -> Result<bool> {
    let Some(keeper) = placement.device.keeper().filter(|_| blocks().nth(1).is_some()) else {
        return Ok(false);
    };
    let bytes = |state: &State| State::bytes_for(state.reduction(), state.dtype(), state.len()) as u64;
    if states.iter().map(bytes).sum::<u64>() > keeper.room() / 8 {
        return Ok(false);
    }
    let mut held: Vec<Accumulator> = states.drain(..).map(Accumulator::new).collect();
    let mut add = |block: &Region| {
        run.go_on()?;
        let variant = stage.variant(&block.start);
        let inputs = fetch::inputs(run, Some(keeper), variant, block)?;
        let (buffers, residents) = (inputs.buffers(), inputs.residents());
        let task = inputs.task(variant, block, labels(stage, block), &buffers);
        let mut outputs: Vec<OutMut<'_>> = held.iter_mut().map(OutMut::Fold).collect();
        keeper.run_resident(&task, &residents, &mut outputs)
    };
    let tell = |next: &Region| fetch::announce(run, stage.variant(&next.start), next);
    let added = fetch::announced(blocks(), tell).try_for_each(|block| add(&block));
    let settled = added.and_then(|()| held.iter_mut().try_for_each(Accumulator::settle));
    states.extend(held.into_iter().map(Accumulator::into_host));
    if let Err(error) = settled {
        states.iter_mut().for_each(State::reset);
        run.note_fallback(stage, &run.excuse(placement, error)?);
        return Ok(false);
    }
    Ok(true)
}

/// The labels of a block along the grouped axis.
fn labels<'a>(stage: &'a Stage, block: &Region) -> Option<&'a [u32]> {
    match &stage.kind {
        StageKind::Reduce {
            labels: Some((axis, labels)),
            ..
        } => Some(&labels[block.start[*axis]..block.stop(*axis)]),
        _ => None,
    }
}

/// Feeds one block.
fn feed(
    run: &Run<'_>,
    stage: &Stage,
    placement: &Placement,
    block: &Region,
    states: &mut [State],
) -> Result<()> {
    let variant = stage.variant(&block.start);
    let keeper = placement.device.keeper();
    let mut inputs = fetch::inputs(run, keeper, variant, block)?;
    let labels = labels(stage, block);
    let mut outputs: Vec<OutMut<'_>> = states.iter_mut().map(OutMut::Reduce).collect();
    {
        let (buffers, residents) = (inputs.buffers(), inputs.residents());
        let task = inputs.task(variant, block, labels, &buffers);
        let outcome = match keeper {
            Some(keeper) => keeper.run_resident(&task, &residents, &mut outputs),
            None => placement.device.run(&task, &mut outputs),
        };
        match outcome {
            Ok(()) => return Ok(()),
            Err(error) => run.note_fallback(stage, &run.excuse(placement, error)?),
        }
    }
    inputs.bring_home(run)?;
    let buffers = inputs.buffers();
    run.cpu
        .run(&inputs.task(variant, block, labels, &buffers), &mut outputs)
}

impl Folds {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before the items of a stage are run, for the first time or again.
    pub fn begin(&self) {
        self.line().failed = false;
    }

    /// Waits until an item may run on one of `workers`; `None` when another one has failed, or the run is
    /// cancelled: then the oldest item may never have begun.
    pub fn enter(&self, run: &Run<'_>, workers: usize, item: usize) -> Option<Turn<'_>> {
        let may = |line: &Line| line.failed || item < line.oldest + runs_ahead(workers);
        let mut line = self.line();
        if !may(&line) {
            drop(line);
            // States of this thread may lie here until others end.
            run.store.while_blocked(|| {
                let mut line = self.line();
                while !may(&line) && run.go_on().is_ok() {
                    let waited = self.moved.wait_timeout(line, LOOK_AGAIN);
                    line = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            });
            line = self.line();
        }
        let goes = may(&line) && !line.failed;
        drop(line); // a turn takes it when it is dropped
        goes.then(|| Turn { folds: self, item })
    }

    /// Takes in a run's states; returns the merged ones after the last run.
    fn arrive(&self, kept: usize, segment: usize, segments: usize, states: States) -> Option<States> {
        let mut folds = self.folds.lock().unwrap_or_else(PoisonError::into_inner);
        let fold = folds.entry(kept).or_default();
        fold.waiting.insert(segment, states);
        while let Some(states) = fold.waiting.remove(&fold.next) {
            match &mut fold.merged {
                None => fold.merged = Some(states),
                Some(merged) => {
                    for (into, from) in merged.states.iter_mut().zip(&states.states) {
                        into.merge(from);
                    }
                }
            }
            fold.next += 1;
        }
        if fold.next < segments {
            return None;
        }
        folds.remove(&kept).and_then(|fold| fold.merged)
    }
}

impl Turn<'_> {
    /// The item has ended, or had before.
    pub fn done(self) {
        let mut line = self.folds.line();
        if self.item >= line.oldest {
            line.ended.insert(self.item);
        }
        while line.ended.first() == Some(&line.oldest) {
            line.ended.pop_first();
            line.oldest += 1;
        }
        drop(line);
        self.folds.moved.notify_all();
        std::mem::forget(self);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.folds.line().failed = true;
        self.folds.moved.notify_all();
    }
}

/// Turns merged states into tiles of the stage's arrays.
fn finish(run: &Run<'_>, stage: &Stage, split: &Split, kept: &[usize], states: &[State]) -> Result<()> {
    for (&array, state) in stage.arrays.iter().zip(states) {
        let made = &run.plan.arrays[array];
        let mut out = run
            .store
            .take("finished tiles", state.len() * made.dtype.size())?;
        state.finish(&mut out, 0..state.len());
        let place = made.grid.region(&made_block(stage, split, kept));
        output::deliver(run, array, &place, out)?;
    }
    Ok(())
}

/// The block of the made array for a kept block: the grouped axis has one chunk.
fn made_block(stage: &Stage, split: &Split, kept: &[usize]) -> Vec<usize> {
    let grouped = match &stage.kind {
        StageKind::Reduce {
            labels: Some((axis, _)),
            ..
        } => Some(*axis),
        _ => None,
    };
    let mut next = kept.iter();
    (0..split.is_folded.len())
        .filter_map(|axis| match (split.is_folded[axis], grouped == Some(axis)) {
            (false, _) => next.next().copied(),
            (true, true) => Some(0),
            (true, false) => None,
        })
        .collect()
}
