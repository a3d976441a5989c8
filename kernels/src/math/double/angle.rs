//! The reduction of f64 angles to `|r| <= π/4` and a quadrant.
//!
//! Up to [`SMALL_ANGLE`] the multiple of π/2 is subtracted in four parts, which loops do for many
//! angles at once. Beyond, the angle is multiplied by the bits of 2/π in integers (Payne and
//! Hanek), one by one. Both give `r` as a pair that is right to more than 70 bits.

use super::super::exact::{fast_two_sum, two_prod};
use super::bits::{nearest, power_of_two};
use super::coefficients::{HALF_PI, PI_2, TWO_OVER_PI, TWO_OVER_PI_BITS};

/// The largest angle whose multiple of π/2 is subtracted in parts: the multiple has 20 bits and
/// the parts 33, so that the products are exact.
const SMALL_ANGLE: f64 = 1.0e6;

/// True where `sin_small`, `cos_small` and `tan_small` give the bits of the full functions: up to
/// a million radians, and where there is no result (±inf, NaN).
#[inline(always)]
pub fn angle_is_small(x: f64) -> bool {
    let a = x.abs();
    !((a > SMALL_ANGLE) & (a < f64::INFINITY))
}

/// An angle: `k` quadrants and `r + lo`.
#[derive(Clone, Copy)]
pub(super) struct Angle {
    pub r: f64,
    pub lo: f64,
    pub k: i64,
}

/// The angle `x`, for `|x| <= SMALL_ANGLE`.
#[inline(always)]
pub(super) fn reduce_small(x: f64) -> Angle {
    let (kf, k) = nearest(x * TWO_OVER_PI);
    let first = x - kf * PI_2[0];
    // Sums whose rounding errors are exact: the second term is the smaller one, or nothing is
    // rounded because the first has cancelled.
    let second = kf * PI_2[1];
    let s = first - second;
    let s_lo = (first - s) - second;
    let third = kf * PI_2[2];
    let t = s - third;
    let t_lo = (s - t) - third;
    let (r, lo) = fast_two_sum(t, (s_lo + t_lo) - kf * PI_2[3]);
    Angle { r, lo, k }
}

/// The angle `x` for any finite `|x| > SMALL_ANGLE`.
#[cold]
#[inline(never)]
pub(super) fn reduce_large(x: f64) -> Angle {
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as usize;
    let m = u128::from((bits & 0x000f_ffff_ffff_ffff) | 0x0010_0000_0000_0000);
    // |x| is m 2^(exponent - 1075). Of the bits of 2/π those that make multiples of 4 are left out;
    // the 192 after them are enough, because no f64 comes nearer than 2⁻⁶² to a multiple of π/2.
    let start = exponent - 1013;
    let (at, shift) = (start / 64, start % 64);
    let word = |i: usize| {
        let pair = (u128::from(TWO_OVER_PI_BITS[at + i]) << 64) | u128::from(TWO_OVER_PI_BITS[at + i + 1]);
        ((pair << shift) >> 64) as u64
    };
    let low = m * u128::from(word(2));
    let middle = m * u128::from(word(1)) + (low >> 64);
    let high = m * u128::from(word(0)) + (middle >> 64);
    let (high, middle, low) = (high as u64, middle as u64, low as u64);
    // The product in quadrants: two bits before the point, 190 behind.
    let k = ((high >> 61) + 1) >> 1;
    let top = (u128::from(high) << 66) | (u128::from(middle) << 2) | u128::from(low >> 62);
    let below = low << 2;
    let negative = top >> 127 == 1;
    let (top, below) = if negative {
        let (b, carry) = (!below).overflowing_add(1);
        (!top + u128::from(carry), b)
    } else {
        (top, below)
    };
    // A magnitude of up to half a quadrant, in units of 2⁻¹⁹².
    let zeros = top.leading_zeros().min(63);
    let aligned = (top << zeros) | ((u128::from(below) << zeros) >> 64);
    let unit = power_of_two(-53 - i64::from(zeros));
    let hi = (aligned >> 75) as f64 * unit;
    let lo = (aligned >> 11) as u64 as f64 * (unit * power_of_two(-64));
    let (p, p_lo) = two_prod(hi, HALF_PI[0]);
    let (r, lo) = fast_two_sum(p, p_lo + (hi * HALF_PI[1] + lo * HALF_PI[0]));
    let flip = negative != (x < 0.0);
    Angle {
        r: if flip { -r } else { r },
        lo: if flip { -lo } else { lo },
        k: if x < 0.0 {
            (k as i64).wrapping_neg()
        } else {
            k as i64
        },
    }
}

/// The angle of any finite `x`.
#[inline(always)]
pub(super) fn reduce(x: f64) -> Angle {
    if angle_is_small(x) {
        reduce_small(x)
    } else {
        reduce_large(x)
    }
}
