//! Widening of stored elements to the few types that reductions run in.
//!
//! Thirteen dtypes become six loop types, so that loops are compiled six times instead of
//! thirteen. Elements already stored in the loop's type are used where they lie.

use crate::{DType, bf16, f16};
use bytemuck::Pod;

/// A type that reduction loops run in.
pub(super) trait Element: Copy + Default + 'static {
    /// The elements where they lie, if they are stored in this type and aligned.
    fn native(_dtype: DType, _values: &[u8]) -> Option<&[Self]> {
        None
    }

    /// Converts `out.len()` elements of `dtype`.
    fn widen(dtype: DType, values: &[u8], out: &mut [Self]);
}

/// Whether an element is true; NaN is.
#[derive(Clone, Copy, Default)]
pub(super) struct True(pub u8);

/// Whether an element counts when NaN is left out.
#[derive(Clone, Copy, Default)]
pub(super) struct Valid(pub u8);

/// Converts elements stored as `S`, which need not be aligned.
fn each<S: Pod, K>(values: &[u8], out: &mut [K], convert: impl Fn(S) -> K) {
    for (slot, bytes) in out.iter_mut().zip(values.chunks_exact(size_of::<S>())) {
        *slot = convert(bytemuck::pod_read_unaligned(bytes));
    }
}

/// A half float in single precision, without branches: the bits are moved into place and the
/// exponent's bias is corrected by a multiplication, which also normalises subnormals.
fn half_to_single(x: f16) -> f32 {
    let bits = u32::from(x.to_bits());
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
    let special = if (bits & 0x7c00) == 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(magnitude.to_bits() | special | ((bits & 0x8000) << 16))
}

/// Elements of an integer dtype or bool modulo 2^64.
fn integers(dtype: DType, values: &[u8], out: &mut [i64]) {
    match dtype {
        DType::Bool => each(values, out, |x: u8| i64::from(x != 0)),
        DType::I8 => each(values, out, |x: i8| i64::from(x)),
        DType::I16 => each(values, out, |x: i16| i64::from(x)),
        DType::I32 => each(values, out, |x: i32| i64::from(x)),
        DType::I64 => each(values, out, |x: i64| x),
        DType::U8 => each(values, out, |x: u8| i64::from(x)),
        DType::U16 => each(values, out, |x: u16| i64::from(x)),
        DType::U32 => each(values, out, |x: u32| i64::from(x)),
        DType::U64 => each(values, out, |x: u64| x as i64),
        _ => debug_assert!(false, "{dtype} is not reduced as an integer"),
    }
}

impl Element for i64 {
    fn native(dtype: DType, values: &[u8]) -> Option<&[i64]> {
        (dtype == DType::I64)
            .then(|| bytemuck::try_cast_slice(values).ok())
            .flatten()
    }

    fn widen(dtype: DType, values: &[u8], out: &mut [i64]) {
        integers(dtype, values, out);
    }
}

impl Element for u64 {
    fn native(dtype: DType, values: &[u8]) -> Option<&[u64]> {
        matches!(dtype, DType::I64 | DType::U64)
            .then(|| bytemuck::try_cast_slice(values).ok())
            .flatten()
    }

    fn widen(dtype: DType, values: &[u8], out: &mut [u64]) {
        integers(dtype, values, bytemuck::cast_slice_mut(out));
    }
}

impl Element for f32 {
    fn native(dtype: DType, values: &[u8]) -> Option<&[f32]> {
        (dtype == DType::F32)
            .then(|| bytemuck::try_cast_slice(values).ok())
            .flatten()
    }

    fn widen(dtype: DType, values: &[u8], out: &mut [f32]) {
        match dtype {
            DType::F16 => each(values, out, half_to_single),
            DType::BF16 => each(values, out, |x: bf16| {
                f32::from_bits(u32::from(x.to_bits()) << 16)
            }),
            DType::F32 => each(values, out, |x: f32| x),
            _ => debug_assert!(false, "{dtype} is not reduced in single precision"),
        }
    }
}

impl Element for f64 {
    fn native(dtype: DType, values: &[u8]) -> Option<&[f64]> {
        (dtype == DType::F64)
            .then(|| bytemuck::try_cast_slice(values).ok())
            .flatten()
    }

    fn widen(dtype: DType, values: &[u8], out: &mut [f64]) {
        match dtype {
            DType::Bool => each(values, out, |x: u8| f64::from(u8::from(x != 0))),
            DType::I8 => each(values, out, |x: i8| f64::from(x)),
            DType::I16 => each(values, out, |x: i16| f64::from(x)),
            DType::I32 => each(values, out, |x: i32| f64::from(x)),
            DType::I64 => each(values, out, |x: i64| x as f64),
            DType::U8 => each(values, out, |x: u8| f64::from(x)),
            DType::U16 => each(values, out, |x: u16| f64::from(x)),
            DType::U32 => each(values, out, |x: u32| f64::from(x)),
            DType::U64 => each(values, out, |x: u64| x as f64),
            DType::F16 => each(values, out, |x: f16| f64::from(half_to_single(x))),
            DType::BF16 => each(values, out, |x: bf16| {
                f64::from(f32::from_bits(u32::from(x.to_bits()) << 16))
            }),
            DType::F32 => each(values, out, |x: f32| f64::from(x)),
            DType::F64 => each(values, out, |x: f64| x),
        }
    }
}

impl Element for True {
    fn widen(dtype: DType, values: &[u8], out: &mut [True]) {
        // Everything but a float zero is true exactly when a bit is set; a float's sign does not count.
        match dtype {
            DType::Bool | DType::I8 | DType::U8 => each(values, out, |x: u8| True(u8::from(x != 0))),
            DType::I16 | DType::U16 => each(values, out, |x: u16| True(u8::from(x != 0))),
            DType::I32 | DType::U32 => each(values, out, |x: u32| True(u8::from(x != 0))),
            DType::I64 | DType::U64 => each(values, out, |x: u64| True(u8::from(x != 0))),
            DType::F16 | DType::BF16 => each(values, out, |x: u16| True(u8::from(x << 1 != 0))),
            DType::F32 => each(values, out, |x: u32| True(u8::from(x << 1 != 0))),
            DType::F64 => each(values, out, |x: u64| True(u8::from(x << 1 != 0))),
        }
    }
}

impl Element for Valid {
    fn widen(dtype: DType, values: &[u8], out: &mut [Valid]) {
        match dtype {
            DType::F16 => each(values, out, |x: u16| Valid(u8::from(x & 0x7fff <= 0x7c00))),
            DType::BF16 => each(values, out, |x: u16| Valid(u8::from(x & 0x7fff <= 0x7f80))),
            DType::F32 => each(values, out, |x: f32| Valid(u8::from(!x.is_nan()))),
            DType::F64 => each(values, out, |x: f64| Valid(u8::from(!x.is_nan()))),
            _ => out.fill(Valid(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_float_widens_to_itself() {
        for bits in 0..=u16::MAX {
            let half = f16::from_bits(bits);
            let (got, want) = (half_to_single(half), half.to_f32());
            assert!(
                got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan()),
                "{bits:#x}: {got} is not {want}"
            );
            let mut valid = [Valid(0)];
            Valid::widen(DType::F16, &bits.to_le_bytes(), &mut valid);
            assert_eq!(valid[0].0 == 1, !half.is_nan());
            let mut truth = [True(0)];
            True::widen(DType::F16, &bits.to_le_bytes(), &mut truth);
            assert_eq!(truth[0].0 == 1, want != 0.0);
        }
    }
}
