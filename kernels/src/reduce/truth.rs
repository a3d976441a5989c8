//! Any, all, and counts of elements that are not NaN.

use super::elements::{Real, Stored, Truthy, Unread};
use super::rule::{Batch, Column, Rule, cut};
use super::sums::tally;
use std::marker::PhantomData;

/// Whether any (or all) elements are true.
pub(super) struct Truth<E, const ALL: bool>(PhantomData<E>);

impl<E: Truthy, const ALL: bool> Rule for Truth<E, ALL> {
    type Store = Vec<u8>;
    type Elem = E;
    type Cell = [u8; 1];
    type Part = Column<E::Word>;
    const WIDE: bool = false;

    #[inline(always)]
    fn merge([have]: [u8; 1], [more]: [u8; 1]) -> [u8; 1] {
        [if ALL { have & more } else { have | more }]
    }

    fn part() -> Column<E::Word> {
        [E::ONES; _]
    }

    #[inline(always)]
    fn open(part: &mut Column<E::Word>, batch: &Batch<'_, E>) {
        part[..batch.columns].fill(if ALL { E::ONES } else { E::Word::default() });
    }

    #[inline(always)]
    fn rows<const R: usize>(part: &mut Column<E::Word>, rows: [&[E]; R], columns: usize) {
        let rows = cut(rows, columns);
        for (j, have) in part[..columns].iter_mut().enumerate() {
            let mut all = *have;
            for row in rows {
                let word = row[j].word();
                all = if ALL { E::and(all, word) } else { E::or(all, word) };
            }
            *have = all;
        }
    }

    #[inline(always)]
    fn close(part: &Column<E::Word>, column: usize, _: &Batch<'_, E>) -> [u8; 1] {
        [E::flag(part[column])]
    }
}

/// How many elements there were (that are not NaN).
pub(super) struct Count<E>(PhantomData<E>);

/// An element of which it is asked whether it counts.
pub(super) trait Counted: Stored {
    /// Whether it may not.
    const MISSES: bool;
    /// Notes the missing ones of some rows per column.
    fn missing<const R: usize>(counts: &mut Column<u32>, rows: [&[Self]; R], columns: usize);
}

impl Counted for Unread {
    const MISSES: bool = false;
    #[inline(always)]
    fn missing<const R: usize>(_: &mut Column<u32>, _: [&[Unread]; R], _: usize) {}
}

impl<E: Real> Counted for E {
    const MISSES: bool = true;
    #[inline(always)]
    fn missing<const R: usize>(counts: &mut Column<u32>, rows: [&[E]; R], columns: usize) {
        tally(counts, rows, columns);
    }
}

impl<E: Counted> Rule for Count<E> {
    type Store = Vec<u64>;
    type Elem = E;
    type Cell = [u64; 1];
    type Part = Column<u32>;
    const READS: bool = E::MISSES;

    #[inline(always)]
    fn merge([have]: [u64; 1], [more]: [u64; 1]) -> [u64; 1] {
        [have + more]
    }

    fn part() -> Column<u32> {
        [0; _]
    }

    #[inline(always)]
    fn open(part: &mut Column<u32>, batch: &Batch<'_, E>) {
        part[..batch.columns].fill(0);
    }

    #[inline(always)]
    fn rows<const R: usize>(part: &mut Column<u32>, rows: [&[E]; R], columns: usize) {
        E::missing(part, rows, columns);
    }

    #[inline(always)]
    fn close(part: &Column<u32>, column: usize, batch: &Batch<'_, E>) -> [u64; 1] {
        [batch.count(column) as u64 - u64::from(part[column])]
    }
}
