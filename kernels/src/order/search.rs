//! Places of values in a sorted table.

use super::{Ordered, Word};

/// On which side of equal elements a value is placed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// Before them.
    Left,
    /// Behind them.
    Right,
}

/// Values that are looked up together, so that their steps overlap.
const TOGETHER: usize = 8;

/// How many leading keys of `table`, which rises, each key stands behind: halving without a branch,
/// in as many steps for each.
#[inline(always)]
fn places<K: Word, const N: usize>(
    table: impl Fn(usize) -> K,
    len: usize,
    keys: [K; N],
    side: Side,
) -> [usize; N] {
    let behind = |at: usize, key: K| match side {
        Side::Left => table(at) < key,
        Side::Right => table(at) <= key,
    };
    let (mut first, mut len) = ([0; N], len);
    while len > 1 {
        let half = len / 2;
        for (first, &key) in first.iter_mut().zip(&keys) {
            *first += if behind(*first + half - 1, key) { half } else { 0 };
        }
        len -= half;
    }
    if len == 1 {
        for (first, &key) in first.iter_mut().zip(&keys) {
            *first += usize::from(behind(*first, key));
        }
    }
    first
}

/// Calls `put` with the place of each value in order.
#[inline(always)]
fn each<K: Word, V: Copy>(
    table: impl Fn(usize) -> K + Copy,
    len: usize,
    values: &[V],
    key: impl Fn(V) -> K,
    side: Side,
    out: &mut [i64],
) {
    assert_eq!(values.len(), out.len(), "one place per value");
    let (groups, rest) = values.as_chunks::<TOGETHER>();
    let (slots, last) = out.as_chunks_mut::<TOGETHER>();
    for (group, slots) in groups.iter().zip(slots) {
        *slots = places(table, len, group.map(&key), side).map(|at| at as i64);
    }
    for (&value, slot) in rest.iter().zip(last) {
        let [at] = places(table, len, [key(value)], side);
        *slot = at as i64;
    }
}

/// The largest table whose keys are kept beside it.
pub const KEYED_TABLE: usize = 1 << 16;

/// A table that rises, in which values are looked up.
#[derive(Clone, Debug)]
pub struct Table<'a, T: Ordered> {
    elements: &'a [T::Stored],
    /// The keys of a small table.
    keys: Vec<T::Key>,
}

impl<'a, T: Ordered> Table<'a, T> {
    /// The table of these elements.
    pub fn new(elements: &'a [T::Stored]) -> Table<'a, T> {
        let keyed = if elements.len() <= KEYED_TABLE {
            elements
        } else {
            &[]
        };
        Table {
            elements,
            keys: keyed.iter().map(|&e| T::rank(e)).collect(),
        }
    }

    /// Where each value would be put to keep the table rising.
    ///
    /// # Panics
    /// When there are not as many places as values.
    pub fn search(&self, values: &[T::Stored], side: Side, out: &mut [i64]) {
        let (elements, keys) = (self.elements, self.keys.as_slice());
        if keys.len() == elements.len() {
            return each(|at| keys[at], keys.len(), values, T::rank, side, out);
        }
        each(
            |at| T::rank(elements[at]),
            elements.len(),
            values,
            T::rank,
            side,
            out,
        );
    }
}

/// The bin of each value: how many of the edges it has passed, whether these rise or fall
/// (`numpy.digitize`); `edges` rises, which `falling` edges do in reverse. With `right` bins hold
/// their right edge.
///
/// # Panics
/// When there are not as many bins as values.
pub fn digitize<T: Ordered>(
    edges: &Table<'_, f64>,
    falling: bool,
    values: &[T::Stored],
    right: bool,
    out: &mut [i64],
) {
    let side = if right { Side::Left } else { Side::Right };
    let (elements, keys) = (edges.elements, edges.keys.as_slice());
    let key = |value| f64::rank(T::load(value).to_f64());
    if keys.len() == elements.len() {
        each(|at| keys[at], keys.len(), values, key, side, out);
    } else {
        each(
            |at| f64::rank(elements[at]),
            elements.len(),
            values,
            key,
            side,
            out,
        );
    }
    if falling {
        let count = elements.len() as i64;
        out.iter_mut().for_each(|bin| *bin = count - *bin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_tables_without_keys_give_the_same_places() {
        let table: Vec<f32> = (0..KEYED_TABLE as i32 + 100).map(|i| (i / 3) as f32).collect();
        let values: Vec<f32> = (-4..60)
            .map(|i| i as f32 * 400.5)
            .chain([f32::NAN, -0.0])
            .collect();
        for side in [Side::Left, Side::Right] {
            let mut out = vec![0; values.len()];
            Table::<f32>::new(&table).search(&values, side, &mut out);
            for (&value, &place) in values.iter().zip(&out) {
                let want = table.partition_point(|&e| match side {
                    Side::Left => e < value || value.is_nan(),
                    Side::Right => e <= value || value.is_nan(),
                });
                assert_eq!(place, want as i64, "{value} {side:?}");
            }
        }
    }
}
