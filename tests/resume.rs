//! A killed run goes on where it was: real processes, killed by SIGKILL wherever they are, give in the
//! end what one gives that nobody disturbs, and leave nothing behind.
//!
//! `TILEWISE_KILLS` sets how many are killed.
#![allow(clippy::unwrap_used)] // a test fails by panicking, in its helpers too

use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tilewise::Array;
use tilewise::io::Container;

/// A reduction by groups, whose result is read again; a transpose, which must be spilled; a scan, which
/// hands a carry along; a window.
const WORK: &str = "anomaly = tas - tas.groupby(\"time.month\").mean(); \
                    total = (anomaly * 2).transpose(\"lat\", \"lon\", \"time\").cumsum(\"time\"); \
                    smooth = anomaly.rolling(time=31).mean(); \
                    m = tas.mean()";

/// The folders of a test.
struct Place {
    _all: TempDir,
    input: PathBuf,
    out: PathBuf,
    spill: PathBuf,
    resume: PathBuf,
}

fn sample(path: &Path, seed: &str) {
    let mut sample = Command::new(env!("CARGO_BIN_EXE_tilewise"));
    sample.arg("sample").arg(path);
    sample.args(["--years", "10", "--grid", "40x80", "--seed", seed]);
    assert!(sample.status().unwrap().success());
}

impl Place {
    fn new() -> Place {
        let all = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = all.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let (input, out, spill) = (make("in").join("in.nc"), make("out"), make("spill"));
        sample(&input, "5");
        Place {
            input,
            out,
            spill,
            resume: all.path().join("resume"),
            _all: all,
        }
    }

    fn output(&self) -> PathBuf {
        self.out.join("out.nc")
    }

    /// The command for an expression.
    fn eval(&self, expression: &str, more: &[&str]) -> Command {
        let mut eval = Command::new(env!("CARGO_BIN_EXE_tilewise"));
        eval.args(["eval", expression])
            .arg(&self.input)
            .arg("-o")
            .arg(self.output());
        eval.args(["--memory", "32MiB", "--device", "cpu", "--report=json"]);
        eval.arg("--spill-dir").arg(&self.spill);
        eval.args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
        eval
    }

    /// The same, to be resumed.
    fn resumable(&self, expression: &str) -> Command {
        self.eval(expression, &["--resume", self.resume.to_str().unwrap()])
    }

    /// What an undisturbed run gives.
    fn expected(&self, expression: &str) -> Vec<(String, Vec<u8>)> {
        succeed(self.eval(expression, &[]).output().unwrap());
        let values = read(&self.output());
        fs::remove_file(self.output()).unwrap();
        values
    }

    /// Bytes in the folder of what is finished.
    fn kept(&self) -> u64 {
        let files = fs::read_dir(&self.resume).into_iter().flatten().flatten();
        files.filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum()
    }

    /// Starts a run and waits until it has kept so many bytes.
    fn start(&self, expression: &str, bytes: u64) -> Child {
        let mut child = self.resumable(expression).spawn().unwrap();
        let began = Instant::now();
        while self.kept() < bytes {
            assert!(
                child.try_wait().unwrap().is_none(),
                "it ended with {} bytes kept",
                self.kept()
            );
            assert!(began.elapsed() < Duration::from_secs(120), "nothing is kept");
            std::thread::sleep(Duration::from_millis(1));
        }
        child
    }

    /// Kills a run that has kept so many bytes.
    fn kill_at(&self, expression: &str, bytes: u64) {
        let mut child = self.start(expression, bytes);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(self.kept() > 0);
    }

    /// Runs to the end and checks the answer; gives how many tasks were resumed.
    fn finish(&self, expression: &str, want: &[(String, Vec<u8>)]) -> u64 {
        let report = succeed(self.resumable(expression).output().unwrap());
        self.check(want);
        resumed(&report)
    }

    /// Checks that the answer is there and nothing else.
    fn check(&self, want: &[(String, Vec<u8>)]) {
        let got = read(&self.output());
        for ((name, got), (wanted, want)) in got.iter().zip(want) {
            assert_eq!(name, wanted);
            assert!(got == want, "{name} differs");
        }
        assert_eq!(got.len(), want.len());
        assert!(!self.resume.exists(), "{:?}", names(&self.resume));
        assert_eq!(names(&self.out), ["out.nc"]);
        assert_eq!(names(&self.spill), [] as [&str; 0]);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.map(|f| f.file_name().into_string().unwrap()).collect()
}

/// The report of a run that must have succeeded.
fn succeed(output: Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["report"].clone()
}

fn resumed(report: &Value) -> u64 {
    report["resumed"]["items"].as_u64().unwrap()
}

/// All that a file holds, by name: values, attributes, and those of the file but for its history.
fn read(path: &Path) -> Vec<(String, Vec<u8>)> {
    let container = Container::open(path).unwrap();
    let catalog = container.catalog();
    let session = tilewise::Session::global().unwrap();
    let mut found = Vec::new();
    for variable in &catalog.variables {
        let attributes = format!("{:?}", variable.attributes);
        found.push((format!("{} attributes", variable.name), attributes.into_bytes()));
        let array = Array::from_source(container.source(&variable.name).unwrap()).unwrap();
        let mut bytes = vec![0; array.len() * array.dtype().size()];
        session.compute_into(&[&array], vec![&mut bytes]).unwrap();
        found.push((variable.name.clone(), bytes));
    }
    for (name, value) in catalog.attributes.iter().filter(|(name, _)| *name != "history") {
        found.push((name.to_string(), format!("{value:?}").into_bytes()));
    }
    found
}

/// Numbers in `[0, 1)` that follow from a seed.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[test]
fn killed_anywhere_a_run_gives_the_same_in_the_end() {
    let place = Place::new();
    let began = Instant::now();
    let want = place.expected(WORK);
    let takes = began.elapsed();
    let kills: u32 = std::env::var("TILEWISE_KILLS").map_or(12, |n| n.parse().unwrap());
    let mut draws = Draws(11);
    let (mut killed, mut finished, mut again) = (0, 0, 0);
    while killed < kills || finished == 0 {
        // A run that was killed often gets more time, as taking up what is finished takes some too.
        let mut most = takes.mul_f64(0.9);
        loop {
            let mut child = place.resumable(WORK).spawn().unwrap();
            if killed < kills {
                std::thread::sleep(most.mul_f64(draws.next()));
                most = most.mul_f64(1.1);
            } else {
                let output = child.wait_with_output().unwrap();
                again += resumed(&succeed(output));
                break;
            }
            if child.try_wait().unwrap().is_some() {
                again += resumed(&succeed(child.wait_with_output().unwrap()));
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            // Killed behind its last step, it has left the whole file.
            if place.output().exists() {
                assert!(
                    read(&place.output()) == want,
                    "a killed run shows a file that is not whole"
                );
                fs::remove_file(place.output()).unwrap();
            }
            killed += 1;
        }
        place.check(&want);
        fs::remove_file(place.output()).unwrap();
        finished += 1;
    }
    assert!(again > 0, "nothing was ever resumed in {killed} kills");
    println!("{killed} killed, {finished} finished, {again} tasks resumed");
}

#[test]
fn most_of_a_run_is_not_done_twice() {
    let place = Place::new();
    let want = place.expected(WORK);
    place.kill_at(WORK, 40 << 20);
    assert!(place.finish(WORK, &want) > 10);
}

#[test]
fn what_was_kept_for_something_else_is_never_used() {
    let place = Place::new();
    let other = "anomaly = tas - tas.groupby(\"time.month\").std()";
    let want_other = place.expected(other);
    place.kill_at(WORK, 20 << 20);
    // What both compute, such as the bounds of the times, may be taken up.
    place.finish(other, &want_other);
    fs::remove_file(place.output()).unwrap();

    // The same sizes of a file, other values.
    place.kill_at(WORK, 20 << 20);
    sample(&place.input, "6");
    let want = place.expected(WORK);
    assert_eq!(place.finish(WORK, &want), 0, "another source");
    fs::remove_file(place.output()).unwrap();

    place.kill_at(WORK, 20 << 20);
    File::open(&place.input)
        .unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    assert_eq!(place.finish(WORK, &want), 0, "a source that was written again");
    fs::remove_file(place.output()).unwrap();

    place.kill_at(WORK, 20 << 20);
    let mut smaller = place.resumable(WORK);
    let text = succeed(smaller.args(["--threads", "1"]).output().unwrap());
    assert!(resumed(&text) > 0, "threads do not count");
    place.check(&want);
}

/// Does something to the bytes of a log.
type Harm = fn(&mut Vec<u8>);

#[test]
fn torn_and_flipped_logs_are_seen() {
    let place = Place::new();
    let want = place.expected(WORK);
    let logs = || {
        let names = names(&place.resume);
        let logs = names.into_iter().filter(|n| n.ends_with(".log"));
        logs.map(|n| place.resume.join(n)).collect::<Vec<_>>()
    };
    let harm: [(&str, Harm); 5] = [
        ("torn", |bytes| bytes.truncate(bytes.len() * 2 / 3)),
        ("a bit in every 64 KiB", |bytes| {
            bytes.iter_mut().skip(100).step_by(1 << 16).for_each(|b| *b ^= 4)
        }),
        ("a bit near the end", |bytes| {
            let at = bytes.len().saturating_sub(1000);
            bytes[at] ^= 1;
        }),
        ("no head", |bytes| bytes[20] ^= 1),
        ("noise behind", |bytes| bytes.extend([0xa5; 5000])),
    ];
    for (what, harm) in harm {
        place.kill_at(WORK, 40 << 20);
        assert!(!logs().is_empty());
        for log in logs() {
            let mut bytes = fs::read(&log).unwrap();
            harm(&mut bytes);
            fs::write(&log, bytes).unwrap();
        }
        let resumed = place.finish(WORK, &want);
        println!("{what}: {resumed} tasks resumed");
        fs::remove_file(place.output()).unwrap();
    }
}

#[test]
fn an_interrupted_run_goes_on_and_its_output_is_gone() {
    let place = Place::new();
    let want = place.expected(WORK);
    let child = place.start(WORK, 20 << 20);
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(names(&place.out), [] as [&str; 0]);
    assert!(place.kept() > 0);
    assert!(place.finish(WORK, &want) > 0);
}

#[test]
fn two_runs_never_share_a_folder() {
    let place = Place::new();
    fs::create_dir(&place.resume).unwrap();
    let folder = File::open(&place.resume).unwrap();
    folder.lock().unwrap();
    let output = place.resumable("m = tas.mean()").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("another run uses it"), "{text}");
    drop(folder);
    succeed(place.resumable("m = tas.mean()").output().unwrap());
    assert_eq!(
        names(&place.resume),
        [] as [&str; 0],
        "the user's folder stays, empty"
    );
}

#[test]
fn a_full_disk_ends_the_checkpoint_and_not_the_run() {
    let place = Place::new();
    let want = place.expected(WORK);
    let mut command = place.resumable(WORK);
    let output = command.args(["--resume-limit", "3MiB"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("warning: nothing more is kept in"), "{text}");
    assert_eq!(text.matches("warning").count(), 1, "{text}");
    succeed(output);
    place.check(&want);
}
