//! `sinh`, `cosh`, `tanh` and their inverses.
//!
//! Near zero the odd functions are polynomials, because the difference of
//! exponentials would cancel; the inverses are `log1p` of an argument formed
//! without cancellation.

use super::bits::{copysign, polynomial};
use super::coefficients::{SINH, TANH};
use super::exponential::{exp, exp_shifted};
use super::logarithm::{log1p, log1p_doubled};

/// The hyperbolic sine.
#[inline(always)]
pub fn sinh(x: f32) -> f32 {
    let a = x.abs();
    let z = a * a;
    let near = a + a * z * polynomial(z, &SINH);
    let h = exp_shifted(a, -1);
    let far = h - 0.25 / h;
    copysign(if a < 1.0 { near } else { far }, x)
}

/// The hyperbolic cosine.
#[inline(always)]
pub fn cosh(x: f32) -> f32 {
    let h = exp_shifted(x.abs(), -1);
    h + 0.25 / h
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let z = a * a;
    let near = a + a * z * polynomial(z, &TANH);
    let far = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
    copysign(if a < 0.6 { near } else { far }, x)
}

/// From here on `asinh` and `acosh` are the logarithm of `2x`.
const HUGE: f32 = 1.073_741_8e9;

/// The inverse hyperbolic sine.
#[inline(always)]
pub fn asinh(x: f32) -> f32 {
    let a = x.abs();
    let z = a * a;
    let near = a + z / (1.0 + (z + 1.0).sqrt());
    let huge = a > HUGE;
    let y = log1p_doubled(if huge { a } else { near }, if huge { 1.0 } else { 0.0 });
    copysign(if a < 2.980_232_2e-8 { a } else { y }, x)
}

/// The inverse hyperbolic cosine; NaN below 1.
#[inline(always)]
pub fn acosh(x: f32) -> f32 {
    let t = x - 1.0;
    let near = t + (2.0 * t + t * t).sqrt();
    let huge = x > HUGE;
    let y = log1p_doubled(if huge { x } else { near }, if huge { 1.0 } else { 0.0 });
    if x < 1.0 { f32::NAN } else { y }
}

/// The inverse hyperbolic tangent: ±inf at ±1, NaN outside.
#[inline(always)]
pub fn atanh(x: f32) -> f32 {
    let a = x.abs();
    let y = 0.5 * log1p(2.0 * a / (1.0 - a));
    let y = if a < 0.000_244_140_63 { a } else { y };
    let y = if a > 1.0 { f32::NAN } else { y };
    copysign(y, x)
}
