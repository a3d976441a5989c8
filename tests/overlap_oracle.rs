//! Stencils, padding and overlapping blocks against SciPy, NumPy and Dask, over one chunk and many,
//! in memory and read region by region.

#![allow(clippy::unwrap_used)]

mod common;

use common::FileLike;
use serde_json::Value;
use tilewise::session::{ChunkSpec, Config, Session};
use tilewise::{Array, Boundary, DType};
use tilewise_kernels::{Element, Literal, Scalar, dispatch_real};

fn bytes(value: &Value) -> Vec<u8> {
    let word = |word: &str| {
        let bits = u64::from_str_radix(word, 16).unwrap();
        bits.to_le_bytes()[..word.len() / 2].to_vec()
    };
    value["words"]
        .as_str()
        .unwrap()
        .split_whitespace()
        .flat_map(word)
        .collect()
}

fn numbers(value: &Value) -> Vec<usize> {
    let list = value.as_array().unwrap().iter();
    list.map(|n| n.as_u64().unwrap() as usize).collect()
}

fn dtype(value: &Value) -> DType {
    DType::parse(value["dtype"].as_str().unwrap()).unwrap()
}

fn elements<T: Element>(value: &Value) -> Vec<T> {
    let data = bytes(value);
    let stored = data
        .chunks(size_of::<T::Stored>())
        .map(bytemuck::pod_read_unaligned);
    stored.map(T::load).collect()
}

/// How arrays are given: in memory, in memory in small chunks, or read region by region.
const GIVEN: [&str; 3] = ["whole", "chunked", "file"];

fn array(value: &Value, given: &str) -> Array {
    let shape = numbers(&value["shape"]);
    dispatch_real!(dtype(value), T => {
        let values = elements::<T>(value);
        match given {
            "file" => Array::from_source(FileLike::of("file", &shape, None, &values)).unwrap(),
            _ => {
                let array = Array::from_vec(&shape, values).unwrap();
                let chunks = vec![ChunkSpec::Size(2); shape.len()];
                if given == "chunked" { array.rechunk(&chunks).unwrap() } else { array }
            }
        }
    })
}

fn boundary(value: &Value, cval: f64) -> Boundary {
    match value.as_str() {
        Some("constant") => Boundary::Constant(Literal::Float(cval)),
        Some("valid") => Boundary::None,
        Some(name) => Boundary::parse(name).unwrap(),
        None => Boundary::Constant(Literal::Int(i128::from(value.as_i64().unwrap()))),
    }
}

fn stencil(x: &Array, case: &Value) -> Array {
    let weights = &case["weights"];
    let boundary = boundary(&case["mode"], case["cval"].as_f64().unwrap());
    dispatch_real!(dtype(weights), T => {
        let weights = ndarray::ArrayD::from_shape_vec(numbers(&weights["shape"]), elements::<T>(weights)).unwrap();
        x.stencil(&weights, &[boundary]).unwrap()
    })
}

fn padded(x: &Array, case: &Value) -> Array {
    let widths: Vec<(usize, usize)> = (case["widths"].as_array().unwrap().iter())
        .map(|w| (numbers(w)[0], numbers(w)[1]))
        .collect();
    x.pad_mode(&widths, case["mode"].as_str().unwrap()).unwrap()
}

fn mapped(x: &Array, case: &Value) -> Array {
    let sizes = case["chunks"].as_array().unwrap().iter();
    let chunks: Vec<ChunkSpec> = sizes.map(|s| ChunkSpec::Sizes(numbers(s))).collect();
    let boundaries: Vec<Boundary> = (case["boundary"].as_array().unwrap().iter())
        .map(|b| boundary(b, 0.0))
        .collect();
    let x = x.rechunk(&chunks).unwrap();
    let seen = |seen: tilewise::expr::Overlap<'_, i64>, out: &mut [i64]| {
        let (values, last) = (seen.values, seen.values.len() - 1);
        for (slot, value) in out.iter_mut().zip(values) {
            *slot = value * 3 + values.len() as i64 + values[0] + 2 * values[last];
        }
        Ok(())
    };
    x.map_overlap::<i64, i64>("seen", &numbers(&case["depth"]), &boundaries, true, seen)
        .unwrap()
}

#[test]
fn neighbours_agree_with_scipy_numpy_and_dask() {
    let oracle: Value = serde_json::from_str(include_str!("oracle/overlaps.json")).unwrap();
    let session = Session::new(Config {
        threads: Some(2),
        ..Config::default()
    })
    .unwrap();
    let cases = oracle["cases"].as_array().unwrap();
    assert!(cases.len() > 100);
    for case in cases {
        for given in GIVEN {
            let x = array(&case["array"], given);
            let result = match case["call"].as_str().unwrap() {
                "correlate" => stencil(&x, case),
                "pad" => padded(&x, case),
                "map_overlap" => mapped(&x, case),
                other => panic!("no call {other}"),
            };
            let mut brief = case.clone();
            for key in ["array", "weights", "result"] {
                brief[key]["words"] = Value::Null;
            }
            let want = &case["result"];
            assert_eq!(result.shape(), numbers(&want["shape"]), "{brief}, {given}");
            assert_eq!(result.dtype(), dtype(want), "{brief}, {given}");
            let size = result.dtype().size();
            let mut out = vec![0xA5u8; result.len() * size];
            session
                .compute_into(&[&result], vec![&mut out])
                .unwrap_or_else(|e| panic!("{brief}, {given}: {e}"));
            for (at, (w, g)) in bytes(want).chunks(size).zip(out.chunks(size)).enumerate() {
                let (w, g) = (
                    Scalar::from_bytes(result.dtype(), w),
                    Scalar::from_bytes(result.dtype(), g),
                );
                let (x, y) = (w.to_f64(), g.to_f64());
                let same = w.bits() == g.bits() || x == y || x.is_nan() && y.is_nan();
                assert!(same, "{brief}, {given}: element {at} is {g:?}, not {w:?}");
            }
        }
    }
}

#[test]
fn a_closure_without_trimming_fills_its_chunk() {
    let x = Array::arange(10).unwrap().rechunk(&[ChunkSpec::Size(4)]).unwrap();
    let sums = x
        .map_overlap::<i64, f32>("sums", &[1], &[Boundary::None], false, |seen, out| {
            let first = seen.before[0];
            assert_eq!(out.len(), seen.block.shape[0]);
            for (i, slot) in out.iter_mut().enumerate() {
                let (low, high) = (
                    (first + i).saturating_sub(1),
                    (first + i + 2).min(seen.values.len()),
                );
                *slot = seen.values[low..high].iter().sum::<i64>() as f32;
            }
            Ok(())
        })
        .unwrap();
    let got = sums.compute::<f32>().unwrap();
    assert_eq!(
        got.as_slice().unwrap(),
        [1.0, 3.0, 6.0, 9.0, 12.0, 15.0, 18.0, 21.0, 24.0, 17.0]
    );
}

#[test]
fn half_floats_and_bools_have_stencils_too() {
    let half = |x: f32| tilewise::f16::from_f32(x);
    let x = Array::from_vec(&[4], [1.0, 2.0, 4.0, 8.0].map(half).to_vec()).unwrap();
    let weights = ndarray::arr1(&[half(0.5), half(1.0), half(2.0)]);
    let got = x
        .stencil(&weights, &[Boundary::Periodic])
        .unwrap()
        .compute::<tilewise::f16>()
        .unwrap();
    let got: Vec<f32> = got.iter().map(|x| x.to_f32()).collect();
    assert_eq!(got, [9.0, 10.5, 21.0, 12.0]);
    let x = Array::from_vec(&[5], vec![false, false, true, false, false]).unwrap();
    let near = x
        .stencil(&ndarray::arr1(&[true, false, true]), &[Boundary::Reflect])
        .unwrap();
    let got = near.compute::<bool>().unwrap();
    assert_eq!(got.as_slice().unwrap(), [false, true, false, true, false]);
    // Whole numbers with weights that are not: both promoted.
    let x = Array::from_vec(&[3], vec![1i32, 2, 4]).unwrap();
    let mean = x
        .stencil(&ndarray::arr1(&[0.5f64, 0.0, 0.5]), &[Boundary::Nearest])
        .unwrap();
    assert_eq!(
        mean.compute::<f64>().unwrap().as_slice().unwrap(),
        [1.5, 2.5, 3.0]
    );
}

#[test]
fn wrong_calls_say_what_is_wrong() {
    let x = Array::full(&[2, 3], 1.0f32).unwrap();
    let ones = ndarray::Array2::<f32>::ones((3, 3));
    let close = |_: tilewise::expr::Overlap<'_, f32>, _: &mut [f32]| Ok(());
    let messages = [
        (x.stencil(&ones, &[Boundary::None]), "axis 0 is shorter"),
        (
            x.stencil(&ndarray::arr1(&[1.0f32]), &[Boundary::Nearest]),
            "per axis",
        ),
        (x.stencil(&ones, &[Boundary::Nearest; 3]), "3 given"),
        (
            x.stencil(&ndarray::Array2::<f32>::ones((0, 3)), &[Boundary::Nearest]),
            "0 weights",
        ),
        (x.pad(&[(1, 1)], Boundary::Nearest), "1 pairs for 2 axes"),
        (x.pad(&[(1, 1), (usize::MAX, 1)], Boundary::Nearest), "64 bits"),
        (x.pad(&[(1, 1), (1, 1)], Boundary::None), "boundary"),
        (x.pad_mode(&[(1, 1), (1, 1)], "mean"), "there is no mode \"mean\""),
        (
            Array::full(&[0], 1.0f32)
                .unwrap()
                .pad(&[(1, 0)], Boundary::Nearest),
            "axis 0 is empty",
        ),
        (
            x.map_overlap::<f32, f32>("f", &[1], &[Boundary::None], true, close),
            "f: map_overlap of [2, 3]: 1 depths",
        ),
        (
            x.astype(DType::I8)
                .map_overlap::<f32, f32>("f", &[1, 1], &[Boundary::None], true, close),
            "takes float32, the array is int8",
        ),
        (
            x.astype(DType::I8).stencil(
                &ndarray::Array2::<i8>::ones((3, 3)),
                &[Boundary::Constant(Literal::Int(300))],
            ),
            "300 is out of bounds",
        ),
    ];
    for (result, want) in messages {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(want), "{message:?} lacks {want:?}");
    }
}
