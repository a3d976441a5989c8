//! `sinh`, `cosh`, `tanh` and their inverses in f64.
//!
//! `sinh` is a polynomial near zero, because the difference of exponentials would cancel, and
//! `tanh` a quotient of `expm1`s; the inverses are `log1p` of an argument formed without
//! cancellation.

use super::super::exact::fast_two_sum;
use super::bits::{copysign, polynomial};
use super::coefficients::SINH;
use super::exponential::{expm1_pair, half_exp_pair};
use super::logarithm::{log1p, log1p_doubled};

/// The hyperbolic sine.
#[inline(always)]
pub fn sinh(x: f64) -> f64 {
    let a = x.abs();
    let z = a * a;
    let near = a + a * z * polynomial(z, &SINH);
    let (h, lo) = half_exp_pair(a);
    let far = h - (0.25 / h - lo);
    copysign(if a < 1.0 { near } else { far }, x)
}

/// The hyperbolic cosine.
#[inline(always)]
pub fn cosh(x: f64) -> f64 {
    let (h, lo) = half_exp_pair(x.abs());
    h + (0.25 / h + lo)
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh(x: f64) -> f64 {
    let (e, e_lo) = expm1_pair(-2.0 * x.abs());
    let (d, d_lo) = fast_two_sum(2.0, e);
    let q = e / d;
    // What both parts are more, over d: a straight line is near enough to 1/d in 1..2.
    let q = q + (e_lo - q * (d_lo + e_lo)) * (1.457 - 0.5 * d);
    copysign(q, x)
}

/// From here on `asinh` and `acosh` are the logarithm of `2x`.
const HUGE: f64 = 1.152_921_504_606_847e18;

/// The inverse hyperbolic sine.
#[inline(always)]
pub fn asinh(x: f64) -> f64 {
    let a = x.abs();
    let z = a * a;
    let near = a + z / (1.0 + (z + 1.0).sqrt());
    let huge = a > HUGE;
    let y = log1p_doubled(if huge { a } else { near }, if huge { 1.0 } else { 0.0 });
    copysign(if a < 5.551_115_123_125_783e-17 { a } else { y }, x)
}

/// The inverse hyperbolic cosine; NaN below 1.
#[inline(always)]
pub fn acosh(x: f64) -> f64 {
    let t = x - 1.0;
    let near = t + (2.0 * t + t * t).sqrt();
    let huge = x > HUGE;
    let y = log1p_doubled(if huge { x } else { near }, if huge { 1.0 } else { 0.0 });
    if x < 1.0 { f64::NAN } else { y }
}

/// The inverse hyperbolic tangent: ±inf at ±1, NaN outside.
#[inline(always)]
pub fn atanh(x: f64) -> f64 {
    let a = x.abs();
    let y = 0.5 * log1p(2.0 * a / (1.0 - a));
    let y = if a < 3.725_290_298_461_914e-9 { a } else { y };
    let y = if a > 1.0 { f64::NAN } else { y };
    copysign(y, x)
}
