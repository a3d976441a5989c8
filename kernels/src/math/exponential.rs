//! `exp`, `exp2` and `expm1`.
//!
//! Each splits `x = k ln 2 + r`, evaluates a polynomial in `r` and multiplies by
//! 2ᵏ through the exponent bits in two steps, so that subnormal results are
//! rounded once.

use super::bits::{limit, polynomial, power_of_two, scale};
use super::coefficients::{EXP, EXP2, INV_LN2, LN2};

/// Adding this to a magnitude below 2²² leaves the nearest integer in the low bits.
const SHIFTER: f32 = 12_582_912.0;

/// The integer nearest to `x` for `|x| < 2²²`, as a float and as an integer.
#[inline(always)]
pub(super) fn nearest(x: f32) -> (f32, i32) {
    let t = x + SHIFTER;
    let k = t.to_bits().wrapping_sub(SHIFTER.to_bits()) as i32;
    (t - SHIFTER, k)
}

/// `exp(x) * 2^shift` without overflow in between, for `shift` 0 or −1.
#[inline(always)]
pub(super) fn exp_shifted(x: f32, shift: i32) -> f32 {
    let x = limit(x, -105.0, 90.0);
    let (kf, k) = nearest(x * INV_LN2[0]);
    let r = (x - kf * LN2[0]) - kf * LN2[1];
    let p = 1.0 + (r + r * r * polynomial(r, &EXP));
    scale(p, k.wrapping_add(shift))
}

/// e to the power `x`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    exp_shifted(x, 0)
}

/// 2 to the power `x`; exact for integers.
#[inline(always)]
pub fn exp2(x: f32) -> f32 {
    let x = limit(x, -151.0, 129.0);
    let (kf, k) = nearest(x);
    exp2_reduced(x - kf, k)
}

/// `2^(k + r)` for `|r| <= 1/2`.
#[inline(always)]
pub(super) fn exp2_reduced(r: f32, k: i32) -> f32 {
    scale(1.0 + r * polynomial(r, &EXP2), k)
}

/// `exp(x) - 1`, accurate near zero.
#[inline(always)]
pub fn expm1(x: f32) -> f32 {
    let c = limit(x, -30.0, 88.9);
    let (kf, k) = nearest(c * INV_LN2[0]);
    let hi = c - kf * LN2[0];
    let lo = kf * LN2[1];
    let r = hi - lo;
    let error = (hi - r) - lo;
    let p = r + (r * r * polynomial(r, &EXP) + error);
    let half = power_of_two(k.wrapping_sub(1));
    let y = (half * p + (half - 0.5)) * 2.0;
    if x.abs() < 2.980_232_2e-8 { x } else { y }
}
