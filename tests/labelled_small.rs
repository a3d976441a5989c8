//! Expressions on small named arrays against xarray, element by element.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::path::Path;
use tilewise::io::Attributes;
use tilewise::labelled::cftime::{Calendar, TimeUnits};
use tilewise::labelled::{Coord, DataArray, Datasets, Encoding, Index, evaluate, write_netcdf};
use tilewise::{Array, DType, Scalar, Session};

/// The arrays that the oracle was computed from; `tools/oracle/labelled.py` has the formulas.
fn inputs() -> Vec<DataArray> {
    let mut x = Vec::new();
    let mut k = Vec::new();
    let mut y = Vec::new();
    for t in 0..26 {
        for i in 0..4 {
            k.push(((13 * t + 29 * i) % 40 - 20) as i16);
            for j in 0..5 {
                let missing = (t + 2 * i + 3 * j) % 7 == 0;
                x.push(if missing {
                    f32::NAN
                } else {
                    ((7 * t + 3 * i + 5 * j) % 11 - 4) as f32
                });
                if t == 0 {
                    y.push(0.25 * f64::from(i - j));
                }
            }
        }
    }
    let days = (0..26).map(|n| 14.0 + 30.5 * f64::from(n)).collect();
    let time = Index {
        time: TimeUnits::parse("days since 2000-01-01", Calendar::Standard).unwrap(),
        ..Index::floats(days)
    };
    let mut units = Attributes::new();
    units.set("units", "days since 2000-01-01");
    units.set("calendar", "standard");
    let coords = [
        ("time", Coord::along("time", time, units)),
        (
            "lat",
            Coord::along(
                "lat",
                Index::floats(vec![60.0, 20.0, -20.0, -60.0]),
                Attributes::new(),
            ),
        ),
        (
            "lon",
            Coord::along(
                "lon",
                Index::floats((0..5).map(|j| 72.0 * f64::from(j)).collect()),
                Attributes::new(),
            ),
        ),
    ];
    let array = |name: &str, dims: &[&str], array: Array| {
        let own = coords
            .iter()
            .filter(|(n, _)| dims.contains(n))
            .map(|(n, c)| (n.to_string(), c.clone()));
        let dims = dims.iter().map(|d| d.to_string()).collect();
        DataArray::new(name, array.expr().clone(), dims, own.collect(), Attributes::new()).unwrap()
    };
    vec![
        array(
            "x",
            &["time", "lat", "lon"],
            Array::from_vec(&[26, 4, 5], x).unwrap(),
        ),
        array("k", &["time", "lat"], Array::from_vec(&[26, 4], k).unwrap()),
        array("y", &["lat", "lon"], Array::from_vec(&[4, 5], y).unwrap()),
    ]
}

/// The words of an oracle as scalars.
fn scalars(words: &Value, dtype: DType) -> Vec<Scalar> {
    let words = words.as_str().unwrap().split_whitespace();
    words
        .map(|w| Scalar::from_bytes(dtype, &u64::from_str_radix(w, 16).unwrap().to_le_bytes()))
        .collect()
}

/// All elements of an array.
fn compute(session: &Session, array: &DataArray) -> Vec<Scalar> {
    let dtype = array.dtype();
    let mut bytes = vec![0; array.expr().len() * dtype.size()];
    session.compute_into(&[&array.array()], vec![&mut bytes]).unwrap();
    bytes
        .chunks_exact(dtype.size())
        .map(|b| Scalar::from_bytes(dtype, b))
        .collect()
}

fn same(got: Scalar, want: Scalar) -> bool {
    let (a, b) = (got.to_f64(), want.to_f64());
    // Sums of about a hundred values below 20, rounded once in the result's dtype.
    let eps = match want.dtype() {
        DType::F32 => f64::from(f32::EPSILON),
        DType::F64 => f64::EPSILON,
        _ => 0.0,
    };
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 4.0 * eps * b.abs().max(20.0)
}

#[test]
fn small_arrays_give_what_xarray_gives() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.nc");
    let session = Session::global().unwrap();
    write_netcdf(&session, &file, &inputs(), &Encoding::default()).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/labelled.json");
    let oracle: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = oracle["cases"].as_array().unwrap();
    assert!(cases.len() > 80);
    let mut wrong = Vec::new();
    // Cut into ragged chunks too, which must change nothing.
    for chunks in [
        vec![],
        vec![
            ("time".to_string(), 7),
            ("lat".to_string(), 3),
            ("lon".to_string(), 2),
        ],
    ] {
        let mut datasets = Datasets::open(&[&file]).unwrap();
        datasets.chunk(chunks.clone()).unwrap();
        for case in cases {
            let text = case["expr"].as_str().unwrap();
            let results = match evaluate(text, &datasets) {
                Ok(results) => results,
                Err(error) => {
                    wrong.push(format!("{text}: {error}"));
                    continue;
                }
            };
            let result = &results[0];
            let head = serde_json::json!([result.dims(), result.shape(), result.dtype().name()]);
            let want = serde_json::json!([case["dims"], case["shape"], case["dtype"]]);
            if head != want {
                wrong.push(format!("{text}: {head}, not {want}"));
                continue;
            }
            let (got, want) = (
                compute(&session, result),
                scalars(&case["values"], result.dtype()),
            );
            let first = got.iter().zip(&want).position(|(g, w)| !same(*g, *w));
            if let (Some(at), true) = (first, got.len() == want.len()) {
                wrong.push(format!(
                    "{text} {chunks:?}: element {at} is {}, not {}",
                    got[at], want[at]
                ));
            }
            for (dim, words) in case["coords"].as_object().unwrap() {
                let index = result
                    .index(dim)
                    .unwrap_or_else(|| panic!("{text}: no labels along {dim}"));
                let labels: Vec<f64> = (0..index.len()).map(|at| index.number(at)).collect();
                let want: Vec<f64> = scalars(words, DType::F64).iter().map(|s| s.to_f64()).collect();
                if labels != want {
                    wrong.push(format!("{text}: labels of {dim} are {labels:?}, not {want:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
