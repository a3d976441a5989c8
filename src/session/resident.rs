//! Finding inputs on the device that runs a task, so that they need not cross the bus again.
//!
//! A part that lies within one tile is read where it is, through the strides of that tile; a part
//! that lies in several is put together on the device. What is not there is left to the host's
//! way (`fetch.rs`), whose bytes are uploaded with the task.

use super::fetch::Held;
use super::residents::Tiles;
use super::run::Run;
use crate::Result;
use crate::device::{Keeper, Piece, Resident};
use crate::geometry::{Access, Region, Selection};
use crate::plan::{Feed, Input, Stage};
use crate::store::TileKey;
use std::sync::atomic::Ordering;

/// Tiles are put together where that copies at most so many times what is read.
const READ_THROUGH: usize = 4;

/// The tiles of a feed, if it is an array of tiles in the session's store.
fn tiles_of<'a>(run: &'a Run<'_>, feed: &'a Feed) -> Option<Tiles<'a>> {
    match feed {
        Feed::Array(id) => Some(Tiles {
            array: run.keys[*id],
            grid: &run.plan.arrays[*id].grid,
        }),
        Feed::Source(source) => {
            let tiles = source.stored_tiles().filter(|t| t.store.is_same(run.store))?;
            Some(Tiles {
                array: tiles.array,
                grid: tiles.grid,
            })
        }
        Feed::Reshaped { .. } => None,
    }
}

impl Run<'_> {
    /// Bytes of a stage's inputs that lie on the device.
    pub(super) fn resident_bytes(&self, stage: &Stage) -> u64 {
        let inputs = stage.variants.iter().flat_map(|v| &v.inputs);
        let mut arrays: Vec<u64> = inputs
            .filter_map(|input| tiles_of(self, input.feed.base()).map(|tiles| tiles.array))
            .collect();
        arrays.sort_unstable();
        arrays.dedup();
        arrays.iter().map(|&array| self.residents.bytes_of(array)).sum()
    }
}

/// An input for a block: its tile on the device, and how the block walks that.
///
/// # Errors
/// What bringing a tile there meets, unless the host's way is still open.
pub(super) fn find_input(
    run: &Run<'_>,
    keeper: &dyn Keeper,
    input: &Input,
    block: &Region,
) -> Result<Option<(Held, Access)>> {
    let (selections, _) = input.map.access(block);
    let needed = selections.iter().map(Selection::len).product();
    let Some(bound) = bounding_box(&selections) else {
        return Ok(None);
    };
    let found = find(run, keeper, input, &bound, needed)?;
    Ok(found.map(|(tile, place)| (Held::Resident(tile), input.map.access_within(block, &place))))
}

/// The least region that holds all selections; `None` where they are empty.
pub(super) fn bounding_box(selections: &[Selection]) -> Option<Region> {
    let ranges = selections.iter().map(|selection| {
        let runs = &selection.runs;
        let start = runs.iter().map(|r| r.0).min()?;
        let stop = runs.iter().map(|r| r.0 + r.1).max()?;
        (stop > start).then_some((start, stop - start))
    });
    let (start, shape) = ranges.collect::<Option<Vec<_>>>()?.into_iter().unzip();
    Some(Region { start, shape })
}

/// A tile on the device that holds `region` of an input's feed, and the region that it is, where the
/// `needed` elements of it are there or belong there.
///
/// # Errors
/// As [`find_input`].
pub(super) fn find(
    run: &Run<'_>,
    keeper: &dyn Keeper,
    input: &Input,
    region: &Region,
    needed: usize,
) -> Result<Option<(Resident, Region)>> {
    if region.is_empty() {
        return Ok(None);
    }
    let Some(tiles) = tiles_of(run, &input.feed) else {
        return source_region(run, keeper, input, region, needed);
    };
    let size = input.dtype.size();
    let numbers = tiles.grid.overlapping(region);
    let key = |number: usize| TileKey {
        array: tiles.array,
        block: number as u64,
    };
    let count = |elements: usize| {
        let bytes = (elements * size) as u64;
        run.counters.array_bytes.fetch_add(bytes, Ordering::Relaxed);
        run.counters.resident_bytes.fetch_add(bytes, Ordering::Relaxed);
    };
    if let [number] = numbers[..] {
        let place = tiles.grid.region(&tiles.grid.block(number));
        let found = match run.residents.get(key(number)) {
            // An array of one tile is read by many tasks: it is sent once.
            None if tiles.grid.count() == 1 => send(run, keeper, key(number))?,
            found => found,
        };
        return Ok(found.map(|tile| {
            count(needed);
            (tile, place)
        }));
    }
    if region.len() > READ_THROUGH * needed || !keeper.assembles(&region.shape, size) {
        return Ok(None);
    }
    let mut pieces = Vec::with_capacity(numbers.len());
    for number in numbers {
        let place = tiles.grid.region(&tiles.grid.block(number));
        let (Some(tile), Some(part)) = (run.residents.get(key(number)), place.intersect(region)) else {
            return Ok(None);
        };
        pieces.push(Piece {
            tile,
            from: part.relative_to(&place.start),
            at: part.relative_to(&region.start).start,
            shape: place.shape,
        });
    }
    // Without room for it there the host's way is open; a lost device shows on that way.
    let found = keeper.assemble(&region.shape, size, &pieces).ok();
    Ok(found.map(|tile| {
        count(needed);
        (tile, region.clone())
    }))
}

/// Sends a tile of the store to the device, where it stays.
fn send(run: &Run<'_>, keeper: &dyn Keeper, key: TileKey) -> Result<Option<Resident>> {
    let Some(tile) = run.residents.on_host(key)? else {
        return Ok(None);
    };
    let Ok(sent) = keeper.send(&tile) else {
        return Ok(None);
    };
    run.residents.put(key, sent.clone(), true);
    Ok(Some(sent))
}

/// A region of a source that this stage and later ones read: the first sends it to the device, where
/// it stays while there is room, since the source can give it again.
fn source_region(
    run: &Run<'_>,
    keeper: &dyn Keeper,
    input: &Input,
    region: &Region,
    needed: usize,
) -> Result<Option<(Resident, Region)>> {
    let Feed::Source(source) = &input.feed else {
        return Ok(None);
    };
    let Some((array, again)) = run.shared.at_stage(source.as_ref(), run.next_use.stage()) else {
        return Ok(None);
    };
    let bytes = region.len() * input.dtype.size();
    if let Some((tile, place)) = run.residents.region(array, region) {
        run.counters
            .resident_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
        return Ok(Some((tile, place)));
    }
    if !again || region.len() > needed || (bytes as u64) > keeper.room() {
        return Ok(None);
    }
    let mut buffer = run.store.take("input buffers", bytes)?;
    source.read(region, &mut buffer)?;
    run.counters
        .source_bytes
        .fetch_add(bytes as u64, Ordering::Relaxed);
    // Should it not stay there after all, it is read once more on the host's way.
    let Ok(tile) = keeper.send(&buffer) else {
        return Ok(None);
    };
    run.residents.put_region(array, region, tile.clone());
    Ok(Some((tile, region.clone())))
}
