//! Places of values in a sorted table.

use super::Ordered;

/// On which side of equal elements a value is placed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// Before them.
    Left,
    /// Behind them.
    Right,
}

/// How many leading elements of `table`, which rises, a value stands behind.
#[inline(always)]
fn place<T: Ordered>(table: &[T::Stored], value: T::Stored, side: Side) -> usize {
    let rank = T::rank(value);
    let before = |at: usize| match side {
        Side::Left => T::rank(table[at]) < rank,
        Side::Right => T::rank(table[at]) <= rank,
    };
    // Halving without a branch: the place lies in `first..=first + len`.
    let (mut first, mut len) = (0, table.len());
    while len > 1 {
        let half = len / 2;
        first = if before(first + half - 1) {
            first + half
        } else {
            first
        };
        len -= half;
    }
    first + usize::from(len == 1 && before(first))
}

/// Where each value would be put into `table` to keep it rising.
///
/// # Panics
/// When there are not as many places as values.
pub fn searchsorted<T: Ordered>(table: &[T::Stored], values: &[T::Stored], side: Side, out: &mut [i64]) {
    assert_eq!(values.len(), out.len(), "one place per value");
    for (slot, &value) in out.iter_mut().zip(values) {
        *slot = place::<T>(table, value, side) as i64;
    }
}

/// The bin of each value: how many of the edges it has passed, whether these rise or fall
/// (`numpy.digitize`). With `right` bins hold their right edge.
///
/// # Panics
/// When there are not as many places as values.
pub fn digitize<T: Ordered>(
    edges: &[f64],
    falling: bool,
    values: &[T::Stored],
    right: bool,
    out: &mut [i64],
) {
    assert_eq!(values.len(), out.len(), "one bin per value");
    let side = if right { Side::Left } else { Side::Right };
    let count = edges.len() as i64;
    for (slot, &value) in out.iter_mut().zip(values) {
        let bin = place::<f64>(edges, T::load(value).to_f64(), side) as i64;
        *slot = if falling { count - bin } else { bin };
    }
}
