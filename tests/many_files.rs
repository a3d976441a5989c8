//! Many files as one, against xarray's `open_mfdataset`, and what is said where they do not fit.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tilewise::geometry::Region;
use tilewise::io::{AttrValue, Attributes, Dim, FileSpec, NetCdfWriter, VarType, VariableSpec, Writer};
use tilewise::labelled::cftime::{Calendar, TimeUnits};
use tilewise::labelled::{DataArray, Dataset, Datasets, Values};
use tilewise::store::conformance;
use tilewise::{DType, Result, Scalar, Session};

/// The words of an oracle as scalars.
fn scalars(words: &str, dtype: DType) -> Vec<Scalar> {
    words
        .split_whitespace()
        .map(|w| Scalar::from_bytes(dtype, &u64::from_str_radix(w, 16).unwrap().to_le_bytes()))
        .collect()
}

fn bytes(words: &str, dtype: DType) -> Vec<u8> {
    scalars(words, dtype).iter().flat_map(Scalar::bytes).collect()
}

fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().unwrap().iter();
    list.map(|v| v.as_str().unwrap().to_string()).collect()
}

fn sizes(value: &Value) -> Vec<usize> {
    let list = value.as_array().unwrap().iter();
    list.map(|v| v.as_u64().unwrap() as usize).collect()
}

/// Writes a file as the oracle describes it.
fn write_file(path: &Path, file: &Value) {
    let dims = file["dims"].as_object().unwrap();
    let mut spec = FileSpec::default();
    for (name, len) in dims {
        spec.dims.push(Dim {
            name: name.clone(),
            len: len.as_u64().unwrap() as usize,
            unlimited: false,
        });
    }
    let variables = file["variables"].as_object().unwrap();
    for (name, variable) in variables {
        let dims = strings(&variable["dims"]);
        let dims: Vec<&str> = dims.iter().map(String::as_str).collect();
        let dtype = match variable["dtype"].as_str() {
            Some(dtype) => VarType::Numeric(DType::parse(dtype).unwrap()),
            None => VarType::Text,
        };
        let mut made = VariableSpec::new(name.clone(), &dims, dtype);
        made.chunks = variable.get("chunks").map(sizes);
        for (key, value) in variable["attributes"].as_object().unwrap() {
            let value = match value.as_str() {
                Some(text) => AttrValue::from(text),
                None => {
                    let dtype = DType::parse(value["dtype"].as_str().unwrap()).unwrap();
                    AttrValue::from(scalars(value["values"].as_str().unwrap(), dtype)[0])
                }
            };
            match (key.as_str(), &made.dtype) {
                ("_FillValue", VarType::Numeric(dtype)) => made.fill = value.scalar(*dtype),
                _ => made.attributes.set(key.clone(), value),
            }
        }
        spec.variables.push(made);
    }
    let writer = NetCdfWriter::create(path, &spec).unwrap();
    for (name, variable) in variables {
        match variable["dtype"].as_str() {
            Some(dtype) => {
                let dtype = DType::parse(dtype).unwrap();
                let bytes = bytes(variable["values"].as_str().unwrap(), dtype);
                writer.write_whole(name, &bytes).unwrap();
            }
            None => writer.write_text(name, &strings(&variable["texts"])).unwrap(),
        }
    }
    Box::new(writer).finish().unwrap();
}

/// All elements of an array.
fn compute(session: &Session, array: &DataArray) -> Vec<Scalar> {
    let dtype = array.dtype();
    let mut bytes = vec![0; array.expr().len() * dtype.size()];
    session.compute_into(&[&array.array()], vec![&mut bytes]).unwrap();
    let elements = bytes.chunks_exact(dtype.size());
    elements.map(|b| Scalar::from_bytes(dtype, b)).collect()
}

fn cases() -> Vec<Value> {
    let text = include_str!("oracle/many_files.json");
    let all: Value = serde_json::from_str(text).unwrap();
    all["cases"].as_array().unwrap().clone()
}

/// The files of a case of the oracle.
fn case_files(folder: &Path, case: &Value) -> Vec<PathBuf> {
    let files = case["files"].as_array().unwrap();
    let paths = files.iter().enumerate().map(|(n, file)| {
        let path = folder.join(format!("{n}.nc"));
        write_file(&path, file);
        path
    });
    paths.collect()
}

fn case(name: &str) -> Value {
    cases().into_iter().find(|c| c["name"] == name).unwrap()
}

#[test]
fn files_are_joined_as_by_xarray() {
    let session = Session::global().unwrap();
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let paths = case_files(folder.path(), &case);
        let joined = Dataset::join(name, &paths).unwrap();
        assert_eq!(joined.paths().len(), paths.len());
        let expected = case["expected"].as_object().unwrap();
        assert_eq!(joined.catalog().variables.len(), expected.len(), "{name}");
        for (variable, want) in expected {
            let place = format!("{name}: {variable}");
            if let Some(texts) = want.get("texts") {
                let array = joined.get("tas").unwrap();
                let index = array.index(variable).unwrap();
                assert_eq!(index.values, Values::Text(strings(texts)), "{place}");
                continue;
            }
            let array = joined.get(variable).unwrap();
            assert_eq!(array.dims(), strings(&want["dims"]), "{place}");
            assert_eq!(array.shape(), sizes(&want["shape"]), "{place}");
            let found = compute(&session, &array);
            if let Some(times) = want.get("times") {
                // Cell bounds have the units of their coordinate.
                let of = if variable == "time_bnds" { "time" } else { variable };
                let attributes = &joined.catalog().variable(of).unwrap().attributes;
                let calendar = Calendar::parse(attributes.text("calendar").unwrap()).unwrap();
                let units = TimeUnits::parse(attributes.text("units").unwrap(), calendar);
                let units = units.unwrap().unwrap();
                let shown: Vec<String> = found
                    .iter()
                    .map(|v| units.decode(v.to_f64()).unwrap().to_string())
                    .collect();
                assert_eq!(shown, strings(times), "{place}");
                continue;
            }
            let dtype = DType::parse(want["dtype"].as_str().unwrap()).unwrap();
            assert_eq!(array.dtype(), dtype, "{place}");
            let want = scalars(want["values"].as_str().unwrap(), dtype);
            assert_eq!(found.len(), want.len(), "{place}");
            for (at, (a, b)) in found.iter().zip(&want).enumerate() {
                let same = a.bits() == b.bits() || (a.to_f64().is_nan() && b.to_f64().is_nan());
                assert!(same, "{place} at {at}: {a} against {b}");
            }
        }
    }
}

#[test]
fn times_keep_the_units_of_the_first_file() {
    let folder = tempfile::tempdir().unwrap();
    let paths = case_files(folder.path(), &case("units"));
    let joined = Dataset::join("all", &paths).unwrap();
    let time = joined.catalog().variable("time").unwrap();
    assert_eq!(time.attributes.text("units"), Some("days since 2000-01-01"));
    let notes = &joined.catalog().notes;
    assert!(
        notes[0].starts_with("3 files joined along time: 1.nc to 2.nc"),
        "{notes:?}"
    );
    // The labels of whole days stay whole numbers where all are.
    let whole = Dataset::join("two", &paths[..2]).unwrap();
    let index = whole.get("tas").unwrap().index("time").unwrap().clone();
    assert_eq!(index.values, Values::Int(vec![0, 1, 366, 367, 368]));
}

#[test]
fn every_region_of_a_joined_variable_is_the_same() {
    for name in ["plain", "packing", "falling", "dtypes"] {
        let folder = tempfile::tempdir().unwrap();
        let case = case(name);
        let paths = case_files(folder.path(), &case);
        let joined = Dataset::join_keeping(name, &paths, 1).unwrap();
        let variable = if name == "falling" { "ta" } else { "tas" };
        let array = joined.get(variable).unwrap();
        let source = joined.source(variable).unwrap();
        let mut all = vec![0; array.expr().len() * source.dtype().size()];
        source.read(&Region::whole(source.shape()), &mut all).unwrap();
        conformance::source(&*source, &all);
    }
}

#[test]
fn hundreds_of_files_need_few_open_ones() {
    let folder = tempfile::tempdir().unwrap();
    let pattern = folder.path().join("ta_*.nc");
    for n in 0..300 {
        let path = folder.path().join(format!("ta_{n:03}.nc"));
        simple(&path, 4.0 * f64::from(n), 4, |_| {});
    }
    let most = || std::fs::read_dir("/proc/self/fd").map_or(0, |fds| fds.count());
    let before = most();
    let paths: Vec<PathBuf> = (0..300)
        .map(|n| folder.path().join(format!("ta_{n:03}.nc")))
        .collect();
    let joined = Dataset::join_keeping("all", &paths, 4).unwrap();
    assert!(
        most() <= before + 8,
        "{} files open before any is read",
        most() - before
    );
    let mean = joined.get("tas").unwrap().mean(&["time"]).unwrap();
    let session = Session::global().unwrap();
    assert_eq!(compute(&session, &mean)[0].to_f64(), 599.5);
    // Four files of two descriptors each, and what other tests of this process have open.
    assert!(most() <= before + 64, "{} files stay open", most() - before);
    let by_name = Datasets::open(&[&pattern]).unwrap().get("tas").unwrap();
    assert_eq!(by_name.shape(), [1200, 2]);
    assert_eq!(
        by_name.chunk(&[("time".to_string(), 7)]).unwrap().shape(),
        [1200, 2]
    );
}

/// What a test changes in a simple file.
type Change<'a> = &'a dyn Fn(&mut FileSpec);

/// A file of tas over time from `start` on and two places; `tas` counts on with time.
fn simple(path: &Path, start: f64, count: usize, change: impl Fn(&mut FileSpec)) {
    let dim = |name: &str, len| Dim {
        name: name.into(),
        len,
        unlimited: false,
    };
    let mut time = VariableSpec::new("time", &["time"], VarType::Numeric(DType::F64));
    time.attributes.set("units", "days since 2000-01-01");
    let mut tas = VariableSpec::new("tas", &["time", "x"], VarType::Numeric(DType::F32));
    tas.attributes.set("units", "K");
    let x = VariableSpec::new("x", &["x"], VarType::Numeric(DType::F64));
    let mut spec = FileSpec {
        dims: vec![dim("time", count), dim("x", 2)],
        variables: vec![time, x, tas],
        attributes: Attributes::new(),
    };
    change(&mut spec);
    let writer = NetCdfWriter::create(path, &spec).unwrap();
    for variable in &spec.variables {
        let VarType::Numeric(dtype) = variable.dtype else {
            continue;
        };
        let sink = writer.sink(&variable.name).unwrap();
        let shape = sink.shape().to_vec();
        let inner: usize = shape.iter().skip(1).product();
        let value = |i: usize| match variable.name.as_str() {
            "x" => {
                i as f64
                    + variable
                        .attributes
                        .get("shift")
                        .and_then(AttrValue::as_f64)
                        .unwrap_or(0.0)
            }
            _ => start + (i / inner.max(1)) as f64,
        };
        let bytes = |v: f64| match dtype {
            DType::F32 => (v as f32).to_ne_bytes().to_vec(),
            DType::F64 => v.to_ne_bytes().to_vec(),
            _ => (v as i16).to_ne_bytes().to_vec(),
        };
        let data: Vec<u8> = (0..shape.iter().product())
            .flat_map(|i| bytes(value(i)))
            .collect();
        sink.write(&Region::whole(&shape), &data).unwrap();
    }
    Box::new(writer).finish().unwrap();
}

#[test]
fn what_does_not_fit_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.nc"), folder.path().join("b.nc"));
    simple(&a, 0.0, 3, |_| {});
    let cases: [(f64, Change, &[&str]); 10] = [
        (
            3.0,
            &|s| s.variables[2].attributes.set("units", "degC"),
            &["variable tas: units \"K\" against \"degC\""],
        ),
        (
            3.0,
            &|s| s.variables[1].attributes.set("shift", AttrValue::number(0.25)),
            &["coordinate x: at index 0: 0 against 0.25"],
        ),
        (3.0, &|s| s.dims[1].len = 3, &["coordinate x: 2 values against 3"]),
        (
            3.0,
            &|s| s.variables[2].dims = vec!["x".into(), "time".into()],
            &["variable tas: dimensions (time, x) against (x, time)"],
        ),
        (
            3.0,
            &|s| s.variables[0].attributes.set("calendar", "noleap"),
            &["calendar standard against noleap"],
        ),
        (3.0, &|s| s.variables[0].attributes.set("units", "m"), &["time"]),
        (
            2.0,
            &|_| {},
            &[
                "its time overlaps that of ",
                "a.nc",
                "ends with 2000-01-03",
                "begins with 2000-01-03",
            ],
        ),
        (0.0, &|_| {}, &["both hold tas over the same labels"]),
        (
            3.0,
            &|s| s.variables.retain(|v| v.name != "x"),
            &["variable x is in ", "a.nc only"],
        ),
        (
            3.0,
            &|s| {
                s.variables[2].attributes.set("units", "degC");
                s.variables[0].attributes.set("calendar", "360_day");
            },
            &["calendar standard against 360_day; variable tas: units"],
        ),
    ];
    for (start, change, says) in cases {
        simple(&b, start, 3, change);
        let error = Dataset::join("both", &[&a, &b]).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        let told = error.to_string();
        assert!(
            told.starts_with(b.to_str().unwrap()) && told.contains(a.to_str().unwrap()),
            "{told}"
        );
        for part in says {
            assert!(told.contains(part), "{told}\nlacks {part}");
        }
        // Named one by one they stay two files, and the error says how to tell them apart.
        let both = Datasets::open(&[&a, &b]).unwrap();
        let told = both.get("tas").unwrap_err().to_string();
        assert!(
            told.contains("a.nc and ") && told.contains("write file:tas"),
            "{told}"
        );
        assert!(told.contains(says[0]), "{told}");
        assert_eq!(both.get_from("a", "tas").unwrap().shape(), [3, 2]);
    }
    // Labels that are none, and labels that go back and forth.
    simple(&b, f64::NAN, 3, |_| {});
    let told = Dataset::join("both", &[&a, &b]).unwrap_err().to_string();
    assert!(told.contains("b.nc: coordinate time: NaN at index 0"), "{told}");
}

#[test]
fn files_that_follow_each_other_are_one_and_still_have_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    simple(&path("later.nc"), 40.0, 2, |_| {});
    simple(&path("early.nc"), 0.0, 3, |_| {});
    simple(&path("pr.nc"), 7.0, 3, |s| s.variables[2].name = "pr".into());
    let files = Datasets::open(&[path("later.nc"), path("pr.nc"), path("early.nc")]).unwrap();
    assert_eq!(files.files().len(), 2);
    let tas = files.get("tas").unwrap();
    assert_eq!(tas.shape(), [5, 2], "a gap is fine");
    let session = Session::global().unwrap();
    let values: Vec<f64> = compute(&session, &tas).iter().map(|s| s.to_f64()).collect();
    assert_eq!(values, [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 40.0, 40.0, 41.0, 41.0]);
    assert_eq!(files.get_from("early", "tas").unwrap().shape(), [3, 2]);
    assert_eq!(files.get("pr").unwrap().shape(), [3, 2]);
    assert_eq!(files.paths().count(), 3);
    // Side by side they must have the same labels.
    let told = Dataset::open(path("*.nc")).unwrap_err().to_string();
    assert!(
        told.contains("coordinate time of the files together: 5 values against 3"),
        "{told}"
    );
}

#[test]
fn empty_files_and_single_places_are_joined_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    simple(&path("0.nc"), 9.0, 0, |_| {});
    simple(&path("1.nc"), 1.0, 1, |_| {});
    simple(&path("2.nc"), 0.0, 1, |_| {});
    let tas = Dataset::open(path("?.nc")).unwrap().get("tas").unwrap();
    assert_eq!(tas.shape(), [2, 2]);
    let session = Session::global().unwrap();
    let values: Vec<f64> = compute(&session, &tas).iter().map(|s| s.to_f64()).collect();
    assert_eq!(values, [0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn files_that_change_vanish_or_end_early_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..3).map(|n| folder.path().join(format!("{n}.nc"))).collect();
    let write = || {
        for (n, path) in paths.iter().enumerate() {
            simple(path, 10.0 * n as f64, 4, |_| {});
        }
        let files = Dataset::join("all", &paths).unwrap();
        files.get("tas").unwrap()
    };
    let session = Session::global().unwrap();
    let fails = |array: &DataArray| -> String {
        let mut out = vec![0; array.expr().len() * 4];
        let done: Result<()> = session.compute_into(&[&array.array()], vec![&mut out]);
        done.unwrap_err().to_string()
    };
    let tas = write();
    std::fs::remove_file(&paths[1]).unwrap();
    let told = fails(&tas);
    assert!(told.contains(paths[1].to_str().unwrap()), "{told}");
    let tas = write();
    simple(&paths[2], 70.0, 4, |_| {});
    let told = fails(&tas);
    assert!(
        told.contains(paths[2].to_str().unwrap()) && told.contains("has changed"),
        "{told}"
    );
    write();
    let whole = std::fs::read(&paths[0]).unwrap();
    std::fs::write(&paths[0], &whole[..whole.len() / 2]).unwrap();
    let told = Dataset::join("all", &paths).unwrap_err().to_string();
    assert!(told.contains(paths[0].to_str().unwrap()), "{told}");
    std::fs::write(&paths[0], b"no file of ours").unwrap();
    let told = Datasets::open(&paths).unwrap_err().to_string();
    assert!(told.contains(paths[0].to_str().unwrap()), "{told}");
}

#[test]
fn the_command_line_takes_patterns() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..3 {
        simple(
            &folder.path().join(format!("ta_{n}.nc")),
            10.0 * f64::from(n),
            4,
            |_| {},
        );
    }
    let run = |args: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_tilewise"))
            .args(args)
            .output()
            .unwrap();
        let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
        (out.status.code(), text(out.stdout), text(out.stderr))
    };
    let pattern = folder.path().join("ta_*.nc");
    let pattern = pattern.to_str().unwrap();
    let (code, shown, error) = run(&["info", pattern]);
    assert_eq!(code, Some(0), "{error}");
    assert!(
        shown.contains("time = 12") && shown.contains("3 files joined along time: ta_0.nc to ta_2.nc"),
        "{shown}"
    );
    let (code, shown, error) = run(&["eval", "tas.mean(\"time\")", pattern, "--json"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(shown.contains("11.5"), "{shown}");
    let (code, shown, _) = run(&[
        "info",
        "--json",
        &pattern.replace('*', "0"),
        &pattern.replace('*', "1"),
    ]);
    assert_eq!((code, shown.matches("\"path\"").count()), (Some(0), 2));
    let (code, _, error) = run(&["eval", "tas", folder.path().to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(error.contains("/*.nc'"), "{error}");
    let (code, _, error) = run(&["eval", "tas", &pattern.replace("ta_", "pr_")]);
    assert_eq!(code, Some(1));
    assert!(error.contains("no file matches"), "{error}");
    let (code, _, error) = run(&["eval", "tas", pattern, "-o", &pattern.replace('*', "1")]);
    assert_eq!(code, Some(1));
    assert!(error.contains("is also an input"), "{error}");
}
