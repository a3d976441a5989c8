//! Anomalies: a mean of all, then all less the mean; two reads and a write. And the means of months
//! alone.

use super::super::family::{Family, Job, Near, Setting};
use super::super::field::Field;
use crate::{Array, Result};
use tilewise_kernels::{ReduceKind, Reduction};

/// What rounding a mean of 300 to f32 and subtracting it gives.
const ROUNDED: Near = Near::Absolute(4e-5);

pub(super) const FAMILIES: &[Family] = &[
    Family {
        group: "anomaly",
        name: "of all time",
        about: "x - x.mean(time)",
        make: of_all_time,
    },
    Family {
        group: "anomaly",
        name: "of the month",
        about: "x - x.groupby(month).mean()",
        make: of_the_month,
    },
    Family {
        group: "group",
        name: "mean of the month",
        about: "x.groupby(month).mean()",
        make: mean_of_the_month,
    },
];

fn of_all_time(setting: &Setting<'_>) -> Result<Job> {
    let shape = setting.climate();
    let field = setting.field(&shape, 250.0, 60.0, 1)?;
    let x = field.array()?;
    let out = (&x - &x.mean(&[0])?)?;
    let (cells, times) = (shape[1] * shape[2], shape[0]);
    let bytes = field.bytes();
    Ok(Job::memory(out, 2 * bytes, ROUNDED, move |i| {
        let mean: f64 = (0..times).map(|t| field.at(t * cells + i % cells)).sum();
        field.at(i) - mean / times as f64
    }))
}

/// Months of a year.
const MONTHS: usize = 12;

/// The month of a day.
fn month(day: usize) -> u32 {
    (day % 365 * MONTHS / 365) as u32
}

/// The means of the months of an array over time.
fn climatology(x: &Array) -> Result<Array> {
    let labels: Vec<u32> = (0..x.shape()[0]).map(month).collect();
    x.group_reduce(Reduction::new(ReduceKind::Mean), 0, labels, MONTHS)
}

/// The mean of a month at one of `cells` cells, by a loop in f64; NaN where it has no day.
fn by_loop(field: &Field, times: usize, cells: usize, wanted: u32, cell: usize) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for t in (0..times).filter(|&t| month(t) == wanted) {
        sum += field.at(t * cells + cell);
        count += 1.0;
    }
    sum / count
}

fn of_the_month(setting: &Setting<'_>) -> Result<Job> {
    let shape = setting.climate();
    let field = setting.field(&shape, 250.0, 60.0, 1)?;
    let x = field.array()?;
    let (cells, times) = (shape[1] * shape[2], shape[0]);
    let indices: Vec<i64> = (0..times).map(|t| i64::from(month(t))).collect();
    let out = (&x - &climatology(&x)?.take(&indices, 0)?)?;
    let bytes = field.bytes();
    Ok(Job::memory(out, 2 * bytes, ROUNDED, move |i| {
        field.at(i) - by_loop(&field, times, cells, month(i / cells), i % cells)
    }))
}

fn mean_of_the_month(setting: &Setting<'_>) -> Result<Job> {
    let shape = setting.climate();
    let field = setting.field(&shape, 250.0, 60.0, 1)?;
    let out = climatology(&field.array()?)?;
    let (cells, times) = (shape[1] * shape[2], shape[0]);
    let read = field.bytes();
    Ok(Job::memory(out, read, Near::Relative(1e-6), move |i| {
        by_loop(&field, times, cells, (i / cells) as u32, i % cells)
    }))
}
