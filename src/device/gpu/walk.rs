//! The loop nest of a kernel: as few axes as the block's layout allows.
//!
//! Every axis of a kernel costs a division per point. Neighbouring axes that all inputs walk as
//! one (a contiguous block has one such run) are joined, so the kernel of a rank-4 block is mostly
//! that of a rank-1 block, and many blocks share a kernel.

use crate::geometry::{Access, AxisStep};
use crate::plan::program::{Action, AxisRole, Output, Program};

/// An axis of the kernel: one or more neighbouring axes of the block.
#[derive(Clone, Debug)]
pub(super) struct Dim {
    /// First axis of the block that it stands for; the only one unless several were joined.
    pub axis: usize,
    /// Its extent.
    pub extent: usize,
    /// What the reductions of the kernel do along it; `Keep` where nothing is reduced.
    pub role: AxisRole,
    /// Per reduction of the kernel: what one step adds to the element index.
    pub index_steps: Vec<i64>,
    /// Per input: what one step adds to the element offset.
    pub steps: Vec<AxisStep>,
}

/// The part of a loop nest that decides the kernel's text; extents and steps are parameters.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Shape {
    /// Per axis of the kernel: the block axis it begins with where the program asks for indices
    /// along it, and what is done along it (0 keep, 1 reduce, 2 group).
    pub dims: Vec<(Option<usize>, u8)>,
    /// Per axis, per input: whether it is walked through a table.
    pub tables: Vec<Vec<bool>>,
    /// What is known of four neighbouring points.
    pub four: Four,
    /// Points of a row that are moved as one vector: four, or more of narrow elements.
    pub width: usize,
    /// Whether neighbouring invocations share the points of a cell of a reduction.
    pub teams: bool,
}

/// Four neighbouring points of a store kernel, of which the first has a number divisible by four.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Four {
    /// They may lie in two rows of the innermost axis.
    Apart,
    /// They lie in one row; per input, how they are loaded.
    InRow(Vec<Load>),
    /// They lie in one row of a tile, whose points a workgroup shares.
    Tiled {
        /// The axis of the kernel along which tiles lie, beside the innermost.
        row: usize,
        /// Whether rows are whole fours; else points are computed one by one.
        fours: bool,
        /// Per input, how it is loaded.
        loads: Vec<Load>,
    },
}

/// How an input is loaded for four points of a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Load {
    /// Point by point.
    Each,
    /// As one vector of four neighbours.
    Vector,
    /// Once: it has no step along the row.
    Once,
    /// Through a tile in the workgroup's memory: its neighbours lie along the other axis of the tile.
    Turned,
}

/// Bytes that memory moves best.
const VECTOR_BYTES: usize = 16;

/// Edge of a tile.
pub(super) const TILE: usize = 32;
/// Points of a row or column below which a tile is not worth its trouble, and elements that neighbours
/// are apart.
const LEAST: usize = 8;
/// Memory of a workgroup that tiles take: what any adapter has.
const TILE_BYTES: usize = 16 << 10;

/// Joins the axes of a block of that shape for the outputs of a kernel.
pub(super) fn walk(program: &Program, outputs: &[usize], shape: &[usize], inputs: &[Access]) -> Vec<Dim> {
    let mut roles = vec![AxisRole::Keep; shape.len()];
    let mut index_steps = vec![Vec::new(); shape.len()];
    for &output in outputs {
        if let Output::Reduce {
            roles: of,
            index_steps: steps,
            ..
        } = &program.outputs[output]
        {
            roles.clone_from(of);
            for (list, step) in index_steps.iter_mut().zip(steps) {
                list.push(*step);
            }
        }
    }
    let mut dims: Vec<Dim> = Vec::new();
    for (axis, &extent) in shape.iter().enumerate() {
        let dim = Dim {
            axis,
            extent,
            role: roles[axis],
            index_steps: std::mem::take(&mut index_steps[axis]),
            steps: inputs.iter().map(|access| access.steps[axis].clone()).collect(),
        };
        let bound = indexed(program, axis) || (axis > 0 && indexed(program, axis - 1));
        match dims.last_mut() {
            Some(last) if !bound && joins(last, &dim) => {
                if dim.extent != 1 {
                    last.steps = dim.steps;
                    last.index_steps = dim.index_steps;
                }
                last.extent *= extent;
            }
            _ => dims.push(dim),
        }
    }
    if dims.is_empty() {
        dims.push(Dim {
            axis: 0,
            extent: 1,
            role: AxisRole::Keep,
            index_steps: vec![0; outputs.len()],
            steps: vec![AxisStep::Step(0); inputs.len()],
        });
    }
    dims
}

/// Whether the program asks for the index along an axis.
fn indexed(program: &Program, axis: usize) -> bool {
    program
        .insts
        .iter()
        .any(|inst| inst.action == Action::Index { axis })
}

/// Whether an axis and the next are walked as one: by every input, role and index.
fn joins(outer: &Dim, inner: &Dim) -> bool {
    if outer.role != inner.role || matches!(outer.role, AxisRole::Group { .. }) {
        return false;
    }
    let trivial = outer.extent == 1 || inner.extent == 1;
    let steps = outer.steps.iter().zip(&inner.steps).all(|pair| match pair {
        (AxisStep::Step(a), AxisStep::Step(b)) => trivial || *a == b * inner.extent as isize,
        _ => false,
    });
    let indices = outer.index_steps.iter().zip(&inner.index_steps);
    steps
        && indices
            .into_iter()
            .all(|(a, b)| trivial || *a == b * inner.extent as i64)
}

/// What of a loop nest decides the kernel's text; `offsets` are those of the inputs. Stores only use
/// what is known of four points, reductions only `teams`.
pub(super) fn shape_of(program: &Program, dims: &[Dim], offsets: &[isize], stores: bool) -> Shape {
    let four = match stores {
        true => tiled(program, dims, four(dims, offsets)),
        false => Four::Apart,
    };
    Shape {
        width: width(program, dims, offsets, &four),
        dims: dims
            .iter()
            .map(|dim| {
                let role = match dim.role {
                    AxisRole::Keep => 0,
                    AxisRole::Reduce => 1,
                    AxisRole::Group { .. } => 2,
                };
                (indexed(program, dim.axis).then_some(dim.axis), role)
            })
            .collect(),
        tables: dims
            .iter()
            .map(|dim| {
                let table = |step: &AxisStep| matches!(step, AxisStep::Table(_));
                dim.steps.iter().map(table).collect()
            })
            .collect(),
        four,
        teams: !stores && side_by_side(dims),
    }
}

/// Number of cells of the reductions of a loop nest.
pub(super) fn cells_of(dims: &[Dim]) -> usize {
    let cells = |dim: &Dim| match dim.role {
        AxisRole::Keep => dim.extent,
        AxisRole::Reduce => 1,
        AxisRole::Group { groups } => groups,
    };
    dims.iter().map(cells).product()
}

/// How four neighbouring points see the inputs.
fn four(dims: &[Dim], offsets: &[isize]) -> Four {
    let Some((inner, outer)) = dims.split_last() else {
        return Four::Apart;
    };
    // The points behind a single row lie in the padding of every buffer.
    if !outer.is_empty() && !inner.extent.is_multiple_of(4) {
        return Four::Apart;
    }
    let load = |(n, offset): (usize, &isize)| {
        let whole = |dim: &Dim| match &dim.steps[n] {
            AxisStep::Step(k) => k % 4 == 0,
            AxisStep::Table(table) => table.iter().all(|k| k % 4 == 0),
        };
        match inner.steps[n] {
            AxisStep::Step(0) => Load::Once,
            AxisStep::Step(1) if offset % 4 == 0 && outer.iter().all(whole) => Load::Vector,
            _ => Load::Each,
        }
    };
    Four::InRow(offsets.iter().enumerate().map(load).collect())
}

/// Points of a row that are moved as one vector: of narrow elements so many as are 16 bytes, where
/// rows begin and end with whole vectors.
fn width(program: &Program, dims: &[Dim], offsets: &[isize], four: &Four) -> usize {
    let (Four::InRow(loads), Some((inner, outer))) = (four, dims.split_last()) else {
        return 4;
    };
    let vectors = (0..loads.len()).filter(|&n| loads[n] == Load::Vector);
    let stored = program.outputs.iter().filter_map(|output| match output {
        Output::Store(value) => Some(program.insts[*value].dtype.size()),
        Output::Reduce { .. } => None,
    });
    let largest = vectors
        .clone()
        .map(|n| program.inputs[n].size())
        .chain(stored)
        .max();
    let width = largest.map_or(4, |size| (VECTOR_BYTES / size).max(4));
    let whole = |k: &isize| k % width as isize == 0;
    let begins = |n: usize| {
        whole(&offsets[n])
            && outer.iter().all(|dim| match &dim.steps[n] {
                AxisStep::Step(k) => whole(k),
                AxisStep::Table(table) => table.iter().all(whole),
            })
    };
    match (outer.is_empty() || inner.extent.is_multiple_of(width)) && vectors.clone().all(begins) {
        true => width,
        false => 4,
    }
}

/// How points are loaded where some inputs are turned; else `four` as it is.
fn tiled(program: &Program, dims: &[Dim], four: Four) -> Four {
    let Some((inner, outer)) = dims.split_last() else {
        return four;
    };
    let far = |n: &usize| matches!(inner.steps[*n], AxisStep::Step(k) if k.unsigned_abs() >= LEAST);
    let near = |d: usize, n: usize| dims[d].extent >= LEAST && dims[d].steps[n] == AxisStep::Step(1);
    let inputs = 0..inner.steps.len();
    let row = (0..outer.len()).max_by_key(|&d| inputs.clone().filter(|n| far(n) && near(d, *n)).count());
    let narrow = program.outputs.iter().any(|output| match output {
        Output::Store(value) => program.insts[*value].dtype.size() < 4,
        Output::Reduce { .. } => false,
    });
    let fours = inner.extent.is_multiple_of(4);
    let Some(row) = row.filter(|_| inner.extent >= LEAST && (fours || !narrow)) else {
        return four;
    };
    let mut loads = match &four {
        Four::InRow(loads) => loads.clone(),
        _ => vec![Load::Each; inner.steps.len()],
    };
    let mut room = TILE_BYTES;
    for n in inputs.filter(|n| far(n) && near(row, *n)) {
        let bytes = TILE * (TILE + 1) * program.inputs[n].size().max(4);
        if bytes <= room {
            room -= bytes;
            loads[n] = Load::Turned;
        }
    }
    match loads.contains(&Load::Turned) {
        true => Four::Tiled { row, fours, loads },
        false => four,
    }
}

/// Whether neighbours in memory go to one cell of a reduction, so that neighbouring invocations must
/// share it to read them together.
fn side_by_side(dims: &[Dim]) -> bool {
    let nearest = |wanted: bool| {
        let along = |dim: &Dim| (dim.role == AxisRole::Reduce) == wanted;
        let dim = dims.iter().rev().find(|dim| along(dim) && dim.extent > 1);
        dim.map_or(0, |dim| {
            let near = |step: &&AxisStep| matches!(step, AxisStep::Step(1 | -1));
            dim.steps.iter().filter(near).count()
        })
    };
    nearest(true) > nearest(false) || cells_of(dims) == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    fn nothing() -> Program {
        Program {
            rank: 3,
            inputs: vec![DType::F32],
            insts: vec![],
            outputs: vec![Output::Store(0)],
        }
    }

    fn access(steps: [isize; 3]) -> Access {
        Access {
            offset: 0,
            steps: steps.iter().map(|&k| AxisStep::Step(k)).collect(),
        }
    }

    fn extents(shape: [usize; 3], steps: &[[isize; 3]]) -> Vec<usize> {
        let inputs: Vec<Access> = steps.iter().map(|&s| access(s)).collect();
        let dims = walk(&nothing(), &[0], &shape, &inputs);
        dims.iter().map(|d| d.extent).collect()
    }

    #[test]
    fn contiguous_axes_are_one() {
        assert_eq!(extents([2, 3, 4], &[[12, 4, 1]]), [24]);
        assert_eq!(extents([2, 3, 4], &[[12, 4, 1], [0, 4, 1]]), [2, 12]);
        assert_eq!(extents([2, 3, 4], &[[-12, 4, 1]]), [2, 12]);
        assert_eq!(extents([2, 1, 4], &[[4, 99, 1]]), [8]);
        assert_eq!(extents([2, 3, 4], &[[1, 2, 6]]), [2, 3, 4]);
    }

    #[test]
    fn indexed_axes_stay_alone() {
        let mut program = nothing();
        program.insts.push(crate::plan::program::Inst {
            action: Action::Index { axis: 1 },
            args: vec![],
            dtype: DType::I64,
        });
        let dims = walk(&program, &[0], &[2, 3, 4], &[access([12, 4, 1])]);
        assert_eq!(dims.len(), 3);
        assert_eq!(shape_of(&program, &dims, &[0], true).dims[1].0, Some(1));
    }

    #[test]
    fn four_points_are_a_vector_where_rows_and_steps_are() {
        let found = |shape: [usize; 3], offset: isize, steps: [isize; 3]| {
            let dims = walk(&nothing(), &[0], &shape, &[access(steps)]);
            four(&dims, &[offset])
        };
        use Load::{Each, Once, Vector};
        assert_eq!(found([2, 3, 5], 4, [15, 5, 1]), Four::InRow(vec![Vector]));
        assert_eq!(found([2, 3, 5], 3, [15, 5, 1]), Four::InRow(vec![Each]));
        assert_eq!(found([2, 3, 8], 0, [0, 8, 1]), Four::InRow(vec![Vector]));
        assert_eq!(found([2, 3, 8], 0, [30, 10, 1]), Four::InRow(vec![Each]));
        assert_eq!(found([2, 3, 8], 1, [3, 1, 0]), Four::InRow(vec![Once]));
        assert_eq!(found([2, 3, 5], 0, [20, 5, 1]), Four::Apart);
    }

    #[test]
    fn narrow_points_are_moved_by_sixteen_bytes() {
        let width = |dtype: DType, shape: [usize; 3], offset: isize, steps: [isize; 3]| {
            let mut program = nothing();
            program.inputs = vec![dtype];
            program.insts.push(crate::plan::program::Inst {
                action: Action::Load(0),
                args: vec![],
                dtype,
            });
            let dims = walk(&program, &[0], &shape, &[access(steps)]);
            shape_of(&program, &dims, &[offset], true).width
        };
        assert_eq!(width(DType::U8, [2, 3, 7], 16, [21, 7, 1]), 16, "one row");
        assert_eq!(width(DType::U8, [2, 3, 7], 8, [21, 7, 1]), 4);
        assert_eq!(width(DType::U8, [2, 3, 32], 0, [480, 48, 1]), 16);
        assert_eq!(width(DType::U8, [2, 3, 32], 0, [480, 40, 1]), 4, "rows apart");
        assert_eq!(width(DType::I16, [2, 3, 24], 0, [480, 40, 1]), 8);
        assert_eq!(width(DType::I16, [2, 3, 20], 0, [480, 40, 1]), 4, "short rows");
        assert_eq!(width(DType::F32, [2, 3, 32], 0, [480, 40, 1]), 4);
    }

    #[test]
    fn cells_of_neighbours_have_teams() {
        use AxisRole::{Keep, Reduce};
        let found = |roles: [AxisRole; 3], steps: [isize; 3]| {
            let mut dims = walk(&nothing(), &[0], &[2, 3, 4], &[access(steps)]);
            dims.iter_mut().zip(roles).for_each(|(dim, role)| dim.role = role);
            side_by_side(&dims)
        };
        assert!(found([Keep, Reduce, Reduce], [99, 5, 1]));
        assert!(!found([Reduce, Reduce, Keep], [99, 5, 1]));
        assert!(found([Reduce, Keep, Keep], [1, 2, 6]));
        assert!(!found([Keep, Keep, Reduce], [1, 2, 6]));
    }
}
