//! What was measured on GPUs, as a table for people and as JSON for programs.

use super::super::family::{Family, Work};
use super::super::record::seconds;
use super::super::sample::{Sample, rounded};
use super::families::Way;
use crate::device::gpu::{AdapterInfo, Counted, RawLimit, Turn};
use crate::human_bytes;
use serde_json::{Value, json};
use std::fmt::Write;

/// A limit of an adapter, measured.
pub struct LimitRow {
    /// Which.
    pub limit: RawLimit,
    samples: Vec<Sample>,
    /// Bytes, operations or things of a turn.
    amount: f64,
    by_device: bool,
    /// Why it could not be measured.
    error: Option<String>,
}

impl LimitRow {
    pub(super) fn new(limit: RawLimit) -> LimitRow {
        LimitRow {
            limit,
            samples: Vec::new(),
            amount: 0.0,
            by_device: false,
            error: None,
        }
    }

    /// Adds a turn and what it took of the host.
    pub(super) fn add(&mut self, host: Sample, turn: Result<Turn, String>, counts: bool) {
        match turn {
            Ok(turn) if counts => {
                self.samples.push(Sample {
                    wall: turn.seconds,
                    ..host
                });
                self.amount = turn.amount;
                self.by_device = turn.by_device;
            }
            Ok(_) => {}
            Err(error) => self.error = Some(error),
        }
    }

    fn took(&self) -> Sample {
        Sample::median(&self.samples)
    }

    fn json(&self) -> Value {
        let took = self.took();
        json!({
            "name": self.limit.name(),
            "unit": match self.limit.counts() {
                Counted::Bytes => "bytes",
                Counted::Operations => "operations",
                Counted::Things(thing) => thing,
            },
            "amount": self.amount,
            "seconds": took.json(),
            "clock": if self.by_device { "device" } else { "host" },
            "per_second": rounded(self.amount / took.wall),
            "error": self.error,
        })
    }

    fn line(&self) -> String {
        if let Some(error) = &self.error {
            return format!("{:<34}FAILED: {error}", self.limit.name());
        }
        let took = self.took();
        let per_second = self.amount / took.wall;
        let rate = match self.limit.counts() {
            Counted::Bytes => format!("{:.2} GB/s", per_second / 1e9),
            Counted::Operations => format!("{:.1} Gflop/s", per_second / 1e9),
            Counted::Things(_) => format!("{:.3} µs each", 1e6 / per_second),
        };
        let clock = if self.by_device { "device" } else { "host" };
        let (name, took) = (self.limit.name(), seconds(took.wall));
        format!("{name:<34}{clock:>8}{took:>11}{rate:>18}")
    }
}

/// What a family's turns gave.
pub struct Figures {
    /// What its time is divided by.
    pub work: Work,
    /// The median of its turns.
    pub took: Sample,
    /// How many turns.
    pub rounds: usize,
    /// Tasks of one of them.
    pub tasks: u64,
    /// Submissions of one of them.
    pub submissions: u64,
    /// The share of the bytes read and written that lay on the device.
    pub on_device: Option<f64>,
    /// What it is judged by, and the least seconds that this allows.
    pub bound: Option<(&'static str, f64)>,
    /// Why the CPU ran it, or a part of it.
    pub on_cpu: Option<String>,
    /// A few elements of the result, evenly spread.
    pub digest: Vec<f64>,
}

impl Figures {
    /// The share of its bound that it reached.
    pub fn share(&self) -> Option<f64> {
        let (_, least) = self.bound?;
        Some(least / self.took.wall).filter(|share| share.is_finite())
    }
}

/// A family, measured.
pub struct FamilyRow {
    pub(super) family: &'static Family,
    /// Where its arrays were.
    pub way: Way,
    /// What came of it, or why it failed.
    pub outcome: Result<Figures, String>,
}

impl FamilyRow {
    /// `group: name`.
    pub fn title(&self) -> String {
        self.family.title()
    }

    fn json(&self) -> Value {
        let mut row = json!({
            "group": self.family.group,
            "name": self.family.name,
            "about": self.family.about,
            "way": self.way.name(),
        });
        let figures = match &self.outcome {
            Err(error) => json!({ "error": error }),
            Ok(f) => {
                let (unit, read, written) = f.work.unit();
                json!({
                    "device": if f.on_cpu.is_none() { "gpu" } else { "cpu" },
                    "cpu_reason": f.on_cpu,
                    "tasks": f.tasks,
                    "submissions": f.submissions,
                    "on_device": f.on_device.map(rounded),
                    "unit": unit,
                    "read": read,
                    "written": written,
                    "amount": f.work.amount(),
                    "seconds": f.took.json(),
                    "rounds": f.rounds,
                    "per_second": rounded(f.work.amount() / f.took.wall),
                    "limit": f.bound.map(|(name, _)| name),
                    "limit_seconds": f.bound.map(|(_, least)| rounded(least)),
                    "share": f.share().map(rounded),
                    "elements": f.digest,
                    "error": null,
                })
            }
        };
        if let (Value::Object(row), Value::Object(figures)) = (&mut row, figures) {
            row.extend(figures);
        }
        row
    }

    fn line(&self) -> String {
        let (title, way) = (self.title(), self.way.name());
        let f = match &self.outcome {
            Err(error) => return format!("{title:<38}{way:<12}FAILED: {error}"),
            Ok(figures) => figures,
        };
        let share = f.share().map_or(String::new(), |share| format!("{share:.2}"));
        let judged = match (&f.on_cpu, f.bound) {
            (Some(why), _) => format!("cpu: {why}"),
            (None, bound) => bound.map_or("", |(name, _)| name).to_string(),
        };
        let there = f
            .on_device
            .map_or(String::new(), |part| format!("{:.0} %", part * 100.0));
        let line = format!(
            "{title:<38}{way:<12}{:>7}{there:>8}{:>11}{:>18}{share:>10}  {judged}",
            f.tasks,
            seconds(f.took.wall),
            f.work.rate(f.took.wall),
        );
        line.trim_end().to_string()
    }
}

/// One adapter and what was measured on it.
pub struct AdapterRows {
    /// What it is.
    pub info: AdapterInfo,
    /// Why it must not be measured.
    pub refused: Option<String>,
    /// Why it could not be.
    pub error: Option<String>,
    /// Bytes of an array of the limits.
    array_bytes: u64,
    /// Bytes of device memory that sessions were given.
    budget: u64,
    /// Its limits.
    pub limits: Vec<LimitRow>,
    /// The families.
    pub families: Vec<FamilyRow>,
}

impl AdapterRows {
    pub(super) fn new(info: AdapterInfo, array_bytes: u64, budget: u64) -> AdapterRows {
        AdapterRows {
            info,
            refused: None,
            error: None,
            array_bytes,
            budget,
            limits: Vec::new(),
            families: Vec::new(),
        }
    }

    pub(super) fn refused(info: AdapterInfo, why: String) -> AdapterRows {
        AdapterRows {
            refused: Some(why),
            ..AdapterRows::new(info, 0, 0)
        }
    }

    pub(super) fn failed(info: AdapterInfo, error: String) -> AdapterRows {
        AdapterRows {
            error: Some(error),
            ..AdapterRows::new(info, 0, 0)
        }
    }

    fn json(&self) -> Value {
        let info = &self.info;
        json!({
            "adapter": {
                "index": info.index,
                "name": info.name,
                "backend": info.backend,
                "driver": info.driver,
                "software": info.software,
                "shared_memory": info.shared_memory,
                "f64": info.f64,
                "f16": info.f16,
                "timestamps": info.timestamps,
                "memory_bytes": info.memory_bytes,
                "max_binding_bytes": info.max_binding_bytes,
                "max_buffer_bytes": info.max_buffer_bytes,
            },
            "refused": self.refused,
            "error": self.error,
            "limit_array_bytes": self.array_bytes,
            "budget_bytes": self.budget,
            "limits": self.limits.iter().map(LimitRow::json).collect::<Value>(),
            "families": self.families.iter().map(FamilyRow::json).collect::<Value>(),
        })
    }

    fn write(&self, out: &mut String) {
        let mark = if self.info.software { ", software" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "\n{}{mark}", self.info);
        if let Some(why) = self.refused.as_ref().or(self.error.as_ref()) {
            let _ = writeln!(out, "not measured: {why}");
            return;
        }
        let _ = writeln!(
            out,
            "limits on arrays of {}; sessions of {}",
            human_bytes(self.array_bytes),
            human_bytes(self.budget)
        );
        if !self.limits.is_empty() {
            let _ = writeln!(out, "\n{:<34}{:>8}{:>11}{:>18}", "limit", "clock", "time", "rate");
        }
        for row in &self.limits {
            let _ = writeln!(out, "{}", row.line());
        }
        if !self.families.is_empty() {
            let _ = writeln!(
                out,
                "\n{:<38}{:<12}{:>7}{:>8}{:>11}{:>18}{:>10}  limit, or why the cpu",
                "family", "arrays", "tasks", "on card", "time", "rate", "of limit"
            );
        }
        for row in &self.families {
            let _ = writeln!(out, "{}", row.line());
        }
    }
}

/// A whole measurement.
pub struct Record {
    machine: Value,
    size: u64,
    rounds: usize,
    matrix_units: bool,
    /// The adapters, in the machine's order.
    pub adapters: Vec<AdapterRows>,
}

impl Record {
    pub(super) fn new(machine: Value, size: u64, rounds: usize, matrix_units: bool) -> Record {
        Record {
            machine,
            size,
            rounds,
            matrix_units,
            adapters: Vec::new(),
        }
    }

    /// What failed, with the errors.
    pub fn failures(&self) -> Vec<String> {
        let of_one = |rows: &AdapterRows| -> Vec<String> {
            let whole = rows.error.iter().map(|error| format!("{}: {error}", rows.info));
            let limits = rows.limits.iter().filter_map(|row| {
                let error = row.error.as_ref()?;
                Some(format!("limit: {}: {error}", row.limit.name()))
            });
            let families = rows.families.iter().filter_map(|row| {
                let error = row.outcome.as_ref().err()?;
                Some(format!("{}: {error}", row.title()))
            });
            whole.chain(limits).chain(families).collect()
        };
        self.adapters.iter().flat_map(of_one).collect()
    }

    /// As JSON: the machine, then per adapter rows in the order of the table. Seconds are medians;
    /// rates are bytes, operations or things per second.
    pub fn to_json(&self) -> Value {
        json!({
            "machine": self.machine,
            "size": self.size,
            "rounds": self.rounds,
            "matrix_units": self.matrix_units,
            "adapters": self.adapters.iter().map(AdapterRows::json).collect::<Value>(),
        })
    }

    /// As a table per adapter.
    pub fn table(&self) -> String {
        let mut out = format!(
            "{}; arrays of {}; medians of {}\n",
            self.machine["cpu"].as_str().unwrap_or("unknown cpu"),
            human_bytes(self.size),
            self.rounds
        );
        if self.matrix_units {
            out += "float16 is multiplied by matrix units\n";
        }
        if self.machine["optimised"] == false {
            out += "built without optimisation: the figures tell nothing\n";
        }
        for rows in &self.adapters {
            rows.write(&mut out);
        }
        out
    }
}
