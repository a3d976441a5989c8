//! The private folder of a spill file, and the removal of what killed processes left.
//!
//! A folder is named after its process and that process's start time, is for its owner only
//! (0700), and stays locked while in use. One whose process is gone and that nobody has locked is
//! removed when the next store opens the folder around it.

use crate::{Error, Result};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The beginning of the folders' names.
const PREFIX: &str = "tilewise-spill-";

/// The one file in each.
pub(super) const TILES: &str = "tiles";

/// Folders to spill to when the user names none, the better first: the user's cache, then the
/// system's temporary folder.
pub(super) fn default_folders() -> Vec<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))
        .filter(|path| path.is_absolute());
    let cache = cache.map(|path| path.join("tilewise"));
    cache.into_iter().chain([std::env::temp_dir()]).collect()
}

/// A folder of this process alone, removed on drop.
#[derive(Debug)]
pub(super) struct SpillDir {
    path: PathBuf,
    /// Holds the lock.
    _lock: File,
}

impl SpillDir {
    /// Makes one in `parent`, which is made too.
    ///
    /// # Errors
    /// [`Error::Io`] naming the folder that could not be made.
    pub(super) fn create(parent: &Path) -> Result<SpillDir> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        const MAKE: &str = "make the spill folder";
        fs::create_dir_all(parent).map_err(Error::io(MAKE, parent))?;
        let pid = std::process::id();
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!(
                "{PREFIX}{pid}-{}-{number}",
                process_start(pid).unwrap_or(0)
            ));
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => continue,
                made => made.map_err(Error::io(MAKE, &path))?,
            }
            let lock = File::open(&path).map_err(Error::io(MAKE, &path))?;
            match lock.try_lock() {
                // Another process, which cannot see this one, is removing it.
                Err(TryLockError::WouldBlock) => continue,
                Ok(()) if !path.exists() => continue,
                // A file system without locks leaves the process number to tell a live folder by.
                Ok(()) | Err(TryLockError::Error(_)) => {}
            }
            return Ok(SpillDir { path, _lock: lock });
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SpillDir {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes the folders in `parent` whose processes are gone; returns how many.
pub(super) fn clean_leftovers(parent: &Path) -> usize {
    let Ok(entries) = fs::read_dir(parent) else {
        return 0;
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_leftover_name))
        .filter(|entry| lock_abandoned(&entry.path()).is_some_and(|_lock| remove(&entry.path())))
        .count()
}

/// Whether a name is a spill folder's whose process no longer runs.
fn is_leftover_name(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return false;
    };
    let numbers: Option<Vec<u64>> = rest.split('-').map(|part| part.parse().ok()).collect();
    let Some([pid, started, _]) = numbers.as_deref() else {
        return false;
    };
    match u32::try_from(*pid).ok().and_then(process_start) {
        Some(running) => running != *started,
        None => true,
    }
}

/// The lock of a real folder of this user that nobody else has locked.
fn lock_abandoned(path: &Path) -> Option<File> {
    // SAFETY: the call only returns a number and cannot fail.
    let user = unsafe { libc::geteuid() };
    let meta = fs::symlink_metadata(path).ok()?;
    let folder = (meta.is_dir() && meta.uid() == user).then(|| File::open(path))?;
    folder.ok().filter(|folder| folder.try_lock().is_ok())
}

/// Removes a spill folder and its one file, and nothing else.
fn remove(path: &Path) -> bool {
    let _ = fs::remove_file(path.join(TILES)); // absent as a rule: unlinked when it was made
    fs::remove_dir(path).is_ok()
}

/// When a process started, in the kernel's ticks; `None` when it does not run.
pub(crate) fn process_start(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = &stat[stat.rfind(')')? + 1..];
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn folders_are_private_distinct_and_removed() {
        let parent = tempfile::tempdir().unwrap();
        let inner = parent.path().join("a/b");
        let one = SpillDir::create(&inner).unwrap();
        let two = SpillDir::create(&inner).unwrap();
        assert_ne!(one.path(), two.path());
        let mode = fs::metadata(one.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(clean_leftovers(&inner), 0, "both are in use");
        drop((one, two));
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 0);
    }

    #[test]
    fn only_abandoned_folders_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = parent.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let own = std::process::id();
        let gone = make(&format!("{PREFIX}4294967295-7-0"));
        fs::write(gone.join(TILES), "x").unwrap();
        let reused = make(&format!("{PREFIX}{own}-1-0"));
        let locked = make(&format!("{PREFIX}4294967295-8-0"));
        let lock = File::open(&locked).unwrap();
        lock.lock().unwrap();
        let live = make(&format!("{PREFIX}{own}-{}-9", process_start(own).unwrap_or(0)));
        let other = make(&format!("{PREFIX}notes"));
        let full = make(&format!("{PREFIX}4294967295-9-0"));
        fs::write(full.join("mine"), "x").unwrap();
        let target = make("target");
        let link = parent.path().join(format!("{PREFIX}4294967295-10-0"));
        std::os::unix::fs::symlink(&target, &link).unwrap();

        let on_linux = process_start(own).is_some();
        if !on_linux {
            eprintln!("skipped: no /proc on this system");
            return;
        }
        assert_eq!(clean_leftovers(parent.path()), 2);
        assert!(!gone.exists() && !reused.exists());
        for kept in [&locked, &live, &other, &full, &target, &link] {
            assert!(kept.exists(), "{}", kept.display());
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        let text = SpillDir::create(&file.join("in")).unwrap_err().to_string();
        assert!(text.contains("file/in"), "{text}");
        assert_eq!(clean_leftovers(&file), 0);
    }
}
