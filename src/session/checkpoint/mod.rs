//! Checkpoints: what a run has finished is kept in a folder, so that a run that is killed goes on where
//! it was.
//!
//! Every stage has a log (`log`) under a key (`key`) that says what is computed to the bit: a log is
//! found by a run that computes the same and by no other. Blocks that are delivered go into it, from
//! the memory where they lie, and are delivered again from it by the next run (`resume`); so do the
//! states of finished runs of a reduction. States of runs that are under way go into a file of their
//! own now and then (`part`). What holds closures or kept arrays is computed again, as is what stays on a
//! GPU and never comes home.
//!
//! Killed processes lose nothing that was written. After a loss of power records may be missing or
//! torn: checksums tell, and what they cover is computed again. A disk that is full ends the
//! checkpoints, not the run.

mod bits;
mod folder;
mod key;
mod log;
mod part;
mod record;
mod resume;

pub(super) use folder::{Folder, Job};
pub(super) use part::PartWriter;

use self::log::Log;
use super::DeviceChoice;
use crate::geometry::{Chunks, Region};
use crate::plan::{Plan, Stage, StageKind};
use crate::session::lock;
use bits::Bits;
use record::{HEADER, Kind, Record};
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tilewise_kernels::reduce::State;

/// The checkpoint of one plan.
pub(super) struct Checkpoint<'a> {
    folder: &'a Folder,
    /// By stage; `None` for those that cannot be taken up by another process.
    logs: Vec<Option<StageLog>>,
    /// Whether nothing more is written, because the disk refused.
    stopped: AtomicBool,
    /// By stage, whether it ran in this process.
    ran: Vec<AtomicBool>,
    /// What was taken up.
    items: AtomicU64,
    bytes: AtomicU64,
}

/// What is known of a stage's log.
struct StageLog {
    log: Log,
    /// Files of runs under way are called so, and their number.
    parts: PathBuf,
    /// Per array of the stage: the blocks that the log has.
    found: Vec<Bits>,
    /// Those that were delivered from it.
    taken: Vec<Bits>,
    /// States of finished runs: their records and places.
    runs: Mutex<HashMap<u64, (Record, u64)>>,
    /// Blocks that the log has, those written by this process among them, and all that there are.
    kept: AtomicU64,
    blocks: u64,
}

/// How far a run of a reduction came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Begun {
    /// Its states are whole.
    Whole,
    /// Its states hold so many blocks.
    Blocks(usize),
}

/// The blocks that a stage delivers of one of its arrays.
fn blocks_of<'a>(plan: &'a Plan, stage: &'a Stage, array: usize) -> &'a Chunks {
    match stage.kind {
        StageKind::Reduce { .. } => &plan.arrays[stage.arrays[array]].grid,
        _ => &stage.grid,
    }
}

impl<'a> Checkpoint<'a> {
    /// What the folder has of a plan.
    pub fn open(folder: &'a Folder, plan: &Plan, device: DeviceChoice) -> Checkpoint<'a> {
        let keys = key::keys(plan, device);
        let logs = plan.stages.iter().zip(keys);
        Checkpoint {
            folder,
            logs: logs
                .map(|(stage, key)| Some(StageLog::open(folder, plan, stage, key?)))
                .collect(),
            stopped: AtomicBool::new(false),
            ran: plan.stages.iter().map(|_| AtomicBool::new(false)).collect(),
            items: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Where it is.
    pub fn folder(&self) -> &Folder {
        self.folder
    }

    /// Items that were taken up, and bytes read for them.
    pub fn taken(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.items), read(&self.bytes))
    }

    fn log(&self, stage: usize) -> Option<&StageLog> {
        self.logs[stage].as_ref()
    }

    /// Whether blocks of a stage are written, so that they must come by the host's memory.
    pub fn keeps(&self, stage: usize) -> bool {
        self.log(stage).is_some()
    }

    /// Whether a block was delivered from the log.
    pub fn has_taken(&self, stage: usize, array: usize, number: usize) -> bool {
        self.log(stage).is_some_and(|log| log.taken[array].get(number))
    }

    /// Keeps a block of one of a stage's arrays.
    ///
    /// # Errors
    /// What the system refuses, once.
    pub fn keep_block(&self, stage: usize, array: usize, number: usize, data: &[u8]) -> io::Result<()> {
        let Some(log) = self.log(stage) else {
            return Ok(());
        };
        if self.write(log, Kind::Block, array as u64, number as u64, &[data])? {
            log.kept.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Keeps the states of a finished run of a reduction.
    ///
    /// # Errors
    /// What the system refuses, once.
    pub fn keep_run(&self, stage: usize, item: usize, states: &[State]) -> io::Result<()> {
        let Some(log) = self.log(stage) else {
            return Ok(());
        };
        let planes: Vec<&[u8]> = states.iter().flat_map(State::planes).collect();
        self.write(log, Kind::Run, 0, item as u64, &planes).map(drop)
    }

    /// Writes a record; whether it did, which it does not after a refusal.
    fn write(&self, log: &StageLog, kind: Kind, of: u64, number: u64, payload: &[&[u8]]) -> io::Result<bool> {
        if self.stopped.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let record = Record::new(kind, of, number, payload);
        let written = self.folder.charge(HEADER as u64 + record.len);
        match written.and_then(|()| log.log.append(&record, payload)) {
            Ok(()) => Ok(true),
            Err(error) => self.stop(error).map(|()| false),
        }
    }

    /// Ends the writing; the error where it is the first.
    fn stop(&self, error: io::Error) -> io::Result<()> {
        match self.stopped.swap(true, Ordering::Relaxed) {
            true => Ok(()),
            false => Err(error),
        }
    }

    /// Fills states with what is kept of a run of a reduction.
    pub fn take_run(&self, stage: usize, item: usize, states: &mut [State]) -> Option<Begun> {
        let log = self.log(stage)?;
        let found = lock(&log.runs).remove(&(item as u64));
        let begun = match found {
            Some((record, place)) => {
                let mut planes: Vec<&mut [u8]> = states.iter_mut().flat_map(State::planes_mut).collect();
                let whole = log.log.read(&record, place, &mut planes);
                whole.then_some((Begun::Whole, record.len))
            }
            None => part::read(log, item, states),
        };
        match begun {
            Some((begun, bytes)) => {
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
                if begun == Begun::Whole {
                    self.items.fetch_add(1, Ordering::Relaxed);
                }
                Some(begun)
            }
            None => {
                states.iter_mut().for_each(State::reset);
                None
            }
        }
    }

    /// Notes that a stage runs in this process on that device.
    ///
    /// # Errors
    /// What the system refuses, once.
    fn begin(&self, stage: usize, device: &str) -> io::Result<()> {
        self.ran[stage].store(true, Ordering::Relaxed);
        let Some(log) = self.log(stage).filter(|_| !self.stopped.load(Ordering::Relaxed)) else {
            return Ok(());
        };
        // Devices differ in last places: a stage is not put together from two. One that is whole is not.
        let fresh = !log.is_whole() && !log.log.is_from(device);
        if fresh {
            self.folder.release(log.bytes());
            log.found.iter().for_each(Bits::clear);
            lock(&log.runs).clear();
            log.kept.store(0, Ordering::Relaxed);
        }
        log.log.begin(device, fresh).or_else(|error| self.stop(error))
    }

    /// Whether the log of a stage has all its blocks.
    fn is_whole(&self, stage: usize) -> bool {
        self.log(stage).is_some_and(StageLog::is_whole)
    }

    /// Forgets a stage's blocks, which nothing needs any more.
    fn forget(&self, stage: usize) {
        if let Some(log) = self.log(stage) {
            let bytes = log.bytes();
            log.log.remove();
            self.folder.release(bytes);
        }
    }
}

impl StageLog {
    fn open(folder: &Folder, plan: &Plan, stage: &Stage, key: u128) -> StageLog {
        let name = format!("{key:032x}");
        let arrays = 0..stage.arrays.len();
        let bits = || {
            let bits = arrays
                .clone()
                .map(|array| Bits::new(blocks_of(plan, stage, array).count()));
            bits.collect::<Vec<Bits>>()
        };
        let found = bits();
        let (mut kept, mut runs) = (0, HashMap::new());
        let path = folder.path().join(&name).with_extension(folder::LOG);
        let log = Log::open(path, key, |record, place| {
            let number = usize::try_from(record.number).unwrap_or(usize::MAX);
            match record.kind {
                Kind::Block => {
                    let bits = usize::try_from(record.of).ok().and_then(|of| found.get(of));
                    let Some(bits) = bits.filter(|bits| number < bits.len()) else {
                        return false;
                    };
                    kept += u64::from(bits.set(number));
                }
                Kind::Run => drop(runs.insert(record.number, (*record, place))),
                Kind::Part => return false,
            }
            true
        });
        let blocks = arrays.clone().map(|array| {
            let grid = blocks_of(plan, stage, array);
            let full = |number: &usize| !grid.region(&grid.block(*number)).is_empty();
            (0..grid.count()).filter(full).count() as u64
        });
        StageLog {
            log,
            parts: folder.path().join(name),
            found,
            taken: bits(),
            runs: Mutex::new(runs),
            kept: AtomicU64::new(kept),
            blocks: blocks.sum(),
        }
    }

    /// Bytes of the log on disk.
    fn bytes(&self) -> u64 {
        std::fs::metadata(self.log.path()).map_or(0, |m| m.len())
    }

    fn is_whole(&self) -> bool {
        self.kept.load(Ordering::Relaxed) == self.blocks
    }
}

/// The number of the block of an array that its stage delivers.
pub(super) fn block_number(plan: &Plan, stage: &Stage, array: usize, block: &Region) -> Option<usize> {
    match blocks_of(plan, stage, array).overlapping(block)[..] {
        [number] => Some(number),
        _ => None,
    }
}
