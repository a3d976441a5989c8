//! Sorting and selecting along time, and counting.

use super::super::family::{Family, Job, Near, Setting};
use super::super::field::Field;
use crate::Result;
use crate::expr::order::BinSpec;
use std::cell::OnceCell;
use tilewise_kernels::DType;
use tilewise_kernels::order::Method;

pub(super) const FAMILIES: &[Family] = &[
    Family {
        group: "order",
        name: "sort",
        about: "x.sort(time)",
        make: |setting| sort(setting, false),
    },
    Family {
        group: "order",
        name: "sort last",
        about: "the same, where time is the last axis",
        make: |setting| sort(setting, true),
    },
    Family {
        group: "order",
        name: "p90",
        about: "x.quantile(0.9, time), linear",
        make: |setting| quantile(setting, 0.9, false),
    },
    Family {
        group: "order",
        name: "p90 last",
        about: "the same, where time is the last axis",
        make: |setting| quantile(setting, 0.9, true),
    },
    Family {
        group: "order",
        name: "median",
        about: "x.median(time)",
        make: |setting| quantile(setting, 0.5, false),
    },
    Family {
        group: "order",
        name: "histogram",
        about: "64 bins of all elements",
        make: histogram,
    },
];

/// The shape with time first or last, the axis of time and its extent.
fn layout(setting: &Setting<'_>, last: bool) -> (Vec<usize>, isize, usize) {
    let [time, lat, lon] = setting.columns();
    match last {
        true => (vec![lat, lon, time], 2, time),
        false => (vec![time, lat, lon], 0, time),
    }
}

/// The elements at all times of the cell of that number, sorted.
fn column(field: &Field, times: usize, last: bool, cell: usize) -> Vec<f64> {
    let cells = field.bytes() / 4 / times;
    let at = |t: usize| if last { cell * times + t } else { t * cells + cell };
    let mut all: Vec<f64> = (0..times).map(|t| field.at(at(t))).collect();
    all.sort_by(f64::total_cmp);
    all
}

fn sort(setting: &Setting<'_>, last: bool) -> Result<Job> {
    let (shape, axis, times) = layout(setting, last);
    let field = setting.field(&shape, 250.0, 60.0, 1)?;
    let out = field.array()?.sort(axis)?;
    let read = field.bytes();
    let cells = read / 4 / times;
    Ok(Job::memory(out, read, Near::Equal, move |i| {
        let (cell, t) = if last {
            (i / times, i % times)
        } else {
            (i % cells, i / cells)
        };
        column(&field, times, last, cell)[t]
    }))
}

fn quantile(setting: &Setting<'_>, q: f64, last: bool) -> Result<Job> {
    let (shape, axis, times) = layout(setting, last);
    let field = setting.field(&shape, 250.0, 60.0, 1)?;
    let out = field
        .array()?
        .quantile(&[q], Some(&[axis]), Method::Linear, false, false)?;
    let read = field.bytes();
    Ok(Job::memory(out, read, Near::Relative(1e-6), move |cell| {
        let all = column(&field, times, last, cell);
        let place = q * (all.len() - 1) as f64;
        let (low, high) = (all[place.floor() as usize], all[place.ceil() as usize]);
        low + (high - low) * place.fract()
    }))
}

fn histogram(setting: &Setting<'_>) -> Result<Job> {
    const BINS: usize = 64;
    let field = setting.field(&[setting.count(DType::F32)], 0.0, 1.0, 1)?;
    let (counts, _) = field
        .array()?
        .histogram(&BinSpec::Between(BINS, 0.0, 1.0), None)?;
    let read = field.bytes();
    // Edges are multiples of 1/64, so the bin of an element is exact.
    let right = OnceCell::new();
    Ok(Job::memory(counts, read, Near::Equal, move |bin| {
        let all: &Vec<f64> = right.get_or_init(|| {
            let mut all = vec![0.0; BINS];
            for value in field.f32() {
                all[(value * BINS as f32) as usize] += 1.0;
            }
            all
        });
        all[bin]
    }))
}
