//! One piece of a task made ready: which kernels, how many invocations, and what is uploaded.

use super::accumulate::Block;
use super::cell::Cell;
use super::feed::Scheme;
use super::kernel::{Kernel, Param, Style};
use super::piece::{Upload, uploads};
use super::run::Placed;
use super::walk::{Dim, Four, Shape, TILE, cells_of, shape_of, walk};
use crate::device::Task;
use crate::geometry::{Access, AxisStep, Region};
use crate::plan::program::{AxisRole, Output, Program};

/// Outputs that one kernel computes: all stores, or reductions with equal roles.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Bundle {
    /// Numbers of the program's outputs.
    pub outputs: Vec<usize>,
    /// Whether they are reductions.
    pub reduces: bool,
}

/// Most outputs of one kernel: each takes up to two bindings and some registers.
const BUNDLE: usize = 6;

/// Sorts the outputs of a program into bundles.
pub(super) fn bundles(program: &Program) -> Vec<Bundle> {
    let mut found: Vec<(Option<&Vec<AxisRole>>, Bundle)> = Vec::new();
    for (number, output) in program.outputs.iter().enumerate() {
        let roles = match output {
            Output::Store(_) => None,
            Output::Reduce { roles, .. } => Some(roles),
        };
        let open = |(of, bundle): &&mut (Option<&Vec<AxisRole>>, Bundle)| {
            *of == roles && bundle.outputs.len() < BUNDLE
        };
        match found.iter_mut().find(open) {
            Some((_, bundle)) => bundle.outputs.push(number),
            None => found.push((
                roles,
                Bundle {
                    outputs: vec![number],
                    reduces: roles.is_some(),
                },
            )),
        }
    }
    found.into_iter().map(|(_, bundle)| bundle).collect()
}

/// One dispatch of a piece.
#[derive(Debug)]
pub(super) struct Dispatch {
    pub bundle: Bundle,
    pub dims: Vec<Dim>,
    pub shape: Shape,
    /// What the cells of each output are, for reductions.
    pub kinds: Vec<Cell>,
    /// Points, or for reductions parts: cells times splits.
    pub total: usize,
    /// Output elements of a reduction.
    pub cells: usize,
    /// Parts into which the points of a cell are cut, a power of two.
    pub splits: usize,
    /// Invocations that share a part, a power of two.
    pub team: usize,
    /// Starts and members of the groups.
    groups: Option<(Vec<u32>, Vec<u32>)>,
}

/// A piece made ready.
#[derive(Debug)]
pub(super) struct Job {
    pub part: Region,
    pub uploads: Vec<Upload>,
    /// Per program input: its upload and the access into it.
    pub inputs: Vec<(usize, Access)>,
    pub dispatches: Vec<Dispatch>,
}

/// Points that an invocation of a reduction should have, or more invocations cost more than they
/// bring.
const WORTHWHILE: usize = 16;

/// Invocations of a team that read together what memory moves at once.
const SECTOR: usize = 8;

impl Job {
    /// For a box of the task's block.
    pub fn new(placed: &Placed<'_>, part: &Region, style: Style, schemes: &[Option<Scheme>]) -> Job {
        let task = placed.task;
        let (uploads, inputs) = uploads(placed, part);
        let accesses: Vec<Access> = inputs.iter().map(|(_, access)| access.clone()).collect();
        let dispatches = bundles(task.program)
            .into_iter()
            .map(|bundle| Dispatch::new(task, part, &accesses, bundle, style, schemes))
            .collect();
        Job {
            part: part.clone(),
            uploads,
            inputs,
            dispatches,
        }
    }

    /// Bytes of each buffer that is written.
    pub fn written(&self, program: &Program) -> Vec<u64> {
        let mut sizes: Vec<u64> = Vec::new();
        for dispatch in &self.dispatches {
            for &output in dispatch
                .bundle
                .outputs
                .iter()
                .filter(|_| !dispatch.bundle.reduces)
            {
                let dtype = program.insts[program.outputs[output].value()].dtype;
                sizes.push((self.part.len() * dtype.size()) as u64);
            }
            for cell in &dispatch.kinds {
                sizes.extend(cell.bytes(dispatch.total).map(|bytes| bytes as u64));
                if dispatch.splits > 1 {
                    sizes.extend(cell.bytes(dispatch.cells).map(|bytes| bytes as u64));
                }
            }
        }
        sizes
    }

    /// Whether element indices of the reductions, counted from the piece's first point, fit i32.
    pub fn indices_fit(&self) -> bool {
        self.dispatches.iter().all(|dispatch| {
            let outputs = dispatch.dims.first().map_or(0, |d| d.index_steps.len());
            (0..outputs).all(|j| {
                let span = dispatch.dims.iter().try_fold(0i64, |sum, dim| {
                    let reach = dim.index_steps[j].checked_mul(dim.extent as i64 - 1)?;
                    sum.checked_add(reach.checked_abs()?)
                });
                span.is_some_and(|span| span < 1 << 31)
            })
        })
    }
}

impl Dispatch {
    fn new(
        task: &Task<'_>,
        part: &Region,
        accesses: &[Access],
        bundle: Bundle,
        style: Style,
        schemes: &[Option<Scheme>],
    ) -> Dispatch {
        let dims = walk(task.program, &bundle.outputs, &part.shape, accesses);
        let offsets: Vec<isize> = accesses.iter().map(|access| access.offset).collect();
        let mut shape = shape_of(task.program, &dims, &offsets, !bundle.reduces);
        let cells = cells_of(&dims);
        shape.teams &= style.coalesce || cells < style.parallel;
        let mut this = Dispatch {
            total: part.len(),
            cells,
            splits: 1,
            team: 1,
            groups: None,
            kinds: kinds(task.program, &bundle, schemes),
            bundle,
            dims,
            shape,
        };
        if !this.bundle.reduces {
            return this;
        }
        let mut points = 1;
        for dim in &this.dims {
            match dim.role {
                AxisRole::Keep => {}
                AxisRole::Reduce => points *= dim.extent,
                AxisRole::Group { groups } => {
                    let (start, extent) = (part.start[dim.axis], dim.extent);
                    let labels = task.labels.map_or(&[][..], |l| &l[start..start + extent]);
                    let lists = members(labels, groups);
                    let largest = lists.0.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0);
                    points *= largest as usize;
                    this.groups = Some(lists);
                }
            }
        }
        let longest = this
            .bundle
            .outputs
            .iter()
            .filter_map(|&output| schemes[output])
            .map(Scheme::longest)
            .min()
            .unwrap_or(usize::MAX);
        let workgroup = style.workgroup as usize;
        while this.shape.teams && this.team < workgroup && points >= 2 * this.team {
            if this.team >= SECTOR && points / (2 * this.team) < WORTHWHILE {
                break;
            }
            this.team *= 2;
        }
        let share = |splits: usize| points / (splits * this.team);
        let mut splits = 1;
        while (cells * this.team * splits < style.parallel && share(2 * splits) >= 2 * WORTHWHILE)
            || share(splits) > longest
        {
            splits *= 2;
        }
        this.splits = splits;
        this.total = cells * splits;
        this
    }

    /// A bound on the words of [`Dispatch::parameters`].
    pub fn parameter_words(&self) -> usize {
        let (mut axes, mut lists) = (0, 0);
        for dim in &self.dims {
            axes += 4 + dim.steps.len() + dim.index_steps.len();
            for step in &dim.steps {
                if let AxisStep::Table(table) = step {
                    lists += table.len();
                }
            }
        }
        let inputs = self.dims.first().map_or(0, |dim| dim.steps.len());
        if let Some((starts, members)) = &self.groups {
            lists += starts.len() + members.len();
        }
        16 + axes + inputs + lists
    }

    /// What it adds to each cell of its reduction number `j`, whose indices count from `base`.
    pub fn block(&self, j: usize, scheme: Scheme, base: i64) -> Block {
        let reach = |dim: &Dim| dim.index_steps[j].abs() * (dim.extent as i64 - 1);
        let values = |dim: &Dim| match dim.role {
            AxisRole::Keep => 1,
            _ => dim.extent as u64,
        };
        Block {
            scheme,
            cells: self.cells,
            splits: self.splits,
            base,
            reach: self.dims.iter().map(reach).sum(),
            values: self.dims.iter().map(values).product(),
        }
    }

    /// Workgroups that run it.
    pub fn workgroups(&self, kernel: &Kernel) -> u32 {
        if let Four::Tiled { row, .. } = self.shape.four {
            let inner = self.dims.len() - 1;
            let units = self
                .dims
                .iter()
                .enumerate()
                .map(|(d, dim)| match d == row || d == inner {
                    true => dim.extent.div_ceil(TILE),
                    false => dim.extent,
                });
            return units.product::<usize>() as u32;
        }
        let invocations = (self.total * self.team).div_ceil(kernel.points);
        invocations.div_ceil(kernel.workgroup as usize) as u32
    }

    /// The first buffer of a kernel: parameters, tables, group lists.
    pub fn parameters(&self, job: &Job, kernel: &Kernel, origin: &[usize]) -> Vec<u32> {
        let mut words = vec![0u32; kernel.params.0.len()];
        let mut lists: Vec<u32> = Vec::new();
        let base = words.len();
        for (at, &param) in kernel.params.0.iter().enumerate() {
            let global = |d: usize| {
                let axis = self.dims[d].axis;
                (origin[axis] + job.part.start[axis]) as u64
            };
            words[at] = match param {
                Param::Zero => 0,
                Param::Total => self.total as u32,
                Param::Splits => self.splits as u32,
                Param::Team => self.team as u32,
                Param::Cells => self.cells as u32,
                Param::Extent(d) => match self.dims[d].role {
                    AxisRole::Group { groups } => groups as u32,
                    _ => self.dims[d].extent as u32,
                },
                Param::OriginLow(d) => global(d) as u32,
                Param::OriginHigh(d) => (global(d) >> 32) as u32,
                Param::Offset(n) => job.inputs[n].1.offset as i32 as u32,
                Param::Step(n, d) => match &self.dims[d].steps[n] {
                    AxisStep::Step(k) => *k as i32 as u32,
                    AxisStep::Table(t) => {
                        let start = base + lists.len();
                        lists.extend(t.iter().map(|&v| v as i32 as u32));
                        start as u32
                    }
                },
                Param::IndexStep(j, d) => self.dims[d].index_steps[j] as i32 as u32,
                Param::GroupStarts | Param::GroupMembers => {
                    let start = base + lists.len();
                    if let Some((starts, members)) = &self.groups {
                        let list = if param == Param::GroupStarts {
                            starts
                        } else {
                            members
                        };
                        lists.extend(list);
                    }
                    start as u32
                }
            };
        }
        words.extend(lists);
        words
    }
}

/// The cells of the reductions of a bundle.
pub(super) fn kinds(program: &Program, bundle: &Bundle, schemes: &[Option<Scheme>]) -> Vec<Cell> {
    let cell = |&number: &usize| match (&program.outputs[number], schemes[number]) {
        (Output::Reduce { value, reduction, .. }, Some(scheme)) => {
            Some(Cell::new(scheme, *reduction, program.insts[*value].dtype))
        }
        _ => None,
    };
    bundle.outputs.iter().filter_map(cell).collect()
}

/// For each group where its members begin, and the members: positions along the axis by label.
/// Labels outside the groups are left out.
fn members(labels: &[u32], groups: usize) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0u32; groups + 1];
    for &label in labels {
        if (label as usize) < groups {
            starts[label as usize + 1] += 1;
        }
    }
    for g in 0..groups {
        starts[g + 1] += starts[g];
    }
    let mut next = starts.clone();
    let mut members = vec![0u32; starts[groups] as usize];
    for (at, &label) in labels.iter().enumerate() {
        if (label as usize) < groups {
            members[next[label as usize] as usize] = at as u32;
            next[label as usize] += 1;
        }
    }
    (starts, members)
}

/// The cells of a piece within the state of the whole block: runs of (cell in the state, cell in
/// the piece, length).
pub(super) fn cell_runs(roles: &[AxisRole], shape: &[usize], part: &Region) -> Vec<(usize, usize, usize)> {
    let mut runs = vec![(0, 0, 1)];
    for (axis, role) in roles.iter().enumerate() {
        let (whole, start, len) = match role {
            AxisRole::Keep => (shape[axis], part.start[axis], part.shape[axis]),
            AxisRole::Reduce => (1, 0, 1),
            AxisRole::Group { groups } => (*groups, 0, *groups),
        };
        let mut finer = Vec::with_capacity(runs.len());
        for (to, from, count) in runs {
            if whole == len {
                finer.push((to * whole, from * len, count * len));
            } else {
                finer.extend((0..count).map(|c| ((to + c) * whole + start, (from + c) * len, len)));
            }
        }
        runs = finer;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_list_their_members_in_order() {
        let (starts, list) = members(&[2, 0, u32::MAX, 2, 1, 3], 3);
        assert_eq!(starts, [0, 1, 2, 4]);
        assert_eq!(list, [1, 4, 0, 3]);
    }

    #[test]
    fn cells_of_a_piece_are_found_in_the_state() {
        use AxisRole::{Group, Keep, Reduce};
        let part = Region::new(vec![1, 0, 2], vec![1, 5, 3]);
        assert_eq!(cell_runs(&[Keep, Reduce, Keep], &[4, 5, 6], &part), [(8, 0, 3)]);
        assert_eq!(
            cell_runs(&[Group { groups: 2 }, Reduce, Keep], &[4, 5, 6], &part),
            [(2, 0, 3), (8, 3, 3)]
        );
        assert_eq!(
            cell_runs(&[Reduce, Reduce, Reduce], &[4, 5, 6], &part),
            [(0, 0, 1)]
        );
        assert_eq!(cell_runs(&[], &[], &Region::whole(&[])), [(0, 0, 1)]);
    }
}
