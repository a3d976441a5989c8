//! Positional reads and writes of plain files, and their identity.
//!
//! `pread` has no cursor, so threads share one descriptor without a lock.

use crate::store::will_read;
use crate::{Error, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use xxhash_rust::xxh3::xxh3_64;

/// The most bytes of one write: half of a common second-level cache.
const WRITE_PIECE: usize = 512 << 10;

/// A file open for positional reads.
#[derive(Debug)]
pub(crate) struct ReadFile {
    file: File,
    path: PathBuf,
    len: u64,
    identity: u64,
}

impl ReadFile {
    /// Opens a regular file.
    ///
    /// # Errors
    /// When it is missing, a directory, or not readable.
    pub fn open(path: &Path) -> Result<ReadFile> {
        // Looked at before it is opened: opening a pipe would wait for a writer.
        let metadata = std::fs::metadata(path).map_err(Error::io("open", path))?;
        if metadata.is_dir() {
            let kind = std::io::ErrorKind::IsADirectory;
            return Err(Error::io("read", path)(kind.into()));
        }
        if !metadata.is_file() {
            return Err(Error::format(
                path,
                "is not a regular file; copy its content to one first",
            ));
        }
        let file = File::open(path).map_err(Error::io("open", path))?;
        let metadata = file.metadata().map_err(Error::io("open", path))?;
        let modified = metadata
            .modified()
            .ok()
            .and_then(|t| t.duration_since(UNIX_EPOCH).ok())
            .map_or(0, |d| d.as_nanos());
        let absolute = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let text = format!("{}\0{}\0{modified}", absolute.display(), metadata.len());
        Ok(ReadFile {
            file,
            path: path.to_path_buf(),
            len: metadata.len(),
            identity: xxh3_64(text.as_bytes()),
        })
    }

    /// Its path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes when it was opened.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Equal for equal path, length and modification time.
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// Fills `out` from the bytes at `offset`.
    ///
    /// # Errors
    /// [`Error::Format`] when the file ends before, [`Error::Io`] when the system refuses.
    pub fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        match self.file.read_exact_at(out, offset) {
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Err(Error::format(
                &self.path,
                format!(
                    "truncated: {} bytes at offset {offset} are beyond its end",
                    out.len()
                ),
            )),
            other => other.map_err(Error::io("read", &self.path)),
        }
    }

    /// Says that those bytes will be read soon.
    pub fn will_read(&self, offset: u64, len: u64) {
        if offset < self.len {
            will_read(&self.file, offset, len.min(self.len - offset));
        }
    }

    /// Up to `n` of its first bytes.
    pub fn head(&self, n: usize) -> Result<Vec<u8>> {
        let n = usize::try_from(self.len).map_or(n, |len| len.min(n));
        let mut head = vec![0; n];
        self.read_at(0, &mut head)?;
        Ok(head)
    }
}

/// Writes all of `data` at `offset`, in pieces.
///
/// A write of several MiB to a place that is not aligned, where array data usually begins, was
/// measured to be copied to the page cache at a fifth of the speed of the same bytes in pieces.
///
/// # Errors
/// What the system refuses.
pub(crate) fn write_at(file: &File, data: &[u8], offset: u64) -> std::io::Result<()> {
    let mut at = offset;
    for piece in data.chunks(WRITE_PIECE) {
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

/// The fingerprint of one array of a file.
pub(crate) fn fingerprint(file: &ReadFile, variable: &str) -> u64 {
    let mut text = file.identity().to_le_bytes().to_vec();
    text.extend(variable.as_bytes());
    xxh3_64(&text)
}

/// Checks that `region` lies within `shape` and that `bytes` are its bytes.
pub(crate) fn check_region(
    name: &str,
    shape: &[usize],
    size: usize,
    region: &crate::geometry::Region,
    bytes: usize,
) -> Result<()> {
    let inside = region.rank() == shape.len()
        && region.start.len() == shape.len()
        && (0..shape.len()).all(|a| {
            region.start[a]
                .checked_add(region.shape[a])
                .is_some_and(|stop| stop <= shape[a])
        });
    if !inside {
        return Err(Error::invalid(format!(
            "{name}: a region of shape {:?} at {:?} is not within shape {shape:?}",
            region.shape, region.start
        )));
    }
    let expected = crate::geometry::checked_bytes(&region.shape, size)?;
    if bytes != expected {
        return Err(Error::invalid(format!(
            "{name}: region {region:?} has {expected} bytes, the buffer {bytes}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_writes_land_whole_where_they_belong() {
        let file = tempfile::tempfile().unwrap();
        for len in [0, 1, WRITE_PIECE - 1, WRITE_PIECE, 2 * WRITE_PIECE + 77] {
            let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            file.set_len(0).unwrap();
            write_at(&file, &data, 13).unwrap();
            let mut back = vec![9; len];
            file.read_exact_at(&mut back, 13).unwrap();
            assert_eq!(
                file.metadata().unwrap().len(),
                if len == 0 { 0 } else { 13 + len as u64 }
            );
            assert!(back == data, "{len} bytes");
        }
    }
}
