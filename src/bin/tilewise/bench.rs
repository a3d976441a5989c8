//! `tilewise bench`: the limits of this machine and of its GPUs, and the engine beside them.

use crate::options::{BenchArgs, BenchCommand, BenchCommon, BenchCpuArgs, BenchGpuArgs};
use crate::{print, run};
use serde_json::Value;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::NamedTempFile;
use tilewise::measure::{self, Stop, gpu};
use tilewise::session::DeviceChoice;
use tilewise::store::parse_bytes;
use tilewise::{Error, Result};

/// Runs a bench.
///
/// # Errors
/// As [`cpu`] and [`gpu_bench`].
pub fn bench(args: &BenchArgs) -> Result<()> {
    match &args.what {
        BenchCommand::Cpu(args) => cpu(args),
        BenchCommand::Gpu(args) => gpu_bench(args),
    }
}

/// Measures the CPU, prints and records.
///
/// # Errors
/// Options of another form, a record that cannot be written, no memory, a wrong answer.
fn cpu(args: &BenchCpuArgs) -> Result<()> {
    run::check_threads(args.threads)?;
    if args.common.list {
        return list(&measure::titles());
    }
    let mut options = measure::Options {
        threads: args.threads,
        only: args.common.only.clone(),
        quick: args.common.quick,
        spill_dir: args.spill_dir.clone(),
        ..measure::Options::default()
    };
    options.size = size(&args.common)?.unwrap_or(options.size);
    options.rounds = rounds(&args.common).unwrap_or(options.rounds);
    show(&args.common, |stop, tell| {
        let record = measure::run(&options, stop, tell)?;
        Ok((record.to_json(), record.table()))
    })
}

/// Measures GPUs, prints and records.
///
/// # Errors
/// Options of another form, a record that cannot be written, no adapter; after the record is
/// written, what failed.
fn gpu_bench(args: &BenchGpuArgs) -> Result<()> {
    if args.common.list {
        return list(&gpu::titles());
    }
    let device = args.device.as_deref().map(|text| {
        DeviceChoice::parse(text)
            .filter(|choice| matches!(choice, DeviceChoice::Gpu(_)))
            .ok_or_else(|| Error::invalid(format!("--device {text:?} is no GPU; write gpu or gpu:N")))
    });
    let mut options = gpu::Options {
        device: device.transpose()?,
        only: args.common.only.clone(),
        quick: args.common.quick,
        matrix_units: args.matrix_units,
        ..gpu::Options::default()
    };
    options.size = size(&args.common)?.unwrap_or(options.size);
    options.rounds = rounds(&args.common).unwrap_or(options.rounds);
    let mut failures = Vec::new();
    show(&args.common, |stop, tell| {
        let record = gpu::run(&options, stop, tell)?;
        failures = record.failures();
        Ok((record.to_json(), record.table()))
    })?;
    match failures.as_slice() {
        [] => Ok(()),
        all => Err(Error::Device(format!(
            "{} rows failed: {}",
            all.len(),
            all.join(" · ")
        ))),
    }
}

fn list(titles: &[String]) -> Result<()> {
    for title in titles {
        print::line(format_args!("{title}"));
    }
    Ok(())
}

fn size(args: &BenchCommon) -> Result<Option<u64>> {
    args.size.as_deref().map(parse_bytes).transpose()
}

fn rounds(args: &BenchCommon) -> Option<usize> {
    args.rounds.map(|n| n as usize)
}

/// Measures with progress and a way to interrupt; prints and records the JSON and the table that
/// come of it.
fn show(
    args: &BenchCommon,
    measure: impl FnOnce(&Stop, &dyn Fn(&str)) -> Result<(Value, String)>,
) -> Result<()> {
    // A record that cannot be written is said before minutes are spent on it.
    let record_file = args.record.as_deref().map(unfinished).transpose()?;
    let stop = Stop::default();
    let (handle, again) = (stop.clone(), AtomicBool::new(false));
    // A first interrupt ends the run cleanly; a second one ends the process.
    let _ = ctrlc::set_handler(move || {
        if again.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        handle.stop();
    });
    let terminal = std::io::stderr().is_terminal();
    let tell = |what: &str| {
        if terminal {
            eprint!("\r\x1b[K{what}");
        } else if !args.quiet {
            eprintln!("{what}");
        }
    };
    let measured = measure(&stop, &tell);
    if terminal {
        eprint!("\r\x1b[K");
    }
    let (json, table) = measured?;
    if args.json {
        print::line(format_args!("{json}"));
    } else {
        print::text(format_args!("{table}"));
    }
    if let (Some(mut file), Some(path)) = (record_file, &args.record) {
        let text = format!("{json:#}\n");
        file.write_all(text.as_bytes())
            .map_err(Error::io("write", path))?;
        file.persist(path)
            .map_err(|e| Error::io("write", path)(e.error))?;
    }
    Ok(())
}

/// A temporary file beside `path`, which it becomes.
fn unfinished(path: &Path) -> Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    if path.is_dir() {
        return Err(Error::format(
            path,
            "is a folder; --record names the file to write",
        ));
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    tempfile::Builder::new()
        .prefix(".tilewise-record-")
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(Error::io("write a record in", folder))
}
