//! Tiles that stay on the GPU between stages.
//!
//! They are a tier above the store's host memory: what a stage leaves here the next one reads where
//! it lies. When the device is full, the tile whose next use is farthest leaves: for nothing if
//! the store has a copy, else into the store, which may spill it further. A device that is lost
//! takes its tiles along; the run then makes again what it still needs (see `recover.rs`).

use crate::device::Resident;
use crate::geometry::{Chunks, Region};
use crate::store::{Origin, Pool, Tile, TileKey, TileStore};
use crate::{Error, Result};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// When a tile is used next.
type NextUse = Arc<dyn Fn(TileKey) -> u64 + Send + Sync>;

/// A pass over all tiles lets at least one in so many of their bytes go.
const BATCH: u64 = 64;

/// The tiles of a session that lie on its GPU.
pub(super) struct Residents {
    store: TileStore,
    state: Mutex<State>,
    /// Whether tiles went down with their device.
    lost: AtomicBool,
    /// Bytes of tiles that left for the host to make room.
    left: AtomicU64,
}

struct State {
    tiles: HashMap<TileKey, Entry>,
    /// Per source that several stages read: the regions that were sent, by their tile's number.
    regions: HashMap<u64, Vec<Region>>,
    next_use: NextUse,
}

struct Entry {
    tile: Resident,
    /// Whether the store has it too.
    copied: bool,
    /// On its way to the host.
    leaving: bool,
}

/// Where an array's tiles are found: its number in the store, and its grid.
#[derive(Clone, Copy)]
pub(super) struct Tiles<'a> {
    pub array: u64,
    pub grid: &'a Chunks,
}

impl Residents {
    /// None yet, beside `store`.
    pub fn new(store: TileStore) -> Residents {
        Residents {
            store,
            state: Mutex::new(State {
                tiles: HashMap::new(),
                regions: HashMap::new(),
                next_use: Arc::new(|_| crate::store::UNKNOWN),
            }),
            lost: AtomicBool::new(false),
            left: AtomicU64::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the order that eviction goes by.
    pub fn set_next_use(&self, next_use: NextUse) {
        self.state().next_use = next_use;
    }

    /// Bytes of tiles that left for the host so far.
    pub fn left_bytes(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// Takes a tile in; `copied` says that the store has it too.
    pub fn put(&self, key: TileKey, tile: Resident, copied: bool) {
        let entry = Entry {
            tile,
            copied,
            leaving: false,
        };
        let before = self.state().tiles.insert(key, entry);
        drop(before);
    }

    /// The tile, pinned while the handle lives.
    pub fn get(&self, key: TileKey) -> Option<Resident> {
        self.state().tiles.get(&key).map(|entry| entry.tile.clone())
    }

    /// Bytes of an array's tiles that lie here.
    pub fn bytes_of(&self, array: u64) -> u64 {
        let state = self.state();
        let tiles = state.tiles.iter().filter(|(key, _)| key.array == array);
        tiles.map(|(_, entry)| entry.tile.len() as u64).sum()
    }

    /// Forgets a tile.
    pub fn remove(&self, key: TileKey) {
        let entry = self.state().tiles.remove(&key);
        drop(entry);
    }

    /// The tile of a source's region that holds `wanted`, and that region.
    pub fn region(&self, source: u64, wanted: &Region) -> Option<(Resident, Region)> {
        let state = self.state();
        let regions = state.regions.get(&source)?;
        let holds = |region: &Region| region.intersect(wanted).as_ref() == Some(wanted);
        let mut found = regions.iter().enumerate().filter(|(_, region)| holds(region));
        found.find_map(|(number, region)| {
            let block = number as u64;
            let entry = state.tiles.get(&TileKey { array: source, block })?;
            Some((entry.tile.clone(), region.clone()))
        })
    }

    /// Takes in the tile of a source's region.
    pub fn put_region(&self, source: u64, region: &Region, tile: Resident) {
        let block = {
            let mut state = self.state();
            let regions = state.regions.entry(source).or_default();
            regions.push(region.clone());
            regions.len() as u64 - 1
        };
        self.put(TileKey { array: source, block }, tile, true);
    }

    /// Forgets a source's regions.
    pub fn remove_regions(&self, source: u64) {
        let regions = self.state().regions.remove(&source).unwrap_or_default();
        for block in 0..regions.len() as u64 {
            self.remove(TileKey { array: source, block });
        }
    }

    /// A tile in host memory, from the store or else from the device, of which the store then has a
    /// copy; `None` where neither has it.
    ///
    /// # Errors
    /// As [`TileStore::get`]; a device that fails.
    pub fn on_host(&self, key: TileKey) -> Result<Option<Tile>> {
        if let Some(tile) = self.store.get(key)? {
            return Ok(Some(tile));
        }
        let Some(tile) = self.get(key) else {
            // It may have left for the store since that was asked.
            return self.store.get(key);
        };
        let mut buffer = self.store.take("tiles", tile.len())?;
        self.download(&tile, &mut buffer)?;
        let pinned = self.store.insert_pinned(key, buffer, Origin::Spill);
        if let Some(entry) = self.state().tiles.get_mut(&key) {
            entry.copied = true;
        }
        Ok(Some(pinned))
    }

    /// Copies a tile of the device into the store if it has free memory for it; whether the store has
    /// it then, or nobody.
    ///
    /// # Errors
    /// As [`Residents::on_host`].
    pub fn copy_home(&self, key: TileKey) -> Result<bool> {
        let Some(tile) = self.get(key).filter(|_| !self.store.contains(key)) else {
            return Ok(true);
        };
        let budget = self.store.budget();
        if budget.used() + Pool::held_bytes(tile.len()) > budget.limit() {
            return Ok(false);
        }
        self.on_host(key).map(|_| true)
    }

    /// The bytes of a tile.
    ///
    /// # Errors
    /// When the device fails; then its tiles count as lost.
    pub fn download(&self, tile: &Resident, out: &mut [u8]) -> Result<()> {
        let outcome = tile.download(out);
        if matches!(outcome, Err(Error::Device(_))) {
            self.note_lost();
        }
        outcome
    }

    /// Notes that the device was lost, with all tiles that were there.
    pub fn note_lost(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Whether tiles were lost.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Forgets lost tiles.
    pub fn clear_lost(&self) {
        let mut state = self.state();
        let tiles = std::mem::take(&mut state.tiles);
        state.regions.clear();
        drop(state);
        drop(tiles);
        self.lost.store(false, Ordering::Relaxed);
    }

    /// Lets tiles of about `bytes` leave the device, farthest next use first; whether any did.
    pub fn evict(&self, bytes: u64) -> bool {
        let mut any = false;
        let mut full = false;
        for (key, tile, copied) in self.choose(bytes) {
            full |= !copied && !self.move_out(key, &tile);
            if full {
                if let Some(entry) = self.state().tiles.get_mut(&key) {
                    entry.leaving = false;
                }
                continue;
            }
            if self.state().tiles.remove(&key).is_none() {
                // Forgotten while it left: nobody else would take it from the store.
                self.store.remove(key);
            }
            any = true;
        }
        any
    }

    /// The next tiles to leave, marked so, and whether the store has them: so many bytes, and a part of
    /// all, so that many small tiles cost one pass over all, not one each.
    fn choose(&self, bytes: u64) -> Vec<(TileKey, Resident, bool)> {
        let mut state = self.state();
        let State { tiles, next_use, .. } = &mut *state;
        let mut free = Vec::new();
        let mut held = 0;
        for (&key, entry) in tiles.iter().filter(|(_, entry)| !entry.leaving) {
            held += entry.tile.held_bytes();
            if entry.tile.is_unpinned() {
                free.push((Reverse(next_use(key)), key));
            }
        }
        free.sort_unstable();
        let (wanted, mut found) = (bytes.max(held / BATCH), 0);
        let mut chosen = Vec::new();
        for (_, key) in free {
            if found >= wanted {
                break;
            }
            if let Some(entry) = tiles.get_mut(&key) {
                entry.leaving = true;
                found += entry.tile.held_bytes();
                chosen.push((key, entry.tile.clone(), entry.copied));
            }
        }
        chosen
    }

    /// Copies a tile into the store; whether there was room and the device gave it.
    fn move_out(&self, key: TileKey, tile: &Resident) -> bool {
        let Ok(mut buffer) = self.store.try_take("tiles", tile.len()) else {
            return false;
        };
        if self.download(tile, &mut buffer).is_err() {
            return false;
        }
        self.left.fetch_add(tile.len() as u64, Ordering::Relaxed);
        self.store.insert(key, buffer, Origin::Spill);
        true
    }
}
