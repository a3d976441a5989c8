//! Products of matrices and tensors against NumPy's, over one chunk and many, in memory and read
//! region by region.

#![allow(clippy::unwrap_used)]

mod common;

use common::FileLike;
use serde_json::Value;
use std::cell::Cell;
use tilewise::session::{ChunkSpec, Config, DeviceChoice, Session};
use tilewise::store::MemorySource;
use tilewise::{Array, DType};
use tilewise_kernels::{Scalar, dispatch_real};

fn bytes(words: &str) -> Vec<u8> {
    let word = |word: &str| {
        let bits = u64::from_str_radix(word, 16).unwrap();
        bits.to_le_bytes()[..word.len() / 2].to_vec()
    };
    words.split_whitespace().flat_map(word).collect()
}

fn numbers(value: &Value) -> Vec<isize> {
    let list = value.as_array().unwrap().iter();
    list.map(|n| n.as_i64().unwrap() as isize).collect()
}

fn shape(value: &Value) -> Vec<usize> {
    numbers(&value["shape"]).into_iter().map(|n| n as usize).collect()
}

fn dtype(value: &Value) -> DType {
    DType::parse(value["dtype"].as_str().unwrap()).unwrap()
}

/// How operands are given.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Given {
    /// In memory.
    Whole,
    /// In memory, in chunks of 2.
    Chunked,
    /// Read region by region.
    File,
    /// Computed: `x + 0` of a transposed copy.
    Computed,
}

fn operand(value: &Value, given: Given, number: usize) -> Array {
    let (shape, data) = (shape(value), bytes(value["words"].as_str().unwrap()));
    dispatch_real!(dtype(value), T => {
        type S = <T as tilewise_kernels::Element>::Stored;
        let stored: Vec<S> = data.chunks(size_of::<S>()).map(bytemuck::pod_read_unaligned).collect();
        match given {
            Given::Whole | Given::Chunked => {
                let source = MemorySource::from_vec::<T>(&shape, stored).unwrap();
                let array = Array::from_source(std::sync::Arc::new(source)).unwrap();
                let chunks = vec![ChunkSpec::Size(2); shape.len()];
                if given == Given::Chunked { array.rechunk(&chunks).unwrap() } else { array }
            }
            Given::File => {
                let values: Vec<T> = stored.into_iter().map(<T as tilewise_kernels::Element>::load).collect();
                Array::from_source(FileLike::of(&format!("file{number}"), &shape, None, &values)).unwrap()
            }
            Given::Computed => {
                let source = MemorySource::from_vec::<T>(&shape, stored).unwrap();
                let array = Array::from_source(std::sync::Arc::new(source)).unwrap();
                // In the same dtype, elementwise, and no plain load.
                array.apply("maximum", &[&array]).unwrap().transpose().unwrap().transpose().unwrap()
            }
        }
    })
}

fn result(case: &Value, given: Given) -> Array {
    let operands: Vec<Array> = (case["operands"].as_array().unwrap().iter().enumerate())
        .map(|(number, value)| operand(value, given, number))
        .collect();
    match case["call"].as_str().unwrap() {
        "matmul" => operands[0].matmul(&operands[1]),
        "outer" => operands[0].outer(&operands[1]),
        "vecdot" => operands[0].vecdot(&operands[1], case["axis"].as_i64().unwrap_or(-1) as isize),
        "tensordot" => {
            let [a, b] = [0, 1].map(|n| numbers(&case["axes"][n]));
            operands[0].tensordot(&operands[1], [&a, &b])
        }
        "einsum" => {
            let operands: Vec<&Array> = operands.iter().collect();
            Array::einsum(case["subscripts"].as_str().unwrap(), &operands)
        }
        other => panic!("no call {other}"),
    }
    .unwrap()
}

/// Checks elements: equal, or within the bound of sums in any order.
fn check(dtype: DType, exact: bool, want: &[u8], got: &[u8], what: &str) {
    assert_eq!(want.len(), got.len(), "{what}");
    let size = dtype.size();
    for (at, (w, g)) in want.chunks(size).zip(got.chunks(size)).enumerate() {
        let (w, g) = (Scalar::from_bytes(dtype, w), Scalar::from_bytes(dtype, g));
        let epsilon = if dtype == DType::F32 {
            2f64.powi(-24)
        } else {
            2f64.powi(-53)
        };
        let (x, y) = (w.to_f64(), g.to_f64());
        let close = match dtype.is_float() {
            true if x.is_nan() => y.is_nan(),
            true if exact || !x.is_finite() => x == y,
            // 70 products of normal numbers: each below 16, each sum rounded once.
            true => (x - y).abs() <= 2.0 * 70.0 * 70.0 * 16.0 * epsilon,
            false => w.bits() == g.bits(),
        };
        assert!(close, "{what}: element {at} is {g:?}, not {w:?}");
    }
}

#[test]
fn products_agree_with_numpy() {
    let config = Config {
        threads: Some(2),
        device: DeviceChoice::Cpu,
        ..Config::default()
    };
    agree(&Session::new(config).unwrap(), |_| {});
}

#[test]
fn products_agree_with_numpy_on_a_gpu() {
    let config = Config {
        threads: Some(2),
        device: DeviceChoice::Gpu(None),
        ..Config::default()
    };
    let session = match Session::new(config) {
        Ok(session) => session,
        Err(error) if std::env::var_os("CI").is_none() => {
            println!("skipped, no adapter: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let (there, elsewhere) = (Cell::new(0), Cell::new(0));
    agree(&session, |session| {
        let report = session.last_report().unwrap();
        for stage in report.stages {
            assert_eq!(stage.fallbacks, 0, "{stage:?}");
            let count = if stage.device.starts_with("gpu:") {
                &there
            } else {
                &elsewhere
            };
            count.set(count.get() + 1);
        }
    });
    // An adapter without 64-bit numbers leaves those to the CPU.
    assert!(
        there.get() > 2 * elsewhere.get(),
        "{there:?} stages on the GPU, {elsewhere:?} elsewhere"
    );
}

/// Checks every case in every way of giving operands; `seen` looks at the session after each.
fn agree(session: &Session, seen: impl Fn(&Session)) {
    let text = include_str!("oracle/contractions.json");
    let oracle: Value = serde_json::from_str(text).unwrap();
    let cases = oracle["cases"].as_array().unwrap();
    assert!(cases.len() > 150);
    for case in cases {
        for given in [Given::Whole, Given::Chunked, Given::File, Given::Computed] {
            let array = result(case, given);
            let want = &case["result"];
            let subscripts = &case["subscripts"];
            let shapes: Vec<_> = case["operands"].as_array().unwrap().iter().map(shape).collect();
            let what = format!(
                "{} {subscripts} of {} {shapes:?}, {given:?}",
                case["call"], case["operands"][0]["dtype"]
            );
            assert_eq!(array.shape(), shape(want), "{what}");
            assert_eq!(array.dtype(), dtype(want), "{what}");
            let mut out = vec![0xA5u8; array.len() * array.dtype().size()];
            session
                .compute_into(&[&array], vec![&mut out])
                .unwrap_or_else(|e| panic!("{what}: {e}"));
            seen(session);
            let words = bytes(want["words"].as_str().unwrap());
            check(dtype(want), case["exact"].as_bool().unwrap(), &words, &out, &what);
        }
    }
}

#[test]
fn wrong_products_say_what_is_wrong() {
    let array = |shape: &[usize]| Array::full(shape, 1.0f32).unwrap();
    let (a, b) = (array(&[2, 3]), array(&[4, 5]));
    let messages = [
        (a.matmul(&b), "matmul of [2, 3] and [4, 5]: 3 columns meet 4 rows"),
        (a.matmul(&array(&[])), "scalar"),
        (array(&[2, 1, 3]).matmul(&array(&[3, 3, 1])), "broadcast"),
        (a.tensordot(&b, [&[0], &[0]]), "extents 2 and 4 differ"),
        (a.tensordot(&a, [&[0, 0], &[0, 0]]), "twice"),
        (a.tensordot(&b, [&[5], &[0]]), "axis 5"),
        (a.tensordot(&b, [&[0, 1], &[0]]), "not as many axes"),
        (a.vecdot(&b, -1), "extents 3 and 5 differ"),
        (a.vecdot(&b, 0), "counts from the end"),
        (
            Array::einsum("ij,jk->ik", &[&a, &b]),
            "einsum \"ij,jk->ik\": j has extents 3 and 4",
        ),
        (Array::einsum("ij->k", &[&a]), "k of the result is in no operand"),
        (Array::einsum("ij->ii", &[&a]), "i comes twice in the result"),
        (Array::einsum("ii->i", &[&a]), "i has extents 2 and 3"),
        (Array::einsum("ijk->i", &[&a]), "has 2 axes, its subscript 3"),
        (Array::einsum("i%->i", &[&a]), "'%' is no letter"),
        (Array::einsum("ij,jk->ik", &[&a]), "2 subscripts for 1 arrays"),
        (Array::einsum("...i->i", &[&a]), "lacks \"...\""),
    ];
    for (result, want) in messages {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(want), "{message:?} lacks {want:?}");
    }
}

#[test]
fn factors_larger_than_memory_are_read_in_blocks() {
    let (m, k, n) = (400, 3000, 500);
    let value = |i: usize| (i.wrapping_mul(2_654_435_761) >> 9 & 7) as f32 - 3.0;
    let a: Vec<f32> = (0..m * k).map(value).collect();
    let b: Vec<f32> = (0..n * k).map(|i| value(i + 11)).collect();
    let file = |name: &str, shape: &[usize], values: &[f32]| {
        Array::from_source(FileLike::of(name, shape, Some(&[100, 500]), values)).unwrap()
    };
    // Both together are 10.8 MB.
    let session = Session::new(Config {
        memory: Some(9 << 20),
        threads: Some(2),
        ..Config::default()
    })
    .unwrap();
    let right = file("b", &[n, k], &b).transpose().unwrap();
    let product = file("a", &[m, k], &a).matmul(&right).unwrap();
    let got = session.compute::<f32>(&product).unwrap();
    for (i, j) in [(0, 0), (399, 499), (17, 230), (250, 1)] {
        let want: f32 = (0..k).map(|p| a[i * k + p] * b[j * k + p]).sum();
        assert_eq!(got[[i, j]], want, "row {i}, column {j}");
    }
    let report = session.last_report().unwrap();
    assert!(report.host_peak <= report.host_proved && report.host_proved <= 9 << 20);
    assert_eq!(report.stages.len(), 1, "no factor is kept or transposed");
}
