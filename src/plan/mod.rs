//! Plans: from a lazy graph to fused stages, their order, and the proof of their memory.
//!
//! The way of an expression: rewrite rules (`rules`) → barriers and shared passes
//! (`partition`) → fused programs (`lower`) → block grids (`grid`) → the proof (`memory`).
//! A plan's size follows the expressions, never the tiles.

mod across;
mod block;
mod build;
mod explain;
mod fit_blocks;
mod grid;
mod grow;
mod lower;
mod memory;
mod partition;
pub mod program;
mod reading;
mod refusal;
mod rules;
mod shared;
mod stage;
mod strips;

pub use explain::StageCost;
pub use memory::{MemoryProof, StageMemory, Term};
pub use stage::{ArrayId, Feed, Input, PlanArray, Stage, StageKind, Variant};

pub(crate) use grid::block_extents;
pub(crate) use memory::{
    TASK_SCRATCH, array_bytes, copies_boxes, lies_in_memory, rows_in_place, runs_ahead, stored_bytes,
};
pub(crate) use strips::{LONGEST_STRIP, STRIP};

use crate::expr::Expr;
use crate::store::Sink;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Instant;

/// Chains up to this length are planned on the caller's stack.
const SHALLOW: usize = 200;
/// Bytes of stack that planning takes per node of a chain, at most.
const STACK_PER_NODE: usize = 16 << 10;

/// What is to become of a root's value.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Handed to the caller in host memory.
    Result,
    /// Streamed to a sink.
    Sink(Arc<dyn Sink>),
    /// Kept as tiles in the store.
    Keep,
}

/// One value that a plan computes.
#[derive(Clone, Debug)]
pub struct Root {
    /// What is computed.
    pub expr: Expr,
    /// What becomes of it.
    pub to: Destination,
}

/// What a plan may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of host memory.
    pub host: u64,
    /// Bytes of spill files.
    pub disk: u64,
    /// Bytes of arrays kept by earlier runs, in memory as far as there is room beside a plan.
    pub kept: u64,
    /// Tasks that may run at once.
    pub workers: usize,
    /// How large tasks should be.
    pub tasks: TaskSize,
    /// Bytes of the memory given that are not in `host`, such as a GPU's staging; a refusal counts
    /// them in.
    pub reserved: u64,
}

/// What size of task suits the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskSize {
    /// Bytes that a task handles when chunks and memory allow.
    pub bytes: usize,
    /// A stage is cut into at least this many tasks, or runs of a reduction, if it is not small.
    pub parts: usize,
    /// The memory of a device that copies what a task spans, so that nothing is read in place.
    pub card: Option<Card>,
}

/// What a device with memory of its own takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Card {
    /// Bytes that it may hold.
    pub memory: u64,
    /// Bytes of the largest buffer that a kernel sees.
    pub binding: u64,
    /// Bytes of host memory through which a task's data goes there and back.
    pub staging: u64,
}

impl TaskSize {
    /// For CPU threads: what a task reads stays in the outer cache until its kernel runs, and a task
    /// costs far more than its bookkeeping.
    pub const CPU: TaskSize = TaskSize {
        bytes: 8 << 20,
        parts: 16,
        card: None,
    };

    /// For a GPU that runs on the CPU's cores.
    pub fn software(card: Card) -> TaskSize {
        TaskSize {
            card: Some(card),
            ..TaskSize::CPU
        }
    }

    /// For a GPU of its own: submitting a task costs it as much as moving many megabytes.
    pub fn gpu(card: Card) -> TaskSize {
        let most = (card.memory / 16).min(256 << 20) as usize;
        TaskSize {
            bytes: most.max(TaskSize::CPU.bytes),
            parts: 4,
            card: Some(card),
        }
    }
}

/// Stages in running order, the arrays between them, and the proof of their memory.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The stages, in running order.
    pub stages: Vec<Stage>,
    /// The arrays they make.
    pub arrays: Vec<PlanArray>,
    /// The array of each root.
    pub roots: Vec<ArrayId>,
    /// What becomes of each root.
    pub destinations: Vec<Destination>,
    /// Host, disk: most bytes at once.
    pub memory: MemoryProof,
    /// How often each rewrite rule was applied, by name.
    pub rewrites: Vec<(String, usize)>,
    /// Seconds that planning took.
    pub seconds: f64,
}

impl Plan {
    /// Plans the computation of some roots.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] when no cutting keeps it within the limits.
    pub fn new(roots: &[Root], limits: Limits) -> Result<Plan> {
        let started = Instant::now();
        let plan = Plan::on_stack(roots, limits);
        let mut plan =
            plan.map_err(|refused| refusal::advised(refused, limits, |other| Plan::on_stack(roots, other)))?;
        plan.seconds = started.elapsed().as_secs_f64();
        Ok(plan)
    }

    fn on_stack(roots: &[Root], limits: Limits) -> Result<Plan> {
        let depth = roots.iter().map(|r| r.expr.depth).max().unwrap_or(0);
        if depth < SHALLOW {
            return build::build(roots, limits);
        }
        // Planning recurses along the graph: a long chain gets a stack of its own.
        std::thread::scope(|scope| {
            let planner = std::thread::Builder::new().stack_size(depth.saturating_mul(STACK_PER_NODE));
            let handle = planner
                .spawn_scoped(scope, || build::build(roots, limits))
                .map_err(|e| {
                    Error::invalid(format!("no stack to plan a chain of {depth} operations: {e}"))
                })?;
            handle
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Whether an array outlives the run.
    pub fn is_kept(&self, id: ArrayId) -> bool {
        let keep = |&root: &usize| matches!(self.destinations[root], Destination::Keep);
        self.arrays[id].roots.iter().any(keep)
    }
}
