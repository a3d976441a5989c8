//! The open file that a writer and its sinks share.
//!
//! Sinks outlive the writer when their owner keeps them: the file is closed once, by the writer,
//! and what comes after is an error. Writes run side by side under the lock's read half.

use super::create::Created;
use super::ffi::Id;
use crate::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

/// What the writer and its sinks share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The final path.
    pub path: PathBuf,
    state: RwLock<Option<State>>,
    failed: AtomicBool,
}

/// The open file; the datasets close before it.
#[derive(Debug)]
pub(super) struct State {
    pub datasets: Vec<Created>,
    pub file: Id,
    /// The same file without the library.
    pub raw: File,
}

impl Shared {
    /// An open file that will be called `path`.
    pub fn new(path: &Path, state: State) -> Shared {
        Shared {
            path: path.to_path_buf(),
            state: RwLock::new(Some(state)),
            failed: AtomicBool::new(false),
        }
    }

    /// Runs `f` on the open file; several may run at once. Remembers a failure.
    pub fn with_state<T>(&self, f: impl FnOnce(&State) -> Result<T>) -> Result<T> {
        let guard = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let Some(state) = guard.as_ref() else {
            return Err(Error::format(
                &self.path,
                "the file is finished: nothing can be written to it",
            ));
        };
        let result = f(state);
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }

    /// Whether a write failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Closes the file.
    pub fn close(&self) -> Option<State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner).take()
    }
}
