//! Tiles under a budget, and the doors to outside data.
//!
//! Every byte of tiles, staging and scratch is reserved from a [`Budget`] before it is allocated;
//! when tiles must leave host memory, the one whose next use is farthest goes. Nothing here knows
//! what the tiles mean.

mod ahead;
mod budget;
mod buffer;
mod clock;
mod copy;
mod evict;
mod fresh_pages;
mod gate;
mod mapping;
mod memory;
mod memory_source;
mod patch;
mod slots;
mod source;
mod spill;
mod spill_dir;
mod tile;
mod tile_store;

#[doc(hidden)]
pub mod conformance;

pub(crate) use ahead::will_read;
pub use budget::{Budget, Reservation, Tier};
pub use buffer::{Buffer, Pool};
pub use clock::cpu_seconds;
pub use copy::copy_region;
pub use fresh_pages::touch_fresh_pages;
pub(crate) use mapping::advise_huge;
pub(crate) use memory::available;
pub use memory::{current_rss, default_host_budget, parse_bytes, peak_rss};
pub use memory_source::MemorySource;
pub use patch::{Canvas, Patch, dense_from};
pub use source::{Sink, Source, StoredTiles};
pub(crate) use spill_dir::process_start;

pub use tile::{Origin, StoreCounts, StoreObserver, Tile, TileKey};
pub use tile_store::{NEVER, StoreOptions, TileStore, UNKNOWN};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex whose data stays valid wherever a holder may panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
