//! What a file to be written shall hold, in words that no format owns.
//!
//! Every writer takes the same description, so that converting and computing do not care where the
//! result goes.

use super::catalog::{Attributes, Catalog, Dim, VarType};
use crate::{Error, Result};
use std::collections::HashSet;
use tilewise_kernels::Scalar;

/// A file to be written.
#[derive(Clone, Debug, Default)]
pub struct FileSpec {
    /// Its dimensions.
    pub dims: Vec<Dim>,
    /// Its variables, in the order in which they are to be listed.
    pub variables: Vec<VariableSpec>,
    /// The attributes of the file itself.
    pub attributes: Attributes,
}

/// A general compressor with its level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    /// zlib (gzip in Zarr), level 1 to 9.
    Deflate(u8),
    /// Zstandard, level 1 to 22.
    Zstd(u8),
    /// Blosc with LZ4 inside, level 1 to 9.
    BloscLz4(u8),
    /// Blosc with Zstandard inside, level 1 to 9.
    BloscZstd(u8),
}

/// How chunks are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compression {
    /// The compressor.
    pub codec: Codec,
    /// Whether the bytes of elements are grouped before, which helps with numbers.
    pub shuffle: bool,
}

/// A codec's name, its usual and its highest level, and how a level makes it.
type CodecRow = (&'static str, u8, u8, fn(u8) -> Codec);

impl Codec {
    /// The codecs by name.
    const NAMES: [CodecRow; 4] = [
        ("deflate", 4, 9, Codec::Deflate),
        ("zstd", 3, 22, Codec::Zstd),
        ("blosc-lz4", 5, 9, Codec::BloscLz4),
        ("blosc-zstd", 3, 9, Codec::BloscZstd),
    ];

    /// The level.
    pub fn level(self) -> u8 {
        match self {
            Codec::Deflate(n) | Codec::Zstd(n) | Codec::BloscLz4(n) | Codec::BloscZstd(n) => n,
        }
    }

    /// Its name without the level.
    pub fn name(self) -> &'static str {
        Codec::NAMES[match self {
            Codec::Deflate(_) => 0,
            Codec::Zstd(_) => 1,
            Codec::BloscLz4(_) => 2,
            Codec::BloscZstd(_) => 3,
        }]
        .0
    }

    fn check(self) -> Result<()> {
        let most = Codec::NAMES
            .iter()
            .find(|n| n.0 == self.name())
            .map_or(9, |n| n.2);
        match self.level() {
            level if (1..=most).contains(&level) => Ok(()),
            level => Err(Error::invalid(format!(
                "{} level {level} is not within 1 to {most}",
                self.name()
            ))),
        }
    }
}

impl Compression {
    /// deflate with shuffle, which every reader of NetCDF-4 has.
    pub fn deflate(level: u8) -> Compression {
        Compression {
            codec: Codec::Deflate(level),
            shuffle: true,
        }
    }

    /// The compression that a text names: `none`, or a codec with a level, as in `zstd:3` (without
    /// one a usual level), always with shuffle.
    ///
    /// # Errors
    /// For any other text; lists the codecs.
    pub fn parse(text: &str) -> Result<Option<Compression>> {
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (text, None),
        };
        if name == "none" && level.is_none() {
            return Ok(None);
        }
        let wrong = || {
            let names: Vec<String> = Codec::NAMES
                .iter()
                .map(|n| format!("{}:1-{}", n.0, n.2))
                .collect();
            Error::invalid(format!("codec {text:?} is none of none, {}", names.join(", ")))
        };
        let &(_, usual, _, make) = Codec::NAMES.iter().find(|n| n.0 == name).ok_or_else(wrong)?;
        let level = match level {
            Some(level) => level.parse::<u8>().map_err(|_| wrong())?,
            None => usual,
        };
        let codec = make(level);
        codec.check()?;
        Ok(Some(Compression { codec, shuffle: true }))
    }
}

/// A variable to be written.
#[derive(Clone, Debug)]
pub struct VariableSpec {
    /// Its name.
    pub name: String,
    /// The names of its dimensions, which give its shape.
    pub dims: Vec<String>,
    /// What its elements are; [`VarType::Other`] cannot be written.
    pub dtype: VarType,
    /// The shape of its chunks; `None` lets the writer choose: one piece where nothing is
    /// compressed and nothing can grow.
    pub chunks: Option<Vec<usize>>,
    /// How its chunks are compressed; `None` stores them as they are.
    pub compression: Option<Compression>,
    /// The shape of its shards, whole chunks each, where the format has shards; `None` for none.
    pub shards: Option<Vec<usize>>,
    /// The value of missing elements, an element of its dtype; written as `_FillValue`.
    pub fill: Option<Scalar>,
    /// Its other attributes.
    pub attributes: Attributes,
}

impl VariableSpec {
    /// An uncompressed variable without attributes.
    pub fn new(name: impl Into<String>, dims: &[&str], dtype: VarType) -> VariableSpec {
        VariableSpec {
            name: name.into(),
            dims: dims.iter().map(|d| d.to_string()).collect(),
            dtype,
            chunks: None,
            compression: None,
            shards: None,
            fill: None,
            attributes: Attributes::new(),
        }
    }

    /// The fill value that it declares, by `fill` or by an attribute; `None` for text.
    pub(crate) fn declared_fill(&self) -> Result<Option<Scalar>, String> {
        let VarType::Numeric(dtype) = self.dtype else {
            return Ok(None);
        };
        match (self.fill, self.attributes.get("_FillValue")) {
            (Some(fill), _) => Ok(Some(fill)),
            (None, None) => Ok(None),
            (None, Some(value)) => value
                .scalar(dtype)
                .map(Some)
                .ok_or_else(|| format!("variable {}: its _FillValue {value:?} is no {dtype}", self.name)),
        }
    }
}

impl FileSpec {
    /// Bytes of the numbers that are stored as they are, without compression.
    pub(crate) fn plain_bytes(&self) -> u64 {
        let plain = self.variables.iter().filter(|v| v.compression.is_none());
        let bytes = plain.map(|variable| {
            let dims = self.dims_of(variable).unwrap_or_default();
            let elements = dims
                .iter()
                .fold(1u64, |n, &d| n.saturating_mul(self.dims[d].len as u64));
            match &variable.dtype {
                VarType::Numeric(dtype) => elements.saturating_mul(dtype.size() as u64),
                _ => 0,
            }
        });
        bytes.fold(0, u64::saturating_add)
    }

    /// A file with the dimensions, variables and attributes of `catalog`, uncompressed, with its
    /// chunks.
    pub fn like(catalog: &Catalog) -> FileSpec {
        let variables = catalog.variables.iter().map(|v| VariableSpec {
            name: v.name.clone(),
            dims: v.dims.clone(),
            dtype: v.dtype.clone(),
            chunks: v.chunks.clone(),
            compression: None,
            shards: None,
            fill: None,
            attributes: v.attributes.clone(),
        });
        FileSpec {
            dims: catalog.dims.clone(),
            variables: variables.collect(),
            attributes: catalog.attributes.clone(),
        }
    }

    /// The dimensions of a variable.
    ///
    /// # Errors
    /// When one of them is not described.
    pub(crate) fn dims_of(&self, variable: &VariableSpec) -> Result<Vec<usize>> {
        let number = |name: &String| {
            self.dims.iter().position(|d| d.name == *name).ok_or_else(|| {
                let known: Vec<&str> = self.dims.iter().map(|d| d.name.as_str()).collect();
                Error::invalid(format!(
                    "variable {} has a dimension {name} that the file has not: it has {}",
                    variable.name,
                    known.join(", ")
                ))
            })
        };
        variable.dims.iter().map(number).collect()
    }

    /// Checks what every format asks: names are unique and not empty, dimensions known, shapes of
    /// chunks and dtypes of fill values fitting.
    ///
    /// # Errors
    /// Names the first offender.
    pub(crate) fn check(&self) -> Result<()> {
        unique("dimension", self.dims.iter().map(|d| d.name.as_str()))?;
        unique("variable", self.variables.iter().map(|v| v.name.as_str()))?;
        for variable in &self.variables {
            let (name, dims) = (&variable.name, self.dims_of(variable)?);
            let shape: Vec<usize> = dims.iter().map(|&d| self.dims[d].len).collect();
            crate::geometry::checked_bytes(&shape, 16)?;
            if let Some(chunks) = &variable.chunks
                && (chunks.len() != shape.len() || chunks.contains(&0))
            {
                return Err(Error::invalid(format!(
                    "variable {name}: chunks {chunks:?} do not fit its shape {shape:?}"
                )));
            }
            if let Some(compression) = variable.compression {
                compression
                    .codec
                    .check()
                    .map_err(|e| Error::invalid(format!("variable {name}: {e}")))?;
            }
            if let Some(shards) = &variable.shards {
                let fitting = |chunks: &Vec<usize>| {
                    shards.len() == chunks.len()
                        && shards.iter().zip(chunks).all(|(s, c)| *s > 0 && s % c == 0)
                };
                if !variable.chunks.as_ref().is_some_and(fitting) {
                    return Err(Error::invalid(format!(
                        "variable {name}: shards {shards:?} are not whole chunks of {:?}",
                        variable.chunks
                    )));
                }
            }
            match (&variable.dtype, variable.fill) {
                (VarType::Other(what), _) => {
                    return Err(Error::invalid(format!(
                        "variable {name}: elements of type {what} cannot be written"
                    )));
                }
                (VarType::Numeric(dtype), Some(fill)) if fill.dtype() != *dtype => {
                    return Err(Error::invalid(format!(
                        "variable {name} is {dtype}, its fill value {}",
                        fill.dtype()
                    )));
                }
                (VarType::Text | VarType::Char, Some(_)) => {
                    return Err(Error::invalid(format!(
                        "variable {name} is text and has no fill value"
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Checks that names are given and differ.
fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        let base = name.rsplit('/').next().unwrap_or(name);
        if base.is_empty() || name.contains('\0') {
            return Err(Error::invalid(format!("{name:?} is no name for a {what}")));
        }
        if !seen.insert(name) {
            return Err(Error::invalid(format!("there are two {what}s called {name}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    fn file() -> FileSpec {
        let x = Dim {
            name: "x".into(),
            len: 3,
            unlimited: false,
        };
        let v = VariableSpec::new("v", &["x"], VarType::Numeric(DType::F32));
        FileSpec {
            dims: vec![x],
            variables: vec![v],
            attributes: Attributes::new(),
        }
    }

    #[test]
    fn codecs_are_parsed() {
        let parsed = |text| Compression::parse(text).map(|c| c.map(|c| c.codec));
        assert_eq!(parsed("none").unwrap(), None);
        assert_eq!(parsed("deflate").unwrap(), Some(Codec::Deflate(4)));
        assert_eq!(parsed("zstd:19").unwrap(), Some(Codec::Zstd(19)));
        assert_eq!(parsed("blosc-lz4:5").unwrap(), Some(Codec::BloscLz4(5)));
        for bad in ["", "lzma", "zstd:", "zstd:0", "zstd:23", "deflate:-1", "none:1"] {
            let error = parsed(bad).unwrap_err().to_string();
            assert!(
                error.contains("deflate") || error.contains("zstd"),
                "{bad}: {error}"
            );
        }
    }

    /// A change to a good description, and what its error says.
    type Fault = (fn(&mut FileSpec), &'static str);

    #[test]
    fn faults_are_named() {
        assert!(file().check().is_ok());
        let faults: [Fault; 9] = [
            (|f| f.variables[0].dims = vec!["y".into()], "dimension y"),
            (|f| f.variables[0].chunks = Some(vec![2, 2]), "chunks [2, 2]"),
            (|f| f.variables[0].chunks = Some(vec![0]), "chunks [0]"),
            (
                |f| f.variables[0].compression = Some(Compression::deflate(12)),
                "level 12",
            ),
            (|f| f.variables[0].shards = Some(vec![2]), "shards [2]"),
            (
                |f| f.variables[0].fill = Some(Scalar::new(1i32)),
                "fill value int32",
            ),
            (
                |f| f.variables[0].dtype = VarType::Other("compound".into()),
                "compound",
            ),
            (|f| f.variables.push(f.variables[0].clone()), "two variables"),
            (|f| f.dims[0].name.clear(), "no name"),
        ];
        for (change, expected) in faults {
            let mut file = file();
            change(&mut file);
            let error = file.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
