//! Shapes, steps and counts that a caller gets wrong: an error that carries the numbers, before
//! anything is allocated or waited for.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

use tilewise::session::{ChunkSpec, Config, Session, s};
use tilewise::{Array, DType, Error};

/// The text of an error.
fn text<T>(result: tilewise::Result<T>) -> String {
    match result {
        Ok(_) => panic!("no error"),
        Err(error) => error.to_string(),
    }
}

fn small_session() -> Session {
    let memory = Some(64 << 20);
    Session::new(Config {
        memory,
        ..Config::default()
    })
    .unwrap()
}

#[test]
fn arrays_beyond_counting_are_refused_at_the_call() {
    assert!(text(Array::full(&[1 << 30, 1 << 30], 1u8)).contains("2^53"));
    assert!(text(Array::full(&[0, 1 << 40, 1 << 40], 1u8)).contains("2^53"));
    let row = Array::full(&[1 << 40], 1u8).unwrap();
    assert!(text(row.repeat(1 << 20, 0)).contains("2^53"));
    assert!(text(row.repeat(2, 0)).contains("broadcast_to"));
    assert!(text(row.tile(&[1 << 20])).contains("2^53"));
    assert!(text(row.repeat(usize::MAX, 0)).contains("64 bits"));
    let column = row.expand_dims(1).unwrap();
    assert!(text(&column + &row).contains("2^53"));
    assert!(text(Array::arange(usize::MAX)).contains("2^53"));
    assert!(text(row.reshape(&[isize::MAX, 4])).contains("2^53"));
}

#[test]
fn results_that_cannot_be_held_are_refused_before_they_are_allocated() {
    let session = small_session();
    let large = Array::full(&[1 << 50], 1.0f32).unwrap();
    match session.compute::<f32>(&large) {
        Err(Error::Memory { needed, budget, .. }) => {
            assert_eq!((needed, budget), (1 << 52, session.limits().host));
        }
        other => panic!("{other:?}"),
    }
    // The widest dtype of the largest array still has a size.
    let wide = Array::full(&[1 << 53], 1u8).unwrap().astype(DType::F64);
    assert!(matches!(session.compute::<f64>(&wide), Err(Error::Memory { .. })));
}

#[test]
fn steps_and_bounds_at_the_ends_of_integers_mean_what_python_means() {
    let x = Array::arange(10).unwrap();
    let take = |start, stop, step| {
        let part = x.slice(&[s(start, stop, step)]).unwrap();
        part.compute::<i64>().unwrap().into_raw_vec_and_offset().0
    };
    // Values of CPython's list(range(10))[start:stop:step].
    assert_eq!(take(None, None, Some(isize::MIN)), [9]);
    assert_eq!(take(None, None, Some(isize::MAX)), [0]);
    assert_eq!(take(Some(isize::MAX), Some(isize::MIN), Some(-4)), [9, 5, 1]);
    assert_eq!(take(Some(isize::MIN), Some(isize::MAX), Some(4)), [0, 4, 8]);
    // A view of one element is viewed again.
    let one = x.slice(&[s(Some(3), None, Some(isize::MAX))]).unwrap();
    let again = one.slice(&[s(None, None, Some(-1))]).unwrap();
    assert_eq!(again.compute::<i64>().unwrap()[[0]], 3);
    assert!(x.slice(&[s(None, None, Some(0))]).is_err());
}

#[test]
fn chunk_sizes_that_overflow_do_not_add_up() {
    let x = Array::arange(9).unwrap();
    let sizes = ChunkSpec::Sizes(vec![usize::MAX, 10]); // wraps to 9
    assert!(text(x.rechunk(&[sizes])).contains("64 bits"));
    let whole = x.rechunk(&[ChunkSpec::Size(usize::MAX)]).unwrap();
    assert_eq!(whole.chunks().count(), 1);
}

#[test]
fn arrays_that_two_sessions_persist_are_told_apart() {
    let (first, second) = (small_session(), small_session());
    let x = Array::arange(5).unwrap();
    let a = first.persist(&(&x + 1).unwrap()).unwrap();
    let b = second.persist(&(&x + 10).unwrap()).unwrap();
    let difference = (&b - &a).unwrap();
    assert_eq!(
        first
            .compute::<i64>(&difference)
            .unwrap()
            .into_raw_vec_and_offset()
            .0,
        [9; 5]
    );
}

#[test]
fn a_pipe_is_no_file_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.nc");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let error = text(tilewise::io::open_catalog(&pipe));
    assert!(
        error.contains("pipe.nc") && error.contains("regular file"),
        "{error}"
    );
}
