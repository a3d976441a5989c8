//! Inputs that see one file or one kept array shifted are read once: bytes read, proved and held,
//! and the answers.

#![allow(clippy::unwrap_used)]

mod common;

use common::FileLike;
use tilewise::session::{ChunkSpec, Config, Session, s};
use tilewise::{Array, Result};

const N: usize = 600;

fn session(memory: u64) -> Session {
    Session::new(Config {
        memory: Some(memory),
        threads: Some(2),
        ..Config::default()
    })
    .unwrap()
}

fn field() -> Vec<f32> {
    (0..N * N)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 11 & 255) as f32)
        .collect()
}

/// Five points of a heat step, by slices.
fn heat(u: &Array) -> Result<Array> {
    let part = |rows: [isize; 2], cols: [isize; 2]| {
        let slice = |[from, to]: [isize; 2]| s(Some(from), Some(N as isize + to), None);
        u.slice(&[slice(rows), slice(cols)])
    };
    let (centre, up, down) = (
        part([1, -1], [1, -1])?,
        part([0, -2], [1, -1])?,
        part([2, 0], [1, -1])?,
    );
    let (left, right) = (part([1, -1], [0, -2])?, part([1, -1], [2, 0])?);
    let around = (&(&(&up + &down)? + &left)? + &right)?;
    (&around - &(&centre * 4.0)?)?.apply("add", &[&centre])
}

fn expected(u: &[f32]) -> Vec<f32> {
    let at = |i: usize, j: usize| u[i * N + j];
    let step = |i, j| at(i - 1, j) + at(i + 1, j) + at(i, j - 1) + at(i, j + 1) - 4.0 * at(i, j) + at(i, j);
    (1..N - 1)
        .flat_map(|i| (1..N - 1).map(move |j| step(i, j)))
        .collect()
}

#[test]
fn a_stencil_by_slices_reads_a_file_once() {
    let values = field();
    for chunk in [None, Some(&[100, 150][..])] {
        let session = session(256 << 20);
        let u = Array::from_source(FileLike::of("u", &[N, N], chunk, &values)).unwrap();
        let step = heat(&u).unwrap();
        let plan = session.plan(&[&step]).unwrap();
        let words = session.explain(&plan);
        assert_eq!(words.matches("read with in0").count(), 4, "{words}");
        let got = session.compute::<f32>(&step).unwrap();
        assert_eq!(got.as_slice().unwrap(), expected(&values));
        let report = session.last_report().unwrap();
        let read: u64 = report.stages.iter().map(|stage| stage.source_bytes).sum();
        let once = (N * N * 4) as u64;
        assert!(
            read >= once && read < once * 5 / 4,
            "{read} bytes of {once}, {chunk:?}"
        );
        assert!(report.host_peak <= report.host_proved);
    }
}

#[test]
fn a_stencil_by_slices_reads_kept_tiles_once() {
    let values = field();
    let session = session(256 << 20);
    let file = Array::from_source(FileLike::of("u", &[N, N], None, &values)).unwrap();
    let chunks = [ChunkSpec::Size(128), ChunkSpec::Size(256)];
    let kept = session.persist(&file.rechunk(&chunks).unwrap()).unwrap();
    let got = session.compute::<f32>(&heat(&kept).unwrap()).unwrap();
    assert_eq!(got.as_slice().unwrap(), expected(&values));
    let report = session.last_report().unwrap();
    let read: u64 = report.stages.iter().map(|s| s.source_bytes + s.array_bytes).sum();
    assert!(read < (N * N * 4) as u64 * 5 / 4, "{read} bytes");
}

#[test]
fn little_memory_is_enough_and_the_proof_holds() {
    let values = field();
    // The result and a few blocks.
    let session = session(((N * N * 4) as u64) + (4 << 20));
    let u = Array::from_source(FileLike::of("u", &[N, N], None, &values)).unwrap();
    let got = session.compute::<f32>(&heat(&u).unwrap()).unwrap();
    assert_eq!(got.as_slice().unwrap(), expected(&values));
    let report = session.last_report().unwrap();
    assert!(report.host_peak <= report.host_proved);
}

#[test]
fn differences_along_parts_of_a_concatenation() {
    let values = field();
    let session = session(256 << 20);
    let u = Array::from_source(FileLike::of("u", &[N * N], None, &values)).unwrap();
    let zero = Array::full(&[1], 0.0f32).unwrap();
    // In the second part, maps begin before the file does.
    let before = Array::concat(&[&zero, &u], 0).unwrap();
    let before = before.slice(&[s(None, Some(-1), None)]).unwrap();
    let got = session.compute::<f32>(&(&u - &before).unwrap()).unwrap();
    let want: Vec<f32> = (0..N * N)
        .map(|i| values[i] - if i == 0 { 0.0 } else { values[i - 1] })
        .collect();
    assert_eq!(got.as_slice().unwrap(), want);
    let report = session.last_report().unwrap();
    let read: u64 = report.stages.iter().map(|stage| stage.source_bytes).sum();
    assert!(read < (N * N * 4) as u64 * 5 / 4, "{read} bytes");
}
