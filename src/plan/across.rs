//! Reductions cut along the axes that they keep: blocks span what is folded, so that each state is
//! fed once, is small, and is merged with no other.
//!
//! That suits data of which any part is had as fast. On the CPU it is what lies in memory. A GPU
//! is sent what blocks span, so there it is also tiles that lie on it or will, and only where states
//! are larger than blocks: folding block after block into them would move more than is read.

use super::build::SMALL_BYTES;
use super::memory::{kept_block_count, lies_in_memory, run_bytes};
use super::stage::{Feed, Input, PlanArray, Stage, StageKind};
use super::{Card, TaskSize};
use super::{grid, reading};
use crate::geometry::Chunks;

/// Cells of a reduction whose states stay in a second-level cache.
const CACHED_CELLS: usize = 32 << 10;
/// States of a band take this part of the memory, so that two are worked on at once: more would make
/// bands so narrow that data comes in short pieces.
const BAND_PART: u64 = 3;
/// A GPU is given what takes this part of its memory as if all of it stayed there.
const STAYS: u64 = 2;

/// The grid of a reduction whose blocks span the folded axes, of about `bytes` on a GPU, where that
/// suits it better than the grid it has.
pub(super) fn grid(stage: &Stage, arrays: &[PlanArray], tasks: TaskSize, bytes: usize) -> Option<Chunks> {
    let StageKind::Reduce { .. } = stage.kind else {
        return None;
    };
    let points = stage.shape.iter().product::<usize>();
    let whole = stage.cuts.iter().all(|starts| starts.len() == 1);
    if !whole || points < tasks.parts * SMALL_BYTES {
        return None;
    }
    let parts = match tasks.card {
        None => in_memory(stage, arrays),
        Some(card) => on_card(stage, arrays, card, bytes),
    }?;
    grid::across(&stage.shape, &stage.folded(), parts.max(tasks.parts))
}

/// The grid of a reduction whose states over a block are more than memory has for one of several tasks:
/// bands along kept axes, each folded in blocks of at most `limit` points; `None` where the states are
/// small, or the data comes in too short pieces then.
pub(super) fn bands(stage: &Stage, arrays: &[PlanArray], room: u64, limit: usize) -> Option<Chunks> {
    let StageKind::Reduce { .. } = stage.kind else {
        return None;
    };
    let whole = stage.cuts.iter().all(|starts| starts.len() == 1);
    let states = run_bytes(stage, &stage.grid.largest());
    let each = room / BAND_PART;
    if !whole || states <= each {
        return None;
    }
    let all = run_bytes(stage, &stage.shape);
    // Bands that go two at a time come out even.
    let parts = usize::try_from(all.div_ceil(each.max(1)).next_power_of_two()).ok()?;
    let grid = grid::bands(&stage.shape, &stage.folded(), parts, limit)?;
    let block = grid.largest();
    let gains = run_bytes(stage, &block) < states;
    (gains && reading::of_stage(stage, arrays, &block) < reading::COSTLY).then_some(grid)
}

fn inputs(stage: &Stage) -> impl Iterator<Item = &Input> {
    stage.variants.iter().flat_map(|v| &v.inputs)
}

/// In how many blocks a reduction of what lies in memory is cut for the CPU.
fn in_memory(stage: &Stage, arrays: &[PlanArray]) -> Option<usize> {
    let cells: usize = stage.state_shape(&stage.shape).iter().product();
    inputs(stage)
        .all(|input| lies_in_memory(input, arrays))
        .then_some(cells / CACHED_CELLS)
}

/// In how many blocks of about `bytes` a reduction with large states is cut for a GPU.
fn on_card(stage: &Stage, arrays: &[PlanArray], card: Card, bytes: usize) -> Option<usize> {
    let read = |input: &Input, block: &[usize]| {
        let bound = input.map.bound(block, &input.shape);
        bound.iter().product::<usize>() * input.dtype.size()
    };
    let reads = |block: &[usize]| inputs(stage).map(|input| read(input, block)).sum::<usize>();
    let is_tiles = |input: &Input| match &input.feed {
        Feed::Array(_) => true,
        Feed::Source(source) => source.stored_tiles().is_some(),
        Feed::Reshaped { .. } => false,
    };
    let all = |input: &Input| read(input, &stage.shape) as u64;
    let (tiles, others): (Vec<&Input>, _) = inputs(stage).partition(|input| is_tiles(input));
    let suits = stage.grid.count() > kept_block_count(stage)
        && run_bytes(stage, &stage.grid.largest()) > reads(&stage.grid.largest()) as u64
        && others.iter().all(|input| lies_in_memory(input, arrays))
        && tiles.iter().map(|input| all(input)).sum::<u64>() <= card.memory / STAYS;
    suits.then(|| reads(&stage.shape).div_ceil(bytes.max(1)))
}
