//! Coordinates: labels of places along dimensions, carried beside an array.

use super::index::Index;
use super::pick::Pick;
use crate::expr::Expr;
use crate::io::Attributes;
use crate::store::MemorySource;
use crate::{Error, Result};
use std::sync::{Arc, OnceLock};

/// A coordinate: its dimensions, values and attributes.
#[derive(Clone, Debug)]
pub struct Coord {
    /// Names of its axes. Beside those of its array it may have axes of its own (cell bounds).
    pub dims: Vec<String>,
    /// Its values.
    pub data: CoordData,
    /// Its attributes as in the file.
    pub attrs: Attributes,
    /// The lazy array of an index, made once so that equal expressions are found equal.
    made: Arc<OnceLock<Expr>>,
}

/// The values of a coordinate.
#[derive(Clone, Debug)]
pub enum CoordData {
    /// In memory: along one dimension, or one value.
    Index(Arc<Index>),
    /// Lazy: anything of more dimensions.
    Array(Expr),
}

impl Coord {
    /// A coordinate.
    pub fn new(dims: Vec<String>, data: CoordData, attrs: Attributes) -> Coord {
        Coord {
            dims,
            data,
            attrs,
            made: Arc::default(),
        }
    }

    /// The coordinate of a dimension.
    pub fn along(dim: &str, index: Index, attrs: Attributes) -> Coord {
        Coord::new(vec![dim.to_string()], CoordData::Index(index.shared()), attrs)
    }

    /// The same values under other dimension names.
    pub(super) fn with_dims(&self, dims: Vec<String>) -> Coord {
        Coord { dims, ..self.clone() }
    }

    /// Its values in memory, where they are.
    pub fn index(&self) -> Option<&Arc<Index>> {
        match &self.data {
            CoordData::Index(index) => Some(index),
            CoordData::Array(_) => None,
        }
    }

    /// Its values as a lazy array.
    ///
    /// # Errors
    /// When they are text.
    pub fn expr(&self, name: &str) -> Result<Expr> {
        match &self.data {
            CoordData::Array(expr) => Ok(expr.clone()),
            CoordData::Index(index) => {
                if let Some(expr) = self.made.get() {
                    return Ok(expr.clone());
                }
                let (dtype, bytes) = index.bytes().ok_or_else(|| {
                    Error::invalid(format!("{name} holds text, which cannot be computed with"))
                })?;
                let shape: &[usize] = if self.dims.is_empty() { &[] } else { &[index.len()] };
                let source = MemorySource::new(shape, dtype, Arc::new(bytes))?;
                let expr = Expr::source(Arc::new(source))?;
                Ok(self.made.get_or_init(|| expr).clone())
            }
        }
    }

    /// Its picked places along `dim`; unchanged when it does not have that dimension.
    ///
    /// # Errors
    /// When a place is out of range.
    pub fn pick(&self, dim: &str, pick: &Pick) -> Result<Coord> {
        let Some(axis) = self.dims.iter().position(|d| d == dim) else {
            return Ok(self.clone());
        };
        let data = match &self.data {
            CoordData::Index(index) => CoordData::Index(index.pick(pick).shared()),
            CoordData::Array(expr) => CoordData::Array(pick_axis(expr, axis, pick)?),
        };
        let mut dims = self.dims.clone();
        if matches!(pick, Pick::At(_)) {
            dims.remove(axis);
        }
        Ok(Coord::new(dims, data, self.attrs.clone()))
    }

    /// Whether both certainly hold the same values.
    pub fn same(&self, other: &Coord) -> bool {
        self.dims == other.dims
            && match (&self.data, &other.data) {
                (CoordData::Index(a), CoordData::Index(b)) => Arc::ptr_eq(a, b) || a.difference(b).is_none(),
                (CoordData::Array(a), CoordData::Array(b)) => a == b,
                _ => false,
            }
    }
}

/// The picked places of one axis.
///
/// # Errors
/// When a place is out of range.
pub(super) fn pick_axis(expr: &Expr, axis: usize, pick: &Pick) -> Result<Expr> {
    use crate::expr::SliceItem;
    match (pick.slice_item(), pick) {
        (Some(item), _) => {
            let mut items = vec![SliceItem::ALL; axis];
            items.push(item);
            expr.slice(&items)
        }
        (None, pick) => {
            let places: Vec<i64> = pick.places().iter().map(|&p| p as i64).collect();
            expr.take(&places, axis as isize)
        }
    }
}
