//! The readers of untrusted bytes, over a corpus and what a mutator makes of it.
//!
//! `fuzz/corpus/` is shared with the fuzzers of `fuzz/`, which need a nightly compiler. Here the same
//! entries take mutations that are the same in every run, for a few seconds each; with
//! `TILEWISE_FUZZ_SECONDS` for longer. An input that panics or hangs is kept and named.

#![allow(clippy::unwrap_used)] // helpers of tests fail the test

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tilewise::io::fuzzing;
use tilewise::labelled::lang;

/// Seconds for each entry where nobody asks for others.
const SECONDS: u64 = 2;

/// The longest that one small input may take.
const SLOW: Duration = Duration::from_secs(10);

/// The most that the process may map beyond what it had before.
const MOST_MAPPED: u64 = 1 << 30;

fn seconds() -> u64 {
    let asked = std::env::var("TILEWISE_FUZZ_SECONDS").ok();
    asked.and_then(|s| s.parse().ok()).unwrap_or(SECONDS)
}

/// The inputs of an entry, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.sort();
    let inputs: Vec<Vec<u8>> = paths.iter().map(|p| std::fs::read(p).unwrap()).collect();
    assert!(!inputs.is_empty(), "{name} has no corpus");
    inputs
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }

    /// A few changes to an input, as a damaged disk or a hostile mind makes them.
    fn mutate(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        const TELLING: [u32; 10] = [
            0,
            1,
            0x7f,
            0xff,
            0x7fff,
            0xffff,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_fffe,
            u32::MAX,
        ];
        let mut bytes = inputs[self.below(inputs.len())].clone();
        for _ in 0..1 + self.below(4) {
            let at = self.below(bytes.len());
            match self.below(8) {
                _ if bytes.is_empty() => bytes.push(self.below(256) as u8),
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << self.below(8),
                2 => bytes[at] = self.below(256) as u8,
                3 => {
                    let word = TELLING[self.below(TELLING.len())].to_be_bytes();
                    let at = at / 4 * 4;
                    let n = 4.min(bytes.len() - at);
                    bytes[at..at + n].copy_from_slice(&word[4 - n..]);
                }
                4 => {
                    let n = self.below(16).min(bytes.len() - at);
                    let piece = bytes[at..at + n].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
                5 => {
                    let n = self.below(16).min(bytes.len() - at);
                    bytes.drain(at..at + n);
                }
                6 => {
                    // The end of another input.
                    let other = &inputs[self.below(inputs.len())];
                    let from = self.below(other.len());
                    bytes.truncate(at);
                    bytes.extend(&other[from..]);
                }
                _ => bytes.insert(at, self.below(256) as u8),
            }
        }
        bytes
    }
}

/// The most bytes that this process ever mapped, where the system tells.
fn mapped() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmPeak:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Runs an entry over one input; keeps and names an input that it does not return from well.
fn run(name: &str, entry: fn(&[u8]), input: &[u8]) {
    let start = Instant::now();
    let done = catch_unwind(AssertUnwindSafe(|| entry(input)));
    let took = start.elapsed();
    if done.is_err() || took > SLOW {
        let path = std::env::temp_dir().join(format!("tilewise-fuzz-{name}"));
        std::fs::write(&path, input).unwrap();
        panic!(
            "{name}: the input {} panics or is slow ({took:?})",
            path.display()
        );
    }
}

fn fuzz(name: &str, entry: fn(&[u8])) {
    let inputs = corpus(name);
    inputs.iter().for_each(|input| run(name, entry, input));
    let before = mapped();
    let (mut dice, mut runs) = (Dice(0x9e37_79b9_7f4a_7c15), 0u64);
    let end = Instant::now() + Duration::from_secs(seconds());
    while runs < 100 || Instant::now() < end {
        run(name, entry, &dice.mutate(&inputs));
        runs += 1;
    }
    let grown = mapped() - before;
    assert!(
        grown < MOST_MAPPED,
        "{name}: {grown} bytes more were mapped in {runs} runs"
    );
    println!("{name}: {runs} inputs");
}

/// One test, so that what is mapped is the entry's own.
#[test]
fn no_input_panics_hangs_or_takes_much_memory() {
    fuzz("netcdf3", fuzzing::netcdf3);
    fuzz("npy", fuzzing::npy);
    fuzz("npz", fuzzing::npz);
    fuzz("csv", fuzzing::csv);
    fuzz("filters", fuzzing::filters);
    fuzz("language", |input| {
        if let Ok(text) = std::str::from_utf8(input) {
            let _ = lang::parse(text);
        }
    });
}
