//! Conversion between dtypes: the loop for each pair, and the same in WGSL.
//!
//! One meaning on every device, also where C and NumPy leave it open: float to integer truncates
//! towards zero, saturates at the bounds of the dtype, and gives 0 for NaN. Integers wrap into
//! narrower ones. Anything to bool asks for `!= 0`, which NaN is. Floats are rounded once to
//! nearest even; integers reach half floats through f32, as in NumPy. A complex number becomes a real
//! one by its real part, and true where either part is not zero.

use crate::ops::strip::{Map, select};
use crate::{Complex32, Complex64, DType, Isa, Kind, StripFn, bf16, dispatch, f16};
use std::marker::PhantomData;

/// The loop that converts strips of `from` to strips of `to`.
pub fn cast_kernel(from: DType, to: DType, isa: Isa) -> StripFn {
    dispatch!(from, A => dispatch!(to, B => select::<Cast<B>, (A,)>(isa)))
}

struct Cast<B>(PhantomData<B>);

impl<A: crate::Element + Convert<B>, B: crate::Element> Map<(A,)> for Cast<B> {
    type Out = B;
    #[inline(always)]
    fn at((a,): (A,)) -> B {
        a.convert()
    }
}

/// The conversion of one element.
pub(crate) trait Convert<B> {
    /// The element in the other type.
    fn convert(self) -> B;
}

/// Conversions from each type, where `as` has the stated meaning, and from bool and half floats
/// through a type that holds their values.
macro_rules! conversions {
    ($($a:ident)+) => { conversions!(@all [$($a)+] $($a)+); };
    (@all $all:tt $($a:ident)+) => { $(conversions!(@from $a $all);)+ };
    (@from $a:ident [$($b:ident)+]) => {
        $(impl Convert<$b> for $a {
            #[inline(always)]
            fn convert(self) -> $b { self as $b }
        })+
        impl Convert<bool> for $a {
            #[inline(always)]
            fn convert(self) -> bool { self != 0 as $a }
        }
        impl Convert<f16> for $a {
            #[inline(always)]
            fn convert(self) -> f16 { f16_from_f32(self.before_half()) }
        }
        impl Convert<bf16> for $a {
            #[inline(always)]
            fn convert(self) -> bf16 { bf16_from_f32(self.before_half()) }
        }
        impl Convert<$a> for bool {
            #[inline(always)]
            fn convert(self) -> $a { u8::from(self) as $a }
        }
        impl Convert<$a> for f16 {
            #[inline(always)]
            fn convert(self) -> $a { f32_from_f16(self) as $a }
        }
        impl Convert<$a> for bf16 {
            #[inline(always)]
            fn convert(self) -> $a { f32_from_bf16(self) as $a }
        }
    };
    (@parts $($a:ident)+) => {
        $(impl Convert<Complex32> for $a {
            #[inline(always)]
            fn convert(self) -> Complex32 { Complex32::new(self.convert(), 0.0) }
        }
        impl Convert<Complex64> for $a {
            #[inline(always)]
            fn convert(self) -> Complex64 { Complex64::new(self.convert(), 0.0) }
        }
        impl Convert<$a> for Complex32 {
            #[inline(always)]
            fn convert(self) -> $a { self.re.convert() }
        }
        impl Convert<$a> for Complex64 {
            #[inline(always)]
            fn convert(self) -> $a { self.re.convert() }
        })+
    };
    (@each $($a:ident to $b:ident = |$x:ident| $value:expr;)+) => {
        $(impl Convert<$b> for $a {
            #[inline(always)]
            fn convert(self) -> $b { let $x = self; $value }
        })+
    };
}
conversions!(i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
conversions! { @each
    bool to bool = |x| x;
    bool to f16 = |x| f16::from_bits(u16::from(x) * 0x3c00);
    bool to bf16 = |x| bf16::from_bits(u16::from(x) * 0x3f80);
    f16 to bool = |x| x.to_bits() & 0x7fff != 0;
    bf16 to bool = |x| x.to_bits() & 0x7fff != 0;
    f16 to f16 = |x| x;
    bf16 to bf16 = |x| x;
    f16 to bf16 = |x| bf16_from_f32(f32_from_f16(x));
    bf16 to f16 = |x| f16_from_f32(f32_from_bf16(x));
}
conversions! { @parts i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64 }
conversions! { @each
    bool to Complex32 = |x| Complex32::new(x.convert(), 0.0);
    bool to Complex64 = |x| Complex64::new(x.convert(), 0.0);
    Complex32 to bool = |z| (z.re != 0.0) | (z.im != 0.0);
    Complex64 to bool = |z| (z.re != 0.0) | (z.im != 0.0);
    Complex32 to Complex32 = |z| z;
    Complex64 to Complex64 = |z| z;
    Complex32 to Complex64 = |z| Complex64::new(z.re.convert(), z.im.convert());
    Complex64 to Complex32 = |z| Complex32::new(z.re.convert(), z.im.convert());
}

/// The f32 that is rounded to a half float.
trait BeforeHalf {
    fn before_half(self) -> f32;
}

macro_rules! before_half {
    ($($a:ident)+) => {
        $(impl BeforeHalf for $a {
            #[inline(always)]
            fn before_half(self) -> f32 { self as f32 }
        })+
    };
}
before_half!(i8 i16 i32 i64 u8 u16 u32 u64 f32);

impl BeforeHalf for f64 {
    /// Rounded to odd: cut, with the last bit set if anything was lost, so that rounding again to
    /// fewer bits gives what rounding once would.
    #[inline(always)]
    fn before_half(self) -> f32 {
        let near = self as f32;
        let back = f64::from(near);
        let bits = near.to_bits();
        let cut = if back.abs() > self.abs() {
            bits.wrapping_sub(1)
        } else {
            bits
        };
        let inexact = (back < self) | (back > self);
        if inexact { f32::from_bits(cut | 1) } else { near }
    }
}

/// The value of a half float.
#[inline(always)]
pub(crate) fn f32_from_f16(x: f16) -> f32 {
    let bits = u32::from(x.to_bits());
    let magnitude = bits & 0x7fff;
    let bias = if magnitude >= 0x7c00 { 224 << 23 } else { 112 << 23 };
    let subnormal = (magnitude as f32 * f32::from_bits(103 << 23)).to_bits(); // of 2^-24 each
    let absolute = if magnitude < 0x0400 {
        subnormal
    } else {
        (magnitude << 13) + bias
    };
    f32::from_bits(absolute | ((bits & 0x8000) << 16))
}

/// The nearest half float, ties to even.
#[inline(always)]
pub(crate) fn f16_from_f32(x: f32) -> f16 {
    let bits = x.to_bits();
    let magnitude = bits & 0x7fff_ffff;
    // Adding 0.5 leaves multiples of 2^-24, the subnormals' unit, rounded by the hardware.
    let subnormal = (f32::from_bits(magnitude) + 0.5)
        .to_bits()
        .wrapping_sub(0x3f00_0000);
    let odd = (magnitude >> 13) & 1;
    let normal = magnitude.wrapping_add(0xfff + odd).wrapping_sub(112 << 23) >> 13;
    let finite = if magnitude < 0x3880_0000 {
        subnormal
    } else {
        normal
    };
    let special = if magnitude > 0x7f80_0000 { 0x7e00 } else { 0x7c00 };
    let half = if magnitude >= 0x4780_0000 { special } else { finite };
    f16::from_bits(half as u16 | (bits >> 16) as u16 & 0x8000)
}

/// The value of a bfloat16.
#[inline(always)]
pub(crate) fn f32_from_bf16(x: bf16) -> f32 {
    f32::from_bits(u32::from(x.to_bits()) << 16)
}

/// The nearest bfloat16, ties to even.
#[inline(always)]
pub(crate) fn bf16_from_f32(x: f32) -> bf16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    let quiet = (bits >> 16) | 0x0040;
    let nan = bits & 0x7fff_ffff > 0x7f80_0000;
    bf16::from_bits((if nan { quiet } else { rounded }) as u16)
}

/// A WGSL expression over `$0`, held in the register of `from`, whose value in the register of
/// `to` is already wrapped or rounded to `to`. It calls functions of `shaders/`: with i64 or u64
/// those of `ops_i64.wgsl`, with f64 those of `ops_f64.wgsl` and `ops_i64.wgsl`, which need an
/// adapter that has the types. `None` would say that only the CPU converts this pair.
pub fn cast_wgsl(from: DType, to: DType) -> Option<String> {
    let (source, target) = (from.info().wgsl, to.info().wgsl);
    let text = match (from.kind(), to.kind()) {
        _ if from == to => "$0".to_string(),
        (Kind::Complex, Kind::Complex) => format!("{target}($0)"),
        (Kind::Complex, Kind::Bool) => {
            let zero = format!("tw_is_zero{}", suffix(from.part().info().wgsl));
            format!("(!{zero}($0.x) || !{zero}($0.y))")
        }
        (Kind::Complex, _) => cast_wgsl(from.part(), to)?.replace("$0", "$0.x"),
        (_, Kind::Complex) => {
            let part = to.part().info().wgsl;
            format!("{target}({}, {part}())", cast_wgsl(from, to.part())?)
        }
        (Kind::Float, Kind::Bool) => format!("!tw_is_zero{}($0)", suffix(source)),
        (_, Kind::Bool) => format!("$0 != {source}()"),
        (Kind::Bool, _) => format!("select({target}(), {target}(1), $0)"),
        (Kind::Float, Kind::Float) => match (from, to) {
            (_, DType::F64) => "f64($0)".to_string(),
            (DType::F64, DType::F32) => "tw_opaque(f32($0))".to_string(),
            (DType::F64, _) => half("tw_odd_f32($0)", to),
            _ => half("$0", to),
        },
        (_, Kind::Float) => match to {
            DType::F64 => "f64($0)".to_string(),
            _ => half("f32($0)", to),
        },
        (Kind::Float, _) => float_to_integer(source, to),
        _ => narrow(integer_to_integer(source, target), to),
    };
    Some(text)
}

/// What a helper's name ends with for a register type; those of f32 have no suffix.
fn suffix(register: &str) -> &'static str {
    if register == "f64" { "_f64" } else { "" }
}

/// `text`, an f32, rounded to `to`.
fn half(text: &str, to: DType) -> String {
    match to {
        DType::F16 => format!("tw_f16_round({text})"),
        DType::BF16 => format!("tw_bf16_round({text})"),
        _ => text.to_string(),
    }
}

/// Truncation within the bounds of `to`.
fn float_to_integer(source: &str, to: DType) -> String {
    let target = to.info().wgsl;
    let bits = 8 * to.size() as u32;
    match to.kind() {
        _ if bits >= 32 => format!("tw_{target}_from_{source}($0)"),
        Kind::Signed => {
            let last = (1i64 << (bits - 1)) - 1;
            format!("tw_limit_i32(tw_i32_from_{source}($0), {}i, {last}i)", -last - 1)
        }
        _ => format!("tw_limit_u32(tw_u32_from_{source}($0), {}u)", (1u64 << bits) - 1),
    }
}

/// Reinterpretation, extension by the sign of the source, or cutting.
fn integer_to_integer(source: &str, target: &str) -> &'static str {
    match (source, target) {
        ("u32", "i32") => "bitcast<i32>($0)",
        ("i32", "u32") => "bitcast<u32>($0)",
        ("i32", "i64") => "i64($0)",
        ("i32", "u64") => "bitcast<u64>(i64($0))",
        ("u32", "u64") => "u64($0)",
        ("u32", "i64") => "bitcast<i64>(u64($0))",
        ("u64", "i64") => "bitcast<i64>($0)",
        ("i64", "u64") => "bitcast<u64>($0)",
        ("i64", "i32") => "bitcast<i32>(u32(bitcast<u64>($0) & 0xfffffffflu))",
        ("i64", "u32") => "u32(bitcast<u64>($0) & 0xfffffffflu)",
        ("u64", "i32") => "bitcast<i32>(u32($0 & 0xfffffffflu))",
        ("u64", "u32") => "u32($0 & 0xfffffffflu)",
        _ => "$0",
    }
}

/// `text`, an i32 or u32, wrapped to a narrow dtype.
fn narrow(text: &str, to: DType) -> String {
    let unused = 32u32.saturating_sub(8 * to.size() as u32);
    match to.kind() {
        _ if unused == 0 => text.to_string(),
        Kind::Signed => format!("({text} << {unused}u) >> {unused}u"),
        _ => format!("{text} & {}u", u32::MAX >> unused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_floats_convert_as_the_half_crate_does() {
        for bits in 0..=u16::MAX {
            let (h, b) = (f16::from_bits(bits), bf16::from_bits(bits));
            if h.is_nan() {
                assert!(f32_from_f16(h).is_nan());
            } else {
                assert_eq!(
                    f32_from_f16(h).to_bits(),
                    h.to_f32_const().to_bits(),
                    "{bits:04x}"
                );
                assert_eq!(f16_from_f32(f32_from_f16(h)).to_bits(), bits);
            }
            if !b.is_nan() {
                assert_eq!(f32_from_bf16(b).to_bits(), b.to_f32_const().to_bits());
                assert_eq!(bf16_from_f32(f32_from_bf16(b)).to_bits(), bits);
            }
        }
        for i in 0..2_000_000u32 {
            let x = f32::from_bits(i.wrapping_mul(2_654_435_761));
            if x.is_nan() {
                assert!(f16_from_f32(x).is_nan() && bf16_from_f32(x).is_nan());
                continue;
            }
            assert_eq!(
                f16_from_f32(x).to_bits(),
                f16::from_f32_const(x).to_bits(),
                "{x:e}"
            );
            assert_eq!(
                bf16_from_f32(x).to_bits(),
                bf16::from_f32_const(x).to_bits(),
                "{x:e}"
            );
        }
    }

    #[test]
    fn halfway_cases_round_to_even_and_beyond_to_infinity() {
        for (x, bits) in [
            (65519.99f32, 0x7bffu16),
            (65520.0, 0x7c00),
            (-1e30, 0xfc00),
            (2049.0, 0x6800),
        ] {
            assert_eq!(f16_from_f32(x).to_bits(), bits, "{x}");
        }
    }

    #[test]
    fn doubles_reach_half_floats_in_one_rounding() {
        // 1 + 2^-11 lies midway between two f16; a little more rounds up, though f32 drops it.
        let x = 1.0 + 2.0f64.powi(-11);
        let c = |x: f64| -> u16 { Convert::<f16>::convert(x).to_bits() };
        assert_eq!(c(x), 0x3c00);
        assert_eq!(c(x + 2.0f64.powi(-40)), 0x3c01);
        assert_eq!(c(-(x + 2.0f64.powi(-40))), 0xbc01);
        assert_eq!(c(1e300), 0x7c00);
        assert_eq!(c(f64::NAN) & 0x7fff, 0x7e00);
        let b = |x: f64| -> u16 { Convert::<bf16>::convert(x).to_bits() };
        let y = 1.0 + 2.0f64.powi(-8);
        assert_eq!(b(y), 0x3f80);
        assert_eq!(b(y + 2.0f64.powi(-40)), 0x3f81);
    }

    #[test]
    fn floats_saturate_and_nan_is_zero() {
        let to_i8: i8 = f32::NAN.convert();
        assert_eq!(to_i8, 0);
        let cases: [(f64, i8, u8, i64, u64); 5] = [
            (300.7, 127, 255, 300, 300),
            (-300.7, -128, 0, -300, 0),
            (-0.9, 0, 0, 0, 0),
            (f64::INFINITY, 127, 255, i64::MAX, u64::MAX),
            (-1e30, -128, 0, i64::MIN, 0),
        ];
        for (x, a, b, c, d) in cases {
            let found: (i8, u8, i64, u64) = (x.convert(), x.convert(), x.convert(), x.convert());
            assert_eq!(found, (a, b, c, d), "{x}");
        }
    }
}
