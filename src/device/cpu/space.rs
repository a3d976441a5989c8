//! The walk over a block: which loops, in which order, in strips of which form.
//!
//! Neighbouring axes become one where every input, output and index allows it, so most blocks
//! are one or two loops however many axes they have. A strip is some rows of a stretch of the
//! innermost axis:
//! * without reductions rows are added until the strip is long enough, so short last axes cost
//!   no more than long ones;
//! * where a reduction keeps the innermost axis, the rows run along a reduced (or the grouped)
//!   axis and kept axes are outer loops, so a state's cells are updated from cache;
//! * where an input is transposed, a strip is a small rectangle, so both sides move whole lines.

use super::code::{Code, What};
use crate::device::Task;
use crate::geometry::AxisStep;
use crate::plan::program::{AxisRole, Output};
pub(super) use crate::plan::{LONGEST_STRIP as MOST, STRIP};

/// Rows of a strip of which cells are updated.
const REDUCED_ROWS: usize = 8;

/// The same where elements are read where they lie, so that a strip takes no room.
const DIRECT_ROWS: usize = 64;

/// Longest stretch of the innermost axis while cells are updated.
const REDUCED_STRETCH: usize = 2048;

/// Elements of a strip that is reduced where it lies: several reductions of it share a cache.
const DIRECT_STRIP: usize = 1 << 16;

/// Bytes of the widest value in the columns and in the rows of a strip with a transposed input:
/// two lines in, eight lines out.
const TURNED_BYTES: (usize, usize) = (128, 512);

// The memory proof counts on it.
const _: () = assert!(REDUCED_ROWS * REDUCED_STRETCH <= MOST);

/// Something that moves as the block is walked: an offset and a step per dimension.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    /// At the block's first point.
    pub offset: isize,
    /// What an index along each dimension adds.
    pub steps: Vec<AxisStep>,
}

impl Walk {
    /// What index `i` along dimension `dim` adds.
    pub(super) fn step(&self, dim: usize, i: usize) -> isize {
        match &self.steps[dim] {
            AxisStep::Step(step) => step * i as isize,
            AxisStep::Table(table) => table[i],
        }
    }
}

/// Where a reduction's cells and indices lie.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// The cell, without the group's part.
    pub cells: Walk,
    /// The element index.
    pub index: Walk,
    /// Number of groups and cells between them.
    pub groups: Option<(usize, usize)>,
}

/// One of the loops: `block` indices of dimension `dim` at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loop {
    /// The dimension.
    pub dim: usize,
    /// Indices per turn.
    pub block: usize,
}

/// A block with its loops.
pub(super) struct Space {
    /// Extent of each dimension; at least one dimension.
    pub extents: Vec<usize>,
    /// How each node that loads or counts moves; by node.
    pub sources: Vec<Option<Walk>>,
    /// How each output moves, by output; a store's element offset.
    pub stores: Vec<Option<Walk>>,
    /// The cells of each output that reduces, by output.
    pub targets: Vec<Option<Target>>,
    /// The dimension that is grouped.
    pub grouped: Option<usize>,
    /// The dimension that rows run along, and the order of its indices if that is not rising.
    pub row_dim: Option<usize>,
    /// The order in which row indices are taken; `None` for rising.
    pub order: Option<Vec<usize>>,
    /// The node of an input that is transposed.
    pub turned: Option<usize>,
    /// The loops, outermost first; the last two are those of the strip in either order.
    pub loops: Vec<Loop>,
    /// Whether all that is done is to reduce inputs where they lie.
    pub direct: bool,
}

impl Space {
    /// The innermost dimension.
    pub(super) fn inner(&self) -> usize {
        self.extents.len() - 1
    }

    /// Elements of the longest strip.
    pub(super) fn strip(&self) -> usize {
        let inner = self.inner();
        let strip = self
            .loops
            .iter()
            .filter(|l| l.dim == inner || Some(l.dim) == self.row_dim);
        strip.map(|l| l.block).product()
    }

    /// The walk of a task over a block without empty axes.
    pub(super) fn new(code: &Code, task: &Task<'_>) -> Space {
        let rank = task.program.rank;
        let group_axis = task.program.outputs.iter().find_map(|output| match output {
            Output::Reduce { roles, .. } => roles.iter().position(|r| matches!(r, AxisRole::Group { .. })),
            Output::Store(_) => None,
        });
        let sources = code.nodes.iter().map(|node| match node.what {
            What::Load(input) => {
                let access = &task.bindings[input].access;
                Some(Walk {
                    offset: access.offset,
                    steps: access.steps.clone(),
                })
            }
            What::Index(axis) => Some(Walk {
                offset: task.origin[axis] as isize,
                steps: (0..rank)
                    .map(|a| AxisStep::Step(isize::from(a == axis)))
                    .collect(),
            }),
            _ => None,
        });
        let mut stores = Vec::new();
        let mut targets = Vec::new();
        for output in &task.program.outputs {
            match output {
                Output::Store(_) => {
                    stores.push(Some(row_major(task.shape, |_| true)));
                    targets.push(None);
                }
                Output::Reduce {
                    roles, index_steps, ..
                } => {
                    stores.push(None);
                    targets.push(Some(target(task, roles, index_steps)));
                }
            }
        }
        let mut space = Space {
            extents: task.shape.to_vec(),
            sources: sources.collect(),
            stores,
            targets,
            grouped: group_axis,
            row_dim: None,
            order: None,
            turned: None,
            loops: Vec::new(),
            direct: false,
        };
        space.coalesce();
        space.direct = space.is_direct(code, task);
        space.plan(task, code.widest);
        space
    }

    /// Whether every value is an input that only reductions read, and that lies so that they can.
    fn is_direct(&self, code: &Code, task: &Task<'_>) -> bool {
        let inner = self.inner();
        let mut nodes = code.nodes.iter().zip(&self.sources);
        nodes.all(|(node, source)| match (&node.what, source) {
            (What::Load(input), Some(walk)) => {
                let buffer = task.buffers[task.bindings[*input].buffer];
                let aligned = (buffer.as_ptr() as usize).is_multiple_of(node.dtype.size());
                node.only_reduced && aligned && walk.steps[inner] == AxisStep::Step(1)
            }
            _ => false,
        })
    }

    /// Every walk.
    fn walks(&mut self) -> Vec<&mut Walk> {
        let sources = self.sources.iter_mut().flatten();
        let stores = self.stores.iter_mut().flatten();
        let targets = self.targets.iter_mut().flatten();
        let targets = targets.flat_map(|t| [&mut t.cells, &mut t.index]);
        sources.chain(stores).chain(targets).collect()
    }

    /// Drops axes of extent 1 and joins neighbours; a rank of 0 becomes one axis of extent 1.
    fn coalesce(&mut self) {
        for dim in (0..self.extents.len()).rev() {
            if self.extents[dim] == 1 && self.grouped != Some(dim) {
                for walk in self.walks() {
                    walk.offset += walk.step(dim, 0);
                }
                self.remove(dim);
            }
        }
        for dim in (1..self.extents.len()).rev() {
            let extent = self.extents[dim] as isize;
            let apart = self.grouped == Some(dim) || self.grouped == Some(dim - 1);
            let joins = |walk: &mut Walk| match (&walk.steps[dim - 1], &walk.steps[dim]) {
                (AxisStep::Step(outer), AxisStep::Step(inner)) => *outer == inner * extent,
                _ => false,
            };
            if !apart && self.walks().into_iter().all(joins) {
                for walk in self.walks() {
                    walk.steps.swap(dim - 1, dim);
                }
                self.extents[dim - 1] *= self.extents[dim];
                self.remove(dim);
            }
        }
        if self.extents.is_empty() {
            self.extents.push(1);
            for walk in self.walks() {
                walk.steps.push(AxisStep::Step(0));
            }
        }
    }

    fn remove(&mut self, dim: usize) {
        self.extents.remove(dim);
        for walk in self.walks() {
            walk.steps.remove(dim);
        }
        if let Some(grouped) = &mut self.grouped
            && *grouped > dim
        {
            *grouped -= 1;
        }
    }

    /// Chooses rows, stretch and the order of the loops.
    fn plan(&mut self, task: &Task<'_>, widest: usize) {
        let inner = self.inner();
        let across = self.targets.iter().flatten().find(|t| {
            self.grouped != Some(inner) && matches!(t.cells.steps[inner], AxisStep::Step(step) if step != 0)
        });
        let reduced = |dim: usize| {
            across.is_some_and(|t| self.grouped == Some(dim) || t.cells.steps[dim] == AxisStep::Step(0))
        };
        let reduced: Vec<bool> = (0..=inner).map(reduced).collect();
        let (strip_len, reduced_rows) = if self.direct {
            (DIRECT_STRIP, DIRECT_ROWS)
        } else {
            (STRIP, REDUCED_ROWS)
        };
        let (mut row_dim, mut stretch, mut rows) = (inner.checked_sub(1), strip_len, 1);
        if reduced.contains(&true) {
            let grouped = self.grouped.filter(|&dim| dim != inner);
            row_dim = grouped.or((0..inner).rev().find(|&dim| reduced[dim]));
            stretch = REDUCED_STRETCH;
            rows = reduced_rows;
        } else if let Some((node, dim)) = self.transposed() {
            self.turned = Some(node);
            row_dim = Some(dim);
            (rows, stretch) = (
                (TURNED_BYTES.0 / widest).min(64),
                (TURNED_BYTES.1 / widest).min(128),
            );
        }
        stretch = stretch.min(self.extents[inner]);
        rows = rows.max((strip_len / stretch).min(STRIP));
        let strip = [
            row_dim.map(|dim| Loop {
                dim,
                block: rows.min(self.extents[dim]),
            }),
            Some(Loop {
                dim: inner,
                block: stretch,
            }),
        ];
        let others = (0..inner).filter(|&dim| Some(dim) != row_dim);
        let outer = |dim: usize| Loop { dim, block: 1 };
        if reduced.contains(&true) {
            let (low, high): (Vec<usize>, Vec<usize>) = others.partition(|&dim| reduced[dim]);
            self.loops.extend(high.into_iter().map(outer));
            self.loops.extend(strip[1]);
            self.loops.extend(low.into_iter().map(outer));
            self.loops.extend(strip[0]);
            self.order = self.by_label(task, row_dim);
        } else {
            self.loops.extend(others.map(outer));
            self.loops.extend(strip.into_iter().flatten());
        }
        self.row_dim = row_dim;
    }

    /// The input that jumps along the innermost dimension and the one along which it is contiguous.
    fn transposed(&self) -> Option<(usize, usize)> {
        let inner = self.inner();
        let jumps = |walk: &Walk| matches!(walk.steps[inner], AxisStep::Step(step) if step.abs() > 8);
        let mut nodes = self.sources.iter().enumerate();
        let (node, walk) =
            nodes.find_map(|(node, walk)| Some((node, walk.as_ref().filter(|w| jumps(w))?)))?;
        let dim = (0..inner).find(|&dim| matches!(walk.steps[dim], AxisStep::Step(1 | -1)))?;
        Some((node, dim))
    }

    /// Row indices sorted by label, so that rows of one group meet its cells together. Stores
    /// want their rows in order.
    fn by_label(&self, task: &Task<'_>, row_dim: Option<usize>) -> Option<Vec<usize>> {
        if row_dim.is_none() || row_dim != self.grouped || self.stores.iter().any(Option::is_some) {
            return None;
        }
        let labels = task.labels?;
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by_key(|&i| labels[i]);
        Some(order)
    }
}

/// The walk of a row-major block of the axes that `kept` names.
fn row_major(shape: &[usize], kept: impl Fn(usize) -> bool) -> Walk {
    let mut stride = 1;
    let mut steps = vec![AxisStep::Step(0); shape.len()];
    for axis in (0..shape.len()).rev() {
        if kept(axis) {
            steps[axis] = AxisStep::Step(stride);
            stride *= shape[axis] as isize;
        }
    }
    Walk { offset: 0, steps }
}

/// The cells of a reduction.
fn target(task: &Task<'_>, roles: &[AxisRole], index_steps: &[i64]) -> Target {
    let mut shape = task.shape.to_vec();
    let mut found = None;
    for (axis, role) in roles.iter().enumerate() {
        if let AxisRole::Group { groups } = role {
            shape[axis] = *groups;
            found = Some((axis, *groups));
        }
    }
    let mut cells = row_major(&shape, |axis| roles[axis] != AxisRole::Reduce);
    let groups = found.map(|(axis, groups)| {
        let stride = cells.step(axis, 1) as usize;
        cells.steps[axis] = AxisStep::Step(0);
        (groups, stride)
    });
    let first = task
        .origin
        .iter()
        .zip(index_steps)
        .map(|(&o, &s)| o as isize * s as isize);
    Target {
        cells,
        index: Walk {
            offset: first.sum(),
            steps: index_steps.iter().map(|&s| AxisStep::Step(s as isize)).collect(),
        },
        groups,
    }
}

/// Number of cells that a reduction over a block of that shape has.
pub(super) fn cell_count(shape: &[usize], roles: &[AxisRole]) -> usize {
    let extent = |(&n, role): (&usize, &AxisRole)| match role {
        AxisRole::Keep => n,
        AxisRole::Reduce => 1,
        AxisRole::Group { groups } => *groups,
    };
    shape.iter().zip(roles).map(extent).product()
}
