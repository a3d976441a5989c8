//! Every wrong input is one clear error, exit code 1, and no output file.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

fn tilewise(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tilewise"))
        .args(args)
        .output()
        .unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder with a small sample file.
fn sample() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.nc");
    let out = tilewise(&[
        "sample",
        path(&file),
        "--years",
        "2",
        "--grid",
        "6x12",
        "--variables",
        "tas,tos",
    ]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    (folder, file)
}

/// Runs `eval` of an expression with `-o`, which must fail with code 1 and leave no file.
fn refused(folder: &TempDir, expression: &str, args: &[&str]) -> String {
    let target = folder.path().join("out.nc");
    let mut all = vec!["eval", expression, "-o", path(&target)];
    all.extend(args);
    let out = tilewise(&all);
    let text = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1), "{expression}: {text}");
    assert!(text.starts_with("tilewise: error: "), "{text}");
    assert!(out.stdout.is_empty(), "{expression} printed something");
    let left: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("out"))
        .collect();
    assert!(left.is_empty(), "{expression} left {left:?}");
    text
}

/// The text under the carets of an error.
fn marked(error: &str) -> String {
    let lines: Vec<&str> = error.lines().collect();
    let carets = lines
        .iter()
        .position(|l| l.contains('^'))
        .unwrap_or_else(|| panic!("no caret in {error}"));
    let pairs = lines[carets - 1].chars().zip(lines[carets].chars());
    pairs.filter(|(_, mark)| *mark == '^').map(|(c, _)| c).collect()
}

#[test]
fn mistakes_in_expressions_are_shown_in_place() {
    let (folder, file) = sample();
    let file = path(&file);
    for (expression, says, place) in [
        ("tas + ptas", "unknown variable \"ptas\"; there is", "ptas"),
        (
            "tas.mean(\"level\")",
            "no dimension \"level\"; it has time, lat, lon",
            "tas.mean(\"level\")",
        ),
        (
            "tas - tas.isel(lat=slice(0, 3))",
            "the sizes of lat differ",
            "tas - tas.isel(lat=slice(0, 3))",
        ),
        (
            "tas[:100] - tas[1:101]",
            "the coordinate time differs at index 0: 1980-01-01 12:00:00 against 1980-01-02 12:00:00",
            "tas[:100] - tas[1:101]",
        ),
        (
            "tas / \"tos\"",
            "`/` takes arrays and numbers, not the text \"tos\"",
            "tas / \"tos\"",
        ),
        ("tas & 1", "float32", "tas & 1"),
        (
            "tas.groupby(\"lat.month\").mean()",
            "lat is no time axis: it has no units",
            "tas.groupby(\"lat.month\")",
        ),
        ("tas +", "expected a value, found the end of the expression", ""),
        (
            "tas.sel(lat=200)",
            "lat has no 200; the nearest is",
            "tas.sel(lat=200)",
        ),
        (
            "tas.sel(time=\"1850\")",
            "time has no \"1850\"",
            "tas.sel(time=\"1850\")",
        ),
        (
            "tas.frobnicate()",
            "there is no function \"frobnicate\"",
            "frobnicate",
        ),
        (
            "tas.mean(dims=\"time\")",
            "mean has no argument dims; it takes dim,",
            "tas.mean(dims=\"time\")",
        ),
        (
            "tas[9999]",
            "index 9999 is out of range for dimension time of size 731",
            "tas[9999]",
        ),
    ] {
        let error = refused(&folder, expression, &[file]);
        assert!(error.contains(says), "{expression}: {error}");
        assert_eq!(marked(&error), place, "{error}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let (folder, file) = sample();
    let whole = std::fs::read(&file).unwrap();
    let broken = folder.path().join("broken.nc");
    std::fs::write(&broken, &whole[..whole.len() / 3]).unwrap();
    assert!(refused(&folder, "tas", &[path(&broken)]).contains("broken.nc"));
    let mut flipped = whole.clone();
    for at in (600..flipped.len().min(6000)).step_by(7) {
        flipped[at] ^= 0x55;
    }
    let corrupt = folder.path().join("corrupt.nc");
    std::fs::write(&corrupt, &flipped).unwrap();
    assert!(refused(&folder, "tas", &[path(&corrupt)]).contains("corrupt.nc"));
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "no array here").unwrap();
    assert!(refused(&folder, "tas", &[path(&text)]).contains("notes.txt"));
    let error = refused(&folder, "tas", &[path(folder.path())]);
    assert!(error.contains("directory"), "{error}");
    let error = refused(&folder, "tas", &["/nonexistent/tas.nc"]);
    assert!(error.contains("/nonexistent/tas.nc"), "{error}");
    let error = refused(&folder, "tas", &[]);
    assert!(error.contains("no input file"), "{error}");
}

#[test]
fn an_output_that_is_an_input_is_refused_and_kept() {
    let (folder, file) = sample();
    let before = std::fs::read(&file).unwrap();
    let out = tilewise(&["eval", "tas * 2", path(&file), "-o", path(&file)]);
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("is also an input"));
    assert!(std::fs::read(&file).unwrap() == before, "the input was changed");
    // The same file under another name.
    let link = folder.path().join("link.nc");
    std::fs::hard_link(&file, &link).unwrap();
    let out = tilewise(&["eval", "tas * 2", path(&file), "-o", path(&link)]);
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("is also an input"));
}

#[test]
fn outputs_that_cannot_be_written_are_refused() {
    let (folder, file) = sample();
    for (target, says) in [
        (folder.path().join("result.xyz"), "the ending tells the format"),
        (folder.path().to_path_buf(), "the ending tells the format"),
        (folder.path().join("no/such/folder/result.nc"), "no/such/folder"),
    ] {
        let out = tilewise(&["eval", "tas * 2", path(&file), "-o", path(&target)]);
        let text = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{text}");
        assert!(text.contains(says), "{text}");
    }
    let error = refused(&folder, "tas = tas[:10]; tos = tos[5:20]", &[path(&file)]);
    assert!(
        error.contains("results have the dimension time with sizes 10 and 15"),
        "{error}"
    );
}

#[test]
fn a_budget_too_small_says_what_would_do() {
    let (folder, file) = sample();
    let error = refused(
        &folder,
        "tas - tas.mean(\"time\")",
        &[path(&file), "--memory", "20KiB"],
    );
    assert!(
        error.contains("memory") && error.contains("needed") && error.contains("20.0 KiB"),
        "{error}"
    );
    let error = refused(&folder, "tas", &[path(&file), "--memory", "much"]);
    assert!(error.contains("much"), "{error}");
}

#[test]
fn a_spill_folder_that_cannot_be_used_is_named() {
    let (folder, file) = sample();
    let taken = folder.path().join("taken");
    std::fs::write(&taken, "a file").unwrap();
    let error = refused(&folder, "tas", &[path(&file), "--spill-dir", path(&taken)]);
    assert!(error.contains("taken"), "{error}");
}

#[test]
fn a_gpu_that_is_not_there_is_an_error() {
    let (folder, file) = sample();
    let target = folder.path().join("out.nc");
    let out = Command::new(env!("CARGO_BIN_EXE_tilewise"))
        .args(["eval", "tas", path(&file), "-o", path(&target), "--device", "gpu"])
        .env("VK_DRIVER_FILES", "/nonexistent.json")
        .env("VK_ICD_FILENAMES", "/nonexistent.json")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{text}");
    assert!(text.starts_with("tilewise: error: "), "{text}");
    assert!(!target.exists());
}

#[test]
fn flags_of_another_form_are_refused() {
    let (folder, file) = sample();
    let file = path(&file);
    for (args, says) in [
        (["--device", "abacus"], "--device \"abacus\""),
        (["--chunks", "time"], "not of the form dim=size"),
        (["--chunks", "depth=3"], "no file has the dimension depth"),
        (["--let", "x"], "name=FILE:VAR"),
        (["--threads", "0"], "--threads"),
        (["--threads", "1000000"], "--threads 1000000 is not within 1 to"),
    ] {
        let error = refused(&folder, "tas", &[file, args[0], args[1]]);
        assert!(error.contains(says), "{error}");
    }
    let usage = tilewise(&["eval"]);
    assert_eq!(usage.status.code(), Some(2));
    let usage = tilewise(&["eval", "tas", file, "--deflate", "12"]);
    assert_eq!(usage.status.code(), Some(2));
}
