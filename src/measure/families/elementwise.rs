//! Chains of elementwise operations: one pass, two reads and a write.

use super::super::family::{Family, Job, Near, Setting};
use crate::Result;
use tilewise_kernels::DType;

pub(super) const FAMILIES: &[Family] = &[
    Family {
        group: "elementwise",
        name: "chain",
        about: "sqrt(a*a + b*b)*2 + sin(a)",
        make: chain,
    },
    Family {
        group: "elementwise",
        name: "triad",
        about: "a*b + c - 1",
        make: triad,
    },
    Family {
        group: "elementwise",
        name: "select",
        about: "where(a < b, a, b*2)",
        make: select,
    },
];

fn chain(setting: &Setting<'_>) -> Result<Job> {
    let shape = [setting.count(DType::F32)];
    let (x, y) = (
        setting.field(&shape, 0.5, 1.5, 1)?,
        setting.field(&shape, 0.5, 1.5, 2)?,
    );
    let (a, b) = (x.array()?, y.array()?);
    let root = (&(&a * &a)? + &(&b * &b)?)?.apply("sqrt", &[])?;
    let out = (&(&root * 2)? + &a.apply("sin", &[])?)?;
    Ok(Job::memory(
        out,
        x.bytes() + y.bytes(),
        Near::Relative(1e-6),
        move |i| 2.0 * x.at(i).hypot(y.at(i)) + x.at(i).sin(),
    ))
}

fn triad(setting: &Setting<'_>) -> Result<Job> {
    let shape = [setting.count(DType::F32)];
    let (x, y, z) = (
        setting.field(&shape, 0.5, 1.5, 1)?,
        setting.field(&shape, 0.5, 1.5, 2)?,
        setting.field(&shape, 2.0, 1.0, 3)?,
    );
    let out = (&(&(&x.array()? * &y.array()?)? + &z.array()?)? - 1)?;
    let read = x.bytes() + y.bytes() + z.bytes();
    Ok(Job::memory(out, read, Near::Relative(1e-6), move |i| {
        x.at(i) * y.at(i) + z.at(i) - 1.0
    }))
}

fn select(setting: &Setting<'_>) -> Result<Job> {
    let shape = [setting.count(DType::F32)];
    let (x, y) = (
        setting.field(&shape, 0.5, 1.5, 1)?,
        setting.field(&shape, 0.5, 1.5, 2)?,
    );
    let (a, b) = (x.array()?, y.array()?);
    let out = a.where_(&a.apply("less", &[&b])?, (&b * 2)?)?;
    Ok(Job::memory(out, x.bytes() + y.bytes(), Near::Equal, move |i| {
        if x.at(i) < y.at(i) { x.at(i) } else { 2.0 * y.at(i) }
    }))
}
