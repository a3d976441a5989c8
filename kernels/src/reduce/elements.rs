//! The stored elements of each dtype, and what reductions ask of them.
//!
//! Loops run on elements as they are stored: narrow ones are widened in registers, so that packed
//! data is reduced at the rate at which it is read.

use crate::cast::{f32_from_bf16, f32_from_f16};
use crate::{bf16, f16};
use bytemuck::{Pod, Zeroable};

/// A bool as stored: any byte but 0 is true.
#[derive(Clone, Copy, Default)]
#[repr(transparent)]
pub(super) struct Flag(pub u8);

// SAFETY: it is a `u8`, for which 0 is a value.
unsafe impl Zeroable for Flag {}
// SAFETY: it is a `u8`, for which all bits are values.
unsafe impl Pod for Flag {}

/// An element of which no bit is read.
#[derive(Clone, Copy, Default)]
#[repr(transparent)]
pub(super) struct Unread(u8);

// SAFETY: as above.
unsafe impl Zeroable for Unread {}
// SAFETY: as above.
unsafe impl Pod for Unread {}

/// An element as it is stored.
pub(super) trait Stored: Pod + Default {
    /// The elements where they lie; `None` when they are not aligned.
    fn view(values: &[u8]) -> Option<&[Self]> {
        let whole = values.len() / size_of::<Self>() * size_of::<Self>();
        bytemuck::try_cast_slice(&values[..whole]).ok()
    }
}

/// An element summed in f64.
pub(super) trait Real: Stored {
    /// Whether eight elements are so short that rounding their sum in f64 is not worth noting.
    const SHORT: bool;
    /// The value, rounded where f64 cannot hold it.
    fn wide(self) -> f64;
    /// Whether it is NaN.
    #[inline(always)]
    fn missing(self) -> bool {
        false
    }
}

/// An integer or bool, summed modulo 2^64.
pub(super) trait Whole: Stored {
    /// A type that holds the sum of a batch, or 64 bits.
    type Sum: Copy + Default;
    /// `sum + self`.
    fn add(self, sum: Self::Sum) -> Self::Sum;
    /// The sum modulo 2^64.
    fn wrapped(sum: Self::Sum) -> u64;
    /// The sum of a batch, exact where `Sum` held it.
    fn real(sum: Self::Sum) -> f64;
    /// The element modulo 2^64.
    fn bits(self) -> u64;
}

/// An integer of so few bits that the squares of a batch have an exact sum in 64 bits.
pub(super) trait Narrow: Whole<Sum = i32> {
    /// The exact sum of squares of some elements.
    fn squares<const R: usize>(of: [Self; R]) -> i64;
}

/// An element of which is asked whether it is 0.
pub(super) trait Truthy: Stored {
    /// An integer of that size.
    type Word: Copy + Default;
    /// A word that is 0 exactly when the element is; NaN is not.
    fn word(self) -> Self::Word;
    /// Bits set in either word.
    fn or(a: Self::Word, b: Self::Word) -> Self::Word;
    /// Not 0 when neither word is.
    fn and(a: Self::Word, b: Self::Word) -> Self::Word;
    /// A word that is not 0.
    const ONES: Self::Word;
    /// 1 when a word is not 0, else 0.
    fn flag(word: Self::Word) -> u8;
}

impl Stored for Unread {
    fn view(_: &[u8]) -> Option<&[Unread]> {
        Some(&[])
    }
}

/// Integers: a type, the type that holds the sum of a batch, and one that holds its square.
macro_rules! integers {
    ($($t:ty, $sum:ty, $short:expr;)*) => {$(
        impl Stored for $t {}
        impl Whole for $t {
            type Sum = $sum;
            #[inline(always)]
            fn add(self, sum: $sum) -> $sum { sum.wrapping_add(self as $sum) }
            #[inline(always)]
            fn wrapped(sum: $sum) -> u64 { sum as u64 }
            #[inline(always)]
            fn real(sum: $sum) -> f64 { sum as f64 }
            #[inline(always)]
            fn bits(self) -> u64 { self as u64 }
        }
        impl Real for $t {
            const SHORT: bool = $short;
            #[inline(always)]
            fn wide(self) -> f64 { self as f64 }
        }
        truthy!($t, $t, |x| x);
    )*};
}

/// Elements that are 0 exactly when a word made of their bits is.
macro_rules! truthy {
    ($t:ty, $word:ty, |$x:ident| $bits:expr) => {
        impl Truthy for $t {
            type Word = $word;
            #[inline(always)]
            fn word(self) -> $word {
                let $x = self;
                $bits
            }
            #[inline(always)]
            fn or(a: $word, b: $word) -> $word {
                a | b
            }
            #[inline(always)]
            fn and(a: $word, b: $word) -> $word {
                if b == 0 { 0 } else { a }
            }
            const ONES: $word = !0;
            #[inline(always)]
            fn flag(word: $word) -> u8 {
                u8::from(word != 0)
            }
        }
    };
}

/// Floats: a type, whether eight are summed without noting what is lost, the integer of its size,
/// whether one is NaN, and the way to f64.
macro_rules! floats {
    ($($t:ty, $short:expr, $word:ty, |$x:ident| $missing:expr, $wide:expr;)*) => {$(
        impl Stored for $t {}
        impl Real for $t {
            const SHORT: bool = $short;
            #[inline(always)]
            fn wide(self) -> f64 {
                let $x = self;
                $wide
            }
            #[inline(always)]
            fn missing(self) -> bool {
                let $x = self;
                $missing
            }
        }
        // The sign of a zero does not count.
        truthy!($t, $word, |x| x.to_bits() << 1);
    )*};
}

integers! {
    i8, i32, true;
    u8, i32, true;
    i16, i32, true;
    u16, i32, true;
    i32, i64, false;
    u32, i64, false;
    i64, u64, false;
    u64, u64, false;
}
floats! {
    f16, true, u16, |x| x.to_bits() & 0x7fff > 0x7c00, f64::from(f32_from_f16(x));
    bf16, true, u16, |x| x.to_bits() & 0x7fff > 0x7f80, f64::from(f32_from_bf16(x));
    f32, true, u32, |x| x.is_nan(), f64::from(x);
    f64, false, u64, |x| x.is_nan(), x;
}

impl Stored for Flag {}
impl Whole for Flag {
    type Sum = i32;
    #[inline(always)]
    fn add(self, sum: i32) -> i32 {
        sum + i32::from(self.0 != 0)
    }
    #[inline(always)]
    fn wrapped(sum: i32) -> u64 {
        sum as u64
    }
    #[inline(always)]
    fn real(sum: i32) -> f64 {
        f64::from(sum)
    }
    #[inline(always)]
    fn bits(self) -> u64 {
        u64::from(self.0 != 0)
    }
}
truthy!(Flag, u8, |x| x.0);

/// Narrow integers, with a type that holds the square of one and one that holds eight of those.
macro_rules! narrow {
    ($($t:ty, $square:ty, $eight:ty, |$x:ident| $value:expr;)*) => {$(
        impl Narrow for $t {
            #[inline(always)]
            fn squares<const R: usize>(of: [Self; R]) -> i64 {
                let mut sum: $eight = 0;
                for $x in of {
                    let x: $square = $value;
                    sum += (x * x) as $eight;
                }
                sum as i64
            }
        }
    )*};
}
narrow! {
    i8, i32, i32, |x| i32::from(x);
    u8, i32, i32, |x| i32::from(x);
    i16, i32, i64, |x| i32::from(x);
    u16, u32, i64, |x| u32::from(x);
    Flag, i32, i32, |x| i32::from(x.0 != 0);
}
