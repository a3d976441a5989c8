//! Sorting and quantiles along time, the first axis, through arrays on all threads.
//!
//! Elements per second are those read. Each answer is checked at some columns against a sort of the
//! column alone.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tilewise::expr::order::BinSpec;
use tilewise::kernels::order::Method;
use tilewise::{Array, Session};

const SHAPE: [usize; 3] = [2920, 16, 512];
const CELLS: usize = SHAPE[1] * SHAPE[2];

/// Temperatures in kelvin, in no order.
fn field() -> Vec<f32> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    (0..SHAPE[0] * CELLS)
        .map(|_| 240.0 + 20.0 * (next() + next() + next()))
        .collect()
}

fn column(data: &[f32], cell: usize) -> Vec<f32> {
    let mut column: Vec<f32> = data.iter().skip(cell).step_by(CELLS).copied().collect();
    column.sort_by(f32::total_cmp);
    column
}

fn along_time(c: &mut Criterion) {
    let session = Session::global().unwrap_or_else(|e| panic!("{e}"));
    let data = field();
    let array = Array::from_vec(&SHAPE, data.clone()).unwrap_or_else(|e| panic!("{e}"));
    let made = |made: tilewise::Result<Array>| made.unwrap_or_else(|e| panic!("{e}"));
    let quantile = |qs: &[f64]| made(array.quantile(qs, Some(&[0]), Method::Linear, false, false));
    let cases = [
        ("sort", made(array.sort(0))),
        ("p90", quantile(&[0.9])),
        ("five quantiles", quantile(&[0.05, 0.25, 0.5, 0.75, 0.95])),
        ("median", made(array.median(Some(&[0]), false, false))),
        ("nanmedian", made(array.median(Some(&[0]), true, false))),
        ("ten largest", made(array.topk(10, 0))),
    ];
    let mut group = c.benchmark_group("along time");
    group
        .throughput(Throughput::Elements(data.len() as u64))
        .sample_size(10);
    for (name, result) in cases {
        let rows = result.len() / CELLS;
        let mut out = vec![0f32; result.len()];
        let compute = |out: &mut [f32]| {
            session
                .compute_into(&[&result], vec![bytemuck::cast_slice_mut(out)])
                .unwrap_or_else(|e| panic!("{e}"));
        };
        compute(&mut out);
        for cell in [0, 17, CELLS - 1] {
            let sorted = column(&data, cell);
            let at = |q: f64| {
                let place = q * (sorted.len() - 1) as f64;
                let (low, part) = (place.floor() as usize, (place - place.floor()) as f32);
                sorted[low] + (sorted[(low + 1).min(sorted.len() - 1)] - sorted[low]) * part
            };
            let want: Vec<f32> = match name {
                "sort" => sorted.clone(),
                "p90" => vec![at(0.9)],
                "five quantiles" => [0.05, 0.25, 0.5, 0.75, 0.95].map(at).to_vec(),
                "ten largest" => sorted.iter().rev().take(10).copied().collect(),
                _ => vec![at(0.5)],
            };
            for (row, want) in (0..rows).zip(want) {
                let found = out[row * CELLS + cell];
                assert!(
                    (found - want).abs() <= 1e-4,
                    "{name} at {row}, {cell}: {found}, not {want}"
                );
            }
        }
        group.bench_function(name, |b| b.iter(|| compute(&mut out)));
    }
    let (counts, _) = array
        .histogram(&BinSpec::Between(100, 240.0, 300.0), None)
        .unwrap_or_else(|e| panic!("{e}"));
    let mut out = vec![0i64; 100];
    group.bench_function("histogram", |b| {
        b.iter(|| session.compute_into(&[&counts], vec![bytemuck::cast_slice_mut(&mut out)]));
    });
    let inside = data.iter().filter(|x| (240.0..=300.0).contains(*x)).count();
    assert_eq!(out.iter().sum::<i64>() as usize, inside);
}

criterion_group!(benches, along_time);
criterion_main!(benches);
