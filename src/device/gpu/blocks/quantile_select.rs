//! Selection: the records that sorting would put at a few places of each lane.
//!
//! They are found digit by digit, from the upper one on: a pass counts the next digit of the records
//! that agree with a sought one so far, and the count that reaches its place names the digit.

use super::super::Gpu;
use super::super::launch::{Launch, Need, Span};
use super::order_keys::Keys;
use super::order_lanes::{PARAMETER_BYTES, dispatch, parameters};
use super::order_sort::SUMS;
use crate::Result;

const DIGITS: &str = include_str!("../../../../shaders/blocks/select_digits.wgsl");
const NARROW: &str = include_str!("../../../../shaders/blocks/select_narrow.wgsl");

/// The most records of a lane that are selected.
pub(super) const MOST: usize = 8;

/// Records of a chunk, of which a workgroup counts the digits.
const CHUNK: usize = 1 << 14;

/// A selection from lanes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection {
    pub keys: Keys,
    /// Number of lanes.
    pub lanes: usize,
    /// Records of a lane.
    pub len: usize,
    /// Records that are sought in a lane.
    pub count: usize,
}

impl Selection {
    /// The records as they are found: keys with places that mean nothing.
    pub fn found(&self) -> Keys {
        Keys {
            places: true,
            ..self.keys
        }
    }

    fn found_bytes(&self) -> usize {
        self.lanes * self.count * self.found().record_bytes()
    }

    fn passes(&self) -> usize {
        self.keys.bits() as usize / 8
    }

    /// Adds what the selection takes beside the records of lanes.
    pub fn need(&self, need: &mut Need<'_>) {
        need.scratch(self.found_bytes());
        need.scratch(1024 * self.lanes * self.count);
        need.upload(4 * self.lanes * self.count);
        for _ in 0..2 * self.passes() + 1 {
            need.upload(PARAMETER_BYTES);
        }
    }

    /// Finds the records at the places `sought`, lane by lane.
    pub fn run(&self, gpu: &Gpu, launch: &mut Launch<'_>, records: &Span, sought: &[u32]) -> Result<Span> {
        let found = launch.scratch(self.found_bytes())?;
        let counts = launch.scratch(1024 * self.lanes * self.count)?;
        let sought = launch.words(sought)?;
        let [digits, narrow] = passes(self.keys);
        let all = self.lanes * self.count;
        let params = parameters(launch, [all, 0, 1])?;
        dispatch(gpu, launch, &narrow, &[&params, &sought, &found, &counts], all)?;
        let chunks = self.len.div_ceil(CHUNK);
        for pass in (0..self.passes()).rev() {
            let shift = 8 * pass;
            let numbers = [self.lanes, self.len, chunks, self.count, shift, CHUNK];
            let params = parameters(launch, numbers)?;
            let groups = self.lanes * chunks;
            dispatch(gpu, launch, &digits, &[&params, records, &found, &counts], groups)?;
            let params = parameters(launch, [all, shift, 0])?;
            dispatch(gpu, launch, &narrow, &[&params, &sought, &found, &counts], all)?;
        }
        Ok(found)
    }
}

/// The kernels of a pass.
pub(super) fn passes(keys: Keys) -> [String; 2] {
    [&[DIGITS][..], &[SUMS, NARROW]].map(|parts| keys.kernel(parts))
}
