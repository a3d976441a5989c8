//! Zarr stores of both versions, read as zarr-python and xarray read them.
//!
//! `oracle/zarr.json` holds small stores that `tools/oracle/zarr_stores.py` makes: every dtype, codec and
//! shape of metadata, chunks never written, shards, groups, archives. The real stores hold the field of a
//! NetCDF file, which is read beside them.

#![allow(clippy::unwrap_used)] // helpers of tests fail the test

use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tilewise::geometry::Region;
use tilewise::io::{AttrValue, Container, VarType, open_catalog, open_source};
use tilewise::store::{Source, conformance};

fn oracle() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/zarr.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn unhex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().unwrap().as_bytes().as_chunks::<2>().0;
    let byte = |d: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap();
    digits.iter().map(byte).collect()
}

/// Writes the objects of a store to a folder.
fn unpack(store: &Value, folder: &Path) -> PathBuf {
    let path = folder.join("store.zarr");
    for (key, content) in store["objects"].as_object().unwrap() {
        let file = path.join(key);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, unhex(content)).unwrap();
    }
    path
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect()
}

fn numbers(value: &Value) -> Vec<usize> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_u64().unwrap() as usize)
        .collect()
}

/// The name under which the catalog shows an array at a path.
fn shown(path: &str) -> String {
    match path.contains('/') {
        true => format!("/{path}"),
        false => path.to_string(),
    }
}

/// Compares everything that a store holds with what is expected.
fn compare(container: &Container, expected: &Value, what: &str) -> usize {
    let catalog = container.catalog();
    let arrays = expected["arrays"].as_object().unwrap();
    let held: Vec<&str> = catalog.variables.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(held.len(), arrays.len(), "{what}: {held:?}");
    for (path, array) in arrays {
        let (name, at) = (shown(path), format!("{what}:{path}"));
        let variable = catalog
            .variable(&name)
            .unwrap_or_else(|| panic!("{at}: of {held:?}"));
        if let Some(word) = array["error"].as_str() {
            let error = container.source(&name).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains(&name), "{at}: {error}");
            continue;
        }
        assert_eq!(variable.shape, numbers(&array["shape"]), "{at}");
        if let Some(dims) = array.get("dims") {
            let own: Vec<&str> = variable
                .dims
                .iter()
                .map(|d| d.rsplit('/').next().unwrap())
                .collect();
            assert_eq!(own, texts(dims), "{at}");
        }
        if let Some(chunks) = array.get("chunks") {
            assert_eq!(variable.chunks, Some(numbers(chunks)), "{at}");
        }
        if let Some(fill) = array["fill"].as_f64() {
            let found = variable.attributes.get("_FillValue").unwrap();
            assert_eq!(
                (found.as_f64(), found.dtype()),
                (Some(fill), variable.numeric()),
                "{at}"
            );
        }
        let own_names = variable.attributes.get("_ARRAY_DIMENSIONS");
        assert!(own_names.is_none(), "{at}: dimensions are shown as an attribute");
        match array.get("texts") {
            Some(expected) => {
                assert_eq!(variable.dtype, VarType::Text, "{at}");
                let found = container.text(&name).unwrap_or_else(|e| panic!("{at}: {e}"));
                assert_eq!(found.values, texts(expected), "{at}");
                assert!(container.source(&name).is_err(), "{at}");
            }
            None => {
                assert_eq!(variable.numeric().unwrap().name(), array["dtype"], "{at}");
                let source = container.source(&name).unwrap_or_else(|e| panic!("{at}: {e}"));
                conformance::source(&*source, &unhex(&array["bytes"]));
                assert!(container.text(&name).is_err(), "{at}");
            }
        }
    }
    arrays.len()
}

#[test]
fn every_store_reads_as_its_own_library_reads_it() {
    let (oracle, mut compared) = (oracle(), 0);
    for (name, store) in oracle["stores"].as_object().unwrap() {
        let folder = TempDir::new().unwrap();
        let container = Container::open(unpack(store, folder.path())).unwrap();
        let version = store["version"].as_u64().unwrap();
        assert_eq!(container.catalog().format, format!("Zarr {version}"));
        compared += compare(&container, store, name);
    }
    assert!(compared > 100, "{compared} arrays");
}

#[test]
fn archives_are_read_without_unpacking() {
    let oracle = oracle();
    let store = &oracle["stores"][oracle["zip_of"].as_str().unwrap()];
    for (name, archive) in oracle["zips"].as_object().unwrap() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.zip");
        let bytes = unhex(archive);
        std::fs::write(&path, &bytes).unwrap();
        compare(&Container::open(&path).unwrap(), store, name);
        for cut in (0..bytes.len()).step_by(97) {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert!(Container::open(&path).is_err(), "cut at {cut}");
        }
        for at in (0..bytes.len()).step_by(13) {
            let mut broken = bytes.clone();
            broken[at] ^= 0xff;
            std::fs::write(&path, &broken).unwrap();
            let Ok(container) = Container::open(&path) else {
                continue;
            };
            for variable in &container.catalog().variables {
                if let Ok(source) = container.source(&variable.name) {
                    let region = Region::whole(source.shape());
                    let mut out = vec![0; region.len() * source.dtype().size()];
                    let _ = source.read(&region, &mut out);
                }
                let _ = container.text(&variable.name);
            }
        }
    }
}

#[test]
fn catalogs_tell_of_codecs_groups_and_attributes() {
    let (oracle, folder) = (oracle(), TempDir::new().unwrap());
    let catalog = open_catalog(unpack(&oracle["stores"]["v3"], folder.path())).unwrap();
    let codecs = |name: &str| catalog.variable(name).unwrap().codecs.as_str();
    assert_eq!(codecs("blosc_zstd_shuffle"), "blosc(zstd,5,shuffle)");
    assert_eq!(codecs("crc"), "zstd(1),crc32c");
    assert_eq!(codecs("shard_zstd"), "shards(4x4: zstd(1))");
    assert_eq!(codecs("turned_plain"), "transpose(1,0)");
    assert_eq!(catalog.attributes.text("title"), Some("root"));
    assert_eq!(catalog.attributes.text("/deep/title"), Some("below"));
    assert_eq!(catalog.attributes.text("nested"), Some("{\"a\":[1]}"));
    assert_eq!(
        catalog.attributes.get("half").and_then(AttrValue::as_f64),
        Some(0.5)
    );
    let field = catalog.variable("/deep/er/field").unwrap();
    assert_eq!(
        field.dims,
        ["y", "x"],
        "dimensions of the root of the same length"
    );
    assert_eq!(catalog.variable("/deep/other").unwrap().dims, ["/deep/x"]);
    assert!(
        catalog.notes.iter().any(|n| n.starts_with("times ")),
        "{:?}",
        catalog.notes
    );
    let fill = catalog.variable("missing").unwrap().fill.unwrap();
    assert_eq!(fill.to_f64(), -7.0);
    for variable in &catalog.variables {
        let distinct: std::collections::HashSet<&String> = variable.dims.iter().collect();
        assert_eq!(distinct.len(), variable.dims.len(), "{}", variable.name);
        for (dim, len) in variable.dims.iter().zip(&variable.shape) {
            assert_eq!(catalog.dim(dim).unwrap().len, *len, "{}", variable.name);
        }
    }
    let folder = TempDir::new().unwrap();
    let catalog = open_catalog(unpack(&oracle["stores"]["v2_dots"], folder.path())).unwrap();
    let nothing = catalog.attributes.get("nothing").and_then(AttrValue::as_f64);
    assert!(nothing.is_some_and(f64::is_nan));
    let order = catalog.variable("order_F").unwrap();
    assert_eq!(order.codecs, "zlib(1)");
    assert!(order.stored_bytes > 0);
}

#[test]
fn the_real_stores_hold_what_their_netcdf_file_holds() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let original = data.join("tos_Omon_ACCESS-ESM1-5_historical_r1i1p1f1_gn_200001-201412.nc");
    if !original.exists() {
        println!("skipped: no real files at {}", data.display());
        return;
    }
    let file = Container::open(&original).unwrap();
    for version in [2, 3] {
        let store = Container::open(data.join(format!("derived_tos.zarr{version}"))).unwrap();
        let tos = store.catalog().variable("tos").unwrap();
        assert_eq!(tos.dims, ["time", "j", "i"]);
        for name in ["tos", "latitude", "longitude"] {
            let (zarr, netcdf) = (store.source(name).unwrap(), file.source(name).unwrap());
            let region = Region::whole(zarr.shape());
            let read = |source: &dyn Source| {
                let mut out = vec![0; region.len() * source.dtype().size()];
                source.read(&region, &mut out).unwrap();
                out
            };
            assert_eq!(zarr.dtype(), netcdf.dtype(), "{name}");
            let (ours, theirs) = (read(&*zarr), read(&*netcdf));
            let size = zarr.dtype().size();
            let missing = |source: &Container| {
                let attributes = &source.catalog().variable(name).unwrap().attributes;
                attributes.get("_FillValue").and_then(|v| v.scalar(zarr.dtype()))
            };
            let (our_fill, their_fill) = (missing(&store), missing(&file));
            let same = ours.chunks(size).zip(theirs.chunks(size)).all(|(a, b)| {
                let hidden = |x: &[u8], fill: Option<tilewise::Scalar>| {
                    let value = tilewise::Scalar::from_bytes(zarr.dtype(), x).to_f64();
                    value.is_nan() || fill.is_some_and(|f| f.bytes() == x)
                };
                a == b || hidden(a, our_fill) && hidden(b, their_fill)
            });
            assert!(same, "{name} of version {version}");
        }
    }
}

/// Changes one object of a small store and opens everything: an error that names the store, never a panic,
/// nor elements.
fn refused(key: &str, change: &dyn Fn(&str) -> String, name: &str, word: &str) {
    let (oracle, folder) = (oracle(), TempDir::new().unwrap());
    let path = unpack(&oracle["stores"]["v3_array"], folder.path());
    let file = path.join(key);
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = change(&text);
    assert_ne!(text, changed, "{key} does not change");
    std::fs::write(&file, changed).unwrap();
    let read = || -> tilewise::Result<()> {
        let source = open_source(&path, name)?;
        let region = Region::new(
            vec![0; source.shape().len()],
            source.shape().iter().map(|&n| n.min(3)).collect(),
        );
        let mut out = vec![0; region.len() * source.dtype().size()];
        source.read(&region, &mut out)
    };
    let error = read().unwrap_err().to_string();
    assert!(
        error.contains(word) && error.contains("store.zarr"),
        "{word}: {error}"
    );
}

#[test]
fn hostile_metadata_is_refused() {
    type Change = (&'static str, &'static str, &'static str);
    let shape = "\"shape\": [\n    5\n  ]";
    let chunks = "\"chunk_shape\": [\n        2\n      ]";
    let changes: [Change; 14] = [
        (shape, "\"shape\": [18446744073709551615]", "shape"),
        (shape, "\"shape\": [9007199254740993]", ""),
        (shape, "\"shape\": [-1]", "shape"),
        (shape, "\"shape\": \"5\"", "shape"),
        (shape, "\"shape\": [5, 5]", "chunks"),
        (chunks, "\"chunk_shape\": [0]", "chunks"),
        (chunks, "\"chunk_shape\": [9007199254740993]", ""),
        (chunks, "\"chunk_shape\": [4503599627370496]", "stored bytes"),
        ("\"float32\"", "\"float31\"", "float31"),
        ("\"float32\"", "\"float64\"", "bytes"),
        ("\"zarr_format\": 3", "\"zarr_format\": 4", "version"),
        ("\"zstd\"", "\"zopf\"", "zopf"),
        ("\"regular\"", "\"wild\"", "wild"),
        ("\"fill_value\": 0.0", "\"fill_value\": \"nought\"", "nought"),
    ];
    for (from, to, word) in changes {
        refused("zarr.json", &|text| text.replacen(from, to, 1), "data", word);
    }
    refused(
        "zarr.json",
        &|text| text[..text.len() / 2].to_string(),
        "data",
        "zarr.json",
    );
    refused(
        "zarr.json",
        &|text| text.replacen("{", "{\"strange\": {},", 1),
        "data",
        "strange",
    );
    refused("zarr.json", &|_| "[".repeat(100_000), "data", "zarr.json");
}

#[test]
fn hostile_chunks_are_refused() {
    let (oracle, folder) = (oracle(), TempDir::new().unwrap());
    let path = unpack(&oracle["stores"]["v3"], folder.path());
    let mut tried = 0;
    let store = Container::open(&path).unwrap();
    for variable in &store.catalog().variables {
        let array = path.join(variable.name.trim_start_matches('/'));
        let Some(chunk) = first_object(&array) else {
            continue;
        };
        let whole = std::fs::read(&chunk).unwrap();
        let read = || {
            if let Ok(text) = store.text(&variable.name) {
                return text.values.len();
            }
            let Ok(source) = store.source(&variable.name) else {
                return 0;
            };
            let region = Region::whole(source.shape());
            let mut out = vec![0; region.len() * source.dtype().size()];
            usize::from(source.read(&region, &mut out).is_ok())
        };
        assert!(read() > 0, "{}", variable.name);
        for cut in [0, 1, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&chunk, &whole[..cut]).unwrap();
            assert_eq!(read(), 0, "{} cut to {cut} of {}", variable.name, whole.len());
        }
        std::fs::write(&chunk, [&whole[..], &[0; 5000]].concat()).unwrap();
        let _ = read();
        for at in (0..whole.len()).step_by(3) {
            let mut broken = whole.clone();
            broken[at] ^= 0xff;
            std::fs::write(&chunk, &broken).unwrap();
            let _ = read();
        }
        std::fs::write(&chunk, &whole).unwrap();
        tried += 1;
    }
    assert!(tried > 40, "{tried}");
}

/// One object of elements below a folder.
fn first_object(folder: &Path) -> Option<PathBuf> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    entries.iter().find_map(|path| match path.is_dir() {
        true => first_object(path),
        false => Some(path.clone()).filter(|p| p.file_name().is_some_and(|n| n != "zarr.json")),
    })
}

#[test]
fn consolidated_metadata_stays_within_its_store() {
    for key in ["../x/.zarray", "a//b/.zarray", "/etc/.zarray", "./.zarray"] {
        let folder = TempDir::new().unwrap();
        let text = format!("{{\"metadata\": {{\"{key}\": {{}}}}, \"zarr_consolidated_format\": 1}}");
        std::fs::write(folder.path().join(".zmetadata"), text).unwrap();
        let error = Container::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no place in a store"), "{error}");
    }
}

#[test]
fn what_is_no_store_is_told_from_one() {
    let folder = TempDir::new().unwrap();
    assert!(Container::open(folder.path()).is_err());
    let oracle = oracle();
    let path = unpack(&oracle["stores"]["v3"], folder.path());
    let container = Container::open(&path).unwrap();
    let error = container.source("nowhere").unwrap_err().to_string();
    assert!(error.contains("no variable nowhere"), "{error}");
    std::fs::write(path.join("scalar/zarr.json"), "{}").unwrap();
    assert!(Container::open(&path).unwrap_err().to_string().contains("scalar"));
}
