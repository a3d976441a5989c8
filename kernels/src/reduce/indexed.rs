//! Indices of extremes, and the first and last element.
//!
//! NumPy's meaning: a NaN wins unless it is skipped, and of equal elements the one of lowest
//! index is meant. A cell that remembers an index compares it too, so that the order in which
//! parts of the data join does not matter.

use super::order::{Keyed, Ordered, beats};
use super::rule::{Batch, Column, Rule, cut, list};
use super::state::Tagged;
use std::marker::PhantomData;

/// The element of each column and its row, −1 for none.
pub(super) struct IndexedPart<K: Ordered> {
    value: Column<K>,
    row: Column<K::Number>,
    /// The next row.
    next: i8,
}

/// Which of two indexed elements a cell keeps.
pub(super) trait Choice {
    /// Whether rows have to be read that are not the first or the last.
    const READS: bool;
    /// Whether NaN is left out.
    const SKIP: bool;
    /// Whether `x` at `i` replaces `have` at `at`, which exists.
    fn replaces<K: Ordered>(x: K, i: i64, have: K, at: i64) -> bool;
    /// Whether `x` replaces `have`, which came before.
    fn better<K: Ordered>(x: K, have: K) -> bool;
    /// The row to look at after `seen` of `rows` rows.
    fn order(seen: usize, rows: usize) -> usize;
}

/// The first smallest or largest.
pub(super) struct Best<const MAX: bool, const SKIP: bool>;

impl<const MAX: bool, const SKIP: bool> Choice for Best<MAX, SKIP> {
    const READS: bool = true;
    const SKIP: bool = SKIP;

    #[inline(always)]
    fn replaces<K: Ordered>(x: K, i: i64, have: K, at: i64) -> bool {
        let earlier = i < at;
        beats::<K, MAX>(x, have) | ((x == have) & earlier) | (x.nan() & (!have.nan() | earlier))
    }

    #[inline(always)]
    fn better<K: Ordered>(x: K, have: K) -> bool {
        let nan = if SKIP {
            have.nan() & !x.nan()
        } else {
            x.nan() & !have.nan()
        };
        beats::<K, MAX>(x, have) | nan
    }

    #[inline(always)]
    fn order(seen: usize, _: usize) -> usize {
        seen
    }
}

/// The one of lowest or highest index.
pub(super) struct End<const LAST: bool, const SKIP: bool>;

impl<const LAST: bool, const SKIP: bool> Choice for End<LAST, SKIP> {
    const READS: bool = false;
    const SKIP: bool = SKIP;

    #[inline(always)]
    fn replaces<K: Ordered>(_x: K, i: i64, _have: K, at: i64) -> bool {
        if LAST { i > at } else { i < at }
    }

    #[inline(always)]
    fn better<K: Ordered>(x: K, have: K) -> bool {
        have.nan() & !x.nan()
    }

    #[inline(always)]
    fn order(seen: usize, rows: usize) -> usize {
        if LAST { rows - 1 - seen } else { seen }
    }
}

/// An element and its index. The tag of a cell is the index, −1 before anything has joined.
pub(super) struct Indexed<E, C>(PhantomData<(E, C)>);

impl<E: Keyed, C: Choice> Rule for Indexed<E, C> {
    type Store = Tagged<E::Plane, i64>;
    type Elem = E;
    type Cell = (E::Plane, i64);
    type Part = IndexedPart<E::Key>;
    const INDEXED: bool = true;
    const READS: bool = C::READS;
    const WIDE: bool = C::READS;

    #[inline(always)]
    fn merge(have: (E::Plane, i64), more: (E::Plane, i64)) -> (E::Plane, i64) {
        let none = have.1 < 0;
        let take = (none | C::replaces(more.0, more.1, have.0, have.1)) & (more.1 >= 0);
        let value = if take { more.0 } else { have.0 };
        (value, if take { more.1 } else { have.1 })
    }

    fn part() -> Self::Part {
        IndexedPart {
            value: [E::Key::default(); _],
            row: [<E::Key as Ordered>::Number::from(-1); _],
            next: 0,
        }
    }

    /// Begins with the rows that decide at once, as far as none is missing: one row, unless NaN is
    /// skipped or the last row is short.
    #[inline(always)]
    fn open(part: &mut Self::Part, batch: &Batch<'_, E>) {
        part.next = 0;
        part.row[..batch.columns].fill(<E::Key as Ordered>::Number::from(-1));
        let rows = batch.starts.len();
        let mut known = 0;
        for seen in 0..rows {
            let number = C::order(seen, rows);
            let row = batch.row(number);
            let fresh = row.len().min(known);
            for j in 0..fresh {
                let x = row[j].key();
                if C::SKIP && C::better(x, part.value[j]) {
                    part.value[j] = x;
                    part.row[j] = <E::Key as Ordered>::Number::from(number as i8);
                }
            }
            for j in fresh..row.len() {
                part.value[j] = row[j].key();
                part.row[j] = <E::Key as Ordered>::Number::from(number as i8);
            }
            known = known.max(row.len());
            let done = !C::SKIP || part.value[..known].iter().all(|x| !x.nan());
            if C::READS || (known == batch.columns && done) {
                break;
            }
        }
    }

    #[inline(always)]
    fn rows<const R: usize>(part: &mut Self::Part, rows: [&[E]; R], columns: usize) {
        let rows = cut(rows, columns);
        let numbers: [<E::Key as Ordered>::Number; R] =
            list(|r| <E::Key as Ordered>::Number::from(part.next + r as i8));
        let (values, which) = (&mut part.value[..columns], &mut part.row[..columns]);
        for j in 0..columns {
            let (mut value, mut row) = (values[j], which[j]);
            for r in 0..R {
                let x = rows[r][j].key();
                let take = C::better(x, value);
                value = if take { x } else { value };
                row = if take { numbers[r] } else { row };
            }
            values[j] = value;
            which[j] = row;
        }
        part.next += R as i8;
    }

    #[inline(always)]
    fn close(part: &Self::Part, column: usize, batch: &Batch<'_, E>) -> (E::Plane, i64) {
        let (row, value): (i64, _) = (part.row[column].into(), part.value[column]);
        let none = row < 0 || (C::SKIP && value.nan());
        let index = if none {
            -1
        } else {
            batch.indices[row as usize] + column as i64 * batch.step
        };
        (E::plane(value), index)
    }
}
