//! Sorting, selecting, searching and counting against NumPy's results: arrays in memory and read
//! from chunks, whole and as values of an expression.

#![allow(clippy::unwrap_used)]

mod common;

use common::FileLike;
use serde_json::Value;
use std::collections::BTreeMap;
use tilewise::expr::order::BinSpec;
use tilewise::kernels::order::{Method, Side};
use tilewise::kernels::{Element, dispatch};
use tilewise::session::{ChunkSpec, Config, DeviceChoice, Session};
use tilewise::{Array, DType, Result, Scalar};

/// An array of the oracle.
struct Stored {
    dtype: DType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn numbers(value: &Value) -> Vec<usize> {
    let list = value.as_array().unwrap().iter();
    list.map(|n| n.as_u64().unwrap() as usize).collect()
}

fn floats(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_f64().unwrap())
        .collect()
}

fn stored(value: &Value) -> Stored {
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

fn elements<T: Element>(stored: &Stored) -> Vec<T> {
    let scalars = stored.bytes.chunks(stored.dtype.size());
    scalars
        .map(|b| Scalar::from_bytes(stored.dtype, b).get::<T>().unwrap())
        .collect()
}

/// The array in memory, cut raggedly, computed from another, and read from chunks of a file.
fn forms(name: &str, stored: &Stored) -> Vec<(&'static str, Array)> {
    let shape = &stored.shape;
    dispatch!(stored.dtype, T => {
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
fn bytes(session: &Session, arrays: &[&Array]) -> Result<Vec<Vec<u8>>> {
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
fn agree(dtype: DType, got: &[u8], want: &[u8], slack: Option<f64>) -> bool {
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
fn results(case: &Value, array: &Array, arrays: &BTreeMap<String, Stored>) -> Vec<(&'static str, Array)> {
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

fn oracle() -> (Value, BTreeMap<String, Stored>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/order.json");
    let whole: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let arrays = whole["arrays"].as_object().unwrap().iter();
    let arrays = arrays
        .map(|(name, value)| (name.clone(), stored(value)))
        .collect();
    (whole, arrays)
}

fn session() -> Session {
    Session::new(Config {
        memory: Some(64 << 20),
        threads: Some(2),
        device: DeviceChoice::Cpu,
        ..Config::default()
    })
    .unwrap()
}

/// Checks the cases of some ops; returns how many results were compared.
fn check(ops: &[&str]) -> usize {
    let (whole, arrays) = oracle();
    let session = session();
    let (mut checked, mut wrong) = (0, Vec::new());
    let cases = whole["cases"].as_array().unwrap().iter();
    for (number, case) in cases
        .filter(|c| ops.contains(&c["op"].as_str().unwrap()))
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
            let values = bytes(&session, &outs).unwrap_or_else(|e| panic!("{case}: {e}"));
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

#[test]
fn sorting_is_numpys() {
    assert!(check(&["sort", "argsort"]) > 250);
}

#[test]
fn quantiles_are_numpys() {
    assert!(check(&["quantile", "median"]) > 500);
}

#[test]
fn largest_and_smallest_are_numpys() {
    assert!(check(&["topk"]) > 400);
}

#[test]
fn searching_is_numpys() {
    assert!(check(&["searchsorted", "digitize"]) > 150);
}

#[test]
fn counting_is_numpys() {
    assert!(check(&["histogram", "bincount"]) > 250);
}

#[test]
fn distinct_elements_are_numpys() {
    let (whole, arrays) = oracle();
    let session = session();
    let mut checked = 0;
    for case in whole["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["op"] == "unique")
    {
        let name = case["array"].as_str().unwrap();
        let want = |key: &str| stored(&case["results"][key]);
        for (form, array) in forms(name, &arrays[name]) {
            let (values, counts, index, inverse) = dispatch!(arrays[name].dtype, T => {
                let unique = session.unique::<T>(&array).unwrap();
                let inverse = unique.inverse(&array).unwrap();
                let inverse = bytes(&session, &[&inverse]).unwrap().remove(0);
                let values: Vec<u8> = unique.values.iter().flat_map(|v| Scalar::new(*v).bytes()).collect();
                let long = |list: &[u64]| list.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
                (values, long(&unique.counts), long(&unique.index), inverse)
            });
            let same = |key: &str, got: &[u8]| {
                let want = want(key);
                assert_eq!(got.len(), want.bytes.len(), "{key} of {name} ({form})");
                assert!(
                    agree(want.dtype, got, &want.bytes, Some(0.0)),
                    "{key} of {name} ({form})"
                );
            };
            same("values", &values);
            same("counts", &counts);
            same("index", &index);
            same("inverse", &inverse);
            checked += 1;
        }
    }
    assert!(checked > 60);
}

#[test]
fn mistakes_are_told_with_a_way_out() {
    let session = session();
    let x = Array::from_vec(&[2, 3], vec![3.0f32, 1.0, f32::NAN, 2.0, 5.0, 4.0]).unwrap();
    let scalar = Array::scalar(1.0f64);
    let empty = Array::from_vec::<f32>(&[0, 3], vec![]).unwrap();
    let ints = Array::from_vec(&[3], vec![1i32, -1, 7]).unwrap();
    let told = |result: Result<Array>, words: &str| {
        let text = result.unwrap_err().to_string();
        assert!(text.contains(words), "{text:?} does not say {words:?}");
    };
    let linear = Method::Linear;
    told(x.sort(2), "axis 2");
    told(scalar.sort(0), "axis");
    told(x.partition(&[3], 1), "place 3");
    told(x.argpartition(&[-3], 0), "place -3");
    told(x.quantile(&[90.0], None, linear, false, false), "0 to 100");
    told(x.quantile(&[f64::NAN], None, linear, false, false), "0 to 1");
    told(x.quantile(&[0.5], Some(&[0, -2]), linear, false, false), "twice");
    told(empty.median(Some(&[0]), false, false), "no element");
    told(x.digitize(&[0.0, 2.0, 1.0], false), "rise or fall");
    told(x.digitize(&[0.0, f64::NAN], false), "rise or fall");
    told(x.searchsorted(&x, Side::Left), "one axis");
    told(x.bincount(3, None), "digitize");
    let bins = |spec| x.histogram(&spec, None).map(|(counts, _)| counts);
    told(bins(BinSpec::Count(0)), "at least one bin");
    told(bins(BinSpec::Between(3, 1.0, 0.0)), "falls");
    told(bins(BinSpec::Between(3, 0.0, f64::INFINITY)), "not finite");
    told(bins(BinSpec::Edges(vec![1.0])), "two edges");
    told(bins(BinSpec::Edges(vec![1.0, 0.5])), "rise");
    let computed = |array: &Array, words: &str| {
        let text = bytes(&session, &[array]).unwrap_err().to_string();
        assert!(text.contains(words), "{text:?} does not say {words:?}");
    };
    computed(&bins(BinSpec::Count(3)).unwrap(), "give a range");
    computed(&ints.bincount(8, None).unwrap(), "-1 is not from 0");
    computed(
        &ints
            .slice(&[tilewise::session::s(Some(2), None, None)])
            .unwrap()
            .bincount(7, None)
            .unwrap(),
        "7 is not",
    );
    assert!(
        session
            .unique::<f64>(&x)
            .unwrap_err()
            .to_string()
            .contains("float32")
    );
    // An axis without element sorts to none, and nothing is counted.
    assert!(empty.sort(0).unwrap().compute::<f32>().unwrap().is_empty());
    assert_eq!(empty.topk(4, 0).unwrap().shape(), [0, 3]);
    let (counts, _) = empty.histogram(&BinSpec::Count(2), None).unwrap();
    assert_eq!(bytes(&session, &[&counts]).unwrap()[0], [0; 16]);
}

#[test]
fn order_keeps_to_the_memory_bound() {
    let shape = [600, 40, 50];
    let value = |i: usize| ((i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32;
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    let file = || Array::from_source(FileLike::of("f", &shape, Some(&[600, 5, 25]), &values)).unwrap();
    let session = |memory| {
        Session::new(Config {
            memory: Some(memory),
            threads: Some(2),
            device: DeviceChoice::Cpu,
            ..Config::default()
        })
        .unwrap()
    };
    // 4.6 MiB through 3.
    let small = session(3 << 20);
    let p90 = file()
        .quantile(&[0.9], Some(&[0]), Method::Lower, false, false)
        .unwrap();
    let found = small.compute::<f32>(&p90).unwrap();
    let report = small.last_report().unwrap();
    assert!(report.host_peak <= report.host_proved && report.host_proved <= 3 << 20);
    for (cell, &found) in found.iter().enumerate() {
        let mut column: Vec<f32> = values.iter().skip(cell).step_by(2000).copied().collect();
        column.sort_by(f32::total_cmp);
        assert_eq!(found, column[539], "cell {cell}");
    }
    let extreme = small
        .compute::<f32>(&file().sort(0).unwrap().max(&[0, 1, 2]).unwrap())
        .unwrap();
    assert_eq!(extreme[[]], values.iter().copied().fold(0.0, f32::max));
    assert!(small.last_report().unwrap().host_peak <= 3 << 20);
    // What needs all elements at once is refused before anything runs.
    let refused = small.compute::<f32>(&file().median(None, false, false).unwrap());
    assert!(
        matches!(refused, Err(tilewise::Error::Memory { .. })),
        "{refused:?}"
    );
    // So are more distinct values than the table may hold; few are found however many elements are.
    assert!(matches!(
        small.unique::<f32>(&file()),
        Err(tilewise::Error::Memory { .. })
    ));
    let few = file().digitize(&[2e6, 4e6, 8e6], false).unwrap();
    let unique = session(16 << 20).unique::<i64>(&few).unwrap();
    assert_eq!(unique.values, [0, 1, 2, 3]);
    assert_eq!(unique.counts.iter().sum::<u64>(), 1_200_000);
    assert_eq!(
        unique.index[0],
        values.iter().position(|&v| v < 2e6).unwrap() as u64
    );
}
