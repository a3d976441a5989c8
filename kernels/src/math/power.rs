//! `pow`, `cbrt` and `hypot`.
//!
//! `pow` carries `log₂ x` and its product with `y` as pairs, because an error in
//! the logarithm is multiplied by up to 150 in the result.

use super::bits::polynomial;
use super::bits::{copysign, limit, power_of_two};
use super::coefficients::{LOG2_S, LOG2_S3, LOG2_TAIL};
use super::exact::{fast_two_sum, two_prod, two_sum};
use super::exponential::{exp2_reduced, nearest};
use super::logarithm::split;
use super::rounding::rint;

/// `log₂ x` of a positive finite `x` as a pair, to about 2⁻³⁴ of its value.
#[inline(always)]
fn log2_pair(x: f32) -> (f32, f32) {
    let (k, m) = split(x);
    // s = (m - 1) / (m + 1), then log2 m = s (LOG2_S + s² (LOG2_S3 + s² tail)).
    let n = m - 1.0;
    let (d, d_lo) = two_sum(m, 1.0);
    let s = n / d;
    let (p, p_lo) = two_prod(s, d);
    let s_lo = (((n - p) - p_lo) - s * d_lo) / d;
    let (z, z_lo) = two_prod(s, s);
    let z_lo = z_lo + 2.0 * s * s_lo;
    let tail = z * polynomial(z, &LOG2_TAIL) + LOG2_S3[1];
    let (w, w_lo) = fast_two_sum(LOG2_S3[0], tail);
    let (v, v_lo) = two_prod(z, w);
    let v_lo = v_lo + (z * w_lo + z_lo * w);
    let (u, u_lo) = fast_two_sum(LOG2_S[0], v);
    let u_lo = u_lo + (v_lo + LOG2_S[1]);
    let (q, q_lo) = two_prod(s, u);
    let q_lo = q_lo + (s * u_lo + s_lo * u);
    let (hi, lo) = fast_two_sum(k as f32, q);
    let lo = lo + q_lo;
    let (hi, lo) = if k == 0 { (q, q_lo) } else { (hi, lo) };
    fast_two_sum(hi, lo)
}

/// `x` to the power `y`, with every special case of C's Annex F.
#[inline(always)]
pub fn pow(x: f32, y: f32) -> f32 {
    let (a, b) = (x.abs(), y.abs());
    let (hi, lo) = log2_pair(a);
    let exponent = limit(y, -1.099_511_6e12, 1.099_511_6e12);
    let (p, p_lo) = two_prod(hi, exponent);
    let p_lo = p_lo + lo * exponent;
    let inside = p.abs() < 200.0;
    let whole = limit(p, -200.0, 200.0);
    let (kf, k) = nearest(whole);
    let r = (whole - kf) + if inside { p_lo } else { 0.0 };
    let magnitude = exp2_reduced(r, k);

    let grows = (a > 1.0) == (y > 0.0);
    let edge = if grows { f32::INFINITY } else { 0.0 };
    let at_edge = (a == 0.0) | (a == f32::INFINITY) | (b == f32::INFINITY);
    let magnitude = if at_edge { edge } else { magnitude };

    let whole_exponent = rint(y) == y;
    let half = 0.5 * y;
    let odd = whole_exponent & (rint(half) != half) & (b < f32::INFINITY);
    let signed = if (x.to_bits() >> 31 == 1) & odd {
        -magnitude
    } else {
        magnitude
    };
    let no_root = (x < 0.0) & !whole_exponent & (a < f32::INFINITY);
    let y_or_nan = if no_root { f32::NAN } else { signed };
    let result = if x.is_nan() | y.is_nan() { x + y } else { y_or_nan };
    let one = (x == 1.0) | (y == 0.0) | ((x == -1.0) & (b == f32::INFINITY));
    if one { 1.0 } else { result }
}

/// One step of Halley's iteration for `t³ = a`.
#[inline(always)]
fn cbrt_step(t: f32, a: f32) -> f32 {
    let cube = t * t * t;
    t + t * ((a - cube) / (2.0 * cube + a))
}

/// The real cube root.
#[inline(always)]
pub fn cbrt(x: f32) -> f32 {
    let a = x.abs();
    let bits = a.to_bits();
    let subnormal = bits < 0x0080_0000;
    let lifted = (bits as i32 as f32).to_bits();
    let b = if subnormal { lifted } else { bits };
    // 2^(3q) m with m in 1..8; 192 keeps the division away from negative numbers.
    let e = (b >> 23)
        .wrapping_sub(if subnormal { 276 } else { 127 })
        .wrapping_add(192);
    let q = e.wrapping_mul(43_691) >> 17;
    let m = f32::from_bits((b & 0x007f_ffff) | (e.wrapping_sub(3 * q).wrapping_add(127) << 23));
    let guess = f32::from_bits(m.to_bits() / 3 + 0x2a51_2000);
    let t = cbrt_step(guess, m);
    // Twelve bits make t² exact in the last step.
    let t = f32::from_bits((t.to_bits().wrapping_add(0x800)) & 0xffff_f000);
    let t = cbrt_step(t, m);
    let y = f32::from_bits(t.to_bits().wrapping_add(q.wrapping_sub(64) << 23));
    let whole = (a > 0.0) & (a < f32::INFINITY);
    copysign(if whole { y } else { a }, x)
}

/// `√(x² + y²)` without overflow; infinite where either is, even beside NaN.
#[inline(always)]
pub fn hypot(x: f32, y: f32) -> f32 {
    let (ax, ay) = (x.abs(), y.abs());
    let large = if ax > ay { ax } else { ay };
    let (huge, tiny) = (large > 1.0e18, large < 1.0e-12);
    let down = if huge { power_of_two(-70) } else { 1.0 };
    let down = if tiny { power_of_two(100) } else { down };
    let up = if huge { power_of_two(70) } else { 1.0 };
    let up = if tiny { power_of_two(-100) } else { up };
    let (sx, sy) = (ax * down, ay * down);
    let r = (sx * sx + sy * sy).sqrt() * up;
    let infinite = (ax == f32::INFINITY) | (ay == f32::INFINITY);
    if infinite { f32::INFINITY } else { r }
}
