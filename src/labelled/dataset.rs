//! A file as named arrays: variables with their coordinates, decoded by CF's conventions.
//!
//! Opening reads names and attributes only; a variable's source and its coordinates are opened
//! when it is asked for.

use super::cftime::{Calendar, TimeUnits};
use super::combine;
use super::coord::{Coord, CoordData};
use super::data_array::{Coords, DataArray};
use super::decode::{PACKING, Packing};
use super::index::{Index, Values};
use crate::expr::Expr;
use crate::geometry::Region;
use crate::io::{Attributes, Catalog, Container, KEPT_OPEN, VarType, Variable};
use crate::store::Source;
use crate::{DType, Error, Result, Scalar};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Dimension coordinates longer than this stay on disk and give no labels.
pub(super) const LONGEST_INDEX: usize = 1 << 24;

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
    /// Opens a file or, where a path has wildcards and names no file, all files that match as one
    /// ([`Dataset::join`]).
    ///
    /// # Errors
    /// When it is missing, of a format that cannot be read, or broken; names the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Dataset> {
        let path = path.as_ref();
        if combine::is_pattern(path) {
            return Dataset::join(path, &combine::expand(path)?);
        }
        let container = Container::open(path).map_err(|error| match &error {
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::IsADirectory => Error::format(
                path,
                format!(
                    "is a directory and no store; for the files in it, write '{}'",
                    path.join("*.nc").display()
                ),
            ),
            _ => error,
        })?;
        Ok(Dataset::of(container))
    }

    /// Many files as one called `name`: those with the same variables are joined along the dimension
    /// whose labels follow each other, those with other variables are put side by side. Only
    /// metadata and labels are read; files are opened again when their data is.
    ///
    /// # Errors
    /// When a file cannot be opened, or two do not fit together; says what differs.
    pub fn join<P: AsRef<Path>>(name: impl AsRef<Path>, paths: &[P]) -> Result<Dataset> {
        Dataset::join_keeping(name, paths, KEPT_OPEN)
    }

    /// As [`Dataset::join`], with at most `most_open` files kept open beside those being read.
    ///
    /// # Errors
    /// As [`Dataset::join`].
    pub fn join_keeping<P: AsRef<Path>>(
        name: impl AsRef<Path>,
        paths: &[P],
        most_open: usize,
    ) -> Result<Dataset> {
        let paths: Vec<PathBuf> = paths.iter().map(|p| p.as_ref().to_path_buf()).collect();
        combine::combine(name.as_ref().to_path_buf(), &paths, most_open).map(Dataset::of)
    }

    /// What a container holds.
    pub fn of(container: Container) -> Dataset {
        Dataset {
            container,
            coords: Mutex::default(),
        }
    }

    /// A variable as it is stored.
    ///
    /// # Errors
    /// When there is none of that name, or it does not hold numbers.
    pub fn source(&self, name: &str) -> Result<Arc<dyn Source>> {
        self.container.source(name)
    }

    /// The files that it is in.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.container.paths()
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
        let time = time_units(&variable.attributes).is_some();
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
    pub(super) fn unknown(&self, name: &str) -> Error {
        Error::invalid(format!(
            "{} has no variable {name:?}; it has {}",
            self.path().display(),
            self.names().join(", ")
        ))
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
                    let time = time_units(&variable.attributes);
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

/// Units and calendar of a variable that holds times; `None` also where they are not valid, so
/// that the error comes when times are asked for.
pub(super) fn time_units(attributes: &Attributes) -> Option<TimeUnits> {
    let units = attributes.text("units")?;
    let calendar = match attributes.text("calendar") {
        Some(name) => Calendar::parse(name).ok()?,
        None => Calendar::Standard,
    };
    TimeUnits::parse(units, calendar).ok().flatten()
}

/// An index of stored numbers; packed ones are decoded unless they are times.
pub(super) fn numbers(dtype: DType, bytes: &[u8], attrs: &Attributes, time: Option<TimeUnits>) -> Index {
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
