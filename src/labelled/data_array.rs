//! An array with named dimensions, coordinates and attributes.

use super::coord::{Coord, pick_axis};
use super::index::{Index, Label};
use super::pick::Pick;
use crate::expr::Expr;
use crate::io::Attributes;
use crate::{DType, Error, Result};
use std::sync::Arc;

/// A lazy array with names: one per dimension, and coordinates and attributes that operations carry
/// along. Arrays meet by the names of their dimensions, whatever their order.
///
/// ```
/// use tilewise::Array;
/// use tilewise::labelled::{Coord, DataArray, Index};
///
/// let lat = Coord::along("lat", Index::floats(vec![-30.0, 0.0, 30.0]), Default::default());
/// let coords = vec![("lat".to_string(), lat)];
/// let values = Array::from_vec(&[3], vec![1.0f64, 2.0, 4.0])?;
/// let rain = DataArray::new("pr", values.expr().clone(), vec!["lat".into()], coords, Default::default())?;
///
/// let weights = rain.coordinate("lat")?.apply("radians", &[])?.apply("cos", &[])?;
/// let mean = rain.weighted_mean(&weights, &["lat"])?.compute::<f64>()?;
/// let cos = 30f64.to_radians().cos();
/// assert!((mean[[]] - (2.0 + 5.0 * cos) / (1.0 + 2.0 * cos)).abs() < 1e-15);
/// # Ok::<(), tilewise::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DataArray {
    name: String,
    expr: Expr,
    dims: Vec<String>,
    coords: Coords,
    attrs: Attributes,
}

/// Coordinates by name, in order.
pub type Coords = Vec<(String, Coord)>;

impl DataArray {
    /// An array under names.
    ///
    /// # Errors
    /// Names that are not one per axis or not distinct, or a coordinate of another extent.
    pub fn new(
        name: impl Into<String>,
        expr: Expr,
        dims: Vec<String>,
        coords: Coords,
        attrs: Attributes,
    ) -> Result<DataArray> {
        let name = name.into();
        if dims.len() != expr.rank() {
            return Err(Error::invalid(format!(
                "{name}: {} dimension names for {} axes",
                dims.len(),
                expr.rank()
            )));
        }
        for (axis, dim) in dims.iter().enumerate() {
            if dims[..axis].contains(dim) {
                return Err(Error::invalid(format!(
                    "{name}: the dimension {dim} appears twice"
                )));
            }
            let index = coords.iter().find(|(n, _)| n == dim).and_then(|(_, c)| c.index());
            if let Some(index) = index
                && index.len() != expr.shape[axis]
            {
                return Err(Error::invalid(format!(
                    "{name}: the coordinate {dim} has {} values, the dimension {}",
                    index.len(),
                    expr.shape[axis]
                )));
            }
        }
        Ok(DataArray {
            name,
            expr,
            dims,
            coords,
            attrs,
        })
    }

    /// The same names around another array of the same shape.
    pub(super) fn with_expr(&self, expr: Expr) -> DataArray {
        DataArray { expr, ..self.clone() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same array under another name.
    pub fn renamed(&self, name: impl Into<String>) -> DataArray {
        DataArray {
            name: name.into(),
            ..self.clone()
        }
    }

    /// The lazy array.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Names of the axes.
    pub fn dims(&self) -> &[String] {
        &self.dims
    }

    /// Extents of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.expr.shape
    }

    /// The dtype.
    pub fn dtype(&self) -> DType {
        self.expr.dtype
    }

    /// The coordinates.
    pub fn coords(&self) -> &Coords {
        &self.coords
    }

    /// The attributes.
    pub fn attrs(&self) -> &Attributes {
        &self.attrs
    }

    /// The same array under other attributes.
    pub fn with_attrs(&self, attrs: Attributes) -> DataArray {
        DataArray {
            attrs,
            ..self.clone()
        }
    }

    /// The same array with other coordinates.
    pub(super) fn with_coords(&self, coords: Coords) -> DataArray {
        DataArray {
            coords,
            ..self.clone()
        }
    }

    /// The coordinate of that name.
    pub fn coord(&self, name: &str) -> Option<&Coord> {
        self.coords.iter().find(|(n, _)| n == name).map(|(_, c)| c)
    }

    /// The index of a dimension, where it has a coordinate.
    pub fn index(&self, dim: &str) -> Option<&Arc<Index>> {
        self.coord(dim).filter(|c| c.dims == [dim]).and_then(Coord::index)
    }

    /// `tas (time: 960, lat: 19, lon: 36) float32`, for messages.
    pub fn describe(&self) -> String {
        let sizes: Vec<String> = self
            .dims
            .iter()
            .zip(self.shape())
            .map(|(dim, size)| format!("{dim}: {size}"))
            .collect();
        let name = if self.name.is_empty() { "array" } else { &self.name };
        format!("{name} ({}) {}", sizes.join(", "), self.dtype())
    }

    /// The axis of a dimension.
    ///
    /// # Errors
    /// Lists the dimensions there are.
    pub fn axis(&self, dim: &str) -> Result<usize> {
        self.dims.iter().position(|d| d == dim).ok_or_else(|| {
            Error::invalid(format!(
                "{} has no dimension {dim:?}; it has {}",
                if self.name.is_empty() {
                    "the array"
                } else {
                    &self.name
                },
                listed(&self.dims)
            ))
        })
    }

    /// The size of a dimension.
    ///
    /// # Errors
    /// As [`DataArray::axis`].
    pub fn size(&self, dim: &str) -> Result<usize> {
        Ok(self.shape()[self.axis(dim)?])
    }

    /// Picked places along a dimension, in the array and all its coordinates.
    ///
    /// # Errors
    /// When there is no such dimension or place.
    pub fn pick(&self, dim: &str, pick: &Pick) -> Result<DataArray> {
        let axis = self.axis(dim)?;
        if pick.is_all(self.shape()[axis]) {
            return Ok(self.clone());
        }
        let expr = pick_axis(&self.expr, axis, pick)?;
        let coords = self
            .coords
            .iter()
            .map(|(name, coord)| Ok((name.clone(), coord.pick(dim, pick)?)))
            .collect::<Result<_>>()?;
        let mut dims = self.dims.clone();
        if matches!(pick, Pick::At(_)) {
            dims.remove(axis);
        }
        Ok(DataArray {
            expr,
            dims,
            coords,
            ..self.clone()
        })
    }

    /// Places with a label along a dimension; with `nearest` the one place nearest to it.
    ///
    /// # Errors
    /// When the dimension has no coordinate or no such label.
    pub fn sel(&self, dim: &str, label: &Label, nearest: bool) -> Result<DataArray> {
        let index = self.labels(dim)?;
        let pick = if nearest {
            Pick::At(index.nearest(dim, label)?)
        } else {
            index.find(dim, label)?
        };
        self.pick(dim, &pick)
    }

    /// The index that labels of a dimension are looked up in.
    ///
    /// # Errors
    /// When there is no such dimension, or it has no coordinate.
    pub fn labels(&self, dim: &str) -> Result<&Arc<Index>> {
        self.axis(dim)?;
        self.index(dim).ok_or_else(|| {
            Error::invalid(format!(
                "the dimension {dim} has no coordinate to look labels up in; use isel({dim}=…)"
            ))
        })
    }

    /// The axes in another order; every dimension is named once, `...` is not needed.
    ///
    /// # Errors
    /// When the names are not the dimensions.
    pub fn transpose(&self, dims: &[String]) -> Result<DataArray> {
        let axes: Vec<isize> = dims
            .iter()
            .map(|d| Ok(self.axis(d)? as isize))
            .collect::<Result<_>>()?;
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() != self.dims.len() || axes.len() != self.dims.len() {
            return Err(Error::invalid(format!(
                "transpose: {} are not the dimensions {}, each once",
                listed(dims),
                listed(&self.dims)
            )));
        }
        Ok(DataArray {
            expr: self.expr.permute(&axes)?,
            dims: dims.to_vec(),
            ..self.clone()
        })
    }

    /// A new dimension of size 1 in front.
    ///
    /// # Errors
    /// When there is one of that name.
    pub fn expand_dims(&self, dim: &str) -> Result<DataArray> {
        if self.dims.iter().any(|d| d == dim) {
            return Err(Error::invalid(format!("there is a dimension {dim} already")));
        }
        let mut dims = self.dims.clone();
        dims.insert(0, dim.to_string());
        // A scalar coordinate of that name becomes the coordinate of the dimension.
        let coords = self.coords.iter().map(|(name, coord)| {
            let mut coord = coord.clone();
            if name == dim && coord.dims.is_empty() && coord.index().is_some() {
                coord.dims = vec![dim.to_string()];
            }
            (name.clone(), coord)
        });
        Ok(DataArray {
            coords: coords.collect(),
            expr: self.expr.expand_dims(0)?,
            dims,
            ..self.clone()
        })
    }

    /// The dimensions of size 1 removed; all of them when none is named.
    ///
    /// # Errors
    /// When a named one has another size.
    pub fn squeeze(&self, dims: Option<&[String]>) -> Result<DataArray> {
        let drop: Vec<String> = match dims {
            Some(dims) => dims.to_vec(),
            None => {
                let ones = self.dims.iter().zip(self.shape()).filter(|(_, n)| **n == 1);
                ones.map(|(d, _)| d.clone()).collect()
            }
        };
        let mut out = self.clone();
        for dim in drop {
            let size = out.size(&dim)?;
            if size != 1 {
                return Err(Error::invalid(format!(
                    "squeeze: {dim} has size {size}, only dimensions of size 1 can be removed"
                )));
            }
            out = out.pick(&dim, &Pick::At(0))?;
        }
        Ok(out)
    }

    /// The array without a dimension's coordinates, as a reduction leaves it.
    pub(super) fn coords_without(&self, dims: &[String]) -> Coords {
        let kept = self
            .coords
            .iter()
            .filter(|(_, c)| !c.dims.iter().any(|d| dims.contains(d)));
        kept.cloned().collect()
    }

    /// Another name for a dimension, in the array and its coordinates.
    pub(super) fn rename_dim(&self, from: &str, to: &str) -> DataArray {
        let rename = |dims: &[String]| -> Vec<String> {
            dims.iter()
                .map(|d| if d == from { to.to_string() } else { d.clone() })
                .collect()
        };
        let coords = self.coords.iter().map(|(name, coord)| {
            let name = if name == from {
                to.to_string()
            } else {
                name.clone()
            };
            let dims = rename(&coord.dims);
            (name, coord.with_dims(dims))
        });
        DataArray {
            dims: rename(&self.dims),
            coords: coords.collect(),
            ..self.clone()
        }
    }
}

/// `time, lat, lon`, or a word for none.
pub(super) fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "no dimensions".into()
    } else {
        names.join(", ")
    }
}
