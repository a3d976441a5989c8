//! Scans, windows and differences along the first and the last axis of an array in memory, through
//! a session. Bytes per second are those read and written; every answer is checked.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tilewise::session::{Config, DeviceChoice, Session};
use tilewise::{Array, Result};

const TIMES: usize = 240;
const CELLS: usize = 361 * 512;

/// Temperatures in kelvin: whole eighths, so that sums are exact.
fn field(i: usize) -> f32 {
    250.0 + (i.wrapping_mul(2_654_435_761) >> 7 & 511) as f32 / 8.0
}

/// The name of a case, what it makes, and the right result for a line of 31 values at its end.
type Case = (
    &'static str,
    fn(&Array, isize) -> Result<Array>,
    fn(&[f32]) -> f32,
);

const CASES: [Case; 4] = [
    ("cumsum", |x, axis| x.cumsum(axis), |line| line.iter().sum()),
    (
        "rolling mean",
        |x, axis| x.rolling(axis, 30, None, false)?.mean(),
        |line| (line[1..].iter().map(|x| f64::from(*x)).sum::<f64>() / 30.0) as f32,
    ),
    (
        "rolling max",
        |x, axis| x.rolling(axis, 30, None, false)?.max(),
        |line| line[1..].iter().copied().fold(0.0, f32::max),
    ),
    (
        "gradient",
        |x, axis| x.gradient(axis, 2.0, 1),
        |line| (line[30] - line[29]) / 2.0,
    ),
];

fn along(c: &mut Criterion) {
    let session = Session::new(Config {
        device: DeviceChoice::Cpu,
        ..Config::default()
    })
    .expect("a session");
    let mut group = c.benchmark_group("along");
    group
        .throughput(Throughput::Bytes((TIMES * CELLS * 8) as u64))
        .sample_size(10);
    for (name, shape, axis, step) in [
        ("first axis", [TIMES, 361, 512], 0, CELLS),
        ("last axis", [361, 512, TIMES], 2, 1),
    ] {
        let values: Vec<f32> = (0..TIMES * CELLS).map(field).collect();
        let x = Array::from_vec(&shape, values).expect("an array");
        let mut out = vec![0.0f32; TIMES * CELLS];
        for (what, make, right) in CASES {
            // The first 31 times of one place tell the result at the 31st; a gradient looks ahead.
            let short = x
                .slice(&(0..3).map(|a| first(a == axis as usize)).collect::<Vec<_>>())
                .and_then(|x| make(&x, axis))
                .and_then(|y| session.compute::<f32>(&y))
                .expect("a result");
            let line: Vec<f32> = (0..31).map(|t| field(t * step)).collect();
            let mut last = [0; 3];
            last[axis as usize] = 30;
            assert_eq!(short[last], right(&line), "{what} along the {name}");
            let y = make(&x, axis).expect("an array");
            group.bench_function(format!("{what} along the {name}"), |b| {
                b.iter(|| {
                    let out = bytemuck::cast_slice_mut(&mut out);
                    session.compute_into(&[&y], vec![out]).expect("a run");
                });
            });
        }
    }
    group.finish();
}

/// All of an axis, or its first 31 places.
fn first(cut: bool) -> tilewise::expr::SliceItem {
    tilewise::session::s(None, cut.then_some(31), None)
}

criterion_group!(benches, along);
criterion_main!(benches);
