//! What a run did: per stage the device, tasks, bytes and seconds, and the peaks of memory.

use crate::human_bytes;
use std::fmt;

/// What one stage did.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct StageReport {
    /// Its number.
    pub stage: usize,
    /// Why it is a stage.
    pub reason: String,
    /// The device that was chosen, and why.
    pub device: String,
    /// Tasks that ran.
    pub tasks: u64,
    /// Tasks that the chosen device could not do and the CPU did.
    pub fallbacks: u64,
    /// Why the first of them fell back.
    pub fallback_reason: Option<String>,
    /// Tasks at once.
    pub workers: usize,
    /// Bytes handed out by sources (after decoding).
    pub source_bytes: u64,
    /// Bytes read from earlier arrays.
    pub array_bytes: u64,
    /// Bytes written to arrays, sinks and results.
    pub written_bytes: u64,
    /// Of `array_bytes`, those that lay in the device's memory.
    pub resident_bytes: u64,
    /// Of `written_bytes`, those that stayed there.
    pub kept_bytes: u64,
    /// Wall seconds.
    pub seconds: f64,
}

/// What a run did.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    /// One entry per stage.
    pub stages: Vec<StageReport>,
    /// Wall seconds, planning and the cache included.
    pub seconds: f64,
    /// Seconds of planning.
    pub plan_seconds: f64,
    /// Seconds in which arrays of [`Session::cache`](super::Session::cache) were computed before it.
    pub cache_seconds: f64,
    /// The host budget.
    pub host_budget: u64,
    /// Peak of host memory that was proved, with what persisted arrays and a GPU hold beside the plan.
    pub host_proved: u64,
    /// Most bytes reserved at once.
    pub host_peak: u64,
    /// Peak resident size of the process, where the system tells it.
    pub rss_peak: Option<u64>,
    /// Most bytes in device memory at once.
    pub gpu_peak: u64,
    /// Bytes of tiles that left device memory for the host to make room.
    pub gpu_evicted_bytes: u64,
    /// How often the GPU was given work: tasks whose results stay there may go together.
    pub gpu_submissions: u64,
    /// Bytes written to spill files.
    pub spilled_bytes: u64,
    /// Bytes read back from them.
    pub loaded_bytes: u64,
    /// Tasks that an earlier run had done.
    pub resumed_items: u64,
    /// Bytes of blocks and states that it had kept and that were read.
    pub resumed_bytes: u64,
}

impl Report {
    /// Bytes moved by a stage per second, in GB/s.
    fn rate(stage: &StageReport) -> f64 {
        let moved = stage.source_bytes + stage.array_bytes + stage.written_bytes;
        moved as f64 / stage.seconds.max(1e-9) / 1e9
    }

    /// The report as JSON, with a share of `limit` bytes per second where it is given.
    pub fn to_json(&self, limit: Option<f64>) -> serde_json::Value {
        let stages: Vec<serde_json::Value> = self
            .stages
            .iter()
            .map(|s| {
                serde_json::json!({
                    "stage": s.stage,
                    "reason": s.reason,
                    "device": s.device,
                    "tasks": s.tasks,
                    "workers": s.workers,
                    "fallbacks": s.fallbacks,
                    "fallback_reason": s.fallback_reason,
                    "source_bytes": s.source_bytes,
                    "array_bytes": s.array_bytes,
                    "written_bytes": s.written_bytes,
                    "resident_bytes": s.resident_bytes,
                    "kept_bytes": s.kept_bytes,
                    "seconds": s.seconds,
                    "gigabytes_per_second": Report::rate(s),
                    "share_of_limit": limit.map(|l| Report::rate(s) * 1e9 / l),
                })
            })
            .collect();
        serde_json::json!({
            "seconds": self.seconds,
            "plan_seconds": self.plan_seconds,
            "cache_seconds": self.cache_seconds,
            "limit_bytes_per_second": limit,
            "memory": {
                "host_budget": self.host_budget,
                "host_proved": self.host_proved,
                "host_peak": self.host_peak,
                "rss_peak": self.rss_peak,
                "gpu_peak": self.gpu_peak,
                "gpu_evicted": self.gpu_evicted_bytes,
                "spilled": self.spilled_bytes,
                "loaded": self.loaded_bytes,
            },
            "gpu_submissions": self.gpu_submissions,
            "resumed": { "items": self.resumed_items, "bytes": self.resumed_bytes },
            "stages": stages,
        })
    }

    /// The report as a table, with the share of `limit` bytes per second where it is given.
    pub fn table(&self, limit: Option<f64>) -> String {
        let mut out = String::from("stage  tasks      read   written  seconds    GB/s  of limit  device\n");
        for s in &self.stages {
            let rate = Report::rate(s);
            let share = limit.map_or("-".to_string(), |l| format!("{:.0} %", rate * 1e11 / l));
            out += &format!(
                "{:>5}  {:>5}  {:>8}  {:>8}  {:>7.3}  {:>6.2}  {share:>8}  {}\n",
                s.stage,
                s.tasks,
                human_bytes(s.source_bytes + s.array_bytes),
                human_bytes(s.written_bytes),
                s.seconds,
                rate,
                s.device
            );
            if s.resident_bytes + s.kept_bytes > 0 {
                out += &format!(
                    "       on the device: {} read where they lay, {} stayed\n",
                    human_bytes(s.resident_bytes),
                    human_bytes(s.kept_bytes)
                );
            }
            if let Some(reason) = &s.fallback_reason {
                out += &format!("       {} tasks fell back to the CPU: {reason}\n", s.fallbacks);
            }
        }
        let rss = self.rss_peak.map_or("unknown".into(), human_bytes);
        out += &format!(
            "memory: peak {} of {} proved, budget {}, resident {rss}; device {}\n",
            human_bytes(self.host_peak),
            human_bytes(self.host_proved),
            human_bytes(self.host_budget),
            human_bytes(self.gpu_peak)
        );
        if self.spilled_bytes > 0 {
            let (out_bytes, back) = (human_bytes(self.spilled_bytes), human_bytes(self.loaded_bytes));
            out += &format!("spilled: {out_bytes} written, {back} read back\n");
        }
        if self.resumed_items + self.resumed_bytes > 0 {
            let bytes = human_bytes(self.resumed_bytes);
            out += &format!(
                "resumed: {} tasks of an earlier run, {bytes}\n",
                self.resumed_items
            );
        }
        if self.cache_seconds > 0.0 {
            out += &format!("cache: {:.3} s to compute what is kept\n", self.cache_seconds);
        }
        out + &format!(
            "time: {:.3} s, of which planning {:.4} s\n",
            self.seconds, self.plan_seconds
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table(None))
    }
}
