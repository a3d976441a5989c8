//! Fused pairs: loops for two ops of the table that stand together in most programs.
//!
//! Missing data is nearly always `where(x == fill, nan, x)`. As two ops it costs a pass and a strip
//! of bools more than its one comparison is worth. A fused loop gives the bits of its parts.

use super::strip::{Map, select};
use super::{Isa, StripFn};
use crate::DType;

/// NaN where the element equals the fill value, else the element.
struct Mask;

impl Map<(f32, f32)> for Mask {
    type Out = f32;
    #[inline(always)]
    fn at((x, fill): (f32, f32)) -> f32 {
        if x == fill { f32::NAN } else { x }
    }
}

impl Map<(f64, f64)> for Mask {
    type Out = f64;
    #[inline(always)]
    fn at((x, fill): (f64, f64)) -> f64 {
        if x == fill { f64::NAN } else { x }
    }
}

/// The loop of `where(x == fill, nan, x)` over `x` and `fill`, where there is one.
pub fn mask_kernel(dtype: DType, isa: Isa) -> Option<StripFn> {
    match dtype {
        DType::F32 => Some(select::<Mask, (f32, f32)>(isa)),
        DType::F64 => Some(select::<Mask, (f64, f64)>(isa)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fill_value_becomes_nan_and_nothing_else_does() {
        for isa in [Isa::Baseline, Isa::Avx2, Isa::Avx512] {
            let Some(kernel) = mask_kernel(DType::F32, isa) else {
                panic!("no loop")
            };
            let x = [1.0f32, -0.0, 1e20, f32::INFINITY, f32::NAN, -1e20, 1e20];
            let mut out = [0f32; 7];
            kernel(
                &[bytemuck::cast_slice(&x), bytemuck::cast_slice(&[1e20f32; 7])],
                bytemuck::cast_slice_mut(&mut out),
            );
            let bits: Vec<u32> = out.iter().map(|v| v.to_bits()).collect();
            let nan = f32::NAN.to_bits();
            let want = [
                1f32.to_bits(),
                1 << 31,
                nan,
                0x7f80_0000,
                nan,
                (-1e20f32).to_bits(),
                nan,
            ];
            assert_eq!(bits, want, "{isa:?}");
        }
        assert!(mask_kernel(DType::I16, Isa::Baseline).is_none());
    }
}
