//! Whole expressions on real files against values of xarray.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use tilewise::labelled::{DataArray, Dataset, Datasets, evaluate};
use tilewise::{DType, Session};

/// The folder of real files, where this machine has it.
fn data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}

fn oracle(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(name);
    let whole: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    whole["cases"].as_array().unwrap().clone()
}

fn words(value: &Value) -> Vec<f64> {
    let words = value.as_str().unwrap().split_whitespace();
    words
        .map(|w| f64::from_bits(u64::from_str_radix(w, 16).unwrap()))
        .collect()
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap().to_string())
        .collect()
}

fn sizes(value: &Value) -> Vec<usize> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_u64().unwrap() as usize)
        .collect()
}

/// All values as f64.
fn compute(session: &Session, array: &DataArray) -> ndarray::ArrayD<f64> {
    session.compute::<f64>(&array.astype(DType::F64).array()).unwrap()
}

/// Largest magnitude that is finite.
fn largest(values: &ndarray::ArrayD<f64>) -> f64 {
    values
        .iter()
        .filter(|x| x.is_finite())
        .fold(0.0, |m, x| x.abs().max(m))
}

/// What xarray says of a result: number, extremes, mean and samples, within `tolerance`.
fn check(what: &str, case: &Value, got: &ndarray::ArrayD<f64>, tolerance: f64) {
    let there: Vec<f64> = got.iter().copied().filter(|x| !x.is_nan()).collect();
    assert_eq!(
        there.len() as u64,
        case["count"].as_u64().unwrap(),
        "{what}: count"
    );
    let near = |name: &str, got: f64, want: f64| {
        let same = (got - want).abs() <= tolerance || got == want || (got.is_nan() && want.is_nan());
        assert!(same, "{what}: {name} is {got}, not {want} within {tolerance}");
    };
    if !there.is_empty() {
        near(
            "min",
            there.iter().copied().fold(f64::INFINITY, f64::min),
            words(&case["min"])[0],
        );
        near(
            "max",
            there.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            words(&case["max"])[0],
        );
        let mean = there.iter().sum::<f64>() / there.len() as f64;
        near("mean", mean, words(&case["mean"])[0]);
    }
    for (at, want) in case["samples"]
        .as_array()
        .unwrap()
        .iter()
        .zip(words(&case["values"]))
    {
        near(&format!("value at {at}"), got[sizes(at).as_slice()], want);
    }
}

#[test]
fn expressions_give_what_xarray_gives() {
    let Some(folder) = data() else { return };
    let session = Session::global().unwrap();
    let cases = oracle("evals.json");
    assert!(cases.len() > 30);
    for case in &cases {
        let (file, text) = (case["file"].as_str().unwrap(), case["expr"].as_str().unwrap());
        let what = format!("{text} on {file}");
        let datasets = Datasets::open(&[folder.join(file)]).unwrap();
        let results = evaluate(text, &datasets).unwrap_or_else(|e| panic!("{what}: {e}"));
        let [result] = results.as_slice() else {
            panic!("{what}: {} results", results.len())
        };
        assert_eq!(result.dims(), texts(&case["dims"]), "{what}");
        assert_eq!(result.shape(), sizes(&case["shape"]), "{what}");
        assert_eq!(result.dtype().name(), case["dtype"].as_str().unwrap(), "{what}");
        let got = compute(&session, result);
        // float32 rounds at the size of what is subtracted, the oracle at that of float64.
        let mut scale = largest(&got);
        if text.contains(" - ") {
            for name in text.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
                if let Ok(input) = datasets.get(name) {
                    scale = scale.max(largest(&compute(&session, &input)));
                }
            }
        }
        check(&what, case, &got, 1e-6 * scale);
    }
}

#[test]
fn variables_are_decoded_as_xarray_does() {
    let Some(folder) = data() else { return };
    let session = Session::global().unwrap();
    let mut checked = 0;
    for case in oracle("files.json") {
        let file = case["file"].as_str().unwrap();
        let Ok(dataset) = Dataset::open(folder.join(file)) else {
            assert_eq!(case["format"], "NETCDF3_CLASSIC", "{file} does not open");
            continue;
        };
        for (name, want) in case["variables"].as_object().unwrap() {
            let what = format!("{file}:{name}");
            let array = dataset.get(name).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(array.dims(), texts(&want["dims"]), "{what}");
            let time = want.get("time").is_some_and(|t| !t.is_null());
            if !time {
                assert_eq!(array.dtype().name(), want["decoded"].as_str().unwrap(), "{what}");
            }
            let got = compute(&session, &array);
            // Values that only the type's default marks as missing are missing here too.
            let unmarked = want["default_fill"].as_u64().unwrap_or(0);
            if unmarked > 0 && array.dtype().is_float() {
                let missing = got.iter().filter(|x| x.is_nan()).count() as u64;
                assert!(
                    missing >= unmarked,
                    "{what}: {missing} missing, {unmarked} are the default fill"
                );
                continue;
            }
            check(&what, want, &got, 1e-6 * largest(&got));
            checked += 1;
        }
    }
    assert!(checked > 50, "only {checked} variables checked");
}
