//! What is kept of each file while files are put together: a few numbers and shared descriptions.
//!
//! Files are opened side by side, looked at and closed again. What thousands of them have in common
//! (names, dimensions, labels of space, packing) is kept once.

use crate::geometry::Region;
use crate::io::{Attributes, Catalog, Container, VarType, Variable};
use crate::labelled::dataset::{LONGEST_INDEX, numbers, time_units};
use crate::labelled::decode::PACKING;
use crate::labelled::index::Index;
use crate::store::Source;
use crate::{DType, Result};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_128;

/// The names and kinds of what a file holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Form {
    /// The names of its dimensions.
    pub dims: Vec<String>,
    /// Its variables, in the order of the file.
    pub variables: Vec<FormVariable>,
}

/// A variable without what differs from file to file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FormVariable {
    /// Its name.
    pub name: String,
    /// The numbers of its dimensions.
    pub dims: Vec<usize>,
    /// What its elements are.
    pub dtype: VarType,
    /// The shape of its stored chunks.
    pub chunks: Option<Vec<usize>>,
    /// Whether it describes other variables: a coordinate, cell bounds, a grid mapping.
    pub describes: bool,
}

impl Form {
    /// The names of the variables that describe no other, sorted; of all where there is none.
    pub fn data_names(&self) -> Vec<&str> {
        let named = |all: bool| {
            let some = self.variables.iter().filter(|v| all || !v.describes);
            let mut names: Vec<&str> = some.map(|v| v.name.as_str()).collect();
            names.sort_unstable();
            names
        };
        let names = named(false);
        if names.is_empty() { named(true) } else { names }
    }
}

/// What one file has of a variable of its form.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// The attributes that say what its numbers mean: packing, units, calendar (cell bounds have
    /// those of their coordinate).
    pub meaning: Arc<Attributes>,
    /// Its identity; 0 for text.
    pub fingerprint: u64,
    /// Its labels, where it is a coordinate along one dimension.
    pub labels: Option<Arc<Index>>,
}

/// What is kept of a file.
#[derive(Clone, Debug)]
pub(super) struct Digest {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub form: Arc<Form>,
    /// The extents of its dimensions.
    pub extents: Vec<usize>,
    /// Of each variable of the form.
    pub facts: Vec<Facts>,
    /// The most that reading one of its variables holds.
    pub scratch: usize,
    /// Bytes of each variable in the file.
    pub stored_bytes: Vec<u64>,
}

impl Digest {
    /// The number of a dimension.
    pub fn dim(&self, name: &str) -> Option<usize> {
        self.form.dims.iter().position(|d| d == name)
    }

    /// The extent of a dimension; 0 where there is none.
    pub fn extent(&self, name: &str) -> usize {
        self.dim(name).map_or(0, |d| self.extents[d])
    }

    /// A variable and what the file has of it. `near` is its number in the files before, which it
    /// most often has here too.
    pub fn variable(&self, name: &str, near: usize) -> Option<(&FormVariable, &Facts, usize)> {
        let all = &self.form.variables;
        let at = match all.get(near).is_some_and(|v| v.name == name) {
            true => near,
            false => all.iter().position(|v| v.name == name)?,
        };
        Some((&all[at], &self.facts[at], at))
    }

    /// The names of the dimensions of a variable.
    pub fn dims_of(&self, variable: &FormVariable) -> Vec<&str> {
        variable
            .dims
            .iter()
            .map(|&d| self.form.dims[d].as_str())
            .collect()
    }

    /// The labels of a dimension, where it has a coordinate.
    pub fn labels(&self, name: &str) -> Option<&Arc<Index>> {
        let (variable, facts, _) = self.variable(name, 0)?;
        (self.dims_of(variable) == [name]).then_some(facts.labels.as_ref())?
    }
}

/// Values that many files share, each kept once.
#[derive(Debug)]
struct Shared<T>(Mutex<HashMap<u128, Arc<T>>>);

impl<T: Debug> Shared<T> {
    fn new() -> Shared<T> {
        Shared(Mutex::default())
    }

    /// The one value that looks like this one.
    fn one(&self, value: T) -> Arc<T> {
        self.made(format!("{value:?}").as_bytes(), || value)
    }

    /// The one value that is made from this content.
    fn made(&self, content: &[u8], make: impl FnOnce() -> T) -> Arc<T> {
        let key = xxh3_128(content);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(key).or_insert_with(|| Arc::new(make())).clone()
    }
}

/// What the digests of a set of files share.
#[derive(Debug)]
struct Common {
    forms: Shared<Form>,
    meanings: Shared<Attributes>,
    labels: Shared<Index>,
}

/// The digests of files, in their order; each file is open only meanwhile.
///
/// # Errors
/// A file that cannot be opened or whose coordinates cannot be read.
pub(super) fn all(paths: &[PathBuf]) -> Result<Vec<Digest>> {
    let common = Common {
        forms: Shared::new(),
        meanings: Shared::new(),
        labels: Shared::new(),
    };
    paths.par_iter().map(|path| digest(path, &common)).collect()
}

fn digest(path: &Path, common: &Common) -> Result<Digest> {
    let file = Container::open(path)?;
    let catalog = file.catalog();
    let form = common.forms.one(form(catalog));
    let mut scratch = 0;
    let mut facts = Vec::with_capacity(catalog.variables.len());
    for (variable, kept) in catalog.variables.iter().zip(&form.variables) {
        let meaning = common.meanings.one(meaning(catalog, variable));
        let (mut fingerprint, mut labels) = (0, None);
        let of_dim = catalog.dim(&variable.name).is_some();
        match variable.numeric() {
            Some(dtype) => match file.source(&variable.name) {
                Ok(source) => {
                    fingerprint = source.fingerprint();
                    let one = vec![usize::from(!source.shape().contains(&0)); source.shape().len()];
                    for region in [
                        Region::whole(source.shape()),
                        Region::new(vec![0; one.len()], one),
                    ] {
                        scratch = scratch.max(source.scratch_bytes(&region));
                    }
                    let small = variable.shape.iter().product::<usize>() <= LONGEST_INDEX;
                    if kept.describes && variable.dims.len() == 1 && small {
                        labels = Some(read_labels(&*source, dtype, variable, &meaning, common)?);
                    }
                }
                // What cannot be read is told when it is asked for, unless files are joined by it.
                Err(error) if of_dim => return Err(error),
                Err(_) => {}
            },
            None if of_dim && matches!(variable.dtype, VarType::Text | VarType::Char) => {
                let text = file.text(&variable.name)?;
                labels = (text.shape.len() == 1).then(|| common.labels.one(Index::texts(text.values)));
            }
            None => {}
        }
        facts.push(Facts {
            meaning,
            fingerprint,
            labels,
        });
    }
    Ok(Digest {
        path: path.to_path_buf(),
        form,
        extents: catalog.dims.iter().map(|d| d.len).collect(),
        facts,
        scratch,
        stored_bytes: catalog.variables.iter().map(|v| v.stored_bytes).collect(),
    })
}

/// The labels that a coordinate along one dimension holds.
fn read_labels(
    source: &dyn Source,
    dtype: DType,
    variable: &Variable,
    meaning: &Attributes,
    common: &Common,
) -> Result<Arc<Index>> {
    let len = source.shape()[0] * dtype.size();
    let mut bytes = vec![0; len];
    source.read(&Region::whole(source.shape()), &mut bytes)?;
    // Bytes, dtype and meaning tell labels, so that those of space are made once for all files.
    let mut content = bytes;
    content.extend(format!("{dtype} {meaning:?}").as_bytes());
    Ok(common.labels.made(&content, || {
        let time = time_units(&variable.attributes);
        numbers(dtype, &content[..len], &variable.attributes, time)
    }))
}

/// The form of a catalog.
fn form(catalog: &Catalog) -> Form {
    let described: HashSet<&str> = catalog
        .variables
        .iter()
        .flat_map(|v| {
            let names = [
                "coordinates",
                "bounds",
                "climatology",
                "grid_mapping",
                "ancillary_variables",
                "cell_measures",
            ];
            names.map(|n| v.attributes.text(n).unwrap_or_default())
        })
        .flat_map(str::split_whitespace)
        .collect();
    let place = |name: &String| catalog.dims.iter().position(|d| d.name == *name);
    let variables = catalog.variables.iter().map(|v| FormVariable {
        name: v.name.clone(),
        dims: v.dims.iter().filter_map(place).collect(),
        dtype: v.dtype.clone(),
        chunks: v.chunks.clone(),
        describes: catalog.dim(&v.name).is_some() || described.contains(v.name.as_str()),
    });
    Form {
        dims: catalog.dims.iter().map(|d| d.name.clone()).collect(),
        variables: variables.collect(),
    }
}

/// What a variable's numbers mean; cell bounds have the unit of their coordinate.
fn meaning(catalog: &Catalog, variable: &Variable) -> Attributes {
    let mut out = Attributes::new();
    let parent = catalog.variables.iter().find(|v| {
        ["bounds", "climatology"]
            .iter()
            .any(|a| v.attributes.text(a) == Some(variable.name.as_str()))
    });
    for name in PACKING {
        if let Some(value) = variable.attributes.get(name) {
            out.set(name, value.clone());
        }
    }
    for name in ["units", "calendar"] {
        let own = variable.attributes.get(name);
        let inherited = || parent.and_then(|p| p.attributes.get(name));
        if let Some(value) = own.or_else(inherited) {
            out.set(name, value.clone());
        }
    }
    out
}

/// The dtype of a numeric variable of a form.
pub(super) fn dtype_of(variable: &FormVariable) -> Option<DType> {
    match variable.dtype {
        VarType::Numeric(dtype) => Some(dtype),
        _ => None,
    }
}
