//! A file that is written by position, past the page cache where the cache could not hold it.
//!
//! Output larger than what memory is free for it is written at the disk's speed whatever is done; through the
//! page cache every byte is also copied first, at many times the CPU time of the transfer, and what other
//! programs keep there is driven out. So whole pages of long stretches of such files go straight to the disk,
//! from where they lie if that is aligned, else through a small buffer. Everything else, and all of a smaller
//! file, is left to the cache, which writes it behind the run and still has it for who reads it next.

use super::file::write_at;
use crate::store::available;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// What memory and places in the file are aligned to for direct transfers, everywhere.
pub(crate) const PAGE: usize = 4096;

/// Shorter stretches are left to the page cache: each direct one waits for the disk.
pub(crate) const LONG: usize = 1 << 20;

/// Bytes of the buffer for what lies at other places in memory than in the file.
const BOUNCE: usize = 2 << 20;

/// Bytes that one write past the page cache holds.
pub(crate) const ASIDE: usize = BOUNCE + PAGE;

/// A file is too large for the page cache from this part of the free memory on: at a fifth of it the system
/// lets writers wait for the disk.
const PART: u64 = 4;

/// An open file to be written by position.
#[derive(Debug)]
pub(crate) struct WriteFile {
    file: File,
    direct: Option<File>,
    works: AtomicBool,
    idle: Mutex<Vec<PageBytes>>,
}

impl WriteFile {
    /// A file that is written through the page cache.
    pub fn cached(file: File) -> WriteFile {
        WriteFile {
            file,
            direct: None,
            works: AtomicBool::new(false),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// The open file at `path`, of which about `bytes` will be written.
    pub fn sized(file: File, path: &Path, bytes: u64) -> WriteFile {
        match exceeds_cache(bytes) {
            true => WriteFile::direct(file, path),
            false => WriteFile::cached(file),
        }
    }

    /// The open file at `path`, written past the page cache where the file system takes that.
    pub fn direct(file: File, path: &Path) -> WriteFile {
        let direct = open_direct(path);
        WriteFile {
            works: AtomicBool::new(direct.is_some()),
            direct,
            ..WriteFile::cached(file)
        }
    }

    /// The file, for what is not a stretch of bytes.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Writes all of `data` at `offset`.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let Some(direct) = self.working().filter(|_| data.len() >= LONG) else {
            return write_at(&self.file, data, offset);
        };
        let (head, rest) = data.split_at((offset.next_multiple_of(PAGE as u64) - offset) as usize);
        let (pages, tail) = rest.split_at(rest.len() / PAGE * PAGE);
        let start = offset + head.len() as u64;
        write_at(&self.file, head, offset)?;
        if is_aligned(pages) {
            self.write_pages(direct, pages, start)?;
        } else {
            let mut bounce = self.idle().pop().unwrap_or_default();
            let mut at = start;
            for piece in pages.chunks(BOUNCE) {
                let copy = bounce.slice(piece.len());
                copy.copy_from_slice(piece);
                self.write_pages(direct, copy, at)?;
                at += piece.len() as u64;
            }
            self.idle().push(bounce);
        }
        write_at(&self.file, tail, start + pages.len() as u64)
    }

    /// Bytes that one write holds.
    pub fn scratch_bytes(&self) -> usize {
        self.working().map_or(0, |_| ASIDE)
    }

    /// The handle that goes past the page cache, while it works.
    fn working(&self) -> Option<&File> {
        self.direct
            .as_ref()
            .filter(|_| self.works.load(Ordering::Relaxed))
    }

    /// Writes aligned pages to an aligned place.
    fn write_pages(&self, direct: &File, pages: &[u8], at: u64) -> io::Result<()> {
        let mut done = 0;
        while done < pages.len() {
            let (rest, at) = (&pages[done..], at + done as u64);
            match direct.write_at(rest, at) {
                Ok(n) if n == rest.len() => done += n,
                Ok(n) if n >= PAGE => done += n / PAGE * PAGE,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // A little of it only, or none because the file system cannot.
                Ok(_) => return write_at(&self.file, rest, at),
                Err(e) if e.raw_os_error() == Some(libc::EINVAL) => {
                    self.works.store(false, Ordering::Relaxed);
                    return write_at(&self.file, rest, at);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<PageBytes>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a file of so many bytes is too large for the page cache.
pub(crate) fn exceeds_cache(bytes: u64) -> bool {
    available().is_some_and(|free| bytes > free / PART)
}

fn is_aligned(bytes: &[u8]) -> bool {
    bytes.as_ptr().addr().is_multiple_of(PAGE)
}

/// The file once more, for transfers past the page cache; `None` where the system has none.
fn open_direct(path: &Path) -> Option<File> {
    #[cfg(target_os = "linux")]
    let opened = File::options()
        .write(true)
        .custom_flags(libc::O_DIRECT)
        .open(path)
        .ok();
    #[cfg(not(target_os = "linux"))]
    let opened = None;
    opened
}

/// Bytes that begin at a page boundary of memory.
#[derive(Debug, Default)]
pub(crate) struct PageBytes(pub Vec<u8>);

impl PageBytes {
    /// `len` bytes of any content, the same ones as long as no longer slice is asked for. Of the vector, which
    /// grows where it is too short, that takes a page more.
    pub fn slice(&mut self, len: usize) -> &mut [u8] {
        if self.0.len() < len + PAGE {
            self.0 = vec![0; len + PAGE];
        }
        let lead = self.0.as_ptr().addr().next_multiple_of(PAGE) - self.0.as_ptr().addr();
        &mut self.0[lead..lead + len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new file in a folder that takes direct transfers where the machine has one.
    fn made(folder: &tempfile::TempDir, direct: bool) -> WriteFile {
        let path = folder.path().join("file");
        let mut options = File::options();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path);
        match direct {
            true => WriteFile::direct(file.unwrap(), &path),
            false => WriteFile::cached(file.unwrap()),
        }
    }

    #[test]
    fn stretches_of_any_length_at_any_place_land_where_they_belong() {
        // Beside the build, as the system's temporary folder may have no direct transfers.
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR").to_string() + "/target").unwrap();
        let mut memory = PageBytes::default();
        let memory = memory.slice(3 * BOUNCE);
        (memory.iter_mut().enumerate()).for_each(|(i, b)| *b = (i * 31 + i / 4093) as u8);
        for direct in [true, false] {
            let file = made(&folder, direct);
            let (mut expected, mut end) = (vec![0; 10 << 20], 0);
            let cases = [
                (0, 0, 0),
                (5, LONG - 1, 3),
                (LONG - 7, LONG, 1),
                (2 * LONG - 7, 2 * LONG + 5, 0),
                (4 * LONG + 4096, BOUNCE, 4096),
                ((6 * LONG) + 4096, BOUNCE + 3 * PAGE + 9, 8),
            ];
            for (at, len, from) in cases {
                file.write_at(&memory[from..from + len], at as u64).unwrap();
                expected[at..at + len].copy_from_slice(&memory[from..from + len]);
                end = end.max(at + len);
            }
            let mut back = vec![9; end];
            file.file().read_exact_at(&mut back, 0).unwrap();
            assert!(back == expected[..end], "direct {direct}");
            assert_eq!(file.file().metadata().unwrap().len(), end as u64);
            let buffers = file.idle().len();
            assert!(buffers <= 1 && (direct || buffers == 0));
            if direct && file.working().is_none() {
                eprintln!("no direct transfers in {}", folder.path().display());
            }
        }
    }

    #[test]
    fn small_files_stay_in_the_page_cache() {
        assert!(!exceeds_cache(1 << 20));
        assert!(exceeds_cache(u64::MAX) || available().is_none());
    }

    #[test]
    fn a_full_disk_is_told() {
        let Ok(file) = File::options().write(true).open("/dev/full") else {
            eprintln!("skipped: there is no /dev/full");
            return;
        };
        let file = WriteFile::direct(file, Path::new("/dev/full"));
        let error = file.write_at(&vec![1; 2 * LONG], 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
