//! Handing on a finished block: to the caller's memory, to sinks, to the store as tiles.
//!
//! What goes to the caller alone is computed where it will lie ([`place`]); everything else is
//! computed into a buffer of the budget and handed on by [`deliver`].

use super::run::Run;
use crate::Result;
use crate::geometry::Region;
use crate::plan::{ArrayId, Destination};
use crate::store::{Buffer, Origin, Patch, TileKey, copy_region};
use std::sync::atomic::Ordering;

/// The caller's memory for `block` of an array that goes nowhere else, if it is aligned.
pub(super) fn place<'a>(run: &'a Run<'_>, array: ArrayId, block: &Region) -> Result<Option<Patch<'a>>> {
    let made = &run.plan.arrays[array];
    let &[root] = &made.roots[..] else {
        return Ok(None);
    };
    match (&run.plan.destinations[root], &run.results[root]) {
        (Destination::Result, Some(result)) if !made.stored => {
            let patch = result.claim(block)?;
            Ok(patch.is_aligned().then_some(patch))
        }
        _ => Ok(None),
    }
}

/// Counts a block that was computed where it lies.
pub(super) fn placed(run: &Run<'_>, array: ArrayId, block: &Region) {
    let bytes = block.len() * run.plan.arrays[array].dtype.size();
    run.counters
        .written_bytes
        .fetch_add(bytes as u64, Ordering::Relaxed);
}

/// Hands on `block` of an array.
pub(super) fn deliver(run: &Run<'_>, array: ArrayId, block: &Region, data: Buffer) -> Result<()> {
    let made = &run.plan.arrays[array];
    let size = made.dtype.size();
    run.counters
        .written_bytes
        .fetch_add(data.len() as u64, Ordering::Relaxed);
    for &root in &made.roots {
        match &run.plan.destinations[root] {
            Destination::Sink(sink) => sink.write(block, &data)?,
            Destination::Result => {
                if let Some(result) = &run.results[root] {
                    result.claim(block)?.fill_from(&data);
                }
            }
            Destination::Keep => {}
        }
    }
    if !made.stored {
        return Ok(());
    }
    let tiles = made.grid.overlapping(block);
    if let [number] = tiles[..] {
        insert(run, array, number, data);
        return Ok(());
    }
    for number in tiles {
        let tile = made.grid.region(&made.grid.block(number));
        let mut piece = run.store.take("output blocks", tile.len() * size)?;
        let from = tile.relative_to(&block.start);
        let at = vec![0; tile.rank()];
        copy_region(&data, &block.shape, &from, &mut piece, &tile.shape, &at, size);
        insert(run, array, number, piece);
    }
    Ok(())
}

fn insert(run: &Run<'_>, array: ArrayId, number: usize, tile: Buffer) {
    let key = TileKey {
        array: run.keys[array],
        block: number as u64,
    };
    run.store.insert(key, tile, Origin::Spill);
}
