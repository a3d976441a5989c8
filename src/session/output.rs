//! Handing on a finished block: to the caller's memory, to sinks, to the store as tiles.

use super::run::Run;
use crate::Result;
use crate::geometry::Region;
use crate::plan::{ArrayId, Destination};
use crate::store::{Buffer, Origin, TileKey, copy_region};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// Hands on `block` of an array.
pub(super) fn deliver(run: &Run<'_>, array: ArrayId, block: &Region, data: Buffer) -> Result<()> {
    let made = &run.plan.arrays[array];
    let size = made.dtype.size();
    run.counters
        .written_bytes
        .fetch_add(data.len() as u64, Ordering::Relaxed);
    let whole = Region::whole(&block.shape);
    for &root in &made.roots {
        match &run.plan.destinations[root] {
            Destination::Sink(sink) => sink.write(block, &data)?,
            Destination::Result => {
                if let Some(result) = &run.results[root] {
                    let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
                    copy_region(
                        &data,
                        &block.shape,
                        &whole,
                        &mut result,
                        &made.shape,
                        &block.start,
                        size,
                    );
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
