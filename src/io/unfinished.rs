//! Files and folders under a temporary name until they are whole.
//!
//! An output appears under its name complete or not at all: it is written beside its target as
//! `.tilewise-….part`, which is renamed at the end and removed by whatever error. Only a killed
//! process leaves one. Its name tells the machine's boot, the process and that process's start, so
//! that the next output in the folder removes it, and never one that somebody still writes, be it on
//! another machine that shares the folder.

use crate::store::process_start;
use crate::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempPath;
use xxhash_rust::xxh3::xxh3_64;

/// The beginning of the names.
const PREFIX: &str = ".tilewise-";
/// Their end.
const SUFFIX: &str = ".part";

/// Makes an empty file in the folder of `path` that will be called `path`; dropping the second
/// value removes it. Removes what killed processes left there.
///
/// # Errors
/// [`Error::Io`] when `path` is a folder, or its folder is missing or refuses.
pub(crate) fn create_unfinished(path: &Path) -> Result<(File, TempPath)> {
    if path.is_dir() {
        return Err(Error::io("create", path)(std::io::ErrorKind::IsADirectory.into()));
    }
    beside(path, |temporary| {
        let made = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(temporary);
        made.map(|file| (file, temporary.to_path_buf()))
    })
    .and_then(|(file, temporary)| {
        let guard = TempPath::try_from_path(temporary).map_err(Error::io("create", path))?;
        Ok((file, guard))
    })
}

/// Calls `make` with temporary names in the folder of `path` until one is free. Removes what killed
/// processes left there.
fn beside<T>(path: &Path, make: impl Fn(&Path) -> std::io::Result<T>) -> Result<T> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if !folder.exists() {
        let missing = format!("there is no folder {}; make it first", folder.display());
        let missing = std::io::Error::new(std::io::ErrorKind::NotFound, missing);
        return Err(Error::io("create", path)(missing));
    }
    clean_leftovers(folder);
    let pid = std::process::id();
    let (host, start) = (host(), process_start(pid).unwrap_or(0));
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!("{PREFIX}{host:016x}-{pid}-{start}-{number}{SUFFIX}"));
        match make(&temporary) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => return other.map_err(Error::io("create", path)),
        }
    }
}

/// A folder that is removed with all that is in it unless it is given its name.
#[derive(Debug)]
pub(crate) struct UnfinishedFolder {
    path: PathBuf,
}

impl UnfinishedFolder {
    /// Makes an empty folder beside `path`.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder of `path` is missing or refuses.
    pub fn create(path: &Path) -> Result<UnfinishedFolder> {
        beside(path, |temporary| {
            fs::create_dir(temporary)?;
            Ok(UnfinishedFolder {
                path: temporary.to_path_buf(),
            })
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Calls it `path`. A folder of that name is first moved aside, and removed once the new one has its
    /// name.
    ///
    /// # Errors
    /// When the system refuses; then the old folder has its name again.
    pub fn persist(self, path: &Path) -> Result<()> {
        let refused = || Error::io("rename to", path);
        if fs::symlink_metadata(path).is_err() {
            return fs::rename(&self.path, path).map_err(refused());
        }
        // The guard's own folder is replaced by the rename, and removed by its end.
        let aside = UnfinishedFolder::create(path)?;
        fs::rename(path, &aside.path).map_err(refused())?;
        fs::rename(&self.path, path).map_err(|e| {
            let _ = fs::rename(&aside.path, path); // the first refusal is the one to tell
            refused()(e)
        })
    }
}

impl Drop for UnfinishedFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path); // gone already where it has its name
    }
}

/// Removes the files and folders in a folder whose processes, of this boot of this machine, are gone.
fn clean_leftovers(folder: &Path) {
    let host = host();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry
            .file_name()
            .to_str()
            .is_some_and(|name| is_leftover(name, host))
        {
            // Another's file stays, which hurts nobody.
            let _ = match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => fs::remove_dir_all(entry.path()),
                false => fs::remove_file(entry.path()),
            };
        }
    }
}

/// Whether a name is that of an unfinished file whose process no longer runs.
fn is_leftover(name: &str, host: u64) -> bool {
    let middle = name.strip_prefix(PREFIX).and_then(|n| n.strip_suffix(SUFFIX));
    let parts: Vec<&str> = middle.unwrap_or_default().split('-').collect();
    let [of, pid, start, _] = parts.as_slice() else {
        return false;
    };
    let (Ok(pid), Ok(start)) = (pid.parse(), start.parse::<u64>()) else {
        return false;
    };
    u64::from_str_radix(of, 16) == Ok(host) && process_start(pid) != Some(start)
}

/// Tells this boot of this machine and the numbering of its processes (containers have their own)
/// from others.
fn host() -> u64 {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let processes = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    xxh3_64(format!("{boot}{}", processes.display()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_dead_processes_of_this_machine_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.nc");
        let (_file, mine) = create_unfinished(&target).unwrap();
        let (pid, host) = (std::process::id(), host());
        let start = process_start(pid).unwrap();
        let dead = format!("{PREFIX}{host:016x}-{pid}-{}-0{SUFFIX}", start + 1);
        let foreign = format!("{PREFIX}{:016x}-{pid}-{}-0{SUFFIX}", host ^ 1, start + 1);
        let names = [dead.as_str(), &foreign, ".tilewise-x.part", "data.part"];
        for name in names {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        drop(create_unfinished(&target).unwrap());
        let left: Vec<bool> = names.iter().map(|n| folder.path().join(n).exists()).collect();
        assert_eq!(left, [false, true, true, true]);
        assert!(mine.exists());
        drop(mine);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn folders_replace_folders_whole() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out.zarr");
        let dead = format!("{PREFIX}{:016x}-{}-1-0{SUFFIX}", host(), std::process::id());
        fs::create_dir(place.path().join(&dead)).unwrap();
        fs::write(place.path().join(&dead).join("x"), "old").unwrap();
        for round in ["one", "two"] {
            let folder = UnfinishedFolder::create(&target).unwrap();
            fs::write(folder.path().join(round), round).unwrap();
            folder.persist(&target).unwrap();
            let names: Vec<_> = fs::read_dir(&target)
                .unwrap()
                .flatten()
                .map(|e| e.file_name())
                .collect();
            assert_eq!(names, [round]);
            assert_eq!(
                fs::read_dir(place.path()).unwrap().count(),
                1,
                "nothing else is left"
            );
        }
        let dropped = UnfinishedFolder::create(&target).unwrap();
        fs::write(dropped.path().join("x"), "x").unwrap();
        drop(dropped);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = create_unfinished(Path::new("/no/such/folder/out.nc")).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        let text = error.to_string();
        assert!(text.contains("there is no folder /no/such/folder;"), "{text}");
    }
}
