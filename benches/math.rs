//! The functions of f64 over one strip in cache, per instruction set, beside the platform's own
//! called per element.
//!
//! 1024 elements in and out fit the L1 cache, so this is the cost of computing. Each loop's answer
//! is checked against the platform's before it is timed.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tilewise_kernels::{DType, Isa, Op};

/// Elements in a strip.
const STRIP: usize = 1024;

/// An op, the platform's function, and the arguments' range.
type Case = (&'static str, fn(f64, f64) -> f64, f64, f64);

const CASES: [Case; 18] = [
    ("exp", |x, _| x.exp(), -10.0, 10.0),
    ("expm1", |x, _| x.exp_m1(), -10.0, 10.0),
    ("log", |x, _| x.ln(), 0.01, 100.0),
    ("log10", |x, _| x.log10(), 0.01, 100.0),
    ("log1p", |x, _| x.ln_1p(), -0.5, 10.0),
    ("sin", |x, _| x.sin(), -10.0, 10.0),
    ("cos", |x, _| x.cos(), -10.0, 10.0),
    ("tan", |x, _| x.tan(), -10.0, 10.0),
    ("asin", |x, _| x.asin(), -1.0, 1.0),
    ("atan", |x, _| x.atan(), -10.0, 10.0),
    ("atan2", f64::atan2, -10.0, 10.0),
    ("sinh", |x, _| x.sinh(), -10.0, 10.0),
    ("tanh", |x, _| x.tanh(), -10.0, 10.0),
    ("pow", f64::powf, 0.1, 30.0),
    ("cbrt", |x, _| x.cbrt(), -10.0, 10.0),
    ("erf", |x, _| libm::erf(x), -4.0, 4.0),
    ("hypot", f64::hypot, -10.0, 10.0),
    ("fmod", |x, y| x % y, -10.0, 10.0),
];

fn functions(c: &mut Criterion) {
    for (name, platform, low, high) in CASES {
        let step = (high - low) / STRIP as f64;
        let x: Vec<f64> = (0..STRIP).map(|i| low + (i * 7 % STRIP) as f64 * step).collect();
        let y: Vec<f64> = (0..STRIP).map(|i| 0.5 + (i * 5 % 97) as f64 * 0.03).collect();
        let strips = [bytemuck::cast_slice(&x), bytemuck::cast_slice(&y)];
        let mut out = vec![0.0f64; STRIP];
        let op = Op::find(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        let args = &strips[..op.arity];
        let mut group = c.benchmark_group(format!("f64 {name}"));
        group.throughput(Throughput::Elements(STRIP as u64));
        group.bench_function("per element", |b| {
            b.iter(|| {
                for ((slot, &x), &y) in out.iter_mut().zip(black_box(&x)).zip(&y) {
                    *slot = platform(x, y);
                }
                black_box(&mut out);
            });
        });
        for isa in [Isa::Baseline, Isa::Avx2, Isa::Avx512] {
            let dtypes = vec![DType::F64; op.arity];
            let Some(kernel) = (op.kernel)(&dtypes, isa).filter(|_| isa.available()) else {
                continue;
            };
            kernel(args, bytemuck::cast_slice_mut(&mut out));
            for ((&x, &y), &found) in x.iter().zip(&y).zip(&out) {
                let expect = platform(x, y);
                assert!(
                    (found - expect).abs() <= 1e-15 * expect.abs(),
                    "{name}({x}, {y}) is {found}, not {expect}"
                );
            }
            group.bench_function(BenchmarkId::from_parameter(format!("{isa:?}")), |b| {
                b.iter(|| kernel(black_box(args), bytemuck::cast_slice_mut(&mut out)));
            });
        }
    }
}

criterion_group!(benches, functions);
criterion_main!(benches);
