//! What this machine can do at most: memory, arithmetic and first touches of pages.
//!
//! Families are judged by these loops, measured in turn with them, so that both meet the same
//! neighbours.

use super::field::Fields;
use super::sample::Sample;
use crate::store::{Buffer, touch_fresh_pages};
use crate::{Error, Result};
use rayon::prelude::*;
use tilewise_kernels::Isa;
use tilewise_kernels::limits::{Stores, copy, fma_f32, fma_f64, has_streaming, read, triad};

/// Elements that one thread takes at a time.
const PIECE: usize = 1 << 16;

/// A limit of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// One array is read.
    Read,
    /// One array is read and one written.
    Copy(Stores),
    /// Two arrays are read and one written.
    Triad(Stores),
    /// Multiply-adds of f32 in registers.
    FmaF32,
    /// Multiply-adds of f64 in registers.
    FmaF64,
    /// New memory is touched, on huge pages or on those of 4 KiB.
    Pages {
        /// Whether huge pages were asked for.
        huge: bool,
    },
}

/// Every limit in the order of the table.
pub const ALL: [Limit; 9] = [
    Limit::Read,
    Limit::Copy(Stores::Plain),
    Limit::Copy(Stores::Streaming),
    Limit::Triad(Stores::Plain),
    Limit::Triad(Stores::Streaming),
    Limit::FmaF32,
    Limit::FmaF64,
    Limit::Pages { huge: false },
    Limit::Pages { huge: true },
];

impl Limit {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Limit::Read => "read",
            Limit::Copy(Stores::Plain) => "copy, plain stores",
            Limit::Copy(Stores::Streaming) => "copy, streaming stores",
            Limit::Triad(Stores::Plain) => "triad, plain stores",
            Limit::Triad(Stores::Streaming) => "triad, streaming stores",
            Limit::FmaF32 => "multiply-add f32",
            Limit::FmaF64 => "multiply-add f64",
            Limit::Pages { huge: false } => "first touch, 4 KiB pages",
            Limit::Pages { huge: true } => "first touch, huge pages",
        }
    }

    /// Whether what is counted are operations rather than bytes.
    pub fn counts_operations(self) -> bool {
        matches!(self, Limit::FmaF32 | Limit::FmaF64)
    }

    /// Whether the machine has it.
    pub fn exists(self) -> bool {
        match self {
            Limit::Copy(Stores::Streaming) | Limit::Triad(Stores::Streaming) => has_streaming(),
            Limit::Pages { huge } => !huge || cfg!(target_os = "linux"),
            _ => true,
        }
    }
}

/// Arrays and threads to measure limits with.
pub struct Probe {
    a: Buffer,
    b: Buffer,
    out: Buffer,
    one: rayon::ThreadPool,
    all: rayon::ThreadPool,
    isa: Isa,
    rounds: usize,
}

impl Probe {
    /// A probe of three arrays of so many bytes, and for multiply-adds of so many rounds.
    ///
    /// # Errors
    /// No memory, no threads.
    pub fn new(fields: &Fields, bytes: usize, rounds: usize, threads: usize) -> Result<Probe> {
        let pool = |threads: usize| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .map_err(|e| Error::Device(format!("cannot start {threads} threads: {e}")))
        };
        let bytes = bytes / 64 * 64;
        let array = |value: f32| -> Result<Buffer> {
            let mut buffer = fields.memory(bytes)?;
            bytemuck::cast_slice_mut::<u8, f32>(&mut buffer).fill(value);
            Ok(buffer)
        };
        Ok(Probe {
            a: array(1.0)?,
            b: array(2.0)?,
            out: array(0.0)?,
            one: pool(1)?,
            all: pool(threads)?,
            isa: Isa::detect(),
            rounds,
        })
    }

    /// Threads of the larger pool.
    pub fn threads(&self) -> usize {
        self.all.current_num_threads()
    }

    /// Runs the loop of a limit once on all threads, or on one; tells what it took and how many
    /// bytes or operations it did.
    ///
    /// # Errors
    /// A wrong answer of the loop, no memory for fresh pages.
    pub fn turn(&mut self, limit: Limit, single: bool) -> Result<(Sample, f64)> {
        let pool = if single { &self.one } else { &self.all };
        let (isa, rounds, threads) = (self.isa, self.rounds, pool.current_num_threads());
        let a: &[f32] = bytemuck::cast_slice(&self.a);
        let b: &[f32] = bytemuck::cast_slice(&self.b);
        let bytes = std::mem::size_of_val(a) as f64;
        let out: &mut [f32] = bytemuck::cast_slice_mut(&mut self.out);
        let last = out.len().wrapping_sub(1);
        let wrong = |what: &str| Error::Device(format!("the {} loop gave {what}", limit.name()));
        match limit {
            Limit::Read => {
                let sums = || a.par_chunks(PIECE).map(|p| f64::from(read(isa, p))).sum::<f64>();
                let (sample, sum) = Sample::of(|| pool.install(sums));
                if sum != a.len() as f64 {
                    return Err(wrong(&format!("{sum}, not {}", a.len())));
                }
                Ok((sample, bytes))
            }
            Limit::Copy(stores) => {
                let pieces = out.par_chunks_mut(PIECE).zip(a.par_chunks(PIECE));
                let work = || pool.install(|| pieces.for_each(|(out, a)| copy(isa, a, out, stores)));
                let (sample, ()) = Sample::of(work);
                if out.get(last).is_some_and(|&v| v != 1.0) {
                    return Err(wrong("another array"));
                }
                Ok((sample, 2.0 * bytes))
            }
            Limit::Triad(stores) => {
                let inputs = a.par_chunks(PIECE).zip(b.par_chunks(PIECE));
                let pieces = out.par_chunks_mut(PIECE).zip(inputs);
                let one = |(out, (a, b)): (&mut [f32], (&[f32], &[f32]))| triad(isa, a, b, out, stores);
                let (sample, ()) = Sample::of(|| pool.install(|| pieces.for_each(one)));
                if out.get(last).is_some_and(|&v| v != 7.0) {
                    return Err(wrong("another array"));
                }
                Ok((sample, 3.0 * bytes))
            }
            Limit::FmaF32 | Limit::FmaF64 => {
                let run = if limit == Limit::FmaF32 { fma_f32 } else { fma_f64 };
                let (sample, done) = Sample::of(|| pool.broadcast(|_| run(isa, rounds)));
                Ok((sample, done.iter().sum()))
            }
            Limit::Pages { huge } => {
                let part = self.a.len() / threads;
                let (sample, took) = Sample::of(|| pool.broadcast(|_| touch_fresh_pages(part, huge)));
                let longest = took.into_iter().collect::<Option<Vec<_>>>();
                let longest = longest.and_then(|all| all.into_iter().max());
                let longest = longest.ok_or_else(|| wrong("no memory"))?;
                let sample = Sample {
                    wall: longest.as_secs_f64(),
                    ..sample
                };
                Ok((sample, (part * threads) as f64))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_can_be_measured() {
        let fields = Fields::new();
        let mut probe = Probe::new(&fields, 1 << 20, 100, 2).unwrap();
        for limit in ALL {
            for single in [false, true] {
                let (sample, done) = probe.turn(limit, single).unwrap();
                assert!(sample.wall > 0.0 && done > 0.0, "{limit:?}");
            }
        }
        let (_, done) = probe.turn(Limit::Triad(Stores::Plain), false).unwrap();
        assert_eq!(done, (3 << 20) as f64);
    }
}
