//! Building a plan: specs become stages with grids and workers that fit the budget.

use super::across;
use super::grid;
use super::grow::{Fitting, LEAST_AT_ONCE, doubled};
use super::lower::{Cuts, Lowering};
use super::memory::{self, MemoryProof};
use super::partition::{Partition, Spec, SpecKind, feed_of};
use super::program::{AxisRole, Output};
use super::rules::Rewriter;
use super::shared::Read;
use super::stage::{Feed, PlanArray, Stage, StageKind, Variant};
use super::{Destination, Limits, Plan, Root, TaskSize};
use crate::expr::{Expr, NodeKind};
use crate::geometry::{Chunks, IndexMap, row_major_strides};
use crate::store::{Pool, Sink};
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// A grid is chosen as if this many tasks ran at once, so that it depends on the budget alone.
pub(super) const NOMINAL_WORKERS: usize = 4;
/// Blocks are not cut below this for the sake of parallelism.
pub(super) const SMALL_BYTES: usize = 256 << 10;

/// See [`Plan::new`].
pub(super) fn build(roots: &[Root], limits: Limits) -> Result<Plan> {
    let mut rewriter = Rewriter::default();
    let exprs: Vec<Expr> = roots
        .iter()
        .map(|r| rewriter.rewrite(&r.expr))
        .collect::<Result<_>>()?;
    let sinks: Vec<Option<Arc<dyn Sink>>> = roots
        .iter()
        .map(|r| {
            if let Destination::Sink(sink) = &r.to {
                Some(sink.clone())
            } else {
                None
            }
        })
        .collect();
    let mut partition = Partition::new(limits);
    let exprs: Vec<Expr> = exprs
        .iter()
        .zip(&sinks)
        .map(|(expr, sink)| partition.root(expr, sink.as_ref().and_then(sink_chunks).as_ref()))
        .collect::<Result<_>>()?;
    let specs = partition.merged();

    let results: u64 = roots
        .iter()
        .filter(|r| matches!(r.to, Destination::Result))
        .map(|r| (r.expr.len() * r.expr.dtype.size()) as u64)
        .sum();

    let mut builder = Builder {
        feeds: HashMap::new(),
        arrays: Vec::new(),
        stages: Vec::new(),
    };
    let mut workers = Vec::new();
    for spec in &specs {
        builder.add(spec, &exprs, roots)?;
        let used = builder.fit(spec, &sinks, results, limits)?;
        workers.push(used);
    }
    let Builder {
        feeds,
        mut arrays,
        stages,
    } = builder;
    let roots_at: Vec<usize> = exprs
        .iter()
        .map(|expr| match feeds.get(&expr.id()) {
            Some(Feed::Array(id)) => Ok(*id),
            _ => Err(Error::invalid(format!("the planner lost the output {expr:?}"))),
        })
        .collect::<Result<_>>()?;
    note_uses(&stages, &mut arrays);
    let memory = MemoryProof::new(&stages, &workers, &arrays, &sinks, results, limits)?;
    let mut rewrites: Vec<(String, usize)> = rewriter
        .applied
        .into_iter()
        .map(|(name, n)| (name.to_string(), n))
        .collect();
    rewrites.sort();
    let destinations = roots.iter().map(|r| r.to.clone()).collect();
    Ok(Plan {
        stages,
        arrays,
        roots: roots_at,
        destinations,
        memory,
        rewrites,
        seconds: 0.0,
    })
}

/// Notes for each array the last stage that reads it.
fn note_uses(stages: &[Stage], arrays: &mut [PlanArray]) {
    for stage in stages {
        for input in stage.variants.iter().flat_map(|v| &v.inputs) {
            if let Feed::Array(id) = input.feed.base() {
                arrays[*id].last_use = arrays[*id].last_use.max(stage.id);
                arrays[*id].stored = true;
            }
        }
    }
}

/// An iteration space: its shape, grid, cuts, and variants.
type Space = (Vec<usize>, Chunks, Vec<Vec<usize>>, Vec<Variant>);

pub(super) struct Builder {
    feeds: HashMap<u128, Feed>,
    pub(super) arrays: Vec<PlanArray>,
    pub(super) stages: Vec<Stage>,
}

impl Builder {
    /// Lowers a spec to a stage with a provisional grid.
    fn add(&mut self, spec: &Spec, roots: &[Expr], wanted: &[Root]) -> Result<()> {
        let id = self.stages.len();
        self.find_feeds(&spec.values);
        let (shape, grid, starts, variants) = match &spec.kind {
            SpecKind::Block(_) => self.operands(spec)?,
            _ => self.parts(spec)?,
        };
        let kind = match &spec.kind {
            SpecKind::Store => StageKind::Store,
            SpecKind::Custom(custom) => StageKind::Custom(custom.clone()),
            SpecKind::Block(op) => StageKind::Block(op.clone()),
            SpecKind::Reduce {
                reductions, group, ..
            } => StageKind::Reduce {
                roles: spec.roles(),
                labels: group.as_ref().map(|g| (g.axis, g.labels.clone())),
                reductions: reductions.clone(),
                segments: 1,
            },
        };
        let mut arrays = Vec::new();
        for made in &spec.makes {
            let at: Vec<usize> = (0..roots.len()).filter(|&r| roots[r] == *made).collect();
            let kept = at.iter().any(|&r| matches!(wanted[r].to, Destination::Keep));
            self.arrays.push(PlanArray {
                value: made.clone(),
                shape: made.shape.clone(),
                dtype: made.dtype,
                grid: made.chunks.clone(),
                made_by: id,
                last_use: id,
                roots: at,
                stored: kept,
            });
            arrays.push(self.arrays.len() - 1);
        }
        self.stages.push(Stage {
            id,
            grid,
            shape,
            cuts: starts,
            variants,
            kind,
            arrays: arrays.clone(),
            reason: spec.reason.to_string(),
        });
        for (made, array) in spec.makes.iter().zip(arrays) {
            self.feeds.insert(made.id(), Feed::Array(array));
        }
        Ok(())
    }

    /// The iteration space of a stage, its grid, cuts, and a variant per part between cuts.
    fn parts(&self, spec: &Spec) -> Result<Space> {
        let shape = spec.values[0].shape.clone();
        let map = IndexMap::identity(&shape);
        let mut cuts = Cuts::new(&self.feeds, shape.len());
        spec.values.iter().for_each(|v| cuts.collect(v, &map));
        let starts: Vec<Vec<usize>> = cuts
            .starts
            .iter()
            .map(|s| [0].into_iter().chain(s.iter().copied()).collect())
            .collect();

        let parts = Chunks::new(
            starts
                .iter()
                .map(|s| crate::geometry::AxisChunks::regular(s.len(), 1))
                .collect(),
        );
        let variants = (0..parts.count())
            .map(|n| {
                let part: Vec<usize> = parts
                    .block(n)
                    .iter()
                    .zip(&starts)
                    .map(|(&p, s)| s.get(p).copied().unwrap_or(0))
                    .collect();
                self.variant(spec, &map, &part)
            })
            .collect::<Result<Vec<Variant>>>()?;

        Ok((shape, spec.values[0].chunks.clone(), starts, variants))
    }

    /// The same for a block operation: the space is the result's, the variants are the operands.
    fn operands(&self, spec: &Spec) -> Result<Space> {
        let made = &spec.makes[0];
        let operands = spec.values.iter().map(|operand| {
            let origin = vec![0; operand.rank()];
            let mut lowering = Lowering::new(&self.feeds, &origin);
            let reg = lowering.value(operand, &IndexMap::identity(&operand.shape))?;
            lowering.finish(vec![Output::Store(reg)])
        });
        let starts = vec![vec![0]; made.rank()];
        Ok((
            made.shape.clone(),
            made.chunks.clone(),
            starts,
            operands.collect::<Result<_>>()?,
        ))
    }

    /// Notes the feeds of sources and reshapes below some expressions.
    fn find_feeds(&mut self, exprs: &[Expr]) {
        let mut stack: Vec<Expr> = exprs.to_vec();
        let mut seen = std::collections::HashSet::new();
        while let Some(expr) = stack.pop() {
            if self.feeds.contains_key(&expr.id()) || !seen.insert(expr.id()) {
                continue;
            }
            if let NodeKind::Source(_) | NodeKind::Reshape = expr.kind
                && let Some(feed) = feed_of(&expr, &self.feeds)
            {
                self.feeds.insert(expr.id(), feed);
            } else {
                stack.extend(expr.inputs.iter().cloned());
            }
        }
    }

    fn variant(&self, spec: &Spec, map: &IndexMap, part: &[usize]) -> Result<Variant> {
        let mut lowering = Lowering::new(&self.feeds, part);
        let mut outputs = Vec::new();
        for (number, value) in spec.values.iter().enumerate() {
            let reg = lowering.value(value, map)?;
            outputs.push(match &spec.kind {
                SpecKind::Reduce { reductions, .. } => Output::Reduce {
                    value: reg,
                    reduction: reductions[number],
                    roles: spec.roles(),
                    index_steps: index_steps(&value.shape, &spec.roles()),
                },
                _ => Output::Store(reg),
            });
        }
        lowering.finish(outputs)
    }

    /// Chooses the grid of the newest stage and how many of its tasks run at once.
    fn fit(
        &mut self,
        spec: &Spec,
        sinks: &[Option<Arc<dyn Sink>>],
        results: u64,
        limits: Limits,
    ) -> Result<usize> {
        let Some(mut stage) = self.stages.pop() else {
            return Ok(1);
        };
        if let StageKind::Block(op) = stage.kind.clone() {
            return self.fit_blocks(stage, spec, &op, sinks, results, limits);
        }
        let hint = self.hint(&stage, spec, sinks);
        let starts: Vec<_> = stage
            .cuts
            .iter()
            .map(|s| s.iter().skip(1).copied().collect())
            .collect();
        let per_point = bytes_per_point(&stage, &self.arrays, limits.tasks).max(1);
        let total = stage.shape.iter().product::<usize>().saturating_mul(per_point);
        let target = limits
            .tasks
            .bytes
            .min((total / limits.tasks.parts).max(SMALL_BYTES));
        let fixed = memory::pinned_bytes(&stage, &self.arrays) + results;
        let room = limits.host.saturating_sub(fixed);
        let whole_chunks = self.reads_whole_chunks(&stage, sinks);

        if let StageKind::Custom(_) = stage.kind {
            return self.fit_exactly(stage, spec, &hint, &starts, sinks, room, limits);
        }
        let joins = stage.joins_parts(limits.tasks);
        let refine = |chosen: &Chunks| match joins {
            true => chosen.clone(),
            false => grid::refine(chosen, &starts),
        };
        let mut bytes = target;
        let mut limit = if whole_chunks {
            (room as usize / NOMINAL_WORKERS).max(bytes)
        } else {
            bytes
        };
        loop {
            let chosen = grid::choose(&hint, bytes / per_point, (limit / per_point).max(1));
            stage.grid = refine(&chosen);
            let on_host = limits.tasks.card.is_none();
            let across = across::grid(&stage, &self.arrays, limits.tasks, bytes);
            let least = across.is_some() && on_host;
            let bands = || across::bands(&stage, &self.arrays, room, (bytes / per_point).max(1));
            let bands = if across.is_none() && on_host {
                bands()
            } else {
                None
            };
            let (cut_across, in_bands) = (across.is_some() || bands.is_some(), bands.is_some());
            stage.grid = across.or(bands).unwrap_or(stage.grid);
            set_segments(&mut stage, room, limits.tasks.parts);
            self.place_arrays(&stage, spec);
            let block = stage.grid.largest();
            let fits = |workers: usize| {
                let task: u64 = memory::task_terms(&stage, &self.arrays, sinks, &block, limits.tasks)
                    .iter()
                    .map(|t| t.bytes)
                    .sum();
                let finished = finished_bytes(&stage, &self.arrays, &block);
                (task + finished) * workers as u64 + memory::state_bytes(&stage, &block, workers) <= room
            };
            let smallest = least || block.iter().product::<usize>() <= 1;
            let enough = match (limit > SMALL_BYTES, in_bands) {
                (true, true) => LEAST_AT_ONCE,
                (true, false) => NOMINAL_WORKERS,
                (false, _) => 1,
            };
            if fits(enough) || smallest {
                let most = (1..=limits.workers.max(1)).rev().find(|&w| fits(w)).unwrap_or(1);
                if cut_across || !on_host {
                    self.stages.push(stage);
                    return Ok(most);
                }
                let fitting = Fitting {
                    spec,
                    sinks,
                    room,
                    limits,
                };
                let has = stage.grid.largest().iter().product::<usize>() * per_point;
                let grids = doubled(has, total).map(|bytes| {
                    let chosen = grid::choose(&hint, bytes / per_point, bytes / per_point);
                    refine(&chosen)
                });
                return Ok(self.grow(stage, &fitting, most, grids));
            }
            limit = limit.min(block.iter().product::<usize>() * per_point) / 2;
            bytes = bytes.min(limit);
        }
    }

    /// A closure sees exactly the chunks that its user asked for.
    fn fit_exactly(
        &mut self,
        mut stage: Stage,
        spec: &Spec,
        chunks: &Chunks,
        starts: &[std::collections::BTreeSet<usize>],
        sinks: &[Option<Arc<dyn Sink>>],
        room: u64,
        limits: Limits,
    ) -> Result<usize> {
        stage.grid = grid::refine(chunks, starts);
        let block = stage.grid.largest();
        self.place_arrays(&stage, spec);
        let terms = memory::task_terms(&stage, &self.arrays, sinks, &block, limits.tasks);
        let task: u64 = terms.iter().map(|t| t.bytes).sum();
        let most = (room / task.max(1)).clamp(1, limits.workers.max(1) as u64);
        self.stages.push(stage);
        Ok(most as usize)
    }

    /// The grid that blocks should follow: the sink's, the asked-for, or the expression's chunks.
    fn hint(&self, stage: &Stage, spec: &Spec, sinks: &[Option<Arc<dyn Sink>>]) -> Chunks {
        let sink = stage
            .arrays
            .iter()
            .flat_map(|&id| &self.arrays[id].roots)
            .find_map(|&r| sinks[r].as_ref().and_then(sink_chunks));
        match (&stage.kind, sink) {
            (StageKind::Store, Some(grid)) => grid,
            (StageKind::Store, None) if matches!(spec.values[0].kind, NodeKind::Rechunk) => {
                inner_chunks(&spec.values[0])
            }
            _ => spec.values[0].chunks.clone(),
        }
    }

    /// Whether cutting below the hint would read or write chunks several times.
    fn reads_whole_chunks(&self, stage: &Stage, sinks: &[Option<Arc<dyn Sink>>]) -> bool {
        let sources = stage
            .variants
            .iter()
            .flat_map(|v| &v.inputs)
            .any(|i| match i.feed.base() {
                Feed::Source(source) => source.chunks().is_some_and(|c| c != source.shape()),
                _ => false,
            });
        let targets = stage.arrays.iter().flat_map(|&id| &self.arrays[id].roots);
        sources
            || targets
                .filter_map(|&r| sinks[r].as_ref())
                .any(|s| s.chunks().is_some())
    }

    /// Gives the stage's arrays their tile grids.
    pub(super) fn place_arrays(&mut self, stage: &Stage, spec: &Spec) {
        for (number, &id) in stage.arrays.iter().enumerate() {
            let array = &mut self.arrays[id];
            array.grid = match &stage.kind {
                StageKind::Reduce { roles, .. } => Chunks::new(
                    roles
                        .iter()
                        .zip(stage.grid.axes())
                        .filter_map(|(role, axis)| match role {
                            AxisRole::Keep => Some(axis.clone()),
                            AxisRole::Reduce => None,
                            AxisRole::Group { groups } => {
                                Some(crate::geometry::AxisChunks::regular(*groups, *groups))
                            }
                        })
                        .collect(),
                ),
                StageKind::Store => match spec.makes.get(number) {
                    // Tiles are the pieces that both grids cut, so that each is written and read whole.
                    Some(made) if matches!(made.kind, NodeKind::Rechunk) => {
                        grid::common(&stage.grid, &made.chunks)
                    }
                    _ => match &spec.read_in {
                        Some(reads) => grid::common(&stage.grid, reads),
                        None => stage.grid.clone(),
                    },
                },
                StageKind::Custom(_) | StageKind::Block(_) => stage.grid.clone(),
            };
        }
    }
}

/// The chunks in which a sink is written.
fn sink_chunks(sink: &Arc<dyn Sink>) -> Option<Chunks> {
    sink.chunks().map(|chunk| Chunks::regular(sink.shape(), chunk))
}

/// The chunk grid below a rechunk.
fn inner_chunks(expr: &Expr) -> Chunks {
    match expr.kind {
        NodeKind::Rechunk => inner_chunks(&expr.inputs[0]),
        _ => expr.chunks.clone(),
    }
}

/// Bytes that one point of the iteration space adds to a task, broadcast inputs left out, and those that
/// are read in place: by the CPU, or for results whose size counts.
fn bytes_per_point(stage: &Stage, arrays: &[PlanArray], tasks: TaskSize) -> usize {
    let sent = tasks.card.is_some() && matches!(stage.kind, StageKind::Reduce { .. });
    let inputs = stage.variants.iter().map(|v| {
        let reads = Read::apart(&v.reads, &v.inputs, arrays, &stage.shape);
        reads
            .map(|(inputs, _)| &v.inputs[inputs[0]])
            .filter(|i| i.map.axes.len() >= i.map.shape.len())
            .filter(|i| sent || !memory::lies_in_memory(i, arrays))
            .map(|i| i.dtype.size())
            .sum::<usize>()
    });
    let outputs: usize = match stage.kind {
        StageKind::Reduce { .. } => 0,
        _ => stage.arrays.iter().map(|&id| arrays[id].dtype.size()).sum(),
    };
    inputs.max().unwrap_or(0) + outputs
}

/// Bytes of the tiles that a finished reduction block gives.
pub(super) fn finished_bytes(stage: &Stage, arrays: &[PlanArray], block: &[usize]) -> u64 {
    match stage.kind {
        StageKind::Reduce { .. } => {
            let len: usize = stage.state_shape(block).iter().product();
            stage
                .arrays
                .iter()
                .map(|&id| Pool::held_bytes(len * arrays[id].dtype.size()))
                .sum()
        }
        _ => 0,
    }
}

/// Chooses in how many runs the folded blocks of a reduction are fed, so that few kept blocks
/// still give work to several threads and their states stay a small part of the memory: a quarter,
/// or half of it where that is what work for several threads takes.
pub(super) fn set_segments(stage: &mut Stage, room: u64, parts: usize) {
    let kept = memory::kept_block_count(stage).max(1);
    let folded = (stage.grid.count() / kept).max(1);
    let wanted = parts.div_ceil(kept).min(folded);
    let block = stage.grid.largest();
    let set = |stage: &mut Stage, n: usize| {
        if let StageKind::Reduce { segments, .. } = &mut stage.kind {
            *segments = n;
        }
    };
    set(stage, 1);
    let one = memory::run_bytes(stage, &block).max(1);
    let states = |n: usize| one * memory::live_states(n, kept, NOMINAL_WORKERS) as u64;
    let fits = |&n: &usize| states(n) <= room / 4 || (n <= NOMINAL_WORKERS && states(n) <= room / 2);
    set(stage, (2..=wanted).rev().find(fits).unwrap_or(1));
}

/// What one step along each axis adds to the index that `argmin` and the like speak of: the
/// row-major number within the reduced axes, or the index along a grouped axis.
fn index_steps(shape: &[usize], roles: &[AxisRole]) -> Vec<i64> {
    let folded: Vec<usize> = shape
        .iter()
        .zip(roles)
        .filter(|(_, r)| **r != AxisRole::Keep)
        .map(|(&n, _)| n)
        .collect();
    let mut steps = row_major_strides(&folded).into_iter();
    roles
        .iter()
        .map(|role| match role {
            AxisRole::Keep => 0,
            _ => steps.next().map_or(0, |s| s as i64),
        })
        .collect()
}
