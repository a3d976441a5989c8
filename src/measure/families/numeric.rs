//! Functions that cost arithmetic: exponentials, logarithms, powers, in f32 and f64.

use super::super::family::{Family, Job, Near, Setting};
use crate::Result;
use tilewise_kernels::DType;

/// Families of one function of one argument within a range, in f32 and f64.
macro_rules! functions {
    ($($name:literal, $low:literal + $span:literal, $right:expr;)*) => {
        &[$(
            Family {
                group: "math",
                name: concat!($name, " f32"),
                about: concat!($name, " of float32"),
                make: |setting| function(setting, $name, DType::F32, ($low, $span), $right),
            },
            Family {
                group: "math",
                name: concat!($name, " f64"),
                about: concat!($name, " of float64"),
                make: |setting| function(setting, $name, DType::F64, ($low, $span), $right),
            },
        )*]
    };
}

pub(super) const FAMILIES: &[Family] = functions! {
    "exp", -10.0 + 20.0, f64::exp;
    "log", 0.5 + 100.0, f64::ln;
    "sin", -30.0 + 60.0, f64::sin;
    "tan", -1.5 + 3.0, f64::tan;
    "tanh", -4.0 + 8.0, f64::tanh;
    "erf", -3.0 + 6.0, erf;
    "cbrt", 0.5 + 100.0, f64::cbrt;
};

fn function(
    setting: &Setting<'_>,
    name: &'static str,
    dtype: DType,
    (low, span): (f32, f32),
    right: fn(f64) -> f64,
) -> Result<Job> {
    let field = setting.field_of(dtype, &[setting.count(dtype)], low, span, 1)?;
    let out = field.array()?.apply(name, &[])?;
    let read = field.bytes();
    let near = Near::Relative(if dtype == DType::F64 { 1e-13 } else { 1e-6 });
    Ok(Job::memory(out, read, near, move |i| right(field.at(i))))
}

/// The error function by its series, `2/sqrt(pi) * sum((-1)^n x^(2n+1) / (n! (2n+1)))`
/// (Abramowitz and Stegun 7.1.6 in its form without cancellation,
/// `2/sqrt(pi) * exp(-x^2) * sum(2^n x^(2n+1) / (2n+1)!!)`).
fn erf(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-18 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}
