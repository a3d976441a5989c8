//! Blocks whose parts have programs of their own, as edges have: they are handed on whole, and have the
//! values that plain loops give.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

#[path = "common/gpu_session.rs"]
mod gpu_session;
#[path = "common/synthetic.rs"]
mod synthetic;

use gpu_session::session_on;
use std::sync::Arc;
use synthetic::{Kept, Synthetic};
use tilewise::Array;
use tilewise::session::{DeviceChoice, s};
use tilewise::store::Sink;

const SHAPE: [usize; 3] = [24, 30, 50];

fn value(place: usize) -> f64 {
    (place.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as f64
}

fn at(t: usize, y: usize, x: usize) -> f64 {
    value((t * SHAPE[1] + y) * SHAPE[2] + x)
}

/// Each element less its right neighbour, and the last column as it is; and the sum over the rows beside.
fn edged(x: &Array) -> Array {
    let cut = |from, to| {
        x.slice(&[s(None, None, None), s(None, None, None), s(from, to, None)])
            .unwrap()
    };
    let inner = (&cut(None, Some(-1)) - &cut(Some(1), None)).unwrap();
    let wide = Array::concat(&[&inner, &cut(Some(-1), None)], 2).unwrap();
    let row = |from, to| wide.slice(&[s(None, None, None), s(from, to, None)]).unwrap();
    let lower = (&row(Some(1), None) * 3.0).unwrap();
    Array::concat(&[&row(None, Some(1)), &lower], 1).unwrap()
}

fn wanted() -> Vec<f64> {
    let mut all = Vec::new();
    for t in 0..SHAPE[0] {
        for y in 0..SHAPE[1] {
            for x in 0..SHAPE[2] {
                let value = match x + 1 < SHAPE[2] {
                    true => at(t, y, x) - at(t, y, x + 1),
                    false => at(t, y, x),
                };
                all.push(if y == 0 { value } else { 3.0 * value });
            }
        }
    }
    all
}

#[test]
fn sinks_get_whole_chunks() {
    for device in [DeviceChoice::Cpu, DeviceChoice::Gpu(None)] {
        let Some(session) = session_on(device, 64 << 20) else {
            continue;
        };
        for chunk in [[4, 30, 50], [5, 30, 50], [24, 7, 11]] {
            let x = Synthetic::<f64>::new("x", &SHAPE, Some(&[1, 30, 50]), value).array();
            let array = edged(&x);
            let other = (&array + 1.0).unwrap();
            let sink = |array| Kept::of(array, Some(&chunk));
            let (first, second) = (sink(&array), sink(&other));
            session
                .store(&[
                    (&array, first.clone() as Arc<dyn Sink>),
                    (&other, second.clone() as Arc<dyn Sink>),
                ])
                .unwrap();
            let got = |sink: &Kept| bytemuck::cast_slice::<u8, f64>(&sink.bytes()).to_vec();
            assert_eq!(got(&first), wanted());
            assert_eq!(got(&second), wanted().iter().map(|v| v + 1.0).collect::<Vec<_>>());
            let chunks: usize = SHAPE.iter().zip(chunk).map(|(n, c)| n.div_ceil(c)).product();
            if device == DeviceChoice::Cpu {
                assert!(
                    first.writes() <= chunks as u64,
                    "{} writes of {chunks} chunks",
                    first.writes()
                );
            }
        }
    }
}

#[test]
fn results_tiles_and_reductions_have_the_same_values() {
    for (device, memory) in [
        (DeviceChoice::Cpu, 64 << 20),
        (DeviceChoice::Cpu, 5 << 19),
        (DeviceChoice::Gpu(None), 64 << 20),
    ] {
        let Some(session) = session_on(device, memory) else {
            continue;
        };
        let x = Synthetic::<f64>::new("x", &SHAPE, Some(&[3, 30, 50]), value).array();
        let array = edged(&x);
        let all = |array: &Array| session.compute::<f64>(array).unwrap().into_raw_vec_and_offset().0;
        assert_eq!(all(&array), wanted());
        let kept = session.persist(&array).unwrap();
        let report = session.last_report().unwrap();
        assert!(report.host_peak <= report.host_proved);
        assert_eq!(all(&kept), wanted());
        let sums: Vec<f64> = (0..SHAPE[1] * SHAPE[2])
            .map(|p| wanted().iter().skip(p).step_by(SHAPE[1] * SHAPE[2]).sum())
            .collect();
        assert_eq!(all(&array.sum(&[0]).unwrap()), sums);
        assert_eq!(all(&array.cumsum(0).unwrap())[23 * 1500..], sums);
    }
}
