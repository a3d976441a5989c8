//! NetCDF-3 files: classic, with 64-bit offsets, and CDF-5.
//!
//! A file is a header, the variables that do not grow, and records that each hold a piece of every
//! variable that does; all in big-endian order. The header is read when a file is opened, elements
//! by position when they are asked for.

mod describe;
mod encode;
mod header;
mod layout;
mod sink;
mod source;
mod types;
mod write;

pub(super) use self::write::NetCdf3Writer;

use self::header::{Header, HeaderVariable, read_header};
use self::layout::{Place, record_bytes};
use self::source::{NetCdf3Source, read_stored};
pub(super) use self::types::Version;
use self::types::size_of;
use super::catalog::{Catalog, Dim, VarType, Variable};
use super::contents::{Contents, missing};
use super::file::ReadFile;
use super::text::{TextArray, text_of};
use crate::geometry::{Region, checked_bytes};
use crate::store::Source;
use crate::{DType, Error, Result};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

/// The most bytes of text that are read as one variable.
const MOST_TEXT: usize = 1 << 30;

/// An open NetCDF-3 file.
#[derive(Debug)]
pub struct NetCdf3File {
    file: Arc<ReadFile>,
    catalog: Catalog,
    /// The place of each variable of the catalog, and whether it grows.
    places: Vec<(Place, bool)>,
}

impl NetCdf3File {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses, [`Error::Format`] when it is no NetCDF-3 file, its
    /// header is broken, or elements that the header tells of are beyond its end.
    pub fn open(path: &Path) -> Result<NetCdf3File> {
        let file = Arc::new(ReadFile::open(path)?);
        let mut header = read_header(&file)?;
        let mut notes = Vec::new();
        let mut names = HashSet::new();
        let mut kept = Vec::new();
        let layout = Layout::of(&file, &header)?;
        for (at, variable) in header.variables.drain(..).enumerate() {
            match names.insert(variable.name.clone()) {
                true => kept.push((layout.places[at].clone(), layout.grows[at], variable)),
                false => notes.push(format!(
                    "two variables are called {}: the first is shown",
                    variable.name
                )),
            }
        }
        let dims: Vec<Dim> = header
            .dims
            .iter()
            .map(|(name, len)| Dim {
                name: name.clone(),
                len: if *len == 0 { layout.records } else { *len as usize },
                unlimited: *len == 0,
            })
            .collect();
        let (mut variables, mut places) = (Vec::new(), Vec::new());
        for (place, grows, variable) in kept {
            variables.push(shown(variable, &place, &dims));
            places.push((place, grows));
        }
        let catalog = Catalog {
            path: path.to_path_buf(),
            format: header.version.name(),
            dims,
            variables,
            attributes: header.attributes,
            notes,
        };
        Ok(NetCdf3File {
            file,
            catalog,
            places,
        })
    }

    fn find(&self, name: &str) -> Result<(&Variable, &(Place, bool))> {
        match self.catalog.variables.iter().position(|v| v.name == name) {
            Some(at) => Ok((&self.catalog.variables[at], &self.places[at])),
            None => Err(missing(&self.catalog, name)),
        }
    }
}

impl Contents for NetCdf3File {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// A source for a numeric variable.
    ///
    /// # Errors
    /// When there is no such variable, or its elements are characters.
    fn source(&self, name: &str) -> Result<Arc<dyn Source>> {
        let (variable, (place, grows)) = self.find(name)?;
        let Some(dtype) = variable.numeric() else {
            return Err(Error::format(
                &self.catalog.path,
                format!("variable {name} holds char elements, which are not numbers"),
            ));
        };
        Ok(Arc::new(NetCdf3Source {
            file: self.file.clone(),
            variable: name.to_string(),
            shape: variable.shape.clone(),
            dtype,
            place: place.clone(),
            grows: *grows,
        }))
    }

    /// The strings of a variable of characters.
    ///
    /// # Errors
    /// When there is no such variable, it holds numbers, or more than 1 GiB.
    fn text(&self, name: &str) -> Result<TextArray> {
        let (variable, (place, grows)) = self.find(name)?;
        let error = |reason: String| Error::format(&self.catalog.path, format!("variable {name} {reason}"));
        if variable.dtype != VarType::Char {
            return Err(error(format!(
                "holds {} elements, which are not text",
                variable.dtype
            )));
        }
        let mut shape = variable.shape.clone();
        let count = checked_bytes(&shape, 1)?;
        if count > MOST_TEXT {
            return Err(error(format!(
                "holds {count} characters, more than are read as text"
            )));
        }
        let mut bytes = vec![0; count];
        let whole = Region::whole(&shape);
        read_stored(&self.file, place, &shape, *grows, &whole, &mut bytes, 1)?;
        let width = shape.pop().unwrap_or(1);
        let values = match width {
            0 => vec![String::new(); shape.iter().product()],
            _ => bytes.chunks_exact(width).map(text_of).collect(),
        };
        Ok(TextArray { shape, values })
    }
}

/// Where all variables of a file lie.
struct Layout {
    places: Vec<Place>,
    grows: Vec<bool>,
    records: usize,
}

impl Layout {
    fn of(file: &ReadFile, header: &Header) -> Result<Layout> {
        let error = |v: &HeaderVariable, reason: String| {
            Error::format(file.path(), format!("variable {}: {reason}", v.name))
        };
        let grows: Vec<bool> = header
            .variables
            .iter()
            .map(|v| v.dims.first().is_some_and(|&d| header.dims[d].1 == 0))
            .collect();
        let mut sizes = Vec::new();
        for (variable, &grows) in header.variables.iter().zip(&grows) {
            let own = &variable.dims[usize::from(grows)..];
            let shape: Vec<usize> = own.iter().map(|&d| header.dims[d].1 as usize).collect();
            let bytes = checked_bytes(&shape, size_of(&variable.dtype))
                .map_err(|e| error(variable, e.to_string()))?;
            if variable.begin < header.end {
                return Err(error(
                    variable,
                    format!(
                        "it begins at {}, within the header: the header is broken",
                        variable.begin
                    ),
                ));
            }
            sizes.push(bytes as u64);
        }
        let moving: Vec<u64> = (0..grows.len()).filter(|&v| grows[v]).map(|v| sizes[v]).collect();
        let stride = record_bytes(&moving)
            .ok_or_else(|| Error::format(file.path(), "its records are larger than 64 bits count"))?;
        let records = match header.records {
            Some(records) => records,
            None => (0..grows.len())
                .filter(|&v| grows[v])
                .map(|v| whole_records(file.len(), header.variables[v].begin, sizes[v], stride))
                .min()
                .unwrap_or(0),
        };
        let records = usize::try_from(records)
            .map_err(|_| Error::format(file.path(), format!("it claims {records} records")))?;
        let mut places = Vec::new();
        for ((variable, &grows), &bytes) in header.variables.iter().zip(&grows).zip(&sizes) {
            let place = Place {
                begin: variable.begin,
                pieces: if grows { records } else { 1 },
                bytes: bytes as usize,
                stride: if grows { stride } else { bytes },
                pad: 0,
            };
            match place.end() {
                Some(end) if end <= file.len() || place.pieces == 0 => {}
                _ => {
                    return Err(error(
                        variable,
                        format!(
                            "truncated: its {} of {bytes} bytes from {} on do not fit the file's {} bytes: copy or \
                             download it again",
                            match place.pieces {
                                1 => "piece".to_string(),
                                n => format!("{n} records, {stride} bytes apart,"),
                            },
                            variable.begin,
                            file.len()
                        ),
                    ));
                }
            }
            places.push(place);
        }
        Ok(Layout {
            places,
            grows,
            records,
        })
    }
}

/// How many records of a variable a file of `len` bytes holds.
fn whole_records(len: u64, begin: u64, bytes: u64, stride: u64) -> u64 {
    match len.checked_sub(begin).and_then(|room| room.checked_sub(bytes)) {
        Some(rest) if stride > 0 => rest / stride + 1,
        _ => 0,
    }
}

/// A variable of the header as the catalog shows it.
fn shown(variable: HeaderVariable, place: &Place, dims: &[Dim]) -> Variable {
    let mut attributes = variable.attributes;
    let mut dtype = variable.dtype;
    // The convention by which xarray keeps booleans in NetCDF, which has none.
    if matches!(&dtype, VarType::Numeric(DType::I8 | DType::U8)) && attributes.text("dtype") == Some("bool") {
        attributes.remove("dtype");
        dtype = VarType::Numeric(DType::Bool);
    }
    Variable {
        name: variable.name,
        dims: variable.dims.iter().map(|&d| dims[d].name.clone()).collect(),
        shape: variable.dims.iter().map(|&d| dims[d].len).collect(),
        dtype,
        chunks: None,
        codecs: String::new(),
        stored_bytes: (place.pieces * place.bytes) as u64,
        fill: None,
        attributes,
    }
}
