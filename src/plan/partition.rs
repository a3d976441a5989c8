//! Partition: which expressions become arrays, and which of them share a stage.
//!
//! Elementwise ops and views never become arrays of their own: they are recomputed in each stage
//! that reads them, which costs less than moving tiles. Barriers do: reductions, closures, what is
//! reshaped after a view, a grid change that a source would pay for many times, and costly values of a small array that is broadcast over a large one.
//! Stages of the same depth, iteration space and source are merged, so that a source is read
//! once for several outputs.

use super::program::AxisRole;
use super::stage::Feed;
use super::{Limits, TaskSize, grid, reading};
use crate::Result;
use crate::expr::{BlockOp, Custom, Expr, Group, NodeKind};
use crate::geometry::{AxisMap, Chunks};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tilewise_kernels::Reduction;

/// A stage before lowering.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// Stages of a smaller depth come first.
    pub depth: usize,
    /// What it does.
    pub kind: SpecKind,
    /// The expressions whose values its program computes, all of the iteration space's shape.
    pub values: Vec<Expr>,
    /// The expressions that its arrays stand for.
    pub makes: Vec<Expr>,
    /// Why it is a stage.
    pub reason: &'static str,
    /// The blocks in which a later stage reads it, where they should not cut tiles.
    pub read_in: Option<Chunks>,
}

/// What a stage does with its values.
#[derive(Clone, Debug)]
pub(crate) enum SpecKind {
    /// Stores each.
    Store,
    /// Reduces each.
    Reduce {
        reductions: Vec<Reduction>,
        axes: Vec<usize>,
        group: Option<Group>,
    },
    /// Hands them to a closure.
    Custom(Custom),
    /// Hands parts of each, which have shapes of their own, to a block operation.
    Block(Arc<dyn BlockOp>),
}

/// Splits graphs into stage specs.
pub(crate) struct Partition {
    /// Specs in order of discovery; dependencies come first.
    pub specs: Vec<Spec>,
    depths: HashMap<u128, usize>,
    made: HashSet<u128>,
    limits: Limits,
}

/// A small array is computed once when it is broadcast over at least this many times its size.
const BROADCAST_FACTOR: usize = 8;
/// Why data that is costly to read in the blocks that are wanted is put into tiles first.
const REGRIDDED: &str = "rechunked through tiles";
/// Blocks are grown to so many hundredths of the memory to read data in longer pieces.
const GROWN: u64 = 40;

impl Partition {
    /// An empty partition for plans within those limits.
    pub fn new(limits: Limits) -> Partition {
        Partition {
            specs: Vec::new(),
            depths: HashMap::new(),
            made: HashSet::new(),
            limits,
        }
    }

    /// Adds a root, which becomes an array; `sink` are the chunks in which it is written. Returns what
    /// stands for the root: the same, or its tiles brought together chunk by chunk.
    pub fn root(&mut self, expr: &Expr, sink: Option<&Chunks>) -> Result<Expr> {
        let depth = self.visit(expr);
        if let Some(chunks) = sink {
            let tiles = match self.is_array(expr) {
                true => matches!(expr.kind, NodeKind::Rechunk),
                false => self.is_costly(expr, chunks),
            };
            if tiles {
                if !self.is_array(expr) {
                    self.store(expr, depth, REGRIDDED);
                    if let Some(spec) = self.specs.last_mut() {
                        spec.read_in = Some(chunks.clone());
                    }
                }
                let whole = expr.in_chunks(chunks.clone());
                self.store(&whole, depth + 1, "output");
                return Ok(whole);
            }
        }
        if !self.is_array(expr) {
            self.store(expr, depth, "output");
        }
        Ok(expr.clone())
    }

    /// Whether a source of the grid's shape below an expression is costly to read by `chunks`, joined as
    /// far as memory allows.
    fn is_costly(&self, expr: &Expr, chunks: &Chunks) -> bool {
        let size = sizes(expr);
        let most = (self.limits.host / 100 * GROWN) as usize / size.max(1);
        let block = grid::choose(chunks, most, most.max(1)).largest();
        costly(expr, &block, self.threshold(expr))
    }

    /// From which factor on an expression goes through tiles: sooner where they need not leave memory.
    fn threshold(&self, expr: &Expr) -> f64 {
        let bytes = (expr.len() * expr.dtype.size()) as u64;
        match bytes <= self.limits.host / 2 {
            true => reading::CHEAP,
            false => reading::COSTLY,
        }
    }

    /// Whether the expression stands for an array or outside data.
    fn is_array(&self, expr: &Expr) -> bool {
        self.made.contains(&expr.id())
    }

    fn store(&mut self, expr: &Expr, depth: usize, reason: &'static str) {
        self.push(Spec {
            depth,
            kind: SpecKind::Store,
            values: vec![expr.clone()],
            makes: vec![expr.clone()],
            reason,
            read_in: None,
        });
    }

    /// Stores those operands of a block operation that its blocks could not compute for
    /// themselves, or only many times over; returns the depth at which all are there.
    fn prepare(&mut self, expr: &Expr, op: &Arc<dyn BlockOp>, mut depth: usize) -> usize {
        for (number, operand) in expr.inputs.iter().enumerate() {
            if self.is_array(operand) || operand.is_empty() {
                continue;
            }
            let outside = matches!(operand.kind, NodeKind::Source(_));
            let tasks = TaskSize::CPU;
            let bound = |bytes: usize| super::block::parts(op, expr, number, TaskSize { bytes, ..tasks });
            let reads = Chunks::regular(&operand.shape, &bound(tasks.bytes));
            let most = (self.limits.host / 100 * GROWN) as usize;
            // Operations in steps choose pieces to read by themselves.
            let steps = op
                .in_steps(&expr.shape, tasks.bytes, tasks.parts, false)
                .is_some();
            let threshold = if steps {
                reading::COSTLY_IN_STEPS
            } else {
                reading::COSTLY
            };
            let reason = if costly(operand, &bound(most.max(tasks.bytes)), threshold) {
                REGRIDDED
            } else if !outside && holds_concat(operand) {
                "concatenated for whole blocks"
            } else if op.rereads(number) && costs_more_than_a_load(operand) {
                "needed by many blocks"
            } else {
                continue;
            };
            self.store(operand, depth, reason);
            if let Some(spec) = self.specs.last_mut() {
                spec.read_in = Some(reads);
            }
        }
        let made = expr.inputs.iter().filter_map(|i| self.depths.get(&i.id()));
        depth = made.copied().max().unwrap_or(0).max(depth);
        depth
    }

    fn push(&mut self, spec: Spec) {
        for expr in &spec.makes {
            self.made.insert(expr.id());
            self.depths.insert(expr.id(), spec.depth + 1);
        }
        self.specs.push(spec);
    }

    /// Makes specs for the barriers below `expr`; returns the depth at which it can be computed.
    fn visit(&mut self, expr: &Expr) -> usize {
        if let Some(&depth) = self.depths.get(&expr.id()) {
            return depth;
        }
        let mut depth = expr.inputs.iter().map(|i| self.visit(i)).max().unwrap_or(0);
        match &expr.kind {
            NodeKind::Reduce {
                reduction,
                axes,
                group,
            } => {
                let kind = SpecKind::Reduce {
                    reductions: vec![*reduction],
                    axes: axes.clone(),
                    group: group.clone(),
                };
                let (values, makes) = (vec![expr.inputs[0].clone()], vec![expr.clone()]);
                self.push(Spec {
                    depth,
                    kind,
                    values,
                    makes,
                    reason: "reduction",
                    read_in: None,
                });
                depth += 1;
            }
            NodeKind::Custom(custom) => {
                // A closure sees exactly its chunks: they are not grown.
                let block = expr.inputs[0].chunks.largest();
                let mut deeper = depth;
                for operand in &expr.inputs {
                    if !self.is_array(operand) && costly(operand, &block, self.threshold(operand)) {
                        self.store(operand, depth, REGRIDDED);
                        deeper = depth + 1;
                    }
                }
                depth = deeper;
                let kind = SpecKind::Custom(custom.clone());
                let (values, makes) = (expr.inputs.clone(), vec![expr.clone()]);
                self.push(Spec {
                    depth,
                    kind,
                    values,
                    makes,
                    reason: "user closure",
                    read_in: None,
                });
                depth += 1;
            }
            NodeKind::Block(op) => {
                depth = self.prepare(expr, op, depth);
                self.push(Spec {
                    depth,
                    kind: SpecKind::Block(op.clone()),
                    values: expr.inputs.clone(),
                    makes: vec![expr.clone()],
                    reason: "whole blocks",
                    read_in: None,
                });
                depth += 1;
            }
            NodeKind::Reshape => {
                let input = &expr.inputs[0];
                if !matches!(input.kind, NodeKind::Source(_)) && !self.is_array(input) {
                    self.store(input, depth, "reshaped after a view");
                    depth += 1;
                }
            }
            NodeKind::View(map) => {
                let input = &expr.inputs[0];
                let takes = map.axes.iter().any(|m| matches!(m, AxisMap::Table { .. }));
                let repeated = expr.len() / input.len().max(1) >= BROADCAST_FACTOR;
                let reason = if takes && holds_concat(input) {
                    Some("taken from a concatenation")
                } else if repeated && costs_more_than_a_load(input) {
                    Some("computed once, broadcast many times")
                } else {
                    None
                };
                if let Some(reason) = reason
                    && !self.is_array(input)
                {
                    self.store(input, depth, reason);
                    depth += 1;
                }
            }
            NodeKind::Rechunk if self.is_costly(&expr.inputs[0], &expr.chunks) => {
                self.store(expr, depth, REGRIDDED);
                depth += 1;
            }
            _ => {}
        }
        self.depths.insert(expr.id(), depth);
        depth
    }

    /// The specs in running order, those that can share a pass merged.
    pub fn merged(mut self) -> Vec<Spec> {
        self.specs.sort_by_key(|s| s.depth);
        let mut out: Vec<Spec> = Vec::new();
        for spec in self.specs {
            match out.iter_mut().find(|have| shares_pass(have, &spec)) {
                Some(have) => have.absorb(spec),
                None => out.push(spec),
            }
        }
        out
    }
}

impl Spec {
    /// Takes in another spec of the same kind and iteration space.
    fn absorb(&mut self, other: Spec) {
        if let (SpecKind::Reduce { reductions, .. }, SpecKind::Reduce { reductions: more, .. }) =
            (&mut self.kind, other.kind)
        {
            reductions.extend(more);
        }
        self.values.extend(other.values);
        self.makes.extend(other.makes);
    }

    /// The role of each axis of the iteration space.
    pub fn roles(&self) -> Vec<AxisRole> {
        let rank = self.values[0].rank();
        let SpecKind::Reduce { axes, group, .. } = &self.kind else {
            return vec![AxisRole::Keep; rank];
        };
        (0..rank)
            .map(|axis| match group {
                Some(group) if group.axis == axis => AxisRole::Group { groups: group.groups },
                _ if axes.contains(&axis) => AxisRole::Reduce,
                _ => AxisRole::Keep,
            })
            .collect()
    }
}

/// Whether two specs can run as one stage over one read of a common source.
fn shares_pass(a: &Spec, b: &Spec) -> bool {
    let kinds = match (&a.kind, &b.kind) {
        (SpecKind::Store, SpecKind::Store) => a.reason == b.reason && a.read_in == b.read_in,
        (
            SpecKind::Reduce {
                axes: x, group: g, ..
            },
            SpecKind::Reduce {
                axes: y, group: h, ..
            },
        ) => x == y && g == h,
        _ => false,
    };
    if !kinds || a.depth != b.depth || a.values[0].shape != b.values[0].shape {
        return false;
    }
    let mine = leaves(&a.values);
    leaves(&b.values).iter().any(|leaf| mine.contains(leaf))
}

/// Calls `enter` once for each node below some expressions, itself included, and goes on to the
/// inputs of those for which it says so; shared nodes are not entered again.
fn walk(exprs: &[Expr], mut enter: impl FnMut(&Expr) -> bool) {
    let mut stack: Vec<Expr> = exprs.to_vec();
    let mut seen = HashSet::new();
    while let Some(expr) = stack.pop() {
        if seen.insert(expr.id()) && enter(&expr) {
            stack.extend(expr.inputs.iter().cloned());
        }
    }
}

/// The ids of the large leaves (sources and barriers) below some expressions.
fn leaves(exprs: &[Expr]) -> Vec<u128> {
    let mut out = Vec::new();
    walk(exprs, |expr| {
        let leaf = matches!(
            expr.kind,
            NodeKind::Source(_) | NodeKind::Reduce { .. } | NodeKind::Custom(_) | NodeKind::Block(_)
        );
        if leaf {
            out.push(expr.id());
        }
        !leaf
    });
    out
}

/// Whether a concatenation lies between an expression and its leaves.
fn holds_concat(expr: &Expr) -> bool {
    let mut found = false;
    walk(std::slice::from_ref(expr), |expr| {
        found |= matches!(expr.kind, NodeKind::Concat { .. });
        let barrier = matches!(
            expr.kind,
            NodeKind::Reduce { .. } | NodeKind::Custom(_) | NodeKind::Block(_) | NodeKind::Reshape
        );
        !found && !barrier
    });
    found
}

/// Whether computing an element takes more than a load and a cast.
fn costs_more_than_a_load(expr: &Expr) -> bool {
    match &expr.kind {
        NodeKind::Op(_) => expr.inputs.iter().any(|i| !matches!(i.kind, NodeKind::Scalar(_))),
        NodeKind::Cast | NodeKind::View(_) | NodeKind::Rechunk => costs_more_than_a_load(&expr.inputs[0]),
        _ => false,
    }
}

/// Whether a source of an expression's shape below it is costly to read in blocks of these extents.
fn costly(expr: &Expr, block: &[usize], threshold: f64) -> bool {
    let mut found = false;
    walk(std::slice::from_ref(expr), |below| match &below.kind {
        _ if found || below.shape != expr.shape => false,
        NodeKind::Source(source) => {
            found = reading::factor(source.as_ref(), block) >= threshold;
            false
        }
        NodeKind::Op(_) | NodeKind::Cast | NodeKind::Rechunk => true,
        _ => false,
    });
    found
}

/// Bytes that a point of an expression takes in a task: its sources of the same shape, and itself; once
/// where it is no more than a source.
fn sizes(expr: &Expr) -> usize {
    let mut sum = expr.dtype.size();
    if matches!(expr.kind, NodeKind::Source(_)) {
        return sum;
    }
    walk(std::slice::from_ref(expr), |below| {
        if let NodeKind::Source(source) = &below.kind
            && below.shape == expr.shape
        {
            sum += source.dtype().size();
        }
        matches!(below.kind, NodeKind::Op(_) | NodeKind::Cast | NodeKind::Rechunk)
    });
    sum
}

/// The feed of an expression that exists as an array, given the arrays made so far.
pub(crate) fn feed_of(expr: &Expr, feeds: &HashMap<u128, Feed>) -> Option<Feed> {
    if let Some(feed) = feeds.get(&expr.id()) {
        return Some(feed.clone());
    }
    match &expr.kind {
        NodeKind::Source(source) => Some(Feed::Source(source.clone())),
        NodeKind::Reshape => {
            let of = feed_of(&expr.inputs[0], feeds)?;
            Some(Feed::Reshaped {
                of: Box::new(of),
                from: expr.inputs[0].shape.clone(),
            })
        }
        _ => None,
    }
}
