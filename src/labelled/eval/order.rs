//! Functions that put in order and choose by it: quantile, median, sort, topk, histogram.

use super::super::order::{Probability, QuantileOptions};
use super::call::Call;
use super::literal::float;
use super::value::Value;
use crate::expr::order::{BinSpec, Order};
use crate::{Error, Result};
use tilewise_kernels::order::Method;

/// A list of numbers.
fn numbers(value: &Value, what: &str) -> Result<Vec<f64>> {
    let wrong = |other: &Value| Error::invalid(format!("{what} is made of numbers, not of {}", other.kind()));
    match value {
        Value::Literal(literal) => Ok(vec![float(*literal)]),
        Value::List(items) => items
            .iter()
            .map(|item| match item {
                Value::Literal(literal) => Ok(float(*literal)),
                other => Err(wrong(other)),
            })
            .collect(),
        other => Err(wrong(other)),
    }
}

/// The dimensions of a call, and what else quantile and median share.
fn options(call: &mut Call) -> Result<(QuantileOptions, bool)> {
    let dims = match call.optional("dim") {
        None | Some(Value::None | Value::Ellipsis) => None,
        Some(value) => Some(value.names("a dimension")?),
    };
    let forced = call.name.starts_with("nan").then_some(true);
    let options = QuantileOptions {
        dims,
        skipna: call.flag("skipna")?.or(forced),
        keepdims: call.flag("keepdims")?.unwrap_or(false),
    };
    Ok((options, call.flag("keep_attrs")?.unwrap_or(true)))
}

/// The result, with its attributes if these are kept.
fn kept(array: super::super::DataArray, attrs: bool) -> Value {
    Value::Array(match attrs {
        true => array,
        false => array.with_attrs(Default::default()),
    })
}

/// `quantile(x, q, dim)`, or `percentile` with numbers up to 100.
pub(super) fn quantile(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let scale = if call.name.ends_with("percentile") {
        100.0
    } else {
        1.0
    };
    let value = call.required("q")?;
    let mut qs = numbers(&value, "q")?;
    qs.iter_mut().for_each(|q| *q /= scale);
    let q = match value {
        Value::Literal(_) => Probability::One(qs[0]),
        _ => Probability::Several(qs),
    };
    let (options, attrs) = options(&mut call)?;
    let method = match call.keyword("method") {
        None | Some(Value::None) => Method::Linear,
        Some(value) => {
            let name = value.text("method")?;
            Method::parse(&name).ok_or_else(|| {
                let names: Vec<&str> = Method::ALL.iter().map(|(_, name)| *name).collect();
                Error::invalid(format!(
                    "there is no method {name:?}; there is {}",
                    names.join(", ")
                ))
            })?
        }
    };
    call.finish("q, dim, method, skipna, keepdims and keep_attrs")?;
    Ok(kept(array.quantile(&q, method, &options)?, attrs))
}

pub(super) fn median(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let (options, attrs) = options(&mut call)?;
    call.finish("dim, skipna, keepdims and keep_attrs")?;
    Ok(kept(array.median(&options)?, attrs))
}

/// `sort(x, dim)` and `argsort(x, dim)`; `dim` may be left out where there is one only.
pub(super) fn sort(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let dim = dimension(&mut call, array.dims())?;
    call.finish("dim")?;
    let indices = call.name == "argsort";
    array.ordered(Order::Sort, indices, &dim).map(Value::Array)
}

/// `topk(x, k, dim)` and `argtopk(x, k, dim)`; a negative `k` asks for the smallest.
pub(super) fn topk(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let k = call.required("k")?.int("k")?;
    let dim = dimension(&mut call, array.dims())?;
    call.finish("k and dim")?;
    let count = usize::try_from(k.unsigned_abs()).unwrap_or(usize::MAX);
    let order = if k < 0 {
        Order::Smallest(count)
    } else {
        Order::Largest(count)
    };
    let indices = call.name == "argtopk";
    array.ordered(order, indices, &dim).map(Value::Array)
}

/// `sortby(x, dim, ascending=True)`.
pub(super) fn sortby(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let dims = call.required("a dimension")?.names("a dimension")?;
    let ascending = match call.optional("ascending") {
        Some(value) => value.bool("ascending")?,
        None => true,
    };
    call.finish("dimensions and ascending")?;
    let sorted = dims
        .iter()
        .try_fold(array, |array, dim| array.sortby(dim, ascending));
    sorted.map(Value::Array)
}

/// `histogram(x, bins, range, weights)`: `bins` edges, or a number of them within `range`.
pub(super) fn histogram(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let bins = call.optional("bins");
    let range = call.optional("range");
    let weights = call.optional("weights").map(|w| w.array("weights")).transpose()?;
    call.finish("bins, range and weights")?;
    let count =
        |value: &Value| usize::try_from(value.int("bins")?).map_err(|_| Error::invalid("bins is 1 or more"));
    let spec = match (&bins, &range) {
        (Some(Value::List(_)), None | Some(Value::None)) => BinSpec::Edges(match &bins {
            Some(list) => numbers(list, "bins")?,
            None => Vec::new(),
        }),
        (bins, Some(range)) => {
            let ends = numbers(range, "range")?;
            let [low, high] = ends[..] else {
                return Err(Error::invalid("range is made of two numbers, as in range=[0, 1]"));
            };
            BinSpec::Between(bins.as_ref().map_or(Ok(10), count)?, low, high)
        }
        (bins, None) => BinSpec::Count(bins.as_ref().map_or(Ok(10), count)?),
    };
    array.histogram(&spec, weights.as_ref()).map(Value::Array)
}

/// The dimension that is named, or the only one.
fn dimension(call: &mut Call, dims: &[String]) -> Result<String> {
    match (call.optional("dim"), dims) {
        (Some(value), _) => value.text("a dimension"),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Error::invalid(format!(
            "{} needs a dimension: one of {}",
            call.name,
            dims.join(", ")
        ))),
    }
}
