//! Sums, products, means and variances of integers, exact within a batch.
//!
//! Sums modulo 2^64 are the same for signed and unsigned integers. Means and variances of narrow
//! ones are exact per batch, since the sums of their values and squares fit in 64 bits; batches
//! join in f64.

use super::elements::{Narrow, Whole};
use super::moments::merge_moments;
use super::rule::{Batch, Column, Rule, cut, list};
use super::state::{Means, Moments};
use super::sums::merge_means;
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
    type Cell = [u64; 1];
    type Part = WrappingPart<K::Sum>;
    const WIDE: bool = !PRODUCT;

    #[inline(always)]
    fn merge([have]: [u64; 1], [more]: [u64; 1]) -> [u64; 1] {
        [if PRODUCT {
            have.wrapping_mul(more)
        } else {
            have.wrapping_add(more)
        }]
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
    fn close(part: &WrappingPart<K::Sum>, column: usize, _: &Batch<'_, K>) -> [u64; 1] {
        [if PRODUCT {
            part.product[column]
        } else {
            K::wrapped(part.sum[column])
        }]
    }
}

/// Sum and count of integers whose batches have exact sums.
pub(super) struct WholeMean<K>(PhantomData<K>);

impl<K: Whole> Rule for WholeMean<K> {
    type Store = Means;
    type Elem = K;
    type Cell = [f64; 3];
    type Part = Column<K::Sum>;

    #[inline(always)]
    fn merge(have: [f64; 3], more: [f64; 3]) -> [f64; 3] {
        merge_means(have, more)
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
    fn close(part: &Column<K::Sum>, column: usize, batch: &Batch<'_, K>) -> [f64; 3] {
        [K::real(part[column]), 0.0, batch.count(column) as f64]
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
    type Cell = [f64; 4];
    type Part = SquaresPart;

    #[inline(always)]
    fn merge(have: [f64; 4], more: [f64; 4]) -> [f64; 4] {
        merge_moments(have, more)
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
    fn close(part: &SquaresPart, column: usize, batch: &Batch<'_, K>) -> [f64; 4] {
        let (n, sum) = (batch.count(column) as f64, f64::from(part.sum[column]));
        let share = 1.0 / n.max(1.0);
        // A mean of few bits, so that its product with the count is exact.
        let mean = f64::from((sum * share) as f32);
        let squares = n * part.squares[column] as f64 - sum * sum;
        [n, mean, (sum - mean * n) * share, squares * share]
    }
}
