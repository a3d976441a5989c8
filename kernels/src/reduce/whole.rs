//! Sums, products, means and variances of integers, exact within a batch.
//!
//! Sums modulo 2^64 are the same for signed and unsigned integers. Means and variances of narrow
//! ones are exact per batch, since the sums of their values and squares fit in 64 bits; batches
//! join in f64.

use super::elements::{Narrow, Whole};
use super::moments::MomentLanes;
use super::rule::{Batch, Column, Rule, cut, list, window};
use super::state::{Means, Moments};
use super::sums::{MeanLanes, SumLanes};
use std::marker::PhantomData;

/// Adds rows to the sums of their columns.
#[inline(always)]
fn add<K: Whole, const R: usize>(sums: &mut Column<K::Sum>, rows: [&[K]; R], columns: usize) {
    let rows = cut(rows, columns);
    for (j, sum) in sums[..columns].iter_mut().enumerate() {
        let mut all = *sum;
        for row in rows {
            all = row[j].add(all);
        }
        *sum = all;
    }
}

/// Sum (or product) of integers, modulo 2^64.
pub(super) struct Wrapping<K, const PRODUCT: bool>(PhantomData<K>);

/// Sums in the type of the elements, or products.
pub(super) struct WrappingPart<S> {
    sum: Column<S>,
    product: Column<u64>,
}

impl<K: Whole, const PRODUCT: bool> Rule for Wrapping<K, PRODUCT> {
    type Store = Vec<u64>;
    type Elem = K;
    type Lanes<const L: usize> = [u64; L];
    type Part = WrappingPart<K::Sum>;
    const WIDE: bool = !PRODUCT;

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

    #[inline(always)]
    fn put<const L: usize>(lanes: &mut [u64; L], at: usize, one: &[u64; 1]) {
        lanes[at] = one[0];
    }

    fn part() -> WrappingPart<K::Sum> {
        WrappingPart {
            sum: [K::Sum::default(); _],
            product: [1; _],
        }
    }

    #[inline(always)]
    fn open(part: &mut WrappingPart<K::Sum>, batch: &Batch<'_, K>) {
        if PRODUCT {
            part.product[..batch.columns].fill(1);
        } else {
            part.sum[..batch.columns].fill(K::Sum::default());
        }
    }

    #[inline(always)]
    fn rows<const R: usize>(part: &mut WrappingPart<K::Sum>, rows: [&[K]; R], columns: usize) {
        if !PRODUCT {
            return add(&mut part.sum, rows, columns);
        }
        let rows = cut(rows, columns);
        for (j, product) in part.product[..columns].iter_mut().enumerate() {
            let mut all = *product;
            for row in rows {
                all = all.wrapping_mul(row[j].bits());
            }
            *product = all;
        }
    }

    #[inline(always)]
    fn close<const L: usize>(part: &WrappingPart<K::Sum>, at: usize, _: &Batch<'_, K>) -> [u64; L] {
        if PRODUCT {
            window(&part.product, at)
        } else {
            list(|l| K::wrapped(part.sum[at + l]))
        }
    }
}

/// Sum and count of integers whose batches have exact sums.
pub(super) struct WholeMean<K>(PhantomData<K>);

impl<K: Whole> Rule for WholeMean<K> {
    type Store = Means;
    type Elem = K;
    type Lanes<const L: usize> = MeanLanes<L>;
    type Part = Column<K::Sum>;

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

    fn part() -> Column<K::Sum> {
        [K::Sum::default(); _]
    }

    #[inline(always)]
    fn open(part: &mut Column<K::Sum>, batch: &Batch<'_, K>) {
        part[..batch.columns].fill(K::Sum::default());
    }

    #[inline(always)]
    fn rows<const R: usize>(part: &mut Column<K::Sum>, rows: [&[K]; R], columns: usize) {
        add(part, rows, columns);
    }

    #[inline(always)]
    fn close<const L: usize>(part: &Column<K::Sum>, at: usize, batch: &Batch<'_, K>) -> MeanLanes<L> {
        MeanLanes {
            sums: SumLanes::exact(list(|l| K::real(part[at + l]))),
            count: batch.counts(at),
        }
    }
}

/// Count, mean and squared differences of narrow integers.
pub(super) struct WholeMoments<K>(PhantomData<K>);

/// Sums of elements and of their squares.
pub(super) struct SquaresPart {
    sum: Column<i32>,
    squares: Column<i64>,
}

impl<K: Narrow> Rule for WholeMoments<K> {
    type Store = Moments;
    type Elem = K;
    type Lanes<const L: usize> = MomentLanes<L>;
    type Part = SquaresPart;

    #[inline(always)]
    fn blank<const L: usize>() -> MomentLanes<L> {
        MomentLanes::NONE
    }

    #[inline(always)]
    fn load<const L: usize>(store: &Moments, at: usize) -> MomentLanes<L> {
        MomentLanes::load(store, at)
    }

    #[inline(always)]
    fn save<const L: usize>(store: &mut Moments, at: usize, lanes: MomentLanes<L>) {
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

    fn part() -> SquaresPart {
        SquaresPart {
            sum: [0; _],
            squares: [0; _],
        }
    }

    #[inline(always)]
    fn open(part: &mut SquaresPart, batch: &Batch<'_, K>) {
        part.sum[..batch.columns].fill(0);
        part.squares[..batch.columns].fill(0);
    }

    #[inline(always)]
    fn rows<const R: usize>(part: &mut SquaresPart, rows: [&[K]; R], columns: usize) {
        add(&mut part.sum, rows, columns);
        let rows = cut(rows, columns);
        for (j, squares) in part.squares[..columns].iter_mut().enumerate() {
            *squares += K::squares::<R>(list(|r| rows[r][j]));
        }
    }

    /// `n Σx² − (Σx)²` is a whole number below 2^53, as are `n` and the sums.
    #[inline(always)]
    fn close<const L: usize>(part: &SquaresPart, at: usize, batch: &Batch<'_, K>) -> MomentLanes<L> {
        let mut lanes = MomentLanes::NONE;
        let counts: [f64; L] = batch.counts(at);
        for l in 0..L {
            let (n, sum) = (counts[l], f64::from(part.sum[at + l]));
            let share = 1.0 / n.max(1.0);
            // A mean of few bits, so that its product with the count is exact.
            let mean = f64::from((sum * share) as f32);
            lanes.count[l] = n;
            lanes.mean[l] = mean;
            lanes.rest[l] = (sum - mean * n) * share;
            lanes.squares[l] = (n * part.squares[at + l] as f64 - sum * sum) * share;
        }
        lanes
    }
}
