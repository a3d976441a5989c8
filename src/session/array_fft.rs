//! Fourier transforms of arrays, as `numpy.fft` and `dask.array.fft` have them.

use super::array::Array;
use crate::expr::{Norm, frequencies};
use crate::{Result, Transform};

impl Array {
    /// The transform along an axis of `n` points, to which the axis is cut or continued by zeros;
    /// when `None`, of all of them.
    ///
    /// `X[k] = Σ x[j] exp(-2πi jk / n)`. float32 and half floats give complex64, all else complex128.
    ///
    /// ```
    /// use tilewise::{Array, Norm, Session};
    /// let x = Array::from_vec(&[4], vec![1.0f32, 0.0, -1.0, 0.0])?;
    /// let y = x.fft(None, -1, Norm::Backward)?.apply("real", &[])?;
    /// let values = Session::global()?.compute::<f32>(&y)?;
    /// assert_eq!(values.as_slice(), Some(&[0.0, 2.0, 0.0, 2.0][..]));
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// An axis out of range; no point.
    pub fn fft(&self, n: Option<usize>, axis: isize, norm: Norm) -> Result<Array> {
        self.transformed(Transform::Forward, n, axis, norm)
    }

    /// The inverse of [`Array::fft`].
    ///
    /// # Errors
    /// As there.
    pub fn ifft(&self, n: Option<usize>, axis: isize, norm: Norm) -> Result<Array> {
        self.transformed(Transform::Inverse, n, axis, norm)
    }

    /// The first `n / 2 + 1` results of [`Array::fft`] of real numbers, which are all that there is to
    /// know.
    ///
    /// # Errors
    /// As there; complex numbers.
    pub fn rfft(&self, n: Option<usize>, axis: isize, norm: Norm) -> Result<Array> {
        self.transformed(Transform::RealForward, n, axis, norm)
    }

    /// The inverse of [`Array::rfft`]: `n` real numbers, `2 (m - 1)` of an extent `m` when `None`.
    ///
    /// # Errors
    /// As [`Array::fft`].
    pub fn irfft(&self, n: Option<usize>, axis: isize, norm: Norm) -> Result<Array> {
        self.transformed(Transform::RealInverse, n, axis, norm)
    }

    fn transformed(&self, transform: Transform, n: Option<usize>, axis: isize, norm: Norm) -> Result<Array> {
        self.expr().fft(transform, n, axis, norm).map(Array::from_expr)
    }

    /// The real transform of an array whose other half would be its conjugate.
    ///
    /// # Errors
    /// As [`Array::fft`].
    pub fn hfft(&self, n: Option<usize>, axis: isize, norm: Norm) -> Result<Array> {
        self.expr().hfft(false, n, axis, norm).map(Array::from_expr)
    }

    /// The inverse of [`Array::hfft`].
    ///
    /// # Errors
    /// As [`Array::rfft`].
    pub fn ihfft(&self, n: Option<usize>, axis: isize, norm: Norm) -> Result<Array> {
        self.expr().hfft(true, n, axis, norm).map(Array::from_expr)
    }

    /// A transform over several axes: `fftn`, `ifftn`, `rfftn` or `irfftn` of NumPy, and over two axes
    /// `fft2` and its kin. A real transform is that of the last axis.
    ///
    /// # Errors
    /// As [`Array::fft`]; no axis; sizes that are not one per axis.
    pub fn fftn(
        &self,
        transform: Transform,
        sizes: Option<&[usize]>,
        axes: &[isize],
        norm: Norm,
    ) -> Result<Array> {
        self.expr()
            .fftn(transform, sizes, axes, norm)
            .map(Array::from_expr)
    }

    /// The zero frequency moved from the front to the middle of axes.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn fftshift(&self, axes: &[isize]) -> Result<Array> {
        self.expr().fftshift(axes, false).map(Array::from_expr)
    }

    /// The inverse of [`Array::fftshift`].
    ///
    /// # Errors
    /// An axis out of range.
    pub fn ifftshift(&self, axes: &[isize]) -> Result<Array> {
        self.expr().fftshift(axes, true).map(Array::from_expr)
    }

    /// The frequencies of [`Array::fft`] of `n` points that lie `spacing` apart, in cycles per unit of
    /// that; float64.
    ///
    /// # Errors
    /// None that a size of memory does not give.
    pub fn fftfreq(n: usize, spacing: f64) -> Result<Array> {
        Array::from_vec(&[n], frequencies(n, spacing, false))
    }

    /// The frequencies of [`Array::rfft`].
    ///
    /// # Errors
    /// As [`Array::fftfreq`].
    pub fn rfftfreq(n: usize, spacing: f64) -> Result<Array> {
        let values = frequencies(n, spacing, true);
        Array::from_vec(&[values.len()], values)
    }
}
