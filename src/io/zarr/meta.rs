//! The metadata of one array, of either version of the format, in the same words.

use super::codec::{Chain, Shards, extents, parts, shown};
use super::elements::{Elements, Found, fill_value};
use super::xarray::{DIMENSIONS, decode_fill};
use super::{files::join, json};
use crate::geometry::checked_bytes;
use crate::io::catalog::Attributes;
use crate::{DType, Error, Result, Scalar};
use serde_json::{Map, Value};
use std::path::Path;

/// What an array's metadata says.
#[derive(Clone, Debug)]
pub(super) struct ArrayMeta {
    /// Its folder in the store, `""` for the root.
    pub folder: String,
    /// 2 or 3.
    pub version: u8,
    pub shape: Vec<usize>,
    /// The shape of what one stored object holds, a chunk or a shard.
    pub grid: Vec<usize>,
    pub elements: Elements,
    pub route: Route,
    /// One element never written, little endian; empty for texts.
    pub fill: Vec<u8>,
    /// The same where it is declared and a number.
    pub declared: Option<Scalar>,
    /// Its text.
    pub text_fill: String,
    pub keys: Keys,
    /// The names of the dimensions, where there are any.
    pub names: Option<Vec<Option<String>>>,
    pub attributes: Attributes,
    /// The codecs as the catalog shows them.
    pub codecs: String,
    pub note: Option<String>,
    /// The metadata itself.
    pub json: Map<String, Value>,
}

/// How stored objects become elements.
#[derive(Clone, Debug)]
pub(super) enum Route {
    /// By steps of ours.
    Own(Chain, Option<Shards>),
    /// By the crate `zarrs`, because of that codec.
    General(String),
    /// Not at all, and why.
    Refused(String),
}

/// How the keys of chunks are spelt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Keys {
    /// Whether `c` stands before the numbers.
    pub prefixed: bool,
    pub separator: char,
}

impl Keys {
    /// The key of a chunk below its array.
    pub fn key(self, at: &[usize]) -> String {
        let mut key = String::from(if self.prefixed { "c" } else { "" });
        for number in at {
            if !key.is_empty() {
                key.push(self.separator);
            }
            key += &number.to_string();
        }
        if key.is_empty() {
            key.push('0');
        }
        key
    }
}

impl ArrayMeta {
    /// The shape of the smallest piece that can be read: a chunk, or a chunk within a shard.
    pub fn chunk(&self) -> &[usize] {
        match &self.route {
            Route::Own(_, Some(shards)) => &shards.inner,
            _ => &self.grid,
        }
    }

    /// The key of a stored object in the store.
    pub fn key(&self, at: &[usize]) -> String {
        join(&self.folder, &self.keys.key(at))
    }

    /// Reads the metadata of the array in a folder; `attributes` are those of `.zattrs`.
    ///
    /// # Errors
    /// When it contradicts itself, or is of no version known.
    pub fn parse(
        location: &Path,
        folder: &str,
        json: Map<String, Value>,
        attributes: Option<&Map<String, Value>>,
    ) -> Result<ArrayMeta> {
        let error = |reason: String| {
            let name = if folder.is_empty() { "the array" } else { folder };
            Error::format(location, format!("{name}: {reason}"))
        };
        let value = |key: &str| json.get(key).unwrap_or(&Value::Null);
        let version = match value("zarr_format").as_u64() {
            Some(2) => 2,
            Some(3) => 3,
            _ => {
                return Err(error(format!(
                    "its version {} is neither 2 nor 3",
                    value("zarr_format")
                )));
            }
        };
        let shape =
            extents(value("shape")).ok_or_else(|| error(format!("its shape {} is none", value("shape"))))?;
        let found = match version {
            2 => Elements::of_v2(value("dtype")),
            _ => Elements::of_v3(value("data_type")),
        };
        let parsed = match version {
            2 => v2(&json, shape.len(), &found),
            _ => v3(&json, shape.len(), &found),
        };
        let (grid, keys, mut route, codecs) = parsed.map_err(error)?;
        if grid.len() != shape.len() || grid.contains(&0) {
            return Err(error(format!(
                "its chunks {grid:?} do not fit its shape {shape:?}"
            )));
        }
        let size = found.elements.size().unwrap_or(1);
        checked_bytes(&shape, size.max(16)).map_err(|e| error(e.to_string()))?;
        checked_bytes(&grid, size.max(16)).map_err(|e| error(format!("chunks: {e}")))?;
        if let Route::Own(_, Some(shards)) = &route
            && grid.iter().zip(&shards.inner).any(|(s, c)| s % c != 0)
        {
            return Err(error(format!(
                "its shards {grid:?} are not whole chunks of {:?}",
                shards.inner
            )));
        }
        let given = match version {
            2 => attributes,
            _ => value("attributes").as_object(),
        };
        let empty = Map::new();
        let mut attributes = json::attributes(given.unwrap_or(&empty));
        let names = match version {
            2 => {
                attributes.remove(DIMENSIONS);
                given.and_then(|g| g.get(DIMENSIONS)).and_then(names_of)
            }
            _ => names_of(value("dimension_names")),
        };
        let (mut fill, mut declared, mut text_fill) = (Vec::new(), None, String::new());
        let stored_fill = value("fill_value");
        match &found.elements {
            Elements::Number(dtype) => {
                fill = vec![0; dtype.size()];
                if !stored_fill.is_null() {
                    match fill_value(stored_fill, *dtype) {
                        Ok(scalar) => {
                            fill = scalar.bytes();
                            declared = Some(scalar);
                        }
                        Err(reason) => route = Route::Refused(reason),
                    }
                }
                decode_fill(&mut attributes, *dtype, version, declared);
            }
            Elements::Other(what) => {
                route = Route::Refused(format!(
                    "it holds {what} elements, which are neither numbers nor text"
                ));
            }
            _ => text_fill = stored_fill.as_str().unwrap_or_default().to_string(),
        }
        let names = names.filter(|n| n.len() == shape.len());
        Ok(ArrayMeta {
            folder: folder.to_string(),
            version,
            shape,
            grid,
            elements: found.elements,
            route,
            fill,
            declared,
            text_fill,
            keys,
            names,
            attributes,
            codecs,
            note: found.note,
            json,
        })
    }
}

/// The names of dimensions, some of which may lack one.
fn names_of(value: &Value) -> Option<Vec<Option<String>>> {
    let name = |v: &Value| v.as_str().filter(|n| !n.is_empty()).map(str::to_string);
    Some(value.as_array()?.iter().map(name).collect())
}

type Parsed = Result<(Vec<usize>, Keys, Route, String), String>;

/// Ours, the crate's, or none: by whether our steps cover the chain, and what the elements are.
fn route(own: Result<(Chain, Option<Shards>), String>, elements: &Elements) -> Route {
    match (own, elements) {
        (Ok((chain, shards)), _) => Route::Own(chain, shards),
        (Err(codec), Elements::Number(_)) => Route::General(codec),
        (Err(codec), _) => Route::Refused(format!(
            "its texts are stored with the codec {codec}, which is not read"
        )),
    }
}

fn v2(json: &Map<String, Value>, rank: usize, found: &Found) -> Parsed {
    let value = |key: &str| json.get(key).unwrap_or(&Value::Null);
    let grid = extents(value("chunks")).ok_or_else(|| format!("its chunks {} are none", value("chunks")))?;
    let separator = match value("dimension_separator").as_str() {
        Some("/") => '/',
        _ => '.',
    };
    let keys = Keys {
        prefixed: false,
        separator,
    };
    let mut filters: Vec<Value> = value("filters").as_array().cloned().unwrap_or_default();
    let compressor = value("compressor");
    let codecs: Vec<String> = filters
        .iter()
        .chain([compressor])
        .filter(|c| !c.is_null())
        .filter_map(shown)
        .collect();
    let texts = found.elements == Elements::Text;
    if texts {
        match filters.first().map(|f| f["id"].as_str().unwrap_or_default()) {
            Some("vlen-utf8") => drop(filters.remove(0)),
            other => {
                let how = other.map_or("no codec".to_string(), |o| format!("the codec {o}"));
                let why = format!("it holds Python objects stored with {how}: only vlen-utf8 is read");
                return Ok((grid, keys, Route::Refused(why), codecs.join(",")));
            }
        }
    }
    let size = found.elements.size().unwrap_or(1);
    let own = Chain::of_v2(&filters, compressor, value("order") == "F", rank, size);
    let own = own.map(|mut chain| {
        chain.swapped = found.swapped;
        (chain, None)
    });
    Ok((grid, keys, route(own, &found.elements), codecs.join(",")))
}

/// The members of a third version's array that are understood.
const MEMBERS: [&str; 12] = [
    "zarr_format",
    "node_type",
    "shape",
    "data_type",
    "chunk_grid",
    "chunk_key_encoding",
    "fill_value",
    "codecs",
    "attributes",
    "dimension_names",
    "storage_transformers",
    "consolidated_metadata",
];

fn v3(json: &Map<String, Value>, rank: usize, found: &Found) -> Parsed {
    let value = |key: &str| json.get(key).unwrap_or(&Value::Null);
    let (grid_name, grid_settings) = parts(value("chunk_grid"));
    if grid_name != "regular" {
        return Err(format!(
            "its chunks form a grid called {grid_name:?}, and only regular ones are read"
        ));
    }
    let chunk_shape = &grid_settings["chunk_shape"];
    let grid = extents(chunk_shape).ok_or_else(|| format!("its chunks {chunk_shape} are none"))?;
    let (style, style_settings) = parts(value("chunk_key_encoding"));
    let keys = match (style, style_settings["separator"].as_str()) {
        ("default", separator) => Keys {
            prefixed: true,
            separator: if separator == Some(".") { '.' } else { '/' },
        },
        ("v2", separator) => Keys {
            prefixed: false,
            separator: if separator == Some("/") { '/' } else { '.' },
        },
        _ => {
            return Err(format!(
                "the keys of its chunks are spelt {style:?}, which is not known"
            ));
        }
    };
    let codecs = value("codecs").as_array().map_or(&[][..], |c| c);
    let names: Vec<String> = codecs.iter().filter_map(shown).collect();
    let size = found.elements.size().unwrap_or(1);
    let mut route = route(Chain::of_v3(codecs, rank, size), &found.elements);
    let must = |v: &Value| v["must_understand"] != false;
    let strange = json
        .iter()
        .find(|(k, v)| !MEMBERS.contains(&k.as_str()) && must(v));
    if let Some((key, _)) = strange {
        route = Route::Refused(format!("its metadata has a member {key}, which is not known"));
    }
    if value("storage_transformers")
        .as_array()
        .is_some_and(|t| !t.is_empty())
    {
        route = Route::Refused("it has storage transformers, which are not known".to_string());
    }
    Ok((grid, keys, route, names.join(",")))
}

/// The dtype of an array of numbers.
pub(super) fn number(meta: &ArrayMeta) -> Option<DType> {
    match meta.elements {
        Elements::Number(dtype) => Some(dtype),
        _ => None,
    }
}
