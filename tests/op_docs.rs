//! The documentation of the op table, rendered from it and compared with `docs/ops.md`.
//!
//! The page is never written by hand, so it cannot say what the table does not. Every example on
//! it is evaluated too. `TILEWISE_BLESS=1 cargo test --test op_docs` writes the page.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::fmt::Write;
use std::path::Path;
use tilewise::expr::Expr;
use tilewise::io::Attributes;
use tilewise::labelled::{DataArray, Datasets, Encoding, evaluate, function_names, write_netcdf};
use tilewise::{Array, DType, Op, ReduceKind, Reduction, Scalar, Session};

const HEAD: &str = "\
# Operations

Rendered from the op table by `tests/op_docs.rs`; do not edit it. `TILEWISE_BLESS=1 cargo test
--test op_docs` writes it anew.

An error is the largest distance from the exact result, in units in the last place of the result
(ULP); 0 means that it is the right one to the last bit. `f16` and `bf16` are computed in `f32`
and rounded. On the CPU the errors are those of `f32` and of `f64`. Those of complex numbers are a few
units in the last place of their length; a part that is much smaller may have none right.

A GPU may take numbers below the normal range (1.2e-38 in `f32`, 2.2e-308 in `f64`) for zero, as operands,
as results and on the way; `tilewise devices` says of each adapter whether it does. The CPU keeps them.

## Elementwise

| name | other names | example | meaning | ULP `f32` | ULP `f64` | ULP GPU |
| --- | --- | --- | --- | --- | --- | --- |
";

const MATRIX: &str = "
## Dtypes and devices

The dtype that arguments of a dtype are computed in. An asterisk: on the CPU only. 64-bit types
run on adapters that have them (SHADER_INT64, SHADER_F64), else on the CPU. A dash: not accepted,
the error says what is.

";

const REDUCTIONS: &str = "
## Reductions

The dtype of the result for elements of a dtype. Over any set of axes or within groups along one,
with `keepdims`, and with `skipna` (or `nan` before the name). Float sums, means and variances
accumulate in f64 or, on a GPU, in exact pairs of f32.

";

/// A row of a Markdown table.
fn row(out: &mut String, cells: &[String]) {
    let escaped: Vec<String> = cells.iter().map(|c| c.replace('|', "\\|")).collect();
    let _ = writeln!(out, "| {} |", escaped.join(" | "));
}

/// A table head with a column per dtype.
fn dtype_head(out: &mut String) {
    let names = DType::ALL.map(|d| d.info().short.to_string());
    row(out, &[vec!["name".to_string()], names.to_vec()].concat());
    row(out, &vec!["---".to_string(); DType::ALL.len() + 1]);
}

fn zeros(dtype: DType) -> Expr {
    Expr::full(&[2], Scalar::from_bytes(dtype, &[0; 16])).unwrap()
}

/// Whether an op that the table lacks for complex numbers is an expression of their parts.
fn is_function(op: Op, dtype: DType) -> bool {
    dtype.is_complex() && Expr::op(op, &vec![zeros(dtype); op.arity]).is_ok()
}

fn render() -> String {
    let mut page = HEAD.to_string();
    for op in Op::all() {
        let (name, example) = (format!("`{}`", op.name), format!("`{}`", op.example));
        let ulp = [op.ulp.f32, op.ulp.f64, op.ulp.gpu].map(|u| u.to_string());
        let text = [name, op.aliases.join(", "), example, op.doc.replace('*', "\\*")];
        row(&mut page, &[text.to_vec(), ulp.to_vec()].concat());
    }
    page += MATRIX;
    dtype_head(&mut page);
    for op in Op::all() {
        let mut cells = vec![format!("`{}`", op.name)];
        for dtype in DType::ALL {
            cells.push(match op.infer(&vec![dtype; op.arity]) {
                Err(_) if is_function(op, dtype) => dtype.info().short.into(),
                Err(_) => "–".into(),
                Ok(signature) => {
                    let device = if (op.wgsl)(&signature.args).is_some() {
                        ""
                    } else {
                        "\\*"
                    };
                    let computed = signature.args.last().unwrap();
                    format!("{}{device}", computed.info().short)
                }
            });
        }
        row(&mut page, &cells);
    }
    page += REDUCTIONS;
    dtype_head(&mut page);
    for (kind, name) in ReduceKind::ALL {
        let result = |dtype| match zeros(dtype).reduce(Reduction::new(kind), None, false) {
            Ok(made) => made.dtype.info().short.to_string(),
            Err(_) => "–".into(),
        };
        row(
            &mut page,
            &[vec![format!("`{name}`")], DType::ALL.map(result).to_vec()].concat(),
        );
    }
    page
}

#[test]
fn the_page_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ops.md");
    let page = render();
    if std::env::var_os("TILEWISE_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        page == committed,
        "docs/ops.md is not what the op table gives; TILEWISE_BLESS=1 writes it"
    );
}

/// A file with the variables that examples name, in one dtype.
fn variables(session: &Session, folder: &Path, dtype: DType) -> Datasets {
    let arrays: Vec<DataArray> = ["x", "y", "u", "v", "lat", "lon"]
        .iter()
        .enumerate()
        .map(|(shift, name)| {
            let values: Vec<f64> = (0..12).map(|i| f64::from((i + shift as i32) % 5) - 1.0).collect();
            let array = Array::from_vec(&[3, 4], values).unwrap().astype(dtype);
            let dims = ["row", "column"].map(String::from).to_vec();
            DataArray::new(*name, array.expr().clone(), dims, vec![], Attributes::new()).unwrap()
        })
        .collect();
    let path = folder.join(format!("{dtype}.nc"));
    write_netcdf(session, &path, &arrays, &Encoding::default()).unwrap();
    Datasets::open(&[path]).unwrap()
}

#[test]
fn every_example_is_of_its_op_and_evaluates() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::global().unwrap();
    let floats = variables(&session, folder.path(), DType::F64);
    let integers = variables(&session, folder.path(), DType::I32);
    for op in Op::all() {
        let accepts_floats = op.infer(&vec![DType::F64; op.arity]).is_ok();
        let files = if accepts_floats { &floats } else { &integers };
        let results = evaluate(op.example, files).unwrap_or_else(|e| panic!("{}: {e}", op.name));
        let expr = results[0].expr();
        assert!(
            format!("{expr:?}").contains(&format!("{}(", op.name)),
            "{}: {} is {expr:?}",
            op.name,
            op.example
        );
        let mut bytes = vec![0; expr.len() * expr.dtype.size()];
        session
            .compute_into(&[&results[0].array()], vec![&mut bytes])
            .unwrap_or_else(|e| panic!("{}: {}: {e}", op.name, op.example));
    }
}

#[test]
fn names_and_aliases_are_functions_of_the_language() {
    let listed = function_names();
    let mut seen = std::collections::BTreeSet::new();
    for op in Op::all() {
        assert!(listed.contains(&op.name), "{}", op.name);
        for name in op.aliases.iter().chain([&op.name]) {
            assert!(seen.insert(*name), "{name} stands twice in the table");
            assert_eq!(Op::find(name), Some(op));
        }
    }
}
