//! Results put behind those that a file holds already, along one dimension.
//!
//! What is appended must fit: the same variables, dtypes and other dimensions, equal coordinates
//! across, and labels that follow the last one. Times are counted in the file's own units.

use super::cftime::TimeUnits;
use super::coord::{Coord, CoordData};
use super::data_array::DataArray;
use super::dataset::Dataset;
use super::index::{Index, Values};
use crate::expr::Expr;
use crate::io::{AttrValue, Dim, FileSpec, OutputFormat, VarType, Variable, VariableSpec, Writer};
use crate::session::{Array, Session};
use crate::store::Sink;
use crate::{DType, Error, Op, ReduceKind, Reduction, Result, Scalar};
use std::path::Path;
use std::sync::Arc;
use tilewise_kernels::Kind;

/// Computes arrays and writes them behind those of the same names in the file or store at `path`, along
/// `dim`. What of it is new is seen when all of it is written.
///
/// # Errors
/// When the file is missing or of a format that does not grow, a variable, dtype, dimension or
/// coordinate does not fit, the labels do not follow, the file holds packed values or variables along
/// `dim` that nothing is appended to, and what computing and writing meet. The file is as it was then.
pub fn append(
    session: &Session,
    path: &Path,
    format: OutputFormat,
    dim: &str,
    arrays: &[DataArray],
) -> Result<()> {
    let old = Dataset::open(path)?;
    let mut parts: Vec<(String, Vec<String>, Expr)> = Vec::new();
    for array in arrays {
        let variable = known(&old, array.name())?;
        if !array.dims().iter().any(|d| d == dim) {
            return Err(Error::invalid(format!(
                "{} has no dimension {dim} to append along; it has {}",
                array.name(),
                array.dims().join(", ")
            )));
        }
        let there = old.get(array.name())?;
        let units = |array: &'_ DataArray| array.index(dim).and_then(|index| index.time.clone());
        let times = units(array).zip(units(&there));
        let times = times.as_ref().map(|(from, to)| (from, to));
        for (name, coord) in array.coords() {
            if coord.dims.iter().any(|d| d == dim) {
                if !parts.iter().any(|(n, ..)| n == name) {
                    let expr = along(&old, there.coord(name), (name, coord), dim, times)?;
                    parts.push((name.clone(), coord.dims.clone(), expr));
                }
            } else if let Some(other) = there.coord(name)
                && !same(session, other, coord)?
            {
                let how = match (other.index(), coord.index()) {
                    (Some(a), Some(b)) => a.difference(b).unwrap_or_default(),
                    _ => String::new(),
                };
                return Err(Error::invalid(format!(
                    "the coordinate {name} differs from that of {} {how}",
                    path.display()
                )));
            }
        }
        let dims = array.dims().to_vec();
        parts.push((
            array.name().to_string(),
            dims,
            stored(variable, array.expr(), path)?,
        ));
    }
    let left: Vec<&str> = old
        .catalog()
        .variables
        .iter()
        .filter(|v| v.dims.iter().any(|d| d == dim) && !parts.iter().any(|(n, ..)| *n == v.name))
        .map(|v| v.name.as_str())
        .collect();
    if !left.is_empty() {
        return Err(Error::invalid(format!(
            "{} also holds {} along {dim}, to which nothing is appended; add it to the results",
            path.display(),
            left.join(", ")
        )));
    }
    let spec = described(&parts)?;
    drop(old);
    let writer = format.append(path, dim, &spec)?;
    stream(session, &parts, &*writer)?;
    writer.finish()
}

/// The description of a file with these variables, each with its dimensions.
pub(super) fn described(parts: &[(String, Vec<String>, Expr)]) -> Result<FileSpec> {
    let mut spec = FileSpec::default();
    for (name, dims, expr) in parts {
        for (dim, &len) in dims.iter().zip(&expr.shape) {
            match spec.dims.iter().find(|d| d.name == *dim) {
                Some(known) if known.len != len => {
                    return Err(Error::invalid(format!(
                        "results have the dimension {dim} with sizes {} and {len}",
                        known.len
                    )));
                }
                Some(_) => {}
                None => spec.dims.push(Dim {
                    name: dim.clone(),
                    len,
                    unlimited: false,
                }),
            }
        }
        let dims: Vec<&str> = dims.iter().map(String::as_str).collect();
        spec.variables.push(VariableSpec::new(
            name.clone(),
            &dims,
            VarType::Numeric(expr.dtype),
        ));
    }
    Ok(spec)
}

/// Computes variables into a writer's sinks of their names.
pub(super) fn stream(
    session: &Session,
    parts: &[(String, Vec<String>, Expr)],
    writer: &dyn Writer,
) -> Result<()> {
    let streams: Vec<(Array, Arc<dyn Sink>)> = parts
        .iter()
        .map(|(name, _, expr)| Ok((Array::from_expr(expr.clone()), writer.sink(name)?)))
        .collect::<Result<_>>()?;
    let outputs: Vec<(&Array, Arc<dyn Sink>)> = streams.iter().map(|(a, s)| (a, s.clone())).collect();
    session.store(&outputs)
}

/// Whether two coordinates have the same values; NaN is like NaN.
fn same(session: &Session, a: &Coord, b: &Coord) -> Result<bool> {
    let (CoordData::Array(x), CoordData::Array(y)) = (&a.data, &b.data) else {
        return Ok(a.same(b));
    };
    if a.dims != b.dims || x.shape != y.shape || x.dtype != y.dtype || x.is_empty() {
        return Ok(a.dims == b.dims && x.shape == y.shape && x.dtype == y.dtype);
    }
    let op = |name: &str, args: &[Expr]| {
        let found = Op::find(name).ok_or_else(|| Error::invalid(format!("no function {name}")))?;
        Expr::op(found, args)
    };
    let mut equal = op("equal", &[x.clone(), y.clone()])?;
    if x.dtype.has_nan() {
        let missing = |e: &Expr| op("isnan", std::slice::from_ref(e));
        equal = op(
            "logical_or",
            &[equal, op("logical_and", &[missing(x)?, missing(y)?])?],
        )?;
    }
    let all = equal.reduce(Reduction::new(ReduceKind::All), None, false)?;
    let all = session.compute::<bool>(&Array::from_expr(all))?;
    Ok(all.iter().all(|&same| same))
}

/// The variable of that name.
pub(super) fn known<'a>(old: &'a Dataset, name: &str) -> Result<&'a Variable> {
    old.catalog().variable(name).ok_or_else(|| {
        Error::invalid(format!(
            "{} has no variable {name} to append to; it has {}",
            old.path().display(),
            old.names().join(", ")
        ))
    })
}

/// Values as a variable stores them.
pub(super) fn stored(variable: &Variable, values: &Expr, path: &Path) -> Result<Expr> {
    let refused = |what: String| Error::invalid(format!("{}: {} {what}", path.display(), variable.name));
    for packing in ["scale_factor", "add_offset", "_Unsigned"] {
        if variable.attributes.get(packing).is_some() {
            return Err(refused(
                "is stored packed, which nothing is appended to; convert the file by eval first".into(),
            ));
        }
    }
    let Some(dtype) = variable.numeric() else {
        return Err(refused(format!(
            "holds {}, to which nothing is appended",
            variable.dtype
        )));
    };
    let values = match dtype {
        // As files of such values are written.
        DType::F32 if matches!(values.dtype, DType::F16 | DType::BF16) => values.cast(dtype),
        _ => values.clone(),
    };
    if values.dtype != dtype {
        return Err(refused(format!(
            "is stored as {dtype}, what is appended is {}; write astype({:?}) where that is meant",
            values.dtype,
            dtype.name()
        )));
    }
    let fill = variable
        .attributes
        .get("_FillValue")
        .and_then(|v| v.scalar(dtype));
    match fill.filter(|f| dtype.kind() == Kind::Float && !f.to_f64().is_nan()) {
        Some(fill) => {
            let op = |name: &str, args: &[Expr]| {
                let found = Op::find(name).ok_or_else(|| Error::invalid(format!("no function {name}")))?;
                Expr::op(found, args)
            };
            let missing = op("isnan", std::slice::from_ref(&values))?;
            op("where", &[missing, Expr::scalar(fill), values])
        }
        None => Ok(values),
    }
}

/// A coordinate along the dimension as the file counts it.
fn along(
    old: &Dataset,
    there: Option<&Coord>,
    (name, coord): (&str, &Coord),
    dim: &str,
    times: Option<(&TimeUnits, &TimeUnits)>,
) -> Result<Expr> {
    let variable = known(old, name)?;
    let Some(dtype) = variable.numeric() else {
        return Err(Error::invalid(format!(
            "the coordinate {name} holds {}, which is not appended",
            variable.dtype
        )));
    };
    let (ours, theirs) = match (coord.index(), there.and_then(Coord::index)) {
        (Some(ours), Some(theirs)) => (ours, theirs),
        (Some(_), None) => {
            return Err(Error::invalid(format!(
                "the coordinate {name} is of another kind in the file"
            )));
        }
        (None, _) => return bounds(old, variable, coord, times),
    };
    let values: Vec<f64> = match (&ours.time, &theirs.time) {
        (Some(from), Some(to)) => (0..ours.len())
            .map(|at| {
                ours.moment(at)
                    .map_or(f64::NAN, |m| rebased(from, to, m, ours.number(at)))
            })
            .collect(),
        (None, None) => (0..ours.len()).map(|at| ours.number(at)).collect(),
        _ => {
            return Err(Error::invalid(format!(
                "only one of the two coordinates {name} holds times"
            )));
        }
    };
    if let (Some(from), Some(to)) = (&ours.time, &theirs.time)
        && from.calendar() != to.calendar()
    {
        return Err(Error::invalid(format!(
            "{name} counts by the calendar {}, the file by {}",
            from.calendar().name(),
            to.calendar().name()
        )));
    }
    if let (Some(first), false, [own]) = (values.first(), theirs.is_empty(), &coord.dims[..])
        && own == dim
        && name == dim
    {
        let last = theirs.number(theirs.len() - 1);
        let rising = theirs.len() < 2 || last > theirs.number(0);
        if (rising && *first <= last) || (!rising && *first >= last) {
            return Err(Error::invalid(format!(
                "{name} begins at {}, which does not follow the file's last label {}",
                ours.show(0),
                theirs.show(theirs.len() - 1)
            )));
        }
    }
    let exact = |value: f64| {
        AttrValue::number(value)
            .scalar(dtype)
            .ok_or_else(|| Error::invalid(format!("{name}: {value} in the file's units is no {dtype}")))
    };
    let index = match dtype.kind() {
        Kind::Float => Index {
            values: Values::Float(values),
            dtype: Some(dtype),
            time: None,
            group: None,
        },
        _ => {
            let whole = values
                .iter()
                .map(|&v| exact(v).map(|s: Scalar| s.to_f64() as i64));
            Index {
                dtype: Some(dtype),
                ..Index::ints(whole.collect::<Result<_>>()?)
            }
        }
    };
    Coord::new(
        coord.dims.clone(),
        CoordData::Index(index.shared()),
        coord.attrs.clone(),
    )
    .expr(name)
}

/// A time in other units; unchanged where they are the same, so that nothing is rounded.
fn rebased(from: &TimeUnits, to: &TimeUnits, moment: super::cftime::Moment, number: f64) -> f64 {
    if from.to_string() == to.to_string() {
        number
    } else {
        to.encode(moment)
    }
}

/// Bounds and other coordinates of several axes; what says no units of its own counts as the times
/// along the dimension do.
fn bounds(
    old: &Dataset,
    variable: &Variable,
    coord: &Coord,
    times: Option<(&TimeUnits, &TimeUnits)>,
) -> Result<Expr> {
    let name = variable.name.as_str();
    let mut values = coord.expr(name)?;
    match (
        coord.attrs.text("units"),
        variable.attributes.text("units"),
        times,
    ) {
        (None, None, Some((from, to))) if from.to_string() != to.to_string() => {
            let zero = from.decode(0.0).map_or(f64::NAN, |moment| to.encode(moment));
            let scale = from.microseconds() / to.microseconds();
            let op = |name: &str, args: &[Expr]| {
                let found = Op::find(name).ok_or_else(|| Error::invalid(format!("no function {name}")))?;
                Expr::op(found, args)
            };
            let constant = |value: f64| Expr::scalar(Scalar::new(value));
            let scaled = op("multiply", &[values.cast(DType::F64), constant(scale)])?;
            values = op("add", &[scaled, constant(zero)])?;
        }
        (None, None, _) => {}
        (ours, theirs, _) if ours == theirs => {}
        (ours, theirs, _) => {
            return Err(Error::invalid(format!(
                "{name} is in {:?}, in the file in {:?}",
                ours.unwrap_or("no units"),
                theirs.unwrap_or("no units")
            )));
        }
    }
    stored(variable, &values, old.path())
}
