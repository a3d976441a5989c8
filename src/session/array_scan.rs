//! Scans, rolling windows, differences and derivatives of arrays.

use super::array::Array;
use crate::Result;
use crate::expr::Spacing;
use crate::geometry::normalize_axis;
use std::sync::Arc;
use tilewise_kernels::scan::{Scan, ScanKind};
use tilewise_kernels::window::{Window, WindowKind};

impl Array {
    /// A scan along `axis`, of the shape of the array.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn scan(&self, scan: Scan, axis: isize) -> Result<Array> {
        self.expr().scan(scan, axis).map(Array::from_expr)
    }

    fn plain_scan(&self, kind: ScanKind, axis: isize) -> Result<Array> {
        self.scan(Scan { kind, skipna: false }, axis)
    }

    /// The sum of all elements up to each along `axis`. Bools and integers give 64 bits and wrap;
    /// floats keep their dtype, are summed in f64 with what rounding lost, and rounded at each place.
    ///
    /// ```
    /// let x = tilewise::Array::from_vec(&[2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    /// let sums = x.cumsum(1)?.compute::<f32>()?;
    /// assert_eq!(sums.into_raw_vec_and_offset().0, [1.0, 3.0, 6.0, 4.0, 9.0, 15.0]);
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// An axis out of range.
    pub fn cumsum(&self, axis: isize) -> Result<Array> {
        self.plain_scan(ScanKind::Sum, axis)
    }

    /// The product of all elements up to each along `axis`; dtypes as [`Array::cumsum`].
    ///
    /// # Errors
    /// An axis out of range.
    pub fn cumprod(&self, axis: isize) -> Result<Array> {
        self.plain_scan(ScanKind::Prod, axis)
    }

    /// The largest of all elements up to each along `axis`; from a NaN on NaN.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn cummax(&self, axis: isize) -> Result<Array> {
        self.plain_scan(ScanKind::Max, axis)
    }

    /// The smallest of all elements up to each along `axis`; from a NaN on NaN.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn cummin(&self, axis: isize) -> Result<Array> {
        self.plain_scan(ScanKind::Min, axis)
    }

    /// Windows of `window` places moving along `axis`, as pandas and xarray have them: NaN and what
    /// lies beyond the ends is missing, and fewer than `min_periods` elements (the whole window when
    /// `None`) give NaN. A window ends at the place of its result, or with `center` lies about it.
    ///
    /// ```
    /// let x = tilewise::Array::from_vec(&[5], vec![1.0f64, 2.0, f64::NAN, 4.0, 9.0])?;
    /// let mean = x.rolling(0, 3, Some(1), true)?.mean()?.compute::<f64>()?;
    /// assert_eq!(mean.into_raw_vec_and_offset().0, [1.5, 1.5, 3.0, 6.5, 6.5]);
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// An axis out of range; a window of no place; `min_periods` of 0 or more than the window.
    pub fn rolling(
        &self,
        axis: isize,
        window: usize,
        min_periods: Option<usize>,
        center: bool,
    ) -> Result<Rolling> {
        let rolling = Rolling {
            axis: normalize_axis(axis, self.rank())? as isize,
            array: self.clone(),
            window: Window::new(WindowKind::Mean, window, min_periods.unwrap_or(window), center),
        };
        rolling.mean()?;
        Ok(rolling)
    }

    /// The difference of neighbours along `axis`, `n` times over; bools differ where they are not
    /// equal. The axis is shorter by `n`.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn diff(&self, n: usize, axis: isize) -> Result<Array> {
        self.diff_within(n, axis, None, None)
    }

    /// [`Array::diff`] with other arrays put before and after this one along `axis`; they repeat
    /// along axes where they have extent 1 or none.
    ///
    /// # Errors
    /// An axis out of range, or shapes that do not agree.
    pub fn diff_within(
        &self,
        n: usize,
        axis: isize,
        before: Option<&Array>,
        after: Option<&Array>,
    ) -> Result<Array> {
        let (before, after) = (before.map(Array::expr), after.map(Array::expr));
        self.expr().diff(n, axis, before, after).map(Array::from_expr)
    }

    /// The derivative along `axis` for samples `step` apart, by central differences and at the ends
    /// by one-sided ones of order `edge_order`, 1 or 2 (NumPy's `gradient`). Floats keep their
    /// dtype, others give f64.
    ///
    /// # Errors
    /// An axis out of range or of fewer than `edge_order + 1` places.
    pub fn gradient(&self, axis: isize, step: f64, edge_order: usize) -> Result<Array> {
        let spacing = Spacing::Even(step);
        self.expr()
            .gradient(&spacing, axis, edge_order)
            .map(Array::from_expr)
    }

    /// [`Array::gradient`] for samples at such coordinates, with weights that are exact for a
    /// quadratic however they are spaced.
    ///
    /// # Errors
    /// As [`Array::gradient`], or when there is not one coordinate per place.
    pub fn gradient_at(&self, axis: isize, places: &[f64], edge_order: usize) -> Result<Array> {
        let spacing = Spacing::At(Arc::from(places));
        self.expr()
            .gradient(&spacing, axis, edge_order)
            .map(Array::from_expr)
    }
}

/// Windows along an axis of an array, which some statistic is to be taken of. Results have the
/// array's shape; floats keep their dtype, others give f64.
#[derive(Clone, Debug)]
pub struct Rolling {
    array: Array,
    axis: isize,
    window: Window,
}

impl Rolling {
    /// A statistic of each window; `ddof` is for variances and standard deviations.
    ///
    /// # Errors
    /// A result too large for 64 bits.
    pub fn apply(&self, kind: WindowKind, ddof: u32) -> Result<Array> {
        let window = Window {
            kind,
            ddof,
            ..self.window
        };
        self.array.expr().rolling(window, self.axis).map(Array::from_expr)
    }

    /// The mean, computed in f64.
    ///
    /// # Errors
    /// As [`Rolling::apply`].
    pub fn mean(&self) -> Result<Array> {
        self.apply(WindowKind::Mean, 0)
    }

    /// The sum, computed in f64.
    ///
    /// # Errors
    /// As [`Rolling::apply`].
    pub fn sum(&self) -> Result<Array> {
        self.apply(WindowKind::Sum, 0)
    }

    /// The smallest element.
    ///
    /// # Errors
    /// As [`Rolling::apply`].
    pub fn min(&self) -> Result<Array> {
        self.apply(WindowKind::Min, 0)
    }

    /// The largest element.
    ///
    /// # Errors
    /// As [`Rolling::apply`].
    pub fn max(&self) -> Result<Array> {
        self.apply(WindowKind::Max, 0)
    }

    /// The variance with `ddof`, from squared differences from the window's mean, in f64.
    ///
    /// # Errors
    /// As [`Rolling::apply`].
    pub fn var(&self, ddof: u32) -> Result<Array> {
        self.apply(WindowKind::Var, ddof)
    }

    /// The square root of [`Rolling::var`].
    ///
    /// # Errors
    /// As [`Rolling::apply`].
    pub fn std(&self, ddof: u32) -> Result<Array> {
        self.apply(WindowKind::Std, ddof)
    }

    /// The number of elements, as f64; NaN where it is less than `min_periods`.
    ///
    /// # Errors
    /// As [`Rolling::apply`].
    pub fn count(&self) -> Result<Array> {
        self.apply(WindowKind::Count, 0)
    }
}
