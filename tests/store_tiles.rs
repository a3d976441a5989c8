//! The tile store under budgets far too small: every byte that leaves comes back, in the order
//! that moves the fewest, and threads share the memory without ever exceeding it or each waiting
//! for the other.
#![allow(clippy::unwrap_used)] // a test fails by panicking, in its helpers too

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use tilewise::Error;
use tilewise::store::{
    Buffer, Origin, StoreCounts, StoreObserver, StoreOptions, Tier, Tile, TileKey, TileStore,
};

const TILE: usize = 64 << 10;

fn store(tiles: usize, disk_bytes: u64) -> (TileStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = TileStore::new(StoreOptions {
        host_bytes: (tiles * TILE) as u64,
        disk_bytes,
        spill_dir: Some(folder.path().to_path_buf()),
        observer: None,
    });
    (store, folder)
}

fn key(block: u64) -> TileKey {
    TileKey { array: 1, block }
}

/// Content that depends on every part of the key and on the place.
fn fill(buffer: &mut Buffer, key: TileKey) {
    for (i, byte) in buffer.iter_mut().enumerate() {
        *byte = content(key, i);
    }
}

fn content(key: TileKey, i: usize) -> u8 {
    (i as u64 * 31 + (i as u64 >> 8) * 7 + key.block * 101 + key.array * 13) as u8
}

fn is_right(tile: &Tile, key: TileKey, len: usize) -> bool {
    tile.len() == len && tile.iter().enumerate().all(|(i, &b)| b == content(key, i))
}

fn insert(store: &TileStore, block: u64, len: usize, origin: Origin) {
    let mut buffer = store.take("test", len).unwrap();
    fill(&mut buffer, key(block));
    store.insert(key(block), buffer, origin);
}

/// Writes down everything it hears.
#[derive(Default)]
struct Heard(Mutex<Vec<(char, u64, u64)>>);

impl StoreObserver for Heard {
    fn spilled(&self, key: TileKey, bytes: u64) {
        self.0.lock().unwrap().push(('s', key.block, bytes));
    }
    fn loaded(&self, key: TileKey, bytes: u64) {
        self.0.lock().unwrap().push(('l', key.block, bytes));
    }
    fn dropped(&self, key: TileKey, bytes: u64) {
        self.0.lock().unwrap().push(('d', key.block, bytes));
    }
}

#[test]
fn spilled_tiles_come_back_bit_by_bit() {
    let (store, folder) = store(3, u64::MAX);
    let sizes = [TILE, TILE - 1, 1, 0, 5000, TILE, 4096, 4097, TILE, TILE];
    for (block, &len) in sizes.iter().enumerate() {
        insert(&store, block as u64, len, Origin::Spill);
    }
    assert_eq!(store.tier(key(9)), Some(Tier::Host));
    assert_eq!(store.tier(key(0)), Some(Tier::Disk));
    for _ in 0..2 {
        for (block, &len) in sizes.iter().enumerate() {
            let tile = store.get(key(block as u64)).unwrap().expect("never dropped");
            assert!(is_right(&tile, key(block as u64), len), "tile {block}");
        }
    }
    let counts = store.counts();
    assert!(counts.loaded > counts.spilled && counts.spilled > 0 && counts.dropped == 0);
    assert!(store.budget().peak() <= store.budget().limit());
    assert!(store.get(key(77)).unwrap().is_none());
    for block in 0..sizes.len() as u64 {
        assert!(store.remove(key(block)) && !store.remove(key(block)));
    }
    assert_eq!(store.disk_budget().used(), 0);
    drop(store);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn tiles_that_can_be_made_again_are_dropped() {
    let (store, folder) = store(2, u64::MAX);
    for block in 0..5 {
        insert(&store, block, TILE, Origin::Drop);
    }
    assert!(store.get(key(0)).unwrap().is_none() && !store.contains(key(0)));
    assert!(is_right(&store.get(key(4)).unwrap().unwrap(), key(4), TILE));
    let dropped = 3 * TILE as u64;
    assert_eq!(
        store.counts(),
        StoreCounts {
            dropped,
            ..StoreCounts::default()
        }
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing on disk"
    );
}

#[test]
fn a_clean_tile_leaves_without_a_second_write() {
    let (store, _folder) = store(1, u64::MAX);
    insert(&store, 0, TILE, Origin::Spill);
    insert(&store, 1, TILE, Origin::Spill);
    for _ in 0..3 {
        for block in [0, 1] {
            assert!(is_right(
                &store.get(key(block)).unwrap().unwrap(),
                key(block),
                TILE
            ));
        }
    }
    assert_eq!(store.counts().spilled, 2 * TILE as u64);
    assert_eq!(
        store.counts().loaded,
        6 * TILE as u64,
        "two tiles through one place"
    );
}

#[test]
fn copies_on_disk_give_way_when_the_disk_is_full() {
    // Room for two on disk and two in memory: four tiles fit only without copies.
    let (store, _folder) = store(2, 2 * TILE as u64);
    for block in 0..4 {
        insert(&store, block, TILE, Origin::Spill);
    }
    // Reading one back needs a free place on disk for the one that leaves, and there is none until
    // another tile is removed.
    assert!(matches!(
        store.get(key(0)),
        Err(Error::Memory { tier: "disk", .. })
    ));
    assert!(store.remove(key(1)));
    for _ in 0..3 {
        for block in [0, 2, 3] {
            assert!(is_right(
                &store.get(key(block)).unwrap().unwrap(),
                key(block),
                TILE
            ));
        }
    }
    assert!(store.disk_budget().peak() <= 2 * TILE as u64);
}

#[test]
fn the_farthest_next_use_leaves_first() {
    let heard = Arc::new(Heard::default());
    let folder = tempfile::tempdir().unwrap();
    let store = TileStore::new(StoreOptions {
        host_bytes: 4 * TILE as u64,
        disk_bytes: u64::MAX,
        spill_dir: Some(folder.path().to_path_buf()),
        observer: Some(heard.clone()),
    });
    let next = Arc::new(Mutex::new(HashMap::from([(0, 9), (1, 2), (2, 7), (3, 9)])));
    let uses = next.clone();
    store.set_next_use(Arc::new(move |key| {
        uses.lock().unwrap().get(&key.block).copied().unwrap_or(u64::MAX)
    }));
    for block in 0..4 {
        insert(
            &store,
            block,
            TILE,
            if block == 2 { Origin::Drop } else { Origin::Spill },
        );
    }
    let pinned = store.get(key(1)).unwrap().unwrap();
    next.lock().unwrap().insert(1, u64::MAX);
    let held = store.take_many("task", &[TILE, TILE]).unwrap(); // 0 and 3 are last, 0 is smaller
    drop(store.take("task", TILE).unwrap()); // then 2; 1 is pinned
    drop((pinned, held));
    next.lock().unwrap().insert(0, 1);
    assert!(store.get(key(0)).unwrap().is_some());
    let bytes = TILE as u64;
    assert_eq!(
        *heard.0.lock().unwrap(),
        [('s', 0, bytes), ('s', 3, bytes), ('d', 2, bytes), ('l', 0, bytes)]
    );
}

#[test]
fn beladys_order_moves_the_fewest_bytes() {
    // The textbook sequence of uses of 5 tiles with room for 3: the optimum is 7 faults, where
    // first-in-first-out has 9 and least-recently-used 10.
    let uses = [0u64, 1, 2, 3, 0, 1, 4, 0, 1, 2, 3, 4];
    let (store, _folder) = store(3, u64::MAX);
    let position = Arc::new(AtomicU64::new(0));
    let at = position.clone();
    store.set_next_use(Arc::new(move |key| {
        let now = at.load(Ordering::SeqCst) as usize;
        let later = uses.iter().enumerate().skip(now).find(|(_, b)| **b == key.block);
        later.map_or(u64::MAX, |(i, _)| i as u64)
    }));
    let mut faults = 0;
    for (i, &block) in uses.iter().enumerate() {
        position.store(i as u64, Ordering::SeqCst);
        if store.get(key(block)).unwrap().is_none() {
            faults += 1;
            insert(&store, block, TILE, Origin::Drop);
        }
    }
    assert_eq!(faults, 7);
}

#[test]
fn many_small_tiles_leave_in_batches_and_all_come_back() {
    const COUNT: u64 = 4000;
    let (store, _folder) = store(64, u64::MAX); // room for a quarter of them, at 4 KiB each
    for block in 0..COUNT {
        insert(&store, block, 8, Origin::Spill);
    }
    for block in (0..COUNT).rev() {
        assert!(is_right(&store.get(key(block)).unwrap().unwrap(), key(block), 8));
    }
    assert!(store.budget().peak() <= store.budget().limit());
    assert_eq!(store.counts().spilled % 8, 0);
}

#[test]
fn what_can_never_fit_is_refused_at_once() {
    let (store, _folder) = store(2, u64::MAX);
    insert(&store, 0, TILE, Origin::Spill);
    let error = store.take("a huge task", 3 * TILE).unwrap_err();
    assert!(error.to_string().contains("a huge task"), "{error}");
    assert_eq!(
        store.tier(key(0)),
        Some(Tier::Host),
        "nothing was evicted in vain"
    );

    let pins = store.get(key(0)).unwrap();
    let held = store.take("own", TILE).unwrap();
    let error = store.take("more", 1).unwrap_err();
    assert!(
        error.to_string().contains("own") && error.to_string().contains("tiles"),
        "{error}"
    );
    assert!(store.reserve("more", 1).is_err() && store.try_take("more", 1).is_err());
    drop((pins, held));
    assert_eq!(
        store.reserve("more", 2 * TILE as u64).unwrap().bytes(),
        2 * TILE as u64
    );
}

#[test]
fn waiting_ends_when_another_thread_frees() {
    for pinned in [false, true] {
        let (store, _folder) = store(2, u64::MAX);
        insert(&store, 0, TILE, Origin::Spill);
        let held = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let pin = pinned.then(|| store.get(key(0)).unwrap().unwrap());
                let buffer = store.take("first", TILE).unwrap();
                held.wait();
                // The other thread is waiting, or about to; both orders must end well.
                std::thread::yield_now();
                drop(buffer);
                drop(pin);
            });
            held.wait();
            let both = store.take_many("second", &[TILE, TILE]).unwrap();
            assert_eq!(both.len(), 2);
        });
        assert!(is_right(&store.get(key(0)).unwrap().unwrap(), key(0), TILE));
    }
}

#[test]
fn threads_that_would_wait_for_each_other_are_told() {
    // Each of four threads holds one of four places and wants another: without the rule, for ever.
    let (store, _folder) = store(4, u64::MAX);
    let all_hold = Barrier::new(4);
    let refused = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let first = store.take("first", TILE).unwrap();
                all_hold.wait();
                match store.take("second", TILE) {
                    Ok(second) => drop(second),
                    Err(Error::Memory { .. }) => {
                        refused.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(other) => panic!("{other}"),
                }
                drop(first);
            });
        }
    });
    let refused = refused.into_inner();
    assert!((1..4).contains(&refused), "{refused} of 4 were refused");
    assert_eq!(store.budget().used(), 4 * TILE as u64, "all idle");
}

#[test]
fn a_joining_thread_that_holds_memory_says_so() {
    let (store, _folder) = store(2, u64::MAX);
    let held = store.take("result", 2 * TILE).unwrap();
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| store.take("work", TILE).map(drop));
        let answer = store.while_blocked(|| worker.join()).unwrap();
        assert!(matches!(answer, Err(Error::Memory { .. })));
    });
    drop(held);

    // A lasting reservation is never waited for.
    let lasting = store.budget().try_reserve("lasting", 2 * TILE as u64).unwrap();
    assert!(store.take("work", TILE).is_err());
    drop(lasting);
}

#[test]
fn handed_over_memory_counts_for_who_adopts_it() {
    let (store, _folder) = store(2, u64::MAX);
    let (send, receive) = std::sync::mpsc::channel::<(Buffer, Tile)>();
    let (adopted, is_adopted) = std::sync::mpsc::channel();
    insert(&store, 0, TILE, Origin::Spill);
    std::thread::scope(|scope| {
        let store = &store;
        scope.spawn(move || {
            let (mut buffer, tile) = receive.recv().unwrap();
            buffer.adopt();
            let tile = tile.adopt();
            adopted.send(()).unwrap();
            drop((buffer, tile));
        });
        let pair = (
            store.take("handed", TILE).unwrap(),
            store.get(key(0)).unwrap().unwrap(),
        );
        send.send(pair).unwrap();
        is_adopted.recv().unwrap();
        assert_eq!(store.take("own", 2 * TILE).unwrap().len(), 2 * TILE);
    });
}

#[test]
fn one_tile_wanted_by_many_threads_is_read_once() {
    let (store, _folder) = store(4, u64::MAX);
    insert(&store, 0, TILE, Origin::Spill);
    drop(store.take("push", 4 * TILE).unwrap());
    assert_eq!(store.tier(key(0)), Some(Tier::Disk));
    let together = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                together.wait();
                let tile = store.get(key(0)).unwrap().unwrap();
                assert!(is_right(&tile, key(0), TILE));
            });
        }
    });
    assert_eq!(store.counts().loaded, TILE as u64);
}

#[test]
fn replaced_and_removed_tiles_stay_valid_for_who_holds_them() {
    let (store, _folder) = store(3, u64::MAX);
    insert(&store, 0, TILE, Origin::Spill);
    let old = store.get(key(0)).unwrap().unwrap();
    let mut buffer = store.take("test", 100).unwrap();
    buffer.fill(9);
    let new = store.insert_pinned(key(0), buffer, Origin::Spill);
    assert!(is_right(&old, key(0), TILE));
    assert!(new.len() == 100 && new.iter().all(|&b| b == 9));
    store.remove(key(0));
    assert!(store.get(key(0)).unwrap().is_none());
    assert!(is_right(&old.clone(), key(0), TILE) && new[99] == 9);
}

/// Deterministic numbers per thread.
fn next(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    *state >> 33
}

#[test]
fn many_threads_stay_within_the_limit_and_never_read_wrong_bytes() {
    const THREADS: u64 = 6;
    const KEYS: u64 = 40;
    let (store, folder) = store(16, u64::MAX);
    // Keys divisible by three can be made again; every other tile is in the store for good.
    let origin = |block: u64| {
        if block.is_multiple_of(3) {
            Origin::Drop
        } else {
            Origin::Spill
        }
    };
    let len = |block: u64| 1000 + (block as usize * 7919) % TILE;
    for block in 0..KEYS {
        insert(&store, block, len(block), origin(block));
    }
    let refused = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, refused) = (&store, &refused);
            scope.spawn(move || {
                let mut random = thread + 1;
                for _ in 0..300 {
                    let block = next(&mut random) % KEYS;
                    let both = [block, (block + 1 + next(&mut random) % 5) % KEYS];
                    let mut pins = Vec::new();
                    for block in both {
                        match store.get(key(block)) {
                            Ok(Some(tile)) => {
                                assert!(is_right(&tile, key(block), len(block)), "tile {block}");
                                pins.push((block, tile));
                            }
                            Ok(None) => {
                                assert_eq!(origin(block), Origin::Drop, "tile {block} was lost");
                                let Ok(mut buffer) = store.take("make again", len(block)) else {
                                    continue;
                                };
                                fill(&mut buffer, key(block));
                                store.insert(key(block), buffer, Origin::Drop);
                            }
                            Err(Error::Memory { .. }) => {
                                refused.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(other) => panic!("{other}"),
                        }
                    }
                    if let Ok(mut scratch) = store.take("scratch", next(&mut random) as usize % TILE) {
                        scratch.fill(0xff);
                    }
                    for (block, tile) in &pins {
                        assert!(is_right(tile, key(*block), len(*block)), "pinned {block}");
                    }
                    assert!(store.budget().used() <= store.budget().limit());
                }
            });
        }
    });
    assert!(store.budget().peak() <= store.budget().limit());
    assert!(store.counts().loaded > 0 && store.counts().spilled > 0 && store.counts().dropped > 0);
    // 6 threads hold 3 of at most 72 KiB each: more than 16 times 64 KiB at worst, but rarely.
    assert!(refused.into_inner() < THREADS * 300, "some got what they asked");
    for block in 0..KEYS {
        if let Some(tile) = store.get(key(block)).unwrap() {
            assert!(is_right(&tile, key(block), len(block)));
        }
    }
    drop(store);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn who_takes_all_at_once_is_never_refused() {
    // Each thread needs three of four places at a time, so all but one wait, and every round
    // leaves tiles behind that must be spilled; nobody holds anything while it waits.
    let (store, _folder) = store(4, u64::MAX);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..60 {
                    let mut buffers = store.take_many("task", &[TILE, TILE, TILE]).unwrap();
                    let block = thread * 1000 + round;
                    let mut result = buffers.remove(1);
                    fill(&mut result, key(block));
                    store.insert(key(block), result, Origin::Spill);
                    drop(buffers);
                    let reserved = store.reserve("scratch", 4 * TILE as u64).unwrap();
                    drop(reserved);
                    assert!(is_right(
                        &store.get(key(block)).unwrap().unwrap(),
                        key(block),
                        TILE
                    ));
                }
            });
        }
    });
    assert_eq!(store.budget().peak(), store.budget().limit());
}

#[test]
fn a_spill_folder_that_cannot_be_made_is_an_error_not_a_loss() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let store = TileStore::new(StoreOptions {
        host_bytes: 2 * TILE as u64,
        disk_bytes: u64::MAX,
        spill_dir: Some(PathBuf::from(&file)),
        observer: None,
    });
    insert(&store, 0, TILE, Origin::Spill);
    insert(&store, 1, TILE, Origin::Drop);
    assert_eq!(
        store.take("fits", TILE).unwrap().len(),
        TILE,
        "tile 1 gave way instead"
    );
    let error = store.take("does not fit", 2 * TILE).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
    assert!(is_right(&store.get(key(0)).unwrap().unwrap(), key(0), TILE));
}
