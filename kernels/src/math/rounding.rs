//! Rounding to integers and the remainders built on it.
//!
//! `f32::floor` and its kin become calls into libm where SSE4.1 is missing;
//! adding and removing 2²³ rounds to an integer with any instruction set.

use super::bits::{copysign, scale};
use super::exact::two_prod;

/// Magnitudes from here on are integers.
const INTEGERS: f32 = 8_388_608.0;

/// The nearest integer, halves to even. The sign survives: `rint(-0.2)` is −0.
#[inline(always)]
pub fn rint(x: f32) -> f32 {
    let a = x.abs();
    let r = (a + INTEGERS) - INTEGERS;
    copysign(if a < INTEGERS { r } else { a }, x)
}

/// The largest integer not above `x`.
#[inline(always)]
pub fn floor(x: f32) -> f32 {
    let r = rint(x);
    copysign(if r > x { r - 1.0 } else { r }, x)
}

/// The smallest integer not below `x`.
#[inline(always)]
pub fn ceil(x: f32) -> f32 {
    let r = rint(x);
    copysign(if r < x { r + 1.0 } else { r }, x)
}

/// The integer part of `x`.
#[inline(always)]
pub fn trunc(x: f32) -> f32 {
    copysign(floor(x.abs()), x)
}

/// True where the `…_small` remainders give the bits of the full ones: the
/// quotient is below 2²² and its product with the divisor exact, or there is no
/// remainder to take (zero divisor, infinities, NaN).
#[inline(always)]
pub fn quotient_is_small(x: f32, y: f32) -> bool {
    let (a, b) = (x.abs(), y.abs());
    let ordinary = (a < b * 4_194_304.0) & (b > 1.0e-20) & (a < 1.0e30) & (b < 1.0e30);
    ordinary | !((a < f32::INFINITY) & (b < f32::INFINITY) & (b > 0.0))
}

/// The exact remainder of any finite magnitudes, `b` not zero, eight bits of the
/// quotient at a time.
#[cold]
fn fmod_large(a: f32, b: f32) -> f32 {
    if a < b {
        return a;
    }
    let (ma, ea) = integer_and_exponent(a);
    let (mb, eb) = integer_and_exponent(b);
    let mut r = ma % mb;
    let mut left = ea - eb;
    while left > 0 {
        let step = left.min(8);
        r = (r << step) % mb;
        left -= step;
    }
    scale(r as f32, eb - 150)
}

/// `a` as an integer below 2²⁴ and a biased exponent: `m * 2^(e - 150)`.
#[inline(always)]
fn integer_and_exponent(a: f32) -> (u32, i32) {
    let bits = a.to_bits();
    let e = (bits >> 23) as i32;
    let m = bits & 0x007f_ffff;
    if e == 0 { (m, 1) } else { (m | 0x0080_0000, e) }
}

/// [`fmod`] where [`quotient_is_small`]; other results are meaningless. Without a
/// branch, so that a strip whose quotients are all small is a vector loop.
#[inline(always)]
pub fn fmod_small(x: f32, y: f32) -> f32 {
    let (a, b) = (x.abs(), y.abs());
    let (p, e) = two_prod(trunc(a / b), b);
    let r = (a - p) - e;
    let r = if r < 0.0 { r + b } else { r };
    let r = if r >= b { r - b } else { r };
    let r = if b == f32::INFINITY { a } else { r };
    let defined = (a < f32::INFINITY) & (b > 0.0);
    copysign(if defined { r } else { f32::NAN }, x)
}

/// The remainder of the truncated division, exact, with the sign of `x`
/// (`numpy.fmod`, C's `fmod`).
///
/// NaN where `y` is zero or `x` infinite. A quotient of 2²² or more takes a loop.
#[inline(always)]
pub fn fmod(x: f32, y: f32) -> f32 {
    if quotient_is_small(x, y) {
        fmod_small(x, y)
    } else {
        copysign(fmod_large(x.abs(), y.abs()), x)
    }
}

/// A remainder with the sign of `x` brought to the sign of `y`.
#[inline(always)]
fn with_sign_of_divisor(r: f32, y: f32) -> f32 {
    let crossed = if (y < 0.0) != (r < 0.0) { r + y } else { r };
    if r == 0.0 { copysign(0.0, y) } else { crossed }
}

/// The remainder of the floored division, with the sign of `y`
/// (`numpy.remainder`, the Array API's `remainder`).
#[inline(always)]
pub fn remainder(x: f32, y: f32) -> f32 {
    with_sign_of_divisor(fmod(x, y), y)
}

/// [`remainder`] where [`quotient_is_small`]; other results are meaningless.
#[inline(always)]
pub fn remainder_small(x: f32, y: f32) -> f32 {
    with_sign_of_divisor(fmod_small(x, y), y)
}

/// The floored quotient of which `r` is the truncated remainder.
#[inline(always)]
fn floored_quotient(x: f32, y: f32, r: f32) -> f32 {
    let crossed = (r != 0.0) & ((y < 0.0) != (r < 0.0));
    let q = (x - r) / y;
    let q = if crossed { q - 1.0 } else { q };
    let f = floor(q);
    let f = if q - f > 0.5 { f + 1.0 } else { f };
    let whole = if q == 0.0 { copysign(0.0, x / y) } else { f };
    if y == 0.0 { x / y } else { whole }
}

/// The floored quotient `(x - remainder(x, y)) / y` as NumPy rounds it; `x / y`
/// where `y` is zero.
#[inline(always)]
pub fn floor_divide(x: f32, y: f32) -> f32 {
    floored_quotient(x, y, fmod(x, y))
}

/// [`floor_divide`] where [`quotient_is_small`]; other results are meaningless.
#[inline(always)]
pub fn floor_divide_small(x: f32, y: f32) -> f32 {
    floored_quotient(x, y, fmod_small(x, y))
}
