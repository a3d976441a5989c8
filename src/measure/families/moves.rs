//! Moves without arithmetic worth naming: transposes, views and casts.

use super::super::family::{Family, Job, Near, Setting};
use crate::Result;
use crate::session::s;
use tilewise_kernels::DType;

pub(super) const FAMILIES: &[Family] = &[
    Family {
        group: "move",
        name: "transpose 2d",
        about: "x.T",
        make: |setting| transpose(setting, false),
    },
    Family {
        group: "move",
        name: "transpose 3d",
        about: "(time, lat, lon) to (lon, lat, time)",
        make: |setting| transpose(setting, true),
    },
    Family {
        group: "move",
        name: "flip",
        about: "x[:, ::-1]",
        make: flip,
    },
    Family {
        group: "move",
        name: "cast up",
        about: "float32 to float64",
        make: |setting| cast(setting, DType::F32, DType::F64),
    },
    Family {
        group: "move",
        name: "cast down",
        about: "float64 to float32",
        make: |setting| cast(setting, DType::F64, DType::F32),
    },
    Family {
        group: "move",
        name: "unpack",
        about: "int16 to float32, *0.01 + 273.15",
        make: unpack,
    },
];

fn transpose(setting: &Setting<'_>, three: bool) -> Result<Job> {
    let shape = if three {
        setting.climate().to_vec()
    } else {
        vec![setting.square(); 2]
    };
    let field = setting.field(&shape, 1.0, 1.0, 1)?;
    let out = field.array()?.transpose()?;
    let read = field.bytes();
    Ok(Job::memory(out, read, Near::Equal, move |mut i| {
        // The flat index of the result has the first axis innermost.
        let mut at = 0;
        let mut stride: usize = shape.iter().product();
        for &extent in &shape {
            stride /= extent;
            at += i % extent * stride;
            i /= extent;
        }
        field.at(at)
    }))
}

fn flip(setting: &Setting<'_>) -> Result<Job> {
    let n = setting.square();
    let field = setting.field(&[n, n], 1.0, 1.0, 1)?;
    let out = field
        .array()?
        .slice(&[s(None, None, None), s(None, None, Some(-1))])?;
    let read = field.bytes();
    Ok(Job::memory(out, read, Near::Equal, move |i| {
        field.at(i / n * n + n - 1 - i % n)
    }))
}

fn cast(setting: &Setting<'_>, from: DType, to: DType) -> Result<Job> {
    let field = setting.field_of(from, &[setting.count(DType::F64)], 1.0, 1.0, 1)?;
    let out = field.array()?.astype(to);
    let read = field.bytes();
    Ok(Job::memory(out, read, Near::Equal, move |i| {
        f64::from(field.at(i) as f32)
    }))
}

fn unpack(setting: &Setting<'_>) -> Result<Job> {
    let field = setting.field_of(DType::I16, &[setting.count(DType::F32)], -9000.0, 18000.0, 1)?;
    let out = (&(&field.array()?.astype(DType::F32) * 0.01)? + 273.15)?;
    let read = field.bytes();
    Ok(Job::memory(out, read, Near::Relative(1e-6), move |i| {
        field.at(i) * 0.01 + 273.15
    }))
}
