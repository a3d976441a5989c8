//! A session as the command line asks for it, with its progress bar, trace and interrupt.

use crate::options::RunArgs;
use crate::trace::Trace;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tilewise::session::{Canceller, Config, DeviceChoice, Event};
use tilewise::store::parse_bytes;
use tilewise::{Error, Result, Session};

/// More worker threads than any machine has cores; starting far more takes minutes.
const MOST_THREADS: usize = 4096;

/// Where finished parts of a run are kept.
#[derive(Debug, Default)]
pub struct Keep {
    /// The folder.
    pub folder: Option<PathBuf>,
    /// The most bytes in it, as the user wrote them.
    pub limit: Option<String>,
}

/// Opens a session.
///
/// # Errors
/// Flags of another form, a device that is not there, a spill folder that cannot be used.
pub fn session(args: &RunArgs) -> Result<Session> {
    resumable_session(args, &Keep::default())
}

/// The same for a run that can be resumed.
///
/// # Errors
/// As [`session`].
pub fn resumable_session(args: &RunArgs, keep: &Keep) -> Result<Session> {
    let bytes = |text: &Option<String>| text.as_deref().map(parse_bytes).transpose();
    let device = DeviceChoice::parse(&args.device).ok_or_else(|| {
        Error::invalid(format!(
            "--device {:?} is not auto, cpu, gpu or gpu:N",
            args.device
        ))
    })?;
    check_threads(args.threads)?;
    // Opening a GPU takes a while; an interrupt before there is a session just ends the process.
    let opened: Arc<OnceLock<Canceller>> = Arc::default();
    let interrupted = opened.clone();
    let again = AtomicBool::new(false);
    // A first interrupt ends the run cleanly; a second one ends the process.
    let _ = ctrlc::set_handler(move || match interrupted.get() {
        Some(canceller) if !again.swap(true, Ordering::Relaxed) => canceller.cancel(),
        _ => std::process::exit(130),
    });
    let session = Session::new(Config {
        memory: bytes(&args.memory)?,
        gpu_memory: bytes(&args.gpu_memory)?,
        matrix_units: args.matrix_units,
        spill_dir: args.spill_dir.clone(),
        spill_limit: bytes(&args.spill_limit)?,
        threads: args.threads,
        device,
        resume: keep.folder.clone(),
        resume_limit: bytes(&keep.limit)?,
        ..Config::default()
    })
    .map_err(|error| match error {
        // A device that was asked for and is not there is a wrong command line, not a broken machine.
        Error::Device(text) if device != DeviceChoice::Auto => Error::invalid(text),
        other => other,
    })?;
    // The session itself ends before the process does, and takes its spill folder with it.
    let _ = opened.set(session.canceller());
    Ok(session)
}

/// # Errors
/// A number of threads that no machine has.
pub fn check_threads(threads: Option<usize>) -> Result<()> {
    match threads.filter(|n| !(1..=MOST_THREADS).contains(n)) {
        Some(threads) => Err(Error::invalid(format!(
            "--threads {threads} is not within 1 to {MOST_THREADS}"
        ))),
        None => Ok(()),
    }
}

/// Listens to a session's events for a bar (where `bar`, on a terminal) and a trace, and warns of what
/// a run does without.
pub fn watch(session: &Session, bar: bool, trace: Option<Arc<Trace>>) {
    let bar = (bar && std::io::stderr().is_terminal()).then(|| {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} tasks, {elapsed} of about {duration}");
        let bar = ProgressBar::new(0);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    });
    if bar.is_none() && trace.is_none() && session.config().resume.is_none() {
        return;
    }
    session.on_event(move |event| {
        if let Event::CheckpointStopped { folder, reason } = event {
            let folder = folder.display();
            eprintln!("tilewise: warning: nothing more is kept in {folder}, the run goes on: {reason}");
        }
        if let Some(bar) = &bar {
            match event {
                Event::PlanReady { tasks, .. } => bar.set_length(*tasks),
                Event::TaskEnded { .. } => bar.inc(1),
                Event::Finished { .. } => bar.finish_and_clear(),
                _ => {}
            }
        }
        if let Some(trace) = &trace {
            trace.add(event);
        }
    });
}
