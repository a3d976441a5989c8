//! Arrays brought to common dimensions by name, before an elementwise function.
//!
//! Dimensions are matched by name and never by place; where both sides have labels, the labels
//! must agree. A dimension that a group-by made (`month`) meets the dimension it was made from
//! (`time`) by giving each member its group's value, so an anomaly is one subtraction.

use super::coord::Coord;
use super::data_array::{Coords, DataArray};
use super::group;
use crate::expr::Expr;
use crate::{DType, Error, Op, Result};
use tilewise_kernels::{Literal, promote, promote_weak};

/// An argument of an elementwise function.
#[derive(Clone, Debug)]
pub enum Operand {
    /// A named array.
    Array(DataArray),
    /// A literal, which takes the dtype of the arrays beside it.
    Literal(Literal),
}

/// Applies an op of the table to arguments aligned by name.
///
/// # Errors
/// Dimensions of one name and different size, labels that differ, dtypes the op does not accept,
/// or a literal that does not fit; names the function and both sides.
pub fn apply(op: Op, operands: &[Operand]) -> Result<DataArray> {
    if operands.len() != op.arity {
        return Err(Error::invalid(format!(
            "{} takes {} argument{}, not {}",
            op.name,
            op.arity,
            if op.arity == 1 { "" } else { "s" },
            operands.len()
        )));
    }
    let arrays: Vec<&DataArray> = operands
        .iter()
        .filter_map(|o| match o {
            Operand::Array(array) => Some(array),
            Operand::Literal(_) => None,
        })
        .collect();
    let spread = group::spread(&arrays)?;
    let (dims, coords) = common(op.name, &spread)?;
    let mut aligned = spread.iter().map(|array| raise(array, &dims));
    // The condition of `where` says nothing about the dtype of literals beside it.
    let skip = usize::from(op.name == "where");
    let dtypes: Vec<DType> = operands[skip.min(operands.len())..]
        .iter()
        .filter_map(|o| match o {
            Operand::Array(array) => Some(array.dtype()),
            Operand::Literal(_) => None,
        })
        .collect();
    let args: Vec<Expr> = operands
        .iter()
        .map(|operand| match operand {
            Operand::Array(_) => aligned
                .next()
                .unwrap_or_else(|| Err(Error::invalid("too few arrays"))),
            Operand::Literal(literal) => Ok(Expr::scalar(
                literal
                    .to_scalar(literal_dtype(*literal, &dtypes)?)
                    .map_err(Error::Invalid)?,
            )),
        })
        .collect::<Result<_>>()?;
    let expr = Expr::op(op, &args).map_err(|error| {
        let sides: Vec<String> = spread.iter().map(DataArray::describe).collect();
        match sides.is_empty() {
            true => error,
            false => Error::invalid(format!("{error}: {}", sides.join(" and "))),
        }
    })?;
    let name = common_name(&spread);
    let attrs = super::attributes::after_op(op.name, operands);
    DataArray::new(name, expr, dims, coords, attrs)
}

/// The dtype that a literal takes beside arrays of these dtypes.
fn literal_dtype(literal: Literal, beside: &[DType]) -> Result<DType> {
    let promoted = beside.iter().copied().reduce(promote);
    match promoted {
        Some(dtype) => promote_weak(dtype, literal).map_err(Error::Invalid),
        None => literal.default_dtype().map_err(Error::Invalid),
    }
}

/// The union of dimensions in order of appearance, and the coordinates that agree.
fn common(what: &str, arrays: &[DataArray]) -> Result<(Vec<String>, Coords)> {
    let mut dims: Vec<String> = Vec::new();
    for array in arrays {
        for (dim, &size) in array.dims().iter().zip(array.shape()) {
            if !dims.contains(dim) {
                dims.push(dim.clone());
                continue;
            }
            let other = arrays.iter().find(|a| a.dims().contains(dim));
            if let Some(other) = other
                && other.size(dim)? != size
            {
                return Err(Error::invalid(format!(
                    "{what}: the sizes of {dim} differ: {} and {}",
                    other.describe(),
                    array.describe()
                )));
            }
        }
    }
    let mut coords: Coords = Vec::new();
    let mut conflicts: Vec<&str> = Vec::new();
    for (at, array) in arrays.iter().enumerate() {
        for (name, coord) in array.coords() {
            let Some((_, kept)) = coords.iter().find(|(n, _)| n == name) else {
                coords.push((name.clone(), coord.clone()));
                continue;
            };
            if kept.same(coord) {
                continue;
            }
            if dims.contains(name) && kept.dims == [name.as_str()] && coord.dims == kept.dims {
                return Err(differ(what, name, kept, coord, &arrays[..at], array));
            }
            conflicts.push(name);
        }
    }
    coords.retain(|(name, coord)| {
        let needed = dims.contains(name) && coord.dims == [name.as_str()];
        needed || !conflicts.contains(&name.as_str())
    });
    Ok((dims, coords))
}

/// The error for labels of one dimension that are not the same.
fn differ(what: &str, dim: &str, a: &Coord, b: &Coord, before: &[DataArray], right: &DataArray) -> Error {
    let first = match (a.index(), b.index()) {
        (Some(a), Some(b)) => a.difference(b).unwrap_or_else(|| "in kind".into()),
        _ => "in kind".into(),
    };
    let left = before.iter().find(|array| array.coord(dim).is_some());
    let left = left.map_or_else(|| "one side".to_string(), DataArray::describe);
    Error::invalid(format!(
        "{what}: the coordinate {dim} differs {first}, between {left} and {}; select the common part with sel, or take one by places with isel",
        right.describe()
    ))
}

/// The array with its axes in the order of `dims`, missing ones of extent 1.
fn raise(array: &DataArray, dims: &[String]) -> Result<Expr> {
    let order: Vec<String> = dims
        .iter()
        .filter(|d| array.dims().contains(d))
        .cloned()
        .collect();
    let mut expr = array.transpose(&order)?.expr().clone();
    for (axis, dim) in dims.iter().enumerate() {
        if !order.contains(dim) {
            expr = expr.expand_dims(axis as isize)?;
        }
    }
    Ok(expr)
}

/// The array spread over all of `dims`.
///
/// # Errors
/// When it has a dimension that is not among them.
pub(super) fn broadcast(array: &DataArray, dims: &[String], shape: &[usize]) -> Result<Expr> {
    raise(array, dims)?.broadcast_to(shape)
}

/// Arrays whose dimensions of one name agree, all dimensions in order of appearance, and the
/// coordinates that agree.
///
/// # Errors
/// As [`apply`].
pub(super) fn prepared(what: &str, arrays: &[&DataArray]) -> Result<(Vec<DataArray>, Vec<String>, Coords)> {
    let spread = group::spread(arrays)?;
    let (dims, coords) = common(what, &spread)?;
    Ok((spread, dims, coords))
}

/// Arrays brought to common dimensions and one shape, with the coordinates that agree.
///
/// # Errors
/// As [`apply`].
pub(super) fn together(what: &str, arrays: &[&DataArray]) -> Result<(Vec<Expr>, Vec<String>, Coords)> {
    let (spread, dims, coords) = prepared(what, arrays)?;
    let shape: Vec<usize> = dims
        .iter()
        .map(|dim| {
            let owner = spread.iter().find(|a| a.dims().contains(dim));
            owner.map_or(Ok(1), |a| a.size(dim))
        })
        .collect::<Result<_>>()?;
    let exprs = spread
        .iter()
        .map(|a| broadcast(a, &dims, &shape))
        .collect::<Result<_>>()?;
    Ok((exprs, dims, coords))
}

/// xarray's rule: the name when all agree.
fn common_name(arrays: &[DataArray]) -> String {
    match arrays {
        [first, rest @ ..] if rest.iter().all(|a| a.name() == first.name()) => first.name().to_string(),
        _ => String::new(),
    }
}
