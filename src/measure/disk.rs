//! The disk below a folder: long writes and reads past the page cache.

use super::Stop;
use super::sample::Sample;
use crate::store::Buffer;
use crate::{Error, Result};
use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Bytes of one request.
const PIECE: usize = 4 << 20;

/// What writing and reading a file of a buffer's bytes took, and whether the page cache was left
/// out; the file is gone afterwards.
pub struct Disk {
    /// Bytes written and read.
    pub bytes: usize,
    /// Writing them, until they are on the medium.
    pub write: Sample,
    /// Reading them.
    pub read: Sample,
    /// Whether direct I/O worked; if not, the page cache answered.
    pub direct: bool,
}

/// Writes whole pieces of `data` to a file in `folder` and reads them back.
///
/// # Errors
/// What the file system refuses; other bytes than were written.
pub fn measure(folder: &Path, data: &mut Buffer, stop: &Stop) -> Result<Disk> {
    let named = tempfile::Builder::new()
        .prefix("tilewise-bench-")
        .tempfile_in(folder)
        .map_err(Error::io("measure the disk in", folder))?;
    let path = named.path();
    let open = |flags: i32| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(flags).open(path)
    };
    let direct = direct_flag().and_then(|flag| open(flag).ok());
    let with_cache = open(0).map_err(Error::io("open", path))?;
    let len = (data.len() / PIECE * PIECE).max(data.len().min(PIECE) / 4096 * 4096);
    let data = &mut data[..len];
    for (number, page) in data.chunks_mut(4096).enumerate() {
        page[..8].copy_from_slice(&number.to_le_bytes());
    }
    // A file system may open a file for direct I/O and refuse the first request.
    let works = |file: &std::fs::File| file.write_all_at(&data[..4096.min(len)], 0).is_ok();
    let direct = direct.filter(works);
    let file = direct.as_ref().unwrap_or(&with_cache);
    let (write, done) = Sample::of(|| {
        for (n, piece) in data.chunks(PIECE).enumerate() {
            stop.check()?;
            file.write_all_at(piece, (n * PIECE) as u64)
                .map_err(Error::io("write", path))?;
        }
        file.sync_data().map_err(Error::io("write", path))
    });
    done?;
    data.fill(0);
    let (read, done) = Sample::of(|| {
        for (n, piece) in data.chunks_mut(PIECE).enumerate() {
            stop.check()?;
            file.read_exact_at(piece, (n * PIECE) as u64)
                .map_err(Error::io("read", path))?;
        }
        Ok(())
    });
    done?;
    let right = |(number, page): (usize, &[u8])| page[..8] == number.to_le_bytes();
    if !data.chunks(4096).enumerate().all(right) {
        return Err(Error::format(folder, "gave other bytes back than were written"));
    }
    Ok(Disk {
        bytes: len,
        write,
        read,
        direct: direct.is_some(),
    })
}

/// The flag that opens a file past the page cache.
const fn direct_flag() -> Option<i32> {
    #[cfg(target_os = "linux")]
    return Some(libc::O_DIRECT);
    #[cfg(not(target_os = "linux"))]
    None
}
