//! NetCDF-3 files, read as the NetCDF library reads them and written as it can read.
//!
//! `oracle/netcdf3/` holds small files that `tools/oracle/netcdf3.py` makes with that library: every
//! version and type, records padded and not, texts, a record count left open.

#![allow(clippy::unwrap_used)] // helpers of tests fail the test

use serde_json::Value;
use std::path::{Path, PathBuf};
use tilewise::geometry::Region;
use tilewise::io::{
    AttrValue, Attributes, Compression, Container, Dim, FileSpec, OutputFormat, VarType, VariableSpec,
};
use tilewise::store::conformance;
use tilewise::{DType, Error, Scalar};

const VERSIONS: [OutputFormat; 3] = [
    OutputFormat::NetCdf3Classic,
    OutputFormat::NetCdf3Offset64,
    OutputFormat::NetCdf3Data64,
];

fn oracle() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

fn cases() -> Vec<Value> {
    let text = std::fs::read_to_string(oracle().join("netcdf3.json")).unwrap();
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

fn list<T>(value: &Value, of: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().unwrap().iter().map(of).collect()
}

fn integers(value: &Value) -> Vec<usize> {
    list(value, |v| v.as_u64().unwrap() as usize)
}

fn texts(value: &Value) -> Vec<String> {
    list(value, |v| v.as_str().unwrap().to_string())
}

/// Attributes against what the library reads; `_Encoding` and `dtype` are conventions of ours too.
fn check_attributes(found: &Attributes, expected: &Value, what: &str) {
    let expected = expected.as_object().unwrap();
    let bookkeeping = |name: &&str| *name != "dtype" && *name != "_Encoding";
    let names: Vec<&str> = found.iter().map(|(n, _)| n).filter(bookkeeping).collect();
    let wanted: Vec<&str> = expected.keys().map(String::as_str).filter(bookkeeping).collect();
    assert_eq!(names, wanted, "{what}");
    for name in names {
        let (value, expected) = (found.get(name).unwrap(), &expected[name]);
        if let Some(text) = expected.as_str() {
            assert_eq!(value.as_text(), Some(text), "{what}:{name}");
            continue;
        }
        let dtype = DType::parse(expected["dtype"].as_str().unwrap()).unwrap();
        assert_eq!(value.dtype(), Some(dtype), "{what}:{name}");
        let scalars: Vec<Scalar> = bytes(&expected["words"], dtype.size())
            .chunks_exact(dtype.size())
            .map(|b| Scalar::from_bytes(dtype, b))
            .collect();
        match value {
            AttrValue::Float(_, v) => {
                let bits = |x: f64| if x.is_nan() { None } else { Some(x.to_bits()) };
                let found: Vec<_> = v.iter().map(|&x| bits(x)).collect();
                let wanted: Vec<_> = scalars.iter().map(|s| bits(s.to_f64())).collect();
                assert_eq!(found, wanted, "{what}:{name}");
            }
            other => {
                let wanted: Vec<AttrValue> = scalars.into_iter().map(AttrValue::from).collect();
                let wanted = wanted.into_iter().reduce(|a, b| match (a, b) {
                    (AttrValue::Int(d, a), AttrValue::Int(_, b)) => AttrValue::Int(d, [a, b].concat()),
                    (AttrValue::UInt(d, a), AttrValue::UInt(_, b)) => AttrValue::UInt(d, [a, b].concat()),
                    (a, _) => a,
                });
                assert_eq!(Some(other), wanted.as_ref(), "{what}:{name}");
            }
        }
    }
}

/// A file against what the library reads from it.
fn check_file(path: &Path, case: &Value) -> usize {
    let file = Container::open(path).unwrap();
    let catalog = file.catalog();
    let dims: Vec<(&str, usize, bool)> = catalog
        .dims
        .iter()
        .map(|d| (d.name.as_str(), d.len, d.unlimited))
        .collect();
    for (name, dim) in case["dims"].as_object().unwrap() {
        let expected = (
            name.as_str(),
            dim[0].as_u64().unwrap() as usize,
            dim[1].as_bool().unwrap(),
        );
        assert!(dims.contains(&expected), "{path:?} {expected:?} {dims:?}");
    }
    check_attributes(&catalog.attributes, &case["attributes"][""], "file");
    let variables = case["variables"].as_object().unwrap();
    for (name, expected) in variables {
        let what = format!("{path:?}: {name}");
        let variable = catalog.variable(name).unwrap();
        let dtype = DType::parse(expected["dtype"].as_str().unwrap()).unwrap();
        assert_eq!(variable.numeric(), Some(dtype), "{what}");
        assert_eq!(variable.shape, integers(&expected["shape"]), "{what}");
        assert_eq!(variable.dims, texts(&expected["dims"]), "{what}");
        check_attributes(&variable.attributes, &case["attributes"][name], &what);
        let source = file.source(name).unwrap();
        assert_eq!((source.dtype(), source.shape()), (dtype, &variable.shape[..]));
        conformance::source(&*source, &bytes(&expected["words"], dtype.size()));
        assert!(file.text(name).unwrap_err().to_string().contains("not text"));
    }
    for (name, expected) in case["text"].as_object().unwrap() {
        assert_eq!(
            file.text(name).unwrap().values,
            texts(expected),
            "{path:?}: {name}"
        );
        assert!(file.source(name).unwrap_err().to_string().contains("not numbers"));
        check_attributes(
            &catalog.variable(name).unwrap().attributes,
            &case["attributes"][name],
            name,
        );
    }
    assert_eq!(
        catalog.variables.len(),
        variables.len() + case["text"].as_object().unwrap().len()
    );
    assert!(catalog.notes.is_empty(), "{:?}", catalog.notes);
    variables.len()
}

#[test]
fn files_read_as_the_netcdf_library_reads_them() {
    let mut compared = 0;
    for case in cases() {
        let path = oracle().join("netcdf3").join(case["file"].as_str().unwrap());
        compared += check_file(&path, &case);
        let format = Container::open(&path).unwrap().catalog().format;
        assert_eq!(format, case["format"].as_str().unwrap(), "{path:?}");
    }
    assert!(compared > 250, "{compared}");
}

/// A folder for files that `tools/interop/netcdf3.py` reads, or one that is removed again.
fn folder() -> (PathBuf, Option<tempfile::TempDir>) {
    match std::env::var_os("TILEWISE_INTEROP") {
        Some(folder) => (folder.into(), None),
        None => {
            let folder = tempfile::tempdir().unwrap();
            (folder.path().to_path_buf(), Some(folder))
        }
    }
}

/// Copies all variables of a file into one of another format.
fn copy(from: &Path, to: &Path, format: OutputFormat) -> Result<(), Error> {
    let file = Container::open(from)?;
    let writer = format.create(to, &FileSpec::like(file.catalog()))?;
    for variable in &file.catalog().variables {
        match variable.numeric() {
            Some(_) => {
                let source = file.source(&variable.name)?;
                let region = Region::whole(source.shape());
                let mut data = vec![0; region.len() * source.dtype().size()];
                source.read(&region, &mut data)?;
                conformance::sink(&*writer.sink(&variable.name)?, &data);
            }
            None => writer.write_text(&variable.name, &file.text(&variable.name)?.values)?,
        }
    }
    writer.finish()
}

#[test]
fn files_written_again_are_those_of_the_netcdf_library() {
    let (folder, _guard) = folder();
    let mut same = 0;
    for case in cases() {
        let name = case["file"].as_str().unwrap();
        let (from, to) = (oracle().join("netcdf3").join(name), folder.join(name));
        let own = VERSIONS
            .into_iter()
            .find(|v| v.name() == case["format"].as_str().unwrap())
            .unwrap();
        copy(&from, &to, own).unwrap();
        check_file(&to, &case);
        if !name.contains("streaming")
            && !name.contains("bare")
            && case["attributes"].as_object().unwrap().len() < 4
        {
            // Files without attributes are laid out as the library lays them out, to the byte; an empty
            // one it makes a block long.
            assert!(
                std::fs::read(&to).unwrap() == std::fs::read(&from).unwrap(),
                "{name}"
            );
            same += 1;
        }
        for (other, tag) in VERSIONS.into_iter().zip(["1", "2", "5"]) {
            let wide = other == OutputFormat::NetCdf3Data64;
            if wide || own != OutputFormat::NetCdf3Data64 {
                let to = folder.join(format!("as{tag}_{name}"));
                copy(&from, &to, other).unwrap();
                check_file(&to, &case);
            }
        }
    }
    assert!(same > 30, "{same}");
}

#[test]
fn what_was_never_written_is_filled() {
    let (folder, _guard) = folder();
    for case in cases().iter().filter(|c| {
        let name = c["file"].as_str().unwrap();
        ["classic.nc", "offset.nc", "data.nc"].contains(&name)
    }) {
        let name = case["file"].as_str().unwrap();
        let file = Container::open(oracle().join("netcdf3").join(name)).unwrap();
        let format = VERSIONS.into_iter().find(|v| v.name() == file.catalog().format);
        let path = folder.join(format!("filled_{name}"));
        let writer = format
            .unwrap()
            .create(&path, &FileSpec::like(file.catalog()))
            .unwrap();
        // One element of each, so that gaps stand before and behind it.
        for variable in file.catalog().variables.iter().filter(|v| v.shape == [4, 3, 5]) {
            let sink = writer.sink(&variable.name).unwrap();
            sink.write(&Region::new(vec![2, 1, 3], vec![1, 1, 1]), &[7, 0])
                .unwrap();
        }
        writer.finish().unwrap();
        let back = Container::open(&path).unwrap();
        for (name, expected) in case["variables"].as_object().unwrap() {
            let dtype = DType::parse(expected["dtype"].as_str().unwrap()).unwrap();
            let source = back.source(name).unwrap();
            let region = Region::whole(source.shape());
            let mut data = vec![0; region.len() * dtype.size()];
            source.read(&region, &mut data).unwrap();
            let twin = format!("unwritten_{}{}", &dtype.name()[..1], dtype.size());
            let filled = match case["variables"].get(&twin) {
                Some(v) => bytes(&v["words"], dtype.size())[..dtype.size()].to_vec(),
                None => vec![0],
            };
            let filled = if name == "packed" {
                (-99i16).to_le_bytes().to_vec()
            } else {
                filled
            };
            for (at, element) in data.chunks_exact(dtype.size()).enumerate() {
                let written = name == "packed" && at == 2 * 15 + 5 + 3;
                let expected = if written { &[7, 0][..] } else { &filled[..] };
                assert_eq!(element, expected, "{path:?} {name} {at}");
            }
        }
        assert!(back.text("names").unwrap().values.iter().all(String::is_empty));
    }
}

fn dim(name: &str, len: usize, unlimited: bool) -> Dim {
    Dim {
        name: name.into(),
        len,
        unlimited,
    }
}

#[test]
fn texts_get_a_dimension_of_their_length() {
    let (folder, _guard) = folder();
    let path = folder.join("texts.nc");
    let spec = FileSpec {
        dims: vec![dim("n", 3, false), dim("time", 2, true), dim("string7", 5, false)],
        variables: vec![
            VariableSpec::new("a", &["n"], VarType::Text),
            VariableSpec::new("b", &["time"], VarType::Text),
            VariableSpec::new("never", &["n"], VarType::Text),
            VariableSpec::new("x", &["n"], VarType::Numeric(DType::F32)),
            VariableSpec::new("one", &[], VarType::Text),
        ],
        attributes: Attributes::new(),
    };
    let strings = |texts: &[&str]| texts.iter().map(|t| t.to_string()).collect::<Vec<_>>();
    let writer = OutputFormat::NetCdf3Classic.create(&path, &spec).unwrap();
    writer.write_text("a", &strings(&["größe", "", "xyz"])).unwrap();
    writer.write_text("b", &strings(&["p", "qr"])).unwrap();
    writer.write_text("one", &strings(&["alone"])).unwrap();
    assert!(writer.write_text("a", &strings(&["too few"])).is_err());
    assert!(writer.write_text("x", &strings(&["a", "b", "c"])).is_err());
    writer.write_whole("x", &[0; 12]).unwrap();
    let late = writer.write_text("a", &strings(&["a", "b", "c"])).unwrap_err();
    assert!(late.to_string().contains("before the first number"), "{late}");
    writer.finish().unwrap();
    let file = Container::open(&path).unwrap();
    assert_eq!(file.text("a").unwrap().values, ["größe", "", "xyz"]);
    assert_eq!(file.text("b").unwrap().values, ["p", "qr"]);
    assert_eq!(file.text("never").unwrap().values, ["", "", ""]);
    assert_eq!(file.text("one").unwrap().values, ["alone"]);
    let dims = |name: &str| file.catalog().variable(name).unwrap().dims.clone();
    // "größe" has seven bytes, and `string7` is taken by a dimension of another length.
    assert_eq!(dims("a"), ["n", "string7_1"]);
    assert_eq!(dims("b"), ["time", "string2"]);
    assert_eq!(dims("one"), ["string5"]);
}

#[test]
fn what_a_version_cannot_hold_is_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no.nc");
    let numeric = |name: &str, dims: &[&str], dtype| VariableSpec::new(name, dims, VarType::Numeric(dtype));
    let refused = |format: OutputFormat, dims: Vec<Dim>, variable: VariableSpec, expected: &str| {
        let spec = FileSpec {
            dims,
            variables: vec![variable],
            attributes: Attributes::new(),
        };
        let error = format.create(&path, &spec).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!path.exists());
    };
    let x = |n| vec![dim("x", n, false)];
    let classic = OutputFormat::NetCdf3Classic;
    let offset = OutputFormat::NetCdf3Offset64;
    let data = OutputFormat::NetCdf3Data64;
    for dtype in [DType::U8, DType::U16, DType::U32, DType::I64, DType::U64] {
        refused(classic, x(3), numeric("v", &["x"], dtype), "netcdf5");
        refused(offset, x(3), numeric("v", &["x"], dtype), "netcdf5");
    }
    refused(data, x(3), numeric("v", &["x"], DType::F16), "float32");
    refused(data, x(3), numeric("v", &["x"], DType::C64), "NetCDF-4");
    let mut packed = numeric("v", &["x"], DType::F32);
    packed.compression = Some(Compression::deflate(4));
    refused(data, x(3), packed, "no compression");
    refused(data, x(3), numeric("g/v", &["x"], DType::F32), "no groups");
    refused(
        data,
        vec![dim("t", 3, true), dim("x", 2, false)],
        numeric("v", &["x", "t"], DType::F32),
        "as axis 1",
    );
    refused(
        data,
        vec![dim("t", 3, true), dim("x", 0, false)],
        numeric("v", &["x"], DType::F32),
        "t and x both grow",
    );
    refused(
        classic,
        x(1 << 32),
        numeric("v", &["x"], DType::I8),
        "netcdf3-64bit",
    );
    refused(offset, x(1 << 33), numeric("v", &["x"], DType::I8), "netcdf5");
    let mut listed = numeric("v", &["x"], DType::F32);
    listed
        .attributes
        .set("names", AttrValue::TextList(vec!["a".into(), "b".into()]));
    refused(data, x(3), listed, "list of 2 texts");
}

#[test]
fn large_variables_stand_last_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.nc");
    let two = |first: &str, second: &str, format: OutputFormat| {
        let spec = FileSpec {
            dims: vec![dim("big", 3 << 29, false), dim("small", 3, false)],
            variables: [first, second]
                .map(|d| VariableSpec::new(format!("of_{d}"), &[d], VarType::Numeric(DType::I16)))
                .to_vec(),
            attributes: Attributes::new(),
        };
        format.create(&path, &spec)
    };
    // 3 GiB last: the classic format can, as only where it begins must be counted.
    let writer = two("small", "big", OutputFormat::NetCdf3Classic).unwrap();
    let sink = writer.sink("of_big").unwrap();
    sink.write(&Region::new(vec![(3 << 29) - 2], vec![2]), &[1, 2, 3, 4])
        .unwrap();
    drop(sink);
    drop(writer); // unfinished, so that nobody fills 3 GiB
    let error = two("big", "small", OutputFormat::NetCdf3Classic).unwrap_err();
    assert!(error.to_string().contains("variable of_big"), "{error}");
    assert!(two("big", "small", OutputFormat::NetCdf3Offset64).is_ok());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Reads all of a file, whatever it claims.
fn read_everything(path: &Path) -> Result<(), Error> {
    let len = std::fs::metadata(path).unwrap().len() as usize;
    let file = Container::open(path)?;
    for variable in &file.catalog().variables {
        let count: usize = variable.shape.iter().product();
        assert!(count <= len.max(1), "{path:?}: {count} elements in {len} bytes");
        match variable.numeric() {
            Some(dtype) => {
                let source = file.source(&variable.name)?;
                let mut out = vec![0; count * dtype.size()];
                source.read(&Region::whole(source.shape()), &mut out)?;
            }
            None => drop(file.text(&variable.name)?),
        }
    }
    Ok(())
}

#[test]
fn truncated_files_are_refused_when_they_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["classic_i2_1.nc", "offset_f8_0.nc", "data_u1_2.nc"] {
        let good = std::fs::read(oracle().join("netcdf3").join(name)).unwrap();
        let path = folder.path().join(name);
        for len in 0..good.len() {
            std::fs::write(&path, &good[..len]).unwrap();
            let error = Container::open(&path).expect_err(name).to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}

#[test]
fn damaged_files_give_errors() {
    let folder = tempfile::tempdir().unwrap();
    let mut refused = 0;
    for name in ["classic_i2_1.nc", "offset_i1_0.nc", "data_u2_2.nc"] {
        let good = std::fs::read(oracle().join("netcdf3").join(name)).unwrap();
        let path = folder.path().join(name);
        for at in 0..good.len() {
            for change in [0xff, 0x80, 0x01] {
                let mut bytes = good.clone();
                bytes[at] ^= change;
                std::fs::write(&path, &bytes).unwrap();
                if let Err(error) = read_everything(&path) {
                    assert!(error.to_string().contains(name), "{error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 500, "{refused}");
}
