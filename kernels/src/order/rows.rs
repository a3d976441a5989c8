//! Columns copied into rows of sixteen, for the sorting network.

use super::network::{self, Row, WIDTH};
use super::{Ordered, Word};
use crate::{Columns, ColumnsMut, Isa};

/// Room for the keys of sixteen columns.
#[derive(Debug)]
pub struct Rows<K> {
    rows: Vec<Row<K>>,
}

impl<K> Default for Rows<K> {
    fn default() -> Rows<K> {
        Rows { rows: Vec::new() }
    }
}

/// The rows that stay in the second cache; the network's cost also grows with the square of the
/// logarithm of their number, that of a radix sort does not.
const FAR_BYTES: usize = 512 << 10;

impl<K: Word> Rows<K> {
    /// Bytes that it takes for columns of `len` elements, at most.
    pub fn bytes(len: usize) -> usize {
        (len * size_of::<Row<K>>()).min(FAR_BYTES)
    }

    /// Whether the network is the faster way to sort columns of that length. It needs the least of
    /// two keys in one instruction, and a byte has few enough values to count them.
    pub fn serves(&self, len: usize, isa: Isa) -> bool {
        let least = match size_of::<K>() {
            1 => false,
            2 | 4 => isa >= Isa::Avx2 || cfg!(target_arch = "aarch64"),
            _ => isa >= Isa::Avx512,
        };
        least && len <= FAR_BYTES / size_of::<Row<K>>()
    }

    /// Sorts sixteen columns at a time.
    pub(super) fn sort<T: Ordered<Key = K>>(
        &mut self,
        from: Columns<'_, T::Stored>,
        to: &mut ColumnsMut<'_, T::Stored>,
        isa: Isa,
    ) {
        let (len, inner) = (from.len(), from.inner());
        self.rows.resize(len, [K::MAX; WIDTH]);
        let columns = from.outer() * inner;
        for first in (0..columns).step_by(WIDTH) {
            let (o, k) = (first / inner, first % inner);
            if k + WIDTH <= inner {
                for (i, row) in self.rows.iter_mut().enumerate() {
                    let values = &from.row(o, i)[k..k + WIDTH];
                    for (key, &value) in row.iter_mut().zip(values) {
                        *key = T::key(value);
                    }
                }
                network::sort(&mut self.rows, isa);
                for (i, row) in self.rows.iter().enumerate() {
                    let values = &mut to.row(o, i)[k..k + WIDTH];
                    for (value, &key) in values.iter_mut().zip(row) {
                        *value = T::from_key(key);
                    }
                }
                continue;
            }
            let count = WIDTH.min(columns - first);
            for (j, column) in (first..first + count).enumerate() {
                let (o, k) = (column / inner, column % inner);
                match from.lane(o) {
                    Some(lane) => {
                        for (row, &value) in self.rows.iter_mut().zip(lane) {
                            row[j] = T::key(value);
                        }
                    }
                    None => {
                        for (i, row) in self.rows.iter_mut().enumerate() {
                            row[j] = T::key(from.row(o, i)[k]);
                        }
                    }
                }
            }
            network::sort(&mut self.rows, isa);
            for (j, column) in (first..first + count).enumerate() {
                let (o, k) = (column / inner, column % inner);
                match to.lane(o) {
                    Some(lane) => {
                        for (row, value) in self.rows.iter().zip(lane) {
                            *value = T::from_key(row[j]);
                        }
                    }
                    None => {
                        for (i, row) in self.rows.iter().enumerate() {
                            to.row(o, i)[k] = T::from_key(row[j]);
                        }
                    }
                }
            }
        }
    }
}
