//! Stencils on the GPU against SciPy's and, bit for bit, the CPU's: every dtype and boundary, few taps
//! and many, in one block and in many.

#![allow(clippy::unwrap_used)]

#[path = "common/block_runs.rs"]
mod block_runs;
#[path = "common/compare.rs"]
mod compare;
#[path = "common/gpu.rs"]
mod gpu;

use block_runs::{Place, compute};
use ndarray::{ArrayD, IxDyn};
use serde_json::Value;
use tilewise::device::gpu::{Gpu, Options};
use tilewise::device::{Device, Keeper};
use tilewise::expr::NodeKind;
use tilewise::kernels::{Element, Literal, dispatch_real};
use tilewise::session::{ChunkSpec, Config, DeviceChoice, Session};
use tilewise::{Array, Boundary, DType, Scalar};

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

fn bytes(value: &Value) -> Vec<u8> {
    let word = |word: &str| {
        let bits = u64::from_str_radix(word, 16).unwrap();
        bits.to_le_bytes()[..word.len() / 2].to_vec()
    };
    let words = value["words"].as_str().unwrap().split_whitespace();
    words.flat_map(word).collect()
}

fn numbers(value: &Value) -> Vec<usize> {
    let list = value.as_array().unwrap().iter();
    list.map(|n| n.as_u64().unwrap() as usize).collect()
}

fn dtype(value: &Value) -> DType {
    DType::parse(value["dtype"].as_str().unwrap()).unwrap()
}

fn elements<T: Element>(data: &[u8]) -> Vec<T> {
    let parts = data.chunks_exact(size_of::<T::Stored>());
    parts.map(|x| T::load(bytemuck::pod_read_unaligned(x))).collect()
}

/// The bytes of what a stencil works on, which may be a view that is longer than the array.
fn operand(y: &Array) -> Vec<u8> {
    let x = Array::from_expr(y.expr().inputs[0].clone());
    let mut out = vec![0u64; (x.len() * x.dtype().size()).div_ceil(8)];
    let bytes = &mut bytemuck::cast_slice_mut(&mut out)[..x.len() * x.dtype().size()];
    let session = Session::new(Config {
        threads: Some(1),
        device: DeviceChoice::Cpu,
        ..Config::default()
    })
    .unwrap();
    session.compute_into(&[&x], vec![&mut *bytes]).unwrap();
    bytes.to_vec()
}

/// Whether an adapter has the stencil; why not is a sentence that names the dtype.
fn supported(gpu: &Gpu, y: &Array) -> bool {
    let NodeKind::Block(op) = &y.expr().kind else {
        panic!("no block operation");
    };
    match gpu.supports_block(op.as_ref(), &[y.dtype()], y.dtype()) {
        Ok(()) => true,
        Err(why) => {
            assert!(why.contains(y.dtype().name()), "{why}");
            false
        }
    }
}

#[test]
fn stencils_are_scipys() {
    let oracle: Value = serde_json::from_str(include_str!("oracle/overlaps.json")).unwrap();
    let cases = oracle["cases"].as_array().unwrap().iter();
    let cases: Vec<&Value> = cases.filter(|case| case["call"] == "correlate").collect();
    assert!(cases.len() > 70);
    for gpu in adapters() {
        for case in &cases {
            let shape = numbers(&case["array"]["shape"]);
            let data = bytes(&case["array"]);
            let x = dispatch_real!(dtype(&case["array"]), T => Array::from_vec(&shape, elements::<T>(&data)).unwrap());
            let boundary = match case["mode"].as_str().unwrap() {
                "constant" => Boundary::Constant(Literal::Float(case["cval"].as_f64().unwrap())),
                "valid" => Boundary::None,
                name => Boundary::parse(name).unwrap(),
            };
            let weights = &case["weights"];
            let extents = numbers(&weights["shape"]);
            let y = dispatch_real!(dtype(weights), T => {
                let weights = ArrayD::from_shape_vec(extents.clone(), elements::<T>(&bytes(weights))).unwrap();
                x.stencil(&weights, &[boundary]).unwrap()
            });
            if !supported(&gpu, &y) {
                continue;
            }
            let data = operand(&y);
            for (way, place) in WAYS {
                for cut in [99, 2, 1] {
                    let got = compute(&gpu, y.expr(), &data, &vec![cut; shape.len()], place).unwrap();
                    for (at, (w, g)) in bytes(&case["result"])
                        .chunks(y.dtype().size())
                        .zip(got.chunks(y.dtype().size()))
                        .enumerate()
                    {
                        let (w, g) = (Scalar::from_bytes(y.dtype(), w), Scalar::from_bytes(y.dtype(), g));
                        let same = w.to_f64() == g.to_f64() || w.to_f64().is_nan() && g.to_f64().is_nan();
                        assert!(same, "{case} {way} in {cut}: element {at} is {g:?}, not {w:?}");
                    }
                }
            }
        }
    }
}

/// Elements of a dtype, floats with special ones among them.
fn some<T: Element>(len: usize, seed: u64) -> Vec<T> {
    let mut state = seed ^ 0x2545_f491_4f6c_dd1d;
    let mut word = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        state >> 20
    };
    let one = |word: u64| -> T::Stored {
        let x = (word & 0xffff) as f64 / 512.0 - 64.0;
        let x = match word % 211 {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2..9 => -0.0,
            _ => x,
        };
        let bytes = match T::DTYPE {
            DType::F16 => tilewise::f16::from_f64(x).to_le_bytes().to_vec(),
            DType::BF16 => tilewise::bf16::from_f64(x).to_le_bytes().to_vec(),
            DType::F32 => (x as f32).to_le_bytes().to_vec(),
            DType::F64 => x.to_le_bytes().to_vec(),
            DType::Bool => vec![u8::from(word.is_multiple_of(3))],
            _ => word.to_le_bytes()[..size_of::<T::Stored>()].to_vec(),
        };
        bytemuck::pod_read_unaligned(&bytes)
    };
    (0..len).map(|_| T::load(one(word()))).collect()
}

/// Compares with the CPU: the same bits, but for those of NaN.
fn check(
    gpu: &Gpu,
    dtype: DType,
    shape: &[usize],
    extents: &[usize],
    boundary: Boundary,
    cuts: &[Vec<usize>],
) {
    let y = dispatch_real!(dtype, T => {
        let x = Array::from_vec(shape, some::<T>(shape.iter().product(), 1)).unwrap();
        let weights = some::<T>(extents.iter().product(), 2);
        x.stencil(&ArrayD::from_shape_vec(IxDyn(extents), weights).unwrap(), &[boundary]).unwrap()
    });
    if !supported(gpu, &y) {
        return;
    }
    let data = operand(&y);
    let whole: Vec<usize> = shape.iter().map(|n| n + 1).collect();
    let want = compute(gpu, y.expr(), &data, &whole, |_| Place::Cpu).unwrap();
    for cut in std::iter::once(&whole).chain(cuts) {
        for (way, place) in WAYS {
            let got = compute(gpu, y.expr(), &data, cut, place).unwrap();
            let what = || format!("{extents:?} on {dtype} {shape:?}, {boundary:?}, {way} in {cut:?}");
            let size = dtype.size();
            for (at, (w, g)) in want.chunks(size).zip(got.chunks(size)).enumerate() {
                let (w, g) = (Scalar::from_bytes(dtype, w), Scalar::from_bytes(dtype, g));
                let same = w.bits() == g.bits() || w.to_f64().is_nan() && g.to_f64().is_nan();
                assert!(same, "{}: element {at} is {g:?}, not {w:?}", what());
            }
        }
    }
}

const BOUNDARIES: [Boundary; 6] = [
    Boundary::None,
    Boundary::Reflect,
    Boundary::Mirror,
    Boundary::Nearest,
    Boundary::Periodic,
    Boundary::Constant(Literal::Int(3)),
];

#[test]
fn every_dtype_and_boundary_gives_the_cpus_bits() {
    let dtypes = [
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::F16,
        DType::BF16,
        DType::F32,
        DType::F64,
    ];
    for gpu in adapters() {
        for dtype in dtypes {
            for boundary in BOUNDARIES {
                check(&gpu, dtype, &[14, 23], &[3, 4], boundary, &[vec![5, 7]]);
            }
        }
        for boundary in [Boundary::Mirror, Boundary::None] {
            check(&gpu, DType::Bool, &[9, 11], &[2, 3], boundary, &[vec![4, 4]]);
        }
    }
}

#[test]
fn few_taps_and_many_on_any_rank() {
    for gpu in adapters() {
        for boundary in BOUNDARIES {
            check(&gpu, DType::F32, &[300], &[5], boundary, &[vec![64]]);
            check(
                &gpu,
                DType::F32,
                &[9, 14, 21],
                &[3, 3, 3],
                boundary,
                &[vec![4, 5, 6]],
            );
            check(
                &gpu,
                DType::F32,
                &[4, 5, 6, 7],
                &[1, 3, 2, 3],
                boundary,
                &[vec![4, 2, 5, 7]],
            );
            check(&gpu, DType::F32, &[25, 40], &[9, 9], boundary, &[vec![13, 11]]);
            check(&gpu, DType::F32, &[1, 1], &[1, 1], boundary, &[]);
        }
        check(
            &gpu,
            DType::F32,
            &[2, 3],
            &[7, 9],
            Boundary::Reflect,
            &[vec![1, 2]],
        );
        check(
            &gpu,
            DType::F32,
            &[50, 1],
            &[3, 3],
            Boundary::Nearest,
            &[vec![7, 1]],
        );
        check(
            &gpu,
            DType::F32,
            &[3, 2],
            &[2, 3],
            Boundary::Constant(Literal::Int(0)),
            &[vec![2, 1]],
        );
    }
}

#[test]
fn a_stencil_of_zeros_alone_is_zero() {
    for gpu in adapters() {
        let x = Array::from_vec(&[6, 7], vec![f32::NAN; 42]).unwrap();
        let y = x
            .stencil(&ndarray::Array2::<f32>::zeros((3, 3)), &[Boundary::Nearest])
            .unwrap();
        let got = compute(&gpu, y.expr(), &operand(&y), &[6, 7], |_| Place::Gpu).unwrap();
        assert!(got.iter().all(|b| *b == 0));
    }
}

#[test]
fn sessions_sum_neighbours_on_the_gpu() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let session = Session::new(Config {
        device: DeviceChoice::Gpu(None),
        threads: Some(2),
        ..Config::default()
    })
    .unwrap();
    let (rows, columns) = (37, 52);
    let values: Vec<f32> = (0..rows * columns)
        .map(|i| ((i * 7919) % 1000) as f32 / 8.0 - 60.0)
        .collect();
    let weights = ndarray::arr2(&[[0.0f32, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]);
    for chunk in [60, 10] {
        let x = Array::from_vec(&[rows, columns], values.clone()).unwrap();
        let x = x
            .rechunk(&[ChunkSpec::Size(chunk), ChunkSpec::Size(chunk)])
            .unwrap();
        for boundary in [Boundary::Nearest, Boundary::Periodic] {
            let y = x.stencil(&weights, &[boundary]).unwrap();
            let got = session.compute::<f32>(&y).unwrap();
            let report = session.last_report().unwrap();
            let stage = report.stages.last().unwrap();
            assert!(
                stage.device.contains(&gpu.name()) && stage.fallbacks == 0,
                "{report}"
            );
            let at = |i: isize, j: isize| {
                let near = |i: isize, n: usize| match boundary {
                    Boundary::Nearest => i.clamp(0, n as isize - 1) as usize,
                    _ => i.rem_euclid(n as isize) as usize,
                };
                f64::from(values[near(i, rows) * columns + near(j, columns)])
            };
            for i in 0..rows as isize {
                for j in 0..columns as isize {
                    let want = at(i - 1, j) + at(i, j - 1) - 4.0 * at(i, j) + at(i, j + 1) + at(i + 1, j);
                    assert_eq!(f64::from(got[[i as usize, j as usize]]), want);
                }
            }
        }
    }
}
