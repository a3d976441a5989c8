//! Existing stores that grow along a dimension, or whose regions are written anew.
//!
//! Neither is whole or nothing: chunks are replaced one by one, each of them whole. What readers see as the
//! extent of a store changes last, so an append that is cut short leaves the old store, with at most chunks
//! behind its end that the next append writes again.

use super::describe::folder_of;
use super::dims;
use super::files::{Files, Folder, join, small};
use super::json;
use super::meta::ArrayMeta;
use super::sink::Shared;
use super::tree::{self, Tree};
use super::write::{Ending, Target, ZarrWriter, room, shape_of};
use crate::io::catalog::VarType;
use crate::io::spec::{FileSpec, VariableSpec};
use crate::io::write_file::exceeds_cache;
use crate::{Error, Result};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;

impl ZarrWriter {
    /// Opens a store to grow along the dimension `dim`: `spec` describes what is new, every variable of
    /// the store along `dim` among it. Sinks have the shapes of the description. Variables without that
    /// dimension may be given too, and must then hold what they hold already. Compression, chunks and
    /// attributes stay those of the store.
    ///
    /// The store shows what is new when it is finished; until then, and when it is dropped before, it
    /// shows what it was. Nobody else may write to it meanwhile.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the description does not fit the store, [`Error::Format`] when that is
    /// none or is stored in a way that is not written, [`Error::Io`] when the system refuses.
    pub fn append(path: impl AsRef<Path>, dim: &str, spec: &FileSpec) -> Result<ZarrWriter> {
        let store = Store::open(path.as_ref(), spec)?;
        let Some(added) = spec.dims.iter().find(|d| d.name == dim) else {
            return Err(Error::invalid(format!("what is appended has no dimension {dim}")));
        };
        let old = store.len(dim)?;
        let len = old
            .checked_add(added.len)
            .ok_or_else(|| Error::invalid(format!("dimension {dim} becomes too long")))?;
        for (meta, dims) in store.tree.arrays.iter().zip(&store.axes) {
            let given = |v: &VariableSpec| folder_of(&v.name).is_ok_and(|f| f == meta.folder);
            if dims.iter().any(|d| d == dim) && !spec.variables.iter().any(given) {
                return Err(Error::invalid(format!(
                    "the store's variable {} has the dimension {dim} too, and is not appended to: give it as well",
                    meta.folder
                )));
            }
        }
        let mut grown = Vec::new();
        let variables = spec.variables.iter().map(|variable| {
            let (meta, dims) = store.variable(spec, variable)?;
            let axis = dims.iter().position(|d| d == dim);
            let mut origin = vec![0; dims.len()];
            let mut meta = meta.clone();
            if let Some(axis) = axis {
                origin[axis] = old;
                meta.shape[axis] = len;
                crate::geometry::checked_bytes(&meta.shape, 16)?;
                meta.json.insert("shape".to_string(), json!(meta.shape));
                grown.push((meta.folder.clone(), meta.json.clone()));
            }
            let shape = shape_of(spec, variable)?;
            store.fits(variable, &meta, &dims, &origin, &shape)?;
            Ok(Target {
                name: variable.name.clone(),
                meta,
                origin,
                shape,
                compares: axis.is_none(),
                room: room(spec, variable)?,
            })
        });
        let variables = variables.collect::<Result<_>>()?;
        let objects = store.changed(grown)?;
        Ok(store.writer(path.as_ref(), spec, variables, Ending::Put(objects)))
    }

    /// Opens a store to write a region of it anew: the variables that `spec` describes, each from
    /// `start` on along the dimensions that it names, from 0 on along others. Sinks have the shapes of
    /// the description.
    ///
    /// Chunks are replaced one by one, so readers see the new ones meanwhile. Writers of regions that have
    /// no chunk in common may run side by side.
    ///
    /// # Errors
    /// As [`ZarrWriter::append`].
    pub fn region(path: impl AsRef<Path>, start: &[(&str, usize)], spec: &FileSpec) -> Result<ZarrWriter> {
        let store = Store::open(path.as_ref(), spec)?;
        for (dim, _) in start {
            store.len(dim)?;
        }
        let variables = spec.variables.iter().map(|variable| {
            let (meta, dims) = store.variable(spec, variable)?;
            let from = |dim: &String| {
                start
                    .iter()
                    .find(|(name, _)| name == dim)
                    .map_or(0, |(_, at)| *at)
            };
            let origin: Vec<usize> = dims.iter().map(from).collect();
            let shape = shape_of(spec, variable)?;
            store.fits(variable, meta, &dims, &origin, &shape)?;
            Ok(Target {
                name: variable.name.clone(),
                meta: meta.clone(),
                origin,
                shape,
                compares: false,
                room: room(spec, variable)?,
            })
        });
        let variables = variables.collect::<Result<_>>()?;
        Ok(store.writer(path.as_ref(), spec, variables, Ending::Put(Vec::new())))
    }
}

/// A store that was there before.
struct Store {
    files: Arc<Folder>,
    tree: Tree,
    /// The names of the dimensions of each array.
    axes: Vec<Vec<String>>,
}

impl Store {
    fn open(path: &Path, spec: &FileSpec) -> Result<Store> {
        spec.check()?;
        if !path.is_dir() {
            return Err(Error::format(
                path,
                "there is no Zarr store in a folder of that name",
            ));
        }
        let files = Arc::new(Folder::new(path));
        let tree = tree::walk(&*files)?;
        let (all, axes) = dims::resolve(&tree.arrays);
        let names = |dims: Vec<usize>| dims.into_iter().map(|d| all[d].name.clone()).collect();
        let axes = axes.into_iter().map(names).collect();
        Ok(Store { files, tree, axes })
    }

    fn writer(self, path: &Path, spec: &FileSpec, variables: Vec<Target>, ending: Ending) -> ZarrWriter {
        ZarrWriter {
            shared: Arc::new(Shared {
                path: path.to_path_buf(),
                root: path.to_path_buf(),
                seen: true,
                direct: exceeds_cache(spec.plain_bytes()),
                finished: Default::default(),
                failed: Default::default(),
                locks: Default::default(),
            }),
            variables,
            ending,
        }
    }

    /// The length of a dimension.
    fn len(&self, dim: &str) -> Result<usize> {
        for (meta, dims) in self.tree.arrays.iter().zip(&self.axes) {
            if let Some(axis) = dims.iter().position(|d| d == dim) {
                return Ok(meta.shape[axis]);
            }
        }
        let mut known: Vec<&str> = self.axes.iter().flatten().map(String::as_str).collect();
        known.sort_unstable();
        known.dedup();
        Err(Error::invalid(format!(
            "{}: the store has no dimension {dim}: it has {}",
            self.files.location().display(),
            known.join(", ")
        )))
    }

    /// The array of a variable that is described, and its dimensions, which agree.
    fn variable(&self, spec: &FileSpec, variable: &VariableSpec) -> Result<(&ArrayMeta, Vec<String>)> {
        let (name, folder) = (&variable.name, folder_of(&variable.name)?);
        let wrong = |reason: String| Error::invalid(format!("variable {name}: {reason}"));
        let Some(at) = self.tree.arrays.iter().position(|a| a.folder == folder) else {
            let known: Vec<&str> = self.tree.arrays.iter().map(|a| a.folder.as_str()).collect();
            return Err(wrong(format!(
                "the store has none of that name: it has {}",
                known.join(", ")
            )));
        };
        let (meta, dims) = (&self.tree.arrays[at], &self.axes[at]);
        let held = meta.elements.var_type();
        let given = match &variable.dtype {
            VarType::Char => VarType::Text,
            other => other.clone(),
        };
        if held != given {
            return Err(wrong(format!("it is {held} in the store, and {given} is given")));
        }
        let mut described = variable.dims.clone();
        if variable.dtype == VarType::Char {
            described.pop();
        }
        if described != *dims {
            return Err(wrong(format!(
                "its dimensions are ({}) in the store, and ({}) are given",
                dims.join(", "),
                described.join(", ")
            )));
        }
        spec.dims_of(variable)?;
        Ok((meta, dims.clone()))
    }

    /// Checks that a piece lies within an array, and fills it along all dimensions that it does not start
    /// within.
    fn fits(
        &self,
        variable: &VariableSpec,
        meta: &ArrayMeta,
        dims: &[String],
        origin: &[usize],
        shape: &[usize],
    ) -> Result<()> {
        for axis in 0..dims.len() {
            let end = origin[axis].checked_add(shape[axis]);
            if end.is_none_or(|end| end > meta.shape[axis]) {
                return Err(Error::invalid(format!(
                    "variable {}: {} from {} on along {} do not fit the {} that the store has",
                    variable.name, shape[axis], origin[axis], dims[axis], meta.shape[axis]
                )));
            }
        }
        Ok(())
    }

    /// The objects of metadata that change where these arrays do.
    fn changed(&self, grown: Vec<(String, Map<String, Value>)>) -> Result<Vec<(String, Value)>> {
        let three = self.tree.version == 3;
        let own = if three { "zarr.json" } else { ".zarray" };
        let all = if three { "zarr.json" } else { ".zmetadata" };
        let mut objects = Vec::new();
        let consolidated = match small(&*self.files, all)? {
            Some(bytes) => Some(json::parse(self.files.location(), all, &bytes)?),
            None => None,
        };
        let mut root = consolidated.map(Value::Object).unwrap_or(Value::Null);
        let nodes = match three {
            true => root
                .get_mut("consolidated_metadata")
                .and_then(|c| c.get_mut("metadata")),
            false => root.get_mut("metadata"),
        };
        let mut nodes = nodes.and_then(Value::as_object_mut);
        for (folder, json) in grown {
            let key = join(&folder, own);
            let name = if three { &folder } else { &key };
            if let Some(node) = nodes.as_mut().and_then(|n| n.get_mut(name)) {
                node["shape"] = json["shape"].clone();
            }
            objects.push((key, Value::Object(json)));
        }
        if nodes.is_some() {
            objects.push((all.to_string(), root));
        }
        Ok(objects)
    }
}
