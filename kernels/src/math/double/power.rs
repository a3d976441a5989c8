//! `pow`, `cbrt` and `hypot` in f64.
//!
//! `pow` carries `log₂ x` and its product with `y` as pairs, because an error in the logarithm is
//! multiplied by up to 1075 in the result.

use super::super::exact::{fast_two_sum, two_prod, two_sum};
use super::bits::{copysign, limit, nearest, polynomial, split};
use super::coefficients::{CBRT_PARTS, INVERSE_CBRT, LOG2_S, LOG2_S3, LOG2_TAIL};
use super::exponential::exp2_reduced;
use super::rounding::rint;

/// `log₂ x` of a positive finite `x` as a pair, to about 2⁻⁶⁵ of its value.
#[inline(always)]
fn log2_pair(x: f64) -> (f64, f64) {
    let (_, k, m) = split(x);
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
    let (hi, lo) = fast_two_sum(k, q);
    fast_two_sum(hi, lo + q_lo)
}

/// `x` to the power `y`, with every special case of C's Annex F.
#[inline(always)]
pub fn pow(x: f64, y: f64) -> f64 {
    let (a, b) = (x.abs(), y.abs());
    let (hi, lo) = log2_pair(a);
    // Larger exponents overflow or underflow for every base but 1.
    let exponent = limit(y, -7.4e19, 7.4e19);
    let (p, p_lo) = two_prod(hi, exponent);
    let p_lo = p_lo + lo * exponent;
    let inside = p.abs() < 1100.0;
    let whole = limit(p, -1100.0, 1100.0);
    let (kf, k) = nearest(whole);
    let (r, error) = fast_two_sum(whole - kf, if inside { p_lo } else { 0.0 });
    let magnitude = exp2_reduced(r, error, k);

    let grows = (a > 1.0) == (y > 0.0);
    let edge = if grows { f64::INFINITY } else { 0.0 };
    let at_edge = (a == 0.0) | (a == f64::INFINITY) | (b == f64::INFINITY);
    let magnitude = if at_edge { edge } else { magnitude };

    let whole_exponent = rint(y) == y;
    let half = 0.5 * y;
    let odd = whole_exponent & (rint(half) != half) & (b < f64::INFINITY);
    let signed = if (x.to_bits() >> 63 == 1) & odd {
        -magnitude
    } else {
        magnitude
    };
    let no_root = (x < 0.0) & !whole_exponent & (a < f64::INFINITY);
    let y_or_nan = if no_root { f64::NAN } else { signed };
    let result = if x.is_nan() | y.is_nan() { x + y } else { y_or_nan };
    let one = (x == 1.0) | (y == 0.0) | ((x == -1.0) & (b == f64::INFINITY));
    if one { 1.0 } else { result }
}

/// The real cube root.
#[inline(always)]
pub fn cbrt(x: f64) -> f64 {
    let a = x.abs();
    let subnormal = a < f64::MIN_POSITIVE;
    let lifted = if subnormal {
        a * 18_014_398_509_481_984.0
    } else {
        a
    };
    let bits = lifted.to_bits();
    // a = 2^(3 (q - 360)) m with m in 1..8; 2⁵⁴ is a whole cube too.
    let e = (bits >> 52).wrapping_add(57);
    let q = e.wrapping_mul(43_691) >> 17;
    let part = e.wrapping_sub(q.wrapping_mul(3));
    let m1 = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    let m = f64::from_bits(m1.to_bits().wrapping_add(part << 52));
    // The inverse root of m1 to 14 bits, by a step of fourth order to 52.
    let y = polynomial(m1, &INVERSE_CBRT);
    let e = 1.0 - m1 * y * (y * y);
    let y = y + y * e * (1.0 / 3.0 + e * (2.0 / 9.0 + e * (14.0 / 81.0)));
    let y = y * if part == 0 {
        1.0
    } else if part == 1 {
        CBRT_PARTS[0]
    } else {
        CBRT_PARTS[1]
    };
    // The root to 17 bits, whose cube is exact, and its correction.
    let square = y * y;
    let t = f64::from_bits((m * square).to_bits().wrapping_add(1 << 35) & 0xffff_fff0_0000_0000);
    let e = (m - t * t * t) * (square * y);
    let t = t + t * e * (1.0 / 3.0 + e * (2.0 / 9.0 + e * (14.0 / 81.0)));
    let power = q
        .wrapping_add(1023 - 360)
        .wrapping_sub(if subnormal { 18 } else { 0 });
    let y = t * f64::from_bits(power << 52);
    let whole = (a > 0.0) & (a < f64::INFINITY);
    copysign(if whole { y } else { a }, x)
}

/// `√(x² + y²)` without overflow; infinite where either is, even beside NaN.
#[inline(always)]
pub fn hypot(x: f64, y: f64) -> f64 {
    let (ax, ay) = (x.abs(), y.abs());
    let large = if ax > ay { ax } else { ay };
    let (huge, tiny) = (large > 3.2e150, large < 3.4e-136);
    let down = if huge {
        f64::from_bits(0x1a70_0000_0000_0000)
    } else {
        1.0
    };
    let down = if tiny {
        f64::from_bits(0x6570_0000_0000_0000)
    } else {
        down
    };
    let up = if huge {
        f64::from_bits(0x6570_0000_0000_0000)
    } else {
        1.0
    };
    let up = if tiny {
        f64::from_bits(0x1a70_0000_0000_0000)
    } else {
        up
    };
    let (sx, sy) = (ax * down, ay * down);
    let r = (sx * sx + sy * sy).sqrt() * up;
    let infinite = (ax == f64::INFINITY) | (ay == f64::INFINITY);
    if infinite { f64::INFINITY } else { r }
}
