//! What an expression can be while it is evaluated.

use super::super::align::Operand;
use super::super::along::Rolling;
use super::super::data_array::DataArray;
use super::super::group::GroupBy;
use super::super::index::Label;
use super::super::pick::Pick;
use super::literal;
use crate::expr::Expr;
use crate::{Error, Result};
use tilewise_kernels::Literal;

/// The value of an expression.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A named array.
    Array(DataArray),
    /// A literal, weakly typed.
    Literal(Literal),
    /// A string.
    Text(String),
    /// Several values.
    List(Vec<Value>),
    /// `start:stop:step` or `slice(start, stop, step)`.
    Slice(Box<[Value; 3]>),
    /// `...`
    Ellipsis,
    /// `None`
    None,
    /// `x.groupby(…)`
    Group(Box<GroupBy>),
    /// `x.rolling(time=…)`
    Rolling(Box<Rolling>),
    /// `x.weighted(w)`
    Weighted(Box<(DataArray, DataArray)>),
}

impl Value {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> String {
        match self {
            Value::Array(array) => array.describe(),
            Value::Literal(literal) => format!("the number {literal}"),
            Value::Text(text) => format!("the text {text:?}"),
            Value::List(_) => "a list".into(),
            Value::Slice(_) => "a slice".into(),
            Value::Ellipsis => "`...`".into(),
            Value::None => "None".into(),
            Value::Group(_) => "a groupby".into(),
            Value::Rolling(_) => "rolling windows".into(),
            Value::Weighted(_) => "a weighted array".into(),
        }
    }

    /// An argument of an elementwise function.
    pub(super) fn operand(self, what: &str) -> Result<Operand> {
        match self {
            Value::Array(array) => Ok(Operand::Array(array)),
            Value::Literal(literal) => Ok(Operand::Literal(literal)),
            Value::Group(_) | Value::Rolling(_) | Value::Weighted(_) => Err(Error::invalid(format!(
                "{what} does not take {}; reduce it first, as in .mean()",
                self.kind()
            ))),
            other => Err(Error::invalid(format!(
                "{what} takes arrays and numbers, not {}",
                other.kind()
            ))),
        }
    }

    /// The array; a literal becomes one without dimensions.
    pub(super) fn array(self, what: &str) -> Result<DataArray> {
        match self.operand(what)? {
            Operand::Array(array) => Ok(array),
            Operand::Literal(literal) => {
                let scalar = literal.default_dtype().and_then(|d| literal.to_scalar(d));
                let expr = Expr::scalar(scalar.map_err(Error::Invalid)?);
                DataArray::new("", expr, vec![], vec![], Default::default())
            }
        }
    }

    /// A whole number.
    pub(super) fn int(&self, what: &str) -> Result<i128> {
        match self {
            Value::Literal(Literal::Int(value)) => Ok(*value),
            other => Err(Error::invalid(format!(
                "{what} is a whole number, not {}",
                other.kind()
            ))),
        }
    }

    /// True or false.
    pub(super) fn bool(&self, what: &str) -> Result<bool> {
        match self {
            Value::Literal(Literal::Bool(value)) => Ok(*value),
            other => Err(Error::invalid(format!(
                "{what} is True or False, not {}",
                other.kind()
            ))),
        }
    }

    /// A text.
    pub(super) fn text(&self, what: &str) -> Result<String> {
        match self {
            Value::Text(text) => Ok(text.clone()),
            other => Err(Error::invalid(format!("{what} is a text, not {}", other.kind()))),
        }
    }

    /// Names: one text or a list of texts.
    pub(super) fn names(&self, what: &str) -> Result<Vec<String>> {
        match self {
            Value::Text(text) => Ok(vec![text.clone()]),
            Value::List(items) => items.iter().map(|item| item.text(what)).collect(),
            other => Err(Error::invalid(format!(
                "{what} is a name or a list of names, not {}",
                other.kind()
            ))),
        }
    }

    /// Places along a dimension, as in `isel`.
    pub(super) fn places(&self, dim: &str, len: usize) -> Result<Pick> {
        let bound = |value: &Value| match value {
            Value::None => Ok(None),
            other => other.int("a bound of a slice of places").map(Some),
        };
        match self {
            Value::Literal(Literal::Int(at)) => Pick::at(dim, *at, len),
            Value::Slice(bounds) => {
                let [start, stop, step] = &**bounds;
                Pick::slice(bound(start)?, bound(stop)?, bound(step)?, len)
            }
            Value::List(items) => {
                let places = items
                    .iter()
                    .map(|item| match Pick::at(dim, item.int("a place")?, len)? {
                        Pick::At(at) => Ok(at),
                        _ => Err(Error::invalid("a place is a whole number")),
                    })
                    .collect::<Result<Vec<usize>>>()?;
                Ok(Pick::List(places.into()))
            }
            Value::None => Err(Error::invalid(
                "a new dimension needs a name: write x.expand_dims(\"name\")",
            )),
            Value::Array(array) => Err(Error::invalid(format!(
                "{} cannot be an index; use where(condition, x, nan) to mask",
                array.describe()
            ))),
            other => Err(Error::invalid(format!(
                "{dim} is indexed by whole numbers, slices and lists, not by {}",
                other.kind()
            ))),
        }
    }

    /// A label of a coordinate.
    pub(super) fn label(&self, dim: &str) -> Result<Label> {
        match self {
            Value::Text(text) => Ok(Label::Text(text.clone())),
            Value::Literal(literal) => Ok(Label::Number(literal::float(*literal))),
            other => Err(Error::invalid(format!(
                "a label of {dim} is a number or a text, not {}",
                other.kind()
            ))),
        }
    }
}
