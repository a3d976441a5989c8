//! Arrays that go through the disk: chunks are read once and written whole, no tile is written that
//! nobody will read, and what comes back has the bits that an array in memory has.
#![allow(clippy::unwrap_used)] // a panic is how a test fails

mod common;

use common::FileLike;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tilewise::geometry::Region;
use tilewise::kernels::order::Method;
use tilewise::session::{ChunkSpec, Config, DeviceChoice, Report};
use tilewise::store::{Sink, Source, copy_region};
use tilewise::{Array, DType, Result, Session};

/// A file whose chunks are counted each time that one of them is decoded.
#[derive(Debug)]
struct Decoding {
    file: Arc<FileLike>,
    chunk: Vec<usize>,
    decoded: AtomicU64,
}

impl Source for Decoding {
    fn name(&self) -> String {
        self.file.name()
    }
    fn shape(&self) -> &[usize] {
        self.file.shape()
    }
    fn dtype(&self) -> DType {
        self.file.dtype()
    }
    fn chunks(&self) -> Option<&[usize]> {
        Some(&self.chunk)
    }
    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        let touched = region.start.iter().zip(&region.shape).zip(&self.chunk);
        let touched: usize = touched.map(|((s, n), c)| (s + n - 1) / c - s / c + 1).product();
        self.decoded.fetch_add(touched as u64, Ordering::Relaxed);
        self.file.read(region, out)
    }
    fn scratch_bytes(&self, _: &Region) -> usize {
        2 * self.chunk.iter().product::<usize>() * 4
    }
    fn stored_bytes(&self) -> u64 {
        self.file.stored_bytes()
    }
    fn fingerprint(&self) -> u64 {
        self.file.fingerprint()
    }
}

/// A chunked file that is written, and how many of its chunks were written in parts.
#[derive(Debug)]
struct Written {
    shape: Vec<usize>,
    chunk: Vec<usize>,
    bytes: Mutex<Vec<u8>>,
    parts: AtomicU64,
}

impl Sink for Written {
    fn name(&self) -> String {
        "written".into()
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn dtype(&self) -> DType {
        DType::F32
    }
    fn chunks(&self) -> Option<&[usize]> {
        Some(&self.chunk)
    }
    fn write(&self, region: &Region, data: &[u8]) -> Result<()> {
        let whole = (0..3).all(|a| {
            let stop = region.start[a] + region.shape[a];
            region.start[a].is_multiple_of(self.chunk[a])
                && (stop.is_multiple_of(self.chunk[a]) || stop == self.shape[a])
        });
        self.parts.fetch_add(u64::from(!whole), Ordering::Relaxed);
        let from = Region::whole(&region.shape);
        let mut bytes = self.bytes.lock().unwrap();
        copy_region(
            data,
            &region.shape,
            &from,
            &mut bytes,
            &self.shape,
            &region.start,
            4,
        );
        Ok(())
    }
    fn scratch_bytes(&self, _: &Region) -> usize {
        0
    }
}

const SHAPE: [usize; 3] = [1000, 61, 130];

fn values() -> Vec<f32> {
    (0..SHAPE.iter().product::<usize>())
        .map(|i| (i as f32 * 0.37).sin())
        .collect()
}

fn within(memory: u64, threads: usize) -> Session {
    Session::new(Config {
        memory: Some(memory),
        threads: Some(threads),
        device: DeviceChoice::Cpu,
        ..Config::default()
    })
    .unwrap()
}

/// Writes an array in chunks of columns within so much memory; what was done and how many chunks were
/// decoded.
fn rechunked(memory: u64, compressed: bool, double: bool) -> (Report, f64) {
    let values = values();
    let mut file = FileLike::of("x", &SHAPE, Some(&[8, 61, 130]), &values);
    if compressed {
        file = file.compressed(9 << 20);
    }
    let source = Arc::new(Decoding {
        file,
        chunk: vec![8, 61, 130],
        decoded: AtomicU64::new(0),
    });
    let mut x = Array::from_source(source.clone()).unwrap();
    if double {
        x = (&x * 2).unwrap();
    }
    let sink = Arc::new(Written {
        shape: SHAPE.to_vec(),
        chunk: vec![1000, 8, 16],
        bytes: Mutex::new(vec![0; values.len() * 4]),
        parts: AtomicU64::new(0),
    });
    let session = within(memory, 2);
    session.store(&[(&x, sink.clone())]).unwrap();
    let factor = if double { 2.0 } else { 1.0 };
    let bytes = sink.bytes.lock().unwrap();
    let got: &[f32] = bytemuck::cast_slice(&bytes);
    assert!(got.iter().zip(&values).all(|(g, v)| *g == v * factor));
    assert_eq!(
        sink.parts.load(Ordering::Relaxed),
        0,
        "chunks were written in parts"
    );
    let report = session.last_report().unwrap();
    assert!(report.host_peak <= report.host_proved, "{report}");
    (report, source.decoded.load(Ordering::Relaxed) as f64 / 125.0)
}

#[test]
fn compressed_chunks_are_decoded_once_however_they_are_written() {
    let bytes = SHAPE.iter().product::<usize>() as u64 * 4;
    for double in [false, true] {
        let (report, decodes) = rechunked(12 << 20, true, double);
        assert!(decodes <= 1.3, "{decodes} times");
        // Once to the disk and once back, less what stayed.
        assert!(
            report.spilled_bytes <= bytes && report.loaded_bytes <= bytes,
            "{report}"
        );
        assert!(report.spilled_bytes >= bytes / 2, "{report}");
        // With room for all, nothing touches the disk.
        let (report, decodes) = rechunked(64 << 20, true, double);
        assert!(decodes <= 1.3, "{decodes} times");
        assert_eq!((report.spilled_bytes, report.loaded_bytes), (0, 0), "{report}");
    }
}

#[test]
fn plain_data_is_read_in_long_pieces_or_through_tiles() {
    for memory in [12 << 20, 64 << 20] {
        let (report, _) = rechunked(memory, false, false);
        let read: u64 = report.stages.iter().map(|s| s.source_bytes).sum();
        assert_eq!(read, SHAPE.iter().product::<usize>() as u64 * 4, "{report}");
    }
}

#[test]
fn tiles_that_were_read_for_the_last_time_are_not_written() {
    // The transposed rows are read in another order than they were made; half of the tiles fit.
    let values = values();
    let bytes = values.len() as u64 * 4;
    let x = Array::from_source(FileLike::of("x", &SHAPE, Some(&[8, 61, 130]), &values)).unwrap();
    let scan = x.cumsum(0).unwrap();
    let chunks = [ChunkSpec::Whole, ChunkSpec::Size(8), ChunkSpec::Size(16)];
    let columns = scan.rechunk(&chunks).unwrap();
    let turned = columns
        .quantile(&[0.5], Some(&[0]), Method::Linear, false, false)
        .unwrap();
    let small = within(24 << 20, 2);
    let large = within(1 << 30, 2);
    let (a, b) = (
        small.compute::<f32>(&turned).unwrap(),
        large.compute::<f32>(&turned).unwrap(),
    );
    assert!(a.iter().zip(&b).all(|(a, b)| a.to_bits() == b.to_bits()));
    let report = small.last_report().unwrap();
    assert!(report.spilled_bytes <= bytes / 4 * 5, "{report}");
    assert!(report.loaded_bytes <= report.spilled_bytes, "{report}");
    assert_eq!(large.last_report().unwrap().spilled_bytes, 0);
}
