//! Sessions: devices, store and threads under one roof, and what can be asked of them.
//!
//! [`Session::compute`] gives results in memory, [`Session::store`] streams to sinks,
//! [`Session::persist`] keeps tiles in the store; each makes a plan, proves its memory and runs it.

mod array;
mod array_fft;
mod array_linalg;
mod array_ops;
mod array_order;
mod array_overlap;
mod array_scan;
mod array_select;
mod array_shape;
mod blocks;
mod cache;
mod checkpoint;
mod closure;
mod config;
mod event;
mod fetch;
mod fold;
mod kept;
mod next_use;
mod output;
mod place;
mod recover;
mod report;
mod resident;
mod residents;
mod run;
mod shared_sources;
mod stored;
mod unique;

pub use array::{Array, IntoOperand};
pub use array_scan::Rolling;
pub use array_shape::{ChunkSpec, s};
pub use config::{Config, DeviceChoice};
pub use event::{Event, Listener};
pub use report::{Report, StageReport};
pub use unique::Unique;

use crate::expr::Expr;
use crate::plan::{Destination, Limits, Plan, Root};
use crate::store::{Canvas, Reservation, Sink, TileKey, TileStore, advise_huge, peak_rss};
use crate::{Error, Result};
use cache::Cache;
use checkpoint::{Checkpoint, Folder, Job};
use event::Ear;
use kept::{KeptBytes, KeptTiles};
use next_use::NextUse;
use place::{Devices, GpuTerms};
use residents::Residents;
use run::{Counters, Run};
use shared_sources::SharedSources;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tilewise_kernels::Element;

/// A handle of a session; clones share it.
///
/// ```
/// use tilewise::session::{Config, Session};
/// use tilewise::Array;
///
/// let session = Session::new(Config { memory: Some(64 << 20), threads: Some(2), ..Config::default() })?;
/// let x = Array::arange(1000)?.reshape(&[10, 100])?; // int64, never whole in memory
/// let kept = session.persist(&(&x * 2)?)?; // tiles in the session's store
/// let row = session.compute::<i64>(&kept.sum(&[1])?)?;
/// assert_eq!((row.shape(), row[[0]]), (&[10][..], 9900));
/// let report = session.last_report().ok_or_else(|| tilewise::Error::invalid("nothing ran"))?;
/// assert!(report.host_peak <= report.host_proved);
/// # Ok::<(), tilewise::Error>(())
/// ```
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    host_budget: u64,
    limits: Limits,
    store: TileStore,
    residents: Arc<Residents>,
    pool: rayon::ThreadPool,
    devices: Devices,
    /// What a GPU stages.
    _gpu_memory: Reservation,
    next_array: AtomicU64,
    cancelled: Canceller,
    ear: Arc<Ear>,
    last: Mutex<Option<Report>>,
    /// One run at a time: a plan's proof counts on the whole budget.
    running: Mutex<()>,
    /// Where finished parts of runs are kept.
    resume: Option<Folder>,
    /// Arrays that computations keep for each other, and the seconds that keeping them took since the last
    /// run began.
    cache: Cache,
    filling: Mutex<f64>,
    /// Bytes of arrays that outlive the runs that made them.
    kept: Arc<KeptBytes>,
}

impl Inner {
    /// A plan within the limits beside what is kept.
    fn plan(&self, roots: &[Root]) -> Result<Plan> {
        let kept = self.kept.held.load(Ordering::Relaxed);
        Plan::new(roots, Limits { kept, ..self.limits })
    }
}

/// Locks a mutex whose data stays valid wherever a holder may panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Cancels computations of a session, which may be gone.
#[derive(Clone, Debug, Default)]
pub struct Canceller(Arc<AtomicBool>);

impl Canceller {
    /// As [`Session::cancel`].
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session under that configuration.
    ///
    /// # Errors
    /// A spill folder that cannot be used; a device that is not there.
    pub fn new(config: Config) -> Result<Session> {
        // Asked once: it reads the system's files.
        let host_budget = config.host_budget();
        let workers = config.workers();
        let ear = Arc::new(Ear::default());
        let store = config.open_store(ear.clone())?;
        let residents = Arc::new(Residents::new(store.clone()));
        let memory = GpuTerms {
            asked: config.gpu_memory,
            host: host_budget,
            apart: config.gpu_apart,
            matrix_units: config.matrix_units,
        };
        let devices = Devices::open(config.device, memory, workers, residents.clone())?;
        // What a GPU stages, and all it holds where it shares the host's memory, is host memory too.
        let staged = devices.host_bytes();
        if staged > host_budget {
            return Err(Error::Memory {
                tier: "host",
                needed: staged,
                budget: host_budget,
                term: "a GPU that shares the host's memory; give it less (--gpu-memory) or the host more (--memory)"
                    .into(),
            });
        }
        let gpu_memory = store.budget().try_reserve("gpu staging", staged)?;
        let limits = Limits {
            host: host_budget.saturating_sub(staged),
            disk: config.disk_budget(),
            kept: 0,
            workers,
            tasks: devices.task_size(),
            reserved: staged,
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(workers)
            .thread_name(|n| format!("tilewise-{n}"))
            .build()
            .map_err(|e| Error::Device(format!("cannot start {workers} worker threads: {e}")))?;
        let resume = config.resume.as_ref();
        let resume = resume.map(|path| Folder::new(path, config.resume_limit.unwrap_or(u64::MAX)));
        Ok(Session {
            inner: Arc::new(Inner {
                resume,
                config,
                host_budget,
                limits,
                store,
                residents,
                pool,
                devices,
                _gpu_memory: gpu_memory,
                next_array: AtomicU64::new(0),
                cancelled: Canceller::default(),
                ear,
                last: Mutex::new(None),
                running: Mutex::new(()),
                cache: Cache::default(),
                filling: Mutex::new(0.0),
                kept: Arc::default(),
            }),
        })
    }

    /// The session that [`Array::compute`] and its like use.
    ///
    /// # Errors
    /// As [`Session::new`] with the default configuration.
    pub fn global() -> Result<Session> {
        static GLOBAL: Mutex<Option<Session>> = Mutex::new(None);
        let mut global = GLOBAL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = &*global {
            return Ok(session.clone());
        }
        let session = Session::new(Config::default())?;
        *global = Some(session.clone());
        Ok(session)
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// What plans may use.
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// Calls `listener` for each event of later runs; the first one set stays.
    pub fn on_event(&self, listener: impl Fn(&Event) + Send + Sync + 'static) {
        let _ = self.inner.ear.0.set(Box::new(listener));
    }

    /// Ends the running computation before its next task with [`Error::Cancelled`]; later ones run.
    pub fn cancel(&self) {
        self.inner.cancelled.cancel();
    }

    /// What can cancel it without keeping it alive, as for a handler of signals.
    pub fn canceller(&self) -> Canceller {
        self.inner.cancelled.clone()
    }

    /// What the last run did.
    pub fn last_report(&self) -> Option<Report> {
        let last = self.inner.last.lock().unwrap_or_else(PoisonError::into_inner);
        // The most that the process ever held; asking the system costs more than a small run.
        last.clone().map(|report| Report {
            rss_peak: peak_rss(),
            ..report
        })
    }

    /// The plan of some arrays handed to memory, without running it.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn plan(&self, arrays: &[&Array]) -> Result<Plan> {
        self.inner.plan(&self.over_kept(&result_roots(arrays), false)?)
    }

    /// A plan as text, with the device of each stage.
    pub fn explain(&self, plan: &Plan) -> String {
        plan.explain(&|stage| self.inner.devices.words(plan, stage))
    }

    /// The values of an array.
    ///
    /// # Errors
    /// `T` is not the array's dtype; the memory bound; what reading and computing meet.
    pub fn compute<T: Element>(&self, array: &Array) -> Result<ndarray::ArrayD<T>> {
        let mut many = self.compute_many::<T>(&[array])?;
        many.pop().ok_or_else(|| Error::invalid("nothing to compute"))
    }

    /// The values of several arrays of one dtype, computed together: what they share is read once.
    ///
    /// # Errors
    /// As [`Session::compute`].
    pub fn compute_many<T: Element>(&self, arrays: &[&Array]) -> Result<Vec<ndarray::ArrayD<T>>> {
        if let Some(other) = arrays.iter().find(|a| a.dtype() != T::DTYPE) {
            return Err(Error::invalid(format!(
                "the array has dtype {}, not {}; use astype first",
                other.dtype(),
                T::DTYPE
            )));
        }
        // Refused before it is allocated; the run reserves it.
        let bytes: usize = arrays.iter().map(|a| a.len() * a.dtype().size()).sum();
        if bytes as u64 > self.inner.limits.host {
            return Err(Error::Memory {
                tier: "host",
                needed: bytes as u64,
                budget: self.inner.limits.host,
                term: "results in memory; write them to a file, or reduce them first".into(),
            });
        }
        let mut values: Vec<Vec<T::Stored>> = arrays
            .iter()
            .map(|a| vec![T::Stored::default(); a.len()])
            .collect();
        let mut bytes: Vec<&mut [u8]> = values
            .iter_mut()
            .map(|v| bytemuck::cast_slice_mut::<T::Stored, u8>(v))
            .collect();
        bytes.iter_mut().for_each(|bytes| advise_huge(bytes));
        self.compute_into(arrays, bytes)?;
        arrays
            .iter()
            .zip(values)
            .map(|(array, stored)| {
                ndarray::ArrayD::from_shape_vec(array.shape(), T::load_all(stored))
                    .map_err(|e| Error::invalid(format!("shape {:?}: {e}", array.shape())))
            })
            .collect()
    }

    /// Computes arrays of any dtypes into the caller's memory, dense and row-major.
    ///
    /// # Errors
    /// As [`Session::compute`]; a buffer of another size.
    pub fn compute_into(&self, arrays: &[&Array], out: Vec<&mut [u8]>) -> Result<()> {
        for (array, out) in arrays.iter().zip(&out) {
            if out.len() != array.len() * array.dtype().size() {
                return Err(Error::invalid(format!(
                    "a buffer of {} bytes for an array of {}",
                    out.len(),
                    array.len() * array.dtype().size()
                )));
            }
        }
        self.run(&result_roots(arrays), out.into_iter().map(Some).collect())
            .map(drop)
    }

    /// Streams arrays to sinks in one run, within the memory bound.
    ///
    /// # Errors
    /// A sink of another shape or dtype; as [`Session::compute`].
    pub fn store(&self, outputs: &[(&Array, Arc<dyn Sink>)]) -> Result<()> {
        let roots = sink_roots(outputs)?;
        let none = roots.iter().map(|_| None).collect();
        self.run(&roots, none).map(drop)
    }

    /// The plan of [`Session::store`], without running it.
    ///
    /// # Errors
    /// As [`Session::store`].
    pub fn plan_store(&self, outputs: &[(&Array, Arc<dyn Sink>)]) -> Result<Plan> {
        self.inner.plan(&self.over_kept(&sink_roots(outputs)?, false)?)
    }

    /// Computes an array and keeps its tiles in the store, where they may be spilled, or on the GPU
    /// that made them, with copies in host memory where there is room for them. The result reads
    /// them; they go when its last clone goes.
    ///
    /// # Errors
    /// As [`Session::compute`].
    pub fn persist(&self, array: &Array) -> Result<Array> {
        self.keep(array, true)
    }

    /// As [`Session::persist`], but tiles that lie on a GPU stay there alone: none is copied over the
    /// bus. When the GPU is lost, so is the array, and what reads it fails.
    ///
    /// # Errors
    /// As [`Session::compute`].
    pub fn persist_uncopied(&self, array: &Array) -> Result<Array> {
        self.keep(array, false)
    }

    fn keep(&self, array: &Array, copied: bool) -> Result<Array> {
        if let Some(kept) = self
            .inner
            .cache
            .kept(array.expr().id())
            .filter(|kept| kept.is_there())
        {
            return Expr::source(kept).map(Array::from_expr);
        }
        let roots = [Root {
            expr: array.expr().clone(),
            to: Destination::Keep,
        }];
        let (plan, keys) = self.run(&roots, vec![None])?;
        let kept = self.kept_tiles(&plan, &keys, copied)?;
        Expr::source(kept).map(Array::from_expr)
    }

    /// The tiles of a plan's first root.
    fn kept_tiles(&self, plan: &Plan, keys: &[u64], copied: bool) -> Result<Arc<KeptTiles>> {
        let inner = &*self.inner;
        let id = plan.roots[0];
        let (store, residents) = (inner.store.clone(), inner.residents.clone());
        let kept = KeptTiles::new(store, residents, inner.kept.clone(), keys[id], &plan.arrays[id]);
        if copied {
            // Copies that do not go down with the device, as far as there is memory.
            for block in 0..plan.arrays[id].grid.count() as u64 {
                let array = keys[id];
                if !inner.residents.copy_home(TileKey { array, block })? {
                    break;
                }
            }
        }
        Ok(Arc::new(kept))
    }

    /// Does work of several computations as one job: with [`Config::resume`], what each of them has finished
    /// is kept until all of the work is done, or when it fails for the next time. A computation outside
    /// of a job is a job of its own.
    ///
    /// What is kept is found by a computation of the same expression over unchanged sources, cut in the
    /// same way on the same kind of device, and gives the same bits. Expressions with closures or
    /// kept arrays are computed anew, as is what stays in a GPU's memory.
    ///
    /// ```
    /// use tilewise::session::{Config, Session};
    /// use tilewise::Array;
    ///
    /// # let parent = tempfile::tempdir().map_err(tilewise::Error::io("make", "folder"))?;
    /// let folder = parent.path().join("resume");
    /// let session = Session::new(Config { resume: Some(folder.clone()), ..Config::default() })?;
    /// let x = Array::arange(1000)?;
    /// let spread = session.job(|| {
    ///     let mean = session.compute::<f64>(&x.mean(&[0])?)?; // not computed again after a kill further on
    ///     session.compute::<f64>(&(&x - mean[[]])?.std(&[0], 0)?)
    /// })?;
    /// assert_eq!(spread[[]].round(), 289.0);
    /// assert!(!folder.exists());
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the work; a folder that another process uses or that cannot be written.
    pub fn job<R>(&self, work: impl FnOnce() -> Result<R>) -> Result<R> {
        let job = self.inner.resume.as_ref().map(Folder::enter).transpose()?;
        let done = work()?;
        job.into_iter().for_each(Job::succeed);
        Ok(done)
    }

    /// Plans and runs; returns the plan and the store's numbers of its arrays.
    fn run(&self, roots: &[Root], results: Vec<Option<&mut [u8]>>) -> Result<(Plan, Vec<u64>)> {
        // What is computed for the cache is kept until all is done.
        let job = self.inner.resume.as_ref().map(Folder::enter).transpose()?;
        let (plan, roots) = self.plan_cached(roots)?;
        let made = self.run_planned(&roots, plan, results)?;
        job.into_iter().for_each(Job::succeed);
        Ok(made)
    }

    /// Runs the plan of some roots.
    fn run_planned(
        &self,
        roots: &[Root],
        plan: Plan,
        results: Vec<Option<&mut [u8]>>,
    ) -> Result<(Plan, Vec<u64>)> {
        let inner = &*self.inner;
        let _one = inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        inner.cancelled.0.store(false, Ordering::Relaxed);
        let started = Instant::now();
        inner.store.allow(plan.memory.host, inner.host_budget);
        // Persisted tiles and a GPU's staging are held beside what the plan asks for.
        let host_proved = inner.store.budget().limit();
        inner.store.budget().restart_peak();
        let result_bytes: usize = results.iter().flatten().map(|r| r.len()).sum();
        let _results = inner.store.reserve("results", result_bytes as u64)?;
        let canvases = results.into_iter().zip(roots).map(|(result, root)| {
            let canvas = |bytes| Canvas::new(bytes, &root.expr.shape, root.expr.dtype.size());
            result.map(canvas).transpose()
        });
        let canvases = canvases.collect::<Result<Vec<_>>>()?;
        let keys: Vec<u64> = plan
            .arrays
            .iter()
            .map(|_| inner.next_array.fetch_add(1, Ordering::Relaxed))
            .collect();
        let next_use = Arc::new(NextUse::new(&plan, &keys, |id| plan.is_kept(id)));
        let order = next_use.clone();
        let position = Arc::new(move |key: TileKey| order.position(key));
        inner.store.set_next_use(position.clone());
        inner.residents.set_next_use(position);
        let job = inner.resume.as_ref().map(Folder::enter).transpose()?;
        let device = inner.config.device;
        let folder = inner.resume.as_ref();
        let before = inner.store.counts();
        let left_before = inner.residents.left_bytes();
        let submitted_before = inner.devices.gpu_submissions();
        let run = Run {
            plan: &plan,
            store: &inner.store,
            residents: &inner.residents,
            pool: &inner.pool,
            cpu: inner.devices.cpu(),
            keys: keys.clone(),
            results: canvases,
            counters: Counters::default(),
            cancelled: &inner.cancelled.0,
            ear: &inner.ear,
            next_use,
            shared: SharedSources::new(&plan, || inner.next_array.fetch_add(1, Ordering::Relaxed)),
            again: AtomicBool::new(false),
            checkpoint: folder.map(|folder| Checkpoint::open(folder, &plan, device)),
        };
        run.tell(&Event::PlanReady {
            stages: plan.stages.len(),
            tasks: plan.stages.iter().map(|s| s.grid.count() as u64).sum(),
            host_bytes: plan.memory.host,
        });
        let stages = run.run(&|stage| inner.devices.place(&plan, stage, run.resident_bytes(stage)))?;
        let after = inner.store.counts();
        let seconds = started.elapsed().as_secs_f64();
        run.tell(&Event::Finished { seconds });
        let resumed = run.checkpoint.as_ref().map_or((0, 0), Checkpoint::taken);
        drop(run);
        job.into_iter().for_each(Job::succeed);
        let cache_seconds = std::mem::take(&mut *lock(&inner.filling));
        let report = Report {
            stages,
            seconds: seconds + plan.seconds + cache_seconds,
            plan_seconds: plan.seconds,
            cache_seconds,
            host_budget: inner.host_budget,
            host_proved,
            host_peak: inner.store.budget().peak(),
            rss_peak: None,
            gpu_peak: inner.devices.gpu_peak(),
            gpu_evicted_bytes: inner.residents.left_bytes() - left_before,
            gpu_submissions: inner.devices.gpu_submissions() - submitted_before,
            spilled_bytes: after.spilled - before.spilled,
            loaded_bytes: after.loaded - before.loaded,
            resumed_items: resumed.0,
            resumed_bytes: resumed.1,
        };
        *inner.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
        Ok((plan, keys))
    }
}

/// The roots of arrays that are handed to the caller.
fn result_roots(arrays: &[&Array]) -> Vec<Root> {
    let root = |array: &&Array| Root {
        expr: array.expr().clone(),
        to: Destination::Result,
    };
    arrays.iter().map(root).collect()
}

/// The roots of arrays that go to sinks.
fn sink_roots(outputs: &[(&Array, Arc<dyn Sink>)]) -> Result<Vec<Root>> {
    outputs
        .iter()
        .map(|(array, sink)| {
            if sink.shape() != array.shape() || sink.dtype() != array.dtype() {
                return Err(Error::invalid(format!(
                    "{} takes {} {:?}, the array is {} {:?}",
                    sink.name(),
                    sink.dtype(),
                    sink.shape(),
                    array.dtype(),
                    array.shape()
                )));
            }
            Ok(Root {
                expr: array.expr().clone(),
                to: Destination::Sink(sink.clone()),
            })
        })
        .collect()
}

impl Session {
    /// Makes its GPU fail in that way, for tests of what follows.
    #[doc(hidden)]
    pub fn inject_fault(&self, fault: crate::device::gpu::Fault) {
        self.inner.devices.inject(fault);
    }

    /// The names of its devices, the CPU last.
    pub fn devices(&self) -> Vec<String> {
        self.inner.devices.names()
    }
}
