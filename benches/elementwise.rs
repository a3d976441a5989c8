//! Expressions bound by memory through the public API, beside the loops that no engine beats.
//!
//! Each expression is computed into memory that was touched before, and stands in a group with the
//! limits of moving bytes: a streaming copy (one array in, one out) and a streaming triad (two in).
//! Bytes per second are of what must move. Each answer is checked against f64 arithmetic at a few
//! hundred points.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tilewise::kernels::Isa;
use tilewise::kernels::limits::{self, Stores};
use tilewise::session::{Config, DeviceChoice, Session, s};
use tilewise::{Array, Result};

/// Rows and columns of every array: 256 MiB of f32.
const SIDE: usize = 8192;
const LEN: usize = SIDE * SIDE;
/// What one thread of a limit takes at a time.
const PIECE: usize = 1 << 18;

fn field(seed: usize) -> Vec<f32> {
    let value = |i: usize| 0.5 + ((i + seed).wrapping_mul(2_654_435_761) >> 9 & 4095) as f32 / 512.0;
    (0..LEN).map(value).collect()
}

fn session() -> Result<Session> {
    Session::new(Config {
        memory: Some(3 << 30),
        device: DeviceChoice::Cpu,
        ..Config::default()
    })
}

/// Reads an element: which array, row, column.
type At<'a> = &'a dyn Fn(usize, usize, usize) -> f64;

/// An expression of `a`, `b` and `c`, and its value at a point from f64 readers of the three.
struct Case {
    name: &'static str,
    /// Arrays that must be read; one is written.
    reads: usize,
    make: fn(&Array, &Array, &Array) -> Result<Array>,
    meaning: fn(At<'_>, usize, usize) -> f64,
}

fn part(x: &Array, rows: (isize, isize), columns: (isize, isize)) -> Result<Array> {
    let end = |n: isize| (n != 0).then_some(n);
    x.slice(&[
        s(Some(rows.0), end(rows.1), None),
        s(Some(columns.0), end(columns.1), None),
    ])
}

const CASES: [Case; 6] = [
    Case {
        name: "a - b",
        reads: 2,
        make: |a, b, _| a - b,
        meaning: |at, y, x| at(0, y, x) - at(1, y, x),
    },
    Case {
        name: "sqrt(a*a + b*b)*2 + sin(a)",
        reads: 2,
        make: |a, b, _| {
            let norm = (&(a * a)? + &(b * b)?)?.apply("sqrt", &[])?;
            &(&norm * 2)? + &a.apply("sin", &[])?
        },
        meaning: |at, y, x| 2.0 * at(0, y, x).hypot(at(1, y, x)) + at(0, y, x).sin(),
    },
    Case {
        name: "a*b + c - 1",
        reads: 3,
        make: |a, b, c| &(&(a * b)? + c)? - 1,
        meaning: |at, y, x| at(0, y, x) * at(1, y, x) + at(2, y, x) - 1.0,
    },
    Case {
        name: "a - b[0]",
        reads: 1,
        make: |a, b, _| a - &part(b, (0, 1), (0, 0))?,
        meaning: |at, y, x| at(0, y, x) - at(1, 0, x),
    },
    Case {
        name: "heat step of a",
        reads: 1,
        make: |a, _, _| {
            let around = (&part(a, (0, -2), (1, -1))? + &part(a, (2, 0), (1, -1))?)?;
            let around = (&around + &part(a, (1, -1), (0, -2))?)?;
            let around = (&around + &part(a, (1, -1), (2, 0))?)?;
            let here = part(a, (1, -1), (1, -1))?;
            &here + &(&(&around - &(&here * 4)?)? * 0.125)?
        },
        meaning: |at, y, x| {
            let around = at(0, y, x + 1) + at(0, y + 2, x + 1) + at(0, y + 1, x) + at(0, y + 1, x + 2);
            let here = at(0, y + 1, x + 1);
            here + 0.125 * (around - 4.0 * here)
        },
    },
    Case {
        name: "a.T",
        reads: 1,
        make: |a, _, _| a.transpose(),
        meaning: |at, y, x| at(0, x, y),
    },
];

/// Runs a loop over pieces of equally long slices on two threads.
fn halves(inputs: &[&[f32]], out: &mut [f32], work: impl Fn(&[&[f32]], &mut [f32]) + Sync) {
    let half = out.len() / 2;
    let (left, right) = out.split_at_mut(half);
    let run = |first: usize, out: &mut [f32]| {
        for (number, piece) in out.chunks_mut(PIECE).enumerate() {
            let from = first + number * PIECE;
            let inputs: Vec<&[f32]> = inputs.iter().map(|i| &i[from..][..piece.len()]).collect();
            work(&inputs, piece);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| run(0, left));
        run(half, right);
    });
}

fn expressions(c: &mut Criterion) {
    let session = session().expect("a session");
    let data = [field(0), field(77), field(1234)];
    let [a, b, c3] = [0, 1, 2].map(|i| Array::from_vec(&[SIDE, SIDE], data[i].clone()).expect("an array"));
    let at = |which: usize, y: usize, x: usize| f64::from(data[which][y * SIDE + x]);
    let mut out = vec![1.0f32; LEN];
    let mut group = c.benchmark_group("elementwise");
    group.sample_size(10);
    for case in CASES {
        let array = (case.make)(&a, &b, &c3).expect("an expression");
        let (rows, columns) = (array.shape()[0], array.shape()[1]);
        let out = &mut out[..rows * columns];
        group.throughput(Throughput::Bytes(((case.reads + 1) * rows * columns * 4) as u64));
        group.bench_function(case.name, |bench| {
            bench.iter(|| {
                let bytes = bytemuck::cast_slice_mut(out);
                session.compute_into(&[&array], vec![bytes]).expect("a result");
            });
        });
        for point in (0..rows * columns).step_by(rows * columns / 300) {
            let want = (case.meaning)(&at, point / columns, point % columns);
            let off = (f64::from(out[point]) - want).abs();
            assert!(
                off <= 1e-5 * want.abs().max(10.0),
                "{} at {point}: {}, not {want}",
                case.name,
                out[point]
            );
        }
    }
    let isa = Isa::detect();
    let inputs: Vec<&[f32]> = data.iter().map(|d| &d[..]).collect();
    group.throughput(Throughput::Bytes(2 * LEN as u64 * 4));
    group.bench_function("limit: streaming copy", |bench| {
        bench.iter(|| {
            halves(&inputs[..1], &mut out, |i, out| {
                limits::copy(isa, i[0], out, Stores::Streaming)
            });
        });
    });
    assert_eq!(out, data[0]);
    group.throughput(Throughput::Bytes(3 * LEN as u64 * 4));
    group.bench_function("limit: streaming triad", |bench| {
        bench.iter(|| {
            halves(&inputs[..2], &mut out, |i, out| {
                limits::triad(isa, i[0], i[1], out, Stores::Streaming);
            });
        });
    });
    group.finish();
}

criterion_group!(benches, expressions);
criterion_main!(benches);
