//! Bringing a task's inputs together: what lies in memory is used in place, the rest is read
//! into buffers of the budget, exactly the indices that the block needs.

use super::resident;
use super::run::Run;
use crate::device::{Binding, Bytes, Keeper, Resident, Task};
use crate::geometry::{Access, Region, Selection, row_major_strides};
use crate::plan::{Feed, Input, Variant, lies_in_memory};
use crate::store::{Buffer, Source, Tile, TileKey, copy_region};
use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What spans so many times the elements that are read is brought together for a device.
const FAR_APART: usize = 2;

/// The most bytes of one input that are read ahead.
const MOST_AHEAD: usize = 64 << 20;
/// Blocks of fewer bytes of the widest numbers are not worth a hint.
const LEAST_AHEAD: usize = 64 << 10;

/// The bytes of one input of a task.
pub(super) enum Held {
    /// A buffer of the task.
    Buffer(Buffer),
    /// A tile that stays where it is.
    Tile(Tile),
    /// A source that lies in memory.
    Source(Arc<dyn Source>),
    /// A tile on the device.
    Resident(Resident),
}

impl Held {
    /// The bytes; none for what lies on a device.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Held::Buffer(buffer) => buffer,
            Held::Tile(tile) => tile,
            Held::Source(source) => source.in_memory().unwrap_or_default(),
            Held::Resident(_) => &[],
        }
    }

    /// The bytes, wherever they lie.
    pub fn place(&self) -> Bytes<'_> {
        match self {
            Held::Resident(tile) => Bytes::Resident(tile),
            host => Bytes::Host(host.bytes()),
        }
    }
}

/// All inputs of a task.
pub(super) struct Inputs {
    /// The buffers.
    pub held: Vec<Held>,
    /// Per input of the program: its buffer and how the block walks it.
    pub bindings: Vec<Binding>,
}

impl Inputs {
    /// The bytes of each buffer.
    pub fn buffers(&self) -> Vec<&[u8]> {
        self.held.iter().map(Held::bytes).collect()
    }

    /// The tile of each buffer that lies on the device.
    pub fn residents(&self) -> Vec<Option<Resident>> {
        let tile = |held: &Held| match held {
            Held::Resident(tile) => Some(tile.clone()),
            _ => None,
        };
        self.held.iter().map(tile).collect()
    }

    /// The task of a variant over a block of these inputs, whose `buffers` they gave.
    pub fn task<'a>(
        &'a self,
        variant: &'a Variant,
        block: &'a Region,
        labels: Option<&'a [u32]>,
        buffers: &'a [&'a [u8]],
    ) -> Task<'a> {
        Task {
            program: &variant.program,
            shape: &block.shape,
            origin: &block.start,
            buffers,
            bindings: &self.bindings,
            labels,
        }
    }

    /// Brings what lies on the device to the host.
    ///
    /// # Errors
    /// No memory; a device that is lost.
    pub fn bring_home(&mut self, run: &Run<'_>) -> Result<()> {
        for held in &mut self.held {
            if let Held::Resident(tile) = held {
                let mut buffer = run.store.take("input buffers", tile.len())?;
                run.residents.download(tile, &mut buffer)?;
                *held = Held::Buffer(buffer);
            }
        }
        Ok(())
    }
}

/// The inputs of a variant for a block: their bytes and how the program walks them. What lies on the
/// device that runs the task stays there.
pub(super) fn inputs(
    run: &Run<'_>,
    keeper: Option<&dyn Keeper>,
    variant: &Variant,
    block: &Region,
) -> Result<Inputs> {
    let mut held = Vec::with_capacity(variant.inputs.len());
    let mut bindings = vec![None; variant.inputs.len()];
    for read in &variant.reads {
        let together = read.together(&variant.inputs, &run.plan.arrays, &block.shape);
        if let (Some(_), Some(region)) = (together, read.region(block)) {
            let first = &variant.inputs[read.inputs[0]];
            let there = match keeper {
                Some(keeper) => resident::find(run, keeper, first, &region, region.len())?,
                None => None,
            };
            let place = match there {
                Some((tile, place)) => {
                    held.push(Held::Resident(tile));
                    Some(place)
                }
                None => {
                    held.push(Held::Buffer(fetch_region(run, first, &region)?));
                    None
                }
            };
            for &number in &read.inputs {
                let input = &variant.inputs[number];
                let access = match &place {
                    Some(place) => Some(input.map.access_within(block, place)),
                    None => read.access(input, block),
                };
                bindings[number] = access.map(|access| Binding {
                    buffer: held.len() - 1,
                    access,
                });
            }
            continue;
        }
        for &number in &read.inputs {
            let (bytes, access) = fetch(run, keeper, &variant.inputs[number], block)?;
            held.push(bytes);
            bindings[number] = Some(Binding {
                buffer: held.len() - 1,
                access,
            });
        }
    }
    let bindings: Option<Vec<Binding>> = bindings.into_iter().collect();
    let bindings = bindings.ok_or_else(|| Error::invalid("an input was not read"))?;
    Ok(Inputs { held, bindings })
}

/// Tells sources what a variant will read of them for a block, so that the disk works meanwhile; of large
/// regions the beginning.
pub(super) fn announce(run: &Run<'_>, variant: &Variant, block: &Region) {
    if block.len() * 8 < LEAST_AHEAD {
        return;
    }
    let tell = |source: &Arc<dyn Source>, input: &Input, region: Option<Region>| {
        let Some(mut region) = region.filter(|region| !region.is_empty()) else {
            return;
        };
        let each = region.len() / region.shape.first().copied().unwrap_or(1).max(1);
        if let Some(first) = region.shape.first_mut() {
            *first = (*first).min((MOST_AHEAD / (each * input.dtype.size()).max(1)).max(1));
        }
        // What several stages read may lie on the device.
        let shared = run.shared.at_stage(source.as_ref(), 0);
        if shared.is_none_or(|(number, _)| run.residents.region(number, &region).is_none()) {
            source.will_read(&region);
        }
    };
    for read in &variant.reads {
        // All inputs of a read are of one feed.
        let first = &variant.inputs[read.inputs[0]];
        let Feed::Source(source) = &first.feed else {
            continue;
        };
        if lies_in_memory(first, &run.plan.arrays) || source.stored_tiles().is_some() {
            continue;
        }
        let together = read.together(&variant.inputs, &run.plan.arrays, &block.shape);
        match (together, read.region(block)) {
            (Some(_), Some(region)) => tell(source, first, Some(region)),
            _ => {
                for input in read.inputs.iter().map(|&number| &variant.inputs[number]) {
                    tell(source, input, single_runs(&input.map.access(block).0));
                }
            }
        }
    }
}

/// Blocks in order, each of which is told of before the one in front of it is worked on; not the first.
pub(super) fn announced(
    blocks: impl Iterator<Item = Region>,
    tell: impl Fn(&Region),
) -> impl Iterator<Item = Region> {
    let mut blocks = blocks.peekable();
    std::iter::from_fn(move || {
        let block = blocks.next()?;
        blocks.peek().into_iter().for_each(&tell);
        Some(block)
    })
}

/// A region of an input's feed that several inputs see.
fn fetch_region(run: &Run<'_>, input: &Input, region: &Region) -> Result<Buffer> {
    let ranges = region.start.iter().zip(&region.shape);
    let selections: Vec<Selection> = ranges.map(|(&start, &n)| Selection::range(start, n)).collect();
    gather(run, input, &selections)
}

/// The box of an input's feed that a block sees, read into the buffer of its result.
pub(super) fn copy(run: &Run<'_>, input: &Input, block: &Region) -> Result<Buffer> {
    let (selections, _) = input.map.access(block);
    let region = single_runs(&selections).ok_or_else(|| Error::invalid("a copy of more than a box"))?;
    let mut out = run
        .store
        .take("output blocks", region.len() * input.dtype.size())?;
    read(
        run,
        &input.feed,
        &input.shape,
        input.dtype.size(),
        &region,
        &mut out,
    )?;
    Ok(out)
}

fn fetch(
    run: &Run<'_>,
    keeper: Option<&dyn Keeper>,
    input: &Input,
    block: &Region,
) -> Result<(Held, Access)> {
    if let Some(keeper) = keeper
        && let Some(found) = resident::find_input(run, keeper, input, block)?
    {
        return Ok(found);
    }
    let (selections, access) = input.map.access(block);
    // A device is sent all bytes from the first to the last that a task reads.
    let far = keeper.is_some() && is_far_apart(&selections, &input.shape);
    if lies_in_memory(input, &run.plan.arrays) && !far {
        let whole = || input.map.access_whole(block, &input.shape);
        match &input.feed {
            Feed::Array(id) => return Ok((Held::Tile(tile(run, *id, 0)?), whole())),
            Feed::Source(source) => return Ok((Held::Source(source.clone()), whole())),
            Feed::Reshaped { .. } => {} // is gathered
        }
    }
    if let (Feed::Array(id), Some(region)) = (&input.feed, single_runs(&selections)) {
        let grid = &run.plan.arrays[*id].grid;
        if let [number] = grid.overlapping(&region)[..]
            && grid.region(&grid.block(number)) == region
        {
            return Ok((Held::Tile(tile(run, *id, number)?), access));
        }
    }
    Ok((Held::Buffer(gather(run, input, &selections)?), access))
}

/// Whether what is selected of an array of that shape spans far more elements than it has.
fn is_far_apart(selections: &[Selection], shape: &[usize]) -> bool {
    let Some(bound) = resident::bounding_box(selections) else {
        return false;
    };
    let reach = bound.shape.iter().zip(row_major_strides(shape));
    let span = reach.map(|(&n, stride)| (n - 1) * stride).sum::<usize>() + 1;
    span > FAR_APART * selections.iter().map(Selection::len).product::<usize>()
}

/// The region of selections that are all one run.
fn single_runs(selections: &[Selection]) -> Option<Region> {
    let runs: Option<Vec<(usize, usize)>> = selections
        .iter()
        .map(|s| match s.runs[..] {
            [run] => Some(run),
            _ => None,
        })
        .collect();
    let (start, shape) = runs?.into_iter().unzip();
    Some(Region { start, shape })
}

/// A dense buffer of the selected indices.
fn gather(run: &Run<'_>, input: &Input, selections: &[Selection]) -> Result<Buffer> {
    let size = input.dtype.size();
    let shape: Vec<usize> = selections.iter().map(Selection::len).collect();
    let bytes = shape.iter().product::<usize>() * size;
    let mut out = run.store.take("input buffers", bytes)?;
    if bytes == 0 {
        return Ok(out);
    }
    if let Some(region) = single_runs(selections) {
        read(run, &input.feed, &input.shape, size, &region, &mut out)?;
        return Ok(out);
    }
    // Each combination of runs is a box; those that differ only in the first axis lie one after
    // another in the buffer, the others are read aside and copied in.
    let inner_whole = selections[1..].iter().all(|s| s.runs.len() == 1);
    let mut aside = if inner_whole {
        None
    } else {
        Some(run.store.take("input buffers", bytes)?)
    };
    let mut combination = vec![0; selections.len()];
    let strides = row_major_strides(&shape);
    loop {
        let (mut start, mut extent, mut at) = (vec![], vec![], vec![]);
        for (selection, &choice) in selections.iter().zip(&combination) {
            let (s, n) = selection.runs[choice];
            start.push(s);
            extent.push(n);
            at.push(selection.runs[..choice].iter().map(|r| r.1).sum::<usize>());
        }
        let region = Region::new(start, extent);
        let count = region.len() * size;
        match &mut aside {
            None => {
                let from = at[0] * strides[0] * size;
                read(
                    run,
                    &input.feed,
                    &input.shape,
                    size,
                    &region,
                    &mut out[from..from + count],
                )?;
            }
            Some(aside) => {
                read(run, &input.feed, &input.shape, size, &region, &mut aside[..count])?;
                let whole = Region::whole(&region.shape);
                copy_region(
                    &aside[..count],
                    &region.shape,
                    &whole,
                    &mut out,
                    &shape,
                    &at,
                    size,
                );
            }
        }
        if !advance(&mut combination, |axis| selections[axis].runs.len()) {
            return Ok(out);
        }
    }
}

/// The next combination in row-major order; `false` after the last.
fn advance(combination: &mut [usize], count: impl Fn(usize) -> usize) -> bool {
    for axis in (0..combination.len()).rev() {
        combination[axis] += 1;
        if combination[axis] < count(axis) {
            return true;
        }
        combination[axis] = 0;
    }
    false
}

/// A pinned tile of an array of the plan.
fn tile(run: &Run<'_>, array: usize, number: usize) -> Result<Tile> {
    let key = TileKey {
        array: run.keys[array],
        block: number as u64,
    };
    run.residents.on_host(key)?.ok_or_else(|| {
        crate::Error::Device(format!(
            "tile {number} of array {array} is gone before its last use"
        ))
    })
}

/// Reads a box of a feed, dense, into `out`.
fn read(
    run: &Run<'_>,
    feed: &Feed,
    shape: &[usize],
    size: usize,
    region: &Region,
    out: &mut [u8],
) -> Result<()> {
    match feed {
        Feed::Source(source) => {
            run.counters
                .source_bytes
                .fetch_add(out.len() as u64, Ordering::Relaxed);
            source.read(region, out)
        }
        Feed::Array(id) => {
            run.counters
                .array_bytes
                .fetch_add(out.len() as u64, Ordering::Relaxed);
            let grid = &run.plan.arrays[*id].grid;
            for number in grid.overlapping(region) {
                let place = grid.region(&grid.block(number));
                let Some(part) = place.intersect(region) else {
                    continue;
                };
                let tile = tile(run, *id, number)?;
                let from = part.relative_to(&place.start);
                let at = part.relative_to(&region.start).start;
                copy_region(&tile, &place.shape, &from, out, &region.shape, &at, size);
            }
            Ok(())
        }
        Feed::Reshaped { of, from } => reshaped_boxes(shape, from, region, &mut |inner, at, count| {
            read(
                run,
                of,
                from,
                size,
                inner,
                &mut out[at * size..(at + count) * size],
            )
        }),
    }
}

/// Calls `visit(box, offset, count)` for boxes of the array of shape `from` that, one after
/// another in row-major order, hold the elements of `region` of the same array under shape `to`.
fn reshaped_boxes(
    to: &[usize],
    from: &[usize],
    region: &Region,
    visit: &mut dyn FnMut(&Region, usize, usize) -> Result<()>,
) -> Result<()> {
    let strides = row_major_strides(to);
    // Trailing axes that are taken whole join one contiguous run with the axis before them.
    let mut split = region.rank();
    while split > 0 && (split == region.rank() || region.shape[split] == to[split]) {
        split -= 1;
    }
    let run: usize = region.shape[split..].iter().product();
    let mut at = vec![0; split];
    let mut done = 0;
    loop {
        let lead: usize = at
            .iter()
            .zip(&region.start)
            .zip(&strides)
            .map(|((i, s), k)| (i + s) * k)
            .sum();
        let tail: usize = region.start[split..]
            .iter()
            .zip(&strides[split..])
            .map(|(s, k)| s * k)
            .sum();
        linear_boxes(from, lead + tail, run, &mut |inner, count| {
            visit(inner, done, count)?;
            done += count;
            Ok(())
        })?;
        if !advance(&mut at, |axis| region.shape[axis]) {
            return Ok(());
        }
    }
}

/// Splits the elements `first .. first + count` in row-major order into boxes.
fn linear_boxes(
    shape: &[usize],
    first: usize,
    count: usize,
    visit: &mut dyn FnMut(&Region, usize) -> Result<()>,
) -> Result<()> {
    let strides = row_major_strides(shape);
    let (mut at, end) = (first, first + count);
    while at < end {
        // The outermost axis along which a step from here is aligned and fits.
        let axis = (0..shape.len()).find(|&a| at % strides[a] == 0 && at + strides[a] <= end);
        let Some(axis) = axis else {
            return visit(&Region::whole(shape), 1);
        };
        let mut start: Vec<usize> = (0..shape.len()).map(|a| at / strides[a] % shape[a]).collect();
        let steps = ((end - at) / strides[axis]).min(shape[axis] - start[axis]);
        let mut extent = vec![1; shape.len()];
        extent[axis] = steps;
        for inner in axis + 1..shape.len() {
            start[inner] = 0;
            extent[inner] = shape[inner];
        }
        visit(&Region::new(start, extent), steps * strides[axis])?;
        at += steps * strides[axis];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flat indices of a box in row-major order.
    fn flat(shape: &[usize], region: &Region) -> Vec<usize> {
        let mut out = vec![0];
        for (axis, stride) in row_major_strides(shape).into_iter().enumerate() {
            let picks = region.start[axis]..region.stop(axis);
            out = out
                .iter()
                .flat_map(|b| picks.clone().map(move |p| b + p * stride))
                .collect();
        }
        out
    }

    #[test]
    fn boxes_of_a_reshape_hold_its_elements_in_order() {
        let cases: [(&[usize], &[usize]); 5] = [
            (&[24], &[2, 3, 4]),
            (&[4, 6], &[2, 3, 4]),
            (&[3, 8], &[6, 4]),
            (&[2, 3, 4], &[24]),
            (&[1], &[]),
        ];
        for (to, from) in cases {
            for start in 0..to[0] {
                for n in 1..=to[0] - start {
                    let mut region = Region::whole(to);
                    region.start[0] = start;
                    region.shape[0] = n;
                    if to.len() > 1 {
                        region.start[1] = to[1] / 2;
                        region.shape[1] = to[1] - to[1] / 2;
                    }
                    let mut got = Vec::new();
                    reshaped_boxes(to, from, &region, &mut |inner, at, count| {
                        assert_eq!((at, count), (got.len(), inner.len()));
                        got.extend(flat(from, inner));
                        Ok(())
                    })
                    .unwrap();
                    assert_eq!(got, flat(to, &region), "{to:?} from {from:?}: {region:?}");
                }
            }
        }
    }
}
