//! `log`, `log2`, `log10`, `log1p` and `logaddexp` in f64.
//!
//! All write `x = 2ᵏ (1 + f)` with `1 + f` in `√½..√2` and `s = f / (2 + f)`, of which
//! `ln(1 + f) = f - f²/2 + s (f²/2 + R(s²))` is a short odd series (the method of fdlibm).

use super::super::exact::two_sum;
use super::bits::{polynomial, split, split_normal};
use super::coefficients::{LN2, LOG, LOG2_E, LOG10_2, LOG10_E};
use super::exponential::exp;

/// `y` with the values of a logarithm outside the positive finite numbers.
#[inline(always)]
fn at_edges(x: f64, y: f64) -> f64 {
    let y = if x < f64::INFINITY { y } else { x };
    let y = if x == 0.0 { f64::NEG_INFINITY } else { y };
    if x < 0.0 { f64::NAN } else { y }
}

/// `f²/2` and `ln(1 + f) - f + f²/2`.
#[inline(always)]
fn log_tail(f: f64) -> (f64, f64) {
    let s = f / (2.0 + f);
    let z = s * s;
    let half_square = 0.5 * f * f;
    (half_square, s * (half_square + z * polynomial(z, &LOG)))
}

/// `k LN2[0] + ln(1 + f) + small`.
#[inline(always)]
fn log_sum(k: f64, f: f64, small: f64) -> f64 {
    let (half_square, tail) = log_tail(f);
    k * LN2[0] + (f - (half_square - (tail + small)))
}

/// True where the `…_normal` logarithms give the bits of the full ones.
#[inline(always)]
pub fn is_positive_normal(x: f64) -> bool {
    (f64::MIN_POSITIVE..=f64::MAX).contains(&x)
}

/// [`log`] where [`is_positive_normal`]; other results are meaningless.
#[inline(always)]
pub fn log_normal(x: f64) -> f64 {
    let (_, k, m) = split_normal(x);
    log_sum(k, m - 1.0, k * LN2[1])
}

/// The natural logarithm: −inf at ±0, NaN below.
#[inline(always)]
pub fn log(x: f64) -> f64 {
    let (_, k, m) = split(x);
    at_edges(x, log_sum(k, m - 1.0, k * LN2[1]))
}

/// `ln(1 + f)` as a part of 21 bits and the rest.
#[inline(always)]
fn log_pair(f: f64) -> (f64, f64) {
    let (half_square, tail) = log_tail(f);
    let hi = f64::from_bits((f - half_square).to_bits() & 0xffff_ffff_0000_0000);
    (hi, ((f - hi) - half_square) + tail)
}

/// `k step + ln(1 + f) rate`, the constants in two parts.
#[inline(always)]
fn log_to_base(k: f64, f: f64, step: [f64; 2], rate: [f64; 2]) -> f64 {
    let (hi, lo) = log_pair(f);
    let (whole, part) = (k * step[0], hi * rate[0]);
    let sum = whole + part;
    let small = k * step[1] + (lo + hi) * rate[1] + lo * rate[0];
    sum + (small + ((whole - sum) + part))
}

/// The logarithm to base 2; exact for powers of two.
#[inline(always)]
pub fn log2(x: f64) -> f64 {
    let (_, k, m) = split(x);
    at_edges(x, log_to_base(k, m - 1.0, [1.0, 0.0], LOG2_E))
}

/// [`log2`] where [`is_positive_normal`]; other results are meaningless.
#[inline(always)]
pub fn log2_normal(x: f64) -> f64 {
    let (_, k, m) = split_normal(x);
    log_to_base(k, m - 1.0, [1.0, 0.0], LOG2_E)
}

/// The logarithm to base 10.
#[inline(always)]
pub fn log10(x: f64) -> f64 {
    let (_, k, m) = split(x);
    at_edges(x, log_to_base(k, m - 1.0, LOG10_2, LOG10_E))
}

/// [`log10`] where [`is_positive_normal`]; other results are meaningless.
#[inline(always)]
pub fn log10_normal(x: f64) -> f64 {
    let (_, k, m) = split_normal(x);
    log_to_base(k, m - 1.0, LOG10_2, LOG10_E)
}

/// `ln(1 + x) + doublings * ln 2`.
#[inline(always)]
pub(super) fn log1p_doubled(x: f64, doublings: f64) -> f64 {
    let (u, c) = two_sum(x, 1.0);
    let (biased, k, m) = split(u);
    // What rounding took from 1 + x, in units of 2ᵏ and divided by m.
    let f = m - 1.0;
    let lost = c * f64::from_bits(2046_u64.wrapping_sub(biased) << 52);
    let lost = if u < 1.0e18 {
        lost * (1.0 - f * (1.0 - f * (1.0 - f)))
    } else {
        0.0
    };
    let k = k + doublings;
    at_edges(u, log_sum(k, f, k * LN2[1] + lost))
}

/// `log(1 + x)`, accurate near zero: −inf at −1, NaN below.
#[inline(always)]
pub fn log1p(x: f64) -> f64 {
    let y = log1p_doubled(x, 0.0);
    if x.abs() < 5.551_115_123_125_783e-17 { x } else { y }
}

/// `log(exp(a) + exp(b))` without overflow.
#[inline(always)]
pub fn logaddexp(a: f64, b: f64) -> f64 {
    let larger = if a > b { a } else { b };
    let y = larger + log1p(exp(-(a - b).abs()));
    if a == b { a + std::f64::consts::LN_2 } else { y }
}
