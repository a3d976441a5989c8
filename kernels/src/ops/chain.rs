//! Chains: one loop for a sum of many terms, as stencils and weighted means are written.
//!
//! `u + 0.1 * (n + s + w + e - 4 * u)` is a chain of seven ops. Op by op each costs a pass through
//! the first-level cache, which takes longer than its arithmetic; as one loop the sum stays in a
//! register. Every product and every sum is rounded as it stands and nothing is contracted, so the
//! bits are those of the ops: a difference is the sum with the negated term, and a factor of ±1 is
//! exact.

use super::strip::{Load, Map, select};
use super::{Isa, StripFn};
use crate::{DType, Element};
use bytemuck::Pod;
use std::ops::{Add, Mul};

/// Most terms of a chain.
pub const MOST_TERMS: usize = 8;

/// A chain of terms: `(((w₀x₀ + w₁x₁) + …) · inner + wₙxₙ) · outer`, the terms added in their order
/// and all but the last before `inner` is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The weight of each term.
    pub weights: Vec<f64>,
    /// What multiplies the sum of all terms but the last.
    pub inner: f64,
    /// What multiplies the whole.
    pub outer: f64,
}

impl Chain {
    /// The loop over the terms and then [`factors`](Chain::factors), for 2 to [`MOST_TERMS`] terms
    /// of f32 or f64.
    pub fn kernel(&self, dtype: DType, isa: Isa) -> Option<StripFn> {
        match dtype {
            DType::F32 => of_terms::<f32>(self.weights.len(), isa),
            DType::F64 => of_terms::<f64>(self.weights.len(), isa),
            _ => None,
        }
    }

    /// The last argument of the loop: weights, `inner` and `outer` in the dtype. Factors that are
    /// values of the dtype are kept as they are.
    pub fn factors(&self, dtype: DType) -> Vec<u8> {
        let all = self.weights.iter().chain([&self.inner, &self.outer]);
        match dtype {
            DType::F32 => all.flat_map(|&f| (f as f32).to_ne_bytes()).collect(),
            _ => all.flat_map(|&f| f.to_ne_bytes()).collect(),
        }
    }
}

/// A float that terms are made of.
trait Real: Element<Stored = Self> + Pod + Add<Output = Self> + Mul<Output = Self> {}

impl Real for f32 {}
impl Real for f64 {}

fn of_terms<T: Real>(terms: usize, isa: Isa) -> Option<StripFn> {
    match terms {
        2 => Some(select::<Sum, Terms<T, 2>>(isa)),
        3 => Some(select::<Sum, Terms<T, 3>>(isa)),
        4 => Some(select::<Sum, Terms<T, 4>>(isa)),
        5 => Some(select::<Sum, Terms<T, 5>>(isa)),
        6 => Some(select::<Sum, Terms<T, 6>>(isa)),
        7 => Some(select::<Sum, Terms<T, 7>>(isa)),
        8 => Some(select::<Sum, Terms<T, 8>>(isa)),
        _ => None,
    }
}

/// One element of each term, and the factors.
struct Terms<T, const N: usize> {
    values: [T; N],
    weights: [T; N],
    inner: T,
    outer: T,
}

impl<T: Real, const N: usize> Load for Terms<T, N> {
    type Strips<'a> = ([&'a [T]; N], [T; N], T, T);

    #[inline(always)]
    fn open<'a>(args: &[&'a [u8]], first: usize, n: usize) -> Self::Strips<'a> {
        let size = size_of::<T>();
        let factor = |i: usize| bytemuck::pod_read_unaligned::<T>(&args[N][i * size..][..size]);
        (
            std::array::from_fn(|term| &bytemuck::cast_slice(args[term])[first..][..n]),
            std::array::from_fn(factor),
            factor(N),
            factor(N + 1),
        )
    }

    #[inline(always)]
    fn get((strips, weights, inner, outer): &Self::Strips<'_>, i: usize) -> Self {
        Terms {
            values: std::array::from_fn(|term| strips[term][i]),
            weights: *weights,
            inner: *inner,
            outer: *outer,
        }
    }
}

/// The value of a chain.
struct Sum;

impl<T: Real, const N: usize> Map<Terms<T, N>> for Sum {
    type Out = T;
    #[inline(always)]
    fn at(terms: Terms<T, N>) -> T {
        let term = |i: usize| terms.weights[i] * terms.values[i];
        let mut sum = term(0);
        for i in 1..N - 1 {
            sum = sum + term(i);
        }
        (sum * terms.inner + term(N - 1)) * terms.outer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of all sizes with signed zeros, infinities and NaN among them.
    fn sample(seed: u32) -> Vec<f32> {
        let edges = [
            0.0,
            -0.0,
            f32::INFINITY,
            -f32::INFINITY,
            f32::NAN,
            f32::MAX,
            1e-45,
            1.0,
        ];
        let drawn = |i: u32| f32::from_bits((i ^ seed).wrapping_mul(2_654_435_761));
        let varied = (0..300).map(move |i| edges[((i * seed) % 8) as usize]);
        varied.chain((0..477).map(drawn)).collect()
    }

    #[test]
    fn a_chain_gives_the_bits_of_its_ops() {
        for terms in 2..=MOST_TERMS {
            let strips: Vec<Vec<f32>> = (0..terms as u32).map(|t| sample(2 * t + 1)).collect();
            for (inner, outer) in [(1.0, 1.0), (f64::from(0.1f32), 1.0), (-1.0, -2.5)] {
                let weights = (0..terms).map(|t| [1.0, -1.0, -4.0, f64::from(0.3f32)][t % 4]);
                let chain = Chain {
                    weights: weights.collect(),
                    inner,
                    outer,
                };
                let want: Vec<f32> = (0..777)
                    .map(|i| {
                        let term = |t: usize| match chain.weights[t] {
                            1.0 => strips[t][i],
                            w => w as f32 * strips[t][i],
                        };
                        let mut sum = term(0);
                        (1..terms - 1).for_each(|t| sum += term(t));
                        (sum * inner as f32 + term(terms - 1)) * outer as f32
                    })
                    .collect();
                let factors = chain.factors(DType::F32);
                let mut args: Vec<&[u8]> = strips.iter().map(|s| bytemuck::cast_slice(s)).collect();
                args.push(&factors);
                for isa in [Isa::Baseline, Isa::Avx2, Isa::Avx512] {
                    let mut got = vec![0f32; 777];
                    chain.kernel(DType::F32, isa).unwrap()(&args, bytemuck::cast_slice_mut(&mut got));
                    for (i, (g, w)) in got.iter().zip(&want).enumerate() {
                        let equal = g.to_bits() == w.to_bits() || (g.is_nan() && w.is_nan());
                        assert!(equal, "{isa:?} {terms} terms at {i}: {g:e}, not {w:e}");
                    }
                }
            }
        }
    }

    #[test]
    fn doubles_have_chains_and_others_none() {
        let chain = Chain {
            weights: vec![1.0, 1.0, -2.0],
            inner: 1.0,
            outer: 0.5,
        };
        let (a, b, c) = ([1.0f64, -0.0], [2.0f64, -0.0], [0.1f64, 0.0]);
        let factors = chain.factors(DType::F64);
        let args = [
            bytemuck::cast_slice(&a),
            bytemuck::cast_slice(&b),
            bytemuck::cast_slice(&c),
            &factors,
        ];
        let mut got = [0f64; 2];
        chain.kernel(DType::F64, Isa::Baseline).unwrap()(&args, bytemuck::cast_slice_mut(&mut got));
        assert_eq!(got.map(f64::to_bits), [1.4f64.to_bits(), (-0.0f64).to_bits()]);
        assert!(chain.kernel(DType::I32, Isa::Baseline).is_none());
        let nine = Chain {
            weights: vec![1.0; 9],
            ..chain
        };
        assert!(nine.kernel(DType::F32, Isa::Baseline).is_none());
    }
}
