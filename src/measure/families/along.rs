//! Scans and windows along the first and the last axis: one read and one write of memory.

use super::super::family::{Family, Job, Near, Setting};
use crate::session::Rolling;
use crate::{Array, Result};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        group: "along",
        name: "cumsum first",
        about: "sums over time so far",
        make: |setting| running(setting, false),
    },
    Family {
        group: "along",
        name: "cumsum last",
        about: "the same, where time is the last axis",
        make: |setting| running(setting, true),
    },
    Family {
        group: "along",
        name: "rolling mean",
        about: "means of 30 times",
        make: |setting| rolling(setting, false, Rolling::mean, mean),
    },
    Family {
        group: "along",
        name: "rolling mean last",
        about: "the same, where time is the last axis",
        make: |setting| rolling(setting, true, Rolling::mean, mean),
    },
    Family {
        group: "along",
        name: "rolling max",
        about: "largest of 30 times",
        make: |setting| rolling(setting, false, Rolling::max, largest),
    },
    Family {
        group: "along",
        name: "rolling std",
        about: "standard deviations of 30 times",
        make: |setting| rolling(setting, false, |r| r.std(0), deviation),
    },
];

/// Places of a window.
const WINDOW: usize = 30;

/// The shape with time first or last, the axis of time, its extent, and its stride.
fn layout(setting: &Setting<'_>, last: bool) -> (Vec<usize>, isize, usize, usize) {
    let [time, lat, lon] = setting.climate();
    match last {
        true => (vec![lat, lon, time], 2, time, 1),
        false => (vec![time, lat, lon], 0, time, lat * lon),
    }
}

fn running(setting: &Setting<'_>, last: bool) -> Result<Job> {
    let (shape, axis, time, stride) = layout(setting, last);
    let field = setting.field(&shape, 0.0, 1.0, 1)?;
    let out = field.array()?.cumsum(axis)?;
    let read = field.bytes();
    Ok(Job::memory(out, read, Near::Relative(1e-7), move |i| {
        let t = i / stride % time;
        (0..=t).map(|back| field.at(i - back * stride)).sum()
    }))
}

fn rolling(
    setting: &Setting<'_>,
    last: bool,
    what: fn(&Rolling) -> Result<Array>,
    right: fn(&[f64]) -> f64,
) -> Result<Job> {
    let (shape, axis, time, stride) = layout(setting, last);
    let field = setting.field(&shape, 250.0, 50.0, 1)?;
    let out = what(&field.array()?.rolling(axis, WINDOW, Some(1), false)?)?;
    let read = field.bytes();
    Ok(Job::memory(out, read, Near::Relative(2e-7), move |i| {
        let t = i / stride % time;
        let window = 0..=t.min(WINDOW - 1);
        let values: Vec<f64> = window.map(|back| field.at(i - back * stride)).collect();
        right(&values)
    }))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values);
    let squares: f64 = values.iter().map(|x| (x - middle) * (x - middle)).sum();
    (squares / values.len() as f64).sqrt()
}
