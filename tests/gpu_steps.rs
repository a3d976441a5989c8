//! Contractions whose summed axes are longer than a card: their sums stay on it from step to step, equal
//! those of a wider type, and are made again on the CPU where it fails half way.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

#[path = "common/gpu_session.rs"]
mod gpu_session;
#[path = "common/synthetic.rs"]
mod synthetic;
#[path = "common/wide.rs"]
mod wide;

use gpu_session::assert_on_gpu;
use std::sync::Mutex;
use synthetic::Synthetic;
use tilewise::Array;
use tilewise::device::gpu::{Fault, adapters};
use tilewise::kernels::{bf16, f16};
use tilewise::session::{Config, DeviceChoice, Session};
use wide::{Wide, behind};

/// A session on an adapter that may hold so many bytes.
fn session(gpu_memory: u64, apart: bool) -> Option<Session> {
    gpu_session::session()?;
    let config = Config {
        gpu_apart: apart,
        memory: Some(256 << 20),
        gpu_memory: Some(gpu_memory),
        threads: Some(2),
        device: DeviceChoice::Gpu(None),
        ..Config::default()
    };
    Some(Session::new(config).unwrap())
}

/// Steps that the plan of an array says.
fn steps(session: &Session, array: &Array) -> usize {
    let text = session.explain(&session.plan(&[array]).unwrap());
    let found = text.split("each in ").nth(1);
    found.map_or(1, |rest| rest.split(' ').next().unwrap().parse().unwrap())
}

fn product<T: Wide>(m: usize, k: usize, n: usize) -> Array {
    let a = Synthetic::<T>::new("a", &[m, k], None, T::of);
    let b = Synthetic::<T>::new("b", &[k, n], None, T::of);
    a.array().matmul(&b.array()).unwrap()
}

/// Compares some elements with their sums.
fn check<T: Wide>(got: &ndarray::ArrayD<T>, m: usize, k: usize, n: usize) {
    for at in (0..m * n).step_by((m * n / 40).max(1) | 1) {
        let (i, j) = (at / n, at % n);
        let sum = (0..k)
            .map(|p| behind::<T>(i * k + p) * behind::<T>(p * n + j))
            .sum();
        assert!(
            got[[i, j]] == T::rounded(sum),
            "{} {i} {j}: {:?}, not {:?}",
            T::DTYPE,
            got[[i, j]],
            T::rounded(sum)
        );
    }
}

fn long_sums<T: Wide>(m: usize, k: usize, n: usize) {
    for apart in [false, true] {
        let Some(session) = session(4 << 20, apart) else {
            return;
        };
        let product = product::<T>(m, k, n);
        assert!(steps(&session, &product) > 1, "{}", T::DTYPE);
        let got = session.compute::<T>(&product).unwrap();
        assert_on_gpu(&session);
        let report = session.last_report().unwrap();
        assert!(report.gpu_peak <= 4 << 20, "{report}");
        assert!(report.host_peak <= report.host_proved, "{report}");
        check::<T>(&got, m, k, n);
    }
}

#[test]
fn sums_of_every_kind_of_dtype_stay_on_the_card() {
    long_sums::<f32>(40, 60_000, 50);
    long_sums::<f32>(3, 200_000, 5); // smaller than a tile
    long_sums::<f16>(70, 60_000, 33);
    long_sums::<bf16>(5, 200_000, 3);
    long_sums::<i8>(40, 90_000, 50);
    long_sums::<u16>(3, 300_000, 5);
    let adapter = adapters().into_iter().next();
    if adapter.as_ref().is_some_and(|a| a.f64 && a.i64) {
        long_sums::<f64>(40, 60_000, 50);
    }
    if adapter.is_some_and(|a| a.i64) {
        long_sums::<i64>(5, 60_000, 3);
    }
}

#[test]
fn blocks_of_several_steps_cover_the_result() {
    // More of the result than a block holds, and factors many times the card.
    let (m, k, n) = (500, 4000, 300);
    let Some(session) = session(2 << 20, true) else {
        return;
    };
    let a = Synthetic::<f32>::new("a", &[m, k], None, f32::of);
    let b = Synthetic::<f32>::new("b", &[k, n], None, f32::of);
    let product = a.array().matmul(&b.array()).unwrap();
    assert!(steps(&session, &product) > 1);
    let plan = session.plan(&[&product]).unwrap();
    let block = plan.stages[plan.stages.len() - 1].grid.largest();
    let got = session.compute::<f32>(&product).unwrap();
    assert_on_gpu(&session);
    // Each element of a factor is read at most once per block beside which it stands.
    let most =
        [n.div_ceil(block[1]) * m * k, m.div_ceil(block[0]) * k * n].map(|elements| 4 * elements as u64);
    assert!(
        a.bytes() <= most[0] && b.bytes() <= most[1],
        "{} {} {most:?}",
        a.bytes(),
        b.bytes()
    );
    let report = session.last_report().unwrap();
    assert!(
        report.gpu_peak <= 2 << 20 && report.stages.iter().any(|s| s.tasks > 1),
        "{report}"
    );
    check::<f32>(&got, m, k, n);
}

#[test]
fn factors_in_host_memory_are_sent_in_steps_too() {
    let (m, k, n) = (300, 20_000, 200);
    let Some(session) = session(4 << 20, true) else {
        return;
    };
    let matrix = |rows: usize, cols: usize| {
        Array::from_vec(&[rows, cols], (0..rows * cols).map(f32::of).collect()).unwrap()
    };
    let product = matrix(m, k).matmul(&matrix(k, n)).unwrap();
    assert!(steps(&session, &product) > 1);
    let got = session.compute::<f32>(&product).unwrap();
    assert_on_gpu(&session);
    let report = session.last_report().unwrap();
    assert!(report.gpu_peak <= 4 << 20, "{report}");
    check::<f32>(&got, m, k, n);
}

/// What is to fail when the middle of the first row is read.
static PENDING: Mutex<Option<(Session, Fault)>> = Mutex::new(None);

fn made_with_fault(place: usize) -> f32 {
    if place == 30_000
        && let Some((session, fault)) = PENDING.lock().unwrap().take()
    {
        session.inject_fault(fault);
    }
    f32::of(place)
}

#[test]
fn a_failure_half_way_is_made_good_on_the_cpu() {
    let faults = [Fault::OutOfMemory, Fault::Submit, Fault::Hang, Fault::Lost];
    // Of factors that are read, and of some that are computed there.
    for (fault, computed) in faults.into_iter().flat_map(|f| [(f, false), (f, true)]) {
        let Some(session) = session(4 << 20, true) else {
            return;
        };
        let a = Synthetic::<f32>::new("a", &[40, 60_000], None, made_with_fault);
        let b = Synthetic::<f32>::new("b", &[60_000, 50], None, f32::of);
        let [mut a, mut b] = [a.array(), b.array()];
        if computed {
            [a, b] = [(-&a).unwrap(), (-&b).unwrap()];
        }
        let product = a.matmul(&b).unwrap();
        assert!(steps(&session, &product) > 2);
        *PENDING.lock().unwrap() = Some((session.clone(), fault));
        let got = session.compute::<f32>(&product).unwrap();
        check::<f32>(&got, 40, 60_000, 50);
        let report = session.last_report().unwrap();
        assert!(
            report.stages.iter().any(|s| s.fallbacks > 0),
            "{fault:?}: {report}"
        );
    }
}
