//! Real NetCDF and HDF5 files, read as netCDF4 and xarray read them.
//!
//! `oracle/files.json` holds what those libraries see in each file; the files themselves lie beside
//! the repository and are skipped, with a word, where they do not.

#![allow(clippy::unwrap_used)] // helpers of tests fail the test

use serde_json::Value;
use std::path::PathBuf;
use tilewise::geometry::Region;
use tilewise::io::{AttrValue, Container, VarType, Variable, open_source};
use tilewise::store::Source;
use tilewise::{Error, Scalar};

/// The folder of real files, if it is there.
fn data() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}

/// The oracle's cases for files that can be read.
fn cases() -> Option<Vec<(PathBuf, Value)>> {
    let data = data()?;
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/files.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    };
    let json: Value = serde_json::from_str(&text).unwrap();
    let cases = json["cases"].as_array().unwrap().clone();
    let readable = cases
        .into_iter()
        .map(|c| (data.join(c["file"].as_str().unwrap()), c))
        .collect::<Vec<_>>();
    assert!(readable.len() >= 11, "{} cases", readable.len());
    Some(readable)
}

/// An array of f64 as the oracle writes them: the bits in hexadecimal.
fn words(value: &Value) -> Vec<f64> {
    let text = value.as_str().unwrap();
    text.split_whitespace()
        .map(|w| f64::from_bits(u64::from_str_radix(w, 16).unwrap()))
        .collect()
}

fn integers(value: &Value) -> Vec<usize> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_u64().unwrap() as usize)
        .collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect()
}

fn read(source: &dyn Source, region: &Region) -> Vec<u8> {
    let mut out = vec![0xee; region.len() * source.dtype().size()];
    source.read(region, &mut out).unwrap();
    out
}

/// The packing attributes of a variable, and its decoding as xarray does it.
struct Packing {
    missing: Vec<f64>,
    scale: Option<f64>,
    offset: Option<f64>,
    single: bool,
}

impl Packing {
    fn new(variable: &Variable, decoded: &str) -> Packing {
        let number = |name: &str| variable.attributes.get(name).and_then(AttrValue::as_f64);
        let missing = ["_FillValue", "missing_value"]
            .into_iter()
            .filter_map(number)
            .collect();
        Packing {
            missing,
            scale: number("scale_factor"),
            offset: number("add_offset"),
            single: decoded == "float32",
        }
    }

    fn exact(&self) -> bool {
        self.scale.is_none() && self.offset.is_none()
    }

    fn decode(&self, raw: f64) -> f64 {
        if self.missing.contains(&raw) {
            return f64::NAN;
        }
        let (scale, offset) = (self.scale.unwrap_or(1.0), self.offset.unwrap_or(0.0));
        if self.single {
            f64::from(raw as f32 * scale as f32 + offset as f32)
        } else {
            raw * scale + offset
        }
    }
}

/// Equal, or as close as two orders of rounding of packed f32 leave it.
fn close(a: f64, b: f64, exact: bool) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (!exact && (a - b).abs() <= 4e-7 * a.abs().max(b.abs()).max(1.0))
}

#[test]
fn real_files_read_as_xarray_reads_them() {
    let Some(cases) = cases() else { return };
    let mut compared = 0;
    for (path, case) in cases {
        let file = Container::open(&path).unwrap();
        let catalog = file.catalog();
        let dims: Vec<(String, usize)> = catalog.dims.iter().map(|d| (d.name.clone(), d.len)).collect();
        for (name, len) in case["dims"].as_object().unwrap() {
            let expected = (name.clone(), len.as_u64().unwrap() as usize);
            assert!(dims.contains(&expected), "{path:?} {expected:?} {dims:?}");
        }
        for name in texts(&case["other"]) {
            assert_eq!(catalog.variable(name).unwrap().numeric(), None, "{name}");
            let error = file.source(name).unwrap_err().to_string();
            assert!(error.contains("not numbers"), "{error}");
        }
        let variables = case["variables"].as_object().unwrap();
        assert_eq!(
            catalog.variables.len(),
            variables.len() + texts(&case["other"]).len(),
            "{path:?}"
        );
        for (name, expected) in variables {
            check_variable(&file, name, expected);
            compared += 1;
        }
    }
    assert!(compared >= 60, "{compared} variables compared");
}

fn check_variable(file: &Container, name: &str, expected: &Value) {
    let variable = file.catalog().variable(name).unwrap();
    let source = file.source(name).unwrap();
    assert_eq!(variable.dims, texts(&expected["dims"]), "{name}");
    assert_eq!(variable.shape, integers(&expected["shape"]), "{name}");
    assert_eq!(source.shape(), variable.shape, "{name}");
    assert_eq!(
        source.dtype().name(),
        expected["dtype"].as_str().unwrap(),
        "{name}"
    );
    let chunks = (!expected["chunks"].is_null()).then(|| integers(&expected["chunks"]));
    assert_eq!(variable.chunks, chunks, "{name}");
    assert_eq!(source.chunks().map(<[usize]>::to_vec), chunks, "{name}");
    for (attribute, text) in expected["attributes"].as_object().unwrap() {
        assert_eq!(
            variable.attributes.text(attribute),
            text.as_str(),
            "{name}:{attribute}"
        );
    }
    for (attribute, packed) in expected["packing"].as_object().unwrap() {
        let value = variable.attributes.get(attribute).unwrap();
        assert_eq!(
            value.dtype().unwrap().name(),
            packed["dtype"].as_str().unwrap(),
            "{name}:{attribute}"
        );
    }

    let packing = Packing::new(variable, expected["decoded"].as_str().unwrap());
    let exact = packing.exact();
    let (dtype, size) = (source.dtype(), source.dtype().size());
    let all = read(&*source, &Region::whole(&variable.shape));
    let decoded: Vec<f64> = all
        .chunks_exact(size)
        .map(|b| packing.decode(Scalar::from_bytes(dtype, b).to_f64()))
        .collect();
    let valid: Vec<f64> = decoded.iter().copied().filter(|v| !v.is_nan()).collect();
    assert_eq!(valid.len() as u64, expected["count"].as_u64().unwrap(), "{name}");
    if !valid.is_empty() {
        let min = valid.iter().copied().fold(f64::INFINITY, f64::min);
        let max = valid.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mean = valid.iter().sum::<f64>() / valid.len() as f64;
        let spread = max.abs().max(min.abs()).max(1e-300);
        assert!(close(min, words(&expected["min"])[0], exact), "{name} min {min}");
        assert!(close(max, words(&expected["max"])[0], exact), "{name} max {max}");
        let error = (mean - words(&expected["mean"])[0]).abs();
        assert!(error <= 1e-6 * spread, "{name} mean {mean} error {error}");
    }
    let samples = expected["samples"].as_array().unwrap();
    for (index, value) in samples.iter().zip(words(&expected["values"])) {
        let index = integers(index);
        let one = read(&*source, &Region::new(index.clone(), vec![1; index.len()]));
        let found = packing.decode(Scalar::from_bytes(dtype, &one).to_f64());
        assert!(
            close(found, value, exact),
            "{name} {index:?}: {found} instead of {value}"
        );
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n.max(1)
    }

    /// A box within `shape`; empty now and then.
    fn region(&mut self, shape: &[usize]) -> Region {
        let start: Vec<usize> = shape.iter().map(|&n| self.below(n + 1)).collect();
        let extent = shape
            .iter()
            .zip(&start)
            .map(|(&n, &s)| self.below(n - s + 1))
            .collect();
        Region::new(start, extent)
    }
}

/// The elements of `region` picked one by one from the whole array.
fn pick(all: &[u8], shape: &[usize], region: &Region, size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for n in 0..region.len() {
        let (mut rest, mut index) = (n, vec![0; shape.len()]);
        for axis in (0..shape.len()).rev() {
            index[axis] = region.start[axis] + rest % region.shape[axis];
            rest /= region.shape[axis];
        }
        let flat = index.iter().zip(shape).fold(0, |flat, (i, n)| flat * n + i);
        out.extend_from_slice(&all[flat * size..(flat + 1) * size]);
    }
    out
}

#[test]
fn any_region_equals_the_whole() {
    let Some(data) = data() else { return };
    let mut dice = Dice(7);
    for name in [
        "coads_climatology.nc4",
        "tas_Amon_ACCESS-ESM1-5_1pctCO2_r1i1p1f1_gn_010101-018012.nc",
        "wrf_ci_test_file.nc",
        "example-femm-3d.h5",
        "mrcosts-real-data-example.nc",
        "CanESM2_1950-2100.nc",
    ] {
        let file = Container::open(data.join(name)).unwrap();
        for variable in file
            .catalog()
            .variables
            .iter()
            .filter(|v| v.numeric().is_some())
            .take(12)
        {
            let source = file.source(&variable.name).unwrap();
            let shape = source.shape().to_vec();
            let all = read(&*source, &Region::whole(&shape));
            for _ in 0..4 {
                let region = dice.region(&shape);
                let size = source.dtype().size();
                let expected = pick(&all, &shape, &region, size);
                assert!(
                    read(&*source, &region) == expected,
                    "{name} {} {region:?}",
                    variable.name
                );
            }
        }
    }
}

#[test]
fn threads_share_a_source() {
    let Some(data) = data() else { return };
    let path = data.join("tas_Amon_ACCESS-ESM1-5_1pctCO2_r1i1p1f1_gn_010101-018012.nc");
    let source = open_source(path, "tas").unwrap();
    let shape = source.shape().to_vec();
    let all = read(&*source, &Region::whole(&shape));
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (source, all, shape) = (&*source, &all, &shape);
            scope.spawn(move || {
                let mut dice = Dice(seed);
                for _ in 0..6 {
                    let region = dice.region(shape);
                    assert!(
                        read(source, &region) == pick(all, shape, &region, 4),
                        "{region:?}"
                    );
                }
            });
        }
    });
}

#[test]
fn groups_are_paths() {
    let Some(data) = data() else { return };
    let file = Container::open(data.join("example-femm-3d.h5")).unwrap();
    let catalog = file.catalog();
    assert_eq!(catalog.format, "HDF5");
    let nested = catalog
        .variables
        .iter()
        .filter(|v| v.name.starts_with("/data/"))
        .count();
    assert!(nested > 0, "{:?}", catalog.variables);
    let field = catalog.variables.iter().find(|v| v.shape.len() == 3).unwrap();
    assert!(
        field.dims.iter().all(|d| d.contains("phony_dim_")),
        "{:?}",
        field.dims
    );
}

#[test]
fn foreign_filters_are_listed() {
    let Some(data) = data() else { return };
    let file = Container::open(data.join("ref_szip.h5")).unwrap();
    let variable = &file.catalog().variables[0];
    assert!(variable.codecs.contains("szip"), "{}", variable.codecs);
    match file.source(&variable.name) {
        Ok(source) => {
            let all = read(&*source, &Region::whole(source.shape()));
            assert!(!all.iter().all(|b| *b == 0xee));
        }
        Err(error) => assert!(error.to_string().contains("szip (4)"), "{error}"),
    }
}

#[test]
fn strings_are_read_as_text() {
    let Some(data) = data() else { return };
    let file = Container::open(data.join("daily_surface_cancities_1990-1993.nc")).unwrap();
    let name = &file
        .catalog()
        .variables
        .iter()
        .find(|v| v.dtype == VarType::Text)
        .unwrap()
        .name;
    let text = file.text(name).unwrap();
    assert_eq!(text.values.len(), text.shape.iter().product::<usize>());
    assert!(text.values.contains(&"Halifax".to_string()), "{:?}", text.values);
    let wrf = Container::open(data.join("wrf_ci_test_file.nc")).unwrap();
    let times = [
        "2005-08-28_12:00:00",
        "2005-08-28_15:00:00",
        "2005-08-28_18:00:00",
        "2005-08-28_21:00:00",
    ];
    assert_eq!(wrf.text("Times").unwrap().values, times);
    assert!(wrf.source("Times").unwrap_err().to_string().contains("char"));
}

#[test]
fn what_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let message = |name: &str| Container::open(path(name)).unwrap_err().to_string();
    assert!(matches!(Container::open(path("none.nc")), Err(Error::Io { .. })));
    assert!(matches!(Container::open(folder.path()), Err(Error::Io { .. })));
    for (name, bytes, expected) in [
        ("empty", &b""[..], "empty"),
        ("text", b"hello, this is no array", "no format"),
        ("classic.nc", b"CDF\x01....", "truncated"),
        ("offset.nc", b"CDF\x02....", "truncated"),
        ("data.nc", b"CDF\x05....", "truncated"),
        ("cdf4.nc", b"CDF\x04....", "no format"),
        ("a.grib", b"GRIB....7777", "no GRIB message"),
        ("magic.nc", b"\x89HDF\r\n\x1a\n", "open the file"),
    ] {
        std::fs::write(path(name), bytes).unwrap();
        let text = message(name);
        assert!(text.contains(expected) && text.contains(name), "{text}");
    }
    std::fs::create_dir(path("a.zarr")).unwrap();
    std::fs::write(path("a.zarr/zarr.json"), "{}").unwrap();
    assert!(message("a.zarr").contains("Zarr"));
}

#[test]
fn broken_files_give_errors() {
    let Some(data) = data() else { return };
    let good =
        std::fs::read(data.join("tos_Omon_ACCESS-ESM1-5_historical_r1i1p1f1_gn_200001-201412.nc")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.nc");
    let mut dice = Dice(11);
    let (mut refused, mut read_through) = (0, 0);
    for round in 0..40 {
        let mut bytes = good.clone();
        if round % 4 == 0 {
            bytes.truncate(dice.below(good.len()));
        } else {
            // Mostly in the metadata at the front, where a flipped byte does the most harm.
            for _ in 0..8 {
                let limit = if round % 2 == 0 { 40_000 } else { good.len() };
                let at = dice.below(limit);
                bytes[at] ^= 1 << dice.below(8);
            }
        }
        std::fs::write(&path, &bytes).unwrap();
        let result = Container::open(&path).and_then(|file| {
            for variable in file.catalog().variables.iter().filter(|v| v.numeric().is_some()) {
                let count: usize = variable.shape.iter().product();
                if count < 1 << 24 {
                    let source = file.source(&variable.name)?;
                    let mut out = vec![0; count * source.dtype().size()];
                    source.read(&Region::whole(source.shape()), &mut out)?;
                }
            }
            Ok(())
        });
        match result {
            Ok(()) => read_through += 1,
            Err(error) => {
                assert!(error.to_string().contains("broken.nc"), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused >= 10, "{refused} refused, {read_through} read through");
}

#[test]
fn wrong_requests_are_refused() {
    let Some(data) = data() else { return };
    let file = Container::open(data.join("coads_climatology.nc4")).unwrap();
    let error = file.source("nothing").unwrap_err().to_string();
    assert!(
        error.contains("no variable nothing") && error.contains("SST"),
        "{error}"
    );
    let source = file.source("SST").unwrap();
    assert!(
        source
            .read(&Region::new(vec![0, 0, 0], vec![1, 1, 999]), &mut [0; 3996])
            .is_err()
    );
    assert!(
        source
            .read(&Region::new(vec![0, 0], vec![1, 1]), &mut [0; 4])
            .is_err()
    );
    assert!(
        source
            .read(&Region::new(vec![0, 0, 0], vec![1, 1, 1]), &mut [0; 8])
            .is_err()
    );
    let far = Region::new(vec![usize::MAX, 0, 0], vec![2, 1, 1]);
    assert!(source.read(&far, &mut [0; 8]).is_err());
}

#[test]
fn fingerprints_tell_variables_and_files_apart() {
    let Some(data) = data() else { return };
    let print = |file: &str, name: &str| open_source(data.join(file), name).unwrap().fingerprint();
    let a = print("coads_climatology.nc4", "SST");
    assert_eq!(a, print("coads_climatology.nc4", "SST"));
    assert_ne!(a, print("coads_climatology.nc4", "AIRT"));
}
