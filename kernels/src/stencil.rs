//! Weighted sums of neighbouring elements: the loop of every stencil.
//!
//! One generic body, compiled once per instruction set, without fused multiply-add: the same bits
//! on each. Sums are in the type that products of matrices are computed in.

use crate::Isa;
use crate::gemm::{Factor, Ring};

/// Elements that are summed in registers.
const RUN: usize = 64;

/// Sets each element of `out` to the sum of weights times the elements at its index of the rows.
///
/// # Panics
/// When a row is not as long as `out`.
pub fn weighted_sum<T: Factor>(isa: Isa, taps: &[(&[T::Stored], T::Ring)], out: &mut [T::Stored]) {
    for (row, _) in taps {
        assert_eq!(row.len(), out.len(), "a row of another length");
    }
    #[cfg(target_arch = "x86_64")]
    match isa {
        Isa::Avx512 if isa.available() => {
            // SAFETY: `available` found AVX-512 F, DQ, BW and VL; each machine with those has AVX2.
            return unsafe { for_avx512::<T>(taps, out) };
        }
        Isa::Avx2 if isa.available() => {
            // SAFETY: `available` found AVX2.
            return unsafe { for_avx2::<T>(taps, out) };
        }
        _ => {}
    }
    let _ = isa;
    body::<T>(taps, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn for_avx2<T: Factor>(taps: &[(&[T::Stored], T::Ring)], out: &mut [T::Stored]) {
    body::<T>(taps, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512dq,avx512bw,avx512vl")]
fn for_avx512<T: Factor>(taps: &[(&[T::Stored], T::Ring)], out: &mut [T::Stored]) {
    body::<T>(taps, out);
}

#[inline(always)]
fn body<T: Factor>(taps: &[(&[T::Stored], T::Ring)], out: &mut [T::Stored]) {
    let (runs, rest) = out.as_chunks_mut::<RUN>();
    let done = runs.len() * RUN;
    for (at, run) in runs.iter_mut().enumerate() {
        let mut sums = [T::Ring::ZERO; RUN];
        for (row, weight) in taps {
            let (row, _) = row[at * RUN..].as_chunks::<RUN>();
            for (sum, &value) in sums.iter_mut().zip(&row[0]) {
                *sum = T::Ring::fma::<false>(*weight, T::widen(value), *sum);
            }
        }
        for (slot, &sum) in run.iter_mut().zip(&sums) {
            *slot = T::narrow(sum);
        }
    }
    for (i, slot) in rest.iter_mut().enumerate() {
        let add = |sum, (row, weight): &(&[T::Stored], T::Ring)| {
            T::Ring::fma::<false>(*weight, T::widen(row[done + i]), sum)
        };
        *slot = T::narrow(taps.iter().fold(T::Ring::ZERO, add));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bf16, f16};

    fn sums<T: Factor>(isa: Isa, len: usize, value: impl Fn(usize) -> T) -> Vec<T::Stored> {
        let row: Vec<T::Stored> = (0..len + 2).map(|i| value(i).store()).collect();
        let taps: Vec<(&[T::Stored], T::Ring)> = (0..3)
            .map(|k| (&row[k..k + len], T::widen(value(k + 2).store())))
            .collect();
        let mut out = vec![T::Stored::default(); len];
        weighted_sum::<T>(isa, &taps, &mut out);
        out
    }

    #[test]
    fn every_instruction_set_gives_the_sums() {
        for isa in [Isa::Baseline, Isa::Avx2, Isa::Avx512] {
            for len in [0, 1, 63, 64, 65, 200] {
                let wide = |i: usize, k: usize| (i as i64 - 90) * (k as i64 - 90);
                let want: Vec<i64> = (0..len)
                    .map(|i| (0..3).map(|k| wide(i + k, k + 2)).sum())
                    .collect();
                let f = |i: usize| i as f64 - 90.0;
                assert_eq!(
                    sums::<f64>(isa, len, f),
                    want.iter().map(|&v| v as f64).collect::<Vec<_>>()
                );
                assert_eq!(
                    sums::<f32>(isa, len, |i| f(i) as f32),
                    want.iter().map(|&v| v as f32).collect::<Vec<_>>()
                );
                assert_eq!(
                    sums::<i8>(isa, len, |i| (i as i64 - 90) as i8),
                    want.iter().map(|&v| v as i8).collect::<Vec<_>>()
                );
                assert_eq!(sums::<i64>(isa, len, |i| i as i64 - 90), want);
                let small = |i: usize| (i % 5) as f32;
                let exact: Vec<f32> = (0..len)
                    .map(|i| (0..3).map(|k| small(i + k) * small(k + 2)).sum())
                    .collect();
                let halves = sums::<f16>(isa, len, |i| f16::from_f32(small(i)));
                assert_eq!(halves.iter().map(|h| h.to_f32()).collect::<Vec<_>>(), exact);
                let halves = sums::<bf16>(isa, len, |i| bf16::from_f32(small(i)));
                assert_eq!(halves.iter().map(|h| h.to_f32()).collect::<Vec<_>>(), exact);
                let any = sums::<bool>(isa, len, |i| i % 3 == 0);
                assert!(
                    (0..len)
                        .all(|i| any[i] == u8::from((0..3).any(|k| (i + k) % 3 == 0 && (k + 2) % 3 == 0)))
                );
            }
        }
    }
}
