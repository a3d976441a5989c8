//! Sorting of records, lane by lane.
//!
//! Lanes up to 2048 records are sorted in workgroup memory. Of longer ones, a few first records are
//! found by sorting pieces and then what is left of these; all of them by a radix sort, eight bits
//! a pass. Every way gives the one order that keys and places have, so none shows in the result.

use super::super::Gpu;
use super::super::launch::{Launch, Need, Span};
use super::super::template;
use super::order_keys::Keys;
use super::order_lanes::{PARAMETER_BYTES, dispatch, parameters};
use crate::Result;

const ROWS: &str = include_str!("../../../../shaders/blocks/sort_rows.wgsl");
pub(super) const SUMS: &str = include_str!("../../../../shaders/blocks/sort_sums.wgsl");
const DIGITS: &str = include_str!("../../../../shaders/blocks/sort_digits.wgsl");
const OFFSETS: &str = include_str!("../../../../shaders/blocks/sort_offsets.wgsl");
const SCATTER: &str = include_str!("../../../../shaders/blocks/sort_scatter.wgsl");

/// Records that a workgroup sorts.
pub(super) const TILE: usize = 2048;

/// The most first records that are found by sorting pieces: each round leaves a quarter at most.
const FEW: usize = TILE / 4;

/// A sort of lanes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sort {
    pub keys: Keys,
    /// Number of lanes.
    pub lanes: usize,
    /// Records of a lane.
    pub len: usize,
    /// The first records that are asked for.
    pub keep: usize,
}

/// Buffers of a sort.
pub(super) struct Room {
    /// As long as the records.
    other: Span,
    /// Counts of digits by lane and chunk, and by lane.
    counts: Option<(Span, Span)>,
}

impl Sort {
    fn pieces(&self) -> bool {
        self.len <= TILE || self.keep <= FEW
    }

    fn chunks(&self) -> usize {
        self.len.div_ceil(TILE)
    }

    /// Records that a lane has after one round of sorting pieces.
    fn kept(&self, len: usize) -> usize {
        (len / TILE) * self.keep.min(TILE) + self.keep.min(len % TILE)
    }

    /// Bytes of the buffer that records go to and fro with.
    fn other_bytes(&self) -> usize {
        let kept = if self.pieces() {
            self.kept(self.len)
        } else {
            self.len
        };
        self.lanes * kept * self.keys.record_bytes()
    }

    /// Bytes of the counts by chunk and by lane.
    fn count_bytes(&self) -> (usize, usize) {
        (1024 * self.lanes * self.chunks(), 1024 * self.lanes)
    }

    /// Adds what the sort takes beside its records.
    pub fn need(&self, need: &mut Need<'_>) {
        need.scratch(self.other_bytes());
        if !self.pieces() {
            let (by_chunk, by_lane) = self.count_bytes();
            need.scratch(by_chunk);
            need.scratch(by_lane);
        }
        for _ in 0..self.rounds() {
            need.upload(PARAMETER_BYTES);
        }
    }

    /// Times that all records are gone through.
    fn rounds(&self) -> usize {
        match self.pieces() {
            false => self.keys.bits() as usize / 8,
            true => {
                let next = |&len: &usize| (len > TILE).then(|| self.kept(len));
                std::iter::successors(Some(self.len), next).count()
            }
        }
    }

    /// Room for it.
    pub fn room(&self, launch: &mut Launch<'_>) -> Result<Room> {
        let other = launch.scratch(self.other_bytes())?;
        let counts = match self.pieces() {
            true => None,
            false => {
                let (by_chunk, by_lane) = self.count_bytes();
                Some((launch.scratch(by_chunk)?, launch.scratch(by_lane)?))
            }
        };
        Ok(Room { other, counts })
    }

    /// Sorts `records`, which are lost; gives the buffer of the result and the records from lane
    /// to lane there.
    pub fn run<'s>(
        &self,
        gpu: &Gpu,
        launch: &mut Launch<'_>,
        records: &'s Span,
        room: &'s Room,
    ) -> Result<(&'s Span, usize)> {
        match &room.counts {
            None => self.sort_pieces(gpu, launch, records, room),
            Some(counts) => self.sort_digits(gpu, launch, (records, &room.other), counts),
        }
    }

    fn sort_pieces<'s>(
        &self,
        gpu: &Gpu,
        launch: &mut Launch<'_>,
        records: &'s Span,
        room: &'s Room,
    ) -> Result<(&'s Span, usize)> {
        let (mut from, mut to, mut len) = (records, &room.other, self.len);
        loop {
            let length = len.next_power_of_two().clamp(2, TILE);
            let (pieces, kept) = (len.div_ceil(length), self.kept(len));
            let segments = self.lanes * pieces;
            let params = parameters(launch, [segments, pieces, len, len, self.keep, kept])?;
            let groups = segments.div_ceil(TILE / length);
            dispatch(
                gpu,
                launch,
                &rows(self.keys, length),
                &[&params, from, to],
                groups,
            )?;
            if pieces <= 1 {
                return Ok((to, kept));
            }
            (from, to, len) = (to, from, kept);
        }
    }

    fn sort_digits<'s>(
        &self,
        gpu: &Gpu,
        launch: &mut Launch<'_>,
        (mut from, mut to): (&'s Span, &'s Span),
        (by_chunk, by_lane): &(Span, Span),
    ) -> Result<(&'s Span, usize)> {
        let texts = passes(self.keys);
        let chunks = self.chunks();
        for shift in (0..self.keys.bits() as usize).step_by(8) {
            let params = parameters(launch, [self.lanes, self.len, chunks, shift])?;
            let groups = self.lanes * chunks;
            dispatch(gpu, launch, &texts[0], &[&params, from, by_chunk], groups)?;
            dispatch(
                gpu,
                launch,
                &texts[1],
                &[&params, by_chunk, by_lane],
                256 * self.lanes,
            )?;
            dispatch(
                gpu,
                launch,
                &texts[2],
                &[&params, from, by_chunk, by_lane, to],
                groups,
            )?;
            (from, to) = (to, from);
        }
        Ok((from, self.len))
    }
}

/// The kernel that sorts pieces of at most `length` records, a power of two.
pub(super) fn rows(keys: Keys, length: usize) -> String {
    keys.kernel(&[&template::fill(ROWS, &[("LENGTH", &length.to_string())])])
}

/// The kernels of a pass of the radix sort.
pub(super) fn passes(keys: Keys) -> [String; 3] {
    [&[DIGITS][..], &[SUMS, OFFSETS], &[SUMS, SCATTER]].map(|parts| keys.kernel(parts))
}
