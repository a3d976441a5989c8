//! Strided blocks: the part of an array with any number of axes that work on several axes sees.
//!
//! [`Columns`](crate::Columns) serve work along one axis; products of matrices and stencils walk
//! several. The element at an index is `offset + Σ index · stride`. Constructors check once that
//! all of them exist, so that walks need no check each.

use std::marker::PhantomData;

/// A block to read.
#[derive(Clone, Debug)]
pub struct Strided<'a, T> {
    values: &'a [T],
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// A block to write, which its holder alone reaches.
#[derive(Debug)]
pub struct StridedMut<'a, T> {
    base: *mut T,
    shape: Vec<usize>,
    strides: Vec<usize>,
    owner: PhantomData<&'a mut [T]>,
}

// SAFETY: the block is the only way to its elements, as a `&mut [T]` is.
unsafe impl<T: Send> Send for StridedMut<'_, T> {}

/// One past the last element of a block; `None` when that overflows.
fn reach(shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    let mut end = 1usize;
    for (&n, &stride) in shape.iter().zip(strides) {
        end = end.checked_add((n - 1).checked_mul(stride)?)?;
    }
    Some(end)
}

/// The offsets of all indices along some axes in row-major order, the first listed slowest.
fn offsets(shape: &[usize], strides: &[usize], axes: &[usize]) -> Vec<usize> {
    let mut out = vec![0];
    for &axis in axes {
        out = out
            .iter()
            .flat_map(|at| (0..shape[axis]).map(move |i| at + i * strides[axis]))
            .collect();
    }
    out
}

impl<'a, T> Strided<'a, T> {
    /// The block of `values` whose first element is the one at `offset`.
    ///
    /// # Panics
    /// When it reaches beyond `values`, or there is not one stride per axis.
    pub fn new(values: &'a [T], offset: usize, shape: &[usize], strides: &[usize]) -> Strided<'a, T> {
        assert_eq!(shape.len(), strides.len(), "one stride per axis");
        let values = if shape.contains(&0) {
            &[]
        } else {
            &values[offset..]
        };
        let end = reach(shape, strides);
        assert!(
            end.is_some_and(|end| end <= values.len()),
            "a block beyond its memory"
        );
        Strided {
            values,
            shape: shape.to_vec(),
            strides: strides.to_vec(),
        }
    }

    /// Extents.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Elements from one index to the next, per axis.
    pub fn strides(&self) -> &[usize] {
        &self.strides
    }

    /// The memory from its first element on.
    pub fn values(&self) -> &'a [T] {
        self.values
    }

    /// Where the elements along some axes lie, in row-major order.
    pub fn offsets(&self, axes: &[usize]) -> Vec<usize> {
        offsets(&self.shape, &self.strides, axes)
    }
}

impl<'a, T> StridedMut<'a, T> {
    /// A dense row-major block.
    ///
    /// # Panics
    /// When `values` does not have as many elements.
    pub fn dense(values: &'a mut [T], shape: &[usize]) -> StridedMut<'a, T> {
        let len = shape.iter().try_fold(1usize, |len, &n| len.checked_mul(n));
        assert_eq!(Some(values.len()), len, "elements for {shape:?}");
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis].max(1);
        }
        // SAFETY: the elements of a dense block are those of `values`, each once, borrowed as long.
        unsafe { StridedMut::from_raw(values.as_mut_ptr(), shape, &strides) }
    }

    /// The block whose first element is at `base`.
    ///
    /// # Safety
    /// For `'a` each element must be valid for reads and writes and reached by nobody else.
    pub unsafe fn from_raw(base: *mut T, shape: &[usize], strides: &[usize]) -> StridedMut<'a, T> {
        assert_eq!(shape.len(), strides.len(), "one stride per axis");
        StridedMut {
            base,
            shape: shape.to_vec(),
            strides: strides.to_vec(),
            owner: PhantomData,
        }
    }

    /// Extents.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Elements from one index to the next, per axis.
    pub fn strides(&self) -> &[usize] {
        &self.strides
    }

    /// Where the elements along some axes lie, in row-major order.
    pub fn offsets(&self, axes: &[usize]) -> Vec<usize> {
        offsets(&self.shape, &self.strides, axes)
    }

    /// Its first element, from which offsets count.
    pub(crate) fn base(&mut self) -> *mut T {
        self.base
    }

    /// The elements along the last axis at an index of the other axes.
    ///
    /// # Panics
    /// When there is no such row, or it is not contiguous.
    #[inline]
    pub fn row(&mut self, at: &[usize]) -> &mut [T] {
        let last = self.shape.len() - 1;
        assert!(
            at.len() == last && at.iter().zip(&self.shape).all(|(i, n)| i < n),
            "row {at:?} of {:?}",
            self.shape
        );
        let n = self.shape[last];
        assert!(n <= 1 || self.strides[last] == 1, "a row that is not contiguous");
        let offset: usize = at.iter().zip(&self.strides).map(|(i, s)| i * s).sum();
        // SAFETY: the row's elements exist and are ours by the promise of `from_raw`; `&mut self`
        // lets no second row be held beside it.
        unsafe { std::slice::from_raw_parts_mut(self.base.add(offset), n) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_follow_the_axes_asked_for() {
        let values: Vec<i32> = (0..24).collect();
        let block = Strided::new(&values, 1, &[2, 3, 2], &[12, 4, 1]);
        assert_eq!(block.offsets(&[2, 0]), [0, 12, 1, 13]);
        assert_eq!(block.offsets(&[]), [0]);
        assert_eq!(block.values()[block.offsets(&[0, 1])[5]], 1 + 12 + 8);
        assert!(
            Strided::<i32>::new(&[], 7, &[0, 3], &[3, 1])
                .offsets(&[0])
                .is_empty()
        );
    }

    #[test]
    fn rows_are_written_where_they_lie() {
        let mut values = vec![0; 12];
        StridedMut::dense(&mut values, &[2, 2, 3]).row(&[1, 0]).fill(5);
        assert_eq!(values[6..], [5, 5, 5, 0, 0, 0]);
    }

    #[test]
    #[should_panic(expected = "beyond")]
    fn reaching_beyond_the_memory_is_refused() {
        Strided::new(&[0u8; 10], 1, &[2, 5], &[5, 1]);
    }
}
