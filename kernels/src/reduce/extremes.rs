//! Smallest and largest elements.
//!
//! NumPy's meaning: a NaN wins unless it is skipped.

use super::order::{Keyed, Ordered, beats, worst};
use super::rule::{Batch, Column, Rule, cut, total};
use super::state::Tagged;
use std::marker::PhantomData;

/// Smallest or largest element. The tag of a cell is 1 once something was fed to it.
pub(super) struct Extreme<E, const MAX: bool, const SKIP: bool>(PhantomData<E>);

/// The one of two that is meant.
#[inline(always)]
fn better<K: Ordered, const MAX: bool, const SKIP: bool>(have: K, x: K) -> K {
    let nan = if SKIP { have.nan() } else { x.nan() };
    if beats::<K, MAX>(x, have) | nan { x } else { have }
}

impl<E: Keyed, const MAX: bool, const SKIP: bool> Rule for Extreme<E, MAX, SKIP> {
    type Store = Tagged<E::Plane, u8>;
    type Elem = E;
    type Cell = [E::Plane; 1];
    type Part = Column<E::Key>;
    const JOINS: bool = true;

    #[inline(always)]
    fn merge([have]: [E::Plane; 1], [more]: [E::Plane; 1]) -> [E::Plane; 1] {
        [better::<_, MAX, SKIP>(have, more)]
    }

    fn part() -> Column<E::Key> {
        [worst::<E::Key, MAX, SKIP>(); _]
    }

    #[inline(always)]
    fn open(part: &mut Column<E::Key>, batch: &Batch<'_, E>) {
        part[..batch.columns].fill(worst::<E::Key, MAX, SKIP>());
    }

    #[inline(always)]
    fn rows<const R: usize>(part: &mut Column<E::Key>, rows: [&[E]; R], columns: usize) {
        let rows = cut(rows, columns);
        for (j, best) in part[..columns].iter_mut().enumerate() {
            let mut all = *best;
            for row in rows {
                all = better::<_, MAX, SKIP>(all, row[j].key());
            }
            *best = all;
        }
    }

    #[inline(always)]
    fn close(part: &Column<E::Key>, column: usize, _: &Batch<'_, E>) -> [E::Plane; 1] {
        [E::plane(part[column])]
    }

    #[inline(always)]
    fn start(part: &mut Column<E::Key>, columns: usize, _: &[E]) {
        part[..columns].fill(worst::<E::Key, MAX, SKIP>());
    }

    #[inline(always)]
    fn joined(part: &Column<E::Key>, columns: usize, _: usize) -> [E::Plane; 1] {
        [E::plane(total(&part[..columns], better::<_, MAX, SKIP>))]
    }

    #[inline(always)]
    fn mark(store: &mut Self::Store, at: usize, len: usize) {
        store.tag[at..at + len].fill(1);
    }

    fn merge_marks(store: &mut Self::Store, other: &Self::Store) {
        for (mark, other) in store.tag.iter_mut().zip(&other.tag) {
            *mark |= other;
        }
    }
}
