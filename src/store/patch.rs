//! Patches: blocks of a result that many threads fill at once, each its own.
//!
//! A [`Canvas`] is the caller's memory as an array. [`Canvas::claim`] hands out a block of it that
//! meets no other block in use, so workers write where the result lies and nothing is copied. A
//! patch over a plain buffer looks the same to whoever fills it.

use super::lock;
use crate::geometry::{Region, row_major_strides};
use crate::{Error, Result};
use bytemuck::Pod;
use std::marker::PhantomData;
use std::sync::Mutex;
use tilewise_kernels::{ColumnsMut, StridedMut};

/// An array in memory that blocks are claimed of.
#[derive(Debug)]
pub struct Canvas<'a> {
    base: *mut u8,
    shape: Vec<usize>,
    size: usize,
    claimed: Mutex<Vec<Region>>,
    owner: PhantomData<&'a mut [u8]>,
}

// SAFETY: the bytes are reached through patches only, which never overlap.
unsafe impl Send for Canvas<'_> {}
// SAFETY: as above; the list of patches is behind a mutex.
unsafe impl Sync for Canvas<'_> {}

impl<'a> Canvas<'a> {
    /// A dense row-major array of elements of `size` bytes.
    ///
    /// # Errors
    /// When `bytes` is not that long.
    pub fn new(bytes: &'a mut [u8], shape: &[usize], size: usize) -> Result<Canvas<'a>> {
        if crate::geometry::checked_bytes(shape, size)? != bytes.len() {
            return Err(Error::invalid(format!(
                "{} bytes for {shape:?} elements of {size}",
                bytes.len()
            )));
        }
        Ok(Canvas {
            base: bytes.as_mut_ptr(),
            shape: shape.to_vec(),
            size,
            claimed: Mutex::new(Vec::new()),
            owner: PhantomData,
        })
    }

    /// A block of it, until the patch is dropped.
    ///
    /// # Errors
    /// When it reaches outside, or some of it is claimed already.
    pub fn claim(&self, region: &Region) -> Result<Patch<'_>> {
        let inside = region.rank() == self.shape.len()
            && (0..region.rank()).all(|axis| {
                let stop = region.start[axis].checked_add(region.shape[axis]);
                stop.is_some_and(|stop| stop <= self.shape[axis])
            });
        if !inside {
            return Err(Error::invalid(format!(
                "block {region:?} of an array of {:?}",
                self.shape
            )));
        }
        let mut claimed = lock(&self.claimed);
        if let Some(other) = claimed.iter().find(|other| other.intersect(region).is_some()) {
            return Err(Error::invalid(format!(
                "block {region:?} meets {other:?}, which is being written"
            )));
        }
        claimed.push(region.clone());
        drop(claimed);
        let strides = row_major_strides(&self.shape);
        let first: usize = region.start.iter().zip(&strides).map(|(s, k)| s * k).sum();
        Ok(Patch {
            // SAFETY: the block lies inside the array, or is empty and its start is at most its end.
            base: unsafe {
                self.base
                    .add(if region.is_empty() { 0 } else { first * self.size })
            },
            shape: region.shape.clone(),
            strides,
            size: self.size,
            from: Some((self, region.clone())),
            owner: PhantomData,
        })
    }
}

/// A block to be written, which its holder alone reaches.
#[derive(Debug)]
pub struct Patch<'a> {
    base: *mut u8,
    shape: Vec<usize>,
    strides: Vec<usize>,
    size: usize,
    from: Option<(&'a Canvas<'a>, Region)>,
    owner: PhantomData<&'a mut [u8]>,
}

// SAFETY: a patch owns its elements as a `&mut [u8]` does.
unsafe impl Send for Patch<'_> {}

impl<'a> Patch<'a> {
    /// All of a dense row-major buffer.
    ///
    /// # Errors
    /// When `bytes` is not that long.
    pub fn dense(bytes: &'a mut [u8], shape: &[usize], size: usize) -> Result<Patch<'a>> {
        let canvas = Canvas::new(bytes, shape, size)?;
        Ok(Patch {
            base: canvas.base,
            shape: shape.to_vec(),
            strides: row_major_strides(shape),
            size,
            from: None,
            owner: PhantomData,
        })
    }

    /// Its extents.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Elements from one index to the next, per axis.
    pub fn strides(&self) -> &[usize] {
        &self.strides
    }

    /// All of it as one slice, where it is contiguous and aligned for `T`.
    ///
    /// # Panics
    /// When `T` is not as large as an element.
    pub fn contiguous<T: Pod>(&mut self) -> Option<&mut [T]> {
        self.check::<T>();
        let len: usize = self.shape.iter().product();
        if len == 0 {
            return Some(&mut []);
        }
        let mut dense = 1;
        for (&n, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if n > 1 && stride != dense {
                return None;
            }
            dense *= n;
        }
        if !(self.base as usize).is_multiple_of(align_of::<T>()) {
            return None;
        }
        // SAFETY: the elements follow each other, are inside the claimed block, aligned, and any
        // bytes are a `T`.
        Some(unsafe { std::slice::from_raw_parts_mut(self.base.cast::<T>(), len) })
    }

    /// Columns along `axis`: repeated along `outer`, with all axes from `inner_from` on as
    /// neighbours, at the index `at` of the other axes (what it says of these axes is not read).
    ///
    /// # Panics
    /// When `T` is not as large as an element, the memory not aligned for it, `at` out of range,
    /// or the axes from `inner_from` on are not contiguous.
    pub fn columns<T: Pod>(
        &mut self,
        axis: usize,
        outer: Option<usize>,
        inner_from: usize,
        at: &[usize],
    ) -> ColumnsMut<'_, T> {
        self.check::<T>();
        let rank = self.shape.len();
        assert!(at.len() == rank && axis < inner_from && outer.is_none_or(|o| o < inner_from && o != axis));
        let aligned = (self.base as usize).is_multiple_of(align_of::<T>());
        assert!(aligned, "a result that is not aligned to its elements");
        assert!(
            self.dense_from() <= inner_from,
            "neighbours that are not contiguous"
        );
        let mut offset = 0;
        for other in (0..inner_from).filter(|&a| a != axis && Some(a) != outer) {
            assert!(at[other] < self.shape[other], "index {at:?} of {:?}", self.shape);
            offset += at[other] * self.strides[other];
        }
        let (repeats, outer_step) = outer.map_or((1, 0), |o| (self.shape[o], self.strides[o]));
        // SAFETY: rows are runs of the claimed block, aligned, of any bytes; they do not overlap
        // because the strides are those of a row-major array. `&mut self` guards them meanwhile.
        unsafe {
            ColumnsMut::from_raw(
                self.base.cast::<T>().add(offset),
                repeats,
                self.shape[axis],
                self.shape[inner_from..].iter().product(),
                outer_step,
                self.strides[axis],
            )
        }
    }

    /// The block as kernels over several axes see it.
    ///
    /// # Panics
    /// When `T` is not as large as an element, or the memory not aligned for it.
    pub fn strided<T: Pod>(&mut self) -> StridedMut<'_, T> {
        self.check::<T>();
        let aligned = (self.base as usize).is_multiple_of(align_of::<T>());
        assert!(aligned, "a result that is not aligned to its elements");
        // SAFETY: the elements are those of the claimed block, of any bytes; `&mut self` guards them
        // meanwhile.
        unsafe { StridedMut::from_raw(self.base.cast::<T>(), &self.shape, &self.strides) }
    }

    /// The first axis from which on elements are contiguous; the rank where not even the last is.
    pub fn dense_from(&self) -> usize {
        dense_from(&self.shape, &self.strides)
    }

    /// All bytes of it as one slice, where it is contiguous.
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        if self.dense_from() > 0 && !self.shape.contains(&0) {
            return None;
        }
        let len: usize = self.shape.iter().product::<usize>() * self.size;
        // SAFETY: the elements follow each other and are inside the claimed block.
        Some(unsafe { std::slice::from_raw_parts_mut(self.base, len) })
    }

    /// Whether the memory is aligned to its elements.
    pub fn is_aligned(&self) -> bool {
        (self.base as usize).is_multiple_of(self.size)
    }

    /// Copies a dense row-major block of its extents into it.
    ///
    /// # Panics
    /// When `bytes` is not that long.
    pub fn fill_from(&mut self, bytes: &[u8]) {
        let dense = self.dense_from();
        let run = self.shape[dense..].iter().product::<usize>() * self.size;
        assert_eq!(bytes.len(), self.shape.iter().product::<usize>() * self.size);
        if bytes.is_empty() {
            return;
        }
        let mut at = vec![0; dense];
        for from in bytes.chunks_exact(run) {
            let offset: usize = at.iter().zip(&self.strides).map(|(i, k)| i * k).sum();
            // SAFETY: each run is inside the claimed block and is ours; `from` is as long and is
            // memory of another borrow.
            unsafe {
                std::ptr::copy_nonoverlapping(from.as_ptr(), self.base.add(offset * self.size), run);
            }
            for axis in (0..dense).rev() {
                at[axis] += 1;
                if at[axis] < self.shape[axis] {
                    break;
                }
                at[axis] = 0;
            }
        }
    }

    fn check<T>(&self) {
        assert_eq!(size_of::<T>(), self.size, "elements of another size");
    }
}

impl Drop for Patch<'_> {
    fn drop(&mut self) {
        if let Some((canvas, region)) = &self.from {
            let mut claimed = lock(&canvas.claimed);
            if let Some(at) = claimed.iter().position(|r| r == region) {
                claimed.swap_remove(at);
            }
        }
    }
}

/// The first axis from which on elements of a strided block are contiguous.
pub fn dense_from(shape: &[usize], strides: &[usize]) -> usize {
    let mut dense = 1;
    for axis in (0..shape.len()).rev() {
        if shape[axis] > 1 && strides[axis] != dense {
            return axis + 1;
        }
        dense *= shape[axis];
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_fill_their_block_and_nothing_else() {
        let mut values = vec![0u32; 24];
        let canvas = Canvas::new(bytemuck::cast_slice_mut(&mut values), &[2, 3, 4], 4).unwrap();
        let mut left = canvas.claim(&Region::new(vec![0, 0, 0], vec![2, 3, 2])).unwrap();
        let mut right = canvas.claim(&Region::new(vec![0, 1, 2], vec![2, 2, 2])).unwrap();
        assert!(
            canvas.claim(&Region::new(vec![1, 2, 3], vec![1, 1, 1])).is_err(),
            "claimed"
        );
        assert!(
            canvas.claim(&Region::new(vec![1, 2, 3], vec![1, 1, 2])).is_err(),
            "outside"
        );
        assert!(left.contiguous::<u32>().is_none());
        assert_eq!(
            (left.dense_from(), left.shape(), left.strides()),
            (2, &[2, 3, 2][..], &[12, 4, 1][..])
        );
        let mut columns = left.columns::<u32>(1, Some(0), 2, &[0, 0, 0]);
        for (o, i) in [(0, 0), (1, 2)] {
            columns.row(o, i).fill(1 + o as u32);
        }
        right.columns::<u32>(0, None, 2, &[0, 1, 0]).row(0, 1).fill(9);
        drop((left, right));
        let mut row = canvas.claim(&Region::new(vec![1, 2, 0], vec![1, 1, 4])).unwrap();
        assert_eq!(row.contiguous::<u32>().unwrap(), [2, 2, 9, 9]);
        drop(row);
        drop(canvas);
        assert_eq!(values[..2], [1, 1]);
        assert_eq!(values.iter().sum::<u32>(), 2 + 4 + 18);
    }

    #[test]
    fn dense_blocks_are_copied_in() {
        let mut values = vec![0u16; 12];
        let canvas = Canvas::new(bytemuck::cast_slice_mut(&mut values), &[3, 4], 2).unwrap();
        let mut patch = canvas.claim(&Region::new(vec![1, 1], vec![2, 2])).unwrap();
        assert!(patch.bytes_mut().is_none() && patch.is_aligned());
        patch.fill_from(bytemuck::cast_slice(&[1u16, 2, 3, 4]));
        drop(patch);
        let mut rows = canvas.claim(&Region::new(vec![0, 0], vec![1, 4])).unwrap();
        rows.bytes_mut().unwrap().fill(1);
        drop(rows);
        drop(canvas);
        assert_eq!(values, [257, 257, 257, 257, 0, 1, 2, 0, 0, 3, 4, 0]);
    }

    #[test]
    fn empty_and_scalar_patches() {
        let canvas = Canvas::new(&mut [], &[3, 0], 8).unwrap();
        let mut patch = canvas.claim(&Region::whole(&[3, 0])).unwrap();
        assert!(patch.contiguous::<f64>().unwrap().is_empty());
        let mut value = [0u8; 8];
        let mut scalar = Patch::dense(&mut value, &[], 8).unwrap();
        scalar.contiguous::<u64>().unwrap()[0] = 5;
        drop(scalar);
        assert_eq!(value, 5u64.to_ne_bytes());
        assert!(Patch::dense(&mut value, &[2], 8).is_err());
    }
}
