//! Sorting, selecting, searching and counting against NumPy's results: arrays in memory and read
//! from chunks, whole and as values of an expression.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/order.rs"]
mod order;

use common::FileLike;
use order::{agree, bytes, forms, oracle, stored};
use tilewise::expr::order::BinSpec;
use tilewise::kernels::dispatch_real;
use tilewise::kernels::order::{Method, Side};
use tilewise::session::{Config, DeviceChoice, Session};
use tilewise::{Array, Result, Scalar};

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
    order::check(&session(), ops, |_| true, |_| {})
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
            let (values, counts, index, inverse) = dispatch_real!(arrays[name].dtype, T => {
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
