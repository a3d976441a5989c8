//! The closed set of element types and the one table of their names.
//!
//! Every other list of dtypes in tilewise (files, WGSL, the C header, messages) is derived
//! from [`DType::ALL`] and [`DType::info`], so a dtype is spelled in one place.

use std::fmt;

/// An element type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum DType {
    /// True or false, one byte (0 or 1).
    Bool,
    /// Signed 8-bit integer.
    I8,
    /// Signed 16-bit integer.
    I16,
    /// Signed 32-bit integer.
    I32,
    /// Signed 64-bit integer.
    I64,
    /// Unsigned 8-bit integer.
    U8,
    /// Unsigned 16-bit integer.
    U16,
    /// Unsigned 32-bit integer.
    U32,
    /// Unsigned 64-bit integer.
    U64,
    /// IEEE half precision.
    F16,
    /// The upper half of an `F32`.
    BF16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
    /// A complex number of two `F32`, the real part first.
    C64,
    /// A complex number of two `F64`, the real part first.
    C128,
}

/// The family of a dtype, in promotion order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// `Bool`.
    Bool,
    /// `U8` to `U64`.
    Unsigned,
    /// `I8` to `I64`.
    Signed,
    /// `F16`, `BF16`, `F32`, `F64`.
    Float,
    /// `C64`, `C128`.
    Complex,
}

/// What is known of a dtype beside its values.
#[derive(Clone, Copy, Debug)]
pub struct DTypeInfo {
    /// The dtype described.
    pub dtype: DType,
    /// NumPy's (and Zarr's) name, e.g. `float32`.
    pub name: &'static str,
    /// Short name used in programs and messages, e.g. `f32`.
    pub short: &'static str,
    /// Bytes per element.
    pub size: usize,
    /// Its family.
    pub kind: Kind,
    /// The `descr` of the NPY format, little endian; `None` where NPY has no such type.
    pub npy: Option<&'static str>,
    /// The type that holds one value of it in WGSL registers.
    pub wgsl: &'static str,
}

impl DType {
    /// Every dtype, in declaration order.
    pub const ALL: [DType; 15] = [
        DType::Bool,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::F16,
        DType::BF16,
        DType::F32,
        DType::F64,
        DType::C64,
        DType::C128,
    ];

    /// Every dtype of real numbers, in declaration order.
    pub fn real() -> impl Iterator<Item = DType> {
        DType::ALL.into_iter().filter(|dtype| !dtype.is_complex())
    }

    /// The record of this dtype.
    pub const fn info(self) -> DTypeInfo {
        use Kind::{Bool, Complex, Float, Signed, Unsigned};
        let (name, short, size, kind, npy, wgsl) = match self {
            DType::Bool => ("bool", "bool", 1, Bool, Some("|b1"), "bool"),
            DType::I8 => ("int8", "i8", 1, Signed, Some("|i1"), "i32"),
            DType::I16 => ("int16", "i16", 2, Signed, Some("<i2"), "i32"),
            DType::I32 => ("int32", "i32", 4, Signed, Some("<i4"), "i32"),
            DType::I64 => ("int64", "i64", 8, Signed, Some("<i8"), "i64"),
            DType::U8 => ("uint8", "u8", 1, Unsigned, Some("|u1"), "u32"),
            DType::U16 => ("uint16", "u16", 2, Unsigned, Some("<u2"), "u32"),
            DType::U32 => ("uint32", "u32", 4, Unsigned, Some("<u4"), "u32"),
            DType::U64 => ("uint64", "u64", 8, Unsigned, Some("<u8"), "u64"),
            DType::F16 => ("float16", "f16", 2, Float, Some("<f2"), "f32"),
            DType::BF16 => ("bfloat16", "bf16", 2, Float, None, "f32"),
            DType::F32 => ("float32", "f32", 4, Float, Some("<f4"), "f32"),
            DType::F64 => ("float64", "f64", 8, Float, Some("<f8"), "f64"),
            DType::C64 => ("complex64", "c64", 8, Complex, Some("<c8"), "vec2<f32>"),
            DType::C128 => ("complex128", "c128", 16, Complex, Some("<c16"), "vec2<f64>"),
        };
        DTypeInfo {
            dtype: self,
            name,
            short,
            size,
            kind,
            npy,
            wgsl,
        }
    }

    /// Bytes per element.
    pub const fn size(self) -> usize {
        self.info().size
    }

    /// NumPy's name, e.g. `float32`.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The family.
    pub const fn kind(self) -> Kind {
        self.info().kind
    }

    /// Whether values are complex numbers.
    pub const fn is_complex(self) -> bool {
        matches!(self.kind(), Kind::Complex)
    }

    /// The dtype of the real and imaginary parts; of a dtype that is not complex, itself.
    pub const fn part(self) -> DType {
        match self {
            DType::C64 => DType::F32,
            DType::C128 => DType::F64,
            other => other,
        }
    }

    /// The least complex dtype whose parts hold a float of this dtype; complex dtypes stay.
    pub const fn with_imaginary(self) -> DType {
        match self {
            DType::F16 | DType::BF16 | DType::F32 | DType::C64 => DType::C64,
            _ => DType::C128,
        }
    }

    /// Whether values are floating point (complex numbers are not).
    pub const fn is_float(self) -> bool {
        matches!(self.kind(), Kind::Float)
    }

    /// Whether values can be NaN: floats and complex numbers.
    pub const fn has_nan(self) -> bool {
        matches!(self.kind(), Kind::Float | Kind::Complex)
    }

    /// Whether values are integers (bool is not).
    pub const fn is_integer(self) -> bool {
        matches!(self.kind(), Kind::Signed | Kind::Unsigned)
    }

    /// What code is told that no complex number can reach, because the constructors of expressions refuse
    /// them or take them apart.
    ///
    /// # Panics
    /// Always.
    pub fn complex_is_refused() -> ! {
        unreachable!("complex numbers are refused, or taken apart, when such an expression is made")
    }

    /// The dtype called `name` by NumPy (`float32`) or in short (`f32`).
    pub fn parse(name: &str) -> Option<DType> {
        DType::ALL
            .into_iter()
            .find(|d| d.info().name == name || d.info().short == name)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_parse_back() {
        for dtype in DType::ALL {
            assert_eq!(DType::parse(dtype.name()), Some(dtype));
            assert_eq!(DType::parse(dtype.info().short), Some(dtype));
            assert_eq!(dtype.info().dtype, dtype);
        }
        assert_eq!(DType::parse("float"), None);
    }
}
