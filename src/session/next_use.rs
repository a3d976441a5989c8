//! When a tile is needed next, in the order that the plan fixes: what eviction goes by.
//!
//! Items of a stage start in rising order, and geometry says which of them read a tile: the blocks of
//! the iteration space whose part of the array meets the tile form a box, and the first item of that box
//! that has not ended is the next use. A tile that no item will read any more can be dropped.

use crate::geometry::{AxisChunks, AxisMap, Chunks, IndexMap, Region};
use crate::plan::{Feed, Input, Plan, Stage, StageKind};
use crate::store::{NEVER, TileKey, UNKNOWN};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// More items than a stage has.
const STEPS: u64 = 1 << 40;

/// The order of uses of one plan's tiles.
#[derive(Debug)]
pub(super) struct NextUse {
    arrays: HashMap<u64, Reads>,
    stage: AtomicU64,
    /// All items of the running stage before this one have ended.
    floor: AtomicU64,
    /// Those beyond it that have ended too.
    ended: Mutex<BTreeSet<u64>>,
}

/// Who reads an array.
#[derive(Debug)]
struct Reads {
    grid: Chunks,
    /// Whether it outlives the run.
    kept: bool,
    /// In running order.
    readers: Vec<Reader>,
}

/// One input of a stage.
#[derive(Debug)]
struct Reader {
    stage: u64,
    order: Order,
    /// Where the array's indices come from, for all inputs that are read as one region; none where that
    /// is unknown.
    maps: Vec<IndexMap>,
    /// Per axis of the space that the map starts from, the blocks along the axis of the items' grid that
    /// it goes with and the indices that each of them needs.
    along: Vec<Option<Along>>,
}

/// An axis of the items' grid, and what the blocks along it need.
#[derive(Clone, Debug)]
enum Along {
    /// What they are: no list, as there may be very many.
    Own(usize, AxisChunks),
    /// From here to there, each of them.
    Ranges(usize, Vec<(usize, usize)>),
}

/// Along axes of more blocks it is not worked out what each needs.
const MOST_RANGES: usize = 1 << 16;

impl Along {
    fn axis(&self) -> usize {
        match *self {
            Along::Own(axis, _) | Along::Ranges(axis, _) => axis,
        }
    }

    /// The first block that needs one of some indices, both ends included, and the one behind the last.
    fn blocks(&self, first: usize, last: usize) -> (usize, usize) {
        match self {
            Along::Own(_, chunks) if first >= chunks.len() => (0, 0),
            Along::Own(_, chunks) => (chunks.find(first), chunks.find(last.min(chunks.len() - 1)) + 1),
            // Both ends of what blocks need rise with the blocks.
            Along::Ranges(_, ranges) => (
                ranges.partition_point(|&(_, stop)| stop <= first),
                ranges.partition_point(|&(start, _)| start <= last),
            ),
        }
    }
}

/// The items of a stage: blocks in row-major order of some axes, each in so many runs of others.
#[derive(Debug)]
struct Order {
    counts: Vec<usize>,
    /// The axes that tell items apart.
    apart: Vec<usize>,
    /// The axes within runs.
    folded: Vec<usize>,
    segments: usize,
}

impl Order {
    fn of(stage: &Stage) -> Order {
        let counts = stage.grid.grid();
        let folded = stage.folded();
        let carry = match &stage.kind {
            StageKind::Block(op) => op.carry_axis(),
            _ => None,
        };
        Order {
            apart: (0..counts.len())
                .filter(|&a| !folded[a] && Some(a) != carry)
                .collect(),
            folded: (0..counts.len()).filter(|&a| folded[a]).collect(),
            segments: match stage.kind {
                StageKind::Reduce { segments, .. } => segments.max(1),
                _ => 1,
            },
            counts,
        }
    }

    /// The first item from `floor` on with a block in the box of block indices.
    fn next(&self, floor: u64, low: &[usize], high: &[usize]) -> Option<u64> {
        let pick = |axes: &[usize], of: &[usize]| axes.iter().map(|&a| of[a]).collect::<Vec<usize>>();
        let runs = self.segments as u64;
        // The runs that the box's folded blocks belong to, of which the numbers are bounds.
        let (mut first, mut last) = (0, runs - 1);
        if runs > 1 {
            let counts = pick(&self.folded, &self.counts);
            let all = counts.iter().product::<usize>().max(1) as u64;
            let run = |at: &[usize]| {
                let number = number(&counts, at) as u64;
                // Run r has the blocks from r * all / runs on.
                (0..runs).rev().find(|r| r * all / runs <= number).unwrap_or(0)
            };
            (first, last) = (run(&pick(&self.folded, low)), run(&pick(&self.folded, high)));
        }
        let (counts, low, high) = (
            pick(&self.apart, &self.counts),
            pick(&self.apart, low),
            pick(&self.apart, high),
        );
        let (mut from, at) = ((floor / runs) as usize, floor % runs);
        if at > last {
            from += 1;
        }
        let found = next_in_box(&counts, from, &low, &high)? as u64;
        let run = if found == floor / runs {
            first.max(at)
        } else {
            first
        };
        Some(found * runs + run)
    }
}

/// The row-major number of an index.
fn number(counts: &[usize], at: &[usize]) -> usize {
    counts.iter().zip(at).fold(0, |n, (&count, &i)| n * count + i)
}

/// The first row-major number from `from` on whose index lies in a box, its ends included.
fn next_in_box(counts: &[usize], from: usize, low: &[usize], high: &[usize]) -> Option<usize> {
    let rank = counts.len();
    let total: usize = counts.iter().product();
    if from >= total {
        return None;
    }
    let mut at = vec![0; rank];
    let mut rest = from;
    for axis in (0..rank).rev() {
        at[axis] = rest % counts[axis];
        rest /= counts[axis];
    }
    for axis in 0..rank {
        if at[axis] < low[axis] {
            at[axis..].copy_from_slice(&low[axis..]);
            break;
        }
        if at[axis] > high[axis] {
            let turn = (0..axis).rev().find(|&a| at[a] < high[a])?;
            at[turn] += 1;
            at[turn + 1..].copy_from_slice(&low[turn + 1..]);
            break;
        }
    }
    Some(number(counts, &at))
}

impl Reader {
    /// The readers that the inputs of a stage are, each with the array that it reads.
    fn all(stage: &Stage) -> Vec<(usize, Reader)> {
        let mut out = Vec::new();
        for (operand, variant) in stage.variants.iter().enumerate() {
            let reads_arrays = |input: &Input| matches!(input.feed.base(), Feed::Array(_));
            if !variant.inputs.iter().any(reads_arrays) {
                continue;
            }
            let along = match &stage.kind {
                StageKind::Block(op) => needs(stage, &|block| op.needs(operand, block)),
                _ => {
                    let axes = stage.grid.axes().iter().enumerate();
                    axes.map(|(axis, chunks)| Some(Along::Own(axis, chunks.clone())))
                        .collect()
                }
            };
            for read in &variant.reads {
                let inputs: Vec<&Input> = read.inputs.iter().map(|&n| &variant.inputs[n]).collect();
                if let Some(Feed::Array(id)) = inputs.first().map(|input| input.feed.base()) {
                    let plain = inputs.iter().filter(|input| matches!(input.feed, Feed::Array(_)));
                    let reader = Reader {
                        stage: stage.id as u64,
                        order: Order::of(stage),
                        maps: plain.map(|input| input.map.clone()).collect(),
                        along: along.clone(),
                    };
                    out.push((*id, reader));
                }
            }
        }
        out
    }

    /// The first item from `floor` on that reads a tile of the array at that place.
    fn next(&self, floor: u64, tile: &Region) -> Option<u64> {
        let mut low = vec![0; self.order.counts.len()];
        let mut high: Vec<usize> = self.order.counts.iter().map(|&n| n.saturating_sub(1)).collect();
        for at in 0..tile.rank() {
            let maps: Vec<&AxisMap> = self.maps.iter().map(|map| &map.axes[at]).collect();
            let (axis, first, last) = match seen_from(&maps, tile.start[at], tile.stop(at)) {
                Seen::Anywhere => continue,
                Seen::Nowhere => return None,
                Seen::From(axis, first, last) => (axis, first, last),
            };
            let Some(along) = &self.along[axis] else {
                continue;
            };
            let (from, to) = along.blocks(first, last);
            if from >= to {
                return None;
            }
            let axis = along.axis();
            low[axis] = low[axis].max(from);
            high[axis] = high[axis].min(to - 1);
        }
        if low.iter().zip(&high).any(|(l, h)| l > h) {
            return None;
        }
        self.order.next(floor, &low, &high)
    }
}

/// From where in a space the indices of a range are seen.
enum Seen {
    Nowhere,
    Anywhere,
    /// From those of an axis, both ends included.
    From(usize, usize, usize),
}

/// From where maps that are read as one see indices of `start..stop`, or what lies between such indices,
/// because short gaps are read too.
fn seen_from(maps: &[&AxisMap], start: usize, stop: usize) -> Seen {
    let Some(first) = maps.first() else {
        return Seen::Anywhere;
    };
    let (start, stop) = (start as i128, stop as i128);
    match first {
        AxisMap::Table { .. } => Seen::Anywhere,
        AxisMap::Fixed(_) => {
            let fixed = |map: &&AxisMap| match map {
                AxisMap::Fixed(at) => *at as i128,
                _ => start,
            };
            let (least, most) = (maps.iter().map(fixed).min(), maps.iter().map(fixed).max());
            match least.is_some_and(|n| n < stop) && most.is_some_and(|n| n >= start) {
                true => Seen::Anywhere,
                false => Seen::Nowhere,
            }
        }
        AxisMap::Affine { axis, .. } => {
            let (mut low, mut high) = (i128::MAX, i128::MIN);
            for map in maps {
                let AxisMap::Affine {
                    start: origin, step, ..
                } = map
                else {
                    return Seen::Anywhere;
                };
                // In the part of a concatenation an origin may lie before the array's.
                let (origin, stride) = (*origin as isize as i128, step.unsigned_abs() as i128);
                let (near, far) = match *step > 0 {
                    true => (start - origin, stop - 1 - origin),
                    false => (origin - (stop - 1), origin - start),
                };
                low = low.min(near.div_euclid(stride));
                high = high.max(-(-far).div_euclid(stride));
            }
            match high < 0 {
                true => Seen::Nowhere,
                false => Seen::From(*axis, low.max(0) as usize, high as usize),
            }
        }
    }
}

/// Per axis of an operand, the axis of blocks that it goes with and what each block along it needs; none
/// for axes that blocks need whole or that go with several.
fn needs(stage: &Stage, of: &dyn Fn(&Region) -> Region) -> Vec<Option<Along>> {
    let counts = stage.grid.grid();
    let origin = vec![0; counts.len()];
    let first = of(&stage.grid.region(&origin));
    let mut out: Vec<Option<Along>> = vec![None; first.rank()];
    let mut taken = vec![0; first.rank()];
    if counts.iter().any(|&count| count > MOST_RANGES) {
        return out;
    }
    for axis in (0..counts.len()).filter(|&axis| counts[axis] > 1) {
        let mut at = origin.clone();
        let regions: Vec<Region> = (0..counts[axis])
            .map(|index| {
                at[axis] = index;
                of(&stage.grid.region(&at))
            })
            .collect();
        for own in 0..first.rank() {
            let ranges: Vec<(usize, usize)> = regions.iter().map(|r| (r.start[own], r.stop(own))).collect();
            let rises = ranges.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1);
            if ranges.iter().any(|range| *range != ranges[0]) {
                taken[own] += 1;
                out[own] = rises.then_some(Along::Ranges(axis, ranges));
            }
        }
    }
    out.into_iter()
        .zip(taken)
        .map(|(along, taken)| along.filter(|_| taken == 1))
        .collect()
}

impl NextUse {
    /// The order of `plan`, whose arrays have those numbers in the store; `kept` tells which outlive
    /// the run.
    pub fn new(plan: &Plan, keys: &[u64], kept: impl Fn(usize) -> bool) -> NextUse {
        let reads = |(id, array): (usize, &crate::plan::PlanArray)| {
            let reads = Reads {
                grid: array.grid.clone(),
                kept: kept(id),
                readers: Vec::new(),
            };
            (keys[id], reads)
        };
        let mut arrays: HashMap<u64, Reads> = plan.arrays.iter().enumerate().map(reads).collect();
        for stage in &plan.stages {
            for (id, reader) in Reader::all(stage) {
                if let Some(reads) = arrays.get_mut(&keys[id]) {
                    reads.readers.push(reader);
                }
            }
        }
        NextUse {
            arrays,
            stage: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            ended: Mutex::default(),
        }
    }

    /// A stage begins.
    pub fn enter(&self, stage: usize) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.clear();
        self.floor.store(0, Ordering::Relaxed);
        self.stage.store(stage as u64, Ordering::Relaxed);
    }

    /// The number of the running stage.
    pub fn stage(&self) -> usize {
        self.stage.load(Ordering::Relaxed) as usize
    }

    /// An item of it is done.
    pub fn advance(&self, item: usize) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.insert(item as u64);
        let mut floor = self.floor.load(Ordering::Relaxed);
        while ended.remove(&floor) {
            floor += 1;
        }
        self.floor.store(floor, Ordering::Relaxed);
    }

    /// The position of a tile's next use, [`NEVER`] where no item will read it any more; [`UNKNOWN`] for
    /// tiles that outlive the run or are not of the plan.
    pub fn position(&self, key: TileKey) -> u64 {
        let Some(reads) = self.arrays.get(&key.array) else {
            return UNKNOWN;
        };
        let now = self.stage.load(Ordering::Relaxed);
        let floor = self.floor.load(Ordering::Relaxed);
        let tile = reads.grid.region(&reads.grid.block(key.block as usize));
        let mut found = None;
        for reader in reads.readers.iter().filter(|r| r.stage >= now) {
            if found.is_some_and(|(stage, _)| stage < reader.stage) {
                break;
            }
            let from = if reader.stage == now { floor } else { 0 };
            if let Some(item) = reader.next(from, &tile) {
                let place = (reader.stage, item);
                found = Some(found.map_or(place, |have: (u64, u64)| have.min(place)));
            }
        }
        match found {
            Some((stage, item)) => stage * STEPS + item,
            None if reads.kept => UNKNOWN,
            None => NEVER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_number_in_a_box() {
        let counts = [3, 4, 5];
        let (low, high) = ([0, 1, 2], [2, 2, 3]);
        let inside = |n: usize| {
            let at = [n / 20, n / 5 % 4, n % 5];
            (0..3).all(|a| (low[a]..=high[a]).contains(&at[a]))
        };
        for from in 0..70 {
            let want = (from..60).find(|&n| inside(n));
            assert_eq!(next_in_box(&counts, from, &low, &high), want, "{from}");
        }
        assert_eq!(next_in_box(&[], 0, &[], &[]), Some(0));
    }

    #[test]
    fn every_index_is_seen_from_where_a_map_reads_it() {
        for (origin, step) in [(0isize, 1isize), (3, 1), (-2, 1), (1, 3), (9, -1), (11, -2)] {
            let map = AxisMap::Affine {
                axis: 0,
                start: origin as usize,
                step,
            };
            for i in 0..4usize {
                let at = origin + step * i as isize;
                if at < 0 {
                    continue;
                }
                for (before, behind) in [(0, 1), (1, 1), (0, 4)] {
                    let start = (at as usize).saturating_sub(before);
                    let Seen::From(0, low, high) = seen_from(&[&map], start, at as usize + behind) else {
                        panic!("{origin} {step} {i}");
                    };
                    assert!((low..=high).contains(&i), "{origin} {step} {i}: {low} {high}");
                }
            }
        }
        let fixed = AxisMap::Fixed(4);
        assert!(matches!(seen_from(&[&fixed], 0, 4), Seen::Nowhere));
        assert!(matches!(seen_from(&[&fixed], 4, 5), Seen::Anywhere));
    }
}
