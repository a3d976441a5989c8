//! Products of matrices, judged by the rate of multiply-adds.

use super::super::family::{Family, Job, Near, Setting, Work};
use crate::Result;
use tilewise_kernels::DType;

pub(super) const FAMILIES: &[Family] = &[
    Family {
        group: "contract",
        name: "sgemm",
        about: "a @ b, float32, up to 4096 x 4096",
        make: |setting| product(setting, DType::F32),
    },
    Family {
        group: "contract",
        name: "dgemm",
        about: "a @ b, float64, up to 4096 x 4096",
        make: |setting| product(setting, DType::F64),
    },
];

pub(in super::super) fn product(setting: &Setting<'_>, dtype: DType) -> Result<Job> {
    let n = setting.matrix();
    let a = setting.field_of(dtype, &[n, n], -1.0, 2.0, 1)?;
    let b = setting.field_of(dtype, &[n, n], -1.0, 2.0, 2)?;
    let out = a.array()?.matmul(&b.array()?)?;
    let operations = 2.0 * (n as f64).powi(3);
    // Sums of n products below 1 in magnitude, each rounded once.
    let (near, work) = match dtype {
        // Results of about sqrt(n), rounded to eleven bits.
        DType::F16 => ((n as f64).sqrt() * 4e-3, Work::FlopsF16(operations)),
        DType::F64 => (n as f64 * 1e-15, Work::FlopsF64(operations)),
        _ => (n as f64 * 1e-6, Work::FlopsF32(operations)),
    };
    let job = Job::memory(out, a.bytes() + b.bytes(), Near::Absolute(near), move |i| {
        (0..n).map(|k| a.at(i / n * n + k) * b.at(k * n + i % n)).sum()
    });
    Ok(job.counted(work))
}
