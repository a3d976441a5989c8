//! Which machine a record is of.

use crate::labelled::cftime;
use crate::store::default_host_budget;
use serde_json::{Value, json};
use std::fs;
use tilewise_kernels::Isa;

/// The machine and the moment as JSON: what a figure has to be read with.
pub fn describe(threads: usize) -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, key: &str| -> Option<String> {
        let line = text.lines().find(|l| l.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_string())
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .map(|kib| kib << 10);
    let load: Option<f64> = read("/proc/loadavg")
        .split_whitespace()
        .next()
        .and_then(|text| text.parse().ok());
    json!({
        "date": cftime::now(),
        "tilewise": env!("CARGO_PKG_VERSION"),
        "optimised": !cfg!(debug_assertions),
        "cpu": field(&read("/proc/cpuinfo"), "model name"),
        "architecture": std::env::consts::ARCH,
        "isa": format!("{:?}", Isa::detect()).to_lowercase(),
        "cores": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "threads": threads,
        "memory_bytes": memory,
        "memory_free_for_tiles": default_host_budget(),
        "system": read("/proc/sys/kernel/osrelease").trim(),
        "load_average": load,
    })
}
