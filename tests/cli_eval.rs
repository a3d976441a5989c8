//! What the commands print and write.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs a command that must succeed; gives its stdout.
fn run(args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_tilewise"))
        .args(args)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&run(args)).unwrap()
}

/// A folder with a sample of four years on a small grid.
fn sample() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.nc");
    run(&[
        "sample",
        path(&file),
        "--years",
        "4",
        "--grid",
        "8x16",
        "--variables",
        "tas,pr,tos",
        "--seed",
        "3",
    ]);
    (folder, file)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn info_lists_what_a_file_holds() {
    let (_folder, file) = sample();
    let info = json(&["info", "--json", path(&file)]);
    let file_info = &info[0];
    assert_eq!(file_info["format"], "NetCDF-4");
    let dims: Vec<&str> = file_info["dims"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["name"].as_str().unwrap())
        .collect();
    assert_eq!(dims, ["time", "lat", "lon", "bnds"]);
    let variables = file_info["variables"].as_array().unwrap();
    let tas = variables.iter().find(|v| v["name"] == "tas").unwrap();
    assert_eq!(tas["shape"], serde_json::json!([1461, 8, 16]));
    assert_eq!(tas["attributes"]["units"], "K");
    let text = run(&["info", path(&file)]);
    assert!(
        text.contains("float32 tas (time: 1461, lat: 8, lon: 16)"),
        "{text}"
    );
}

#[test]
fn a_sample_is_a_plausible_climate_and_follows_from_its_seed() {
    let (folder, file) = sample();
    let all = json(&[
        "eval",
        "--json",
        "tas.mean(); tas.max() - tas.min(); pr.min(); tos.isel(time=0).count(); tas.sel(time=slice(\"1980\", \"1981\")).count()",
        path(&file),
    ]);
    let value = |at: usize| number(&all["results"][at]["values"][0]);
    assert!((270.0..300.0).contains(&value(0)), "mean {}", value(0));
    assert!((40.0..150.0).contains(&value(1)), "range {}", value(1));
    assert_eq!(value(2), 0.0, "no dry day");
    assert!((20.0..128.0).contains(&value(3)), "{} cells of sea", value(3));
    assert_eq!(value(4), 731.0 * 128.0);
    let again = folder.path().join("again.nc");
    run(&[
        "sample",
        path(&again),
        "--years",
        "4",
        "--grid",
        "8x16",
        "--variables",
        "tas,pr,tos",
        "--seed",
        "3",
        "--chunks",
        "time=7,lat=3",
    ]);
    let same = json(&[
        "eval",
        "--json",
        "abs(sample:tas - again:tas).max()",
        path(&file),
        path(&again),
    ]);
    assert_eq!(number(&same["results"][0]["values"][0]), 0.0);
}

#[test]
fn an_anomaly_is_written_with_its_coordinates() {
    let (folder, file) = sample();
    let out = folder.path().join("anomaly.nc");
    let shown = run(&[
        "eval",
        "anomaly = tas - tas.groupby(\"time.month\").mean()",
        path(&file),
        "-o",
        path(&out),
        "--memory",
        "64MiB",
    ]);
    assert!(shown.is_empty(), "{shown}");
    let info = json(&["info", "--json", path(&out)]);
    let names: Vec<&str> = info[0]["variables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["name"].as_str().unwrap())
        .collect();
    for name in ["anomaly", "time", "lat", "lon", "time_bnds"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let anomaly = info[0]["variables"]
        .as_array()
        .unwrap()
        .iter()
        .find(|v| v["name"] == "anomaly")
        .unwrap();
    assert_eq!(anomaly["attributes"]["units"], "K");
    let history = info[0]["attributes"]["history"].as_str().unwrap();
    assert!(
        history.contains("tilewise") && history.contains("groupby"),
        "{history}"
    );
    // Means of the anomaly vanish in every month, and adding the climatology gives the field back.
    let check = json(&[
        "eval",
        "--json",
        "abs(anomaly.groupby(\"time.month\").mean()).max(); abs(anomaly + tas.groupby(\"time.month\").mean() - tas).max()",
        path(&out),
        path(&file),
    ]);
    for result in check["results"].as_array().unwrap() {
        let worst = number(&result["values"][0]);
        assert!(worst < 1e-4, "{worst}");
    }
}

#[test]
fn compressed_output_reads_back_equal() {
    let (folder, file) = sample();
    let out = folder.path().join("warm.nc");
    run(&[
        "eval",
        "warm = tas > 290; celsius = tas - 273.15; seasonal = tas.groupby(\"time.season\").mean()",
        path(&file),
        "-o",
        path(&out),
        "--deflate",
        "1",
    ]);
    let check = json(&[
        "eval",
        "--json",
        "abs(celsius - (tas - 273.15)).max(); (warm != (tas > 290)).sum(); abs(seasonal - tas.groupby(\"time.season\").mean()).max()",
        path(&out),
        path(&file),
    ]);
    for result in check["results"].as_array().unwrap() {
        assert_eq!(number(&result["values"][0]), 0.0, "{result}");
    }
}

#[test]
fn npy_holds_one_array() {
    let (folder, file) = sample();
    let out = folder.path().join("zonal.npy");
    run(&["eval", "tas.mean(\"lon\")", path(&file), "-o", path(&out)]);
    let back = json(&["eval", "--json", "data[:, 3].mean(); data.count()", path(&out)]);
    let again = json(&["eval", "--json", "tas[:, 3].mean()", path(&file)]);
    let (got, want) = (
        number(&back["results"][0]["values"][0]),
        number(&again["results"][0]["values"][0]),
    );
    assert!((got - want).abs() < 1e-3, "{got} {want}");
    assert_eq!(number(&back["results"][1]["values"][0]), 1461.0 * 8.0);
    let two = Command::new(env!("CARGO_BIN_EXE_tilewise"))
        .args([
            "eval",
            "a = tas; b = tas",
            path(&file),
            "-o",
            path(&folder.path().join("two.npy")),
        ])
        .output()
        .unwrap();
    assert_eq!(two.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&two.stderr).contains("holds one array"));
}

#[test]
fn names_and_aliases_find_variables() {
    let (folder, file) = sample();
    let copy = folder.path().join("copy.nc");
    std::fs::copy(&file, &copy).unwrap();
    let alias = format!("other={}:tas", path(&copy));
    let got = json(&[
        "eval",
        "--json",
        "abs(tas - other).max()",
        path(&file),
        "--let",
        &alias,
    ]);
    assert_eq!(number(&got["results"][0]["values"][0]), 0.0);
    let out = Command::new(env!("CARGO_BIN_EXE_tilewise"))
        .args(["eval", "tas.mean()", path(&file), path(&copy)])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("write file:tas"));
    let got = json(&[
        "eval",
        "--json",
        "_half = tas / 2; twice = _half * 4",
        path(&file),
    ]);
    let names: Vec<&Value> = got["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["name"])
        .collect();
    assert_eq!(names, ["twice"]);
}

#[test]
fn reports_traces_and_plans_are_given() {
    let (folder, file) = sample();
    let trace = folder.path().join("trace.json");
    let out = json(&[
        "eval",
        "tas.mean(\"time\")",
        path(&file),
        "--report=json",
        "--trace",
        path(&trace),
    ]);
    assert!(number(&out["report"]["seconds"]) > 0.0);
    assert!(!out["report"]["stages"].as_array().unwrap().is_empty());
    let events: Value = serde_json::from_str(&std::fs::read_to_string(&trace).unwrap()).unwrap();
    assert!(events["traceEvents"].as_array().unwrap().len() > 2);
    let plan = run(&["explain", "tas - tas.mean(\"time\")", path(&file)]);
    assert!(plan.contains("stage 0") && plan.contains("memory"), "{plan}");
    let devices = json(&["devices", "--json"]);
    assert!(number(&devices["cpu"]["threads"]) >= 1.0);
}

#[test]
fn half_floats_are_stored_as_netcdf_can() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in.nc"), folder.path().join("out.nc"));
    let run = |args: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_tilewise"))
            .args(args)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let (input, out) = (input.to_str().unwrap(), out.to_str().unwrap());
    run(&["sample", input, "--years", "1", "--grid", "2x3"]);
    let expression = "h = tas.astype(\"float16\"); b = tas.astype(\"bfloat16\")";
    run(&["eval", expression, input, "-o", out]);
    let info = run(&["info", out]);
    assert!(
        info.contains("float32 h (") && info.contains("float32 b ("),
        "{info}"
    );
    assert!(info.contains("_FillValue = NaN"), "{info}");
    let difference = "abs(h - tas.astype(\"float16\").astype(\"float32\")).max(...)";
    let text = run(&["eval", difference, out, input, "--device", "cpu", "--json"]);
    assert!(text.contains("\"values\":[0.0]"), "{text}");
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_error() {
    let (_folder, file) = sample();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tilewise"))
        .args(["info", path(&file)])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
}
