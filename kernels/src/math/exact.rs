//! Arithmetic that knows its own rounding error.
//!
//! Range reductions and `pow` need more than 24 bits for a few operations.
//! A value is then carried as a pair `(hi, lo)` whose sum is exact. No fused
//! multiply-add is used: it would give other bits on machines that have none.

/// `a + b` as the rounded sum and its exact error, for any order of magnitude.
#[inline(always)]
pub fn two_sum(a: f32, b: f32) -> (f32, f32) {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}

/// `a + b` as the rounded sum and its exact error where `|a| >= |b|` or `a == 0`.
#[inline(always)]
pub fn fast_two_sum(a: f32, b: f32) -> (f32, f32) {
    let s = a + b;
    (s, b - (s - a))
}

/// Keeps the upper 12 bits of the significand, so that products of two such
/// values are exact.
#[inline(always)]
pub fn upper_half(a: f32) -> f32 {
    f32::from_bits(a.to_bits() & 0xffff_f000)
}

/// `a * b` as the rounded product and its exact error, where neither the
/// product nor the error leaves the normal range.
#[inline(always)]
pub fn two_prod(a: f32, b: f32) -> (f32, f32) {
    let p = a * b;
    let (ah, bh) = (upper_half(a), upper_half(b));
    let (al, bl) = (a - ah, b - bh);
    (p, ((ah * bh - p) + ah * bl + al * bh) + al * bl)
}
