//! The formats that can be written, one row each.

use super::netcdf3::{NetCdf3Writer, Version};
use super::spec::{Codec, Compression, FileSpec};
use super::writer::Writer;
use super::{NetCdfWriter, NpyWriter, NpzWriter, RawWriter, ZarrWriter};
use crate::{Error, Result};
use std::path::Path;

/// The formats that can be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutputFormat {
    /// NetCDF-4, which is HDF5.
    NetCdf4,
    /// The second version of Zarr, a folder.
    Zarr2,
    /// The third version of Zarr, a folder.
    Zarr3,
    /// NetCDF-3 as its first version defines it: files and variables of up to 2 GiB.
    NetCdf3Classic,
    /// NetCDF-3 with 64-bit offsets: variables (records of those that grow) of up to 4 GiB.
    NetCdf3Offset64,
    /// CDF-5: NetCDF-3 with 64-bit sizes, and with unsigned and 64-bit integers.
    NetCdf3Data64,
    /// NumPy's file of one array, without labels.
    Npy,
    /// NumPy's archive of arrays, without labels.
    Npz,
    /// The elements of one array and nothing else: row-major, little-endian.
    Raw,
}

/// What a format is and can hold.
struct Facts {
    format: OutputFormat,
    name: &'static str,
    /// Its name as flags give it.
    flag: &'static str,
    /// The endings that tell it.
    endings: &'static [&'static str],
    /// Whether it holds names, dimensions and attributes; else bare arrays.
    labelled: bool,
    /// Whether it stores arrays in chunks.
    chunks: bool,
    /// Whether its outputs are folders.
    folder: bool,
    /// Whether it holds half floats as they are.
    halves: bool,
    /// The compression that its users know.
    compression: Option<Compression>,
}

/// Half floats, labels and the rest of a bare array in one piece.
const BARE: Facts = Facts {
    format: OutputFormat::Npy,
    name: "NPY",
    flag: "npy",
    endings: &["npy"],
    labelled: false,
    chunks: false,
    folder: false,
    halves: true,
    compression: None,
};

const ZARR3: Facts = Facts {
    format: OutputFormat::Zarr3,
    name: "Zarr 3",
    flag: "zarr3",
    endings: &["zarr", "zarr3"],
    labelled: true,
    chunks: true,
    folder: true,
    halves: true,
    compression: Some(Compression {
        codec: Codec::Zstd(3),
        shuffle: true,
    }),
};

const NETCDF3: Facts = Facts {
    format: OutputFormat::NetCdf3Classic,
    name: Version::Classic.name(),
    flag: "netcdf3",
    endings: &[],
    labelled: true,
    chunks: false,
    folder: false,
    halves: false,
    compression: None,
};

/// The formats in the order in which they are named to a user.
const FORMATS: &[Facts] = &[
    Facts {
        format: OutputFormat::NetCdf4,
        name: "NetCDF-4",
        flag: "netcdf4",
        endings: &["nc", "nc4", "h5", "hdf5"],
        labelled: true,
        chunks: true,
        folder: false,
        halves: false,
        compression: Some(Compression {
            codec: Codec::Deflate(4),
            shuffle: true,
        }),
    },
    ZARR3,
    Facts {
        format: OutputFormat::Zarr2,
        name: "Zarr 2",
        flag: "zarr2",
        endings: &["zarr2"],
        ..ZARR3
    },
    NETCDF3,
    Facts {
        format: OutputFormat::NetCdf3Offset64,
        name: Version::Offset64.name(),
        flag: "netcdf3-64bit",
        ..NETCDF3
    },
    Facts {
        format: OutputFormat::NetCdf3Data64,
        name: Version::Data64.name(),
        flag: "netcdf5",
        ..NETCDF3
    },
    BARE,
    Facts {
        format: OutputFormat::Npz,
        name: "NPZ",
        flag: "npz",
        endings: &["npz"],
        ..BARE
    },
    Facts {
        format: OutputFormat::Raw,
        name: "raw binary",
        flag: "raw",
        endings: &["raw", "bin"],
        ..BARE
    },
];

impl OutputFormat {
    /// The format that the ending of a path tells.
    ///
    /// # Errors
    /// For an ending of no format that can be written; lists those that are.
    pub fn of(path: &Path) -> Result<OutputFormat> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let tells = |facts: &&Facts| {
            facts
                .endings
                .iter()
                .any(|known| ending.eq_ignore_ascii_case(known))
        };
        FORMATS
            .iter()
            .find(tells)
            .map(|facts| facts.format)
            .ok_or_else(|| {
                let endings = FORMATS.iter().flat_map(|facts| facts.endings);
                let names: Vec<String> = endings.map(|ending| format!(".{ending}")).collect();
                Error::invalid(format!(
                    "{}: the ending tells the format, and is none of {}",
                    path.display(),
                    names.join(", ")
                ))
            })
    }

    /// The format of a name such as `netcdf4`; an ending does too.
    ///
    /// # Errors
    /// For another name; lists the formats.
    pub fn parse(name: &str) -> Result<OutputFormat> {
        let called = |facts: &&Facts| {
            let mut names = facts.endings.iter().chain([&facts.flag]);
            names.any(|known| name.eq_ignore_ascii_case(known))
        };
        FORMATS
            .iter()
            .find(called)
            .map(|facts| facts.format)
            .ok_or_else(|| {
                let names: Vec<&str> = FORMATS.iter().map(|facts| facts.flag).collect();
                Error::invalid(format!("format {name:?} is none of {}", names.join(", ")))
            })
    }

    fn facts(self) -> &'static Facts {
        FORMATS.iter().find(|facts| facts.format == self).unwrap_or(&BARE)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Whether it holds names, dimensions and attributes; else bare arrays.
    pub fn is_labelled(self) -> bool {
        self.facts().labelled
    }

    /// Whether it stores arrays in chunks.
    pub fn has_chunks(self) -> bool {
        self.facts().chunks
    }

    /// Whether its outputs are folders, and not files.
    pub fn is_folder(self) -> bool {
        self.facts().folder
    }

    /// Whether it holds half floats as they are.
    pub fn has_half_floats(self) -> bool {
        self.facts().halves
    }

    /// The compression that its users know; `None` where it has none.
    pub fn usual_compression(self) -> Option<Compression> {
        self.facts().compression
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
            OutputFormat::Zarr2 | OutputFormat::Zarr3 => Ok(Box::new(ZarrWriter::append(path, dim, spec)?)),
            _ => Err(Error::invalid(format!(
                "{}: nothing is appended to {}; NetCDF-4 and Zarr grow",
                path.display(),
                self.name()
            ))),
        }
    }

    /// Opens a store to write a part of it anew: the variables that `spec` describes, from those indices on
    /// along the dimensions named; the sinks take that part alone.
    ///
    /// # Errors
    /// When the store is missing or holds other things than `spec`, and for formats whose parts are not
    /// written.
    pub fn region(self, path: &Path, start: &[(&str, usize)], spec: &FileSpec) -> Result<Box<dyn Writer>> {
        match self {
            OutputFormat::Zarr2 | OutputFormat::Zarr3 => Ok(Box::new(ZarrWriter::region(path, start, spec)?)),
            _ => Err(Error::invalid(format!(
                "{}: parts of {} are not written anew; Zarr can",
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
        let netcdf3 = |version| NetCdf3Writer::create(path, version, spec).map(Box::new);
        Ok(match self {
            OutputFormat::NetCdf3Classic => netcdf3(Version::Classic)?,
            OutputFormat::NetCdf3Offset64 => netcdf3(Version::Offset64)?,
            OutputFormat::NetCdf3Data64 => netcdf3(Version::Data64)?,
            OutputFormat::Npz => Box::new(NpzWriter::create(path, spec)?),
            OutputFormat::Raw => Box::new(RawWriter::create(path, spec)?),
            OutputFormat::NetCdf4 => Box::new(NetCdfWriter::create(path, spec)?),
            OutputFormat::Zarr2 => Box::new(ZarrWriter::create_v2(path, spec)?),
            OutputFormat::Zarr3 => Box::new(ZarrWriter::create_v3(path, spec)?),
            OutputFormat::Npy => Box::new(NpyWriter::for_spec(path, spec)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_and_names_tell_formats() {
        for (path, format) in [
            ("a/b.NC", OutputFormat::NetCdf4),
            ("b.npy", OutputFormat::Npy),
            ("b.zarr", OutputFormat::Zarr3),
        ] {
            assert_eq!(OutputFormat::of(Path::new(path)).unwrap(), format);
        }
        let error = OutputFormat::of(Path::new("b.xyz")).unwrap_err().to_string();
        assert!(error.starts_with("b.xyz: ") && error.contains(".nc, "), "{error}");
        assert!(OutputFormat::of(Path::new("nc")).is_err());
        for facts in FORMATS {
            assert_eq!(OutputFormat::parse(facts.flag).unwrap(), facts.format);
            assert_eq!(facts.format.name(), facts.name);
        }
        assert_eq!(OutputFormat::parse("Zarr").unwrap(), OutputFormat::Zarr3);
        let error = OutputFormat::parse("tiff").unwrap_err().to_string();
        assert!(error.contains("netcdf4, zarr3"), "{error}");
    }
}
