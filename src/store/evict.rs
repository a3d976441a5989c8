//! Making room: which tiles leave host memory, and how.
//!
//! With the order of a run known, evicting the tile whose next use is farthest moves the fewest
//! bytes (Belady). A tile that can be made again, has a copy on disk, or will never be read again,
//! leaves for nothing; the others are written, outside the store's lock. Where they cannot be, room is made from tiles
//! that need no disk before anybody hears of the disk's error.

use super::buffer::Buffer;
use super::lock;
use super::tile::{Origin, TileKey};
use super::tile_store::{Entry, NEVER, State, TileStore};
use crate::{Error, Result};
use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A pass over all tiles frees at least the budget's share of one in so many, so that many small
/// tiles cost one pass, not one each.
const BATCH: u64 = 128;

/// A tile on its way out.
struct Leaving {
    key: TileKey,
    serial: u64,
    buffer: Arc<Buffer>,
}

/// What a pass over the tiles decided.
#[derive(Default)]
struct Chosen {
    /// Left already; their memory is freed with this list.
    freed: Vec<Arc<Buffer>>,
    dropped: Vec<(TileKey, u64)>,
    /// To be written, and marked as moving.
    to_write: Vec<Leaving>,
}

impl TileStore {
    /// Evicts tiles until `bytes` more should fit; whether any memory was freed.
    ///
    /// # Errors
    /// The disk's, when tiles must be written to make room and cannot be.
    pub(super) fn evict(&self, bytes: u64) -> Result<bool> {
        // Idle buffers are used before tiles are evicted, but cannot have sufficed.
        let idle = self.inner.pool.idle_bytes();
        let least = self.budget().limit() / BATCH;
        let needed = self.budget().shortfall(bytes.saturating_sub(idle)).max(least);
        let chosen = lock(&self.inner.state).choose(needed, true);
        let mut any = self.release(&chosen);
        drop(chosen.freed);
        let mut failed = None;
        for leaving in chosen.to_write {
            if failed.is_some() {
                self.stays(&leaving);
                continue;
            }
            match self.write_out(leaving) {
                Ok(freed) => any |= freed,
                Err(error) => failed = Some(error),
            }
        }
        let Some(error) = failed else { return Ok(any) };
        let chosen = lock(&self.inner.state).choose(needed, false);
        any |= self.release(&chosen);
        if any { Ok(true) } else { Err(error) }
    }

    /// Counts and reports the tiles that left without being written; whether there were any.
    fn release(&self, chosen: &Chosen) -> bool {
        for &(key, bytes) in &chosen.dropped {
            self.inner.counts.dropped.fetch_add(bytes, Ordering::Relaxed);
            if let Some(observer) = &self.inner.observer {
                observer.dropped(key, bytes);
            }
        }
        !chosen.freed.is_empty()
    }

    /// Writes a tile and frees its buffer; `false` when it was pinned meanwhile.
    fn write_out(&self, leaving: Leaving) -> Result<bool> {
        let written = self.spill_file().and_then(|file| {
            let first = file.write(&leaving.buffer);
            match first {
                // Copies of tiles that are in memory too only save a second write.
                Err(Error::Memory { .. }) if self.release_copies() => file.write(&leaving.buffer),
                result => result,
            }
        });
        let slot = match written {
            Ok(slot) => Arc::new(slot),
            Err(error) => {
                self.stays(&leaving);
                return Err(error);
            }
        };
        let Leaving { key, serial, buffer } = leaving;
        let bytes = buffer.len() as u64;
        self.inner.counts.spilled.fetch_add(bytes, Ordering::Relaxed);
        let mut state = lock(&self.inner.state);
        let mut freed = true; // also when it was removed meanwhile
        let mut host = None;
        if let Some(entry) = state.tiles.get_mut(&key).filter(|e| e.serial == serial) {
            entry.moving = false;
            entry.disk = Some(slot);
            // The entry's and this thread's; any other is a pin.
            freed = Arc::strong_count(&buffer) <= 2;
            if freed {
                host = entry.host.take();
                state.resident.remove(&key);
            }
        }
        drop(state);
        drop((host, buffer));
        if let Some(observer) = &self.inner.observer {
            observer.spilled(key, bytes);
        }
        Ok(freed)
    }

    /// Unmarks a tile that could not be written.
    fn stays(&self, leaving: &Leaving) {
        let mut state = lock(&self.inner.state);
        let entry = state.tiles.get_mut(&leaving.key);
        if let Some(entry) = entry.filter(|e| e.serial == leaving.serial) {
            entry.moving = false;
        }
    }

    /// Frees the room on disk of tiles that are in host memory as well; whether there were any.
    fn release_copies(&self) -> bool {
        let mut state = lock(&self.inner.state);
        let State { tiles, resident, .. } = &mut *state;
        let copies: Vec<_> = resident
            .iter()
            .filter_map(|key| tiles.get_mut(key).filter(|e| !e.moving)?.disk.take())
            .collect();
        drop(state);
        !copies.is_empty()
    }
}

impl State {
    /// Chooses unpinned tiles that hold `needed` bytes, farthest next use first and smaller keys
    /// first among equals. What need not be written leaves at once; without `write`, only that is
    /// chosen.
    fn choose(&mut self, needed: u64, write: bool) -> Chosen {
        let is_dropped = |entry: &Entry, next: u64| entry.origin == Origin::Drop || next == NEVER;
        let free_to_go = |entry: &Entry, next: u64| is_dropped(entry, next) || entry.disk.is_some();
        let mut candidates: Vec<(Reverse<u64>, TileKey)> = self
            .resident
            .iter()
            .filter_map(|&key| {
                let entry = self.tiles.get(&key)?;
                let unpinned = entry.host.as_ref().is_some_and(|b| Arc::strong_count(b) == 1);
                if !unpinned || entry.moving {
                    return None;
                }
                let next = (self.next_use)(key);
                (write || free_to_go(entry, next)).then_some((Reverse(next), key))
            })
            .collect();
        candidates.sort_unstable();

        let mut chosen = Chosen::default();
        let mut found = 0;
        for (Reverse(next), key) in candidates {
            if found >= needed {
                break;
            }
            let Some(entry) = self.tiles.get_mut(&key) else {
                continue;
            };
            let Some(buffer) = entry.host.take() else { continue };
            found += buffer.held();
            if !free_to_go(entry, next) {
                entry.moving = true;
                entry.host = Some(Arc::clone(&buffer));
                chosen.to_write.push(Leaving {
                    key,
                    serial: entry.serial,
                    buffer,
                });
                continue;
            }
            if is_dropped(entry, next) {
                chosen.dropped.push((key, buffer.len() as u64));
                self.tiles.remove(&key);
            }
            self.resident.remove(&key);
            chosen.freed.push(buffer);
        }
        chosen
    }
}
