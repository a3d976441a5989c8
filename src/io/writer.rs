//! A file or store being written, whatever its format.
//!
//! A [`FileSpec`] says what it shall hold, a [`Writer`] takes its elements, and nothing has its
//! name before [`Writer::finish`]. A format is one implementation of [`Writer`] and one arm of
//! [`OutputFormat`].

use super::spec::{Compression, FileSpec};
use super::{NetCdfWriter, NpyWriter};
use crate::geometry::Region;
use crate::store::Sink;
use crate::{Error, Result};
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

/// A file or store being written; dropping it unfinished leaves nothing behind.
pub trait Writer: Send + Sync + Debug {
    /// A sink for a numeric variable.
    ///
    /// # Errors
    /// When there is no such variable or it is text.
    fn sink(&self, variable: &str) -> Result<Arc<dyn Sink>>;

    /// Writes all strings of a text variable, row-major; for [`super::VarType::Char`] the last
    /// dimension is the room of each string, and what is not used is NUL.
    ///
    /// # Errors
    /// When there is no such variable, it is numeric, the number of strings is wrong, or one is too
    /// long.
    fn write_text(&self, variable: &str, values: &[String]) -> Result<()>;

    /// Writes all elements of a numeric variable, row-major.
    ///
    /// # Errors
    /// As [`Writer::sink`], and when `bytes` are not the variable's bytes.
    fn write_whole(&self, variable: &str, bytes: &[u8]) -> Result<()> {
        let sink = self.sink(variable)?;
        sink.write(&Region::whole(sink.shape()), bytes)
    }

    /// Gives the file its name, replacing one that has it.
    ///
    /// # Errors
    /// When the system refuses, or a write failed before; then nothing has that name.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// The formats that can be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutputFormat {
    /// NetCDF-4, which is HDF5.
    NetCdf4,
    /// NumPy's file of one array, without labels.
    Npy,
}

/// The names of formats, as flags give them.
const NAMES: [(&str, OutputFormat); 2] = [("netcdf4", OutputFormat::NetCdf4), ("npy", OutputFormat::Npy)];

/// The endings that tell a format, in the order in which they are named to a user.
const ENDINGS: [(&str, OutputFormat); 5] = [
    ("nc", OutputFormat::NetCdf4),
    ("nc4", OutputFormat::NetCdf4),
    ("h5", OutputFormat::NetCdf4),
    ("hdf5", OutputFormat::NetCdf4),
    ("npy", OutputFormat::Npy),
];

impl OutputFormat {
    /// The format that the ending of a path tells.
    ///
    /// # Errors
    /// For an ending of no format that can be written; lists those that are.
    pub fn of(path: &Path) -> Result<OutputFormat> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let known = ENDINGS.iter().find(|(name, _)| ending.eq_ignore_ascii_case(name));
        known.map(|(_, format)| *format).ok_or_else(|| {
            let names: Vec<String> = ENDINGS.iter().map(|(name, _)| format!(".{name}")).collect();
            Error::invalid(format!(
                "{}: the ending tells the format, and is none of {}",
                path.display(),
                names.join(", ")
            ))
        })
    }

    /// The format of a name such as `netcdf4`.
    ///
    /// # Errors
    /// For another name; lists the formats.
    pub fn parse(name: &str) -> Result<OutputFormat> {
        let known = NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        known.map(|(_, format)| *format).ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            Error::invalid(format!("format {name:?} is none of {}", names.join(", ")))
        })
    }

    /// Whether what is written is a folder.
    pub fn is_folder(self) -> bool {
        false
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            OutputFormat::NetCdf4 => "NetCDF-4",
            OutputFormat::Npy => "NPY",
        }
    }

    /// Whether it holds names, dimensions and attributes; else one bare array.
    pub fn is_labelled(self) -> bool {
        !matches!(self, OutputFormat::Npy)
    }

    /// Whether it stores arrays in chunks.
    pub fn has_chunks(self) -> bool {
        matches!(self, OutputFormat::NetCdf4)
    }

    /// The compression that its users know; `None` where it has none.
    pub fn usual_compression(self) -> Option<Compression> {
        match self {
            OutputFormat::NetCdf4 => Some(Compression::deflate(4)),
            OutputFormat::Npy => None,
        }
    }

    /// Opens a file or store to which more is written along `dim`; the sinks of the variables that
    /// `spec` describes take the new part alone.
    ///
    /// # Errors
    /// When the file is missing, cannot grow along `dim`, or holds other things than `spec`, and for
    /// formats that do not grow.
    pub fn append(self, path: &Path, dim: &str, spec: &FileSpec) -> Result<Box<dyn Writer>> {
        match self {
            OutputFormat::NetCdf4 => Ok(Box::new(NetCdfWriter::append(path, dim, spec)?)),
            OutputFormat::Npy => Err(Error::invalid(format!(
                "{}: nothing is appended to {}; NetCDF-4 grows",
                path.display(),
                self.name()
            ))),
        }
    }

    /// Creates a file that will be called `path`, with everything that `spec` describes.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the description contradicts itself, [`Error::Io`] when the folder
    /// refuses, [`Error::Format`] when the format cannot hold it.
    pub fn create(self, path: &Path, spec: &FileSpec) -> Result<Box<dyn Writer>> {
        Ok(match self {
            OutputFormat::NetCdf4 => Box::new(NetCdfWriter::create(path, spec)?),
            OutputFormat::Npy => Box::new(NpyWriter::for_spec(path, spec)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_tell_formats() {
        assert_eq!(
            OutputFormat::of(Path::new("a/b.NC")).unwrap(),
            OutputFormat::NetCdf4
        );
        assert_eq!(OutputFormat::of(Path::new("b.npy")).unwrap(), OutputFormat::Npy);
        let error = OutputFormat::of(Path::new("b.xyz")).unwrap_err().to_string();
        assert!(error.starts_with("b.xyz: ") && error.contains(".nc, "), "{error}");
        assert!(OutputFormat::of(Path::new("nc")).is_err());
    }
}
