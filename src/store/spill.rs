//! The spill file: tiles on disk, each with a checksum that is verified when it comes back.
//!
//! Direct I/O costs a thirtieth of the CPU time of buffered writes and leaves the page cache, which
//! nobody has reserved, alone; where a file system refuses it, buffered I/O does the same work. The
//! file is unlinked as soon as it is open, so nothing remains of it however the process ends.

use super::budget::Budget;
use super::buffer::Buffer;
use super::lock;
use super::mapping::PAGE;
use super::slots::Slots;
use super::spill_dir::{SpillDir, TILES};
use crate::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use xxhash_rust::xxh3::xxh3_64;

/// An open spill file; clones share it.
#[derive(Clone, Debug)]
pub(super) struct SpillFile {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// The name it had, for messages.
    path: PathBuf,
    folder: PathBuf,
    buffered: File,
    direct: Option<File>,
    direct_works: AtomicBool,
    slots: Mutex<Slots>,
    _dir: SpillDir,
}

/// A tile in the file; its room is free again on drop.
#[derive(Debug)]
pub(super) struct Slot {
    file: SpillFile,
    offset: u64,
    /// Bytes in the file: the tile's, up to the next multiple of 4096.
    padded: u64,
    len: usize,
    checksum: u64,
}

impl SpillFile {
    /// A new file in a private folder in `folder`, using at most what `disk` allows; `direct` asks
    /// for direct I/O where it works.
    ///
    /// # Errors
    /// [`Error::Io`] when folder or file cannot be made.
    pub(super) fn create(folder: &Path, disk: &Budget, direct: bool) -> Result<SpillFile> {
        let dir = SpillDir::create(folder)?;
        let path = dir.path().join(TILES);
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        let buffered = options
            .clone()
            .create_new(true)
            .open(&path)
            .map_err(Error::io("make the spill file", &path))?;
        let direct = match direct_flag().filter(|_| direct) {
            Some(flag) => options.custom_flags(flag).open(&path).ok(),
            None => None,
        };
        std::fs::remove_file(&path).map_err(Error::io("unlink the spill file", &path))?;
        Ok(SpillFile {
            inner: Arc::new(Inner {
                path,
                folder: folder.to_path_buf(),
                buffered,
                direct_works: AtomicBool::new(direct.is_some()),
                direct,
                slots: Mutex::new(Slots::new(disk)?),
                _dir: dir,
            }),
        })
    }

    /// Writes a tile.
    ///
    /// # Errors
    /// [`Error::Memory`] when the disk budget is used up, [`Error::Io`] naming the folder when the
    /// system refuses, as when the disk is full.
    pub(super) fn write(&self, tile: &Buffer) -> Result<Slot> {
        let inner = &self.inner;
        let bytes = tile.padded();
        let slot = Slot {
            file: self.clone(),
            offset: lock(&inner.slots).allocate(bytes.len() as u64)?,
            padded: bytes.len() as u64,
            len: tile.len(),
            checksum: xxh3_64(tile),
        };
        let mut done = 0;
        while done < bytes.len() {
            let (rest, at) = (&bytes[done..], slot.offset + done as u64);
            match inner.transfer(|file| file.write_at(rest, at)) {
                Ok(n) if n == rest.len() => done += n,
                // Direct writes go on from a page boundary only.
                Ok(n) if n >= PAGE => done += n / PAGE * PAGE,
                Ok(_) => {
                    let written = inner.buffered.write_all_at(rest, at);
                    written.map_err(|e| inner.refused(e))?;
                    done = bytes.len();
                }
                Err(error) => return Err(inner.refused(error)),
            }
        }
        Ok(slot)
    }
}

impl Slot {
    /// Bytes of the tile.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Reads the tile back into a buffer of its length.
    ///
    /// # Errors
    /// [`Error::Format`] when the file no longer holds what was written, [`Error::Io`] when it
    /// cannot be read; the buffer then holds anything.
    pub(super) fn read(&self, tile: &mut Buffer) -> Result<()> {
        let inner = &self.file.inner;
        let corrupt = |what: String| {
            Error::format(
                &inner.path,
                format!(
                    "the spilled tile of {} bytes at offset {} {what}; the disk may be failing, \
                     name another folder with --spill-dir",
                    self.len, self.offset
                ),
            )
        };
        if tile.len() != self.len {
            return Err(corrupt(format!("is asked for as {} bytes", tile.len())));
        }
        let bytes = tile.padded_mut();
        let mut done = 0;
        while done < bytes.len() {
            let (rest, at) = (&mut bytes[done..], self.offset + done as u64);
            let wanted = rest.len();
            match inner.transfer(|file| file.read_at(rest, at)) {
                Ok(n) if n == wanted => done += n,
                Ok(n) if n >= PAGE => done += n / PAGE * PAGE,
                Ok(n) => return Err(corrupt(format!("ends after {} bytes", done + n))),
                Err(error) => return Err(Error::io("read the spill file", &inner.path)(error)),
            }
        }
        if xxh3_64(tile) != self.checksum {
            return Err(corrupt("has another checksum than when it was written".into()));
        }
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let inner = &self.file.inner;
        let mut slots = lock(&inner.slots);
        // Under the lock, so that nobody writes while the file is emptied.
        if slots.release(self.offset, self.padded) && inner.buffered.set_len(0).is_ok() {
            slots.emptied();
        }
    }
}

impl Inner {
    /// Runs one system call on the direct file while that works, else on the buffered one.
    fn transfer(&self, mut call: impl FnMut(&File) -> io::Result<usize>) -> io::Result<usize> {
        loop {
            let direct = self
                .direct
                .as_ref()
                .filter(|_| self.direct_works.load(Ordering::Relaxed));
            let result = call(direct.unwrap_or(&self.buffered));
            match &result {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if direct.is_some() && e.raw_os_error() == Some(libc::EINVAL) => {
                    self.direct_works.store(false, Ordering::Relaxed);
                }
                _ => return result,
            }
        }
    }

    /// The error of a write: where the disk is full, with the way out.
    fn refused(&self, error: io::Error) -> Error {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull, WriteZero};
        let full = matches!(
            error.kind(),
            StorageFull | QuotaExceeded | FileTooLarge | WriteZero
        );
        let error = if full {
            io::Error::new(
                error.kind(),
                format!("{error}; name a folder with more room with --spill-dir, or raise --memory"),
            )
        } else {
            error
        };
        Error::io("spill tiles to", &self.folder)(error)
    }
}

/// The flag that opens a file for direct I/O.
const fn direct_flag() -> Option<i32> {
    #[cfg(target_os = "linux")]
    return Some(libc::O_DIRECT);
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(test)]
mod tests {
    use super::super::{Pool, Tier};
    use super::*;

    struct Setup {
        folder: tempfile::TempDir,
        disk: Budget,
        pool: Pool,
    }

    fn setup(disk: u64) -> Setup {
        Setup {
            // Beside the build, as the system's temporary folder may have no direct I/O.
            folder: tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR").to_string() + "/target").unwrap(),
            disk: Budget::new(Tier::Disk, disk),
            pool: Pool::new(&Budget::new(Tier::Host, 64 << 20)),
        }
    }

    fn filled(pool: &Pool, len: usize, seed: usize) -> Buffer {
        let mut buffer = pool.take("test", len).unwrap();
        let fill = |(i, b): (usize, &mut u8)| *b = (i * 31 + i / 251 + seed) as u8;
        buffer.iter_mut().enumerate().for_each(fill);
        buffer
    }

    #[test]
    fn tiles_come_back_bit_by_bit() {
        for direct in [true, false] {
            let s = setup(u64::MAX);
            let file = SpillFile::create(s.folder.path(), &s.disk, direct).unwrap();
            let sizes = [0, 1, 4095, 4096, 4097, 100_000, 3_000_001];
            let slots: Vec<Slot> = sizes
                .iter()
                .map(|&n| file.write(&filled(&s.pool, n, n)).unwrap())
                .collect();
            for (slot, &n) in slots.iter().zip(&sizes).rev() {
                let mut back = s.pool.take("test", n).unwrap();
                back.fill(0);
                slot.read(&mut back).unwrap();
                assert!(*back == *filled(&s.pool, n, n), "{n} bytes, direct {direct}");
                assert_eq!(slot.len(), n);
            }
            assert!(s.disk.used() >= sizes.iter().sum::<usize>() as u64);
            drop(slots);
            assert_eq!(s.disk.used(), 0, "an empty file holds nothing");
            assert_eq!(file.inner.buffered.metadata().unwrap().len(), 0);
            drop(file);
            assert_eq!(
                std::fs::read_dir(s.folder.path()).unwrap().count(),
                0,
                "no trace left"
            );
        }
    }

    #[test]
    fn direct_io_is_used_where_it_works() {
        let s = setup(u64::MAX);
        let file = SpillFile::create(s.folder.path(), &s.disk, true).unwrap();
        let slot = file.write(&filled(&s.pool, 5000, 1)).unwrap();
        // A file system may refuse it; then the fallback has been taken, and the bytes are right.
        if !file.inner.direct_works.load(Ordering::Relaxed) {
            eprintln!("no direct I/O in {}", s.folder.path().display());
        }
        let mut back = s.pool.take("test", 5000).unwrap();
        slot.read(&mut back).unwrap();
        assert!(*back == *filled(&s.pool, 5000, 1));
    }

    #[test]
    fn a_refused_direct_call_falls_back() {
        let s = setup(u64::MAX);
        let file = SpillFile::create(s.folder.path(), &s.disk, true).unwrap();
        let direct_calls = std::cell::Cell::new(0);
        let had = file.inner.direct.is_some();
        let result = file.inner.transfer(|handle| {
            if direct_calls.replace(direct_calls.get() + 1) == 0 && had {
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            handle.metadata().map(|_| 7)
        });
        assert_eq!(result.unwrap(), 7);
        assert!(!file.inner.direct_works.load(Ordering::Relaxed));
    }

    #[test]
    fn corruption_is_an_error_never_data() {
        for direct in [true, false] {
            let s = setup(u64::MAX);
            let file = SpillFile::create(s.folder.path(), &s.disk, direct).unwrap();
            let slot = file.write(&filled(&s.pool, 20_000, 1)).unwrap();
            let mut back = s.pool.take("test", 20_000).unwrap();
            let flip = |at: u64| {
                let mut byte = [0];
                file.inner.buffered.read_exact_at(&mut byte, at).unwrap();
                file.inner.buffered.write_all_at(&[byte[0] ^ 16], at).unwrap();
                file.inner.buffered.sync_all().unwrap();
            };
            flip(slot.offset + 19_999);
            let error = slot.read(&mut back).unwrap_err();
            assert!(matches!(&error, Error::Format { path, .. } if *path == file.inner.path));
            assert!(error.to_string().contains("another checksum"), "{error}");
            flip(slot.offset + 19_999);
            slot.read(&mut back).unwrap();
            file.inner.buffered.set_len(9000).unwrap();
            let error = slot.read(&mut back).unwrap_err();
            assert!(error.to_string().contains("ends after"), "{error}");
            assert!(slot.read(&mut s.pool.take("test", 1).unwrap()).is_err());
        }
    }

    #[test]
    fn the_disk_limit_is_kept_and_room_is_reused() {
        let s = setup(64 << 10);
        let file = SpillFile::create(s.folder.path(), &s.disk, true).unwrap();
        let tile = filled(&s.pool, 16 << 10, 3);
        let mut slots: Vec<Slot> = (0..4).map(|_| file.write(&tile).unwrap()).collect();
        let error = file.write(&tile).unwrap_err();
        assert!(matches!(error, Error::Memory { tier: "disk", .. }), "{error}");
        assert!(error.to_string().contains("--spill-dir"), "{error}");
        let freed = slots.remove(1).offset;
        assert_eq!(file.write(&tile).unwrap().offset, freed);
        assert!(s.disk.peak() <= 64 << 10);
    }

    #[test]
    fn a_full_disk_names_the_folder_and_the_way_out() {
        let s = setup(u64::MAX);
        let file = SpillFile::create(s.folder.path(), &s.disk, true).unwrap();
        let error = file.inner.refused(io::Error::from_raw_os_error(libc::ENOSPC));
        let text = error.to_string();
        assert!(
            text.contains(&s.folder.path().display().to_string()) && text.contains("--spill-dir"),
            "{text}"
        );
        assert_eq!(error.exit_code(), 3);
    }
}
