//! Distinct elements of an array, collected while its blocks stream by.
//!
//! How many there are is not known before, so this is no lazy array: blocks are sorted as they come
//! and merged into one table, which may grow to a share of the memory budget.

use super::Session;
use super::array::Array;
use crate::geometry::{Region, row_major_strides};
use crate::store::Sink;
use crate::{Error, Result};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tilewise_kernels::order::{Found, Ordered, Side, Uniques};
use tilewise_kernels::{DType, Element};

/// The table may take this part of the host budget.
const SHARE: u64 = 8;

/// The distinct elements of an array, rising, NaN last and once; two zeros are one.
#[derive(Clone, PartialEq, Debug)]
pub struct Unique<T> {
    /// The elements.
    pub values: Vec<T>,
    /// How often each occurs.
    pub counts: Vec<u64>,
    /// Where each comes first, counted in row-major order.
    pub index: Vec<u64>,
}

impl<T: Ordered> Unique<T> {
    /// For each element of `array` its place among the values, I64: `values[inverse]` is the array.
    ///
    /// # Errors
    /// When their number does not fit.
    pub fn inverse(&self, array: &Array) -> Result<Array> {
        let table = Array::from_vec(&[self.values.len()], self.values.clone())?;
        table.searchsorted(array, Side::Left)
    }
}

/// A sink that keeps the distinct elements of what is written.
struct Collector<T: Ordered> {
    name: String,
    shape: Vec<usize>,
    budget: u64,
    found: Mutex<Uniques<T>>,
}

impl<T: Ordered> fmt::Debug for Collector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<T: Ordered> Sink for Collector<T> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn dtype(&self) -> DType {
        T::DTYPE
    }

    fn chunks(&self) -> Option<&[usize]> {
        None
    }

    fn write(&self, region: &Region, data: &[u8]) -> Result<()> {
        let mut here = Uniques::<T>::of(bytemuck::cast_slice(data));
        let strides = row_major_strides(&self.shape);
        here.place(|mut local| {
            let mut global = 0;
            for axis in (0..region.rank()).rev() {
                let extent = region.shape[axis] as u64;
                let at = region.start[axis] as u64 + local % extent;
                local /= extent;
                global += at * strides[axis] as u64;
            }
            global
        });
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = found.bytes_with(&here) as u64;
        if needed > self.budget {
            return Err(Error::Memory {
                tier: "host",
                needed,
                budget: self.budget,
                term: format!(
                    "{} distinct values and more; round them, count them by histogram, or allow more memory",
                    found.found().len().max(here.found().len())
                ),
            });
        }
        found.merge(here);
        Ok(())
    }

    fn scratch_bytes(&self, region: &Region) -> usize {
        Uniques::<T>::scratch_bytes(region.len()) + self.budget as usize
    }
}

impl Session {
    /// The distinct elements of an array, with their counts and first places.
    ///
    /// ```
    /// use tilewise::{Array, Session};
    /// let x = Array::from_vec(&[2, 3], vec![3u8, 1, 3, 2, 3, 1])?;
    /// let unique = Session::global()?.unique::<u8>(&x)?;
    /// assert_eq!((unique.values.as_slice(), unique.counts.as_slice()), (&[1, 2, 3][..], &[2, 1, 3][..]));
    /// assert_eq!(unique.inverse(&x)?.compute::<i64>()?.into_raw_vec_and_offset().0, [2, 0, 2, 1, 2, 0]);
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// `T` is not the array's dtype; more distinct elements than an eighth of the memory budget
    /// holds; what reading and computing meet.
    pub fn unique<T: Ordered>(&self, array: &Array) -> Result<Unique<T>> {
        if array.dtype() != T::DTYPE {
            return Err(Error::invalid(format!(
                "the array has dtype {}, not {}; use astype first",
                array.dtype(),
                T::DTYPE
            )));
        }
        let most = Uniques::<T>::scratch_bytes(array.len()) as u64;
        let collector = Arc::new(Collector::<T> {
            name: "distinct values".into(),
            shape: array.shape().to_vec(),
            budget: (self.limits().host / SHARE).min(most.saturating_mul(4)),
            found: Mutex::default(),
        });
        if !array.is_empty() {
            self.store(&[(array, collector.clone())])?;
        }
        let found = collector.found.lock().unwrap_or_else(PoisonError::into_inner);
        let each = found.found();
        let value = |found: &Found<T>| <T as Element>::load(found.value);
        Ok(Unique {
            values: each.iter().map(value).collect(),
            counts: each.iter().map(|f| f.count).collect(),
            index: each.iter().map(|f| f.index).collect(),
        })
    }
}
