//! How a kernel feeds a reduction: the running numbers of one cell as WGSL.
//!
//! An invocation reduces its points in registers and leaves a [`Cell`]. Float sums run in f64 where
//! the adapter has it, else in pairs of f32 with exact errors; singles, of which f64 holds short sums
//! almost exactly, are summed a few at a time before the error of a sum is kept. Variances are sums
//! of differences from the first value that an invocation meets, so a mean far from zero costs no
//! digits: what cancels in them is at most the number of points times the result, even when the
//! first value is far from all others.

use super::cell::{Cell, better, nan};
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
    /// Count, mean and squared differences from it, in f64.
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
    /// Statements before the values of a step of the loop.
    pub open: String,
    /// Statements for one value.
    pub body: String,
    /// Statements after the values of a step.
    pub close: String,
    /// Statements after the loop.
    pub finish: String,
    /// The name of the cell that is left.
    pub cell: String,
}

/// Writes the feeding of reduction number `j` of the value in register `value`, whose index is
/// `place{j}` where it is needed.
pub(super) fn feed(scheme: Scheme, reduction: Reduction, dtype: DType, j: usize, value: &str) -> Feed {
    let (x, s) = (format!("x{j}"), format!("s{j}"));
    let cell = Cell::new(scheme, reduction, dtype);
    let taken = match dtype {
        DType::Bool => format!("select(0u, 1u, {value})"),
        _ => value.to_string(),
    };
    let real = format!("f64({x})");
    let finite = format!("{s}_odd = {s}_odd | select(1u, 0u, tw_is_finite({x}));");
    let counted = format!("{s}_count = {s}_count + 1u;");
    let mut feed = Feed {
        declare: cell.fresh(&s),
        open: String::new(),
        body: String::new(),
        close: String::new(),
        finish: String::new(),
        cell: s.clone(),
    };
    let update: Vec<String> = match scheme {
        Scheme::SumWide | Scheme::MeanWide => {
            let add = |value: &str| {
                format!(
                    "let t{j} = tw_wide_two_sum({s}_sum, {value});\n{s}_sum = t{j}.sum;\n\
                     {s}_rest = {s}_rest + t{j}.rest;"
                )
            };
            let mut update = if dtype.size() == 8 {
                vec![add(&real)]
            } else {
                feed.open = format!("var q{j} = 0.0lf;");
                feed.close = add(&format!("q{j}"));
                vec![format!("q{j} = q{j} + {real};")]
            };
            if scheme == Scheme::MeanWide {
                update.push(counted);
            }
            update
        }
        Scheme::SumPair | Scheme::MeanPair => {
            let mut update = vec![
                format!("let t{j} = tw_pair_add_f32(vec2<f32>({s}_sum, {s}_rest), {x});"),
                format!("{s}_sum = t{j}.x;\n{s}_rest = t{j}.y;"),
                finite,
            ];
            if scheme == Scheme::MeanPair {
                update.push(counted);
            }
            update
        }
        Scheme::SumCarry => {
            let (bits, borrow) = match dtype.kind() {
                Kind::Signed => (
                    format!("bitcast<u32>({x})"),
                    format!(" + select(0u, 0xffffffffu, {x} < 0i)"),
                ),
                _ => (x.clone(), String::new()),
            };
            vec![
                format!("let low{j} = {s}_low + {bits};"),
                format!("{s}_high = {s}_high + select(0u, 1u, low{j} < {s}_low){borrow};"),
                format!("{s}_low = low{j};"),
            ]
        }
        Scheme::SumLong | Scheme::ProdLong => {
            let (field, sign) = match scheme {
                Scheme::SumLong => ("sum", "+"),
                _ => ("product", "*"),
            };
            let long = match dtype.kind() {
                Kind::Signed => format!("bitcast<u64>(i64({x}))"),
                _ => format!("u64({x})"),
            };
            vec![format!("{s}_{field} = {s}_{field} {sign} {long};")]
        }
        Scheme::ProdWide => vec![format!("{s}_product = {s}_product * {real};")],
        Scheme::ShiftedWide => {
            feed.declare = format!(
                "var {s}_count = 0u;\nvar {s}_first = 0.0lf;\nvar {s}_sum = 0.0lf;\nvar {s}_squares = 0.0lf;"
            );
            feed.finish =
                format!("let m{j} = tw_wide_moments({s}_count, {s}_first, {s}_sum, {s}_squares);\n");
            feed.cell = format!("c{j}");
            let fields = |field: &str| format!("m{j}.{field}");
            feed.finish += &cell.declare(&feed.cell, "var", |field| fields(field.name));
            vec![
                format!("if ({s}_count == 0u) {{\n{s}_first = {real};\n}}"),
                format!("let d{j} = {real} - {s}_first;"),
                format!("{s}_sum = {s}_sum + d{j};"),
                format!("{s}_squares = {s}_squares + d{j} * d{j};"),
                counted,
            ]
        }
        Scheme::ShiftedPair => {
            feed.declare = format!(
                "var {s}_count = 0u;\nvar {s}_first = 0.0f;\nvar {s}_sum = vec2<f32>(0.0f, 0.0f);\n\
                 var {s}_squares = vec2<f32>(0.0f, 0.0f);\nvar {s}_odd = 0u;"
            );
            feed.finish =
                format!("let m{j} = tw_pair_moments({s}_count, {s}_first, {s}_sum, {s}_squares, {s}_odd);\n");
            feed.cell = format!("c{j}");
            let fields = |field: &str| match field {
                "mean" => format!("m{j}.mean.x"),
                "rest" => format!("m{j}.mean.y"),
                "squares" => format!("m{j}.squares.x"),
                "squares_rest" => format!("m{j}.squares.y"),
                _ => format!("m{j}.{field}"),
            };
            feed.finish += &cell.declare(&feed.cell, "var", |field| fields(field.name));
            vec![
                format!("if ({s}_count == 0u) {{\n{s}_first = {x};\n}}"),
                format!("let d{j} = tw_two_sum({x}, tw_negate({s}_first));"),
                format!("{s}_sum = tw_pair_add({s}_sum, d{j});"),
                format!("let p{j} = tw_two_prod(d{j}.x, d{j}.x);"),
                format!(
                    "{s}_squares = tw_pair_add({s}_squares, vec2<f32>(p{j}.x, p{j}.y + 2.0f * d{j}.x * d{j}.y));"
                ),
                finite,
                format!("{s}_odd = {s}_odd | select(2u, 0u, tw_is_zero(d{j}.x));"),
                counted,
            ]
        }
        Scheme::Count => vec![counted],
        Scheme::Flag => {
            let truth = match dtype {
                DType::F64 => format!("!tw_is_zero_f64({x})"),
                _ if dtype.is_float() => format!("!tw_is_zero({x})"),
                _ => format!("{x} != {}(0)", super::cell::register(dtype)),
            };
            let join = match reduction.kind {
                ReduceKind::Any => "|",
                _ => "&",
            };
            vec![format!("{s}_flag = {s}_flag {join} select(0u, 1u, {truth});")]
        }
        Scheme::Extreme | Scheme::Indexed => {
            let (place, at, value) = (format!("place{j}"), format!("{s}_at"), format!("{s}_value"));
            let better = better(reduction.kind, dtype, [&x, &place], [&value, &at]);
            let place = match scheme {
                Scheme::Indexed => format!("\n{at} = {place};"),
                _ => String::new(),
            };
            vec![format!(
                "if ({s}_has == 0u || {better}) {{\n{s}_has = 1u;\n{value} = {x};{place}\n}}"
            )]
        }
    };
    let update = update.join("\n");
    feed.body = if reduction.skipna && dtype.is_float() && scheme != Scheme::Flag {
        format!("let {x} = {taken};\nif (!{}) {{\n{update}\n}}", nan(dtype, &x))
    } else {
        format!("let {x} = {taken};\n{update}")
    };
    feed
}
