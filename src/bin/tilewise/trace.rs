//! The events of a run as JSON that trace viewers read.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tilewise::session::Event;
use tilewise::{Error, Result};

/// Events with the microseconds of their arrival.
#[derive(Debug)]
pub struct Trace {
    started: Instant,
    events: Mutex<Vec<serde_json::Value>>,
}

impl Trace {
    /// An empty one that begins now.
    pub fn new() -> Trace {
        Trace {
            started: Instant::now(),
            events: Mutex::default(),
        }
    }

    /// Adds an event.
    pub fn add(&self, event: &Event) {
        let (name, stage) = match event {
            Event::PlanReady { .. } => ("plan ready", None),
            Event::StageStarted { stage, .. } => ("stage started", Some(*stage)),
            Event::TaskEnded { stage, .. } => ("task ended", Some(*stage)),
            Event::TileSpilled { .. } => ("tile spilled", None),
            Event::TileLoaded { .. } => ("tile loaded", None),
            Event::DeviceFallback { stage, .. } => ("device fallback", Some(*stage)),
            Event::Resumed { stage, .. } => ("resumed", Some(*stage)),
            Event::CheckpointStopped { .. } => ("checkpoint stopped", None),
            Event::Finished { .. } => ("finished", None),
            _ => ("event", None),
        };
        let record = serde_json::json!({
            "name": name,
            "ph": "i",
            "s": "g",
            "ts": self.started.elapsed().as_micros() as u64,
            "pid": std::process::id(),
            "tid": stage.unwrap_or(0),
            "args": { "detail": format!("{event:?}") },
        });
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(record);
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let text = serde_json::json!({ "traceEvents": *events }).to_string();
        std::fs::write(path, text).map_err(Error::io("write", path))
    }
}
