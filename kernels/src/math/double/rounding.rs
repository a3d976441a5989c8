//! Rounding of f64 to integers and the remainders built on it.
//!
//! `f64::floor` and its kin become calls into libm where SSE4.1 is missing; adding and removing
//! 2⁵² rounds to an integer with any instruction set.

use super::super::exact::two_prod;
use super::bits::copysign;

/// Magnitudes from here on are integers.
const INTEGERS: f64 = 4_503_599_627_370_496.0;

/// The nearest integer, halves to even. The sign survives: `rint(-0.2)` is −0.
#[inline(always)]
pub fn rint(x: f64) -> f64 {
    let a = x.abs();
    let r = (a + INTEGERS) - INTEGERS;
    copysign(if a < INTEGERS { r } else { a }, x)
}

/// The largest integer not above `x`.
#[inline(always)]
pub fn floor(x: f64) -> f64 {
    let r = rint(x);
    copysign(if r > x { r - 1.0 } else { r }, x)
}

/// The smallest integer not below `x`.
#[inline(always)]
pub fn ceil(x: f64) -> f64 {
    let r = rint(x);
    copysign(if r < x { r + 1.0 } else { r }, x)
}

/// The integer part of `x`.
#[inline(always)]
pub fn trunc(x: f64) -> f64 {
    copysign(floor(x.abs()), x)
}

/// True where the `…_small` remainders give the bits of the full ones: the quotient is below 2⁵¹
/// and its product with the divisor exact, or there is no remainder to take (zero divisor,
/// infinities, NaN).
#[inline(always)]
pub fn quotient_is_small(x: f64, y: f64) -> bool {
    let (a, b) = (x.abs(), y.abs());
    let ordinary = (a < b * 2_251_799_813_685_248.0) & (b > 1.0e-250) & (a < 1.0e300) & (b < 1.0e280);
    ordinary | !((a < f64::INFINITY) & (b < f64::INFINITY) & (b > 0.0))
}

/// The exact remainder of any finite magnitudes, `b` not zero: the platform's, which is a loop.
#[cold]
#[inline(never)]
fn fmod_large(a: f64, b: f64) -> f64 {
    a % b
}

/// [`fmod`] where [`quotient_is_small`]; other results are meaningless. Without a branch, so that
/// a strip whose quotients are all small is a vector loop.
#[inline(always)]
pub fn fmod_small(x: f64, y: f64) -> f64 {
    let (a, b) = (x.abs(), y.abs());
    let (p, e) = two_prod(trunc(a / b), b);
    let r = (a - p) - e;
    let r = if r < 0.0 { r + b } else { r };
    let r = if r >= b { r - b } else { r };
    let r = if b == f64::INFINITY { a } else { r };
    let defined = (a < f64::INFINITY) & (b > 0.0);
    copysign(if defined { r } else { f64::NAN }, x)
}

/// The remainder of the truncated division, exact, with the sign of `x` (`numpy.fmod`, C's
/// `fmod`).
///
/// NaN where `y` is zero or `x` infinite. A quotient of 2⁵¹ or more takes a loop.
#[inline(always)]
pub fn fmod(x: f64, y: f64) -> f64 {
    if quotient_is_small(x, y) {
        fmod_small(x, y)
    } else {
        copysign(fmod_large(x.abs(), y.abs()), x)
    }
}

/// A remainder with the sign of `x` brought to the sign of `y`.
#[inline(always)]
fn with_sign_of_divisor(r: f64, y: f64) -> f64 {
    let crossed = if (y < 0.0) != (r < 0.0) { r + y } else { r };
    if r == 0.0 { copysign(0.0, y) } else { crossed }
}

/// The remainder of the floored division, with the sign of `y` (`numpy.remainder`, the Array API's
/// `remainder`).
#[inline(always)]
pub fn remainder(x: f64, y: f64) -> f64 {
    with_sign_of_divisor(fmod(x, y), y)
}

/// [`remainder`] where [`quotient_is_small`]; other results are meaningless.
#[inline(always)]
pub fn remainder_small(x: f64, y: f64) -> f64 {
    with_sign_of_divisor(fmod_small(x, y), y)
}

/// The floored quotient of which `r` is the truncated remainder.
#[inline(always)]
fn floored_quotient(x: f64, y: f64, r: f64) -> f64 {
    let crossed = (r != 0.0) & ((y < 0.0) != (r < 0.0));
    let q = (x - r) / y;
    let q = if crossed { q - 1.0 } else { q };
    let f = floor(q);
    let f = if q - f > 0.5 { f + 1.0 } else { f };
    let whole = if q == 0.0 { copysign(0.0, x / y) } else { f };
    if y == 0.0 { x / y } else { whole }
}

/// The floored quotient `(x - remainder(x, y)) / y` as NumPy rounds it; `x / y` where `y` is zero.
#[inline(always)]
pub fn floor_divide(x: f64, y: f64) -> f64 {
    floored_quotient(x, y, fmod(x, y))
}

/// [`floor_divide`] where [`quotient_is_small`]; other results are meaningless.
#[inline(always)]
pub fn floor_divide_small(x: f64, y: f64) -> f64 {
    floored_quotient(x, y, fmod_small(x, y))
}
