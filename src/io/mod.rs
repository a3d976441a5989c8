//! Files as sources and sinks: one module per format, one catalog for all.
//!
//! Reading goes through [`Container`], writing through [`OutputFormat`] and [`Writer`]; what a
//! file holds is a [`Catalog`], what one shall hold a [`FileSpec`].

mod catalog;
mod contents;
mod file;
mod filters;
mod format;
mod hdf5;
mod npy;
mod piece;
mod runs;
mod spec;
mod text;
mod unfinished;
mod writer;

pub use catalog::{AttrValue, Attributes, Catalog, Dim, VarType, Variable, netcdf_default_fill};
pub use contents::{Container, Contents, open_catalog, open_source, open_text};
pub use hdf5::{Hdf5File, NetCdfWriter};
pub use npy::{NpyFile, NpyWriter};
pub use spec::{Codec, Compression, FileSpec, VariableSpec};
pub use text::TextArray;
pub use writer::{OutputFormat, Writer};

use contents::missing;
