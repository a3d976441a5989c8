//! What the scheduler costs: a mean of a thousand numbers, and a million tiles with next to no work.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tilewise::session::{ChunkSpec, Config, DeviceChoice, Session};
use tilewise::{Array, Result};

fn session(threads: usize) -> Result<Session> {
    Session::new(Config {
        threads: Some(threads),
        memory: Some(1 << 30),
        device: DeviceChoice::Cpu,
        ..Config::default()
    })
}

fn small(c: &mut Criterion) {
    let session = session(2).expect("a session");
    let x = Array::from_vec(&[1000], (0..1000).map(|i| i as f32).collect()).expect("an array");
    let mut group = c.benchmark_group("small");
    group.bench_function("mean of 1000", |b| {
        b.iter(|| {
            let mean = x.mean(&[0]).expect("a mean");
            let got = session.compute::<f32>(&mean).expect("a result");
            assert_eq!(got[[]], 499.5);
        });
    });
    group.bench_function("sqrt(x) + 1 of 1000", |b| {
        b.iter(|| {
            let y = (&x.apply("sqrt", &[]).expect("a root") + 1).expect("a sum");
            let got = session.compute::<f32>(&y).expect("a result");
            assert_eq!(got[[4]], 3.0);
        });
    });
    group.finish();
}

fn tiles(c: &mut Criterion) {
    const TILES: usize = 1_000_000;
    let mut group = c.benchmark_group("tiles");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(TILES as u64));
    for threads in [1, 2] {
        let session = session(threads).expect("a session");
        let x = Array::from_vec(&[TILES], (0..TILES).map(|i| i as f32).collect()).expect("an array");
        let x = x.rechunk(&[ChunkSpec::Size(1)]).expect("chunks");
        let y = x
            .map_blocks::<f32, f32>("increment", |from, _, _, to| {
                to[0] = from[0] + 1.0;
                Ok(())
            })
            .expect("an array");
        group.bench_function(format!("a million on {threads} threads"), |b| {
            b.iter(|| {
                let got = session.compute::<f32>(&y).expect("a result");
                assert_eq!(got[[TILES - 1]], TILES as f32);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, small, tiles);
criterion_main!(benches);
