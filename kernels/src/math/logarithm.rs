//! `log`, `log2`, `log10`, `log1p` and `logaddexp`.
//!
//! All write `x = 2ᵏ (1 + f)` with `1 + f` in `√½..√2` and share one polynomial
//! for `ln(1 + f)`.

use super::bits::polynomial;
use super::coefficients::{LN2, LOG, LOG2_E, LOG10_2, LOG10_E};
use super::exact::{Half, two_sum};
use super::exponential::exp;

/// The bits of √½.
const SQRT_HALF: u32 = 0x3f35_04f3;

/// `x = 2ᵏ m` with `m` in `√½..√2`, for positive finite `x`.
///
/// A subnormal's bits, read as an integer, are `x * 2¹⁴⁹`: no arithmetic on
/// subnormals is needed to normalise it.
#[inline(always)]
pub(super) fn split(x: f32) -> (i32, f32) {
    let bits = x.to_bits();
    let subnormal = bits < 0x0080_0000;
    let lifted = (bits as i32 as f32).to_bits();
    let b = if subnormal { lifted } else { bits }.wrapping_sub(SQRT_HALF);
    let k = ((b as i32) >> 23) - if subnormal { 149 } else { 0 };
    (k, f32::from_bits((b & 0x007f_ffff) + SQRT_HALF))
}

/// `y` with the values of a logarithm outside the positive finite numbers.
#[inline(always)]
fn at_edges(x: f32, y: f32) -> f32 {
    let y = if x < f32::INFINITY { y } else { x };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x < 0.0 { f32::NAN } else { y }
}

/// `k ln 2 + ln(1 + f) + c`, `c` a small correction.
#[inline(always)]
fn log_sum(k: f32, f: f32, c: f32) -> f32 {
    let half_square = 0.5 * f * f;
    let tail = f * f * f * polynomial(f, &LOG);
    k * LN2[0] + (f - (half_square - (tail + (k * LN2[1] + c))))
}

/// The natural logarithm: −inf at ±0, NaN below.
#[inline(always)]
pub fn log(x: f32) -> f32 {
    let (k, m) = split(x);
    at_edges(x, log_sum(k as f32, m - 1.0, 0.0))
}

/// `ln(1 + f)` as a part of 12 bits and the rest.
#[inline(always)]
fn log_pair(f: f32) -> (f32, f32) {
    let half_square = 0.5 * f * f;
    let tail = f * f * f * polynomial(f, &LOG);
    let hi = (f - half_square).upper_half();
    (hi, ((f - hi) - half_square) + tail)
}

/// The logarithm to base 2; exact for powers of two.
#[inline(always)]
pub fn log2(x: f32) -> f32 {
    let (k, m) = split(x);
    let (hi, lo) = log_pair(m - 1.0);
    let y = ((lo + hi) * LOG2_E[1] + lo * LOG2_E[0]) + hi * LOG2_E[0] + k as f32;
    at_edges(x, y)
}

/// The logarithm to base 10.
#[inline(always)]
pub fn log10(x: f32) -> f32 {
    let (k, m) = split(x);
    let k = k as f32;
    let (hi, lo) = log_pair(m - 1.0);
    let small = k * LOG10_2[1] + (lo + hi) * LOG10_E[1] + lo * LOG10_E[0];
    at_edges(x, (small + hi * LOG10_E[0]) + k * LOG10_2[0])
}

/// `ln(1 + x) + doublings * ln 2`.
#[inline(always)]
pub(super) fn log1p_doubled(x: f32, doublings: f32) -> f32 {
    let (u, c) = two_sum(x, 1.0);
    let (k, m) = split(u);
    let direct = k == 0;
    let f = if direct { x } else { m - 1.0 };
    let c = if direct { 0.0 } else { c / u };
    at_edges(u, log_sum(k as f32 + doublings, f, c))
}

/// `log(1 + x)`, accurate near zero: −inf at −1, NaN below.
#[inline(always)]
pub fn log1p(x: f32) -> f32 {
    let y = log1p_doubled(x, 0.0);
    if x.abs() < 2.980_232_2e-8 { x } else { y }
}

/// `log(exp(a) + exp(b))` without overflow.
#[inline(always)]
pub fn logaddexp(a: f32, b: f32) -> f32 {
    let larger = if a > b { a } else { b };
    let y = larger + log1p(exp(-(a - b).abs()));
    if a == b { a + std::f32::consts::LN_2 } else { y }
}
