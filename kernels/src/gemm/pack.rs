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

/// Rows and steps that are transposed, and neighbours that are copied, in registers.
const QUAD: usize = 4;

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
                copy::<T>(&side.values[across[0] + along..][..across.len()], row);
            }
        } else if contiguous {
            let rows = |at: usize| &side.values[across[at] + side.along[0]..][..steps];
            let whole = across.len() / QUAD * QUAD;
            for first in (0..whole).step_by(QUAD) {
                let quad = std::array::from_fn(|i| rows(first + i));
                transpose::<T>(quad, first, width, sliver);
            }
            for i in whole..across.len() {
                for (row, &value) in sliver.chunks_exact_mut(width).zip(rows(i)) {
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

/// Widens neighbours into the front of a step of a sliver.
#[inline(always)]
fn copy<T: Factor>(from: &[T::Stored], to: &mut [T::Ring]) {
    let (quads, rest) = from.as_chunks::<QUAD>();
    let (slots, last) = to.split_at_mut(quads.len() * QUAD);
    for (slot, quad) in slots.as_chunks_mut::<QUAD>().0.iter_mut().zip(quads) {
        *slot = quad.map(T::widen);
    }
    for (slot, &value) in last.iter_mut().zip(rest) {
        *slot = T::widen(value);
    }
}

/// Packs rows, whose steps lie side by side, as columns `first ..` of the steps of a sliver.
#[inline(always)]
fn transpose<T: Factor>(rows: [&[T::Stored]; QUAD], first: usize, width: usize, sliver: &mut [T::Ring]) {
    let whole = rows[0].len() / QUAD * QUAD;
    for step in (0..whole).step_by(QUAD) {
        let block: [[T::Stored; QUAD]; QUAD] =
            rows.map(|row| std::array::from_fn(|p| row[step..step + QUAD][p]));
        for p in 0..QUAD {
            let slots = &mut sliver[(step + p) * width + first..][..QUAD];
            for i in 0..QUAD {
                slots[i] = T::widen(block[i][p]);
            }
        }
    }
    for step in whole..rows[0].len() {
        for i in 0..QUAD {
            sliver[step * width + first + i] = T::widen(rows[i][step]);
        }
    }
}
