//! A file as named arrays: variables with their coordinates, decoded by CF's conventions.
//!
//! Opening reads names and attributes only; a variable's source and its coordinates are opened
//! when it is asked for.

use super::cftime::{Calendar, TimeUnits};
use super::coord::{Coord, CoordData};
use super::data_array::{Coords, DataArray};
use super::decode::{PACKING, Packing};
use super::index::{Index, Values};
use crate::expr::Expr;
use crate::geometry::Region;
use crate::io::{Attributes, Catalog, Container, VarType, Variable};
use crate::{DType, Error, Result, Scalar};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Dimension coordinates longer than this stay on disk and give no labels.
const LONGEST_INDEX: usize = 1 << 24;

/// The named arrays of one file.
///
/// ```
/// use tilewise::labelled::{DataArray, Dataset, Encoding, write_netcdf};
/// use tilewise::{Array, Session};
///
/// let folder = tempfile::tempdir().map_err(tilewise::Error::io("make", "a folder"))?;
/// let path = folder.path().join("small.nc");
/// let dims = vec!["time".to_string(), "x".to_string()];
/// let values = Array::from_vec(&[2, 3], vec![1.0f32, 2.0, 3.0, 5.0, 6.0, 7.0])?;
/// let tas = DataArray::new("tas", values.expr().clone(), dims, vec![], Default::default())?;
/// write_netcdf(&Session::global()?, &path, &[tas], &Encoding::default())?;
///
/// let tas = Dataset::open(&path)?.get("tas")?; // nothing is read but metadata
/// let mean = tas.mean(&["time"])?;
/// assert_eq!((mean.dims(), mean.shape()), (&["x".to_string()][..], &[3][..]));
/// assert_eq!(mean.compute::<f32>()?.as_slice(), Some(&[3.0, 4.0, 5.0][..]));
/// # Ok::<(), tilewise::Error>(())
/// ```
#[derive(Debug)]
pub struct Dataset {
    container: Container,
    /// Coordinates already read, so that arrays of one file share them.
    coords: Mutex<BTreeMap<String, Option<Coord>>>,
}

impl Dataset {
    /// Opens a file.
    ///
    /// # Errors
    /// When it is missing, of a format that cannot be read, or broken; names the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Dataset> {
        Ok(Dataset {
            container: Container::open(path)?,
            coords: Mutex::default(),
        })
    }

    /// The file's content.
    pub fn catalog(&self) -> &Catalog {
        self.container.catalog()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.catalog().path
    }

    /// The open file.
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Names of the variables that can be computed with.
    pub fn names(&self) -> Vec<&str> {
        let numeric = self.catalog().variables.iter().filter(|v| v.numeric().is_some());
        numeric.map(|v| v.name.as_str()).collect()
    }

    /// A variable, decoded, with its coordinates.
    ///
    /// # Errors
    /// When there is none of that name (lists what there is), or it does not hold numbers.
    pub fn get(&self, name: &str) -> Result<DataArray> {
        let catalog = self.catalog();
        let variable = catalog.variable(name).ok_or_else(|| self.unknown(name))?;
        let source = self.container.source(name)?;
        let stored = Expr::source(source)?;
        let mut attrs = variable.attributes.clone();
        let time = self.time_units(variable).is_some();
        let expr = match Packing::of(stored.dtype, &attrs) {
            Some(packing) if !time => packing.decode(&stored)?,
            _ => stored,
        };
        for name in PACKING {
            attrs.remove(name);
        }
        let coords = self.coords_of(variable)?;
        attrs.remove("coordinates");
        attrs.remove("grid_mapping_name");
        DataArray::new(name, expr, variable.dims.clone(), coords, attrs)
    }

    /// The error for a name that is no variable.
    fn unknown(&self, name: &str) -> Error {
        Error::invalid(format!(
            "{} has no variable {name:?}; it has {}",
            self.path().display(),
            self.names().join(", ")
        ))
    }

    /// Units and calendar of a variable that holds times; `None` also where they are not valid, so
    /// that the error comes when times are asked for.
    fn time_units(&self, variable: &Variable) -> Option<TimeUnits> {
        let units = variable.attributes.text("units")?;
        let calendar = match variable.attributes.text("calendar") {
            Some(name) => Calendar::parse(name).ok()?,
            None => Calendar::Standard,
        };
        TimeUnits::parse(units, calendar).ok().flatten()
    }

    /// The coordinates of a variable: those of its dimensions, those it names, and cell bounds.
    fn coords_of(&self, variable: &Variable) -> Result<Coords> {
        let catalog = self.catalog();
        let group = variable.name.rfind('/').map_or("", |at| &variable.name[..=at]);
        let mut names: Vec<String> = variable.dims.clone();
        for attribute in ["coordinates", "grid_mapping"] {
            let listed = variable.attributes.text(attribute).unwrap_or_default();
            names.extend(
                listed
                    .split_whitespace()
                    .map(|name| match catalog.variable(name) {
                        Some(_) => name.to_string(),
                        None => format!("{group}{name}"),
                    }),
            );
        }
        let mut coords: Coords = Vec::new();
        let mut at = 0;
        while at < names.len() {
            let name = names[at].clone();
            at += 1;
            if name == variable.name && variable.dims != [name.as_str()] {
                continue;
            }
            if coords.iter().any(|(n, _)| *n == name) {
                continue;
            }
            let Some(coord) = self.coord(&name)? else { continue };
            let foreign = coord.dims.iter().any(|d| !variable.dims.contains(d));
            let bounds = at > variable.dims.len() && coord.dims.len() >= 2;
            if foreign && !bounds {
                continue;
            }
            if let Some(bounds) = coord.attrs.text("bounds") {
                names.push(bounds.to_string());
            }
            coords.push((name, coord));
        }
        Ok(coords)
    }

    /// A coordinate by name, read once; `None` when it is no variable or cannot be one.
    fn coord(&self, name: &str) -> Result<Option<Coord>> {
        let mut known = self
            .coords
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(coord) = known.get(name) {
            return Ok(coord.clone());
        }
        let coord = match self.catalog().variable(name) {
            Some(variable) => self.read_coord(variable)?,
            None => None,
        };
        known.insert(name.to_string(), coord.clone());
        Ok(coord)
    }

    fn read_coord(&self, variable: &Variable) -> Result<Option<Coord>> {
        let mut attrs = variable.attributes.clone();
        let data = match &variable.dtype {
            VarType::Numeric(dtype) => {
                let source = self.container.source(&variable.name)?;
                let small = source.shape().iter().product::<usize>() <= LONGEST_INDEX;
                if source.shape().len() <= 1 && small {
                    let region = Region::whole(source.shape());
                    let count: usize = source.shape().iter().product();
                    let mut bytes = vec![0; count * dtype.size()];
                    source.read(&region, &mut bytes)?;
                    let time = self.time_units(variable);
                    CoordData::Index(numbers(*dtype, &bytes, &attrs, time).shared())
                } else {
                    let stored = Expr::source(source)?;
                    CoordData::Array(match Packing::of(stored.dtype, &attrs) {
                        Some(packing) => packing.decode(&stored)?,
                        None => stored,
                    })
                }
            }
            VarType::Text | VarType::Char => {
                let text = self.container.text(&variable.name)?;
                if text.shape.len() > 1 {
                    return Ok(None);
                }
                let dims = variable.dims[..text.shape.len()].to_vec();
                let index = Index::texts(text.values).shared();
                return Ok(Some(Coord::new(dims, CoordData::Index(index), attrs)));
            }
            VarType::Other(_) => return Ok(None),
        };
        for name in PACKING {
            attrs.remove(name);
        }
        Ok(Some(Coord::new(variable.dims.clone(), data, attrs)))
    }
}

/// An index of stored numbers; packed ones are decoded unless they are times.
fn numbers(dtype: DType, bytes: &[u8], attrs: &Attributes, time: Option<TimeUnits>) -> Index {
    let scalars = bytes
        .chunks_exact(dtype.size())
        .map(|b| Scalar::from_bytes(dtype, b));
    let packing = Packing::of(dtype, attrs).filter(|_| time.is_none());
    let base = |values, dtype| Index {
        values,
        dtype: Some(dtype),
        time: time.clone(),
        group: None,
    };
    match packing {
        Some(packing) => base(
            Values::Float(scalars.map(|s| packing.decode_value(s)).collect()),
            packing.dtype,
        ),
        None if dtype.is_float() => base(Values::Float(scalars.map(Scalar::to_f64).collect()), dtype),
        None => base(Values::Int(scalars.map(whole).collect()), dtype),
    }
}

/// An integer or bool scalar; u64 beyond i64 saturates.
fn whole(scalar: Scalar) -> i64 {
    match scalar.dtype() {
        DType::I64 => scalar.bits() as i64,
        DType::U64 => i64::try_from(scalar.bits()).unwrap_or(i64::MAX),
        _ => scalar.to_f64() as i64,
    }
}

/// Several files whose variables are found by name.
#[derive(Debug, Default)]
pub struct Datasets {
    files: Vec<Arc<Dataset>>,
    named: BTreeMap<String, (Arc<Dataset>, String)>,
    chunks: Vec<(String, usize)>,
}

impl Datasets {
    /// Opens files.
    ///
    /// # Errors
    /// As [`Dataset::open`].
    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Result<Datasets> {
        let files = paths
            .iter()
            .map(|p| Dataset::open(p).map(Arc::new))
            .collect::<Result<_>>()?;
        Ok(Datasets {
            files,
            named: BTreeMap::new(),
            chunks: Vec::new(),
        })
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
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files
            .iter()
            .chain(self.named.values().map(|(d, _)| d))
            .map(|d| d.path())
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
                Err(Error::invalid(format!(
                    "{name} is in {}; write file:{name} with the file's name, or --let new=FILE:{name}",
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
        let called = |dataset: &&Arc<Dataset>| {
            let path = dataset.path();
            let part = |p: Option<&std::ffi::OsStr>| p.is_some_and(|p| p == file);
            path.as_os_str() == file || part(path.file_name()) || part(path.file_stem())
        };
        let found: Vec<&Arc<Dataset>> = self.files.iter().filter(called).collect();
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
