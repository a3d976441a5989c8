//! `tilewise devices`: what computes here.

use crate::options::DevicesArgs;
use crate::print;
use crate::report::memory_bandwidth;
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
    // A session that asks for a GPU says which there are, or why there is none.
    let gpu = Session::new(Config {
        device: DeviceChoice::Gpu(None),
        ..Config::default()
    });
    let (adapters, reason) = match gpu {
        Ok(session) => (session.devices(), None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    if args.json {
        let value = serde_json::json!({
            "cpu": { "threads": workers, "isa": isa, "memory_bytes_per_second": bandwidth },
            "devices": adapters,
            "no_gpu": reason,
        });
        print::line(format_args!("{value}"));
        return Ok(());
    }
    print::line(format_args!(
        "cpu: {workers} threads, {isa}, memory {:.1} GB/s (copy, all threads)",
        bandwidth / 1e9
    ));
    for adapter in &adapters {
        print::line(format_args!("device: {adapter}"));
    }
    if let Some(reason) = reason {
        print::line(format_args!("gpu: none ({reason})"));
    }
    Ok(())
}
