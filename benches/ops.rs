//! The loops of the op table over one strip in cache, per instruction set.
//!
//! A strip of 2048 elements fits the L1 cache, so this is the cost of computing, to be held against
//! the 0.2 to 0.4 ns that memory takes for an f32. Each loop's answer is checked against the same
//! function of f64 before it is timed.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tilewise_kernels::{DType, Isa, Op};

/// Elements in a strip.
const STRIP: usize = 2048;

/// An op of f32, its meaning in f64, and how far the two may differ, relatively.
type Case = (&'static str, fn(f64, f64) -> f64, f64);

/// A cheap op, one of each cost, and the ones with branch-free ways for ordinary arguments.
const CASES: [Case; 12] = [
    ("add", |x, y| x + y, 1e-7),
    ("divide", |x, y| x / y, 1e-7),
    ("maximum", f64::max, 0.0),
    ("round", |x, _| x.round_ties_even(), 0.0),
    ("sqrt", |x, _| x.sqrt(), 1e-7),
    ("exp", |x, _| x.exp(), 4e-7),
    ("log", |x, _| x.ln(), 4e-7),
    ("sin", |x, _| x.sin(), 4e-7),
    ("tanh", |x, _| x.tanh(), 4e-7),
    ("hypot", f64::hypot, 4e-7),
    ("pow", f64::powf, 4e-7),
    ("remainder", f64::rem_euclid, 4e-7),
];

fn loops(c: &mut Criterion) {
    let x: Vec<f32> = (0..STRIP).map(|i| 0.01 + (i * 7 % 101) as f32 * 0.13).collect();
    let y: Vec<f32> = (0..STRIP).map(|i| 0.5 + (i * 5 % 97) as f32 * 0.03).collect();
    let strips = [bytemuck::cast_slice(&x), bytemuck::cast_slice(&y)];
    let mut out = vec![0.0f32; STRIP];
    for (name, meaning, tolerance) in CASES {
        let op = Op::find(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        let dtypes = vec![DType::F32; op.arity];
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(STRIP as u64));
        for isa in [Isa::Baseline, Isa::Avx2, Isa::Avx512] {
            let Some(kernel) = (op.kernel)(&dtypes, isa).filter(|_| isa.available()) else {
                continue;
            };
            let args = &strips[..op.arity];
            kernel(args, bytemuck::cast_slice_mut(&mut out));
            for ((&x, &y), &found) in x.iter().zip(&y).zip(&out) {
                let expect = meaning(f64::from(x), f64::from(y));
                let off = (f64::from(found) - expect).abs();
                assert!(
                    off <= tolerance * expect.abs(),
                    "{name}({x}, {y}) is {found}, not {expect}"
                );
            }
            group.bench_function(BenchmarkId::from_parameter(format!("{isa:?}")), |b| {
                b.iter(|| kernel(std::hint::black_box(args), bytemuck::cast_slice_mut(&mut out)));
            });
        }
    }
}

criterion_group!(benches, loops);
criterion_main!(benches);
