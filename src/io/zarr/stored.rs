//! One array of a store as its bytes are kept: chunks found, decoded and laid where they belong.
//!
//! Reading and writing share this: a region is read chunk by chunk, and a writer that changes a part of a
//! chunk reads the rest of it the same way.

use super::codec::{Chain, Shards};
use super::files::{Files, Object, fitting, grow};
use super::general;
use super::meta::{ArrayMeta, Route};
use super::pipeline::{DecodeScratch, check_crc32c, decode, stored_bound};
use super::turn::turn;
use crate::geometry::Region;
use crate::io::filters::swap_bytes;
use crate::io::runs::{Side, contiguous, fill, fill_box};
use crate::store::copy_region;
use crate::{DType, Error, Result};
use std::sync::{Arc, Mutex, PoisonError};

/// The number in a shard's index that says a chunk was never written.
const NEVER_WRITTEN: u64 = u64::MAX;

/// An array of numbers of a store.
#[derive(Debug)]
pub(super) struct Stored {
    pub files: Arc<dyn Files>,
    pub meta: ArrayMeta,
    /// The name that messages say.
    pub name: String,
    pub dtype: DType,
    general: Option<general::General>,
    idle: Mutex<Vec<DecodeScratch>>,
}

/// Smaller chunks are not worth opening twice.
const WORTH_A_HINT: usize = 256 << 10;
/// The most objects that one hint is about.
const MOST_HINTS: usize = 256;

/// The memory that a region goes to.
pub(super) struct Target<'a> {
    pub out: &'a mut [u8],
    pub region: &'a Region,
}

impl Target<'_> {
    /// Where a part of the region lies in it.
    fn at(&self, part: &Region) -> Vec<usize> {
        part.relative_to(&self.region.start).start
    }
}

/// The grid cells that a region touches, in row-major order.
pub(super) fn cells(region: &Region, cell: &[usize]) -> impl Iterator<Item = Vec<usize>> + use<> {
    let rank = cell.len();
    let first: Vec<usize> = (0..rank).map(|a| region.start[a] / cell[a]).collect();
    let last: Vec<usize> = (0..rank)
        .map(|a| region.stop(a).saturating_sub(1) / cell[a])
        .collect();
    let mut next = (!region.is_empty()).then(|| first.clone());
    std::iter::from_fn(move || {
        let at = next.take()?;
        if let Some(axis) = (0..rank).rev().find(|&a| at[a] < last[a]) {
            let mut then = at.clone();
            then[axis] += 1;
            then[axis + 1..].copy_from_slice(&first[axis + 1..]);
            next = Some(then);
        }
        Some(at)
    })
}

/// The elements of a grid cell.
pub(super) fn cell_region(at: &[usize], cell: &[usize]) -> Region {
    let start = at.iter().zip(cell).map(|(i, n)| i * n).collect();
    Region::new(start, cell.to_vec())
}

impl Stored {
    /// An array, where it can be read.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn new(files: Arc<dyn Files>, meta: ArrayMeta, name: String, dtype: DType) -> Result<Stored, String> {
        let general = match &meta.route {
            Route::Refused(reason) => return Err(reason.clone()),
            Route::General(codec) => Some(general::General::new(&meta, dtype, codec)?),
            Route::Own(..) => None,
        };
        Ok(Stored {
            files,
            meta,
            name,
            dtype,
            general,
            idle: Mutex::new(Vec::new()),
        })
    }

    pub fn error(&self, reason: impl std::fmt::Display) -> Error {
        Error::format(self.files.location(), format!("variable {}: {reason}", self.name))
    }

    /// Bytes of a chunk, or a chunk within a shard.
    fn chunk_bytes(&self) -> usize {
        self.meta.chunk().iter().product::<usize>() * self.dtype.size()
    }

    /// Bytes that reading holds beside its result.
    pub fn scratch_bytes(&self) -> usize {
        let bytes = self.chunk_bytes();
        let held = |stored: usize| self.files.held(stored);
        match &self.meta.route {
            Route::Own(chain, None) => {
                DecodeScratch::bytes(&chain.steps, bytes) + held(stored_bound(&chain.steps, bytes))
            }
            Route::Own(_, Some(shards)) => {
                let (steps, index) = (&shards.chain.steps, self.index_bytes(shards));
                let shard = self
                    .count_within(shards)
                    .saturating_mul(stored_bound(steps, bytes));
                DecodeScratch::bytes(steps, bytes) + 2 * index + held(shard.saturating_add(index))
            }
            _ => general::scratch_bytes(bytes) + held(general::stored_bound(bytes)),
        }
    }

    /// Chunks within a shard.
    fn count_within(&self, shards: &Shards) -> usize {
        self.meta
            .grid
            .iter()
            .zip(&shards.inner)
            .map(|(s, c)| s / c)
            .product()
    }

    fn index_bytes(&self, shards: &Shards) -> usize {
        16 * self.count_within(shards) + if shards.index_checksum { 4 } else { 0 }
    }

    /// Hints at the objects of which a region needs a half or more.
    pub fn will_read(&self, region: &Region) {
        let grid = &self.meta.grid;
        if self.chunk_bytes() < WORTH_A_HINT {
            return;
        }
        for at in cells(region, grid).take(MOST_HINTS) {
            let cell = cell_region(&at, grid);
            let wanted = cell.intersect(region).map_or(0, |part| part.len());
            let in_one = !matches!(&self.meta.route, Route::Own(_, Some(_)));
            if in_one || 2 * wanted >= cell.len() {
                self.files.will_read(&self.meta.key(&at));
            }
        }
    }

    /// Reads the elements of `target.region`, whatever of them was written.
    pub fn read(&self, target: &mut Target) -> Result<()> {
        let mut scratch = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_else(DecodeScratch::new);
        let region = target.region;
        let result = cells(region, &self.meta.grid).try_for_each(|at| {
            let cell = cell_region(&at, &self.meta.grid);
            match cell.intersect(region) {
                Some(part) => self.read_object(&at, &cell, &part, target, &mut scratch),
                None => Ok(()),
            }
        });
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(scratch);
        result
    }

    /// Reads `part` of one stored object.
    fn read_object(
        &self,
        at: &[usize],
        cell: &Region,
        part: &Region,
        target: &mut Target,
        scratch: &mut DecodeScratch,
    ) -> Result<()> {
        let key = self.meta.key(at);
        let failed = |reason: String| self.error(format!("chunk {key}: {reason}"));
        match &self.meta.route {
            Route::Own(chain, None) => {
                let bytes = self.chunk_bytes();
                if chain.steps.is_empty() {
                    // Plain chunks are read where they belong.
                    let Some(object) = self.files.open(&key)? else {
                        return self.fill_part(part, target);
                    };
                    let len = fitting(self.files.location(), &key, object.len(), bytes)?;
                    if len != bytes {
                        return Err(failed(format!("it has {len} bytes instead of {bytes}")));
                    }
                    return self.read_plain(&*object, 0, cell, part, target, chain, scratch);
                }
                let most = stored_bound(&chain.steps, bytes);
                match self.files.read(&key, &mut scratch.raw, most)? {
                    None => self.fill_part(part, target),
                    Some(len) => self.land(len, cell, part, target, chain, scratch).map_err(failed),
                }
            }
            Route::Own(_, Some(shards)) => self.read_shard(&key, cell, part, target, shards, scratch),
            _ => {
                let Some(general) = &self.general else {
                    return Err(failed("it cannot be read".to_string()));
                };
                let most = general::stored_bound(self.chunk_bytes());
                match self.files.read(&key, &mut scratch.raw, most)? {
                    None => self.fill_part(part, target),
                    Some(len) => {
                        let bytes = general.decode(&scratch.raw[..len]).map_err(failed)?;
                        self.copy(&bytes, cell, part, target);
                        Ok(())
                    }
                }
            }
        }
    }

    /// Reads `part` of a shard: its index, and the chunks that are needed.
    fn read_shard(
        &self,
        key: &str,
        cell: &Region,
        part: &Region,
        target: &mut Target,
        shards: &Shards,
        scratch: &mut DecodeScratch,
    ) -> Result<()> {
        let failed = |reason: String| self.error(format!("shard {key}: {reason}"));
        let Some(object) = self.files.open(key)? else {
            return self.fill_part(part, target);
        };
        let index = self.read_index(&*object, shards).map_err(|e| match e {
            Error::Format { reason, .. } => failed(reason),
            other => other,
        })?;
        let bytes = self.chunk_bytes();
        let most = stored_bound(&shards.chain.steps, bytes);
        let within = part.relative_to(&cell.start);
        for at in cells(&within, &shards.inner) {
            let mut chunk = cell_region(&at, &shards.inner);
            chunk.start.iter_mut().zip(&cell.start).for_each(|(s, c)| *s += c);
            let Some(wanted) = chunk.intersect(part) else {
                continue;
            };
            let number = (0..at.len()).fold(0, |n, a| n * (self.meta.grid[a] / shards.inner[a]) + at[a]);
            let (offset, len) = index[number];
            if (offset, len) == (NEVER_WRITTEN, NEVER_WRITTEN) {
                self.fill_part(&wanted, target)?;
                continue;
            }
            if offset.checked_add(len).is_none_or(|end| end > object.len()) {
                return Err(failed(format!("its index places chunk {number} beyond its end")));
            }
            let len = fitting(self.files.location(), key, len, most)?;
            if shards.chain.steps.is_empty() {
                if len != bytes {
                    return Err(failed(format!(
                        "chunk {number} has {len} bytes instead of {bytes}"
                    )));
                }
                self.read_plain(&*object, offset, &chunk, &wanted, target, &shards.chain, scratch)?;
                continue;
            }
            grow(&mut scratch.raw, len).map_err(failed)?;
            object.read_at(offset, &mut scratch.raw[..len])?;
            self.land(len, &chunk, &wanted, target, &shards.chain, scratch)
                .map_err(|reason| failed(format!("chunk {number}: {reason}")))?;
        }
        Ok(())
    }

    /// Where each chunk of a shard lies in it, and its length.
    pub fn read_index(&self, object: &dyn Object, shards: &Shards) -> Result<Vec<(u64, u64)>> {
        let failed = |reason: String| self.error(reason);
        let bytes = self.index_bytes(shards);
        let Some(behind) = object.len().checked_sub(bytes as u64) else {
            return Err(failed(format!(
                "{} bytes have no room for its index of {bytes}",
                object.len()
            )));
        };
        let mut index = Vec::new();
        grow(&mut index, bytes).map_err(failed)?;
        object.read_at(if shards.index_first { 0 } else { behind }, &mut index)?;
        let len = match shards.index_checksum {
            true => check_crc32c(&index).map_err(|e| failed(format!("its index: {e}")))?,
            false => bytes,
        };
        let pairs = index[..len].as_chunks::<8>().0.as_chunks::<2>().0;
        Ok(pairs
            .iter()
            .map(|[a, b]| (u64::from_le_bytes(*a), u64::from_le_bytes(*b)))
            .collect())
    }

    /// Reads `part` of a chunk without compression at an offset of an object.
    fn read_plain(
        &self,
        object: &dyn Object,
        offset: u64,
        cell: &Region,
        part: &Region,
        target: &mut Target,
        chain: &Chain,
        scratch: &mut DecodeScratch,
    ) -> Result<()> {
        let bytes = self.chunk_bytes();
        if let Some(range) = self.landing(cell, part, target, chain) {
            let out = &mut target.out[range];
            object.read_at(offset, out)?;
            self.finish(out, chain);
            return Ok(());
        }
        grow(&mut scratch.raw, bytes).map_err(|e| self.error(e))?;
        object.read_at(offset, &mut scratch.raw[..bytes])?;
        self.spread(cell, part, target, chain, scratch);
        Ok(())
    }

    /// Decodes the first `len` bytes of `scratch.raw`, a chunk, and lays `part` of it where it belongs.
    fn land(
        &self,
        len: usize,
        cell: &Region,
        part: &Region,
        target: &mut Target,
        chain: &Chain,
        scratch: &mut DecodeScratch,
    ) -> Result<(), String> {
        let bytes = self.chunk_bytes();
        match self.landing(cell, part, target, chain) {
            Some(range) => {
                let out = &mut target.out[range];
                decode(&chain.steps, scratch, len, bytes, Some(out))?;
                self.finish(out, chain);
            }
            None => {
                decode(&chain.steps, scratch, len, bytes, None)?;
                self.spread(cell, part, target, chain, scratch);
            }
        }
        Ok(())
    }

    /// The bytes of the target that a whole chunk is one piece of.
    fn landing(
        &self,
        cell: &Region,
        part: &Region,
        target: &Target,
        chain: &Chain,
    ) -> Option<std::ops::Range<usize>> {
        if part != cell || chain.order.is_some() {
            return None;
        }
        let start = target.at(part);
        let side = Side {
            shape: &target.region.shape,
            start: &start,
        };
        contiguous(side, &part.shape, self.dtype.size())
    }

    /// Copies `part` of the decoded chunk in `scratch.raw` to the target.
    fn spread(
        &self,
        cell: &Region,
        part: &Region,
        target: &mut Target,
        chain: &Chain,
        scratch: &mut DecodeScratch,
    ) {
        let bytes = self.chunk_bytes();
        self.finish(&mut scratch.raw[..bytes], chain);
        match &chain.order {
            None => self.copy(&scratch.raw[..bytes], cell, part, target),
            Some(order) => {
                let from = part.relative_to(&cell.start);
                let to = target.at(part);
                let shape = &target.region.shape;
                turn(
                    &scratch.raw,
                    &cell.shape,
                    order,
                    &from,
                    target.out,
                    shape,
                    &to,
                    self.dtype.size(),
                );
            }
        }
    }

    fn copy(&self, bytes: &[u8], cell: &Region, part: &Region, target: &mut Target) {
        let (from, to) = (part.relative_to(&cell.start), target.at(part));
        copy_region(
            bytes,
            &cell.shape,
            &from,
            target.out,
            &target.region.shape,
            &to,
            self.dtype.size(),
        );
    }

    fn fill_part(&self, part: &Region, target: &mut Target) -> Result<()> {
        let start = target.at(part);
        let side = Side {
            shape: &target.region.shape,
            start: &start,
        };
        if part == target.region {
            fill(target.out, &self.meta.fill);
        } else {
            fill_box(target.out, side, &part.shape, &self.meta.fill);
        }
        Ok(())
    }

    /// Turns stored elements into ours: this machine's byte order, booleans 0 or 1.
    fn finish(&self, bytes: &mut [u8], chain: &Chain) {
        if chain.swapped {
            swap_bytes(bytes, self.dtype.part().size());
        }
        if self.dtype == DType::Bool {
            bytes.iter_mut().for_each(|b| *b = u8::from(*b != 0));
        }
    }
}
