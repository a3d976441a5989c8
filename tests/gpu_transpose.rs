//! Transposes through tiles on the GPU: any permutation of any element size gives what a loop over
//! indices gives, whole, in part and where tiles do not apply.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

#[path = "common/gpu.rs"]
mod gpu;

use tilewise::DType;
use tilewise::device::gpu::{Gpu, Options};
use tilewise::device::{Binding, Device, OutMut, Task};
use tilewise::geometry::{Access, AxisStep};
use tilewise::plan::program::{Action, Inst, Output, Program};

/// A program that stores its input.
fn load(rank: usize, dtype: DType) -> Program {
    Program {
        rank,
        inputs: vec![dtype],
        insts: vec![Inst {
            action: Action::Load(0),
            args: vec![],
            dtype,
        }],
        outputs: vec![Output::Store(0)],
    }
}

/// Copies an input of so many bytes per element to a result of that shape and compares.
fn check(gpu: &Gpu, dtype: DType, shape: &[usize], strides: &[usize], offset: usize) {
    let size = dtype.size();
    let reach: usize = shape
        .iter()
        .zip(strides)
        .map(|(n, s)| n.saturating_sub(1) * s)
        .sum();
    // No two neighbours alike, and no pattern of bool or float that a load would change.
    let byte = |i: usize| (i.wrapping_mul(2_654_435_761) >> 13 & 0x3f) as u8;
    let bytes: Vec<u8> = (0..(offset + reach + 1) * size).map(byte).collect();
    let program = load(shape.len(), dtype);
    let bindings = [Binding {
        buffer: 0,
        access: Access {
            offset: offset as isize,
            steps: strides.iter().map(|&s| AxisStep::Step(s as isize)).collect(),
        },
    }];
    let task = Task {
        program: &program,
        shape,
        origin: &vec![0; shape.len()],
        buffers: &[&bytes],
        bindings: &bindings,
        labels: None,
    };
    let total: usize = shape.iter().product();
    let mut got = vec![0xA5; total * size];
    gpu.run(&task, &mut [OutMut::Store(&mut got)]).unwrap();
    for (at, found) in got.chunks(size).enumerate() {
        let (mut rest, mut from) = (at, offset);
        for (n, s) in shape.iter().zip(strides).rev() {
            from += rest % n * s;
            rest /= n;
        }
        let want = &bytes[from * size..][..size];
        assert_eq!(
            found, want,
            "{dtype} {shape:?} by {strides:?} from {offset}: element {at}"
        );
    }
}

/// Shape and strides of a dense array with its axes in another order.
fn permuted(shape: &[usize], order: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut strides = vec![1; shape.len()];
    for axis in (0..shape.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * shape[axis + 1];
    }
    order.iter().map(|&axis| (shape[axis], strides[axis])).unzip()
}

#[test]
fn any_permutation_of_any_size() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    for dtype in [DType::U8, DType::I16, DType::F32, DType::I64] {
        if gpu.supports(&load(1, dtype)).is_err() {
            continue;
        }
        for (shape, order) in [
            (vec![40, 52], vec![1, 0]),
            (vec![129, 65], vec![1, 0]),
            (vec![64, 96], vec![1, 0]),
            (vec![3, 20, 28], vec![0, 2, 1]),
            (vec![12, 3, 40], vec![2, 1, 0]),
            (vec![12, 4, 9], vec![1, 2, 0]),
            (vec![2, 12, 3, 16], vec![3, 0, 2, 1]),
            (vec![16, 1, 16, 1], vec![2, 3, 1, 0]),
            (vec![5, 7], vec![1, 0]),
            (vec![8, 9, 10], vec![0, 1, 2]),
        ] {
            let (turned, strides) = permuted(&shape, &order);
            check(&gpu, dtype, &turned, &strides, 0);
            // In part: gaps between rows, from within.
            let wide: Vec<usize> = strides.iter().map(|&s| if s == 1 { 1 } else { 3 * s }).collect();
            check(&gpu, dtype, &turned, &wide, 5);
        }
    }
}

#[test]
fn cut_and_staged_copies_are_the_same() {
    for (binding_bytes, staged) in [(1 << 20, true), (16 << 10, false)] {
        let options = Options {
            binding_bytes,
            staged,
            ..Options::default()
        };
        if let Some(gpu) = gpu::open(options) {
            let (shape, strides) = permuted(&[90, 80], &[1, 0]);
            check(&gpu, DType::F32, &shape, &strides, 0);
            check(&gpu, DType::U8, &shape, &strides, 3);
        }
    }
}
