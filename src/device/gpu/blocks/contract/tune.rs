//! Which tiling is fastest on an adapter.
//!
//! The first large contraction of a kind of numbers tries the large tilings on a matrix of bounded
//! size; what it finds is kept in the user's cache folder. Small contractions and software adapters
//! go by what the table says. The choice changes no result: tilings add in the same order.

use super::inner::Inner;
use super::packed::{LOOP_WORDS, Loops};
use super::plan::choose;
use super::problem::Problem;
use super::ring::Ring;
use super::tiling::{Bounds, TILINGS, Tiling};
use crate::device::OutMut;
use crate::device::gpu::context::lock;
use crate::device::gpu::launch::{Launch, Need};
use crate::device::gpu::{Gpu, cache};
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_64;

/// Sums per time in each tiling, beside 100 of the first.
type Rates = [u32; TILINGS.len()];

/// Products from which on a contraction is large.
const LARGE: usize = 1 << 30;
/// How many tilings are for large results.
const FOR_LARGE: usize = 4;
/// How often a trial is timed; the least time counts.
const TRIES: usize = 3;

/// A product that is timed.
#[derive(Clone, Copy)]
struct Trial {
    /// Rows and columns.
    edge: usize,
    /// Summed elements.
    long: usize,
    /// How many are submitted together.
    repeats: usize,
}

/// Large enough for tiles to fill an adapter, a tenth of a second on a slow one.
const TRIAL: Trial = Trial {
    edge: 2048,
    long: 512,
    repeats: 4,
};

/// What is known of the tilings on an adapter.
#[derive(Default)]
pub(in crate::device::gpu) struct Tilings {
    measured: Mutex<HashMap<Ring, Rates>>,
}

impl Tilings {
    /// The tiling of a contraction, and its depth.
    pub(super) fn choose(&self, gpu: &Gpu, problem: &Problem, ring: Ring) -> Result<(Tiling, usize)> {
        let bounds = bounds(gpu);
        let rates = self.rates(gpu, problem, ring, bounds);
        choose(problem, ring, bounds, &rates, gpu.style.parallel).ok_or_else(|| {
            Error::Device(format!(
                "contract: no tiling fits {} invocations and {} bytes of workgroup memory",
                bounds.threads, bounds.memory
            ))
        })
    }

    fn rates(&self, gpu: &Gpu, problem: &Problem, ring: Ring, bounds: Bounds) -> Rates {
        let usual = TILINGS.map(|tiling| tiling.rate);
        if gpu.home.context.info.software {
            return usual;
        }
        let mut measured = lock(&self.measured);
        if let Some(rates) = measured.get(&ring) {
            return *rates;
        }
        let name = file_name(gpu, ring);
        let known = cache::read(&name).and_then(|data| parse(&data));
        let products = problem.cells().saturating_mul(problem.summed);
        if known.is_none() && products < LARGE {
            return usual;
        }
        let rates = known.unwrap_or_else(|| match measure(gpu, ring, bounds, TRIAL) {
            Ok(found) => {
                cache::write(&name, print(&found).as_bytes());
                found
            }
            // A device that fails here fails in the contraction too, which reports it.
            Err(_) => usual,
        });
        measured.insert(ring, rates);
        rates
    }
}

/// What an adapter allows a workgroup.
pub(super) fn bounds(gpu: &Gpu) -> Bounds {
    let limits = gpu.home.context.device.limits();
    Bounds {
        threads: limits
            .max_compute_invocations_per_workgroup
            .min(limits.max_compute_workgroup_size_x) as usize,
        memory: limits.max_compute_workgroup_storage_size as usize,
    }
}

fn file_name(gpu: &Gpu, ring: Ring) -> String {
    let text = xxh3_64(include_str!("../../../../../shaders/blocks/gemm.wgsl").as_bytes());
    let key = cache::adapter_key(&gpu.home.context.info) ^ text;
    format!("tilings-{}-{key:016x}.txt", ring.name())
}

fn print(rates: &Rates) -> String {
    rates.map(|rate| rate.to_string()).join(" ")
}

fn parse(data: &[u8]) -> Option<Rates> {
    let words = std::str::from_utf8(data).ok()?.split(' ');
    let rates: Vec<u32> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
    rates.try_into().ok()
}

/// Tries the tilings for large results that the adapter can run; the others keep their rates.
fn measure(gpu: &Gpu, ring: Ring, bounds: Bounds, trial: Trial) -> Result<Rates> {
    let mut rates = TILINGS.map(|tiling| tiling.rate);
    let mut first = None;
    for (tiling, rate) in TILINGS.iter().zip(&mut rates).take(FOR_LARGE) {
        let Some(depth) = tiling.depth(ring, bounds) else {
            continue;
        };
        let taken = attempt(gpu, ring, tiling, depth, trial)?;
        let unit = *first.get_or_insert(taken.as_secs_f64() * f64::from(*rate));
        *rate = ((unit / taken.as_secs_f64()).round() as u32).max(1);
    }
    Ok(rates)
}

/// The least time of some tries, after one that compiles.
fn attempt(gpu: &Gpu, ring: Ring, tiling: &Tiling, depth: usize, trial: Trial) -> Result<Duration> {
    let pipeline = Inner::Registers(*tiling, ring, depth).compiled(gpu)?;
    let Trial { edge, long, repeats } = trial;
    let factor = edge * long * ring.size();
    let sums = edge * edge * ring.size();
    let (row, share) = (edge / 4, long / depth);
    let loops = Loops {
        tiles: tiling.tile.map(|n| edge / n),
        batches: 1,
        splits: 1,
        share,
        slabs: share,
        factors: [[0, row, 0]; 2],
        rows: edge,
        cols: row,
        sums: [0, row, 0],
        continues: false,
    };
    let mut least = Duration::MAX;
    for _ in 0..=TRIES {
        let mut seen = [0; 4];
        let mut need = Need::new(gpu);
        need.upload(4 * LOOP_WORDS);
        need.scratch(factor);
        need.scratch(factor);
        need.scratch(sums);
        need.read(seen.len());
        let mut launch = Launch::new(gpu, need)?;
        let words = launch.words(&loops.words())?;
        let (a, b) = (launch.scratch(factor)?, launch.scratch(factor)?);
        let made = launch.scratch(sums)?;
        for _ in 0..repeats {
            launch.dispatch(&pipeline, &[&words, &a, &b, &made], loops.groups() as u32)?;
        }
        let start = Instant::now();
        launch.finish(vec![(made, OutMut::Store(&mut seen))])?;
        least = least.min(start.elapsed());
    }
    Ok(least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::gpu::Options;

    #[test]
    fn rates_are_read_as_written() {
        let rates = TILINGS.map(|tiling| tiling.rate + 7);
        assert_eq!(parse(print(&rates).as_bytes()), Some(rates));
        assert_eq!(parse(b"1 2"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn tilings_are_timed() {
        let small = Trial {
            edge: 128,
            long: 32,
            repeats: 2,
        };
        let Some(gpu) = (0..4).find_map(|index| Gpu::open(index, Options::default()).ok()) else {
            return;
        };
        for ring in [Ring::F32, Ring::U32] {
            let rates = measure(&gpu, ring, bounds(&gpu), small).unwrap();
            assert_eq!(rates[0], TILINGS[0].rate);
            assert!(rates.iter().all(|&rate| rate > 0), "{rates:?}");
            assert_eq!(rates[FOR_LARGE..], TILINGS.map(|t| t.rate)[FOR_LARGE..]);
        }
    }
}
