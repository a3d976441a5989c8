//! Fourier transforms along named dimensions, which become frequencies.
//!
//! A transform of `time` lies along `freq_time`, whose labels are frequencies in the order of
//! `numpy.fft.fftfreq`; the inverse leads back. Distances come from the labels of the dimension, which
//! must be even, or are given. Times are taken in seconds.

use super::coord::{Coord, CoordData};
use super::data_array::DataArray;
use super::index::{Index, Values};
use super::pick::Pick;
use crate::expr::{Norm, frequencies};
use crate::io::Attributes;
use crate::{Error, Result, Transform};

/// What dimensions of frequencies are called, before the name of the dimension they come from.
const PREFIX: &str = "freq_";
/// Labels are even whose distances differ by less than this part of one.
const UNEVEN: f64 = 1e-3;

/// How a transform is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct FftOptions {
    /// Points, to which the dimension is cut or continued by zeros; all of them when `None`.
    pub n: Option<usize>,
    /// The normalisation.
    pub norm: Norm,
    /// The distance of points, in place of that of the labels.
    pub spacing: Option<f64>,
}

/// The distance of labels and its unit; `None` where there is no label.
fn distance(array: &DataArray, dim: &str, inverse: bool) -> Result<Option<(f64, String)>> {
    let Some(coord) = array.coord(dim) else {
        return Ok(None);
    };
    let Some(index) = coord.index() else {
        return Ok(None);
    };
    if matches!(index.values, Values::Text(_)) || index.len() < 2 {
        return Ok(None);
    }
    let (unit, length) = match &index.time {
        Some(units) => ("s".to_string(), units.microseconds() / 1e6),
        None => (coord.attrs.text("units").unwrap_or_default().to_string(), 1.0),
    };
    let step = index.number(1) - index.number(0);
    // Frequencies come in the order of transforms, which begins evenly.
    let last = if inverse { 2 } else { index.len() };
    let even = |at: usize| (index.number(at) - index.number(at - 1) - step).abs() <= UNEVEN * step.abs();
    if step == 0.0 || !(1..last).all(even) {
        return Err(Error::invalid(format!(
            "the labels of {dim} are not even, as a Fourier transform along it needs; give the distance, as \
             in spacing=1, if they stand for even ones"
        )));
    }
    Ok(Some((step * length, unit)))
}

/// The unit of what is counted per `unit`.
fn inverse_unit(unit: &str) -> Option<String> {
    match unit {
        "" | "1" => None,
        "s" => Some("s-1".into()),
        "s-1" => Some("s".into()),
        other => match other.strip_prefix('(').and_then(|o| o.strip_suffix(")-1")) {
            Some(inner) => Some(inner.to_string()),
            None => Some(format!("({other})-1")),
        },
    }
}

impl DataArray {
    /// A Fourier transform along a dimension; see [`crate::Array::fft`]. Coordinates along the dimension
    /// go, those of the frequencies come; attributes go.
    ///
    /// # Errors
    /// A dimension that is not there; labels that are not even; complex numbers for a real transform.
    pub fn fft(&self, transform: Transform, dim: &str, options: &FftOptions) -> Result<DataArray> {
        let inverse = matches!(transform, Transform::Inverse | Transform::RealInverse);
        let axis = self.axis(dim)?;
        let expr = self
            .expr()
            .fft(transform, options.n, axis as isize, options.norm)?;
        let extent = expr.shape[axis];
        let points = match transform {
            Transform::RealForward => options.n.unwrap_or(self.shape()[axis]),
            _ => extent,
        };
        let known = match options.spacing {
            Some(spacing) => Some((spacing, String::new())),
            None => distance(self, dim, inverse)?,
        };
        let to = match dim.strip_prefix(PREFIX) {
            Some(own) if inverse => own.to_string(),
            _ if inverse => dim.to_string(),
            _ => format!("{PREFIX}{dim}"),
        };
        if to != dim && self.dims().contains(&to) {
            return Err(Error::invalid(format!(
                "{} already has a dimension {to}; rename it first",
                self.describe()
            )));
        }
        let mut coords = self.coords_without(&[dim.to_string()]);
        if let Some((spacing, unit)) = known {
            let labels = match inverse {
                false => frequencies(points, spacing, transform == Transform::RealForward),
                true => (0..extent)
                    .map(|k| k as f64 / (points as f64 * spacing))
                    .collect(),
            };
            let mut attrs = Attributes::new();
            if !inverse {
                attrs.set("long_name", "frequency");
            }
            if let Some(unit) = inverse_unit(&unit) {
                attrs.set("units", unit);
            }
            coords.retain(|(name, _)| *name != to);
            coords.push((to.clone(), Coord::along(&to, Index::floats(labels), attrs)));
        }
        let mut dims = self.dims().to_vec();
        dims[axis] = to;
        DataArray::new(self.name(), expr, dims, coords, Attributes::new())
    }

    /// The zero frequency moved to the middle of dimensions, or with `inverse` back to the front, with
    /// the labels.
    ///
    /// # Errors
    /// A dimension that is not there.
    pub fn fftshift(&self, dims: &[String], inverse: bool) -> Result<DataArray> {
        let mut out = self.clone();
        for dim in dims {
            let axis = self.axis(dim)?;
            let (extent, half) = (self.shape()[axis], self.shape()[axis] / 2);
            let by = if inverse { half } else { extent - half };
            let places: Vec<usize> = (0..extent).map(|at| (at + by) % extent).collect();
            let pick = Pick::List(places.into());
            let coords = out.coords().iter().map(|(name, coord)| {
                let moved = match &coord.data {
                    CoordData::Index(_) => coord.pick(dim, &pick)?,
                    CoordData::Array(_) if coord.dims.contains(dim) => coord.pick(dim, &pick)?,
                    CoordData::Array(_) => coord.clone(),
                };
                Ok((name.clone(), moved))
            });
            let coords = coords.collect::<Result<Vec<_>>>()?;
            let expr = out.expr().fftshift(&[axis as isize], inverse)?;
            out = out.with_expr(expr).with_coords(coords);
        }
        Ok(out)
    }
}
