//! Histograms, counts and places on the GPU: NumPy's values, and plain loops.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/gpu_session.rs"]
mod gpu_session;
#[path = "common/order.rs"]
mod order;

use gpu_session::{assert_on_gpu, cpu_session, session, session_of};
use tilewise::Array;
use tilewise::expr::order::BinSpec;
use tilewise::kernels::order::Side;
use tilewise::session::{ChunkSpec, s};

#[test]
fn searching_is_numpys() {
    let Some(session) = session() else { return };
    let look = |_: &_| assert_on_gpu(&session);
    let ops = ["searchsorted", "digitize"];
    assert!(order::check(&session, &ops, |_| true, look) > 150);
}

#[test]
fn counting_is_numpys() {
    let Some(session) = session() else { return };
    let look = |_: &_| assert_on_gpu(&session);
    let plain = |case: &serde_json::Value| case["weights"].is_null();
    let ops = ["histogram", "bincount"];
    assert!(order::check(&session, &ops, plain, look) > 100);
}

#[test]
fn weights_are_added_up_on_the_cpu() {
    let Some(session) = session() else { return };
    let weighted = |case: &serde_json::Value| !case["weights"].is_null();
    let look = |_: &_| {
        let report = session.last_report().unwrap();
        let blocks = report.stages.iter().filter(|s| s.reason == "whole blocks");
        for stage in blocks {
            assert!(stage.device.contains("whose order"), "{}", stage.device);
        }
    };
    let ops = ["histogram", "bincount"];
    assert!(order::check(&session, &ops, weighted, look) > 10);
}

/// Numbers without order, with NaN, infinities and zeros among them.
fn numbers(count: usize) -> Vec<f32> {
    let value = |i: usize| {
        let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        match mixed % 50 {
            0 => f32::NAN,
            1 => -f32::NAN,
            2 => f32::INFINITY,
            3 => -f32::INFINITY,
            4 => 0.0,
            5 => -0.0,
            _ => (mixed % 100_003) as f32 / 100.0 - 500.0,
        }
    };
    (0..count).map(value).collect()
}

#[test]
fn many_elements_and_many_bins_are_counted() {
    let Some(session) = session() else { return };
    let values = numbers(1 << 20);
    let array = Array::from_vec(&[1 << 10, 1 << 10], values.clone()).unwrap();
    let cut = array.rechunk(&[ChunkSpec::Size(700), ChunkSpec::Size(333)]);
    for (array, bins) in [(array, 10), (cut.unwrap(), 5000)] {
        let (low, high) = (-400.0, 500.03);
        let (counts, edges) = array.histogram(&BinSpec::Between(bins, low, high), None).unwrap();
        let found = session.compute::<i64>(&counts).unwrap();
        assert_on_gpu(&session);
        let edges = edges.compute::<f64>().unwrap();
        let mut want = vec![0i64; bins];
        for value in values
            .iter()
            .map(|&v| f64::from(v))
            .filter(|v| (edges[[0]]..=edges[[bins]]).contains(v))
        {
            let after = edges.iter().position(|&e| e > value).unwrap_or(bins);
            want[after.max(1).min(bins) - 1] += 1;
        }
        assert_eq!(found.as_slice().unwrap(), want);
    }
}

#[test]
fn numbers_are_counted_and_mistakes_told() {
    let Some(session) = session() else { return };
    for length in [7, 3000] {
        let values: Vec<u16> = (0..50_000u32).map(|i| (i * i % length) as u16).collect();
        let array = Array::from_vec(&[50_000], values.clone()).unwrap();
        let found = session
            .compute::<i64>(&array.bincount(length as usize, None).unwrap())
            .unwrap();
        assert_on_gpu(&session);
        for (number, &count) in found.iter().enumerate() {
            assert_eq!(
                count,
                values.iter().filter(|&&v| usize::from(v) == number).count() as i64
            );
        }
    }
    for (values, bad) in [
        (vec![0i64, 3, 1], "3 is not"),
        (vec![1, -1], "-1 is not"),
        (vec![1 << 32], "4294967296"),
    ] {
        let array = Array::from_vec(&[values.len()], values).unwrap();
        let error = session
            .compute::<i64>(&array.bincount(3, None).unwrap())
            .unwrap_err();
        assert!(error.to_string().contains(bad), "{error}");
    }
    let array = Array::from_vec(&[2], vec![1.0f32, f32::NAN]).unwrap();
    let counts = array.histogram(&BinSpec::Count(3), None).unwrap().0;
    let error = session.compute::<i64>(&counts).unwrap_err();
    assert!(error.to_string().contains("give a range"), "{error}");
}

#[test]
fn places_are_found_in_tables_of_any_length() {
    let Some(session) = session() else { return };
    let values = numbers(5000);
    let array = Array::from_vec(&[50, 100], values.clone()).unwrap();
    let number = |x: &f32| {
        if x.is_nan() {
            f64::INFINITY
        } else {
            f64::from(x.clamp(-1e30, 1e30))
        }
    };
    for len in [0, 1, 2, 3, 64, 1001] {
        let mut table = numbers(len);
        table.sort_by(|a, b| number(a).total_cmp(&(number(b) + 0.0)));
        let sorted = Array::from_vec(&[len], table.clone()).unwrap();
        for side in [Side::Left, Side::Right] {
            let found = session
                .compute::<i64>(&sorted.searchsorted(&array, side).unwrap())
                .unwrap();
            assert_on_gpu(&session);
            for (&place, value) in found.iter().zip(&values) {
                let before = |e: &&f32| match side {
                    Side::Left => number(e) < number(value),
                    Side::Right => number(e) <= number(value),
                };
                assert_eq!(
                    place,
                    table.iter().filter(before).count() as i64,
                    "{value} {side:?}"
                );
            }
        }
    }
}

#[test]
fn bins_between_edges_that_no_dtype_holds_are_exact() {
    let Some(session) = session() else { return };
    let edges = [-1e300, -0.1, 0.1, 0.1, 2.5, 6e4, 5e9, 1e300];
    let values: Vec<i32> = (-3000..3000)
        .map(|i| i * 1001)
        .chain([i32::MIN, i32::MAX])
        .collect();
    let array = Array::from_vec(&[values.len()], values.clone()).unwrap();
    for right in [false, true] {
        let found = session
            .compute::<i64>(&array.digitize(&edges, right).unwrap())
            .unwrap();
        assert_on_gpu(&session);
        for (&bin, &value) in found.iter().zip(&values) {
            let passed = |e: &&f64| {
                if right {
                    **e < f64::from(value)
                } else {
                    **e <= f64::from(value)
                }
            };
            assert_eq!(bin, edges.iter().filter(passed).count() as i64, "{value}");
        }
    }
}

#[test]
fn operands_are_read_where_they_lie() {
    let values: Vec<f32> = numbers(60_000)
        .into_iter()
        .map(|x| x.clamp(-300.0, 400.0))
        .collect();
    let values: Vec<f32> = values
        .into_iter()
        .map(|x| if x.is_nan() { 7.0 } else { x })
        .collect();
    let array = Array::from_vec(&[300, 200], values).unwrap();
    let table = array
        .slice(&[s(Some(1), Some(2), None)])
        .unwrap()
        .squeeze(Some(&[0]))
        .unwrap();
    let results = |array: &Array, table: &Array| {
        let table = table.sort(0).unwrap();
        let (counts, edges) = array.histogram(&BinSpec::Count(37), None).unwrap();
        let places = table.searchsorted(array, Side::Left).unwrap();
        let bins = array.digitize(&[-20.0, 0.5, 70.0], true).unwrap();
        let numbers = bins.bincount(4, None).unwrap();
        [counts, edges, places, bins, numbers]
    };
    let want = results(&array, &table);
    let want = order::bytes(&cpu_session(), &want.each_ref()).unwrap();
    for apart in [false, true] {
        let Some(session) = session_of(apart) else { return };
        let kept = [session.persist(&array).unwrap(), session.persist(&table).unwrap()];
        let found = results(&kept[0], &kept[1]);
        assert_eq!(order::bytes(&session, &found.each_ref()).unwrap(), want);
        assert_on_gpu(&session);
    }
}
