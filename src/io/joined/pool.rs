//! Files that are opened when they are read and closed again when others are.
//!
//! A process may have only so many files open, and an open file costs memory, so of thousands only
//! the ones used last stay open. A file in use is never closed under its reader.

use crate::Result;
use crate::io::Container;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Files kept open unless told otherwise. An HDF5 file takes two descriptors, and 256 are the
/// fewest that a process is commonly given.
pub const KEPT_OPEN: usize = 64;

/// The files of joined arrays, by number.
#[derive(Debug)]
pub struct FilePool {
    paths: Vec<PathBuf>,
    most: usize,
    open: Mutex<Open>,
}

/// The files that are open.
#[derive(Debug, Default)]
struct Open {
    files: HashMap<usize, Slot>,
    clock: u64,
}

/// Where an open file is put, once.
type Place = Arc<Mutex<Option<Arc<Container>>>>;

/// A file that is open or being opened.
#[derive(Debug)]
struct Slot {
    file: Place,
    used: u64,
}

impl FilePool {
    /// A pool of these files, none of them open, that keeps at most `most` open beside those in use.
    pub fn new(paths: Vec<PathBuf>, most: usize) -> FilePool {
        FilePool {
            paths,
            most: most.max(1),
            open: Mutex::default(),
        }
    }

    /// The files.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The path of a file.
    ///
    /// # Panics
    /// When there is no such file.
    pub fn path(&self, file: usize) -> &Path {
        &self.paths[file]
    }

    /// The number of files that are open or being opened.
    pub fn open_count(&self) -> usize {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .files
            .len()
    }

    /// An open file; opens it where it is not.
    ///
    /// # Errors
    /// As [`Container::open`]; names the file.
    pub fn get(&self, file: usize) -> Result<Arc<Container>> {
        let (slot, closed) = self.slot(file);
        // Files are closed outside the pool's lock, as closing waits for the format's library.
        drop(closed);
        // Who comes first opens the file, others wait for that one file alone.
        let mut place = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*place {
            return Ok(open.clone());
        }
        let open = Arc::new(Container::open(self.path(file))?);
        *place = Some(open.clone());
        Ok(open)
    }

    /// The place of a file, made where there is none, and what leaves for it.
    fn slot(&self, file: usize) -> (Place, Option<Slot>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.clock += 1;
        let used = open.clock;
        if let Some(slot) = open.files.get_mut(&file) {
            slot.used = used;
            return (slot.file.clone(), None);
        }
        let mut closed = None;
        if open.files.len() >= self.most {
            let oldest = open.files.iter().min_by_key(|(_, s)| s.used).map(|(&f, _)| f);
            closed = oldest.and_then(|f| open.files.remove(&f));
        }
        let place = Arc::new(Mutex::new(None));
        let slot = Slot {
            file: place.clone(),
            used,
        };
        open.files.insert(file, slot);
        (place, closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::NpyWriter;
    use crate::{DType, Error};

    #[test]
    fn the_files_used_last_stay_open() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..5).map(|n| folder.path().join(format!("{n}.npy"))).collect();
        for path in &paths {
            NpyWriter::create(path, DType::U8, &[2])
                .unwrap()
                .finish()
                .unwrap();
        }
        let pool = FilePool::new(paths.clone(), 2);
        assert_eq!(pool.open_count(), 0);
        let first = pool.get(0).unwrap();
        pool.get(1).unwrap();
        assert!(Arc::ptr_eq(&first, &pool.get(0).unwrap()));
        pool.get(2).unwrap();
        assert_eq!(pool.open_count(), 2);
        assert!(
            Arc::ptr_eq(&first, &pool.get(0).unwrap()),
            "1 was used longest ago"
        );
        pool.get(3).unwrap();
        pool.get(4).unwrap();
        assert!(!Arc::ptr_eq(&first, &pool.get(0).unwrap()));
        assert_eq!(first.catalog().path, paths[0], "a file in use stays open");
    }

    #[test]
    fn a_file_that_is_gone_is_named_and_may_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let pool = FilePool::new(vec![path.clone()], 1);
        let error = pool.get(0).unwrap_err();
        assert!(matches!(error, Error::Io { .. }) && error.to_string().contains("x.npy"));
        NpyWriter::create(&path, DType::U8, &[2])
            .unwrap()
            .finish()
            .unwrap();
        assert!(pool.get(0).is_ok());
    }
}
