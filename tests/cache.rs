//! What `Session::cache` keeps: computed once, found by content, within the memory and the disk that there
//! are, given up rather than in the way, and the same numbers with and without.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

#[path = "common/gpu_session.rs"]
mod gpu_session;
#[path = "common/synthetic.rs"]
mod synthetic;

use std::sync::Arc;
use synthetic::{Kept, Synthetic};
use tilewise::device::gpu::Fault;
use tilewise::session::{Config, DeviceChoice, s};
use tilewise::store::Sink;
use tilewise::{Array, Error, Session};

const MIB: u64 = 1 << 20;
const SHAPE: [usize; 3] = [60, 64, 64];

/// Whole numbers, so that sums are exact.
fn value(place: usize) -> f64 {
    (place.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 52) as f64 - 2048.0
}

fn session(config: Config) -> Session {
    Session::new(Config {
        threads: Some(2),
        device: match config.device {
            DeviceChoice::Auto => DeviceChoice::Cpu,
            chosen => chosen,
        },
        ..config
    })
    .unwrap()
}

fn with_memory(memory: u64) -> Session {
    session(Config {
        memory: Some(memory),
        ..Config::default()
    })
}

/// A source of 1.9 MiB and its deviations from the mean over time, times 60 so that they are whole.
fn anomaly(source: &Arc<Synthetic<f64>>) -> Array {
    let x = source.array();
    (&(&x * 60.0).unwrap() - &x.sum(&[0]).unwrap()).unwrap()
}

fn source(name: &str) -> Arc<Synthetic<f64>> {
    Synthetic::new(name, &SHAPE, Some(&[7, 64, 40]), value)
}

/// The anomaly by plain loops.
fn wanted() -> Vec<f64> {
    let plane = SHAPE[1] * SHAPE[2];
    let sums: Vec<f64> = (0..plane)
        .map(|p| (0..SHAPE[0]).map(|t| value(t * plane + p)).sum())
        .collect();
    (0..SHAPE[0] * plane)
        .map(|i| 60.0 * value(i) - sums[i % plane])
        .collect()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max)
}

fn all(session: &Session, array: &Array) -> Vec<f64> {
    session.compute::<f64>(array).unwrap().into_raw_vec_and_offset().0
}

#[test]
fn the_first_computation_keeps_it_and_later_ones_read_it() {
    let (session, from) = (with_memory(64 * MIB), source("once"));
    let array = anomaly(&from);
    session.cache(&array);
    assert!(
        !session.is_cached(&array) && from.reads() == 0,
        "nothing is computed yet"
    );
    assert_eq!(
        all(&session, &array.max(&[0, 1, 2]).unwrap()),
        [largest(&wanted())]
    );
    assert!(session.is_cached(&array));
    assert_eq!(session.kept_bytes(), (array.len() * 8) as u64);
    let report = session.last_report().unwrap();
    assert!(report.cache_seconds > 0.0 && report.seconds > report.cache_seconds);

    let reads = from.reads();
    // An equal expression made anew is found too, inside of others and sliced.
    let equal = anomaly(&from);
    assert_eq!(all(&session, &equal), wanted());
    let least = all(&session, &(&equal.min(&[0]).unwrap() + 1.0).unwrap());
    let plane = SHAPE[1] * SHAPE[2];
    let want = |p: usize| {
        (0..SHAPE[0])
            .map(|t| wanted()[t * plane + p])
            .fold(f64::MAX, f64::min)
    };
    assert_eq!(least[17], want(17) + 1.0);
    let row = equal.slice(&[s(Some(5), Some(6), None)]).unwrap();
    assert_eq!(all(&session, &row), wanted()[5 * plane..6 * plane]);
    let kept = Kept::of(&equal, Some(&[8, 64, 64]));
    session.store(&[(&equal, kept.clone() as Arc<dyn Sink>)]).unwrap();
    assert_eq!(bytemuck::cast_slice::<u8, f64>(&kept.bytes()), wanted());
    assert!(
        session
            .explain(&session.plan(&[&equal]).unwrap())
            .contains("persisted array")
    );
    // What is cached is persisted by one more handle.
    let (bytes, persisted) = (session.kept_bytes(), session.persist(&equal).unwrap());
    assert_eq!(
        (session.kept_bytes(), all(&session, &persisted)),
        (bytes, wanted())
    );
    drop(persisted);
    assert_eq!(from.reads(), reads, "read from its source again");
    assert_eq!(session.last_report().unwrap().cache_seconds, 0.0);

    assert!(session.uncache(&array) && !session.uncache(&array));
    assert_eq!((session.kept_bytes(), session.is_cached(&array)), (0, false));
    all(&session, &array.sum(&[0]).unwrap());
    assert!(from.reads() > reads && session.kept_bytes() == 0);
}

#[test]
fn what_is_needed_in_part_is_not_computed_whole() {
    let (session, from) = (with_memory(64 * MIB), source("part"));
    let doubled = (&from.array() * 2.0).unwrap();
    session.cache(&doubled);
    for part in [
        doubled.slice(&[s(Some(3), Some(4), None)]).unwrap(),
        doubled.slice(&[s(None, None, Some(2))]).unwrap(),
        doubled.take(&[0, 1, 1, 2], 1).unwrap(),
    ] {
        session.compute::<f64>(&part.sum(&[0, 1, 2]).unwrap()).unwrap();
        assert!(!session.is_cached(&doubled), "{part:?}");
    }
    assert!(from.bytes() < 2 * (doubled.len() * 8) as u64);
    // Turned, reversed, broadcast and reordered it is all there.
    let shuffled: Vec<i64> = (0..SHAPE[2] as i64).rev().collect();
    for (n, view) in [
        doubled.transpose().unwrap(),
        doubled.flip(&[0, 2]).unwrap(),
        doubled.broadcast_to(&[2, 60, 64, 64]).unwrap(),
        doubled.take(&shuffled, 2).unwrap(),
    ]
    .iter()
    .enumerate()
    {
        let session = with_memory(64 * MIB);
        session.cache(&doubled);
        let axes: Vec<isize> = (0..view.rank() as isize).collect();
        session.compute::<f64>(&view.sum(&axes).unwrap()).unwrap();
        assert!(session.is_cached(&doubled), "view {n}");
    }
}

#[test]
fn marked_arrays_are_made_of_each_other() {
    let (session, from) = (with_memory(64 * MIB), source("nested"));
    let inner = (&from.array() + 1.0).unwrap();
    let sorted = inner.sort(0).unwrap();
    session.cache(&sorted);
    session.cache(&inner);
    session.cache(&inner);
    let want = all(&with_memory(64 * MIB), &sorted);
    let before = from.bytes();
    assert_eq!(all(&session, &sorted), want);
    assert!(session.is_cached(&inner) && session.is_cached(&sorted));
    assert_eq!(from.bytes() - before, (inner.len() * 8) as u64, "read once");
    let before = from.reads();
    assert_eq!(all(&session, &inner), all(&session, &inner));
    assert_eq!(from.reads(), before);
}

#[test]
fn closures_see_the_chunks_that_they_would_see_without() {
    let from = source("closure");
    let doubled = (&from.array() * 2.0).unwrap();
    let origins = |session: &Session| {
        let place = doubled.map_blocks::<f64, f64>("place", |_, shape, origin, out| {
            out.fill((origin[0] * 10_000 + origin[2] * 100 + shape[0]) as f64);
            Ok(())
        });
        all(session, &place.unwrap())
    };
    let (with, without) = (with_memory(64 * MIB), with_memory(64 * MIB));
    with.cache(&doubled);
    assert_eq!(origins(&with), origins(&without));
    assert!(with.is_cached(&doubled));
    assert_eq!(origins(&with), origins(&without));
}

#[test]
fn tiles_are_spilled_within_the_budget_and_given_up_when_the_disk_is_full() {
    // 15 MiB in 4 MiB.
    let from = Synthetic::<f64>::new("large", &[480, 64, 64], Some(&[480, 1, 64]), value);
    let sorted = from.array().sort(0).unwrap();
    let bytes = (sorted.len() * 8) as u64;
    let stored = |session: &Session, array: &Array| {
        let kept = Kept::of(array, None);
        session
            .store(&[(array, kept.clone() as Arc<dyn Sink>)])
            .map(|()| kept.bytes())
    };
    let want = stored(&with_memory(1 << 30), &sorted).unwrap();
    for (disk, holds) in [(u64::MAX, 2), (bytes + MIB, 1), (4 * MIB, 0)] {
        let session = session(Config {
            memory: Some(4 * MIB),
            spill_limit: Some(disk),
            ..Config::default()
        });
        session.cache(&sorted);
        for turn in 0..2 {
            let before = from.reads();
            assert!(stored(&session, &sorted).unwrap() == want, "{disk}");
            let report = session.last_report().unwrap();
            assert!(report.host_peak <= report.host_proved && report.host_proved <= 4 * MIB);
            assert_eq!(session.is_cached(&sorted), holds > 0, "{disk}");
            assert_eq!(from.reads() > before, turn == 0 || holds == 0, "{disk}");
        }
        // A run that needs the disk for itself takes it.
        let turned = (&from.array() + 0.5).unwrap().sort(0).unwrap();
        let deviation = (&turned - &turned.mean(&[0]).unwrap()).unwrap();
        match (holds, stored(&session, &deviation)) {
            (0, Err(Error::Memory { tier: "disk", .. })) => {}
            (0, other) => panic!("{:?}", other.map(|_| ())),
            (_, other) => {
                other.unwrap();
                assert_eq!(session.is_cached(&sorted), holds == 2, "{disk}");
            }
        }
    }
}

#[test]
fn what_is_as_soon_computed_again_is_not_spilled() {
    let from = Synthetic::<f64>::new("cheap", &[480, 64, 64], Some(&[60, 64, 64]), value);
    let session = with_memory(4 * MIB);
    let doubled = (&from.array() * 2.0).unwrap();
    session.cache(&doubled);
    session.compute::<f64>(&doubled.sum(&[0]).unwrap()).unwrap();
    assert!(!session.is_cached(&doubled));
    assert_eq!(session.last_report().unwrap().spilled_bytes, 0);
    let mean = doubled.mean(&[0]).unwrap();
    session.cache(&mean);
    session.compute::<f64>(&mean).unwrap();
    assert!(session.is_cached(&mean));
}

#[test]
fn odd_arrays_are_kept_as_well() {
    let session = with_memory(64 * MIB);
    let nan = Array::from_vec(&[3], vec![f64::NAN, -0.0, f64::INFINITY]).unwrap();
    for array in [
        Array::scalar(2.5f64),
        Array::full(&[0, 4], 1.0f64).unwrap(),
        nan.sort(0).unwrap(),
        Array::arange(5).unwrap().astype(tilewise::DType::F64),
        source("stored").array(),
    ] {
        session.cache(&array);
        let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let want = bits(all(&with_memory(64 * MIB), &array));
        assert_eq!(bits(all(&session, &array)), want);
        assert!(session.is_cached(&array), "{array:?}");
        assert_eq!(bits(all(&session, &array)), want);
    }
}

#[test]
fn a_lost_device_costs_a_second_computation_only() {
    let config = Config {
        memory: Some(256 * MIB),
        gpu_memory: Some(64 * MIB),
        device: DeviceChoice::Gpu(None),
        gpu_apart: true,
        ..Config::default()
    };
    let Some(session) = gpu_session::open(config) else {
        return;
    };
    let from = source("device");
    let array = anomaly(&from);
    session.cache(&array);
    assert_eq!(
        all(&session, &array.max(&[0, 1, 2]).unwrap()),
        [largest(&wanted())]
    );
    assert!(session.is_cached(&array));
    let reads = from.reads();
    assert_eq!(all(&session, &array), wanted());
    assert_eq!(from.reads(), reads);
    session.inject_fault(Fault::Lost);
    assert_eq!(
        all(&session, &array.max(&[0, 1, 2]).unwrap()),
        [largest(&wanted())]
    );
    assert_eq!(all(&session, &array), wanted());
}
