//! Columns: a block of an array seen as `outer × len × inner` for work along one axis.
//!
//! Every operation along an axis sees its block this way: `len` elements along the axis, `inner`
//! neighbours that lie side by side, `outer` repetitions. Where `inner` is 1 a column is one
//! contiguous lane; elsewhere loops run over rows of `inner` neighbours, which vectorise.

use bytemuck::Pod;
use std::marker::PhantomData;

/// Columns to read; rows of `inner` elements are contiguous.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a, T> {
    values: &'a [T],
    outer: usize,
    len: usize,
    inner: usize,
    outer_step: usize,
    len_step: usize,
}

/// Columns to write, as [`Columns`]. They need not be dense: what lies between the rows belongs to
/// others, so only rows are handed out.
#[derive(Debug)]
pub struct ColumnsMut<'a, T> {
    base: *mut T,
    outer: usize,
    len: usize,
    inner: usize,
    outer_step: usize,
    len_step: usize,
    owner: PhantomData<&'a mut [T]>,
}

/// One past the last element that such columns reach; `None` when that overflows.
fn reach(outer: usize, len: usize, inner: usize, outer_step: usize, len_step: usize) -> Option<usize> {
    if outer == 0 || len == 0 || inner == 0 {
        return Some(0);
    }
    let far = (outer - 1).checked_mul(outer_step)?;
    far.checked_add((len - 1).checked_mul(len_step)?)?
        .checked_add(inner)
}

impl<'a, T> Columns<'a, T> {
    /// Columns of a dense row-major block.
    ///
    /// # Panics
    /// When `values` holds fewer elements.
    pub fn dense(values: &'a [T], outer: usize, len: usize, inner: usize) -> Columns<'a, T> {
        Columns::strided(values, outer, len, inner, len * inner, inner)
    }

    /// Columns whose rows begin at `o * outer_step + i * len_step`.
    ///
    /// # Panics
    /// When they reach beyond `values`.
    pub fn strided(
        values: &'a [T],
        outer: usize,
        len: usize,
        inner: usize,
        outer_step: usize,
        len_step: usize,
    ) -> Columns<'a, T> {
        let end = reach(outer, len, inner, outer_step, len_step);
        assert!(
            end.is_some_and(|end| end <= values.len()),
            "columns reach beyond their block"
        );
        Columns {
            values,
            outer,
            len,
            inner,
            outer_step,
            len_step,
        }
    }

    /// Number of repetitions.
    pub fn outer(&self) -> usize {
        self.outer
    }

    /// Elements along the axis.
    #[expect(clippy::len_without_is_empty, reason = "an extent, not a collection")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Neighbours.
    pub fn inner(&self) -> usize {
        self.inner
    }

    /// The row of neighbours at `i` along the axis.
    #[inline]
    pub fn row(&self, o: usize, i: usize) -> &'a [T] {
        &self.values[o * self.outer_step + i * self.len_step..][..self.inner]
    }

    /// The same columns of another type of the same size; `None` when the size differs.
    pub(crate) fn cast<U: Pod>(self) -> Option<Columns<'a, U>>
    where
        T: Pod,
    {
        let values = bytemuck::try_cast_slice(self.values).ok();
        let values = values.filter(|_| size_of::<T>() == size_of::<U>())?;
        let Columns {
            outer,
            len,
            inner,
            outer_step,
            len_step,
            ..
        } = self;
        Some(Columns {
            values,
            outer,
            len,
            inner,
            outer_step,
            len_step,
        })
    }

    /// The column `o` where it is contiguous, which needs one neighbour only.
    #[inline]
    pub fn lane(&self, o: usize) -> Option<&'a [T]> {
        let contiguous = self.inner == 1 && (self.len_step == 1 || self.len <= 1);
        contiguous.then(|| &self.values[o * self.outer_step..][..self.len])
    }

    /// All elements, where the column `first` begins in them, and how far columns are apart, where
    /// columns are contiguous and there are `count` from `first` on.
    ///
    /// # Panics
    /// When that is not so.
    pub(crate) fn lanes_from(&self, first: usize, count: usize) -> (&'a [T], usize, usize) {
        assert!(self.inner == 1 && (self.len_step == 1 || self.len <= 1));
        assert!(first + count <= self.outer, "columns {first} and {count} more");
        (self.values, first * self.outer_step, self.outer_step)
    }
}

// SAFETY: the columns are the only way to their elements, as a `&mut [T]` is.
unsafe impl<T: Send> Send for ColumnsMut<'_, T> {}

impl<'a, T> ColumnsMut<'a, T> {
    /// Columns of a dense row-major block.
    ///
    /// # Panics
    /// When `values` holds fewer elements.
    pub fn dense(values: &'a mut [T], outer: usize, len: usize, inner: usize) -> ColumnsMut<'a, T> {
        let end = reach(outer, len, inner, len * inner, inner);
        assert!(
            end.is_some_and(|end| end <= values.len()),
            "columns reach beyond their block"
        );
        // SAFETY: all rows lie in `values`, which is borrowed for as long, and a dense layout has
        // no two rows that overlap.
        unsafe { ColumnsMut::from_raw(values.as_mut_ptr(), outer, len, inner, len * inner, inner) }
    }

    /// Columns whose rows begin at `base + o * outer_step + i * len_step`.
    ///
    /// # Safety
    /// For `'a` each row must be valid for reads and writes and reached by nobody else, and no two
    /// rows may overlap.
    pub unsafe fn from_raw(
        base: *mut T,
        outer: usize,
        len: usize,
        inner: usize,
        outer_step: usize,
        len_step: usize,
    ) -> ColumnsMut<'a, T> {
        ColumnsMut {
            base,
            outer,
            len,
            inner,
            outer_step,
            len_step,
            owner: PhantomData,
        }
    }

    /// Number of repetitions.
    pub fn outer(&self) -> usize {
        self.outer
    }

    /// Elements along the axis.
    #[expect(clippy::len_without_is_empty, reason = "an extent, not a collection")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Neighbours.
    pub fn inner(&self) -> usize {
        self.inner
    }

    /// The row of neighbours at `i` along the axis.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline]
    pub fn row(&mut self, o: usize, i: usize) -> &mut [T] {
        assert!(
            o < self.outer && i < self.len,
            "row {o}, {i} of {}, {}",
            self.outer,
            self.len
        );
        // SAFETY: the row exists, so by the promise of `from_raw` it is valid and ours alone;
        // `&mut self` lets no second row be held beside it.
        unsafe {
            let start = self.base.add(o * self.outer_step + i * self.len_step);
            std::slice::from_raw_parts_mut(start, self.inner)
        }
    }

    /// Two different rows of one repetition: the one at `i` to read, the one at `j` to write.
    ///
    /// # Panics
    /// When there is no such row, or both are the same.
    #[inline]
    pub fn row_pair(&mut self, o: usize, i: usize, j: usize) -> (&[T], &mut [T]) {
        assert!(o < self.outer && i < self.len && j < self.len && i != j);
        // SAFETY: both rows exist and differ, and by the promise of `from_raw` do not overlap.
        unsafe {
            let at = |i: usize| self.base.add(o * self.outer_step + i * self.len_step);
            (
                std::slice::from_raw_parts(at(i), self.inner),
                std::slice::from_raw_parts_mut(at(j), self.inner),
            )
        }
    }

    /// The column `o` where it is contiguous, which needs one neighbour only.
    ///
    /// # Panics
    /// When there is no such column.
    #[inline]
    pub fn lane(&mut self, o: usize) -> Option<&mut [T]> {
        let contiguous = self.inner == 1 && (self.len_step == 1 || self.len <= 1);
        if !contiguous || self.len == 0 {
            return None;
        }
        assert!(o < self.outer, "column {o} of {}", self.outer);
        // SAFETY: the column's rows of one element follow each other and are all ours.
        Some(unsafe { std::slice::from_raw_parts_mut(self.base.add(o * self.outer_step), self.len) })
    }

    /// The columns from `o` on where they are contiguous.
    ///
    /// # Panics
    /// When there are not so many columns.
    #[inline]
    pub(crate) fn lanes<const L: usize>(&mut self, o: usize) -> Option<[&mut [T]; L]> {
        let contiguous = self.inner == 1 && (self.len_step == 1 || self.len <= 1);
        if !contiguous || self.len == 0 {
            return None;
        }
        assert!(o + L <= self.outer, "columns {o} to {} of {}", o + L, self.outer);
        // SAFETY: each column's rows of one element follow each other and are all ours; by the
        // promise of `from_raw` rows of different columns do not overlap.
        Some(std::array::from_fn(|l| unsafe {
            std::slice::from_raw_parts_mut(self.base.add((o + l) * self.outer_step), self.len)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_lanes_lie_where_the_steps_say() {
        let values: Vec<i32> = (0..24).collect();
        let block = Columns::dense(&values, 2, 3, 4);
        assert_eq!(block.row(1, 2), [20, 21, 22, 23]);
        assert!(block.lane(0).is_none());
        let part = Columns::strided(&values, 2, 3, 2, 12, 4);
        assert_eq!(part.row(1, 1), [16, 17]);
        assert_eq!(Columns::dense(&values, 4, 6, 1).lane(1), Some(&values[6..12]));
        assert_eq!(Columns::dense(&values[..0], 0, 3, 4).outer(), 0);
    }

    #[test]
    fn written_rows_leave_what_lies_between_them() {
        let mut values = vec![0; 12];
        {
            // SAFETY: the rows 0..2, 4..6, 8..10 lie in `values`, apart, borrowed alone.
            let mut part = unsafe { ColumnsMut::from_raw(values.as_mut_ptr(), 1, 3, 2, 12, 4) };
            for i in 0..3 {
                part.row(0, i).fill(i as i32 + 1);
            }
            let (from, to) = part.row_pair(0, 0, 2);
            to.copy_from_slice(from);
            assert!(part.lane(0).is_none());
        }
        assert_eq!(values, [1, 1, 0, 0, 2, 2, 0, 0, 1, 1, 0, 0]);
        let mut dense = ColumnsMut::dense(&mut values, 3, 4, 1);
        dense.lane(2).unwrap().fill(7);
        assert_eq!(values[8..], [7; 4]);
    }

    #[test]
    #[should_panic(expected = "beyond")]
    fn reaching_beyond_the_block_is_refused() {
        Columns::strided(&[0u8; 10], 1, 3, 2, 0, 5);
    }
}
