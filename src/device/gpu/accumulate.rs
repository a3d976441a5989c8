//! A reduction's state in the device's memory, to which block after block is added.
//!
//! Else the cells of a state would come to the host after every block, and every block would be waited
//! for. What cells on the device cannot hold (counts beyond 32 bits, element indices far apart, blocks
//! that are computed in pieces) is taken to the host first and merged there, so the order in which
//! blocks join is theirs.

use super::cell::Cell;
use super::feed::Scheme;
use super::fold::{Planes, fold};
use super::launch::{Launch, Need, Span};
use super::merge::{Merge, PARAMETERS, Planes as Spans};
use super::resident::Resident;
use crate::device::Bytes;
use crate::{Error, Result};
use tilewise_kernels::reduce::State;

/// The state of a reduction, as far as it is on the device and as far as it is not.
#[derive(Debug)]
pub struct Accumulator {
    /// What came to the host; comes before what is held.
    state: State,
    held: Option<Held>,
}

/// The cells on the device.
#[derive(Debug)]
struct Held {
    scheme: Scheme,
    words: Option<Resident>,
    wide: Option<Resident>,
    /// What element indices are counted from.
    base: i64,
    /// A bound on the values that a cell was fed.
    fed: u64,
}

/// What a block is going to add to each cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub scheme: Scheme,
    pub cells: usize,
    /// Parts of each cell that a reduce kernel leaves.
    pub splits: usize,
    /// What element indices are counted from.
    pub base: i64,
    /// How far they reach from there.
    pub reach: i64,
    /// A bound on the values of a cell.
    pub values: u64,
}

impl Accumulator {
    /// Begins with what a state holds.
    pub fn new(state: State) -> Accumulator {
        Accumulator { state, held: None }
    }

    /// The state as far as it is on the host: of the same reduction, dtype and length as the whole.
    pub fn host(&self) -> &State {
        &self.state
    }

    /// The part on the host: the whole state once it is settled.
    pub fn into_host(self) -> State {
        self.state
    }

    /// Takes what is on the device to the host.
    ///
    /// # Errors
    /// When the device fails, or what was added is for the CPU.
    pub fn settle(&mut self) -> Result<()> {
        let Some(held) = self.held.take() else {
            return Ok(());
        };
        let read = |tile: &Option<Resident>| -> Result<Vec<u8>> {
            let mut bytes = vec![0; tile.as_ref().map_or(0, Resident::len)];
            if let Some(tile) = tile {
                tile.download(&mut bytes)?;
            }
            Ok(bytes)
        };
        let (words, wide) = (read(&held.words)?, read(&held.wide)?);
        let planes = Planes {
            words: &words,
            wide: &wide,
            cells: self.state.len(),
        };
        let (reduction, dtype) = (self.state.reduction(), self.state.dtype());
        let found = fold(held.scheme, reduction, dtype, planes, held.base).map_err(Error::Device)?;
        self.state.merge(&found);
        Ok(())
    }

    /// Adds a state to the whole.
    pub(super) fn add(&mut self, more: &State) -> Result<()> {
        self.settle()?;
        self.state.merge(more);
        Ok(())
    }

    /// Makes room for a block: what it cannot be added to goes to the host.
    pub(super) fn prepare(&mut self, block: &Block) -> Result<()> {
        let fits = |held: &Held| {
            let shift = block.base - held.base;
            held.fed + block.values <= u64::from(u32::MAX)
                && shift.unsigned_abs() + block.reach.unsigned_abs() < 1 << 31
        };
        match &self.held {
            Some(held) if !fits(held) => self.settle(),
            _ => Ok(()),
        }
    }

    /// Notes what adding a prepared block takes, beside the parts.
    pub(super) fn need(&self, need: &mut Need<'_>, cell: &Cell, block: &Block) {
        if self.held.is_some() || block.splits > 1 {
            need.upload(4 * PARAMETERS);
        }
        if self.held.is_none() && block.splits > 1 {
            cell.bytes(block.cells).for_each(|bytes| need.scratch(bytes));
        }
    }

    /// Adds the parts of a prepared block to a unit of work; the planes that are new in it.
    pub(super) fn record(
        &self,
        launch: &mut Launch<'_>,
        cell: &Cell,
        parts: Spans,
        block: &Block,
    ) -> Result<Option<Spans>> {
        let Some(held) = &self.held else {
            return match block.splits {
                1 => Ok(Some(parts)),
                splits => launch.merge(cell, &parts, splits, block.cells).map(Some),
            };
        };
        let mut span = |tile: &Option<Resident>| -> Result<Option<Span>> {
            let bind = |tile: &Resident| launch.operand(Bytes::Resident(tile), 0..tile.len());
            tile.as_ref().map(bind).transpose()
        };
        let into = Spans {
            words: span(&held.words)?,
            wide: span(&held.wide)?,
        };
        let merge = Merge {
            cells: block.cells,
            splits: block.splits,
            onto: true,
            shift: (block.base - held.base) as i32,
        };
        launch.merge_into(cell, &parts, merge, &into)?;
        Ok(None)
    }

    /// Notes that a unit of work with a block has run; `tiles` are the planes that were new in it.
    pub(super) fn done(&mut self, block: &Block, [words, wide]: [Option<Resident>; 2]) {
        match &mut self.held {
            Some(held) => held.fed += block.values,
            None => {
                self.held = Some(Held {
                    scheme: block.scheme,
                    words,
                    wide,
                    base: block.base,
                    fed: block.values,
                });
            }
        }
    }
}
