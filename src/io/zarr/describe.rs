//! The metadata of a store to be written, of either version.

use super::codec::Step;
use super::elements::fill_json;
use super::json;
use super::xarray::{DIMENSIONS, FILL, encode_fill};
use crate::io::blosc::{Blosc, MOST, Shuffle};
use crate::io::catalog::{AttrValue, Attributes, VarType};
use crate::io::spec::{Codec, Compression, FileSpec, VariableSpec};
use crate::{DType, Error, Result, Scalar};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Bytes of a chunk where nobody says its shape, at most.
const CHOSEN_CHUNK: usize = 8 << 20;

/// The version of the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    Two,
    Three,
}

/// One array to be written.
#[derive(Clone, Debug)]
pub(super) struct Described {
    /// Its folder in the store.
    pub folder: String,
    /// Its metadata.
    pub json: Map<String, Value>,
    /// Its attributes, where they stand apart.
    pub attributes: Map<String, Value>,
}

/// The folder of a variable called `name`, `/group/name` below the root.
///
/// # Errors
/// For a name that is none in a store.
pub(super) fn folder_of(name: &str) -> Result<String> {
    let folder = name.strip_prefix('/').unwrap_or(name);
    let bad = |part: &str| matches!(part, "" | "." | "..") || super::files::is_metadata(part);
    match folder.split('/').any(bad) {
        true => Err(Error::invalid(format!(
            "{name:?} is no name for a variable of a Zarr store"
        ))),
        false => Ok(folder.to_string()),
    }
}

/// The dimensions of a variable as the store has them: those of characters are texts, one less.
pub(super) fn stored_dims(spec: &FileSpec, variable: &VariableSpec) -> Result<Vec<usize>> {
    let mut dims = spec.dims_of(variable)?;
    if variable.dtype == VarType::Char {
        dims.pop();
    }
    Ok(dims)
}

/// The arrays of a description.
///
/// # Errors
/// When it contradicts itself, or the format does not have what it asks for.
pub(super) fn arrays(spec: &FileSpec, version: Version) -> Result<Vec<Described>> {
    spec.check()?;
    let described = spec.variables.iter().map(|v| array(spec, v, version));
    let described: Vec<Described> = described.collect::<Result<_>>()?;
    for one in &described {
        let below = format!("{}/", one.folder);
        if let Some(other) = described.iter().find(|d| d.folder.starts_with(&below)) {
            return Err(Error::invalid(format!(
                "{} is a variable and cannot hold another, {}",
                one.folder, other.folder
            )));
        }
    }
    Ok(described)
}

fn array(spec: &FileSpec, variable: &VariableSpec, version: Version) -> Result<Described> {
    let name = &variable.name;
    let wrong = |reason: String| Error::invalid(format!("variable {name}: {reason}"));
    let dims = stored_dims(spec, variable)?;
    let shape: Vec<usize> = dims.iter().map(|&d| spec.dims[d].len).collect();
    let names: Vec<&str> = dims.iter().map(|&d| base(&spec.dims[d].name)).collect();
    let dtype = match variable.dtype {
        VarType::Numeric(dtype) => Some(dtype),
        _ => None,
    };
    let size = dtype.map_or(1, DType::size);
    let grows: Vec<bool> = dims.iter().map(|&d| spec.dims[d].unlimited).collect();
    let (chunks, shards) = grid(variable, &shape, &grows, dtype.map_or(16, DType::size));
    if let Some(Compression {
        codec: Codec::BloscLz4(_) | Codec::BloscZstd(_),
        ..
    }) = variable.compression
        && chunks.iter().product::<usize>().saturating_mul(size) > MOST
    {
        return Err(wrong(format!(
            "chunks of shape {chunks:?} are larger than blosc takes: make them smaller"
        )));
    }
    let step = variable
        .compression
        .map(|c| step(c, version, size))
        .transpose()
        .map_err(wrong)?;
    let mut attributes = variable.attributes.clone();
    let own = attributes.remove(FILL);
    let fill = variable
        .fill
        .or_else(|| own.as_ref().and_then(|v| v.scalar(dtype?)));
    let mut attributes = json::object_of(&attributes);
    let folder = folder_of(name)?;
    let json = match version {
        Version::Two => {
            if shards.is_some() {
                return Err(wrong("the second version of Zarr has no shards".to_string()));
            }
            attributes.insert(DIMENSIONS.to_string(), json!(names));
            v2(&shape, &chunks, dtype, fill, step).map_err(wrong)?
        }
        Version::Three => {
            if let Some(fill) = fill {
                encode_fill(&mut attributes, fill);
            }
            let mut json = v3(&shape, &chunks, shards.as_deref(), dtype, fill, step);
            json.insert("dimension_names".to_string(), json!(names));
            json.insert(
                "attributes".to_string(),
                Value::Object(std::mem::take(&mut attributes)),
            );
            json
        }
    };
    Ok(Described {
        folder,
        json,
        attributes,
    })
}

/// The last part of a name.
fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The chunks of a variable and its shards, not larger than it where it cannot grow.
fn grid(
    variable: &VariableSpec,
    shape: &[usize],
    grows: &[bool],
    size: usize,
) -> (Vec<usize>, Option<Vec<usize>>) {
    let whole: Vec<usize> = shape.iter().map(|&n| n.max(1)).collect();
    // Of characters the last axis is within the texts.
    let given = |of: &Option<Vec<usize>>| of.as_ref().map(|c| c[..shape.len()].to_vec());
    let Some(mut chunks) = given(&variable.chunks) else {
        let mut chunks = whole;
        while chunks.iter().product::<usize>().saturating_mul(size) > CHOSEN_CHUNK {
            let Some(axis) = chunks.iter().position(|&n| n > 1) else {
                break;
            };
            chunks[axis] = chunks[axis].div_ceil(2);
        }
        return (chunks, None);
    };
    match given(&variable.shards) {
        None => {
            for axis in (0..chunks.len()).filter(|&a| !grows[a]) {
                chunks[axis] = chunks[axis].min(whole[axis]);
            }
            (chunks, None)
        }
        Some(mut shards) => {
            for axis in (0..chunks.len()).filter(|&a| !grows[a]) {
                shards[axis] = shards[axis].min(whole[axis].next_multiple_of(chunks[axis]));
            }
            (chunks, Some(shards))
        }
    }
}

/// The step that compresses.
fn step(compression: Compression, version: Version, size: usize) -> Result<Step, String> {
    let blosc = |name: &str, level: u8| {
        let shuffle = match compression.shuffle && size > 1 {
            true => Shuffle::Bytes,
            false => Shuffle::None,
        };
        Blosc::new(name, level, shuffle, size, 0)
            .map(Step::Blosc)
            .ok_or_else(|| format!("blosc has no {name}"))
    };
    match compression.codec {
        Codec::Deflate(level) if version == Version::Two => Ok(Step::Zlib(level)),
        Codec::Deflate(level) => Ok(Step::Gzip(level)),
        Codec::Zstd(level) => Ok(Step::Zstd {
            level: i32::from(level),
            checksum: false,
        }),
        Codec::BloscLz4(level) => blosc("lz4", level),
        Codec::BloscZstd(level) => blosc("zstd", level),
    }
}

fn v2(
    shape: &[usize],
    chunks: &[usize],
    dtype: Option<DType>,
    fill: Option<Scalar>,
    step: Option<Step>,
) -> Result<Map<String, Value>, String> {
    let name = match dtype {
        Some(dtype) => dtype
            .info()
            .npy
            .ok_or_else(|| format!("the second version of Zarr has no {dtype}"))?,
        None => "|O",
    };
    let fill = match (dtype, fill) {
        // xarray takes any other for the value of missing texts.
        (None, _) => Value::Null,
        (_, Some(fill)) if fill.to_f64().is_nan() && !fill.dtype().is_complex() => json!("NaN"),
        (_, Some(fill)) => fill_json(fill),
        (_, None) => Value::Null,
    };
    let filters = match dtype {
        Some(_) => Value::Null,
        None => json!([{"id": "vlen-utf8"}]),
    };
    Ok(members([
        ("zarr_format", json!(2)),
        ("shape", json!(shape)),
        ("chunks", json!(chunks)),
        ("dtype", json!(name)),
        ("compressor", step.map_or(Value::Null, Step::v2)),
        ("fill_value", fill),
        ("order", json!("C")),
        ("filters", filters),
        ("dimension_separator", json!(".")),
    ]))
}

fn v3(
    shape: &[usize],
    chunks: &[usize],
    shards: Option<&[usize]>,
    dtype: Option<DType>,
    fill: Option<Scalar>,
    step: Option<Step>,
) -> Map<String, Value> {
    let bytes = match dtype {
        None => json!({"name": "vlen-utf8"}),
        Some(dtype) if dtype.size() == 1 => json!({"name": "bytes"}),
        Some(_) => json!({"name": "bytes", "configuration": {"endian": "little"}}),
    };
    let mut codecs = vec![bytes];
    codecs.extend(step.map(Step::v3));
    if shards.is_some() {
        let index = json!([{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]);
        codecs = vec![json!({"name": "sharding_indexed", "configuration": {
            "chunk_shape": chunks, "codecs": codecs, "index_codecs": index, "index_location": "end",
        }})];
    }
    let usual = || match dtype {
        None => json!(""),
        Some(dtype) => fill_json(Scalar::from_bytes(dtype, &[0; 16])),
    };
    members([
        ("zarr_format", json!(3)),
        ("node_type", json!("array")),
        ("shape", json!(shape)),
        ("data_type", json!(dtype.map_or("string", DType::name))),
        (
            "chunk_grid",
            json!({"name": "regular", "configuration": {"chunk_shape": shards.unwrap_or(chunks)}}),
        ),
        (
            "chunk_key_encoding",
            json!({"name": "default", "configuration": {"separator": "/"}}),
        ),
        ("fill_value", fill.map_or_else(usual, fill_json)),
        ("codecs", Value::Array(codecs)),
    ])
}

fn members<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_string(), value))
        .collect()
}

/// The groups of a store by folder, with the attributes of each: those of the file called
/// `/group/name` are the group's.
pub(super) fn groups(arrays: &[Described], attributes: &Attributes) -> BTreeMap<String, Attributes> {
    let mut groups = BTreeMap::from([(String::new(), Attributes::new())]);
    for array in arrays {
        let mut folder = array.folder.as_str();
        while let Some((group, _)) = folder.rsplit_once('/') {
            groups.entry(group.to_string()).or_default();
            folder = group;
        }
    }
    for (name, value) in attributes.iter() {
        let place = name.strip_prefix('/').and_then(|n| n.rsplit_once('/'));
        let (group, own) = place
            .filter(|(group, _)| groups.contains_key(*group))
            .unwrap_or(("", name));
        let value: AttrValue = value.clone();
        groups.entry(group.to_string()).or_default().set(own, value);
    }
    groups
}

/// The objects of metadata of a store and their content, the consolidated ones included.
pub(super) fn objects(
    version: Version,
    arrays: &[Described],
    attributes: &Attributes,
) -> Vec<(String, Value)> {
    let groups = groups(arrays, attributes);
    let mut out = Vec::new();
    let key = super::files::join;
    match version {
        Version::Two => {
            let mut all = Map::new();
            for (folder, attributes) in &groups {
                all.insert(key(folder, ".zattrs"), Value::Object(json::object_of(attributes)));
                all.insert(key(folder, ".zgroup"), json!({"zarr_format": 2}));
            }
            for array in arrays {
                all.insert(key(&array.folder, ".zarray"), Value::Object(array.json.clone()));
                all.insert(
                    key(&array.folder, ".zattrs"),
                    Value::Object(array.attributes.clone()),
                );
            }
            out.extend(all.iter().map(|(k, v)| (k.clone(), v.clone())));
            out.push((
                ".zmetadata".to_string(),
                json!({"metadata": all, "zarr_consolidated_format": 1}),
            ));
        }
        Version::Three => {
            let group = |attributes: &Attributes| json!({"zarr_format": 3, "node_type": "group", "attributes": json::object_of(attributes)});
            let mut all = Map::new();
            for (folder, attributes) in groups.iter().filter(|(folder, _)| !folder.is_empty()) {
                all.insert(folder.clone(), group(attributes));
            }
            for array in arrays {
                all.insert(array.folder.clone(), Value::Object(array.json.clone()));
            }
            out.extend(
                all.iter()
                    .map(|(folder, v)| (key(folder, "zarr.json"), v.clone())),
            );
            let mut root = group(&groups[""]);
            root["consolidated_metadata"] =
                json!({"kind": "inline", "must_understand": false, "metadata": all});
            out.push(("zarr.json".to_string(), root));
        }
    }
    out
}
