//! Elementwise programs with transposed inputs on the GPU, and with parts of rows: they give what the
//! CPU gives, to the bit, for any element size, whether tiles and long vectors apply or not.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

#[path = "common/gpu_session.rs"]
mod gpu_session;

use gpu_session::{cpu_session, session_of};
use tilewise::session::Session;
use tilewise::{Array, DType};

/// An array whose neighbours differ, of a dtype that holds its numbers.
fn numbers(shape: &[usize], dtype: DType, seed: usize) -> Array {
    let count = shape.iter().product();
    let values: Vec<i32> = (0..count)
        .map(|i: usize| ((i * 7919 + seed * 31) % 59) as i32)
        .collect();
    let array = Array::from_vec(shape, values).unwrap().astype(dtype);
    // Its elements are read, not computed.
    let mut bytes = vec![0; count * dtype.size()];
    cpu_session().compute_into(&[&array], vec![&mut bytes]).unwrap();
    match dtype {
        DType::U8 => Array::from_vec(shape, bytes).unwrap(),
        DType::I16 => Array::from_vec::<i16>(shape, cast(&bytes)).unwrap(),
        DType::F32 => Array::from_vec::<f32>(shape, cast(&bytes)).unwrap(),
        DType::I64 => Array::from_vec::<i64>(shape, cast(&bytes)).unwrap(),
        DType::F64 => Array::from_vec::<f64>(shape, cast(&bytes)).unwrap(),
        other => panic!("{other} is not tested"),
    }
}

fn cast<T: bytemuck::Pod>(bytes: &[u8]) -> Vec<T> {
    bytemuck::pod_collect_to_vec(bytes)
}

/// An array of that shape, of which another order of axes lies in memory.
fn turned(shape: &[usize], order: &[usize], dtype: DType, seed: usize) -> Array {
    // Axis `k` of the result is axis `order[k]` of what lies there.
    let mut there = vec![0; shape.len()];
    order.iter().zip(shape).for_each(|(&axis, &n)| there[axis] = n);
    let axes: Vec<isize> = order.iter().map(|&axis| axis as isize).collect();
    numbers(&there, dtype, seed).permute_dims(&axes).unwrap()
}

/// Checks that the GPU, without falling back, and the CPU give the same bits.
fn check(gpu: &Session, array: &Array, what: &str) {
    let mut both = [gpu, &cpu_session()].map(|session| {
        let mut bytes = vec![0; array.len() * array.dtype().size()];
        session.compute_into(&[array], vec![&mut bytes]).unwrap();
        bytes
    });
    let report = gpu.last_report().unwrap();
    for stage in &report.stages {
        assert!(
            stage.device.starts_with("gpu:") && stage.fallbacks == 0,
            "{what}: {report}"
        );
    }
    let [got, want] = &mut both;
    let size = array.dtype().size();
    let wrong = got.chunks(size).zip(want.chunks(size)).position(|(g, w)| g != w);
    assert_eq!(wrong, None, "{what}: the first wrong element");
}

const DTYPES: [DType; 5] = [DType::U8, DType::I16, DType::F32, DType::I64, DType::F64];

#[test]
fn a_sum_with_a_transpose_is_that_of_the_cpu() {
    for apart in [false, true] {
        let Some(session) = session_of(apart) else { return };
        for dtype in DTYPES {
            for shape in [
                [64, 96],
                [33, 100],
                [100, 33],
                [129, 8],
                [8, 130],
                [7, 40],
                [1, 50],
                [50, 1],
            ] {
                let sum = (&numbers(&shape, dtype, 1) + &turned(&shape, &[1, 0], dtype, 2)).unwrap();
                check(&session, &sum, &format!("{dtype} {shape:?}"));
            }
        }
    }
}

#[test]
fn any_order_of_three_axes() {
    let Some(session) = session_of(false) else { return };
    for dtype in DTYPES {
        for shape in [[3, 40, 52], [41, 2, 37], [20, 1, 36], [9, 10, 11]] {
            for order in [[0, 2, 1], [2, 1, 0], [1, 2, 0], [2, 0, 1], [1, 0, 2]] {
                let product = (&turned(&shape, &order, dtype, 3) * &numbers(&shape, dtype, 4)).unwrap();
                check(&session, &product, &format!("{dtype} {shape:?} {order:?}"));
            }
        }
    }
}

#[test]
fn several_turned_inputs_beside_rows_and_columns() {
    let Some(session) = session_of(false) else { return };
    for (rows, cols) in [(70, 44), (45, 67)] {
        let shape = [rows, cols];
        let sum = |arrays: &[Array]| {
            let (first, rest) = arrays.split_first().unwrap();
            rest.iter()
                .fold(first.clone(), |sum, next| (&sum + next).unwrap())
        };
        // More than the workgroup's memory has room for, of several element sizes.
        let many: Vec<Array> = DTYPES
            .iter()
            .cycle()
            .take(7)
            .enumerate()
            .map(|(seed, &dtype)| turned(&shape, &[1, 0], dtype, seed).astype(DType::F64))
            .collect();
        check(&session, &sum(&many), "many");
        let row = numbers(&[cols], DType::F32, 5);
        let column = numbers(&[rows, 1], DType::F32, 6);
        let straight = numbers(&shape, DType::F32, 7);
        let mixed = sum(&[row, straight, turned(&shape, &[1, 0], DType::F32, 8), column]);
        check(&session, &mixed, "rows and columns");
        // A narrow result of wide inputs, and a wide one of narrow inputs.
        let narrow = turned(&shape, &[1, 0], DType::F64, 9).astype(DType::U8);
        check(
            &session,
            &(&narrow + &numbers(&shape, DType::U8, 10)).unwrap(),
            "narrow",
        );
        let wide = turned(&shape, &[1, 0], DType::I16, 11).astype(DType::F32);
        check(&session, &(&wide * 0.5).unwrap(), "wide");
    }
}

#[test]
fn turned_and_sliced_and_flipped() {
    use tilewise::session::s;
    let Some(session) = session_of(false) else { return };
    let (rows, cols) = (90, 61);
    let base = numbers(&[cols + 4, rows + 6], DType::F32, 12);
    let part = base
        .slice(&[
            s(Some(3), Some(3 + cols as isize), None),
            s(Some(5), Some(5 + rows as isize), None),
        ])
        .unwrap();
    let straight = numbers(&[rows, cols], DType::F32, 13);
    let turned = part.transpose().unwrap();
    check(&session, &(&straight - &turned).unwrap(), "sliced");
    check(
        &session,
        &(&straight - &turned.flip(&[0]).unwrap()).unwrap(),
        "flipped",
    );
    check(
        &session,
        &(&straight - &turned.flip(&[1]).unwrap()).unwrap(),
        "flipped across",
    );
    let picks: Vec<i64> = (0..40).map(|i| (i * 7) % 61).collect();
    let picked = turned.take(&picks, 1).unwrap();
    check(
        &session,
        &(&straight.take(&picks, 1).unwrap() + &picked).unwrap(),
        "picked",
    );
}

#[test]
fn parts_of_rows_of_any_length() {
    use tilewise::session::s;
    let Some(session) = session_of(false) else { return };
    for dtype in [DType::U8, DType::I16, DType::F32] {
        for (rows, cols) in [(5, 96), (5, 83), (1, 83)] {
            let base = numbers(&[rows, cols], dtype, 14);
            for (start, len) in [(0, 32), (16, 32), (8, 24), (3, 32), (0, 20), (0, 7), (0, 83)] {
                let columns = s(Some(start), Some(start + len), None);
                let part = base.slice(&[s(None, None, None), columns]).unwrap();
                let row = numbers(&[len as usize], dtype, 15);
                check(
                    &session,
                    &(&part + &part).unwrap(),
                    &format!("{dtype} {cols} {start} {len}"),
                );
                check(
                    &session,
                    &(&part + &row).unwrap(),
                    &format!("{dtype} {cols} {start} {len} row"),
                );
            }
        }
    }
}
