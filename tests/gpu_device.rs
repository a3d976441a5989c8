//! The GPU as a device: views, narrow dtypes, cut tasks, odd shapes, failures, many threads.
//!
//! What it gives is compared with the reference, which walks a task point by point.

#[path = "common/compare.rs"]
mod compare;
#[path = "common/gpu.rs"]
mod gpu;
#[path = "common/reference.rs"]
mod reference;

use reference::Expected;
use tilewise::device::gpu::{Fault, Gpu, Options};
use tilewise::device::{Binding, Device, OutMut, Task};
use tilewise::geometry::{Access, AxisStep, row_major_strides};
use tilewise::kernels::reduce::State;
use tilewise::plan::program::{Action, AxisRole, Inst, Output, Program};
use tilewise::{DType, Error, Op, ReduceKind, Reduction, Scalar};

const KEEP: AxisRole = AxisRole::Keep;
const REDUCE: AxisRole = AxisRole::Reduce;

fn inst(action: Action, args: &[usize], dtype: DType) -> Inst {
    Inst {
        action,
        args: args.to_vec(),
        dtype,
    }
}

fn op(name: &str) -> Action {
    Action::Op(Op::find(name).expect("an op of the table"))
}

fn reduce(value: usize, kind: ReduceKind, roles: &[AxisRole], index_steps: &[i64]) -> Output {
    Output::Reduce {
        value,
        reduction: Reduction::new(kind),
        roles: roles.to_vec(),
        index_steps: index_steps.to_vec(),
    }
}

/// Compares a run with the reference; floats may be one place apart.
fn check(gpu: &Gpu, task: &Task<'_>) {
    task.program.verify().expect("a program that holds together");
    gpu.supports(task.program).expect("a program for this adapter");
    let want = reference::evaluate(task);
    let got = reference::run(gpu, task).unwrap_or_else(|e| panic!("{:?} {}: {e}", task.shape, task.program));
    for (number, (want, got)) in want.iter().zip(&got).enumerate() {
        let (dtype, want) = reference::elements(task, number, want);
        let (_, got) = reference::elements(task, number, got);
        compare::assert_close(dtype, &want, &got, 1.0, || {
            format!("output {number} over {:?} of\n{}", task.shape, task.program)
        });
    }
}

/// `x * y + 1` of a wide and a narrow input, stored in three dtypes, with a sum and a maximum.
fn mixed(rank: usize) -> Program {
    let mut keep_first = vec![REDUCE; rank];
    if let Some(role) = keep_first.first_mut() {
        *role = KEEP;
    }
    let steps = vec![1; rank];
    Program {
        rank,
        inputs: vec![DType::F32, DType::I16],
        insts: vec![
            inst(Action::Load(0), &[], DType::F32),
            inst(Action::Load(1), &[], DType::I16),
            inst(Action::Cast, &[1], DType::F32),
            inst(op("multiply"), &[0, 2], DType::F32),
            inst(Action::Const(Scalar::new(1.0f32)), &[], DType::F32),
            inst(op("add"), &[3, 4], DType::F32),
            inst(Action::Cast, &[5], DType::F16),
            inst(Action::Cast, &[5], DType::U8),
            inst(op("less"), &[4, 5], DType::Bool),
        ],
        outputs: vec![
            Output::Store(5),
            Output::Store(6),
            reduce(5, ReduceKind::Sum, &vec![REDUCE; rank], &steps),
            Output::Store(7),
            reduce(5, ReduceKind::Max, &keep_first, &steps),
            Output::Store(8),
        ],
    }
}

fn floats(len: usize) -> Vec<u8> {
    let value = |i: usize| ((i * 37) % 101) as f32 * 0.5 - 20.0;
    (0..len).flat_map(|i| value(i).to_le_bytes()).collect()
}

fn shorts(len: usize) -> Vec<u8> {
    (0..len)
        .flat_map(|i| (((i * 53) % 61) as i16 - 30).to_le_bytes())
        .collect()
}

fn steps(list: &[isize]) -> Vec<AxisStep> {
    list.iter().map(|&k| AxisStep::Step(k)).collect()
}

fn dense(shape: &[usize]) -> Vec<AxisStep> {
    let strides = row_major_strides(shape);
    strides.into_iter().map(|k| AxisStep::Step(k as isize)).collect()
}

/// Runs `mixed` over a shape with two accesses into buffers of 4000 elements.
fn check_views(gpu: &Gpu, shape: &[usize], first: (isize, Vec<AxisStep>), second: (isize, Vec<AxisStep>)) {
    let program = mixed(shape.len());
    let (x, y) = (floats(4000), shorts(4000));
    let binding = |buffer, (offset, steps)| Binding {
        buffer,
        access: Access { offset, steps },
    };
    check(
        gpu,
        &Task {
            program: &program,
            shape,
            origin: &vec![0; shape.len()],
            buffers: &[&x, &y],
            bindings: &[binding(0, first), binding(1, second)],
            labels: None,
        },
    );
}

fn views(gpu: &Gpu) {
    // Dense, of lengths that end inside a word of a narrow output.
    for len in [1, 2, 3, 5, 63, 64, 65, 257] {
        check_views(gpu, &[len], (0, dense(&[len])), (0, dense(&[len])));
    }
    // No axis at all.
    check_views(gpu, &[], (7, vec![]), (3, vec![]));
    // Broadcast, transposed, reversed, every other.
    check_views(gpu, &[5, 7], (0, steps(&[0, 1])), (0, steps(&[1, 0])));
    check_views(gpu, &[5, 7], (0, steps(&[1, 5])), (0, dense(&[5, 7])));
    check_views(
        gpu,
        &[6, 9],
        (6 * 9 - 1, steps(&[-9, -1])),
        (108, steps(&[-18, 2])),
    );
    // Rows of fours: vectors, a value per row, steps that no vector has, and rows out of place.
    check_views(gpu, &[5, 16], (4, steps(&[20, 1])), (8, steps(&[1, 0])));
    check_views(gpu, &[3, 5, 8], (3, steps(&[80, 16, 1])), (0, steps(&[0, 8, 1])));
    check_views(gpu, &[6, 12], (12, steps(&[24, 2])), (4, steps(&[0, 1])));
    check_views(gpu, &[4, 20], (0, steps(&[0, 1])), (19, steps(&[20, -1])));
    // Tables, and sizes of one.
    let table = AxisStep::Table(vec![40, 0, 0, 80, 20].into());
    check_views(
        gpu,
        &[5, 1, 9],
        (0, vec![table.clone(), AxisStep::Step(3), AxisStep::Step(1)]),
        (
            9,
            vec![
                AxisStep::Step(9),
                AxisStep::Table(vec![2].into()),
                AxisStep::Step(-1),
            ],
        ),
    );
    check_views(
        gpu,
        &[3, 5],
        (100, vec![AxisStep::Step(-7), table]),
        (0, dense(&[3, 5])),
    );
    // Rank 5, contiguous in the middle only.
    check_views(
        gpu,
        &[2, 3, 2, 3, 2],
        (0, steps(&[1, 48, 24, 8, 4])),
        (0, dense(&[2, 3, 2, 3, 2])),
    );
}

#[test]
fn views_are_walked_as_the_reference_walks_them() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    views(&gpu);
    check_views(&gpu, &[3, 0, 2], (0, steps(&[0, 1, 1])), (0, steps(&[0, 1, 1])));
    assert!(gpu.peak_bytes() <= gpu.budget_bytes() && gpu.used_bytes() > 0);
}

/// Programs too long to be written out for each of four points, in a row and across rows.
#[test]
fn long_programs_loop_over_points() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    for shape in [[1, 259], [6, 64], [7, 37]] {
        let mut program = mixed(2);
        let mut last = 5;
        for _ in 0..24 {
            program.insts.push(inst(op("add"), &[last, 4], DType::F32));
            last = program.insts.len() - 1;
        }
        let next = program.insts.len();
        program
            .insts
            .extend([DType::I16, DType::U8].map(|d| inst(Action::Cast, &[last], d)));
        program.outputs = [last, next, next + 1, 8].map(Output::Store).to_vec();
        let (x, y) = (floats(4000), shorts(4000));
        for outer in [64, 101] {
            let bindings = [0, 1].map(|buffer| Binding {
                buffer,
                access: Access {
                    offset: 8,
                    steps: steps(&[outer, 1]),
                },
            });
            check(
                &gpu,
                &Task {
                    program: &program,
                    shape: &shape,
                    origin: &[0, 0],
                    buffers: &[&x, &y],
                    bindings: &bindings,
                    labels: None,
                },
            );
        }
    }
}

#[test]
fn staged_transfers_give_the_same() {
    let Some(gpu) = gpu::open(Options {
        staged: true,
        ..Options::default()
    }) else {
        return;
    };
    views(&gpu);
}

#[test]
fn tasks_larger_than_a_binding_are_cut() {
    let options = Options {
        binding_bytes: 512,
        budget: 16 << 10,
        ..Options::default()
    };
    let Some(gpu) = gpu::open(options) else { return };
    views(&gpu);
    let shape = [4, 6, 35];
    let table = AxisStep::Table((0..35).map(|i| (i * 13) % 70).collect());
    check_views(
        &gpu,
        &shape,
        (0, vec![AxisStep::Step(420), AxisStep::Step(70), table]),
        (839, steps(&[-210, -35, -1])),
    );
    let labels: Vec<u32> = (0..6).map(|i| [2, 0, 1, 1, u32::MAX, 0][i]).collect();
    let group = AxisRole::Group { groups: 3 };
    for roles in [[KEEP, group, REDUCE], [REDUCE, group, KEEP], [KEEP, group, KEEP]] {
        let mut program = mixed(3);
        program.outputs = vec![
            reduce(5, ReduceKind::Mean, &roles, &[0, 0, 0]),
            reduce(5, ReduceKind::ArgMin, &roles, &[210, 35, 1]),
            reduce(0, ReduceKind::Last, &roles, &[210, 35, 1]),
        ];
        let (x, y) = (floats(4000), shorts(4000));
        let binding = |buffer| Binding {
            buffer,
            access: Access {
                offset: 5,
                steps: dense(&shape),
            },
        };
        check(
            &gpu,
            &Task {
                program: &program,
                shape: &shape,
                origin: &[10, 20, 0],
                buffers: &[&x, &y],
                bindings: &[binding(0), binding(1)],
                labels: Some(&labels),
            },
        );
    }
    assert!(gpu.peak_bytes() <= 16 << 10, "{}", gpu.peak_bytes());
}

#[test]
fn indices_are_global() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let program = Program {
        rank: 2,
        inputs: vec![],
        insts: vec![
            inst(Action::Index { axis: 0 }, &[], DType::I64),
            inst(Action::Index { axis: 1 }, &[], DType::I64),
            inst(op("subtract"), &[0, 1], DType::I64),
        ],
        outputs: vec![
            Output::Store(2),
            reduce(2, ReduceKind::Sum, &[KEEP, REDUCE], &[0, 1]),
        ],
    };
    if gpu.supports(&program).is_err() {
        eprintln!("skipped: {} has no 64-bit integers", gpu.name());
        return;
    }
    check(
        &gpu,
        &Task {
            program: &program,
            shape: &[3, 50],
            origin: &[5_000_000_000, 7],
            buffers: &[],
            bindings: &[],
            labels: None,
        },
    );
}

#[test]
fn variances_far_from_zero_are_exact() {
    for pairs in [false, true] {
        let Some(gpu) = gpu::open(Options {
            pairs,
            ..Options::default()
        }) else {
            return;
        };
        // Mean 10^6, deviations of quarters: exact in f32, and the variance is known.
        let len = 40_000;
        let deviation = |i: usize| (i % 9) as f32 * 0.25 - 1.0;
        let data: Vec<u8> = (0..len)
            .flat_map(|i| (1e6 + deviation(i)).to_le_bytes())
            .collect();
        let sum = |f: &dyn Fn(f64) -> f64| (0..len).map(|i| f(f64::from(deviation(i)))).sum::<f64>();
        let mean = sum(&|d| d) / len as f64;
        let want = (sum(&|d| (d - mean) * (d - mean)) / len as f64) as f32;
        let mut program = mixed(1);
        program.inputs = vec![DType::F32];
        program.insts.truncate(1);
        program.outputs = vec![reduce(0, ReduceKind::Var, &[REDUCE], &[1])];
        let task = Task {
            program: &program,
            shape: &[len],
            origin: &[0],
            buffers: &[&data],
            bindings: &[Binding {
                buffer: 0,
                access: Access {
                    offset: 0,
                    steps: steps(&[1]),
                },
            }],
            labels: None,
        };
        let got = reference::run(&gpu, &task).expect("a run");
        let (_, bytes) = reference::elements(&task, 0, &got[0]);
        compare::assert_close(DType::F32, &want.to_le_bytes(), &bytes, 1.0, || {
            format!("variance with pairs {pairs}")
        });
    }
}

/// One small task: the sum of a line, and the line doubled.
fn small_task(gpu: &Gpu, state: &mut State, doubled: &mut [u8]) -> tilewise::Result<()> {
    let program = Program {
        rank: 1,
        inputs: vec![DType::F32],
        insts: vec![
            inst(Action::Load(0), &[], DType::F32),
            inst(op("add"), &[0, 0], DType::F32),
        ],
        outputs: vec![reduce(0, ReduceKind::Sum, &[REDUCE], &[1]), Output::Store(1)],
    };
    let data = floats(100);
    let task = Task {
        program: &program,
        shape: &[100],
        origin: &[0],
        buffers: &[&data],
        bindings: &[Binding {
            buffer: 0,
            access: Access {
                offset: 0,
                steps: steps(&[1]),
            },
        }],
        labels: None,
    };
    gpu.run(&task, &mut [OutMut::Reduce(state), OutMut::Store(doubled)])
}

#[test]
fn failures_are_errors_and_leave_states_alone() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let fresh = State::new(Reduction::new(ReduceKind::Sum), DType::F32, 1).expect("a state");
    let mut state = fresh.clone();
    let mut doubled = vec![0; 400];
    for fault in [Fault::OutOfMemory, Fault::Submit] {
        gpu.inject_fault(fault);
        let error = small_task(&gpu, &mut state, &mut doubled).expect_err("an injected fault");
        assert!(
            matches!(&error, Error::Device(text) if text.contains("gpu:")),
            "{error}"
        );
        assert_eq!(state, fresh);
        // The next run is well again.
        let mut other = fresh.clone();
        small_task(&gpu, &mut other, &mut doubled).expect("a run after a fault");
        assert_ne!(other, fresh);
    }
    gpu.inject_fault(Fault::Lost);
    for _ in 0..2 {
        let error = small_task(&gpu, &mut state, &mut doubled).expect_err("a lost device");
        assert!(error.to_string().contains("lost"), "{error}");
        assert_eq!(state, fresh);
    }
}

#[test]
fn tasks_that_do_not_fit_their_program_are_refused() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let mut state = State::new(Reduction::new(ReduceKind::Max), DType::F32, 1).expect("a state");
    let error = small_task(&gpu, &mut state, &mut [0; 400]).expect_err("a state of another kind");
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    let program = mixed(1);
    let (x, y) = (floats(10), shorts(10));
    for (first, second) in [(0, 1), (-1, 0)] {
        let binding = |buffer, offset| Binding {
            buffer,
            access: Access {
                offset,
                steps: steps(&[1]),
            },
        };
        let task = Task {
            program: &program,
            shape: &[10],
            origin: &[0],
            buffers: &[&x, &y],
            bindings: &[binding(0, first), binding(1, second)],
            labels: None,
        };
        let error = reference::run(&gpu, &task).expect_err("an access beyond its buffer");
        assert!(error.to_string().contains("of 10"), "{error}");
    }
    let tiny = Options {
        budget: 1000,
        ..Options::default()
    };
    let Some(gpu) = gpu::open(tiny) else { return };
    let mut state = State::new(Reduction::new(ReduceKind::Sum), DType::F32, 1).expect("a state");
    let error = small_task(&gpu, &mut state, &mut [0; 400]).expect_err("a budget for nothing");
    assert!(matches!(error, Error::Memory { tier: "gpu", .. }), "{error}");
}

#[test]
fn many_threads_share_a_device_and_its_budget() {
    let options = Options {
        budget: 32 << 10,
        ..Options::default()
    };
    let Some(gpu) = gpu::open(options) else { return };
    let fresh = State::new(Reduction::new(ReduceKind::Sum), DType::F32, 1).expect("a state");
    let mut want = vec![0; 400];
    let mut once = fresh.clone();
    small_task(&gpu, &mut once, &mut want).expect("a run");
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..8 {
                    let mut state = fresh.clone();
                    let mut got = vec![0; 400];
                    small_task(&gpu, &mut state, &mut got).expect("a run beside others");
                    assert_eq!((&state, &got), (&once, &want));
                }
            });
        }
    });
    assert!(gpu.peak_bytes() <= 32 << 10);
    assert_eq!(gpu.kernels(), 2);
}

#[test]
fn the_self_test_passes_and_is_told() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let verdicts = gpu.self_test();
    assert!(verdicts.len() > 30);
    // Subnormal numbers are the adapter's to keep or not.
    let failed: Vec<_> = verdicts
        .iter()
        .filter(|v| !v.ok && !v.fact.starts_with("subnormal"))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(gpu.verdicts(), verdicts);
}

#[test]
fn a_missing_adapter_is_named() {
    let error = Gpu::open(4242, Options::default()).err().map(|e| e.to_string());
    assert!(error.is_some_and(|e| e.contains("no adapter 4242")));
}

#[test]
fn ops_without_a_shader_are_told() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let program = Program {
        rank: 0,
        inputs: vec![],
        insts: vec![
            inst(Action::Const(Scalar::new(1.0f64)), &[], DType::F64),
            inst(op("sin"), &[0], DType::F64),
        ],
        outputs: vec![Output::Store(1)],
    };
    let why = gpu.supports(&program).expect_err("sin of float64 has no shader");
    assert!(why.contains("float64"), "{why}");
    assert!(!matches!(
        reference::evaluate(&Task {
            program: &program,
            shape: &[],
            origin: &[],
            buffers: &[],
            bindings: &[],
            labels: None,
        })[0],
        Expected::Reduce(_)
    ));
}
