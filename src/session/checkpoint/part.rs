//! The states of runs of reductions that are under way: a file for each, replaced now and then, so that a
//! long run that is killed does not begin anew.

use super::folder::{NEW, PART};
use super::record::{HEADER, Kind, Record};
use super::{Begun, Checkpoint, StageLog};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tilewise_kernels::reduce::State;

/// The least time between two writings of a run's states.
const LEAST: Duration = Duration::from_secs(1);
/// Writing may take this part of the time.
const SHARE: u32 = 20;

/// Writes the states of one run while it is fed.
pub(in crate::session) struct PartWriter<'a> {
    checkpoint: &'a Checkpoint<'a>,
    stage: usize,
    item: usize,
    last: Instant,
    every: Duration,
    /// Bytes of the file that is there.
    bytes: u64,
}

impl StageLog {
    fn part(&self, item: usize, ending: &str) -> PathBuf {
        let mut name = self.parts.clone().into_os_string();
        name.push(format!("-{item}.{ending}"));
        name.into()
    }
}

impl<'a> PartWriter<'a> {
    /// For a run of a stage that keeps its blocks.
    pub fn new(checkpoint: &'a Checkpoint<'a>, stage: usize, item: usize) -> PartWriter<'a> {
        let there = checkpoint.log(stage).map(|log| log.part(item, PART));
        PartWriter {
            checkpoint,
            stage,
            item,
            last: Instant::now(),
            every: LEAST,
            bytes: there
                .and_then(|path| fs::metadata(path).ok())
                .map_or(0, |m| m.len()),
        }
    }

    /// Hears that so many blocks were fed, and writes the states when it is time.
    ///
    /// # Errors
    /// What the system refuses, once.
    pub fn fed(&mut self, blocks: usize, states: &[State]) -> io::Result<()> {
        let checkpoint = self.checkpoint;
        if self.last.elapsed() < self.every || checkpoint.stopped.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Some(log) = checkpoint.log(self.stage) else {
            return Ok(());
        };
        let started = Instant::now();
        let written = self.write(log, blocks, states);
        self.last = Instant::now();
        self.every = LEAST.max((self.last - started) * SHARE);
        written.or_else(|error| checkpoint.stop(error))
    }

    fn write(&mut self, log: &StageLog, blocks: usize, states: &[State]) -> io::Result<()> {
        let planes: Vec<&[u8]> = states.iter().flat_map(State::planes).collect();
        let record = Record::new(Kind::Part, blocks as u64, self.item as u64, &planes);
        let bytes = HEADER as u64 + record.len;
        self.checkpoint.folder.charge(bytes)?;
        let new = log.part(self.item, NEW);
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&record.to_bytes(log.log.key()))?;
        planes.iter().try_for_each(|plane| file.write_all(plane))?;
        fs::rename(&new, log.part(self.item, PART))?;
        self.checkpoint.folder.release(self.bytes);
        self.bytes = bytes;
        Ok(())
    }

    /// Hears that what the run gave is kept elsewhere.
    pub fn done(self) {
        if let Some(log) = self.checkpoint.log(self.stage).filter(|_| self.bytes > 0) {
            let _ = fs::remove_file(log.part(self.item, PART)); // it would never be read
            self.checkpoint.folder.release(self.bytes);
        }
    }
}

/// Fills states with those of a run that was under way; how far it came, and the bytes read.
pub(super) fn read(log: &StageLog, item: usize, states: &mut [State]) -> Option<(Begun, u64)> {
    let mut file = fs::File::open(log.part(item, PART)).ok()?;
    let mut head = [0; HEADER];
    file.read_exact(&mut head).ok()?;
    let record = Record::from_bytes(&head, log.log.key())?;
    let mut planes: Vec<&mut [u8]> = states.iter_mut().flat_map(State::planes_mut).collect();
    let bytes: u64 = planes.iter().map(|plane| plane.len() as u64).sum();
    let meant = record.kind == Kind::Part && record.number == item as u64 && record.len == bytes;
    let whole = meant
        && planes.iter_mut().all(|plane| file.read_exact(plane).is_ok())
        && record.fits(planes.iter().map(|plane| &**plane));
    let blocks = usize::try_from(record.of).ok()?;
    whole.then_some((Begun::Blocks(blocks), bytes))
}
