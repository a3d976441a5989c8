//! Reductions of a (time, lat, lon) array in memory: every kind over the first, middle, last and
//! all axes, for floats and packed integers, through a session of two threads. A plain loop that
//! reads as many bytes on as many threads stands beside them as the limit. Answers are checked
//! against loops over single cells.

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement};
use std::hint::black_box;
use std::time::Duration;
use tilewise::kernels::{Element, Isa, limits};
use tilewise::session::{Config, DeviceChoice, Session};
use tilewise::{Array, DType, ReduceKind, Reduction};

/// Enough steps in time that no cache holds the array.
const SHAPE: [usize; 3] = [292, 361, 512];

/// Worker threads.
const THREADS: usize = 2;

/// Axis sets by name.
const AXES: [(&str, &[isize]); 4] = [
    ("all", &[0, 1, 2]),
    ("first", &[0]),
    ("middle", &[1]),
    ("last", &[2]),
];

/// Whole eighths from 250 on, so that sums are exact; for integers their low bits.
fn eighths(i: usize) -> f64 {
    250.0 + (i.wrapping_mul(2_654_435_761) >> 7 & 511) as f64 / 8.0
}

/// The elements that are reduced to one cell.
fn members(cell: usize, axes: &[isize]) -> Vec<usize> {
    let strides = [SHAPE[1] * SHAPE[2], SHAPE[2], 1];
    let (mut first, mut rest) = (0, cell);
    for axis in (0..3).rev().filter(|&a| !axes.contains(&(a as isize))) {
        first += rest % SHAPE[axis] * strides[axis];
        rest /= SHAPE[axis];
    }
    match axes {
        [axis] => {
            let axis = *axis as usize;
            (0..SHAPE[axis]).map(|k| first + k * strides[axis]).collect()
        }
        _ => (0..SHAPE.iter().product()).collect(),
    }
}

/// The reduction of some values, by the book; `None` where a bound is all that could be said.
fn by_loop(reduction: Reduction, values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = || values.iter().sum::<f64>() / n;
    let variance = || {
        let mean = mean();
        values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n
    };
    let first_of = |want: f64| values.iter().position(|&x| x == want).map(|at| at as f64);
    let largest = || values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let smallest = || values.iter().copied().fold(f64::INFINITY, f64::min);
    match reduction.kind {
        ReduceKind::Sum => Some(values.iter().sum()),
        ReduceKind::Prod => None,
        ReduceKind::Mean => Some(mean()),
        ReduceKind::Var => Some(variance()),
        ReduceKind::Std => Some(variance().sqrt()),
        ReduceKind::Min => Some(smallest()),
        ReduceKind::Max => Some(largest()),
        ReduceKind::Any => Some(f64::from(u8::from(values.iter().any(|&x| x != 0.0)))),
        ReduceKind::All => Some(f64::from(u8::from(values.iter().all(|&x| x != 0.0)))),
        ReduceKind::Count => Some(n),
        ReduceKind::ArgMin => first_of(smallest()),
        ReduceKind::ArgMax => first_of(largest()),
        ReduceKind::First => values.first().copied(),
        ReduceKind::Last => values.last().copied(),
    }
}

/// Runs a reduction and checks some of its cells.
fn check(
    session: &Session,
    data: &impl Fn(usize) -> f64,
    array: &Array,
    reduction: Reduction,
    axes: &[isize],
) {
    let made = array.reduce(reduction, Some(axes), false).expect("a reduction");
    let got = session
        .compute::<f64>(&made.astype(DType::F64))
        .expect("a result");
    let got = got.as_slice().expect("dense");
    let cells = [0, got.len() / 3, got.len() - 1];
    for &cell in &cells[..got.len().min(3)] {
        let values: Vec<f64> = members(cell, axes).into_iter().map(data).collect();
        if let Some(want) = by_loop(reduction, &values) {
            let near = (got[cell] - want).abs() <= 1e-6 * want.abs().max(1.0);
            assert!(near, "{reduction:?} over {axes:?}: {} is not {want}", got[cell]);
        }
    }
}

/// The limit: as many bytes read by a plain loop on as many threads.
fn read(group: &mut BenchmarkGroup<'_, measurement::WallTime>, values: &[f32]) {
    group.bench_function("read", |b| {
        b.iter(|| {
            std::thread::scope(|scope| {
                for part in values.chunks(values.len().div_ceil(THREADS)) {
                    scope.spawn(|| black_box(limits::read(Isa::detect(), part)));
                }
            });
        });
    });
}

fn of<T: Element>(c: &mut Criterion, convert: impl Fn(f64) -> T) {
    let config = Config {
        threads: Some(THREADS),
        device: DeviceChoice::Cpu,
        ..Config::default()
    };
    let session = Session::new(config).expect("a session");
    let total: usize = SHAPE.iter().product();
    let values: Vec<T> = (0..total).map(|i| convert(eighths(i))).collect();
    let data = |i: usize| convert(eighths(i)).to_f64();
    let array = Array::from_vec(&SHAPE, values).expect("an array");
    let bytes = total * T::DTYPE.size();
    let mut group = c.benchmark_group(T::DTYPE.name());
    group
        .throughput(Throughput::Bytes(bytes as u64))
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(10);
    read(&mut group, &vec![1.0; bytes / 4]);
    for (kind, name) in ReduceKind::ALL {
        for skipna in [false, true] {
            if skipna && !T::DTYPE.is_float() {
                continue;
            }
            let reduction = Reduction::new(kind).skipna(skipna);
            for (set, axes) in AXES {
                let prefix = if skipna { "nan" } else { "" };
                let made = array.reduce(reduction, Some(axes), false).expect("a reduction");
                let cells: usize = made.shape().iter().product();
                let mut out = vec![0u8; cells * made.dtype().size()];
                let mut checked = false;
                group.bench_function(format!("{prefix}{name} {set}"), |b| {
                    if !std::mem::replace(&mut checked, true) {
                        check(&session, &data, &array, reduction, axes);
                    }
                    b.iter(|| session.compute_into(&[&made], vec![&mut out]).expect("a result"));
                });
            }
        }
    }
    group.finish();
}

fn reductions(c: &mut Criterion) {
    of::<f32>(c, |x| x as f32);
    of::<f64>(c, |x| x);
    of::<i16>(c, |x| (x * 8.0) as i16);
    of::<u8>(c, |x| (x * 8.0) as u64 as u8);
}

criterion_group!(benches, reductions);
criterion_main!(benches);
