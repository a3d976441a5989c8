//! Every WGSL snippet of the op table and of the casts, parsed and validated without a GPU.
//!
//! A snippet becomes a function whose parameters are registers of its dtypes and whose result has
//! the register type of its result, so a wrong type, an unknown function or a 64-bit type where
//! none is meant fails here rather than on a machine with an adapter.

use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::collections::BTreeSet;
use tilewise_kernels::{DType, Op, cast_wgsl, math};

/// The library as far as an adapter needs it: 64-bit types only where it has them.
fn library(wide: bool) -> String {
    let mut parts = vec![
        math::wgsl_constants(),
        include_str!("../shaders/prelude.wgsl").to_string(),
        include_str!("../shaders/math.wgsl").to_string(),
        include_str!("../shaders/ops.wgsl").to_string(),
        include_str!("../shaders/ops_c64.wgsl").to_string(),
    ];
    if wide {
        parts.push(include_str!("../shaders/ops_i64.wgsl").to_string());
        parts.push(include_str!("../shaders/ops_f64.wgsl").to_string());
        parts.push(include_str!("../shaders/ops_c128.wgsl").to_string());
    }
    parts.join("\n")
}

fn validate(source: &str, capabilities: Capabilities) -> Result<(), String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .map(|_| ())
        .map_err(|e| e.emit_to_string(source))
}

/// `snippet` as the body of a function over registers of `args`.
fn function(name: &str, snippet: &str, args: &[DType], result: DType) -> String {
    let mut body = snippet.to_string();
    let mut parameters = Vec::new();
    for (i, dtype) in args.iter().enumerate() {
        body = body.replace(&format!("${i}"), &format!("a{i}"));
        parameters.push(format!("a{i}: {}", dtype.info().wgsl));
    }
    assert!(
        !body.contains('$'),
        "{name}: {snippet} asks for more than {args:?}"
    );
    format!(
        "fn {name}({}) -> {} {{ return {body}; }}\n",
        parameters.join(", "),
        result.info().wgsl
    )
}

fn is_wide(dtype: &DType) -> bool {
    matches!(dtype, DType::I64 | DType::U64 | DType::F64 | DType::C128)
}

/// Every pair of dtypes.
fn pairs() -> impl Iterator<Item = (DType, DType)> {
    DType::ALL.into_iter().flat_map(|a| DType::ALL.map(|b| (a, b)))
}

/// A function for each snippet: of narrow dtypes and, if `wide`, of the others.
fn functions(wide: bool) -> String {
    let mut all = String::new();
    let mut add = |name: String, snippet: &str, args: &[DType], result: DType| {
        if wide || !args.iter().chain([&result]).any(is_wide) {
            all += &function(&name, snippet, args, result);
        }
    };
    for op in Op::all() {
        let mut seen = BTreeSet::new();
        for (a, b) in pairs() {
            let dtypes = [a, b, b];
            let Ok(signature) = op.infer(&dtypes[..op.arity]) else {
                continue;
            };
            if let Some(snippet) = (op.wgsl)(&signature.args)
                && seen.insert(signature.args.clone())
            {
                let name = format!("op_{}_{}", op.name, seen.len());
                add(name, snippet, &signature.args, signature.result);
            }
        }
    }
    for (from, to) in pairs() {
        if let Some(snippet) = cast_wgsl(from, to) {
            add(format!("cast_{from}_{to}"), &snippet, &[from], to);
        }
    }
    all
}

#[test]
fn snippets_are_valid_on_any_adapter() {
    let source = library(false) + &functions(false);
    if let Err(message) = validate(&source, Capabilities::empty()) {
        panic!("{message}");
    }
}

#[test]
fn snippets_of_64_bit_types_are_valid_where_the_adapter_has_them() {
    let source = library(true) + &functions(true);
    if let Err(message) = validate(&source, Capabilities::FLOAT64 | Capabilities::SHADER_INT64) {
        panic!("{message}");
    }
}

#[test]
fn a_snippet_of_the_wrong_type_is_caught() {
    let wrong = library(false) + &function("wrong", "$0 == $1", &[DType::I32, DType::I32], DType::I32);
    assert!(validate(&wrong, Capabilities::empty()).is_err());
    let wide = library(true);
    assert!(
        validate(&wide, Capabilities::empty()).is_err(),
        "64-bit types need an adapter that has them"
    );
}

#[test]
fn only_f64_functions_lack_a_snippet() {
    let mut missing = BTreeSet::new();
    for op in Op::all() {
        for dtype in DType::ALL {
            if let Ok(signature) = op.infer(&vec![dtype; op.arity])
                && (op.wgsl)(&signature.args).is_none()
            {
                assert!(
                    signature.args.iter().any(|d| d.part() == DType::F64),
                    "{} of {signature:?}",
                    op.name
                );
                missing.insert(op.name);
            }
        }
    }
    let exact = [
        "add", "subtract", "multiply", "divide", "sqrt", "floor", "round", "maximum", "where", "less",
        "isnan", "clip", "sign",
    ];
    for name in exact {
        assert!(!missing.contains(name), "{name} runs on a GPU in f64");
    }
    for (from, to) in pairs() {
        assert!(cast_wgsl(from, to).is_some(), "{from} to {to}");
    }
}
