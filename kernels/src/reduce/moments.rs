//! Variances: count, mean and the sum of squared differences from it.
//!
//! The columns of a batch are summed, as are their squares, after their first element was
//! subtracted; batches join by Chan's formula. That first element is one of at most 64, so its
//! square is at most 64 times their squared differences from their mean, and the digits that the
//! subtraction of the one from the other can lose are bounded by that. Along a row all columns
//! share the first element of at most 4096, so that they join by additions; that loses 12 of the 53
//! bits at most, which elements of up to 32 bits have to spare, and others are shifted by their
//! mean. Means keep what their rounding lost, so that the variance is as good for values far from
//! zero as for values around it.

use super::elements::Real;
use super::lanes::WIDTH;
use super::rule::{Batch, Column, Rule, cut, list, pass, pass_all, total, tree};
use super::state::Moments as Store;
use super::sums::{tally, two_sum};
use std::marker::PhantomData;

/// Joins two counts, means, what is to be added to those, and squared differences (Chan, Golub and
/// LeVeque 1979).
#[inline(always)]
pub(super) fn merge_moments(have: [f64; 4], more: [f64; 4]) -> [f64; 4] {
    let count = have[0] + more[0];
    let weight = more[0] / count.max(1.0);
    let fresh = have[0] == 0.0;
    let mean = if fresh { more[1] } else { have[1] };
    let rest = if fresh { more[2] } else { have[2] };
    let both = (more[1] - mean) + (more[2] - rest);
    let away = if more[0] == 0.0 { 0.0 } else { both };
    let (mean, lost) = two_sum(mean, away * weight);
    let between = away * away * (have[0] * weight);
    [count, mean, rest + lost, have[3] + (more[3] + between)]
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
    type Cell = [f64; 4];
    type Part = MomentPart;
    const JOINS: bool = true;

    #[inline(always)]
    fn merge(have: [f64; 4], more: [f64; 4]) -> [f64; 4] {
        merge_moments(have, more)
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
    fn close(part: &MomentPart, column: usize, batch: &Batch<'_, K>) -> [f64; 4] {
        let skipped = if SKIP { part.skipped[column] } else { 0 };
        let count = batch.count(column) as f64 - f64::from(skipped);
        moments(count, part.shift[column], part.sum[column], part.squares[column])
    }

    /// All columns have one shift: the first value that is not skipped, or the mean.
    #[inline(always)]
    fn start(part: &mut MomentPart, columns: usize, values: &[K]) {
        let mut shift = values[0].wide();
        if SKIP && shift.is_nan() {
            shift = first(values);
        }
        part.restart(columns, shift);
        if !K::SHORT {
            pass_all::<Self, WIDTH>(part, values);
            let [count, sum, _] = part.totals::<SKIP>(columns, values.len());
            part.restart(columns, shift + sum / count.max(1.0));
        }
    }

    #[inline(always)]
    fn joined(part: &MomentPart, columns: usize, len: usize) -> [f64; 4] {
        let [count, sum, squares] = part.totals::<SKIP>(columns, len);
        moments(count, part.shift[0], sum, squares)
    }
}

impl MomentPart {
    /// Forgets everything but that the first columns have this shift.
    #[inline(always)]
    fn restart(&mut self, columns: usize, shift: f64) {
        self.shift[..columns].fill(shift);
        self.sum[..columns].fill(0.0);
        self.squares[..columns].fill(0.0);
        self.skipped[..columns].fill(0);
    }

    /// The count and both sums of all columns of a batch of `len` elements.
    #[inline(always)]
    fn totals<const SKIP: bool>(&self, columns: usize, len: usize) -> [f64; 3] {
        let skipped = match SKIP {
            true => total(&self.skipped[..columns], |a, b| a + b),
            false => 0,
        };
        let sum = total(&self.sum[..columns], |a, b| a + b);
        let squares = total(&self.squares[..columns], |a, b| a + b);
        [len as f64 - f64::from(skipped), sum, squares]
    }
}

/// The cell of `count` values whose differences from `shift` and their squares have these sums.
#[inline(always)]
fn moments(count: f64, shift: f64, sum: f64, squares: f64) -> [f64; 4] {
    let off = sum / count.max(1.0);
    let (mean, rest) = two_sum(shift, off);
    let exact = squares - sum * off;
    // Squares beyond the range of f64 say so, unless an element was infinite itself.
    let beyond = (squares == f64::INFINITY) & (sum.abs() < f64::INFINITY);
    let least = if exact < 0.0 { 0.0 } else { exact };
    [count, mean, rest, if beyond { squares } else { least }]
}

/// The first value that is not NaN; 0 for none.
#[cold]
fn first<K: Real>(values: &[K]) -> f64 {
    let mut wide = values.iter().map(|x| x.wide());
    wide.find(|x| !x.is_nan()).unwrap_or(0.0)
}

/// Whether any is NaN.
#[inline(always)]
fn missing(values: &[f64]) -> bool {
    values.iter().fold(0, |any, x| any | u64::from(x.is_nan())) != 0
}
