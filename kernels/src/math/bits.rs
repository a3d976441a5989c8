//! Functions on the sign and the bits of a number, and the branch-free helpers
//! that every other file here uses.

use std::ops::{Add, Mul};

/// The polynomial `c[0] + x * c[1] + x² * c[2] + …` by Horner's rule.
#[inline(always)]
pub(super) fn polynomial<T: Copy + Add<Output = T> + Mul<Output = T>, const N: usize>(x: T, c: &[T; N]) -> T {
    let mut y = c[N - 1];
    for i in (0..N - 1).rev() {
        y = y * x + c[i];
    }
    y
}

/// `2^k` for `-126 <= k <= 127`.
#[inline(always)]
pub(super) fn power_of_two(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) as u32) << 23)
}

/// `y * 2^k` for `-252 <= k <= 254`, rounded once, for `y` near 1.
#[inline(always)]
pub(super) fn scale(y: f32, k: i32) -> f32 {
    let half = k >> 1;
    y * power_of_two(half) * power_of_two(k.wrapping_sub(half))
}

/// Limits `x` to `low..=high`; NaN stays NaN.
#[inline(always)]
pub(super) fn limit(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// The magnitude of `x` with the sign of `y` (NaN and zeros have signs too).
#[inline(always)]
pub fn copysign(x: f32, y: f32) -> f32 {
    f32::from_bits((x.to_bits() & 0x7fff_ffff) | (y.to_bits() & 0x8000_0000))
}

/// The next representable number after `x` in the direction of `y`; `y` where
/// they are equal; NaN where either is.
#[inline(always)]
pub fn nextafter(x: f32, y: f32) -> f32 {
    let bits = x.to_bits();
    let away = (x < y) == (bits >> 31 == 0);
    let step = if away {
        bits.wrapping_add(1)
    } else {
        bits.wrapping_sub(1)
    };
    let smallest = (y.to_bits() & 0x8000_0000) | 1;
    let moved = f32::from_bits(if x == 0.0 { smallest } else { step });
    let r = if x == y { y } else { moved };
    if x.is_nan() | y.is_nan() { x + y } else { r }
}
