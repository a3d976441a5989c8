//! `tilewise bench cpu`: this machine's limits, and the CPU kernels beside them.

use crate::options::{BenchArgs, BenchCommand, BenchCpuArgs};
use crate::{print, run};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::NamedTempFile;
use tilewise::measure::{self, Options, Stop};
use tilewise::store::parse_bytes;
use tilewise::{Error, Result};

/// Runs a bench.
///
/// # Errors
/// As [`cpu`].
pub fn bench(args: &BenchArgs) -> Result<()> {
    match &args.what {
        BenchCommand::Cpu(args) => cpu(args),
    }
}

/// Measures, prints and records.
///
/// # Errors
/// Options of another form, a record that cannot be written, no memory, a wrong answer.
fn cpu(args: &BenchCpuArgs) -> Result<()> {
    run::check_threads(args.threads)?;
    if args.list {
        for title in measure::titles() {
            print::line(format_args!("{title}"));
        }
        return Ok(());
    }
    let mut options = Options {
        threads: args.threads,
        only: args.only.clone(),
        quick: args.quick,
        spill_dir: args.spill_dir.clone(),
        ..Options::default()
    };
    if let Some(size) = &args.size {
        options.size = parse_bytes(size)?;
    }
    if let Some(rounds) = args.rounds {
        options.rounds = rounds as usize;
    }
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
    let measured = measure::run(&options, &stop, &tell);
    if terminal {
        eprint!("\r\x1b[K");
    }
    let record = measured?;
    if args.json {
        print::line(format_args!("{}", record.to_json()));
    } else {
        print::text(format_args!("{}", record.table()));
    }
    if let (Some(mut file), Some(path)) = (record_file, &args.record) {
        let text = format!("{:#}\n", record.to_json());
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
