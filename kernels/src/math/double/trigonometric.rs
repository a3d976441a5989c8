//! `sin`, `cos` and `tan` in f64, of a reduced angle that is a pair.
//!
//! A loop that knows its angles to be small uses `sin_small` and its kin, which have no branch and
//! give the same bits.

use super::super::exact::fast_two_sum;
use super::angle::{Angle, reduce, reduce_small};
use super::bits::{polynomial, upper_26};
use super::coefficients::{COS, SIN, TAN};

/// The sine of a quadrant: sine, cosine, −sine, −cosine of `|r| <= π/4`.
#[inline(always)]
fn in_quadrant(Angle { r, lo, k }: Angle) -> f64 {
    let z = r * r;
    let s = r + (r * z * polynomial(z, &SIN) + lo * (1.0 - 0.5 * z));
    let half = 0.5 * z;
    let w = 1.0 - half;
    let c = w + (((1.0 - w) - half) + (z * z * polynomial(z, &COS) - r * lo));
    let y = if k & 1 == 0 { s } else { c };
    f64::from_bits(y.to_bits() ^ (((k & 2) as u64) << 62))
}

/// `y`, or `x` where it is its own sine and tangent, or NaN at ±inf.
#[inline(always)]
fn odd_edges(x: f64, y: f64) -> f64 {
    let a = x.abs();
    let y = if a < 7.450_580_596_923_828e-9 { x } else { y };
    if a < f64::INFINITY { y } else { f64::NAN }
}

#[inline(always)]
fn sin_of(x: f64, angle: Angle) -> f64 {
    odd_edges(x, in_quadrant(angle))
}

#[inline(always)]
fn cos_of(x: f64, angle: Angle) -> f64 {
    let k = angle.k.wrapping_add(1);
    let y = in_quadrant(Angle { k, ..angle });
    if x.abs() < f64::INFINITY { y } else { f64::NAN }
}

#[inline(always)]
fn tan_of(x: f64, Angle { r, lo, k }: Angle) -> f64 {
    let z = r * r;
    let (t, t_lo) = fast_two_sum(r, r * z * polynomial(z, &TAN) + lo * (1.0 + z));
    // The quotient with its error: products of parts of 26 bits are exact.
    let q = -1.0 / t;
    let (qh, th) = (upper_26(q), upper_26(t));
    let error = (1.0 + qh * th) + qh * ((t - th) + t_lo);
    let y = if k & 1 == 0 { t } else { qh + q * error };
    odd_edges(x, y)
}

/// The sine of `x` radians, for every f64; NaN at ±inf.
#[inline(always)]
pub fn sin(x: f64) -> f64 {
    sin_of(x, reduce(x))
}

/// The cosine of `x` radians, for every f64; NaN at ±inf.
#[inline(always)]
pub fn cos(x: f64) -> f64 {
    cos_of(x, reduce(x))
}

/// The tangent of `x` radians, for every f64; NaN at ±inf.
#[inline(always)]
pub fn tan(x: f64) -> f64 {
    tan_of(x, reduce(x))
}

/// [`sin`] where [`angle_is_small`](super::angle_is_small); other results are meaningless.
#[inline(always)]
pub fn sin_small(x: f64) -> f64 {
    sin_of(x, reduce_small(x))
}

/// [`cos`] where [`angle_is_small`](super::angle_is_small); other results are meaningless.
#[inline(always)]
pub fn cos_small(x: f64) -> f64 {
    cos_of(x, reduce_small(x))
}

/// [`tan`] where [`angle_is_small`](super::angle_is_small); other results are meaningless.
#[inline(always)]
pub fn tan_small(x: f64) -> f64 {
    tan_of(x, reduce_small(x))
}
