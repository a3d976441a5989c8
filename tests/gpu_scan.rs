//! Scans on the GPU against NumPy's and the CPU's, in f64 and in pairs of f32, in one block and in
//! many that go from device to device.

#![allow(clippy::unwrap_used)]

#[path = "common/block_runs.rs"]
mod block_runs;
#[path = "common/compare.rs"]
mod compare;
#[path = "common/gpu.rs"]
mod gpu;

use block_runs::{Place, compute};
use serde_json::Value;
use tilewise::device::gpu::{Gpu, Options};
use tilewise::device::{Device, Keeper};
use tilewise::expr::{Expr, NodeKind};
use tilewise::kernels::scan::{Scan, ScanKind};
use tilewise::kernels::{Element, dispatch_real};
use tilewise::session::{ChunkSpec, Config, DeviceChoice, Session};
use tilewise::{Array, DType, Error, Scalar};

/// A way of dealing blocks out.
type Way = (&'static str, fn(usize) -> Place);

const WAYS: [Way; 3] = [
    ("on the gpu", |_| Place::Gpu),
    ("in gpu memory", |_| Place::Kept),
    ("in turns", |n| [Place::Cpu, Place::Gpu, Place::Kept][n % 3]),
];

fn adapters() -> Vec<Gpu> {
    let pairs = Options {
        pairs: true,
        staged: true,
        ..Options::default()
    };
    [Options::default(), pairs]
        .into_iter()
        .filter_map(gpu::open)
        .collect()
}

fn bytes(words: &str) -> Vec<u8> {
    let word = |word: &str| {
        let bits = u64::from_str_radix(word, 16).unwrap();
        bits.to_le_bytes()[..word.len() / 2].to_vec()
    };
    words.split_whitespace().flat_map(word).collect()
}

/// An array of these bytes.
fn array(dtype: DType, shape: &[usize], data: &[u8]) -> Array {
    dispatch_real!(dtype, T => {
        let parts = data.chunks_exact(dtype.size());
        let values = parts.map(|x| T::load(bytemuck::pod_read_unaligned(x))).collect();
        Array::from_vec::<T>(shape, values).unwrap()
    })
}

/// Whether an adapter scans this; why not is a sentence that names the dtype.
fn supported(gpu: &Gpu, expr: &Expr) -> bool {
    let NodeKind::Block(op) = &expr.kind else {
        panic!("no block operation");
    };
    let operand = expr.inputs[0].dtype;
    match gpu.supports_block(op.as_ref(), &[operand], expr.dtype) {
        Ok(()) => true,
        Err(why) => {
            assert!(why.contains(operand.name()), "{why}");
            false
        }
    }
}

/// Every scan of an array of that dtype.
fn scans(dtype: DType) -> Vec<Scan> {
    let kinds = ScanKind::ALL.iter().map(|(kind, _)| *kind);
    let all = kinds.flat_map(|kind| [false, true].map(|skipna| Scan { kind, skipna }));
    all.filter(|scan| dtype.is_float() || !scan.skipna).collect()
}

#[test]
fn scans_are_numpys() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/scans.json");
    let oracle: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for (number, gpu) in adapters().iter().enumerate() {
        let mut checked = 0;
        let cases = oracle["cases"].as_array().unwrap().iter();
        for case in cases.filter(|case| case["window"].is_null()) {
            let name = case["array"].as_str().unwrap();
            let given = &oracle["arrays"][name];
            let axis = case["axis"].as_i64().unwrap() as isize;
            let list = given["shape"].as_array().unwrap().iter();
            let shape: Vec<usize> = list.map(|n| n.as_u64().unwrap() as usize).collect();
            let dtype = DType::parse(given["dtype"].as_str().unwrap()).unwrap();
            let data = bytes(given["values"].as_str().unwrap());
            let x = array(dtype, &shape, &data);
            for (op, result) in case["results"].as_object().unwrap() {
                let (name, skipna) = match op.strip_prefix("nan") {
                    Some(name) => (name, true),
                    None => (op.as_str(), false),
                };
                let kind = ScanKind::parse(name).unwrap();
                let scan = x.scan(Scan { kind, skipna }, axis).unwrap();
                if !supported(gpu, scan.expr()) {
                    continue;
                }
                let want = bytes(result["values"].as_str().unwrap());
                let ulp = match kind {
                    ScanKind::Sum | ScanKind::Prod => 1.0,
                    _ => 0.0,
                };
                // Pairs of f32 keep 2^-44 of the largest sum, f64 and its errors far more.
                let list = data.chunks_exact(dtype.size());
                let sizes = list.map(|x| Scalar::from_bytes(dtype, x).to_f64().abs());
                let largest = sizes.filter(|x| x.is_finite()).fold(0.0, f64::max);
                let slack = match (number, kind) {
                    (1, ScanKind::Sum) if dtype.is_float() => largest * 2f64.powi(-44),
                    _ => 0.0,
                };
                for ((way, place), most) in WAYS.into_iter().zip([99, 99, 2]) {
                    let extents = vec![most; shape.len()];
                    let got = compute(gpu, scan.expr(), &data, &extents, place).unwrap();
                    let what = || format!("{op} of {given} along {axis} {way} in {extents:?}");
                    near(scan.dtype(), &want, &got, (ulp, slack), what);
                    signs(scan.dtype(), &want, &got, kind, what);
                    checked += 1;
                }
            }
        }
        assert!(checked > 300, "only {checked} results checked");
    }
}

/// Checks that elements are at most so many places, or so much, apart.
fn near(dtype: DType, want: &[u8], got: &[u8], (ulp, slack): (f64, f64), what: impl Fn() -> String) {
    assert_eq!(want.len(), got.len(), "{}", what());
    for (at, (w, g)) in want
        .chunks(dtype.size())
        .zip(got.chunks(dtype.size()))
        .enumerate()
    {
        let (w, g) = (Scalar::from_bytes(dtype, w), Scalar::from_bytes(dtype, g));
        let close = (w.to_f64() - g.to_f64()).abs() <= slack;
        assert!(
            close || compare::distance(dtype, w, g) <= ulp,
            "{}: element {at} is {g:?}, not {w:?}",
            what()
        );
    }
}

/// Checks the signs of zeros of sums and products; of two zeros either is the larger.
fn signs(dtype: DType, want: &[u8], got: &[u8], kind: ScanKind, what: impl Fn() -> String) {
    if matches!(kind, ScanKind::Sum | ScanKind::Prod) {
        for (w, g) in want.chunks(dtype.size()).zip(got.chunks(dtype.size())) {
            let zero = Scalar::from_bytes(dtype, g).to_f64() == 0.0;
            assert!(!zero || w == g, "{}: the sign of a zero", what());
        }
    }
}

/// Elements of a dtype: floats near 1 for products, special ones among them where asked for.
fn elements(dtype: DType, len: usize, special: bool) -> Vec<u8> {
    let mut state = len as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let mut out = Vec::with_capacity(len * dtype.size());
    for _ in 0..len {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let word = state >> 24;
        let unit = (word & 0xfffff) as f64 / f64::from(1 << 19) - 1.0;
        let x = match (special, word % 4001) {
            (true, 0) => f64::NAN,
            (true, 1) => f64::INFINITY,
            (true, 2) => -0.0,
            _ => (1.0 + unit / 64.0).copysign(unit),
        };
        match dtype {
            DType::F16 => out.extend(tilewise::f16::from_f64(x).to_le_bytes()),
            DType::BF16 => out.extend(tilewise::bf16::from_f64(x).to_le_bytes()),
            DType::F32 => out.extend((x as f32).to_le_bytes()),
            DType::F64 => out.extend(x.to_le_bytes()),
            DType::Bool => out.push((word % 2) as u8),
            _ => out.extend(&word.to_le_bytes()[..dtype.size()]),
        }
    }
    out
}

/// Compares with the CPU; sums may differ by a place, and near a zero by what f64 or pairs round.
fn check(gpu: &Gpu, dtype: DType, shape: &[usize], axis: isize, extents: &[usize], special: bool) {
    let len = shape.iter().product();
    let data = elements(dtype, len, special);
    let x = array(dtype, shape, &data);
    for scan in scans(dtype) {
        let y = x.scan(scan, axis).unwrap();
        if !supported(gpu, y.expr()) {
            continue;
        }
        let want = compute(gpu, y.expr(), &data, shape, |_| Place::Cpu).unwrap();
        for (way, place) in WAYS {
            let got = compute(gpu, y.expr(), &data, extents, place).unwrap();
            let ulp = f64::from(u8::from(matches!(scan.kind, ScanKind::Sum | ScanKind::Prod)));
            compare::assert_close(y.dtype(), &want, &got, ulp, || {
                format!("{scan:?} of {dtype} {shape:?} along {axis} {way} in {extents:?}")
            });
        }
    }
}

#[test]
fn long_rows_and_few_columns_are_cut_into_chunks() {
    for gpu in adapters() {
        for special in [false, true] {
            for dtype in [DType::F32, DType::F64, DType::I32, DType::F16, DType::U8] {
                check(&gpu, dtype, &[9001], 0, &[4001], special);
                check(&gpu, dtype, &[3, 2500], 1, &[2, 2500], special);
                check(&gpu, dtype, &[2500, 3], 0, &[2000, 2], special);
                check(&gpu, dtype, &[2, 700, 5], 1, &[2, 700, 5], special);
            }
        }
        for dtype in [
            DType::Bool,
            DType::I8,
            DType::U16,
            DType::U32,
            DType::I64,
            DType::U64,
            DType::BF16,
        ] {
            check(&gpu, dtype, &[2, 1500], -1, &[1, 800], true);
            check(&gpu, dtype, &[130, 7], 0, &[100, 7], true);
        }
    }
}

#[test]
fn many_short_rows_and_views_are_scanned() {
    for gpu in adapters() {
        check(&gpu, DType::F32, &[3000, 20], 1, &[3000, 13], false);
        check(&gpu, DType::I16, &[31, 3, 40], 1, &[31, 2, 40], false);
        check(&gpu, DType::F32, &[70000, 1], 1, &[70000, 1], false);
        check(&gpu, DType::F32, &[2, 3, 4, 5, 6], 2, &[2, 2, 3, 4, 5], false);
    }
}

#[test]
fn what_leaves_the_range_in_part_is_left_to_the_cpu() {
    let tiny_then_large: Vec<f32> = (0..400).map(|i| if i < 200 { 1e-30 } else { 1e30 }).collect();
    let huge: Vec<f64> = (0..400)
        .map(|i| if i % 2 == 0 { -1.5e308 } else { 1.5e308 })
        .collect();
    let grows: Vec<f64> = vec![1.7e308; 400];
    let products = Array::from_vec(&[400], tiny_then_large.clone())
        .unwrap()
        .cumprod(0)
        .unwrap();
    for gpu in adapters() {
        let far = Array::from_vec(&[400], grows.clone()).unwrap().cumsum(0).unwrap();
        for (y, data) in [
            (&products, bytemuck::cast_slice(&tiny_then_large)),
            (&far, bytemuck::cast_slice(&grows)),
        ] {
            if supported(&gpu, y.expr()) {
                let error = compute(&gpu, y.expr(), data, &[400], |_| Place::Gpu).unwrap_err();
                assert!(
                    matches!(&error, Error::Device(why) if why.contains("cpu")),
                    "{error}"
                );
            }
        }
    }
    let Some(_) = gpu::open(Options::default()) else {
        return;
    };
    let session = session();
    let got = session.compute::<f32>(&products).unwrap();
    assert!(got.iter().skip(20).all(|&x| x == 0.0));
    let sums = Array::from_vec(&[400], huge).unwrap().cumsum(0).unwrap();
    let got = session.compute::<f64>(&sums).unwrap();
    assert!(
        got.iter()
            .enumerate()
            .all(|(i, &x)| x == if i % 2 == 0 { -1.5e308 } else { 0.0 })
    );
}

fn session() -> Session {
    Session::new(Config {
        device: DeviceChoice::Gpu(None),
        threads: Some(2),
        ..Config::default()
    })
    .unwrap()
}

#[test]
fn sessions_scan_on_the_gpu() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let name = gpu.name();
    let session = session();
    let values: Vec<f32> = (0..40 * 30)
        .map(|i| ((i * 7919) % 1000) as f32 / 8.0 - 60.0)
        .collect();
    let x = Array::from_vec(&[40, 30], values.clone()).unwrap();
    for chunks in [40, 7] {
        let x = x
            .rechunk(&[ChunkSpec::Size(chunks), ChunkSpec::Size(11)])
            .unwrap();
        for axis in [0usize, 1] {
            let got = session.compute::<f32>(&x.cumsum(axis as isize).unwrap()).unwrap();
            let report = session.last_report().unwrap();
            let stage = report.stages.last().unwrap();
            assert!(stage.device.contains(&name) && stage.fallbacks == 0, "{report}");
            for i in 0..40 {
                for j in 0..30 {
                    let before: Vec<usize> = match axis {
                        0 => (0..=i).map(|k| k * 30 + j).collect(),
                        _ => (0..=j).map(|k| i * 30 + k).collect(),
                    };
                    let want: f64 = before.iter().map(|&k| f64::from(values[k])).sum();
                    assert_eq!(got[[i, j]], want as f32);
                }
            }
        }
    }
}
