//! The functions of the language: every op of the table, every reduction, and what moves, labels
//! and joins arrays. `f(x, …)` and `x.f(…)` are one call.

use super::super::align::{Operand, apply};
use super::super::dot::dot;
use super::super::group::GroupBy;
use super::super::reduce::ReduceOptions;
use super::call::Call;
use super::value::Value;
use super::{along, elements, fft, order, places, table};
use crate::expr::Expr;
use crate::io::AttrValue;
use crate::{Error, Op, ReduceKind, Result};
use tilewise_kernels::Literal;

/// A function that is neither an op of the table nor a reduction.
struct Function {
    name: &'static str,
    run: fn(Call) -> Result<Value>,
}

/// Those functions.
static FUNCTIONS: &[Function] = &[
    Function {
        name: "where",
        run: choose,
    },
    Function {
        name: "clip",
        run: elements::clip,
    },
    Function {
        name: "round",
        run: elements::round,
    },
    Function {
        name: "isel",
        run: places::isel,
    },
    Function {
        name: "sel",
        run: places::sel,
    },
    Function {
        name: "slice",
        run: places::slice,
    },
    Function {
        name: "groupby",
        run: groupby,
    },
    Function {
        name: "dot",
        run: product,
    },
    Function {
        name: "weighted",
        run: weighted,
    },
    Function {
        name: "transpose",
        run: places::transpose,
    },
    Function {
        name: "expand_dims",
        run: places::expand_dims,
    },
    Function {
        name: "squeeze",
        run: places::squeeze,
    },
    Function {
        name: "flip",
        run: places::flip,
    },
    Function {
        name: "fillna",
        run: elements::fillna,
    },
    Function {
        name: "isnull",
        run: elements::isnull,
    },
    Function {
        name: "notnull",
        run: elements::notnull,
    },
    Function {
        name: "astype",
        run: elements::astype,
    },
    Function {
        name: "shift",
        run: places::shift,
    },
    Function {
        name: "roll",
        run: places::roll,
    },
    Function {
        name: "diff",
        run: along::diff,
    },
    Function {
        name: "differentiate",
        run: along::differentiate,
    },
    Function {
        name: "cumsum",
        run: along::scan,
    },
    Function {
        name: "cumprod",
        run: along::scan,
    },
    Function {
        name: "cummax",
        run: along::scan,
    },
    Function {
        name: "cummin",
        run: along::scan,
    },
    Function {
        name: "fft",
        run: fft::transform,
    },
    Function {
        name: "ifft",
        run: fft::transform,
    },
    Function {
        name: "rfft",
        run: fft::transform,
    },
    Function {
        name: "irfft",
        run: fft::transform,
    },
    Function {
        name: "fftshift",
        run: fft::shift,
    },
    Function {
        name: "ifftshift",
        run: fft::shift,
    },
    Function {
        name: "rolling",
        run: along::rolling,
    },
    Function {
        name: "concat",
        run: places::concat,
    },
    Function {
        name: "chunk",
        run: places::chunk,
    },
    Function {
        name: "rename",
        run: rename,
    },
    Function {
        name: "assign_attrs",
        run: assign_attrs,
    },
    Function {
        name: "full_like",
        run: full_like,
    },
    Function {
        name: "zeros_like",
        run: full_like,
    },
    Function {
        name: "ones_like",
        run: full_like,
    },
    Function {
        name: "float",
        run: float,
    },
    Function {
        name: "compute",
        run: itself,
    },
    Function {
        name: "load",
        run: itself,
    },
    Function {
        name: "persist",
        run: itself,
    },
    Function {
        name: "quantile",
        run: order::quantile,
    },
    Function {
        name: "median",
        run: order::median,
    },
    Function {
        name: "sort",
        run: order::sort,
    },
    Function {
        name: "argsort",
        run: order::sort,
    },
    Function {
        name: "topk",
        run: order::topk,
    },
    Function {
        name: "argtopk",
        run: order::topk,
    },
    Function {
        name: "sortby",
        run: order::sortby,
    },
    Function {
        name: "histogram",
        run: order::histogram,
    },
    Function {
        name: "drop_vars",
        run: drop_vars,
    },
];

/// Other names of functions.
const ALIASES: [(&str, &str); 9] = [
    ("matmul", "dot"),
    ("percentile", "quantile"),
    ("nanquantile", "quantile"),
    ("nanpercentile", "quantile"),
    ("nanmedian", "median"),
    ("isna", "isnull"),
    ("notna", "notnull"),
    ("rechunk", "chunk"),
    ("permute_dims", "transpose"),
];

/// The names of all functions, sorted.
pub fn function_names() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = FUNCTIONS.iter().map(|f| f.name).collect();
    names.extend(ALIASES.iter().map(|(alias, _)| *alias));
    names.extend(ReduceKind::ALL.iter().map(|(_, name)| *name));
    names.extend(Op::all().map(|op| op.name));
    names.sort_unstable();
    names.dedup();
    names
}

/// A reduction by name; `nanmean` and the like skip NaN.
fn reduction(name: &str) -> Option<(ReduceKind, Option<bool>)> {
    match name.strip_prefix("nan").and_then(ReduceKind::parse) {
        Some(kind) => Some((kind, Some(true))),
        None => ReduceKind::parse(name).map(|kind| (kind, None)),
    }
}

/// Whether there is a function of that name.
pub(super) fn known(name: &str) -> bool {
    let listed = |n: &str| FUNCTIONS.iter().any(|f| f.name == n) || ALIASES.iter().any(|(a, _)| *a == n);
    listed(name) || reduction(name).is_some() || Op::find(name).is_some()
}

/// The error for a name that is no function, with the nearest that are.
pub(super) fn unknown(name: &str) -> Error {
    let start: String = name.chars().take(3).collect();
    let near: Vec<&str> = function_names()
        .into_iter()
        .filter(|n| n.starts_with(&start))
        .collect();
    let hint = match (name, near.as_slice()) {
        ("interp", _) => "; it is not available yet".to_string(),
        (_, []) => String::new(),
        (_, near) => format!("; there is {}", near.join(", ")),
    };
    Error::invalid(format!("there is no function {name:?}{hint}"))
}

/// Runs a call.
///
/// # Errors
/// What the function says of its arguments.
pub(super) fn run(call: Call) -> Result<Value> {
    let name = ALIASES
        .iter()
        .find(|(alias, _)| *alias == call.name)
        .map_or(call.name.as_str(), |(_, n)| n);
    if let Some(function) = FUNCTIONS.iter().find(|f| f.name == name) {
        return (function.run)(call);
    }
    if let Some((kind, skipna)) = reduction(name) {
        return reduce(call, kind, skipna);
    }
    elementwise(call)
}

/// An op of the table on its arguments.
fn elementwise(mut call: Call) -> Result<Value> {
    let op = table(&call.name)?;
    let args: Vec<Operand> = call
        .rest()
        .into_iter()
        .map(|value| value.operand(op.name))
        .collect::<Result<_>>()?;
    call.finish(&format!(
        "{} argument{} by place",
        op.arity,
        if op.arity == 1 { "" } else { "s" }
    ))?;
    apply(op, &args).map(Value::Array)
}

fn reduce(mut call: Call, kind: ReduceKind, forced: Option<bool>) -> Result<Value> {
    const ACCEPTS: &str = "dim, skipna, ddof, keepdims and weights";
    let object = call.required("an array")?;
    let dims = match call.optional("dim") {
        None | Some(Value::None | Value::Ellipsis) => None,
        Some(Value::Array(other)) => {
            return Err(Error::invalid(format!(
                "{} reduces one array over named dimensions; between two arrays use {} (the second is {})",
                call.name,
                match kind {
                    ReduceKind::Min => "minimum",
                    ReduceKind::Max => "maximum",
                    ReduceKind::Sum => "+",
                    _ => "an elementwise function",
                },
                other.describe()
            )));
        }
        Some(value) => Some(value.names("a dimension")?),
    };
    let skipna = call.flag("skipna")?.or(forced);
    let keepdims = call.flag("keepdims")?.unwrap_or(false);
    let keep_attrs = call.flag("keep_attrs")?.unwrap_or(true);
    let ddof = match call.keyword("ddof") {
        Some(value) => u32::try_from(value.int("ddof")?).map_err(|_| Error::invalid("ddof is 0 or more"))?,
        None => 0,
    };
    let weights = call.keyword("weights").map(|w| w.array("weights")).transpose()?;
    call.finish(ACCEPTS)?;
    let out = match object {
        Value::Group(group) => {
            if let Some(dims) = &dims {
                return Err(Error::invalid(format!(
                    "a groupby reduces its own dimension; reduce over {} after it",
                    dims.join(", ")
                )));
            }
            if weights.is_some() || keepdims {
                return Err(Error::invalid("a groupby takes skipna and ddof only"));
            }
            group.reduce(kind, skipna, ddof)?
        }
        Value::Rolling(rolling) => {
            if dims.is_some() || weights.is_some() || keepdims || skipna == Some(false) {
                return Err(Error::invalid(
                    "windows leave out NaN and take ddof only; min_periods says how many elements they need",
                ));
            }
            along::of_windows(&rolling, kind, ddof)?
        }
        Value::Weighted(pair) => {
            let (array, weights) = *pair;
            let options = ReduceOptions {
                dims,
                skipna,
                ddof,
                keepdims,
                weights: Some(weights),
            };
            array.reduce(kind, &options)?
        }
        other => {
            let options = ReduceOptions {
                dims,
                skipna,
                ddof,
                keepdims,
                weights,
            };
            other.array(&call.name)?.reduce(kind, &options)?
        }
    };
    Ok(Value::Array(match keep_attrs {
        true => out,
        false => out.with_attrs(Default::default()),
    }))
}

/// `where(condition, a, b)`, or `x.where(condition, other)`.
fn choose(mut call: Call) -> Result<Value> {
    if call.places() == 3 && !call.method {
        return elementwise(call);
    }
    let array = call.array()?;
    let condition = call.required("the condition")?.array("the condition")?;
    let other = match call.optional("other") {
        Some(value) => value.operand("where")?,
        None => Operand::Literal(Literal::Float(f64::NAN)),
    };
    call.finish("a condition and other")?;
    array.where_(&condition, other).map(Value::Array)
}

fn groupby(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let by = match call.required("a coordinate, as in \"time.month\"")? {
        Value::Array(key) if array.coord(key.name()).is_some() => key.name().to_string(),
        value => value.text("what groupby takes")?,
    };
    call.finish("a coordinate or a field of a time coordinate, as in \"time.month\"")?;
    GroupBy::new(&array, &by).map(|group| Value::Group(Box::new(group)))
}

fn weighted(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let weights = call.required("weights")?.array("weights")?;
    call.finish("weights")?;
    Ok(Value::Weighted(Box::new((array, weights))))
}

/// `dot(x, y, …, dim=…)`, summed over shared dimensions when none are named, over all with `...`.
fn product(mut call: Call) -> Result<Value> {
    let dims = call.keyword("dim");
    let (mut arrays, mut named) = (Vec::new(), dims);
    for value in call.rest() {
        match value {
            Value::Array(array) => arrays.push(array),
            other if named.is_none() => named = Some(other),
            other => return Err(Error::invalid(format!("dot of {}", other.kind()))),
        }
    }
    call.finish("arrays and dim")?;
    let dims = match named {
        None | Some(Value::None) => None,
        Some(Value::Ellipsis) => {
            let all = arrays.iter().flat_map(|a| a.dims().iter().cloned());
            Some(all.collect())
        }
        Some(value) => Some(value.names("a dimension")?),
    };
    dot(&arrays.iter().collect::<Vec<_>>(), dims.as_deref()).map(Value::Array)
}

fn rename(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let name = call.required("a name")?.text("a name")?;
    call.finish("a name")?;
    Ok(Value::Array(array.renamed(name)))
}

fn assign_attrs(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let mut attrs = array.attrs().clone();
    for (name, value) in call.by_dim()? {
        let value = match value {
            Value::Text(text) => AttrValue::Text(text),
            Value::Literal(literal) => {
                let scalar = literal.default_dtype().and_then(|d| literal.to_scalar(d));
                AttrValue::from(scalar.map_err(Error::Invalid)?)
            }
            other => {
                return Err(Error::invalid(format!(
                    "an attribute is text or a number, not {}",
                    other.kind()
                )));
            }
        };
        attrs.set(name, value);
    }
    Ok(Value::Array(array.with_attrs(attrs)))
}

fn full_like(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let value = match call.name.as_str() {
        "zeros_like" => Literal::Int(0),
        "ones_like" => Literal::Int(1),
        _ => match call.required("a value")? {
            Value::Literal(literal) => literal,
            other => {
                return Err(Error::invalid(format!(
                    "full_like takes a number, not {}",
                    other.kind()
                )));
            }
        },
    };
    call.finish("an array and a value")?;
    let scalar = value.to_scalar(array.dtype()).map_err(Error::Invalid)?;
    let expr = Expr::full(array.shape(), scalar)?;
    Ok(Value::Array(array.with_expr(expr).with_attrs(Default::default())))
}

fn float(mut call: Call) -> Result<Value> {
    let value = match call.required("a number or a text")? {
        Value::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| Error::invalid(format!("{text:?} is no number")))?,
        Value::Literal(literal) => super::literal::float(literal),
        other => {
            return Err(Error::invalid(format!(
                "float takes a number or a text, not {}",
                other.kind()
            )));
        }
    };
    call.finish("one value")?;
    Ok(Value::Literal(Literal::Float(value)))
}

/// What computes in xarray needs no word here, since everything is lazy until the end.
fn itself(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    call.finish("nothing")?;
    Ok(Value::Array(array))
}

fn drop_vars(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let names = call.required("names of coordinates")?.names("a coordinate")?;
    call.finish("names of coordinates")?;
    let mut coords = array.coords().clone();
    for name in &names {
        let before = coords.len();
        coords.retain(|(n, _)| n != name);
        if coords.len() == before {
            return Err(Error::invalid(format!(
                "{} has no coordinate {name:?}",
                array.describe()
            )));
        }
    }
    Ok(Value::Array(array.with_coords(coords)))
}
