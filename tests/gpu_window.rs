//! Rolling windows on the GPU against xarray's, the CPU's and a plain loop, short ones and long ones,
//! in one block and in many.

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
use tilewise::kernels::window::{Window, WindowKind};
use tilewise::kernels::{Element, dispatch_real};
use tilewise::session::{ChunkSpec, Config, DeviceChoice, Session};
use tilewise::{Array, DType, Scalar};

/// A way of dealing blocks out.
type Way = (&'static str, fn(usize) -> Place);

const WAYS: [Way; 2] = [("on the gpu", |_| Place::Gpu), ("in gpu memory", |_| Place::Kept)];

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

/// The lazy window over an array of these bytes.
fn rolling(dtype: DType, shape: &[usize], data: &[u8], window: Window, axis: isize) -> Expr {
    dispatch_real!(dtype, T => {
        let parts = data.chunks_exact(dtype.size());
        let values = parts.map(|x| T::load(bytemuck::pod_read_unaligned(x))).collect();
        let x = Array::from_vec::<T>(shape, values).unwrap();
        x.expr().rolling(window, axis).unwrap()
    })
}

/// Whether an adapter has the window; why not is a sentence that names the dtype.
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

fn numbers(dtype: DType, data: &[u8]) -> Vec<f64> {
    let parts = data.chunks_exact(dtype.size());
    parts.map(|x| Scalar::from_bytes(dtype, x).to_f64()).collect()
}

/// What a result may be off beside places of its own: what is added in f64 is as good as its largest
/// element, and windows of many elements as their number.
fn slack(kind: WindowKind, data: &[f64], len: usize) -> f64 {
    let finite = data.iter().map(|x| x.abs()).filter(|x| x.is_finite());
    let largest = finite.fold(0.0, f64::max);
    1e-15
        * match kind {
            WindowKind::Sum => largest * len as f64,
            WindowKind::Mean | WindowKind::Std => largest,
            WindowKind::Var => largest * largest,
            _ => 0.0,
        }
}

fn assert_near(dtype: DType, want: &[u8], got: &[u8], (ulp, slack): (f64, f64), what: impl Fn() -> String) {
    assert_eq!(want.len(), got.len(), "{}", what());
    let size = dtype.size();
    for (at, (w, g)) in want.chunks(size).zip(got.chunks(size)).enumerate() {
        let (w, g) = (Scalar::from_bytes(dtype, w), Scalar::from_bytes(dtype, g));
        let near = (w.to_f64() - g.to_f64()).abs() <= slack;
        let apart = compare::distance(dtype, w, g);
        assert!(
            near || apart <= ulp,
            "{}: element {at} is {g:?}, not {w:?}",
            what()
        );
    }
}

#[test]
fn windows_are_xarrays() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/scans.json");
    let oracle: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for (number, gpu) in adapters().iter().enumerate() {
        let mut checked = 0;
        let cases = oracle["cases"].as_array().unwrap().iter();
        for case in cases.filter(|case| !case["window"].is_null()) {
            let given = &oracle["arrays"][case["array"].as_str().unwrap()];
            let axis = case["axis"].as_i64().unwrap() as isize;
            let list = given["shape"].as_array().unwrap().iter();
            let shape: Vec<usize> = list.map(|n| n.as_u64().unwrap() as usize).collect();
            let dtype = DType::parse(given["dtype"].as_str().unwrap()).unwrap();
            let data = bytes(given["values"].as_str().unwrap());
            let field = |name: &str| case[name].as_u64().unwrap() as usize;
            for (op, result) in case["results"].as_object().unwrap() {
                let (name, ddof) = match op.strip_suffix(".ddof1") {
                    Some(name) => (name, 1),
                    None => (op.as_str(), 0),
                };
                let kind = WindowKind::parse(name).unwrap();
                let center = case["center"].as_bool().unwrap();
                let window = Window::new(kind, field("window"), field("min_periods"), center);
                let expr = rolling(dtype, &shape, &data, Window { ddof, ..window }, axis);
                if !supported(gpu, &expr) {
                    continue;
                }
                let want = bytes(result["values"].as_str().unwrap());
                let near = (2.0, slack(kind, &numbers(dtype, &data), 1));
                let cpu = compute(
                    gpu,
                    &expr,
                    &data,
                    &shape.iter().map(|n| n + 1).collect::<Vec<_>>(),
                    |_| Place::Cpu,
                );
                let cpu = cpu.unwrap();
                for (way, place) in WAYS {
                    for extents in [vec![99; shape.len()], vec![2; shape.len()]] {
                        let got = compute(gpu, &expr, &data, &extents, place).unwrap();
                        let what = || format!("{op} of {case} {way} in {extents:?}");
                        assert_near(expr.dtype, &want, &got, near, what);
                        // In the CPU's order: a driver may round products less often than it.
                        let same = if matches!(kind, WindowKind::Var | WindowKind::Std) {
                            near
                        } else {
                            (0.0, 0.0)
                        };
                        assert_near(expr.dtype, &cpu, &got, same, what);
                        checked += 1;
                    }
                }
            }
        }
        let least = if number == 0 { 1200 } else { 100 };
        assert!(checked > least, "only {checked} results checked");
    }
}

/// Elements of a dtype, floats with missing ones and a few infinities where asked for.
fn elements(dtype: DType, len: usize, special: bool) -> Vec<u8> {
    let mut state = len as u64 ^ 0x51_7cc1_b727_2202;
    let mut out = Vec::with_capacity(len * dtype.size());
    for _ in 0..len {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let word = state >> 24;
        let x = (word & 0xffff) as f64 / 256.0 - 100.0;
        let x = match (special, word % 997) {
            (true, 0..=40) => f64::NAN,
            (true, 41) => f64::INFINITY,
            (true, 42) => f64::NEG_INFINITY,
            _ => x,
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

/// A window's result by a loop over its elements, twice for spreads.
fn plain(window: Window, line: &[f64], at: usize) -> f64 {
    let end = (at + window.ahead + 1).min(line.len());
    let start = (at + window.ahead + 1).saturating_sub(window.len);
    let there: Vec<f64> = line[start.min(end)..end]
        .iter()
        .copied()
        .filter(|x| !x.is_nan())
        .collect();
    let n = there.len() as f64;
    if there.len() < window.least {
        return f64::NAN;
    }
    let sum: f64 = there.iter().sum();
    let spread = || {
        let squares: f64 = there.iter().map(|x| (x - sum / n) * (x - sum / n)).sum();
        let free = n - f64::from(window.ddof);
        if free > 0.0 { squares / free } else { f64::NAN }
    };
    match window.kind {
        WindowKind::Sum => sum,
        WindowKind::Mean => sum / n,
        WindowKind::Min => there.iter().copied().fold(f64::INFINITY, f64::min),
        WindowKind::Max => there.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        WindowKind::Count => n,
        WindowKind::Var => spread(),
        WindowKind::Std => spread().sqrt(),
    }
}

/// A float in the bytes of a dtype.
fn rounded(dtype: DType, x: f64) -> Vec<u8> {
    match dtype {
        DType::F16 => tilewise::f16::from_f64(x).to_le_bytes().to_vec(),
        DType::BF16 => tilewise::bf16::from_f64(x).to_le_bytes().to_vec(),
        DType::F32 => (x as f32).to_le_bytes().to_vec(),
        _ => x.to_le_bytes().to_vec(),
    }
}

/// Every window of some lengths along the axis of an array of extents `outer, len, inner`.
fn check(gpu: &Gpu, dtype: DType, (outer, len, inner): (usize, usize, usize), lens: &[usize], special: bool) {
    let shape = [outer, len, inner];
    let data = elements(dtype, outer * len * inner, special);
    let values = numbers(dtype, &data);
    for (kind, _) in WindowKind::ALL {
        for (turn, &places) in lens.iter().enumerate() {
            let least = [1, places / 2 + 1, places][turn % 3];
            let window = Window::new(kind, places, least, turn % 2 == 1);
            let window = Window {
                ddof: (turn % 2) as u32,
                ..window
            };
            let expr = rolling(dtype, &shape, &data, window, 1);
            if !supported(gpu, &expr) {
                continue;
            }
            let mut want = Vec::new();
            for o in 0..outer {
                for i in 0..len {
                    for j in 0..inner {
                        let line: Vec<f64> = (0..len).map(|k| values[(o * len + k) * inner + j]).collect();
                        want.extend(rounded(expr.dtype, plain(window, &line, i)));
                    }
                }
            }
            let near = (2.0, slack(kind, &values, places));
            let mut first = None;
            for extents in [[outer, len, inner], [1, len / 3 + 1, inner], [outer, 17, 1]] {
                for (way, place) in WAYS {
                    let got = compute(gpu, &expr, &data, &extents, place).unwrap();
                    let what = || format!("{window:?} of {dtype} {shape:?} {way} in {extents:?}");
                    assert_near(expr.dtype, &want, &got, near, what);
                    // The same bits however the axis is cut.
                    let first = first.get_or_insert_with(|| got.clone());
                    assert!(*first == got, "{}: other bits than in one block", what());
                }
            }
        }
    }
}

#[test]
fn short_and_long_windows_are_gathered() {
    let lens = [1, 2, 3, 16, 48, 49, 60, 64, 255, 256, 257, 300, 4096];
    for gpu in adapters() {
        for special in [false, true] {
            check(&gpu, DType::F32, (1, 400, 1), &lens, special);
            check(&gpu, DType::F64, (2, 300, 1), &lens[3..], special);
        }
        check(&gpu, DType::F32, (2, 300, 3), &lens[2..12], true);
        for dtype in [
            DType::F16,
            DType::BF16,
            DType::I32,
            DType::U8,
            DType::I64,
            DType::Bool,
        ] {
            check(&gpu, dtype, (1, 130, 3), &[3, 20, 50, 100], true);
        }
    }
}

#[test]
fn infinities_leave_with_their_window() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    for len in [5, 60] {
        let mut values = vec![1.0f32; 400];
        values[100] = f32::INFINITY;
        values[110] = f32::NEG_INFINITY;
        let data: &[u8] = bytemuck::cast_slice(&values);
        for kind in [WindowKind::Sum, WindowKind::Mean, WindowKind::Var] {
            let expr = rolling(DType::F32, &[400], data, Window::new(kind, len, 1, false), 0);
            let got = compute(&gpu, &expr, data, &[400], |_| Place::Gpu).unwrap();
            let got: &[f32] = &bytemuck::pod_collect_to_vec(&got);
            assert!(!got[100].is_finite() && !got[110].is_finite());
            assert!(
                got[110 + len..].iter().all(|x| x.is_finite()),
                "{kind:?} of {len}"
            );
        }
    }
}

#[test]
fn sessions_roll_on_the_gpu() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let session = Session::new(Config {
        device: DeviceChoice::Gpu(None),
        threads: Some(2),
        ..Config::default()
    })
    .unwrap();
    let values: Vec<f32> = (0..200 * 6)
        .map(|i| ((i * 7919) % 1000) as f32 / 8.0 - 60.0)
        .collect();
    let x = Array::from_vec(&[200, 6], values.clone()).unwrap();
    for (chunk, len) in [(200, 7), (30, 7), (64, 70)] {
        let x = x.rechunk(&[ChunkSpec::Size(chunk), ChunkSpec::Size(4)]).unwrap();
        let mean = x.rolling(0, len, Some(2), true).unwrap().mean().unwrap();
        let got = session.compute::<f32>(&mean).unwrap();
        let report = session.last_report().unwrap();
        let stage = report.stages.last().unwrap();
        assert!(
            stage.device.contains(&gpu.name()) && stage.fallbacks == 0,
            "{report}"
        );
        for j in 0..6 {
            let line: Vec<f64> = (0..200).map(|i| f64::from(values[i * 6 + j])).collect();
            for i in 0..200 {
                let want = plain(Window::new(WindowKind::Mean, len, 2, true), &line, i);
                assert!((f64::from(got[[i, j]]) - want).abs() < 1e-5);
            }
        }
    }
}
