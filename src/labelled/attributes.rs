//! What becomes of attributes: kept where they stay true, dropped where they would lie.
//!
//! A difference of temperatures is still in kelvin, a product is not; a mean over time says so in
//! `cell_methods`, as CF asks.

use super::align::Operand;
use crate::ReduceKind;
use crate::io::Attributes;

/// Functions whose result has the unit of their arrays.
const SAME_UNIT: [&str; 22] = [
    "abs",
    "add",
    "subtract",
    "negative",
    "positive",
    "maximum",
    "minimum",
    "clip",
    "where",
    "round",
    "rint",
    "floor",
    "ceil",
    "trunc",
    "fmin",
    "fmax",
    "hypot",
    "copysign",
    "nextafter",
    "remainder",
    "fmod",
    "cast",
];

/// Functions whose result is a truth value.
const TRUTH: [&str; 16] = [
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "logical_not",
    "logical_xor",
    "isnan",
    "isfinite",
    "isinf",
    "signbit",
    "sign",
    "bitwise_invert",
];

/// Attributes that speak of the unit or the range of values.
const OF_UNIT: [&str; 8] = [
    "units",
    "standard_name",
    "valid_range",
    "valid_min",
    "valid_max",
    "actual_range",
    "cell_methods",
    "original_units",
];

/// The attributes of an elementwise result: those on which all arrays agree, without those that
/// the function makes untrue.
pub(super) fn after_op(op: &str, operands: &[Operand]) -> Attributes {
    let skip = usize::from(op == "where" && operands.len() == 3);
    let mut arrays = operands.iter().skip(skip).filter_map(|o| match o {
        Operand::Array(array) => Some(array),
        Operand::Literal(_) => None,
    });
    let Some(first) = arrays.next().filter(|_| !TRUTH.contains(&op)) else {
        return Attributes::new();
    };
    let mut out = first.attrs().clone();
    for other in arrays {
        let conflicts: Vec<String> = out
            .iter()
            .filter(|(name, value)| other.attrs().get(name) != Some(value))
            .map(|(name, _)| name.to_string())
            .collect();
        for name in conflicts {
            out.remove(&name);
        }
    }
    if !SAME_UNIT.contains(&op) {
        without_unit(&mut out);
    }
    for name in ["valid_range", "valid_min", "valid_max", "actual_range"] {
        out.remove(name);
    }
    out
}

/// The attributes of a reduction over dimensions.
pub(super) fn after_reduction(attrs: &Attributes, kind: ReduceKind, dims: &[String]) -> Attributes {
    use ReduceKind::{All, Any, ArgMax, ArgMin, Count, First, Last, Max, Mean, Min, Prod, Std, Sum, Var};
    let method = match kind {
        Mean => Some("mean"),
        Min => Some("minimum"),
        Max => Some("maximum"),
        Sum => Some("sum"),
        Std => Some("standard_deviation"),
        Var => Some("variance"),
        First | Last => None,
        Prod | Any | All | Count | ArgMin | ArgMax => None,
    };
    if matches!(kind, Any | All | Count | ArgMin | ArgMax) {
        return Attributes::new();
    }
    let mut out = attrs.clone();
    if matches!(kind, Var | Prod) {
        out.remove("units");
        out.remove("standard_name");
    }
    summarised(out, method, dims)
}

/// The attributes of a quantile or median over dimensions.
pub(super) fn after_quantile(attrs: &Attributes, median: bool, dims: &[String]) -> Attributes {
    summarised(attrs.clone(), median.then_some("median"), dims)
}

/// The attributes of what an array's elements are counted by.
pub(super) fn after_counting(attrs: &Attributes) -> Attributes {
    let mut out = attrs.clone();
    out.remove("cell_methods");
    summarised(out, None, &[])
}

/// Attributes after some dimensions went, by a method that CF has a name for.
fn summarised(mut out: Attributes, method: Option<&str>, dims: &[String]) -> Attributes {
    for name in ["valid_range", "valid_min", "valid_max", "actual_range"] {
        out.remove(name);
    }
    if let Some(method) = method
        && !dims.is_empty()
        && !out.is_empty()
    {
        let entry = format!("{}: {method}", dims.join(": "));
        let before = out.text("cell_methods").map(|t| format!("{t} "));
        out.set("cell_methods", format!("{}{entry}", before.unwrap_or_default()));
    }
    out
}

fn without_unit(attrs: &mut Attributes) {
    for name in OF_UNIT {
        attrs.remove(name);
    }
}
