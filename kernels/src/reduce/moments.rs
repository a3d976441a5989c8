//! Variances: count, mean and the sum of squared differences from it.
//!
//! A block of up to eight rows is summed, then its squared differences from its own mean are;
//! blocks join by Chan's formula. So a division is paid once per block instead of once per
//! element as in Welford's form. Means keep what their rounding lost, so that the variance is
//! as good for values far from zero as for values around it.

use super::lanes::{Rule, window};
use super::state::Moments as Store;
use super::sums::{Real, kept, two_sum};
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
        let mut block = Self::blank::<L>();
        for &start in starts {
            let x: [K; L] = window(values, start);
            for l in 0..L {
                let (x, one) = kept::<K, SKIP>(x[l], 0.0);
                block.mean[l] += x;
                block.count[l] += one;
            }
        }
        for l in 0..L {
            block.mean[l] /= block.count[l].max(1.0);
        }
        for &start in starts {
            let x: [K; L] = window(values, start);
            for l in 0..L {
                let away = kept::<K, SKIP>(x[l], block.mean[l]).0 - block.mean[l];
                block.rest[l] += away;
                block.squares[l] += away * away;
            }
        }
        // The differences from the exact mean are smaller by what the rounded one is off.
        for l in 0..L {
            let off = block.rest[l] / block.count[l].max(1.0);
            let squares = block.squares[l] - block.rest[l] * off;
            block.squares[l] = if squares < 0.0 { 0.0 } else { squares };
            block.rest[l] = off;
        }
        Self::merge(lanes, &block);
    }

    #[inline(always)]
    fn merge<const L: usize>(lanes: &mut MomentLanes<L>, other: &MomentLanes<L>) {
        for l in 0..L {
            let count = lanes.count[l] + other.count[l];
            let away = (other.mean[l] - lanes.mean[l]) + (other.rest[l] - lanes.rest[l]);
            let weight = other.count[l] / count.max(1.0);
            let (mean, lost) = two_sum(lanes.mean[l], away * weight);
            let rest = lanes.rest[l] + lost;
            let squares = lanes.squares[l] + other.squares[l] + away * away * (lanes.count[l] * weight);
            let (fresh, nothing) = (lanes.count[l] == 0.0, other.count[l] == 0.0);
            let choose = |both: f64, old: f64, new: f64| {
                if nothing {
                    old
                } else if fresh {
                    new
                } else {
                    both
                }
            };
            lanes.mean[l] = choose(mean, lanes.mean[l], other.mean[l]);
            lanes.rest[l] = choose(rest, lanes.rest[l], other.rest[l]);
            lanes.squares[l] = choose(squares, lanes.squares[l], other.squares[l]);
            lanes.count[l] = count;
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
