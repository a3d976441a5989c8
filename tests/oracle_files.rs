//! The oracle files hold what their scripts' docstrings say they hold.
//!
//! Tests of every room read `tests/oracle/*.json`. A file that was cut, edited by hand, or made by a
//! script whose format drifted would weaken them silently, so here each word has its dtype's width,
//! each case its length, and a few answers that Rust's own arithmetic gives exactly are compared.

use std::path::Path;

use serde_json::Value;

/// The parsed file `tests/oracle/NAME`.
fn load(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no text `{key}` in {value}"))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("no list `{key}` in {value}"))
}

/// The bit patterns of an array written as words; each must be as wide as `dtype`.
fn bits(words: &str, dtype: &str) -> Vec<u64> {
    let digits = match dtype {
        "bool" | "int8" | "uint8" => 2,
        "int16" | "uint16" | "float16" => 4,
        "int32" | "uint32" | "float32" => 8,
        "int64" | "uint64" | "float64" => 16,
        other => panic!("`{other}` is no dtype of the oracle files"),
    };
    let word = |w: &str| {
        assert_eq!(w.len(), digits, "`{w}` as {dtype}");
        u64::from_str_radix(w, 16).unwrap_or_else(|e| panic!("`{w}`: {e}"))
    };
    if words.is_empty() {
        Vec::new()
    } else {
        words.split(' ').map(word).collect()
    }
}

fn product(shape: &[Value]) -> usize {
    shape
        .iter()
        .map(|n| n.as_u64().unwrap_or_else(|| panic!("{n} is no size")) as usize)
        .product()
}

#[test]
fn elementwise_cases_are_whole() {
    let file = load("elementwise.json");
    let set = |name: &str| {
        let set = &file["sets"][name];
        bits(text(set, "values"), text(set, "dtype"))
    };
    let cases = list(&file, "cases");
    assert!(cases.len() > 600, "{} cases", cases.len());
    for case in cases {
        let expect = bits(text(case, "expect"), text(case, "dtype"));
        assert!(!expect.is_empty(), "{case}");
        for arg in list(case, "args") {
            assert_eq!(
                set(arg.as_str().unwrap_or("")).len(),
                expect.len(),
                "{} of {arg}",
                text(case, "op")
            );
        }
    }
}

/// Compares the case (`op`, result `dtype`) with Rust's `own` on the bits of two inputs.
fn compare(file: &Value, op: &str, dtype: &str, own: fn(u64, u64) -> u64) {
    let found = list(file, "cases").iter().find(|c| {
        text(c, "op") == op
            && text(c, "dtype") == dtype
            && c["args"][0].as_str().is_some_and(|a| a.starts_with(dtype))
    });
    let case = found.unwrap_or_else(|| panic!("no case {op} {dtype}"));
    let args: Vec<Vec<u64>> = list(case, "args")
        .iter()
        .map(|a| &file["sets"][a.as_str().unwrap_or("")])
        .map(|set| bits(text(set, "values"), text(set, "dtype")))
        .collect();
    let last = args.len() - 1;
    for (i, expect) in bits(text(case, "expect"), dtype).into_iter().enumerate() {
        let (a, b) = (args[0][i], args[last][i]);
        let got = own(a, b);
        let both_nan = dtype == "float32" && f32_of(got).is_nan() && f32_of(expect).is_nan();
        assert!(
            got == expect || both_nan,
            "{op} {dtype} of {a:x}, {b:x}: file {expect:x}, Rust {got:x}"
        );
    }
}

fn f32_of(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

#[test]
fn answers_that_rust_gives_exactly_agree() {
    let file = load("elementwise.json");
    compare(&file, "add", "float32", |a, b| {
        (f32_of(a) + f32_of(b)).to_bits().into()
    });
    compare(&file, "divide", "float32", |a, b| {
        (f32_of(a) / f32_of(b)).to_bits().into()
    });
    compare(&file, "sqrt", "float32", |a, _| f32_of(a).sqrt().to_bits().into());
    compare(&file, "round", "float32", |a, _| {
        f32_of(a).round_ties_even().to_bits().into()
    });
    compare(&file, "add", "int32", |a, b| {
        (a as u32).wrapping_add(b as u32).into()
    });
    compare(&file, "multiply", "int64", u64::wrapping_mul);
    compare(&file, "abs", "int8", |a, _| {
        (a as u8 as i8).wrapping_abs() as u8 as u64
    });
    compare(&file, "bitwise_left_shift", "uint16", |a, b| {
        if b < 16 { u64::from((a as u16) << b) } else { 0 }
    });
}

#[test]
fn reduction_cases_are_whole() {
    let file = load("reductions.json");
    for case in list(&file, "cases") {
        let array = &file["arrays"][text(case, "array")];
        let shape = list(array, "shape");
        assert_eq!(
            bits(text(array, "values"), text(array, "dtype")).len(),
            product(shape),
            "{case}"
        );
        assert_eq!(
            list(case, "shape").len() + list(case, "axes").len(),
            shape.len(),
            "{case}"
        );
        let results = case["results"]
            .as_object()
            .unwrap_or_else(|| panic!("no results in {case}"));
        for (op, result) in results.iter().filter(|(_, r)| r.get("error").is_none()) {
            let got = bits(text(result, "values"), text(result, "dtype")).len();
            assert_eq!(got, product(list(case, "shape")), "{op} of {case}");
        }
    }
}

#[test]
fn dates_files_and_expressions_are_whole() {
    for case in list(&load("cftime.json"), "cases")
        .iter()
        .filter(|c| c.get("error").is_none())
    {
        assert_eq!(
            bits(text(case, "values"), "float64").len(),
            list(case, "dates").len(),
            "{case}"
        );
        assert!(
            list(case, "dates")
                .iter()
                .all(|d| d.as_array().is_some_and(|d| d.len() == 8)),
            "{case}"
        );
    }
    for case in list(&load("files.json"), "cases") {
        let variables = case["variables"]
            .as_object()
            .unwrap_or_else(|| panic!("no variables in {case}"));
        for (name, variable) in variables {
            assert_eq!(
                list(variable, "dims").len(),
                list(variable, "shape").len(),
                "{name}"
            );
            let samples = list(variable, "samples").len();
            assert_eq!(bits(text(variable, "values"), "float64").len(), samples, "{name}");
        }
    }
    for case in list(&load("evals.json"), "cases") {
        assert_eq!(list(case, "dims").len(), list(case, "shape").len(), "{case}");
        assert_eq!(
            bits(text(case, "values"), "float64").len(),
            list(case, "samples").len(),
            "{case}"
        );
    }
    assert_eq!(list(&load("promotion.json"), "pairs").len(), 12 * 12);
}
