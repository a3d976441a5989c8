//! Scans, rolling windows and derivatives along named dimensions.

use super::data_array::DataArray;
use super::index::{Index, Values};
use crate::expr::Spacing;
use crate::{Error, Result};
use std::sync::Arc;
use tilewise_kernels::scan::{Scan, ScanKind};
use tilewise_kernels::window::{Window, WindowKind};

/// Units of time that a derivative can be per, as NumPy writes them, in microseconds.
const TIME_UNITS: [(&str, f64); 8] = [
    ("W", 7.0 * 86_400e6),
    ("D", 86_400e6),
    ("h", 3_600e6),
    ("m", 60e6),
    ("s", 1e6),
    ("ms", 1e3),
    ("us", 1.0),
    ("ns", 1e-3),
];

impl DataArray {
    /// A scan along dimensions, one after another; all of them when `None`. NaN is left out of
    /// floats unless `skipna` says otherwise. Labels and attributes stay.
    ///
    /// # Errors
    /// A dimension that is not there or is named twice.
    pub fn scan(&self, kind: ScanKind, dims: Option<&[String]>, skipna: Option<bool>) -> Result<DataArray> {
        let skipna = skipna.unwrap_or(self.dtype().has_nan());
        let dims = dims.unwrap_or(self.dims());
        let mut expr = self.expr().clone();
        for (at, dim) in dims.iter().enumerate() {
            if dims[..at].contains(dim) {
                return Err(Error::invalid(format!("{}: {dim} is named twice", kind.name())));
            }
            expr = expr.scan(Scan { kind, skipna }, self.axis(dim)? as isize)?;
        }
        Ok(self.with_expr(expr))
    }

    /// The sum of all elements up to each along a dimension; NaN counts as 0.
    ///
    /// # Errors
    /// A dimension that is not there.
    pub fn cumsum(&self, dim: &str) -> Result<DataArray> {
        self.scan(ScanKind::Sum, Some(&[dim.to_string()]), None)
    }

    /// Windows of `window` places moving along a dimension; fewer elements than `min_periods` (the
    /// whole window when `None`) give NaN. With `center` a window lies about the place of its result
    /// rather than ending there.
    ///
    /// # Errors
    /// A dimension that is not there; a window of no place; `min_periods` of 0 or more than it.
    pub fn rolling(
        &self,
        dim: &str,
        window: usize,
        min_periods: Option<usize>,
        center: bool,
    ) -> Result<Rolling> {
        let rolling = Rolling {
            axis: self.axis(dim)? as isize,
            array: self.clone(),
            window: Window::new(WindowKind::Mean, window, min_periods.unwrap_or(window), center),
        };
        rolling.apply(WindowKind::Mean, 0)?;
        Ok(rolling)
    }

    /// The derivative along a dimension by the distances of its labels; along times per
    /// `datetime_unit` (`W`, `D`, `h`, `m`, `s`, `ms`, `us`, `ns`). The formulas are those of
    /// [`Array::gradient_at`](crate::Array::gradient_at). Labels stay, attributes do not.
    ///
    /// # Errors
    /// A dimension that is not there or has no numbers for labels or too few of them; times without
    /// a unit.
    pub fn differentiate(
        &self,
        dim: &str,
        edge_order: usize,
        datetime_unit: Option<&str>,
    ) -> Result<DataArray> {
        let axis = self.axis(dim)? as isize;
        let places = places(dim, self.labels(dim)?, datetime_unit)?;
        let expr = self
            .expr()
            .gradient(&Spacing::At(Arc::from(places)), axis, edge_order)?;
        Ok(self.with_expr(expr).with_attrs(Default::default()))
    }
}

/// Labels as numbers; times in a unit, from the first.
fn places(dim: &str, index: &Index, unit: Option<&str>) -> Result<Vec<f64>> {
    if let Values::Text(_) = index.values {
        return Err(Error::invalid(format!(
            "differentiate: the labels of {dim} are text, which has no distances"
        )));
    }
    let numbers = (0..index.len()).map(|at| index.number(at));
    let names = || TIME_UNITS.map(|(name, _)| name).join(", ");
    match (&index.time, unit) {
        (None, None) => Ok(numbers.collect()),
        (None, Some(_)) => Err(Error::invalid(format!(
            "differentiate: {dim} is no time axis, so it takes no datetime_unit"
        ))),
        (Some(_), None) => Err(Error::invalid(format!(
            "differentiate along the times of {dim} needs datetime_unit, as in \
             datetime_unit=\"D\"; it is one of {}",
            names()
        ))),
        (Some(units), Some(unit)) => {
            let known = TIME_UNITS.iter().find(|(name, _)| *name == unit);
            let (_, length) = known.ok_or_else(|| {
                Error::invalid(format!("datetime_unit is one of {}, not {unit:?}", names()))
            })?;
            let first = if index.is_empty() { 0.0 } else { index.number(0) };
            let step = units.microseconds();
            Ok(numbers.map(|n| (n - first) * step / length).collect())
        }
    }
}

/// Windows along a dimension of an array, which some statistic is to be taken of. Labels and
/// attributes stay; floats keep their dtype, others give f64.
#[derive(Clone, Debug)]
pub struct Rolling {
    array: DataArray,
    axis: isize,
    window: Window,
}

impl Rolling {
    /// A statistic of each window; `ddof` is for variances and standard deviations.
    ///
    /// # Errors
    /// A result too large for 64 bits.
    pub fn apply(&self, kind: WindowKind, ddof: u32) -> Result<DataArray> {
        let window = Window {
            kind,
            ddof,
            ..self.window
        };
        Ok(self
            .array
            .with_expr(self.array.expr().rolling(window, self.axis)?))
    }
}
