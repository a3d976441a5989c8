//! The command line on a Vulkan adapter: a whole climate job stays on the device, within its budget,
//! and gives the CPU's numbers.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn tilewise(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tilewise"))
        .args(args)
        .output()
        .unwrap()
}

fn json(args: &[&str]) -> Value {
    let out = tilewise(args);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{args:?}: {errors}");
    serde_json::from_slice(&out.stdout).unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Whether there is an adapter; under CI there has to be one.
fn has_adapter() -> bool {
    let usable = |gpu: &Value| gpu["unusable"].is_null();
    let devices = json(&["devices", "--json"]);
    let found = devices["gpus"].as_array().unwrap().iter().any(usable);
    assert!(found || std::env::var_os("CI").is_none(), "{devices}");
    found
}

#[test]
fn adapters_are_told_with_their_verdicts_and_rates() {
    if !has_adapter() {
        return println!("skipped, no adapter");
    }
    let devices = json(&["devices", "--json"]);
    let gpu = &devices["gpus"][0];
    let rate = |name: &str| gpu[name].as_f64().unwrap();
    assert!(rate("upload_bytes_per_second") > 0.0 && rate("download_bytes_per_second") > 0.0);
    assert!(rate("copy_bytes_per_second") > 0.0 && rate("task_seconds") > 0.0);
    let facts = gpu["self_test"].as_array().unwrap();
    let holds = |fact: &str| facts.iter().any(|f| f["fact"] == fact && f["ok"] == true);
    assert!(holds("nan") && holds("exact sums") && holds("loops"), "{gpu}");
    let text = String::from_utf8(tilewise(&["devices"]).stdout).unwrap();
    assert!(text.contains("self-test") && text.contains("GB/s"), "{text}");
}

#[test]
fn matrix_units_serve_or_are_refused_with_the_way_out() {
    if !has_adapter() {
        return println!("skipped, no adapter");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.nc");
    let sample = ["sample", path(&file), "--years", "1", "--grid", "40x50"];
    assert!(tilewise(&sample).status.success());
    // Products of days, small numbers of float16.
    let source = "c = dot((tas / 300).astype('float16'), (tas / 300).astype('float16'), dim='time')";
    let eval = |more: &[&str]| {
        let args = ["eval", source, path(&file), "--json"];
        tilewise(&[&args, more].concat())
    };
    let on_gpu = eval(&["--device", "gpu", "--matrix-units"]);
    let units = json(&["devices", "--json"])["gpus"][0]["features"]["matrix_units"] == true;
    let text = String::from_utf8_lossy(&on_gpu.stderr);
    if units {
        assert!(on_gpu.status.success(), "{text}");
    } else {
        assert!(!on_gpu.status.success());
        assert!(
            text.contains("no matrix units") && text.contains("--matrix-units"),
            "{text}"
        );
    }
    // The CPU has none, and no need of them.
    assert!(eval(&["--device", "cpu", "--matrix-units"]).status.success());
}

#[test]
fn an_anomaly_stays_on_the_device() {
    if !has_adapter() {
        return println!("skipped, no adapter");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.nc");
    let sample = ["sample", path(&file), "--years", "3", "--grid", "12x20"];
    assert!(tilewise(&sample).status.success());
    let anomaly = r#"a = tas - tas.groupby("time.month").mean(); s = a.std("time")"#;
    let outputs = ["cpu", "gpu"].map(|device| {
        let out = folder.path().join(format!("{device}.nc"));
        let args = ["eval", anomaly, path(&file), "-o", path(&out), "--device", device];
        let memory = ["--gpu-memory", "6MiB", "--report=json"];
        let report = &json(&[&args[..], &memory[..]].concat())["report"];
        for stage in report["stages"].as_array().unwrap() {
            let ran = stage["device"].as_str().unwrap();
            assert!(ran.starts_with(device), "{ran}");
            assert_eq!(stage["fallbacks"], 0, "{stage}");
        }
        assert!(
            report["memory"]["gpu_peak"].as_u64().unwrap() <= 6 << 20,
            "{report}"
        );
        out
    });
    let [cpu, gpu] = &outputs;
    let compare = "d = abs(x - y).max(); e = abs(t - u).max()";
    let lets = [("x", cpu, "a"), ("y", gpu, "a"), ("t", cpu, "s"), ("u", gpu, "s")]
        .map(|(name, file, variable)| format!("{name}={}:{variable}", path(file)));
    let mut args = vec!["eval", compare];
    for one in &lets {
        args.extend(["--let", one]);
    }
    args.push("--json");
    let found = json(&args);
    let results = found["results"].as_array().unwrap();
    for result in results {
        // Means of about 280 K in f32 may differ in the last place.
        let most = result["values"][0].as_f64().unwrap();
        assert!(most <= 4.0 * 280.0 * f64::from(f32::EPSILON), "{result}");
    }
    assert_eq!(results.len(), 2);
}

#[test]
fn wrong_gpu_options_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.nc");
    let sample = ["sample", path(&file), "--years", "1", "--grid", "2x3"];
    assert!(tilewise(&sample).status.success());
    let mut wrong = vec![
        (vec!["--device", "gpu:99"], "gpu:99"),
        (vec!["--gpu-memory", "lots"], "lots"),
    ];
    let shared = |gpu: &Value| gpu["features"]["shared_memory"] == true;
    if json(&["devices", "--json"])["gpus"]
        .as_array()
        .unwrap()
        .first()
        .is_some_and(shared)
    {
        let more = vec!["--device", "gpu:0", "--memory", "64MiB", "--gpu-memory", "2GiB"];
        wrong.push((more, "give it less (--gpu-memory)"));
    }
    for (args, wanted) in wrong {
        let out = tilewise(&[&["eval", "tas.mean()", path(&file)], &args[..]].concat());
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && text.contains(wanted), "{args:?}: {text}");
    }
}
