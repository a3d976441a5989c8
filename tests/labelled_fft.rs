//! Fourier transforms along named dimensions: which labels come out, and the way back.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

use std::path::{Path, PathBuf};
use tilewise::io::{AttrValue, Attributes};
use tilewise::labelled::{Coord, DataArray, Datasets, Encoding, Index, Values, evaluate, write_netcdf};
use tilewise::{Array, Complex64, DType, Session};

/// A file with a wave of three turns along 24 places of `x`, twice as high in the second row, and
/// uneven labels of `y`.
fn file(folder: &Path) -> PathBuf {
    let wave = |at: usize| (std::f64::consts::TAU * 3.0 * (at % 24) as f64 / 24.0).cos();
    let values: Vec<f64> = (0..72).map(|at| wave(at) * [1.0, 2.0, 3.0][at / 24]).collect();
    let array = Array::from_vec(&[3, 24], values).unwrap();
    let mut metres = Attributes::new();
    metres.set("units", "m");
    let along = |dim: &str, labels: Vec<f64>, attrs| {
        (dim.to_string(), Coord::along(dim, Index::floats(labels), attrs))
    };
    let coords = vec![
        along("y", vec![0.0, 1.0, 5.0], Attributes::new()),
        along("x", (0..24).map(|at| 100.0 + 0.5 * at as f64).collect(), metres),
    ];
    let dims = ["y", "x"].map(String::from).to_vec();
    let wave = DataArray::new("wave", array.expr().clone(), dims, coords, Attributes::new()).unwrap();
    let path = folder.join("wave.nc");
    write_netcdf(&Session::global().unwrap(), &path, &[wave], &Encoding::default()).unwrap();
    path
}

fn made(text: &str, files: &Datasets) -> tilewise::Result<DataArray> {
    evaluate(text, files).map(|mut results| results.remove(0))
}

fn numbers(array: &DataArray, dim: &str) -> Vec<f64> {
    match &array.index(dim).unwrap().values {
        Values::Float(values) => values.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dimension_becomes_one_of_frequencies_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let files = Datasets::open(&[file(folder.path())]).unwrap();
    let session = &Session::global().unwrap();

    let spectrum = made(r#"wave.rfft("x")"#, &files).unwrap();
    assert_eq!(
        (spectrum.dims(), spectrum.shape()),
        (&["y".to_string(), "freq_x".into()][..], &[3, 13][..])
    );
    assert_eq!(spectrum.dtype(), DType::C128);
    let labels = numbers(&spectrum, "freq_x");
    assert!(
        (labels[3] - 3.0 / 12.0).abs() < 1e-15,
        "three turns in twelve metres: {labels:?}"
    );
    assert_eq!(
        spectrum.coord("freq_x").unwrap().attrs.get("units"),
        Some(&AttrValue::from("(m)-1"))
    );
    let values = session.compute::<Complex64>(&spectrum.array()).unwrap();
    for (at, z) in values.indexed_iter() {
        let expect = if at[1] == 3 {
            12.0 * (at[0] + 1) as f64
        } else {
            0.0
        };
        assert!((z - expect).norm() < 1e-12, "{at:?}: {z}");
    }

    let back = made(r#"irfft(rfft(wave, "x"), "freq_x")"#, &files).unwrap();
    assert_eq!(back.dims(), ["y", "x"]);
    let labels = numbers(&back, "x");
    assert!((labels[23] - 11.5).abs() < 1e-12, "{labels:?}");
    assert_eq!(back.coord("x").unwrap().attrs.text("units"), Some("m"));
    let off = made(
        r#"abs(irfft(rfft(wave, "x"), "freq_x").drop_vars("x") - wave.drop_vars("x")).max()"#,
        &files,
    );
    let off = session.compute::<f64>(&off.unwrap().array()).unwrap();
    assert!(off.iter().all(|gap| *gap < 1e-14), "{off}");

    let shifted = made(r#"fftshift(fft(wave, "x", norm="forward"), "freq_x")"#, &files).unwrap();
    let labels = numbers(&shifted, "freq_x");
    assert!(labels.is_sorted() && labels[12] == 0.0, "{labels:?}");
    let restored = made(r#"ifftshift(fftshift(fft(wave, "x")))"#, &files).unwrap();
    assert_eq!(
        numbers(&restored, "freq_x"),
        numbers(&made(r#"fft(wave, "x")"#, &files).unwrap(), "freq_x")
    );
}

#[test]
fn mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let files = Datasets::open(&[file(folder.path())]).unwrap();
    for (text, part) in [
        (r#"fft(wave, "y")"#, "the labels of y are not even"),
        (r#"fft(wave, "z")"#, "z"),
        (
            r#"fft(wave, "x", norm="none")"#,
            "norm is \"backward\", \"ortho\" or \"forward\"",
        ),
        (
            r#"rfft(fft(wave, "x"), "freq_x")"#,
            "it takes real numbers; use fft, or real(x)",
        ),
        (r#"rfft(wave, ["x", "y"])"#, "one dimension"),
        (r#"fft(wave, "x").max()"#, "complex numbers have no order"),
        (r#"fft(wave, "x") < 1"#, "less is not defined for complex numbers"),
    ] {
        let error = made(text, &files).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    let spaced = made(r#"fft(wave, "y", spacing=2)"#, &files).unwrap();
    assert_eq!(numbers(&spaced, "freq_y"), [0.0, 1.0 / 6.0, -1.0 / 6.0]);
}

#[test]
fn complex_numbers_are_kept_in_files_and_written_in_expressions() {
    let folder = tempfile::tempdir().unwrap();
    let files = Datasets::open(&[file(folder.path())]).unwrap();
    let session = &Session::global().unwrap();
    let made = made(r#"z = (wave + 2j * wave) / (1 - 1j)"#, &files).unwrap();
    assert_eq!(made.dtype(), DType::C128);
    let path = folder.path().join("z.nc");
    write_netcdf(session, &path, &[made], &Encoding::default()).unwrap();
    let written = Datasets::open(&[path]).unwrap();
    let gap = evaluate("max(abs(z * (1 - 1j) / (1 + 2j) - real(z * (1 - 1j))))", &written).unwrap();
    let gap = session.compute::<f64>(&gap[0].array()).unwrap();
    assert!(gap.iter().all(|gap| *gap < 1e-14), "{gap}");
    let single = evaluate("real(z).astype(\"float32\") * 2j", &written).unwrap();
    assert_eq!(single[0].dtype(), DType::C64);
}
