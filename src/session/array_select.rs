//! Elements and places that a condition picks, named as in NumPy. How many there are is counted at the
//! call; what they are is computed like any array.

use super::Session;
use super::array::Array;
use crate::expr::{Expr, Rows, along_axis};
use crate::geometry::row_major_strides;
use crate::{Error, Result};

/// A task takes at most this part of the memory.
const PART: u64 = 64;
/// Bytes that a task takes where there is memory.
const TASK: usize = 8 << 20;

impl Session {
    /// `array[condition]`: the elements, or where the condition has fewer axes the rows, for which it holds,
    /// in row-major order. The condition has the extents of the array's first axes; a number that is
    /// not zero, NaN too, is true. The result has shape `[picked, extents of other axes..]`.
    ///
    /// The condition is computed once now, to count, and again with the result;
    /// [`Session::cache`] it where that is costly.
    ///
    /// ```
    /// use tilewise::{Array, Session};
    /// let x = Array::from_vec(&[2, 3], vec![3.0f32, -1.0, 2.0, f32::NAN, 5.0, -2.0])?;
    /// let session = Session::global()?;
    /// let positive = session.extract(&x.apply("greater", &[&0.0])?, &x)?;
    /// assert_eq!(positive.compute::<f32>()?.into_raw_vec_and_offset().0, [3.0, 2.0, 5.0]);
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// Shapes that do not agree; what computing the condition meets.
    pub fn extract(&self, condition: &Array, array: &Array) -> Result<Array> {
        let rows = Rows::new(condition.expr(), array.expr(), self.target(), &|id| {
            self.is_marked(id)
        })?;
        self.picked(&rows).map(Array::from_expr)
    }

    /// The slices along `axis` at which `condition`, of one axis, holds (NumPy's `compress`). It may be
    /// shorter than the axis; what lies behind its end is left out.
    ///
    /// # Errors
    /// A condition that has not one axis or is longer; an axis out of range; what computing it meets.
    pub fn compress(&self, condition: &Array, array: &Array, axis: isize) -> Result<Array> {
        let at = crate::geometry::normalize_axis(axis, array.rank())?;
        if condition.rank() != 1 || condition.len() > array.shape()[at] {
            return Err(Error::invalid(format!(
                "compress: a condition of shape {:?} for axis {at} of an array of shape {:?}",
                condition.shape(),
                array.shape()
            )));
        }
        let places = self.compute::<i64>(&self.flatnonzero(condition)?)?;
        array.take(&places.into_raw_vec_and_offset().0, at as isize)
    }

    /// The places of the elements that are not zero, as row-major numbers, I64, rising.
    ///
    /// ```
    /// use tilewise::{Array, Session};
    /// let x = Array::from_vec(&[2, 2], vec![0, 7, 0, -1])?;
    /// let session = Session::global()?;
    /// assert_eq!(session.flatnonzero(&x)?.compute::<i64>()?.into_raw_vec_and_offset().0, [1, 3]);
    /// let [rows, columns] = &session.nonzero(&x)?[..] else { unreachable!("one for each axis") };
    /// assert_eq!(rows.compute::<i64>()?.into_raw_vec_and_offset().0, [0, 1]);
    /// assert_eq!(columns.compute::<i64>()?.into_raw_vec_and_offset().0, [1, 1]);
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// What computing the array meets.
    pub fn flatnonzero(&self, array: &Array) -> Result<Array> {
        let rows = Rows::numbers(array.expr(), self.target(), &|id| self.is_marked(id))?;
        self.picked(&rows).map(Array::from_expr)
    }

    /// The indices of the elements that are not zero, one array for each axis, I64, in row-major order.
    ///
    /// # Errors
    /// An array without axis; what computing it meets.
    pub fn nonzero(&self, array: &Array) -> Result<Vec<Array>> {
        if array.rank() == 0 {
            return Err(Error::invalid(
                "nonzero of an array without axis; reshape it to [1] first",
            ));
        }
        let numbers = self.flatnonzero(array)?;
        let strides = row_major_strides(array.shape());
        let along = array.shape().iter().zip(strides);
        along
            .map(|(&extent, stride)| along_axis(numbers.expr(), stride, extent).map(Array::from_expr))
            .collect()
    }

    /// The indices of the elements that are not zero, a row for each, I64, shape `[picked, rank]`.
    ///
    /// # Errors
    /// What computing the array meets.
    pub fn argwhere(&self, array: &Array) -> Result<Array> {
        match array.rank() {
            0 => {
                let picked = self.flatnonzero(array)?.len();
                Array::full(&[picked, 0], 0i64)
            }
            _ => Array::stack(&self.nonzero(array)?.iter().collect::<Vec<_>>(), 1),
        }
    }

    /// Bytes of a task.
    fn target(&self) -> usize {
        TASK.min((self.limits().host / PART) as usize)
    }

    /// The rows that a condition picks, counted now.
    fn picked(&self, rows: &Rows) -> Result<Expr> {
        let counts = self.compute::<i64>(&Array::from_expr(rows.counts()?))?;
        rows.picked(counts.into_iter().map(|count| count as usize))
    }
}

impl Array {
    /// [`Session::extract`] by the global session.
    ///
    /// # Errors
    /// As there.
    pub fn extract(&self, condition: &Array) -> Result<Array> {
        Session::global()?.extract(condition, self)
    }

    /// [`Session::compress`] by the global session.
    ///
    /// # Errors
    /// As there.
    pub fn compress(&self, condition: &Array, axis: isize) -> Result<Array> {
        Session::global()?.compress(condition, self, axis)
    }

    /// [`Session::flatnonzero`] by the global session.
    ///
    /// # Errors
    /// As there.
    pub fn flatnonzero(&self) -> Result<Array> {
        Session::global()?.flatnonzero(self)
    }

    /// [`Session::nonzero`] by the global session.
    ///
    /// # Errors
    /// As there.
    pub fn nonzero(&self) -> Result<Vec<Array>> {
        Session::global()?.nonzero(self)
    }

    /// [`Session::argwhere`] by the global session.
    ///
    /// # Errors
    /// As there.
    pub fn argwhere(&self) -> Result<Array> {
        Session::global()?.argwhere(self)
    }
}
