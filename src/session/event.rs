//! What happens during a run, as plain records: all that progress bars, traces and reports read.

use crate::store::{StoreObserver, TileKey};
use std::path::PathBuf;
use std::sync::OnceLock;

/// One thing that happened.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A plan is made and proved; the run begins.
    PlanReady {
        /// Number of stages.
        stages: usize,
        /// Number of tasks of all stages.
        tasks: u64,
        /// Proved peak of host memory in bytes.
        host_bytes: u64,
    },
    /// A stage begins.
    StageStarted {
        /// Its number.
        stage: usize,
        /// Its tasks.
        tasks: u64,
    },
    /// A task is done.
    TaskEnded {
        /// Its stage.
        stage: usize,
        /// Its number in the stage.
        task: u64,
    },
    /// A tile was written to the disk to make room.
    TileSpilled {
        /// Its bytes.
        bytes: u64,
    },
    /// A spilled tile was read back.
    TileLoaded {
        /// Its bytes.
        bytes: u64,
    },
    /// A device failed on a tile, which the CPU then computed.
    DeviceFallback {
        /// The stage.
        stage: usize,
        /// What the device said.
        reason: String,
    },
    /// What an earlier run had finished of a stage was taken from the folder of
    /// [`Config::resume`](super::Config).
    Resumed {
        /// The stage.
        stage: usize,
        /// Its tasks that are done so.
        tasks: u64,
    },
    /// Nothing more is kept in that folder, which the system refused; the run goes on.
    CheckpointStopped {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The run ended.
    Finished {
        /// Seconds from the start of the run.
        seconds: f64,
    },
}

/// Who hears events, once somebody listens; it also tells of tiles that the store moves.
#[derive(Default)]
pub(super) struct Ear(pub OnceLock<Box<Listener>>);

impl Ear {
    /// Tells the listener, if any.
    pub fn tell(&self, event: &Event) {
        if let Some(listener) = self.0.get() {
            listener(event);
        }
    }
}

impl StoreObserver for Ear {
    fn spilled(&self, _: TileKey, bytes: u64) {
        self.tell(&Event::TileSpilled { bytes });
    }
    fn loaded(&self, _: TileKey, bytes: u64) {
        self.tell(&Event::TileLoaded { bytes });
    }
    fn dropped(&self, _: TileKey, _: u64) {}
}

/// Receives events; called from worker threads, so it must be quick.
pub type Listener = dyn Fn(&Event) + Send + Sync;
