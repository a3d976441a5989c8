//! What was measured, as a table for people and as JSON for programs.

use super::disk::Disk;
use super::family::Work;
use super::limits::Limit;
use super::sample::{Sample, rounded};
use crate::human_bytes;
use serde_json::{Value, json};
use std::fmt::Write;

/// A limit of the machine, measured.
pub struct LimitRow {
    /// Which.
    pub limit: Limit,
    /// On how many threads.
    pub threads: usize,
    /// Bytes or operations of a turn.
    pub amount: f64,
    /// The median of its turns.
    pub took: Sample,
}

/// The disk below a folder, measured.
pub struct DiskRow {
    pub(super) folder: String,
    pub(super) measured: Disk,
}

/// A kernel family, measured.
pub struct FamilyRow {
    /// Its group.
    pub group: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What is computed.
    pub about: &'static str,
    /// What its time is divided by.
    pub work: Work,
    /// The median of its turns.
    pub took: Sample,
    /// How many turns.
    pub rounds: usize,
    /// The limit it is judged by, its bytes or operations, and the median of its turns.
    pub limit: Option<(Limit, f64, Sample)>,
    /// Bytes that the session held at most, beside the results.
    pub held: u64,
    /// A few elements of the result, evenly spread.
    pub digest: Vec<f64>,
}

impl FamilyRow {
    /// The share of the limit that the family reached, by wall and by CPU seconds; none where it
    /// has no limit or the system tells no CPU seconds.
    pub fn shares(&self) -> (Option<f64>, Option<f64>) {
        let Some((_, amount, limit)) = self.limit else {
            return (None, None);
        };
        let share = |limit: f64, own: f64| {
            let share = (self.work.amount() / own) / (amount / limit);
            share.is_finite().then_some(share)
        };
        (share(limit.wall, self.took.wall), share(limit.cpu, self.took.cpu))
    }
}

/// A whole measurement.
pub struct Record {
    machine: Value,
    size: u64,
    rounds: usize,
    threads: usize,
    /// The machine's limits.
    pub limits: Vec<LimitRow>,
    /// The disk, where it was asked for.
    pub disk: Option<DiskRow>,
    /// The kernel families.
    pub families: Vec<FamilyRow>,
}

impl Record {
    pub(super) fn new(machine: Value, size: u64, rounds: usize, threads: usize) -> Record {
        Record {
            machine,
            size,
            rounds,
            threads,
            limits: Vec::new(),
            disk: None,
            families: Vec::new(),
        }
    }

    /// As JSON: the machine, then rows in the order of the table. Seconds are medians; rates are
    /// bytes, operations or things per wall second.
    pub fn to_json(&self) -> Value {
        let limits = self.limits.iter().map(|row| {
            json!({
                "name": row.limit.name(),
                "threads": row.threads,
                "unit": if row.limit.counts_operations() { "operations" } else { "bytes" },
                "amount": row.amount,
                "seconds": row.took.json(),
                "per_second": rounded(row.amount / row.took.wall),
            })
        });
        let families = self.families.iter().map(|row| {
            let (wall, cpu) = row.shares();
            let (unit, read, written) = row.work.unit();
            json!({
                "group": row.group,
                "name": row.name,
                "about": row.about,
                "unit": unit,
                "read": read,
                "written": written,
                "amount": row.work.amount(),
                "seconds": row.took.json(),
                "rounds": row.rounds,
                "per_second": rounded(row.work.amount() / row.took.wall),
                "limit": row.limit.map(|(limit, ..)| limit.name()),
                "limit_per_second": row.limit.map(|(_, amount, took)| rounded(amount / took.wall)),
                "share": wall.map(rounded),
                "share_by_cpu": cpu.map(rounded),
                "held_bytes": row.held,
                "elements": row.digest,
            })
        });
        let disk = self.disk.as_ref().map(|row| {
            let rate = |sample: Sample| rounded(row.measured.bytes as f64 / sample.wall);
            json!({
                "folder": row.folder,
                "direct": row.measured.direct,
                "bytes": row.measured.bytes,
                "write": { "seconds": row.measured.write.json(), "per_second": rate(row.measured.write) },
                "read": { "seconds": row.measured.read.json(), "per_second": rate(row.measured.read) },
            })
        });
        json!({
            "machine": self.machine,
            "size": self.size,
            "rounds": self.rounds,
            "limits": limits.collect::<Value>(),
            "disk": disk,
            "families": families.collect::<Value>(),
        })
    }

    /// As a table.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let word = |key: &str| match &self.machine[key] {
            Value::String(text) => text.clone(),
            Value::Null => "unknown".into(),
            other => other.to_string(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{}, {} cores, {}; {} threads; arrays of {}; medians of {}; load {}",
            word("cpu"),
            word("cores"),
            word("isa"),
            self.threads,
            human_bytes(self.size),
            self.rounds,
            word("load_average"),
        );
        if self.machine["optimised"] == false {
            let _ = writeln!(out, "built without optimisation: the figures tell nothing");
        }
        if !self.limits.is_empty() || self.disk.is_some() {
            let _ = writeln!(
                out,
                "\n{:<34}{:>8}{:>11}{:>11}{:>16}",
                "limit", "threads", "time", "cpu", "rate"
            );
        }
        for row in &self.limits {
            let what = if row.limit.counts_operations() {
                "Gflop/s"
            } else {
                "GB/s"
            };
            self.limit_line(
                &mut out,
                row.limit.name(),
                row.threads,
                row.took,
                row.amount,
                what,
            );
        }
        if let Some(row) = &self.disk {
            let how = if row.measured.direct { "direct" } else { "cached" };
            for (name, took) in [("write", row.measured.write), ("read", row.measured.read)] {
                let name = format!("disk, {name}, {how}");
                self.limit_line(&mut out, &name, 1, took, row.measured.bytes as f64, "GB/s");
            }
        }
        if !self.families.is_empty() {
            let _ = writeln!(
                out,
                "\n{:<34}{:>8}{:>11}{:>11}{:>16}{:>10}{:>8}  limit",
                "family", "", "time", "cpu", "rate", "of limit", "by cpu"
            );
        }
        for row in &self.families {
            let rate = row.work.rate(row.took.wall);
            let (wall, cpu) = row.shares();
            let share = |s: Option<f64>| s.map_or(String::new(), |s| format!("{s:.2}"));
            let line = format!(
                "{:<42}{:>11}{:>11}{rate:>16}{:>10}{:>8}  {}",
                format!("{}: {}", row.group, row.name),
                seconds(row.took.wall),
                seconds(row.took.cpu),
                share(wall),
                share(cpu),
                row.limit.map_or("", |(limit, ..)| limit.name()),
            );
            let _ = writeln!(out, "{}", line.trim_end());
        }
        out
    }

    fn limit_line(
        &self,
        out: &mut String,
        name: &str,
        threads: usize,
        took: Sample,
        amount: f64,
        what: &str,
    ) {
        let rate = format!("{:.2} {what}", amount / took.wall / 1e9);
        let (wall, cpu) = (seconds(took.wall), seconds(took.cpu));
        let _ = writeln!(out, "{name:<34}{threads:>8}{wall:>11}{cpu:>11}{rate:>16}");
    }
}

/// Seconds in a unit that shows their size.
pub(super) fn seconds(value: f64) -> String {
    match value {
        v if v >= 1.0 => format!("{v:.3} s"),
        v if v >= 1e-3 => format!("{:.2} ms", v * 1e3),
        v => format!("{:.2} µs", v * 1e6),
    }
}
