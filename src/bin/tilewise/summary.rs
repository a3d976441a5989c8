//! Results in short: whole where they are small, else their range, mean and first values.

use serde_json::{Value, json};
use std::fmt::Write;
use tilewise::expr::{Expr, SliceItem};
use tilewise::labelled::DataArray;
use tilewise::{Array, DType, Error, Op, ReduceKind, Reduction, Result, Scalar, Session, human_bytes};

/// Results of at most this many elements are shown whole.
const WHOLE: usize = 200;

/// First values shown of larger ones.
const FIRST: usize = 6;

/// Smallest, largest, mean and number of the elements that are not NaN.
pub type Statistics = [Scalar; 4];

/// What is shown of one result.
#[derive(Debug)]
pub struct Summary {
    array: DataArray,
    statistics: Option<Statistics>,
    /// All elements, or the first.
    values: Vec<Scalar>,
}

/// Computes the statistics of arrays in one run; `None` for those without an element.
///
/// # Errors
/// What the run meets.
pub fn statistics(session: &Session, arrays: &[DataArray]) -> Result<Vec<Option<Statistics>>> {
    let summaries = summarise(session, arrays, false)?;
    Ok(summaries.into_iter().map(|s| s.statistics).collect())
}

/// Computes the summaries of results in one run.
///
/// # Errors
/// What the run meets.
pub fn compute(session: &Session, results: &[DataArray]) -> Result<Vec<Summary>> {
    summarise(session, results, true)
}

fn summarise(session: &Session, results: &[DataArray], values: bool) -> Result<Vec<Summary>> {
    let mut arrays: Vec<Array> = Vec::new();
    let mut parts: Vec<(bool, usize)> = Vec::new();
    for result in results {
        let expr = result.expr();
        let statistics = !expr.is_empty() && (expr.rank() > 0 || !values);
        if statistics {
            let wide = match expr.dtype {
                DType::Bool => expr.cast(DType::U8),
                // Complex numbers have no order: their lengths are looked at.
                dtype if dtype.is_complex() => Expr::op(absolute()?, std::slice::from_ref(expr))?,
                _ => expr.clone(),
            };
            let reduce = |expr: &Expr, kind| {
                let reduction = Reduction::new(kind).skipna(expr.dtype.is_float());
                expr.reduce(reduction, None, false).map(Array::from_expr)
            };
            arrays.push(reduce(&wide, ReduceKind::Min)?);
            arrays.push(reduce(&wide, ReduceKind::Max)?);
            arrays.push(reduce(&wide.cast(DType::F64), ReduceKind::Mean)?);
            arrays.push(reduce(&wide, ReduceKind::Count)?);
        }
        if !values {
            parts.push((statistics, 0));
            continue;
        }
        let shown = if expr.len() <= WHOLE {
            expr.clone()
        } else {
            first(expr)?
        };
        parts.push((statistics, shown.len()));
        arrays.push(Array::from_expr(shown));
    }
    let mut buffers: Vec<Vec<u8>> = arrays
        .iter()
        .map(|a| vec![0; a.len() * a.dtype().size()])
        .collect();
    let views: Vec<&mut [u8]> = buffers.iter_mut().map(Vec::as_mut_slice).collect();
    let handles: Vec<&Array> = arrays.iter().collect();
    session.compute_into(&handles, views)?;
    let mut made = arrays.iter().zip(&buffers);
    let mut scalars = || {
        let (array, bytes) = made
            .next()
            .ok_or_else(|| Error::invalid("a summary is missing"))?;
        let dtype = array.dtype();
        Ok(bytes
            .chunks_exact(dtype.size())
            .map(|b| Scalar::from_bytes(dtype, b))
            .collect::<Vec<_>>())
    };
    let mut summaries = Vec::new();
    for (result, (statistics, _)) in results.iter().zip(parts) {
        let mut one = || {
            let values: Vec<Scalar> = scalars()?;
            values
                .first()
                .copied()
                .ok_or_else(|| Error::invalid("a statistic is missing"))
        };
        let statistics = match statistics {
            true => Some([one()?, one()?, one()?, one()?]),
            false => None,
        };
        let values = if values { scalars()? } else { Vec::new() };
        summaries.push(Summary {
            array: result.clone(),
            statistics,
            values,
        });
    }
    Ok(summaries)
}

fn absolute() -> Result<Op> {
    Op::find("abs").ok_or_else(|| Error::invalid("no function abs"))
}

/// The first elements along the last axis.
fn first(expr: &Expr) -> Result<Expr> {
    let mut items = vec![SliceItem::Index(0); expr.rank().saturating_sub(1)];
    items.push(SliceItem::Slice {
        start: None,
        stop: Some(FIRST as isize),
        step: None,
    });
    expr.slice(&items)
}

/// The summaries as text.
pub fn table(summaries: &[Summary]) -> String {
    let mut out = String::new();
    for summary in summaries {
        let array = &summary.array;
        let bytes = array.expr().len() as u64 * array.dtype().size() as u64;
        let units = array
            .attrs()
            .text("units")
            .map(|u| format!(", {u}"))
            .unwrap_or_default();
        let _ = writeln!(out, "{}{units}, {}", array.describe(), human_bytes(bytes));
        for (dim, size) in array.dims().iter().zip(array.shape()) {
            let labels = array.shown_labels(dim, usize::MAX);
            if let (Some(from), Some(to)) = (labels.first(), labels.last()) {
                let _ = writeln!(out, "  {dim}: {size} from {from} to {to}");
            }
        }
        if let Some([min, max, mean, count]) = summary.statistics {
            let of = if array.dtype().is_complex() { "abs: " } else { "" };
            let _ = writeln!(out, "  {of}min {min}  max {max}  mean {mean}  count {count}");
        }
        if array.expr().len() <= WHOLE {
            write_whole(&mut out, array, &summary.values);
        } else {
            let values: Vec<String> = summary.values.iter().map(Scalar::to_string).collect();
            let _ = writeln!(out, "  first {} …", values.join(" "));
        }
    }
    out
}

/// All elements: one a line with its label for one axis, else rows of the last axis.
fn write_whole(out: &mut String, array: &DataArray, values: &[Scalar]) {
    if let [dim] = array.dims() {
        let labels = array.shown_labels(dim, WHOLE);
        for (at, value) in values.iter().enumerate() {
            let label = labels.get(at).cloned().unwrap_or_else(|| at.to_string());
            let _ = writeln!(out, "  {label}: {value}");
        }
        return;
    }
    let row = array.shape().last().copied().unwrap_or(1).max(1);
    for row in values.chunks(row) {
        let shown: Vec<String> = row.iter().map(Scalar::to_string).collect();
        let _ = writeln!(out, "  {}", shown.join(" "));
    }
}

/// The summaries as JSON; NaN and infinities are null, complex numbers pairs of their parts. The
/// statistics of complex numbers are those of their lengths.
pub fn json(summaries: &[Summary]) -> Value {
    summaries
        .iter()
        .map(|summary| {
            let array = &summary.array;
            let mut attributes = serde_json::Map::new();
            for (name, value) in array.attrs().iter() {
                attributes.insert(name.into(), crate::info::attribute_json(value));
            }
            let statistic = |at: usize| summary.statistics.map_or(Value::Null, |s| number(s[at]));
            let values: Vec<Value> = summary.values.iter().map(|&v| number(v)).collect();
            json!({
                "name": array.name(),
                "dims": array.dims(),
                "shape": array.shape(),
                "dtype": array.dtype().name(),
                "attributes": attributes,
                "min": statistic(0),
                "max": statistic(1),
                "mean": statistic(2),
                "count": statistic(3),
                "whole": array.expr().len() <= WHOLE,
                "values": values,
            })
        })
        .collect()
}

/// A scalar as JSON.
pub fn number(scalar: Scalar) -> Value {
    match scalar.dtype() {
        DType::Bool => Value::Bool(scalar.bits() != 0),
        d if d.is_complex() => {
            let (re, im) = scalar.parts();
            json!([number(re), number(im)])
        }
        DType::U64 => scalar.bits().into(),
        DType::I64 => (scalar.bits() as i64).into(),
        d if d.is_integer() => (scalar.to_f64() as i64).into(),
        _ => serde_json::Number::from_f64(scalar.to_f64()).map_or(Value::Null, Value::Number),
    }
}
