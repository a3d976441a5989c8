//! `tilewise bench gpu`: it runs, its answers are checked, its JSON holds what programs need. How
//! fast anything was is not looked at.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use serde_json::Value;
use std::process::{Command, Output};
use tilewise::device::gpu::adapters;

fn bench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tilewise"))
        .args(["bench", "gpu"])
        .args(args)
        .output()
        .unwrap()
}

/// The JSON of a run that went well.
fn json(args: &[&str]) -> Value {
    let out = bench(args);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{args:?}: {errors}");
    serde_json::from_slice(&out.stdout).unwrap()
}

/// What a run that failed said.
fn refusal(args: &[&str], code: i32) -> String {
    let out = bench(args);
    assert_eq!(out.status.code(), Some(code), "{args:?}");
    assert!(out.stdout.is_empty(), "{args:?}");
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// The first adapter that can be measured, as `--device` takes it; none where there is no driver,
/// which is a failure where `CI` is set.
fn device() -> Option<String> {
    let usable = adapters().into_iter().find(|a| a.refusal().is_none());
    if usable.is_none() {
        assert!(std::env::var_os("CI").is_none(), "no adapter to test on");
        eprintln!("skipped: no adapter to test on; tools/setup.sh installs one");
    }
    usable.map(|info| format!("gpu:{}", info.index))
}

/// Rows of the only adapter of a record.
fn rows<'a>(record: &'a Value, key: &str) -> &'a Vec<Value> {
    let adapters = record["adapters"].as_array().unwrap();
    assert_eq!(adapters.len(), 1);
    adapters[0][key].as_array().unwrap()
}

#[test]
fn every_row_runs_and_its_answer_is_right() {
    let Some(device) = device() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("record.json");
    let path = file.to_str().unwrap();
    let record = json(&["--quick", "--json", "--device", &device, "--record", path]);
    let listed = String::from_utf8(bench(&["--list"]).stdout).unwrap();
    let expected = |limits: bool| -> Vec<&str> {
        let all = listed.lines().filter(|l| l.starts_with("limit: ") == limits);
        all.map(|l| l.strip_prefix("limit: ").unwrap_or(l)).collect()
    };
    let positive = |row: &Value, key: &str| row[key].as_f64().is_some_and(|v| v > 0.0);

    // An adapter may lack f64, f16 and memory that the host sees too.
    let limits = rows(&record, "limits");
    let names: Vec<&str> = limits.iter().map(|l| l["name"].as_str().unwrap()).collect();
    assert!(
        names.iter().all(|name| expected(true).contains(name)),
        "{names:?}"
    );
    for name in [
        "read",
        "copy, by a kernel",
        "multiply-add f32",
        "upload, staged",
        "dispatch",
    ] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
    for limit in limits {
        assert!(
            positive(limit, "amount") && positive(limit, "per_second"),
            "{limit:#}"
        );
        assert!(
            ["device", "host"].contains(&limit["clock"].as_str().unwrap()),
            "{limit:#}"
        );
    }

    let families = rows(&record, "families");
    let title = |f: &Value| {
        format!(
            "{}: {}",
            f["group"].as_str().unwrap(),
            f["name"].as_str().unwrap()
        )
    };
    assert_eq!(families.iter().map(title).collect::<Vec<_>>(), expected(false));
    let (mut on_gpu, mut resident) = (0, 0);
    for family in families {
        assert!(family["error"].is_null(), "{family:#}");
        assert!(
            positive(family, "amount") && positive(family, "per_second"),
            "{family:#}"
        );
        assert!(positive(family, "tasks"), "{family:#}");
        assert!(family["seconds"]["wall"].as_f64().unwrap() > 0.0, "{family:#}");
        assert!(!family["elements"].as_array().unwrap().is_empty(), "{family:#}");
        let way = family["way"].as_str().unwrap();
        assert!(
            ["resident", "streamed", "out of card"].contains(&way),
            "{family:#}"
        );
        // What the CPU ran says why and is not judged.
        let here = family["device"] == "gpu";
        assert_eq!(here, family["cpu_reason"].is_null(), "{family:#}");
        let judged = here && matches!(family["unit"].as_str(), Some("bytes" | "operations"));
        assert_eq!(judged, positive(family, "share"), "{family:#}");
        assert_eq!(judged, positive(family, "limit_seconds"), "{family:#}");
        on_gpu += usize::from(here);
        let part = family["on_device"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&part), "{family:#}");
        resident += usize::from(way == "resident" && here && part > 0.9);
    }
    assert!(on_gpu > 0 && resident > on_gpu / 2, "{resident} of {on_gpu}");
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(written, record);
}

#[test]
fn a_part_can_be_asked_for() {
    let Some(device) = device() else { return };
    let args = [
        "--quick",
        "--json",
        "--device",
        &device,
        "--only",
        "reduce: mean, stream",
    ];
    let record = json(&args);
    assert_eq!(rows(&record, "families").len(), 5);
    assert_eq!(rows(&record, "limits").len(), 0);
    let out = bench(&[
        "--quick",
        "--device",
        &device,
        "--only",
        "small: calls,limit: copy",
    ]);
    let table = String::from_utf8(out.stdout).unwrap();
    assert!(
        table.contains("small: calls") && table.contains("µs/call"),
        "{table}"
    );
    assert!(
        table.contains("copy, by a kernel") && table.contains(&device),
        "{table}"
    );
    assert!(!table.contains("reduce: mean"), "{table}");
}

#[test]
fn every_adapter_is_measured_unless_one_is_named() {
    if device().is_none() {
        return;
    }
    let record = json(&["--quick", "--json", "--only", "elementwise: triad"]);
    let all = record["adapters"].as_array().unwrap();
    let infos = adapters();
    assert_eq!(all.len(), infos.len());
    for (rows, info) in all.iter().zip(&infos) {
        assert_eq!(rows["adapter"]["name"], info.name.as_str());
        assert_eq!(rows["adapter"]["software"], info.software);
        assert_eq!(rows["refused"].is_null(), info.refusal().is_none());
        assert!(rows["error"].is_null(), "{rows:#}");
        let count = usize::from(info.refusal().is_none());
        assert_eq!(rows["families"].as_array().unwrap().len(), count);
    }
}

#[test]
fn wrong_options_name_the_way_out() {
    let text = refusal(&["--only", "reductoin"], 1);
    assert!(
        text.contains("\"reductoin\"") && text.contains("reduce: mean all"),
        "{text}"
    );
    assert!(refusal(&["--size", "1KiB"], 1).contains("not within 64.0 KiB to"));
    assert!(refusal(&["--device", "cpu"], 1).contains("write gpu or gpu:N"));
    assert!(refusal(&["--device", "gpu:x"], 1).contains("write gpu or gpu:N"));
    assert!(refusal(&["--rounds", "0"], 2).contains("--rounds"));
    let text = refusal(&["--quick", "--record", "/nonexistent/record.json"], 1);
    assert!(text.contains("/nonexistent"), "{text}");
    let text = refusal(&["--device", "gpu:99"], 1);
    let known = text.contains("there is no gpu:99") || text.contains("install a Vulkan driver");
    assert!(known, "{text}");
}
