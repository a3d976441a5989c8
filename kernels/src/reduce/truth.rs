//! Any, all, and counts of elements that are not NaN.

use super::elements::{Real, Stored, Truthy, Unread};
use super::rule::{Batch, Column, Rule, cut, list, window};
use super::sums::tally;
use std::marker::PhantomData;

/// Whether any (or all) elements are true.
pub(super) struct Truth<E, const ALL: bool>(PhantomData<E>);

impl<E: Truthy, const ALL: bool> Rule for Truth<E, ALL> {
    type Store = Vec<u8>;
    type Elem = E;
    type Lanes<const L: usize> = [u8; L];
    type Part = Column<E::Word>;
    const WIDE: bool = false;

    #[inline(always)]
    fn blank<const L: usize>() -> [u8; L] {
        [u8::from(ALL); L]
    }

    #[inline(always)]
    fn load<const L: usize>(store: &Vec<u8>, at: usize) -> [u8; L] {
        window(store, at)
    }

    #[inline(always)]
    fn save<const L: usize>(store: &mut Vec<u8>, at: usize, lanes: [u8; L]) {
        store[at..at + L].copy_from_slice(&lanes);
    }

    #[inline(always)]
    fn merge<const L: usize>(lanes: &mut [u8; L], other: &[u8; L]) {
        for l in 0..L {
            lanes[l] = if ALL {
                lanes[l] & other[l]
            } else {
                lanes[l] | other[l]
            };
        }
    }

    #[inline(always)]
    fn pick<const L: usize, const M: usize>(lanes: &[u8; L], from: usize) -> [u8; M] {
        window(lanes, from)
    }

    #[inline(always)]
    fn put<const L: usize>(lanes: &mut [u8; L], at: usize, one: &[u8; 1]) {
        lanes[at] = one[0];
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
    fn close<const L: usize>(part: &Column<E::Word>, at: usize, _: &Batch<'_, E>) -> [u8; L] {
        list(|l| E::flag(part[at + l]))
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
    type Lanes<const L: usize> = [u64; L];
    type Part = Column<u32>;
    const READS: bool = E::MISSES;

    #[inline(always)]
    fn blank<const L: usize>() -> [u64; L] {
        [0; L]
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
            lanes[l] += other[l];
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
    fn close<const L: usize>(part: &Column<u32>, at: usize, batch: &Batch<'_, E>) -> [u64; L] {
        list(|l| batch.count(at + l) as u64 - u64::from(part[at + l]))
    }
}
