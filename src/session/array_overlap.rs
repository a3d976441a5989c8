//! Stencils, closures over overlapping blocks, and padding.

use super::array::Array;
use crate::expr::{Boundary, Overlap};
use crate::{Error, Result};
use tilewise_kernels::{Element, Scalar};

/// One boundary per axis, from one for all or from as many.
fn per_axis(boundaries: &[Boundary], rank: usize) -> Vec<Boundary> {
    match boundaries {
        [all] => vec![*all; rank],
        each => each.to_vec(),
    }
}

impl Array {
    /// A weighted sum of each element's neighbours, as `scipy.ndimage.correlate`:
    /// `out[i] = Σ_k weights[k] · x[i + k − n/2]`, where `n/2` is half of the weights' extent rounded
    /// down. Weights of 0 do not count, whatever they meet. One boundary serves all axes, else there
    /// is one per axis; along an axis without ([`Boundary::None`]) the result has only the indices
    /// whose neighbours all exist. The dtype is that of both promoted.
    ///
    /// ```
    /// use tilewise::{Array, Boundary};
    /// let x = Array::from_vec(&[5], vec![1.0f32, 4.0, 9.0, 16.0, 25.0])?;
    /// let weights = ndarray::arr1(&[1.0f32, -2.0, 1.0]);
    /// let inside = x.stencil(&weights, &[Boundary::None])?;
    /// assert_eq!(inside.compute::<f32>()?.into_raw_vec_and_offset().0, [2.0, 2.0, 2.0]);
    /// let nearest = x.stencil(&weights, &[Boundary::Nearest])?;
    /// assert_eq!(nearest.compute::<f32>()?.into_raw_vec_and_offset().0, [3.0, 2.0, 2.0, 2.0, -9.0]);
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// Weights with another number of axes, or boundaries; a boundary-less axis shorter than the
    /// weights; a constant that the dtype cannot hold.
    pub fn stencil<T: Element, D: ndarray::Dimension>(
        &self,
        weights: &ndarray::ArrayRef<T, D>,
        boundaries: &[Boundary],
    ) -> Result<Array> {
        let values: Vec<Scalar> = weights.iter().map(|&w| Scalar::new(w)).collect();
        let boundaries = per_axis(boundaries, self.rank());
        self.expr()
            .stencil(weights.shape(), &values, &boundaries)
            .map(Array::from_expr)
    }

    /// A closure on each chunk and `depth` elements around it along each axis, as Dask's
    /// `map_overlap`. Beyond the ends of the array they are what the boundary says;
    /// [`Boundary::None`]: there are none. With `trim` the closure fills as many elements as it
    /// sees, and those around the chunk are dropped; without, it fills those of the chunk.
    ///
    /// ```
    /// use tilewise::{Array, Boundary};
    /// let x = Array::from_vec(&[4], vec![1i32, 5, 2, 8])?;
    /// let rise = x.map_overlap::<i32, i32>("rise", &[1], &[Boundary::Nearest], false, |seen, out| {
    ///     for (slot, pair) in out.iter_mut().zip(seen.values.windows(2)) {
    ///         *slot = pair[1] - pair[0];
    ///     }
    ///     Ok(())
    /// })?;
    /// assert_eq!(rise.compute::<i32>()?.into_raw_vec_and_offset().0, [0, 4, -3, 6]);
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// An array of another dtype than `T`; another number of depths or boundaries; a constant that
    /// the dtype cannot hold.
    pub fn map_overlap<T: Element, U: Element>(
        &self,
        name: &str,
        depth: &[usize],
        boundaries: &[Boundary],
        trim: bool,
        f: impl Fn(Overlap<'_, T::Stored>, &mut [U::Stored]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Array> {
        let boundaries = per_axis(boundaries, self.rank());
        self.expr()
            .map_overlap::<T, U>(name, depth, &boundaries, trim, f)
            .map(Array::from_expr)
    }

    /// The array with `widths[axis]` elements more before and after each axis, which continue it as
    /// the boundary says. NumPy's modes are [`Boundary::parse_pad`]'s.
    ///
    /// # Errors
    /// Not one pair per axis; no boundary; a constant that the dtype cannot hold; an empty axis that
    /// is to be continued by what it holds.
    pub fn pad(&self, widths: &[(usize, usize)], boundary: Boundary) -> Result<Array> {
        self.expr().pad(widths, boundary).map(Array::from_expr)
    }

    /// [`Array::pad`] by the name of a mode of `numpy.pad`: `constant` (zeros), `edge`, `reflect`,
    /// `symmetric`, `wrap`.
    ///
    /// # Errors
    /// Another mode; as [`Array::pad`].
    pub fn pad_mode(&self, widths: &[(usize, usize)], mode: &str) -> Result<Array> {
        let boundary = Boundary::parse_pad(mode).ok_or_else(|| {
            Error::invalid(format!(
                "pad: there is no mode {mode:?}; there are constant, edge, reflect, symmetric, wrap"
            ))
        })?;
        self.pad(widths, boundary)
    }
}
