//! Sums, products and means of floats.
//!
//! Sums keep the rounding error of every addition beside the sum (Knuth's two-sum), in f64: it is
//! free next to the memory traffic and makes the sum of 10^10 elements right to the last place.
//! Elements of up to 32 bits are added as they are within a batch: their sum has bits to spare in
//! f64.

use super::elements::Real;
use super::rule::{Batch, Column, Rule, cut, list, total, tree};
use super::state::{Means, Sums};
use std::marker::PhantomData;

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

/// The value, or `instead` for what is left out.
#[inline(always)]
fn kept<K: Real, const SKIP: bool>(x: K, instead: f64) -> f64 {
    if SKIP && x.missing() { instead } else { x.wide() }
}

/// Joins two sums and their errors.
#[inline(always)]
pub(super) fn merge_sums(have: [f64; 2], more: [f64; 2]) -> [f64; 2] {
    let (sum, lost) = two_sum(have[0], more[0]);
    [sum, (have[1] + lost) + more[1]]
}

/// Joins two sums, their errors and counts.
#[inline(always)]
pub(super) fn merge_means(have: [f64; 3], more: [f64; 3]) -> [f64; 3] {
    let [sum, error] = merge_sums([have[0], have[1]], [more[0], more[1]]);
    [sum, error, have[2] + more[2]]
}

/// Sums of columns and their errors.
pub(super) struct SumPart {
    sum: Column<f64>,
    error: Column<f64>,
}

impl SumPart {
    fn new() -> SumPart {
        SumPart {
            sum: [0.0; _],
            error: [0.0; _],
        }
    }

    #[inline(always)]
    fn open<K: Real>(&mut self, columns: usize) {
        self.sum[..columns].fill(0.0);
        if !K::SHORT {
            self.error[..columns].fill(0.0);
        }
    }

    #[inline(always)]
    fn close<K: Real>(&self, column: usize) -> [f64; 2] {
        let error = if K::SHORT { 0.0 } else { self.error[column] };
        [self.sum[column], error]
    }

    /// Joins rows; what is skipped counts as 0.
    #[inline(always)]
    fn rows<K: Real, const R: usize>(&mut self, rows: [&[K]; R], columns: usize, value: impl Fn(K) -> f64) {
        let rows = cut(rows, columns);
        let (sums, errors) = (&mut self.sum[..columns], &mut self.error[..columns]);
        for j in 0..columns {
            let x: [f64; R] = list(|r| value(rows[r][j]));
            if K::SHORT {
                sums[j] += tree(x, |a, b| a + b);
            } else {
                let (mut sum, mut error) = (sums[j], errors[j]);
                for x in x {
                    let (next, lost) = two_sum(sum, x);
                    sum = next;
                    error += lost;
                }
                sums[j] = sum;
                errors[j] = error;
            }
        }
    }
}

/// Sum of floats.
pub(super) struct Sum<K, const SKIP: bool>(PhantomData<K>);

impl<K: Real, const SKIP: bool> Rule for Sum<K, SKIP> {
    type Store = Sums;
    type Elem = K;
    type Cell = [f64; 2];
    type Part = SumPart;
    const JOINS: bool = K::SHORT;

    #[inline(always)]
    fn merge(have: [f64; 2], more: [f64; 2]) -> [f64; 2] {
        merge_sums(have, more)
    }

    fn part() -> SumPart {
        SumPart::new()
    }

    #[inline(always)]
    fn open(part: &mut SumPart, batch: &Batch<'_, K>) {
        part.open::<K>(batch.columns);
    }

    #[inline(always)]
    fn rows<const R: usize>(part: &mut SumPart, rows: [&[K]; R], columns: usize) {
        part.rows(rows, columns, |x| kept::<K, SKIP>(x, 0.0));
    }

    #[inline(always)]
    fn close(part: &SumPart, column: usize, _: &Batch<'_, K>) -> [f64; 2] {
        part.close::<K>(column)
    }

    #[inline(always)]
    fn start(part: &mut SumPart, columns: usize, _: &[K]) {
        part.open::<K>(columns);
    }

    #[inline(always)]
    fn joined(part: &SumPart, columns: usize, _: usize) -> [f64; 2] {
        [total(&part.sum[..columns], |a, b| a + b), 0.0]
    }
}

/// Sums of columns and numbers of values that are skipped.
pub(super) struct MeanPart {
    sums: SumPart,
    skipped: Column<u32>,
}

impl MeanPart {
    #[inline(always)]
    fn open<K: Real, const SKIP: bool>(&mut self, columns: usize) {
        self.sums.open::<K>(columns);
        if SKIP {
            self.skipped[..columns].fill(0);
        }
    }
}

/// Sum and count of floats.
pub(super) struct Mean<K, const SKIP: bool>(PhantomData<K>);

impl<K: Real, const SKIP: bool> Rule for Mean<K, SKIP> {
    type Store = Means;
    type Elem = K;
    type Cell = [f64; 3];
    type Part = MeanPart;
    const JOINS: bool = K::SHORT;

    #[inline(always)]
    fn merge(have: [f64; 3], more: [f64; 3]) -> [f64; 3] {
        merge_means(have, more)
    }

    fn part() -> MeanPart {
        MeanPart {
            sums: SumPart::new(),
            skipped: [0; _],
        }
    }

    #[inline(always)]
    fn open(part: &mut MeanPart, batch: &Batch<'_, K>) {
        part.open::<K, SKIP>(batch.columns);
    }

    #[inline(always)]
    fn rows<const R: usize>(part: &mut MeanPart, rows: [&[K]; R], columns: usize) {
        if !SKIP || !K::SHORT {
            part.sums.rows(rows, columns, |x| kept::<K, SKIP>(x, 0.0));
            if SKIP {
                tally(&mut part.skipped, rows, columns);
            }
            return;
        }
        let rows = cut(rows, columns);
        let (sums, counts) = (&mut part.sums.sum[..columns], &mut part.skipped[..columns]);
        for j in 0..columns {
            let x: [f64; R] = list(|r| kept::<K, true>(rows[r][j], 0.0));
            let missing: [u32; R] = list(|r| u32::from(rows[r][j].missing()));
            sums[j] += tree(x, |a, b| a + b);
            counts[j] += tree(missing, |a, b| a + b);
        }
    }

    #[inline(always)]
    fn close(part: &MeanPart, column: usize, batch: &Batch<'_, K>) -> [f64; 3] {
        let skipped = if SKIP { part.skipped[column] } else { 0 };
        let count = batch.count(column) as f64 - f64::from(skipped);
        let [sum, error] = part.sums.close::<K>(column);
        [sum, error, count]
    }

    #[inline(always)]
    fn start(part: &mut MeanPart, columns: usize, _: &[K]) {
        part.open::<K, SKIP>(columns);
    }

    #[inline(always)]
    fn joined(part: &MeanPart, columns: usize, len: usize) -> [f64; 3] {
        let sum = total(&part.sums.sum[..columns], |a, b| a + b);
        let skipped = match SKIP {
            true => total(&part.skipped[..columns], |a, b| a + b),
            false => 0,
        };
        [sum, 0.0, len as f64 - f64::from(skipped)]
    }
}

/// Counts what is missing, per column.
#[inline(always)]
pub(super) fn tally<K: Real, const R: usize>(counts: &mut Column<u32>, rows: [&[K]; R], columns: usize) {
    let rows = cut(rows, columns);
    for (j, count) in counts[..columns].iter_mut().enumerate() {
        let missing: [u32; R] = list(|r| u32::from(rows[r][j].missing()));
        *count += tree(missing, |a, b| a + b);
    }
}

/// Product of floats.
pub(super) struct Prod<K, const SKIP: bool>(PhantomData<K>);

impl<K: Real, const SKIP: bool> Rule for Prod<K, SKIP> {
    type Store = Vec<f64>;
    type Elem = K;
    type Cell = [f64; 1];
    type Part = Column<f64>;
    const WIDE: bool = false;

    #[inline(always)]
    fn merge(have: [f64; 1], more: [f64; 1]) -> [f64; 1] {
        [have[0] * more[0]]
    }

    fn part() -> Column<f64> {
        [1.0; _]
    }

    #[inline(always)]
    fn open(part: &mut Column<f64>, batch: &Batch<'_, K>) {
        part[..batch.columns].fill(1.0);
    }

    #[inline(always)]
    fn rows<const R: usize>(part: &mut Column<f64>, rows: [&[K]; R], columns: usize) {
        let rows = cut(rows, columns);
        for (j, product) in part[..columns].iter_mut().enumerate() {
            let mut all = *product;
            for row in rows {
                all *= kept::<K, SKIP>(row[j], 1.0);
            }
            *product = all;
        }
    }

    #[inline(always)]
    fn close(part: &Column<f64>, column: usize, _: &Batch<'_, K>) -> [f64; 1] {
        [part[column]]
    }
}
