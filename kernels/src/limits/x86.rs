//! The vectors of x86-64, and the limit loops compiled for each instruction set.
//!
//! The loops are inlined into functions that enable the instruction set; the methods of a vector
//! are inlined into the loops before that, so no vector crosses a call.

use super::lanes::{Arithmetic, Memory};
use std::arch::x86_64::*;

/// A vector by its intrinsics.
macro_rules! arithmetic {
    ($vector:ty, $t:ty, $n:literal, $splat:ident, $add:ident, |$a:ident, $b:ident, $c:ident| $mul_add:expr) => {
        impl Arithmetic for $vector {
            const LEN: usize = $n;
            #[inline(always)]
            unsafe fn splat(value: f64) -> Self {
                // SAFETY: the machine has the instruction, by the caller's word; so below.
                unsafe { $splat(value as $t) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
                let ($a, $b, $c) = (self, factor, term);
                // SAFETY: as above.
                unsafe { $mul_add }
            }
            #[inline(always)]
            unsafe fn total(self) -> f64 {
                // SAFETY: the vector is that many plain numbers.
                let all: [$t; $n] = unsafe { std::mem::transmute(self) };
                all.iter().map(|&v| f64::from(v)).sum()
            }
        }
    };
}
arithmetic!(__m128, f32, 4, _mm_set1_ps, _mm_add_ps, |a, b, c| _mm_add_ps(
    _mm_mul_ps(a, b),
    c
));
arithmetic!(__m128d, f64, 2, _mm_set1_pd, _mm_add_pd, |a, b, c| _mm_add_pd(
    _mm_mul_pd(a, b),
    c
));
arithmetic!(__m256, f32, 8, _mm256_set1_ps, _mm256_add_ps, |a, b, c| {
    _mm256_fmadd_ps(a, b, c)
});
arithmetic!(__m256d, f64, 4, _mm256_set1_pd, _mm256_add_pd, |a, b, c| {
    _mm256_fmadd_pd(a, b, c)
});
arithmetic!(__m512, f32, 16, _mm512_set1_ps, _mm512_add_ps, |a, b, c| {
    _mm512_fmadd_ps(a, b, c)
});
arithmetic!(__m512d, f64, 8, _mm512_set1_pd, _mm512_add_pd, |a, b, c| {
    _mm512_fmadd_pd(a, b, c)
});

/// A vector's way from and to memory by its intrinsics.
macro_rules! memory {
    ($vector:ty, $load:ident, $store:ident, $stream:ident) => {
        impl Memory for $vector {
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the elements can be read, by the caller's word.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the elements can be written and are aligned, by the caller's word.
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn stream(self, to: *mut f32) {
                // SAFETY: as `store`; `fence` follows the last one.
                unsafe { $stream(to, self) }
            }
            #[inline(always)]
            unsafe fn fence() {
                // SAFETY: every x86-64 machine has it.
                unsafe { _mm_sfence() }
            }
        }
    };
}
memory!(__m128, _mm_loadu_ps, _mm_store_ps, _mm_stream_ps);
memory!(__m256, _mm256_loadu_ps, _mm256_store_ps, _mm256_stream_ps);
memory!(__m512, _mm512_loadu_ps, _mm512_store_ps, _mm512_stream_ps);

/// The loops for one instruction set.
macro_rules! loops {
    ($name:ident, $single:ty, $double:ty $(, #[$enable:meta])?) => {
        pub(super) mod $name {
            use std::arch::x86_64::*;

            /// # Safety
            /// The machine has the instruction set, here and below.
            $(#[$enable])?
            pub(in super::super) unsafe fn read(values: &[f32]) -> f32 {
                // SAFETY: the machine has it, by the caller's word; so below.
                unsafe { super::super::read_with::<$single>(values) }
            }
            /// # Safety
            /// As `read`.
            $(#[$enable])?
            pub(in super::super) unsafe fn copy(a: &[f32], out: &mut [f32], streaming: bool) {
                // SAFETY: as in `read`.
                unsafe { super::super::copy_with::<$single>(a, out, streaming) }
            }
            /// # Safety
            /// As `read`.
            $(#[$enable])?
            pub(in super::super) unsafe fn triad(a: &[f32], b: &[f32], out: &mut [f32], streaming: bool) {
                // SAFETY: as in `read`.
                unsafe { super::super::triad_with::<$single>(a, b, out, streaming) }
            }
            /// # Safety
            /// As `read`.
            $(#[$enable])?
            pub(in super::super) unsafe fn fma_f32(rounds: usize) -> f64 {
                // SAFETY: as in `read`.
                unsafe { super::super::fma_with::<$single>(rounds) }
            }
            /// # Safety
            /// As `read`.
            $(#[$enable])?
            pub(in super::super) unsafe fn fma_f64(rounds: usize) -> f64 {
                // SAFETY: as in `read`.
                unsafe { super::super::fma_with::<$double>(rounds) }
            }
        }
    };
}
loops!(baseline, __m128, __m128d);
loops!(avx2, __m256, __m256d, #[target_feature(enable = "avx2,fma")]);
loops!(avx512, __m512, __m512d, #[target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512bw,avx512vl")]);
