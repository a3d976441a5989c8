//! A slow and obvious machine: evaluates a task point by point.
//!
//! Inputs are gathered through their accesses, each instruction runs over all points at once with
//! the op table's own loops (which have an outside oracle), and reductions feed a state one
//! element at a time.
#![allow(dead_code)] // each test takes what it needs

use tilewise::device::{Device, OutMut, Task};
use tilewise::geometry::AxisStep;
use tilewise::kernels::reduce::{Rows, State};
use tilewise::plan::program::{Action, AxisRole, Output};
use tilewise::{DType, Op};
use tilewise_kernels::Isa;
use tilewise_kernels::cast_kernel;

/// What a task gives for one output.
#[derive(Debug)]
pub enum Expected {
    /// The elements stored.
    Store(Vec<u8>),
    /// The state after the block.
    Reduce(State),
}

/// Every index of a shape, row-major.
pub fn points(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut out = vec![vec![]];
    for &n in shape {
        out = out
            .iter()
            .flat_map(|p: &Vec<usize>| (0..n).map(move |i| [p.clone(), vec![i]].concat()))
            .collect();
    }
    out
}

/// Number of cells of a state.
pub fn cells(roles: &[AxisRole], shape: &[usize]) -> usize {
    let extent = |(role, &n): (&AxisRole, &usize)| match role {
        AxisRole::Keep => n,
        AxisRole::Reduce => 1,
        AxisRole::Group { groups } => *groups,
    };
    roles.iter().zip(shape).map(extent).product()
}

/// Evaluates a task.
pub fn evaluate(task: &Task<'_>) -> Vec<Expected> {
    let points = points(task.shape);
    let mut values: Vec<Vec<u64>> = Vec::new(); // aligned bytes of every instruction
    for inst in &task.program.insts {
        let size = inst.dtype.size();
        let mut out = vec![0u64; (points.len() * size).div_ceil(8)];
        let bytes: &mut [u8] = &mut bytemuck::cast_slice_mut(&mut out)[..points.len() * size];
        match &inst.action {
            Action::Load(n) => {
                let binding = &task.bindings[*n];
                for (slot, at) in bytes.chunks_exact_mut(size).zip(&points) {
                    let mut offset = binding.access.offset;
                    for (i, step) in at.iter().zip(&binding.access.steps) {
                        offset += match step {
                            AxisStep::Step(k) => k * *i as isize,
                            AxisStep::Table(t) => t[*i],
                        };
                    }
                    let from = offset as usize * size;
                    slot.copy_from_slice(&task.buffers[binding.buffer][from..from + size]);
                }
            }
            Action::Const(scalar) => {
                for slot in bytes.chunks_exact_mut(size) {
                    slot.copy_from_slice(&scalar.bytes());
                }
            }
            Action::Index { axis } => {
                for (slot, at) in bytes.chunks_exact_mut(size).zip(&points) {
                    let index = (task.origin[*axis] + at[*axis]) as i64;
                    slot.copy_from_slice(&index.to_le_bytes());
                }
            }
            Action::Cast => {
                let (arg, from) = (inst.args[0], task.program.insts[inst.args[0]].dtype);
                let source = &strip(&values[arg])[..points.len() * from.size()];
                cast_kernel(from, inst.dtype, Isa::Baseline)(&[source], bytes);
            }
            Action::Op(op) => {
                let args: Vec<(DType, &[u8])> = inst
                    .args
                    .iter()
                    .map(|&a| {
                        let dtype = task.program.insts[a].dtype;
                        (dtype, &strip(&values[a])[..points.len() * dtype.size()])
                    })
                    .collect();
                apply(*op, &args, inst.dtype, points.len(), bytes);
            }
        }
        values.push(out);
    }
    let bytes = |reg: usize| &strip(&values[reg])[..points.len() * task.program.insts[reg].dtype.size()];
    task.program
        .outputs
        .iter()
        .map(|output| match output {
            Output::Store(reg) => Expected::Store(bytes(*reg).to_vec()),
            Output::Reduce {
                value,
                reduction,
                roles,
                index_steps,
            } => {
                let dtype = task.program.insts[*value].dtype;
                let mut state =
                    State::new(*reduction, dtype, cells(roles, task.shape)).expect("a small state");
                for (number, at) in points.iter().enumerate() {
                    let Some(cell) = cell(task, roles, at) else {
                        continue;
                    };
                    let index = (0..at.len())
                        .map(|a| (task.origin[a] + at[a]) as i64 * index_steps[a])
                        .sum();
                    state.feed_along(&Rows {
                        values: bytes(*value),
                        starts: &[number],
                        len: 1,
                        cells: &[cell],
                        indices: &[index],
                        index_step: 0,
                    });
                }
                Expected::Reduce(state)
            }
        })
        .collect()
}

fn strip(words: &[u64]) -> &[u8] {
    bytemuck::cast_slice(words)
}

/// The cell of a point; none where its label is no group.
fn cell(task: &Task<'_>, roles: &[AxisRole], at: &[usize]) -> Option<usize> {
    let mut cell = 0;
    for (axis, role) in roles.iter().enumerate() {
        cell = match role {
            AxisRole::Keep => cell * task.shape[axis] + at[axis],
            AxisRole::Reduce => cell,
            AxisRole::Group { groups } => {
                let label = task.labels.expect("labels")[at[axis]] as usize;
                if label >= *groups {
                    return None;
                }
                cell * groups + label
            }
        };
    }
    Some(cell)
}

/// One op over all points; half floats in single precision, rounded.
fn apply(op: Op, args: &[(DType, &[u8])], result: DType, len: usize, out: &mut [u8]) {
    let dtypes: Vec<DType> = args.iter().map(|a| a.0).collect();
    if let Some(kernel) = (op.kernel)(&dtypes, Isa::Baseline) {
        let args: Vec<&[u8]> = args.iter().map(|a| a.1).collect();
        return kernel(&args, out);
    }
    let half = |d: DType| matches!(d, DType::F16 | DType::BF16);
    let wider = |d: DType| if half(d) { DType::F32 } else { d };
    let wide: Vec<DType> = dtypes.iter().map(|&d| wider(d)).collect();
    let widened: Vec<Vec<u64>> = args
        .iter()
        .map(|(dtype, bytes)| {
            let mut words = vec![0u64; (len * wider(*dtype).size()).div_ceil(8)];
            let to = &mut bytemuck::cast_slice_mut(&mut words)[..len * wider(*dtype).size()];
            cast_kernel(*dtype, wider(*dtype), Isa::Baseline)(&[bytes], to);
            words
        })
        .collect();
    let strips: Vec<&[u8]> = widened
        .iter()
        .zip(&wide)
        .map(|(words, d)| &strip(words)[..len * d.size()])
        .collect();
    let kernel = (op.kernel)(&wide, Isa::Baseline).expect("a kernel in single precision");
    let size = wider(result).size();
    let mut words = vec![0u64; (len * size).div_ceil(8)];
    let to: &mut [u8] = &mut bytemuck::cast_slice_mut(&mut words)[..len * size];
    kernel(&strips, to);
    cast_kernel(wider(result), result, Isa::Baseline)(&[to], out);
}

/// Runs a task on a device from fresh outputs, as the reference gives them.
pub fn run(device: &dyn Device, task: &Task<'_>) -> tilewise::Result<Vec<Expected>> {
    let len: usize = task.shape.iter().product();
    let mut found: Vec<Expected> = task
        .program
        .outputs
        .iter()
        .map(|output| match output {
            Output::Store(reg) => Expected::Store(vec![0xaa; len * task.program.insts[*reg].dtype.size()]),
            Output::Reduce {
                value,
                reduction,
                roles,
                ..
            } => {
                let dtype = task.program.insts[*value].dtype;
                let len = cells(roles, task.shape);
                Expected::Reduce(State::new(*reduction, dtype, len).expect("a small state"))
            }
        })
        .collect();
    let mut outputs: Vec<OutMut<'_>> = found
        .iter_mut()
        .map(|expected| match expected {
            Expected::Store(bytes) => OutMut::Store(bytes),
            Expected::Reduce(state) => OutMut::Reduce(state),
        })
        .collect();
    device.run(task, &mut outputs)?;
    Ok(found)
}

/// The elements of an output: what is stored, or the results of a state.
pub fn elements(task: &Task<'_>, output: usize, value: &Expected) -> (DType, Vec<u8>) {
    let dtype = task.program.insts[task.program.outputs[output].value()].dtype;
    match value {
        Expected::Store(bytes) => (dtype, bytes.clone()),
        Expected::Reduce(state) => {
            let result = state.reduction().result(dtype);
            let mut bytes = vec![0; state.len() * result.size()];
            state.finish(&mut bytes, 0..state.len());
            (result, bytes)
        }
    }
}
