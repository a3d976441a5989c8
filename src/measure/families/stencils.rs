//! Stencils, written as shifted slices and as weights: every element is read once from memory and
//! one is written.

use super::super::family::{Family, Job, Near, Setting};
use crate::expr::SliceItem;
use crate::session::s;
use crate::{Array, Boundary, Result};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        group: "stencil",
        name: "heat 2d",
        about: "u + 0.1*(up + down + left + right - 4*u), 5 points",
        make: |setting| heat(setting, false),
    },
    Family {
        group: "stencil",
        name: "heat 2d weights",
        about: "the same as a weighted sum of neighbours",
        make: |setting| heat(setting, true),
    },
    Family {
        group: "stencil",
        name: "laplacian 3d",
        about: "six neighbours - 6*u, 7 points",
        make: |setting| laplacian(setting, false),
    },
    Family {
        group: "stencil",
        name: "laplacian 3d weights",
        about: "the same as a weighted sum of neighbours",
        make: |setting| laplacian(setting, true),
    },
];

/// The inner part of an array moved by one along an axis.
fn moved(u: &Array, axis: usize, by: isize) -> Result<Array> {
    let slice = |a: usize| -> SliceItem {
        let shift = if a == axis { by } else { 0 };
        let stop = -1 + shift;
        s(Some(1 + shift), (stop < 0).then_some(stop), None)
    };
    u.slice(&(0..u.rank()).map(slice).collect::<Vec<_>>())
}

/// The sum of the neighbours along all axes.
fn neighbours(u: &Array) -> Result<Array> {
    let mut sum = (&moved(u, 0, -1)? + &moved(u, 0, 1)?)?;
    for axis in 1..u.rank() {
        sum = (&(&sum + &moved(u, axis, -1)?)? + &moved(u, axis, 1)?)?;
    }
    Ok(sum)
}

/// The inner part of a weighted sum of each element and its neighbours along all axes.
fn weighted(u: &Array, middle: f32, beside: f32) -> Result<Array> {
    let mut weights = ndarray::ArrayD::<f32>::zeros(vec![3; u.rank()]);
    let centre = vec![1; u.rank()];
    weights[&centre[..]] = middle;
    for axis in 0..u.rank() {
        for place in [0, 2] {
            let mut at = centre.clone();
            at[axis] = place;
            weights[&at[..]] = beside;
        }
    }
    u.stencil(&weights, &[Boundary::None])
}

fn heat(setting: &Setting<'_>, by_weights: bool) -> Result<Job> {
    let n = setting.square();
    let field = setting.field(&[n, n], 1.0, 1.0, 1)?;
    let u = field.array()?;
    let middle = moved(&u, 0, 0)?;
    let out = match by_weights {
        true => weighted(&u, 0.6, 0.1)?,
        false => (&middle + &(&(&neighbours(&u)? - &(&middle * 4)?)? * 0.1)?)?,
    };
    let read = field.bytes();
    Ok(Job::memory(out, read, Near::Relative(2e-6), move |i| {
        let at = (i / (n - 2) + 1) * n + i % (n - 2) + 1;
        let around = field.at(at - n) + field.at(at + n) + field.at(at - 1) + field.at(at + 1);
        field.at(at) + 0.1 * (around - 4.0 * field.at(at))
    }))
}

fn laplacian(setting: &Setting<'_>, by_weights: bool) -> Result<Job> {
    let n = setting.cube();
    let field = setting.field(&[n, n, n], 1.0, 1.0, 1)?;
    let u = field.array()?;
    let out = match by_weights {
        true => weighted(&u, -6.0, 1.0)?,
        false => (&neighbours(&u)? - &(&moved(&u, 0, 0)? * 6)?)?,
    };
    let read = field.bytes();
    Ok(Job::memory(out, read, Near::Absolute(1e-5), move |i| {
        let m = n - 2;
        let at = (i / (m * m) + 1) * n * n + (i / m % m + 1) * n + i % m + 1;
        let pairs = [1, n, n * n].map(|d| field.at(at - d) + field.at(at + d));
        pairs.iter().sum::<f64>() - 6.0 * field.at(at)
    }))
}
