//! Which dtype two arrays, or an array and a literal, compute in.
//!
//! Promotion is NumPy 2's, which contains the Array API's table: it depends on dtypes only, never
//! on values. A literal in an expression is weak: it takes the array's dtype, unless its kind is
//! higher. bfloat16, which NumPy lacks, behaves towards integers as float16 does, and meets
//! float16 in float32.

use crate::{Complex32, Complex64, DType, Element, Kind, Scalar, bf16, dispatch, f16};
use std::fmt;

/// The dtype that both `a` and `b` are cast to before they meet in one operation.
///
/// Integers of one signedness meet in the wider one, of two in a signed one that holds both
/// (`i64` with `u64`: `F64`). An integer and a float meet in the float, if its precision is at
/// least that of the least float for the integer (see [`float_of`]), else in that. A complex number
/// meets others as its parts do, in a complex dtype.
pub fn promote(a: DType, b: DType) -> DType {
    if a == b {
        return a;
    }
    let (low, high) = if a.kind() <= b.kind() { (a, b) } else { (b, a) };
    match (low.kind(), high.kind()) {
        (Kind::Bool, _) => high,
        (Kind::Complex, Kind::Complex) => DType::C128,
        (_, Kind::Complex) => promote(float_of(low), high.part()).with_imaginary(),
        (Kind::Float, Kind::Float) => match (low, high) {
            (DType::F64, _) | (_, DType::F64) => DType::F64,
            _ => DType::F32,
        },
        (_, Kind::Float) if float_of(low).size() <= high.size() => high,
        (_, Kind::Float) => float_of(low),
        (Kind::Unsigned, Kind::Signed) if low.size() < high.size() => high,
        (Kind::Unsigned, Kind::Signed) => match low {
            DType::U8 => DType::I16,
            DType::U16 => DType::I32,
            DType::U32 => DType::I64,
            _ => DType::F64,
        },
        _ if low.size() < high.size() => high,
        _ => low,
    }
}

/// The least float that functions such as `sqrt` compute in for an argument of `dtype`: `F16` for
/// bool and 8-bit integers, `F32` for 16-bit ones, `F64` beyond; floats and complex numbers stay.
pub fn float_of(dtype: DType) -> DType {
    match (dtype.kind(), dtype.size()) {
        (Kind::Float | Kind::Complex, _) => dtype,
        (_, 1) => DType::F16,
        (_, 2) => DType::F32,
        _ => DType::F64,
    }
}

/// A number that stands in an expression; it has no dtype of its own.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Literal {
    /// `True` or `False`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number with a point or an exponent, or NaN or infinity.
    Float(f64),
    /// A complex number by its real and imaginary part.
    Complex(f64, f64),
}

/// The dtype that an array of dtype `array` and `literal` compute in: the array's, but `I64` for
/// bool with an integer, `F64` for bool or integers with a float, and the complex dtype of the array's
/// float with a complex number.
///
/// # Errors
/// An integer literal that an integer array's dtype cannot hold; names both.
pub fn promote_weak(array: DType, literal: Literal) -> Result<DType, String> {
    match (literal, array.kind()) {
        (Literal::Int(_), Kind::Bool) => literal.to_scalar(DType::I64).map(|_| DType::I64),
        (Literal::Int(_), Kind::Unsigned | Kind::Signed) => literal.to_scalar(array).map(|_| array),
        (Literal::Float(_), Kind::Bool | Kind::Unsigned | Kind::Signed) => Ok(DType::F64),
        (Literal::Complex(..), _) => Ok(array.with_imaginary()),
        _ => Ok(array),
    }
}

impl Literal {
    /// The dtype of an array made from this literal alone: bool, int64 (uint64 where only that
    /// holds it), float64 or complex128.
    ///
    /// # Errors
    /// An integer beyond uint64 or below int64.
    pub fn default_dtype(self) -> Result<DType, String> {
        match self {
            Literal::Bool(_) => Ok(DType::Bool),
            Literal::Float(_) => Ok(DType::F64),
            Literal::Complex(..) => Ok(DType::C128),
            Literal::Int(_) if self.to_scalar(DType::U64).is_ok() && self.to_scalar(DType::I64).is_err() => {
                Ok(DType::U64)
            }
            Literal::Int(_) => self.to_scalar(DType::I64).map(|_| DType::I64),
        }
    }

    /// The literal as one value of `dtype`, floats rounded to nearest even.
    ///
    /// # Errors
    /// A number that an integer dtype cannot hold exactly, or a real one a complex number; names both.
    pub fn to_scalar(self, dtype: DType) -> Result<Scalar, String> {
        let whole = match self {
            Literal::Bool(b) => i128::from(b),
            Literal::Int(i) => i,
            Literal::Float(x) if dtype.is_integer() && x.trunc() == x && x.abs() < 2.0f64.powi(100) => {
                x as i128
            }
            Literal::Float(_) if dtype.is_integer() => {
                return Err(format!("{self} is not a whole number and cannot become {dtype}"));
            }
            Literal::Complex(..) if !dtype.is_complex() => {
                return Err(format!("{self} is complex and cannot become {dtype}"));
            }
            Literal::Float(_) | Literal::Complex(..) => 0,
        };
        let refuse = |_| format!("{self} is out of bounds for {dtype}");
        let real = match self {
            Literal::Float(x) | Literal::Complex(x, _) => x,
            _ => whole as f64,
        };
        dispatch!(dtype, T => T::exactly(whole, real, self).map(Scalar::new).map_err(refuse))
    }
}

/// A dtype's value from a literal: integers from `whole`, floats from `real`.
trait Exactly: Element {
    fn exactly(whole: i128, real: f64, literal: Literal) -> Result<Self, std::num::TryFromIntError>;
}

macro_rules! exactly {
    ($($t:ty: |$whole:ident, $real:ident, $literal:ident| $value:expr;)*) => {$(
        impl Exactly for $t {
            fn exactly($whole: i128, $real: f64, $literal: Literal) -> Result<$t, std::num::TryFromIntError> {
                $value
            }
        }
    )*};
}
exactly! {
    bool: |_w, r, _l| Ok(r != 0.0);
    i8: |w, _r, _l| w.try_into();
    i16: |w, _r, _l| w.try_into();
    i32: |w, _r, _l| w.try_into();
    i64: |w, _r, _l| w.try_into();
    u8: |w, _r, _l| w.try_into();
    u16: |w, _r, _l| w.try_into();
    u32: |w, _r, _l| w.try_into();
    u64: |w, _r, _l| w.try_into();
    f16: |_w, r, _l| Ok(f16::from_f64(r));
    bf16: |_w, r, _l| Ok(bf16::from_f64(r));
    f32: |w, r, l| Ok(if let Literal::Int(_) = l { w as f32 } else { r as f32 });
    f64: |_w, r, _l| Ok(r);
    Complex32: |w, r, l| Ok(match l {
        Literal::Complex(re, im) => Complex32::new(re as f32, im as f32),
        _ => Complex32::new(f32::exactly(w, r, l)?, 0.0),
    });
    Complex64: |_w, r, l| Ok(match l {
        Literal::Complex(re, im) => Complex64::new(re, im),
        _ => Complex64::new(r, 0.0),
    });
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Bool(b) => write!(f, "{b}"),
            Literal::Int(i) => write!(f, "{i}"),
            Literal::Float(x) => write!(f, "{x:?}"),
            Literal::Complex(re, im) if *re == 0.0 => write!(f, "{im:?}j"),
            Literal::Complex(re, im) => write!(f, "({re:?}{im:+?}j)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DType::{BF16, Bool, F16, F32, F64, I8, I16, I32, I64, U8, U16, U64};

    #[test]
    fn bfloat16_meets_integers_as_float16_does() {
        assert_eq!(promote(BF16, F16), F32);
        assert_eq!(promote(F16, BF16), F32);
        for (integer, expect) in [
            (Bool, BF16),
            (I8, BF16),
            (U8, BF16),
            (I16, F32),
            (U16, F32),
            (I32, F64),
        ] {
            assert_eq!(promote(BF16, integer), expect, "{integer}");
            assert_eq!(promote(integer, BF16), expect, "{integer}");
        }
        assert_eq!(promote(BF16, F32), F32);
        assert_eq!(promote(BF16, F64), F64);
    }

    #[test]
    fn promotion_is_symmetric_and_keeps_equal_dtypes() {
        for a in DType::ALL {
            assert_eq!(promote(a, a), a);
            for b in DType::ALL {
                assert_eq!(promote(a, b), promote(b, a), "{a} {b}");
            }
        }
    }

    #[test]
    fn literals_are_weak() {
        assert_eq!(promote_weak(F32, Literal::Int(3)), Ok(F32));
        assert_eq!(promote_weak(F16, Literal::Int(100_000)), Ok(F16));
        assert_eq!(promote_weak(I32, Literal::Float(2.5)), Ok(F64));
        let z = Literal::Complex(0.0, 2.0);
        assert_eq!(promote_weak(F32, z), Ok(DType::C64));
        assert_eq!(promote_weak(I16, z), Ok(DType::C128));
        assert_eq!(promote_weak(DType::C64, Literal::Float(0.1)), Ok(DType::C64));
        assert_eq!(
            z.to_scalar(F32).unwrap_err(),
            "2.0j is complex and cannot become float32"
        );
        assert_eq!(promote_weak(Bool, Literal::Int(2)), Ok(I64));
        assert_eq!(promote_weak(Bool, Literal::Bool(true)), Ok(Bool));
        assert_eq!(promote_weak(U8, Literal::Bool(true)), Ok(U8));
        assert_eq!(
            promote_weak(I8, Literal::Int(300)),
            Err("300 is out of bounds for int8".into())
        );
        assert_eq!(
            promote_weak(U64, Literal::Int(-1)),
            Err("-1 is out of bounds for uint64".into())
        );
        assert!(promote_weak(Bool, Literal::Int(1 << 70)).is_err());
        assert_eq!(Literal::Int(1 << 63).default_dtype(), Ok(U64));
        assert_eq!(Literal::Int(-5).default_dtype(), Ok(I64));
    }

    #[test]
    fn literals_become_scalars() {
        let get = |l: Literal, d| l.to_scalar(d).map(Scalar::bits);
        assert_eq!(get(Literal::Int(-1), I16), Ok(0xffff));
        assert_eq!(get(Literal::Float(-0.0), F64), Ok((-0.0f64).to_bits()));
        assert_eq!(get(Literal::Float(f64::NAN), Bool), Ok(1));
        assert_eq!(get(Literal::Float(7.0), U8), Ok(7));
        assert!(get(Literal::Float(7.5), U8).is_err());
        assert!(get(Literal::Float(f64::INFINITY), I64).is_err());
        assert!(get(Literal::Float(1e30), I64).is_err());
        assert_eq!(get(Literal::Int(i128::MAX), F16), Ok(0x7c00));
        assert_eq!(
            get(Literal::Int(16_777_217), F32),
            Ok(u64::from(16_777_216.0f32.to_bits()))
        );
        assert_eq!(get(Literal::Float(1.0), BF16), Ok(0x3f80));
    }
}
