//! The tile store: tiles by key, in host memory while there is room, else on disk or dropped.
//!
//! Tiles are immutable once inserted. A tile in use is pinned by the guard that [`TileStore::get`]
//! gives; all others may leave when memory is asked for, the one whose next use is farthest first.
//! A tile that was read back keeps its place on disk, so that it can leave again for nothing.
//!
//! Who asks for memory waits while another thread that holds some still runs, and is refused when
//! none does, so threads can never wait for each other (see `gate.rs`). Reading and writing
//! happen outside the store's lock: a tile being written can still be pinned, one being read is
//! waited for.

use super::budget::{Budget, Reservation, Tier};
use super::buffer::{Buffer, Pool};
use super::gate::Claim;
use super::lock;
use super::memory::default_host_budget;
use super::spill::{Slot, SpillFile};
use super::spill_dir::{clean_leftovers, default_folders};
use super::tile::{Origin, StoreCounts, StoreObserver, Tile, TileKey};
use crate::{Error, Result};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The name under which resident tiles are held.
pub(super) const TILES: &str = "tiles";

/// The position of a tile's next use where the known order does not tell it.
pub const UNKNOWN: u64 = u64::MAX - 1;

/// The position of a tile that nobody will read again: it is dropped when room is made.
pub const NEVER: u64 = u64::MAX;

/// Where a store keeps its tiles and how much of it there may be.
#[derive(Clone)]
pub struct StoreOptions {
    /// Bytes of host memory.
    pub host_bytes: u64,
    /// Bytes of the spill file.
    pub disk_bytes: u64,
    /// The folder to spill to; `None` for the user's cache folder or the temporary folder.
    pub spill_dir: Option<PathBuf>,
    /// Who hears of tiles that move.
    pub observer: Option<Arc<dyn StoreObserver>>,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            host_bytes: default_host_budget(),
            disk_bytes: u64::MAX,
            spill_dir: None,
            observer: None,
        }
    }
}

/// Tiles under a host and a disk budget; clones share them.
#[derive(Clone)]
pub struct TileStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) pool: Pool,
    disk: Budget,
    folders: Vec<PathBuf>,
    spill: Mutex<Option<SpillFile>>,
    pub(super) state: Mutex<State>,
    pub(super) observer: Option<Arc<dyn StoreObserver>>,
    pub(super) counts: Counts,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) spilled: AtomicU64,
    pub(super) loaded: AtomicU64,
    pub(super) dropped: AtomicU64,
}

pub(super) type NextUse = Arc<dyn Fn(TileKey) -> u64 + Send + Sync>;

pub(super) struct State {
    pub(super) tiles: HashMap<TileKey, Entry>,
    /// The keys of the tiles that have a buffer.
    pub(super) resident: BTreeSet<TileKey>,
    pub(super) next_use: NextUse,
    serial: u64,
}

/// One tile. It has a buffer or a slot or both.
pub(super) struct Entry {
    /// Tells a tile from a later one under the same key.
    pub(super) serial: u64,
    /// Pinned exactly when somebody else holds the `Arc` too.
    pub(super) host: Option<Arc<Buffer>>,
    pub(super) disk: Option<Arc<Slot>>,
    /// A thread writes it to disk or reads it back.
    pub(super) moving: bool,
    pub(super) origin: Origin,
}

impl TileStore {
    /// An empty store. Nothing is made on disk before the first tile must leave; what killed
    /// processes left in the spill folder is removed.
    pub fn new(options: StoreOptions) -> TileStore {
        let folders = options
            .spill_dir
            .map_or_else(default_folders, |folder| vec![folder]);
        for folder in &folders {
            clean_leftovers(folder);
        }
        TileStore {
            inner: Arc::new(Inner {
                pool: Pool::new(&Budget::new(Tier::Host, options.host_bytes)),
                disk: Budget::new(Tier::Disk, options.disk_bytes),
                folders,
                spill: Mutex::new(None),
                state: Mutex::new(State {
                    tiles: HashMap::new(),
                    resident: BTreeSet::new(),
                    next_use: Arc::new(|_| UNKNOWN),
                    serial: 0,
                }),
                observer: options.observer,
                counts: Counts::default(),
            }),
        }
    }

    /// Whether both are handles of one store.
    pub fn is_same(&self, other: &TileStore) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The host budget. What is reserved here directly is lasting: nobody waits for it to be
    /// freed.
    pub fn budget(&self) -> &Budget {
        self.inner.pool.budget()
    }

    /// Allows `bytes` beside what is held now, at most `limit` in all, and gives idle memory back:
    /// a run that was proved to need so many gets no more.
    pub fn allow(&self, bytes: u64, limit: u64) {
        self.inner.pool.clear();
        self.budget()
            .set_limit(self.budget().used().saturating_add(bytes).min(limit));
    }

    /// The disk budget.
    pub fn disk_budget(&self) -> &Budget {
        &self.inner.disk
    }

    /// Bytes moved so far.
    pub fn counts(&self) -> StoreCounts {
        let counts = &self.inner.counts;
        StoreCounts {
            spilled: counts.spilled.load(Ordering::Relaxed),
            loaded: counts.loaded.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
        }
    }

    /// Says at which position of the known order a tile is used next, [`UNKNOWN`] where the order does
    /// not tell, [`NEVER`] where nobody will read it again, so that it need not be written to leave. Asked
    /// anew at every eviction, under the store's lock: it must be quick and must not call the
    /// store.
    pub fn set_next_use(&self, next_use: Arc<dyn Fn(TileKey) -> u64 + Send + Sync>) {
        lock(&self.inner.state).next_use = next_use;
    }

    /// Keeps a tile, which replaces one under the same key. The buffer comes from this store.
    pub fn insert(&self, key: TileKey, buffer: Buffer, origin: Origin) {
        let (tile, claim) = self.put(key, buffer, origin);
        drop(tile);
        drop(claim); // whom it wakes may evict the tile
    }

    /// As [`TileStore::insert`], and pins it at once.
    pub fn insert_pinned(&self, key: TileKey, buffer: Buffer, origin: Origin) -> Tile {
        let claim = self.budget().gate().claim();
        Tile::new(self.put(key, buffer, origin).0, claim)
    }

    fn put(&self, key: TileKey, mut buffer: Buffer, origin: Origin) -> (Arc<Buffer>, Option<Claim>) {
        let claim = buffer.hand_to(TILES);
        let buffer = Arc::new(buffer);
        let mut state = lock(&self.inner.state);
        state.serial += 1;
        let entry = Entry {
            serial: state.serial,
            host: Some(Arc::clone(&buffer)),
            disk: None,
            moving: false,
            origin,
        };
        let before = state.tiles.insert(key, entry);
        state.resident.insert(key);
        drop(state);
        drop(before);
        (buffer, claim)
    }

    /// Pins a tile, reading it back from disk if it has left; `None` when it was never inserted or
    /// has been dropped.
    ///
    /// # Errors
    /// As [`TileStore::take`] for the memory to read it into; [`Error::Format`] when it comes back
    /// corrupt (then [`TileStore::remove`] it and make it again), [`Error::Io`] when it cannot be
    /// read.
    pub fn get(&self, key: TileKey) -> Result<Option<Tile>> {
        let gate = self.budget().gate();
        let claim = gate.claim();
        let (serial, slot) = loop {
            let epoch = gate.epoch();
            let mut state = lock(&self.inner.state);
            let Some(entry) = state.tiles.get_mut(&key) else {
                return Ok(None);
            };
            if let Some(buffer) = &entry.host {
                return Ok(Some(Tile::new(Arc::clone(buffer), claim)));
            }
            match entry.disk.clone().filter(|_| !entry.moving) {
                Some(slot) => {
                    entry.moving = true;
                    break (entry.serial, slot);
                }
                None => drop(state),
            }
            if !gate.wait(epoch) {
                let refusal = self.budget().refusal("a tile that another thread reads back", 0);
                return Err(refusal);
            }
        };
        let loaded = self.load(key, &slot);
        let mut state = lock(&self.inner.state);
        if let Some(entry) = state.tiles.get_mut(&key).filter(|e| e.serial == serial) {
            entry.moving = false;
            if let Ok(buffer) = &loaded {
                entry.host = Some(Arc::clone(buffer));
                state.resident.insert(key);
            }
        }
        drop(state);
        gate.bump(); // for those who wait for this tile
        Ok(Some(Tile::new(loaded?, claim)))
    }

    fn load(&self, key: TileKey, slot: &Slot) -> Result<Arc<Buffer>> {
        let mut buffer = self.take(TILES, slot.len())?;
        slot.read(&mut buffer)?;
        drop(buffer.hand_to(TILES));
        let bytes = slot.len() as u64;
        self.inner.counts.loaded.fetch_add(bytes, Ordering::Relaxed);
        if let Some(observer) = &self.inner.observer {
            observer.loaded(key, bytes);
        }
        Ok(Arc::new(buffer))
    }

    /// Forgets a tile; whether there was one. A pinned one stays valid for who pinned it.
    pub fn remove(&self, key: TileKey) -> bool {
        let mut state = lock(&self.inner.state);
        let entry = state.tiles.remove(&key);
        state.resident.remove(&key);
        drop(state);
        entry.is_some()
    }

    /// Whether the store can give a tile.
    pub fn contains(&self, key: TileKey) -> bool {
        lock(&self.inner.state).tiles.contains_key(&key)
    }

    /// Where a tile is; [`Tier::Host`] for one that is on disk too.
    pub fn tier(&self, key: TileKey) -> Option<Tier> {
        let state = lock(&self.inner.state);
        let entry = state.tiles.get(&key)?;
        Some(if entry.host.is_some() {
            Tier::Host
        } else {
            Tier::Disk
        })
    }

    /// Reserves host memory, evicting tiles and waiting for other threads if need be.
    ///
    /// # Errors
    /// [`Error::Memory`] when it cannot fit however long one waits, or when all threads that hold
    /// memory wait too; an error of the disk when tiles cannot leave.
    pub fn reserve(&self, consumer: &'static str, bytes: u64) -> Result<Reservation> {
        let attempt = || Ok(self.budget().try_reserve(consumer, bytes).ok());
        let (mut reservation, claim) = self.acquire(consumer, bytes, true, attempt)?;
        reservation.set_claim(claim);
        Ok(reservation)
    }

    /// A buffer of `bytes`, content unspecified, evicting tiles and waiting for other threads if
    /// need be.
    ///
    /// # Errors
    /// As [`TileStore::reserve`].
    pub fn take(&self, consumer: &'static str, bytes: usize) -> Result<Buffer> {
        let one = self.take_sized(consumer, &[bytes], true)?.pop();
        one.ok_or_else(|| self.budget().refusal(consumer, bytes as u64))
    }

    /// As [`TileStore::take`], but never waits for other threads. It may still evict.
    ///
    /// # Errors
    /// As [`TileStore::take`], whenever it does not fit now.
    pub fn try_take(&self, consumer: &'static str, bytes: usize) -> Result<Buffer> {
        let one = self.take_sized(consumer, &[bytes], false)?.pop();
        one.ok_or_else(|| self.budget().refusal(consumer, bytes as u64))
    }

    /// All of several buffers at once: a task that takes all it needs together never holds some
    /// while it waits for the rest.
    ///
    /// # Errors
    /// As [`TileStore::reserve`], for their sum.
    pub fn take_many(&self, consumer: &'static str, sizes: &[usize]) -> Result<Vec<Buffer>> {
        self.take_sized(consumer, sizes, true)
    }

    /// A buffer of `bytes` whose [`Pool::held_bytes`] are split off `reservation`.
    ///
    /// # Errors
    /// [`Error::Memory`] when `reservation` holds fewer.
    pub fn take_reserved(&self, reservation: &mut Reservation, bytes: usize) -> Result<Buffer> {
        self.inner.pool.take_reserved(reservation, bytes)
    }

    /// Runs `f`, which blocks on something else than this store, such as on the end of other
    /// threads. Whoever holds memory of the store meanwhile says so by this, so that nobody waits
    /// for it.
    pub fn while_blocked<R>(&self, f: impl FnOnce() -> R) -> R {
        let _blocked = self.budget().gate().blocked();
        f()
    }

    fn take_sized(&self, consumer: &'static str, sizes: &[usize], wait: bool) -> Result<Vec<Buffer>> {
        let held = sizes.iter().map(|&bytes| Pool::held_bytes(bytes));
        let total = held.fold(0, u64::saturating_add);
        let attempt = || self.inner.pool.take_if_fits(consumer, sizes);
        let (mut buffers, claim) = self.acquire(consumer, total, wait, attempt)?;
        for buffer in &mut buffers {
            buffer.set_claim(claim.as_ref().map(Claim::adopted));
        }
        Ok(buffers)
    }

    /// Repeats `attempt` to get `bytes`, which gives `None` and changes nothing while they do not
    /// fit, making room between. The claim is the calling thread's, from before the first attempt,
    /// so that no waiter overlooks what the attempt got.
    fn acquire<T>(
        &self,
        consumer: &'static str,
        bytes: u64,
        wait: bool,
        attempt: impl Fn() -> Result<Option<T>>,
    ) -> Result<(T, Option<Claim>)> {
        let gate = self.budget().gate();
        let claim = gate.claim();
        loop {
            let epoch = gate.epoch();
            if let Some(found) = attempt()? {
                return Ok((found, Some(claim)));
            }
            if bytes > self.budget().limit() {
                return Err(self.budget().refusal(consumer, bytes));
            }
            let evicted = self.evict(bytes);
            if matches!(evicted, Ok(true)) {
                continue;
            }
            if !wait || !gate.wait(epoch) {
                let error = evicted.err();
                return Err(error.unwrap_or_else(|| self.budget().refusal(consumer, bytes)));
            }
        }
    }

    /// The spill file, made at the first call.
    pub(super) fn spill_file(&self) -> Result<SpillFile> {
        let mut spill = lock(&self.inner.spill);
        if let Some(file) = &*spill {
            return Ok(file.clone());
        }
        let mut last = Error::invalid("no folder to spill to; name one with --spill-dir");
        for folder in &self.inner.folders {
            match SpillFile::create(folder, &self.inner.disk, true) {
                Ok(file) => return Ok(spill.insert(file).clone()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl fmt::Debug for TileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.inner.state);
        f.debug_struct("TileStore")
            .field("tiles", &state.tiles.len())
            .field("resident", &state.resident.len())
            .field("host", self.budget())
            .field("disk", &self.inner.disk)
            .finish()
    }
}
