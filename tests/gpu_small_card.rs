//! Block operations on a card that cannot hold their blocks at once: blocks are cut along axes that
//! the operation does not span, and only a lane that is too long itself runs on the CPU.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

#[path = "common/gpu_session.rs"]
mod gpu_session;

use gpu_session::{assert_on_gpu, cpu_session};
use tilewise::Array;
use tilewise::session::{Config, DeviceChoice, Session};

/// A session on an adapter that may hold so many bytes.
fn session(gpu_memory: u64, apart: bool) -> Option<Session> {
    gpu_session::session()?;
    let config = Config {
        gpu_apart: apart,
        memory: Some(1 << 30),
        gpu_memory: Some(gpu_memory),
        threads: Some(2),
        device: DeviceChoice::Gpu(None),
        ..Config::default()
    };
    Some(Session::new(config).unwrap())
}

fn bytes(session: &Session, array: &Array) -> Vec<u8> {
    let mut bytes = vec![0; array.len() * array.dtype().size()];
    session.compute_into(&[array], vec![&mut bytes]).unwrap();
    bytes
}

fn field(rows: usize, cols: usize) -> Array {
    let value = |i: usize| match i % 97 {
        13 => f32::NAN,
        n => ((i * 7919) % 1009) as f32 - n as f32,
    };
    Array::from_vec(&[rows, cols], (0..rows * cols).map(value).collect()).unwrap()
}

#[test]
fn blocks_are_cut_until_a_card_can_hold_them() {
    for apart in [false, true] {
        let Some(session) = session(1 << 20, apart) else {
            return;
        };
        let x = field(3000, 130);
        let counts = Array::from_vec(
            &[3000, 130],
            (0..3000 * 130).map(|i| i % 5 - 1).collect::<Vec<i32>>(),
        );
        for (name, result) in [
            ("sort", x.sort(0).unwrap()),
            ("argsort", x.argsort(0).unwrap()),
            ("sorted rows", x.sort(1).unwrap()),
            ("median", x.median(Some(&[0]), true, false).unwrap()),
            ("running sum", counts.unwrap().cumsum(1).unwrap()),
            (
                "moving maximum",
                x.rolling(0, 5, None, false).unwrap().max().unwrap(),
            ),
        ] {
            let got = bytes(&session, &result);
            assert_on_gpu(&session);
            assert!(got == bytes(&cpu_session(), &result), "{name}");
            let peak = session.last_report().unwrap().gpu_peak;
            assert!(peak <= 1 << 20, "{name}: {peak} bytes");
        }
    }
}

#[test]
fn a_lane_that_is_too_long_is_for_the_cpu() {
    let Some(session) = session(1 << 20, false) else {
        return;
    };
    let x = field(400_000, 2);
    let sorted = x.sort(0).unwrap();
    assert!(bytes(&session, &sorted) == bytes(&cpu_session(), &sorted));
    let report = session.last_report().unwrap();
    let stage = report.stages.iter().find(|s| s.reason == "whole blocks").unwrap();
    assert_eq!(stage.fallbacks, 2, "a column each: {report}");
    let why = stage.fallback_reason.clone().unwrap_or_default();
    assert!(why.contains("gpu memory") && why.contains("spans"), "{why}");
}
