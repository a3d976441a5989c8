//! Golden plans: what `explain` says of typical expressions, committed as text under
//! `tests/golden/`. `TILEWISE_BLESS=1` writes them anew; the diff is the judge.

#![allow(clippy::unwrap_used)] // a panic is how a test fails

mod common;

use common::FileLike;
use std::path::Path;
use std::sync::Arc;
use tilewise::plan::{Card, Destination, Limits, Plan, Root, StageKind, TaskSize};
use tilewise::session::{Array, ChunkSpec, s};
use tilewise::{DType, ReduceKind, Reduction};

const LIMITS: Limits = Limits {
    tasks: TaskSize::CPU,
    host: 512 << 20,
    disk: 1 << 40,
    kept: 0,
    workers: 2,
    reserved: 0,
};

/// 40 years of daily fields, one chunk a day.
fn daily() -> Array {
    let source = FileLike::plan_only("t.nc:t", &[14_600, 180, 288], DType::F32, Some(&[1, 180, 288]));
    Array::from_source(source).unwrap()
}

/// Months of a calendar of 365 days.
fn months() -> Arc<[u32]> {
    (0..14_600u32).map(|day| day % 365 * 12 / 365).collect()
}

fn plan(arrays: &[&Array], limits: Limits) -> tilewise::Result<Plan> {
    let root = |a: &&Array| Root {
        expr: a.expr().clone(),
        to: Destination::Result,
    };
    Plan::new(&arrays.iter().map(root).collect::<Vec<_>>(), limits)
}

fn golden(name: &str, arrays: &[&Array], limits: Limits) {
    let text = plan(arrays, limits).unwrap().explain(&|_| "cpu".into());
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.plan"));
    if std::env::var_os("TILEWISE_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, want,
        "{name}: run with TILEWISE_BLESS=1 and look at the diff"
    );
}

/// Limits under which results of that many bytes leave 512 MiB.
fn with_results(arrays: &[&Array]) -> Limits {
    let bytes: usize = arrays.iter().map(|a| a.len() * a.dtype().size()).sum();
    Limits {
        host: LIMITS.host + bytes as u64,
        ..LIMITS
    }
}

#[test]
fn an_elementwise_chain_is_one_stage() {
    let x = daily();
    let celsius = (&x - 273.15).unwrap();
    let clipped = celsius
        .apply("maximum", &[&0])
        .unwrap()
        .apply("sqrt", &[])
        .unwrap();
    golden("chain", &[&clipped], with_results(&[&clipped]));
}

#[test]
fn a_monthly_anomaly_reads_the_source_twice() {
    let x = daily();
    let mean = Reduction::new(ReduceKind::Mean);
    let climatology = x.group_reduce(mean, 0, months(), 12).unwrap();
    let labels: Vec<i64> = months().iter().map(|&m| i64::from(m)).collect();
    let anomaly = (&x - &climatology.take(&labels, 0).unwrap()).unwrap();
    golden("anomaly", &[&anomaly], with_results(&[&anomaly]));
}

#[test]
fn large_states_still_give_work_to_several_threads() {
    let fields = FileLike::plan_only("t.nc:t", &[2920, 361, 512], DType::F32, Some(&[1, 361, 512]));
    let labels: Arc<[u32]> = (0..2920u32).map(|step| step / 4 % 365 * 12 / 365).collect();
    let mean = Reduction::new(ReduceKind::Mean);
    let climatology = Array::from_source(fields)
        .unwrap()
        .group_reduce(mean, 0, labels, 12)
        .unwrap();
    let plan = plan(&[&climatology], LIMITS).unwrap();
    let StageKind::Reduce { segments, .. } = plan.stages[0].kind else {
        panic!("a reduction is planned as one")
    };
    assert_eq!(plan.memory.stages[0].workers, LIMITS.workers);
    assert!(segments > LIMITS.workers, "{segments} runs");
    assert!(plan.memory.host <= LIMITS.host, "{} bytes", plan.memory.host);
}

#[test]
fn mean_and_std_share_a_pass() {
    let x = daily();
    golden(
        "mean_std",
        &[&x.mean(&[0]).unwrap(), &x.std(&[0], 1).unwrap()],
        LIMITS,
    );
}

#[test]
fn packed_data_is_unpacked_in_the_kernel() {
    let source = FileLike::plan_only("p.nc:p", &[365, 721, 1440], DType::I16, Some(&[1, 721, 1440]));
    let raw = Array::from_source(source).unwrap();
    let unpacked = (&(&raw.astype(DType::F64) * 0.01).unwrap() + 250.0)
        .unwrap()
        .astype(DType::F32);
    let nan = Array::scalar(f32::NAN);
    let missing = raw.apply("equal", &[&-32767]).unwrap();
    let masked = nan.where_(&missing, &unpacked).unwrap();
    let mean = masked
        .reduce(Reduction::new(ReduceKind::Mean).skipna(true), Some(&[0]), false)
        .unwrap();
    golden("packed", &[&mean], LIMITS);
}

#[test]
fn concatenations_are_cut_not_copied() {
    let part = |name: &str, n: usize| {
        Array::from_source(FileLike::plan_only(
            name,
            &[n, 90, 180],
            DType::F32,
            Some(&[1, 90, 180]),
        ))
        .unwrap()
    };
    let (a, b) = (part("a.nc:t", 100), part("b.nc:t", 50));
    let both = Array::concat(&[&a, &b], 0).unwrap();
    let reversed = both.flip(&[0]).unwrap();
    golden("concat", &[&(&reversed * 2.0).unwrap()], LIMITS);
}

#[test]
fn small_costly_values_are_computed_once() {
    let x = daily();
    let latitude = Array::from_source(FileLike::plan_only("t.nc:lat", &[180], DType::F64, None)).unwrap();
    let weights = latitude.apply("deg2rad", &[]).unwrap().apply("cos", &[]).unwrap();
    let weights = weights.expand_dims(1).unwrap();
    let mean = x.weighted_mean(&weights, Some(&[1, 2]), false, false).unwrap();
    golden("weighted_mean", &[&mean], LIMITS);
}

#[test]
fn a_compressed_source_is_rechunked_through_tiles() {
    let source = FileLike::plan_only("z.nc:t", &[8760, 64, 128], DType::F32, Some(&[24, 64, 128]));
    let x = Array::from_source(source.compressed(100 << 20)).unwrap();
    let columns = x
        .rechunk(&[ChunkSpec::Whole, ChunkSpec::Size(8), ChunkSpec::Size(16)])
        .unwrap();
    let sorted_like = columns
        .map_blocks::<f32, f32>("column", |_, _, _, _| Ok(()))
        .unwrap();
    golden("rechunk", &[&sorted_like], with_results(&[&sorted_like]));
}

#[test]
fn a_budget_too_small_is_refused_with_the_term_and_a_way_out() {
    let x = daily();
    let tiny = Limits {
        host: 1 << 20,
        ..LIMITS
    };
    let error = plan(&[&x.mean(&[0]).unwrap()], tiny).unwrap_err().to_string();
    for part in ["host memory", "1.0 MiB allowed", "--memory", "stage 0"] {
        assert!(error.contains(part), "{error}");
    }
    // With 3 MiB of 4 for the host and the rest for a GPU, a third more is asked for.
    let advised = |error: &str| -> u64 {
        let rest = error.split("--memory ").nth(1).unwrap();
        rest.split("MiB").next().unwrap().parse().unwrap()
    };
    let shared = Limits {
        reserved: 1 << 18,
        ..tiny
    };
    let beside = plan(&[&x.mean(&[0]).unwrap()], shared).unwrap_err().to_string();
    assert!(advised(&beside) * 3 >= advised(&error) * 4 - 4, "{beside}");
}

#[test]
fn plans_over_a_million_tiles_are_small() {
    let source = FileLike::plan_only("m.nc:t", &[1_000_000, 64, 64], DType::F32, Some(&[1, 64, 64]));
    let x = Array::from_source(source).unwrap();
    let shifted = x.slice(&[s(Some(7), None, Some(3))]).unwrap();
    let mean = (&shifted.mean(&[0]).unwrap() * 2.0).unwrap();
    let plan = plan(&[&mean], LIMITS).unwrap();
    assert_eq!(plan.stages.len(), 2);
    assert!(plan.explain(&|_| "cpu".into()).len() < 10_000);
}

#[test]
fn reductions_of_data_in_memory_keep_their_states_small() {
    let x = Array::from_vec(&[2, 4_000_000], vec![1.0f32; 8_000_000]).unwrap();
    let sum = x.sum(&[0]).unwrap();
    let limits = Limits {
        host: 22 << 20,
        ..LIMITS
    };
    let plan = plan(&[&sum], limits).unwrap();
    let StageKind::Reduce { segments, .. } = plan.stages[0].kind else {
        panic!("a reduction");
    };
    assert_eq!(
        (segments, plan.stages[0].grid.grid()[0]),
        (1, 1),
        "nothing to merge"
    );
    assert!(plan.memory.host <= 22 << 20);
}

/// A software GPU that may hold a GiB.
const CARD: Card = Card {
    memory: 1 << 30,
    binding: 128 << 20,
    staging: u64::MAX,
};

fn on_card(card: Card) -> Limits {
    Limits {
        tasks: TaskSize::software(card),
        ..LIMITS
    }
}

#[test]
fn large_states_on_a_card_are_fed_once() {
    let (days, rows, columns) = (40, 300, 512);
    let values = vec![1.0f32; days * rows * columns];
    let x = Array::from_vec(&[days, rows, columns], values).unwrap();
    let labels: Arc<[u32]> = (0..days as u32).map(|day| day % 12).collect();
    let mean = Reduction::new(ReduceKind::Mean);
    let grid = |array: &Array, limits: Limits| {
        let plan = plan(&[array], limits).unwrap();
        plan.stages.last().unwrap().grid.grid()
    };
    let months = x.group_reduce(mean, 0, labels.clone(), 12).unwrap();
    let cut = grid(&months, on_card(CARD));
    assert_eq!(cut[0], 1, "{cut:?}: days are together");
    assert!(cut[1] >= 16, "{cut:?}");
    // A state that is small beside its blocks is fed block after block.
    let cut = grid(&x.mean(&[1, 2]).unwrap(), on_card(CARD));
    assert!(cut[0] > 1, "{cut:?}");
    // What was computed before lies on the card only where it has room for it.
    let product = x.matmul(&Array::from_vec(&[columns, columns], vec![1.0f32; columns * columns]).unwrap());
    let months = product.unwrap().group_reduce(mean, 0, labels, 12).unwrap();
    assert_eq!(grid(&months, on_card(CARD))[0], 1);
    let small = Card {
        memory: 16 << 20,
        ..CARD
    };
    assert!(grid(&months, on_card(small))[0] > 1);
}

#[test]
fn blocks_are_cut_to_what_a_card_holds() {
    let x = Array::from_vec(&[2000, 4096], vec![0u8; 2000 * 4096]).unwrap();
    let places = x.argsort(0).unwrap();
    let block = |card: Card| {
        let plan = plan(&[&places], on_card(card)).unwrap();
        plan.stages.last().unwrap().grid.largest()
    };
    let wide = block(CARD);
    assert_eq!(wide[0], 2000);
    // Places and records are eight bytes an element.
    for binding in [1 << 20, 256 << 10] {
        let bound = block(Card { binding, ..CARD });
        assert_eq!(bound[0], 2000);
        assert!(
            bound[1] < wide[1] && 2000 * bound[1] * 8 <= binding as usize,
            "{bound:?}"
        );
    }
    let bound = block(Card {
        memory: 4 << 20,
        ..CARD
    });
    assert!(bound[1] < wide[1] && 2000 * bound[1] * 25 <= 4 << 20, "{bound:?}");
    let bound = block(Card {
        staging: 1 << 20,
        ..CARD
    });
    assert!(bound[1] < wide[1] && 2000 * bound[1] * 9 <= 1 << 20, "{bound:?}");
    // A lane is never cut.
    assert_eq!(
        block(Card {
            binding: 1000,
            ..CARD
        }),
        [2000, 1]
    );
}
