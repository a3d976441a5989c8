//! A log: records one after another in a file that only grows.
//!
//! What a killed process has written is there, whole but for its end: the chain of records ends at the
//! first head that is none, and what lies behind is cut off before more is written. Writers take
//! their places in turn and write at once. Nothing is synchronised with the disk: a machine that loses
//! its power may lose records, which their checksums tell.

use super::record::{HEADER, Record};
use crate::session::lock;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use xxhash_rust::xxh3::xxh3_64;

/// The beginning of a log.
const MAGIC: &[u8; 16] = b"tilewise resume\n";
/// Bytes before the first record: the magic, the key, the device, and their checksum.
const FIRST: usize = 48;

/// A log on disk.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    key: u128,
    /// `None` before there is one, or when there shall be none.
    file: Mutex<Option<Arc<File>>>,
    /// What the file says of the device that its values come from.
    device: AtomicU64,
    /// The end of the records that were found.
    found: AtomicU64,
    /// Where the next record goes.
    end: AtomicU64,
}

impl Log {
    /// The log of that key at `path`, with `visit` called for each record that is there and its place,
    /// until it says no. A file that is no such log has no record.
    pub fn open(path: PathBuf, key: u128, mut visit: impl FnMut(&Record, u64) -> bool) -> Log {
        let file = OpenOptions::new().read(true).write(true).open(&path).ok();
        let head = file.as_ref().and_then(|file| read_head(file, key));
        let log = Log {
            path,
            key,
            file: Mutex::new(file.filter(|_| head.is_some()).map(Arc::new)),
            device: AtomicU64::new(head.unwrap_or(0)),
            found: AtomicU64::new(u64::MAX),
            end: AtomicU64::new(0),
        };
        let mut at = FIRST as u64;
        loop {
            let before = at;
            match log.next(&mut at) {
                Some((record, place)) if visit(&record, place) => {}
                _ => {
                    log.found.store(before, Ordering::Relaxed);
                    return log;
                }
            }
        }
    }

    /// Where the first record lies.
    pub fn first(&self) -> u64 {
        FIRST as u64
    }

    /// The next record that was found when the log was opened, and the place of its payload.
    pub fn next(&self, at: &mut u64) -> Option<(Record, u64)> {
        let file = lock(&self.file).clone()?;
        if *at >= self.found.load(Ordering::Relaxed) {
            return None;
        }
        let mut head = [0; HEADER];
        file.read_exact_at(&mut head, *at).ok()?;
        let record = Record::from_bytes(&head, self.key)?;
        let place = *at + HEADER as u64;
        let end = place.checked_add(record.len)?;
        if end > file.metadata().ok()?.len() {
            return None;
        }
        *at = end;
        Some((record, place))
    }

    /// Fills the pieces with a record's payload; whether it came whole. They hold anything otherwise.
    pub fn read(&self, record: &Record, place: u64, pieces: &mut [&mut [u8]]) -> bool {
        let Some(file) = lock(&self.file).clone() else {
            return false;
        };
        let bytes: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        let mut at = place;
        bytes == record.len
            && pieces.iter_mut().all(|piece| {
                let from = at;
                at += piece.len() as u64;
                file.read_exact_at(piece, from).is_ok()
            })
            && record.fits(pieces.iter().map(|piece| &**piece))
    }

    /// The key of what belongs to it, on the device that its values come from.
    pub fn key(&self) -> u128 {
        self.key ^ u128::from(self.device.load(Ordering::Relaxed))
    }

    /// Whether the values in it come from that device.
    pub fn is_from(&self, device: &str) -> bool {
        self.device.load(Ordering::Relaxed) == xxh3_64(device.as_bytes())
    }

    /// Makes it ready for records of values that come from that device: behind those that were found,
    /// or, with `fresh`, as an empty log.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn begin(&self, device: &str, fresh: bool) -> io::Result<()> {
        let mut file = lock(&self.file);
        if let (Some(file), false) = (&*file, fresh) {
            let end = self.found.load(Ordering::Relaxed);
            self.end.store(end, Ordering::Relaxed);
            return file.set_len(end);
        }
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600);
        let made = options.open(&self.path)?;
        let device = xxh3_64(device.as_bytes());
        made.write_all_at(&head(self.key, device), 0)?;
        self.device.store(device, Ordering::Relaxed);
        self.found.store(FIRST as u64, Ordering::Relaxed);
        self.end.store(FIRST as u64, Ordering::Relaxed);
        *file = Some(Arc::new(made));
        Ok(())
    }

    /// Puts a record at the end.
    ///
    /// # Errors
    /// What the system refuses, as when the disk is full; later records are then not found.
    pub fn append(&self, record: &Record, payload: &[&[u8]]) -> io::Result<()> {
        let Some(file) = lock(&self.file).clone() else {
            return Ok(());
        };
        let mut at = self.end.fetch_add(HEADER as u64 + record.len, Ordering::Relaxed);
        // The payload first: a head is then a sign that all of it was written.
        let head = at;
        at += HEADER as u64;
        for piece in payload {
            file.write_all_at(piece, at)?;
            at += piece.len() as u64;
        }
        file.write_all_at(&record.to_bytes(self.key), head)
    }

    /// Ends it and removes its file.
    pub fn remove(&self) {
        *lock(&self.file) = None;
        self.found.store(0, Ordering::Relaxed);
        let _ = std::fs::remove_file(&self.path); // may not be there
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The bytes before the first record.
fn head(key: u128, device: u64) -> [u8; FIRST] {
    let mut bytes = [0; FIRST];
    bytes[..16].copy_from_slice(MAGIC);
    bytes[16..32].copy_from_slice(&key.to_le_bytes());
    bytes[32..40].copy_from_slice(&device.to_le_bytes());
    let sum = xxh3_64(&bytes[..40]);
    bytes[40..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// The device that a log of that key names; `None` where the file is no such log.
fn read_head(file: &File, key: u128) -> Option<u64> {
    let mut bytes = [0; FIRST];
    file.read_exact_at(&mut bytes, 0).ok()?;
    let device = u64::from_le_bytes(bytes[32..40].try_into().ok()?);
    (bytes == head(key, device)).then_some(device)
}

#[cfg(test)]
mod tests {
    use super::super::record::Kind;
    use super::*;

    fn record(number: u64, payload: &[u8]) -> Record {
        Record::new(Kind::Block, 0, number, &[payload])
    }

    /// The numbers of the records that a log has and whose payload is right.
    fn numbers(path: &Path, key: u128) -> Vec<u64> {
        let mut found = Vec::new();
        let log = Log::open(path.to_path_buf(), key, |record, place| {
            found.push((*record, place));
            true
        });
        let whole = |(record, place): &(Record, u64)| {
            let mut payload = vec![0; record.len as usize];
            log.read(record, *place, &mut [&mut payload])
        };
        found.iter().filter(|r| whole(r)).map(|(r, _)| r.number).collect()
    }

    /// A log with three records.
    fn three(path: &Path) {
        let log = Log::open(path.to_path_buf(), 7, |_, _| true);
        log.begin("cpu", false).unwrap();
        for number in 0..3 {
            let payload = vec![number as u8; 1000];
            log.append(&record(number, &payload), &[&payload]).unwrap();
        }
    }

    #[test]
    fn records_are_found_again_and_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        three(&path);
        assert_eq!(numbers(&path, 7), [0, 1, 2]);
        assert!(numbers(&path, 8).is_empty(), "of another key");
        let log = Log::open(path.clone(), 7, |_, _| true);
        assert!(log.is_from("cpu") && !log.is_from("gpu"));
        log.begin("cpu", false).unwrap();
        log.append(&record(3, b""), &[]).unwrap();
        assert_eq!(numbers(&path, 7), [0, 1, 2, 3]);
        log.begin("gpu", true).unwrap();
        assert!(numbers(&path, 7).is_empty());
        log.remove();
        assert!(!path.exists());
        log.append(&record(3, b""), &[]).unwrap();
    }

    #[test]
    fn a_torn_end_is_cut_off_at_every_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        three(&path);
        let all = std::fs::read(&path).unwrap();
        for len in (0..all.len()).step_by(37) {
            std::fs::write(&path, &all[..len]).unwrap();
            let whole = len.saturating_sub(FIRST) / (HEADER + 1000);
            let want: Vec<u64> = (0..whole as u64).collect();
            assert_eq!(numbers(&path, 7), want, "{len} bytes");
            let log = Log::open(path.clone(), 7, |_, _| true);
            log.begin("cpu", false).unwrap();
            log.append(&record(9, b"x"), &[b"x"]).unwrap();
            assert_eq!(
                numbers(&path, 7),
                [want, vec![9]].concat(),
                "{len} bytes and one more"
            );
        }
    }

    #[test]
    fn a_flipped_bit_never_gives_a_payload() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        three(&path);
        let all = std::fs::read(&path).unwrap();
        for at in (0..all.len()).step_by(11) {
            let mut flipped = all.clone();
            flipped[at] ^= 1 << (at % 8);
            std::fs::write(&path, &flipped).unwrap();
            let lost = at
                .checked_sub(FIRST)
                .map(|at| (at / (HEADER + 1000), at % (HEADER + 1000) < HEADER));
            let want: &[u64] = match lost {
                None => &[],
                Some((n, true)) => &[0, 1, 2][..n],
                Some((0, _)) => &[1, 2],
                Some((1, _)) => &[0, 2],
                _ => &[0, 1],
            };
            assert_eq!(numbers(&path, 7), want, "byte {at}");
        }
    }

    #[test]
    fn a_full_disk_is_told() {
        if !Path::new("/dev/full").exists() {
            eprintln!("skipped: no /dev/full on this system");
            return;
        }
        let log = Log::open(PathBuf::from("/dev/full"), 7, |_, _| true);
        let error = log.begin("cpu", true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
