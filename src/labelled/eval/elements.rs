//! Functions of single elements that take options, or are made of several ops of the table.

use super::super::align::{Operand, apply};
use super::super::data_array::DataArray;
use super::call::Call;
use super::table;
use super::value::Value;
use crate::{DType, Error, Result};
use tilewise_kernels::Literal;

/// `clip(x, min, max)`; a bound may be left out.
pub(super) fn clip(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let mut bound = |keyword: &str| match call.optional(keyword) {
        None | Some(Value::None) => Ok(None),
        Some(bound) => bound.operand("clip").map(Some),
    };
    let (low, high) = (bound("min")?, bound("max")?);
    call.finish("min and max")?;
    let (name, attrs) = (array.name().to_string(), array.attrs().clone());
    let op = match (&low, &high) {
        (None, None) => return Ok(Value::Array(array)),
        (Some(_), None) => "maximum",
        (None, Some(_)) => "minimum",
        (Some(_), Some(_)) => "clip",
    };
    let operands: Vec<Operand> = [Operand::Array(array)]
        .into_iter()
        .chain(low)
        .chain(high)
        .collect();
    let clipped = apply(table(op)?, &operands)?;
    Ok(Value::Array(clipped.renamed(name).with_attrs(attrs)))
}

/// `round(x, decimals)`, halves to even.
pub(super) fn round(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let decimals = match call.optional("decimals") {
        Some(value) => value.int("decimals")?,
        None => 0,
    };
    call.finish("decimals")?;
    let rounded = |x: DataArray| apply(table("round")?, &[Operand::Array(x)]);
    if decimals == 0 {
        return rounded(array).map(Value::Array);
    }
    // As NumPy: scaled, rounded, scaled back.
    let scale = i32::try_from(decimals).ok().filter(|d| d.abs() <= 300);
    let scale = scale.ok_or_else(|| Error::invalid("decimals is between -300 and 300"))?;
    let power = Operand::Literal(Literal::Float(10f64.powi(scale.abs())));
    let (up, down) = if scale > 0 {
        ("multiply", "divide")
    } else {
        ("divide", "multiply")
    };
    let attrs = array.attrs().clone();
    let scaled = rounded(apply(table(up)?, &[Operand::Array(array), power.clone()])?)?;
    Ok(Value::Array(
        apply(table(down)?, &[Operand::Array(scaled), power])?.with_attrs(attrs),
    ))
}

/// `fillna(x, value)`.
pub(super) fn fillna(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let value = call.required("a value")?.operand("fillna")?;
    call.finish("a value")?;
    array.fillna(value).map(Value::Array)
}

/// `isnull(x)`.
pub(super) fn isnull(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    call.finish("nothing more")?;
    array.isnull().map(Value::Array)
}

/// `notnull(x)`.
pub(super) fn notnull(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    call.finish("nothing more")?;
    apply(table("logical_not")?, &[Operand::Array(array.isnull()?)]).map(Value::Array)
}

/// `astype(x, "float32")`.
pub(super) fn astype(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let name = call.required("a dtype, as in \"float32\"")?.text("a dtype")?;
    call.finish("a dtype")?;
    let dtype = DType::parse(&name).ok_or_else(|| {
        let names: Vec<&str> = DType::ALL.iter().map(|d| d.name()).collect();
        Error::invalid(format!(
            "there is no dtype {name:?}; there is {}",
            names.join(", ")
        ))
    })?;
    Ok(Value::Array(array.astype(dtype)))
}
