//! The doors of the house: data that comes from and goes to somewhere else.
//!
//! A [`Source`] can give any region again at any time, so a tile read from it is dropped rather
//! than spilled. A [`Sink`] takes each region once.

use super::tile_store::TileStore;
use crate::Result;
use crate::geometry::{Chunks, Region};
use std::fmt::Debug;
use tilewise_kernels::DType;

/// An outside array that can be read region by region, from several threads at once.
pub trait Source: Send + Sync + Debug {
    /// Where it is, for messages: `tas.nc:tas`.
    fn name(&self) -> String;
    /// Its shape.
    fn shape(&self) -> &[usize];
    /// Its stored dtype.
    fn dtype(&self) -> DType;
    /// The shape of its stored chunks; `None` when it is stored in one piece.
    fn chunks(&self) -> Option<&[usize]>;
    /// Reads `region` into `out`, dense and row-major; `out` has exactly its bytes.
    ///
    /// # Errors
    /// When the outside data cannot be read; the error names it.
    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()>;
    /// Hears that `region` will be read soon, and may have the medium begin. It must take far less time than
    /// reading it, hold no memory, and leave what is wrong to be told by [`Source::read`].
    fn will_read(&self, _region: &Region) {}
    /// Bytes that one `read` of `region` holds beside `out` while it runs.
    fn scratch_bytes(&self, region: &Region) -> usize;
    /// Bytes on the outside medium that reading the whole array moves (compressed size).
    fn stored_bytes(&self) -> u64;
    /// A cheap identity of the content: equal fingerprints mean equal data.
    fn fingerprint(&self) -> u64;
    /// An identity of the content that other processes find equal too, so that what was computed from it
    /// can be taken up again later; it may cost more than [`Source::fingerprint`]. `None` where nothing
    /// tells that the content is still the same.
    fn durable_fingerprint(&self) -> Option<u64> {
        Some(self.fingerprint())
    }
    /// The whole content where it already lies in memory, dense and row-major.
    fn in_memory(&self) -> Option<&[u8]> {
        None
    }
    /// Where its content lies as tiles of a store, if it does.
    fn stored_tiles(&self) -> Option<StoredTiles<'_>> {
        None
    }
}

/// An array that lies in a tile store.
#[derive(Clone, Copy, Debug)]
pub struct StoredTiles<'a> {
    /// The store.
    pub store: &'a TileStore,
    /// The array's number there.
    pub array: u64,
    /// Its tiles.
    pub grid: &'a Chunks,
}

/// An outside array that is written region by region. Nothing of it is seen under its final name
/// before its container is finished; dropping it unfinished leaves nothing behind.
pub trait Sink: Send + Sync + Debug {
    /// Where it goes, for messages.
    fn name(&self) -> String;
    /// Its shape.
    fn shape(&self) -> &[usize];
    /// Its stored dtype.
    fn dtype(&self) -> DType;
    /// The shape of its stored chunks, to which writers should align; `None` for one piece.
    fn chunks(&self) -> Option<&[usize]>;
    /// Writes `region` from `data`, dense and row-major. Regions of one run never overlap and may
    /// come from several threads in any order.
    ///
    /// # Errors
    /// When the outside medium refuses; the error names it.
    fn write(&self, region: &Region, data: &[u8]) -> Result<()>;
    /// Bytes that one `write` of `region` holds beside `data` while it runs.
    fn scratch_bytes(&self, region: &Region) -> usize;
}
