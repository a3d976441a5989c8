//! `tilewise bench cpu`: it runs, its answers are checked, its JSON holds what programs need. How
//! fast anything was is not looked at.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

fn bench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tilewise"))
        .args(["bench", "cpu"])
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

#[test]
fn every_family_runs_and_its_answer_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("record.json");
    let args = [
        "--quick",
        "--json",
        "--threads",
        "2",
        "--record",
        file.to_str().unwrap(),
    ];
    let record = json(&args);
    let listed = String::from_utf8(bench(&["--list"]).stdout).unwrap();
    let families = record["families"].as_array().unwrap();
    let titles: Vec<String> = families
        .iter()
        .map(|f| {
            format!(
                "{}: {}",
                f["group"].as_str().unwrap(),
                f["name"].as_str().unwrap()
            )
        })
        .collect();
    let expected: Vec<&str> = listed.lines().filter(|l| !l.starts_with("limit: ")).collect();
    assert_eq!(titles, expected);
    for family in families {
        let positive = |key: &str| family[key].as_f64().is_some_and(|v| v > 0.0);
        assert!(positive("amount") && positive("per_second"), "{family:#}");
        assert!(family["seconds"]["wall"].as_f64().unwrap() > 0.0, "{family:#}");
        assert!(!family["elements"].as_array().unwrap().is_empty(), "{family:#}");
        let judged = matches!(family["unit"].as_str(), Some("bytes" | "operations"));
        assert_eq!(judged, positive("share"), "{family:#}");
    }
    // Each limit on one thread and on two, then the disk.
    let limits = record["limits"].as_array().unwrap();
    let named = listed.lines().filter(|l| l.starts_with("limit: ")).count();
    assert_eq!(limits.len(), 2 * (named - 1));
    assert!(limits.iter().all(|l| l["per_second"].as_f64().unwrap() > 0.0));
    assert!(record["disk"]["read"]["per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(record["machine"]["threads"], 2);
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(written, record);
}

#[test]
fn a_part_can_be_asked_for() {
    let record = json(&["--quick", "--json", "--only", "reduce: mean, anomaly"]);
    let families = record["families"].as_array().unwrap();
    assert_eq!(families.len(), 5);
    assert_eq!(record["limits"].as_array().unwrap().len(), 0);
    assert!(record["disk"].is_null());
    let table = String::from_utf8(bench(&["--quick", "--only", "small"]).stdout).unwrap();
    assert!(table.contains("scheduler: small mean"), "{table}");
}

#[test]
fn wrong_options_name_the_way_out() {
    let text = refusal(&["--only", "reductoin"], 1);
    assert!(
        text.contains("\"reductoin\"") && text.contains("reduce: mean all"),
        "{text}"
    );
    assert!(refusal(&["--only", ","], 1).contains("leave it out"));
    assert!(refusal(&["--size", "1KiB"], 1).contains("not within 64.0 KiB to"));
    assert!(refusal(&["--size", "much"], 1).contains("2GiB"));
    assert!(refusal(&["--threads", "0"], 1).contains("--threads 0"));
    assert!(refusal(&["--rounds", "0"], 2).contains("--rounds"));
    let text = refusal(&["--quick", "--record", "/nonexistent/record.json"], 1);
    assert!(text.contains("/nonexistent"), "{text}");
    let text = refusal(&["--quick", "--record", "/"], 1);
    assert!(text.contains("--record names the file"), "{text}");
    let args = ["--quick", "--only", "disk", "--spill-dir", "/nonexistent"];
    assert!(refusal(&args, 1).contains("/nonexistent"));
}

#[test]
fn an_interrupt_ends_it_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("record.json");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tilewise"))
        .args([
            "bench", "cpu", "--size", "1MiB", "--rounds", "1000", "--only", "reduce", "--record",
        ])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let family = lines
        .by_ref()
        .find(|l| l.as_ref().unwrap().starts_with("reduce: "));
    assert!(family.is_some());
    let signal = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(signal.unwrap().success());
    let said: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said:?}");
    assert!(said.last().unwrap().contains("cancelled"), "{said:?}");
    // No record, whole or unfinished.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
