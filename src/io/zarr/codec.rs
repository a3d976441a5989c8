//! The steps from an array's elements to stored bytes, as metadata names them.
//!
//! The common steps are done here, between buffers that are kept. A chain with any other is left to the
//! crate `zarrs` ([`super::general`]).

use crate::io::blosc::{Blosc, Shuffle};
use serde_json::Value;

/// A step between bytes and bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Gzip(u8),
    Zlib(u8),
    Zstd {
        level: i32,
        checksum: bool,
    },
    Blosc(Blosc),
    /// A checksum of four bytes behind the data.
    Crc32c,
}

/// The steps of the chunks of an array (or of the chunks within its shards).
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Chain {
    /// Axis `i` of what is stored is axis `order[i]` of the array; `None` where none is moved.
    pub order: Option<Vec<usize>>,
    /// Whether numbers are stored big endian.
    pub swapped: bool,
    /// In the order in which they are done when a chunk is written.
    pub steps: Vec<Step>,
}

/// Chunks within a stored object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Shards {
    /// The shape of a chunk within.
    pub inner: Vec<usize>,
    /// The steps of a chunk within.
    pub chain: Chain,
    /// Whether the index stands before the chunks.
    pub index_first: bool,
    /// Whether a checksum stands behind the index.
    pub index_checksum: bool,
}

/// Why a chain is not one of ours: the step.
type Foreign = String;

impl Chain {
    /// The chain of the third version's `codecs`, and the shards where they are the one step.
    ///
    /// # Errors
    /// Names the first step that is none of ours.
    pub fn of_v3(codecs: &[Value], rank: usize, size: usize) -> Result<(Chain, Option<Shards>), Foreign> {
        let mut chain = Chain::default();
        let mut shards = None;
        let mut as_bytes = false;
        for codec in codecs {
            let (name, settings) = parts(codec);
            let foreign = || name.to_string();
            match name {
                "transpose" if !as_bytes => {
                    let order = permutation(&settings["order"], rank).ok_or_else(foreign)?;
                    chain.order = Some(match &chain.order {
                        None => order,
                        Some(before) => order.iter().map(|&a| before[a]).collect(),
                    });
                }
                "bytes" | "endian" if !as_bytes => {
                    as_bytes = true;
                    chain.swapped = settings["endian"] == "big";
                }
                // Texts: what they are made of is read by [`super::text`].
                "vlen-utf8" if !as_bytes => as_bytes = true,
                "sharding_indexed" if !as_bytes && codecs.len() == 1 => {
                    as_bytes = true;
                    shards = Some(Shards::of(settings, rank, size).ok_or_else(foreign)?);
                }
                _ if as_bytes && shards.is_none() => {
                    chain
                        .steps
                        .push(Step::of(name, settings, size, false).ok_or_else(foreign)?);
                }
                _ => return Err(foreign()),
            }
        }
        match as_bytes {
            true => Ok((chain.normal(), shards)),
            false => Err("nothing".to_string()),
        }
    }

    /// The chain of the second version's `order`, `filters` and `compressor`.
    ///
    /// # Errors
    /// As [`Chain::of_v3`].
    pub fn of_v2(
        filters: &[Value],
        compressor: &Value,
        fortran: bool,
        rank: usize,
        size: usize,
    ) -> Result<Chain, Foreign> {
        let mut chain = Chain {
            order: fortran.then(|| (0..rank).rev().collect()),
            ..Chain::default()
        };
        let given = (!compressor.is_null()).then_some(compressor);
        for codec in filters.iter().chain(given) {
            let name = codec["id"].as_str().unwrap_or_default();
            let step = Step::of(name, codec, size, true).ok_or_else(|| name.to_string())?;
            chain.steps.push(step);
        }
        Ok(chain.normal())
    }

    /// Without a move of axes that moves none.
    fn normal(mut self) -> Chain {
        self.order = self.order.filter(|o| o.iter().enumerate().any(|(i, &a)| i != a));
        self
    }
}

impl Shards {
    fn of(settings: &Value, rank: usize, size: usize) -> Option<Shards> {
        let inner = extents(&settings["chunk_shape"])?;
        let (chain, nested) = Chain::of_v3(settings["codecs"].as_array()?, rank, size).ok()?;
        let index = settings["index_codecs"].as_array()?;
        let index_checksum = match index.as_slice() {
            [bytes] if little(bytes) => false,
            [bytes, sum] if little(bytes) && parts(sum).0 == "crc32c" => true,
            _ => return None,
        };
        let index_first = match &settings["index_location"] {
            Value::Null => false,
            place => place == "start",
        };
        (nested.is_none() && inner.len() == rank && !inner.contains(&0)).then_some(Shards {
            inner,
            chain,
            index_first,
            index_checksum,
        })
    }
}

/// Whether a codec is `bytes` in little endian.
fn little(codec: &Value) -> bool {
    let (name, settings) = parts(codec);
    matches!(name, "bytes" | "endian") && settings["endian"] == "little"
}

/// The name and the settings of a codec of the third version.
pub(super) fn parts(codec: &Value) -> (&str, &Value) {
    let name = codec.as_str().or_else(|| codec["name"].as_str());
    (name.unwrap_or_default(), &codec["configuration"])
}

/// A list of extents.
pub(super) fn extents(value: &Value) -> Option<Vec<usize>> {
    let list = value.as_array()?.iter();
    list.map(|n| n.as_u64().and_then(|n| usize::try_from(n).ok()))
        .collect()
}

/// The order of a transpose, which is a permutation.
fn permutation(value: &Value, rank: usize) -> Option<Vec<usize>> {
    let order = match value.as_str() {
        Some("C") => (0..rank).collect(),
        Some("F") => (0..rank).rev().collect(),
        _ => extents(value)?,
    };
    let mut sorted = order.clone();
    sorted.sort_unstable();
    sorted.into_iter().eq(0..rank).then_some(order)
}

impl Step {
    /// A step by its name; `None` where it is none of ours. The versions differ in how they spell
    /// blosc's shuffle.
    pub fn of(name: &str, settings: &Value, size: usize, v2: bool) -> Option<Step> {
        let level = || match &settings["level"] {
            Value::Null => Some(1),
            level => level.as_i64(),
        };
        let small = || level().and_then(|n| u8::try_from(n).ok());
        let name = name.strip_prefix("numcodecs.").unwrap_or(name);
        Some(match name {
            "gzip" => Step::Gzip(small()?),
            "zlib" => Step::Zlib(small()?),
            "zstd" => Step::Zstd {
                level: level().and_then(|n| i32::try_from(n).ok())?,
                checksum: settings["checksum"] == true,
            },
            "crc32c" if !v2 => Step::Crc32c,
            "blosc" => {
                let shuffle = match (&settings["shuffle"], size) {
                    (Value::Number(n), _) if n.as_i64() == Some(-1) && size == 1 => Shuffle::Bits,
                    (Value::Number(n), _) if n.as_i64() == Some(-1) => Shuffle::Bytes,
                    (Value::Number(n), _) => match n.as_u64()? {
                        0 => Shuffle::None,
                        1 => Shuffle::Bytes,
                        2 => Shuffle::Bits,
                        _ => return None,
                    },
                    (Value::String(name), _) => match name.as_str() {
                        "noshuffle" => Shuffle::None,
                        "shuffle" => Shuffle::Bytes,
                        "bitshuffle" => Shuffle::Bits,
                        _ => return None,
                    },
                    _ => Shuffle::None,
                };
                let number = |key: &str, usual: usize| match &settings[key] {
                    Value::Null => Some(usual),
                    n => n.as_u64().and_then(|n| usize::try_from(n).ok()),
                };
                let level = u8::try_from(number("clevel", 5)?).ok().filter(|&n| n <= 9)?;
                let (type_size, block) = (number("typesize", size)?, number("blocksize", 0)?);
                let cname = settings["cname"].as_str().unwrap_or("lz4");
                Step::Blosc(Blosc::new(cname, level, shuffle, type_size, block)?)
            }
            _ => return None,
        })
    }

    /// The step as the third version's metadata has it.
    pub fn v3(self) -> Value {
        use serde_json::json;
        match self {
            Step::Gzip(level) => json!({"name": "gzip", "configuration": {"level": level}}),
            Step::Zlib(level) => json!({"name": "numcodecs.zlib", "configuration": {"level": level}}),
            Step::Zstd { level, checksum } => {
                json!({"name": "zstd", "configuration": {"level": level, "checksum": checksum}})
            }
            Step::Blosc(b) => json!({"name": "blosc", "configuration": {
                "cname": b.name(), "clevel": b.level, "typesize": b.type_size, "blocksize": b.block,
                "shuffle": b.shuffle.name(),
            }}),
            Step::Crc32c => json!({"name": "crc32c"}),
        }
    }

    /// The step as the second version's metadata has it.
    pub fn v2(self) -> Value {
        use serde_json::json;
        match self {
            Step::Gzip(level) => json!({"id": "gzip", "level": level}),
            Step::Zlib(level) => json!({"id": "zlib", "level": level}),
            Step::Zstd { level, checksum } => {
                json!({"id": "zstd", "level": level, "checksum": checksum})
            }
            Step::Blosc(b) => json!({"id": "blosc", "cname": b.name(), "clevel": b.level,
                "shuffle": b.shuffle as u8, "blocksize": b.block}),
            Step::Crc32c => json!({"id": "crc32c"}),
        }
    }
}

/// A codec in a few characters, as in `blosc(zstd,5,shuffle)`.
pub(super) fn shown(codec: &Value) -> Option<String> {
    let (name, settings) = match codec["id"].as_str() {
        Some(id) => (id, codec),
        None => parts(codec),
    };
    let plain = name.strip_prefix("numcodecs.").unwrap_or(name);
    Some(match plain {
        "bytes" | "endian" | "vlen-utf8" => return None,
        "blosc" => {
            let shuffle = match &settings["shuffle"] {
                Value::Number(n) => match n.as_i64() {
                    Some(0) => "noshuffle",
                    Some(2) => "bitshuffle",
                    _ => "shuffle",
                },
                text => text.as_str().unwrap_or("noshuffle"),
            };
            let cname = settings["cname"].as_str().unwrap_or("lz4");
            format!("blosc({cname},{},{shuffle})", settings["clevel"])
        }
        "sharding_indexed" => {
            let codecs = settings["codecs"].as_array().map_or(&[][..], |c| c);
            let within: Vec<String> = codecs.iter().filter_map(shown).collect();
            format!("shards({})", within.join(","))
        }
        "transpose" => format!("transpose({})", listed(&settings["order"])),
        _ => match &settings["level"] {
            Value::Null => plain.to_string(),
            level => format!("{plain}({level})"),
        },
    })
}

fn listed(order: &Value) -> String {
    let text = order.to_string();
    text.trim_matches(['[', ']', '"']).to_string()
}
