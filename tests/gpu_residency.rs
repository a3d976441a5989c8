//! Tiles that stay on the GPU: what one run leaves there the next reads where it lies, within the
//! budget, with the numbers that plain loops give, and also when the device fails on the way.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

mod common;
#[path = "common/gpu_session.rs"]
mod gpu_session;

use common::FileLike;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tilewise::device::gpu::Fault;
use tilewise::plan::StageKind;
use tilewise::session::{Config, DeviceChoice, Event, Session, s};
use tilewise::{Array, ReduceKind, Reduction};

/// A session on an adapter that may hold so many bytes. Under CI there has to be an adapter.
fn session(gpu_memory: u64, threads: usize) -> Option<Session> {
    session_of(gpu_memory, threads, false)
}

/// The same, `apart` as if the adapter did not share the host's memory.
fn session_of(gpu_memory: u64, threads: usize, apart: bool) -> Option<Session> {
    session_with(256 << 20, gpu_memory, threads, apart)
}

fn session_with(memory: u64, gpu_memory: u64, threads: usize, apart: bool) -> Option<Session> {
    let config = Config {
        gpu_apart: apart,
        memory: Some(memory),
        gpu_memory: Some(gpu_memory),
        threads: Some(threads),
        device: DeviceChoice::Gpu(None),
        ..Config::default()
    };
    gpu_session::open(config)
}

const SHAPE: [usize; 3] = [23, 10, 14];

/// Small whole numbers, so that sums are exact.
fn values() -> Vec<f32> {
    (0..SHAPE.iter().product::<usize>())
        .map(|i| ((i * 7919) % 1000) as f32 - 500.0)
        .collect()
}

fn file(chunk: &[usize]) -> Array {
    Array::from_source(FileLike::of("f", &SHAPE, Some(chunk), &values())).unwrap()
}

/// `2 x + 1`, kept, and its values.
fn kept(session: &Session, chunk: &[usize]) -> (Array, Vec<f32>) {
    let doubled = (&(&file(chunk) * 2).unwrap() + 1).unwrap();
    let want = values().iter().map(|v| v * 2.0 + 1.0).collect();
    (session.persist(&doubled).unwrap(), want)
}

fn at(want: &[f32], i: usize, j: usize, k: usize) -> f32 {
    want[(i * SHAPE[1] + j) * SHAPE[2] + k]
}

#[test]
fn a_persisted_array_is_read_where_it_lies() {
    let Some(session) = session(64 << 20, 2) else {
        return;
    };
    let (kept, want) = kept(&session, &[5, 10, 14]);
    let bytes = (want.len() * 4) as u64;
    let made = session.last_report().unwrap().stages.remove(0);
    assert_eq!((made.kept_bytes, made.fallbacks), (bytes, 0), "{made:?}");

    let got = session.compute::<f32>(&(&kept - 1).unwrap()).unwrap();
    let report = session.last_report().unwrap();
    assert_eq!(report.stages[0].resident_bytes, bytes, "{report:?}");
    assert!(got.iter().zip(&want).all(|(g, w)| *g == w - 1.0));

    let sums = session.compute::<f32>(&kept.sum(&[0]).unwrap()).unwrap();
    let stage = session.last_report().unwrap().stages.remove(0);
    assert_eq!(stage.resident_bytes, bytes, "{stage:?}");
    for j in 0..SHAPE[1] {
        for k in 0..SHAPE[2] {
            let sum: f32 = (0..SHAPE[0]).map(|i| at(&want, i, j, k)).sum();
            assert_eq!(sums[[j, k]], sum);
        }
    }
}

#[test]
fn views_and_other_chunks_are_put_together_there() {
    let Some(session) = session(64 << 20, 2) else {
        return;
    };
    for chunk in [[5, 10, 14], [4, 3, 14], [23, 10, 5]] {
        let (kept, want) = kept(&session, &chunk);
        let view = kept
            .slice(&[
                s(Some(20), Some(2), Some(-3)),
                s(Some(1), Some(9), None),
                s(None, None, Some(2)),
            ])
            .unwrap();
        let got = session.compute::<f32>(&(&view * 1).unwrap()).unwrap();
        for ((i, j, k), g) in (0..6)
            .flat_map(|i| (0..8).flat_map(move |j| (0..7).map(move |k| (i, j, k))))
            .map(|at| (at, got[[at.0, at.1, at.2]]))
        {
            assert_eq!(g, at(&want, 20 - 3 * i, j + 1, 2 * k), "{chunk:?} {i} {j} {k}");
        }
        let turned = (&kept.permute_dims(&[2, 0, 1]).unwrap() + 0.5).unwrap();
        let got = session.compute::<f32>(&turned).unwrap();
        let stage = session.last_report().unwrap().stages.remove(0);
        assert!(stage.resident_bytes > 0 && stage.fallbacks == 0, "{stage:?}");
        for ((k, i, j), g) in ndarray::indices([SHAPE[2], SHAPE[0], SHAPE[1]])
            .into_iter()
            .zip(got.iter())
        {
            assert_eq!(*g, at(&want, i, j, k) + 0.5);
        }
    }
}

#[test]
fn large_states_are_fed_once_from_tiles_that_lie_there() {
    let (days, rows, columns) = (34, 250, 512);
    let cells = rows * columns;
    let value = |i: usize| ((i * 7919) % 1000) as f32 - 500.0;
    for (apart, chunk) in [(false, [5, 90, 512]), (true, [11, 250, 500])] {
        let Some(session) = session_with(512 << 20, 256 << 20, 2, apart) else {
            return;
        };
        let data: Vec<f32> = (0..days * cells).map(value).collect();
        let file = FileLike::of("f", &[days, rows, columns], Some(&chunk), &data);
        let kept = session.persist(&(&Array::from_source(file).unwrap() * 2).unwrap());
        let kept = kept.unwrap();
        let month = |day: usize| day % 5;
        let labels: Vec<u32> = (0..days).map(|day| month(day) as u32).collect();
        let sums = kept
            .group_reduce(Reduction::new(ReduceKind::Sum), 0, labels, 6)
            .unwrap();
        let got = session.compute::<f32>(&sums).unwrap();
        let report = session.last_report().unwrap();
        let stage = &report.stages[0];
        assert_eq!(stage.fallbacks, 0, "{report}");
        assert_eq!(stage.resident_bytes as usize, data.len() * 4, "{report}");
        for (group, row, column) in [(0, 0, 0), (1, 249, 511), (2, 90, 500), (4, 89, 7), (5, 3, 3)] {
            let days = (0..days).filter(|&day| month(day) == group);
            let want: f32 = days
                .map(|day| 2.0 * value(day * cells + row * columns + column))
                .sum();
            assert_eq!(got[[group, row, column]], want, "{group} {row} {column}");
        }
        let cpu: f64 = data.iter().map(|v| f64::from(v * 2.0)).sum();
        assert_eq!(got.iter().map(|&v| f64::from(v)).sum::<f64>(), cpu);
    }
}

#[test]
fn tiles_leave_a_full_device_and_come_back() {
    for apart in [false, true] {
        if let Some(session) = session_of(FULL, 2, apart) {
            leaves_and_comes_back(session);
        }
    }
}

/// Bytes of a device that is soon full.
const FULL: u64 = 1 << 20;

fn leaves_and_comes_back(session: Session) {
    let columns = 16 << 10;
    let rows = 40;
    let data: Vec<f32> = (0..rows * columns).map(|i| (i % 4093) as f32).collect();
    let chunk = [1, columns / 8];
    let x = Array::from_source(FileLike::of("f", &[rows, columns], Some(&chunk), &data)).unwrap();
    let kept = session.persist(&(&x + 1).unwrap()).unwrap();
    let report = session.last_report().unwrap();
    assert!(report.gpu_evicted_bytes > 0, "{report:?}");
    assert!(report.gpu_peak <= FULL, "{report:?}");
    for _ in 0..2 {
        let got = session.compute::<f32>(&(&kept * 2).unwrap()).unwrap();
        assert!(got.iter().zip(&data).all(|(g, v)| *g == (v + 1.0) * 2.0));
    }
    let report = session.last_report().unwrap();
    assert!(report.gpu_peak <= FULL, "{report:?}");
    drop(kept);
}

/// Computes with a fault after some tasks and compares with the plain values; returns the reports of
/// stages that met it.
fn with_fault(fault: Fault, after: usize, threads: usize) -> Option<Vec<String>> {
    let session = session_of(64 << 20, threads, after % 2 == 1)?;
    let seen = Arc::new(AtomicUsize::new(0));
    let (count, handle) = (seen.clone(), session.clone());
    session.on_event(move |event| {
        if matches!(event, Event::TaskEnded { .. }) && count.fetch_add(1, Ordering::Relaxed) == after {
            handle.inject_fault(fault);
        }
    });
    let (rows, inner, columns) = (48, 200, 16);
    let number = |i: usize| ((i * 31) % 17) as f32;
    let data: Vec<f32> = (0..rows * inner).map(number).collect();
    let other: Vec<f32> = (0..inner * columns).map(number).collect();
    let x = Array::from_source(FileLike::of("x", &[rows, inner], Some(&[4, inner]), &data)).unwrap();
    let y = FileLike::of("y", &[inner, columns], Some(&[50, columns]), &other);
    let y = Array::from_source(y).unwrap();
    // The factors are made first and left on the device; the product needs all of them.
    let product = (&x * 2).unwrap().matmul(&(&y + 1).unwrap()).unwrap();
    let result = (&product - &product.mean(&[0]).unwrap()).unwrap();
    let got = session.compute::<f32>(&result).unwrap();
    let product = |row: usize, column: usize| -> f32 {
        let terms = (0..inner).map(|k| data[row * inner + k] * 2.0 * (other[k * columns + column] + 1.0));
        terms.sum()
    };
    for column in 0..columns {
        let mean = (0..rows).map(|row| product(row, column)).sum::<f32>() / rows as f32;
        for row in 0..rows {
            let (got, want) = (got[[row, column]], product(row, column) - mean);
            assert!(
                (got - want).abs() <= 1e-2,
                "{fault:?} {row} {column}: {got} {want}"
            );
        }
    }
    let report = session.last_report().unwrap();
    Some(
        report
            .stages
            .into_iter()
            .filter_map(|s| s.fallback_reason)
            .collect(),
    )
}

#[test]
fn a_device_lost_in_the_middle_loses_no_number() {
    for after in 0..12 {
        let Some(reasons) = with_fault(Fault::Lost, after, 1 + after % 2) else {
            return;
        };
        // Whether a stage noticed depends on how much was left to do.
        let told = reasons.iter().any(|r| r.contains("device lost"));
        assert!(told || after > 1, "after {after}: {reasons:?}");
    }
}

/// Its units were told that all is well, so their tiles are made again.
#[test]
fn a_submission_that_fails_loses_no_number() {
    for after in 0..12 {
        let Some(reasons) = with_fault(Fault::Batch, after, 1 + after % 2) else {
            return;
        };
        let told = reasons.iter().any(|r| r.contains("work was lost"));
        assert!(told || after > 1, "after {after}: {reasons:?}");
    }
}

/// Of a persisted array nobody reads a tile before its run ends.
#[test]
fn a_submission_that_fails_loses_no_persisted_tile() {
    let (rows, columns) = (40, 2 << 10);
    let data: Vec<f32> = (0..rows * columns).map(|i| (i % 4093) as f32).collect();
    for fault in [Fault::Batch, Fault::Lost] {
        for after in [0, 1, 2] {
            let Some(session) = session_of(1 << 20, 1, after == 1) else {
                return;
            };
            let (seen, handle) = (AtomicUsize::new(0), session.clone());
            session.on_event(move |event| {
                let ended = matches!(event, Event::TaskEnded { .. });
                if ended && seen.fetch_add(1, Ordering::Relaxed) == after {
                    handle.inject_fault(fault);
                }
            });
            let x = FileLike::of("f", &[rows, columns], Some(&[1, columns]), &data);
            let doubled = (&Array::from_source(x).unwrap() * 2).unwrap();
            let kept = session.persist_uncopied(&doubled).unwrap();
            // Where all was submitted before the fault, the next run meets it.
            let report = session.last_report().unwrap();
            let met = report.stages[0].fallback_reason.is_some();
            assert!(met || fault == Fault::Batch, "{report:?}");
            if met {
                let got = session.compute::<f32>(&(&kept + 1).unwrap()).unwrap();
                assert!(got.iter().zip(&data).all(|(g, v)| *g == v * 2.0 + 1.0));
            }
        }
    }
}

#[test]
fn other_failures_cost_a_task_and_no_number() {
    for fault in [
        Fault::OutOfMemory,
        Fault::Submit,
        Fault::Hang,
        Fault::Shader,
        Fault::Batch,
    ] {
        for after in [0, 3, 7] {
            let Some(_) = with_fault(fault, after, 2) else {
                return;
            };
        }
    }
}

#[test]
fn a_persisted_array_outlives_its_device() {
    let Some(session) = session(64 << 20, 2) else {
        return;
    };
    let (kept, want) = kept(&session, &[5, 10, 14]);
    session.inject_fault(Fault::Lost);
    let got = session.compute::<f32>(&(&kept - 1).unwrap()).unwrap();
    assert!(got.iter().zip(&want).all(|(g, w)| *g == w - 1.0));
    let report = session.last_report().unwrap();
    assert!(report.stages[0].device.contains("lost"), "{report:?}");
}

#[test]
fn a_source_that_two_stages_read_is_sent_once() {
    let Some(session) = session(64 << 20, 2) else {
        return;
    };
    let x = file(&[5, 10, 14]);
    let anomaly = (&x - &x.mean(&[0]).unwrap()).unwrap();
    let got = session.compute::<f32>(&anomaly).unwrap();
    let want = values();
    for j in 0..SHAPE[1] {
        for k in 0..SHAPE[2] {
            let sum: f64 = (0..SHAPE[0]).map(|i| f64::from(at(&want, i, j, k))).sum();
            let mean = (sum / SHAPE[0] as f64) as f32;
            for i in 0..SHAPE[0] {
                assert_eq!(got[[i, j, k]], at(&want, i, j, k) - mean);
            }
        }
    }
    let bytes = (want.len() * 4) as u64;
    let stages = session.last_report().unwrap().stages;
    assert_eq!(stages[0].source_bytes, bytes, "{stages:?}");
    assert_eq!(stages[1].source_bytes, 0, "{stages:?}");
    assert!(stages[1].resident_bytes >= bytes, "{stages:?}");
}

/// Without memory for copies a persisted array is on the device alone: whoever reads it after that is
/// lost is told so.
#[test]
fn what_only_a_lost_device_had_is_an_error() {
    let config = Config {
        memory: Some(4 << 20),
        gpu_memory: Some(64 << 20),
        threads: Some(1),
        device: DeviceChoice::Gpu(None),
        gpu_apart: true,
        ..Config::default()
    };
    let Ok(session) = Session::new(config) else { return };
    let (rows, columns) = (64, 32 << 10);
    let data: Vec<f32> = (0..rows * columns).map(|i| (i % 1021) as f32).collect();
    let source = FileLike::of("f", &[rows, columns], Some(&[2, columns]), &data);
    let kept = session
        .persist(&(&Array::from_source(source).unwrap() + 1).unwrap())
        .unwrap();
    let total = session.compute::<f32>(&kept.max(&[0, 1]).unwrap()).unwrap();
    assert_eq!(total[[]], 1021.0);
    session.inject_fault(Fault::Lost);
    let error = session.compute::<f32>(&kept.max(&[0, 1]).unwrap()).err().unwrap();
    assert!(error.to_string().contains("persist it again"), "{error}");
}

#[test]
fn a_reduction_on_a_gpu_that_fails_begins_again() {
    // Little memory, so that there are fewer runs than blocks.
    let Some(session) = session_with(32 << 20, 8 << 20, 2, false) else {
        return;
    };
    let (rows, columns) = (64, 1 << 16);
    let values: Vec<f32> = (0..rows * columns).map(|i| (i % 251) as f32).collect();
    let mut want = vec![0f32; columns];
    for row in values.chunks(columns) {
        want.iter_mut().zip(row).for_each(|(sum, x)| *sum += x); // whole numbers below 2^24
    }
    let source = FileLike::of("g", &[rows, columns], Some(&[1, columns]), &values);
    let sums = Array::from_source(source).unwrap().sum(&[0]).unwrap();
    let plan = session.plan(&[&sums]).unwrap();
    let StageKind::Reduce { segments, .. } = plan.stages[0].kind else {
        panic!("no reduction");
    };
    assert!(plan.stages[0].grid.count() >= 2 * segments, "{segments} runs");
    for fault in [None, Some(Fault::OutOfMemory), Some(Fault::Submit)] {
        fault.into_iter().for_each(|fault| session.inject_fault(fault));
        let got = session.compute::<f32>(&sums).unwrap();
        assert_eq!(got.into_raw_vec_and_offset().0, want);
        let stage = session.last_report().unwrap().stages.remove(0);
        assert_eq!(stage.fallbacks, u64::from(fault.is_some()), "{stage:?}");
    }
}
