//! How long a plan over millions of tiles takes to make, and how much memory it holds.
//!
//! A plan is as large as its expressions, never as its tiles: that is what lets a run over 10^7
//! tiles start at once. A table of tiles that slips into the planner shows here, as time and as
//! resident bytes; the growth of the process is asserted, the time is reported.

use criterion::Criterion;
use std::hint::black_box;
use std::sync::Arc;
use tilewise::geometry::Region;
use tilewise::plan::{Destination, Limits, Plan, Root, TaskSize};
use tilewise::session::Array;
use tilewise::store::Source;
use tilewise::{DType, Error, ReduceKind, Reduction, Result};

const LIMITS: Limits = Limits {
    tasks: TaskSize::CPU,
    host: 4 << 30,
    disk: 1 << 40,
    kept: 0,
    workers: 2,
    reserved: 0,
};
/// Bytes by which making a plan may grow the process.
const MOST_BYTES: usize = 50 << 20;

/// A file of hourly fields, one chunk an hour, that is planned for and never read.
#[derive(Debug)]
struct Hourly {
    shape: [usize; 3],
    chunk: [usize; 3],
}

impl Source for Hourly {
    fn name(&self) -> String {
        "hourly.nc:tas".into()
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn dtype(&self) -> DType {
        DType::F32
    }
    fn chunks(&self) -> Option<&[usize]> {
        Some(&self.chunk)
    }
    fn read(&self, _: &Region, _: &mut [u8]) -> Result<()> {
        Err(Error::invalid("this source is for plans and has no data"))
    }
    fn scratch_bytes(&self, _: &Region) -> usize {
        0
    }
    fn stored_bytes(&self) -> u64 {
        (self.shape.iter().product::<usize>() * self.dtype().size()) as u64
    }
    fn fingerprint(&self) -> u64 {
        self.shape[0] as u64
    }
}

/// The spread of the anomaly from the mean of all hours, or from that of each hour of the day.
fn roots(hours: usize, grouped: bool) -> Result<Vec<Root>> {
    let tas = Array::from_source(Arc::new(Hourly {
        shape: [hours, 1024, 2048],
        chunk: [1, 1024, 2048],
    }))?;
    let normal = if grouped {
        let labels: Vec<u32> = (0..hours as u32).map(|hour| hour % 24).collect();
        let members: Vec<i64> = labels.iter().map(|&hour| i64::from(hour)).collect();
        let cycle = tas.group_reduce(Reduction::new(ReduceKind::Mean), 0, labels, 24)?;
        cycle.take(&members, 0)?
    } else {
        tas.mean(&[0])?
    };
    let spread = (&tas - &normal)?.std(&[0], 0)?;
    Ok(vec![Root {
        expr: spread.expr().clone(),
        to: Destination::Result,
    }])
}

/// `VmHWM` or `VmRSS` of this process in bytes, where there is `/proc`.
fn resident(field: &str) -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? * 1024)
}

/// Makes a plan and asserts by how much the process grew at most.
fn check_memory(roots: &[Root], hours: usize) {
    let before = resident("VmRSS");
    let plan = Plan::new(roots, LIMITS).expect("it fits");
    let tiles: usize = plan.stages.iter().map(|stage| stage.grid.count()).sum();
    assert!(
        tiles >= hours,
        "{tiles} tiles of {hours} hours: too few to tell anything"
    );
    let Some((before, after)) = before.zip(resident("VmHWM")) else {
        println!("a plan of {tiles} tiles; no /proc, so its memory is not measured");
        return;
    };
    let grown = after.saturating_sub(before);
    println!(
        "a plan of {tiles} tiles: the process grew by {:.1} MB",
        grown as f64 / 1e6
    );
    assert!(grown < MOST_BYTES, "{grown} bytes, {MOST_BYTES} allowed");
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (hours, grouped) in [(1_000_000, false), (10_000_000, false), (1_000_000, true)] {
        let roots = roots(hours, grouped).expect("the expression is sound");
        check_memory(&roots, hours);
        let name = format!(
            "plan {} over {hours} chunks",
            if grouped { "groups" } else { "mean" }
        );
        criterion.bench_function(&name, |b| b.iter(|| Plan::new(black_box(&roots), LIMITS)));
    }
    criterion.final_summary();
}
