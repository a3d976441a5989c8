//! NPZ, raw binary and tables, read as NumPy and pandas read them.
//!
//! `oracle/flat/` holds small files that `tools/oracle/flat.py` makes with those libraries.

#![allow(clippy::unwrap_used)] // helpers of tests fail the test

use serde_json::Value;
use std::path::{Path, PathBuf};
use tilewise::geometry::Region;
use tilewise::io::{
    Compression, Container, Contents, Dim, FileSpec, OutputFormat, RawFile, VarType, VariableSpec,
};
use tilewise::store::conformance;
use tilewise::{DType, Error};

fn oracle() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

fn cases() -> Vec<Value> {
    let text = std::fs::read_to_string(oracle().join("flat.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    json["cases"].as_array().unwrap().clone()
}

fn path_of(case: &Value) -> PathBuf {
    oracle().join("flat").join(case["file"].as_str().unwrap())
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

fn shape(value: &Value) -> Vec<usize> {
    let extents = value.as_array().unwrap().iter();
    extents.map(|v| v.as_u64().unwrap() as usize).collect()
}

/// Opens the file of a case.
fn open(path: &Path, case: &Value) -> Container {
    match case["raw"].as_str() {
        Some(rest) => Container::new(RawFile::parse(&format!("{}{rest}", path.display())).unwrap()),
        None => Container::open(path).unwrap(),
    }
}

/// The variables of an open file against what the library reads.
fn check(file: &Container, case: &Value, what: &str) -> usize {
    let variables = case["variables"].as_object().unwrap();
    for (name, expected) in variables {
        let what = format!("{what}: {name}");
        let dtype = DType::parse(expected["dtype"].as_str().unwrap()).unwrap();
        let variable = file
            .catalog()
            .variable(name)
            .unwrap_or_else(|| panic!("{what}: {:?}", file.catalog()));
        assert_eq!(variable.numeric(), Some(dtype), "{what}");
        assert_eq!(variable.shape, shape(&expected["shape"]), "{what}");
        let lens: Vec<usize> = variable
            .dims
            .iter()
            .map(|d| file.catalog().dim(d).unwrap().len)
            .collect();
        assert_eq!(lens, variable.shape, "{what}");
        let source = file.source(name).unwrap();
        conformance::source(&*source, &bytes(&expected["words"], dtype.part().size()));
        assert!(file.text(name).is_err());
    }
    for (name, expected) in case["text"].as_object().unwrap() {
        let texts: Vec<&str> = expected
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t.as_str().unwrap())
            .collect();
        assert_eq!(file.text(name).unwrap().values, texts, "{what}: {name}");
        assert!(file.source(name).is_err());
    }
    assert!(file.source("nothing").is_err() && file.text("nothing").is_err());
    variables.len()
}

#[test]
fn files_read_as_their_libraries_read_them() {
    let mut compared = 0;
    for case in cases() {
        let path = path_of(&case);
        let file = open(&path, &case);
        compared += check(&file, &case, &path.display().to_string());
        let listed = case["variables"].as_object().unwrap().len() + case["text"].as_object().unwrap().len();
        if !path.ends_with("only_names.csv") {
            assert_eq!(file.catalog().variables.len(), listed, "{path:?}");
        }
    }
    assert!(compared > 60, "{compared}");
}

#[test]
fn what_is_not_shown_is_noted() {
    let file = Container::open(oracle().join("flat/mixed.npz")).unwrap();
    let notes = file.catalog().notes.join("; ");
    for expected in [
        "readme.txt",
        "c is compressed by",
        "folder/b is compressed in one stream",
    ] {
        assert!(notes.contains(expected), "{notes}");
    }
    let table = Container::open(oracle().join("flat/only_names.csv")).unwrap();
    assert_eq!(table.catalog().variable("a").unwrap().shape, [0]);
    let twice = Container::open(oracle().join("flat/twice.csv")).unwrap();
    assert_eq!(twice.catalog().notes.len(), 2);
    assert_eq!(twice.catalog().dims[0].name, "row");
}

fn spec_of(case: &Value) -> FileSpec {
    let mut spec = FileSpec::default();
    for (name, expected) in case["variables"].as_object().unwrap() {
        let mut dims = Vec::new();
        for (axis, len) in shape(&expected["shape"]).into_iter().enumerate() {
            dims.push(format!("{name}/{axis}"));
            spec.dims.push(Dim {
                name: format!("{name}/{axis}"),
                len,
                unlimited: false,
            });
        }
        let dims: Vec<&str> = dims.iter().map(String::as_str).collect();
        let dtype = DType::parse(expected["dtype"].as_str().unwrap()).unwrap();
        spec.variables
            .push(VariableSpec::new(name.clone(), &dims, VarType::Numeric(dtype)));
    }
    spec
}

/// Writes the arrays of a case.
fn write(case: &Value, path: &Path) -> Result<(), Error> {
    let writer = OutputFormat::of(path)?.create(path, &spec_of(case))?;
    for (name, expected) in case["variables"].as_object().unwrap() {
        let sink = writer.sink(name)?;
        conformance::sink(&*sink, &bytes(&expected["words"], sink.dtype().part().size()));
    }
    assert!(!path.exists());
    writer.finish()
}

/// A folder for files that `tools/interop/flat.py` reads, or one that is removed again.
fn folder() -> (PathBuf, Option<tempfile::TempDir>) {
    match std::env::var_os("TILEWISE_INTEROP") {
        Some(folder) => (folder.into(), None),
        None => {
            let folder = tempfile::tempdir().unwrap();
            (folder.path().to_path_buf(), Some(folder))
        }
    }
}

#[test]
fn written_archives_are_read_back() {
    let (folder, _guard) = folder();
    for name in ["plain.npz", "deflated.npz", "none.npz"] {
        let case = cases().into_iter().find(|c| c["file"] == name).unwrap();
        let path = folder.join(name);
        write(&case, &path).unwrap();
        let file = Container::open(&path).unwrap();
        assert!(file.catalog().notes.is_empty(), "{:?}", file.catalog().notes);
        check(&file, &case, name);
    }
}

#[test]
fn written_raw_binary_is_read_back() {
    let (folder, _guard) = folder();
    for (name, rest) in [
        ("plain.bin", ":float32:3x4"),
        ("other.raw", ":int16:3x4x2"),
        ("one.bin", ":complex128:scalar"),
    ] {
        let case = cases().into_iter().find(|c| c["file"] == name).unwrap();
        let path = folder.join(name);
        write(&case, &path).unwrap();
        let file = Container::new(RawFile::parse(&format!("{}{rest}", path.display())).unwrap());
        check(&file, &case, name);
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let case = cases().into_iter().find(|c| c["file"] == "plain.npz").unwrap();
    let many = spec_of(&case);
    let error = |name: &str, spec: &FileSpec| {
        let format = OutputFormat::of(Path::new(name)).unwrap();
        format.create(&path(name), spec).unwrap_err().to_string()
    };
    assert!(error("x.bin", &many).contains(".npz"));
    let mut one = FileSpec {
        variables: vec![many.variables[0].clone()],
        ..many.clone()
    };
    one.variables[0].compression = Some(Compression::deflate(1));
    assert!(error("x.bin", &one).contains("no compression"));
    assert!(error("x.npz", &one).contains("without compression"));
    one.variables[0].compression = None;
    one.variables[0].dtype = VarType::Text;
    assert!(error("x.bin", &one).contains("text is not written"));
    assert!(error("x.npz", &one).contains("text is not written"));
    one.variables[0].dtype = VarType::Numeric(DType::BF16);
    assert!(error("x.npz", &one).contains("bfloat16"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn raw_files_that_are_too_short_are_refused() {
    let path = oracle().join("flat/plain.bin");
    assert!(RawFile::open(&path, DType::F32, &[3, 4], 0, false, false).is_ok());
    for (shape, offset) in [
        (vec![3, 5], 0),
        (vec![3, 4], 1),
        (vec![1], u64::MAX),
        (vec![1 << 60], 0),
    ] {
        let error = RawFile::open(&path, DType::F32, &shape, offset, false, false).unwrap_err();
        assert!(!error.to_string().is_empty());
    }
    let empty = RawFile::open(&path, DType::F32, &[3, 0], 48, false, false).unwrap();
    assert_eq!(empty.catalog().variables[0].shape, [3, 0]);
}

#[test]
fn broken_tables_tell_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.csv");
    let mut open_quote = b"a,b\n1,\"".to_vec();
    open_quote.resize(17 << 20, b'x');
    open_quote.extend(b"\",2\n");
    for (text, expected) in [
        (
            &b"a,b\n1,2\n3\n"[..],
            "line 3: 1 cells, where the first line has 2",
        ),
        (b"a,b\n1,2\n\n3,4,5\n", "line 4: 3 cells"),
        (b"a\n\"1\n2\"\n1,2\n", "line 4: 2 cells"),
        (b"\n\n", "no line with the names"),
        (&open_quote, "16 MiB"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = Container::open(&path).unwrap_err().to_string();
        assert!(
            error.contains(expected) && error.contains("broken.csv"),
            "{error}"
        );
    }
    let names: String = (0..70_000).map(|_| "a,").collect();
    std::fs::write(&path, names + "a\n").unwrap();
    assert!(
        Container::open(&path)
            .unwrap_err()
            .to_string()
            .contains("70001 columns")
    );
    std::fs::write(&path, "a,b\n99999999999999999999,\u{e9}\n").unwrap();
    let catalog = Container::open(&path).unwrap().catalog().clone();
    assert!(catalog.notes[0].contains("beyond int64"), "{:?}", catalog.notes);
}

#[test]
fn a_table_that_changed_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.csv");
    std::fs::write(&path, "a\n1\n2\n").unwrap();
    let source = Container::open(&path).unwrap().source("a").unwrap();
    std::fs::write(&path, "a\n1\nx\n").unwrap();
    let error = source.read(&Region::whole(&[2]), &mut [0; 16]).unwrap_err();
    assert!(error.to_string().contains("changed"), "{error}");
}

#[test]
fn damaged_archives_never_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = 0x9e37_79b9u64;
    let mut below = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    let mut refused = 0;
    for name in ["plain.npz", "deflated.npz", "mixed.npz"] {
        let good = std::fs::read(oracle().join("flat").join(name)).unwrap();
        let path = folder.path().join(name);
        for round in 0..200 {
            let mut damaged = good.clone();
            match round % 4 {
                0 => damaged.truncate(below(good.len())),
                _ => {
                    // Every second time in the directory, where the sizes are.
                    let from = if round % 2 == 0 {
                        0
                    } else {
                        good.len() - good.len() / 6
                    };
                    let at = from + below(good.len() - from);
                    damaged[at] ^= 1 << below(8);
                }
            }
            std::fs::write(&path, &damaged).unwrap();
            let read = Container::open(&path).and_then(|file| {
                for variable in &file.catalog().variables {
                    let source = file.source(&variable.name)?;
                    let bytes = source.shape().iter().product::<usize>() * source.dtype().size();
                    assert!(bytes < 1 << 20, "{bytes} bytes");
                    source.read(&Region::whole(source.shape()), &mut vec![0; bytes])?;
                }
                Ok(())
            });
            refused += usize::from(read.is_err());
        }
    }
    assert!(refused > 200, "{refused}");
}
