//! Packing: factors are copied into slivers that the innermost loop reads front to back.
//!
//! A sliver holds, step after step along the summed axis, the elements of as many neighbouring
//! rows (or columns) as a tile has; missing ones are zero. Widening to the ring happens here.

use super::ring::{Factor, Ring};

/// The elements of a factor at `across[i] + along[p]`: `across` numbers rows of the first factor or
/// columns of the second, `along` the summed axis.
#[derive(Clone, Copy)]
pub(super) struct Side<'a, S> {
    /// Memory that all of them lie in.
    pub values: &'a [S],
    /// Offsets of rows or columns.
    pub across: &'a [usize],
    /// Offsets along the summed axis.
    pub along: &'a [usize],
}

impl<'a, S> Side<'a, S> {
    /// At most `count` rows or columns from `first` on, over the steps from `step` on.
    pub fn part(self, first: usize, count: usize, step: usize, steps: usize) -> Side<'a, S> {
        Side {
            values: self.values,
            across: &self.across[first..self.across.len().min(first + count)],
            along: &self.along[step..step + steps],
        }
    }
}

/// Whether offsets follow each other one by one.
fn neighbours(offsets: &[usize]) -> bool {
    offsets.windows(2).all(|w| w[1] == w[0] + 1)
}

/// Packs slivers of `width`, of `side.along.len()` steps each.
pub(super) fn pack<T: Factor>(side: Side<'_, T::Stored>, width: usize, out: &mut [T::Ring]) {
    let steps = side.along.len();
    if steps == 0 {
        return;
    }
    let contiguous = neighbours(side.along);
    for (across, sliver) in side.across.chunks(width).zip(out.chunks_exact_mut(width * steps)) {
        if across.len() < width {
            sliver.fill(T::Ring::ZERO);
        }
        if neighbours(across) {
            for (row, &along) in sliver.chunks_exact_mut(width).zip(side.along) {
                let from = &side.values[across[0] + along..][..across.len()];
                for (slot, &value) in row.iter_mut().zip(from) {
                    *slot = T::widen(value);
                }
            }
        } else if contiguous {
            for (i, &at) in across.iter().enumerate() {
                let from = &side.values[at + side.along[0]..][..steps];
                for (row, &value) in sliver.chunks_exact_mut(width).zip(from) {
                    row[i] = T::widen(value);
                }
            }
        } else {
            for (row, &along) in sliver.chunks_exact_mut(width).zip(side.along) {
                for (slot, &at) in row.iter_mut().zip(across) {
                    *slot = T::widen(side.values[at + along]);
                }
            }
        }
    }
}
