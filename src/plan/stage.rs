//! Stages: fused programs over a block grid, and the arrays between them.

use super::TaskSize;
use super::program::{AxisRole, Program};
use super::shared::Read;
use crate::expr::{BlockOp, Custom, Expr};
use crate::geometry::{Chunks, IndexMap, Region};
use crate::store::Source;
use std::fmt;
use std::sync::Arc;
use tilewise_kernels::{DType, Reduction};

/// Number of an array that the plan makes.
pub type ArrayId = usize;

/// Where the data of an input comes from.
#[derive(Clone, Debug)]
pub enum Feed {
    /// Outside data.
    Source(Arc<dyn Source>),
    /// An array that an earlier stage made.
    Array(ArrayId),
    /// Another feed's elements in row-major order under another shape.
    Reshaped {
        /// The feed.
        of: Box<Feed>,
        /// Its shape.
        from: Vec<usize>,
    },
}

/// An input of a stage's program: a feed under a view.
#[derive(Clone, Debug)]
pub struct Input {
    /// Where the data comes from.
    pub feed: Feed,
    /// The feed's shape.
    pub shape: Vec<usize>,
    /// The feed's dtype.
    pub dtype: DType,
    /// From the stage's iteration space to the feed's indices.
    pub map: IndexMap,
}

/// The program of the part of the iteration space between neighbouring cuts.
#[derive(Clone, Debug)]
pub struct Variant {
    /// What is computed.
    pub program: Arc<Program>,
    /// The program's inputs.
    pub inputs: Vec<Input>,
    /// What can be read at once; each input belongs to one.
    pub(crate) reads: Vec<Read>,
}

/// What a stage does with its program's outputs.
#[derive(Clone, Debug)]
pub enum StageKind {
    /// Each output is a dense array of the iteration space.
    Store,
    /// Each output is a reduction; all share the roles of axes.
    Reduce {
        /// Per axis of the iteration space.
        roles: Vec<AxisRole>,
        /// Labels along the grouped axis.
        labels: Option<(usize, Arc<[u32]>)>,
        /// One per output.
        reductions: Vec<Reduction>,
        /// Per block of kept axes the reduced blocks are folded in this many runs, whose states
        /// are then merged in order; it does not depend on the number of threads.
        segments: usize,
    },
    /// The outputs are handed to a user's closure, which gives the stage's one array.
    Custom(Custom),
    /// Parts of the operands are handed to a block operation, which gives the stage's one array.
    /// The iteration space is that array's; there is one variant per operand, over the operand's
    /// own space, with one output.
    Block(Arc<dyn BlockOp>),
}

/// A fused stage.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Its number.
    pub id: usize,
    /// The iteration space.
    pub shape: Vec<usize>,
    /// The blocks of its tasks.
    pub grid: Chunks,
    /// Per axis the starts of the parts that have their own variant (the first is 0). Blocks lie within
    /// one part each, but those of a stage that stores its values, planned for the CPU.
    pub cuts: Vec<Vec<usize>>,
    /// The variants, row-major over the parts.
    pub variants: Vec<Variant>,
    /// What becomes of the program's outputs.
    pub kind: StageKind,
    /// The arrays it makes, one per output (one for a closure).
    pub arrays: Vec<ArrayId>,
    /// Why it is a stage of its own, for `explain`.
    pub reason: String,
}

/// An array that a stage makes.
#[derive(Clone)]
pub struct PlanArray {
    /// What it is.
    pub value: Expr,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its dtype.
    pub dtype: DType,
    /// Its tiles; each lies within one task block of its stage.
    pub grid: Chunks,
    /// The stage that makes it.
    pub made_by: usize,
    /// The last stage that reads it; its own where nothing does.
    pub last_use: usize,
    /// The numbers of the roots that it is.
    pub roots: Vec<usize>,
    /// Whether its tiles are put in the store: a later stage reads it, or it is kept.
    pub stored: bool,
}

impl fmt::Debug for PlanArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text of an expression may be far longer than a plan.
        f.debug_struct("PlanArray")
            .field("shape", &self.shape)
            .field("dtype", &self.dtype)
            .field("grid", &self.grid)
            .field("made_by", &self.made_by)
            .field("last_use", &self.last_use)
            .field("roots", &self.roots)
            .field("stored", &self.stored)
            .finish_non_exhaustive()
    }
}

impl Feed {
    /// The outside or planned array at the bottom.
    pub fn base(&self) -> &Feed {
        match self {
            Feed::Reshaped { of, .. } => of.base(),
            _ => self,
        }
    }

    /// Its name for messages and plans.
    pub fn name(&self) -> String {
        match self {
            Feed::Source(source) => source.name(),
            Feed::Array(id) => format!("array {id}"),
            Feed::Reshaped { of, .. } => format!("reshaped {}", of.name()),
        }
    }

    /// Whether both give the same elements.
    pub fn same(&self, other: &Feed) -> bool {
        match (self, other) {
            (Feed::Source(a), Feed::Source(b)) => a.fingerprint() == b.fingerprint() && a.name() == b.name(),
            (Feed::Array(a), Feed::Array(b)) => a == b,
            (Feed::Reshaped { of: a, from: x }, Feed::Reshaped { of: b, from: y }) => x == y && a.same(b),
            _ => false,
        }
    }
}

impl Stage {
    /// The variant of the block that starts at `origin`.
    pub fn variant(&self, origin: &[usize]) -> &Variant {
        let mut number = 0;
        for (starts, at) in self.cuts.iter().zip(origin) {
            number = number * starts.len() + starts.partition_point(|s| s <= at).saturating_sub(1);
        }
        &self.variants[number]
    }

    /// Whether a block may reach over several parts; elsewhere each is one kernel's.
    pub(crate) fn joins_parts(&self, tasks: TaskSize) -> bool {
        matches!(self.kind, StageKind::Store) && tasks.card.is_none()
    }

    /// The parts of a block that have variants of their own, in row-major order.
    pub fn parts(&self, block: &Region) -> Vec<Region> {
        let mut parts = vec![Region::new(Vec::new(), Vec::new())];
        for (axis, starts) in self.cuts.iter().enumerate() {
            let (first, stop) = (block.start[axis], block.stop(axis));
            let inside = starts.iter().copied().filter(|&cut| first < cut && cut < stop);
            let bounds: Vec<usize> = [first].into_iter().chain(inside).chain([stop]).collect();
            let grown = |part: &Region| {
                let spans = bounds.windows(2).map(|w| (w[0], w[1] - w[0]));
                let more = |(start, len)| {
                    let mut part = part.clone();
                    part.start.push(start);
                    part.shape.push(len);
                    part
                };
                spans.map(more).collect::<Vec<_>>()
            };
            parts = parts.iter().flat_map(grown).collect();
        }
        parts
    }

    /// The extents over which variant `number` runs, at most, for blocks of these extents.
    pub fn reach(&self, number: usize, block: &[usize]) -> Vec<usize> {
        match &self.kind {
            StageKind::Block(op) => op.bound(number, block),
            _ => block.to_vec(),
        }
    }

    /// Per axis, whether its blocks are folded into one state rather than kept apart.
    pub fn folded(&self) -> Vec<bool> {
        match &self.kind {
            StageKind::Reduce { roles, .. } => roles.iter().map(|r| *r != AxisRole::Keep).collect(),
            _ => vec![false; self.shape.len()],
        }
    }

    /// The shape of a state over a block of these extents.
    pub fn state_shape(&self, block: &[usize]) -> Vec<usize> {
        match &self.kind {
            StageKind::Reduce { roles, .. } => block
                .iter()
                .zip(roles)
                .map(|(&n, role)| match role {
                    AxisRole::Keep => n,
                    AxisRole::Reduce => 1,
                    AxisRole::Group { groups } => *groups,
                })
                .collect(),
            _ => block.to_vec(),
        }
    }
}
