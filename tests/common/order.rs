//! NumPy's results of sorting, selecting, searching and counting, and the arrays that they are of.

#![allow(clippy::unwrap_used)] // a panic is how a test fails
#![allow(dead_code)] // each test binary uses its part

use crate::common::FileLike;
use serde_json::Value;
use std::collections::BTreeMap;
use tilewise::expr::order::BinSpec;
use tilewise::kernels::order::{Method, Side};
use tilewise::kernels::{Element, dispatch_real};
use tilewise::session::{ChunkSpec, Session};
use tilewise::{Array, DType, Result, Scalar};

/// An array of the oracle.
pub struct Stored {
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

pub fn numbers(value: &Value) -> Vec<usize> {
    let list = value.as_array().unwrap().iter();
    list.map(|n| n.as_u64().unwrap() as usize).collect()
}

pub fn floats(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_f64().unwrap())
        .collect()
}

pub fn stored(value: &Value) -> Stored {
    let dtype = DType::parse(value["dtype"].as_str().unwrap()).unwrap();
    let bytes = match value["ints"].as_str() {
        Some(ints) => {
            let ints = ints.split_whitespace().map(|i| i.parse::<i64>().unwrap());
            ints.flat_map(i64::to_le_bytes).collect()
        }
        None => {
            let words = value["values"].as_str().unwrap().split_whitespace();
            let word = |w| u64::from_str_radix(w, 16).unwrap().to_le_bytes()[..dtype.size()].to_vec();
            words.flat_map(word).collect()
        }
    };
    Stored {
        dtype,
        shape: numbers(&value["shape"]),
        bytes,
    }
}

pub fn elements<T: Element>(stored: &Stored) -> Vec<T> {
    let scalars = stored.bytes.chunks(stored.dtype.size());
    scalars
        .map(|b| Scalar::from_bytes(stored.dtype, b).get::<T>().unwrap())
        .collect()
}

/// The array in memory, cut raggedly, computed from another, and read from chunks of a file.
pub fn forms(name: &str, stored: &Stored) -> Vec<(&'static str, Array)> {
    let shape = &stored.shape;
    dispatch_real!(stored.dtype, T => {
        let values = elements::<T>(stored);
        let whole = Array::from_vec::<T>(shape, values.clone()).unwrap();
        let mut forms = vec![("memory", whole.clone())];
        if !shape.is_empty() {
            let cuts: Vec<ChunkSpec> = (0..shape.len()).map(|a| ChunkSpec::Size(2 + a)).collect();
            forms.push(("chunks", whole.rechunk(&cuts).unwrap()));
            let back = whole.flip(&[0]).unwrap().flip(&[-1]).unwrap();
            let back = Array::from_expr(back.expr().cast(T::DTYPE)).flip(&[-1]).unwrap().flip(&[0]).unwrap();
            forms.push(("views", back));
            let cut: Vec<usize> = shape.iter().map(|&n| n.div_ceil(2).max(1)).collect();
            let file = FileLike::of::<T>(name, shape, Some(&cut), &values);
            forms.push(("file", Array::from_source(file).unwrap()));
        }
        forms
    })
}

/// The results of arrays as bytes, computed in one run.
pub fn bytes(session: &Session, arrays: &[&Array]) -> Result<Vec<Vec<u8>>> {
    let mut out: Vec<Vec<u64>> = arrays
        .iter()
        .map(|a| vec![0u64; (a.len() * a.dtype().size()).div_ceil(8)])
        .collect();
    let slices = out
        .iter_mut()
        .zip(arrays)
        .map(|(o, a)| &mut bytemuck::cast_slice_mut::<u64, u8>(o)[..a.len() * a.dtype().size()])
        .collect();
    session.compute_into(arrays, slices)?;
    let cut = |(o, a): (Vec<u64>, &&Array)| {
        bytemuck::cast_slice::<u64, u8>(&o)[..a.len() * a.dtype().size()].to_vec()
    };
    Ok(out.into_iter().zip(arrays).map(cut).collect())
}

/// Whether elements agree: bits, or any NaN for a NaN; unless `slack` is none, either zero for a
/// zero, and a relative difference.
pub fn agree(dtype: DType, got: &[u8], want: &[u8], slack: Option<f64>) -> bool {
    got.chunks(dtype.size())
        .zip(want.chunks(dtype.size()))
        .all(|(g, w)| {
            let (g, w) = (Scalar::from_bytes(dtype, g), Scalar::from_bytes(dtype, w));
            let (a, b) = (g.to_f64(), w.to_f64());
            let near = slack.is_some_and(|s| a == b || (a - b).abs() <= s * b.abs().max(1.0));
            g.bits() == w.bits() || (dtype.is_float() && (near || (a.is_nan() && b.is_nan())))
        })
}

/// What a case asks for: results by the key that the oracle has them under.
pub fn results(case: &Value, array: &Array, arrays: &BTreeMap<String, Stored>) -> Vec<(&'static str, Array)> {
    let axis = || case["axis"].as_i64().unwrap() as isize;
    let axes: Option<Vec<isize>> = case["axes"]
        .as_array()
        .map(|list| list.iter().map(|a| a.as_i64().unwrap() as isize).collect());
    let skipna = case["skipna"] == true;
    let other = |key: &str| {
        let name = case[key].as_str()?;
        let form = forms(name, &arrays[name]).pop()?;
        Some(form.1)
    };
    match case["op"].as_str().unwrap() {
        "sort" => vec![("values", array.sort(axis()).unwrap())],
        "argsort" => vec![("values", array.argsort(axis()).unwrap())],
        "quantile" => {
            let method = Method::parse(case["method"].as_str().unwrap()).unwrap();
            let out = array.quantile(&floats(&case["q"]), axes.as_deref(), method, skipna, false);
            vec![("values", out.unwrap())]
        }
        "median" => vec![("values", array.median(axes.as_deref(), skipna, false).unwrap())],
        "topk" => {
            let k = case["k"].as_i64().unwrap() as isize;
            vec![
                ("values", array.topk(k, axis()).unwrap()),
                ("indices", array.argtopk(k, axis()).unwrap()),
            ]
        }
        "searchsorted" => {
            let side = if case["side"] == "left" {
                Side::Left
            } else {
                Side::Right
            };
            vec![(
                "values",
                array.searchsorted(&other("values").unwrap(), side).unwrap(),
            )]
        }
        "digitize" => {
            let out = array.digitize(&floats(&case["edges"]), case["right"] == true);
            vec![("values", out.unwrap())]
        }
        "histogram" => {
            let bins = match (&case["edges"], case["bins"].as_u64(), &case["range"]) {
                (Value::Array(_), ..) => BinSpec::Edges(floats(&case["edges"])),
                (_, Some(count), Value::Null) => BinSpec::Count(count as usize),
                (_, Some(count), range) => {
                    let range = floats(range);
                    BinSpec::Between(count as usize, range[0], range[1])
                }
                _ => panic!("{case}"),
            };
            let weights = other("weights");
            let (counts, edges) = array.histogram(&bins, weights.as_ref()).unwrap();
            if weights.is_some() {
                return vec![("sums", counts)];
            }
            let density = Array::density(&counts, &edges).unwrap();
            vec![("counts", counts), ("edges", edges), ("density", density)]
        }
        "bincount" => {
            let weights = other("weights");
            let key = if weights.is_some() { "sums" } else { "counts" };
            let length = numbers(&case["results"][key]["shape"])[0];
            vec![(key, array.bincount(length, weights.as_ref()).unwrap())]
        }
        _ => Vec::new(),
    }
}

pub fn oracle() -> (Value, BTreeMap<String, Stored>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/order.json");
    let whole: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let arrays = whole["arrays"].as_object().unwrap().iter();
    let arrays = arrays
        .map(|(name, value)| (name.clone(), stored(value)))
        .collect();
    (whole, arrays)
}

/// Checks the cases of some ops that are `asked` for; returns how many results were compared. After
/// each run `look` sees its case.
pub fn check(
    session: &Session,
    ops: &[&str],
    asked: impl Fn(&Value) -> bool,
    look: impl Fn(&Value),
) -> usize {
    let (whole, arrays) = oracle();
    let (mut checked, mut wrong) = (0, Vec::new());
    let cases = whole["cases"].as_array().unwrap().iter();
    for (number, case) in cases
        .filter(|c| ops.contains(&c["op"].as_str().unwrap()) && asked(c))
        .enumerate()
    {
        let name = case["array"].as_str().unwrap();
        let forms = forms(name, &arrays[name]);
        // Every form of the first cases, then one form after another.
        let some: Vec<_> = match number < 40 {
            true => forms,
            false => forms.into_iter().cycle().skip(number).take(1).collect(),
        };
        for (form, array) in some {
            let found = results(case, &array, &arrays);
            let outs: Vec<&Array> = found.iter().map(|(_, a)| a).collect();
            let values = bytes(session, &outs).unwrap_or_else(|e| panic!("{case}: {e}"));
            look(case);
            for ((key, array), got) in found.iter().zip(values) {
                let Some(want) = case["results"].get(key) else {
                    continue;
                };
                let want = stored(want);
                assert_eq!(array.dtype(), want.dtype, "{key} of {case}");
                assert_eq!(array.shape(), want.shape, "{key} of {case}");
                // Sums of weights are added in another order, and equal zeros are chosen in any.
                let slack = match (*key, case["op"].as_str()) {
                    ("sums" | "density", _) => Some(1e-14),
                    (_, Some("sort" | "argsort")) => None,
                    _ => Some(0.0),
                };
                checked += 1;
                if !agree(want.dtype, &got, &want.bytes, slack) {
                    let mut shown = case.clone();
                    shown["results"] = Value::Null;
                    let print = |b: &[u8]| {
                        let all = b
                            .chunks(want.dtype.size())
                            .map(|b| Scalar::from_bytes(want.dtype, b).to_string());
                        all.collect::<Vec<_>>().join(" ")
                    };
                    wrong.push(format!(
                        "{key} of {form} {shown}:\n  {}\n  {}",
                        print(&got),
                        print(&want.bytes)
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {checked} wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(8)].join("\n")
    );
    checked
}
