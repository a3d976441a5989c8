//! `tilewise devices`: what computes here.

use crate::options::DevicesArgs;
use crate::print;
use crate::report::memory_bandwidth;
use tilewise::device::gpu::{AdapterInfo, Gpu, Options, Rates, Verdict, adapters};
use tilewise::human_bytes;
use tilewise::kernels::Isa;
use tilewise::session::{Config, DeviceChoice};
use tilewise::{Result, Session};

/// Prints the devices.
///
/// # Errors
/// None on a machine that runs this program.
pub fn devices(args: &DevicesArgs) -> Result<()> {
    let cpu = Session::new(Config {
        device: DeviceChoice::Cpu,
        ..Config::default()
    })?;
    let workers = cpu.limits().workers;
    let bandwidth = memory_bandwidth(workers);
    let isa = format!("{:?}", Isa::detect());
    let gpus: Vec<Adapter> = adapters().into_iter().map(Adapter::open).collect();
    if args.json {
        let value = serde_json::json!({
            "cpu": {
                "name": cpu.devices().pop(),
                "threads": workers,
                "isa": isa,
                "memory_bytes_per_second": bandwidth,
            },
            "gpus": gpus.iter().map(Adapter::json).collect::<Vec<_>>(),
        });
        print::line(format_args!("{value}"));
        return Ok(());
    }
    print::line(format_args!(
        "cpu: {workers} threads, {isa}, memory {:.1} GB/s (copy, all threads)",
        bandwidth / 1e9
    ));
    for gpu in &gpus {
        gpu.print();
    }
    if gpus.is_empty() {
        print::line(format_args!(
            "gpu: none: no Vulkan driver is found; mesa-vulkan-drivers has a software one"
        ));
    }
    Ok(())
}

/// An adapter, and what opening it told.
struct Adapter {
    info: AdapterInfo,
    opened: std::result::Result<Opened, String>,
}

/// What an opened adapter told.
struct Opened {
    verdicts: Vec<Verdict>,
    rates: Rates,
}

impl Adapter {
    fn open(info: AdapterInfo) -> Adapter {
        let options = Options {
            matrix_units: true,
            ..Options::default()
        };
        let opened = Gpu::open(info.index, options).and_then(|gpu| {
            Ok(Opened {
                verdicts: gpu.verdicts().to_vec(),
                rates: gpu.rates()?,
            })
        });
        Adapter {
            info,
            opened: opened.map_err(|error| error.to_string()),
        }
    }

    /// What it has, by name.
    fn features(&self) -> [(&'static str, bool); 9] {
        let info = &self.info;
        [
            ("f64", info.f64),
            ("i64", info.i64),
            ("f16", info.f16),
            ("subgroups", info.subgroups),
            ("matrix units", info.matrix_units.is_some()),
            ("timestamps", info.timestamps),
            ("pipeline cache", info.pipeline_cache),
            ("mappable buffers", info.mappable),
            ("shared memory", info.shared_memory),
        ]
    }

    fn json(&self) -> serde_json::Value {
        let info = &self.info;
        let features: serde_json::Map<String, serde_json::Value> = self
            .features()
            .iter()
            .map(|&(name, has)| (name.replace(' ', "_"), has.into()))
            .collect();
        let mut value = serde_json::json!({
            "index": info.index,
            "name": info.name,
            "backend": info.backend,
            "driver": info.driver,
            "software": info.software,
            "memory_bytes": info.memory_bytes,
            "max_binding_bytes": info.max_binding_bytes,
            "max_buffer_bytes": info.max_buffer_bytes,
            "features": features,
        });
        let more = match &self.opened {
            Err(why) => serde_json::json!({ "unusable": why }),
            Ok(opened) => serde_json::json!({
                "upload_bytes_per_second": opened.rates.upload,
                "download_bytes_per_second": opened.rates.download,
                "copy_bytes_per_second": opened.rates.copy,
                "task_seconds": opened.rates.task,
                "self_test": opened.verdicts.iter().map(|v| serde_json::json!({
                    "fact": v.fact, "ok": v.ok, "detail": v.detail,
                })).collect::<Vec<_>>(),
            }),
        };
        if let (Some(into), Some(from)) = (value.as_object_mut(), more.as_object()) {
            into.extend(from.clone());
        }
        value
    }

    fn print(&self) {
        let info = &self.info;
        let kind = if info.software { ", software" } else { "" };
        print::line(format_args!("{info}{kind}"));
        let has: Vec<&str> = self
            .features()
            .iter()
            .filter(|(_, has)| *has)
            .map(|(n, _)| *n)
            .collect();
        let memory = info.memory_bytes.map_or("unknown".into(), human_bytes);
        print::line(format_args!(
            "  memory {memory}, bindings to {}; {}",
            human_bytes(info.max_binding_bytes),
            has.join(", ")
        ));
        let opened = match &self.opened {
            Ok(opened) => opened,
            Err(why) => return print::line(format_args!("  not used: {why}")),
        };
        let rates = opened.rates;
        print::line(format_args!(
            "  upload {:.1}, download {:.1}, copy {:.1} GB/s; {:.0} µs a task",
            rates.upload / 1e9,
            rates.download / 1e9,
            rates.copy / 1e9,
            rates.task * 1e6
        ));
        let failed: Vec<&Verdict> = opened.verdicts.iter().filter(|v| !v.ok).collect();
        print::line(format_args!(
            "  self-test: {} of {} facts hold",
            opened.verdicts.len() - failed.len(),
            opened.verdicts.len()
        ));
        for verdict in failed {
            print::line(format_args!(
                "    {} does not: {}; {}",
                verdict.fact,
                verdict.detail,
                verdict.consequence()
            ));
        }
    }
}
