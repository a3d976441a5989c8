//! Variances: count, mean and the sum of squared differences from it.
//!
//! A block of up to eight rows is summed, then its squared differences from its own mean are;
//! blocks join by Chan's formula. So a division is paid once per block instead of once per
//! element as in Welford's form. Means keep what their rounding lost, so that the variance is
//! as good for values far from zero as for values around it.

use super::lanes::{Rule, window};
use super::state::Moments as Store;
use super::sums::{Real, kept, two_sum};
use std::hint::black_box;
use std::marker::PhantomData;

/// Count, mean and squared differences of floats.
pub(super) struct Moments<K, const SKIP: bool>(PhantomData<K>);

/// `L` cells.
#[derive(Clone, Copy)]
pub(super) struct MomentLanes<const L: usize> {
    count: [f64; L],
    mean: [f64; L],
    rest: [f64; L],
    squares: [f64; L],
}

impl<K: Real, const SKIP: bool> Rule for Moments<K, SKIP> {
    type Store = Store;
    type Elem = K;
    type Lanes<const L: usize> = MomentLanes<L>;
    const WIDE: bool = true;

    #[inline(always)]
    fn blank<const L: usize>() -> MomentLanes<L> {
        MomentLanes {
            count: [0.0; L],
            mean: [0.0; L],
            rest: [0.0; L],
            squares: [0.0; L],
        }
    }

    #[inline(always)]
    fn load<const L: usize>(store: &Store, at: usize) -> MomentLanes<L> {
        MomentLanes {
            count: window(&store.count, at),
            mean: window(&store.mean, at),
            rest: window(&store.rest, at),
            squares: window(&store.squares, at),
        }
    }

    #[inline(always)]
    fn save<const L: usize>(store: &mut Store, at: usize, lanes: MomentLanes<L>) {
        store.count[at..at + L].copy_from_slice(&lanes.count);
        store.mean[at..at + L].copy_from_slice(&lanes.mean);
        store.rest[at..at + L].copy_from_slice(&lanes.rest);
        store.squares[at..at + L].copy_from_slice(&lanes.squares);
    }

    #[inline(always)]
    fn feed<const L: usize>(lanes: &mut MomentLanes<L>, x: &[K; L], index: i64, step: i64) {
        Self::feed_block(lanes, x, &[0], &[index], step);
    }

    #[inline(always)]
    fn feed_block<const L: usize>(
        lanes: &mut MomentLanes<L>,
        values: &[K],
        starts: &[usize],
        _indices: &[i64],
        _step: i64,
    ) {
        let mut count = [starts.len() as f64; L];
        let mut mean = [0.0; L];
        if SKIP {
            count = [0.0; L];
        }
        for &start in starts {
            let x: [K; L] = window(values, start);
            for l in 0..L {
                let (x, one) = kept::<K, SKIP>(x[l], 0.0);
                mean[l] += x;
                if SKIP {
                    count[l] += one;
                }
            }
        }
        // The block's mean may be off a little: what it is off by is found below.
        let mut share = [1.0 / (starts.len() as f64).max(1.0); L];
        for l in 0..L {
            if SKIP {
                share[l] = 1.0 / count[l].max(1.0);
            }
            mean[l] *= share[l];
        }
        // Stores between the passes are what the compiler vectorises each of them from.
        let mean = black_box(mean);
        let (mut rest, mut squares) = ([0.0; L], [0.0; L]);
        for &start in starts {
            let x: [K; L] = window(values, start);
            for l in 0..L {
                let away = kept::<K, SKIP>(x[l], mean[l]).0 - mean[l];
                rest[l] += away;
                squares[l] += away * away;
            }
        }
        // The differences from the exact mean are smaller by what the rounded one is off.
        for l in 0..L {
            let off = rest[l] * share[l];
            let exact = squares[l] - rest[l] * off;
            squares[l] = if exact < 0.0 { 0.0 } else { exact };
            rest[l] = off;
        }
        let block = MomentLanes {
            count,
            mean,
            rest: black_box(rest),
            squares: black_box(squares),
        };
        Self::merge(lanes, &block);
    }

    #[inline(always)]
    fn merge<const L: usize>(lanes: &mut MomentLanes<L>, other: &MomentLanes<L>) {
        // Small loops that end in stores, for the same reason as above.
        let (mut weight, mut away) = ([0.0; L], [0.0; L]);
        for l in 0..L {
            weight[l] = other.count[l] / (lanes.count[l] + other.count[l]).max(1.0);
        }
        let weight = black_box(weight);
        for l in 0..L {
            let fresh = lanes.count[l] == 0.0;
            lanes.mean[l] = if fresh { other.mean[l] } else { lanes.mean[l] };
            lanes.rest[l] = if fresh { other.rest[l] } else { lanes.rest[l] };
            let both = (other.mean[l] - lanes.mean[l]) + (other.rest[l] - lanes.rest[l]);
            away[l] = if other.count[l] == 0.0 { 0.0 } else { both };
        }
        let away = black_box(away);
        for l in 0..L {
            let (mean, lost) = two_sum(lanes.mean[l], away[l] * weight[l]);
            lanes.mean[l] = mean;
            lanes.rest[l] += lost;
            let between = away[l] * away[l] * (lanes.count[l] * weight[l]);
            lanes.squares[l] += other.squares[l] + between;
            lanes.count[l] += other.count[l];
        }
    }

    #[inline(always)]
    fn pick<const L: usize, const M: usize>(lanes: &MomentLanes<L>, from: usize) -> MomentLanes<M> {
        MomentLanes {
            count: window(&lanes.count, from),
            mean: window(&lanes.mean, from),
            rest: window(&lanes.rest, from),
            squares: window(&lanes.squares, from),
        }
    }
}
