//! Files under a temporary name until they are whole.
//!
//! An output appears under its name complete or not at all: it is written beside its target as
//! `.tilewise-….part`, which is renamed at the end and removed by whatever error. Only a killed
//! process leaves one. Its name tells the machine's boot, the process and that process's start, so
//! that the next output in the folder removes it, and never one that somebody still writes, be it on
//! another machine that shares the folder.

use crate::store::process_start;
use crate::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::path::Path;
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
    static COUNT: AtomicU64 = AtomicU64::new(0);
    if path.is_dir() {
        return Err(Error::io("create", path)(std::io::ErrorKind::IsADirectory.into()));
    }
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
        let made = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&temporary);
        match made {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Error::io("create", path)(e)),
            Ok(file) => {
                let guard = TempPath::try_from_path(temporary).map_err(Error::io("create", path))?;
                return Ok((file, guard));
            }
        }
    }
}

/// Removes the files in a folder whose processes, of this boot of this machine, are gone.
fn clean_leftovers(folder: &Path) {
    let host = host();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry
            .file_name()
            .to_str()
            .is_some_and(|name| is_leftover(name, host))
        {
            let _ = fs::remove_file(entry.path()); // another's file stays, which hurts nobody
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
    fn a_missing_folder_is_named() {
        let error = create_unfinished(Path::new("/no/such/folder/out.nc")).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        let text = error.to_string();
        assert!(text.contains("there is no folder /no/such/folder;"), "{text}");
    }
}
