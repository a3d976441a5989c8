//! What the tile store does when the machine fails it: a killed process, a full disk, a spill file
//! that changes under it. Nothing is left behind, nothing is lost while it is still in memory, and
//! no wrong byte is ever given.
//!
//! Processes that must die or live under a limit are this test's own binary, started again with
//! [`ROLE`] set; each test then plays its child.
#![allow(clippy::unwrap_used)] // a test fails by panicking, in its helpers too

use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tilewise::Error;
use tilewise::store::{Origin, StoreOptions, Tier, TileKey, TileStore, default_host_budget, peak_rss};

/// The environment variable that tells a child its spill folder.
const ROLE: &str = "TILEWISE_TEST_SPILL_FOLDER";

const TILE: usize = 1 << 20;

fn store(folder: &Path, tiles: usize) -> TileStore {
    TileStore::new(StoreOptions {
        host_bytes: (tiles * TILE) as u64,
        disk_bytes: u64::MAX,
        spill_dir: Some(folder.to_path_buf()),
        observer: None,
    })
}

fn key(block: u64) -> TileKey {
    TileKey { array: 0, block }
}

fn insert(store: &TileStore, block: u64) -> tilewise::Result<()> {
    let mut buffer = store.take("test", TILE)?;
    buffer.fill(block as u8 + 1);
    store.insert(key(block), buffer, Origin::Spill);
    Ok(())
}

fn is_right(store: &TileStore, block: u64) -> bool {
    let tile = store.get(key(block)).unwrap().expect("in the store");
    tile.len() == TILE && tile.iter().all(|&b| b == block as u8 + 1)
}

fn child_folder() -> Option<PathBuf> {
    std::env::var_os(ROLE).map(PathBuf::from)
}

/// The command that plays the child of `test`, run by a shell after `setting`.
fn child(test: &str, folder: &Path, setting: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("{setting} exec \"$0\" --exact --nocapture \"$1\""))
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(ROLE, folder);
    command
}

/// The folders in a spill folder, and whether any file has bytes.
fn left_in(folder: &Path) -> (usize, bool) {
    let dirs: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    let with_bytes = dirs.iter().any(|dir| {
        let files = std::fs::read_dir(dir).unwrap();
        files
            .flatten()
            .any(|file| file.metadata().is_ok_and(|m| m.len() > 0))
    });
    (dirs.len(), with_bytes)
}

#[test]
fn a_killed_process_leaves_nothing_behind() {
    if let Some(folder) = child_folder() {
        let store = store(&folder, 2);
        (0..5).for_each(|block| insert(&store, block).unwrap());
        assert_eq!(store.tier(key(0)), Some(Tier::Disk));
        println!("spilled");
        std::io::stdin().read_line(&mut String::new()).unwrap(); // until it is killed
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut process = child("a_killed_process_leaves_nothing_behind", folder.path(), "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(
        lines.any(|line| line.unwrap().contains("spilled")),
        "the child spilled"
    );

    drop(store(folder.path(), 1));
    assert_eq!(
        left_in(folder.path()).0,
        1,
        "the folder of a living process is left alone"
    );
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(
        left_in(folder.path()),
        (1, false),
        "the tiles went with the process"
    );
    drop(store(folder.path(), 1));
    assert_eq!(left_in(folder.path()), (0, false));
}

#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    if let Some(folder) = child_folder() {
        let store = store(&folder, 2);
        let mut inserted = 0;
        let error = loop {
            match insert(&store, inserted) {
                Ok(()) => inserted += 1,
                Err(error) => break error,
            }
        };
        // Two in memory and what fits below the limit of 4 MiB.
        assert_eq!(inserted, 6);
        assert!(matches!(error, Error::Io { .. }), "{error}");
        assert_eq!(error.exit_code(), 3);
        let text = error.to_string();
        let names_both = text.contains(&folder.display().to_string()) && text.contains("--spill-dir");
        assert!(names_both, "{text}");
        assert!((4..6).all(|block| is_right(&store, block)), "those in memory");
        store.remove(key(5));
        assert!(
            (0..5).all(|block| is_right(&store, block)),
            "those on disk, now that one can leave"
        );
        println!("all is well");
        return;
    }
    // A limit on the size of files stands for the disk; its signal is ignored, so writes fail.
    let folder = tempfile::tempdir().unwrap();
    let blocks_of_512 = 4 * TILE / 512;
    let setting = format!("trap '' XFSZ; ulimit -f {blocks_of_512} || exit 77;");
    let output = child(
        "a_full_disk_is_an_error_and_loses_nothing",
        folder.path(),
        &setting,
    )
    .output()
    .unwrap();
    if output.status.code() == Some(77) {
        eprintln!("skipped: this shell cannot limit the size of files");
        return;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("all is well"),
        "{text}{errors}"
    );
    assert_eq!(left_in(folder.path()), (0, false));
}

#[test]
fn a_tile_that_changed_on_disk_is_an_error_and_can_be_made_again() {
    if !Path::new("/proc/self/fd").exists() {
        eprintln!("skipped: no /proc on this system");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1);
    insert(&store, 0).unwrap();
    insert(&store, 1).unwrap();
    let name = folder.path().display().to_string();
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let spill_file = open
        .map(|entry| entry.path())
        .find(|fd| {
            std::fs::read_link(fd).is_ok_and(|file| {
                let file = file.display().to_string();
                file.starts_with(&name) && file.contains("/tiles")
            })
        })
        .expect("the spill file is open");
    let file = std::fs::File::options().write(true).open(spill_file).unwrap();
    file.write_all_at(&[0xee], 12_345).unwrap();
    file.sync_all().unwrap();

    for _ in 0..2 {
        match store.get(key(0)) {
            Err(Error::Format { path, reason }) => {
                assert!(path.starts_with(folder.path()) && reason.contains("checksum"));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(is_right(&store, 1), "the other tile is whole");
    assert!(store.remove(key(0)));
    insert(&store, 0).unwrap();
    assert!(is_right(&store, 0));
}

#[test]
fn resident_memory_stays_within_the_budget() {
    const TILES: u64 = 192;
    const ROOM: usize = 24;
    if let Some(folder) = child_folder() {
        let before = peak_rss().unwrap();
        let store = store(&folder, ROOM);
        (0..TILES).for_each(|block| insert(&store, block).unwrap());
        assert!((0..TILES).all(|block| is_right(&store, block)));
        let grown = peak_rss().unwrap() - before;
        assert!(store.budget().peak() <= (ROOM * TILE) as u64);
        println!("grown by {grown} bytes");
        // Beside the tiles: the tables of the store and this thread's stack.
        assert!(grown <= (ROOM * TILE) as u64 + (4 << 20), "{grown}");
        return;
    }
    if peak_rss().is_none() {
        eprintln!("skipped: this system does not tell the resident size");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child("resident_memory_stays_within_the_budget", folder.path(), "")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("grown by"),
        "{text}{errors}"
    );
    eprintln!("{text}");
}

#[test]
fn a_limit_of_the_address_space_bounds_the_default_budget() {
    const LIMIT: u64 = 1 << 30;
    if child_folder().is_some() {
        let budget = default_host_budget();
        assert!(budget < LIMIT * 7 / 10, "{budget} of {LIMIT}");
        // All of it can be had, beside threads with stacks and arenas of their own.
        let threads: Vec<_> = (0..4)
            .map(|n| std::thread::spawn(move || vec![n as u8; 1 << 16].len()))
            .collect();
        assert!(threads.into_iter().all(|t| t.join().unwrap() == 1 << 16));
        let store = TileStore::new(StoreOptions::default());
        let tiles = (store.budget().limit() / TILE as u64).min(budget / TILE as u64);
        let held: Vec<_> = (0..tiles).map(|_| store.take("test", TILE).unwrap()).collect();
        println!("had {} tiles", held.len());
        return;
    }
    if !Path::new("/proc/self/limits").exists() {
        eprintln!("skipped: this system does not tell its limits");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let setting = format!("ulimit -v {} || exit 77;", LIMIT >> 10);
    let test = "a_limit_of_the_address_space_bounds_the_default_budget";
    let output = child(test, folder.path(), &setting).output().unwrap();
    if output.status.code() == Some(77) {
        eprintln!("skipped: this shell cannot limit the address space");
        return;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("had "), "{text}{errors}");
}
