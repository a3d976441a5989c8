//! Expressions of the language to lazy named arrays.
//!
//! Nothing is computed here: every step builds a larger lazy array, and every mistake is reported
//! at its place in the text, with both sides named.

mod along;
mod call;
mod elements;
mod fft;
mod functions;
mod literal;
mod order;
mod places;
mod value;

pub use functions::function_names;

use super::align::{Operand, apply};
use super::cftime::{Field, SEASONS};
use super::coord::{Coord, CoordData};
use super::data_array::DataArray;
use super::datasets::Datasets;
use super::index::Index;
use super::lang::{self, Argument, BinaryOp, Expr, ExprKind, Item, Number, Span, UnaryOp};
use super::pick::Pick;
use crate::{Error, Op, Result};
use call::Call;
use std::collections::BTreeMap;
use tilewise_kernels::Literal;
use value::Value;

/// The named results of a text of statements, in order; a name that begins with `_` is an
/// intermediate and no result. A result without a name takes its array's, or `result`.
///
/// # Errors
/// With the line of the text and a caret under the place: what is unknown, what does not fit, and
/// what would.
pub fn evaluate(source: &str, datasets: &Datasets) -> Result<Vec<DataArray>> {
    let mut scope = Scope {
        source,
        datasets,
        names: BTreeMap::new(),
    };
    let mut results: Vec<DataArray> = Vec::new();
    for statement in lang::parse(source)? {
        let span = statement.value.span;
        let value = scope.value(&statement.value)?;
        let array = match (&statement.name, value) {
            (Some(name), Value::Array(array)) => array.renamed(name.clone()),
            (None, Value::Array(array)) => array,
            (Some(name), other) if !matches!(other, Value::Literal(_)) => {
                scope.names.insert(name.clone(), other);
                continue;
            }
            (name, other) => {
                let array = scope.at(span, other.array("the result"))?;
                array.renamed(name.clone().unwrap_or_default())
            }
        };
        if let Some(name) = &statement.name {
            scope.names.insert(name.clone(), Value::Array(array.clone()));
            results.retain(|r| r.name() != name);
        }
        let name = match array.name() {
            "" => "result",
            name => name,
        };
        if statement.name.is_none() || !name.starts_with('_') {
            let taken = |n: &str| results.iter().any(|r| r.name() == n);
            let numbered = (2..).map(|k| format!("{name}_{k}"));
            let free = std::iter::once(name.to_string())
                .chain(numbered)
                .find(|n| !taken(n));
            results.push(array.renamed(free.unwrap_or_default()));
        }
    }
    match results.is_empty() {
        true => Err(Error::invalid(
            "the expression gives no array to show or write; names that begin with _ are intermediates",
        )),
        false => Ok(results),
    }
}

struct Scope<'a> {
    source: &'a str,
    datasets: &'a Datasets,
    names: BTreeMap<String, Value>,
}

impl Scope<'_> {
    /// Puts the place to an error about the input.
    fn at<T>(&self, span: Span, result: Result<T>) -> Result<T> {
        result.map_err(|error| match error {
            Error::Invalid(text) if !text.contains("\n  ") => lang::error_at(self.source, span, &text),
            other => other,
        })
    }

    fn value(&self, expr: &Expr) -> Result<Value> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Number(Number::Int(value)) => Ok(Value::Literal(Literal::Int(*value))),
            ExprKind::Number(Number::Imaginary(value)) => Ok(Value::Literal(Literal::Complex(0.0, *value))),
            ExprKind::Number(Number::Float(value)) => Ok(Value::Literal(Literal::Float(*value))),
            ExprKind::Bool(value) => Ok(Value::Literal(Literal::Bool(*value))),
            ExprKind::Text(text) => Ok(Value::Text(text.clone())),
            ExprKind::None => Ok(Value::None),
            ExprKind::Ellipsis => Ok(Value::Ellipsis),
            ExprKind::Name(name) => self.name(name, span),
            ExprKind::Qualified { file, name } => self
                .at(span, self.datasets.get_from(file, name))
                .map(Value::Array),
            ExprKind::List(items) => {
                let values = items.iter().map(|item| self.value(item)).collect::<Result<_>>()?;
                Ok(Value::List(values))
            }
            ExprKind::Unary(op, inner) => {
                let value = self.value(inner)?;
                self.at(span, unary(*op, value))
            }
            ExprKind::Binary(op, left, right) => {
                let (a, b) = (self.value(left)?, self.value(right)?);
                self.at(span, binary(*op, a, b))
            }
            ExprKind::Attribute {
                object,
                name,
                name_span,
            } => {
                let value = self.value(object)?;
                self.at(*name_span, attribute(value, name))
            }
            ExprKind::Index { object, items } => {
                let value = self.value(object)?;
                let items = items.iter().map(|i| self.item(i)).collect::<Result<Vec<_>>>()?;
                self.at(span, index(value, items))
            }
            ExprKind::Call { callee, arguments } => self.call(callee, arguments, span),
        }
    }

    fn name(&self, name: &str, span: Span) -> Result<Value> {
        if let Some(value) = self.names.get(name) {
            return Ok(value.clone());
        }
        let found = self.datasets.get(name);
        let constant = match name {
            "nan" | "NaN" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            "pi" => Some(std::f64::consts::PI),
            _ => None,
        };
        match (found, constant) {
            (Ok(array), _) => Ok(Value::Array(array)),
            (Err(_), Some(value)) => Ok(Value::Literal(Literal::Float(value))),
            (Err(error), None) if functions::known(name) => self.at(
                span,
                Err(Error::invalid(format!(
                    "{error}; {name} is a function, call it as {name}(…)"
                ))),
            ),
            (Err(error), None) => self.at(span, Err(error)),
        }
    }

    fn call(&self, callee: &Expr, arguments: &[Argument], span: Span) -> Result<Value> {
        let mut positional = Vec::new();
        let mut keywords = Vec::new();
        let (name, name_span, method) = match &callee.kind {
            ExprKind::Name(name) => (name, callee.span, false),
            ExprKind::Attribute {
                object,
                name,
                name_span,
            } => {
                // `np.sqrt(x)` and `xr.where(…)` mean the plain functions.
                let module = matches!(&object.kind, ExprKind::Name(n) if
                    ["np", "numpy", "xr", "xarray", "math"].contains(&n.as_str())
                        && !self.names.contains_key(n) && self.datasets.get(n).is_err());
                if !module {
                    positional.push(self.value(object)?);
                }
                (name, *name_span, !module)
            }
            _ => return self.at(span, Err(Error::invalid("only names and methods can be called"))),
        };
        if !functions::known(name) {
            return self.at(name_span, Err(functions::unknown(name)));
        }
        for argument in arguments {
            let value = self.value(&argument.value)?;
            match &argument.keyword {
                Some(keyword) => keywords.push((keyword.clone(), value)),
                None => positional.push(value),
            }
        }
        let call = Call::new(name, method, positional, keywords);
        self.at(span, functions::run(call))
    }

    /// The value of an entry of an index.
    fn item(&self, item: &Item) -> Result<Value> {
        let bound = |bound: &Option<Expr>| match bound {
            Some(expr) => self.value(expr),
            None => Ok(Value::None),
        };
        match item {
            Item::At(expr) => self.value(expr),
            Item::Ellipsis(_) => Ok(Value::Ellipsis),
            Item::Slice {
                start, stop, step, ..
            } => Ok(Value::Slice(Box::new([
                bound(start)?,
                bound(stop)?,
                bound(step)?,
            ]))),
        }
    }
}

fn table(name: &str) -> Result<Op> {
    Op::find(name).ok_or_else(|| Error::invalid(format!("there is no function {name}")))
}

fn unary(op: UnaryOp, value: Value) -> Result<Value> {
    if let Value::Literal(literal) = value
        && let Some(folded) = literal::unary(op, literal)
    {
        return Ok(Value::Literal(folded));
    }
    let operand = value.operand(op.op())?;
    apply(table(op.op())?, &[operand]).map(Value::Array)
}

fn binary(op: BinaryOp, a: Value, b: Value) -> Result<Value> {
    if let (Value::Literal(x), Value::Literal(y)) = (&a, &b)
        && let Some(folded) = literal::binary(op.op, *x, *y)?
    {
        return Ok(Value::Literal(folded));
    }
    let of_table = table(op.op)?;
    match (&a, &b) {
        (Value::Group(group), Value::Array(other)) => {
            return group.apply(of_table, other, true).map(Value::Array);
        }
        (Value::Array(other), Value::Group(group)) => {
            return group.apply(of_table, other, false).map(Value::Array);
        }
        _ => {}
    }
    let what = format!("`{}`", op.symbol);
    let operands: [Operand; 2] = [a.operand(&what)?, b.operand(&what)?];
    apply(of_table, &operands).map(Value::Array)
}

/// `x.time`, `x.time.month`, `x.T`.
fn attribute(value: Value, name: &str) -> Result<Value> {
    let array = match value {
        Value::Array(array) => array,
        other => {
            return Err(Error::invalid(format!(
                "{} has no attribute {name}",
                other.kind()
            )));
        }
    };
    if array.coord(name).is_some() {
        return array.coordinate(name).map(Value::Array);
    }
    if name == "T" {
        let dims: Vec<String> = array.dims().iter().rev().cloned().collect();
        return array.transpose(&dims).map(Value::Array);
    }
    if name == "dt" {
        return Ok(Value::Array(array));
    }
    if let Some(field) = Field::parse(name) {
        return time_field(&array, field).map(Value::Array);
    }
    if functions::known(name) {
        return Err(Error::invalid(format!(
            "{name} is a method, call it as .{name}(…)"
        )));
    }
    let names: Vec<String> = array.coords().iter().map(|(n, _)| n.clone()).collect();
    Err(Error::invalid(format!(
        "{} has no coordinate or method {name:?}; its coordinates are {}",
        array.describe(),
        if names.is_empty() {
            "none".into()
        } else {
            names.join(", ")
        }
    )))
}

/// A field of an array of times, such as `x.time.month`.
fn time_field(array: &DataArray, field: Field) -> Result<DataArray> {
    let coord = array.coord(array.name());
    let (Some(coord), Some(index)) = (coord, coord.and_then(Coord::index)) else {
        return Err(Error::invalid(format!(
            "{} is no time coordinate, so it has no {}; write x.time.{}",
            array.describe(),
            field.name(),
            field.name()
        )));
    };
    let fields = index.fields(array.name(), field)?;
    if field == Field::Season {
        return Err(Error::invalid(format!(
            "season is text ({}), which cannot be computed with; group by it, or compare months",
            SEASONS.join(", ")
        )));
    }
    let values = Coord::new(
        coord.dims.clone(),
        CoordData::Index(Index::ints(fields).shared()),
        Default::default(),
    );
    let coords = array.coords().clone();
    DataArray::new(
        field.name(),
        values.expr(field.name())?,
        coord.dims.clone(),
        coords,
        Default::default(),
    )
}

/// `x[0, 1:5, ..., ::-1]` by place, `x["lat"]` by name.
fn index(value: Value, items: Vec<Value>) -> Result<Value> {
    let array = match value {
        Value::Array(array) => array,
        Value::List(list) => {
            let [Value::Literal(Literal::Int(at))] = items.as_slice() else {
                return Err(Error::invalid("a list is indexed by one whole number"));
            };
            let Pick::At(at) = Pick::at("of the list", *at, list.len())? else {
                return Err(Error::invalid("a list is indexed by one whole number"));
            };
            return Ok(list[at].clone());
        }
        other => return Err(Error::invalid(format!("{} cannot be indexed", other.kind()))),
    };
    if let [Value::Text(name)] = items.as_slice() {
        return attribute(Value::Array(array), name);
    }
    let ellipses = items.iter().filter(|i| matches!(i, Value::Ellipsis)).count();
    let named = items.len() - ellipses;
    let rank = array.dims().len();
    if ellipses > 1 || named > rank {
        return Err(Error::invalid(format!(
            "{named} indices for {}",
            array.describe()
        )));
    }
    let dims = array.dims().to_vec();
    let mut out = array;
    let mut axis = 0;
    for item in items {
        if matches!(item, Value::Ellipsis) {
            axis += rank - named;
            continue;
        }
        let dim = &dims[axis];
        let pick = item.places(dim, out.size(dim)?)?;
        out = out.pick(dim, &pick)?;
        axis += 1;
    }
    Ok(Value::Array(out))
}
