//! Running a plan: stage after stage, tasks in the order of their blocks on a pool of workers.
//!
//! A worker takes the next task, gathers its inputs, runs it on the stage's device and hands the
//! result on before it takes another, so what is alive is what the memory proof counted. A task
//! that a GPU fails is run again on the CPU.

use super::event::{Ear, Event};
use super::next_use::NextUse;
use super::report::StageReport;
use super::{fetch, fold, output};
use crate::device::{Device, OutMut, Task};
use crate::plan::{Plan, Stage, StageKind};
use crate::store::{Buffer, TileKey, TileStore};
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
    pub results: Vec<Option<Mutex<&'a mut [u8]>>>,
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
                _ => self.store_task(stage, placement, item)?,
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

    /// One task of a stage that stores its values or hands them to a closure.
    fn store_task(&self, stage: &Stage, placement: &Placement, number: usize) -> Result<()> {
        let block = stage.grid.region(&stage.grid.block(number));
        if block.is_empty() {
            return Ok(());
        }
        let variant = stage.variant(&block.start);
        let program = &variant.program;
        let mut values: Vec<Buffer> = program
            .outputs
            .iter()
            .map(|out| {
                self.store.take(
                    "output blocks",
                    block.len() * program.insts[out.value()].dtype.size(),
                )
            })
            .collect::<Result<_>>()?;
        {
            let (held, bindings) = fetch::inputs(self, variant, &block)?;
            let buffers: Vec<&[u8]> = held.iter().map(fetch::Held::bytes).collect();
            let task = Task {
                program,
                shape: &block.shape,
                origin: &block.start,
                buffers: &buffers,
                bindings: &bindings,
                labels: None,
            };
            let mut outputs: Vec<OutMut<'_>> = values.iter_mut().map(|b| OutMut::Store(b)).collect();
            self.execute(stage, placement, &task, &mut outputs)?;
        }
        if let StageKind::Custom(custom) = &stage.kind {
            let array = stage.arrays[0];
            let mut out = self.store.take(
                "output blocks",
                block.len() * self.plan.arrays[array].dtype.size(),
            )?;
            let inputs: Vec<&[u8]> = values.iter().map(|b| &**b).collect();
            custom.run(&inputs, &block.shape, &block.start, &mut out)?;
            drop(values);
            return output::deliver(self, array, &block, out);
        }
        for (&array, buffer) in stage.arrays.iter().zip(values) {
            output::deliver(self, array, &block, buffer)?;
        }
        Ok(())
    }
}
