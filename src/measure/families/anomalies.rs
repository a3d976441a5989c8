//! Anomalies: a mean of all, then all less the mean; two reads and a write.

use super::super::family::{Family, Job, Near, Setting};
use crate::Result;
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

fn of_the_month(setting: &Setting<'_>) -> Result<Job> {
    let shape = setting.climate();
    let field = setting.field(&shape, 250.0, 60.0, 1)?;
    let x = field.array()?;
    let (cells, times) = (shape[1] * shape[2], shape[0]);
    let month = |day: usize| (day % 365 * 12 / 365) as u32;
    let labels: Vec<u32> = (0..times).map(month).collect();
    let indices: Vec<i64> = labels.iter().map(|&m| i64::from(m)).collect();
    let mean = Reduction::new(ReduceKind::Mean);
    let climatology = x.group_reduce(mean, 0, labels, 12)?;
    let out = (&x - &climatology.take(&indices, 0)?)?;
    let bytes = field.bytes();
    Ok(Job::memory(out, 2 * bytes, ROUNDED, move |i| {
        let same = (0..times).filter(|&t| month(t) == month(i / cells));
        let (mut sum, mut count) = (0.0, 0.0);
        for t in same {
            sum += field.at(t * cells + i % cells);
            count += 1.0;
        }
        field.at(i) - sum / count
    }))
}
