//! Zarr stores that are written: everything comes back, whole or not at all; stores that grow.
//!
//! That zarr-python and xarray read them alike is checked by `tools/interop/zarr_stores.py`.

#![allow(clippy::unwrap_used)] // helpers of tests fail the test

use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tilewise::geometry::Region;
use tilewise::io::{
    AttrValue, Attributes, Codec, Compression, Container, Dim, FileSpec, OutputFormat, VarType, VariableSpec,
    Writer, ZarrWriter,
};
use tilewise::store::{Sink, conformance};
use tilewise::{DType, Error, Scalar};

fn dim(name: &str, len: usize) -> Dim {
    Dim {
        name: name.into(),
        len,
        unlimited: false,
    }
}

fn numeric(name: &str, dims: &[&str], dtype: DType) -> VariableSpec {
    VariableSpec::new(name, dims, VarType::Numeric(dtype))
}

/// Bytes of elements, all bit patterns of floats among them; booleans are 0 or 1.
fn noise(dtype: DType, count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let bytes = (0..count * dtype.size()).map(|_| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 56) as u8
    });
    match dtype {
        DType::Bool => bytes.map(|b| b & 1).collect(),
        _ => bytes.collect(),
    }
}

fn codecs() -> Vec<Option<Compression>> {
    let mut all = vec![None];
    for codec in [
        Codec::Deflate(4),
        Codec::Zstd(3),
        Codec::BloscLz4(5),
        Codec::BloscZstd(1),
    ] {
        all.extend([false, true].map(|shuffle| Some(Compression { codec, shuffle })));
    }
    all
}

const FORMATS: [OutputFormat; 2] = [OutputFormat::Zarr2, OutputFormat::Zarr3];

#[test]
fn every_dtype_codec_and_shape_comes_back() {
    let folder = TempDir::new().unwrap();
    type Shape = (&'static [&'static str], Vec<usize>, Option<Vec<usize>>);
    let shapes: [Shape; 6] = [
        (&["y", "x"], vec![5, 7], Some(vec![2, 3])),
        (&["y", "x"], vec![5, 7], None),
        (&["x", "y"], vec![7, 5], Some(vec![100, 1])),
        (&[], vec![], None),
        (&["none", "x"], vec![0, 7], Some(vec![1, 4])),
        (&["one", "y"], vec![1, 5], Some(vec![1, 2])),
    ];
    for format in FORMATS {
        let mut spec = FileSpec {
            dims: vec![dim("y", 5), dim("x", 7), dim("none", 0), dim("one", 1)],
            ..FileSpec::default()
        };
        let mut expected = Vec::new();
        for dtype in DType::ALL {
            if format == OutputFormat::Zarr2 && dtype == DType::BF16 {
                continue;
            }
            for (i, compression) in codecs().into_iter().enumerate() {
                let (dims, shape, chunks) = &shapes[(i + dtype as usize) % shapes.len()];
                let mut variable = numeric(&format!("{dtype}_{i}"), dims, dtype);
                variable.compression = compression;
                variable.chunks = chunks.clone();
                let bytes = noise(dtype, shape.iter().product());
                expected.push((variable.name.clone(), bytes));
                spec.variables.push(variable);
            }
        }
        let path = folder
            .path()
            .join(format!("out.{}", format.name().replace("Zarr ", "zarr")));
        let writer = format.create(&path, &spec).unwrap();
        for (name, bytes) in &expected {
            conformance::sink(&*writer.sink(name).unwrap(), bytes);
        }
        assert!(!path.exists(), "nothing has the name before the end");
        writer.finish().unwrap();
        let store = Container::open(&path).unwrap();
        assert_eq!(store.catalog().format, format.name());
        for (name, bytes) in &expected {
            conformance::source(&*store.source(name).unwrap(), bytes);
        }
    }
}

#[test]
fn shards_come_back_and_hold_all_their_chunks() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("out.zarr");
    let mut spec = FileSpec {
        dims: vec![dim("y", 50), dim("x", 70)],
        ..FileSpec::default()
    };
    for (i, compression) in codecs().into_iter().enumerate() {
        let mut variable = numeric(&format!("v{i}"), &["y", "x"], DType::F32);
        variable.compression = compression;
        variable.chunks = Some(vec![8, 9]);
        variable.shards = Some(vec![32, 27]);
        spec.variables.push(variable);
    }
    let bytes = noise(DType::F32, 3500);
    let writer = ZarrWriter::create_v3(&path, &spec).unwrap();
    for variable in &spec.variables {
        let sink = writer.sink(&variable.name).unwrap();
        assert_eq!(sink.chunks(), Some(&[32, 27][..]), "writers align to shards");
        conformance::sink(&*sink, &bytes);
    }
    writer.finish().unwrap();
    let store = Container::open(&path).unwrap();
    for variable in &spec.variables {
        let source = store.source(&variable.name).unwrap();
        assert_eq!(source.chunks(), Some(&[8, 9][..]), "readers see chunks");
        conformance::source(&*source, &bytes);
    }
    assert_eq!(std::fs::read_dir(path.join("v0/c/1")).unwrap().count(), 3);
    assert!(
        ZarrWriter::create_v2(&path, &spec)
            .unwrap_err()
            .to_string()
            .contains("no shards")
    );
}

/// Writes `data` through regions that cut chunks, from several threads.
fn write_cut(sink: &Arc<dyn Sink>, data: &[u8], step: usize) {
    let (rows, columns, size) = (sink.shape()[0], sink.shape()[1], sink.dtype().size());
    std::thread::scope(|scope| {
        for start in (0..rows).step_by(step) {
            scope.spawn(move || {
                let n = step.min(rows - start);
                let region = Region::new(vec![start, 0], vec![n, columns]);
                let part = &data[start * columns * size..(start + n) * columns * size];
                sink.write(&region, part).unwrap();
            });
        }
    });
}

#[test]
fn regions_that_cut_chunks_meet_in_them() {
    let folder = TempDir::new().unwrap();
    for (i, format) in FORMATS.into_iter().enumerate() {
        let path = folder.path().join(format!("{i}.zarr"));
        let mut spec = FileSpec {
            dims: vec![dim("y", 50), dim("x", 20)],
            ..FileSpec::default()
        };
        let mut plain = numeric("plain", &["y", "x"], DType::I16);
        plain.chunks = Some(vec![7, 6]);
        plain.compression = Compression::parse("zstd").unwrap();
        spec.variables.push(plain.clone());
        if format == OutputFormat::Zarr3 {
            plain.name = "shards".into();
            plain.shards = Some(vec![21, 12]);
            spec.variables.push(plain);
        }
        let data = noise(DType::I16, 1000);
        let writer = format.create(&path, &spec).unwrap();
        for variable in &spec.variables {
            write_cut(&writer.sink(&variable.name).unwrap(), &data, 3);
        }
        writer.finish().unwrap();
        let store = Container::open(&path).unwrap();
        for variable in &spec.variables {
            conformance::source(&*store.source(&variable.name).unwrap(), &data);
        }
    }
}

#[test]
fn names_attributes_fills_and_texts_come_back() {
    let folder = TempDir::new().unwrap();
    for (i, format) in FORMATS.into_iter().enumerate() {
        let path = folder.path().join(format!("{i}.zarr"));
        let mut attributes = Attributes::new();
        attributes.set("title", "a \"title\" åß");
        attributes.set("numbers", AttrValue::Int(DType::I64, vec![1, -2]));
        attributes.set("/deep/below", "of the group");
        let mut t = numeric("t", &["y"], DType::F32);
        t.fill = Some(Scalar::new(1e20f32));
        t.chunks = Some(vec![2]);
        t.attributes.set("units", "K");
        t.attributes
            .set("flags", AttrValue::Float(DType::F64, vec![0.5, 1.0]));
        let mut packed = numeric("/deep/packed", &["y"], DType::I16);
        packed.attributes.set("_FillValue", AttrValue::number(-9i16));
        let mut label = VariableSpec::new("label", &["y"], VarType::Text);
        label.chunks = Some(vec![3]);
        label.compression = Compression::parse("zstd").unwrap();
        let letters = VariableSpec::new("letters", &["y", "room"], VarType::Char);
        let scalar = VariableSpec::new("name", &[], VarType::Text);
        let spec = FileSpec {
            dims: vec![dim("y", 5), dim("room", 4)],
            variables: vec![t, packed, label, letters, scalar],
            attributes,
        };
        let texts: Vec<String> = ["", "Åse", "a b", "🦀", "x"].map(String::from).to_vec();
        let writer = format.create(&path, &spec).unwrap();
        writer.write_text("label", &texts).unwrap();
        writer.write_text("letters", &texts).unwrap();
        writer.write_text("name", &["one".to_string()]).unwrap();
        writer.write_whole("/deep/packed", &noise(DType::I16, 5)).unwrap();
        let half = Region::new(vec![0], vec![2]);
        writer
            .sink("t")
            .unwrap()
            .write(&half, &noise(DType::F32, 2))
            .unwrap();
        assert!(writer.write_text("label", &texts[1..]).is_err());
        assert!(writer.write_text("t", &texts).is_err());
        assert!(writer.sink("label").is_err() && writer.sink("none").is_err());
        writer.finish().unwrap();

        let store = Container::open(&path).unwrap();
        let catalog = store.catalog();
        assert_eq!(catalog.attributes.text("title"), Some("a \"title\" åß"));
        assert_eq!(
            catalog.attributes.get("numbers"),
            Some(&AttrValue::Int(DType::I64, vec![1, -2]))
        );
        assert_eq!(catalog.attributes.text("/deep/below"), Some("of the group"));
        let t = catalog.variable("t").unwrap();
        assert_eq!(
            (t.attributes.text("units"), &t.dims[..]),
            (Some("K"), &["y".to_string()][..])
        );
        assert_eq!(t.attributes.get("_FillValue"), Some(&AttrValue::number(1e20f32)));
        assert_eq!(t.fill, Some(Scalar::new(1e20f32)));
        let mut held = noise(DType::F32, 2);
        (0..3).for_each(|_| held.extend(1e20f32.to_le_bytes()));
        conformance::source(&*store.source("t").unwrap(), &held);
        let packed = catalog.variable("/deep/packed").unwrap();
        assert_eq!(
            packed.attributes.get("_FillValue"),
            Some(&AttrValue::number(-9i16))
        );
        for name in ["label", "letters"] {
            assert_eq!(store.text(name).unwrap().values, texts, "{name}");
        }
        assert_eq!(store.text("name").unwrap().values, ["one"]);
    }
}

#[test]
fn stores_replace_stores_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("out.zarr");
    let spec = |len| FileSpec {
        dims: vec![dim("x", len)],
        variables: vec![numeric("v", &["x"], DType::U8)],
        attributes: Attributes::new(),
    };
    for len in [9, 4] {
        let writer = OutputFormat::of(&path)
            .unwrap()
            .create(&path, &spec(len))
            .unwrap();
        writer.write_whole("v", &vec![7; len]).unwrap();
        writer.finish().unwrap();
        assert_eq!(
            Container::open(&path).unwrap().source("v").unwrap().shape(),
            [len]
        );
    }
    drop(ZarrWriter::create_v3(&path, &spec(5)).unwrap());
    assert_eq!(Container::open(&path).unwrap().source("v").unwrap().shape(), [4]);
    let names = || std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names(), 1, "nothing else is left");

    let writer = ZarrWriter::create_v3(&path, &spec(5)).unwrap();
    let sink = writer.sink("v").unwrap();
    assert!(sink.write(&Region::new(vec![3], vec![3]), &[0; 3]).is_err());
    sink.write(&Region::whole(&[5]), &[1; 5]).unwrap();
    writer.finish().unwrap();
    let error = sink.write(&Region::whole(&[5]), &[2; 5]).unwrap_err().to_string();
    assert!(error.contains("finished"), "{error}");

    let other = folder.path().join("notes");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("a.txt"), "mine").unwrap();
    let error = ZarrWriter::create_v3(&other, &spec(5)).unwrap_err().to_string();
    assert!(error.contains("no Zarr store"), "{error}");
    let error = ZarrWriter::create_v2(other.join("a.txt"), &spec(5))
        .unwrap_err()
        .to_string();
    assert!(error.contains("a file"), "{error}");
    assert!(matches!(
        ZarrWriter::create_v3("/no/such/folder/x.zarr", &spec(5)),
        Err(Error::Io { .. })
    ));
    assert_eq!(std::fs::read_to_string(other.join("a.txt")).unwrap(), "mine");
    let link = folder.path().join("link.zarr");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let writer = ZarrWriter::create_v3(&link, &spec(6)).unwrap();
    writer.finish().unwrap();
    assert_eq!(Container::open(&path).unwrap().source("v").unwrap().shape(), [6]);

    for (name, word) in [
        ("..", "no name"),
        ("/a/../b", "no name"),
        ("zarr.json", "no name"),
        ("/v/w", "cannot hold"),
    ] {
        let mut spec = spec(3);
        spec.variables.push(numeric(name, &["x"], DType::U8));
        let error = ZarrWriter::create_v3(&path, &spec).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let mut odd = spec(3);
    odd.variables[0].dtype = VarType::Numeric(DType::BF16);
    assert!(
        ZarrWriter::create_v2(&path, &odd)
            .unwrap_err()
            .to_string()
            .contains("bfloat16")
    );
}

/// A store of `time` months with a text and a fixed coordinate, its values numbered from 0.
fn series(times: usize, from: usize) -> (FileSpec, Vec<u8>, Vec<String>) {
    let mut t = numeric("t", &["time", "x"], DType::I32);
    t.chunks = Some(vec![4, 2]);
    t.compression = Compression::parse("zstd").unwrap();
    let time = numeric("time", &["time"], DType::F64);
    let x = numeric("x", &["x"], DType::F32);
    let label = VariableSpec::new("label", &["time"], VarType::Text);
    let spec = FileSpec {
        dims: vec![dim("time", times), dim("x", 3)],
        variables: vec![t, time, x, label],
        attributes: Attributes::new(),
    };
    let bytes = (from * 3..(from + times) * 3)
        .flat_map(|i| (i as i32).to_le_bytes())
        .collect();
    let texts = (from..from + times).map(|i| format!("month {i}")).collect();
    (spec, bytes, texts)
}

fn fill_series(writer: &ZarrWriter, bytes: &[u8], texts: &[String], from: usize) -> tilewise::Result<()> {
    writer.write_whole("t", bytes)?;
    let times: Vec<u8> = (from..from + texts.len())
        .flat_map(|i| (i as f64).to_le_bytes())
        .collect();
    writer.write_whole("time", &times)?;
    writer.write_whole("x", &noise(DType::F32, 3))?;
    writer.write_text("label", texts)
}

fn check_series(path: &Path, times: usize) {
    let store = Container::open(path).unwrap();
    let (_, bytes, texts) = series(times, 0);
    conformance::source(&*store.source("t").unwrap(), &bytes);
    let held: Vec<u8> = (0..times).flat_map(|i| (i as f64).to_le_bytes()).collect();
    conformance::source(&*store.source("time").unwrap(), &held);
    conformance::source(&*store.source("x").unwrap(), &noise(DType::F32, 3));
    assert_eq!(store.text("label").unwrap().values, texts);
    assert_eq!(store.catalog().dim("time").unwrap().len, times);
}

#[test]
fn stores_grow_along_a_dimension() {
    let folder = TempDir::new().unwrap();
    for (i, format) in FORMATS.into_iter().enumerate() {
        let path = folder.path().join(format!("{i}.zarr"));
        let (spec, bytes, texts) = series(5, 0);
        let writer = match format {
            OutputFormat::Zarr2 => ZarrWriter::create_v2(&path, &spec),
            _ => ZarrWriter::create_v3(&path, &spec),
        };
        let writer = writer.unwrap();
        fill_series(&writer, &bytes, &texts, 0).unwrap();
        writer.finish().unwrap();
        check_series(&path, 5);
        let mut total = 5;
        for added in [2, 1, 6, 0] {
            let (spec, bytes, texts) = series(added, total);
            let cut = ZarrWriter::append(&path, "time", &spec).unwrap();
            fill_series(&cut, &bytes, &texts, total).unwrap();
            drop(cut);
            check_series(&path, total);
            let writer = ZarrWriter::append(&path, "time", &spec).unwrap();
            fill_series(&writer, &bytes, &texts, total).unwrap();
            check_series(&path, total);
            writer.finish().unwrap();
            total += added;
            check_series(&path, total);
        }
        let nodes = walkdir(&path);
        assert!(nodes.iter().all(|n| !n.ends_with(".part")), "{nodes:?}");
    }
}

fn walkdir(path: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => out.extend(walkdir(&path)),
            false => out.push(path.display().to_string()),
        }
    }
    out
}

#[test]
fn what_does_not_fit_is_not_appended() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.zarr");
    let (spec, bytes, texts) = series(5, 0);
    let writer = ZarrWriter::create_v3(&path, &spec).unwrap();
    fill_series(&writer, &bytes, &texts, 0).unwrap();
    writer.finish().unwrap();
    type Change = (fn(&mut FileSpec), &'static str);
    let changes: [Change; 6] = [
        (
            |s| s.variables[0].dtype = VarType::Numeric(DType::F32),
            "float32 is given",
        ),
        (|s| s.variables[0].dims.reverse(), "(time, x)"),
        (|s| s.variables[0].name = "other".into(), "appended to"),
        (|s| drop(s.variables.remove(1)), "time has the dimension time too"),
        (|s| s.dims[1].len = 4, "do not fit"),
        (
            |s| s.variables.push(numeric("new", &["time"], DType::I8)),
            "none of that name",
        ),
    ];
    for (change, word) in changes {
        let (mut spec, ..) = series(2, 5);
        change(&mut spec);
        let error = ZarrWriter::append(&path, "time", &spec).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
    let (spec, ..) = series(2, 5);
    let error = ZarrWriter::append(&path, "height", &spec)
        .unwrap_err()
        .to_string();
    assert!(error.contains("no dimension height"), "{error}");
    let writer = ZarrWriter::append(&path, "time", &spec).unwrap();
    let error = writer.write_whole("x", &[1; 12]).unwrap_err().to_string();
    assert!(error.contains("x: its values differ"), "{error}");
    assert!(writer.finish().is_err());
    check_series(&path, 5);
}

#[test]
fn regions_of_a_store_are_written_anew() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.zarr");
    let (spec, bytes, texts) = series(9, 0);
    let writer = ZarrWriter::create_v3(&path, &spec).unwrap();
    fill_series(&writer, &bytes, &texts, 0).unwrap();
    writer.finish().unwrap();
    let piece = FileSpec {
        dims: vec![dim("time", 3), dim("x", 2)],
        variables: vec![numeric("t", &["time", "x"], DType::I32)],
        attributes: Attributes::new(),
    };
    let writer = ZarrWriter::region(&path, &[("time", 3), ("x", 1)], &piece).unwrap();
    writer.write_whole("t", &[0xff; 24]).unwrap();
    writer.finish().unwrap();
    let mut expected = bytes;
    for row in 3..6 {
        expected[(row * 3 + 1) * 4..(row * 3 + 3) * 4].fill(0xff);
    }
    let store = Container::open(&path).unwrap();
    conformance::source(&*store.source("t").unwrap(), &expected);
    let error = ZarrWriter::region(&path, &[("time", 7)], &piece)
        .unwrap_err()
        .to_string();
    assert!(error.contains("3 from 7 on along time"), "{error}");
    assert!(ZarrWriter::region(&path, &[("z", 0)], &piece).is_err());
    assert!(ZarrWriter::region(folder.path().join("none.zarr"), &[], &piece).is_err());
}
