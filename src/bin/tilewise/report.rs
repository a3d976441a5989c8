//! What a run did against what the machine could do.

use crate::options::ReportForm;
use std::time::Instant;
use tilewise::{Error, Result, Session};

/// Bytes copied by all threads to measure the memory's bandwidth: more than most caches hold, and
/// little beside what a run holds.
const COPIED: usize = 48 << 20;

/// The report of a session's last run as text, and where it goes.
///
/// # Errors
/// When nothing was run.
pub fn text(session: &Session, form: ReportForm) -> Result<String> {
    let report = session
        .last_report()
        .ok_or_else(|| Error::invalid("nothing was run, so there is no report"))?;
    let limit = Some(memory_bandwidth(session.limits().workers));
    Ok(match form {
        ReportForm::Table => report.table(limit),
        ReportForm::Json => report.to_json(limit).to_string(),
    })
}

/// The report as JSON.
///
/// # Errors
/// When nothing was run.
pub fn json(session: &Session) -> Result<serde_json::Value> {
    let report = session
        .last_report()
        .ok_or_else(|| Error::invalid("nothing was run, so there is no report"))?;
    Ok(report.to_json(Some(memory_bandwidth(session.limits().workers))))
}

/// Bytes per second that memory moves (read and written) when every worker copies.
pub fn memory_bandwidth(workers: usize) -> f64 {
    let workers = workers.clamp(1, 64);
    let copied = COPIED / workers;
    let mut buffers: Vec<(Vec<u8>, Vec<u8>)> = (0..workers)
        .map(|n| (vec![n as u8 | 1; copied], vec![1; copied]))
        .collect();
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let started = Instant::now();
        std::thread::scope(|scope| {
            for (from, to) in &mut buffers {
                scope.spawn(move || {
                    to.copy_from_slice(from);
                    std::hint::black_box(to);
                });
            }
        });
        best = best.min(started.elapsed().as_secs_f64());
    }
    (2 * copied * workers) as f64 / best
}
