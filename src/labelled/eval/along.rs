//! Functions along one dimension: scans, windows, differences and derivatives.

use super::super::along::Rolling;
use super::super::data_array::DataArray;
use super::call::Call;
use super::value::Value;
use crate::{Error, ReduceKind, Result};
use tilewise_kernels::scan::ScanKind;
use tilewise_kernels::window::WindowKind;

/// `x.cumsum("time")`, and the other scans by their names.
pub(super) fn scan(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let kind = ScanKind::parse(&call.name)
        .ok_or_else(|| Error::invalid(format!("there is no scan {}", call.name)))?;
    let dims = match call.optional("dim") {
        None | Some(Value::None | Value::Ellipsis) => None,
        Some(value) => Some(value.names("a dimension")?),
    };
    let skipna = call.flag("skipna")?;
    let keep_attrs = call.flag("keep_attrs")?.unwrap_or(true);
    call.finish("dim, skipna and keep_attrs")?;
    let out = array.scan(kind, dims.as_deref(), skipna)?;
    Ok(Value::Array(match keep_attrs {
        true => out,
        false => out.with_attrs(Default::default()),
    }))
}

/// `x.rolling(time=30, center=True, min_periods=5)`.
pub(super) fn rolling(mut call: Call) -> Result<Value> {
    const ACCEPTS: &str = "one dimension with its window, center and min_periods";
    let array = call.array()?;
    let center = call.flag("center")?.unwrap_or(false);
    let count = |value: &Value, what: &str| {
        let number = value.int(what)?;
        usize::try_from(number).map_err(|_| Error::invalid(format!("{what} is {number}; it is 1 or more")))
    };
    let least = match call.keyword("min_periods") {
        None | Some(Value::None) => None,
        Some(value) => Some(count(&value, "min_periods")?),
    };
    let windows = call.by_dim()?;
    call.finish(ACCEPTS)?;
    let [(dim, window)] = windows.as_slice() else {
        return Err(Error::invalid(format!(
            "rolling takes {ACCEPTS}; roll along one dimension after the other"
        )));
    };
    let window = count(window, "a window")?;
    let rolling = array.rolling(dim, window, least, center)?;
    Ok(Value::Rolling(Box::new(rolling)))
}

/// The statistic of windows that a reduction names.
pub(super) fn of_windows(rolling: &Rolling, kind: ReduceKind, ddof: u32) -> Result<DataArray> {
    let known = WindowKind::parse(kind.name()).ok_or_else(|| {
        let names = WindowKind::ALL.map(|(_, name)| name).join(", ");
        Error::invalid(format!("rolling has no {}; it has {names}", kind.name()))
    })?;
    rolling.apply(known, ddof)
}

pub(super) fn diff(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let dim = call.required("a dimension")?.text("a dimension")?;
    let times = match call.optional("n") {
        Some(value) => value.int("n")?,
        None => 1,
    };
    let upper = match call.optional("label") {
        None => true,
        Some(value) => match value.text("label")?.as_str() {
            "upper" => true,
            "lower" => false,
            other => {
                return Err(Error::invalid(format!(
                    "label is \"upper\" or \"lower\", not {other:?}"
                )));
            }
        },
    };
    call.finish("a dimension, n and label")?;
    let times = usize::try_from(times).ok().filter(|n| *n <= 64);
    let times = times.ok_or_else(|| Error::invalid("diff takes n from 0 to 64"))?;
    array.diff(&dim, times, upper).map(Value::Array)
}

pub(super) fn differentiate(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let dim = call.required("coord")?.text("a dimension")?;
    let edge_order = match call.optional("edge_order") {
        None => 1,
        Some(value) => usize::try_from(value.int("edge_order")?).unwrap_or(0),
    };
    let unit = match call.optional("datetime_unit") {
        None | Some(Value::None) => None,
        Some(value) => Some(value.text("datetime_unit")?),
    };
    call.finish("a dimension, edge_order and datetime_unit")?;
    array
        .differentiate(&dim, edge_order, unit.as_deref())
        .map(Value::Array)
}
