//! What each GPU of this machine can do, and how much of it the engine uses.
//!
//! The limits are measured on the bare device; the families run through the public API, as on the
//! CPU, and each answer is checked against a loop of its definition. Inputs are persisted before,
//! results are persisted too, and a turn ends when an element of the last one has come back: so a
//! row tells the rate of the device, and says which part of the bytes really lay there. Rows that
//! the CPU ran for the GPU say so and why, and are not judged.

mod families;
mod record;

pub use families::Way;
pub use record::{AdapterRows, FamilyRow, Figures, LimitRow, Record};

use super::family::{Family, Results, Setting};
use super::field::Fields;
use super::sample::Sample;
use super::turns::Turns;
use super::wanted::Wanted;
use super::{Stop, machine, size_of};
use crate::device::gpu::{AdapterInfo, Probe, RawLimit, adapters, first_hardware};
use crate::session::{Config, DeviceChoice, Report, StageReport, s};
use crate::store::default_host_budget;
use crate::{Array, Error, Result, Session};
use families::{all, bound};

/// What to measure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The adapter: [`DeviceChoice::Gpu`]; by default every one that is not refused.
    pub device: Option<DeviceChoice>,
    /// Bytes of one large array.
    pub size: u64,
    /// Only rows whose `group: name` contains one of these texts, separated by commas.
    pub only: Option<String>,
    /// Small arrays and one turn of each: whether everything works, not how fast.
    pub quick: bool,
    /// Turns that are counted.
    pub rounds: usize,
    /// Whether matrix units multiply float16; see [`Config::matrix_units`].
    pub matrix_units: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            device: None,
            size: 256 << 20,
            only: None,
            quick: false,
            rounds: 7,
            matrix_units: false,
        }
    }
}

/// Seconds that a turn is made to take at least: many times the wait at its end.
const SHORTEST: f64 = 20e-3;

/// The least device memory of a session, in bytes.
const LEAST_BUDGET: u64 = 64 << 20;

/// Large arrays that device memory has to hold: the operands of a family, its result and the one
/// before, and what lies between.
const ARRAYS: u64 = 8;

/// Measures limits and families of the chosen adapters; `tell` hears what comes next. What fails
/// and rows whose answers are wrong are in the record with their errors.
///
/// # Errors
/// No adapter, an adapter that is not there, a size that is too small or too large, a pattern that
/// nothing has, [`Error::Cancelled`].
pub fn run(options: &Options, stop: &Stop, tell: &dyn Fn(&str)) -> Result<Record> {
    let wanted = Wanted::new(options.only.as_deref(), &titles())?;
    let size = size_of(options.size, options.quick)?;
    let rounds = if options.quick { 1 } else { options.rounds.max(1) };
    let chosen = chosen(options.device)?;
    let threads = rayon::current_num_threads();
    let mut record = Record::new(machine::describe(threads), size, rounds, options.matrix_units);
    let bench = Bench {
        options,
        wanted: &wanted,
        size,
        rounds,
        stop,
        tell,
    };
    for info in chosen {
        let rows = match info.refusal() {
            Some(why) => AdapterRows::refused(info, why),
            None => {
                tell(&format!("{info}: preparing"));
                let measured = said(bench.adapter(info.clone()))?;
                measured.unwrap_or_else(|error| AdapterRows::failed(info, error))
            }
        };
        record.adapters.push(rows);
    }
    Ok(record)
}

/// `group: name` of everything that can be measured, in the order of the table.
pub fn titles() -> Vec<String> {
    let limits = RawLimit::ALL.iter().map(|l| limit_title(*l));
    limits.chain(all().map(|(family, _)| family.title())).collect()
}

fn limit_title(limit: RawLimit) -> String {
    format!("limit: {}", limit.name())
}

/// The adapters of a choice; refused ones stay only beside others.
fn chosen(device: Option<DeviceChoice>) -> Result<Vec<AdapterInfo>> {
    let all = adapters();
    if all.is_empty() {
        return Err(Error::invalid(
            "no GPU adapter is found: install a Vulkan driver (mesa-vulkan-drivers for a software one)",
        ));
    }
    let count = all.len();
    let one = match device {
        None => {
            return match all.iter().all(|a| a.refusal().is_some()) {
                true => Err(Error::Device(all[0].refusal().unwrap_or_default())),
                false => Ok(all),
            };
        }
        Some(DeviceChoice::Gpu(None)) => first_hardware().or_else(|| all.into_iter().next()),
        Some(DeviceChoice::Gpu(Some(number))) => all.into_iter().nth(number),
        Some(DeviceChoice::Auto | DeviceChoice::Cpu) => {
            return Err(Error::invalid(
                "this measures GPUs: gpu is the first one, gpu:N that of a number, which `tilewise devices` \
                 lists",
            ));
        }
    };
    match (one, device) {
        (Some(info), _) => match info.refusal() {
            Some(why) => Err(Error::Device(why)),
            None => Ok(vec![info]),
        },
        (None, Some(DeviceChoice::Gpu(Some(number)))) => Err(Error::invalid(format!(
            "there is no gpu:{number}: this machine has {count} adapters, which `tilewise devices` lists"
        ))),
        (None, _) => Err(Error::invalid("no GPU adapter is found")),
    }
}

/// The measurement of one adapter.
struct Bench<'a> {
    options: &'a Options,
    wanted: &'a Wanted,
    size: u64,
    rounds: usize,
    stop: &'a Stop,
    tell: &'a dyn Fn(&str),
}

impl Bench<'_> {
    fn adapter(&self, info: AdapterInfo) -> Result<AdapterRows> {
        let mut probe = Probe::open(info.index, self.size, self.options.quick)?;
        let most = match info.memory_bytes.filter(|_| !info.shared_memory) {
            Some(bytes) => bytes / 5 * 4,
            None => default_host_budget() / 2,
        };
        let budget = (ARRAYS * self.size + LEAST_BUDGET).min(most);
        let mut rows = AdapterRows::new(info, probe.bytes(), budget);
        self.limits(&mut probe, &mut rows)?;
        if !all().any(|(family, _)| self.wanted.has(&family.title())) {
            return Ok(rows);
        }
        let resident = self.session(&rows.info, budget)?;
        let kept = Fields::kept_by(resident.clone());
        let streamed = Fields::new();
        let mut group = "";
        for (family, way) in all().filter(|(f, _)| self.wanted.has(&f.title())) {
            self.stop.check()?;
            (self.tell)(&format!("gpu:{}, {}", rows.info.index, family.title()));
            if group != family.group {
                kept.clear();
                streamed.clear();
                group = family.group;
            }
            let outcome = match way {
                Way::Resident => self.family(family, way, &resident, &kept, &mut probe, &rows.info),
                Way::Streamed => self.family(family, way, &resident, &streamed, &mut probe, &rows.info),
                Way::OutOfCard => self.session(&rows.info, self.size / 4).and_then(|small| {
                    let fields = Fields::kept_by(small.clone());
                    self.family(family, way, &small, &fields, &mut probe, &rows.info)
                }),
            };
            rows.families.push(FamilyRow {
                family,
                way,
                outcome: said(outcome)?,
            });
        }
        Ok(rows)
    }

    fn session(&self, info: &AdapterInfo, gpu_memory: u64) -> Result<Session> {
        Session::new(Config {
            device: DeviceChoice::Gpu(Some(info.index)),
            gpu_memory: Some(gpu_memory),
            matrix_units: self.options.matrix_units,
            ..Config::default()
        })
    }

    /// Measures the limits that were asked for, all of them in each round.
    fn limits(&self, probe: &mut Probe, rows: &mut AdapterRows) -> Result<()> {
        let there = |limit: &RawLimit| probe.has(*limit) && self.wanted.has(&limit_title(*limit));
        let mut limits: Vec<LimitRow> = RawLimit::ALL
            .into_iter()
            .filter(there)
            .map(LimitRow::new)
            .collect();
        for round in 0..=self.rounds {
            if !limits.is_empty() {
                let (index, rounds) = (rows.info.index, self.rounds);
                (self.tell)(&format!("gpu:{index}, limits, round {round} of {rounds}"));
            }
            for row in &mut limits {
                self.stop.check()?;
                let (sample, turn) = Sample::of(|| probe.turn(row.limit));
                row.add(sample, said(turn)?, round > 0); // the first turn warms up
            }
        }
        rows.limits = limits;
        Ok(())
    }

    /// Measures a family in turn with its bound, and checks its answer.
    fn family(
        &self,
        family: &'static Family,
        way: Way,
        session: &Session,
        fields: &Fields,
        probe: &mut Probe,
        info: &AdapterInfo,
    ) -> Result<Figures> {
        self.stop.watch(Some(session.clone()));
        let size = self.size as usize;
        let job = (family.make)(&Setting { size, fields })?;
        let wanted: Vec<&Array> = job.arrays.iter().collect();
        let mut outputs = wanted
            .iter()
            .map(|a| fields.memory(a.len() * a.dtype().size()))
            .collect::<Result<Vec<_>>>()?;
        let mut kept: Vec<Array> = Vec::new();
        let mut report = None;
        let mut turn = |count: usize| -> Result<Sample> {
            self.stop.check()?;
            let (sample, done) = Sample::of(|| -> Result<()> {
                for _ in 0..count {
                    match way {
                        Way::Resident => {
                            kept.clear(); // its memory serves the next
                            for array in &wanted {
                                kept.push(session.persist_uncopied(array)?);
                            }
                        }
                        Way::Streamed | Way::OutOfCard => {
                            let out = outputs.iter_mut().map(|b| &mut b[..]).collect();
                            session.compute_into(&wanted, out)?;
                        }
                    }
                }
                report = session.last_report();
                kept.iter().try_for_each(|array| wait(session, array))
            });
            done?;
            Ok(sample.part(count as f64))
        };
        let bound = bound(job.work, way);
        let mut least = Vec::new();
        let mut limit = || -> Result<()> {
            let Some(bound) = &bound else { return Ok(()) };
            let mut wall = 0.0;
            for (amount, limits) in &bound.parts {
                let mut best: f64 = 0.0;
                for &limit in *limits {
                    if probe.has(limit) {
                        let turn = probe.turn(limit)?;
                        best = best.max(turn.amount / turn.seconds);
                    }
                }
                wall += amount / best;
            }
            least.push(Sample { wall, cpu: 0.0 });
            Ok(())
        };
        let turns = Turns::new(self.options.quick, self.rounds, SHORTEST);
        let samples = turns.take(&mut limit, &mut turn)?;
        if way == Way::Resident {
            let out = outputs.iter_mut().map(|b| &mut b[..]).collect();
            session.compute_into(&kept.iter().collect::<Vec<_>>(), out)?;
        }
        self.stop.watch(None);
        let results = Results {
            arrays: &job.arrays,
            bytes: outputs.iter().map(|b| &b[..]).collect(),
        };
        (job.check)(&results)?;
        let report = report.unwrap_or_default();
        let on_cpu = on_cpu(&report, info);
        let least = Sample::median(&least).wall;
        let judged = on_cpu.is_none() && least.is_finite();
        Ok(Figures {
            work: job.work,
            took: Sample::median(&samples),
            rounds: samples.len(),
            tasks: report.stages.iter().map(|s| s.tasks).sum(),
            submissions: report.gpu_submissions,
            on_device: on_device(&report),
            bound: bound.filter(|_| judged).map(|bound| (bound.name, least)),
            on_cpu,
            digest: results.digest(),
        })
    }
}

/// Waits until the device has finished an array: its last element comes after everything that the
/// device was given before.
fn wait(session: &Session, array: &Array) -> Result<()> {
    if array.is_empty() {
        return Ok(());
    }
    let last = vec![s(Some(-1), None, None); array.rank()];
    let element = array.slice(&last)?;
    let mut bytes = vec![0; element.dtype().size()];
    session.compute_into(&[&element], vec![&mut bytes])
}

/// The share of the bytes read and written by a run that lay on the device; none where there were
/// none.
fn on_device(report: &Report) -> Option<f64> {
    let sum = |of: fn(&StageReport) -> u64| report.stages.iter().map(of).sum::<u64>() as f64;
    let all = sum(|s| s.source_bytes + s.array_bytes + s.written_bytes);
    let there = sum(|s| s.resident_bytes + s.kept_bytes);
    // Sources that stay on the device count once, and each time that they are read there.
    (all > 0.0).then(|| (there / all).min(1.0))
}

/// Why the CPU ran a part of what was meant for an adapter; `None` where it ran nothing.
fn on_cpu(report: &Report, info: &AdapterInfo) -> Option<String> {
    let here = info.to_string();
    for stage in &report.stages {
        if !stage.device.starts_with(&here) {
            // The device's own words are `cpu (isa) (why)`.
            let why = stage.device.split_once(") (").map_or("", |(_, why)| why);
            let why = why.strip_suffix(')').unwrap_or(why);
            return Some(if why.is_empty() {
                stage.device.clone()
            } else {
                why.to_string()
            });
        }
        if stage.fallbacks > 0 {
            let why = stage.fallback_reason.as_deref().unwrap_or("no reason told");
            return Some(format!(
                "{} of {} tasks fell back: {why}",
                stage.fallbacks, stage.tasks
            ));
        }
    }
    None
}

/// An outcome with its error as text, unless the measurement was cancelled.
fn said<T>(outcome: Result<T>) -> Result<std::result::Result<T, String>> {
    match outcome {
        Err(Error::Cancelled) => Err(Error::Cancelled),
        other => Ok(other.map_err(|error| error.to_string())),
    }
}
