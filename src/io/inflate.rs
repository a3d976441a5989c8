//! Regions of bytes that were deflated in one stream.
//!
//! Such a stream has no places to enter it: what lies before a region is inflated and dropped,
//! through a window of fixed size. A reader that has come to a place goes on from there, so that
//! reading in ascending order inflates everything once.

use super::file::ReadFile;
use crate::{Error, Result};
use flate2::{Decompress, FlushDecompress, Status};
use libdeflater::Crc;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of the compressed window, and of the one that what is dropped goes through.
const WINDOW: usize = 64 << 10;

/// The most streams that are kept between reads.
const MOST_KEPT: usize = 4;

/// No bytes deflate to fewer than this part of them.
const MOST_RATIO: u64 = 1032;

/// A stream of raw deflate in a file.
pub(crate) struct Inflated {
    file: Arc<ReadFile>,
    /// What it is, for messages.
    what: String,
    /// Where it lies.
    start: u64,
    stored: u64,
    /// Bytes of what it inflates to, and their CRC-32.
    len: u64,
    crc: u32,
    kept: Mutex<Vec<Stream>>,
}

impl fmt::Debug for Inflated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflated")
            .field("what", &self.what)
            .field("start", &self.start)
            .field("stored", &self.stored)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// A stream that was inflated up to a place.
struct Stream {
    inflate: Decompress,
    /// What was read of the file, and how much of that was taken.
    input: Vec<u8>,
    taken: usize,
    /// Bytes of the stream that were read.
    read: u64,
    /// Bytes that were inflated, and their CRC-32.
    at: u64,
    crc: Crc,
}

impl Inflated {
    /// Bytes that a reader holds: both windows and the inflater.
    pub const SCRATCH: usize = 2 * WINDOW + (48 << 10);

    /// The stream of `stored` bytes at `start`, which inflates to `len` bytes.
    ///
    /// # Errors
    /// When it lies beyond the end of the file, or so few bytes cannot inflate to so many.
    pub fn new(
        file: &Arc<ReadFile>,
        what: &str,
        start: u64,
        stored: u64,
        len: u64,
        crc: u32,
    ) -> Result<Inflated> {
        let error = |reason: String| Error::format(file.path(), format!("{what}: {reason}"));
        if start.checked_add(stored).is_none_or(|end| end > file.len()) {
            return Err(error(format!(
                "truncated: its {stored} bytes from {start} on are beyond the end"
            )));
        }
        if len > stored.saturating_mul(MOST_RATIO) {
            return Err(error(format!(
                "it claims {len} bytes, to which its {stored} cannot inflate"
            )));
        }
        Ok(Inflated {
            file: file.clone(),
            what: what.to_string(),
            start,
            stored,
            len,
            crc,
            kept: Mutex::default(),
        })
    }

    /// Bytes in the file.
    pub fn stored_bytes(&self) -> u64 {
        self.stored
    }

    /// Bytes that it inflates to.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// A reader from wherever it is asked for first.
    pub fn reader(&self) -> Reader<'_> {
        Reader {
            of: self,
            stream: None,
            skipped: Vec::new(),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Stream>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, reason: impl fmt::Display) -> Error {
        Error::format(self.file.path(), format!("{}: {reason}", self.what))
    }

    /// The kept stream that is farthest, but not beyond `at`; a new one where there is none.
    fn stream(&self, at: u64) -> Stream {
        let mut kept = self.kept();
        let near = (0..kept.len())
            .filter(|&s| kept[s].at <= at)
            .max_by_key(|&s| kept[s].at);
        match near {
            Some(near) => kept.swap_remove(near),
            None => Stream {
                inflate: Decompress::new(false),
                input: Vec::new(),
                taken: 0,
                read: 0,
                at: 0,
                crc: Crc::new(),
            },
        }
    }
}

/// Reads a stream in ascending order.
pub(crate) struct Reader<'a> {
    of: &'a Inflated,
    stream: Option<Stream>,
    skipped: Vec<u8>,
}

impl Reader<'_> {
    /// Fills `out` with the bytes from `at` on.
    ///
    /// # Errors
    /// When the stream is broken, ends before, or has another checksum than it should at its end.
    pub fn read_at(&mut self, at: u64, out: &mut [u8]) -> Result<()> {
        if self.stream.as_ref().is_none_or(|s| s.at > at) {
            self.stream = Some(self.of.stream(at));
        }
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        let filled = (|| {
            while stream.at < at {
                self.skipped.resize(WINDOW, 0);
                let n = (at - stream.at).min(WINDOW as u64) as usize;
                stream.fill(self.of, &mut self.skipped[..n])?;
            }
            stream.fill(self.of, out)
        })();
        if filled.is_err() {
            self.stream = None; // its state is that of the failure
        }
        filled
    }
}

impl Drop for Reader<'_> {
    /// Keeps the stream for who reads on.
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            let mut kept = self.of.kept();
            if kept.len() < MOST_KEPT {
                kept.push(stream);
            }
        }
    }
}

impl Stream {
    /// Inflates exactly `out.len()` bytes.
    fn fill(&mut self, of: &Inflated, out: &mut [u8]) -> Result<()> {
        let mut done = 0;
        while done < out.len() {
            if self.taken == self.input.len() && self.read < of.stored {
                let n = (of.stored - self.read).min(WINDOW as u64) as usize;
                self.input.resize(n, 0);
                of.file.read_at(of.start + self.read, &mut self.input)?;
                self.read += n as u64;
                self.taken = 0;
            }
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(&self.input[self.taken..], &mut out[done..], FlushDecompress::None)
                .map_err(|_| of.error("it does not inflate: the file is damaged"))?;
            let taken = (self.inflate.total_in() - before_in) as usize;
            let made = (self.inflate.total_out() - before_out) as usize;
            self.taken += taken;
            done += made;
            let stuck = taken == 0 && made == 0 && self.taken == self.input.len() && self.read == of.stored;
            if done < out.len() && (status == Status::StreamEnd || stuck) {
                return Err(of.error(format!(
                    "it inflates to {} bytes instead of {}",
                    self.at + done as u64,
                    of.len
                )));
            }
        }
        self.crc.update(out);
        self.at += out.len() as u64;
        if self.at == of.len && self.crc.sum() != of.crc {
            return Err(of.error(format!(
                "checksum {:08x} instead of {:08x}: the file is damaged",
                self.crc.sum(),
                of.crc
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// Bytes, a file with them deflated behind ten others, and how many they became.
    fn deflated(folder: &std::path::Path) -> (Vec<u8>, Arc<ReadFile>, u64, u32) {
        let bytes: Vec<u8> = (0..300_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        let mut out = flate2::write::DeflateEncoder::new(vec![9; 10], flate2::Compression::fast());
        out.write_all(&bytes).unwrap();
        let stored = out.finish().unwrap();
        let path = folder.join("stream");
        std::fs::write(&path, &stored).unwrap();
        let mut crc = Crc::new();
        crc.update(&bytes);
        let file = Arc::new(ReadFile::open(&path).unwrap());
        (bytes, file, stored.len() as u64 - 10, crc.sum())
    }

    #[test]
    fn any_part_is_read_and_streams_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (bytes, file, stored, crc) = deflated(folder.path());
        let inflated = Inflated::new(&file, "x", 10, stored, bytes.len() as u64, crc).unwrap();
        for (at, n) in [(0, 10), (5, 0), (10, 100_000), (200_000, 100_000), (7, 3)] {
            let mut out = vec![0; n];
            inflated.reader().read_at(at as u64, &mut out).unwrap();
            assert!(out == bytes[at..at + n], "{at} {n}");
        }
        let mut places: Vec<u64> = inflated.kept().iter().map(|s| s.at).collect();
        places.sort_unstable();
        assert_eq!(places, [10, 300_000]);
    }

    #[test]
    fn damage_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (bytes, file, stored, crc) = deflated(folder.path());
        let len = bytes.len() as u64;
        let read = |len: u64, stored: u64, crc: u32| {
            let inflated = Inflated::new(&file, "x", 10, stored, len, crc)?;
            inflated.reader().read_at(0, &mut vec![0; len as usize])
        };
        assert!(read(len, stored, crc).is_ok());
        for (len, stored, crc, expected) in [
            (len, stored, crc ^ 1, "checksum"),
            (len + 1, stored, crc, "inflates to 300000 bytes"),
            (len, stored / 2, crc, "inflates to"),
            (len, stored + 1, crc, "beyond the end"),
            (stored * 2000, stored, crc, "cannot inflate"),
        ] {
            let error = read(len, stored, crc).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
