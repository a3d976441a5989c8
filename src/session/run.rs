//! Running a plan: stage after stage, tasks in the order of their blocks on a pool of workers.
//!
//! A worker takes the next task, gathers its inputs, runs it on the stage's device and hands the
//! result on before it takes another, so what is alive is what the memory proof counted. A task
//! that a GPU fails is run again on the CPU.

use super::checkpoint::Checkpoint;
use super::event::{Ear, Event};
use super::next_use::NextUse;
use super::report::StageReport;
use super::residents::Residents;
use super::shared_sources::SharedSources;
use super::{blocks, closure, fetch, fold, output};
use crate::device::{Device, Keeper, OutMut, Resident};
use crate::geometry::Region;
use crate::plan::{ArrayId, Plan, Stage, StageKind, Variant};
use crate::store::{Buffer, Canvas, Patch, TileKey, TileStore};
use crate::{Error, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What a running stage counts.
#[derive(Default)]
pub(super) struct Counters {
    pub source_bytes: AtomicU64,
    pub array_bytes: AtomicU64,
    pub written_bytes: AtomicU64,
    /// Of what was read from earlier arrays, what lay on the device.
    pub resident_bytes: AtomicU64,
    /// Of what was written, what stayed on the device.
    pub kept_bytes: AtomicU64,
    pub fallbacks: AtomicU64,
    pub fallback_reason: Mutex<Option<String>>,
}

/// How far a stage has come.
pub(super) struct Progress {
    items: usize,
    /// Which items are done, a bit each; none are noted where nothing can be lost.
    done: Vec<AtomicU64>,
    folds: fold::Folds,
}

impl Progress {
    /// At the beginning of a stage; `noted` says that it may have to go on from where it came to.
    pub fn new(stage: &Stage, noted: bool) -> Progress {
        let items = match &stage.kind {
            StageKind::Reduce { .. } => fold::item_count(stage),
            StageKind::Block(op) => blocks::item_count(stage, op.as_ref()),
            _ => stage.grid.count(),
        };
        let words = if noted { items.div_ceil(64) } else { 0 };
        Progress {
            items,
            done: (0..words).map(|_| AtomicU64::new(0)).collect(),
            folds: fold::Folds::default(),
        }
    }

    /// How many items the stage has.
    pub fn items(&self) -> usize {
        self.items
    }

    fn is_done(&self, item: usize) -> bool {
        let word = self.done.get(item / 64).map_or(0, |w| w.load(Ordering::Relaxed));
        word >> (item % 64) & 1 == 1
    }

    fn done(&self, item: usize) {
        if let Some(word) = self.done.get(item / 64) {
            word.fetch_or(1 << (item % 64), Ordering::Relaxed);
        }
    }
}

/// The devices of a stage.
pub(super) struct Placement {
    /// The one chosen, and in words why.
    pub device: Arc<dyn Device>,
    pub words: String,
}

/// A plan on its way.
pub(super) struct Run<'a> {
    pub plan: &'a Plan,
    pub store: &'a TileStore,
    pub residents: &'a Residents,
    pub pool: &'a rayon::ThreadPool,
    pub cpu: &'a Arc<dyn Device>,
    /// The store's number of each array.
    pub keys: Vec<u64>,
    /// Where roots that are handed to the caller go, by root.
    pub results: Vec<Option<Canvas<'a>>>,
    pub counters: Counters,
    pub cancelled: &'a AtomicBool,
    pub ear: &'a Ear,
    pub next_use: Arc<NextUse>,
    pub shared: SharedSources,
    /// Whether a stage that ended before is run again for its tiles: callers and sinks have theirs.
    pub again: AtomicBool,
    /// Where finished blocks are kept, if a killed run is to go on.
    pub checkpoint: Option<Checkpoint<'a>>,
}

impl Run<'_> {
    /// Runs every stage; on an error no tile of the plan is left in the store.
    pub fn run(&self, place: &dyn Fn(&Stage) -> Placement) -> Result<Vec<StageReport>> {
        let mut reports = Vec::new();
        let needed = self.needed();
        for stage in &self.plan.stages {
            if !needed[stage.id] {
                reports.push(self.passed_over(stage));
                continue;
            }
            match self.stage_or_again(stage, place) {
                Ok(report) => reports.push(report),
                Err(error) => {
                    for id in 0..self.plan.arrays.len() {
                        self.forget(id);
                    }
                    for stage in &self.plan.stages {
                        self.shared
                            .over_after(stage.id)
                            .for_each(|s| self.residents.remove_regions(s));
                    }
                    return Err(error);
                }
            }
            self.forget_after(stage);
            self.forget_kept(stage);
        }
        if self.checkpoint.is_some() {
            // Where stages were passed over, the last reader of an array may be among them.
            let arrays = 0..self.plan.arrays.len();
            arrays
                .filter(|&id| !self.is_kept(id))
                .for_each(|id| self.forget(id));
        }
        Ok(reports)
    }

    /// Forgets what no later stage reads.
    pub fn forget_after(&self, stage: &Stage) {
        for (id, array) in self.plan.arrays.iter().enumerate() {
            if array.stored && array.last_use == stage.id && !self.is_kept(id) {
                self.forget(id);
            }
        }
        for source in self.shared.over_after(stage.id) {
            self.residents.remove_regions(source);
        }
    }

    /// Whether an array outlives the run.
    pub fn is_kept(&self, id: ArrayId) -> bool {
        self.plan.is_kept(id)
    }

    /// Removes an array's tiles from the store.
    fn forget(&self, id: usize) {
        let array = &self.plan.arrays[id];
        if array.stored {
            for block in 0..array.grid.count() as u64 {
                let key = TileKey {
                    array: self.keys[id],
                    block,
                };
                self.residents.remove(key);
                self.store.remove(key);
            }
        }
    }

    /// Tells the listener.
    pub fn tell(&self, event: &Event) {
        self.ear.tell(event);
    }

    /// Runs one stage that got so far before.
    pub fn stage(&self, stage: &Stage, placement: &Placement, progress: &Progress) -> Result<StageReport> {
        let started = Instant::now();
        let memory = &self.plan.memory.stages[stage.id];
        let (workers, items) = (memory.workers, progress.items);
        // So that tiles never fill what kernels, readers and writers take by themselves.
        let _beside = self
            .store
            .reserve("kernels, readers and writers", memory.beside())?;
        self.next_use.enter(stage.id);
        self.tell(&Event::StageStarted {
            stage: stage.id,
            tasks: items as u64,
        });
        let folds = &progress.folds;
        folds.begin();
        let in_line = matches!(stage.kind, StageKind::Reduce { .. });
        self.parallel(workers, items, |item| {
            let turn = if in_line {
                let Some(turn) = folds.enter(self, workers, item) else {
                    return self.go_on();
                };
                Some(turn)
            } else {
                None
            };
            if progress.is_done(item) {
                self.next_use.advance(item);
                turn.into_iter().for_each(fold::Turn::done);
                return Ok(());
            }
            self.announce(stage, item + workers);
            if !self.is_taken(stage, item) {
                match &stage.kind {
                    StageKind::Reduce { .. } => fold::run_item(self, stage, placement, folds, item)?,
                    StageKind::Block(op) => blocks::run_item(self, stage, placement, op.as_ref(), item)?,
                    StageKind::Custom(custom) => closure::run_item(self, stage, placement, custom, item)?,
                    StageKind::Store => self.store_task(stage, placement, item)?,
                }
            }
            turn.into_iter().for_each(fold::Turn::done);
            progress.done(item);
            self.next_use.advance(item);
            self.tell(&Event::TaskEnded {
                stage: stage.id,
                task: item as u64,
            });
            Ok(())
        })?;
        self.cpu.rest();
        if let Some(Err(error)) = placement.device.keeper().map(Keeper::flush)
            && self.counters.kept_bytes.load(Ordering::Relaxed) > 0
        {
            self.residents.note_lost();
            return Err(error);
        }
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        let reason = &self.counters.fallback_reason;
        Ok(StageReport {
            stage: stage.id,
            reason: stage.reason.clone(),
            device: placement.words.clone(),
            tasks: stage.grid.count() as u64,
            fallbacks: take(&self.counters.fallbacks),
            fallback_reason: reason.lock().unwrap_or_else(PoisonError::into_inner).take(),
            workers,
            source_bytes: take(&self.counters.source_bytes),
            array_bytes: take(&self.counters.array_bytes),
            written_bytes: take(&self.counters.written_bytes),
            resident_bytes: take(&self.counters.resident_bytes),
            kept_bytes: take(&self.counters.kept_bytes),
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Runs `work(0..items)` on `workers` threads, started in rising order; the first error stops
    /// the others before their next item.
    pub fn parallel(
        &self,
        workers: usize,
        items: usize,
        work: impl Fn(usize) -> Result<()> + Sync,
    ) -> Result<()> {
        let next = AtomicU64::new(0);
        let failed: Mutex<Option<Error>> = Mutex::new(None);
        let stop = AtomicBool::new(false);
        let drain = || {
            while !stop.load(Ordering::Relaxed) {
                let item = next.fetch_add(1, Ordering::Relaxed);
                if item >= items as u64 {
                    break;
                }
                let outcome = if self.cancelled.load(Ordering::Relaxed) {
                    Err(Error::Cancelled)
                } else {
                    work(item as usize)
                };
                if let Err(error) = outcome {
                    stop.store(true, Ordering::Relaxed);
                    failed
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_or_insert(error);
                }
            }
        };
        let workers = workers.min(items).max(1);
        if workers == 1 {
            drain();
        } else {
            // This thread holds the results' memory while it waits for the workers.
            self.store.while_blocked(|| {
                self.pool.scope(|scope| {
                    for _ in 0..workers {
                        scope.spawn(|_| drain());
                    }
                });
            });
        }
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Whether the caller still wants the result.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when not.
    pub fn go_on(&self) -> Result<()> {
        match self.cancelled.load(Ordering::Relaxed) {
            true => Err(Error::Cancelled),
            false => Ok(()),
        }
    }

    /// Counts and tells that a device failed on a task.
    pub fn note_fallback(&self, stage: &Stage, reason: &str) {
        self.counters.fallbacks.fetch_add(1, Ordering::Relaxed);
        let mut first = self
            .counters
            .fallback_reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| reason.to_string());
        drop(first);
        self.tell(&Event::DeviceFallback {
            stage: stage.id,
            reason: reason.to_string(),
        });
    }

    /// Why a task that failed so on the stage's device is one for the CPU.
    ///
    /// # Errors
    /// The error itself where it is no failure of a GPU.
    pub fn excuse(&self, placement: &Placement, error: Error) -> Result<String> {
        match error {
            Error::Device(reason) if !Arc::ptr_eq(&placement.device, self.cpu) => Ok(reason),
            Error::Memory { tier, .. } if tier.starts_with("gpu") => Ok(error.to_string()),
            other => Err(other),
        }
    }

    /// Tells sources what an item will read of them.
    fn announce(&self, stage: &Stage, item: usize) {
        match &stage.kind {
            StageKind::Store | StageKind::Custom(_) if item < stage.grid.count() => {
                let block = stage.grid.region(&stage.grid.block(item));
                for part in stage.parts(&block) {
                    fetch::announce(self, stage.variant(&part.start), &part);
                }
            }
            StageKind::Block(op) if item < blocks::item_count(stage, op.as_ref()) => {
                let block = blocks::column(stage, op.as_ref(), item).next();
                if let Some(block) = block.map(|at| stage.grid.region(&at)).filter(|b| !b.is_empty()) {
                    blocks::announce(self, stage, op.as_ref(), &block);
                }
            }
            // Later blocks of an item are announced one after another.
            StageKind::Reduce { .. } if item < fold::item_count(stage) => {
                if let Some(block) = fold::first_block(stage, item) {
                    fetch::announce(self, stage.variant(&block.start), &block);
                }
            }
            _ => {}
        }
    }

    /// Computes a variant over a block: on the stage's device, and on the CPU if that fails.
    pub fn compute<'b>(
        &'b self,
        stage: &Stage,
        placement: &Placement,
        variant: &Variant,
        block: &Region,
        wants: Vec<Want<'b>>,
    ) -> Result<Vec<Value<'b>>> {
        let keeper = placement.device.keeper();
        let mut inputs = fetch::inputs(self, keeper, variant, block)?;
        let residents = inputs.residents();
        let mut values;
        {
            let buffers = inputs.buffers();
            let task = inputs.task(variant, block, None, &buffers);
            let hold = keeper.is_some_and(|keeper| keeper.holds(&task, &residents));
            let made = wants.into_iter().map(|want| Value::new(self, want, hold));
            values = made.collect::<Result<Vec<_>>>()?;
            let mut outputs: Vec<OutMut<'_>> = values.iter_mut().map(Value::out).collect();
            let outcome = match keeper {
                Some(keeper) => keeper.run_resident(&task, &residents, &mut outputs),
                None => placement.device.run(&task, &mut outputs),
            };
            drop(outputs);
            match outcome {
                Ok(()) => return Ok(values),
                Err(error) => {
                    let reason = self.excuse(placement, error)?;
                    self.note_fallback(stage, &reason);
                }
            }
        }
        drop(residents);
        inputs.bring_home(self)?;
        for value in &mut values {
            value.bring_home(self)?;
        }
        let mut outputs: Vec<OutMut<'_>> = values.iter_mut().map(Value::out).collect();
        let buffers = inputs.buffers();
        self.cpu
            .run(&inputs.task(variant, block, None, &buffers), &mut outputs)?;
        drop(outputs);
        Ok(values)
    }
}

/// A value that a task is to compute.
pub(super) struct Want<'a> {
    /// The caller's memory for it.
    pub place: Option<Patch<'a>>,
    /// Whether it may stay on the device.
    pub stays: bool,
    /// Who holds the buffer, if it gets one.
    pub consumer: &'static str,
    /// Its bytes.
    pub bytes: usize,
}

impl Want<'_> {
    /// A value in a buffer.
    pub fn buffer(consumer: &'static str, bytes: usize) -> Want<'static> {
        Want {
            place: None,
            stays: false,
            consumer,
            bytes,
        }
    }
}

/// Where a task puts a value.
pub(super) enum Value<'a> {
    /// A buffer of the budget.
    Buffer(Buffer),
    /// The caller's memory, contiguous.
    Place(Patch<'a>),
    /// The device's memory, and the bytes that it takes.
    Device(Option<Resident>, usize, &'static str),
}

impl<'a> Value<'a> {
    /// The device's memory where it may stay and the device can `hold` it; else the place where that
    /// is contiguous, else a buffer.
    pub fn new(run: &Run<'_>, want: Want<'a>, hold: bool) -> Result<Value<'a>> {
        if want.stays && hold {
            return Ok(Value::Device(None, want.bytes, want.consumer));
        }
        match want.place.filter(|patch| patch.dense_from() == 0) {
            Some(patch) => Ok(Value::Place(patch)),
            None => run.store.take(want.consumer, want.bytes).map(Value::Buffer),
        }
    }

    /// Its bytes, where the host has them in a buffer.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Value::Buffer(buffer) => buffer,
            Value::Place(_) | Value::Device(..) => &[],
        }
    }

    /// Its bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Value::Buffer(buffer) => buffer,
            Value::Place(patch) => patch.bytes_mut().unwrap_or_default(),
            Value::Device(..) => &mut [],
        }
    }

    /// Where a device puts it.
    pub fn out(&mut self) -> OutMut<'_> {
        match self {
            Value::Device(tile, ..) => OutMut::Keep(tile),
            host => OutMut::Store(host.bytes_mut()),
        }
    }

    /// Makes it one of the host's, to be computed there.
    pub fn bring_home(&mut self, run: &Run<'_>) -> Result<()> {
        if let Value::Device(_, bytes, consumer) = self {
            *self = Value::Buffer(run.store.take(consumer, *bytes)?);
        }
        Ok(())
    }

    /// Hands it on as `block` of an array.
    pub fn hand_on(self, run: &Run<'_>, on: &Placement, array: ArrayId, block: &Region) -> Result<()> {
        match self {
            Value::Buffer(buffer) => output::deliver(run, array, block, buffer),
            Value::Place(_) => {
                output::placed(run, array, block);
                Ok(())
            }
            Value::Device(tile, ..) => match (tile, on.device.keeper()) {
                (Some(tile), Some(keeper)) => output::keep(run, keeper, array, block, tile),
                _ => Err(Error::Device("a device gave no tile".into())),
            },
        }
    }
}
