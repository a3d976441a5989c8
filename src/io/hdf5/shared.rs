//! The open file that a writer and its sinks share.
//!
//! Sinks outlive the writer when their owner keeps them: the file is closed once, by the writer,
//! and what comes after is an error. Writes run side by side under the lock's read half.

use super::create::Created;
use super::ffi::Id;
use crate::io::write_file::WriteFile;
use crate::{Error, Result};
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
    pub raw: WriteFile,
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

/// The error for what the library could not write. What the system refused, such as a full disk,
/// stands as `errno = N` in the middle of the library's text and is the machine's fault, not the
/// input's.
pub(super) fn failure(path: &Path, reason: String) -> Error {
    let refused = reason.split_once("errno = ").and_then(|(_, rest)| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse::<i32>().ok().filter(|&n| n != 0)
    });
    match refused {
        Some(number) => Error::io("write", path)(std::io::Error::from_raw_os_error(number)),
        None => Error::format(path, reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_the_machines_fault() {
        let path = Path::new("out.nc");
        let text = "file write failed: file descriptor = 6, errno = 28, error message = 'No space'";
        let full = failure(path, text.into());
        assert_eq!(full.exit_code(), 3);
        let told = full.to_string();
        assert!(told.starts_with("cannot write out.nc: No space left"), "{told}");
        assert_eq!(failure(path, "variable x: a type".into()).exit_code(), 1);
    }
}
