//! Arithmetic that knows its own rounding error.
//!
//! Range reductions and `pow` need more bits than the type has for a few operations. A value is
//! then carried as a pair `(hi, lo)` whose sum is exact. No fused multiply-add is used: it would
//! give other bits on machines that have none.

use std::ops::{Add, Mul, Sub};

/// A float that splits into two halves.
pub trait Half: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {
    /// The upper half of the significand, so that products of two such values, of two of what is
    /// left over, and of one and the other, are exact.
    fn upper_half(self) -> Self;
}

impl Half for f32 {
    #[inline(always)]
    fn upper_half(self) -> f32 {
        f32::from_bits(self.to_bits() & 0xffff_f000)
    }
}

impl Half for f64 {
    /// Rounded, because 53 is odd: 26 bits are kept and 26 and a sign are left over.
    #[inline(always)]
    fn upper_half(self) -> f64 {
        f64::from_bits(self.to_bits().wrapping_add(0x0400_0000) & 0xffff_ffff_f800_0000)
    }
}

/// `a + b` as the rounded sum and its exact error, for any order of magnitude.
#[inline(always)]
pub fn two_sum<T: Half>(a: T, b: T) -> (T, T) {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}

/// `a + b` as the rounded sum and its exact error where `|a| >= |b|` or `a == 0`.
#[inline(always)]
pub fn fast_two_sum<T: Half>(a: T, b: T) -> (T, T) {
    let s = a + b;
    (s, b - (s - a))
}

/// `a * b` as the rounded product and its exact error, where neither the
/// product nor the error leaves the normal range.
#[inline(always)]
pub fn two_prod<T: Half>(a: T, b: T) -> (T, T) {
    let p = a * b;
    let (ah, bh) = (a.upper_half(), b.upper_half());
    let (al, bl) = (a - ah, b - bh);
    (p, ((ah * bh - p) + ah * bl + al * bh) + al * bl)
}
