//! A workload of every family of operations, on sources that make their values.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

use crate::synthetic::Synthetic;
use tilewise::expr::order::BinSpec;
use tilewise::kernels::order::{Method, Side};
use tilewise::session::{ChunkSpec, s};
use tilewise::{Array, Boundary, Norm, ReduceKind, Reduction, Result};

/// Numbers whose sums are exact: quarters from -128 to 128.
fn wave(place: usize) -> f64 {
    (place.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54) as f64 / 4.0 - 128.0
}

fn other(place: usize) -> f64 {
    wave(place.wrapping_add(12_345)) / 2.0
}

fn code(place: usize) -> i64 {
    (place.wrapping_mul(0xD129_0D3F_9F3B_2C17) >> 56) as i64
}

/// What the workloads read.
pub struct Data {
    /// 16 MiB of F64 in cubes.
    pub x: Array,
    /// The same of other values in slabs.
    pub y: Array,
    /// As many I64 from 0 to 255.
    pub codes: Array,
    /// Two matrices of 4 MiB.
    pub a: Array,
    pub b: Array,
}

pub const SHAPE: [usize; 3] = [128, 128, 128];

impl Data {
    pub fn new() -> Data {
        let cubes = Synthetic::<f64>::new("x", &SHAPE, Some(&[32, 32, 32]), wave);
        let slabs = Synthetic::<f64>::new("y", &SHAPE, Some(&[1, 128, 128]), other);
        let codes = Synthetic::<i64>::new("codes", &SHAPE, Some(&[16, 128, 64]), code);
        let a = Synthetic::<f64>::new("a", &[128, 4096], Some(&[64, 512]), wave);
        let b = Synthetic::<f64>::new("b", &[4096, 128], Some(&[512, 64]), other);
        Data {
            x: cubes.array(),
            y: slabs.array(),
            codes: codes.array(),
            a: a.array(),
            b: b.array(),
        }
    }
}

/// How near results must be to those of an unlimited run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Near {
    /// The same bits.
    Same,
    /// Relative to the largest element.
    Relative(f64),
}

pub type Build = fn(&Data) -> Result<Array>;

/// A workload: its name, how it is built, how near its results are, and whether its blocks are full, so
/// that the proof is near to what is held.
pub type Work = (&'static str, Build, Near, bool);

fn by_eights(spec: &[usize]) -> Vec<ChunkSpec> {
    spec.iter().map(|&n| ChunkSpec::Size(n)).collect()
}

fn reduce(array: &Array, kind: ReduceKind, axes: &[isize]) -> Result<Array> {
    array.reduce(Reduction::new(kind), Some(axes), false)
}

use Near::{Relative, Same};

pub const WORKS: &[Work] = &[
    ("elementwise", |d| &(&d.x * 2.0)? + &d.y, Same, true),
    ("cast and compare", |d| d.x.apply("greater", &[&d.y]), Same, true),
    ("sum of all", |d| d.x.sum(&[0, 1, 2]), Same, true),
    ("sum over axis 0", |d| d.x.sum(&[0]), Same, true),
    ("mean over axis 1", |d| d.x.mean(&[1]), Same, true),
    ("max over axis 2", |d| d.x.max(&[2]), Same, true),
    (
        "std over axes 0 and 2",
        |d| d.x.std(&[0, 2], 1),
        Relative(1e-13),
        true,
    ),
    (
        "argmin over axis 0",
        |d| reduce(&d.x, ReduceKind::ArgMin, &[0]),
        Same,
        true,
    ),
    (
        "sum by group",
        |d| {
            let labels: Vec<u32> = (0..SHAPE[0] as u32).map(|i| i % 12).collect();
            d.x.group_reduce(Reduction::new(ReduceKind::Sum), 0, labels, 12)
        },
        Same,
        true,
    ),
    (
        "anomaly of a group mean",
        |d| {
            let labels: Vec<u32> = (0..SHAPE[0] as u32).map(|i| i % 4).collect();
            let mean = d.x.group_reduce(Reduction::new(ReduceKind::Mean), 0, labels, 4)?;
            let back: Vec<i64> = (0..SHAPE[0] as i64).map(|i| i % 4).collect();
            &d.x - &mean.take(&back, 0)?
        },
        Same,
        true,
    ),
    (
        "weighted mean",
        |d| {
            let weights = d.y.slice(&[s(Some(0), Some(1), None)])?;
            d.x.weighted_mean(&(&weights * &weights)?, Some(&[0, 1]), false, false)
        },
        Relative(1e-12),
        true,
    ),
    ("cumsum along axis 0", |d| d.x.cumsum(0), Same, true),
    ("cumsum along axis 2", |d| d.x.cumsum(2), Same, true),
    ("cummax along axis 1", |d| d.x.cummax(1), Same, true),
    (
        "rolling mean along axis 0",
        |d| d.x.rolling(0, 9, None, true)?.mean(),
        Relative(1e-13),
        true,
    ),
    (
        "rolling max along axis 2",
        |d| d.x.rolling(2, 30, Some(1), false)?.max(),
        Same,
        true,
    ),
    ("diff along axis 0", |d| d.x.diff(1, 0), Same, true),
    ("gradient along axis 1", |d| d.x.gradient(1, 0.5, 1), Same, true),
    (
        "stencil",
        |d| {
            let weights = ndarray::Array3::from_shape_fn((3, 3, 3), |(i, j, k)| (1 + i + j + k) as f64);
            d.x.stencil(&weights, &[Boundary::Nearest])
        },
        Same,
        true,
    ),
    (
        "map_overlap",
        |d| {
            d.x.map_overlap::<f64, f64>("twice", &[1, 1, 1], &[Boundary::Reflect], true, |seen, out| {
                out.iter_mut()
                    .zip(seen.values)
                    .for_each(|(slot, &v)| *slot = 2.0 * v);
                Ok(())
            })
        },
        Same,
        false,
    ),
    (
        "map_blocks",
        |d| {
            d.x.map_blocks::<f64, f64>("minus", |values, _, _, out| {
                out.iter_mut().zip(values).for_each(|(slot, &v)| *slot = -v);
                Ok(())
            })
        },
        Same,
        false,
    ),
    (
        "pad",
        |d| d.x.pad(&[(3, 4), (0, 1), (2, 2)], Boundary::Periodic),
        Same,
        false,
    ),
    ("sort along axis 0", |d| d.x.sort(0), Same, true),
    ("sort along axis 2", |d| d.x.sort(2), Same, true),
    ("argsort along axis 1", |d| d.x.argsort(1), Same, true),
    ("topk along axis 0", |d| d.x.topk(5, 0), Same, true),
    (
        "partition along axis 2",
        |d| {
            // The places of a partition are not all in one order: those that are asked for are.
            d.x.partition(&[64], 2)?.slice(&[
                s(None, None, None),
                s(None, None, None),
                s(Some(64), Some(65), None),
            ])
        },
        Same,
        true,
    ),
    (
        "median along axis 0",
        |d| d.x.median(Some(&[0]), false, false),
        Same,
        true,
    ),
    (
        "quantiles over axes 1 and 2",
        |d| {
            d.x.quantile(&[0.1, 0.9], Some(&[1, 2]), Method::Linear, false, false)
        },
        Same,
        true,
    ),
    ("matmul", |d| d.a.matmul(&d.b), Same, true),
    (
        "tensordot over two axes",
        |d| {
            let a = d.x.slice(&[s(None, Some(32), None)])?;
            let b = d.y.slice(&[s(None, Some(32), None)])?;
            a.tensordot(&b, [&[1, 2], &[1, 2]])
        },
        Same,
        true,
    ),
    (
        "einsum with a batch",
        |d| {
            let narrow = &[s(None, None, None), s(None, Some(8), None)];
            Array::einsum("bik,bjk->bij", &[&d.x.slice(narrow)?, &d.y.slice(narrow)?])
        },
        Same,
        true,
    ),
    ("vecdot", |d| d.x.vecdot(&d.y, -1), Same, true),
    (
        "fft along axis 0",
        |d| d.x.rfft(None, 0, Norm::Backward),
        Relative(1e-13),
        true,
    ),
    (
        "fft along axis 2",
        |d| d.x.rfft(None, 2, Norm::Backward),
        Relative(1e-13),
        true,
    ),
    ("reshape", |d| d.x.reshape(&[-1, 96 * 16 / 3]), Same, true),
    (
        "reshape of a transposed array",
        |d| d.x.transpose()?.reshape(&[-1, 1024]),
        Same,
        true,
    ),
    (
        "rechunk",
        |d| (&d.x + 1.0)?.rechunk(&by_eights(&[256, 8, 16])),
        Same,
        true,
    ),
    ("transpose", |d| d.x.transpose(), Same, true),
    ("permute", |d| d.x.permute_dims(&[1, 2, 0]), Same, true),
    (
        "concat along axis 1",
        |d| Array::concat(&[&d.x, &d.y], 1),
        Same,
        false,
    ),
    ("stack", |d| Array::stack(&[&d.x, &d.y], 0), Same, false),
    (
        "sort of a concatenation",
        |d| Array::concat(&[&d.x, &d.y], 0)?.sort(0),
        Same,
        false,
    ),
    (
        "take along axis 0",
        |d| d.x.take(&(0..200).map(|i| i * 37 % 128).collect::<Vec<_>>(), 0),
        Same,
        true,
    ),
    (
        "take along axis 2",
        |d| d.x.take(&(0..100).map(|i| i * 37 % 128).collect::<Vec<_>>(), 2),
        Same,
        true,
    ),
    (
        "every third along axis 1",
        |d| d.x.slice(&[s(None, None, None), s(Some(1), None, Some(3))]),
        Same,
        true,
    ),
    ("flip and roll", |d| d.x.flip(&[2])?.roll(100, 0), Same, false),
    (
        "repeat",
        |d| d.x.slice(&[s(None, Some(64), None)])?.repeat(3, 1),
        Same,
        true,
    ),
    (
        "where by a mask",
        |d| {
            d.x.where_(&d.y.apply("greater", &[&Array::scalar(0.0f64)])?, -1.0)
        },
        Same,
        true,
    ),
    ("bincount", |d| d.codes.bincount(256, None), Same, true),
    (
        "histogram",
        |d| Ok(d.x.histogram(&BinSpec::Between(40, -128.0, 128.0), None)?.0),
        Same,
        true,
    ),
    (
        "histogram over the whole range",
        |d| Ok(d.x.histogram(&BinSpec::Count(16), None)?.0),
        Same,
        true,
    ),
    (
        "digitize",
        |d| d.x.digitize(&[-100.0, 0.0, 3.0, 50.0], false),
        Same,
        true,
    ),
    (
        "searchsorted",
        |d| {
            let table = Array::from_vec(&[1000], (0..1000).map(|i| i as f64 / 4.0 - 125.0).collect())?;
            table.searchsorted(&d.x, Side::Left)
        },
        Same,
        true,
    ),
    ("random", |_| Array::random(&[128, 128, 128], 5), Same, true),
    ("normal", |_| Array::standard_normal(&[4 << 20], 6), Same, true),
    ("arange", |_| Array::arange(4 << 20), Same, true),
    (
        "mean and what it leaves",
        |d| {
            let left = (&d.x - &d.x.mean(&[0])?)?;
            reduce(&(&left * &left)?, ReduceKind::Mean, &[1])
        },
        Relative(1e-12),
        true,
    ),
    (
        "chain of barriers",
        |d| d.x.cumsum(0)?.sort(2)?.transpose()?.mean(&[2]),
        Relative(1e-12),
        true,
    ),
];
