//! Masks, shifts, differences and joins along named dimensions.

use super::align::{Operand, apply};
use super::coord::Coord;
use super::data_array::{DataArray, listed};
use super::index::{Index, Values};
use super::pick::Pick;
use crate::expr::Expr;
use crate::geometry::{AxisChunks, Chunks};
use crate::{DType, Error, Op, Result};
use tilewise_kernels::{Literal, promote, promote_weak};

fn table(name: &str) -> Result<Op> {
    Op::find(name).ok_or_else(|| Error::invalid(format!("there is no function {name}")))
}

/// The dtype that holds an array's values and NaN, by xarray's rule: float32 for integers of at
/// most 16 bits, float64 for others.
fn with_missing(dtype: DType) -> DType {
    match dtype {
        float if float.has_nan() => float,
        small if small.size() <= 2 && small != DType::Bool => DType::F32,
        _ => DType::F64,
    }
}

impl DataArray {
    /// The array where `condition` holds, `other` elsewhere (NaN makes integers floats).
    ///
    /// # Errors
    /// When dimensions or labels do not agree.
    pub fn where_(&self, condition: &DataArray, other: Operand) -> Result<DataArray> {
        let missing = matches!(other, Operand::Literal(Literal::Float(value)) if value.is_nan());
        let own = match missing {
            true => self.astype(with_missing(self.dtype())),
            false => self.clone(),
        };
        let args = [Operand::Array(condition.clone()), Operand::Array(own), other];
        let out = apply(table("where")?, &args)?;
        let order: Vec<String> = self
            .dims()
            .iter()
            .chain(out.dims().iter().filter(|d| !self.dims().contains(d)))
            .cloned()
            .collect();
        Ok(out
            .transpose(&order)?
            .renamed(self.name())
            .with_attrs(self.attrs().clone()))
    }

    /// `value` where the array is NaN.
    ///
    /// # Errors
    /// When dimensions or labels do not agree.
    pub fn fillna(&self, value: Operand) -> Result<DataArray> {
        if !self.dtype().has_nan() {
            return Ok(self.clone());
        }
        let there = apply(table("logical_not")?, &[Operand::Array(self.isnull()?)])?;
        self.where_(&there, value)
    }

    /// The array in another dtype.
    pub fn astype(&self, dtype: DType) -> DataArray {
        self.with_expr(self.expr().cast(dtype))
    }

    /// Elements moved by `by` places along a dimension; what comes in is `fill` (NaN makes
    /// integers floats). Labels stay.
    ///
    /// # Errors
    /// When there is no such dimension, or the fill value does not fit the dtype.
    pub fn shift(&self, dim: &str, by: i128, fill: Literal) -> Result<DataArray> {
        let axis = self.axis(dim)?;
        let len = self.shape()[axis];
        let by = by.clamp(-(len as i128), len as i128) as isize;
        let dtype = match fill {
            Literal::Float(value) if value.is_nan() => with_missing(self.dtype()),
            fill => promote_weak(self.dtype(), fill).map_err(Error::Invalid)?,
        };
        let fill = fill.to_scalar(dtype).map_err(Error::Invalid)?;
        let moved = by.unsigned_abs();
        if moved == 0 {
            return Ok(self.clone());
        }
        let mut shape = self.shape().to_vec();
        shape[axis] = moved;
        let blank = Expr::full(&shape, fill)?;
        let kept = Pick::range(if by > 0 { 0 } else { moved }, len - moved, 1);
        let kept = super::coord::pick_axis(&self.expr().cast(dtype), axis, &kept)?;
        let parts = if by > 0 { [blank, kept] } else { [kept, blank] };
        Ok(self.with_expr(Expr::concat(&parts, axis as isize)?))
    }

    /// Elements moved by `by` places along a dimension, those pushed out re-entering. Labels stay.
    ///
    /// # Errors
    /// When there is no such dimension.
    pub fn roll(&self, dim: &str, by: i128) -> Result<DataArray> {
        let axis = self.axis(dim)?;
        let len = self.shape()[axis].max(1) as i128;
        let by = by.rem_euclid(len) as i64;
        Ok(self.with_expr(self.expr().roll(by, axis as isize)?))
    }

    /// Each element less the one before along a dimension, `n` times over. The dimension loses its
    /// first labels, or with `upper` false its last ones.
    ///
    /// # Errors
    /// When there is no such dimension, or for bools.
    pub fn diff(&self, dim: &str, n: usize, upper: bool) -> Result<DataArray> {
        let axis = self.axis(dim)?;
        if self.dtype() == DType::Bool {
            return Err(Error::invalid(
                "diff: bools have no difference; compare with shift(), or use astype(\"int8\")",
            ));
        }
        let expr = self.expr().diff(n, axis as isize, None, None)?;
        let (len, count) = (self.shape()[axis], expr.shape[axis]);
        let labels = Pick::range(if upper { len - count } else { 0 }, count, 1);
        Ok(self.pick(dim, &labels)?.with_expr(expr))
    }

    /// The same array cut into other chunks; a size of 0 means the whole dimension.
    ///
    /// # Errors
    /// When there is no such dimension.
    pub fn chunk(&self, sizes: &[(String, usize)]) -> Result<DataArray> {
        let mut axes = self.expr().chunks.axes().to_vec();
        for (dim, size) in sizes {
            let axis = self.axis(dim)?;
            let len = self.shape()[axis];
            axes[axis] = AxisChunks::regular(len, if *size == 0 { len } else { *size });
        }
        Ok(self.with_expr(self.expr().rechunk(Chunks::new(axes))?))
    }

    /// The arrays one after another along a dimension; all other dimensions and labels agree.
    ///
    /// # Errors
    /// When there is no array, or they do not agree; names the two that differ.
    pub fn concat(parts: &[DataArray], dim: &str) -> Result<DataArray> {
        let Some(first) = parts.first() else {
            return Err(Error::invalid("concat needs at least one array"));
        };
        let axis = first.axis(dim)?;
        let dtype = parts
            .iter()
            .map(DataArray::dtype)
            .reduce(promote)
            .unwrap_or(first.dtype());
        let mut exprs = Vec::with_capacity(parts.len());
        let mut index = first.index(dim).map(|i| (**i).clone());
        for (at, part) in parts.iter().enumerate() {
            let mut order = part.dims().to_vec();
            order.sort();
            let mut wanted = first.dims().to_vec();
            wanted.sort();
            if order != wanted {
                return Err(Error::invalid(format!(
                    "concat: the dimensions of {} and {} are not the same",
                    first.describe(),
                    part.describe()
                )));
            }
            let part = part.transpose(first.dims())?;
            for (other, size) in first.dims().iter().zip(first.shape()) {
                let differs = other != dim && part.size(other)? != *size;
                let labels = match (first.index(other), part.index(other)) {
                    (Some(a), Some(b)) if other != dim => a.difference(b),
                    _ => None,
                };
                if differs || labels.is_some() {
                    return Err(Error::invalid(format!(
                        "concat: {other} differs between {} and {}{}",
                        first.describe(),
                        part.describe(),
                        labels.map(|l| format!(", {l}")).unwrap_or_default()
                    )));
                }
            }
            if at > 0 {
                index = match (&index, part.index(dim)) {
                    (Some(a), Some(b)) => joined(a, b),
                    _ => None,
                };
            }
            exprs.push(part.expr().cast(dtype));
        }
        let mut coords = first.coords().clone();
        coords.retain(|(_, c)| !c.dims.iter().any(|d| d == dim));
        if let Some(index) = index {
            let attrs = first.coord(dim).map(|c| c.attrs.clone()).unwrap_or_default();
            coords.push((dim.to_string(), Coord::along(dim, index, attrs)));
        }
        let expr = Expr::concat(&exprs, axis as isize)?;
        DataArray::new(
            first.name(),
            expr,
            first.dims().to_vec(),
            coords,
            first.attrs().clone(),
        )
    }

    /// One dimension in another order of places.
    ///
    /// # Errors
    /// When the names are no dimensions.
    pub fn flip(&self, dims: &[String]) -> Result<DataArray> {
        let mut out = self.clone();
        for dim in dims {
            let len = out.size(dim)?;
            out = out.pick(dim, &Pick::slice(None, None, Some(-1), len)?)?;
        }
        Ok(out)
    }

    /// The dimensions named first, those of `...` in their order; without names all reversed.
    ///
    /// # Errors
    /// When a name is no dimension or is missing.
    pub fn transpose_with(&self, names: &[Option<String>]) -> Result<DataArray> {
        if names.is_empty() {
            let reversed: Vec<String> = self.dims().iter().rev().cloned().collect();
            return self.transpose(&reversed);
        }
        let named: Vec<&String> = names.iter().flatten().collect();
        if names.len() - named.len() > 1 {
            return Err(Error::invalid(format!(
                "transpose: `...` stands once, for what is left of {}",
                listed(self.dims())
            )));
        }
        let mut order = Vec::new();
        for name in names {
            match name {
                Some(name) => order.push(name.clone()),
                None => order.extend(self.dims().iter().filter(|d| !named.contains(d)).cloned()),
            }
        }
        self.transpose(&order)
    }
}

/// The labels of two indices one after another, in the units of the first.
fn joined(first: &Index, second: &Index) -> Option<Index> {
    let values = match (&first.values, &second.values) {
        (Values::Int(a), Values::Int(b)) if first.time == second.time => {
            Values::Int(a.iter().chain(b).copied().collect())
        }
        (Values::Text(a), Values::Text(b)) => Values::Text(a.iter().chain(b).cloned().collect()),
        (Values::Text(_), _) | (_, Values::Text(_)) => return None,
        _ => {
            let number = |index: &Index, at: usize| match (&first.time, index.moment(at)) {
                (Some(units), Some(moment)) if moment.calendar == units.calendar() => {
                    Some(units.encode(moment))
                }
                (Some(_), _) => None,
                (None, _) => Some(index.number(at)),
            };
            let own = (0..first.len()).map(|at| Some(first.number(at)));
            let others = (0..second.len()).map(|at| number(second, at));
            Values::Float(own.chain(others).collect::<Option<_>>()?)
        }
    };
    let dtype = match (&values, first.dtype, second.dtype) {
        (Values::Float(_), Some(a), Some(b)) if a.is_float() && b.is_float() => Some(promote(a, b)),
        (Values::Float(_), ..) => Some(DType::F64),
        (_, dtype, _) => dtype,
    };
    Some(Index {
        values,
        dtype,
        ..first.clone()
    })
}
