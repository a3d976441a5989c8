//! Contractions whose summed axes are longer than memory: they are summed piece by piece, to the values
//! of a wider type, within the budget and with little more reading than the budget forces.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/synthetic.rs"]
mod synthetic;
#[path = "common/wide.rs"]
mod wide;

use synthetic::{Kept, Synthetic};
use tilewise::Array;
use tilewise::session::{Config, DeviceChoice, Session};
use tilewise_kernels::{bf16, f16};
use wide::{Wide, behind, number};

const MIB: u64 = 1 << 20;

fn session(memory: u64, threads: usize) -> Session {
    Session::new(Config {
        memory: Some(memory),
        threads: Some(threads),
        device: DeviceChoice::Cpu,
        ..Config::default()
    })
    .unwrap()
}

/// Steps that the plan of an array says.
fn steps(session: &Session, array: &Array) -> usize {
    let text = session.explain(&session.plan(&[array]).unwrap());
    let found = text.split("each in ").nth(1);
    found.map_or(1, |rest| rest.split(' ').next().unwrap().parse().unwrap())
}

/// What was held stays within what was proved, and that within the budget.
fn check_memory(session: &Session) {
    let report = session.last_report().unwrap();
    assert!(
        report.host_peak <= report.host_proved && report.host_proved <= report.host_budget,
        "{report}"
    );
}

fn long_sums<T: Wide>(m: usize, k: usize, n: usize) {
    let a = Synthetic::<T>::new("a", &[m, k], None, T::of);
    let b = Synthetic::<T>::new("b", &[k, n], None, T::of);
    let row = (k * T::DTYPE.size()) as u64;
    let session = session(2 * MIB, 2);
    assert!(2 * row > 2 * MIB, "one row and one column do not fit");
    let product = a.array().matmul(&b.array()).unwrap();
    assert!(steps(&session, &product) > 1, "{}", T::DTYPE);
    let got = session.compute::<T>(&product).unwrap();
    check_memory(&session);
    for i in 0..m {
        for j in 0..n {
            let products = (0..k).map(|p| behind::<T>(i * k + p).wrapping_mul(behind::<T>(p * n + j)));
            let want = T::rounded(products.fold(0i128, i128::wrapping_add));
            assert!(
                got[[i, j]] == want,
                "{}: {:?}, not {want:?}",
                T::DTYPE,
                got[[i, j]]
            );
        }
    }
}

#[test]
fn sums_of_every_kind_of_dtype_are_exact_where_they_can_be() {
    long_sums::<f64>(3, 150_000, 4);
    long_sums::<f32>(4, 300_000, 3);
    long_sums::<i8>(2, 1_200_000, 2);
    long_sums::<u16>(2, 600_000, 2);
    long_sums::<i32>(2, 300_000, 3);
    long_sums::<i64>(3, 150_000, 2);
    long_sums::<f16>(2, 600_000, 3);
    long_sums::<bf16>(3, 600_000, 2);
}

#[test]
fn a_product_of_bools_is_true_where_some_pair_is() {
    let k = 2_500_000;
    let a = Synthetic::<bool>::new("a", &[2, k], None, |place| {
        place == 7 || place == 2_500_000 + 2_400_000
    });
    let b = Synthetic::<bool>::new("b", &[2, k], None, |place| place == 2_400_000);
    let product = a.array().matmul(&b.array().transpose().unwrap()).unwrap();
    let session = session(2 * MIB, 1);
    assert!(steps(&session, &product) > 1);
    let got = session.compute::<bool>(&product).unwrap();
    assert_eq!(
        got.iter().copied().collect::<Vec<_>>(),
        [false, false, true, false]
    );
}

#[test]
fn special_values_are_summed_plainly() {
    let k = 200_000usize;
    // Rows of ones with one other element each, in other pieces.
    let a = Synthetic::<f64>::new("a", &[5, 200_000], None, |place| match place {
        10 => f64::NAN,
        399_999 => f64::INFINITY,
        400_100 => f64::INFINITY,
        599_000 => f64::NEG_INFINITY,
        _ if place >= 800_000 => -0.0,
        _ => 1.0,
    });
    let b = Synthetic::<f64>::new(
        "b",
        &[200_000, 2],
        None,
        |place| if place % 2 == 0 { 1.0 } else { 0.0 },
    );
    let product = a.array().matmul(&b.array()).unwrap();
    let session = session(2 * MIB, 2);
    assert!(steps(&session, &product) > 1);
    let got = session.compute::<f64>(&product).unwrap();
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    // NaN · 0 and ∞ · 0 are NaN, ∞ − ∞ too; −0 · 1 sums to 0.
    let want = [nan, nan, inf, nan, nan, nan, k as f64, 0.0, 0.0, 0.0];
    for (got, want) in got.iter().zip(want) {
        assert!(got == &want || got.is_nan() && want.is_nan(), "{got}, not {want}");
    }
}

#[test]
fn batches_several_summed_axes_and_empty_ones() {
    // out[b, i, j] = Σ a[i, p, b, q] · c[q, b, j, p]
    let (nb, m, n, p, q) = (3, 2, 4, 300, 400);
    let a = Synthetic::<f32>::new("a", &[m, p, nb, q], Some(&[1, 50, 3, 100]), |i| number(i) as f32);
    let c = Synthetic::<f32>::new("c", &[q, nb, n, p], None, |i| number(i + 5) as f32);
    let sum = Array::einsum("ipbq,qbjp->bij", &[&a.array(), &c.array()]).unwrap();
    let session = session(3 * MIB / 2, 2);
    assert!(steps(&session, &sum) > 1);
    let got = session.compute::<f32>(&sum).unwrap();
    check_memory(&session);
    for (b, i, j) in [(0, 0, 0), (2, 1, 3), (1, 0, 2), (1, 1, 0)] {
        let mut want = 0i64;
        for (vp, vq) in (0..p).flat_map(|vp| (0..q).map(move |vq| (vp, vq))) {
            want += number(((i * p + vp) * nb + b) * q + vq) * number(((vq * nb + b) * n + j) * p + vp + 5);
        }
        assert_eq!(got[[b, i, j]], want as f32, "{b} {i} {j}");
    }
    let (x, y) = (
        Array::full(&[3, 0], 1.0f32).unwrap(),
        Array::full(&[0, 2], 1.0f32).unwrap(),
    );
    let none = session.compute::<f32>(&x.matmul(&y).unwrap()).unwrap();
    assert_eq!(none.iter().copied().collect::<Vec<_>>(), [0.0; 6]);
}

#[test]
fn bits_depend_on_neither_threads_nor_whole_runs() {
    let fraction = |i: usize| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f32 / 1e7 - 0.7;
    let a = Synthetic::<f32>::new("a", &[40, 60_000], None, fraction);
    let b = Synthetic::<f32>::new("b", &[60_000, 30], None, fraction);
    let product = a.array().matmul(&b.array()).unwrap();
    let whole = session(1 << 30, 2).compute::<f32>(&product).unwrap();
    for threads in [1, 2, 5] {
        let tiny = session(5 * MIB / 2, threads);
        assert!(steps(&tiny, &product) > 1);
        // Pieces are whole runs of what the loops sum at once.
        assert_eq!(tiny.compute::<f32>(&product).unwrap(), whole, "{threads} threads");
    }
    for (i, j) in [(0, 0), (39, 29), (20, 11)] {
        let products =
            (0..60_000).map(|p| f64::from(fraction(i * 60_000 + p)) * f64::from(fraction(p * 30 + j)));
        let (sum, size) = products.fold((0.0, 0.0), |(sum, size), x| (sum + x, size + x.abs()));
        let error = (f64::from(whole[[i, j]]) - sum).abs();
        assert!(
            error <= size * f64::from(f32::EPSILON) * 128.0,
            "{error} of {size}"
        );
    }
}

#[test]
fn little_more_is_read_than_the_budget_forces() {
    // Operands of 8 times the budget.
    let (n, k) = (768, 2731);
    let budget = 4 * MIB;
    let a = Synthetic::<f64>::new("a", &[n, k], None, |i| number(i) as f64);
    let b = Synthetic::<f64>::new("b", &[k, n], None, |i| number(i) as f64);
    let product = a.array().matmul(&b.array()).unwrap();
    let session = session(budget, 2);
    let kept = Kept::of(&product, None);
    let plan = session.plan_store(&[(&product, kept.clone())]).unwrap();
    session.store(&[(&product, kept.clone())]).unwrap();
    check_memory(&session);
    let block = plan.stages[plan.stages.len() - 1].grid.largest();
    let edge = block[0].min(block[1]) as f64;
    let model = |edge: f64| 2.0 * (n * n * k * 8) as f64 / edge;
    let read = (a.bytes() + b.bytes()) as f64;
    // The largest block of the result that would fill half of the budget alone: of so small a budget, what
    // kernels take by themselves is as much.
    let best = (budget as f64 / 2.0 / 8.0).sqrt();
    println!(
        "blocks {block:?}, read {:.1} MiB: {:.2} of the model, {:.2} of the model for blocks of half the budget; {}",
        read / MIB as f64,
        read / model(edge),
        read / model(best),
        plan.memory
    );
    assert!(read <= 1.3 * model(edge), "{read} for {}", model(edge));
    assert!(read <= 1.4 * model(best), "{read} for {}", model(best));
    let bytes = kept.bytes();
    let got: &[f64] = bytemuck::cast_slice(&bytes);
    for (i, j) in [(0, 0), (n - 1, n - 1), (300, 7)] {
        let want: i64 = (0..k).map(|p| number(i * k + p) * number(p * n + j)).sum();
        assert_eq!(got[i * n + j], want as f64);
    }
}
