//! The words of the tile store: keys, pinned tiles, where a tile came from, what observers hear.

use super::buffer::Buffer;
use super::gate::Claim;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Which tile: an array's number and a block of its grid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TileKey {
    /// The array.
    pub array: u64,
    /// The row-major number of the block.
    pub block: u64,
}

/// What eviction may do with a tile.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// Nothing else can give it again: it is written to disk.
    Spill,
    /// A source can give it again, or it is cheap to compute again: it is dropped.
    Drop,
}

/// A tile pinned in host memory. It is not evicted while a clone of it lives.
#[derive(Clone)]
pub struct Tile(Arc<Pinned>);

/// The bytes, and then, for drop order, the mark that a thread keeps them from eviction.
struct Pinned {
    buffer: Arc<Buffer>,
    claim: Claim,
}

impl Tile {
    pub(super) fn new(buffer: Arc<Buffer>, claim: Claim) -> Tile {
        Tile(Arc::new(Pinned { buffer, claim }))
    }

    /// The same tile, held by the calling thread. Needed only where tiles are handed between
    /// threads while others may wait for memory.
    pub fn adopt(self) -> Tile {
        Tile::new(Arc::clone(&self.0.buffer), self.0.claim.adopted())
    }
}

impl Deref for Tile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0.buffer
    }
}

impl AsRef<[u8]> for Tile {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tile({} bytes)", self.len())
    }
}

/// Hears what the store does, from any thread and outside its locks. `bytes` are the tile's own.
pub trait StoreObserver: Send + Sync {
    /// A tile was written to disk and left host memory, or was pinned again meanwhile.
    fn spilled(&self, key: TileKey, bytes: u64);
    /// A tile was read back from disk.
    fn loaded(&self, key: TileKey, bytes: u64);
    /// A tile was dropped, to be made again if needed.
    fn dropped(&self, key: TileKey, bytes: u64);
}

/// Bytes of tiles that a store has moved since it was made.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct StoreCounts {
    /// Written to disk.
    pub spilled: u64,
    /// Read back from disk.
    pub loaded: u64,
    /// Dropped.
    pub dropped: u64,
}
