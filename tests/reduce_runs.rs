//! Runs of a reduction on several workers: uneven ones hold the states that were proved, and those that
//! fail or are cancelled end, at whatever moment.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tilewise::geometry::Region;
use tilewise::session::{Config, DeviceChoice, Session};
use tilewise::store::Source;
use tilewise::{Array, DType, Error, Result};

const SHAPE: [usize; 2] = [640, 512];

/// Ones, of which some pieces take long to come, until reading fails.
#[derive(Debug)]
struct Uneven {
    reads: AtomicU64,
    fails_at: u64,
    slow: u64,
}

impl Source for Uneven {
    fn name(&self) -> String {
        "uneven".into()
    }
    fn shape(&self) -> &[usize] {
        &SHAPE
    }
    fn dtype(&self) -> DType {
        DType::F64
    }
    fn chunks(&self) -> Option<&[usize]> {
        Some(&[4, 512])
    }
    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        let number = self.reads.fetch_add(1, Ordering::Relaxed);
        if number >= self.fails_at {
            return Err(Error::invalid("the source fails"));
        }
        if self.slow > 0 && (region.start[0] as u64 / 4).is_multiple_of(self.slow) {
            std::thread::sleep(Duration::from_millis(3));
        }
        out.chunks_exact_mut(8)
            .for_each(|slot| slot.copy_from_slice(&1f64.to_ne_bytes()));
        Ok(())
    }
    fn scratch_bytes(&self, _: &Region) -> usize {
        0
    }
    fn stored_bytes(&self) -> u64 {
        (SHAPE[0] * SHAPE[1] * 8) as u64
    }
    fn fingerprint(&self) -> u64 {
        7
    }
}

fn session(threads: usize) -> Session {
    Session::new(Config {
        memory: Some(3 << 20),
        threads: Some(threads),
        device: DeviceChoice::Cpu,
        ..Config::default()
    })
    .unwrap()
}

fn sums(session: &Session, fails_at: u64, slow: u64) -> Result<Vec<f64>> {
    let source = Uneven {
        reads: AtomicU64::new(0),
        fails_at,
        slow,
    };
    let sums = Array::from_source(Arc::new(source))?.sum(&[0])?;
    Ok(session.compute::<f64>(&sums)?.into_raw_vec_and_offset().0)
}

#[test]
fn uneven_runs_keep_to_what_is_proved() {
    for threads in [1, 2, 3, 8] {
        let session = session(threads);
        for slow in [0, 3, 16, 40] {
            assert_eq!(sums(&session, u64::MAX, slow).unwrap(), vec![640.0; 512]);
            let report = session.last_report().unwrap();
            assert!(report.stages[0].tasks > 8, "{report}");
            assert!(report.host_peak <= report.host_proved, "{report}");
        }
    }
}

#[test]
fn failing_runs_end() {
    for threads in [2, 3, 8] {
        let session = session(threads);
        for turn in 0..60 {
            let failed = sums(&session, turn % 20, 1 + turn % 7);
            assert!(failed.unwrap_err().to_string().contains("the source fails"));
        }
        assert_eq!(sums(&session, u64::MAX, 0).unwrap(), vec![640.0; 512]);
    }
}

#[test]
fn cancelled_runs_end() {
    for threads in [2, 8] {
        let session = session(threads);
        for turn in 0..30 {
            let canceller = session.canceller();
            let handle = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_micros(300 * turn));
                canceller.cancel();
            });
            match sums(&session, u64::MAX, 2) {
                Ok(sums) => assert_eq!(sums, vec![640.0; 512]),
                Err(error) => assert!(matches!(error, Error::Cancelled), "{error}"),
            }
            handle.join().unwrap();
        }
    }
}
