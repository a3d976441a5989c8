//! The corners of HDF5, NetCDF-4 and NPY, read as h5py, netCDF4 and NumPy read them.
//!
//! `oracle/arrays/` holds small files that `tools/oracle/arrays.py` makes: other byte orders, odd
//! types, every chunk index, filters left out, chunks never written, a user block.

#![allow(clippy::unwrap_used)] // helpers of tests fail the test

use serde_json::Value;
use std::path::{Path, PathBuf};
use tilewise::geometry::Region;
use tilewise::io::{Container, NpyWriter, open_catalog, open_source};
use tilewise::store::{Source, conformance};
use tilewise::{DType, Error};

fn oracle() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

fn cases() -> Vec<Value> {
    let text = std::fs::read_to_string(oracle().join("arrays.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    json["cases"].as_array().unwrap().clone()
}

/// The bytes of an array of bit patterns.
fn bytes(words: &Value, size: usize) -> Vec<u8> {
    words
        .as_str()
        .unwrap()
        .split_whitespace()
        .flat_map(|w| u64::from_str_radix(w, 16).unwrap().to_le_bytes()[..size].to_vec())
        .collect()
}

fn integers(value: &Value) -> Vec<usize> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_u64().unwrap() as usize)
        .collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect()
}

#[test]
fn every_corner_reads_as_its_own_library_reads_it() {
    let (mut compared, mut lacking) = (0, Vec::new());
    for case in cases() {
        let path = oracle().join("arrays").join(case["file"].as_str().unwrap());
        let file = Container::open(&path).unwrap();
        let catalog = file.catalog();
        let variables = case["variables"].as_object().unwrap();
        for (name, expected) in variables {
            let variable = catalog
                .variable(name)
                .unwrap_or_else(|| panic!("{path:?}: {name}"));
            let dtype = DType::parse(expected["dtype"].as_str().unwrap()).unwrap();
            assert_eq!(variable.numeric(), Some(dtype), "{path:?}: {name}");
            assert_eq!(variable.shape, integers(&expected["shape"]), "{path:?}: {name}");
            if !expected["dims"].is_null() {
                assert_eq!(variable.dims, texts(&expected["dims"]), "{path:?}: {name}");
            }
            match file.source(name) {
                Ok(source) => {
                    assert_eq!(source.dtype(), dtype);
                    conformance::source(&*source, &bytes(&expected["words"], dtype.part().size()));
                    compared += 1;
                }
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains(name) && text.contains("lacks"), "{text}");
                    assert!(
                        catalog.notes.iter().any(|n| n.contains(name)),
                        "{:?}",
                        catalog.notes
                    );
                    lacking.push(name.clone());
                }
            }
        }
        for (name, expected) in case["text"].as_object().unwrap() {
            assert_eq!(
                file.text(name).unwrap().values,
                texts(expected),
                "{path:?}: {name}"
            );
            assert!(file.source(name).is_err());
        }
        for name in texts(&case["other"]) {
            let variable = catalog
                .variable(name)
                .unwrap_or_else(|| panic!("{path:?}: {name}"));
            assert_eq!(variable.numeric(), None, "{name}");
            let error = file.source(name).unwrap_err().to_string();
            assert!(error.contains("not numbers") && error.contains(name), "{error}");
            assert!(file.text(name).unwrap_err().to_string().contains("not text"));
        }
        let listed = variables.len()
            + case["text"].as_object().unwrap().len()
            + case["other"].as_array().unwrap().len();
        assert_eq!(catalog.variables.len(), listed, "{path:?}: {:?}", catalog.notes);
    }
    assert!(compared >= 50, "{compared} compared");
    // A plain HDF5 library lacks nothing but h5py's own filter.
    assert!(lacking.iter().all(|name| name == "/foreign/lzf"), "{lacking:?}");
}

#[test]
fn codecs_and_notes_are_told() {
    let catalog = open_catalog(oracle().join("arrays/quirks.h5")).unwrap();
    let codecs = |name: &str| catalog.variable(name).unwrap().codecs.clone();
    assert_eq!(codecs("/big/i2"), "shuffle,deflate(4)");
    assert_eq!(codecs("/sums/all"), "shuffle,deflate(1),fletcher32");
    assert_eq!(codecs("/foreign/scaled"), "scaleoffset");
    assert_eq!(codecs("/foreign/lzf"), "lzf");
    assert_eq!(codecs("/big/f8"), "");
    assert!(
        catalog.notes.iter().any(|n| n.contains("/links/dangling")),
        "{:?}",
        catalog.notes
    );
    assert_eq!(
        catalog.variable("/scaled/v").unwrap().dims,
        ["/scaled/y", "/scaled/x"]
    );
    let nested = open_catalog(oracle().join("arrays/quirks.nc")).unwrap();
    assert_eq!(nested.format, "NetCDF-4");
    assert_eq!(nested.attributes.text("/g/note"), Some("in a group"));
    assert!(nested.dim("time").unwrap().unlimited);
    assert!(
        nested
            .variables
            .iter()
            .all(|v| v.attributes.iter().all(|(n, _)| !n.starts_with("_Netcdf4")))
    );
}

#[test]
fn corrupt_chunks_are_found() {
    let good = std::fs::read(oracle().join("arrays/quirks.h5")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.h5");
    // The elements of /sums/only stand unfiltered behind each other, so they are easy to find.
    let pattern = [0u8, 7, 14, 21, 28, 35, 42];
    let at = good.windows(7).position(|w| w == pattern).unwrap();
    let mut found = 0;
    for at in [at, at + 3, at + 6] {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        std::fs::write(&path, &bad).unwrap();
        let source = open_source(&path, "/sums/only").unwrap();
        if let Err(error) = source.read(&Region::whole(&[17]), &mut [0; 17]) {
            let text = error.to_string();
            assert!(text.contains("bad.h5") && text.contains("/sums/only"), "{text}");
            assert!(text.contains("checksum"), "{text}");
            found += 1;
        }
    }
    assert_eq!(found, 3);
}

#[test]
fn damaged_files_never_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = 0x9e37_79b9u64;
    let mut below = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    let mut failures = 0;
    for name in [
        "quirks.h5",
        "latest.h5",
        "quirks.nc",
        "userblock.h5",
        "fortran.npy",
        "version3.npy",
    ] {
        let good = std::fs::read(oracle().join("arrays").join(name)).unwrap();
        // HDF5 1.10 loops for ever on a damaged global heap, and no caller can stop it.
        let heaps: Vec<usize> = (0..good.len())
            .filter(|&at| good[at..].starts_with(b"GCOL"))
            .collect();
        let in_heap = |at: usize| heaps.iter().any(|heap| (*heap..heap + 4096).contains(&at));
        for round in 0..24 {
            let mut bytes = good.clone();
            if round % 3 == 0 {
                bytes.truncate(below(good.len()));
            } else {
                for _ in 0..4 {
                    let at = below(good.len());
                    if !in_heap(at) {
                        bytes[at] ^= 1 << below(8);
                    }
                }
            }
            let path = folder.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            if let Err(error) = read_everything(&path) {
                assert!(error.to_string().contains(name), "{error}");
                failures += 1;
            }
        }
    }
    assert!(failures >= 30, "{failures}");
}

/// Reads all that is not too large to have been meant.
fn read_everything(path: &Path) -> Result<(), Error> {
    let file = Container::open(path)?;
    for variable in &file.catalog().variables {
        let count: usize = variable.shape.iter().product();
        if variable.numeric().is_some() && count < 1 << 18 {
            let source = file.source(&variable.name)?;
            let mut out = vec![0; count * source.dtype().size()];
            source.read(&Region::whole(source.shape()), &mut out)?;
        } else if variable.numeric().is_none() {
            let _ = file.text(&variable.name);
        }
    }
    Ok(())
}

/// Filters that the HDF5 library lacks, as `tools/oracle/filters.py` had h5py and hdf5plugin write them.
#[test]
fn foreign_filters_are_decoded() {
    let file = Container::open(oracle().join("filters.h5")).unwrap();
    let names: Vec<String> = file.catalog().variables.iter().map(|v| v.name.clone()).collect();
    assert_eq!(names.len(), 20, "{names:?}");
    for name in names {
        let source = file.source(&name).unwrap();
        assert_eq!(source.shape(), [11, 101], "{name}");
        let dtype = source.dtype();
        let expected: Vec<u8> = (0..11i64)
            .flat_map(|i| (0..101i64).map(move |j| i * 1000 + j * j % 977))
            .flat_map(|v| match dtype {
                DType::F32 => (v as f32).to_le_bytes().to_vec(),
                DType::F64 => (v as f64).to_le_bytes().to_vec(),
                DType::I16 => (v as i16).to_le_bytes().to_vec(),
                _ => (v as i32).to_le_bytes().to_vec(),
            })
            .collect();
        let mut out = vec![0; expected.len()];
        source.read(&Region::whole(&[11, 101]), &mut out).unwrap();
        assert!(out == expected, "{name}");
    }
}

/// Addresses of another file mean nothing in this one.
#[test]
fn links_to_other_files_are_read_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let values = ndarray::Array1::from_iter((0..40).map(|i| i * 3));
    let other = hdf5::File::create(folder.path().join("other.h5")).unwrap();
    other
        .new_dataset_builder()
        .with_data(&values)
        .create("piece")
        .unwrap();
    let builder = other.new_dataset_builder().with_data(&values).chunk(7).deflate(2);
    builder.create("chunks").unwrap();
    other.close().unwrap();
    let path = folder.path().join("links.h5");
    let file = hdf5::File::create(&path).unwrap();
    let zeros = ndarray::Array1::<f64>::zeros(5000);
    file.new_dataset_builder()
        .with_data(&zeros)
        .create("own")
        .unwrap();
    file.link_external("other.h5", "/piece", "a").unwrap();
    file.link_external("other.h5", "/chunks", "b").unwrap();
    file.close().unwrap();
    let expected: Vec<u8> = values.iter().flat_map(|v: &i32| v.to_le_bytes()).collect();
    for name in ["a", "b"] {
        let source = open_source(&path, name).unwrap();
        let mut out = vec![0; 160];
        source.read(&Region::whole(&[40]), &mut out).unwrap();
        assert_eq!(out, expected, "{name}");
    }
}

#[test]
fn npy_files_are_written_as_numpy_writes_them() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases() {
        let name = case["file"].as_str().unwrap();
        if !["c.npy", "empty.npy", "flags.npy", "scalar.npy"].contains(&name) {
            continue;
        }
        let expected = &case["variables"]["data"];
        let dtype = DType::parse(expected["dtype"].as_str().unwrap()).unwrap();
        let data = bytes(&expected["words"], dtype.size());
        let path = folder.path().join(name);
        let writer = NpyWriter::create(&path, dtype, &integers(&expected["shape"])).unwrap();
        conformance::sink(&*writer.array(), &data);
        assert!(!path.exists());
        writer.finish().unwrap();
        let numpys = std::fs::read(oracle().join("arrays").join(name)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), numpys, "{name}");
    }
}

#[test]
fn npy_files_appear_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    drop(NpyWriter::create(&path, DType::F32, &[3]).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(
        NpyWriter::create(&path, DType::BF16, &[3])
            .unwrap_err()
            .to_string()
            .contains("bfloat16")
    );
    assert!(NpyWriter::create(&path, DType::F32, &[usize::MAX, 2]).is_err());
    assert!(matches!(
        NpyWriter::create(folder.path(), DType::F32, &[3]),
        Err(Error::Io { .. })
    ));
}

#[test]
fn hostile_npy_headers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.npy");
    let header = |text: &str| {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    };
    let shaped = |shape: &str| {
        header(&format!(
            "{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}"
        ))
    };
    for (bytes, expected) in [
        (b"\x93NUMPY".to_vec(), "truncated"),
        (b"\x93NUMPY\x01\x00\xff\xff{".to_vec(), "truncated"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{   ".to_vec(), "claims"),
        (b"\x93NUMPY\x09\x00\x10\x00{   ".to_vec(), "version 9"),
        (shaped("(1000000000000,)"), "truncated"),
        (shaped("(9999999999999, 9999999999999)"), "2^53"),
        (shaped(&format!("({})", "1,".repeat(100))), "axes"),
        (
            header("{'descr': '<U3', 'fortran_order': False, 'shape': (1,)}"),
            "<U3",
        ),
    ] {
        std::fs::write(&path, &bytes).unwrap();
        let error = Container::open(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let file = Container::open(oracle().join("arrays/c.npy")).unwrap();
    assert!(file.source("other").unwrap_err().to_string().contains("data"));
    assert!(file.text("data").is_err());
    let source: std::sync::Arc<dyn Source> = file.source("data").unwrap();
    assert_ne!(
        source.fingerprint(),
        open_source(oracle().join("arrays/big.npy"), "data")
            .unwrap()
            .fingerprint()
    );
}
