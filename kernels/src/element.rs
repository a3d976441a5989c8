//! The Rust types behind each dtype, and typed single values.
//!
//! `dispatch!` is the one place where a run-time dtype becomes a compile-time type.

use crate::DType;
use bytemuck::Pod;
use half::{bf16, f16};
use num_complex::{Complex32, Complex64};
use std::fmt;

/// A Rust type that stores one element of a dtype.
pub trait Element: Copy + Default + PartialEq + Send + Sync + fmt::Debug + 'static {
    /// The dtype stored.
    const DTYPE: DType;
    /// The plain-bytes type in tiles: itself, or `u8` for `bool`.
    type Stored: Pod + Default + PartialEq + Send + Sync;
    /// To the stored form.
    fn store(self) -> Self::Stored;
    /// From the stored form; any non-zero byte is `true`.
    fn load(stored: Self::Stored) -> Self;
    /// All of them from the stored form, in the same memory.
    fn load_all(stored: Vec<Self::Stored>) -> Vec<Self>;
    /// As f64, rounded where f64 cannot hold it; of a complex number its real part.
    fn to_f64(self) -> f64;
}

macro_rules! elements {
    ($($t:ty => $d:ident, $x:ident => $f:expr;)*) => {$(
        impl Element for $t {
            const DTYPE: DType = DType::$d;
            type Stored = $t;
            #[inline(always)]
            fn store(self) -> $t { self }
            #[inline(always)]
            fn load(stored: $t) -> $t { stored }
            fn load_all(stored: Vec<$t>) -> Vec<$t> { stored }
            #[inline(always)]
            fn to_f64(self) -> f64 { let $x = self; $f }
        }
    )*};
}
elements! {
    i8 => I8, x => f64::from(x);
    i16 => I16, x => f64::from(x);
    i32 => I32, x => f64::from(x);
    i64 => I64, x => x as f64;
    u8 => U8, x => f64::from(x);
    u16 => U16, x => f64::from(x);
    u32 => U32, x => f64::from(x);
    u64 => U64, x => x as f64;
    f16 => F16, x => x.to_f64();
    bf16 => BF16, x => x.to_f64();
    f32 => F32, x => f64::from(x);
    f64 => F64, x => x;
    Complex32 => C64, x => f64::from(x.re);
    Complex64 => C128, x => x.re;
}

impl Element for bool {
    const DTYPE: DType = DType::Bool;
    type Stored = u8;
    #[inline(always)]
    fn store(self) -> u8 {
        u8::from(self)
    }
    #[inline(always)]
    fn load(stored: u8) -> bool {
        stored != 0
    }
    fn load_all(stored: Vec<u8>) -> Vec<bool> {
        stored.into_iter().map(bool::load).collect()
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(u8::from(self))
    }
}

/// Runs `$body` with `$T` bound to the Rust type of `$dtype` (`bool` for `Bool`).
#[macro_export]
macro_rules! dispatch {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::DType::C64 => {
                type $T = $crate::Complex32;
                $body
            }
            $crate::DType::C128 => {
                type $T = $crate::Complex64;
                $body
            }
            other => $crate::dispatch_real!(other, $T => $body),
        }
    };
}

/// As [`dispatch!`] for what complex numbers are not given to, which the constructors of expressions
/// refuse.
///
/// # Panics
/// On a complex dtype.
#[macro_export]
macro_rules! dispatch_real {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::DType::Bool => {
                type $T = bool;
                $body
            }
            $crate::DType::I8 => {
                type $T = i8;
                $body
            }
            $crate::DType::I16 => {
                type $T = i16;
                $body
            }
            $crate::DType::I32 => {
                type $T = i32;
                $body
            }
            $crate::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::DType::U8 => {
                type $T = u8;
                $body
            }
            $crate::DType::U16 => {
                type $T = u16;
                $body
            }
            $crate::DType::U32 => {
                type $T = u32;
                $body
            }
            $crate::DType::U64 => {
                type $T = u64;
                $body
            }
            $crate::DType::F16 => {
                type $T = $crate::f16;
                $body
            }
            $crate::DType::BF16 => {
                type $T = $crate::bf16;
                $body
            }
            $crate::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::DType::F64 => {
                type $T = f64;
                $body
            }
            $crate::DType::C64 | $crate::DType::C128 => $crate::DType::complex_is_refused(),
        }
    };
}

/// One value of a dtype, kept as its bits so that NaN payloads and −0 survive and values hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scalar {
    dtype: DType,
    bits: u128,
}

impl Scalar {
    /// A scalar of the element's dtype.
    pub fn new<T: Element>(value: T) -> Scalar {
        let mut bits = [0u8; 16];
        let stored = value.store();
        let bytes = bytemuck::bytes_of(&stored);
        bits[..bytes.len()].copy_from_slice(bytes);
        Scalar {
            dtype: T::DTYPE,
            bits: u128::from_le_bytes(bits),
        }
    }

    /// The first element of `bytes`, which holds at least one element of `dtype`.
    pub fn from_bytes(dtype: DType, bytes: &[u8]) -> Scalar {
        let mut bits = [0u8; 16];
        bits[..dtype.size()].copy_from_slice(&bytes[..dtype.size()]);
        Scalar {
            dtype,
            bits: u128::from_le_bytes(bits),
        }
    }

    /// Its dtype.
    pub fn dtype(self) -> DType {
        self.dtype
    }

    /// Its little-endian bits, zero-extended; of `C128` those of the real part.
    pub fn bits(self) -> u64 {
        self.bits as u64
    }

    /// Its real and imaginary part, each of [`DType::part`]; the imaginary part of a real number
    /// is 0.
    pub fn parts(self) -> (Scalar, Scalar) {
        let part = self.dtype.part();
        if part == self.dtype {
            return (self, Scalar { dtype: part, bits: 0 });
        }
        let width = 8 * part.size();
        let of = |bits| Scalar { dtype: part, bits };
        (of(self.bits & ((1 << width) - 1)), of(self.bits >> width))
    }

    /// Its bytes, `dtype().size()` of them.
    pub fn bytes(&self) -> Vec<u8> {
        self.bits.to_le_bytes()[..self.dtype.size()].to_vec()
    }

    /// The value as `T`, if `T` is its dtype.
    pub fn get<T: Element>(self) -> Option<T> {
        (T::DTYPE == self.dtype).then(|| {
            let bytes = self.bits.to_le_bytes();
            T::load(bytemuck::pod_read_unaligned(&bytes[..size_of::<T::Stored>()]))
        })
    }

    /// The value as f64, rounded where f64 cannot hold it; of a complex number its real part.
    pub fn to_f64(self) -> f64 {
        let bytes = self.bits.to_le_bytes();
        dispatch!(self.dtype, T => {
            type S = <T as Element>::Stored;
            <T as Element>::load(bytemuck::pod_read_unaligned::<S>(&bytes[..size_of::<S>()])).to_f64()
        })
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}:{}", self.dtype.info().short)
    }
}

/// Whether a number is short without an exponent.
fn plain(value: f64) -> bool {
    value == 0.0 || !value.is_finite() || (1e-5..1e16).contains(&value.abs())
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dtype {
            DType::Bool => write!(f, "{}", self.bits != 0),
            DType::I64 => write!(f, "{}", self.bits as i64),
            DType::U64 => write!(f, "{}", self.bits),
            d if d.is_complex() => {
                let (re, im) = self.parts();
                let minus = im.to_f64().is_sign_negative() && !im.to_f64().is_nan();
                let sign = if minus { "" } else { "+" };
                write!(f, "{re}{sign}{im}j")
            }
            DType::F32 => {
                let value = f32::from_bits(self.bits as u32);
                match plain(value.into()) {
                    true => write!(f, "{value}"),
                    false => write!(f, "{value:e}"),
                }
            }
            d if d.is_float() && !plain(self.to_f64()) => write!(f, "{:e}", self.to_f64()),
            _ => write!(f, "{}", self.to_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_keep_their_bits() {
        let nan = f32::from_bits(0x7fc0_1234);
        assert_eq!(Scalar::new(nan).bits(), 0x7fc0_1234);
        assert_eq!(
            Scalar::new(-0.0f64).get::<f64>().map(f64::to_bits),
            Some((-0.0f64).to_bits())
        );
        assert_eq!(Scalar::new(-3i16).get::<i16>(), Some(-3));
        assert_eq!(Scalar::new(-3i16).to_f64(), -3.0);
        assert_eq!(Scalar::new(true).get::<i8>(), None);
        assert_eq!(Scalar::new(true).to_string(), "true");
        assert_eq!(Scalar::new(1e20f32).to_string(), "1e20");
        assert_eq!(Scalar::new(-2.5e-7f64).to_string(), "-2.5e-7");
        assert_eq!(Scalar::new(0.0f64).to_string(), "0");
        assert_eq!(Scalar::new(f64::NAN).to_string(), "NaN");
        assert_eq!(Scalar::new(273.15f32).to_string(), "273.15");
        assert_eq!(Scalar::from_bytes(DType::U16, &[1, 2]).get::<u16>(), Some(513));
        let z = Complex64::new(1.5, -0.0);
        assert_eq!(Scalar::new(z).get::<Complex64>(), Some(z));
        assert_eq!(Scalar::new(z).to_string(), "1.5-0j");
        assert_eq!(Scalar::new(Complex32::new(-2.0, f32::NAN)).to_string(), "-2+NaNj");
        assert_eq!(
            Scalar::new(z).parts(),
            (Scalar::new(1.5f64), Scalar::new(-0.0f64))
        );
    }
}
