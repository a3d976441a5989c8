//! Sums, products and means of floats.
//!
//! Sums keep the rounding error of every addition beside the sum (Knuth's two-sum), in f64: it is
//! free next to the memory traffic and makes the sum of 10^10 elements right to the last place.
//! Elements of up to 32 bits are added eight at a time first: their sum has bits to spare in f64.

use super::elements::Real;
use super::rule::{Batch, Column, Rule, cut, list, tree, window};
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

/// `L` sums and their errors.
#[derive(Clone, Copy)]
pub(super) struct SumLanes<const L: usize> {
    sum: [f64; L],
    error: [f64; L],
}

impl<const L: usize> SumLanes<L> {
    /// Sums of nothing.
    pub(super) const ZERO: SumLanes<L> = SumLanes {
        sum: [0.0; L],
        error: [0.0; L],
    };

    /// Sums that lost nothing.
    #[inline(always)]
    pub(super) fn exact(sum: [f64; L]) -> SumLanes<L> {
        SumLanes { sum, error: [0.0; L] }
    }

    #[inline(always)]
    pub(super) fn load(store: &Sums, at: usize) -> SumLanes<L> {
        SumLanes {
            sum: window(&store.sum, at),
            error: window(&store.error, at),
        }
    }

    #[inline(always)]
    pub(super) fn save(&self, store: &mut Sums, at: usize) {
        store.sum[at..at + L].copy_from_slice(&self.sum);
        store.error[at..at + L].copy_from_slice(&self.error);
    }

    #[inline(always)]
    pub(super) fn merge(&mut self, other: &SumLanes<L>) {
        for l in 0..L {
            let (sum, lost) = two_sum(self.sum[l], other.sum[l]);
            self.sum[l] = sum;
            self.error[l] = (self.error[l] + lost) + other.error[l];
        }
    }

    #[inline(always)]
    pub(super) fn pick<const M: usize>(&self, from: usize) -> SumLanes<M> {
        SumLanes {
            sum: window(&self.sum, from),
            error: window(&self.error, from),
        }
    }

    #[inline(always)]
    pub(super) fn put(&mut self, at: usize, one: &SumLanes<1>) {
        self.sum[at] = one.sum[0];
        self.error[at] = one.error[0];
    }
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
    fn open(&mut self, columns: usize) {
        self.sum[..columns].fill(0.0);
        self.error[..columns].fill(0.0);
    }

    #[inline(always)]
    fn lanes<const L: usize>(&self, at: usize) -> SumLanes<L> {
        SumLanes {
            sum: window(&self.sum, at),
            error: window(&self.error, at),
        }
    }

    /// Joins rows; what is skipped counts as 0.
    #[inline(always)]
    fn rows<K: Real, const R: usize>(&mut self, rows: [&[K]; R], columns: usize, value: impl Fn(K) -> f64) {
        let rows = cut(rows, columns);
        let (sums, errors) = (&mut self.sum[..columns], &mut self.error[..columns]);
        for j in 0..columns {
            let x: [f64; R] = list(|r| value(rows[r][j]));
            if K::SHORT {
                let (sum, lost) = two_sum(sums[j], tree(x, |a, b| a + b));
                sums[j] = sum;
                errors[j] += lost;
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
    type Lanes<const L: usize> = SumLanes<L>;
    type Part = SumPart;

    #[inline(always)]
    fn blank<const L: usize>() -> SumLanes<L> {
        SumLanes::ZERO
    }

    #[inline(always)]
    fn load<const L: usize>(store: &Sums, at: usize) -> SumLanes<L> {
        SumLanes::load(store, at)
    }

    #[inline(always)]
    fn save<const L: usize>(store: &mut Sums, at: usize, lanes: SumLanes<L>) {
        lanes.save(store, at);
    }

    #[inline(always)]
    fn merge<const L: usize>(lanes: &mut SumLanes<L>, other: &SumLanes<L>) {
        lanes.merge(other);
    }

    #[inline(always)]
    fn pick<const L: usize, const M: usize>(lanes: &SumLanes<L>, from: usize) -> SumLanes<M> {
        lanes.pick(from)
    }

    #[inline(always)]
    fn put<const L: usize>(lanes: &mut SumLanes<L>, at: usize, one: &SumLanes<1>) {
        lanes.put(at, one);
    }

    fn part() -> SumPart {
        SumPart::new()
    }

    #[inline(always)]
    fn open(part: &mut SumPart, batch: &Batch<'_, K>) {
        part.open(batch.columns);
    }

    #[inline(always)]
    fn rows<const R: usize>(part: &mut SumPart, rows: [&[K]; R], columns: usize) {
        part.rows(rows, columns, |x| kept::<K, SKIP>(x, 0.0));
    }

    #[inline(always)]
    fn close<const L: usize>(part: &SumPart, at: usize, _: &Batch<'_, K>) -> SumLanes<L> {
        part.lanes(at)
    }
}

/// `L` sums and counts.
#[derive(Clone, Copy)]
pub(super) struct MeanLanes<const L: usize> {
    pub(super) sums: SumLanes<L>,
    pub(super) count: [f64; L],
}

impl<const L: usize> MeanLanes<L> {
    /// Means of nothing.
    pub(super) const NONE: MeanLanes<L> = MeanLanes {
        sums: SumLanes::ZERO,
        count: [0.0; L],
    };

    #[inline(always)]
    pub(super) fn load(store: &Means, at: usize) -> MeanLanes<L> {
        MeanLanes {
            sums: SumLanes::load(&store.sums, at),
            count: window(&store.count, at),
        }
    }

    #[inline(always)]
    pub(super) fn save(&self, store: &mut Means, at: usize) {
        self.sums.save(&mut store.sums, at);
        store.count[at..at + L].copy_from_slice(&self.count);
    }

    #[inline(always)]
    pub(super) fn merge(&mut self, other: &MeanLanes<L>) {
        self.sums.merge(&other.sums);
        for l in 0..L {
            self.count[l] += other.count[l];
        }
    }

    #[inline(always)]
    pub(super) fn pick<const M: usize>(&self, from: usize) -> MeanLanes<M> {
        MeanLanes {
            sums: self.sums.pick(from),
            count: window(&self.count, from),
        }
    }

    #[inline(always)]
    pub(super) fn put(&mut self, at: usize, one: &MeanLanes<1>) {
        self.sums.put(at, &one.sums);
        self.count[at] = one.count[0];
    }
}

/// Sums of columns and numbers of values that are skipped.
pub(super) struct MeanPart {
    sums: SumPart,
    skipped: Column<u32>,
}

/// Sum and count of floats.
pub(super) struct Mean<K, const SKIP: bool>(PhantomData<K>);

impl<K: Real, const SKIP: bool> Rule for Mean<K, SKIP> {
    type Store = Means;
    type Elem = K;
    type Lanes<const L: usize> = MeanLanes<L>;
    type Part = MeanPart;

    #[inline(always)]
    fn blank<const L: usize>() -> MeanLanes<L> {
        MeanLanes::NONE
    }

    #[inline(always)]
    fn load<const L: usize>(store: &Means, at: usize) -> MeanLanes<L> {
        MeanLanes::load(store, at)
    }

    #[inline(always)]
    fn save<const L: usize>(store: &mut Means, at: usize, lanes: MeanLanes<L>) {
        lanes.save(store, at);
    }

    #[inline(always)]
    fn merge<const L: usize>(lanes: &mut MeanLanes<L>, other: &MeanLanes<L>) {
        lanes.merge(other);
    }

    #[inline(always)]
    fn pick<const L: usize, const M: usize>(lanes: &MeanLanes<L>, from: usize) -> MeanLanes<M> {
        lanes.pick(from)
    }

    #[inline(always)]
    fn put<const L: usize>(lanes: &mut MeanLanes<L>, at: usize, one: &MeanLanes<1>) {
        lanes.put(at, one);
    }

    fn part() -> MeanPart {
        MeanPart {
            sums: SumPart::new(),
            skipped: [0; _],
        }
    }

    #[inline(always)]
    fn open(part: &mut MeanPart, batch: &Batch<'_, K>) {
        part.sums.open(batch.columns);
        if SKIP {
            part.skipped[..batch.columns].fill(0);
        }
    }

    #[inline(always)]
    fn rows<const R: usize>(part: &mut MeanPart, rows: [&[K]; R], columns: usize) {
        part.sums.rows(rows, columns, |x| kept::<K, SKIP>(x, 0.0));
        if SKIP {
            tally(&mut part.skipped, rows, columns);
        }
    }

    #[inline(always)]
    fn close<const L: usize>(part: &MeanPart, at: usize, batch: &Batch<'_, K>) -> MeanLanes<L> {
        let mut count = batch.counts(at);
        if SKIP {
            for l in 0..L {
                count[l] -= f64::from(part.skipped[at + l]);
            }
        }
        MeanLanes {
            sums: part.sums.lanes(at),
            count,
        }
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
    type Lanes<const L: usize> = [f64; L];
    type Part = Column<f64>;
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
    fn merge<const L: usize>(lanes: &mut [f64; L], other: &[f64; L]) {
        for l in 0..L {
            lanes[l] *= other[l];
        }
    }

    #[inline(always)]
    fn pick<const L: usize, const M: usize>(lanes: &[f64; L], from: usize) -> [f64; M] {
        window(lanes, from)
    }

    #[inline(always)]
    fn put<const L: usize>(lanes: &mut [f64; L], at: usize, one: &[f64; 1]) {
        lanes[at] = one[0];
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
    fn close<const L: usize>(part: &Column<f64>, at: usize, _: &Batch<'_, K>) -> [f64; L] {
        window(part, at)
    }
}
