//! Variances: count, mean and the sum of squared differences from it.
//!
//! The columns of a batch are summed, as are their squares, after their first element was
//! subtracted; batches join by Chan's formula. That first element is one of at most 64, so its
//! square is at most 64 times their squared differences from their mean, and the digits that the
//! subtraction of the one from the other can lose are bounded by that. Means keep what their
//! rounding lost, so that the variance is as good for values far from zero as for values around it.

use super::elements::Real;
use super::rule::{Batch, Column, Rule, cut, list, pass, tree, window};
use super::state::Moments as Store;
use super::sums::{tally, two_sum};
use std::marker::PhantomData;

/// `L` cells.
#[derive(Clone, Copy)]
pub(super) struct MomentLanes<const L: usize> {
    pub(super) count: [f64; L],
    pub(super) mean: [f64; L],
    pub(super) rest: [f64; L],
    pub(super) squares: [f64; L],
}

impl<const L: usize> MomentLanes<L> {
    /// Moments of nothing.
    pub(super) const NONE: MomentLanes<L> = MomentLanes {
        count: [0.0; L],
        mean: [0.0; L],
        rest: [0.0; L],
        squares: [0.0; L],
    };

    #[inline(always)]
    pub(super) fn load(store: &Store, at: usize) -> MomentLanes<L> {
        MomentLanes {
            count: window(&store.count, at),
            mean: window(&store.mean, at),
            rest: window(&store.rest, at),
            squares: window(&store.squares, at),
        }
    }

    #[inline(always)]
    pub(super) fn save(&self, store: &mut Store, at: usize) {
        store.count[at..at + L].copy_from_slice(&self.count);
        store.mean[at..at + L].copy_from_slice(&self.mean);
        store.rest[at..at + L].copy_from_slice(&self.rest);
        store.squares[at..at + L].copy_from_slice(&self.squares);
    }

    /// Chan, Golub and LeVeque (1979).
    #[inline(always)]
    pub(super) fn merge(&mut self, other: &MomentLanes<L>) {
        for l in 0..L {
            let (have, more) = (self.count[l], other.count[l]);
            let weight = more / (have + more).max(1.0);
            let fresh = have == 0.0;
            let mean = if fresh { other.mean[l] } else { self.mean[l] };
            let rest = if fresh { other.rest[l] } else { self.rest[l] };
            let both = (other.mean[l] - mean) + (other.rest[l] - rest);
            let away = if more == 0.0 { 0.0 } else { both };
            let (mean, lost) = two_sum(mean, away * weight);
            self.mean[l] = mean;
            self.rest[l] = rest + lost;
            self.squares[l] += other.squares[l] + away * away * (have * weight);
            self.count[l] = have + more;
        }
    }

    #[inline(always)]
    pub(super) fn pick<const M: usize>(&self, from: usize) -> MomentLanes<M> {
        MomentLanes {
            count: window(&self.count, from),
            mean: window(&self.mean, from),
            rest: window(&self.rest, from),
            squares: window(&self.squares, from),
        }
    }

    #[inline(always)]
    pub(super) fn put(&mut self, at: usize, one: &MomentLanes<1>) {
        self.count[at] = one.count[0];
        self.mean[at] = one.mean[0];
        self.rest[at] = one.rest[0];
        self.squares[at] = one.squares[0];
    }
}

/// Sums of columns after `shift` was subtracted, and numbers of values that are skipped.
pub(super) struct MomentPart {
    shift: Column<f64>,
    sum: Column<f64>,
    squares: Column<f64>,
    skipped: Column<u32>,
}

/// Count, mean and squared differences.
pub(super) struct Moments<K, const SKIP: bool>(PhantomData<K>);

impl<K: Real, const SKIP: bool> Rule for Moments<K, SKIP> {
    type Store = Store;
    type Elem = K;
    type Lanes<const L: usize> = MomentLanes<L>;
    type Part = MomentPart;

    #[inline(always)]
    fn blank<const L: usize>() -> MomentLanes<L> {
        MomentLanes::NONE
    }

    #[inline(always)]
    fn load<const L: usize>(store: &Store, at: usize) -> MomentLanes<L> {
        MomentLanes::load(store, at)
    }

    #[inline(always)]
    fn save<const L: usize>(store: &mut Store, at: usize, lanes: MomentLanes<L>) {
        lanes.save(store, at);
    }

    #[inline(always)]
    fn merge<const L: usize>(lanes: &mut MomentLanes<L>, other: &MomentLanes<L>) {
        lanes.merge(other);
    }

    #[inline(always)]
    fn pick<const L: usize, const M: usize>(lanes: &MomentLanes<L>, from: usize) -> MomentLanes<M> {
        lanes.pick(from)
    }

    #[inline(always)]
    fn put<const L: usize>(lanes: &mut MomentLanes<L>, at: usize, one: &MomentLanes<1>) {
        lanes.put(at, one);
    }

    fn part() -> MomentPart {
        MomentPart {
            shift: [0.0; _],
            sum: [0.0; _],
            squares: [0.0; _],
            skipped: [0; _],
        }
    }

    /// The shift of a column is its first value that is not skipped; where a batch has no digits
    /// to spare, it is the mean.
    #[inline(always)]
    fn open(part: &mut MomentPart, batch: &Batch<'_, K>) {
        let columns = batch.columns;
        part.sum[..columns].fill(0.0);
        part.squares[..columns].fill(0.0);
        let shifts = &mut part.shift[..columns];
        let row = batch.row(0);
        for (shift, x) in shifts.iter_mut().zip(row) {
            *shift = x.wide();
        }
        shifts[row.len()..].fill(0.0);
        if SKIP {
            part.skipped[..columns].fill(0);
            let mut at = 1;
            while missing(shifts) && at < batch.starts.len() {
                for (shift, x) in shifts.iter_mut().zip(batch.row(at)) {
                    *shift = if shift.is_nan() { x.wide() } else { *shift };
                }
                at += 1;
            }
            for shift in shifts {
                *shift = if shift.is_nan() { 0.0 } else { *shift };
            }
        }
        if !K::SHORT {
            pass::<Self>(part, batch);
            for j in 0..columns {
                let skipped = if SKIP { part.skipped[j] } else { 0 };
                let count = batch.count(j) as f64 - f64::from(skipped);
                part.shift[j] += part.sum[j] / count.max(1.0);
            }
            part.sum[..columns].fill(0.0);
            part.squares[..columns].fill(0.0);
            part.skipped[..columns].fill(0);
        }
    }

    #[inline(always)]
    fn rows<const R: usize>(part: &mut MomentPart, rows: [&[K]; R], columns: usize) {
        if SKIP {
            tally(&mut part.skipped, rows, columns);
        }
        let rows = cut(rows, columns);
        let shift = &part.shift[..columns];
        let (sums, squares) = (&mut part.sum[..columns], &mut part.squares[..columns]);
        for j in 0..columns {
            let away: [f64; R] = list(|r| {
                let x = rows[r][j];
                let away = x.wide() - shift[j];
                if SKIP && x.missing() { 0.0 } else { away }
            });
            sums[j] += tree(away, |a, b| a + b);
            squares[j] += tree(list::<f64, R>(|r| away[r] * away[r]), |a, b| a + b);
        }
    }

    #[inline(always)]
    fn close<const L: usize>(part: &MomentPart, at: usize, batch: &Batch<'_, K>) -> MomentLanes<L> {
        let mut lanes = MomentLanes {
            count: batch.counts(at),
            ..MomentLanes::NONE
        };
        for l in 0..L {
            if SKIP {
                lanes.count[l] -= f64::from(part.skipped[at + l]);
            }
            let (sum, squares) = (part.sum[at + l], part.squares[at + l]);
            let off = sum / lanes.count[l].max(1.0);
            (lanes.mean[l], lanes.rest[l]) = two_sum(part.shift[at + l], off);
            let exact = squares - sum * off;
            // Squares beyond the range of f64 say so, unless an element was infinite itself.
            let beyond = (squares == f64::INFINITY) & sum.is_finite();
            lanes.squares[l] = if beyond {
                squares
            } else if exact < 0.0 {
                0.0
            } else {
                exact
            };
        }
        lanes
    }
}

/// Whether any is NaN.
#[inline(always)]
fn missing(values: &[f64]) -> bool {
    values.iter().fold(0, |any, x| any | u64::from(x.is_nan())) != 0
}
