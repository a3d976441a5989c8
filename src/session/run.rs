//! Running a plan: stage after stage, tasks in the order of their blocks on a pool of workers.
//!
//! A worker takes the next task, gathers its inputs, runs it on the stage's device and hands the
//! result on before it takes another, so what is alive is what the memory proof counted. A task
//! that a GPU fails is run again on the CPU.

use super::event::{Ear, Event};
use super::next_use::NextUse;
use super::report::StageReport;
use super::{blocks, closure, fetch, fold, output};
use crate::device::{Device, OutMut, Task};
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
    pub fallbacks: AtomicU64,
    pub fallback_reason: Mutex<Option<String>>,
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
}

impl Run<'_> {
    /// Runs every stage; on an error no tile of the plan is left in the store.
    pub fn run(&self, place: &dyn Fn(&Stage) -> Placement) -> Result<Vec<StageReport>> {
        let mut reports = Vec::new();
        for stage in &self.plan.stages {
            let placement = place(stage);
            match self.stage(stage, &placement) {
                Ok(report) => reports.push(report),
                Err(error) => {
                    for id in 0..self.plan.arrays.len() {
                        self.forget(id);
                    }
                    return Err(error);
                }
            }
            for (id, array) in self.plan.arrays.iter().enumerate() {
                let kept = array
                    .roots
                    .iter()
                    .any(|&r| matches!(self.plan.destinations[r], crate::plan::Destination::Keep));
                if array.stored && array.last_use == stage.id && !kept {
                    self.forget(id);
                }
            }
        }
        Ok(reports)
    }

    /// Removes an array's tiles from the store.
    fn forget(&self, id: usize) {
        let array = &self.plan.arrays[id];
        if array.stored {
            for block in 0..array.grid.count() as u64 {
                self.store.remove(TileKey {
                    array: self.keys[id],
                    block,
                });
            }
        }
    }

    /// Tells the listener.
    pub fn tell(&self, event: &Event) {
        self.ear.tell(event);
    }

    /// Runs one stage.
    fn stage(&self, stage: &Stage, placement: &Placement) -> Result<StageReport> {
        let started = Instant::now();
        let workers = self.plan.memory.stages[stage.id].workers;
        let items = match &stage.kind {
            StageKind::Reduce { .. } => fold::item_count(stage),
            StageKind::Block(op) => blocks::item_count(stage, op.as_ref()),
            _ => stage.grid.count(),
        };
        self.next_use.enter(stage.id, items as u64);
        self.tell(&Event::StageStarted {
            stage: stage.id,
            tasks: items as u64,
        });
        let folds = fold::Folds::default();
        self.parallel(workers, items, |item| {
            match &stage.kind {
                StageKind::Reduce { .. } => fold::run_item(self, stage, placement, &folds, item)?,
                StageKind::Block(op) => blocks::run_item(self, stage, placement, op.as_ref(), item)?,
                StageKind::Custom(custom) => closure::run_item(self, stage, placement, custom, item)?,
                StageKind::Store => self.store_task(stage, placement, item)?,
            }
            self.next_use.advance();
            self.tell(&Event::TaskEnded {
                stage: stage.id,
                task: item as u64,
            });
            Ok(())
        })?;
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
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Runs `work(0..items)` on `workers` threads, started in rising order; the first error stops
    /// the others before their next item.
    fn parallel(
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

    /// Runs a task on the stage's device, and on the CPU if that fails. `outputs` is made anew for
    /// the second try.
    pub fn execute(
        &self,
        stage: &Stage,
        placement: &Placement,
        task: &Task<'_>,
        outputs: &mut [OutMut<'_>],
    ) -> Result<()> {
        match placement.device.run(task, outputs) {
            Err(Error::Device(reason)) if !Arc::ptr_eq(&placement.device, self.cpu) => {
                self.counters.fallbacks.fetch_add(1, Ordering::Relaxed);
                let mut first = self
                    .counters
                    .fallback_reason
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert_with(|| reason.clone());
                drop(first);
                self.tell(&Event::DeviceFallback {
                    stage: stage.id,
                    reason,
                });
                self.cpu.run(task, outputs)
            }
            other => other,
        }
    }

    /// One task of a stage that stores its values.
    fn store_task(&self, stage: &Stage, placement: &Placement, number: usize) -> Result<()> {
        let block = stage.grid.region(&stage.grid.block(number));
        if block.is_empty() {
            return Ok(());
        }
        let variant = stage.variant(&block.start);
        let mut values = Vec::with_capacity(variant.program.outputs.len());
        for (number, out) in variant.program.outputs.iter().enumerate() {
            let size = variant.program.insts[out.value()].dtype.size();
            let place = match stage.arrays.get(number) {
                Some(&array) => output::place(self, array, &block)?,
                None => None,
            };
            values.push(Value::new(self, place, "output blocks", block.len() * size)?);
        }
        self.compute(stage, placement, variant, &block, &mut values)?;
        for (&array, value) in stage.arrays.iter().zip(values) {
            value.hand_on(self, array, &block)?;
        }
        Ok(())
    }

    /// Computes a variant over a block into values that are as long.
    pub fn compute(
        &self,
        stage: &Stage,
        placement: &Placement,
        variant: &Variant,
        block: &Region,
        values: &mut [Value<'_>],
    ) -> Result<()> {
        let (held, bindings) = fetch::inputs(self, variant, block)?;
        let buffers: Vec<&[u8]> = held.iter().map(fetch::Held::bytes).collect();
        let task = Task {
            program: &variant.program,
            shape: &block.shape,
            origin: &block.start,
            buffers: &buffers,
            bindings: &bindings,
            labels: None,
        };
        let mut outputs: Vec<OutMut<'_>> = values.iter_mut().map(|v| OutMut::Store(v.bytes_mut())).collect();
        self.execute(stage, placement, &task, &mut outputs)
    }
}

/// Where a task puts a value.
pub(super) enum Value<'a> {
    /// A buffer of the budget.
    Buffer(Buffer),
    /// The caller's memory, contiguous.
    Place(Patch<'a>),
}

impl<'a> Value<'a> {
    /// The place where it is contiguous, else a buffer of `bytes`.
    pub fn new(
        run: &Run<'_>,
        place: Option<Patch<'a>>,
        consumer: &'static str,
        bytes: usize,
    ) -> Result<Value<'a>> {
        match place.filter(|patch| patch.dense_from() == 0) {
            Some(patch) => Ok(Value::Place(patch)),
            None => run.store.take(consumer, bytes).map(Value::Buffer),
        }
    }

    /// Its bytes, if they are a buffer's.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Value::Buffer(buffer) => buffer,
            Value::Place(_) => &[],
        }
    }

    /// Its bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Value::Buffer(buffer) => buffer,
            Value::Place(patch) => patch.bytes_mut().unwrap_or_default(),
        }
    }

    /// Hands it on as `block` of an array.
    pub fn hand_on(self, run: &Run<'_>, array: ArrayId, block: &Region) -> Result<()> {
        match self {
            Value::Buffer(buffer) => output::deliver(run, array, block, buffer),
            Value::Place(_) => {
                output::placed(run, array, block);
                Ok(())
            }
        }
    }
}
