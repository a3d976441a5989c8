//! The CPU device on one core: an anomaly against a monthly climatology, and the same of a
//! transposed array.
//!
//! Both are bound by memory: bytes per second are those read and written. Answers are checked.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tilewise::device::cpu::Cpu;
use tilewise::device::{Binding, Device, OutMut, Task};
use tilewise::geometry::{Access, AxisStep};
use tilewise::plan::program::{Action, Inst, Output, Program};
use tilewise::{DType, Op};

const TIMES: usize = 120;
const SHAPE: [usize; 3] = [TIMES, 361, 512];
const CELLS: usize = 361 * 512;

/// Temperatures in kelvin: whole eighths, so that sums are exact.
fn field(len: usize) -> Vec<f32> {
    let value = |i: usize| 250.0 + (i.wrapping_mul(2_654_435_761) >> 7 & 511) as f32 / 8.0;
    (0..len).map(value).collect()
}

fn dense(shape: &[usize]) -> Access {
    let steps = tilewise::geometry::row_major_strides(shape);
    Access {
        offset: 0,
        steps: steps.into_iter().map(|s| AxisStep::Step(s as isize)).collect(),
    }
}

fn inst(action: Action, args: Vec<usize>) -> Inst {
    Inst {
        action,
        args,
        dtype: DType::F32,
    }
}

fn elementwise(c: &mut Criterion) {
    let device = Cpu::new();
    let data = field(TIMES * CELLS);
    let climatology = field(12 * CELLS);
    let subtract = Op::find("subtract").expect("the op");
    let program = Program {
        rank: 3,
        inputs: vec![DType::F32; 2],
        insts: vec![
            inst(Action::Load(0), vec![]),
            inst(Action::Load(1), vec![]),
            inst(Action::Op(subtract), vec![0, 1]),
        ],
        outputs: vec![Output::Store(2)],
    };
    let mut months = dense(&SHAPE);
    months.steps[0] = AxisStep::Table((0..TIMES).map(|t| (t / 10 * CELLS) as isize).collect());
    let mut turned = dense(&[512, 361, TIMES]);
    turned.steps.reverse();
    let mut group = c.benchmark_group("elementwise");
    group
        .throughput(Throughput::Bytes((data.len() * 8) as u64))
        .sample_size(20);
    for (name, first) in [("x - clim[month]", dense(&SHAPE)), ("x.T - clim[month]", turned)] {
        let bindings = [
            Binding {
                buffer: 0,
                access: first,
            },
            Binding {
                buffer: 1,
                access: months.clone(),
            },
        ];
        let buffers = [bytemuck::cast_slice(&data), bytemuck::cast_slice(&climatology)];
        let task = Task {
            program: &program,
            shape: &SHAPE,
            origin: &[0; 3],
            buffers: &buffers,
            bindings: &bindings,
            labels: None,
        };
        let mut out = vec![0.0f32; TIMES * CELLS];
        let mut run = || {
            let out = bytemuck::cast_slice_mut(&mut out);
            device.run(&task, &mut [OutMut::Store(out)]).expect("a run");
        };
        run();
        group.bench_function(name, |b| b.iter(&mut run));
        if name.starts_with("x -") {
            let at = 37 * CELLS + 5;
            assert_eq!(out[at], data[at] - climatology[3 * CELLS + 5]);
        }
    }
    group.finish();
}

criterion_group!(benches, elementwise);
criterion_main!(benches);
