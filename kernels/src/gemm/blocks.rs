//! The loops over packed blocks of one product of matrices, and where its sums go.

use super::micro::{self, MAX_TILE, Micro};
use super::pack::{Side, pack};
use super::ring::{Factor, Ring};
use super::{keeps, packed_extents, steps};
use crate::Isa;
use std::marker::PhantomData;

/// A cache line.
const PAD_BYTES: usize = 64;

/// The result of one product: elements at `rows[i] + cols[j]` of a block to be written.
pub(super) struct Target<'a, S> {
    base: *mut S,
    rows: &'a [usize],
    cols: &'a [usize],
    owner: PhantomData<&'a mut [S]>,
}

impl<'a, S> Target<'a, S> {
    /// A target from its first element.
    ///
    /// # Safety
    /// For `'a` the element at each sum of two offsets must be valid for reads and writes and
    /// reached by nobody else.
    pub unsafe fn new(base: *mut S, rows: &'a [usize], cols: &'a [usize]) -> Target<'a, S> {
        Target {
            base,
            rows,
            cols,
            owner: PhantomData,
        }
    }

    /// Where a whole tile lies that can be summed into as it is, and elements from row to row.
    #[inline]
    fn place<C: Factor<Stored = S>>(
        &mut self,
        row: usize,
        col: usize,
        height: usize,
        width: usize,
    ) -> Option<(*mut C::Ring, usize)> {
        let (rows, cols) = (&self.rows[row..][..height], &self.cols[col..][..width]);
        let stride = if height > 1 {
            rows[1].checked_sub(rows[0])?
        } else {
            width
        };
        let even = rows.windows(2).all(|w| w[1] == w[0].wrapping_add(stride));
        if !C::NATIVE || !even || cols[width - 1] - cols[0] != width - 1 {
            return None;
        }
        // SAFETY: the element is ours by the promise of `new`; in a native dtype it is one of the ring.
        let at = unsafe { self.base.add(rows[0] + cols[0]) }.cast::<C::Ring>();
        at.is_aligned().then_some((at, stride))
    }

    /// Stores a tile of sums at a row and a column, or adds it to what was stored.
    #[inline]
    fn put<C: Factor<Stored = S>>(
        &mut self,
        row: usize,
        col: usize,
        width: usize,
        tile: &[C::Ring],
        add: bool,
    ) {
        let cols = &self.cols[col..self.cols.len().min(col + width)];
        let contiguous = cols[cols.len() - 1] - cols[0] == cols.len() - 1;
        for (&at, sums) in self.rows[row..].iter().zip(tile.chunks_exact(width)) {
            if contiguous {
                // SAFETY: offsets rise, so these columns follow each other; the elements are ours
                // by the promise of `new`.
                let out = unsafe { std::slice::from_raw_parts_mut(self.base.add(at + cols[0]), cols.len()) };
                for (slot, &sum) in out.iter_mut().zip(sums) {
                    *slot = joined::<C>(slot, sum, add);
                }
            } else {
                for (&col, &sum) in cols.iter().zip(sums) {
                    // SAFETY: the element is ours by the promise of `new`.
                    let slot = unsafe { &mut *self.base.add(at + col) };
                    *slot = joined::<C>(slot, sum, add);
                }
            }
        }
    }
}

/// What is stored for a sum.
#[inline(always)]
fn joined<C: Factor>(slot: &C::Stored, sum: C::Ring, add: bool) -> C::Stored {
    C::narrow(if add { C::widen(*slot).add(sum) } else { sum })
}

/// A tile that begins at a cache line.
#[repr(align(64))]
struct Tile<R>([R; MAX_TILE]);

/// Elements that begin at a cache line, so that no vector straddles two.
struct Packed<R> {
    values: Vec<R>,
    first: usize,
    len: usize,
}

impl<R: Ring> Packed<R> {
    fn new(len: usize) -> Packed<R> {
        let values = vec![R::ZERO; len + PAD_BYTES / size_of::<R>()];
        let first = values
            .as_ptr()
            .align_offset(PAD_BYTES)
            .min(PAD_BYTES / size_of::<R>());
        Packed { values, first, len }
    }

    fn get(&self) -> &[R] {
        &self.values[self.first..][..self.len]
    }

    fn get_mut(&mut self) -> &mut [R] {
        &mut self.values[self.first..][..self.len]
    }
}

/// What products of one size need: the loop and packed blocks.
pub(super) struct Work<T: Factor> {
    micro: Micro<T::Ring>,
    rows: Packed<T::Ring>,
    cols: Packed<T::Ring>,
    sums: Vec<<T::Sum as crate::Element>::Stored>,
    row_block: usize,
    col_block: usize,
}

impl<T: Factor> Work<T> {
    /// For products of `m` rows, `n` columns and `k` summed elements.
    pub fn new(isa: Isa, m: usize, n: usize, k: usize) -> Work<T> {
        let micro = micro::select::<T::Ring>(isa);
        let (row_block, col_block) = packed_extents(&micro, m, n);
        let steps = k.min(steps::<T::Ring>());
        Work {
            micro,
            rows: Packed::new(row_block * steps),
            cols: Packed::new(col_block * steps),
            sums: Vec::new(),
            row_block,
            col_block,
        }
    }

    /// One product.
    pub fn run(
        &mut self,
        rows: Side<'_, T::Stored>,
        cols: Side<'_, T::Stored>,
        to: &mut Target<'_, T::Stored>,
    ) {
        if keeps::<T>(rows.along.len()) {
            return self.sum::<T>(rows, cols, to, false);
        }
        let n = to.cols.len();
        let mut sums = std::mem::take(&mut self.sums);
        sums.resize(to.rows.len() * n, Default::default());
        let row_offsets: Vec<usize> = (0..to.rows.len()).map(|i| i * n).collect();
        let col_offsets: Vec<usize> = (0..n).collect();
        // SAFETY: the offsets are those of a dense matrix, which `sums` holds.
        let mut aside = unsafe { Target::new(sums.as_mut_ptr(), &row_offsets, &col_offsets) };
        self.sum::<T::Sum>(rows, cols, &mut aside, false);
        for (i, row) in sums.chunks_exact(n).enumerate() {
            for (j, &sum) in row.iter().enumerate() {
                let narrow = T::narrow(T::Sum::widen(sum));
                // SAFETY: the element is ours by the promise of `Target::new`.
                unsafe { *to.base.add(to.rows[i] + to.cols[j]) = narrow };
            }
        }
        self.sums = sums;
    }

    /// One product, whose sums are `more` of those that are there, or the first.
    pub fn sum<C: Factor<Ring = T::Ring>>(
        &mut self,
        rows: Side<'_, T::Stored>,
        cols: Side<'_, T::Stored>,
        to: &mut Target<'_, C::Stored>,
        more: bool,
    ) {
        let (m, n, k) = (rows.across.len(), cols.across.len(), rows.along.len());
        let most = steps::<T::Ring>();
        let (height, width) = (self.micro.rows, self.micro.cols);
        let mut tile = Tile([T::Ring::ZERO; MAX_TILE]);
        let tile = &mut tile.0[..height * width];
        for first in (0..k.max(1)).step_by(most) {
            let steps = most.min(k - first);
            let add = more || first > 0;
            for top in (0..m).step_by(self.row_block) {
                let part = rows.part(top, self.row_block, first, steps);
                pack::<T>(part, height, self.rows.get_mut());
                for left in (0..n).step_by(self.col_block) {
                    let part = cols.part(left, self.col_block, first, steps);
                    let (tall, wide) = (self.row_block.min(m - top), part.across.len());
                    pack::<T>(part, width, self.cols.get_mut());
                    for i in (0..tall).step_by(height) {
                        let a = &self.rows.get()[i * steps..][..height * steps];
                        for j in (0..wide).step_by(width) {
                            let b = &self.cols.get()[j * steps..][..width * steps];
                            let full = i + height <= tall && j + width <= wide;
                            if full
                                && let Some((at, stride)) = to.place::<C>(top + i, left + j, height, width)
                            {
                                // SAFETY: `place` gives a tile of the target's elements.
                                unsafe { (self.micro.run)(a, b, at, stride, add) };
                                continue;
                            }
                            // SAFETY: the tile on the stack has rows of `width` elements.
                            unsafe { (self.micro.run)(a, b, tile.as_mut_ptr(), width, false) };
                            let height = height.min(tall - i);
                            to.put::<C>(top + i, left + j, width, &tile[..height * width], add);
                        }
                    }
                }
            }
        }
    }
}
