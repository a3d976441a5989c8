//! `pow`, `cbrt` and `hypot` in f64.
//!
//! `pow` carries `log₂ x` and its product with `y` as pairs, because an error in the logarithm is
//! multiplied by up to 1075 in the result. The first part of each pair has 26 bits, so that the
//! products of first parts are exact (the method of fdlibm).

use super::super::exact::fast_two_sum;
use super::bits::{copysign, limit, nearest, polynomial, split, split_normal, upper_26};
use super::coefficients::{CBRT_PARTS, INVERSE_CBRT, LOG_TAIL, TWO_THIRDS_LOG2_E};
use super::exponential::exp2_reduced;
use super::rounding::rint;

/// `k + log₂ m` for `m` in `√½..√2` as a pair whose first part has 26 bits, to about 2⁻⁶⁶.
#[inline(always)]
fn log2_pair(k: f64, m: f64) -> (f64, f64) {
    // s = (m - 1) / (m + 1), and ln m = 2/3 s (3 + s² + s⁴ tail).
    let n = m - 1.0;
    let d = m + 1.0;
    let inverse = 1.0 / d;
    let s = n * inverse;
    let sh = upper_26(s);
    let dh = upper_26(d);
    let sl = ((n - sh * dh) - sh * (m - (dh - 1.0))) * inverse;
    let z = s * s;
    let r = z * z * polynomial(z, &LOG_TAIL) + sl * (sh + s);
    let zh = sh * sh;
    let th = upper_26(3.0 + (zh + r));
    let tl = r - ((th - 3.0) - zh);
    let u = sh * th;
    let v = sl * th + tl * s;
    let ph = upper_26(u + v);
    let pl = v - (ph - u);
    let log = ph * TWO_THIRDS_LOG2_E[0];
    let more = ph * TWO_THIRDS_LOG2_E[1] + pl * (TWO_THIRDS_LOG2_E[0] + TWO_THIRDS_LOG2_E[1]);
    let hi = upper_26((log + more) + k);
    (hi, more - ((hi - k) - log))
}

/// `2^(y (hi + lo))` for any `y` but NaN.
#[inline(always)]
fn power_of_log((hi, lo): (f64, f64), y: f64) -> f64 {
    // Larger exponents overflow or underflow for every base but 1.
    let y = limit(y, -LARGEST, LARGEST);
    let yh = upper_26(y);
    let p = yh * hi;
    let p_lo = (y - yh) * hi + y * lo;
    let inside = (p + p_lo).abs() < 1100.0;
    let whole = limit(p, -1100.0, 1100.0);
    let (kf, k) = nearest(whole);
    let (r, error) = fast_two_sum(whole - kf, if inside { p_lo } else { 0.0 });
    exp2_reduced(r, error, k)
}

/// From this exponent on each base but 1 gives zero or infinity.
const LARGEST: f64 = 7.4e19;

/// True where `pow_small` gives the bits of [`pow`]: positive normal bases and exponents below
/// 10¹⁹.
#[inline(always)]
pub fn power_is_small(x: f64, y: f64) -> bool {
    (f64::MIN_POSITIVE..=f64::MAX).contains(&x) & (y.abs() <= LARGEST)
}

/// [`pow`] where [`power_is_small`]; other results are meaningless.
#[inline(always)]
pub fn pow_small(x: f64, y: f64) -> f64 {
    let (_, k, m) = split_normal(x);
    power_of_log(log2_pair(k, m), y)
}

/// `x` to the power `y`, with every special case of C's Annex F.
#[inline(always)]
pub fn pow(x: f64, y: f64) -> f64 {
    let (a, b) = (x.abs(), y.abs());
    let (_, k, m) = split(a);
    let magnitude = power_of_log(log2_pair(k, m), y);

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
