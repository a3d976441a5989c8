//! Bytes that tiles move to the disk and back, by the order of next use and by least recent use.
//!
//! `cargo bench --bench eviction`
//!
//! Four orders in which stages make and read tiles, each with room for a quarter of them. What counts are
//! bytes, not seconds: they are the same on every machine. Every tile that is read is compared with what
//! was put in.

#![allow(clippy::unwrap_used)] // a bench that cannot run ends

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tilewise::store::{NEVER, Origin, StoreOptions, TileKey, TileStore};

/// Bytes of a tile.
const TILE: usize = 64 << 10;
/// Tiles along both sides of the grid.
const SIDE: u64 = 24;

/// A step of a run.
#[derive(Clone, Copy)]
enum Step {
    Make(u64),
    Read(u64),
}

/// The orders, by name.
fn orders() -> Vec<(&'static str, Vec<Step>)> {
    let all = SIDE * SIDE;
    let make = || (0..all).map(Step::Make);
    let turned = || (0..all).map(|n| n % SIDE * SIDE + n / SIDE);
    let near = |n: u64| (n.saturating_sub(1)..(n + 2).min(all)).map(Step::Read);
    vec![
        (
            "read again in order",
            make().chain((0..all).map(Step::Read)).collect(),
        ),
        (
            "rechunk: made by rows, read by columns",
            make().chain(turned().map(Step::Read)).collect(),
        ),
        (
            "two stages read all",
            make().chain((0..2 * all).map(|n| Step::Read(n % all))).collect(),
        ),
        (
            "neighbours over edges",
            make().chain((0..all).flat_map(near)).collect(),
        ),
    ]
}

fn key(block: u64) -> TileKey {
    TileKey { array: 1, block }
}

/// Bytes written to the disk and read back.
fn moved(steps: &[Step], exact: bool) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let store = TileStore::new(StoreOptions {
        host_bytes: SIDE * SIDE / 4 * TILE as u64,
        spill_dir: Some(folder.path().to_path_buf()),
        ..StoreOptions::default()
    });
    let mut uses: HashMap<u64, Vec<usize>> = HashMap::new();
    for (at, step) in steps.iter().enumerate() {
        if let Step::Read(block) = step {
            uses.entry(*block).or_default().push(at);
        }
    }
    let now = Arc::new(AtomicUsize::new(0));
    let last: Arc<Mutex<HashMap<u64, usize>>> = Arc::default();
    let (clock, used) = (now.clone(), last.clone());
    store.set_next_use(Arc::new(move |key: TileKey| {
        if exact {
            let at = clock.load(Ordering::Relaxed);
            let later = uses.get(&key.block).and_then(|u| u.iter().find(|&&u| u >= at));
            return later.map_or(NEVER, |&u| u as u64);
        }
        // The longest unused leaves first.
        u64::from(u32::MAX) - used.lock().unwrap().get(&key.block).copied().unwrap_or(0) as u64
    }));
    for (at, step) in steps.iter().enumerate() {
        now.store(at, Ordering::Relaxed);
        let (Step::Make(block) | Step::Read(block)) = *step;
        last.lock().unwrap().insert(block, at);
        match step {
            Step::Make(block) => {
                let mut tile = store.take("tile", TILE).unwrap();
                tile.fill(*block as u8);
                store.insert(key(*block), tile, Origin::Spill);
            }
            Step::Read(block) => {
                let tile = store.get(key(*block)).unwrap().unwrap();
                assert!(tile.iter().all(|&b| b == *block as u8));
            }
        }
    }
    let counts = store.counts();
    (counts.spilled, counts.loaded)
}

fn main() {
    println!(
        "{} tiles of {} KiB, room for a quarter; MiB written + read back",
        SIDE * SIDE,
        TILE >> 10
    );
    println!(
        "{:42} {:>16} {:>16} {:>6}",
        "", "next use", "least recent", "ratio"
    );
    for (name, steps) in orders() {
        let (exact, lru) = (moved(&steps, true), moved(&steps, false));
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let text = |(out, back): (u64, u64)| format!("{:.1} + {:.1}", mib(out), mib(back));
        let sum = |(out, back): (u64, u64)| (out + back) as f64;
        println!(
            "{name:42} {:>16} {:>16} {:>6.2}",
            text(exact),
            text(lru),
            sum(lru) / sum(exact).max(1.0)
        );
    }
}
