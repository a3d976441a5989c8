//! The memory proof: what a plan holds at most on each tier, told before the run.
//!
//! A stage's working set is the number of workers times what one task holds (input buffers, what
//! a reader needs beside them, output blocks, register strips), plus the states of reductions and
//! arrays that must lie whole in memory. Other arrays alive during a stage may leave for the disk.
//! The session reserves exactly these terms, so the proof is an upper bound that is kept.

use super::refusal::refusal;
use super::shared::Read;
use super::stage::{Feed, Input, PlanArray, Stage, StageKind, Variant};
use super::{Limits, TaskSize, strips};
use crate::geometry::{AxisChunks, AxisMap, Region};
use crate::store::{Pool, Sink};
use crate::{Error, Result, human_bytes};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tilewise_kernels::reduce::State;

/// One named part of a working set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Term {
    /// What holds the bytes.
    pub what: String,
    /// How many, all workers together.
    pub bytes: u64,
}

/// What one stage holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StageMemory {
    /// Tasks that run at once.
    pub workers: usize,
    /// Its working set in host memory.
    pub terms: Vec<Term>,
    /// Arrays alive during the stage that may leave for the disk.
    pub spillable: u64,
}

/// The proof of a plan.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MemoryProof {
    /// One entry per stage, in order.
    pub stages: Vec<StageMemory>,
    /// Most bytes in host memory at once.
    pub host: u64,
    /// Most bytes in spill files at once.
    pub disk: u64,
    /// Most bytes in a GPU's memory at once: its budget, within which each task reserves
    /// all that it will hold in one step, or else runs on the CPU.
    pub gpu: u64,
    /// The budget of host memory it was made for.
    pub budget: u64,
}

/// Strips and tables that one running task holds beside its buffers, at least.
pub(crate) const TASK_SCRATCH: u64 = 1 << 20;

/// More shapes of tiles are not told apart.
const MOST_SHAPES: usize = 1 << 12;

/// Terms of what is held without being asked for piece by piece.
const READERS: &str = "readers";
const WRITERS: &str = "writers";
const STRIPS: &str = "register strips";

impl MemoryProof {
    /// The stage that holds most, its arrays that may leave included, and what it holds.
    pub fn peak(&self) -> Option<(usize, &StageMemory)> {
        let held = |memory: &StageMemory| memory.bytes() + memory.spillable;
        let stages = self.stages.iter().enumerate();
        stages.rev().max_by_key(|(_, memory)| held(memory))
    }
}

impl StageMemory {
    /// Bytes of the working set.
    pub fn bytes(&self) -> u64 {
        self.terms.iter().map(|t| t.bytes).sum()
    }

    /// Those bytes that readers, writers and kernels allocate by themselves.
    pub fn beside(&self) -> u64 {
        let beside = |t: &&Term| [READERS, WRITERS, STRIPS].contains(&&t.what[..]);
        self.terms.iter().filter(beside).map(|t| t.bytes).sum()
    }

    /// The largest term.
    pub fn largest(&self) -> Option<&Term> {
        self.terms.iter().max_by_key(|t| t.bytes)
    }
}

/// Whether an input is used where it lies, without a copy.
pub(crate) fn lies_in_memory(input: &Input, arrays: &[PlanArray]) -> bool {
    match &input.feed {
        Feed::Source(source) => source.in_memory().is_some(),
        Feed::Array(id) => arrays[*id].grid.count() == 1,
        Feed::Reshaped { .. } => false,
    }
}

/// Whether a block operation can read an operand where it is brought to: nothing is computed, rows
/// are contiguous, and no step goes back.
pub(crate) fn rows_in_place(variant: &Variant) -> bool {
    let [input] = &variant.inputs[..] else {
        return false;
    };
    let inner = variant.program.rank.checked_sub(1);
    let forward = input.map.axes.iter().all(|m| match m {
        AxisMap::Fixed(_) => true,
        AxisMap::Affine { axis, step, .. } => *step >= 1 && (*step == 1 || Some(*axis) != inner),
        AxisMap::Table { .. } => false,
    });
    let innermost =
        matches!(input.map.axes.last(), Some(AxisMap::Affine { axis, .. }) if Some(*axis) == inner);
    variant.program.is_load() && forward && (innermost || inner.is_none())
}

/// Whether a stage of stored values only copies boxes of one feed, which are then read where they go.
pub(crate) fn copies_boxes(stage: &Stage, variant: &Variant, arrays: &[PlanArray]) -> bool {
    let [input] = &variant.inputs[..] else {
        return false;
    };
    let straight =
        |(at, map): (usize, &AxisMap)| matches!(*map, AxisMap::Affine { axis, step: 1, .. } if axis == at);
    matches!(stage.kind, StageKind::Store)
        && variant.program.is_load()
        && variant.program.insts[0].dtype == input.dtype
        && input.map.axes.len() == input.map.shape.len()
        && input.map.axes.iter().enumerate().all(straight)
        && !lies_in_memory(input, arrays)
}

/// Whether a block operation's operands are read or computed for its blocks, at least one of them.
pub(crate) fn brings(stage: &Stage, arrays: &[PlanArray]) -> bool {
    let in_place = |v: &Variant| rows_in_place(v) && v.inputs.iter().all(|i| lies_in_memory(i, arrays));
    !stage.variants.iter().all(in_place)
}

/// Whether picks along an axis behind the first are gathered piece by piece through a second buffer.
fn gathers_inside(input: &Input) -> bool {
    input.map.axes.iter().skip(1).any(|m| match m {
        AxisMap::Table { .. } => true,
        AxisMap::Affine { step, .. } => step.unsigned_abs() > 1,
        AxisMap::Fixed(_) => false,
    })
}

/// Bytes of one array.
pub(crate) fn array_bytes(array: &PlanArray) -> u64 {
    (array.shape.iter().product::<usize>() * array.dtype.size()) as u64
}

/// What one task over a block of these extents holds beside states: input buffers, readers'
/// scratch, output blocks.
pub(crate) fn task_terms(
    stage: &Stage,
    arrays: &[PlanArray],
    sinks: &[Option<Arc<dyn Sink>>],
    block: &[usize],
    tasks: TaskSize,
) -> Vec<Term> {
    let points: usize = block.iter().product();
    let mut inputs = 0u64;
    let (mut readers, mut pinned, mut strips) = (0u64, 0u64, 0u64);
    let together = matches!(stage.kind, StageKind::Block(_));
    // What the caller gets is written into its memory from a buffer.
    let has_sink = |r: &usize| sinks.get(*r).is_some_and(Option::is_some);
    let to_buffer = stage
        .arrays
        .iter()
        .all(|&id| arrays[id].roots.iter().all(has_sink));
    for (number, variant) in stage.variants.iter().enumerate() {
        let mut copied = 0u64;
        let reach = stage.reach(number, block);
        strips = strips.max(strips::bytes(&variant.program, reach.iter().product()));
        if together && !rows_in_place(variant) {
            let value = variant.program.insts[variant.program.outputs[0].value()].dtype;
            copied += Pool::held_bytes(reach.iter().product::<usize>() * value.size());
        }
        for (numbers, bound) in Read::apart(&variant.reads, &variant.inputs, arrays, &reach) {
            let input = &variant.inputs[numbers[0]];
            let bytes = bound.iter().product::<usize>() * input.dtype.size();
            if lies_in_memory(input, arrays) {
                // What a card takes of it is brought together where it lies far apart.
                if tasks.card.is_some() {
                    let times = 1 + u64::from(gathers_inside(input));
                    copied += times * Pool::held_bytes(bytes);
                }
                continue;
            }
            if !to_buffer || tasks.card.is_some() || !copies_boxes(stage, variant, arrays) {
                copied += Pool::held_bytes(bytes);
            }
            if gathers_inside(input) {
                copied += Pool::held_bytes(bytes);
            }
            match input.feed.base() {
                Feed::Source(source) => {
                    let region = if matches!(input.feed, Feed::Source(_)) {
                        Region::new(vec![0; bound.len()], bound)
                    } else {
                        Region::whole(source.shape())
                    };
                    readers = readers.max(source.scratch_bytes(&region) as u64);
                }
                // Tiles are pinned one after another while they are gathered.
                Feed::Array(id) => pinned = pinned.max(tile_bytes(&arrays[*id])),
                Feed::Reshaped { .. } => {}
            }
        }
        // Operands are held together, variants one at a time.
        inputs = if together {
            inputs + copied
        } else {
            inputs.max(copied)
        };
    }
    let mut outputs = 0u64;
    let mut writers = 0u64;
    if !matches!(stage.kind, StageKind::Reduce { .. }) {
        let extra = match &stage.kind {
            StageKind::Custom(_) => {
                let program = &stage.variants[0].program;
                let values = program
                    .outputs
                    .iter()
                    .map(|o| program.insts[o.value()].dtype.size());
                values.sum::<usize>() * points
            }
            _ => 0,
        };
        outputs += Pool::held_bytes(extra);
        // Parts of a block are computed on their own and brought together.
        let in_parts = stage.joins_parts(tasks) && stage.variants.len() > 1;
        for &id in &stage.arrays {
            if in_parts {
                outputs += Pool::held_bytes(points * arrays[id].dtype.size());
            }
            outputs += Pool::held_bytes(points * arrays[id].dtype.size());
            if arrays[id].grid != stage.grid {
                outputs += tile_bytes(&arrays[id]); // the piece being cut out
            }
            for sink in arrays[id]
                .roots
                .iter()
                .filter_map(|&r| sinks.get(r).and_then(Option::as_ref))
            {
                let region = Region::new(vec![0; block.len()], block.to_vec());
                writers = writers.max(sink.scratch_bytes(&region) as u64);
            }
        }
    }
    let beside = match &stage.kind {
        StageKind::Block(op) => (op.scratch_bytes(block) + 8 * op.carry_words(block)) as u64,
        _ => 0,
    };
    [
        ("block operation", beside),
        ("input buffers", inputs),
        (READERS, readers),
        ("tiles being read", pinned),
        ("output blocks", outputs),
        (WRITERS, writers),
    ]
    .into_iter()
    .filter(|(_, bytes)| *bytes > 0)
    .map(|(what, bytes)| Term {
        what: what.into(),
        bytes,
    })
    .chain([Term {
        what: STRIPS.into(),
        bytes: strips.max(TASK_SCRATCH),
    }])
    .collect()
}

/// Bytes of the states of one run of a reduction over blocks of these extents.
pub(crate) fn run_bytes(stage: &Stage, block: &[usize]) -> u64 {
    let StageKind::Reduce { reductions, .. } = &stage.kind else {
        return 0;
    };
    let program = &stage.variants[0].program;
    let len: usize = stage.state_shape(block).iter().product();
    reductions
        .iter()
        .zip(&program.outputs)
        .map(|(r, out)| State::bytes_for(*r, program.insts[out.value()].dtype, len) as u64)
        .sum()
}

/// How many runs of a reduction, the oldest that has not ended included, may have begun: a worker that
/// is ahead of a slow one starts half as many more, and then waits.
pub(crate) fn runs_ahead(workers: usize) -> usize {
    workers + workers.div_ceil(2)
}

/// States alive at once on so many workers: one for each run that may have begun, and one in which those
/// before the oldest are merged.
pub(super) fn live_states(segments: usize, kept: usize, workers: usize) -> usize {
    match segments {
        0 | 1 => workers.min(kept),
        _ => (runs_ahead(workers) + 1).min(segments * kept),
    }
}

/// Bytes of all reduction states alive at once for blocks of these extents.
pub(crate) fn state_bytes(stage: &Stage, block: &[usize], workers: usize) -> u64 {
    let StageKind::Reduce { segments, .. } = &stage.kind else {
        return 0;
    };
    let live = live_states(*segments, kept_block_count(stage), workers);
    run_bytes(stage, block) * live as u64
}

/// Number of blocks along kept axes.
pub(crate) fn kept_block_count(stage: &Stage) -> usize {
    let folded = stage.folded();
    stage
        .grid
        .grid()
        .iter()
        .zip(folded)
        .filter(|(_, f)| !f)
        .map(|(n, _)| n)
        .product()
}

impl MemoryProof {
    /// The proof of a plan, whose stages have their workers chosen.
    ///
    /// # Errors
    /// [`Error::Memory`] with the term that breaks the budget and what would fit.
    pub(crate) fn new(
        stages: &[Stage],
        workers: &[usize],
        arrays: &[PlanArray],
        sinks: &[Option<Arc<dyn Sink>>],
        results: u64,
        limits: Limits,
    ) -> Result<MemoryProof> {
        let (budget, disk_budget) = (limits.host, limits.disk);
        let mut proof = MemoryProof {
            budget,
            gpu: limits.tasks.card.map_or(0, |card| card.memory),
            ..MemoryProof::default()
        };
        let mut worst: Option<(&Stage, StageMemory)> = None;
        let kept_as_tiles = |array: &PlanArray| if array.stored { stored_bytes(array) } else { 0 };
        let stored: Vec<u64> = arrays.iter().map(kept_as_tiles).collect();
        for (stage, &workers) in stages.iter().zip(workers) {
            let block = stage.grid.largest();
            let mut memory = StageMemory {
                workers,
                terms: Vec::new(),
                spillable: 0,
            };
            for term in task_terms(stage, arrays, sinks, &block, limits.tasks) {
                memory.terms.push(Term {
                    bytes: term.bytes * workers as u64,
                    what: term.what,
                });
            }
            let states = state_bytes(stage, &block, workers);
            if states > 0 {
                memory.terms.push(Term {
                    what: "reduction states".into(),
                    bytes: states,
                });
                let finished: u64 = stage.arrays.iter().map(|&id| tile_bytes(&arrays[id])).sum();
                memory.terms.push(Term {
                    what: "finished tiles".into(),
                    bytes: finished * workers as u64,
                });
            }
            let pinned = pinned_bytes(stage, arrays);
            if pinned > 0 {
                memory.terms.push(Term {
                    what: "arrays read in place".into(),
                    bytes: pinned,
                });
            }
            if results > 0 {
                memory.terms.push(Term {
                    what: "results".into(),
                    bytes: results,
                });
            }
            let alive = arrays
                .iter()
                .zip(&stored)
                .filter(|(a, _)| a.made_by <= stage.id && stage.id <= a.last_use);
            let alive: u64 = alive.map(|(_, bytes)| bytes).sum();
            memory.spillable = alive.saturating_sub(pinned);
            let need = memory.bytes();
            if need > budget {
                // The stage that asks for most says what would do for all.
                if worst.as_ref().is_none_or(|(_, other)| other.bytes() < need) {
                    worst = Some((stage, memory));
                }
                continue;
            }
            let host = (need + memory.spillable).min(budget);
            let disk = (need + memory.spillable + limits.kept).saturating_sub(budget);
            if disk > disk_budget {
                return Err(Error::Memory {
                    tier: "disk",
                    needed: disk,
                    budget: disk_budget,
                    term: format!(
                        "stage {} keeps {} of arrays beside its working set; give more with --memory or spill space",
                        stage.id,
                        human_bytes(memory.spillable + limits.kept)
                    ),
                });
            }
            proof.host = proof.host.max(host);
            proof.disk = proof.disk.max(disk);
            proof.stages.push(memory);
        }
        if let Some((stage, memory)) = worst {
            return Err(refusal(stage, &memory, limits));
        }
        Ok(proof)
    }
}

/// Bytes of all tiles of an array, with what buffers are rounded up to; a little more where tiles have very
/// many shapes.
pub(crate) fn stored_bytes(array: &PlanArray) -> u64 {
    let axes: Vec<BTreeMap<usize, usize>> = array.grid.axes().iter().map(AxisChunks::extents).collect();
    let shapes = axes
        .iter()
        .fold(1usize, |n, extents| n.saturating_mul(extents.len()));
    if shapes > MOST_SHAPES {
        return array.grid.count() as u64 * tile_bytes(array);
    }
    // Bytes of a tile so far, and how many have them.
    let mut tiles = vec![(array.dtype.size(), 1u64)];
    for extents in axes {
        let each = |&(bytes, count): &(usize, u64)| {
            let grown = extents
                .iter()
                .map(move |(&n, &times)| (bytes * n, count * times as u64));
            grown.collect::<Vec<_>>()
        };
        tiles = tiles.iter().flat_map(each).collect();
    }
    let held = tiles
        .into_iter()
        .map(|(bytes, count)| count * Pool::held_bytes(bytes));
    held.sum()
}

/// Bytes of the largest tile of an array.
fn tile_bytes(array: &PlanArray) -> u64 {
    Pool::held_bytes(array.grid.largest().iter().product::<usize>() * array.dtype.size())
}

/// Bytes of arrays that a stage reads where they lie.
pub(crate) fn pinned_bytes(stage: &Stage, arrays: &[PlanArray]) -> u64 {
    let mut ids: Vec<usize> = stage
        .variants
        .iter()
        .flat_map(|v| &v.inputs)
        .filter(|i| lies_in_memory(i, arrays))
        .filter_map(|i| {
            if let Feed::Array(id) = i.feed {
                Some(id)
            } else {
                None
            }
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids.iter()
        .map(|&id| Pool::held_bytes(array_bytes(&arrays[id]) as usize))
        .sum()
}

impl fmt::Display for MemoryProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "memory: host {} of {}, disk {}",
            human_bytes(self.host),
            human_bytes(self.budget),
            human_bytes(self.disk)
        )?;
        if self.gpu > 0 {
            write!(f, ", gpu {} at most", human_bytes(self.gpu))?;
        }
        match self.peak().filter(|_| self.stages.len() > 1) {
            Some((stage, _)) => writeln!(f, "; most in stage {stage}")?,
            None => writeln!(f)?,
        }
        for (id, stage) in self.stages.iter().enumerate() {
            let terms: Vec<String> = stage
                .terms
                .iter()
                .map(|t| format!("{} {}", t.what, human_bytes(t.bytes)))
                .collect();
            write!(f, "  stage {id}: {} workers, {}", stage.workers, terms.join(", "))?;
            match stage.spillable {
                0 => writeln!(f)?,
                bytes => writeln!(f, "; {} may spill", human_bytes(bytes))?,
            }
        }
        Ok(())
    }
}
