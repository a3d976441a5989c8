//! Random arrays against NumPy's draws, on the CPU and on a Vulkan adapter, whole and in parts.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

use serde_json::Value;
use tilewise::expr::Expr;
use tilewise::session::{Array, ChunkSpec, Config, DeviceChoice, Session, s};
use tilewise::{DType, kernels::Element};

/// The bytes of an oracle's words: bit patterns in hexadecimal, most significant digit first.
fn bytes(words: &str) -> Vec<u8> {
    let word = |word: &str| {
        let bits = u64::from_str_radix(word, 16).unwrap();
        bits.to_le_bytes()[..word.len() / 2].to_vec()
    };
    words.split_whitespace().flat_map(word).collect()
}

fn typed<T: Element<Stored = T> + bytemuck::Pod>(bytes: &[u8]) -> Vec<T> {
    bytes
        .chunks_exact(size_of::<T>())
        .map(bytemuck::pod_read_unaligned)
        .collect()
}

/// The CPU, and an adapter if there is one; under CI there has to be.
fn sessions() -> Vec<Session> {
    let open = |device| {
        Session::new(Config {
            memory: Some(256 << 20),
            device,
            ..Config::default()
        })
    };
    let mut all = vec![open(DeviceChoice::Cpu).unwrap()];
    match open(DeviceChoice::Gpu(None)) {
        Ok(session) => all.push(session),
        Err(error) if std::env::var_os("CI").is_none() => println!("skipped, no adapter: {error}"),
        Err(error) => panic!("{error}"),
    }
    all
}

fn values<T: Element>(session: &Session, array: &Array) -> Vec<T> {
    session.compute::<T>(array).unwrap().into_raw_vec_and_offset().0
}

#[test]
fn draws_are_those_of_numpy() {
    let whole: Value = serde_json::from_str(include_str!("oracle/random.json")).unwrap();
    for session in sessions() {
        for case in whole["cases"].as_array().unwrap() {
            let key = u64::from_le_bytes(bytes(case["key"].as_str().unwrap())[..].try_into().unwrap());
            let shape = case["shape"].as_array().unwrap().iter();
            let shape: Vec<usize> = shape.map(|n| n.as_u64().unwrap() as usize).collect();
            let dtype = DType::parse(case["dtype"].as_str().unwrap()).unwrap();
            let want = bytes(case["expect"].as_str().unwrap());
            let array = Array::from_expr(Expr::random(&shape, key, dtype).unwrap());
            let same = match dtype {
                DType::F32 => values::<f32>(&session, &array) == typed::<f32>(&want),
                _ => values::<f64>(&session, &array) == typed::<f64>(&want),
            };
            assert!(same, "key {key}, {shape:?} {dtype}");
        }
    }
}

#[test]
fn parts_are_parts_of_the_whole() {
    for session in sessions() {
        let array = Array::random(&[40, 30], 11).unwrap();
        let whole = session.compute::<f64>(&array).unwrap();
        let chunked = array.rechunk(&[ChunkSpec::Size(7), ChunkSpec::Size(11)]).unwrap();
        assert_eq!(session.compute::<f64>(&chunked).unwrap(), whole);
        let part = array
            .slice(&[s(Some(33), Some(2), Some(-3)), s(Some(5), None, None)])
            .unwrap();
        let part = session.compute::<f64>(&part).unwrap();
        for ((i, j), value) in ndarray::indices((11, 25)).into_iter().zip(part.iter()) {
            assert_eq!(*value, whole[[33 - 3 * i, j + 5]]);
        }
    }
}

/// Mean, variance and excess of many normal numbers, within four standard errors, and neighbours that
/// do not go together.
#[test]
fn normal_numbers_have_the_moments_of_theirs() {
    const COUNT: usize = 1 << 18;
    let mut seen: Vec<Vec<f32>> = Vec::new();
    for session in sessions() {
        let wide = Array::standard_normal(&[COUNT], 3).unwrap();
        let narrow = Array::from_expr(Expr::standard_normal(&[COUNT], 3, DType::F32).unwrap());
        let wide = values::<f64>(&session, &wide);
        let narrow = values::<f32>(&session, &narrow);
        for x in [wide, narrow.iter().map(|&v| f64::from(v)).collect()] {
            let n = COUNT as f64;
            let mean = x.iter().sum::<f64>() / n;
            let power = |p: i32| x.iter().map(|v| (v - mean).powi(p)).sum::<f64>() / n;
            let (variance, fourth) = (power(2), power(4));
            let pairs = x.chunks_exact(2).map(|p| p[0] * p[1]).sum::<f64>() / (n / 2.0);
            let error = |variance: f64| 4.0 * (variance / n).sqrt();
            assert!(mean.abs() < error(1.0), "mean {mean}");
            assert!((variance - 1.0).abs() < error(2.0), "variance {variance}");
            assert!((fourth - 3.0).abs() < error(96.0), "fourth moment {fourth}");
            assert!(pairs.abs() < error(2.0), "neighbours {pairs}");
            assert!(x.iter().all(|v| v.is_finite()));
        }
        seen.push(narrow);
    }
    // Both devices share their polynomials.
    if let [cpu, gpu] = &seen[..] {
        let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 8.0 * f32::EPSILON * a.abs().max(1.0);
        assert!(cpu.iter().zip(gpu).all(close));
    }
}

#[test]
fn other_dtypes_are_refused_with_the_way_out() {
    let error = Expr::random(&[3], 1, DType::I32).err().unwrap().to_string();
    assert!(error.contains("int32") && error.contains("astype"), "{error}");
    assert!(Array::random(&[1 << 60], 1).is_err());
}
