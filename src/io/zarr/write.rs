//! Zarr stores, written whole or not at all, and existing ones that grow or change.
//!
//! A new store is a folder under a temporary name until it is finished. Its metadata stands there from the
//! beginning, so that whoever looks in sees what it will be.

use super::describe::{Described, Version, arrays, folder_of, objects, stored_dims};
use super::files::Folder;
use super::meta::{ArrayMeta, number};
use super::pipeline::{EncodeScratch, encode};
use super::sink::{Shared, ZarrSink};
use super::stored::{Stored, cell_region, cells};
use super::text;
use crate::geometry::Region;
use crate::io::catalog::VarType;
use crate::io::format::is_zarr_folder;
use crate::io::spec::FileSpec;
use crate::io::unfinished::UnfinishedFolder;
use crate::io::write_file::exceeds_cache;
use crate::io::writer::Writer;
use crate::store::Sink;
use crate::{Error, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// A Zarr store being written. [`ZarrWriter::finish`] gives a new one its name, dropping it before removes
/// it; of one that grows, see [`ZarrWriter::append`].
#[derive(Debug)]
pub struct ZarrWriter {
    pub(super) shared: Arc<Shared>,
    pub(super) variables: Vec<Target>,
    pub(super) ending: Ending,
}

/// One variable, and where in its array it goes.
#[derive(Debug)]
pub(super) struct Target {
    /// The name in the description.
    pub name: String,
    /// Of an array that grows, as it will be.
    pub meta: ArrayMeta,
    pub origin: Vec<usize>,
    pub shape: Vec<usize>,
    /// Whether it must be there already.
    pub compares: bool,
    /// For characters, the room of each text.
    pub room: Option<usize>,
}

/// What is done when all is written.
#[derive(Debug)]
pub(super) enum Ending {
    /// The folder gets its name.
    Rename(UnfinishedFolder),
    /// These objects are written.
    Put(Vec<(String, Value)>),
}

impl ZarrWriter {
    /// Creates a store of the second version of the format that will be called `path`, with everything
    /// that `spec` describes.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the description contradicts itself or asks for what the version lacks,
    /// [`Error::Format`] when something else than a store has that name, [`Error::Io`] when the system
    /// refuses.
    pub fn create_v2(path: impl AsRef<Path>, spec: &FileSpec) -> Result<ZarrWriter> {
        ZarrWriter::create(path.as_ref(), spec, Version::Two)
    }

    /// Creates a store of the third version of the format that will be called `path`, with everything
    /// that `spec` describes.
    ///
    /// # Errors
    /// As [`ZarrWriter::create_v2`].
    pub fn create_v3(path: impl AsRef<Path>, spec: &FileSpec) -> Result<ZarrWriter> {
        ZarrWriter::create(path.as_ref(), spec, Version::Three)
    }

    fn create(path: &Path, spec: &FileSpec, version: Version) -> Result<ZarrWriter> {
        let arrays = arrays(spec, version)?;
        let path = target(path)?;
        let folder = UnfinishedFolder::create(&path)?;
        let shared = Arc::new(Shared {
            path,
            root: folder.path().to_path_buf(),
            seen: false,
            direct: exceeds_cache(spec.plain_bytes()),
            finished: Default::default(),
            failed: Default::default(),
            locks: Default::default(),
        });
        put_all(&shared, &objects(version, &arrays, &spec.attributes))?;
        let variables = spec.variables.iter().zip(arrays);
        let variables = variables.map(|(variable, array)| {
            let Described {
                folder,
                json,
                attributes,
            } = array;
            let meta = ArrayMeta::parse(&shared.path, &folder, json, Some(&attributes))?;
            Ok(Target {
                name: variable.name.clone(),
                origin: vec![0; meta.shape.len()],
                shape: meta.shape.clone(),
                meta,
                compares: false,
                room: room(spec, variable)?,
            })
        });
        Ok(ZarrWriter {
            variables: variables.collect::<Result<_>>()?,
            shared,
            ending: Ending::Rename(folder),
        })
    }

    fn find(&self, variable: &str) -> Result<&Target> {
        let found = self.variables.iter().find(|v| v.name == variable);
        found.ok_or_else(|| Error::invalid(format!("the store has no variable {variable}")))
    }

    /// Gives a new store its name, replacing a store that has it; of one that was there, writes the
    /// metadata that shows what is new.
    ///
    /// # Errors
    /// As [`Writer::finish`].
    pub fn finish(self) -> Result<()> {
        let shared = &self.shared;
        *shared.finished.write().unwrap_or_else(PoisonError::into_inner) = true;
        if shared.failed.load(Ordering::Relaxed) {
            return Err(Error::format(
                &shared.path,
                "not kept, because a write to it failed",
            ));
        }
        match self.ending {
            Ending::Rename(folder) => folder.persist(&shared.path),
            Ending::Put(objects) => put_all(shared, &objects),
        }
    }
}

/// For characters, the room of each text.
pub(super) fn room(spec: &FileSpec, variable: &crate::io::VariableSpec) -> Result<Option<usize>> {
    let dims = spec.dims_of(variable)?;
    let last = dims.last().map(|&d| spec.dims[d].len);
    Ok(last.filter(|_| variable.dtype == VarType::Char))
}

/// The shape of a variable as the store has it.
pub(super) fn shape_of(spec: &FileSpec, variable: &crate::io::VariableSpec) -> Result<Vec<usize>> {
    let dims = stored_dims(spec, variable)?;
    folder_of(&variable.name)?;
    Ok(dims.into_iter().map(|d| spec.dims[d].len).collect())
}

/// Writes objects of metadata, the last of which shows the others.
fn put_all(shared: &Shared, objects: &[(String, Value)]) -> Result<()> {
    objects.iter().try_for_each(|(key, value)| {
        let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
        text.push('\n');
        shared.put(key, text.as_bytes())
    })
}

/// The place of a new store: what a link leads to, and nothing that is no store.
fn target(path: &Path) -> Result<PathBuf> {
    let path = match path.is_symlink() {
        true => path.canonicalize().map_err(Error::io("replace", path))?,
        false => path.to_path_buf(),
    };
    let empty = |path: &Path| path.read_dir().is_ok_and(|mut entries| entries.next().is_none());
    match path.symlink_metadata() {
        Ok(m) if m.is_dir() && !is_zarr_folder(&path) && !empty(&path) => Err(Error::format(
            &path,
            "a folder that is no Zarr store; it is not replaced: remove it first or choose another name",
        )),
        Ok(m) if !m.is_dir() => Err(Error::format(
            &path,
            "a file, and a Zarr store is a folder: remove it first or choose another name",
        )),
        _ => Ok(path),
    }
}

impl Writer for ZarrWriter {
    fn sink(&self, variable: &str) -> Result<Arc<dyn Sink>> {
        let target = self.find(variable)?;
        let Some(dtype) = number(&target.meta) else {
            return Err(Error::invalid(format!(
                "variable {variable} is text: write it with write_text"
            )));
        };
        let files = Arc::new(Folder::new(&self.shared.root));
        let stored = Stored::new(files, target.meta.clone(), variable.to_string(), dtype)
            .map_err(|reason| Error::format(&self.shared.path, format!("variable {variable}: {reason}")))?;
        Ok(Arc::new(ZarrSink::new(
            self.shared.clone(),
            Arc::new(stored),
            target.origin.clone(),
            target.shape.clone(),
            target.compares,
        )))
    }

    fn write_text(&self, variable: &str, values: &[String]) -> Result<()> {
        let target = self.find(variable)?;
        let wrong = |reason: String| Error::invalid(format!("variable {variable} {reason}"));
        if number(&target.meta).is_some() {
            return Err(wrong("is not text".to_string()));
        }
        let count: usize = target.shape.iter().product();
        if values.len() != count {
            return Err(wrong(format!("has {count} strings, {} are given", values.len())));
        }
        if let Some(long) = values
            .iter()
            .find(|v| target.room.is_some_and(|room| v.len() > room))
        {
            return Err(wrong(format!(
                "has no room for {long:?}, which is {} bytes long",
                long.len()
            )));
        }
        self.shared.writing(|| self.put_texts(target, values))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        (*self).finish()
    }
}

impl ZarrWriter {
    /// Writes the texts of a variable, and with them those of the array that are in its chunks.
    fn put_texts(&self, target: &Target, values: &[String]) -> Result<()> {
        let (meta, path) = (&target.meta, &self.shared.path);
        let error = |reason: String| Error::format(path, format!("variable {}: {reason}", target.name));
        let super::meta::Route::Own(chain, None) = &meta.route else {
            return Err(error("texts with its codecs are not written".to_string()));
        };
        if meta.elements != super::elements::Elements::Text || chain.order.is_some() {
            return Err(error("texts of a fixed room are not written".to_string()));
        }
        let whole = target.shape == meta.shape;
        let mut all = match whole {
            true => values.to_vec(),
            false => text::read(&Folder::new(&self.shared.root), meta, &target.name)?.values,
        };
        let piece = Region::new(target.origin.clone(), target.shape.clone());
        if !whole {
            for (at, value) in cells(&piece, &vec![1; piece.rank()]).zip(values) {
                let place = &mut all[(0..at.len()).fold(0, |n, a| n * meta.shape[a] + at[a])];
                if target.compares && place != value {
                    let reason = "its texts differ from those in the store, and it does not grow";
                    return Err(error(reason.to_string()));
                }
                place.clone_from(value);
            }
        }
        let mut scratch = EncodeScratch::new();
        for at in cells(&piece, &meta.grid) {
            let cell = cell_region(&at, &meta.grid);
            let texts = cells(&cell, &vec![1; cell.rank()]).map(|at| {
                let inside = at.iter().zip(&meta.shape).all(|(i, n)| i < n);
                match inside {
                    true => all[(0..at.len()).fold(0, |n, a| n * meta.shape[a] + at[a])].clone(),
                    false => meta.text_fill.clone(),
                }
            });
            let bytes = text::encode(&texts.collect::<Vec<String>>());
            let stored = encode(&chain.steps, &bytes, &mut scratch).map_err(error)?;
            self.shared.put(&meta.key(&at), stored)?;
        }
        Ok(())
    }
}
