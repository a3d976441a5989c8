//! Reductions of a (time, lat, lon) array: one read, and next to nothing written.

use super::super::family::{Family, Job, Near, Setting};
use super::super::field::{Field, Numbers};
use crate::Result;
use crate::geometry::row_major_strides;
use tilewise_kernels::{DType, ReduceKind, Reduction};

/// Families of one reduction over all, the first and the last axis.
macro_rules! over_axes {
    ($($name:literal, $about:literal, $what:expr;)*) => {
        &[$(
            Family {
                group: "reduce",
                name: concat!($name, " all"),
                about: concat!($about, " of (time, lat, lon)"),
                make: |setting| reduce(setting, $what, &[0, 1, 2]),
            },
            Family {
                group: "reduce",
                name: concat!($name, " first"),
                about: concat!($about, " of (time, lat, lon) over time"),
                make: |setting| reduce(setting, $what, &[0]),
            },
            Family {
                group: "reduce",
                name: concat!($name, " last"),
                about: concat!($about, " of (time, lat, lon) over lon"),
                make: |setting| reduce(setting, $what, &[2]),
            },
        )*]
    };
}

pub(super) const FAMILIES: &[Family] = over_axes! {
    "sum", "sum", Reduction::new(ReduceKind::Sum);
    "mean", "mean", Reduction::new(ReduceKind::Mean);
    "std", "std", Reduction::new(ReduceKind::Std);
    "nanmean", "nanmean", Reduction::new(ReduceKind::Mean).skipna(true);
    "min", "min", Reduction::new(ReduceKind::Min);
    "max", "max", Reduction::new(ReduceKind::Max);
};

fn reduce(setting: &Setting<'_>, reduction: Reduction, axes: &'static [isize]) -> Result<Job> {
    let shape = setting.climate();
    let numbers = if reduction.skipna {
        Numbers::Gaps(250.0, 60.0)
    } else {
        Numbers::Between(250.0, 60.0)
    };
    let field = setting.fields.make(&shape, DType::F32, numbers, 1)?;
    let out = field.array()?.reduce(reduction, Some(axes), false)?;
    let read = field.bytes();
    Ok(Job::memory(out, read, Near::Relative(1e-6), move |cell| {
        by_loop(&field, &shape, axes, reduction, cell)
    }))
}

/// The reduction at one cell of the result, by a loop in f64.
fn by_loop(field: &Field, shape: &[usize; 3], axes: &[isize], reduction: Reduction, cell: usize) -> f64 {
    let strides = row_major_strides(shape);
    // The first element of the cell, from the kept axes of the flat cell.
    let (mut first, mut rest) = (0, cell);
    for axis in (0..3).rev().filter(|&a| !axes.contains(&(a as isize))) {
        first += rest % shape[axis] * strides[axis];
        rest /= shape[axis];
    }
    let stride = axes.last().map_or(1, |&a| strides[a as usize]);
    let len: usize = axes.iter().map(|&a| shape[a as usize]).product();
    let values = || {
        (0..len)
            .map(|k| field.at(first + k * stride))
            .filter(|v| !v.is_nan())
    };
    let count = values().count() as f64;
    let mean = values().sum::<f64>() / count;
    match reduction.kind {
        ReduceKind::Sum => mean * count,
        ReduceKind::Mean => mean,
        ReduceKind::Std => (values().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt(),
        ReduceKind::Min => values().fold(f64::INFINITY, f64::min),
        _ => values().fold(f64::NEG_INFINITY, f64::max),
    }
}
