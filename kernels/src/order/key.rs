//! Keys: every element as an unsigned integer of its width, in NumPy's order.

use crate::Element;
use half::{bf16, f16};
use std::fmt;

/// An unsigned integer that keys are made of.
pub trait Word: Copy + Ord + Default + Send + Sync + fmt::Debug + 'static {
    /// The largest.
    const MAX: Self;
    /// Its bytes.
    const DIGITS: usize;
    /// A byte, the least significant one first.
    fn digit(self, at: usize) -> usize;
    /// The key as far from the largest as this is from zero.
    fn turned(self) -> Self;
    /// The same number in 64 bits.
    fn widened(self) -> u64;
    /// The number from its lower bits.
    fn narrowed(wide: u64) -> Self;
}

/// An element that can be put in order.
pub trait Ordered: Element {
    /// Its key.
    type Key: Word;

    /// A key from which the element comes back: −0 stands before 0, and every NaN at the end.
    fn key(stored: Self::Stored) -> Self::Key;

    /// The element of a key; a NaN comes back positive.
    fn from_key(key: Self::Key) -> Self::Stored;

    /// A key that is equal where elements are: for the two zeros, and for all NaN.
    fn rank(stored: Self::Stored) -> Self::Key;

    /// Whether the key is that of a NaN.
    fn nan_key(key: Self::Key) -> bool;
}

macro_rules! words {
    ($($t:ty)*) => {$(
        impl Word for $t {
            const MAX: $t = <$t>::MAX;
            const DIGITS: usize = size_of::<$t>();
            #[inline(always)]
            fn digit(self, at: usize) -> usize {
                (self >> (8 * at)) as usize & 0xff
            }
            #[inline(always)]
            fn turned(self) -> $t {
                !self
            }
            #[inline(always)]
            fn widened(self) -> u64 {
                u64::from(self)
            }
            #[inline(always)]
            fn narrowed(wide: u64) -> $t {
                wide as $t
            }
        }
    )*};
}
words!(u8 u16 u32 u64);

macro_rules! unsigned {
    ($($t:ty: $key:ty, $x:ident => $as_key:expr;)*) => {$(
        impl Ordered for $t {
            type Key = $key;
            #[inline(always)]
            fn key($x: $key) -> $key { $as_key }
            #[inline(always)]
            fn from_key(key: $key) -> $key { key }
            #[inline(always)]
            fn rank(stored: $key) -> $key { Self::key(stored) }
            #[inline(always)]
            fn nan_key(_: $key) -> bool { false }
        }
    )*};
}
unsigned! {
    bool: u8, x => u8::from(x != 0);
    u8: u8, x => x;
    u16: u16, x => x;
    u32: u32, x => x;
    u64: u64, x => x;
}

macro_rules! signed {
    ($($t:ty: $key:ty;)*) => {$(
        impl Ordered for $t {
            type Key = $key;
            #[inline(always)]
            fn key(stored: $t) -> $key { stored as $key ^ <$t>::MIN as $key }
            #[inline(always)]
            fn from_key(key: $key) -> $t { (key ^ <$t>::MIN as $key) as $t }
            #[inline(always)]
            fn rank(stored: $t) -> $key { Self::key(stored) }
            #[inline(always)]
            fn nan_key(_: $key) -> bool { false }
        }
    )*};
}
signed! { i8: u8; i16: u16; i32: u32; i64: u64; }

// Of two's complement bits, those of a negative float fall as it rises: they are inverted, the
// others moved above them. A NaN loses its sign first, which puts it above infinity.
macro_rules! floats {
    ($($t:ty: $key:ty, $signed:ty;)*) => {$(
        impl Ordered for $t {
            type Key = $key;
            #[inline(always)]
            fn key(stored: $t) -> $key {
                const SIGN: $key = 1 << (<$key>::BITS - 1);
                let bits = stored.to_bits();
                let magnitude = bits & !SIGN;
                let bits = if magnitude > <$t>::INFINITY.to_bits() { magnitude } else { bits };
                bits ^ (((bits as $signed) >> (<$key>::BITS - 1)) as $key | SIGN)
            }
            #[inline(always)]
            fn from_key(key: $key) -> $t {
                const SIGN: $key = 1 << (<$key>::BITS - 1);
                <$t>::from_bits(key ^ (((!key as $signed) >> (<$key>::BITS - 1)) as $key | SIGN))
            }
            #[inline(always)]
            fn rank(stored: $t) -> $key {
                const SIGN: $key = 1 << (<$key>::BITS - 1);
                let key = Self::key(stored);
                let key = if key == SIGN - 1 { SIGN } else { key };
                if Self::nan_key(key) { <$key>::MAX } else { key }
            }
            #[inline(always)]
            fn nan_key(key: $key) -> bool {
                const SIGN: $key = 1 << (<$key>::BITS - 1);
                key > (<$t>::INFINITY.to_bits() | SIGN)
            }
        }
    )*};
}
floats! { f16: u16, i16; bf16: u16, i16; f32: u32, i32; f64: u64, i64; }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, dispatch_real};

    /// Elements of every kind, each with its value.
    fn samples<T: Ordered>() -> Vec<(T::Stored, f64)> {
        let bits: Vec<u64> = (0..=u16::MAX)
            .map(|i| u64::from(i) * 0x0001_0001_0001_0001)
            .collect();
        let bytes =
            |b: &u64| bytemuck::pod_read_unaligned::<T::Stored>(&b.to_le_bytes()[..size_of::<T::Stored>()]);
        let whole = bits.iter().map(bytes);
        whole.map(|s| (s, T::load(s).to_f64())).collect()
    }

    fn check<T: Ordered>(dtype: DType) {
        let mut samples = samples::<T>();
        if dtype == DType::Bool {
            samples.truncate(2);
        }
        for &(stored, value) in &samples {
            let key = T::key(stored);
            assert_eq!(T::nan_key(key), value.is_nan(), "{dtype}");
            assert!(key <= T::Key::MAX);
            let back = T::load(T::from_key(key)).to_f64();
            let same = back.to_bits() == value.to_bits() || (back.is_nan() && value.is_nan());
            assert!(same, "{dtype} {value}");
        }
        // 64-bit integers are not exact in f64, but far apart here.
        samples.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap_or(a.1.is_nan().cmp(&b.1.is_nan())));
        for pair in samples.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let same = a.1 == b.1 || (a.1.is_nan() && b.1.is_nan());
            assert_eq!(T::rank(a.0) == T::rank(b.0), same, "{dtype} {} {}", a.1, b.1);
            assert!(T::rank(a.0) <= T::rank(b.0), "{dtype} {} {}", a.1, b.1);
            assert!(same || T::key(a.0) < T::key(b.0), "{dtype} {} {}", a.1, b.1);
        }
    }

    #[test]
    fn keys_order_as_values_do_and_come_back() {
        for dtype in DType::real() {
            dispatch_real!(dtype, T => check::<T>(dtype));
        }
        assert!(f32::key(-0.0) < f32::key(0.0));
        assert_eq!(f32::rank(-f32::NAN), f32::rank(f32::NAN));
    }
}
