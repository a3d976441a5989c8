//! HDF5 and NetCDF-4 files.
//!
//! A file is walked once when it is opened: groups, datasets, dimension scales, attributes. What a
//! NetCDF-4 user sees is shown (names, dimensions, no bookkeeping); a plain HDF5 file is shown the
//! same way with made-up dimension names.

mod append;
mod attributes;
mod create;
mod dataset;
mod dims;
mod ffi;
mod index;
mod neighbours;
mod placed;
mod scales;
mod shared;
mod sink;
mod source;
mod text;
mod types;
mod walk;
mod write;
mod write_attributes;

pub use self::write::NetCdfWriter;

use self::dataset::{Dataset, Layout};
use self::ffi::{H5Result, Id, check, cstring, locked};
use self::source::{Hdf5Source, LIBRARY_CACHE};
use self::walk::Walk;
use super::catalog::{Catalog, VarType, Variable};
use super::contents::Contents;
use super::file::ReadFile;
use super::text::TextArray;
use crate::store::Source;
use crate::{DType, Error, Result};
use hdf5_sys::h5f::{H5F_ACC_RDONLY, H5Fopen};
use hdf5_sys::h5p::{H5P_CLS_FILE_ACCESS, H5Pcreate, H5Pset_cache, H5Pset_file_locking};
use std::path::Path;
use std::sync::Arc;

/// An open HDF5 or NetCDF-4 file.
#[derive(Debug)]
pub struct Hdf5File {
    file: Arc<ReadFile>,
    catalog: Catalog,
    /// The dataset of each variable of the catalog; they keep the file open.
    datasets: Vec<Arc<Dataset>>,
}

impl Hdf5File {
    /// Opens a file and reads what it holds, no array data.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses, [`Error::Format`] when it is no HDF5 file, is
    /// truncated or broken.
    pub fn open(path: &Path) -> Result<Hdf5File> {
        let file = Arc::new(ReadFile::open(path)?);
        let text = path.to_str().ok_or_else(|| {
            Error::format(
                path,
                "its path is not UTF-8, which HDF5 cannot open: rename it or link to it",
            )
        })?;
        locked(|| {
            let id = open_file(text)?;
            let walk = walk::walk(&id)?;
            let (catalog, datasets) = catalog(path, walk);
            Ok(Hdf5File {
                file,
                catalog,
                datasets,
            })
        })
        .map_err(|reason: String| Error::format(path, reason))
    }

    fn error(&self, variable: &str, reason: String) -> Error {
        Error::format(&self.catalog.path, format!("variable {variable}: {reason}"))
    }

    fn find(&self, name: &str) -> Result<(&Variable, &Arc<Dataset>)> {
        let at = self.catalog.variables.iter().position(|v| v.name == name);
        match at {
            Some(at) => Ok((&self.catalog.variables[at], &self.datasets[at])),
            None => Err(super::missing(&self.catalog, name)),
        }
    }

    fn check_filters(&self, name: &str, dataset: &Dataset) -> Result<()> {
        match dataset.filters.iter().find(|f| !f.available) {
            Some(filter) => Err(self.error(
                name,
                format!(
                    "it is stored with the filter {} ({}), which this HDF5 library lacks: rewrite it with \
                     h5repack or nccopy, or install the filter's HDF5 plugin",
                    filter.label, filter.number
                ),
            )),
            None => Ok(()),
        }
    }
}

impl Contents for Hdf5File {
    /// What the file holds.
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// A source for a numeric variable.
    ///
    /// # Errors
    /// When there is no such variable, its elements are not numbers, or it needs a filter that the
    /// HDF5 library lacks.
    fn source(&self, name: &str) -> Result<Arc<dyn Source>> {
        let (variable, dataset) = self.find(name)?;
        let Some(dtype) = variable.numeric() else {
            return Err(Error::format(
                &self.catalog.path,
                format!(
                    "variable {name} holds {} elements, which are not numbers",
                    variable.dtype
                ),
            ));
        };
        self.check_filters(name, dataset)?;
        let (file, shape) = (self.file.clone(), variable.shape.clone());
        locked(|| {
            let source = Hdf5Source::new(file, dataset.clone(), name.to_string(), dtype, shape)?;
            Ok(Arc::new(source) as Arc<dyn Source>)
        })
        .map_err(|reason: String| self.error(name, reason))
    }

    /// The strings of a text variable.
    ///
    /// # Errors
    /// When there is no such variable, its elements are not text, or they cannot be read.
    fn text(&self, name: &str) -> Result<TextArray> {
        let (variable, dataset) = self.find(name)?;
        if !matches!(variable.dtype, VarType::Text | VarType::Char) {
            return Err(Error::format(
                &self.catalog.path,
                format!(
                    "variable {name} holds {} elements, which are not text",
                    variable.dtype
                ),
            ));
        }
        self.check_filters(name, dataset)?;
        locked(|| text::read(dataset)).map_err(|reason| self.error(name, reason))
    }
}

/// Opens a file for reading; the lock is held.
fn open_file(path: &str) -> H5Result<Id> {
    let (c_path, access) = (cstring(path)?, access_list()?);
    // SAFETY: a valid access list and a C string; the lock is held.
    let raw = unsafe { H5Fopen(c_path.as_ptr(), H5F_ACC_RDONLY, access.raw()) };
    Id::new(raw, "open the file")
}

/// How files are opened; the lock is held.
fn access_list() -> H5Result<Id> {
    /// Slots of the table of cached chunks; a prime, as the library asks.
    const SLOTS: usize = 1009;
    /// The library's default preference for evicting chunks that were read whole.
    const EVICT_READ: f64 = 0.75;
    let doing = "open the file";
    // SAFETY: a valid class, and a list of that class; the lock is held.
    unsafe {
        let access = Id::new(H5Pcreate(*H5P_CLS_FILE_ACCESS), doing)?;
        check(
            H5Pset_cache(access.raw(), 0, SLOTS, LIBRARY_CACHE, EVICT_READ),
            doing,
        )?;
        // Parallel file systems often have no locks; a reader can do without.
        check(H5Pset_file_locking(access.raw(), 1, 1), doing)?;
        Ok(access)
    }
}

/// The catalog of a walked file, and the dataset of each of its variables.
fn catalog(path: &Path, mut walk: Walk) -> (Catalog, Vec<Arc<Dataset>>) {
    let (dims, axes) = dims::resolve(&walk);
    let is_netcdf = walk.nodes.iter().any(|n| n.is_scale || n.scales.is_some());
    let mut notes = std::mem::take(&mut walk.notes);
    let mut attributes = walk
        .groups
        .first()
        .map(|g| g.attributes.clone())
        .unwrap_or_default();
    for group in walk.groups.iter().skip(1) {
        for (name, value) in group.attributes.iter() {
            attributes.set(walk::join(&group.path, name), value.clone());
        }
    }
    let names: Vec<String> = walk
        .nodes
        .iter()
        .map(|n| dims::shown_name(&walk, n.group, &n.name))
        .collect();
    let (mut variables, mut datasets) = (Vec::new(), Vec::new());
    for ((node, axes), name) in walk.nodes.into_iter().zip(axes).zip(names) {
        if node.only_a_dimension {
            continue;
        }
        for filter in node.dataset.filters.iter().filter(|f| !f.available) {
            notes.push(format!(
                "{name} is listed but not readable: this HDF5 library lacks the filter {} ({})",
                filter.label, filter.number
            ));
        }
        let shape = dims::shown_shape(&node, &axes, &dims);
        let mut attributes = node.attributes;
        let mut dtype = node.dataset.stored.what.clone();
        // The convention by which xarray keeps booleans in NetCDF, which has none.
        if node.dataset.stored.size == 1 && attributes.text("dtype") == Some("bool") {
            attributes.remove("dtype");
            dtype = VarType::Numeric(DType::Bool);
        }
        variables.push(Variable {
            name,
            dims: axes.iter().map(|&d| dims[d].name.clone()).collect(),
            shape,
            dtype,
            chunks: match &node.dataset.layout {
                Layout::Chunked(chunk) => Some(chunk.clone()),
                _ => None,
            },
            codecs: node.dataset.codecs(),
            stored_bytes: node.dataset.stored_bytes,
            fill: node.dataset.fill,
            attributes,
        });
        datasets.push(Arc::new(node.dataset));
    }
    let format = if is_netcdf { "NetCDF-4" } else { "HDF5" };
    let path = path.to_path_buf();
    (
        Catalog {
            path,
            format,
            dims,
            variables,
            attributes,
            notes,
        },
        datasets,
    )
}
