//! Reading and writing of chunked files against what the machine and the codecs allow.
//!
//! `cargo bench --bench storage -- [--dir DIR] [--size MIB] [--rounds N] [--workers N] [--only TEXT] [--json]`
//!
//! A variable of float32 like a climate model's is written and read with shuffle and deflate, and
//! plainly, by one worker and by several; beside it stand the same chunks inflated and unshuffled
//! from memory, and a copy of memory. Every turn of one row is followed by one of each other, medians
//! are shown, and what is read is compared with what was written. The files stay in DIR where one is
//! given, so that `benches/storage.py` reads them with other libraries in the same minutes.

#![allow(clippy::unwrap_used)] // a bench that cannot run ends

use libdeflater::{CompressionLvl, Compressor, Decompressor};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use tilewise::DType;
use tilewise::geometry::Region;
use tilewise::io::{Codec, Compression, Dim, FileSpec, OutputFormat, VarType, VariableSpec, open_source};
use tilewise::measure::Sample;
use tilewise::store::Source;
use zarrs::array::codec::api::ArrayToBytesCodecTraits;
use zarrs::array::{ArrayBytes, CodecChain, CodecOptions, DataType, FillValue};
use zarrs::metadata::v3::MetadataV3;

/// Extents of one step, and of the chunks of a step.
const STEP: [usize; 2] = [720, 1440];
const CHUNK: [usize; 3] = [1, 360, 1440];

struct Options {
    dir: Option<PathBuf>,
    steps: usize,
    rounds: usize,
    workers: usize,
    only: Option<String>,
    json: bool,
}

fn options() -> Options {
    // `cargo test` runs it too, without this flag: then it only has to work.
    let measures = std::env::args().any(|arg| arg == "--bench");
    let (size, rounds) = if measures { (512, 5) } else { (8, 1) };
    let mut options = Options {
        dir: None,
        steps: size * 1024 * 1024 / (STEP[0] * STEP[1] * 4),
        rounds,
        workers: std::thread::available_parallelism().map_or(1, |n| n.get()),
        only: None,
        json: false,
    };
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let mut number = || args.next().unwrap().parse::<usize>().unwrap();
        match flag.as_str() {
            "--dir" => options.dir = args.next().map(PathBuf::from),
            "--size" => options.steps = (number() * 1024 * 1024 / (STEP[0] * STEP[1] * 4)).max(1),
            "--rounds" => options.rounds = number(),
            "--workers" => options.workers = number(),
            "--only" => options.only = args.next(),
            "--json" => options.json = true,
            "--bench" => {}
            other => panic!("{other}: --dir DIR, --size MIB, --rounds N, --workers N, --only TEXT, --json"),
        }
    }
    options
}

/// One step of the field: a gradient, waves, and noise in the last digits.
fn step(at: usize) -> Vec<f32> {
    let mut state = at as u64 * 7919 + 1;
    let mut noise = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let mut out = Vec::with_capacity(STEP[0] * STEP[1]);
    for y in 0..STEP[0] {
        let lat = y as f32 / STEP[0] as f32 * 2.0 - 1.0;
        let row = 288.0 - 40.0 * lat * lat + (at as f32 * 0.05).sin();
        for x in 0..STEP[1] {
            let lon = x as f32 / STEP[1] as f32 * std::f32::consts::TAU;
            out.push(row + 5.0 * (3.0 * lon + lat * 4.0).sin() + 0.1 * noise());
        }
    }
    out
}

fn spec(steps: usize, compression: Option<Compression>) -> FileSpec {
    let dim = |name: &str, len: usize| Dim {
        name: name.into(),
        len,
        unlimited: false,
    };
    let mut variable = VariableSpec::new("t", &["time", "lat", "lon"], VarType::Numeric(DType::F32));
    variable.chunks = compression.map(|_| CHUNK.to_vec());
    variable.compression = compression;
    FileSpec {
        dims: vec![dim("time", steps), dim("lat", STEP[0]), dim("lon", STEP[1])],
        variables: vec![variable],
        attributes: Default::default(),
    }
}

/// Calls `work` with each number below `count`, on so many threads.
fn each(count: usize, workers: usize, work: &(dyn Fn(usize, &mut Vec<u8>) + Sync)) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut buffer = Vec::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    work(at, &mut buffer);
                }
            });
        }
    });
}

/// The region of a number of a step.
fn region(at: usize) -> Region {
    Region::new(vec![at, 0, 0], vec![1, STEP[0], STEP[1]])
}

fn write(path: &Path, fields: &[Vec<f32>], deflate: Option<u8>, workers: usize) {
    let compression = deflate.map(Compression::deflate);
    write_as(OutputFormat::NetCdf4, path, fields, compression, workers);
}

fn write_as(
    format: OutputFormat,
    path: &Path,
    fields: &[Vec<f32>],
    compression: Option<Compression>,
    workers: usize,
) {
    let writer = format.create(path, &spec(fields.len(), compression)).unwrap();
    let sink = writer.sink("t").unwrap();
    each(fields.len(), workers, &|at, _| {
        sink.write(&region(at), bytemuck::cast_slice(&fields[at]))
            .unwrap();
    });
    drop(sink);
    writer.finish().unwrap();
}

fn read(source: &dyn Source, fields: &[Vec<f32>], workers: usize, check: bool) {
    each(fields.len(), workers, &|at, buffer| {
        buffer.resize(STEP[0] * STEP[1] * 4, 0);
        source.read(&region(at), buffer).unwrap();
        assert!(!check || buffer[..] == *bytemuck::cast_slice::<f32, u8>(&fields[at]));
    });
}

/// The bytes of a chunk in planes, or back.
fn planes(from: &[u8], to: &mut [u8], forth: bool) {
    let count = from.len() / 4;
    for j in 0..count {
        for i in 0..4 {
            match forth {
                true => to[i * count + j] = from[j * 4 + i],
                false => to[j * 4 + i] = from[i * count + j],
            }
        }
    }
}

/// Every chunk as shuffle and deflate store it.
fn encoded(fields: &[Vec<f32>], level: u8) -> Vec<Vec<u8>> {
    let mut compressor = Compressor::new(CompressionLvl::new(level.into()).unwrap());
    let chunk = CHUNK[1] * CHUNK[2];
    let chunks = fields.iter().flat_map(|field| field.chunks(chunk));
    chunks
        .map(|values| {
            let bytes: &[u8] = bytemuck::cast_slice(values);
            let mut shuffled = vec![0; bytes.len()];
            planes(bytes, &mut shuffled, true);
            let mut out = vec![0; compressor.zlib_compress_bound(bytes.len())];
            let n = compressor.zlib_compress(&shuffled, &mut out).unwrap();
            out.truncate(n);
            out
        })
        .collect()
}

/// What has to be done for any reader: inflate and unshuffle, from memory to memory.
fn bare(chunks: &[Vec<u8>], workers: usize) {
    let bytes = CHUNK[1] * CHUNK[2] * 4;
    each(chunks.len(), workers, &|at, buffer| {
        buffer.resize(2 * bytes, 0);
        let (raw, out) = buffer.split_at_mut(bytes);
        Decompressor::new().zlib_decompress(&chunks[at], raw).unwrap();
        planes(raw, out, false);
        std::hint::black_box(out);
    });
}

/// The chunks of a Zarr store through the codecs of the crate `zarrs`, which make a buffer for each.
struct Zarrs {
    chain: CodecChain,
    shape: Vec<NonZeroU64>,
    dtype: DataType,
    fill: FillValue,
}

impl Zarrs {
    fn new() -> Zarrs {
        let metadata = serde_json::json!([
            { "name": "bytes", "configuration": { "endian": "little" } },
            { "name": "zstd", "configuration": { "level": 3, "checksum": false } }
        ]);
        let codecs: Vec<MetadataV3> = serde_json::from_value(metadata).unwrap();
        Zarrs {
            chain: CodecChain::from_metadata(&codecs).unwrap(),
            shape: CHUNK
                .iter()
                .map(|&n| NonZeroU64::new(n as u64).unwrap())
                .collect(),
            dtype: DataType::from_metadata(&MetadataV3::new("float32")).unwrap(),
            fill: FillValue::from(0f32),
        }
    }

    fn options() -> CodecOptions {
        let mut options = CodecOptions::default();
        options.set_concurrent_target(1);
        options
    }

    fn path(store: &Path, chunk: usize) -> PathBuf {
        let rows = STEP[0] / CHUNK[1];
        store.join(format!("t/c/{}/{}/0", chunk / rows, chunk % rows))
    }

    fn read(&self, store: &Path, fields: &[Vec<f32>], workers: usize, check: bool) {
        each(fields.len() * STEP[0] / CHUNK[1], workers, &|at, buffer| {
            buffer.resize(STEP[0] * STEP[1] * 4, 0);
            let stored = std::fs::read(Zarrs::path(store, at)).unwrap().into();
            let options = Zarrs::options();
            let bytes = self
                .chain
                .decode(stored, &self.shape, &self.dtype, &self.fill, &options);
            let bytes = bytes.unwrap().into_fixed().unwrap();
            let half = at % (STEP[0] / CHUNK[1]) * bytes.len();
            buffer[half..half + bytes.len()].copy_from_slice(&bytes);
            let step = bytemuck::cast_slice::<f32, u8>(&fields[at / (STEP[0] / CHUNK[1])]);
            assert!(!check || bytes[..] == step[half..half + bytes.len()]);
        });
    }

    fn write(&self, store: &Path, fields: &[Vec<f32>], workers: usize) {
        let rows = STEP[0] / CHUNK[1];
        // A new store takes the place of an old one, as of every writer here.
        let _ = std::fs::remove_dir_all(store);
        each(fields.len() * rows, workers, &|at, _| {
            let part = at % rows * CHUNK[1] * CHUNK[2];
            let values: &[u8] = bytemuck::cast_slice(&fields[at / rows][part..part + CHUNK[1] * CHUNK[2]]);
            let bytes = ArrayBytes::new_flen(values.to_vec());
            let options = Zarrs::options();
            let stored = self
                .chain
                .encode(bytes, &self.shape, &self.dtype, &self.fill, &options);
            let path = Zarrs::path(store, at);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, stored.unwrap()).unwrap();
        });
    }
}

/// A name and what one turn of it does.
type Row<'a> = (&'static str, Box<dyn Fn() + 'a>);

fn main() {
    let options = options();
    let temporary = tempfile::tempdir().unwrap();
    let dir = options
        .dir
        .clone()
        .unwrap_or_else(|| temporary.path().to_path_buf());
    let workers = options.workers;
    let fields: Vec<Vec<f32>> = (0..options.steps).map(step).collect();
    let bytes = (options.steps * STEP[0] * STEP[1] * 4) as f64;
    let (deflated, plain) = (dir.join("deflated.nc"), dir.join("plain.nc"));
    write(&deflated, &fields, Some(4), workers);
    write(&plain, &fields, None, workers);
    let scratch = dir.join("scratch.nc");
    let zstd = Some(Compression {
        codec: Codec::Zstd(3),
        shuffle: false,
    });
    let (zarr, scratch_zarr) = (dir.join("zstd.zarr"), dir.join("scratch.zarr"));
    write_as(OutputFormat::Zarr3, &zarr, &fields, zstd, workers);
    let c = open_source(&zarr, "t").unwrap();
    read(&*c, &fields, workers, true);
    let (a, b) = (
        open_source(&deflated, "t").unwrap(),
        open_source(&plain, "t").unwrap(),
    );
    read(&*a, &fields, workers, true);
    read(&*b, &fields, workers, true);
    let chunks = encoded(&fields, 4);
    let zarrs = Zarrs::new();
    let peer = dir.join("zarrs.zarr");
    zarrs.read(&zarr, &fields, workers, true);
    zarrs.write(&peer, &fields, workers);
    zarrs.read(&peer, &fields, workers, true);
    let point = Region::new(vec![0, 300, 700], vec![options.steps, 1, 1]);
    let rows: Vec<Row> = vec![
        (
            "copy of memory, all workers",
            Box::new(|| {
                each(fields.len(), workers, &|at, buffer| {
                    buffer.resize(STEP[0] * STEP[1] * 4, 0);
                    buffer.copy_from_slice(bytemuck::cast_slice(&fields[at]));
                });
            }),
        ),
        ("inflate and unshuffle, 1 worker", Box::new(|| bare(&chunks, 1))),
        (
            "inflate and unshuffle, all workers",
            Box::new(|| bare(&chunks, workers)),
        ),
        (
            "read deflate(4)+shuffle, 1 worker",
            Box::new(|| read(&*a, &fields, 1, false)),
        ),
        (
            "read deflate(4)+shuffle, all workers",
            Box::new(|| read(&*a, &fields, workers, false)),
        ),
        ("read plain, 1 worker", Box::new(|| read(&*b, &fields, 1, false))),
        (
            "read plain, all workers",
            Box::new(|| read(&*b, &fields, workers, false)),
        ),
        (
            "read Zarr zstd(3), all workers",
            Box::new(|| read(&*c, &fields, workers, false)),
        ),
        (
            "write Zarr zstd(3), all workers",
            Box::new(|| write_as(OutputFormat::Zarr3, &scratch_zarr, &fields, zstd, workers)),
        ),
        (
            "read Zarr zstd(3) by zarrs, all workers",
            Box::new(|| zarrs.read(&zarr, &fields, workers, false)),
        ),
        (
            "write Zarr zstd(3) by zarrs, all workers",
            Box::new(|| zarrs.write(&peer, &fields, workers)),
        ),
        (
            "read one point of each deflated chunk",
            Box::new(|| {
                let mut out = vec![0; options.steps * 4];
                a.read(&point, &mut out).unwrap();
            }),
        ),
        (
            "write deflate(1)+shuffle, 1 worker",
            Box::new(|| write(&scratch, &fields, Some(1), 1)),
        ),
        (
            "write deflate(1)+shuffle, all workers",
            Box::new(|| write(&scratch, &fields, Some(1), workers)),
        ),
        (
            "write plain, all workers",
            Box::new(|| write(&scratch, &fields, None, workers)),
        ),
    ];
    let wanted = |row: &Row| {
        options
            .only
            .as_ref()
            .is_none_or(|text| row.0.contains(text.as_str()))
    };
    let rows: Vec<Row> = rows.into_iter().filter(wanted).collect();
    let mut samples: Vec<Vec<Sample>> = rows.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.rounds {
        for (row, samples) in rows.iter().zip(&mut samples) {
            samples.push(Sample::of(&row.1).0);
        }
    }
    let stored = std::fs::metadata(&deflated).unwrap().len();
    if !options.json {
        println!(
            "{:.0} MiB of float32, {workers} workers, deflated to {:.2} of it",
            bytes / 1048576.0,
            stored as f64 / bytes
        );
    }
    let mut out = serde_json::Map::new();
    for ((name, _), samples) in rows.iter().zip(&samples) {
        let median = Sample::median(samples);
        out.insert(
            (*name).into(),
            serde_json::json!({ "wall": median.wall, "cpu": median.cpu }),
        );
        if !options.json {
            let rate = |seconds: f64| bytes / 1e6 / seconds.max(1e-9);
            println!(
                "{name:40} {:8.1} ms {:8.0} MB/s {:8.0} MB per CPU s",
                median.wall * 1e3,
                rate(median.wall),
                rate(median.cpu)
            );
        }
    }
    if options.json {
        println!(
            "{}",
            serde_json::json!({ "bytes": bytes, "stored": stored, "workers": workers, "rows": out })
        );
    }
}
