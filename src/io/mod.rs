//! Files as sources and sinks: one module per format, one catalog for all.
//!
//! The format is told by the first bytes of a file, never by its name. Formats that cannot be read
//! are recognised all the same, so that the message can say what to do.

mod catalog;
mod file;
mod filters;
mod hdf5;
mod npy;
mod piece;
mod runs;
mod spec;
mod text;
mod unfinished;

pub use catalog::{AttrValue, Attributes, Catalog, Dim, VarType, Variable, netcdf_default_fill};
pub use hdf5::{Hdf5File, NetCdfWriter};
pub use npy::{NpyFile, NpyWriter};
pub use spec::{FileSpec, VariableSpec};
pub use text::TextArray;

use crate::store::Source;
use crate::{Error, Result};
use std::path::Path;
use std::sync::Arc;

/// An open file of any format that can be read.
#[derive(Debug)]
pub enum Container {
    /// HDF5 or NetCDF-4.
    Hdf5(Hdf5File),
    /// NumPy's array file.
    Npy(NpyFile),
}

impl Container {
    /// Opens a file and reads what it holds, no array data.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses, [`Error::Format`] when the format is unknown or not
    /// readable, or the file broken.
    pub fn open(path: impl AsRef<Path>) -> Result<Container> {
        let path = path.as_ref();
        match sniff(path)? {
            Format::Hdf5 => Hdf5File::open(path).map(Container::Hdf5),
            Format::Npy => NpyFile::open(path).map(Container::Npy),
        }
    }

    /// What the file holds.
    pub fn catalog(&self) -> &Catalog {
        match self {
            Container::Hdf5(file) => file.catalog(),
            Container::Npy(file) => file.catalog(),
        }
    }

    /// A source for a numeric variable.
    ///
    /// # Errors
    /// When there is no such variable, or it cannot be read as numbers.
    pub fn source(&self, variable: &str) -> Result<Arc<dyn Source>> {
        match self {
            Container::Hdf5(file) => file.source(variable),
            Container::Npy(file) => file.source(variable),
        }
    }

    /// The strings of a text variable.
    ///
    /// # Errors
    /// When there is no such variable, or it holds no text.
    pub fn text(&self, variable: &str) -> Result<TextArray> {
        match self {
            Container::Hdf5(file) => file.text(variable),
            Container::Npy(file) => Err(Error::format(&file.catalog().path, "it holds numbers, no text")),
        }
    }
}

/// What a file holds; reads no array data.
///
/// # Errors
/// As [`Container::open`].
pub fn open_catalog(path: impl AsRef<Path>) -> Result<Catalog> {
    Container::open(path).map(|c| c.catalog().clone())
}

/// A source for a numeric variable of a file.
///
/// # Errors
/// As [`Container::open`] and [`Container::source`].
pub fn open_source(path: impl AsRef<Path>, variable: &str) -> Result<Arc<dyn Source>> {
    Container::open(path)?.source(variable)
}

/// The strings of a text variable of a file.
///
/// # Errors
/// As [`Container::open`] and [`Container::text`].
pub fn open_text(path: impl AsRef<Path>, variable: &str) -> Result<TextArray> {
    Container::open(path)?.text(variable)
}

/// The formats that can be read.
enum Format {
    Hdf5,
    Npy,
}

const HDF5_MAGIC: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// Tells the format by the first bytes.
fn sniff(path: &Path) -> Result<Format> {
    if path.is_dir() {
        let zarr = [".zgroup", ".zarray", ".zmetadata", "zarr.json"];
        return Err(if zarr.iter().any(|name| path.join(name).exists()) {
            Error::format(
                path,
                "a Zarr store, which is not read yet: export it with xarray's to_netcdf",
            )
        } else {
            Error::io("read", path)(std::io::ErrorKind::IsADirectory.into())
        });
    }
    let file = file::ReadFile::open(path)?;
    let head = file.head(8)?;
    match head.as_slice() {
        [] => return Err(Error::format(path, "the file is empty")),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => return Ok(Format::Npy),
        [b'C', b'D', b'F', version @ (1 | 2 | 5), ..] => {
            let name = match version {
                1 => "classic",
                2 => "64-bit offset",
                _ => "64-bit data",
            };
            return Err(Error::format(
                path,
                format!(
                    "a NetCDF-3 file ({name}), which is not read yet: convert it with `nccopy -4 IN OUT`"
                ),
            ));
        }
        [b'G', b'R', b'I', b'B', ..] => {
            return Err(Error::format(
                path,
                "a GRIB file, which is not read yet: convert it with `cdo -f nc4 copy IN OUT`",
            ));
        }
        _ => {}
    }
    // The signature stands at 0 or, behind a user block, at a power of two from 512 on.
    let mut at = 0;
    while at + 8 <= file.len() {
        let mut found = [0; 8];
        file.read_at(at, &mut found)?;
        if &found == HDF5_MAGIC {
            return Ok(Format::Hdf5);
        }
        at = if at == 0 { 512 } else { at * 2 };
    }
    Err(Error::format(
        path,
        "its first bytes are those of no format that is read: NetCDF-4, HDF5 and NPY are",
    ))
}

/// The error for a variable that a file does not have.
fn missing(catalog: &Catalog, name: &str) -> Error {
    let reason = if catalog.dim(name).is_some() {
        format!("{name} is a dimension without values")
    } else {
        let names: Vec<&str> = catalog.variables.iter().map(|v| v.name.as_str()).collect();
        format!("no variable {name}: it has {}", names.join(", "))
    };
    Error::format(&catalog.path, reason)
}
