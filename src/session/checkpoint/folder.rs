//! The folder of a run that can be resumed: locked while in use, and left as it was found when all
//! is done.
//!
//! A folder that is not there is made, with a file in it that says so, and removed in the end; of one
//! that was there only what was put into it goes.

use crate::io::UnfinishedFolder;
use crate::session::lock;
use crate::{Error, Result};
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The file that says that the folder was made for this.
const MADE: &str = "made-by-tilewise";
/// Endings of what is put into the folder; names begin with a key.
pub(super) const LOG: &str = "log";
pub(super) const PART: &str = "part";
pub(super) const NEW: &str = "new";

/// A folder for what is finished.
#[derive(Debug)]
pub(in crate::session) struct Folder {
    path: PathBuf,
    /// The most bytes in it.
    limit: u64,
    used: AtomicU64,
    jobs: Mutex<Jobs>,
}

/// Who uses it.
#[derive(Debug, Default)]
struct Jobs {
    /// Jobs that have begun and not ended, one within another.
    open: usize,
    /// Whether one of them failed.
    failed: bool,
    /// The folder, locked.
    held: Option<File>,
}

/// The use of a folder by a job. Dropped, the job has failed and what it finished stays.
#[derive(Debug)]
pub(in crate::session) struct Job<'a> {
    folder: &'a Folder,
    done: bool,
}

impl Folder {
    /// The folder at `path`, which may hold so many bytes. Nothing is made before a job begins.
    pub fn new(path: &Path, limit: u64) -> Folder {
        Folder {
            path: path.to_path_buf(),
            limit,
            used: AtomicU64::new(0),
            jobs: Mutex::default(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a job. The first one locks the folder, the last one that ends cleans it unless one failed.
    ///
    /// # Errors
    /// A folder that another process uses, that cannot be made, locked or written.
    pub fn enter(&self) -> Result<Job<'_>> {
        let mut jobs = lock(&self.jobs);
        if jobs.open == 0 {
            jobs.held = Some(self.hold()?);
            jobs.failed = false;
            let bytes = self
                .own()
                .filter_map(|f| f.metadata().ok())
                .map(|m| m.len())
                .sum();
            self.used.store(bytes, Ordering::Relaxed);
        }
        jobs.open += 1;
        Ok(Job {
            folder: self,
            done: false,
        })
    }

    /// Counts bytes that are about to be written.
    ///
    /// # Errors
    /// When they are more than the folder may hold.
    pub fn charge(&self, bytes: u64) -> io::Result<()> {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed);
        if used.saturating_add(bytes) > self.limit {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        Ok(())
    }

    /// Counts bytes that are no longer there.
    pub fn release(&self, bytes: u64) {
        let less = |used: u64| Some(used.saturating_sub(bytes));
        let _ = self.used.try_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// The folder, made where it is missing, locked for this process.
    fn hold(&self) -> Result<File> {
        let path = &self.path;
        loop {
            if !path.exists() {
                self.make()?;
            }
            let folder = File::open(path).map_err(Error::io("open", path))?;
            let opened = folder.metadata().map_err(Error::io("open", path))?;
            if !opened.is_dir() {
                return Err(Error::format(path, "is not a folder; --resume names one"));
            }
            match folder.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::format(
                        path,
                        "another run uses it; wait for that one, or name another folder with --resume",
                    ));
                }
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
            }
            // The run that held it may have removed it.
            let there = fs::metadata(path).is_ok_and(|m| (m.dev(), m.ino()) == (opened.dev(), opened.ino()));
            if there {
                tempfile::tempfile_in(path).map_err(Error::io("write to", path))?;
                return Ok(folder);
            }
        }
    }

    /// Makes the folder for this user alone, at once with the file that says so.
    fn make(&self) -> Result<()> {
        let path = &self.path;
        let new = UnfinishedFolder::create(path)?;
        fs::write(new.path().join(MADE), "").map_err(Error::io("write to", path))?;
        fs::set_permissions(new.path(), Permissions::from_mode(0o700)).map_err(Error::io("make", path))?;
        match fs::rename(new.path(), path) {
            Err(_) if path.exists() => Ok(()), // another run was faster
            made => made.map_err(Error::io("make", path)),
        }
    }

    /// The files that runs put into the folder.
    fn own(&self) -> impl Iterator<Item = fs::DirEntry> {
        let files = fs::read_dir(&self.path).into_iter().flatten().flatten();
        files.filter(|file| is_own(&file.path()))
    }

    /// Removes what was put into the folder, and the folder where it was made for that.
    fn clean(&self) {
        // What cannot be removed is of no use to anybody, and no reason to call a result wrong.
        for file in self.own() {
            let _ = fs::remove_file(file.path());
        }
        let left: Vec<_> = fs::read_dir(&self.path).into_iter().flatten().flatten().collect();
        if let [made] = &left[..]
            && made.file_name() == MADE
            && let Ok(aside) = UnfinishedFolder::create(&self.path)
        {
            // In one step, as a folder without that file would be taken for the user's.
            let _ = fs::rename(&self.path, aside.path());
        }
    }
}

impl Job<'_> {
    /// Ends the job: all of it is done.
    pub fn succeed(mut self) {
        self.done = true;
    }
}

impl Drop for Job<'_> {
    fn drop(&mut self) {
        let mut jobs = lock(&self.folder.jobs);
        jobs.open -= 1;
        jobs.failed |= !self.done;
        if jobs.open == 0 {
            // Where nothing was done yet, as when the memory does not do, there is nothing to go on from.
            if !jobs.failed || self.folder.own().next().is_none() {
                self.folder.clean();
            }
            jobs.held = None;
        }
    }
}

/// Whether a file is one that is put into the folder.
fn is_own(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str());
    let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    let key = stem.split('-').next().unwrap_or_default();
    ending.is_some_and(|e| [LOG, PART, NEW].contains(&e))
        && key.len() == 32
        && key.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(path: &Path) -> PathBuf {
        path.join(format!("{:032x}.{LOG}", 12))
    }

    #[test]
    fn a_folder_that_is_made_goes_when_all_is_done() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("resume");
        let folder = Folder::new(&path, u64::MAX);
        drop(folder.enter().unwrap());
        assert!(!path.exists(), "a job that did nothing leaves nothing");
        let failed = folder.enter().unwrap();
        fs::write(own(&path), "x").unwrap();
        drop(failed);
        assert!(
            path.join(MADE).exists() && own(&path).exists(),
            "a job that failed leaves what it did"
        );
        let outer = folder.enter().unwrap();
        folder.enter().unwrap().succeed();
        assert!(own(&path).exists(), "the job around it is not done");
        outer.succeed();
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_of_the_user_keeps_what_is_not_ours() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path();
        let notes = ["notes.log", "abc-1.part", "data"];
        notes.iter().for_each(|n| fs::write(path.join(n), "x").unwrap());
        let folder = Folder::new(path, u64::MAX);
        let job = folder.enter().unwrap();
        fs::write(own(path), "x").unwrap();
        job.succeed();
        assert!(!own(path).exists());
        assert!(notes.iter().all(|n| path.join(n).exists()));
        let failed = folder.enter().unwrap();
        let inner = folder.enter().unwrap();
        fs::write(own(path), "x").unwrap();
        drop(inner);
        failed.succeed();
        assert!(own(path).exists(), "a job within failed");
    }

    #[test]
    fn one_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("resume");
        let (one, two) = (Folder::new(&path, 9), Folder::new(&path, 9));
        let job = one.enter().unwrap();
        let text = two.enter().unwrap_err().to_string();
        assert!(text.contains("another run uses it"), "{text}");
        assert_eq!(two.enter().unwrap_err().exit_code(), 1);
        drop(job);
        drop(two.enter().unwrap());
        one.charge(9).unwrap();
        assert_eq!(one.charge(1).unwrap_err().kind(), io::ErrorKind::QuotaExceeded);
        one.release(3);
        one.charge(3).unwrap();

        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        let text = Folder::new(&file, 9).enter().unwrap_err().to_string();
        assert!(text.contains("is not a folder"), "{text}");
        let text = Folder::new(&parent.path().join("no/such"), 9)
            .enter()
            .unwrap_err()
            .to_string();
        assert!(text.contains("there is no folder"), "{text}");
    }
}
