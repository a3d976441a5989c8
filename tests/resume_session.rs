//! What a session takes up from an earlier one, counted by a source that fails and one that does not.
#![allow(clippy::unwrap_used)] // a test fails by panicking, in its helpers too

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tilewise::geometry::Region;
use tilewise::io::open_source;
use tilewise::session::{Config, DeviceChoice, Session};
use tilewise::store::{MemorySource, Source};
use tilewise::{Array, DType, Error, Result};

/// Numbers in chunks, counted while they are read; reading fails after so many elements.
#[derive(Debug)]
struct Counted {
    of: MemorySource,
    chunks: Vec<usize>,
    read: AtomicU64,
    fails_after: u64,
    pause: Duration,
}

impl Counted {
    fn new(shape: &[usize], chunks: &[usize], fails_after: u64) -> Counted {
        let len: usize = shape.iter().product();
        let noise = |i: usize| ((i * 2654435761) % 10007) as f64 / 37.0 - 100.0;
        Counted {
            of: MemorySource::from_vec::<f64>(shape, (0..len).map(noise).collect()).unwrap(),
            chunks: chunks.to_vec(),
            read: AtomicU64::new(0),
            fails_after,
            pause: Duration::ZERO,
        }
    }

    fn count(&self) -> u64 {
        self.read.load(Ordering::SeqCst)
    }
}

impl Source for Counted {
    fn name(&self) -> String {
        "counted".into()
    }
    fn shape(&self) -> &[usize] {
        self.of.shape()
    }
    fn dtype(&self) -> DType {
        DType::F64
    }
    fn chunks(&self) -> Option<&[usize]> {
        Some(&self.chunks)
    }
    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        std::thread::sleep(self.pause);
        let before = self.read.fetch_add(region.len() as u64, Ordering::SeqCst);
        if before + region.len() as u64 > self.fails_after {
            return Err(Error::invalid("the source fails"));
        }
        self.of.read(region, out)
    }
    fn scratch_bytes(&self, _: &Region) -> usize {
        0
    }
    fn stored_bytes(&self) -> u64 {
        self.of.stored_bytes()
    }
    fn fingerprint(&self) -> u64 {
        self.of.durable_fingerprint().unwrap()
    }
}

fn session(folder: Option<&Path>, memory: u64, threads: usize) -> Session {
    Session::new(Config {
        memory: Some(memory),
        threads: Some(threads),
        device: DeviceChoice::Cpu,
        resume: folder.map(Path::to_path_buf),
        ..Config::default()
    })
    .unwrap()
}

type Work = fn(&Array) -> Result<Vec<Array>>;

/// Lets a run fail at each of some places, and checks that the next one reads no more than what is
/// left, and gives the same.
fn goes_on(name: &str, chunks: &[usize], memory: u64, work: Work) {
    const SHAPE: [usize; 2] = [1200, 800];
    let total = (SHAPE[0] * SHAPE[1]) as u64;
    let compute = |session: &Session, source: &Arc<Counted>| -> Result<Vec<Vec<u8>>> {
        let arrays = work(&Array::from_source(source.clone())?)?;
        let mut out: Vec<Vec<u8>> = arrays
            .iter()
            .map(|a| vec![0; a.len() * a.dtype().size()])
            .collect();
        let handles: Vec<&Array> = arrays.iter().collect();
        session.compute_into(&handles, out.iter_mut().map(Vec::as_mut_slice).collect())?;
        Ok(out)
    };
    let source = |fails_after| Arc::new(Counted::new(&SHAPE, chunks, fails_after));
    let whole = source(u64::MAX);
    let want = compute(&session(None, memory, 2), &whole).unwrap();
    let all = whole.count();
    for tenths in [1, 4, 7, 9] {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("resume");
        let failing = source(all * tenths / 10);
        compute(&session(Some(&folder), memory, 2), &failing).unwrap_err();
        assert!(folder.exists());
        let rest = source(u64::MAX);
        let second = session(Some(&folder), memory, 1);
        assert!(
            compute(&second, &rest).unwrap() == want,
            "{name}: other bits after {tenths} tenths"
        );
        let report = second.last_report().unwrap();
        println!(
            "{name}: failed after {tenths} tenths of {all} ({total} elements), read {} more, {} tasks resumed",
            rest.count(),
            report.resumed_items
        );
        assert!(report.host_peak <= report.host_proved, "{name}");
        if tenths >= 7 {
            assert!(
                report.resumed_items > 0,
                "{name}: nothing is resumed after {tenths} tenths"
            );
            assert!(
                rest.count() < all * 7 / 10,
                "{name}: {} of {all} are read again",
                rest.count()
            );
        }
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0, "{name}");
    }
}

#[test]
fn reductions_go_on_from_finished_runs() {
    goes_on("mean of all", &[50, 100], 64 << 20, |x| {
        Ok(vec![x.mean(&[0, 1])?])
    });
    goes_on("mean and std of columns", &[50, 800], 64 << 20, |x| {
        Ok(vec![x.mean(&[0])?, x.std(&[0], 1)?])
    });
    goes_on("means of rows", &[50, 100], 64 << 20, |x| Ok(vec![x.mean(&[1])?]));
}

#[test]
fn stored_blocks_and_results_go_on() {
    goes_on("elementwise", &[50, 100], 64 << 20, |x| {
        Ok(vec![(x * 2.0)?, (x + 1.0)?])
    });
    goes_on("anomaly", &[50, 100], 64 << 20, |x| {
        Ok(vec![(x - &x.mean(&[0])?)?])
    });
}

#[test]
fn block_operations_go_on() {
    goes_on("running sums", &[50, 100], 64 << 20, |x| Ok(vec![x.cumsum(0)?]));
    goes_on("sorted", &[50, 100], 64 << 20, |x| Ok(vec![x.sort(1)?]));
}

#[test]
fn a_long_run_goes_on_within() {
    // One kept block of large states and one worker: a single run, whose states are written now and then.
    const SHAPE: [usize; 2] = [60, 20_000];
    let run = |folder: &Path, fails_after: u64| {
        let mut source = Counted::new(&SHAPE, &[1, 20_000], fails_after);
        source.pause = Duration::from_millis(60);
        let source = Arc::new(source);
        let session = session(Some(folder), 4 << 20, 1);
        let x = Array::from_source(source.clone()).unwrap();
        let std = x.std(&[0], 0);
        let out = std.and_then(|std| session.compute::<f64>(&std));
        (out, source.count(), session.last_report())
    };
    let parent = tempfile::tempdir().unwrap();
    let total = (SHAPE[0] * SHAPE[1]) as u64;
    let (want, _, _) = run(&parent.path().join("a"), u64::MAX);
    let folder = parent.path().join("b");
    run(&folder, total * 8 / 10).0.unwrap_err();
    let (got, read, report) = run(&folder, u64::MAX);
    assert_eq!(got.unwrap(), want.unwrap());
    println!("{read} of {total} read again");
    assert!(read < total * 9 / 10, "{read} of {total} read again");
    assert!(report.unwrap().resumed_bytes > 0);
    assert!(!folder.exists());
}

#[test]
fn a_job_of_several_runs_keeps_the_first() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("resume");
    let source = |fails| Arc::new(Counted::new(&[600, 400], &[50, 400], fails));
    let job = |source: Arc<Counted>, folder: Option<&Path>| {
        let session = session(folder, 32 << 20, 2);
        let x = Array::from_source(source).unwrap();
        session.job(|| {
            let mean = session.compute::<f64>(&x.mean(&[0, 1])?)?;
            session.compute::<f64>(&(&x - mean[[]])?.std(&[0, 1], 0)?)
        })
    };
    let want = job(source(u64::MAX), None).unwrap();
    let total = 600 * 400;
    job(source(total * 3 / 2), Some(&folder)).unwrap_err();
    let rest = source(u64::MAX);
    assert_eq!(job(rest.clone(), Some(&folder)).unwrap(), want);
    assert!(rest.count() < total, "{} are read again", rest.count());
    assert!(!folder.exists());
}

/// The sum over the first axis of what a session keeps for its computations.
fn sum_of_cached(session: &Session, source: &Arc<Counted>) -> Result<Vec<f64>> {
    let array = (&Array::from_source(source.clone())? * 2.0)?.sort(0)?;
    session.cache(&array);
    let sum = session.compute::<f64>(&array.sum(&[0])?)?;
    Ok(sum.into_raw_vec_and_offset().0)
}

#[test]
fn other_memory_cuts_anew_and_leaves_nothing() {
    let sum = |session: &Session, source: &Arc<Counted>| -> Result<Vec<f64>> {
        let deviation = Array::from_source(source.clone())?.std(&[0], 0)?;
        Ok(session.compute::<f64>(&deviation)?.into_raw_vec_and_offset().0)
    };
    let source = |fails_after| Arc::new(Counted::new(&[1200, 800], &[10, 800], fails_after));
    for (first, second) in [(64 << 20, 3 << 20), (3 << 20, 64 << 20)] {
        let want = sum(&session(None, second, 2), &source(u64::MAX)).unwrap();
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("resume");
        sum(&session(Some(&folder), first, 2), &source(700_000)).unwrap_err();
        assert!(folder.exists());
        assert!(sum(&session(Some(&folder), second, 2), &source(u64::MAX)).unwrap() == want);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}

#[test]
fn what_is_computed_for_the_cache_goes_on_too() {
    let source = |fails_after| Arc::new(Counted::new(&[1200, 800], &[1200, 8], fails_after));
    let whole = source(u64::MAX);
    let want = sum_of_cached(&session(None, 64 << 20, 2), &whole).unwrap();
    let all = whole.count();
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("resume");
    sum_of_cached(&session(Some(&folder), 64 << 20, 2), &source(all * 3 / 4)).unwrap_err();
    let rest = source(u64::MAX);
    assert!(sum_of_cached(&session(Some(&folder), 64 << 20, 2), &rest).unwrap() == want);
    assert!(rest.count() < all / 2, "{} of {all} are read again", rest.count());
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[test]
fn closures_are_computed_anew() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("resume");
    let work = |add: f64, fails| -> Result<ndarray::ArrayD<f64>> {
        let source = Arc::new(Counted::new(&[600, 400], &[50, 400], fails));
        let x = Array::from_source(source)?;
        let y = x.map_blocks::<f64, f64>("add", move |values, _, _, out| {
            values.iter().zip(out).for_each(|(x, y)| *y = x + add);
            Ok(())
        })?;
        session(Some(&folder), 32 << 20, 2).compute::<f64>(&(&y * 2.0)?)
    };
    work(1.0, 200_000).unwrap_err();
    let got = work(2.0, u64::MAX).unwrap();
    let first = (0.0f64 / 37.0 - 100.0 + 2.0) * 2.0;
    assert_eq!(got[[0, 0]], first);
}

#[test]
fn a_chunk_that_is_replaced_makes_another_source() {
    let folder = tempfile::tempdir().unwrap();
    let (file, store) = (folder.path().join("in.nc"), folder.path().join("in.zarr"));
    let tilewise = |args: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_tilewise")).args(args).status();
        assert!(done.unwrap().success());
    };
    tilewise(&["sample", file.to_str().unwrap(), "--years", "1", "--grid", "8x16"]);
    let (from, to) = (file.to_str().unwrap(), store.to_str().unwrap());
    tilewise(&["convert", from, to, "--chunks", "time=100,lat=4,lon=4"]);
    let of = |name: &str| open_source(&store, name).unwrap().durable_fingerprint().unwrap();
    let (before, other) = (of("tas"), of("time_bnds"));
    assert_eq!(of("tas"), before);
    let mut folders = vec![store.join("tas")];
    let mut chunks = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false if entry.file_name() != "zarr.json" => chunks.push(entry.path()),
                false => {}
            }
        }
    }
    assert!(chunks.len() > 10);
    let bytes = std::fs::read(&chunks[3]).unwrap();
    std::fs::write(&chunks[3], bytes).unwrap();
    assert_ne!(of("tas"), before);
    assert_eq!(of("time_bnds"), other);
}
