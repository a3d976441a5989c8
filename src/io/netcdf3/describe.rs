//! What a NetCDF-3 file shall hold, checked against what its version can.

use super::encode::{Described, EncodedAttribute, attribute};
use super::layout::{Place, record_bytes};
use super::types::{CHAR, Version, default_fill, number_of, padded, size_of};
use crate::io::catalog::{AttrValue, VarType};
use crate::io::spec::{FileSpec, VariableSpec};
use crate::{DType, Error, Result};

/// The most bytes of a name.
const MOST_NAME: usize = 256;

/// A description that a version can hold, but for what the lengths of texts decide.
#[derive(Debug)]
pub(super) struct Description {
    pub version: Version,
    pub spec: FileSpec,
    /// The number of the dimension that grows.
    pub record: Option<usize>,
    attributes: Vec<EncodedAttribute>,
}

/// Where everything of a file lies.
#[derive(Debug)]
pub(super) struct Laid {
    pub header: Vec<u8>,
    pub places: Vec<Place>,
    pub len: u64,
}

impl Description {
    /// Checks a description.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what contradicts itself or what the version cannot hold; the text says
    /// which format can.
    pub fn new(spec: &FileSpec, version: Version) -> Result<Description> {
        spec.check()?;
        let described = Description {
            version,
            spec: spec.clone(),
            record: record_dim(spec)?,
            attributes: Vec::new(),
        };
        let names = spec.dims.iter().map(|d| &d.name);
        for name in names.chain(spec.variables.iter().map(|v| &v.name)) {
            check_name(name)?;
        }
        for dim in &spec.dims {
            if dim.len as u64 > version.most_extent() {
                return Err(too_large(
                    version,
                    format!("dimension {} of {}", dim.name, dim.len),
                ));
            }
        }
        for variable in &spec.variables {
            described.check_variable(variable)?;
        }
        let mut attributes = Vec::new();
        for (name, value) in spec.attributes.iter() {
            check_name(name)?;
            attributes.push(attribute(name, value, version).map_err(Error::invalid)?);
        }
        Ok(Description {
            attributes,
            ..described
        })
    }

    /// The records of the file.
    pub fn records(&self) -> usize {
        self.record.map_or(0, |dim| self.spec.dims[dim].len)
    }

    /// Whether a variable grows.
    pub fn grows(&self, variable: &VariableSpec) -> Result<bool> {
        let dims = self.spec.dims_of(variable)?;
        Ok(self.record.is_some() && dims.first().copied() == self.record)
    }

    /// The shape of a variable; for texts without the axis of their characters.
    pub fn shape(&self, variable: &VariableSpec) -> Result<Vec<usize>> {
        let dims = self.spec.dims_of(variable)?;
        Ok(dims.into_iter().map(|d| self.spec.dims[d].len).collect())
    }

    /// What unwritten elements are, as this machine holds it.
    pub fn fill(&self, variable: &VariableSpec) -> Result<Vec<u8>> {
        let declared = variable.declared_fill().map_err(Error::invalid)?;
        Ok(match (declared, &variable.dtype) {
            (Some(fill), _) => fill.bits().to_le_bytes()[..fill.dtype().size().min(8)].to_vec(),
            (None, VarType::Numeric(DType::Bool)) => vec![0],
            (None, dtype) => default_fill(dtype),
        })
    }

    fn check_variable(&self, variable: &VariableSpec) -> Result<()> {
        let (name, version) = (&variable.name, self.version.name());
        if let VarType::Numeric(dtype) = variable.dtype
            && number_of(dtype, self.version).is_none()
        {
            let way = match dtype {
                DType::F16 | DType::BF16 => "cast it to float32",
                dtype if dtype.is_complex() => "write NetCDF-4, or its real and imaginary part",
                _ => "write CDF-5 (netcdf5) or NetCDF-4, or cast it",
            };
            return Err(Error::invalid(format!(
                "variable {name} is {dtype}, which {version} has not: {way}"
            )));
        }
        if variable.compression.is_some() {
            return Err(Error::invalid(format!(
                "variable {name}: {version} has no compression: leave it out, or write NetCDF-4"
            )));
        }
        let dims = self.spec.dims_of(variable)?;
        if let Some(axis) = (1..dims.len()).find(|&a| Some(dims[a]) == self.record) {
            let dim = &variable.dims[axis];
            return Err(Error::invalid(format!(
                "variable {name} has {dim}, which grows or is empty, as axis {axis}, and NetCDF-3 lets only the \
                 first axis grow: make {dim} fixed, transpose, or write NetCDF-4"
            )));
        }
        self.attributes_of(variable).map(|_| ())
    }

    /// The attributes of a variable in the bytes of the file, its fill value first.
    fn attributes_of(&self, variable: &VariableSpec) -> Result<Vec<EncodedAttribute>> {
        let mut all: Vec<(String, AttrValue)> = Vec::new();
        let fill = variable.declared_fill().map_err(Error::invalid)?;
        if let Some(fill) = fill {
            all.push(("_FillValue".to_string(), AttrValue::from(fill)));
        }
        let others = variable
            .attributes
            .iter()
            .filter(|(n, _)| fill.is_none() || *n != "_FillValue");
        all.extend(others.map(|(n, v)| (n.to_string(), v.clone())));
        match variable.dtype {
            VarType::Numeric(DType::Bool) => all.push(("dtype".to_string(), "bool".into())),
            VarType::Text if variable.attributes.get("_Encoding").is_none() => {
                all.push(("_Encoding".to_string(), "utf-8".into()));
            }
            _ => {}
        }
        let described = |reason: String| Error::invalid(format!("variable {}: {reason}", variable.name));
        all.iter()
            .map(|(name, value)| {
                check_name(name)?;
                attribute(name, value, self.version).map_err(described)
            })
            .collect()
    }

    /// Lays the file out; `widths` are the bytes of the longest text of each text variable.
    ///
    /// # Errors
    /// When the version cannot count so far; the text says which format can.
    pub fn lay_out(&self, widths: &[usize]) -> Result<Laid> {
        let (mut dims, mut variables) = (self.file_dims(), Vec::new());
        for (variable, &width) in self.spec.variables.iter().zip(widths) {
            let mut axes = self.spec.dims_of(variable)?;
            let kind = match &variable.dtype {
                VarType::Numeric(dtype) => number_of(*dtype, self.version).unwrap_or(CHAR),
                VarType::Text => {
                    axes.push(string_dim(&mut dims, width.max(1) as u64));
                    CHAR
                }
                _ => CHAR,
            };
            variables.push(Described {
                name: variable.name.clone(),
                dims: axes,
                attributes: self.attributes_of(variable)?,
                kind,
            });
        }
        let head = super::encode::Head {
            version: self.version,
            records: self.records() as u64,
            dims: &dims,
            attributes: &self.attributes,
        };
        let nowhere = vec![(0, 0); variables.len()];
        let start = super::encode::header(&head, &variables, &nowhere).len() as u64;
        let (places, len) = self.places(&variables, &dims, start)?;
        let told: Vec<(u64, u64)> = places.iter().map(|p| (p.bytes as u64, p.begin)).collect();
        Ok(Laid {
            header: super::encode::header(&head, &variables, &told),
            places,
            len,
        })
    }

    /// The dimensions of the header: the one that grows has extent 0 there.
    fn file_dims(&self) -> Vec<(String, u64)> {
        let extent = |(number, dim): (usize, &crate::io::Dim)| match Some(number) == self.record {
            true => (dim.name.clone(), 0),
            false => (dim.name.clone(), dim.len as u64),
        };
        self.spec.dims.iter().enumerate().map(extent).collect()
    }

    /// Where every variable lies behind a header that ends at `start`, and the length of the file.
    fn places(
        &self,
        variables: &[Described],
        dims: &[(String, u64)],
        start: u64,
    ) -> Result<(Vec<Place>, u64)> {
        let version = self.version;
        let records = self.records();
        if records as u64 > version.most_records() {
            return Err(too_large(version, format!("a file of {records} records")));
        }
        let overflow = || Error::invalid("the file would have more bytes than 64 bits count");
        let (mut grows, mut sizes) = (Vec::new(), Vec::new());
        for (variable, spec) in variables.iter().zip(&self.spec.variables) {
            let own = self.grows(spec)?;
            let extents = variable.dims[usize::from(own)..].iter().map(|&d| dims[d].1);
            let bytes = extents
                .into_iter()
                .try_fold(size_of(&spec.dtype) as u64, u64::checked_mul);
            grows.push(own);
            sizes.push(
                bytes
                    .filter(|&b| usize::try_from(b).is_ok())
                    .ok_or_else(overflow)?,
            );
        }
        let of = |which: bool| {
            (0..sizes.len())
                .filter(|&v| grows[v] == which)
                .collect::<Vec<_>>()
        };
        let (fixed, moving) = (of(false), of(true));
        // Only what lies last may be longer than the size field of its version counts.
        let last = moving.last().or(fixed.last()).copied();
        for (v, &bytes) in sizes.iter().enumerate() {
            if bytes > version.most_bytes() && (Some(v) != last || version == Version::Data64) {
                let name = &self.spec.variables[v].name;
                return Err(too_large(version, format!("variable {name} of {bytes} bytes")));
            }
        }
        let piece_sizes: Vec<u64> = moving.iter().map(|&v| sizes[v]).collect();
        let stride = record_bytes(&piece_sizes).ok_or_else(overflow)?;
        let mut places: Vec<Option<Place>> = vec![None; sizes.len()];
        let mut at = start;
        for &v in fixed.iter().chain(&moving) {
            if at > version.most_offset() {
                let name = &self.spec.variables[v].name;
                return Err(too_large(version, format!("variable {name} at offset {at}")));
            }
            let whole = match moving.as_slice() {
                [alone] if *alone == v => sizes[v],
                _ => padded(sizes[v]).ok_or_else(overflow)?,
            };
            places[v] = Some(Place {
                begin: at,
                pieces: if grows[v] { records } else { 1 },
                bytes: sizes[v] as usize,
                stride: if grows[v] { stride } else { whole },
                pad: (whole - sizes[v]) as usize,
            });
            at = at.checked_add(whole).ok_or_else(overflow)?;
        }
        let fixed_end = at - stride;
        let len = stride
            .checked_mul(records as u64)
            .and_then(|n| n.checked_add(fixed_end));
        let len = len.filter(|&n| n <= i64::MAX as u64).ok_or_else(overflow)?;
        Ok((places.into_iter().flatten().collect(), len))
    }
}

/// The number of the dimension that grows.
fn record_dim(spec: &FileSpec) -> Result<Option<usize>> {
    let growing: Vec<usize> = (0..spec.dims.len())
        .filter(|&d| spec.dims[d].unlimited || spec.dims[d].len == 0)
        .collect();
    match growing.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        [first, second, ..] => Err(Error::invalid(format!(
            "the dimensions {} and {} both grow or are empty, and NetCDF-3 has one such dimension: write NetCDF-4",
            spec.dims[*first].name, spec.dims[*second].name
        ))),
    }
}

/// The number of a dimension for texts of that many bytes, called as xarray calls it.
fn string_dim(dims: &mut Vec<(String, u64)>, width: u64) -> usize {
    let base = format!("string{width}");
    let mut name = base.clone();
    for next in 1.. {
        match dims.iter().position(|d| d.0 == name) {
            Some(at) if dims[at].1 == width => return at,
            Some(_) => name = format!("{base}_{next}"),
            None => break,
        }
    }
    dims.push((name, width));
    dims.len() - 1
}

/// Checks a name by the rules of the NetCDF library.
fn check_name(name: &str) -> Result<()> {
    let wrong = |why: &str| {
        Err(Error::invalid(format!(
            "NetCDF-3 cannot hold the name {name:?}: {why}"
        )))
    };
    let first = name.chars().next().unwrap_or(' ');
    if name.contains('/') {
        wrong("it has no groups; write NetCDF-4, or rename")
    } else if first.is_ascii() && !first.is_ascii_alphanumeric() && first != '_' {
        wrong("it must begin with a letter, a digit or _")
    } else if name.ends_with(' ') || name.chars().any(char::is_control) {
        wrong("it ends with a space or has control characters")
    } else if name.len() > MOST_NAME {
        wrong("it is longer than 256 bytes")
    } else {
        Ok(())
    }
}

/// The error for what a version cannot count.
fn too_large(version: Version, what: String) -> Error {
    let way = match version {
        Version::Classic => "NetCDF-3 64-bit offset (netcdf3-64bit), CDF-5 (netcdf5) or NetCDF-4",
        Version::Offset64 => "CDF-5 (netcdf5) or NetCDF-4",
        Version::Data64 => "smaller files",
    };
    Error::invalid(format!(
        "{what} is larger than {} can hold: write {way}",
        version.name()
    ))
}
