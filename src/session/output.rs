//! Handing on a finished block: to the caller's memory, to sinks, to the store as tiles.
//!
//! What goes to the caller alone is computed where it will lie ([`place`]); everything else is
//! computed into a buffer of the budget and handed on by [`deliver`].

use super::checkpoint::block_number;
use super::run::Run;
use crate::Result;
use crate::device::{Keeper, Resident};
use crate::geometry::Region;
use crate::plan::{ArrayId, Destination};
use crate::store::{Buffer, Origin, Patch, TileKey, copy_region};
use std::sync::atomic::Ordering;

/// The caller's memory for `block` of an array that goes nowhere else, if it is aligned.
pub(super) fn place<'a>(run: &'a Run<'_>, array: ArrayId, block: &Region) -> Result<Option<Patch<'a>>> {
    let made = &run.plan.arrays[array];
    match (
        is_placed(run, array),
        made.roots.first().map(|&root| &run.results[root]),
    ) {
        (true, Some(Some(result))) => {
            let patch = result.claim(block)?;
            Ok(patch.is_aligned().then_some(patch))
        }
        _ => Ok(None),
    }
}

/// Whether blocks of an array go to the caller's memory and nowhere else.
pub(super) fn is_placed(run: &Run<'_>, array: ArrayId) -> bool {
    let made = &run.plan.arrays[array];
    let &[root] = &made.roots[..] else {
        return false;
    };
    let result = matches!(run.plan.destinations[root], Destination::Result);
    result && run.results[root].is_some() && !made.stored && run.kept_of(made.made_by).is_none()
}

/// Counts a block that was computed where it lies.
pub(super) fn placed(run: &Run<'_>, array: ArrayId, block: &Region) {
    let bytes = block.len() * run.plan.arrays[array].dtype.size();
    run.counters
        .written_bytes
        .fetch_add(bytes as u64, Ordering::Relaxed);
}

/// Whether blocks of an array may stay on the device that computes them: later stages read them and
/// nobody else does.
pub(super) fn stays(run: &Run<'_>, array: ArrayId) -> bool {
    let made = &run.plan.arrays[array];
    let kept = |&root: &usize| matches!(run.plan.destinations[root], Destination::Keep);
    made.stored && made.roots.iter().all(kept)
}

/// Keeps `block` of an array on the device, cut into the array's tiles there. What cannot stay goes
/// to the store.
pub(super) fn keep(
    run: &Run<'_>,
    keeper: &dyn Keeper,
    array: ArrayId,
    block: &Region,
    tile: Resident,
) -> Result<()> {
    let made = &run.plan.arrays[array];
    let (size, bytes) = (made.dtype.size(), tile.len() as u64);
    run.counters.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    let numbers = made.grid.overlapping(block);
    let stay = |number: usize, tile: Resident| {
        run.counters
            .kept_bytes
            .fetch_add(tile.len() as u64, Ordering::Relaxed);
        let key = TileKey {
            array: run.keys[array],
            block: number as u64,
        };
        run.residents.put(key, tile, false);
    };
    if let [number] = numbers[..] {
        stay(number, tile);
        return Ok(());
    }
    let within = |&number: &usize| {
        let place = made.grid.region(&made.grid.block(number));
        place.relative_to(&block.start)
    };
    let boxes: Vec<Region> = numbers.iter().map(within).collect();
    if let Ok(tiles) = keeper.cut(&tile, &block.shape, size, &boxes) {
        numbers
            .into_iter()
            .zip(tiles)
            .for_each(|(number, tile)| stay(number, tile));
        return Ok(());
    }
    // There is no room, or narrow elements are not cut there.
    let mut whole = run.store.take("output blocks", tile.len())?;
    run.residents.download(&tile, &mut whole)?;
    drop(tile);
    for (number, from) in numbers.into_iter().zip(boxes) {
        let mut out = run.store.take("output blocks", from.len() * size)?;
        let at = vec![0; from.rank()];
        copy_region(&whole, &block.shape, &from, &mut out, &from.shape, &at, size);
        insert(run, array, number, out);
    }
    Ok(())
}

/// Hands on `block` of an array that was computed, unless an earlier run's was, and keeps it where that
/// is asked for.
pub(super) fn deliver(run: &Run<'_>, array: ArrayId, block: &Region, data: Buffer) -> Result<()> {
    let stage = &run.plan.stages[run.plan.arrays[array].made_by];
    if let Some(checkpoint) = run.kept_of(stage.id)
        && let Some(at) = stage.arrays.iter().position(|&id| id == array)
        && let Some(number) = block_number(run.plan, stage, at, block)
    {
        if checkpoint.has_taken(stage.id, at, number) {
            return Ok(());
        }
        run.note_kept(checkpoint.keep_block(stage.id, at, number, &data));
    }
    hand_on(run, array, block, data)
}

/// Hands on `block` of an array.
pub(super) fn hand_on(run: &Run<'_>, array: ArrayId, block: &Region, data: Buffer) -> Result<()> {
    let made = &run.plan.arrays[array];
    let size = made.dtype.size();
    run.counters
        .written_bytes
        .fetch_add(data.len() as u64, Ordering::Relaxed);
    let again = run.again.load(Ordering::Relaxed);
    for &root in made.roots.iter().filter(|_| !again) {
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
