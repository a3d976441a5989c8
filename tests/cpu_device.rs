//! The CPU device against a walk over single points.
//!
//! The walk computes each point of the block by itself, through the same scalar loops on strips of
//! one element (ops have their own oracle), and feeds it to reductions one by one. Blocks, access
//! maps, programs and outputs are drawn at random.

#![allow(clippy::unwrap_used)]

use tilewise::device::cpu::Cpu;
use tilewise::device::{Binding, Device, OutMut, Task};
use tilewise::geometry::{Access, AxisStep};
use tilewise::kernels::reduce::{Rows, State};
use tilewise::kernels::{Isa, cast_kernel};
use tilewise::plan::program::{Action, AxisRole, Inst, Output, Program};
use tilewise::{DType, Op, ReduceKind, Reduction, Scalar};

/// A small generator of numbers (SplitMix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn of<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// Everything one run needs.
#[derive(Debug)]
struct Case {
    program: Program,
    shape: Vec<usize>,
    origin: Vec<usize>,
    buffers: Vec<Vec<u8>>,
    bindings: Vec<Binding>,
    labels: Vec<u32>,
}

/// A value of a dtype: mostly small whole numbers, sometimes special.
fn element(draw: &mut Draw, dtype: DType) -> Vec<u8> {
    let number = draw.below(41) as f64 - 20.0;
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e30];
    let number = match draw.chance(3) {
        true => draw.of(&special),
        false => number,
    };
    one(
        cast_kernel(DType::F64, dtype, Isa::Baseline),
        &[&number.to_le_bytes()],
        dtype,
    )
}

/// A loop run on one element.
fn one(kernel: fn(&[&[u8]], &mut [u8]), args: &[&[u8]], result: DType) -> Vec<u8> {
    let aligned: Vec<[u64; 1]> = args
        .iter()
        .map(|bytes| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            [u64::from_ne_bytes(word)]
        })
        .collect();
    let views: Vec<&[u8]> = aligned
        .iter()
        .zip(args)
        .map(|(word, bytes)| &bytemuck::cast_slice::<u64, u8>(word)[..bytes.len()])
        .collect();
    let mut out = [0u64];
    let out = &mut bytemuck::cast_slice_mut::<u64, u8>(&mut out)[..result.size()];
    kernel(&views, out);
    out.to_vec()
}

/// An access to a buffer of its own and that buffer's number of elements.
fn access(draw: &mut Draw, shape: &[usize]) -> (Access, usize) {
    let mut axes: Vec<usize> = (0..shape.len()).collect();
    if draw.chance(30) {
        axes.rotate_left(draw.below(shape.len().max(1)).min(shape.len()));
    }
    let plain = draw.chance(40);
    let mut steps = vec![AxisStep::Step(0); shape.len()];
    let (mut offset, mut stride) = (0isize, 1usize);
    for &axis in axes.iter().rev() {
        let extent = shape[axis];
        let choice = if plain { 0 } else { draw.below(6) };
        match choice {
            1 => steps[axis] = AxisStep::Step(0),
            2 => {
                steps[axis] = AxisStep::Step(-(stride as isize));
                offset += (stride * extent.saturating_sub(1)) as isize;
                stride *= extent.max(1);
            }
            3 => {
                let table = (0..extent)
                    .map(|_| (draw.below(extent) * stride) as isize)
                    .collect();
                steps[axis] = AxisStep::Table(table);
                stride *= extent.max(1);
            }
            4 => {
                steps[axis] = AxisStep::Step(3 * stride as isize);
                stride *= 3 * extent.max(1);
            }
            _ => {
                steps[axis] = AxisStep::Step(stride as isize);
                stride *= extent.max(1);
            }
        }
    }
    let before = draw.below(3);
    offset += before as isize;
    (Access { offset, steps }, stride + before)
}

/// A task at random; of long rows that are only stored if asked.
fn case(seed: u64, rows: bool) -> Case {
    let draw = &mut Draw(seed);
    let rank = if rows { 1 + draw.below(3) } else { draw.below(6) };
    let mut shape = Vec::new();
    for _ in 0..rank {
        let small = [0, 1, 1, 2, 3, 5, 7, 16, 70, 300, 5000];
        let room = 20_000 / shape.iter().map(|&n: &usize| n.max(1)).product::<usize>();
        let mut extent = draw.of(&small);
        if (extent == 0 && !draw.chance(10)) || extent > room {
            extent = 1 + draw.below(3).min(room);
        }
        shape.push(extent);
    }
    if rows {
        let others = shape[..rank - 1].iter_mut();
        others.for_each(|n| *n = 1 + *n % 3);
        shape[rank - 1] = draw.of(&[256, 300, 511, 512, 513, 1000, 2048, 5001]);
    }
    let origin = (0..rank).map(|_| draw.below(50)).collect();
    let dtypes: Vec<DType> = DType::real().collect();
    let mut program = Program {
        rank,
        inputs: Vec::new(),
        insts: Vec::new(),
        outputs: Vec::new(),
    };
    let (mut buffers, mut bindings) = (Vec::new(), Vec::new());
    for input in 0..1 + draw.below(3) {
        let dtype = if draw.chance(50) {
            DType::F32
        } else {
            draw.of(&dtypes)
        };
        let (access, len) = access(draw, &shape);
        buffers.push((0..len).flat_map(|_| element(draw, dtype)).collect());
        bindings.push(Binding {
            buffer: input,
            access,
        });
        program.inputs.push(dtype);
        program.insts.push(inst(Action::Load(input), vec![], dtype));
    }
    if draw.chance(40) {
        let value = Scalar::from_bytes(DType::F32, &element(draw, DType::F32));
        program.insts.push(inst(Action::Const(value), vec![], DType::F32));
    }
    if rank > 0 && draw.chance(30) {
        let axis = draw.below(rank);
        program
            .insts
            .push(inst(Action::Index { axis }, vec![], DType::I64));
    }
    for _ in 0..draw.below(6) {
        let name = draw.of(&[
            "add", "multiply", "subtract", "maximum", "less", "where", "negative", "floor", "isnan",
        ]);
        compute(draw, &mut program, Op::find(name).unwrap());
    }
    if draw.chance(30) {
        let arg = draw.below(program.insts.len());
        let to = draw.of(&dtypes);
        program.insts.push(inst(Action::Cast, vec![arg], to));
    }
    let group = (rank > 0).then(|| (draw.below(rank), 1 + draw.below(4)));
    for _ in 0..1 + draw.below(3) {
        let value = program.insts.len() - 1 - draw.below(program.insts.len().min(3));
        let output = if rows || draw.chance(40) {
            Output::Store(value)
        } else {
            reduce(draw, value, &shape, group)
        };
        program.outputs.push(output);
    }
    program.verify().unwrap();
    let (axis, groups) = group.unwrap_or((0, 1));
    let labels = (0..shape.get(axis).copied().unwrap_or(0))
        .map(|_| {
            if draw.chance(5) {
                u32::MAX
            } else {
                draw.below(groups) as u32
            }
        })
        .collect();
    Case {
        program,
        shape,
        origin,
        buffers,
        bindings,
        labels,
    }
}

fn inst(action: Action, args: Vec<usize>, dtype: DType) -> Inst {
    Inst { action, args, dtype }
}

/// Appends an op on random values with the casts it needs, where it takes them.
fn compute(draw: &mut Draw, program: &mut Program, op: Op) {
    let args: Vec<usize> = (0..op.arity).map(|_| draw.below(program.insts.len())).collect();
    let dtypes: Vec<DType> = args.iter().map(|&a| program.insts[a].dtype).collect();
    let Ok(signature) = op.infer(&dtypes) else {
        return;
    };
    let mut cast = Vec::new();
    for (&arg, &dtype) in args.iter().zip(&signature.args) {
        if program.insts[arg].dtype == dtype {
            cast.push(arg);
        } else {
            program.insts.push(inst(Action::Cast, vec![arg], dtype));
            cast.push(program.insts.len() - 1);
        }
    }
    program.insts.push(inst(Action::Op(op), cast, signature.result));
}

fn reduce(draw: &mut Draw, value: usize, shape: &[usize], group: Option<(usize, usize)>) -> Output {
    let rank = shape.len();
    let (kind, _) = draw.of(&ReduceKind::ALL);
    let mut roles: Vec<AxisRole> = (0..rank)
        .map(|_| draw.of(&[AxisRole::Keep, AxisRole::Reduce]))
        .collect();
    if let Some((axis, groups)) = group
        && draw.chance(50)
    {
        roles[axis] = AxisRole::Group { groups };
    }
    // Every reduced or grouped element of a cell has an index of its own.
    let mut step = 1;
    let mut index_steps = vec![0; rank];
    for axis in (0..rank).rev() {
        if roles[axis] != AxisRole::Keep {
            index_steps[axis] = step;
            step *= shape[axis] as i64 + 60;
        }
    }
    Output::Reduce {
        value,
        reduction: Reduction {
            kind,
            skipna: draw.chance(50),
            ddof: draw.below(2) as u32,
        },
        roles,
        index_steps,
    }
}

/// The dtype an op on half floats is computed in.
fn wide(dtype: DType) -> DType {
    match dtype {
        DType::F16 | DType::BF16 => DType::F32,
        other => other,
    }
}

/// The value of every instruction at a point.
fn point(case: &Case, at: &[usize]) -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = Vec::new();
    for inst in &case.program.insts {
        let args: Vec<&[u8]> = inst.args.iter().map(|&a| &values[a][..]).collect();
        let from: Vec<DType> = inst.args.iter().map(|&a| case.program.insts[a].dtype).collect();
        let cast =
            |value: &[u8], from: DType, to: DType| one(cast_kernel(from, to, Isa::Baseline), &[value], to);
        values.push(match &inst.action {
            Action::Load(input) => {
                let binding = &case.bindings[*input];
                let mut offset = binding.access.offset;
                for (&i, step) in at.iter().zip(&binding.access.steps) {
                    offset += match step {
                        AxisStep::Step(step) => step * i as isize,
                        AxisStep::Table(table) => table[i],
                    };
                }
                let size = inst.dtype.size();
                case.buffers[binding.buffer][offset as usize * size..][..size].to_vec()
            }
            Action::Const(scalar) => scalar.bytes(),
            Action::Index { axis } => ((case.origin[*axis] + at[*axis]) as i64).to_le_bytes().to_vec(),
            Action::Cast => cast(args[0], from[0], inst.dtype),
            Action::Op(op) => match (op.kernel)(&from, Isa::Baseline) {
                Some(kernel) => one(kernel, &args, inst.dtype),
                None => {
                    let dtypes: Vec<DType> = from.iter().map(|&d| wide(d)).collect();
                    let widened: Vec<Vec<u8>> = (args.iter().zip(&from).zip(&dtypes))
                        .map(|((value, &from), &to)| cast(value, from, to))
                        .collect();
                    let views: Vec<&[u8]> = widened.iter().map(|v| &v[..]).collect();
                    let kernel = (op.kernel)(&dtypes, Isa::Baseline).unwrap();
                    let value = one(kernel, &views, wide(inst.dtype));
                    cast(&value, wide(inst.dtype), inst.dtype)
                }
            },
        });
    }
    values
}

fn points(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut out = vec![vec![]];
    for &n in shape {
        out = out
            .iter()
            .flat_map(|p| (0..n).map(move |i| [p.clone(), vec![i]].concat()))
            .collect();
    }
    out
}

fn cells(shape: &[usize], roles: &[AxisRole]) -> usize {
    let extent = |(&n, role): (&usize, &AxisRole)| match role {
        AxisRole::Keep => n,
        AxisRole::Reduce => 1,
        AxisRole::Group { groups } => *groups,
    };
    shape.iter().zip(roles).map(extent).product()
}

/// An output as the walk over points gives it.
enum Wanted {
    Stored(Vec<u8>),
    /// The state and the largest value in it.
    Reduced(Box<State>, f64),
}

/// The outputs as the walk over points gives them.
fn walk(case: &Case) -> Vec<Wanted> {
    let values: Vec<Vec<Vec<u8>>> = points(&case.shape).iter().map(|at| point(case, at)).collect();
    let whole = points(&case.shape);
    let each = |output: &Output| match output {
        Output::Store(reg) => Wanted::Stored(values.iter().flat_map(|v| v[*reg].clone()).collect()),
        Output::Reduce {
            value,
            reduction,
            roles,
            index_steps,
        } => {
            let dtype = case.program.insts[*value].dtype;
            let mut state =
                State::with_isa(*reduction, dtype, cells(&case.shape, roles), Isa::Baseline).unwrap();
            let mut largest = 0.0f64;
            for (at, values) in whole.iter().zip(&values) {
                let (mut cell, mut index) = (0, 0);
                let mut left_out = false;
                for (axis, role) in roles.iter().enumerate() {
                    index += (case.origin[axis] + at[axis]) as i64 * index_steps[axis];
                    match role {
                        AxisRole::Keep => cell = cell * case.shape[axis] + at[axis],
                        AxisRole::Reduce => {}
                        AxisRole::Group { groups } => {
                            let label = case.labels[at[axis]] as usize;
                            left_out |= label >= *groups;
                            cell = cell.wrapping_mul(*groups).wrapping_add(label);
                        }
                    }
                }
                if left_out {
                    continue;
                }
                let number = Scalar::from_bytes(dtype, &values[*value]).to_f64().abs();
                largest = if number.is_finite() {
                    largest.max(number)
                } else {
                    largest
                };
                state.feed_across(&Rows {
                    values: &values[*value],
                    starts: &[0],
                    len: 1,
                    cells: &[cell],
                    indices: &[index],
                    index_step: 0,
                });
            }
            Wanted::Reduced(Box::new(state), largest)
        }
    };
    case.program.outputs.iter().map(each).collect()
}

fn same_stored(dtype: DType, got: &[u8], want: &[u8]) -> bool {
    let size = dtype.size();
    got.len() == want.len()
        && got.chunks(size).zip(want.chunks(size)).all(|(g, w)| {
            let nan = |bytes: &[u8]| dtype.is_float() && Scalar::from_bytes(dtype, bytes).to_f64().is_nan();
            g == w || (nan(g) && nan(w))
        })
}

fn same_reduced(got: &State, want: &State, largest: f64) -> bool {
    let (reduction, len) = (want.reduction(), want.len());
    let dtype = reduction.result(want.dtype());
    let finish = |state: &State| {
        let mut out = vec![0; len * dtype.size()];
        state.finish(&mut out, 0..len);
        out
    };
    let (got, want) = (finish(got), finish(want));
    let unit = match dtype {
        DType::F16 => 1e-3,
        DType::BF16 => 8e-3,
        DType::F32 => 1.2e-7,
        _ => 1e-12,
    };
    let slack = match reduction.kind {
        ReduceKind::Var => 1e-24 * largest * largest,
        ReduceKind::Std => 1e-12 * largest,
        ReduceKind::Sum | ReduceKind::Prod | ReduceKind::Mean => 0.0,
        _ => return same_stored(dtype, &got, &want),
    };
    let size = dtype.size();
    got.chunks(size).zip(want.chunks(size)).all(|(g, w)| {
        let (g, w) = (
            Scalar::from_bytes(dtype, g).to_f64(),
            Scalar::from_bytes(dtype, w).to_f64(),
        );
        g == w || (g.is_nan() && w.is_nan()) || (g - w).abs() <= unit * w.abs() + slack
    })
}

/// Bytes around an output that stay as they are.
const GUARD: usize = 64;

fn check(case: &Case, device: &Cpu) {
    let buffers: Vec<&[u8]> = case.buffers.iter().map(|b| &b[..]).collect();
    let task = Task {
        program: &case.program,
        shape: &case.shape,
        origin: &case.origin,
        buffers: &buffers,
        bindings: &case.bindings,
        labels: Some(&case.labels),
    };
    let wanted = walk(case);
    let mut stored: Vec<Vec<u8>> = Vec::new();
    let mut states: Vec<State> = Vec::new();
    for (output, want) in case.program.outputs.iter().zip(&wanted) {
        match want {
            Wanted::Stored(bytes) => stored.push(vec![0xa5; bytes.len() + GUARD]),
            Wanted::Reduced(state, _) => {
                let dtype = case.program.insts[output.value()].dtype;
                states.push(State::new(state.reduction(), dtype, state.len()).unwrap());
            }
        }
    }
    // Outputs begin anywhere, aligned or not.
    let skip = |bytes: &[u8]| bytes.len() % 67 % (GUARD + 1);
    let (mut stores, mut reduces) = (stored.iter_mut(), states.iter_mut());
    let mut outputs: Vec<OutMut<'_>> = wanted
        .iter()
        .map(|want| match want {
            Wanted::Stored(bytes) => OutMut::Store(&mut stores.next().unwrap()[skip(bytes)..][..bytes.len()]),
            Wanted::Reduced(..) => OutMut::Reduce(reduces.next().unwrap()),
        })
        .collect();
    device.run(&task, &mut outputs).unwrap();
    for (number, (output, want)) in outputs.iter().zip(&wanted).enumerate() {
        let dtype = case.program.insts[case.program.outputs[number].value()].dtype;
        let good = match (output, want) {
            (OutMut::Store(got), Wanted::Stored(want)) => same_stored(dtype, got, want),
            (OutMut::Reduce(got), Wanted::Reduced(want, largest)) => same_reduced(got, want, *largest),
            _ => false,
        };
        assert!(
            good,
            "output {number} of\n{}over {:?} with {:?}",
            case.program,
            case.shape,
            case.bindings.iter().map(|b| &b.access).collect::<Vec<_>>()
        );
    }
    let wanted = wanted.iter().filter_map(|want| match want {
        Wanted::Stored(bytes) => Some(bytes),
        Wanted::Reduced(..) => None,
    });
    for (stored, want) in stored.iter().zip(wanted) {
        let (before, after) = (&stored[..skip(want)], &stored[skip(want) + want.len()..]);
        assert!(before.iter().chain(after).all(|&b| b == 0xa5), "around an output");
    }
}

#[test]
fn blocks_are_computed_as_their_points_are() {
    for (number, isa) in [Isa::Baseline, Isa::Avx2, Isa::Avx512].into_iter().enumerate() {
        let device = Cpu::with_isa(isa);
        for seed in 0..100 {
            check(&case(3 * seed + number as u64, false), &device);
        }
    }
}

#[test]
fn long_rows_are_computed_as_their_points_are_streamed_or_not() {
    for (number, isa) in [Isa::Baseline, Isa::Avx2, Isa::Avx512].into_iter().enumerate() {
        for large in [0, usize::MAX] {
            let device = Cpu::with_isa(isa).streaming_from(large);
            for seed in 0..60 {
                check(&case(1000 + 3 * seed + number as u64, true), &device);
            }
        }
    }
}
