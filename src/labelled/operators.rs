//! The Rust face of named arrays: operators, shorthands, results.
//!
//! Everything that can go wrong goes wrong at the call, so operators give a `Result`.

use super::align::{Operand, apply};
use super::data_array::DataArray;
use super::group::GroupBy;
use super::reduce::ReduceOptions;
use crate::session::Session;
use crate::{Error, Op, ReduceKind, Result};
use tilewise_kernels::{Element, Literal};

impl From<&DataArray> for Operand {
    fn from(array: &DataArray) -> Operand {
        Operand::Array(array.clone())
    }
}

impl From<f64> for Operand {
    fn from(value: f64) -> Operand {
        Operand::Literal(Literal::Float(value))
    }
}

impl From<i64> for Operand {
    fn from(value: i64) -> Operand {
        Operand::Literal(Literal::Int(i128::from(value)))
    }
}

impl DataArray {
    /// An op of the table by name on this array and others, aligned by dimension name.
    ///
    /// # Errors
    /// No such op, another number of arguments, or dimensions, labels and dtypes that do not agree.
    pub fn apply(&self, op: &str, others: &[Operand]) -> Result<DataArray> {
        let op = Op::find(op).ok_or_else(|| Error::invalid(format!("there is no function {op}")))?;
        let mut operands = vec![Operand::from(self)];
        operands.extend_from_slice(others);
        apply(op, &operands)
    }

    /// The mean over dimensions, all of them when none is named; NaN is skipped.
    ///
    /// # Errors
    /// A dimension that is not there.
    pub fn mean(&self, dims: &[&str]) -> Result<DataArray> {
        self.over(ReduceKind::Mean, dims)
    }

    /// The sum over dimensions, all of them when none is named; NaN is skipped.
    ///
    /// # Errors
    /// A dimension that is not there.
    pub fn sum(&self, dims: &[&str]) -> Result<DataArray> {
        self.over(ReduceKind::Sum, dims)
    }

    fn over(&self, kind: ReduceKind, dims: &[&str]) -> Result<DataArray> {
        let names = dims.iter().map(|d| d.to_string()).collect();
        let options = ReduceOptions {
            dims: (!dims.is_empty()).then_some(names),
            ..ReduceOptions::default()
        };
        self.reduce(kind, &options)
    }

    /// The mean over dimensions weighted by `weights`, which are aligned by name.
    ///
    /// # Errors
    /// A dimension that is not there, or weights that do not fit.
    pub fn weighted_mean(&self, weights: &DataArray, dims: &[&str]) -> Result<DataArray> {
        let options = ReduceOptions {
            dims: Some(dims.iter().map(|d| d.to_string()).collect()),
            weights: Some(weights.clone()),
            ..ReduceOptions::default()
        };
        self.reduce(ReduceKind::Mean, &options)
    }

    /// Groups by a field of a time coordinate (`time.month`) or a coordinate along one dimension.
    ///
    /// # Errors
    /// As [`GroupBy::new`].
    pub fn groupby(&self, by: &str) -> Result<GroupBy> {
        GroupBy::new(self, by)
    }

    /// A coordinate as an array of its own.
    ///
    /// # Errors
    /// When there is none of that name, or it is text.
    pub fn coordinate(&self, name: &str) -> Result<DataArray> {
        let coord = self.coord(name).ok_or_else(|| {
            let names: Vec<&str> = self.coords().iter().map(|(n, _)| n.as_str()).collect();
            Error::invalid(format!(
                "{} has no coordinate {name:?}; it has {}",
                self.describe(),
                names.join(", ")
            ))
        })?;
        let within = self
            .coords()
            .iter()
            .filter(|(_, c)| c.dims.iter().all(|d| coord.dims.contains(d)));
        let within = within.cloned().collect();
        DataArray::new(
            name,
            coord.expr(name)?,
            coord.dims.clone(),
            within,
            coord.attrs.clone(),
        )
    }

    /// The values, computed by the global session.
    ///
    /// # Errors
    /// `T` is not the dtype; the memory bound; what reading and computing meet.
    pub fn compute<T: Element>(&self) -> Result<ndarray::ArrayD<T>> {
        Session::global()?.compute(&self.array())
    }
}

impl GroupBy {
    /// The mean of each group; NaN is skipped.
    ///
    /// # Errors
    /// None for groups that exist.
    pub fn mean(&self) -> Result<DataArray> {
        self.reduce(ReduceKind::Mean, None, 0)
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident $op:literal),*) => {$(
        impl<T: Into<Operand>> std::ops::$trait<T> for &DataArray {
            type Output = Result<DataArray>;
            fn $method(self, other: T) -> Result<DataArray> {
                self.apply($op, &[other.into()])
            }
        }
    )*};
}
operators!(Add add "add", Sub sub "subtract", Mul mul "multiply", Div div "divide", Rem rem "remainder");
