//! `exp`, `exp2` and `expm1` in f64.
//!
//! Each splits `x = k ln 2 + r` (or `k + r`), evaluates a polynomial in `r` and multiplies by 2ᵏ
//! through the exponent bits in two steps, so that subnormal results are rounded once. The
//! rounding errors of the reduction and of the sum with 1 are carried to the last addition.

use super::super::exact::{Half, fast_two_sum};
use super::bits::{limit, nearest, polynomial, power_of_two, scale, two_powers};
use super::coefficients::{EXP, EXP2, INV_LN2, LN2, LN2_26};

/// `x = k ln 2 + r`, `|x| < 1100`: `r`, its error and `k`.
#[inline(always)]
fn reduce(x: f64) -> (f64, f64, i64) {
    let (kf, k) = nearest(x * INV_LN2);
    let hi = x - kf * LN2[0];
    let lo = kf * LN2[1];
    let r = hi - lo;
    (r, (hi - r) - lo, k)
}

/// `exp(x) = 2^k (hi + lo)` for `|x| < 1100`.
#[inline(always)]
fn exp_parts(x: f64) -> (f64, f64, i64) {
    let (r, error, k) = reduce(x);
    let (hi, lo) = fast_two_sum(1.0, r);
    (hi, lo + (r * r * polynomial(r, &EXP) + error), k)
}

/// True where `exp_small` gives the bits of [`exp`]: where the result is normal, and for NaN.
#[inline(always)]
pub fn exponent_is_small(x: f64) -> bool {
    (x.abs() <= 708.0) | x.is_nan()
}

/// [`exp`] where [`exponent_is_small`]; other results are meaningless.
#[inline(always)]
pub fn exp_small(x: f64) -> f64 {
    let (hi, lo, k) = exp_parts(x);
    (hi + lo) * power_of_two(k)
}

/// e to the power `x`.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    let (hi, lo, k) = exp_parts(limit(x, -746.0, 710.0));
    scale(hi + lo, k)
}

/// Half of e to the power `x >= 0` as a pair; the first part is infinite only where
/// the half of the result is.
#[inline(always)]
pub(super) fn half_exp_pair(x: f64) -> (f64, f64) {
    let (hi, lo, k) = exp_parts(limit(x, 0.0, 711.0));
    let (hi, lo) = fast_two_sum(hi, lo);
    let (a, b) = two_powers(k.wrapping_sub(1));
    (hi * a * b, lo * a * b)
}

/// 2 to the power `x`; exact for integers.
#[inline(always)]
pub fn exp2(x: f64) -> f64 {
    let x = limit(x, -1080.0, 1025.0);
    let (kf, k) = nearest(x);
    exp2_reduced(x - kf, 0.0, k)
}

/// `2^(k + r + error)` for `|r| <= 1/2` and an error below its last place.
#[inline(always)]
pub(super) fn exp2_reduced(r: f64, error: f64, k: i64) -> f64 {
    let upper = r.upper_half();
    let lower = (r - upper) + error;
    let (hi, lo) = fast_two_sum(1.0, upper * LN2_26[0]);
    let small = upper * LN2_26[1] + lower * std::f64::consts::LN_2;
    scale(hi + (lo + (small + r * r * polynomial(r, &EXP2))), k)
}

/// `exp(x) - 1` as a pair for `x <= 709.9`, but for the sign of zero.
#[inline(always)]
pub(super) fn expm1_pair(x: f64) -> (f64, f64) {
    let (r, error, k) = reduce(limit(x, -40.0, 709.9));
    let (p, p_lo) = fast_two_sum(r, r * r * polynomial(r, &EXP) + error);
    // 2ᵏ (1 + p) - 1, halved so that the powers stay in range.
    let half = power_of_two(k.wrapping_sub(1));
    let (y, y_lo) = fast_two_sum(half - 0.5, half * p);
    let (y, y_lo) = fast_two_sum(y, y_lo + half * p_lo);
    (y * 2.0, y_lo * 2.0)
}

/// `exp(x) - 1`, accurate near zero.
#[inline(always)]
pub fn expm1(x: f64) -> f64 {
    let (y, _) = expm1_pair(x);
    if x.abs() < 5.551_115_123_125_783e-17 { x } else { y }
}
