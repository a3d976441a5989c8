//! Every family of operations on data many times larger than the memory it is given: it runs, holds
//! no more than was proved, gives what an unlimited run gives, and runs with the least budget
//! that a refusal names, and not with less.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

#[path = "common/synthetic.rs"]
mod synthetic;
#[path = "common/works.rs"]
mod works;

use std::sync::Arc;
use synthetic::Kept;
use tilewise::device::Device;
use tilewise::device::cpu::Cpu;
use tilewise::session::{Config, DeviceChoice, Report, Session, s};
use tilewise::store::Sink;
use tilewise::{Array, DType, Error, Result, Scalar};
use works::Near::Relative;
use works::{Data, Near, WORKS, Work};

const MIB: u64 = 1 << 20;
/// The budget of the large sources: a 7th of one of them.
const TINY: u64 = 9 * MIB / 4;
/// What any workload may need at least: pieces that are counted are of 8 MiB.
const MOST_NEEDED: u64 = 10 * MIB;
/// No plan fits this.
const IMPOSSIBLE: u64 = 4 << 10;

fn session(memory: u64, threads: usize, device: DeviceChoice) -> Result<Session> {
    Session::new(Config {
        memory: Some(memory),
        threads: Some(threads),
        device,
        ..Config::default()
    })
}

/// The bytes of a workload within a budget, and what the run did.
fn run(array: &Array, memory: u64, threads: usize) -> Result<(Vec<u8>, Report)> {
    let session = session(memory, threads, DeviceChoice::Cpu)?;
    let kept = Kept::of(array, None);
    session.store(&[(array, kept.clone() as Arc<dyn Sink>)])?;
    let report = session.last_report().unwrap();
    Ok((kept.bytes(), report))
}

fn check_values(name: &str, dtype: DType, near: Near, want: &[u8], got: &[u8]) {
    if want == got {
        return;
    }
    let part = dtype.part();
    let numbers = |bytes: &[u8]| -> Vec<f64> {
        bytes
            .chunks(part.size())
            .map(|b| Scalar::from_bytes(part, b).to_f64())
            .collect()
    };
    let (want, got) = (numbers(want), numbers(got));
    let Relative(most) = near else {
        let differ = want
            .iter()
            .zip(&got)
            .filter(|(w, g)| w.to_bits() != g.to_bits())
            .count();
        panic!("{name}: {differ} of {} elements differ", want.len());
    };
    let scale = want.iter().fold(0.0f64, |n, w| n.max(w.abs()));
    for (at, (w, g)) in want.iter().zip(&got).enumerate() {
        assert!(
            (w - g).abs() <= most * scale,
            "{name}: element {at} is {g}, not {w}"
        );
    }
}

/// Peak of what was held ≤ what was proved ≤ what was allowed; returns the first by the second.
fn check_memory(name: &str, report: &Report, budget: u64) -> f64 {
    assert!(
        report.host_peak <= report.host_proved,
        "{name}: held more than proved\n{report}"
    );
    assert!(
        report.host_proved <= budget,
        "{name}: proved more than allowed\n{report}"
    );
    report.host_peak as f64 / report.host_proved as f64
}

/// Bytes of the budget that a refusal of `array` names, and its text.
fn least(name: &str, array: &Array) -> (u64, String) {
    match run(array, IMPOSSIBLE, 1) {
        Err(Error::Memory {
            tier: "host",
            needed,
            term,
            ..
        }) => (needed, term),
        other => panic!(
            "{name}: no refusal of {IMPOSSIBLE} bytes but {:?}",
            other.map(|_| ())
        ),
    }
}

/// The bytes after `--memory` in a refusal.
fn advised(term: &str) -> u64 {
    let rest = term
        .split("--memory ")
        .nth(1)
        .unwrap_or_else(|| panic!("no advice in {term:?}"));
    tilewise::store::parse_bytes(rest.split(' ').next().unwrap()).unwrap()
}

fn one(data: &Data, (name, build, near, full): &Work) -> Vec<String> {
    let mut wrong = Vec::new();
    let array = build(data).unwrap_or_else(|e| panic!("{name}: {e}"));
    let (want, _) = run(&array, 1 << 30, 2).unwrap_or_else(|e| panic!("{name}: {e}"));
    let (needed, term) = least(name, &array);
    // Nothing is more than was said; where that is very little, tasks are very many.
    let into = Kept::of(&array, None) as Arc<dyn Sink>;
    let planned = session(needed, 2, DeviceChoice::Cpu).and_then(|s| s.plan_store(&[(&array, into)]));
    planned.unwrap_or_else(|e| panic!("{name} in the {needed} bytes that would do: {e}"));
    let budget = TINY.max(needed);
    let (got, report) = run(&array, budget, 2).unwrap_or_else(|e| panic!("{name} in {budget} bytes: {e}"));
    check_values(name, array.dtype(), *near, &want, &got);
    let ratio = check_memory(name, &report, budget);
    println!(
        "{name}: {:.2} of {} proved held; least {}, spilled {}, read {}",
        ratio,
        tilewise::human_bytes(report.host_proved),
        tilewise::human_bytes(needed),
        tilewise::human_bytes(report.spilled_bytes),
        tilewise::human_bytes(report.stages.iter().map(|s| s.source_bytes).sum()),
    );
    if *full && ratio < 0.5 {
        wrong.push(format!("{name}: only {ratio:.2} of what is proved is held"));
    }
    if needed > MOST_NEEDED {
        wrong.push(format!("{name}: needs {needed} bytes: {term}"));
    }
    // What the refusal says would do, does.
    let advised = advised(&term);
    assert!(advised >= needed && advised < needed + MIB, "{name}: {term}");
    match run(&array, advised, 2) {
        Ok((got, report)) => {
            check_values(name, array.dtype(), *near, &want, &got);
            check_memory(name, &report, advised);
        }
        Err(error) => wrong.push(format!("{name} in {advised} bytes, as advised: {error}")),
    }
    // Refused before anything is read.
    match run(&array, needed * 4 / 5, 2) {
        Err(Error::Memory { term, .. }) if term.contains("stage ") => {}
        Err(error) => wrong.push(format!("{name} in less than the least: {error}")),
        Ok(_) => wrong.push(format!("{name}: runs in less than {needed} bytes")),
    }
    wrong
}

#[test]
fn every_family_runs_in_a_tiny_budget() {
    let data = Data::new();
    let started = std::time::Instant::now();
    let only = std::env::var("TINY_ONLY").unwrap_or_default();
    let chosen: Vec<&Work> = WORKS.iter().filter(|w| w.0.contains(&only)).collect();
    let mut wrong = Vec::new();
    for work in chosen {
        let before = started.elapsed().as_secs_f64();
        wrong.extend(one(&data, work));
        println!("  {:.2} s", started.elapsed().as_secs_f64() - before);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn distinct_values_and_kept_tiles_stay_within_it() {
    let data = Data::new();
    let session = session(3 * MIB, 2, DeviceChoice::Cpu).unwrap();
    let unique = session.unique::<i64>(&data.codes).unwrap();
    assert_eq!(unique.values, (0..256).collect::<Vec<i64>>());
    assert_eq!(unique.counts.iter().sum::<u64>(), data.codes.len() as u64);
    check_memory("unique", &session.last_report().unwrap(), 3 * MIB);
    // 16 MiB of tiles in 3 MiB: they are spilled.
    let kept = session.persist(&(&data.x * 2.0).unwrap()).unwrap();
    check_memory("persist", &session.last_report().unwrap(), 3 * MIB);
    assert!(session.last_report().unwrap().spilled_bytes > 12 * MIB);
    let largest = session.compute::<f64>(&kept.max(&[0, 1, 2]).unwrap()).unwrap();
    assert_eq!(largest[[]], 255.5);
    check_memory("what was kept", &session.last_report().unwrap(), 3 * MIB);
}

#[test]
fn the_kernels_of_the_cpu_take_what_is_proved() {
    let (data, cpu) = (Data::new(), Cpu::new());
    let session = session(64 * MIB, 1, DeviceChoice::Cpu).unwrap();
    let terms: Vec<Array> = (0..30).map(|n| (&data.x * f64::from(n)).unwrap()).collect();
    let sum = terms
        .iter()
        .fold(Array::scalar(0.0f64), |sum, term| (&sum + term).unwrap());
    let shifted = |n: isize| data.x.slice(&[s(Some(n), Some(n - 40), None)]).unwrap();
    let squares = (0..20).map(|n| (&shifted(n) * &shifted(n + 1)).unwrap());
    let many = squares.fold(Array::scalar(1.0f64), |sum, term| (&sum + &term).unwrap());
    let half = data.x.astype(DType::F16);
    let halves = (&(&half * &half).unwrap() + &half).unwrap();
    for array in [
        &sum,
        &many,
        &halves,
        &many.sum(&[0]).unwrap(),
        &halves.mean(&[2]).unwrap(),
        &sum.max(&[0, 1]).unwrap(),
    ] {
        let plan = session
            .plan_store(&[(array, Kept::of(array, None) as Arc<dyn Sink>)])
            .unwrap();
        for (stage, memory) in plan.stages.iter().zip(&plan.memory.stages) {
            let strips = memory.terms.iter().find(|t| t.what == "register strips").unwrap();
            for variant in &stage.variants {
                let taken = cpu.scratch_bytes(&variant.program, &stage.grid.largest()) as u64;
                println!(
                    "{} instructions: {taken} of {}",
                    variant.program.insts.len(),
                    strips.bytes
                );
                assert!(
                    taken * memory.workers as u64 <= strips.bytes,
                    "{}",
                    variant.program
                );
            }
        }
    }
}

/// Workloads that an adapter runs too.
const ON_A_GPU: [&str; 7] = [
    "elementwise",
    "sum over axis 0",
    "cumsum along axis 0",
    "sort along axis 2",
    "matmul",
    "transpose",
    "stencil",
];

#[test]
fn an_adapter_keeps_it_too() {
    let budget = 16 * MIB;
    let gpu = || session(budget, 2, DeviceChoice::Gpu(None));
    if let Err(error) = gpu() {
        assert!(std::env::var_os("CI").is_none(), "{error}");
        println!("skipped, no adapter: {error}");
        return;
    }
    let data = Data::new();
    for (name, build, ..) in WORKS.iter().filter(|w| ON_A_GPU.contains(&w.0)) {
        let array = build(&data).unwrap();
        let (want, _) = run(&array, 1 << 30, 2).unwrap();
        let session = gpu().unwrap();
        let kept = Kept::of(&array, None);
        session
            .store(&[(&array, kept.clone() as Arc<dyn Sink>)])
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let report = session.last_report().unwrap();
        check_values(name, array.dtype(), Relative(1e-13), &want, &kept.bytes());
        let ratio = check_memory(name, &report, budget);
        println!(
            "{name}: {ratio:.2} of {} held\n{report}",
            tilewise::human_bytes(report.host_proved)
        );
    }
}
