//! `sin`, `cos`, `tan` and their inverses.
//!
//! Up to [`SMALL_ANGLE`] a multiple of π/2 is subtracted in four parts: for `sin` and
//! `cos` of π, so that one polynomial on `|r| <= π/2` does for both, for `tan` of π/2.
//! Beyond, the angle is multiplied by the bits of 2/π in integers (Payne and Hanek),
//! which holds for every f32 and gives `|r| <= π/4` and a quadrant. Both are computed
//! and one is selected, so that loops vectorise; a loop that knows its angles to be
//! small uses `sin_small` and its kin, which give the same bits for less.

use super::bits::{copysign, polynomial, power_of_two};
use super::coefficients::{
    ASIN, ATAN, COS, HALF_PI, HALF_PI_12, ONE_OVER_PI, PI, PI_2, SIN, SIN_HALF, TWO_OVER_PI, TWO_OVER_PI_BITS,
};
use super::exponential::nearest;

/// The largest angle whose multiple of π/2 is subtracted in parts.
const SMALL_ANGLE: f32 = 6000.0;

/// Angles below it are their own sines and tangents.
const OWN_SINE: f32 = 0.000_244_140_63;

/// True where `sin_small`, `cos_small` and `tan_small` give the bits of the full
/// functions: up to 6000 radians, and where there is no result (±inf, NaN).
#[inline(always)]
pub fn angle_is_small(x: f32) -> bool {
    let a = x.abs();
    !((a > SMALL_ANGLE) & (a < f32::INFINITY))
}

/// `x` less `kf` quarters of a turn, for `|x| <= SMALL_ANGLE` and the integer `kf` near
/// `x / (π/2)`.
#[inline(always)]
fn less_quarters(x: f32, kf: f32) -> f32 {
    let r = (x - kf * PI_2[0]) - kf * PI_2[1];
    let third = kf * PI_2[2];
    let s = r - third;
    let error = (r - s) - third;
    s - (kf * PI_2[3] - error)
}

/// `x = k π/2 + r`: `r` and `k` modulo 4, for `|x| <= SMALL_ANGLE`.
#[inline(always)]
fn reduce_small(x: f32) -> (f32, i32) {
    let (kf, k) = nearest(x * TWO_OVER_PI[0]);
    (less_quarters(x, kf), k)
}

/// As [`reduce_small`] for any finite `x` with `|x| >= 2^17 / 2^10`.
#[inline(always)]
fn reduce_large(x: f32) -> (f32, i32) {
    let bits = x.to_bits();
    let m = u64::from((bits & 0x007f_ffff) | 0x0080_0000);
    // The window starts at the first bit of 2/π that is not a multiple of 4 turns.
    let start = ((bits >> 23) & 0xff).wrapping_sub(120);
    let word = |i: u32| {
        let at = (start >> 5).wrapping_add(i);
        let pair = (u64::from(TWO_OVER_PI_BITS[(at & 7) as usize]) << 32)
            | u64::from(TWO_OVER_PI_BITS[(at.wrapping_add(1) & 7) as usize]);
        ((pair << (start & 31)) >> 32) & 0xffff_ffff
    };
    let product = ((m * word(0)) << 32)
        .wrapping_add(m * word(1))
        .wrapping_add((m * word(2)) >> 32);
    let k = (product.wrapping_add(1 << 61) >> 62) as i32;
    // A signed fraction of a quadrant in units of 2⁻⁶⁴, then sign and magnitude.
    let fraction = (product << 2) as i64;
    let magnitude = fraction.unsigned_abs();
    let top = (magnitude >> 52) as i32 as f32 * power_of_two(-12);
    let middle = ((magnitude >> 28) & 0x00ff_ffff) as i32 as f32 * power_of_two(-36);
    let low = ((magnitude >> 4) & 0x00ff_ffff) as i32 as f32 * power_of_two(-60);
    let rest = middle + low;
    let r = top * HALF_PI_12[0] + ((top * HALF_PI_12[1] + rest * HALF_PI[1]) + rest * HALF_PI[0]);
    let flip = (x < 0.0) != (fraction < 0);
    let k = if x < 0.0 { k.wrapping_neg() } else { k };
    (if flip { -r } else { r }, k)
}

/// The reduction that holds for every finite angle.
#[inline(always)]
fn reduce(x: f32) -> (f32, i32) {
    let (rs, ks) = reduce_small(x);
    let (rl, kl) = reduce_large(x);
    let small = x.abs() <= SMALL_ANGLE;
    (if small { rs } else { rl }, if small { ks } else { kl })
}

/// The sine and cosine of `|r| <= π/4`.
#[inline(always)]
fn sin_cos_reduced(r: f32) -> (f32, f32) {
    let z = r * r;
    let s = r + r * z * polynomial(z, &SIN);
    let half = 0.5 * z;
    let w = 1.0 - half;
    let c = w + (((1.0 - w) - half) + z * z * polynomial(z, &COS));
    (s, c)
}

/// The sine of a quadrant: sine, cosine, −sine, −cosine.
#[inline(always)]
fn in_quadrant(r: f32, k: i32) -> f32 {
    let (s, c) = sin_cos_reduced(r);
    let y = if k & 1 == 0 { s } else { c };
    f32::from_bits(y.to_bits() ^ (((k & 2) as u32) << 30))
}

/// `y`, or `x` where it is its own sine and tangent, or NaN at ±inf.
#[inline(always)]
fn odd_edges(x: f32, y: f32) -> f32 {
    let a = x.abs();
    let y = if a < OWN_SINE { x } else { y };
    if a < f32::INFINITY { y } else { f32::NAN }
}

/// `sin r` with the sign of `(-1)ᵏ`, for `|r| <= π/2`; never beyond ±1.
#[inline(always)]
fn signed_sin(r: f32, k: i32) -> f32 {
    let z = r * r;
    let y = r + r * z * polynomial(z, &SIN_HALF);
    f32::from_bits(y.to_bits() ^ ((k as u32) << 31))
}

#[inline(always)]
fn tan_of(x: f32, (r, k): (f32, i32)) -> f32 {
    let (s, c) = sin_cos_reduced(r);
    let y = if k & 1 == 0 { s / c } else { -c / s };
    odd_edges(x, y)
}

/// The sine of `x` radians, for every f32; NaN at ±inf.
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    let (r, k) = reduce_large(x);
    let small = x.abs() <= SMALL_ANGLE;
    let y = if small { sin_small(x) } else { in_quadrant(r, k) };
    odd_edges(x, y)
}

/// The cosine of `x` radians, for every f32; NaN at ±inf.
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    let (r, k) = reduce_large(x);
    let small = x.abs() <= SMALL_ANGLE;
    let y = if small {
        cos_small(x)
    } else {
        in_quadrant(r, k.wrapping_add(1))
    };
    if x.abs() < f32::INFINITY { y } else { f32::NAN }
}

/// The tangent of `x` radians, for every f32; NaN at ±inf.
#[inline(always)]
pub fn tan(x: f32) -> f32 {
    tan_of(x, reduce(x))
}

/// [`sin`] where [`angle_is_small`]; other results are meaningless.
#[inline(always)]
pub fn sin_small(x: f32) -> f32 {
    let (turns, k) = nearest(x * ONE_OVER_PI[0]);
    let y = signed_sin(less_quarters(x, 2.0 * turns), k);
    // A zero keeps its sign; infinities gave NaN above.
    if x.abs() < OWN_SINE { x } else { y }
}

/// [`cos`] where [`angle_is_small`]; other results are meaningless.
#[inline(always)]
pub fn cos_small(x: f32) -> f32 {
    let (turns, k) = nearest(x * ONE_OVER_PI[0] - 0.5);
    signed_sin(less_quarters(x, 2.0 * turns + 1.0), k.wrapping_add(1))
}

/// [`tan`] where [`angle_is_small`]; other results are meaningless.
#[inline(always)]
pub fn tan_small(x: f32) -> f32 {
    tan_of(x, reduce_small(x))
}

/// For `|x| > 1/2` the root of `(1 - |x|) / 2`, else `|x|`, and the arcsine of that.
#[inline(always)]
fn asin_folded(x: f32) -> (bool, f32) {
    let a = x.abs();
    let folded = a > 0.5;
    let half = 0.5 * (1.0 - a);
    let z = if folded { half } else { a * a };
    let t = if folded { half.sqrt() } else { a };
    (folded, t + t * z * polynomial(z, &ASIN))
}

/// The arcsine in radians; NaN outside −1..1.
#[inline(always)]
pub fn asin(x: f32) -> f32 {
    let (folded, p) = asin_folded(x);
    let y = if folded {
        HALF_PI[0] - (2.0 * p - HALF_PI[1])
    } else {
        p
    };
    copysign(y, x)
}

/// The arccosine in radians; NaN outside −1..1.
#[inline(always)]
pub fn acos(x: f32) -> f32 {
    let (folded, p) = asin_folded(x);
    let near = copysign(p, x);
    let middle = HALF_PI[0] - (near - HALF_PI[1]);
    let left = PI[0] - (2.0 * p - PI[1]);
    let far = if x < 0.0 { left } else { 2.0 * p };
    if folded { far } else { middle }
}

/// The arctangent of `0 <= t <= 1`.
#[inline(always)]
fn atan_unit(t: f32) -> f32 {
    let z = t * t;
    t + t * z * polynomial(z, &ATAN)
}

/// The arctangent in radians; ±π/2 at ±inf.
#[inline(always)]
pub fn atan(x: f32) -> f32 {
    let a = x.abs();
    let inverted = a > 1.0;
    let p = atan_unit(if inverted { 1.0 / a } else { a });
    let y = if inverted {
        HALF_PI[0] - (p - HALF_PI[1])
    } else {
        p
    };
    copysign(y, x)
}

/// The angle of the point `(x, y)` in −π..π; zeros and infinities as C's Annex F.
#[inline(always)]
pub fn atan2(y: f32, x: f32) -> f32 {
    let (ax, ay) = (x.abs(), y.abs());
    let steep = ay > ax;
    let large = if steep { ay } else { ax };
    let small = if steep { ax } else { ay };
    // 0/0 and inf/inf have angles too.
    let equal = if large == 0.0 { 0.0 } else { 1.0 };
    let t = if small == large { equal } else { small / large };
    let p = atan_unit(t);
    let p = if steep { HALF_PI[0] - (p - HALF_PI[1]) } else { p };
    let p = if x.to_bits() >> 31 == 1 {
        PI[0] - (p - PI[1])
    } else {
        p
    };
    copysign(p, y)
}
