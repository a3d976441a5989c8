//! Several files whose variables are found by name, as an expression uses them.

use super::combine::{self, Set};
use super::data_array::DataArray;
use super::dataset::Dataset;
use crate::io::Attributes;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files with the same variables that do not fit together are opened side by side up to this many.
pub const MOST_APART: usize = 32;

/// Several files whose variables are found by name.
#[derive(Debug, Default)]
pub struct Datasets {
    files: Vec<Arc<Dataset>>,
    /// Files with the same variables that could not be joined, and why.
    apart: Vec<(Vec<PathBuf>, String)>,
    named: BTreeMap<String, (Arc<Dataset>, String)>,
    chunks: Vec<(String, usize)>,
}

impl Datasets {
    /// Opens files. Paths with wildcards stand for all files that match, as one
    /// ([`Dataset::join`]); so are files named one by one whose variables are the same and whose
    /// labels follow each other along one dimension. Others stay files of their own.
    ///
    /// # Errors
    /// As [`Dataset::open`], and when more than [`MOST_APART`] files with the same variables do not
    /// fit together.
    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Result<Datasets> {
        let mut files: Vec<(usize, Arc<Dataset>)> = Vec::new();
        let mut plain: Vec<PathBuf> = Vec::new();
        let mut places: Vec<usize> = Vec::new();
        for (at, path) in paths.iter().map(AsRef::as_ref).enumerate() {
            if combine::is_pattern(path) || path.is_dir() {
                files.push((at, Arc::new(Dataset::open(path)?)));
            } else {
                plain.push(path.to_path_buf());
                places.push(at);
            }
        }
        let mut apart = Vec::new();
        let place = |path: &Path| plain.iter().position(|p| p == path).map_or(0, |at| places[at]);
        for set in combine::sets(&plain)? {
            match set {
                Set::One(path) => files.push((place(&path), Arc::new(Dataset::open(&path)?))),
                Set::Joined(container) => {
                    let dataset = Dataset::of(container);
                    files.push((place(dataset.path()), Arc::new(dataset)));
                }
                Set::Apart(paths, error) if paths.len() > MOST_APART => return Err(error),
                Set::Apart(paths, error) => {
                    for path in &paths {
                        files.push((place(path), Arc::new(Dataset::open(path)?)));
                    }
                    apart.push((paths, error.to_string()));
                }
            }
        }
        files.sort_by_key(|(at, _)| *at);
        Ok(Datasets {
            files: files.into_iter().map(|(_, f)| f).collect(),
            apart,
            named: BTreeMap::new(),
            chunks: Vec::new(),
        })
    }

    /// Adds a variable of an open file under a name of its own.
    ///
    /// # Errors
    /// When the file has no such variable.
    pub fn add(&mut self, name: &str, dataset: Dataset, variable: &str) -> Result<()> {
        dataset.get(variable)?;
        self.named
            .insert(name.to_string(), (Arc::new(dataset), variable.to_string()));
        Ok(())
    }

    /// Cuts every variable into chunks of these sizes along the dimensions it has.
    ///
    /// # Errors
    /// When no file has one of the dimensions.
    pub fn chunk(&mut self, chunks: Vec<(String, usize)>) -> Result<()> {
        for (dim, _) in &chunks {
            let mut files = self.files.iter().chain(self.named.values().map(|(d, _)| d));
            if !files.any(|f| f.catalog().dim(dim).is_some()) {
                let known: Vec<String> = self
                    .files
                    .iter()
                    .flat_map(|f| f.catalog().dims.iter().map(|d| d.name.clone()))
                    .collect();
                return Err(Error::invalid(format!(
                    "chunks: no file has the dimension {dim}; there is {}",
                    known.join(", ")
                )));
            }
        }
        self.chunks = chunks;
        Ok(())
    }

    /// Whether there is no file at all.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.named.is_empty()
    }

    /// The paths of all files.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.files
            .iter()
            .chain(self.named.values().map(|(d, _)| d))
            .flat_map(|d| d.paths())
    }

    /// The attributes of the first file.
    pub fn attributes(&self) -> Attributes {
        let first = self
            .files
            .iter()
            .chain(self.named.values().map(|(d, _)| d))
            .next();
        first.map(|d| d.catalog().attributes.clone()).unwrap_or_default()
    }

    /// The array under the chunks asked for.
    fn chunked(&self, array: DataArray) -> Result<DataArray> {
        let here: Vec<(String, usize)> = self
            .chunks
            .iter()
            .filter(|(dim, _)| array.dims().contains(dim))
            .cloned()
            .collect();
        if here.is_empty() {
            Ok(array)
        } else {
            array.chunk(&here)
        }
    }

    /// Gives a variable of a file a name of its own.
    ///
    /// # Errors
    /// When the file cannot be opened or has no such variable.
    pub fn alias(&mut self, name: &str, path: &Path, variable: &str) -> Result<()> {
        let dataset = match self.files.iter().find(|f| f.path() == path) {
            Some(open) => open.clone(),
            None => Arc::new(Dataset::open(path)?),
        };
        if dataset.catalog().variable(variable).is_none() {
            return Err(dataset.unknown(variable));
        }
        self.named
            .insert(name.to_string(), (dataset, variable.to_string()));
        Ok(())
    }

    /// The files, in order.
    pub fn files(&self) -> &[Arc<Dataset>] {
        &self.files
    }

    /// A variable by an alias or by the name in the one file that has it.
    ///
    /// # Errors
    /// When no file has it (lists what there is) or several have.
    pub fn get(&self, name: &str) -> Result<DataArray> {
        if let Some((dataset, variable)) = self.named.get(name) {
            return self.chunked(dataset.get(variable)?.renamed(name));
        }
        let holders: Vec<&Arc<Dataset>> = self
            .files
            .iter()
            .filter(|f| f.catalog().variable(name).is_some())
            .collect();
        match holders.as_slice() {
            [one] => self.chunked(one.get(name)?),
            [] => {
                let mut known: Vec<String> = self.named.keys().cloned().collect();
                known.extend(self.files.iter().flat_map(|f| f.names()).map(str::to_string));
                known.dedup();
                Err(Error::invalid(format!(
                    "unknown variable {name:?}; there is {}",
                    if known.is_empty() {
                        "none".into()
                    } else {
                        known.join(", ")
                    }
                )))
            }
            several => {
                let files: Vec<String> = several.iter().map(|f| f.path().display().to_string()).collect();
                let held = |path: &PathBuf| several.iter().any(|f| f.path() == path);
                let why = self.apart.iter().find(|(paths, _)| paths.iter().any(held));
                let why = why.map(|(_, why)| format!(" ({why})")).unwrap_or_default();
                Err(Error::invalid(format!(
                    "{name} is in {}; write file:{name} with the file's name, or --let new=FILE:{name}{why}",
                    files.join(" and ")
                )))
            }
        }
    }

    /// A variable of the file of that name, whole or without its ending.
    ///
    /// # Errors
    /// When no file or several have that name, or it lacks the variable.
    pub fn get_from(&self, file: &str, name: &str) -> Result<DataArray> {
        let named = |path: &Path| {
            let part = |p: Option<&std::ffi::OsStr>| p.is_some_and(|p| p == file);
            path.as_os_str() == file || part(path.file_name()) || part(path.file_stem())
        };
        let several = |dataset: &Dataset| dataset.paths().len() > 1;
        let called = |d: &&Arc<Dataset>| named(d.path()) && !several(d);
        let mut found: Vec<Arc<Dataset>> = self.files.iter().filter(called).cloned().collect();
        if found.is_empty() {
            // One of the files that are joined, by itself; or all of a pattern.
            let joined = self.files.iter().filter(|d| several(d));
            let parts: Vec<PathBuf> = joined
                .clone()
                .flat_map(|d| d.paths())
                .filter(|p| named(p))
                .collect();
            found = match parts.is_empty() {
                true => joined.filter(|d| named(d.path())).cloned().collect(),
                false => parts
                    .iter()
                    .map(|p| Dataset::open(p).map(Arc::new))
                    .collect::<Result<_>>()?,
            };
        }
        match found.as_slice() {
            [one] => self.chunked(one.get(name)?),
            [] => {
                let known: Vec<String> = self
                    .files
                    .iter()
                    .map(|f| f.path().display().to_string())
                    .collect();
                Err(Error::invalid(format!(
                    "no file {file:?} is given; there is {}",
                    known.join(", ")
                )))
            }
            _ => Err(Error::invalid(format!(
                "several files are called {file:?}; use --let new=FILE:{name}"
            ))),
        }
    }
}
