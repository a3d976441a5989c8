//! Files as sources and sinks: one module per format, one catalog for all.
//!
//! Reading goes through [`Container`], writing through [`OutputFormat`] and [`Writer`]; what a
//! file holds is a [`Catalog`], what one shall hold a [`FileSpec`].

mod blosc;
mod catalog;
mod checksum;
mod contents;
mod csv;
mod dense;
mod file;
mod filters;
mod format;
#[doc(hidden)]
pub mod fuzzing;
mod grib;
mod hdf5;
mod inflate;
mod joined;
mod netcdf3;
mod npy;
mod npz;
mod output_format;
mod piece;
mod raw;
mod runs;
mod spec;
mod text;
mod unfinished;
mod write_file;
mod writer;
mod written;
mod zarr;

pub use catalog::{AttrValue, Attributes, Catalog, Dim, VarType, Variable, netcdf_default_fill};
pub use contents::{Container, Contents, open_catalog, open_source, open_text};
pub use csv::CsvFile;
pub use grib::GribFile;
pub use hdf5::{Hdf5File, NetCdfWriter};
pub use joined::{Convert, FilePool, Joined, JoinedPart, JoinedSource, JoinedText, KEPT_OPEN};
pub use netcdf3::NetCdf3File;
pub use npy::{NpyFile, NpyWriter};
pub use npz::{NpzFile, NpzWriter};
pub use output_format::OutputFormat;
pub use raw::{RawFile, RawWriter};
pub use spec::{Codec, Compression, FileSpec, VariableSpec};
pub use text::TextArray;
pub(crate) use unfinished::UnfinishedFolder;
pub use writer::Writer;
pub use zarr::{ZarrStore, ZarrWriter};

use contents::missing;
