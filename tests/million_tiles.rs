//! Work of a million tasks: what is kept for each is little beside the budget, and it ends in seconds.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::sync::Arc;
use tilewise::geometry::Region;
use tilewise::session::{Config, DeviceChoice, Session};
use tilewise::store::Source;
use tilewise::{Array, DType, Result};

const MIB: u64 = 1 << 20;

/// The variable that tells this test's own binary, started again, that it plays the child.
const ROLE: &str = "TILEWISE_TEST_MILLION_TILES";

/// The least memory of a buffer.
const PAGE: usize = 4096;

/// Rows of ones, each a chunk.
#[derive(Debug)]
struct Ones([usize; 2]);

impl Source for Ones {
    fn name(&self) -> String {
        "ones".into()
    }
    fn shape(&self) -> &[usize] {
        &self.0
    }
    fn dtype(&self) -> DType {
        DType::U8
    }
    fn chunks(&self) -> Option<&[usize]> {
        Some(&[1, PAGE])
    }
    fn read(&self, _: &Region, out: &mut [u8]) -> Result<()> {
        out.fill(1);
        Ok(())
    }
    fn scratch_bytes(&self, _: &Region) -> usize {
        0
    }
    fn stored_bytes(&self) -> u64 {
        (self.0[0] * self.0[1]) as u64
    }
    fn fingerprint(&self) -> u64 {
        1
    }
}

#[test]
fn a_million_tiles_take_no_memory_of_their_own() {
    const ROWS: usize = 1 << 20;
    if std::env::var_os(ROLE).is_none() {
        if tilewise::store::peak_rss().is_none() {
            eprintln!("skipped: this system does not tell the resident size");
            return;
        }
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "a_million_tiles_take_no_memory_of_their_own",
            ])
            .env(ROLE, "child")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        println!("{text}");
        return;
    }
    // A chunk a row, and so little memory that each is a task.
    let array = Array::from_source(Arc::new(Ones([ROWS, PAGE]))).unwrap();
    let session = Session::new(Config {
        memory: Some(MIB + 3 * PAGE as u64),
        threads: Some(2),
        device: DeviceChoice::Cpu,
        ..Config::default()
    })
    .unwrap();
    let sum = array.sum(&[0, 1]).unwrap();
    let before = tilewise::store::current_rss().unwrap();
    let started = std::time::Instant::now();
    let total = session.compute::<u64>(&sum).unwrap();
    let report = session.last_report().unwrap();
    assert_eq!(total[[]], (ROWS * PAGE) as u64);
    let grown = report.rss_peak.unwrap().saturating_sub(before);
    println!(
        "{} tasks in {:.1} s, planned in {:.1} ms, grown by {}",
        report.stages[0].tasks,
        started.elapsed().as_secs_f64(),
        report.plan_seconds * 1e3,
        tilewise::human_bytes(grown)
    );
    assert!(report.stages[0].tasks >= 1_000_000, "{report}");
    assert!(grown < 50 * MIB, "{grown}");
}
