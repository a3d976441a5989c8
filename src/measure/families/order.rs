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
        make: sort,
    },
    Family {
        group: "order",
        name: "p90",
        about: "x.quantile(0.9, time), linear",
        make: p90,
    },
    Family {
        group: "order",
        name: "median",
        about: "x.median(time)",
        make: median,
    },
    Family {
        group: "order",
        name: "histogram",
        about: "64 bins of all elements",
        make: histogram,
    },
];

/// The sorted column of a flat index.
fn column(field: &Field, shape: [usize; 3], index: usize) -> Vec<f64> {
    let cells = shape[1] * shape[2];
    let mut all: Vec<f64> = (0..shape[0])
        .map(|t| field.at(t * cells + index % cells))
        .collect();
    all.sort_by(f64::total_cmp);
    all
}

fn sort(setting: &Setting<'_>) -> Result<Job> {
    let shape = setting.columns();
    let field = setting.field(&shape, 250.0, 60.0, 1)?;
    let out = field.array()?.sort(0)?;
    let read = field.bytes();
    let cells = shape[1] * shape[2];
    Ok(Job::memory(out, read, Near::Equal, move |i| {
        column(&field, shape, i)[i / cells]
    }))
}

fn p90(setting: &Setting<'_>) -> Result<Job> {
    quantile(setting, 0.9)
}

fn median(setting: &Setting<'_>) -> Result<Job> {
    quantile(setting, 0.5)
}

fn quantile(setting: &Setting<'_>, q: f64) -> Result<Job> {
    let shape = setting.columns();
    let field = setting.field(&shape, 250.0, 60.0, 1)?;
    let out = field
        .array()?
        .quantile(&[q], Some(&[0]), Method::Linear, false, false)?;
    let read = field.bytes();
    Ok(Job::memory(out, read, Near::Relative(1e-6), move |i| {
        let all = column(&field, shape, i);
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
