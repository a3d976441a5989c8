//! Fused pairs: loops for two ops of the table that stand together in most programs.
//!
//! Missing data is nearly always `where(x == fill, nan, x)`. As two ops it costs a pass and a strip
//! of bools more than its one comparison is worth. Sums, differences and products of floats come in
//! chains, where each op is cheaper than its pass. A fused loop gives the bits of its parts: each
//! part is rounded, nothing is contracted.

use super::strip::{Map, select};
use super::{Isa, StripFn};
use crate::{DType, Element};
use std::marker::PhantomData;
use std::ops::{Add, Mul, Sub};

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

/// One step of a chain.
trait Link<T> {
    fn of(chain: T, next: T) -> T;
}

struct Plus;
struct Minus;
struct Rest;
struct Times;

impl<T: Add<Output = T>> Link<T> for Plus {
    #[inline(always)]
    fn of(chain: T, next: T) -> T {
        chain + next
    }
}

impl<T: Sub<Output = T>> Link<T> for Minus {
    #[inline(always)]
    fn of(chain: T, next: T) -> T {
        chain - next
    }
}

impl<T: Sub<Output = T>> Link<T> for Rest {
    #[inline(always)]
    fn of(chain: T, next: T) -> T {
        next - chain
    }
}

impl<T: Mul<Output = T>> Link<T> for Times {
    #[inline(always)]
    fn of(chain: T, next: T) -> T {
        chain * next
    }
}

/// Two steps, one after the other.
struct Pair<A, B>(PhantomData<(A, B)>);

impl<T: Element, A: Link<T>, B: Link<T>> Map<(T, T, T)> for Pair<A, B> {
    type Out = T;
    #[inline(always)]
    fn at((a, b, c): (T, T, T)) -> T {
        B::of(A::of(a, b), c)
    }
}

/// The loop of `second(first(a, b), c)` over `a`, `b` and `c` for the ops of those names, or of
/// `second(c, first(a, b))` when `flipped`, where there is one: sums, differences and products of
/// f32 or f64.
pub fn pair_kernel(first: &str, second: &str, flipped: bool, dtype: DType, isa: Isa) -> Option<StripFn> {
    match dtype {
        DType::F32 => pair::<f32>(first, second, flipped, isa),
        DType::F64 => pair::<f64>(first, second, flipped, isa),
        _ => None,
    }
}

fn pair<T>(first: &str, second: &str, flipped: bool, isa: Isa) -> Option<StripFn>
where
    T: Element + Add<Output = T> + Sub<Output = T> + Mul<Output = T>,
{
    match first {
        "add" => then::<T, Plus>(second, flipped, isa),
        "subtract" => then::<T, Minus>(second, flipped, isa),
        "multiply" => then::<T, Times>(second, flipped, isa),
        _ => None,
    }
}

fn then<T, A: Link<T>>(second: &str, flipped: bool, isa: Isa) -> Option<StripFn>
where
    T: Element + Add<Output = T> + Sub<Output = T> + Mul<Output = T>,
{
    match (second, flipped) {
        ("add", _) => Some(select::<Pair<A, Plus>, (T, T, T)>(isa)),
        ("multiply", _) => Some(select::<Pair<A, Times>, (T, T, T)>(isa)),
        ("subtract", false) => Some(select::<Pair<A, Minus>, (T, T, T)>(isa)),
        ("subtract", true) => Some(select::<Pair<A, Rest>, (T, T, T)>(isa)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Op;

    #[test]
    fn a_pair_gives_the_bits_of_its_ops() {
        let sample = |seed: u32| -> Vec<f32> {
            let edges = [0.0, -0.0, f32::INFINITY, f32::MAX, 1e-45, -3.5e-39, 1.0];
            let drawn = |i: u32| f32::from_bits((i ^ seed).wrapping_mul(2_654_435_761));
            let finite = (0..777).map(drawn).filter(|v| !v.is_nan());
            edges
                .into_iter()
                .cycle()
                .skip(seed as usize)
                .take(49)
                .chain(finite)
                .take(700)
                .collect()
        };
        let (a, b, c) = (sample(1), sample(5), sample(9));
        let wide = |x: &[f32]| x.iter().map(|&v| f64::from(v) * 1.1).collect::<Vec<f64>>();
        let (wa, wb, wc) = (wide(&a), wide(&b), wide(&c));
        let narrow: [&[u8]; 3] = [&a, &b, &c].map(|x| bytemuck::cast_slice(x));
        let wide: [&[u8]; 3] = [&wa, &wb, &wc].map(|x| bytemuck::cast_slice(x));
        let names = ["add", "subtract", "multiply"];
        for isa in [Isa::Baseline, Isa::Avx2, Isa::Avx512] {
            for (dtype, args, bytes) in [(DType::F32, narrow, 2800), (DType::F64, wide, 5600)] {
                for (first, second, flipped) in names
                    .iter()
                    .flat_map(|f| names.iter().flat_map(move |s| [(f, s, false), (f, s, true)]))
                {
                    let op = |name| (Op::find(name).unwrap().kernel)(&[dtype; 2], Isa::Baseline).unwrap();
                    let mut words = vec![[0u64; 700]; 3];
                    let mut strips = words
                        .iter_mut()
                        .map(|w| &mut bytemuck::cast_slice_mut(w)[..bytes]);
                    let (inner, want, got) = (
                        strips.next().unwrap(),
                        strips.next().unwrap(),
                        strips.next().unwrap(),
                    );
                    op(first)(&args[..2], inner);
                    let pair: [&[u8]; 2] = if flipped {
                        [args[2], inner]
                    } else {
                        [inner, args[2]]
                    };
                    op(second)(&pair, want);
                    pair_kernel(first, second, flipped, dtype, isa).unwrap()(&args, got);
                    for (at, (w, g)) in want
                        .chunks(dtype.size())
                        .zip(got.chunks(dtype.size()))
                        .enumerate()
                    {
                        let nan = |b: &[u8]| crate::Scalar::from_bytes(dtype, b).to_f64().is_nan();
                        assert!(
                            w == g || (nan(w) && nan(g)),
                            "{isa:?} {dtype} {first} {second} {flipped} at {at}"
                        );
                    }
                }
            }
        }
        assert!(pair_kernel("add", "add", false, DType::I32, Isa::Baseline).is_none());
        assert!(pair_kernel("divide", "add", false, DType::F32, Isa::Baseline).is_none());
    }

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
