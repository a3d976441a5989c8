//! What this machine can do, and how much of it the CPU kernels use; [`gpu`] is the same of its GPUs.
//!
//! Every kernel family is run through the public API on memory that was touched before, its answer
//! is checked against a loop of its definition, and its time is set beside the time that the
//! machine's own limit takes for the bytes that have to be moved. Limit and family take turns, so
//! that both meet the same neighbours; CPU seconds stand beside wall seconds.

mod disk;
mod families;
mod family;
mod field;
pub mod gpu;
mod limits;
mod machine;
mod record;
mod sample;
mod turns;
mod wanted;

pub use family::Work;
pub use limits::Limit;
pub use record::{DiskRow, FamilyRow, LimitRow, Record};
pub use sample::Sample;

use crate::session::{Config, DeviceChoice};
use crate::{Error, Result, Session, human_bytes};
use family::{Family, Results, Setting};
use field::Fields;
use limits::Probe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use turns::Turns;
use wanted::Wanted;

/// What to measure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Bytes of one large array.
    pub size: u64,
    /// Worker threads; by default one per core.
    pub threads: Option<usize>,
    /// Only rows whose `group: name` contains one of these texts, separated by commas.
    pub only: Option<String>,
    /// Small arrays and one turn of each: whether everything works, not how fast.
    pub quick: bool,
    /// Turns that are counted.
    pub rounds: usize,
    /// The folder whose disk is measured; by default the system's temporary folder.
    pub spill_dir: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            size: 256 << 20,
            threads: None,
            only: None,
            quick: false,
            rounds: 7,
            spill_dir: None,
        }
    }
}

/// The least and the most bytes of an array that is measured.
const SIZES: std::ops::RangeInclusive<u64> = 64 << 10..=64 << 30;

/// Bytes of an array when only whether it works is asked.
const QUICK: u64 = 1 << 20;

/// More bytes than this the arrays of the limits need not have.
const PROBE: u64 = 512 << 20;

/// Seconds that a turn is made to take at least, by repeating what is measured.
const SHORTEST: f64 = 5e-3;

/// Ends a measurement from another thread: a handle, whose clones are the same.
#[derive(Clone, Default)]
pub struct Stop {
    inner: Arc<(AtomicBool, Mutex<Option<Session>>)>,
}

impl Stop {
    /// Ends the measurement soon, with [`Error::Cancelled`].
    pub fn stop(&self) {
        self.inner.0.store(true, Ordering::Relaxed);
        let session = self.inner.1.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = &*session {
            session.cancel();
        }
    }

    /// # Errors
    /// [`Error::Cancelled`] after [`Stop::stop`].
    fn check(&self) -> Result<()> {
        match self.inner.0.load(Ordering::Relaxed) {
            true => Err(Error::Cancelled),
            false => Ok(()),
        }
    }

    fn watch(&self, session: Option<Session>) {
        *self.inner.1.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }
}

/// Measures limits and families; `tell` hears what comes next.
///
/// # Errors
/// A size that is too small or too large, a pattern that nothing has, no memory, a folder that
/// cannot be written, an answer that is wrong, [`Error::Cancelled`].
pub fn run(options: &Options, stop: &Stop, tell: &dyn Fn(&str)) -> Result<Record> {
    let wanted = Wanted::new(options.only.as_deref(), &titles())?;
    let size = size_of(options.size, options.quick)?;
    let first = session(options)?;
    let threads = first.limits().workers;
    let rounds = if options.quick { 1 } else { options.rounds.max(1) };
    let fma_rounds = if options.quick { 1000 } else { 2_000_000 };
    let fields = Fields::new();
    let mut record = Record::new(machine::describe(threads), size, rounds, threads);
    tell("preparing");
    let mut probe = Probe::new(&fields, size.min(PROBE) as usize, fma_rounds, threads)?;
    limit_rows(&wanted, &mut probe, rounds, stop, tell, &mut record)?;
    if wanted.has(DISK) {
        stop.check()?;
        tell(DISK);
        let folder = options.spill_dir.clone().unwrap_or_else(std::env::temp_dir);
        let mut data = fields.memory((size as usize).clamp(4096, 1 << 30))?;
        record.disk = Some(DiskRow {
            folder: folder.display().to_string(),
            measured: disk::measure(&folder, &mut data, stop)?,
        });
    }
    fields.clear();
    let mut group = "";
    for family in families::all().filter(|f| wanted.has(&f.title())) {
        stop.check()?;
        if group != family.group {
            fields.clear();
            group = family.group;
        }
        tell(&family.title());
        let setting = Setting {
            size: size as usize,
            fields: &fields,
        };
        let row = family_row(family, &setting, options, rounds, &mut probe, stop).map_err(|e| match e {
            Error::Device(text) | Error::Invalid(text) => {
                Error::Device(format!("{}: {text}", family.title()))
            }
            other => other,
        })?;
        record.families.push(row);
    }
    Ok(record)
}

/// Bytes of one large array.
///
/// # Errors
/// Too few or too many.
fn size_of(size: u64, quick: bool) -> Result<u64> {
    let size = if quick { QUICK } else { size };
    if SIZES.contains(&size) {
        return Ok(size);
    }
    Err(Error::invalid(format!(
        "a size of {} is not within {} to {}",
        human_bytes(size),
        human_bytes(*SIZES.start()),
        human_bytes(*SIZES.end()),
    )))
}

/// The title of the disk's rows.
const DISK: &str = "limit: disk";

/// `group: name` of everything that can be measured, in the order of the table.
pub fn titles() -> Vec<String> {
    let limits = limits::ALL.iter().filter(|l| l.exists()).map(|l| limit_title(*l));
    let mut all: Vec<String> = limits.collect();
    all.push(DISK.to_string());
    all.extend(families::all().map(Family::title));
    all
}

fn limit_title(limit: Limit) -> String {
    format!("limit: {}", limit.name())
}

fn session(options: &Options) -> Result<Session> {
    Session::new(Config {
        threads: options.threads,
        device: DeviceChoice::Cpu,
        spill_dir: options.spill_dir.clone(),
        ..Config::default()
    })
}

/// Measures the limits that were asked for, all of them in each round.
fn limit_rows(
    wanted: &Wanted,
    probe: &mut Probe,
    rounds: usize,
    stop: &Stop,
    tell: &dyn Fn(&str),
    record: &mut Record,
) -> Result<()> {
    let chosen: Vec<(Limit, bool)> = limits::ALL
        .into_iter()
        .filter(|l| l.exists() && wanted.has(&limit_title(*l)))
        .flat_map(|l| [(l, true), (l, false)])
        .filter(|&(_, single)| single || probe.threads() > 1)
        .collect();
    let mut samples = vec![Vec::new(); chosen.len()];
    let mut amounts = vec![0.0; chosen.len()];
    for round in 0..=rounds {
        if !chosen.is_empty() {
            tell(&format!("limits, round {round} of {rounds}"));
        }
        for (n, &(limit, single)) in chosen.iter().enumerate() {
            stop.check()?;
            let (sample, amount) = probe.turn(limit, single)?;
            if round > 0 {
                samples[n].push(sample); // the first turn warms up
            }
            amounts[n] = amount;
        }
    }
    for (n, (limit, single)) in chosen.into_iter().enumerate() {
        record.limits.push(LimitRow {
            limit,
            threads: if single { 1 } else { probe.threads() },
            amount: amounts[n],
            took: Sample::median(&samples[n]),
        });
    }
    Ok(())
}

/// Checks a family's answer, then measures it in turn with its limit.
fn family_row(
    family: &Family,
    setting: &Setting<'_>,
    options: &Options,
    rounds: usize,
    probe: &mut Probe,
    stop: &Stop,
) -> Result<FamilyRow> {
    let session = session(options)?;
    stop.watch(Some(session.clone()));
    let job = (family.make)(setting)?;
    let mut outputs = job
        .arrays
        .iter()
        .map(|a| setting.fields.memory(a.len() * a.dtype().size()))
        .collect::<Result<Vec<_>>>()?;
    let wanted: Vec<_> = job.arrays.iter().collect();
    let mut turn = |count: usize| -> Result<Sample> {
        stop.check()?;
        let (sample, done) = Sample::of(|| {
            (0..count).try_for_each(|_| {
                let out = outputs.iter_mut().map(|b| &mut b[..]).collect();
                session.compute_into(&wanted, out)
            })
        });
        done?;
        Ok(sample.part(count as f64))
    };
    let mut limit_samples = Vec::new();
    let mut limit = None;
    let mut limits = || -> Result<()> {
        for &candidate in job.work.limits() {
            let (sample, amount) = probe.turn(candidate, false)?;
            limit = Some((candidate, amount));
            limit_samples.push(sample);
        }
        Ok(())
    };
    let turns = Turns::new(options.quick, rounds, SHORTEST);
    let samples = turns.take(&mut limits, &mut turn)?;
    let peak = session.last_report().map_or(0, |r| r.host_peak);
    stop.watch(None);
    let results = Results {
        arrays: &job.arrays,
        bytes: outputs.iter().map(|b| &b[..]).collect(),
    };
    (job.check)(&results)?;
    let result_bytes: usize = outputs.iter().map(|b| b.len()).sum();
    Ok(FamilyRow {
        group: family.group,
        name: family.name,
        about: family.about,
        work: job.work,
        took: Sample::median(&samples),
        rounds: samples.len(),
        limit: limit.map(|(limit, amount)| (limit, amount, Sample::median(&limit_samples))),
        held: peak.saturating_sub(result_bytes as u64),
        digest: results.digest(),
    })
}
