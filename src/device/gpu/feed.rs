//! How a kernel feeds a reduction: the running numbers of one cell as WGSL.
//!
//! An invocation reduces its points in registers and writes a few *planes* per cell, which the
//! host folds into the state. Float sums run in f64 where the adapter has it, else in pairs of
//! f32 with exact errors. Variances are sums of differences from the first value that an invocation
//! meets, so a mean far from zero costs no digits: what cancels in them is at most the number of
//! points times the result, even when the first value is far from all others.

use super::expression::Abilities;
use crate::{DType, ReduceKind, Reduction};
use tilewise_kernels::Kind;

/// How a reduction is computed on an adapter; decides WGSL and what the host reads back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Scheme {
    /// A sum, and what its roundings lost, in f64.
    SumWide,
    /// A sum as a pair of f32, and whether a value was not finite.
    SumPair,
    /// A sum as two u32 with a carry.
    SumCarry,
    /// A sum in u64.
    SumLong,
    /// A product in f64.
    ProdWide,
    /// A product in u64.
    ProdLong,
    /// Count, and `SumWide`.
    MeanWide,
    /// Count, and `SumPair`.
    MeanPair,
    /// Count, first value, sums of differences and of their squares, in f64.
    ShiftedWide,
    /// The same in pairs of f32; bit 0: a value was not finite, bit 1: a difference was not zero.
    ShiftedPair,
    /// Whether there is a value, and the value.
    Extreme,
    /// Whether there is a value, its index, and the value.
    Indexed,
    /// Whether any, or all, are true.
    Flag,
    /// A count.
    Count,
}

impl Scheme {
    /// The scheme for a reduction of values of a dtype.
    ///
    /// # Errors
    /// Says what the adapter lacks.
    pub fn new(reduction: Reduction, dtype: DType, can: Abilities) -> Result<Scheme, String> {
        use ReduceKind as K;
        let lacks = |what: &str| {
            Err(format!(
                "{} of {dtype} needs {what} in shaders, which this adapter lacks",
                reduction.kind.name()
            ))
        };
        let narrow_float = dtype.is_float() && dtype != DType::F64;
        Ok(match reduction.kind {
            K::Sum if narrow_float && !can.f64 => Scheme::SumPair,
            K::Sum if dtype.is_float() => Scheme::SumWide,
            K::Sum if dtype.size() == 8 => Scheme::SumLong,
            K::Sum => Scheme::SumCarry,
            K::Mean if narrow_float && !can.f64 => Scheme::MeanPair,
            K::Mean if can.f64 => Scheme::MeanWide,
            K::Prod if dtype.is_float() && can.f64 => Scheme::ProdWide,
            K::Prod if !dtype.is_float() && can.i64 => Scheme::ProdLong,
            K::Prod if !dtype.is_float() => return lacks("64-bit integers"),
            K::Var | K::Std if can.f64 => Scheme::ShiftedWide,
            K::Var | K::Std if narrow_float => Scheme::ShiftedPair,
            K::Mean | K::Prod | K::Var | K::Std => return lacks("64-bit floats"),
            K::Min | K::Max => Scheme::Extreme,
            K::ArgMin | K::ArgMax | K::First | K::Last => Scheme::Indexed,
            K::Any | K::All => Scheme::Flag,
            K::Count => Scheme::Count,
        })
    }

    /// Most points that one invocation may feed: the digits that the shifted sums may lose grow
    /// with their number.
    pub fn longest(self) -> usize {
        match self {
            Scheme::ShiftedWide | Scheme::ShiftedPair => 1 << 14,
            _ => 1 << 30,
        }
    }
}

/// The WGSL of one reduction in a kernel.
pub(super) struct Feed {
    /// Declarations before the loop.
    pub declare: String,
    /// Statements for one value.
    pub body: String,
    /// Expressions of the 32-bit planes.
    pub words: Vec<String>,
    /// Expressions of the 64-bit planes and their type.
    pub wide: Option<(&'static str, Vec<String>)>,
}

/// Writes the feeding of reduction number `j` of the value in register `value`, whose index is
/// `place{j}` where it is needed.
pub(super) fn feed(scheme: Scheme, reduction: Reduction, dtype: DType, j: usize, value: &str) -> Feed {
    let x = format!("x{j}");
    let (register, taken) = match dtype {
        DType::Bool => ("u32", format!("select(0u, 1u, {value})")),
        _ => (dtype.info().wgsl, value.to_string()),
    };
    let nan = |v: &str| match (dtype.is_float(), dtype) {
        (false, _) => "false".to_string(),
        (true, DType::F64) => format!("tw_is_nan_f64({v})"),
        (true, _) => format!("tw_is_nan({v})"),
    };
    let real = format!("f64({x})");
    let s = |field: &str| format!("s{j}{field}");
    let lines = |list: &[String]| list.join("\n");
    let (declare, update, words, wide): (Vec<String>, Vec<String>, Vec<String>, Vec<String>) = match scheme {
        Scheme::SumWide | Scheme::MeanWide => {
            let mut out = (
                vec![
                    format!("var {} = 0.0lf;", s("")),
                    format!("var {} = 0.0lf;", s("_rest")),
                ],
                vec![
                    format!("let t{j} = tw_wide_two_sum({}, {real});", s("")),
                    format!("{} = t{j}.sum;", s("")),
                    format!("{0} = {0} + t{j}.rest;", s("_rest")),
                ],
                vec![],
                vec![s(""), s("_rest")],
            );
            if scheme == Scheme::MeanWide {
                count(&mut out.0, &mut out.1, &mut out.2, &s("_n"));
            }
            out
        }
        Scheme::SumPair | Scheme::MeanPair => {
            let mut out = (
                vec![
                    format!("var {} = vec2<f32>(0.0f, 0.0f);", s("")),
                    format!("var {} = 0u;", s("_odd")),
                ],
                vec![
                    format!("{0} = tw_pair_add_f32({0}, {x});", s("")),
                    format!("{0} = {0} | select(1u, 0u, tw_is_finite({x}));", s("_odd")),
                ],
                vec![
                    format!("bitcast<u32>({}.x)", s("")),
                    format!("bitcast<u32>({}.y)", s("")),
                    s("_odd"),
                ],
                vec![],
            );
            if scheme == Scheme::MeanPair {
                count(&mut out.0, &mut out.1, &mut out.2, &s("_n"));
            }
            out
        }
        Scheme::SumCarry => {
            let (bits, borrow) = match dtype.kind() {
                Kind::Signed => (
                    format!("bitcast<u32>({x})"),
                    format!(" + select(0u, 0xffffffffu, {x} < 0i)"),
                ),
                _ => (x.clone(), String::new()),
            };
            (
                vec![format!("var {} = vec2<u32>(0u, 0u);", s(""))],
                vec![
                    format!("let low{j} = {}.x + {bits};", s("")),
                    format!(
                        "{0} = vec2<u32>(low{j}, {0}.y + select(0u, 1u, low{j} < {0}.x){borrow});",
                        s("")
                    ),
                ],
                vec![format!("{}.x", s("")), format!("{}.y", s(""))],
                vec![],
            )
        }
        Scheme::SumLong | Scheme::ProdLong => {
            let (start, sign) = match scheme {
                Scheme::SumLong => ("0lu", "+"),
                _ => ("1lu", "*"),
            };
            let long = match dtype.kind() {
                Kind::Signed => format!("bitcast<u64>(i64({x}))"),
                _ => format!("u64({x})"),
            };
            (
                vec![format!("var {} = {start};", s(""))],
                vec![format!("{0} = {0} {sign} {long};", s(""))],
                vec![],
                vec![s("")],
            )
        }
        Scheme::ProdWide => (
            vec![format!("var {} = 1.0lf;", s(""))],
            vec![format!("{0} = {0} * {real};", s(""))],
            vec![],
            vec![s("")],
        ),
        Scheme::ShiftedWide => {
            let mut out = (
                vec![
                    format!("var {} = 0.0lf;", s("_first")),
                    format!("var {} = 0.0lf;", s("_sum")),
                    format!("var {} = 0.0lf;", s("_squares")),
                ],
                vec![
                    format!("if ({} == 0u) {{ {} = {real}; }}", s("_n"), s("_first")),
                    format!("let d{j} = {real} - {};", s("_first")),
                    format!("{0} = {0} + d{j};", s("_sum")),
                    format!("{0} = {0} + d{j} * d{j};", s("_squares")),
                ],
                vec![],
                vec![s("_first"), s("_sum"), s("_squares")],
            );
            count(&mut out.0, &mut out.1, &mut out.2, &s("_n"));
            out
        }
        Scheme::ShiftedPair => {
            let mut out = (
                vec![
                    format!("var {} = 0.0f;", s("_first")),
                    format!("var {} = vec2<f32>(0.0f, 0.0f);", s("_sum")),
                    format!("var {} = vec2<f32>(0.0f, 0.0f);", s("_squares")),
                    format!("var {} = 0u;", s("_odd")),
                ],
                vec![
                    format!("if ({} == 0u) {{ {} = {x}; }}", s("_n"), s("_first")),
                    format!("let d{j} = tw_two_sum({x}, tw_negate({}));", s("_first")),
                    format!("{0} = tw_pair_add({0}, d{j});", s("_sum")),
                    format!("let q{j} = tw_two_prod(d{j}.x, d{j}.x);"),
                    format!(
                        "{0} = tw_pair_add({0}, vec2<f32>(q{j}.x, q{j}.y + 2.0f * d{j}.x * d{j}.y));",
                        s("_squares")
                    ),
                    format!(
                        "{0} = {0} | select(1u, 0u, tw_is_finite({x})) | select(2u, 0u, tw_is_zero(d{j}.x));",
                        s("_odd")
                    ),
                ],
                ["_first", "_sum.x", "_sum.y", "_squares.x", "_squares.y"]
                    .iter()
                    .map(|field| format!("bitcast<u32>({})", s(field)))
                    .chain([s("_odd")])
                    .collect(),
                vec![],
            );
            count(&mut out.0, &mut out.1, &mut out.2, &s("_n"));
            out
        }
        Scheme::Count => {
            let mut out = (vec![], vec![], vec![], vec![]);
            count(&mut out.0, &mut out.1, &mut out.2, &s("_n"));
            out
        }
        Scheme::Flag => {
            let truth = match dtype {
                DType::F64 => format!("!tw_is_zero_f64({x})"),
                _ if dtype.is_float() => format!("!tw_is_zero({x})"),
                _ => format!("{x} != {register}(0)"),
            };
            let (start, join) = match reduction.kind {
                ReduceKind::Any => ("false", "||"),
                _ => ("true", "&&"),
            };
            (
                vec![format!("var {} = {start};", s(""))],
                vec![format!("{0} = {0} {join} ({truth});", s(""))],
                vec![format!("select(0u, 1u, {})", s(""))],
                vec![],
            )
        }
        Scheme::Extreme | Scheme::Indexed => {
            let (v, has, at) = (s("_value"), s("_has"), s("_at"));
            let sign = match reduction.kind {
                ReduceKind::Min | ReduceKind::ArgMin | ReduceKind::First => "<",
                _ => ">",
            };
            let beats = format!(
                "({} && !{}) || (!{} && {x} {sign} {v})",
                nan(&x),
                nan(&v),
                nan(&v)
            );
            let equal = format!("{x} == {v} || ({} && {})", nan(&x), nan(&v));
            let better = match reduction.kind {
                ReduceKind::First | ReduceKind::Last => format!("place{j} {sign} {at}"),
                ReduceKind::Min | ReduceKind::Max => beats,
                _ => format!("({beats}) || (({equal}) && place{j} < {at})"),
            };
            let mut declare = vec![format!("var {v} = {register}(0);"), format!("var {has} = false;")];
            let mut assign = format!("{v} = {x}; {has} = true;");
            let mut words = vec![format!("select(0u, 1u, {has})")];
            if scheme == Scheme::Indexed {
                declare.push(format!("var {at} = 0i;"));
                assign.push_str(&format!(" {at} = place{j};"));
                words.push(format!("bitcast<u32>({at})"));
            }
            let mut wide = vec![];
            match dtype.size() {
                8 => wide.push(v.clone()),
                _ if register == "u32" => words.push(v.clone()),
                _ => words.push(format!("bitcast<u32>({v})")),
            }
            (
                declare,
                vec![format!("if (!{has} || {better}) {{ {assign} }}")],
                words,
                wide,
            )
        }
    };
    let update = lines(&update);
    let body = if reduction.skipna && dtype.is_float() && scheme != Scheme::Flag {
        format!("let {x} = {taken};\nif (!{}) {{\n{update}\n}}", nan(&x))
    } else {
        format!("let {x} = {taken};\n{update}")
    };
    let wide_type = match scheme {
        Scheme::SumLong | Scheme::ProdLong => "u64",
        Scheme::Extreme | Scheme::Indexed => dtype.info().wgsl,
        _ => "f64",
    };
    Feed {
        declare: lines(&declare),
        body,
        words,
        wide: (!wide.is_empty()).then_some((wide_type, wide)),
    }
}

/// Adds a count of the values fed, as the last 32-bit plane.
fn count(declare: &mut Vec<String>, update: &mut Vec<String>, words: &mut Vec<String>, name: &str) {
    declare.push(format!("var {name} = 0u;"));
    update.push(format!("{name} = {name} + 1u;"));
    words.push(name.to_string());
}
