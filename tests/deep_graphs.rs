//! Graphs that a loop builds: long chains, and values used again at each step. Planning them takes
//! neither the caller's stack nor time that doubles with each step.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

mod common;

use common::FileLike;
use tilewise::Array;
use tilewise::session::{ChunkSpec, Config, DeviceChoice, Session};

fn session() -> Session {
    let config = Config {
        memory: Some(64 << 20),
        device: DeviceChoice::Cpu,
        ..Config::default()
    };
    Session::new(config).unwrap()
}

#[test]
fn a_chain_of_many_operations_is_planned_and_freed() {
    let mut x = Array::from_vec(&[5], vec![0i64; 5]).unwrap();
    let start = x.clone();
    for step in 0..20_000 {
        x = if step % 2 == 0 {
            (&x + 3).unwrap()
        } else {
            (&x + &start).unwrap()
        };
    }
    let got = session().compute::<i64>(&x).unwrap();
    assert_eq!(got.into_raw_vec_and_offset().0, [30_000; 5]);
}

#[test]
fn a_value_used_twice_at_each_of_many_steps_is_planned_once() {
    let values = [1i64, 2, 3, 4, 5, 6];
    let source = FileLike::of("z", &[6], Some(&[2]), &values).compressed(8);
    let mut x = Array::from_source(source).unwrap();
    for _ in 0..60 {
        x = (&x + &x).unwrap();
    }
    let taken = x.take(&[5, 0, 3], 0).unwrap();
    let rechunked = x.rechunk(&[ChunkSpec::Size(3)]).unwrap();
    let session = session();
    let doubled = |n: i64| n.wrapping_mul(1 << 60);
    let got = session.compute::<i64>(&taken).unwrap();
    assert_eq!(got.into_raw_vec_and_offset().0, [6, 1, 4].map(doubled));
    let got = session.compute::<i64>(&rechunked).unwrap();
    assert_eq!(got.into_raw_vec_and_offset().0, values.map(doubled));
}
