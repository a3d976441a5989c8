//! GRIB files against cfgrib and ecCodes, and broken ones.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use tilewise::geometry::Region;
use tilewise::io::{Catalog, Container};
use tilewise::labelled::{Datasets, evaluate};
use tilewise::store::{Source, conformance};
use tilewise::{DType, Error, Result};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/grib")
}

fn cases() -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("oracle/grib.json")).unwrap();
    all["cases"].as_array().unwrap().clone()
}

/// The file of a case; `None` where it is a real one that is not here.
fn file(case: &Value) -> Option<PathBuf> {
    let name = case["file"].as_str().unwrap();
    if case["real"] == false {
        return Some(folder().join(name));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data")
        .join(name);
    if !path.exists() {
        eprintln!("skipped: {} is not here", path.display());
        return None;
    }
    Some(path)
}

fn words(value: &Value) -> Vec<u64> {
    let words = value.as_str().unwrap().split_whitespace();
    words.map(|w| u64::from_str_radix(w, 16).unwrap()).collect()
}

fn sizes(value: &Value) -> Vec<usize> {
    let list = value.as_array().unwrap().iter();
    list.map(|v| v.as_u64().unwrap() as usize).collect()
}

fn whole(source: &dyn Source) -> Vec<u8> {
    let region = Region::whole(source.shape());
    let mut out = vec![0; region.len() * source.dtype().size()];
    source.read(&region, &mut out).unwrap();
    out
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let elements = bytes.chunks_exact(4);
    elements
        .map(|b| f32::from_ne_bytes(b.try_into().unwrap()))
        .collect()
}

fn wide(source: &dyn Source) -> Vec<f64> {
    let bytes = whole(source);
    let elements = bytes.chunks_exact(8).map(|b| b.try_into().unwrap());
    match source.dtype() {
        DType::I64 => elements.map(|b| i64::from_ne_bytes(b) as f64).collect(),
        DType::F64 => elements.map(f64::from_ne_bytes).collect(),
        other => panic!("a coordinate of {other}"),
    }
}

/// The coordinate of a variable that cfgrib calls `base`; several of one name have numbers here.
fn coordinate(catalog: &Catalog, variable: &str, base: &str) -> Option<String> {
    let variable = catalog.variable(variable).unwrap();
    let listed = variable.attributes.text("coordinates").unwrap_or_default();
    let mut names = variable.dims.iter().map(String::as_str).chain(listed.split(' '));
    let number = |name: &str| {
        name.strip_prefix(base)
            .and_then(|n| n.strip_prefix('_'))
            .map(str::parse::<u32>)
    };
    names
        .find(|n| *n == base || matches!(number(n), Some(Ok(_))))
        .map(str::to_string)
}

#[test]
fn files_are_read_as_by_cfgrib() {
    for case in cases() {
        let Some(path) = file(&case) else { continue };
        let name = case["file"].as_str().unwrap();
        let container = Container::open(&path).unwrap();
        let catalog = container.catalog();
        assert_eq!(catalog.format, "GRIB");
        for set in case["sets"].as_array().unwrap() {
            for (variable, want) in set["variables"].as_object().unwrap() {
                let place = format!("{name}: {variable}");
                let listed = catalog.variable(variable);
                let listed = listed.unwrap_or_else(|| panic!("{place} is not there: {catalog:#?}"));
                assert_eq!(listed.shape, sizes(&want["shape"]), "{place}");
                let base = |dim: &String| {
                    dim.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_')
                        .to_string()
                };
                let dims: Vec<String> = listed.dims.iter().map(base).collect();
                let wanted: Vec<&str> = want["dims"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|d| d.as_str().unwrap())
                    .collect();
                assert_eq!(dims, wanted, "{place}");
                for key in ["units", "long_name"] {
                    assert_eq!(listed.attributes.text(key), want[key].as_str(), "{place}");
                }
                let source = container.source(variable).unwrap();
                let values = floats(&whole(&*source));
                let valid: Vec<f64> = values
                    .iter()
                    .filter(|v| !v.is_nan())
                    .map(|&v| f64::from(v))
                    .collect();
                assert_eq!(valid.len() as u64, want["count"].as_u64().unwrap(), "{place}");
                let sum = f64::from_bits(words(&want["sum"])[0]);
                let found: f64 = valid.iter().sum();
                assert!(
                    (found - sum).abs() <= 1e-7 * sum.abs().max(1.0),
                    "{place}: {found} {sum}"
                );
                let samples = want["samples"].as_array().unwrap().iter().map(sizes);
                for (at, bits) in samples.zip(words(&want["values"])) {
                    let index = at.iter().zip(&listed.shape).fold(0, |all, (i, n)| all * n + i);
                    let (a, b) = (values[index], f32::from_bits(bits as u32));
                    let same = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
                    assert!(same, "{place} at {at:?}: {a} against {b}");
                }
                for (coord, want) in set["coords"].as_object().unwrap() {
                    let own = coordinate(catalog, variable, coord);
                    let own = own.unwrap_or_else(|| {
                        panic!("{place} has no {coord}: {:?}", catalog.variable(variable))
                    });
                    let values = wide(&*container.source(&own).unwrap());
                    assert_eq!(
                        values.len() as u64,
                        want["count"].as_u64().unwrap(),
                        "{place}: {own}"
                    );
                    let some = match values.len() {
                        ..=200 => values.clone(),
                        n => [&values[..50], &values[n - 50..]].concat(),
                    };
                    for (at, (a, b)) in some.iter().zip(words(&want["values"])).enumerate() {
                        let b = f64::from_bits(b);
                        assert!((a - b).abs() <= 1e-6, "{place}: {own} at {at}: {a} against {b}");
                    }
                }
            }
        }
    }
}

#[test]
fn any_region_is_read() {
    for case in cases() {
        let Some(path) = file(&case) else { continue };
        let container = Container::open(&path).unwrap();
        for variable in container.catalog().variables.iter().take(9) {
            let source = container.source(&variable.name).unwrap();
            if source.shape().iter().product::<usize>() < 20_000 {
                conformance::source(&*source, &whole(&*source));
            }
        }
    }
}

#[test]
fn fields_are_computed_with() {
    let files = Datasets::open(&[folder().join("levels2.grib")]).unwrap();
    let mean = evaluate(
        "t.sel(isobaricInhPa=500).mean([\"latitude\", \"longitude\"])",
        &files,
    )
    .unwrap();
    assert_eq!(mean[0].dims(), ["step"]);
    let t = files.get("t").unwrap();
    assert_eq!(t.labels("isobaricInhPa").unwrap().number(0), 850.0);
    assert_eq!(t.attrs().text("units"), Some("K"));
    let time = t.coord("time").unwrap().index().unwrap();
    assert_eq!(time.show(0), "2020-02-29 12:00:00");
}

/// The numbers of a fixed sequence.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// Opens a file and reads all of it.
fn read_all(path: &Path) -> Result<()> {
    let container = Container::open(path)?;
    for variable in &container.catalog().variables {
        let source = container.source(&variable.name)?;
        let region = Region::whole(source.shape());
        // Broken sizes may be large, and are then not the file's fault but the reader's choice.
        if region.len() < 1 << 22 && source.scratch_bytes(&region) < 1 << 28 {
            source.read(&region, &mut vec![0; region.len() * source.dtype().size()])?;
        }
    }
    Ok(())
}

#[test]
fn broken_files_give_errors() {
    let folder_of = tempfile::tempdir().unwrap();
    let path = folder_of.path().join("broken.grib");
    let mut dice = Dice(77);
    let mut refused = 0;
    for name in [
        "levels1.grib",
        "levels2.grib",
        "complex.grib",
        "surface.grib",
        "reduced_gg.grib",
    ] {
        let good = std::fs::read(folder().join(name)).unwrap();
        for round in 0..200 {
            let mut bytes = good.clone();
            if round % 8 == 0 {
                bytes.truncate(dice.below(good.len()));
            } else {
                for _ in 0..=dice.below(4) {
                    let limit = if round % 2 == 0 {
                        good.len().min(250)
                    } else {
                        good.len()
                    };
                    bytes[dice.below(limit)] ^= 1 << dice.below(8);
                }
            }
            std::fs::write(&path, &bytes).unwrap();
            if let Err(error) = read_all(&path) {
                assert!(
                    matches!(error, Error::Format { .. } | Error::Invalid(_)),
                    "{error}"
                );
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn faults_are_named() {
    let folder_of = tempfile::tempdir().unwrap();
    let path = folder_of.path().join("a.grib");
    let good = std::fs::read(folder().join("surface.grib")).unwrap();
    let told = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        read_all(&path).unwrap_err().to_string()
    };
    assert!(told(&good[..good.len() - 1]).contains("truncated: it claims"));
    assert!(told(b"GRIB....7777").contains("no GRIB message"));
    let mut other = good.clone();
    other[7] = 3;
    assert!(told(&other).contains("edition 3 is not known"));
    // Section 5 of the first message: another packing.
    let at = good
        .windows(11)
        .position(|w| w[..5] == [0, 0, 0, 21, 5] && w[9..] == [0, 0])
        .unwrap();
    let mut other = good.clone();
    other[at + 10] = 42;
    assert!(
        told(&other).contains("CCSDS packing (template 5.42)"),
        "{}",
        told(&other)
    );
    let with_rubbish = [&b"rubbish before"[..], &good, b"and after"].concat();
    std::fs::write(&path, with_rubbish).unwrap();
    assert!(
        Container::open(&path).is_err(),
        "the format is told by the first bytes"
    );
    let between = [&good[..], b"GRI between", &good].concat();
    std::fs::write(&path, between).unwrap();
    let notes = Container::open(&path).unwrap().catalog().notes.clone();
    assert!(
        notes.iter().any(|n| n.contains("messages repeat others")),
        "{notes:?}"
    );
}
