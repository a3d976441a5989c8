//! Zarr stores, of the second and the third version of the format.
//!
//! A store is described by small JSON objects and holds each chunk of an array, or a shard of many, as an
//! object of its own. Chunks with the common codecs are decoded here, straight to where they belong or
//! between buffers that are kept; those with rarer ones by the crate `zarrs`.
//!
//! | file | what it does |
//! | --- | --- |
//! | `files`, `zip`, `remote` | the objects of a store: in a folder, in an archive, behind a URL |
//! | `tree`, `meta`, `elements`, `codec`, `json`, `xarray` | metadata of both versions in the same words |
//! | `dims` | dimensions that arrays share |
//! | `stored`, `pipeline`, `blosc`, `turn` | chunks to elements and back |
//! | `general` | chunks with rarer codecs |
//! | `text` | arrays of texts |
//! | `describe`, `write`, `sink`, `grow` | stores being written, and existing ones that grow |

mod codec;
mod describe;
mod dims;
mod elements;
mod files;
mod general;
mod grow;
mod json;
mod meta;
mod pipeline;
#[cfg(feature = "cloud")]
mod remote;
mod sink;
mod source;
mod stored;
mod text;
mod tree;
mod turn;
mod write;
mod xarray;
mod zip;

pub use self::write::ZarrWriter;

use self::files::{Files, Folder};
use self::meta::ArrayMeta;
use self::source::ZarrSource;
use self::zip::Archive;
use super::catalog::{Catalog, VarType, Variable};
use super::contents::Contents;
use super::text::TextArray;
use crate::store::Source;
use crate::{Error, Result};
use std::path::Path;
use std::sync::Arc;

/// The name of the array of a store that is one array and no group.
const NAME: &str = "data";

/// The most objects that are looked at for the stored size of one array.
const MOST_SIZED: usize = 1024;

/// An open Zarr group or array.
#[derive(Debug)]
pub struct ZarrStore {
    files: Arc<dyn Files>,
    catalog: Catalog,
    /// The metadata of each variable of the catalog.
    arrays: Vec<ArrayMeta>,
    /// Arrays that are not in the catalog, and why.
    skipped: Vec<(String, Error)>,
}

impl ZarrStore {
    /// Opens a store in a folder and reads what it holds, no array data.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses, [`Error::Format`] when it is no Zarr group or array, or its
    /// metadata is broken.
    pub fn open(path: &Path) -> Result<ZarrStore> {
        ZarrStore::of(Arc::new(Folder::new(path)))
    }

    /// Opens a store in a zip archive and reads what it holds, no array data.
    ///
    /// # Errors
    /// As [`ZarrStore::open`], and when the archive is broken.
    pub fn open_zip(path: &Path) -> Result<ZarrStore> {
        ZarrStore::of(Arc::new(Archive::open(path)?))
    }

    /// Opens a store behind a URL and reads what it holds, no array data.
    ///
    /// # Errors
    /// As [`ZarrStore::open`], and when the server cannot be reached or refuses.
    #[cfg(feature = "cloud")]
    pub fn open_url(url: &Path) -> Result<ZarrStore> {
        ZarrStore::of(Arc::new(remote::Remote::new(url)?))
    }

    fn of(files: Arc<dyn Files>) -> Result<ZarrStore> {
        let tree = tree::walk(&*files)?;
        let (dims, axes) = dims::resolve(&tree.arrays);
        let mut attributes = super::Attributes::new();
        for (folder, group) in &tree.groups {
            for (name, value) in group.iter() {
                attributes.set(dims::shown(folder, name), value.clone());
            }
        }
        let mut notes: Vec<String> = Vec::new();
        for (folder, error) in &tree.skipped {
            notes.push(format!("{folder} is not listed: {error}"));
        }
        let mut variables = Vec::new();
        for (meta, axes) in tree.arrays.iter().zip(&axes) {
            let name = shown_name(meta);
            notes.extend(meta.note.iter().map(|note| format!("{name} {note}")));
            variables.push(Variable {
                dims: axes.iter().map(|&d| dims[d].name.clone()).collect(),
                shape: meta.shape.clone(),
                dtype: meta.elements.var_type(),
                chunks: Some(meta.chunk().to_vec()),
                codecs: codecs(meta),
                stored_bytes: stored_bytes(&*files, meta),
                fill: meta.declared,
                attributes: meta.attributes.clone(),
                name,
            });
        }
        let catalog = Catalog {
            path: files.location().to_path_buf(),
            format: if tree.version == 2 { "Zarr 2" } else { "Zarr 3" },
            dims,
            variables,
            attributes,
            notes,
        };
        Ok(ZarrStore {
            files,
            catalog,
            arrays: tree.arrays,
            skipped: tree.skipped,
        })
    }

    fn find(&self, name: &str) -> Result<(&Variable, &ArrayMeta)> {
        if let Some(at) = self.catalog.variables.iter().position(|v| v.name == name) {
            return Ok((&self.catalog.variables[at], &self.arrays[at]));
        }
        match self
            .skipped
            .iter()
            .find(|(folder, _)| folder == name.trim_start_matches('/'))
        {
            Some((_, error)) => Err(Error::format(&self.catalog.path, error.to_string())),
            None => Err(super::missing(&self.catalog, name)),
        }
    }
}

impl Contents for ZarrStore {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn source(&self, name: &str) -> Result<Arc<dyn Source>> {
        let (variable, meta) = self.find(name)?;
        let Some(dtype) = variable.numeric() else {
            return Err(Error::format(
                &self.catalog.path,
                format!(
                    "variable {name} holds {} elements, which are not numbers",
                    variable.dtype
                ),
            ));
        };
        let source = ZarrSource::new(self.files.clone(), meta.clone(), variable, dtype)
            .map_err(|reason| Error::format(&self.catalog.path, format!("variable {name}: {reason}")))?;
        Ok(Arc::new(source))
    }

    fn text(&self, name: &str) -> Result<TextArray> {
        let (variable, meta) = self.find(name)?;
        if variable.dtype != VarType::Text {
            return Err(Error::format(
                &self.catalog.path,
                format!(
                    "variable {name} holds {} elements, which are not text",
                    variable.dtype
                ),
            ));
        }
        text::read(&*self.files, meta, name)
    }
}

/// The name under which an array is shown.
fn shown_name(meta: &ArrayMeta) -> String {
    match dims::place(meta) {
        ("", "") => NAME.to_string(),
        (group, name) => dims::shown(group, name),
    }
}

/// The codecs as the catalog shows them, with the shape of shards.
fn codecs(meta: &ArrayMeta) -> String {
    match &meta.route {
        meta::Route::Own(_, Some(_)) => {
            let shape: Vec<String> = meta.grid.iter().map(usize::to_string).collect();
            meta.codecs
                .replacen("shards(", &format!("shards({}: ", shape.join("x")), 1)
        }
        _ => meta.codecs.clone(),
    }
}

/// Bytes in the store: those of all objects where they are few, else of as many as [`MOST_SIZED`] and the
/// same for each of the rest. Where a store cannot tell, those of the elements.
fn stored_bytes(files: &dyn Files, meta: &ArrayMeta) -> u64 {
    let size = meta.elements.size().unwrap_or(16) as u64;
    let elements = meta.shape.iter().map(|&n| n as u64).product::<u64>();
    let objects: u64 = meta
        .shape
        .iter()
        .zip(&meta.grid)
        .map(|(n, c)| n.div_ceil(*c) as u64)
        .product();
    match files.sizes(&meta.folder, MOST_SIZED) {
        Some((bytes, count)) if count < MOST_SIZED => bytes,
        Some((bytes, count)) => (u128::from(bytes) * u128::from(objects) / count as u128) as u64,
        None => elements.saturating_mul(size),
    }
}
