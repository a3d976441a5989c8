//! Products of matrices on the GPU: every dtype, layout and cut against sums written out one by one
//! in wider types, and whole sessions that must have run there.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

mod common;
#[path = "common/gpu.rs"]
mod gpu;

use tilewise::device::gpu::{Gpu, Options, adapters, first_hardware};
use tilewise::device::{BlockTask, Bytes, Keeper, Operand, OutMut};
use tilewise::expr::{BlockCall, BlockForm, BlockOp};
use tilewise::geometry::Region;
use tilewise::session::{Config, DeviceChoice, Session};
use tilewise::{Array, DType, Error, Result, Scalar};
use tilewise_kernels::gemm::Axes;

/// A contraction that only devices can run.
#[derive(Debug)]
struct Product {
    axes: Axes,
    dtype: DType,
}

impl BlockOp for Product {
    fn name(&self) -> &str {
        "contract"
    }
    fn needs(&self, _: usize, block: &Region) -> Region {
        block.clone()
    }
    fn bound(&self, _: usize, block: &[usize]) -> Vec<usize> {
        block.to_vec()
    }
    fn form(&self) -> Option<BlockForm<'_>> {
        Some(BlockForm::Contract {
            axes: &self.axes,
            dtype: self.dtype,
        })
    }
    fn run(&self, _: BlockCall<'_, '_>) -> Result<()> {
        Err(Error::invalid("not here"))
    }
}

/// Where the axes batch, row and column stand in the result.
const RESULTS: [[usize; 3]; 3] = [[0, 1, 2], [0, 2, 1], [1, 0, 2]];
/// Orders in which the axes of a factor lie in memory.
const ORDERS: [[usize; 3]; 4] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [2, 1, 0]];

/// Batches, rows, columns and summed elements, the factors' layouts and the result's axes.
#[derive(Clone, Copy, Debug)]
struct Case {
    extents: [usize; 4],
    orders: [[usize; 3]; 2],
    result: [usize; 3],
}

impl Case {
    /// Of these extents, everything else from a number.
    fn new(extents: [usize; 4], number: usize) -> Case {
        Case {
            extents,
            orders: [ORDERS[number % 4], ORDERS[number / 4 % 4]],
            result: RESULTS[number % 3],
        }
    }
}

/// Strides of extents laid out in an order of axes.
fn layout(shape: &[usize], order: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; shape.len()];
    let mut next = 1;
    for &axis in order.iter().rev() {
        strides[axis] = next;
        next *= shape[axis].max(1);
    }
    strides
}

/// An element as stored, as a float, and modulo 2^64.
fn element(dtype: DType, index: usize, seed: u64) -> (Vec<u8>, f64, u64) {
    let dice = (index as u64 + seed * 7919).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let bits = match dtype {
        DType::Bool => u64::from((dice >> 40) & 3 == 0),
        DType::F16 => 0x3000 | (dice >> 40 & 0x83ff), // 0.125 to 0.25, both signs
        DType::BF16 => 0x3e80 | (dice >> 40 & 0x807f), // 0.25 to 0.5
        DType::F32 => u64::from(((dice >> 40) as f32 / 8_388_608.0 - 1.0).to_bits()),
        DType::F64 => ((dice >> 11) as f64 / (1u64 << 52) as f64 - 1.0).to_bits(),
        _ => dice.rotate_left(23),
    };
    let bytes = bits.to_le_bytes()[..dtype.size()].to_vec();
    let scalar = Scalar::from_bytes(dtype, &bytes);
    (bytes, scalar.to_f64(), bits)
}

/// Runs a case and compares it with the sums that its definition names; every element of small
/// ones, some of large ones.
fn check(gpu: &Gpu, dtype: DType, case: Case) -> Result<()> {
    let [b, m, n, k] = case.extents;
    let shapes = [[b, m, k], [b, k, n]];
    let strides = [0, 1].map(|f| layout(&shapes[f], &case.orders[f]));
    let offsets = [3, 8];
    let mut bytes = [vec![], vec![]];
    let mut values = [vec![], vec![]];
    for f in 0..2 {
        for index in 0..offsets[f] + shapes[f].iter().product::<usize>() {
            let (stored, float, bits) = element(dtype, index, f as u64 + 1);
            bytes[f].extend(stored);
            values[f].push((float, bits));
        }
    }
    let place = |what: usize| case.result.iter().position(|&r| r == what).unwrap();
    let op = Product {
        axes: Axes {
            batch: vec![(0, 0, place(0))],
            rows: vec![(1, place(1))],
            cols: vec![(2, place(2))],
            summed: vec![(2, 1)],
        },
        dtype,
    };
    let operands = [0, 1].map(|f| Operand {
        bytes: Bytes::Host(&bytes[f]),
        offset: offsets[f],
        strides: strides[f].clone(),
        region: Region::whole(&shapes[f]),
        dtype,
    });
    let shape = case.result.map(|what| [b, m, n][what]);
    let task = BlockTask {
        op: &op,
        operands: &operands,
        block: &Region::whole(&shape),
        dtype,
    };
    let mut got = vec![0xA5; b * m * n * dtype.size()];
    gpu.supports_block(&op, &[dtype; 2], dtype).unwrap();
    gpu.run_block(&task, OutMut::Store(&mut got), &mut [])?;
    let step = (b * m * n * k / 300_000).max(1) | 1;
    for at in (0..b * m * n).step_by(step) {
        let index = [
            at / (shape[1] * shape[2]),
            at / shape[2] % shape[1],
            at % shape[2],
        ];
        let [i, row, col] = [0, 1, 2].map(|what| index[place(what)]);
        let (mut sum, mut size, mut whole) = (0f64, 0f64, 0u64);
        for p in 0..k {
            let x = values[0][offsets[0] + i * strides[0][0] + row * strides[0][1] + p * strides[0][2]];
            let y = values[1][offsets[1] + i * strides[1][0] + p * strides[1][1] + col * strides[1][2]];
            sum += x.0 * y.0;
            size += (x.0 * y.0).abs();
            whole = whole.wrapping_add(x.1.wrapping_mul(y.1));
        }
        let found = Scalar::from_bytes(dtype, &got[at * dtype.size()..][..dtype.size()]);
        let bits = found.bits() as u64;
        let right = match dtype {
            // Sums of k products, each rounded once, and half floats once more.
            DType::F64 => (found.to_f64() - sum).abs() <= k as f64 * 2f64.powi(-52) * size,
            _ if dtype.is_float() => {
                let last = match dtype {
                    DType::F16 => 2f64.powi(-11) * sum.abs() + 2f64.powi(-25),
                    DType::BF16 => 2f64.powi(-8) * sum.abs(),
                    _ => 0.0,
                };
                (found.to_f64() - sum).abs() <= k as f64 * 2f64.powi(-24) * size + last
            }
            DType::Bool => (bits != 0) == (whole != 0),
            _ => (bits ^ whole) << (64 - 8 * dtype.size()) == 0,
        };
        assert!(
            right,
            "{dtype} {case:?}: element {index:?} is {found:?}, not {sum} or {whole}"
        );
    }
    Ok(())
}

#[test]
fn every_dtype_in_every_layout() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let mut number = 0;
    for dtype in DType::real() {
        if gpu
            .supports_block(
                &Product {
                    axes: Axes::default(),
                    dtype,
                },
                &[dtype; 2],
                dtype,
            )
            .is_err()
        {
            assert!(dtype.size() == 8, "{dtype} is refused");
            continue;
        }
        for extents in [
            [2, 40, 36, 41],   // ragged tiles
            [1, 64, 128, 64],  // whole ones, read and written where they lie
            [3, 3, 5, 7],      // smaller than a tile
            [1, 33, 35, 1100], // sums in two parts
            [1, 4, 6, 1500],   // the same without tiles
            [2, 40, 40, 0],    // empty sums
            [1, 0, 4, 4],      // nothing
        ] {
            for _ in 0..3 {
                check(&gpu, dtype, Case::new(extents, number)).unwrap();
                number += 1;
            }
        }
    }
}

#[test]
fn ragged_extents() {
    let Some(gpu) = gpu::open(Options::default()) else {
        return;
    };
    let mut number = 0;
    for n in [
        1, 2, 3, 7, 16, 31, 32, 33, 34, 47, 63, 64, 65, 70, 127, 128, 129, 130,
    ] {
        for (m, k) in [(n, n), (33, n), (n, 33), (70, 1), (5, n), (129, 40)] {
            check(&gpu, DType::F32, Case::new([1 + number % 2, m, n, k], number)).unwrap();
            number += 1;
        }
    }
}

#[test]
fn factors_larger_than_a_binding_are_taken_in_rounds() {
    // Bytes are packed as words, so that far more is bound than is given.
    for (number, (binding, dtype, extents)) in [
        (40 << 10, DType::I8, [5, 40, 41, 17]),     // some batches at a time
        (24 << 10, DType::I8, [1, 40, 33, 130]),    // a sum in pieces
        (24 << 10, DType::F16, [2, 40, 40, 90]),    // the same, batch by batch
        (600 << 10, DType::F16, [2, 40, 40, 3100]), // some parts of a sum at a time
        (600 << 10, DType::I8, [1, 40, 140, 3100]), // one of them
        (150 << 10, DType::I16, [1, 40, 40, 1800]), // each in pieces
    ]
    .into_iter()
    .enumerate()
    {
        let options = Options {
            binding_bytes: binding,
            ..Options::default()
        };
        let Some(gpu) = gpu::open(options) else {
            return;
        };
        let case = Case::new(extents, number);
        check(&gpu, dtype, case).unwrap_or_else(|e| panic!("{dtype} {case:?}: {e}"));
        let refused = check(&gpu, DType::F32, Case::new([1, 500, 500, 8], 0)).unwrap_err();
        assert!(refused.to_string().contains("smaller chunks"), "{refused}");
    }
}

#[test]
fn memory_that_is_not_shared_gives_the_same() {
    let options = Options {
        staged: true,
        ..Options::default()
    };
    if let Some(gpu) = gpu::open(options) {
        check(&gpu, DType::F32, Case::new([2, 70, 50, 90], 5)).unwrap();
        check(&gpu, DType::U8, Case::new([2, 70, 50, 1200], 7)).unwrap();
    }
}

/// An adapter whose matrix units are used; a test without one says so and passes.
fn with_units(options: Options) -> Option<Gpu> {
    let gpu = gpu::open(Options {
        matrix_units: true,
        ..options
    })?;
    let tried = gpu.verdicts().iter().find(|v| v.fact == "matrix units");
    assert_eq!(gpu.uses_matrix_units(), tried.is_some(), "{tried:?}");
    if tried.is_none() {
        eprintln!("skipped: {} has no matrix units", gpu.info());
    }
    gpu.uses_matrix_units().then_some(gpu)
}

#[test]
fn matrix_units_sum_what_registers_sum() {
    let Some(gpu) = with_units(Options::default()) else {
        return;
    };
    let mut number = 0;
    for extents in [
        [2, 40, 36, 41],    // ragged tiles
        [1, 128, 256, 128], // whole ones, read where they lie
        [1, 300, 280, 33],  // many tiles
        [1, 33, 35, 1100],  // sums in two parts
        [3, 3, 5, 7],       // smaller than a tile, so without units
        [2, 40, 40, 0],     // empty sums
    ] {
        for _ in 0..5 {
            check(&gpu, DType::F16, Case::new(extents, number)).unwrap();
            number += 1;
        }
    }
    // Other dtypes are summed as ever.
    check(&gpu, DType::BF16, Case::new([1, 70, 50, 90], 2)).unwrap();
    check(&gpu, DType::F32, Case::new([1, 70, 50, 90], 2)).unwrap();
}

#[test]
fn matrix_units_go_on_with_sums_in_pieces() {
    for (binding, extents) in [
        (130 << 10, [2, 66, 66, 400]),  // batch by batch
        (130 << 10, [1, 66, 66, 900]),  // a sum in pieces
        (260 << 10, [1, 66, 66, 1500]), // part by part
    ] {
        let Some(gpu) = with_units(Options {
            binding_bytes: binding,
            staged: true,
            ..Options::default()
        }) else {
            return;
        };
        for number in 0..3 {
            let case = Case::new(extents, number);
            check(&gpu, DType::F16, case).unwrap_or_else(|e| panic!("{case:?}: {e}"));
        }
    }
}

/// A session on an adapter and that adapter's name. Under CI there has to be one.
fn session(threads: usize) -> Option<(Session, String)> {
    let config = Config {
        memory: Some(256 << 20),
        gpu_memory: Some(128 << 20),
        threads: Some(threads),
        device: DeviceChoice::Gpu(None),
        ..Config::default()
    };
    match Session::new(config) {
        Ok(session) => {
            let info = first_hardware().or_else(|| adapters().into_iter().next());
            Some((session, info.unwrap().to_string()))
        }
        Err(error) if std::env::var_os("CI").is_none() => {
            println!("skipped, no adapter: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn matrix(rows: usize, cols: usize, seed: u64) -> Array {
    let value = |i: usize| element(DType::F32, i, seed).1 as f32;
    Array::from_vec(&[rows, cols], (0..rows * cols).map(value).collect::<Vec<f32>>()).unwrap()
}

/// Checks that the last run was one stage, on that device without a fallback.
fn ran_there(session: &Session, name: &str) {
    let report = session.last_report().unwrap();
    let stage = report.stages.last().unwrap();
    assert_eq!((stage.device.as_str(), stage.fallbacks), (name, 0), "{stage:?}");
}

#[test]
fn a_session_multiplies_there_with_the_same_bits_every_time() {
    let mut all = Vec::new();
    for threads in [1, 3, 3] {
        let Some((session, name)) = session(threads) else {
            return;
        };
        let product = matrix(300, 170, 1).matmul(&matrix(170, 260, 2)).unwrap();
        let found = session.compute::<f32>(&product).unwrap();
        ran_there(&session, &name);
        all.push(found.iter().map(|v| v.to_bits()).collect::<Vec<u32>>());
    }
    assert!(all[0] == all[1] && all[1] == all[2]);
}

#[test]
fn a_kept_factor_is_read_where_it_lies() {
    let Some((session, name)) = session(2) else {
        return;
    };
    let (a, b) = (matrix(130, 90, 3), matrix(90, 70, 4));
    let kept = session.persist(&(&a * 2).unwrap()).unwrap();
    let found = session.compute::<f32>(&kept.matmul(&b).unwrap()).unwrap();
    ran_there(&session, &name);
    let stage = session.last_report().unwrap().stages.pop().unwrap();
    assert!(stage.resident_bytes > 0, "{stage:?}");
    let (x, y) = (
        session.compute::<f32>(&a).unwrap(),
        session.compute::<f32>(&b).unwrap(),
    );
    for (i, j) in [(0, 0), (129, 69), (64, 31), (7, 68)] {
        let want: f64 = (0..90)
            .map(|p| 2.0 * f64::from(x[[i, p]]) * f64::from(y[[p, j]]))
            .sum();
        assert!((f64::from(found[[i, j]]) - want).abs() < 1e-4, "{i}, {j}");
    }
}

#[test]
fn special_values_are_summed_plainly() {
    let Some((session, name)) = session(1) else {
        return;
    };
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    // In the small kernel, and with tiles around them.
    for around in [2, 40] {
        let mut a = vec![0.0f32; around * 2];
        a[..8.min(around * 2)]
            .copy_from_slice(&[inf, 0.0, nan, 1.0, inf, -1.0, -0.0, -0.0][..8.min(around * 2)]);
        let mut b = vec![0.0f32; 2 * around];
        (b[0], b[1], b[around], b[around + 1]) = (0.0, 1.0, inf, 2.0);
        let a = Array::from_vec(&[around, 2], a).unwrap();
        let b = Array::from_vec(&[2, around], b).unwrap();
        let out = session.compute::<f32>(&a.matmul(&b).unwrap()).unwrap();
        ran_there(&session, &name);
        // inf·0 + 0·inf, inf·1 + 0·2; NaN.
        assert!(
            out[[0, 0]].is_nan() && out[[1, 0]].is_nan() && out[[1, 1]].is_nan(),
            "{out}"
        );
        assert_eq!(out[[0, 1]], inf);
        if around > 2 {
            // inf·0 − inf, inf − 2; −0·0 − 0·inf, −0; what is beside them is untouched.
            assert!(out[[2, 0]].is_nan() && out[[3, 0]].is_nan());
            assert_eq!((out[[2, 1]], out[[3, 1]]), (inf, 0.0));
            assert!((4..around).all(|i| out[[i, 1]] == 0.0 && out[[i, 0]].is_nan()));
            assert!((4..around).all(|i| (2..around).all(|j| out[[i, j]] == 0.0)));
        }
    }
}
