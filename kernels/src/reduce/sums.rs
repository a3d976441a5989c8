//! Sums, products and means.
//!
//! Float sums keep the rounding error of every addition beside the sum (Knuth's two-sum), in f64:
//! it is free next to the memory traffic and makes the sum of 10^10 elements right to the last
//! place. Integers wrap in 64 bits, where signed and unsigned arithmetic are the same.

use super::lanes::{Rule, window};
use super::state::{Means, Sums};
use std::marker::PhantomData;

/// A float that is summed in f64.
pub(super) trait Real: Copy + Default + 'static {
    /// Exactly.
    fn wide(self) -> f64;
}

impl Real for f32 {
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
}

/// The value that joins and 1, or `instead` and 0 when it is a NaN to skip.
#[inline(always)]
pub(super) fn kept<K: Real, const SKIP: bool>(x: K, instead: f64) -> (f64, f64) {
    let x = x.wide();
    if SKIP && x.is_nan() {
        (instead, 0.0)
    } else {
        (x, 1.0)
    }
}

/// `a + b` and what its rounding lost.
#[inline(always)]
pub(super) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

/// The value of a sum and its error; an infinite sum has no error worth adding.
pub(super) fn settle(sum: f64, error: f64) -> f64 {
    if error.is_finite() && error != 0.0 && sum.is_finite() {
        sum + error
    } else {
        sum
    }
}

/// Sum of floats.
pub(super) struct Sum<K, const SKIP: bool>(PhantomData<K>);

/// `L` sums and their errors.
#[derive(Clone, Copy)]
pub(super) struct SumLanes<const L: usize> {
    sum: [f64; L],
    error: [f64; L],
}

impl<const L: usize> SumLanes<L> {
    #[inline(always)]
    fn add(&mut self, x: &[f64; L]) {
        for l in 0..L {
            let (sum, lost) = two_sum(self.sum[l], x[l]);
            self.sum[l] = sum;
            self.error[l] += lost;
        }
    }
}

impl<K: Real, const SKIP: bool> Rule for Sum<K, SKIP> {
    type Store = Sums;
    type Elem = K;
    type Lanes<const L: usize> = SumLanes<L>;
    const WIDE: bool = true;

    #[inline(always)]
    fn blank<const L: usize>() -> SumLanes<L> {
        SumLanes {
            sum: [0.0; L],
            error: [0.0; L],
        }
    }

    #[inline(always)]
    fn load<const L: usize>(store: &Sums, at: usize) -> SumLanes<L> {
        SumLanes {
            sum: window(&store.sum, at),
            error: window(&store.error, at),
        }
    }

    #[inline(always)]
    fn save<const L: usize>(store: &mut Sums, at: usize, lanes: SumLanes<L>) {
        store.sum[at..at + L].copy_from_slice(&lanes.sum);
        store.error[at..at + L].copy_from_slice(&lanes.error);
    }

    #[inline(always)]
    fn feed<const L: usize>(lanes: &mut SumLanes<L>, x: &[K; L], _index: i64, _step: i64) {
        let mut wide = [0.0; L];
        for l in 0..L {
            wide[l] = kept::<K, SKIP>(x[l], 0.0).0;
        }
        lanes.add(&wide);
    }

    #[inline(always)]
    fn merge<const L: usize>(lanes: &mut SumLanes<L>, other: &SumLanes<L>) {
        lanes.add(&other.sum);
        for l in 0..L {
            lanes.error[l] += other.error[l];
        }
    }

    #[inline(always)]
    fn pick<const L: usize, const M: usize>(lanes: &SumLanes<L>, from: usize) -> SumLanes<M> {
        SumLanes {
            sum: window(&lanes.sum, from),
            error: window(&lanes.error, from),
        }
    }
}

/// Sum and count of floats.
pub(super) struct Mean<K, const SKIP: bool>(PhantomData<K>);

/// `L` sums and counts.
#[derive(Clone, Copy)]
pub(super) struct MeanLanes<const L: usize> {
    sums: SumLanes<L>,
    count: [f64; L],
}

impl<K: Real, const SKIP: bool> Rule for Mean<K, SKIP> {
    type Store = Means;
    type Elem = K;
    type Lanes<const L: usize> = MeanLanes<L>;
    const WIDE: bool = true;

    #[inline(always)]
    fn blank<const L: usize>() -> MeanLanes<L> {
        MeanLanes {
            sums: Sum::<K, SKIP>::blank(),
            count: [0.0; L],
        }
    }

    #[inline(always)]
    fn load<const L: usize>(store: &Means, at: usize) -> MeanLanes<L> {
        MeanLanes {
            sums: Sum::<K, SKIP>::load(&store.sums, at),
            count: window(&store.count, at),
        }
    }

    #[inline(always)]
    fn save<const L: usize>(store: &mut Means, at: usize, lanes: MeanLanes<L>) {
        Sum::<K, SKIP>::save(&mut store.sums, at, lanes.sums);
        store.count[at..at + L].copy_from_slice(&lanes.count);
    }

    #[inline(always)]
    fn feed<const L: usize>(lanes: &mut MeanLanes<L>, x: &[K; L], index: i64, step: i64) {
        Sum::<K, SKIP>::feed(&mut lanes.sums, x, index, step);
        for l in 0..L {
            lanes.count[l] += kept::<K, SKIP>(x[l], 0.0).1;
        }
    }

    #[inline(always)]
    fn merge<const L: usize>(lanes: &mut MeanLanes<L>, other: &MeanLanes<L>) {
        Sum::<K, SKIP>::merge(&mut lanes.sums, &other.sums);
        for l in 0..L {
            lanes.count[l] += other.count[l];
        }
    }

    #[inline(always)]
    fn pick<const L: usize, const M: usize>(lanes: &MeanLanes<L>, from: usize) -> MeanLanes<M> {
        MeanLanes {
            sums: Sum::<K, SKIP>::pick(&lanes.sums, from),
            count: window(&lanes.count, from),
        }
    }
}

/// Product of floats.
pub(super) struct Prod<K, const SKIP: bool>(PhantomData<K>);

impl<K: Real, const SKIP: bool> Rule for Prod<K, SKIP> {
    type Store = Vec<f64>;
    type Elem = K;
    type Lanes<const L: usize> = [f64; L];
    const WIDE: bool = false;

    #[inline(always)]
    fn blank<const L: usize>() -> [f64; L] {
        [1.0; L]
    }

    #[inline(always)]
    fn load<const L: usize>(store: &Vec<f64>, at: usize) -> [f64; L] {
        window(store, at)
    }

    #[inline(always)]
    fn save<const L: usize>(store: &mut Vec<f64>, at: usize, lanes: [f64; L]) {
        store[at..at + L].copy_from_slice(&lanes);
    }

    #[inline(always)]
    fn feed<const L: usize>(lanes: &mut [f64; L], x: &[K; L], _index: i64, _step: i64) {
        for l in 0..L {
            lanes[l] *= kept::<K, SKIP>(x[l], 1.0).0;
        }
    }

    #[inline(always)]
    fn merge<const L: usize>(lanes: &mut [f64; L], other: &[f64; L]) {
        for l in 0..L {
            lanes[l] *= other[l];
        }
    }

    #[inline(always)]
    fn pick<const L: usize, const M: usize>(lanes: &[f64; L], from: usize) -> [f64; M] {
        window(lanes, from)
    }
}

/// Sum (or product) of integers, modulo 2^64.
pub(super) struct Wrapping<const PRODUCT: bool>;

impl<const PRODUCT: bool> Rule for Wrapping<PRODUCT> {
    type Store = Vec<u64>;
    type Elem = u64;
    type Lanes<const L: usize> = [u64; L];
    const WIDE: bool = true;

    #[inline(always)]
    fn blank<const L: usize>() -> [u64; L] {
        [u64::from(PRODUCT); L]
    }

    #[inline(always)]
    fn load<const L: usize>(store: &Vec<u64>, at: usize) -> [u64; L] {
        window(store, at)
    }

    #[inline(always)]
    fn save<const L: usize>(store: &mut Vec<u64>, at: usize, lanes: [u64; L]) {
        store[at..at + L].copy_from_slice(&lanes);
    }

    #[inline(always)]
    fn feed<const L: usize>(lanes: &mut [u64; L], x: &[u64; L], _index: i64, _step: i64) {
        Self::merge(lanes, x);
    }

    #[inline(always)]
    fn merge<const L: usize>(lanes: &mut [u64; L], other: &[u64; L]) {
        for l in 0..L {
            lanes[l] = if PRODUCT {
                lanes[l].wrapping_mul(other[l])
            } else {
                lanes[l].wrapping_add(other[l])
            };
        }
    }

    #[inline(always)]
    fn pick<const L: usize, const M: usize>(lanes: &[u64; L], from: usize) -> [u64; M] {
        window(lanes, from)
    }
}
