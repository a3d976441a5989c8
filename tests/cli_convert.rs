//! `convert`, and how `eval` writes: chunks, codecs, packing, growth; `info --stats`.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use tilewise::geometry::Region;
use tilewise::io::{AttrValue, open_catalog, open_source};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn tilewise(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tilewise"))
        .args(args)
        .output()
        .unwrap()
}

/// Runs a command that must succeed; gives its stdout.
fn run(args: &[&str]) -> String {
    let out = tilewise(args);
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{args:?}: {told}");
    String::from_utf8(out.stdout).unwrap()
}

/// Runs a command that must fail with exit code 1; gives its message.
fn refused(args: &[&str]) -> String {
    let out = tilewise(args);
    assert_eq!(out.status.code(), Some(1), "{args:?}");
    String::from_utf8(out.stderr).unwrap()
}

/// A folder with a sample of two years of months.
fn sample() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.nc");
    let args = [
        "--years",
        "2",
        "--grid",
        "6x10",
        "--variables",
        "tas,tos",
        "--frequency",
        "monthly",
    ];
    run(&[&["sample", text(&file), "--seed", "5"], &args[..]].concat());
    (folder, file)
}

fn bytes(path: &Path, variable: &str) -> Vec<u8> {
    let source = open_source(path, variable).unwrap();
    let shape = source.shape().to_vec();
    let mut out = vec![0; shape.iter().product::<usize>() * source.dtype().size()];
    source.read(&Region::whole(&shape), &mut out).unwrap();
    out
}

fn floats(path: &Path, variable: &str) -> Vec<f32> {
    let bytes = bytes(path, variable);
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect()
}

#[test]
fn conversion_keeps_values_and_attributes() {
    let (folder, file) = sample();
    let out = folder.path().join("out.nc");
    run(&[
        "convert",
        text(&file),
        text(&out),
        "--codec",
        "deflate:6",
        "--chunks",
        "time=5",
        "--unlimited",
        "time",
    ]);
    let (before, after) = (open_catalog(&file).unwrap(), open_catalog(&out).unwrap());
    let names = |c: &tilewise::io::Catalog| c.variables.iter().map(|v| v.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    for variable in &before.variables {
        let copy = after.variable(&variable.name).unwrap();
        assert_eq!(variable.attributes, copy.attributes, "{}", variable.name);
        assert_eq!((&variable.dims, &variable.dtype), (&copy.dims, &copy.dtype));
        assert_eq!(
            bytes(&file, &variable.name),
            bytes(&out, &variable.name),
            "{}",
            variable.name
        );
    }
    let tas = after.variable("tas").unwrap();
    assert_eq!(tas.chunks, Some(vec![5, 6, 10]));
    assert_eq!(tas.codecs, "shuffle,deflate(6)");
    assert!(after.dim("time").unwrap().unlimited && !after.dim("lat").unwrap().unlimited);
    assert!(after.attributes.text("history").unwrap().contains("convert"));

    // And back, without compression: a part of the variables with what belongs to them.
    let part = folder.path().join("part.nc");
    run(&[
        "convert",
        text(&out),
        text(&part),
        "--variables",
        "tos",
        "--codec",
        "none",
    ]);
    let catalog = open_catalog(&part).unwrap();
    let mut have = names(&catalog);
    have.sort();
    assert_eq!(
        have,
        ["lat", "lat_bnds", "lon", "lon_bnds", "time", "time_bnds", "tos"]
    );
    assert_eq!(bytes(&file, "tos"), bytes(&part, "tos"));
    assert_eq!(catalog.variable("tos").unwrap().codecs, "");

    let array = folder.path().join("tas.npy");
    run(&["convert", text(&file), text(&array), "--variables", "sftlf"]);
    refused(&["convert", text(&file), text(&folder.path().join("all.npy"))]);
}

#[test]
fn conversions_that_cannot_be_are_refused() {
    let (folder, file) = sample();
    let out = folder.path().join("out.nc");
    for (args, expected) in [
        (&["--variables", "nothing"][..], "no variable nothing"),
        (&["--chunks", "depth=3"], "no dimension depth"),
        (&["--codec", "lzma"], "none of none, deflate"),
        (&["--unlimited", "x"], "no dimension x"),
        (&["--format", "tiff"], "none of netcdf4"),
    ] {
        let told = refused(&[&["convert", text(&file), text(&out)], args].concat());
        assert!(told.contains(expected), "{args:?}: {told}");
        assert!(!out.exists());
    }
    let told = refused(&["convert", text(&file), text(&file)]);
    assert!(told.contains("also an input"), "{told}");
}

#[test]
fn packing_keeps_every_value_within_half_a_step() {
    let (folder, file) = sample();
    for dtype in ["int16", "uint8", "int32"] {
        let out = folder.path().join(format!("{dtype}.nc"));
        run(&[
            "eval",
            "warm = tos; _x = tas",
            text(&file),
            "-o",
            text(&out),
            "--pack",
            dtype,
        ]);
        let catalog = open_catalog(&out).unwrap();
        let warm = catalog.variable("warm").unwrap();
        assert_eq!(warm.numeric().unwrap().name(), dtype);
        let number = |name: &str| warm.attributes.get(name).and_then(AttrValue::as_f64).unwrap();
        let (scale, offset, fill) = (number("scale_factor"), number("add_offset"), number("_FillValue"));
        let source = bytes(&out, "warm");
        let codes: Vec<f64> = match dtype {
            "int16" => source
                .as_chunks::<2>()
                .0
                .iter()
                .map(|b| i16::from_le_bytes(*b).into())
                .collect(),
            "uint8" => source.iter().map(|b| f64::from(*b)).collect(),
            _ => source
                .as_chunks::<4>()
                .0
                .iter()
                .map(|b| i32::from_le_bytes(*b).into())
                .collect(),
        };
        let values = floats(&file, "tos");
        let mut missing = 0;
        for (code, value) in codes.iter().zip(&values) {
            if *value > 1e19 {
                assert_eq!(*code, fill);
                missing += 1;
                continue;
            }
            assert!(*code != fill);
            let off = (code * scale + offset - f64::from(*value)).abs();
            assert!(off <= 0.5001 * scale + 1e-6, "{value}: {off} of {scale}");
        }
        assert!(missing > 0 && missing < values.len());
    }
    let out = folder.path().join("x.nc");
    for (expression, dtype, expected) in [
        ("x = log(tas - tas)", "int16", "infinities"),
        ("x = tas", "float32", "not to float32"),
        ("x = tas", "short", "no dtype"),
    ] {
        let told = refused(&["eval", expression, text(&file), "-o", text(&out), "--pack", dtype]);
        assert!(told.contains(expected), "{told}");
        assert!(!out.exists());
    }
}

#[test]
fn stats_are_those_of_the_values() {
    let (_folder, file) = sample();
    let info: Value = serde_json::from_str(&run(&["info", "--json", "--stats", text(&file)])).unwrap();
    let variables = info[0]["variables"].as_array().unwrap();
    let tos = variables.iter().find(|v| v["name"] == "tos").unwrap();
    let all = floats(&file, "tos");
    let there: Vec<f32> = all.iter().copied().filter(|v| *v < 1e19).collect();
    let least = there.iter().copied().fold(f32::INFINITY, f32::min);
    assert_eq!(tos["stats"]["count"], there.len());
    assert_eq!(tos["stats"]["missing"], all.len() - there.len());
    assert!((tos["stats"]["min"].as_f64().unwrap() - f64::from(least)).abs() < 1e-4);
    let mean = there.iter().map(|v| f64::from(*v)).sum::<f64>() / there.len() as f64;
    assert!((tos["stats"]["mean"].as_f64().unwrap() - mean).abs() < 1e-6);
    assert!(run(&["info", "--stats", text(&file)]).contains("missing 0"));
}

#[test]
fn results_are_appended_along_time() {
    let folder = tempfile::tempdir().unwrap();
    let year = |start: &str| {
        let file = folder.path().join(format!("{start}.nc"));
        let args = [
            "--years",
            "1",
            "--grid",
            "6x10",
            "--frequency",
            "monthly",
            "--seed",
            "5",
            "--start",
        ];
        run(&[&["sample", text(&file)], &args[..], &[start]].concat());
        file
    };
    let (first, second, third) = (year("2001"), year("2002"), year("2003"));
    let out = folder.path().join("out.nc");
    let expression = "tas = tas * 2";
    run(&[
        "eval",
        expression,
        text(&first),
        "-o",
        text(&out),
        "--unlimited",
        "time",
        "--deflate",
        "1",
    ]);
    run(&[
        "eval",
        expression,
        text(&second),
        "-o",
        text(&out),
        "--append",
        "time",
    ]);
    let mut expected = Vec::new();
    for file in [&first, &second] {
        expected.extend(floats(file, "tas").into_iter().map(|v| v * 2.0));
    }
    assert_eq!(floats(&out, "tas"), expected);
    // Days since 2001 in both, though the second file counts from 2002.
    let days = bytes(&out, "time");
    let days: Vec<f64> = days
        .as_chunks::<8>()
        .0
        .iter()
        .map(|b| f64::from_le_bytes(*b))
        .collect();
    assert_eq!((days.len(), days[0], days[12]), (24, 15.5, 365.0 + 15.5));
    let edges = bytes(&out, "time_bnds");
    let edges: Vec<f64> = edges
        .as_chunks::<8>()
        .0
        .iter()
        .map(|b| f64::from_le_bytes(*b))
        .collect();
    assert_eq!(edges[22..26], [334.0, 365.0, 365.0, 396.0]);

    let before = std::fs::read(&out).unwrap();
    for (args, expected) in [
        (["tas = tas * 2", text(&second)], "does not follow"),
        (["pr = tas", text(&third)], "no variable pr"),
        (["tas = tas.astype('float64')", text(&third)], "stored as float32"),
        (["tas = tas.mean('time')", text(&third)], "no dimension time"),
        (
            ["tas = tas.isel(lon=slice(0, 5))", text(&third)],
            "coordinate lon differs",
        ),
    ] {
        let told = refused(&[&["eval"], &args[..], &["-o", text(&out), "--append", "time"]].concat());
        assert!(told.contains(expected), "{args:?}: {told}");
    }
    assert_eq!(std::fs::read(&out).unwrap(), before);
}

#[test]
fn results_are_written_where_their_labels_say() {
    let folder = tempfile::tempdir().unwrap();
    let (file, store) = (folder.path().join("in.nc"), folder.path().join("out.zarr"));
    let sample = [
        "--years",
        "2",
        "--grid",
        "6x10",
        "--frequency",
        "monthly",
        "--seed",
        "5",
    ];
    run(&[&["sample", text(&file)], &sample[..]].concat());
    let region = |expression: &str, dims: &str| {
        let args = [
            "eval",
            expression,
            text(&file),
            "-o",
            text(&store),
            "--region",
            dims,
        ]
        .map(str::to_string);
        tilewise(&args.each_ref().map(String::as_str))
    };
    let all = floats(&file, "tas");
    run(&[
        "eval",
        "tas = tas * 0",
        text(&file),
        "-o",
        text(&store),
        "--stored-chunks",
        "time=5,lat=4",
    ]);
    for part in ["slice(0, 7)", "slice(7, 24)"] {
        let out = region(
            &format!("tas = (tas * 2).isel(time={part}, lat=slice(0, 6))"),
            "time",
        );
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
    assert_eq!(
        floats(&store, "tas"),
        all.iter().map(|v| v * 2.0).collect::<Vec<_>>()
    );
    let out = region(
        "tas = (tas * 3).isel(time=slice(2, 3), lon=slice(4, 6))",
        "time,lon",
    );
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    for (at, (got, was)) in floats(&store, "tas").iter().zip(&all).enumerate() {
        let (time, lon) = (at / 60, at % 10);
        let factor = if time == 2 && (4..6).contains(&lon) {
            3.0
        } else {
            2.0
        };
        assert_eq!(*got, was * factor, "{at}");
    }
    let before = floats(&store, "tas");
    for (expression, dims, expected) in [
        ("tas = tas.isel(time=slice(0, 9, 2))", "time", "not neighbours"),
        ("tas = tas.isel(time=slice(0, 9))", "lat", "extent; name time too"),
        ("tas = tas.isel(lat=0)", "time", "tas"),
        ("pr = tas", "time", "no variable pr"),
        ("tas = tas.astype('float64')", "time", "stored as float32"),
        (
            "tas = tas.mean('time')",
            "time",
            "no result has the dimension time",
        ),
    ] {
        let out = region(expression, dims);
        let told = String::from_utf8_lossy(&out.stderr);
        assert!(
            !out.status.success() && told.contains(expected),
            "{expression}: {told}"
        );
    }
    assert_eq!(floats(&store, "tas"), before);
    let netcdf = folder.path().join("out.nc");
    run(&["eval", "tas = tas", text(&file), "-o", text(&netcdf)]);
    let told = refused(&[
        "eval",
        "tas = tas",
        text(&file),
        "-o",
        text(&netcdf),
        "--region",
        "time",
    ]);
    assert!(told.contains("Zarr can"), "{told}");
}

#[test]
fn raw_elements_are_inputs_and_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let (field, out) = (folder.path().join("field.bin"), folder.path().join("out.raw"));
    let values: Vec<u8> = (0..6i16).flat_map(i16::to_be_bytes).collect();
    std::fs::write(&field, [&[9; 4][..], &values].concat()).unwrap();
    let raw = format!("x={}:int16:2x3:offset=4:endian=big", text(&field));
    run(&["eval", "y = x * x", "--raw", &raw, "-o", text(&out)]);
    let squares: Vec<u8> = (0..6i16).flat_map(|v| (v * v).to_le_bytes()).collect();
    assert_eq!(std::fs::read(&out).unwrap(), squares);
    let short = format!("x={}:int16:2x4:offset=4", text(&field));
    for (bad, expected) in [
        (short.as_str(), "field.bin"),
        ("x", "NAME=FILE"),
        ("x=field.bin:int16", "SHAPE"),
    ] {
        let told = refused(&["eval", "x", "--raw", bad]);
        assert!(told.contains(expected), "{told}");
    }
}
