//! Reductions on the GPU against the state of the CPU fed one element at a time, for every kind,
//! dtype and axis role, in f64 and in pairs of f32.

#[path = "common/compare.rs"]
mod compare;
#[path = "common/gpu.rs"]
mod gpu;
#[path = "common/reference.rs"]
mod reference;

use tilewise::device::gpu::{Gpu, Options};
use tilewise::device::{Accumulator, Binding, Device, OutMut, Task};
use tilewise::geometry::{Access, AxisStep, row_major_strides};
use tilewise::kernels::reduce::State;
use tilewise::plan::program::{Action, AxisRole, Inst, Output, Program};
use tilewise::{DType, ReduceKind, Reduction};

const KEEP: AxisRole = AxisRole::Keep;
const REDUCE: AxisRole = AxisRole::Reduce;

/// Walks a dense row-major buffer.
fn dense(shape: &[usize]) -> Access {
    Access {
        offset: 0,
        steps: row_major_strides(shape)
            .into_iter()
            .map(|k| AxisStep::Step(k as isize))
            .collect(),
    }
}

/// Every reduction of one input, with and without NaN, that the device supports.
fn program(gpu: &Gpu, dtype: DType, roles: &[AxisRole], shape: &[usize]) -> Program {
    let mut program = Program {
        rank: roles.len(),
        inputs: vec![dtype],
        insts: vec![Inst {
            action: Action::Load(0),
            args: vec![],
            dtype,
        }],
        outputs: vec![],
    };
    let index_steps: Vec<i64> = row_major_strides(shape)
        .iter()
        .zip(roles)
        .map(|(&k, role)| if *role == KEEP { 0 } else { k as i64 })
        .collect();
    for (kind, _) in ReduceKind::ALL {
        for skipna in [false, true] {
            for ddof in [0, 1] {
                // Skipping NaN is one more comparison in every kernel: integers have none.
                if (ddof == 1 && kind != ReduceKind::Var) || (skipna && !dtype.is_float()) {
                    continue;
                }
                let reduction = Reduction { kind, skipna, ddof };
                let one = Program {
                    outputs: vec![Output::Reduce {
                        value: 0,
                        reduction,
                        roles: roles.to_vec(),
                        index_steps: index_steps.clone(),
                    }],
                    ..program.clone()
                };
                if gpu.supports(&one).is_ok() {
                    program.outputs.extend(one.outputs);
                }
            }
        }
    }
    program
}

/// Values of a dtype with special ones among them: bytes of `len` elements.
fn values(dtype: DType, len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as u32
    };
    let mut bytes = Vec::new();
    for at in 0..len {
        let x = f64::from(next() % 2000) / 16.0 - 40.0;
        let x = match (next() % 23, seed % 3) {
            (0, 1) => f64::NAN,
            (1, 2) => f64::INFINITY,
            (2, 2) => -0.0,
            _ => x,
        };
        let word = (u64::from(next()) << 33) ^ u64::from(next()) ^ at as u64;
        match dtype {
            DType::Bool => bytes.push((word & 1) as u8),
            DType::F16 => bytes.extend(tilewise::f16::from_f64(x).to_le_bytes()),
            DType::BF16 => bytes.extend(tilewise::bf16::from_f64(x).to_le_bytes()),
            DType::F32 => bytes.extend((x as f32 + 1e4).to_le_bytes()),
            DType::F64 => bytes.extend((x + 1e3).to_le_bytes()),
            _ => bytes.extend(&word.to_le_bytes()[..dtype.size()]),
        }
    }
    bytes
}

fn check(
    gpu: &Gpu,
    dtype: DType,
    shape: &[usize],
    roles: &[AxisRole],
    access: Access,
    labels: Option<&[u32]>,
) {
    let program = program(gpu, dtype, roles, shape);
    assert!(program.outputs.len() > 10, "{dtype}: {}", program.outputs.len());
    check_program(gpu, &program, shape, roles, access, labels);
}

fn check_program(
    gpu: &Gpu,
    program: &Program,
    shape: &[usize],
    roles: &[AxisRole],
    access: Access,
    labels: Option<&[u32]>,
) {
    let dtype = program.inputs[0];
    let len: usize = shape.iter().product::<usize>().max(1);
    for seed in 1..4 {
        let data = values(dtype, 2 * len, seed);
        let task = Task {
            program,
            shape,
            origin: &vec![3; shape.len()],
            buffers: &[&data],
            bindings: &[Binding {
                buffer: 0,
                access: access.clone(),
            }],
            labels,
        };
        let want = reference::evaluate(&task);
        let got = reference::run(gpu, &task).unwrap_or_else(|e| panic!("{dtype} {shape:?}: {e}"));
        for (number, (want, got)) in want.iter().zip(&got).enumerate() {
            let (result, want) = reference::elements(&task, number, want);
            let (_, got) = reference::elements(&task, number, got);
            // Sums of f64 and of what an f64 accumulator rounds may differ in their last places.
            let allowed = if result == DType::F64 { 32.0 } else { 1.0 };
            compare::assert_close(result, &want, &got, allowed, || {
                format!(
                    "{dtype} {shape:?} {roles:?} seed {seed}: {:?}",
                    program.outputs[number]
                )
            });
        }
    }
}

fn all_roles(gpu: &Gpu, dtype: DType) {
    let labels = [1, 0, u32::MAX, 2, 1, 1, 0];
    let group = AxisRole::Group { groups: 4 };
    check(gpu, dtype, &[5, 7], &[REDUCE, KEEP], dense(&[5, 7]), None);
    check(gpu, dtype, &[2, 150], &[REDUCE, REDUCE], dense(&[2, 150]), None);
    check(
        gpu,
        dtype,
        &[3, 7, 4],
        &[REDUCE, group, KEEP],
        dense(&[3, 7, 4]),
        Some(&labels),
    );
}

#[test]
fn every_kind_and_dtype_reduces_along_every_role() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    for dtype in DType::real() {
        all_roles(&gpu, dtype);
    }
}

#[test]
fn pairs_of_f32_keep_what_f64_keeps() {
    let options = Options {
        pairs: true,
        staged: true,
        ..Options::default()
    };
    let Some(gpu) = gpu::open(options) else { return };
    for dtype in [DType::F16, DType::BF16, DType::F32] {
        all_roles(&gpu, dtype);
    }
}

/// Cells whose points are shared by several invocations, in every arrangement of the axes.
#[test]
fn points_are_shared_between_invocations() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let group = AxisRole::Group { groups: 2 };
    let labels: Vec<u32> = (0..90).map(|i| [1, 0, 7, 1][i % 4]).collect();
    let cases: [(&[usize], &[AxisRole]); 6] = [
        (&[200, 3], &[REDUCE, KEEP]),
        (&[3, 200], &[KEEP, REDUCE]),
        (&[17, 3, 19], &[REDUCE, KEEP, REDUCE]),
        (&[90, 4, 5], &[group, KEEP, REDUCE]),
        (&[7, 90, 2], &[REDUCE, group, KEEP]),
        (&[2, 5, 90], &[KEEP, REDUCE, group]),
    ];
    for (shape, roles) in cases {
        let labels = roles.contains(&group).then_some(&labels[..]);
        // A step that the axes cannot be joined over, so that every index is counted.
        let mut access = dense(shape);
        access.steps[0] = match &access.steps[0] {
            AxisStep::Step(k) => AxisStep::Step(k + 1),
            table => table.clone(),
        };
        check(&gpu, DType::F32, shape, roles, access, labels);
    }
}

/// The kinds that are computed in different ways, each in a program of its own: short programs load
/// ahead, invocations meet in teams, and parts are merged by one and by many.
fn alone(gpu: &Gpu, dtype: DType) {
    let cases: [(&[usize], &[AxisRole]); 5] = [
        (&[9001], &[REDUCE]),
        (&[3, 1030], &[KEEP, REDUCE]),
        (&[1030, 3], &[REDUCE, KEEP]),
        (&[2100, 2], &[KEEP, REDUCE]),
        (&[70, 6, 5], &[AxisRole::Group { groups: 3 }, REDUCE, KEEP]),
    ];
    let kinds = [
        ReduceKind::Sum,
        ReduceKind::Mean,
        ReduceKind::Var,
        ReduceKind::Max,
        ReduceKind::ArgMin,
        ReduceKind::Any,
    ];
    for (shape, roles) in cases {
        let all = program(gpu, dtype, roles, shape);
        let labels: Vec<u32> = (0..70).map(|i| [1, 0, 7, 2, 1][i % 5]).collect();
        let labels = (roles.len() == 3).then_some(&labels[..]);
        for kind in kinds {
            let skipna = dtype.is_float() && kind != ReduceKind::Any;
            let wanted = Reduction::new(kind).skipna(skipna);
            let is_wanted =
                |o: &&Output| matches!(o, Output::Reduce { reduction, .. } if *reduction == wanted);
            let outputs: Vec<Output> = all.outputs.iter().filter(is_wanted).cloned().collect();
            assert_eq!(outputs.len(), 1, "{kind:?}");
            let one = Program {
                outputs,
                ..all.clone()
            };
            check_program(gpu, &one, shape, roles, dense(shape), labels);
        }
    }
}

#[test]
fn reductions_alone_are_shared_and_merged() {
    for pairs in [false, true] {
        let options = Options {
            pairs,
            ..Options::default()
        };
        let Some(gpu) = gpu::open(options) else { return };
        alone(&gpu, DType::F32);
        if !pairs {
            alone(&gpu, DType::I16);
        }
    }
}

/// Adapters that hand values on within subgroups, and that do not, kernels cut as for hardware.
fn with_and_without_subgroups(pairs: bool) -> Option<[Gpu; 2]> {
    let open = |subgroups| {
        gpu::open(Options {
            hardware: true,
            subgroups,
            pairs,
            ..Options::default()
        })
    };
    Some([open(true)?, open(false)?])
}

#[test]
fn subgroups_change_no_bit() {
    for pairs in [false, true] {
        let Some([with, without]) = with_and_without_subgroups(pairs) else {
            return;
        };
        if with.info().subgroups {
            let fact = with.verdicts().iter().find(|v| v.fact == "subgroups").unwrap();
            assert!(fact.ok, "{}", fact.detail);
        }
        alone(&with, DType::F32);
        // Teams of one to all invocations of a workgroup, and merges of many parts.
        let (group, labels) = (AxisRole::Group { groups: 3 }, [1, 0, 7, 2, 1, 0, 0]);
        let cases: [(&[usize], &[AxisRole]); 7] = [
            (&[70001], &[REDUCE]),
            (&[3, 5], &[KEEP, REDUCE]),
            (&[40, 9], &[KEEP, REDUCE]),
            (&[9, 40], &[KEEP, REDUCE]),
            (&[5, 1030], &[KEEP, REDUCE]),
            (&[2, 100_000], &[KEEP, REDUCE]),
            (&[7, 300], &[group, REDUCE]),
        ];
        for (shape, roles) in cases {
            for dtype in [DType::F32, DType::F64, DType::I32] {
                let program = program(&with, dtype, roles, shape);
                let data = values(dtype, shape.iter().product(), 1);
                let task = Task {
                    program: &program,
                    shape,
                    origin: &vec![0; shape.len()],
                    buffers: &[&data],
                    bindings: &[Binding {
                        buffer: 0,
                        access: dense(shape),
                    }],
                    labels: roles.contains(&group).then_some(&labels[..]),
                };
                let found = [&with, &without].map(|gpu| reference::run(gpu, &task).unwrap());
                for number in 0..program.outputs.len() {
                    let [one, other] =
                        [&found[0], &found[1]].map(|f| reference::elements(&task, number, &f[number]));
                    assert_eq!(one, other, "{dtype} {shape:?}: {:?}", program.outputs[number]);
                }
            }
        }
    }
}

/// Blocks that join a state on the device one after the other give what they give on the host:
/// neighbours, and blocks whose indices lie too far apart for one count.
#[test]
fn states_on_the_device_take_block_after_block() {
    let cases: [(&[usize], &[AxisRole], u64); 4] = [
        (&[40, 6], &[REDUCE, KEEP], 1 << 30),
        (&[700], &[REDUCE], 1 << 30),
        (&[90, 4], &[AxisRole::Group { groups: 2 }, KEEP], 1 << 30),
        // Cut into pieces.
        (&[2000], &[REDUCE], 24 << 10),
    ];
    let labels: Vec<u32> = (0..90).map(|i| [1, 0, 7, 1][i % 4]).collect();
    for (shape, roles, budget) in cases {
        for dtype in [DType::F32, DType::I32] {
            let options = Options {
                budget,
                ..Options::default()
            };
            let Some(gpu) = gpu::open(options) else { return };
            let program = program(&gpu, dtype, roles, shape);
            let keeper = gpu.keeper().expect("memory of its own");
            let fresh = || {
                program
                    .outputs
                    .iter()
                    .map(|output| state_of(&program, output, roles, shape))
            };
            let mut held: Vec<Accumulator> = fresh().map(Accumulator::new).collect();
            let mut want: Vec<State> = fresh().collect();
            let len: usize = shape.iter().product();
            let blocks = [0, 1, 2, 5_000_000, 5_000_001];
            for (seed, block) in blocks.into_iter().enumerate() {
                let data = values(dtype, len, 2 * seed as u64 + 1);
                let mut origin = vec![0; shape.len()];
                origin[0] = block * shape[0];
                let task = Task {
                    program: &program,
                    shape,
                    origin: &origin,
                    buffers: &[&data],
                    bindings: &[Binding {
                        buffer: 0,
                        access: dense(shape),
                    }],
                    labels: (shape[0] == 90).then_some(&labels[..]),
                };
                for (want, found) in want.iter_mut().zip(reference::evaluate(&task)) {
                    if let reference::Expected::Reduce(found) = found {
                        want.merge(&found);
                    }
                }
                let mut outputs: Vec<OutMut<'_>> = held.iter_mut().map(OutMut::Fold).collect();
                keeper.run_resident(&task, &[], &mut outputs).expect("a block");
            }
            for ((want, mut held), output) in want.iter().zip(held).zip(&program.outputs) {
                held.settle().expect("a state");
                let got = held.into_host();
                let result = got.reduction().result(dtype);
                let [want, got] = [want, &got].map(|state| {
                    let mut bytes = vec![0; state.len() * result.size()];
                    state.finish(&mut bytes, 0..state.len());
                    bytes
                });
                let allowed = if result == DType::F64 { 32.0 } else { 1.0 };
                compare::assert_close(result, &want, &got, allowed, || {
                    format!("{dtype} {shape:?} {roles:?}: {output:?}")
                });
            }
        }
    }
}

/// A fresh state of an output.
fn state_of(program: &Program, output: &Output, roles: &[AxisRole], shape: &[usize]) -> State {
    let Output::Reduce { value, reduction, .. } = output else {
        panic!("a reduction");
    };
    let dtype = program.insts[*value].dtype;
    State::new(*reduction, dtype, reference::cells(roles, shape)).expect("a small state")
}

/// What pairs of f32 cannot hold is an error, never a wrong number; f64 holds it. Some orders of
/// addition stay in their range.
#[test]
fn sums_beyond_pairs_are_refused() {
    let huge = [3e38f32, 3e38, -3e38, 1.0];
    let large = [3e38f32; 4];
    let faint = [1e-20f32, -1e-20, 1e-20, -1e-20];
    for (data, kind, want) in [
        (huge, ReduceKind::Sum, 3e38f32),
        (huge, ReduceKind::Mean, 7.5e37),
        (large, ReduceKind::Mean, 3e38),
        (faint, ReduceKind::Std, 1e-20),
        (huge, ReduceKind::Std, 2.487_468_6e38),
    ] {
        for pairs in [false, true] {
            let options = Options {
                pairs,
                ..Options::default()
            };
            let Some(gpu) = gpu::open(options) else { return };
            let mut program = program(&gpu, DType::F32, &[REDUCE], &[4]);
            program.outputs.retain(
                |o| matches!(o, Output::Reduce { reduction, .. } if *reduction == Reduction::new(kind)),
            );
            let task = Task {
                program: &program,
                shape: &[4],
                origin: &[0],
                buffers: &[bytemuck::cast_slice(&data)],
                bindings: &[Binding {
                    buffer: 0,
                    access: dense(&[4]),
                }],
                labels: None,
            };
            let found = reference::run(&gpu, &task);
            if pairs && (data != huge || found.is_err()) {
                let error = found.expect_err("values that pairs cannot hold");
                assert!(error.to_string().contains("cpu"), "{error}");
            } else {
                let found = found.expect("f64 holds them");
                let (dtype, got) = reference::elements(&task, 0, &found[0]);
                compare::assert_close(dtype, &want.to_le_bytes(), &got, 1.0, || {
                    format!("{kind:?} of {data:?}")
                });
            }
        }
    }
}
