//! The fields of a file as a catalog: variables, dimensions, and coordinates with CF attributes.
//!
//! Names are those of cfgrib. Where two quantities have one name, or two sets of levels or times,
//! they are told apart by what differs.

use super::grid::{Grid, Layout};
use super::group::{self, Variable};
use super::levels;
use super::parameters;
use super::scan::Found;
use super::source::{Fields, PointSource};
use crate::io::catalog::{AttrValue, Attributes, Catalog, Dim, VarType, Variable as Listed};
use crate::store::{MemorySource, Source};
use crate::{DType, Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// What a variable of the catalog is read from.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A coordinate.
    Memory(Arc<dyn Source>),
    /// Messages.
    Fields(Fields),
}

/// A catalog and what its variables are read from.
#[derive(Debug)]
pub(super) struct Made {
    pub catalog: Catalog,
    pub contents: BTreeMap<String, Content>,
}

/// Makes the catalog of a file.
///
/// # Errors
/// When fields lie at absurdly many places, or sizes do not fit.
pub(super) fn make(path: &Path, found: Found) -> Result<Made> {
    let wrong = |reason: String| Error::format(path, reason);
    let mut notes: Vec<String> = found
        .skipped
        .iter()
        .map(|(reason, n)| format!("{n} fields are not shown: {reason}"))
        .collect();
    if found.fields.is_empty() {
        let first = notes.first().cloned().unwrap_or_default();
        return Err(wrong(format!("none of its fields can be read: {first}")));
    }
    let variables = group::group(found.fields).map_err(wrong)?;
    let names = names(&variables);
    let mut maker = Maker {
        path,
        dims: Vec::new(),
        listed: Vec::new(),
        contents: BTreeMap::new(),
        taken: names.clone(),
        known: Vec::new(),
    };
    for (variable, name) in variables.iter().zip(&names) {
        if variable.repeated > 0 {
            notes.push(format!(
                "{name}: {} messages repeat others; of each the last counts",
                variable.repeated
            ));
        }
        if let Layout::Plane(..) | Layout::Points = variable.grid.layout {
            notes.push(format!(
                "{name}: its grid is {}, whose latitudes and longitudes are not worked out",
                variable.grid.kind
            ));
        }
        maker.variable(variable, name)?;
    }
    let mut attributes = Attributes::new();
    attributes.set("Conventions", "CF-1.7");
    let catalog = Catalog {
        path: path.to_path_buf(),
        format: "GRIB",
        dims: maker.dims,
        variables: maker.listed,
        attributes,
        notes,
    };
    Ok(Made {
        catalog,
        contents: maker.contents,
    })
}

/// A name for each variable: that of its quantity, with its level and what else differs where
/// several have one.
fn names(variables: &[Variable]) -> Vec<String> {
    let base: Vec<String> = variables.iter().map(|v| parameters::meaning(v).name).collect();
    let alike = |at: usize, same: &dyn Fn(&Variable) -> bool| {
        (0..variables.len()).any(|o| o != at && base[o] == base[at] && same(&variables[o]))
    };
    let mut names: Vec<String> = Vec::new();
    for (at, variable) in variables.iter().enumerate() {
        let mut name = base[at].clone();
        if alike(at, &|o| o.level_kind != variable.level_kind) {
            name = format!("{name}_{}", variable.level_kind);
        }
        if alike(at, &|o| o.step_type != variable.step_type) {
            name = format!("{name}_{}", variable.step_type);
        }
        let mut unique = name.clone();
        let mut number = 1;
        while names.contains(&unique) {
            unique = format!("{name}_{number}");
            number += 1;
        }
        names.push(unique);
    }
    names
}

/// A dimension or coordinate that is there already: what it is, its values, its name.
type Known = (&'static str, String, Vec<u64>, String);

struct Maker<'a> {
    path: &'a Path,
    dims: Vec<Dim>,
    listed: Vec<Listed>,
    contents: BTreeMap<String, Content>,
    /// Names of variables, which coordinates do not take.
    taken: Vec<String>,
    known: Vec<Known>,
}

impl Maker<'_> {
    /// Adds a variable with its coordinates.
    fn variable(&mut self, variable: &Variable, name: &str) -> Result<()> {
        let [numbers, times, steps, levels] = &variable.axes;
        let (mut dims, mut shape, mut coords) = (Vec::new(), Vec::new(), Vec::new());
        let hours: Vec<f64> = steps.iter().map(|s| s / 3600.0).collect();
        let mut place = Vec::new();
        for (base, values) in [
            ("number", numbers),
            ("time", times),
            ("step", &hours),
            (variable.level_kind.as_str(), levels),
        ] {
            if values.is_empty() {
                place.push(None);
                continue;
            }
            let made = self.coordinate(base, values)?;
            if values.len() > 1 {
                dims.push(made.clone());
                shape.push(values.len());
                place.push(Some(made));
            } else {
                coords.push(made);
                place.push(None);
            }
        }
        coords.push(self.valid_time(times, steps, place[1].clone(), place[2].clone())?);
        let leading = shape.len();
        self.grid(&variable.grid, &mut dims, &mut shape, &mut coords)?;
        crate::geometry::checked_bytes(&shape, 4)?;
        let meaning = parameters::meaning(variable);
        let mut attributes = Attributes::new();
        for (key, text) in [
            ("long_name", meaning.long_name),
            ("units", meaning.units),
            ("standard_name", meaning.standard_name),
            ("GRIB_typeOfLevel", &variable.level_kind),
            ("GRIB_stepType", variable.step_type),
            ("GRIB_gridType", variable.grid.kind),
        ] {
            if !text.is_empty() {
                attributes.set(key, text);
            }
        }
        attributes.set("coordinates", coords.join(" "));
        attributes.set("_FillValue", AttrValue::number(f32::NAN));
        let mut chunk = shape.clone();
        chunk.iter_mut().take(leading).for_each(|n| *n = 1);
        chunk.iter_mut().for_each(|n| *n = (*n).max(1));
        let packed = variable.fields.iter().flatten();
        self.listed.push(Listed {
            name: name.to_string(),
            dims,
            shape: shape.clone(),
            dtype: VarType::Numeric(DType::F32),
            chunks: Some(chunk.clone()),
            codecs: String::new(),
            stored_bytes: packed.map(|p| p.values.len).sum(),
            fill: None,
            attributes,
        });
        let fields = Fields {
            shape,
            chunk,
            fields: variable.fields.clone().into(),
            grid: variable.grid.clone(),
        };
        self.contents.insert(name.to_string(), Content::Fields(fields));
        Ok(())
    }

    /// The name of what is there already, or a new one and true.
    fn name(&mut self, what: &'static str, base: &str, values: &[f64]) -> (String, bool) {
        let bits: Vec<u64> = values.iter().map(|v| v.to_bits()).collect();
        let same = |k: &&Known| k.0 == what && k.1 == base && k.2 == bits;
        if let Some(known) = self.known.iter().find(same) {
            return (known.3.clone(), false);
        }
        let mut name = base.to_string();
        let mut number = 1;
        while self.taken.contains(&name) {
            name = format!("{base}_{number}");
            number += 1;
        }
        self.taken.push(name.clone());
        self.known.push((what, base.to_string(), bits, name.clone()));
        (name, true)
    }

    /// A coordinate along a dimension of its own, or of one place.
    fn coordinate(&mut self, base: &str, values: &[f64]) -> Result<String> {
        let (name, new) = self.name("values", base, values);
        if !new {
            return Ok(name);
        }
        let dims = match values.len() {
            1 => Vec::new(),
            len => {
                self.dims.push(Dim {
                    name: name.clone(),
                    len,
                    unlimited: false,
                });
                vec![name.clone()]
            }
        };
        self.array(&name, dims, attributes(base), values)?;
        Ok(name)
    }

    /// The times at which fields hold, by time and step where those are dimensions.
    fn valid_time(
        &mut self,
        times: &[f64],
        steps: &[f64],
        time: Option<String>,
        step: Option<String>,
    ) -> Result<String> {
        let values: Vec<f64> = times
            .iter()
            .flat_map(|t| steps.iter().map(move |s| t + s))
            .collect();
        let dims: Vec<String> = time.into_iter().chain(step).collect();
        let (name, new) = self.name(
            "valid",
            "valid_time",
            &[values.clone(), vec![dims.len() as f64]].concat(),
        );
        // Other dimensions of the same times are others.
        let listed = self.listed.iter().find(|v| v.name == name);
        if new {
            self.array(&name, dims, attributes("valid_time"), &values)?;
        } else if listed.is_some_and(|v| v.dims != dims) {
            let (name, _) = self.name(
                "valid",
                "valid_time",
                &[values.clone(), vec![self.listed.len() as f64]].concat(),
            );
            self.array(&name, dims, attributes("valid_time"), &values)?;
            return Ok(name);
        }
        Ok(name)
    }

    /// The dimensions of a grid and its coordinates.
    fn grid(
        &mut self,
        grid: &Arc<Grid>,
        dims: &mut Vec<String>,
        shape: &mut Vec<usize>,
        coords: &mut Vec<String>,
    ) -> Result<()> {
        if let Layout::Axes {
            latitudes,
            longitudes,
        } = &grid.layout
        {
            for (base, values) in [("latitude", latitudes), ("longitude", longitudes)] {
                // Of one row or column too the axis stays.
                let (name, new) = self.name("axis", base, values);
                if new {
                    self.dims.push(Dim {
                        name: name.clone(),
                        len: values.len(),
                        unlimited: false,
                    });
                    self.array(&name, vec![name.clone()], attributes(base), values)?;
                }
                dims.push(name);
                shape.push(values.len());
            }
            return Ok(());
        }
        let own = Arc::as_ptr(grid) as usize as f64;
        for (base, len) in grid.dims() {
            let (name, new) = self.name("plane", base, &[len as f64, own]);
            if new {
                self.dims.push(Dim {
                    name: name.clone(),
                    len,
                    unlimited: false,
                });
            }
            dims.push(name);
            shape.push(len);
        }
        if let (Layout::Rows(lines), Some(dim)) = (&grid.layout, dims.last()) {
            let dim = dim.clone();
            let mut rows = Vec::with_capacity(lines.len() + 1);
            let mut start = 0;
            for (latitude, count) in lines.iter().filter(|l| l.1 > 0) {
                rows.push((*latitude, start));
                start += count;
            }
            rows.push((0.0, start));
            for base in ["latitude", "longitude"] {
                let (name, new) = self.name("point", base, &[own]);
                if new {
                    let text = format!("{}:{name}", self.path.display());
                    let source = PointSource {
                        fingerprint: xxh3_64(format!("{text} {rows:?}").as_bytes()),
                        name: text,
                        rows: rows.clone(),
                        shape: [grid.points],
                        latitudes: base == "latitude",
                    };
                    self.list(
                        &name,
                        vec![dim.clone()],
                        vec![grid.points],
                        DType::F64,
                        attributes(base),
                    );
                    self.contents
                        .insert(name.clone(), Content::Memory(Arc::new(source)));
                }
                coords.push(name);
            }
        }
        Ok(())
    }

    /// Adds a coordinate in memory; those of whole numbers are integers.
    fn array(&mut self, name: &str, dims: Vec<String>, attributes: Attributes, values: &[f64]) -> Result<()> {
        let sizes = dims
            .iter()
            .filter_map(|d| self.dims.iter().find(|o| o.name == *d));
        let shape: Vec<usize> = sizes.map(|d| d.len).collect();
        let whole = ["number", "time", "valid_time"]
            .iter()
            .any(|base| name.starts_with(base));
        let (dtype, bytes): (DType, Vec<u8>) = match whole {
            true => (
                DType::I64,
                values.iter().flat_map(|&v| (v as i64).to_ne_bytes()).collect(),
            ),
            false => (DType::F64, values.iter().flat_map(|v| v.to_ne_bytes()).collect()),
        };
        let source = MemorySource::new(&shape, dtype, Arc::new(bytes))?;
        self.list(name, dims, shape, dtype, attributes);
        self.contents
            .insert(name.to_string(), Content::Memory(Arc::new(source)));
        Ok(())
    }

    fn list(
        &mut self,
        name: &str,
        dims: Vec<String>,
        shape: Vec<usize>,
        dtype: DType,
        attributes: Attributes,
    ) {
        self.listed.push(Listed {
            name: name.to_string(),
            dims,
            shape,
            dtype: VarType::Numeric(dtype),
            chunks: None,
            codecs: String::new(),
            stored_bytes: 0,
            fill: None,
            attributes,
        });
    }
}

/// The attributes of a coordinate.
fn attributes(base: &str) -> Attributes {
    const SINCE: &str = "seconds since 1970-01-01T00:00:00";
    let (level_units, level_name, positive) = levels::meaning(base);
    let entries = match base {
        "number" => [
            ("standard_name", "realization"),
            ("long_name", "ensemble member numerical id"),
            ("units", "1"),
            ("", ""),
        ],
        "time" => [
            ("standard_name", "forecast_reference_time"),
            ("long_name", "initial time of forecast"),
            ("units", SINCE),
            ("calendar", "proleptic_gregorian"),
        ],
        "valid_time" => [
            ("standard_name", "time"),
            ("long_name", "time"),
            ("units", SINCE),
            ("calendar", "proleptic_gregorian"),
        ],
        "step" => [
            ("standard_name", "forecast_period"),
            ("long_name", "time since forecast_reference_time"),
            ("units", "hours"),
            ("", ""),
        ],
        "latitude" => [
            ("standard_name", "latitude"),
            ("long_name", "latitude"),
            ("units", "degrees_north"),
            ("", ""),
        ],
        "longitude" => [
            ("standard_name", "longitude"),
            ("long_name", "longitude"),
            ("units", "degrees_east"),
            ("", ""),
        ],
        other => [
            ("standard_name", level_name),
            ("long_name", other),
            ("units", level_units),
            ("positive", positive),
        ],
    };
    let mut out = Attributes::new();
    for (key, text) in entries.into_iter().filter(|(_, text)| !text.is_empty()) {
        out.set(key, text);
    }
    out
}
