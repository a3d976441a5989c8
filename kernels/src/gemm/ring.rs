//! What products of matrices are computed in: five types, to which every dtype is widened as it
//! is packed and from which results are narrowed as they are stored.
//!
//! Integers are computed modulo 2^32 or 2^64, of which the narrower moduli are parts, so that
//! results wrap as NumPy's. Half floats are summed in f32. A product of bools is true where some
//! pair of factors is.

use crate::cast::{bf16_from_f32, f16_from_f32, f32_from_bf16, f32_from_f16};
use crate::{Element, bf16, f16};

/// A type that tiles are computed in.
pub trait Ring: Copy + Send + Sync {
    /// The empty sum.
    const ZERO: Self;
    /// `x · y + sum`; with `FUSED`, floats are rounded once.
    fn fma<const FUSED: bool>(x: Self, y: Self, sum: Self) -> Self;
    /// The sum of two sums.
    fn add(self, other: Self) -> Self;
}

/// Bools, where + is "or" and · is "and".
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Truth(u8);

macro_rules! rings {
    ($($t:ty, $zero:expr, ($x:ident, $y:ident, $sum:ident), $fused:expr, $plain:expr, $add:expr;)*) => {$(
        impl Ring for $t {
            const ZERO: $t = $zero;
            #[inline(always)]
            fn fma<const FUSED: bool>($x: $t, $y: $t, $sum: $t) -> $t {
                if FUSED { $fused } else { $plain }
            }
            #[inline(always)]
            fn add(self, $x: $t) -> $t {
                let $sum = self;
                $add
            }
        }
    )*};
}
rings! {
    f32, 0.0, (x, y, sum), x.mul_add(y, sum), x * y + sum, sum + x;
    f64, 0.0, (x, y, sum), x.mul_add(y, sum), x * y + sum, sum + x;
    u32, 0, (x, y, sum), x.wrapping_mul(y).wrapping_add(sum), x.wrapping_mul(y).wrapping_add(sum), sum.wrapping_add(x);
    u64, 0, (x, y, sum), x.wrapping_mul(y).wrapping_add(sum), x.wrapping_mul(y).wrapping_add(sum), sum.wrapping_add(x);
    Truth, Truth(0), (x, y, sum), Truth((x.0 & y.0) | sum.0), Truth((x.0 & y.0) | sum.0), Truth(sum.0 | x.0);
}

/// An element that products are made of.
pub trait Factor: Element {
    /// What it is computed in.
    type Ring: Ring;
    /// What keeps a sum that goes on later: itself, unless storing would round it.
    type Sum: Factor<Ring = Self::Ring>;
    /// Whether it is stored as it is computed.
    const NATIVE: bool = size_of::<Self::Stored>() == size_of::<Self::Ring>();
    /// Into the ring.
    fn widen(stored: Self::Stored) -> Self::Ring;
    /// From the ring.
    fn narrow(sum: Self::Ring) -> Self::Stored;
}

macro_rules! factors {
    ($($t:ty => $ring:ty, $sum:ty, $x:ident: $widen:expr, $narrow:expr;)*) => {$(
        impl Factor for $t {
            type Ring = $ring;
            type Sum = $sum;
            #[inline(always)]
            fn widen($x: Self::Stored) -> $ring { $widen }
            #[inline(always)]
            fn narrow($x: $ring) -> Self::Stored { $narrow }
        }
    )*};
}
factors! {
    bool => Truth, bool, x: Truth(u8::from(x != 0)), x.0;
    i8 => u32, i8, x: x as u32, x as i8;
    i16 => u32, i16, x: x as u32, x as i16;
    i32 => u32, i32, x: x as u32, x as i32;
    i64 => u64, i64, x: x as u64, x as i64;
    u8 => u32, u8, x: u32::from(x), x as u8;
    u16 => u32, u16, x: u32::from(x), x as u16;
    u32 => u32, u32, x: x, x;
    u64 => u64, u64, x: x, x;
    f16 => f32, f32, x: f32_from_f16(x), f16_from_f32(x);
    bf16 => f32, f32, x: f32_from_bf16(x), bf16_from_f32(x);
    f32 => f32, f32, x: x, x;
    f64 => f64, f64, x: x, x;
}
