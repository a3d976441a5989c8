//! NetCDF-4 files written and read back, bit by bit.
//!
//! The reader is checked against netCDF4 and xarray in `io_netcdf.rs`; here it is the judge of the
//! writer, for every dtype, layout and way of cutting the writes.

#![allow(clippy::unwrap_used)] // helpers of tests fail the test

use std::path::{Path, PathBuf};
use tilewise::geometry::{Chunks, Region};
use tilewise::io::{
    AttrValue, Attributes, Codec, Compression, Container, Dim, FileSpec, NetCdfWriter, VarType, VariableSpec,
    Writer, open_catalog, open_source, open_text,
};
use tilewise::store::{Sink, conformance};
use tilewise::{DType, Error, Scalar};

fn dim(name: &str, len: usize, unlimited: bool) -> Dim {
    Dim {
        name: name.into(),
        len,
        unlimited,
    }
}

fn spec(dims: Vec<Dim>, variables: Vec<VariableSpec>) -> FileSpec {
    FileSpec {
        dims,
        variables,
        attributes: Attributes::new(),
    }
}

/// Bytes of every kind, also NaN payloads, infinities and -0 when they are floats.
fn elements(dtype: DType, count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut bytes = Vec::with_capacity(count * dtype.size());
    for n in 0..count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = match n % 3 {
            0 => state,
            1 => (n / 7) as u64,
            _ => [0, u64::MAX, 1 << 63, 0x7ff0_0000_0000_0000, 0x7f80_0000_ff80_0000][n / 3 % 5],
        };
        let words = [word, word.rotate_left(19)].map(u64::to_le_bytes).concat();
        bytes.extend(&words[..dtype.size()]);
    }
    if dtype == DType::Bool {
        bytes.iter_mut().for_each(|b| *b &= 1);
    }
    bytes
}

fn read(path: &Path, variable: &str) -> Vec<u8> {
    let source = open_source(path, variable).unwrap();
    let mut out = vec![0xee; source.shape().iter().product::<usize>() * source.dtype().size()];
    source.read(&Region::whole(source.shape()), &mut out).unwrap();
    out
}

/// Writes `data` to a sink in the pieces of a grid, last piece first.
fn write_in_pieces(sink: &dyn Sink, piece: &[usize], data: &[u8]) {
    let grid = Chunks::regular(sink.shape(), piece);
    let size = sink.dtype().size();
    for number in (0..grid.count()).rev() {
        let region = grid.region(&grid.block(number));
        let mut part = vec![0; region.len() * size];
        let origin = vec![0; region.rank()];
        tilewise::store::copy_region(
            data,
            sink.shape(),
            &region,
            &mut part,
            &region.shape,
            &origin,
            size,
        );
        sink.write(&region, &part).unwrap();
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.nc");
    (folder, path)
}

#[test]
fn every_dtype_comes_back_bit_by_bit() {
    for dtype in DType::ALL {
        let (_folder, path) = folder();
        let dims = vec![dim("time", 7, true), dim("y", 5, false), dim("x", 6, false)];
        let kind = VarType::Numeric(dtype);
        let all = ["time", "y", "x"];
        let mut variables = vec![
            VariableSpec::new("piece", &["y", "x"], kind.clone()),
            VariableSpec::new("chunks", &all, kind.clone()),
            VariableSpec::new("chosen", &all, kind.clone()),
            VariableSpec::new("packed", &all, kind.clone()),
            VariableSpec::new("deflated", &all, kind.clone()),
            VariableSpec::new("scalar", &[], kind.clone()),
        ];
        variables[1].chunks = Some(vec![3, 2, 6]);
        for at in [3, 4] {
            variables[at].chunks = Some(vec![2, 5, 4]);
            variables[at].compression = Some(Compression {
                codec: Codec::Deflate(4),
                shuffle: at == 3,
            });
        }
        let writer = NetCdfWriter::create(&path, &spec(dims, variables)).unwrap();
        let mut expected = Vec::new();
        for name in ["piece", "chunks", "chosen", "packed", "deflated", "scalar"] {
            let sink = writer.sink(name).unwrap();
            assert_eq!(sink.dtype(), dtype);
            let data = elements(dtype, sink.shape().iter().product());
            // Aligned, and across chunks, which takes another way.
            let piece = match name {
                "chunks" => vec![3, 2, 6],
                "packed" => vec![2, 5, 4],
                "scalar" => vec![],
                "piece" => vec![2, 3],
                _ => vec![3, 3, 5],
            };
            write_in_pieces(&*sink, &piece, &data);
            expected.push((name, data));
        }
        writer.finish().unwrap();
        for (name, data) in expected {
            let source = open_source(&path, name).unwrap();
            assert_eq!(source.dtype(), dtype, "{name}");
            assert_eq!(read(&path, name), data, "{dtype} {name}");
            conformance::source(&*source, &data);
        }
        let catalog = open_catalog(&path).unwrap();
        assert_eq!(
            catalog.dims,
            [dim("time", 7, true), dim("y", 5, false), dim("x", 6, false)]
        );
        let packed = catalog.variable("packed").unwrap();
        let codecs = if dtype.size() > 1 {
            "shuffle,deflate(4)"
        } else {
            "deflate(4)"
        };
        assert_eq!(
            (packed.codecs.as_str(), &packed.chunks),
            (codecs, &Some(vec![2, 5, 4]))
        );
        assert_eq!(catalog.variable("piece").unwrap().chunks, None);
    }
}

#[test]
fn sinks_conform() {
    for (chunks, deflate) in [
        (None, None),
        (Some(vec![2, 3]), None),
        (Some(vec![4, 5]), Some(1)),
    ] {
        let (_folder, path) = folder();
        let mut variable = VariableSpec::new("v", &["y", "x"], VarType::Numeric(DType::F64));
        (variable.chunks, variable.compression) = (chunks, deflate.map(Compression::deflate));
        let dims = vec![dim("y", 9, false), dim("x", 11, false)];
        let writer = NetCdfWriter::create(&path, &spec(dims, vec![variable])).unwrap();
        let data = elements(DType::F64, 99);
        conformance::sink(&*writer.sink("v").unwrap(), &data);
        writer.finish().unwrap();
        assert_eq!(read(&path, "v"), data);
    }
}

#[test]
fn threads_write_one_variable() {
    let (_folder, path) = folder();
    let mut variable = VariableSpec::new("v", &["t", "x"], VarType::Numeric(DType::F32));
    (variable.chunks, variable.compression) = (Some(vec![4, 300]), Some(Compression::deflate(4)));
    let dims = vec![dim("t", 64, true), dim("x", 1000, false)];
    let writer = NetCdfWriter::create(&path, &spec(dims, vec![variable])).unwrap();
    let sink = writer.sink("v").unwrap();
    let data = elements(DType::F32, 64_000);
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (sink, data) = (&sink, &data);
            scope.spawn(move || {
                for t in (0..16).filter(|t| t % 4 == n) {
                    let region = Region::new(vec![4 * t, 0], vec![4, 1000]);
                    sink.write(&region, &data[t * 16_000..(t + 1) * 16_000]).unwrap();
                }
            });
        }
    });
    writer.finish().unwrap();
    assert_eq!(read(&path, "v"), data);
}

#[test]
fn empty_axes_are_kept() {
    let (_folder, path) = folder();
    let mut chunked = VariableSpec::new("chunked", &["time", "x"], VarType::Numeric(DType::I16));
    chunked.compression = Some(Compression::deflate(1));
    let variables = vec![
        VariableSpec::new("none", &["x"], VarType::Numeric(DType::F32)),
        chunked,
    ];
    let dims = vec![dim("time", 0, true), dim("x", 0, false)];
    let writer = NetCdfWriter::create(&path, &spec(dims, variables)).unwrap();
    writer.write_whole("none", &[]).unwrap();
    writer.write_whole("chunked", &[]).unwrap();
    writer.finish().unwrap();
    assert_eq!(open_source(&path, "none").unwrap().shape(), [0]);
    assert_eq!(open_source(&path, "chunked").unwrap().shape(), [0, 0]);
    assert!(read(&path, "chunked").is_empty());
}

#[test]
fn attributes_coordinates_and_text_come_back() {
    let (_folder, path) = folder();
    let mut time = VariableSpec::new("time", &["time"], VarType::Numeric(DType::F64));
    time.attributes.set("units", "days since 1850-01-01");
    let mut tas = VariableSpec::new("tas", &["time", "station"], VarType::Numeric(DType::I16));
    tas.attributes.set("scale_factor", AttrValue::number(0.01f64));
    tas.attributes
        .set("flags", AttrValue::Int(DType::I8, vec![-1, 0, 1]));
    tas.attributes
        .set("big", AttrValue::UInt(DType::U64, vec![u64::MAX]));
    tas.attributes
        .set("range", AttrValue::Float(DType::F32, vec![-0.5, f64::INFINITY]));
    tas.attributes
        .set("names", AttrValue::TextList(vec!["a".into(), "ü".into()]));
    tas.attributes.set("empty", "");
    tas.attributes.set("long_name", "Température de l’air");
    tas.fill = Some(Scalar::new(-999i16));
    let names = VariableSpec::new("name", &["station"], VarType::Text);
    let codes = VariableSpec::new("code", &["station", "letters"], VarType::Char);
    // Called like a dimension, but no coordinate of it.
    let station = VariableSpec::new("station", &[], VarType::Numeric(DType::I32));
    // A coordinate with more than one axis.
    let levels = VariableSpec::new("lev", &["lev", "station"], VarType::Numeric(DType::F32));
    let dims = vec![
        dim("time", 2, true),
        dim("station", 3, false),
        dim("letters", 4, false),
        dim("lev", 2, false),
    ];
    let mut file = spec(dims, vec![time, tas, names, codes, station, levels]);
    file.attributes.set("title", "a trial");
    file.attributes.set("history", "made\nread");
    let writer = NetCdfWriter::create(&path, &file).unwrap();
    let texts = |v: &[&str]| v.iter().map(|t| t.to_string()).collect::<Vec<_>>();
    writer.write_whole("time", &elements(DType::F64, 2)).unwrap();
    writer.write_whole("tas", &elements(DType::I16, 6)).unwrap();
    writer.write_whole("station", &7i32.to_le_bytes()).unwrap();
    writer.write_whole("lev", &elements(DType::F32, 6)).unwrap();
    writer
        .write_text("name", &texts(&["Halifax", "", "Zürich"]))
        .unwrap();
    writer.write_text("code", &texts(&["YHZ", "", "LSZH"])).unwrap();
    assert!(writer.write_text("code", &texts(&["YHZ", "", "LSZHX"])).is_err());
    assert!(writer.write_text("name", &texts(&["one"])).is_err());
    assert!(writer.write_text("time", &texts(&["one", "two"])).is_err());
    assert!(writer.sink("name").is_err());
    writer.finish().unwrap();

    let read_back = open_catalog(&path).unwrap();
    assert_eq!(read_back.dims, file.dims);
    assert_eq!(read_back.attributes, file.attributes);
    assert!(read_back.notes.is_empty(), "{:?}", read_back.notes);
    let listed: Vec<&str> = read_back.variables.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(listed, ["time", "tas", "name", "code", "station", "lev"]);
    for (written, found) in file.variables.iter().zip(&read_back.variables) {
        assert_eq!(
            (&written.name, &written.dims, &written.dtype),
            (&found.name, &found.dims, &found.dtype)
        );
    }
    let tas = read_back.variable("tas").unwrap();
    let mut expected = Attributes::new();
    expected.set("_FillValue", AttrValue::number(-999i16));
    file.variables[1]
        .attributes
        .iter()
        .for_each(|(n, v)| expected.set(n, v.clone()));
    assert_eq!(tas.attributes, expected);
    assert_eq!(tas.fill, Some(Scalar::new(-999i16)));
    assert_eq!(
        open_text(&path, "name").unwrap().values,
        ["Halifax", "", "Zürich"]
    );
    assert_eq!(open_text(&path, "code").unwrap().values, ["YHZ", "", "LSZH"]);
    assert_eq!(read(&path, "station"), 7i32.to_le_bytes());
}

#[test]
fn groups_are_written() {
    let (_folder, path) = folder();
    let dims = vec![dim("x", 3, false), dim("/a/b/y", 2, false)];
    let inner = VariableSpec::new("/a/b/v", &["x", "/a/b/y"], VarType::Numeric(DType::U8));
    let y = VariableSpec::new("/a/b/y", &["/a/b/y"], VarType::Numeric(DType::F64));
    let mut file = spec(dims, vec![inner, y]);
    file.attributes.set("/a/title", "a group");
    let writer = NetCdfWriter::create(&path, &file).unwrap();
    writer.write_whole("/a/b/v", &[1, 2, 3, 4, 5, 6]).unwrap();
    writer.write_whole("/a/b/y", &elements(DType::F64, 2)).unwrap();
    writer.finish().unwrap();
    let catalog = open_catalog(&path).unwrap();
    assert_eq!(catalog.dims, file.dims);
    assert_eq!(catalog.attributes.text("/a/title"), Some("a group"));
    assert_eq!(catalog.variable("/a/b/v").unwrap().dims, ["x", "/a/b/y"]);
    assert_eq!(read(&path, "/a/b/v"), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn elements_never_written_are_fill() {
    let (_folder, path) = folder();
    let mut declared = VariableSpec::new("declared", &["t", "x"], VarType::Numeric(DType::I32));
    declared.chunks = Some(vec![2, 2]);
    declared.fill = Some(Scalar::new(-1i32));
    let mut default = VariableSpec::new("default", &["t", "x"], VarType::Numeric(DType::F32));
    (default.chunks, default.compression) = (Some(vec![2, 2]), Some(Compression::deflate(1)));
    let file = spec(
        vec![dim("t", 4, true), dim("x", 3, false)],
        vec![declared, default],
    );
    let writer = NetCdfWriter::create(&path, &file).unwrap();
    let region = Region::new(vec![0, 0], vec![2, 2]);
    let ones: Vec<u8> = 1i32.to_le_bytes().repeat(4);
    writer.sink("declared").unwrap().write(&region, &ones).unwrap();
    writer.finish().unwrap();
    let found: Vec<i32> = bytemuck::pod_collect_to_vec(&read(&path, "declared"));
    assert_eq!(found, [1, 1, -1, 1, 1, -1, -1, -1, -1, -1, -1, -1]);
    let found: Vec<f32> = bytemuck::pod_collect_to_vec(&read(&path, "default"));
    assert!(found.iter().all(|&v| v == 9.96921e36), "{found:?}");
}

#[test]
fn files_appear_whole_or_not_at_all() {
    let (folder, path) = folder();
    let names = || std::fs::read_dir(folder.path()).unwrap().count();
    let file = spec(
        vec![dim("x", 3, false)],
        vec![VariableSpec::new("v", &["x"], VarType::Numeric(DType::F32))],
    );
    let writer = NetCdfWriter::create(&path, &file).unwrap();
    assert!(!path.exists());
    let sink = writer.sink("v").unwrap();
    drop(writer);
    assert_eq!(names(), 0);
    let error = sink
        .write(&Region::whole(&[3]), &[0; 12])
        .unwrap_err()
        .to_string();
    assert!(error.contains("out.nc") && error.contains("finished"), "{error}");

    let writer = NetCdfWriter::create(&path, &file).unwrap();
    assert!(
        writer
            .sink("v")
            .unwrap()
            .write(&Region::whole(&[4]), &[0; 16])
            .is_err()
    );
    assert!(writer.sink("w").is_err());
    writer.write_whole("v", &[0; 12]).unwrap();
    writer.finish().unwrap();
    assert_eq!(names(), 1);
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_ne!(mode & 0o400, 0);
    assert_eq!(mode & 0o111, 0);

    let nowhere = folder.path().join("none/out.nc");
    assert!(matches!(
        NetCdfWriter::create(&nowhere, &file),
        Err(Error::Io { .. })
    ));
    assert!(matches!(
        NetCdfWriter::create(folder.path(), &file),
        Err(Error::Io { .. })
    ));
}

#[test]
fn what_was_read_can_be_written() {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !data.is_dir() {
        eprintln!("skipped: {} is not there", data.display());
        return;
    }
    for name in [
        "tos_Omon_ACCESS-ESM1-5_historical_r1i1p1f1_gn_200001-201412.nc",
        "daily_surface_cancities_1990-1993.nc",
        "wrf_ci_test_file.nc",
        "coads_climatology.nc4",
    ] {
        let (_folder, path) = folder();
        let source = Container::open(data.join(name)).unwrap();
        let mut file = FileSpec::like(source.catalog());
        for variable in &mut file.variables {
            variable.compression = Some(Compression::deflate(2));
        }
        let writer = NetCdfWriter::create(&path, &file).unwrap();
        for variable in &source.catalog().variables {
            if variable.numeric().is_some() {
                writer
                    .write_whole(&variable.name, &read(&data.join(name), &variable.name))
                    .unwrap();
            } else {
                writer
                    .write_text(&variable.name, &source.text(&variable.name).unwrap().values)
                    .unwrap();
            }
        }
        writer.finish().unwrap();
        let copy = Container::open(&path).unwrap();
        assert_eq!(copy.catalog().attributes, source.catalog().attributes);
        for variable in &source.catalog().variables {
            let copied = copy.catalog().variable(&variable.name).unwrap();
            assert_eq!(
                (&copied.dims, &copied.shape),
                (&variable.dims, &variable.shape),
                "{}",
                variable.name
            );
            if variable.numeric().is_some() {
                assert!(read(&data.join(name), &variable.name) == read(&path, &variable.name));
            } else {
                assert_eq!(
                    copy.text(&variable.name).unwrap(),
                    source.text(&variable.name).unwrap()
                );
            }
        }
    }
}

#[test]
fn files_grow_along_their_unlimited_dimension() {
    let (_folder, path) = folder();
    let parts = |steps: usize| {
        let dims = vec![dim("time", steps, true), dim("y", 5, false)];
        let mut t = VariableSpec::new("t", &["time", "y"], VarType::Numeric(DType::F32));
        (t.chunks, t.compression) = (Some(vec![3, 2]), Some(Compression::deflate(2)));
        let time = VariableSpec::new("time", &["time"], VarType::Numeric(DType::F64));
        spec(dims, vec![time, t])
    };
    let mut fixed = parts(7);
    let y = VariableSpec::new("y", &["y"], VarType::Numeric(DType::I32));
    fixed.variables.push(y);
    let writer = NetCdfWriter::create(&path, &fixed).unwrap();
    let (old, old_time) = (elements(DType::F32, 35), elements(DType::F64, 7));
    let labels = elements(DType::I32, 5);
    writer.write_whole("t", &old).unwrap();
    writer.write_whole("time", &old_time).unwrap();
    writer.write_whole("y", &labels).unwrap();
    writer.finish().unwrap();

    // A first part that joins a ragged chunk, and a second one.
    let (mut t, mut time) = (old, old_time);
    for steps in [4, 9] {
        let writer = NetCdfWriter::append(&path, "time", &parts(steps)).unwrap();
        let (new, new_time) = (elements(DType::F32, steps * 5), elements(DType::F64, steps));
        let sink = writer.sink("t").unwrap();
        assert_eq!(sink.shape(), [steps, 5]);
        write_in_pieces(&*sink, &[2, 5], &new);
        drop(sink);
        writer.write_whole("time", &new_time).unwrap();
        // Until it is finished, the old one is there.
        assert_eq!(read(&path, "t"), t);
        writer.finish().unwrap();
        t.extend(new);
        time.extend(new_time);
        assert_eq!((read(&path, "t"), read(&path, "time")), (t.clone(), time.clone()));
        assert_eq!(read(&path, "y"), labels);
    }
    let catalog = open_catalog(&path).unwrap();
    assert_eq!(catalog.dim("time"), Some(&dim("time", 20, true)));

    // What cannot be appended leaves the file as it is.
    let mut wrong = vec![
        (parts(2), "y", "cannot grow"),
        (parts(2), "depth", "no dimension depth"),
    ];
    let mut other = parts(2);
    other.variables[1].dtype = VarType::Numeric(DType::F64);
    wrong.push((other, "time", "stored as float32"));
    let mut other = parts(2);
    other.dims[1].len = 6;
    wrong.push((other, "time", "dimension y has 5"));
    let mut other = parts(2);
    other.variables[0].name = "when".into();
    wrong.push((other, "time", "no variable when"));
    for (spec, along, expected) in wrong {
        let told = NetCdfWriter::append(&path, along, &spec).unwrap_err().to_string();
        assert!(told.contains(expected) && told.contains("out.nc"), "{told}");
    }
    drop(NetCdfWriter::append(&path, "time", &parts(3)).unwrap());
    assert_eq!(read(&path, "t"), t);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn zstd_is_written_and_read() {
    let (_folder, path) = folder();
    let dims = vec![dim("time", 9, true), dim("x", 400, false)];
    let mut variable = VariableSpec::new("v", &["time", "x"], VarType::Numeric(DType::I32));
    variable.chunks = Some(vec![2, 300]);
    variable.compression = Compression::parse("zstd:5").unwrap();
    let writer = NetCdfWriter::create(&path, &spec(dims, vec![variable])).unwrap();
    let data: Vec<u8> = (0..3600i32).flat_map(|i| (i / 7).to_le_bytes()).collect();
    write_in_pieces(&*writer.sink("v").unwrap(), &[2, 400], &data);
    writer.finish().unwrap();
    assert_eq!(read(&path, "v"), data);
    let catalog = open_catalog(&path).unwrap();
    let v = catalog.variable("v").unwrap();
    assert_eq!(v.codecs, "shuffle,zstd(5)");
    assert!(v.stored_bytes < 4000, "{}", v.stored_bytes);
}
