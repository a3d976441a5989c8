//! The lazy graph: nodes with inferred shape, dtype and chunks.
//!
//! Every constructor checks and infers at the call, so a wrong shape is reported where it is
//! written. Nodes are immutable and shared; a node's id is a hash of its content, so equal
//! expressions are found by id.

mod along;
mod block;
mod complex;
mod contract;
mod create;
mod durable;
mod elementwise;
mod fft;
mod infer_chunks;
pub mod order;
mod overlap;
mod random;
mod reduce;
mod select;
mod structure;
mod substitute;
mod views;

pub use along::Spacing;
pub use block::{BlockCall, BlockForm, BlockOp, Part, Place, along, along_places};
pub use create::Custom;
pub(crate) use create::named;
pub(crate) use durable::DurableIds;
pub use fft::{Norm, frequencies};
pub use overlap::{Boundary, Overlap, StencilForm};
pub(crate) use select::{Rows, along_axis};
pub(crate) use substitute::{Substitution, needs};
pub use views::SliceItem;

use crate::geometry::{Chunks, IndexMap};
use crate::store::Source;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use tilewise_kernels::{DType, Op, Reduction, Scalar};
use xxhash_rust::xxh3::Xxh3;

/// What a node does with its inputs.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// An outside array.
    Source(Arc<dyn Source>),
    /// One value, shape `[]`.
    Scalar(Scalar),
    /// The index along an axis of the node's own shape, `I64`.
    Index {
        /// The axis.
        axis: usize,
    },
    /// The input in the node's dtype.
    Cast,
    /// An elementwise op; inputs have the node's shape and the dtypes of its signature.
    Op(Op),
    /// A view of the input.
    View(IndexMap),
    /// A reduction of the input over axes, which vanish; or over groups along one axis.
    Reduce {
        /// The reduction.
        reduction: Reduction,
        /// Reduced axes, rising.
        axes: Vec<usize>,
        /// A grouped axis, which keeps its place with the groups' extent.
        group: Option<Group>,
    },
    /// The inputs one after another along an axis.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// The input's elements in row-major order under the node's shape.
    Reshape,
    /// The input under the node's chunk grid.
    Rechunk,
    /// A user's closure on every block of the inputs.
    Custom(Custom),
    /// An operation on whole blocks of the inputs.
    Block(Arc<dyn BlockOp>),
}

/// Labels of the members along a grouped axis.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Group {
    /// The grouped axis of the input.
    pub axis: usize,
    /// Number of groups.
    pub groups: usize,
    /// One label per index; `u32::MAX` leaves its member out.
    pub labels: Arc<[u32]>,
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "axis {} into {} groups", self.axis, self.groups)
    }
}

/// A node with its inferred facts.
#[derive(Debug)]
pub struct Node {
    /// What it does.
    pub kind: NodeKind,
    /// Its inputs.
    pub inputs: Vec<Expr>,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its dtype.
    pub dtype: DType,
    /// Its chunk grid.
    pub chunks: Chunks,
    /// Length of the longest chain of nodes down to a leaf.
    pub depth: usize,
    id: u128,
}

impl Node {
    /// A hash of its content, with sources told apart by `fingerprint` and inputs by `ids`.
    fn hash(&self, fingerprint: impl Fn(&dyn Source) -> u64, ids: impl Iterator<Item = u128>) -> u128 {
        let mut hasher = Xxh3::new();
        std::mem::discriminant(&self.kind).hash(&mut hasher);
        match &self.kind {
            NodeKind::Source(source) => {
                fingerprint(source.as_ref()).hash(&mut hasher);
                source.name().hash(&mut hasher);
            }
            NodeKind::Scalar(scalar) => scalar.hash(&mut hasher),
            NodeKind::Index { axis } | NodeKind::Concat { axis } => axis.hash(&mut hasher),
            NodeKind::Op(op) => op.hash(&mut hasher),
            NodeKind::View(map) => map.hash(&mut hasher),
            NodeKind::Reduce {
                reduction,
                axes,
                group,
            } => (reduction, axes, group).hash(&mut hasher),
            NodeKind::Custom(custom) => custom.identity().hash(&mut hasher),
            NodeKind::Rechunk => self.chunks.hash(&mut hasher),
            NodeKind::Block(op) => format!("{op:?}").hash(&mut hasher),
            NodeKind::Cast | NodeKind::Reshape => {}
        }
        ids.for_each(|id| hasher.write_u128(id));
        self.shape.hash(&mut hasher);
        self.dtype.hash(&mut hasher);
        hasher.digest128()
    }
}

impl Drop for Node {
    /// Frees a chain of nodes without recursion, however long it is.
    fn drop(&mut self) {
        let mut waiting = std::mem::take(&mut self.inputs);
        while let Some(mut expr) = waiting.pop() {
            if let Some(node) = Arc::get_mut(&mut expr.0) {
                waiting.append(&mut node.inputs);
            }
        }
    }
}

/// A shared node.
#[derive(Clone)]
pub struct Expr(Arc<Node>);

impl Expr {
    /// A node from its parts; callers have inferred shape, dtype and chunks.
    pub(crate) fn node(
        kind: NodeKind,
        inputs: Vec<Expr>,
        shape: Vec<usize>,
        dtype: DType,
        chunks: Chunks,
    ) -> Expr {
        let depth = inputs.iter().map(|i| i.depth + 1).max().unwrap_or(0);
        let mut node = Node {
            kind,
            inputs,
            shape,
            dtype,
            chunks,
            depth,
            id: 0,
        };
        node.id = node.hash(|source| source.fingerprint(), node.inputs.iter().map(Expr::id));
        Expr(Arc::new(node))
    }

    /// The same node over other inputs of the same shapes and dtypes.
    pub(crate) fn with_inputs(&self, inputs: Vec<Expr>) -> Expr {
        Expr::node(
            self.kind.clone(),
            inputs,
            self.shape.clone(),
            self.dtype,
            self.chunks.clone(),
        )
    }

    /// The hash of its content.
    pub fn id(&self) -> u128 {
        self.0.id
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements; constructors have checked that it fits.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }
}

impl std::ops::Deref for Expr {
    type Target = Node;
    fn deref(&self) -> &Node {
        &self.0
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Expr) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Expr {}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args: Vec<String> = self.inputs.iter().map(|i| format!("{i:?}")).collect();
        let args = args.join(", ");
        match &self.kind {
            NodeKind::Source(source) => f.write_str(&source.name()),
            NodeKind::Scalar(scalar) => write!(f, "{scalar}"),
            NodeKind::Index { axis } => write!(f, "index({axis}, {:?})", self.shape),
            NodeKind::Cast => write!(f, "{}({args})", self.dtype.info().short),
            NodeKind::Op(op) => write!(f, "{}({args})", op.name),
            NodeKind::View(_) => write!(f, "view({args} -> {:?})", self.shape),
            NodeKind::Reduce {
                reduction,
                axes,
                group,
            } => {
                let nan = if reduction.skipna { "nan" } else { "" };
                match group {
                    Some(group) => write!(f, "{nan}{}({args}, {group:?})", reduction.kind.name()),
                    None => write!(f, "{nan}{}({args}, {axes:?})", reduction.kind.name()),
                }
            }
            NodeKind::Concat { axis } => write!(f, "concat({args}, {axis})"),
            NodeKind::Reshape => write!(f, "reshape({args} -> {:?})", self.shape),
            NodeKind::Rechunk => write!(f, "rechunk({args} -> {:?})", self.chunks),
            NodeKind::Custom(custom) => write!(f, "{}({args})", custom.name()),
            NodeKind::Block(op) => write!(f, "{}({args})", op.name()),
        }
    }
}
