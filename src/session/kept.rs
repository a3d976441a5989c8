//! Persisted arrays: tiles that stay in the store, read like any source.

use super::residents::Residents;
use crate::geometry::{Chunks, Region};
use crate::plan::{PlanArray, array_bytes, stored_bytes};
use crate::store::{Source, StoredTiles, TileKey, TileStore, copy_region};
use crate::{Error, Result};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tilewise_kernels::DType;

/// Persisted arrays so far: sessions number their own arrays, so a number of one session tells
/// nothing beside another's.
static PERSISTED: AtomicU64 = AtomicU64::new(0);

/// Bytes of all persisted arrays of a session.
#[derive(Debug, Default)]
pub(super) struct KeptBytes {
    /// Of their elements.
    pub elements: AtomicU64,
    /// That their tiles hold: buffers are rounded up.
    pub held: AtomicU64,
}

/// The tiles of one array; dropping it removes them.
pub(super) struct KeptTiles {
    store: TileStore,
    residents: Arc<Residents>,
    key: u64,
    /// Its number among all persisted arrays of the process.
    number: u64,
    shape: Vec<usize>,
    chunk: Vec<usize>,
    dtype: DType,
    grid: Chunks,
    /// Bytes that its tiles hold.
    held: u64,
    all: Arc<KeptBytes>,
}

impl KeptTiles {
    /// The tiles of `array`, which the store has under `key`, counted in `all`.
    pub fn new(
        store: TileStore,
        residents: Arc<Residents>,
        all: Arc<KeptBytes>,
        key: u64,
        array: &PlanArray,
    ) -> KeptTiles {
        let held = stored_bytes(array);
        all.held.fetch_add(held, Ordering::Relaxed);
        all.elements.fetch_add(array_bytes(array), Ordering::Relaxed);
        KeptTiles {
            held,
            all,
            store,
            residents,
            key,
            number: PERSISTED.fetch_add(1, Ordering::Relaxed),
            shape: array.shape.clone(),
            chunk: array.grid.largest(),
            dtype: array.dtype,
            grid: array.grid.clone(),
        }
    }

    fn keys(&self) -> impl Iterator<Item = TileKey> {
        let array = self.key;
        (0..self.grid.count() as u64).map(move |block| TileKey { array, block })
    }

    /// Whether all tiles are there: none went down with a device.
    pub fn is_there(&self) -> bool {
        let is_there = |key| self.store.contains(key) || self.residents.get(key).is_some();
        self.keys().all(is_there)
    }
}

impl Source for KeptTiles {
    fn name(&self) -> String {
        format!("persisted array {}", self.number)
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn chunks(&self) -> Option<&[usize]> {
        Some(&self.chunk)
    }

    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        for number in self.grid.overlapping(region) {
            let place = self.grid.region(&self.grid.block(number));
            let Some(part) = place.intersect(region) else {
                continue;
            };
            let key = TileKey {
                array: self.key,
                block: number as u64,
            };
            let tile = self.residents.on_host(key)?.ok_or_else(|| {
                Error::Device(format!(
                    "tile {number} of {} went down with its device; persist it again, or compute again what is cached",
                    self.name()
                ))
            })?;
            let from = part.relative_to(&place.start);
            let at = part.relative_to(&region.start).start;
            copy_region(
                &tile,
                &place.shape,
                &from,
                out,
                &region.shape,
                &at,
                self.dtype.size(),
            );
        }
        Ok(())
    }

    fn scratch_bytes(&self, _: &Region) -> usize {
        // A spilled tile is read back whole.
        self.chunk.iter().product::<usize>() * self.dtype.size()
    }

    fn stored_bytes(&self) -> u64 {
        (self.shape.iter().product::<usize>() * self.dtype.size()) as u64
    }

    fn fingerprint(&self) -> u64 {
        self.number
    }

    fn durable_fingerprint(&self) -> Option<u64> {
        None // its tiles end with the process
    }

    fn stored_tiles(&self) -> Option<StoredTiles<'_>> {
        Some(StoredTiles {
            store: &self.store,
            array: self.key,
            grid: &self.grid,
        })
    }
}

impl fmt::Debug for KeptTiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name(), self.grid)
    }
}

impl Drop for KeptTiles {
    fn drop(&mut self) {
        for key in self.keys() {
            self.residents.remove(key);
            self.store.remove(key);
        }
        self.all.held.fetch_sub(self.held, Ordering::Relaxed);
        let elements = self.stored_bytes();
        self.all.elements.fetch_sub(elements, Ordering::Relaxed);
    }
}
