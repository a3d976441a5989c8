//! Named arrays to a file: dimensions, coordinates and CF attributes as readers expect them.
//!
//! Results stream through sinks within the memory bound; coordinates in memory are written whole.
//! Nothing has the file's name before all of it is there.

use super::coord::{Coord, CoordData};
use super::data_array::DataArray;
use super::index::{Index, Values};
use super::pack::pack;
use crate::io::{Attributes, Compression, Dim, FileSpec, OutputFormat, VarType, VariableSpec};
use crate::plan::block_extents;
use crate::session::{Array, Session};
use crate::store::Sink;
use crate::{DType, Error, Result, Scalar};
use std::path::Path;
use std::sync::Arc;

/// Bytes of a stored chunk, at most.
pub(super) const CHUNK_BYTES: usize = 4 << 20;
/// Smaller chunks are joined up to this.
pub(super) const SMALL_CHUNK_BYTES: usize = 1 << 20;

/// How a file is written.
#[derive(Clone, Debug, Default)]
pub struct Encoding {
    /// How arrays are compressed; `None` stores them plainly.
    pub compression: Option<Compression>,
    /// Sizes of stored chunks by dimension; others follow the chunks of the arrays.
    pub chunks: Vec<(String, usize)>,
    /// Sizes of shards by dimension, whole chunks each, for formats that have them.
    pub shards: Vec<(String, usize)>,
    /// Dimensions that can grow later.
    pub unlimited: Vec<String>,
    /// The integer dtype that floats are packed to, with a scale and an offset from their range, which
    /// costs one more pass over the data.
    pub pack: Option<DType>,
    /// Attributes of the file.
    pub attributes: Attributes,
}

/// Computes arrays and writes them to a NetCDF-4 file with their coordinates; as [`write`].
///
/// # Errors
/// As [`write`].
pub fn write_netcdf(session: &Session, path: &Path, arrays: &[DataArray], encoding: &Encoding) -> Result<()> {
    write(session, path, OutputFormat::NetCdf4, arrays, encoding)
}

/// Computes arrays, in one pass over what they share, and writes them to a file or store of a format
/// with their coordinates. bf16, and f16 where the format lacks it (NetCDF does), are stored as f32 of the same values;
/// complex numbers in NetCDF-4 as the compound of `r` and `i` that h5py, h5netcdf and netCDF4 with
/// `auto_complex` read.
///
/// # Errors
/// Arrays that have different coordinates of one name, what the format cannot hold, a folder that
/// refuses, the memory bound, and what reading and computing meet. No file is left then.
pub fn write(
    session: &Session,
    path: &Path,
    format: OutputFormat,
    arrays: &[DataArray],
    encoding: &Encoding,
) -> Result<()> {
    if !format.is_labelled() {
        return write_bare(session, path, format, arrays);
    }
    let storable = |array: &DataArray| match array.dtype() {
        DType::F16 if format.has_half_floats() => array.clone(),
        DType::F16 | DType::BF16 => array.astype(DType::F32),
        _ => array.clone(),
    };
    let arrays: Vec<DataArray> = arrays.iter().map(storable).collect();
    let packed: Vec<(DataArray, Option<Scalar>)> = match encoding.pack {
        Some(dtype) => pack(session, &arrays, dtype)?,
        None => arrays.into_iter().map(|a| (a, None)).collect(),
    };
    let arrays: Vec<DataArray> = packed.iter().map(|(a, _)| a.clone()).collect();
    let mut coords: Vec<(String, Coord)> = Vec::new();
    let mut dims: Vec<Dim> = Vec::new();
    for array in &arrays {
        if coords.iter().any(|(n, _)| n == array.name())
            || array.coord(array.name()).is_some_and(|c| c.dims != array.dims())
        {
            return Err(Error::invalid(format!(
                "the result {} has the name of a coordinate; give it another, as in value = …",
                array.name()
            )));
        }
        collect(array, &mut dims, &mut coords)?;
    }
    let mut variables = Vec::new();
    for (name, coord) in &coords {
        if !arrays.iter().any(|a| a.name() == name) {
            variables.push(coord_spec(name, coord)?);
        }
    }
    for (array, fill) in &packed {
        variables.push(array_spec(array, encoding, *fill));
    }
    let asked = encoding.chunks.iter().chain(&encoding.shards).map(|(dim, _)| dim);
    for dim in asked.chain(&encoding.unlimited) {
        let Some(at) = dims.iter().position(|d| d.name == *dim) else {
            let known: Vec<&str> = dims.iter().map(|d| d.name.as_str()).collect();
            return Err(Error::invalid(format!(
                "the results have no dimension {dim}; they have {}",
                known.join(", ")
            )));
        };
        dims[at].unlimited |= encoding.unlimited.contains(dim);
    }
    let spec = FileSpec {
        dims,
        variables,
        attributes: encoding.attributes.clone(),
    };
    let writer = format.create(path, &spec)?;
    let mut streams: Vec<(Array, Arc<dyn Sink>)> = Vec::new();
    let beside: Vec<_> = coords
        .iter()
        .filter(|(n, _)| !arrays.iter().any(|a| a.name() == n))
        .collect();
    for (name, coord) in &beside {
        if let CoordData::Index(index) = &coord.data
            && let Values::Text(texts) = &index.values
        {
            writer.write_text(name, texts)?; // first, as their lengths may decide where numbers lie
        }
    }
    for (name, coord) in &beside {
        match &coord.data {
            CoordData::Array(expr) => streams.push((Array::from_expr(expr.clone()), writer.sink(name)?)),
            CoordData::Index(index) => match (&index.values, index.bytes()) {
                (Values::Text(_), _) => {}
                (_, Some((_, bytes))) => writer.write_whole(name, &bytes)?,
                (_, None) => return Err(Error::invalid(format!("the coordinate {name} cannot be written"))),
            },
        }
    }
    for array in &arrays {
        streams.push((array.array(), writer.sink(array.name())?));
    }
    let outputs: Vec<(&Array, Arc<dyn Sink>)> = streams.iter().map(|(a, s)| (a, s.clone())).collect();
    session.store(&outputs)?;
    drop(outputs);
    drop(streams);
    writer.finish()
}

/// Writes arrays to a format that holds no labels.
fn write_bare(session: &Session, path: &Path, format: OutputFormat, arrays: &[DataArray]) -> Result<()> {
    let mut spec = FileSpec::default();
    for array in arrays {
        for (dim, &len) in array.dims().iter().zip(array.shape()) {
            // Without labels, dimensions of one name may differ.
            spec.dims.push(Dim {
                name: format!("{}/{dim}", array.name()),
                len,
                unlimited: false,
            });
        }
        let dims: Vec<String> = array
            .dims()
            .iter()
            .map(|d| format!("{}/{d}", array.name()))
            .collect();
        let dims: Vec<&str> = dims.iter().map(String::as_str).collect();
        spec.variables.push(VariableSpec::new(
            array.name(),
            &dims,
            VarType::Numeric(array.dtype()),
        ));
    }
    let writer = format.create(path, &spec)?;
    let streams: Vec<(Array, Arc<dyn Sink>)> = arrays
        .iter()
        .map(|a| Ok((a.array(), writer.sink(a.name())?)))
        .collect::<Result<_>>()?;
    let outputs: Vec<(&Array, Arc<dyn Sink>)> = streams.iter().map(|(a, s)| (a, s.clone())).collect();
    session.store(&outputs)?;
    drop(outputs);
    drop(streams);
    writer.finish()
}

/// Adds an array's dimensions and coordinates to those of the file.
fn collect(array: &DataArray, dims: &mut Vec<Dim>, coords: &mut Vec<(String, Coord)>) -> Result<()> {
    let mut add = |name: &str, len: usize| match dims.iter().find(|d| d.name == name) {
        Some(dim) if dim.len != len => Err(Error::invalid(format!(
            "results have the dimension {name} with sizes {} and {len}; write them to files of their own",
            dim.len
        ))),
        Some(_) => Ok(()),
        None => {
            dims.push(Dim {
                name: name.to_string(),
                len,
                unlimited: false,
            });
            Ok(())
        }
    };
    for (dim, &len) in array.dims().iter().zip(array.shape()) {
        add(dim, len)?;
    }
    for (name, coord) in array.coords() {
        match &coord.data {
            CoordData::Index(index) => {
                for dim in &coord.dims {
                    add(dim, index.len())?;
                }
            }
            CoordData::Array(expr) => {
                for (dim, &len) in coord.dims.iter().zip(&expr.shape) {
                    add(dim, len)?;
                }
            }
        }
        match coords.iter().find(|(n, _)| n == name) {
            None => coords.push((name.clone(), coord.clone())),
            Some((_, other)) if other.same(coord) => {}
            Some((_, other)) => {
                let how = match (other.index(), coord.index()) {
                    (Some(a), Some(b)) => a.difference(b).unwrap_or_default(),
                    _ => String::new(),
                };
                return Err(Error::invalid(format!(
                    "results have different coordinates {name} {how}; write them to files of their own"
                )));
            }
        }
    }
    Ok(())
}

fn coord_spec(name: &str, coord: &Coord) -> Result<VariableSpec> {
    let dtype = match &coord.data {
        CoordData::Array(expr) => VarType::Numeric(expr.dtype),
        CoordData::Index(index) => match index.dtype {
            Some(dtype) => VarType::Numeric(dtype),
            None => VarType::Text,
        },
    };
    let dims: Vec<&str> = coord.dims.iter().map(String::as_str).collect();
    Ok(VariableSpec {
        attributes: coord.attrs.clone(),
        ..VariableSpec::new(name, &dims, dtype)
    })
}

fn array_spec(array: &DataArray, encoding: &Encoding, fill: Option<Scalar>) -> VariableSpec {
    let dims: Vec<&str> = array.dims().iter().map(String::as_str).collect();
    let mut attributes = array.attrs().clone();
    let bounds: Vec<&str> = array
        .coords()
        .iter()
        .filter_map(|(_, c)| c.attrs.text("bounds"))
        .collect();
    let mapping = attributes.text("grid_mapping").map(str::to_string);
    let beside: Vec<&str> = array
        .coords()
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !dims.contains(name) && !bounds.contains(name) && mapping.as_deref() != Some(*name))
        .collect();
    if !beside.is_empty() {
        attributes.set("coordinates", beside.join(" "));
    }
    let fill = fill.or(match array.dtype() {
        DType::F32 => Some(Scalar::new(f32::NAN)),
        DType::F64 => Some(Scalar::new(f64::NAN)),
        _ => None,
    });
    let compressed = encoding
        .compression
        .filter(|_| !dims.is_empty() && !array.expr().is_empty());
    let chunks = stored_chunks(array, encoding, compressed.is_some());
    let shards = chunks
        .as_ref()
        .filter(|_| !encoding.shards.is_empty())
        .map(|chunks| {
            let size =
                |(dim, &n): (&String, &usize)| asked(&encoding.shards, dim).map_or(n, |s| s.div_ceil(n) * n);
            array.dims().iter().zip(chunks).map(size).collect()
        });
    VariableSpec {
        chunks,
        compression: compressed,
        shards,
        fill,
        attributes,
        ..VariableSpec::new(array.name(), &dims, VarType::Numeric(array.dtype()))
    }
}

/// The size that a list asks for a dimension.
fn asked(list: &[(String, usize)], dim: &String) -> Option<usize> {
    list.iter().find(|(name, _)| name == dim).map(|(_, n)| *n)
}

/// The chunks that a file stores: those asked for, else those of the array, small ones joined and
/// large ones cut. `None` where blocks lie one after another in the file anyway and nothing asks for
/// chunks.
fn stored_chunks(array: &DataArray, encoding: &Encoding, compressed: bool) -> Option<Vec<usize>> {
    let chunks = &array.expr().chunks;
    let in_order = chunks.axes().iter().skip(1).all(|axis| axis.count() == 1);
    let grows = array.dims().iter().any(|d| encoding.unlimited.contains(d));
    let named = array.dims().iter().any(|d| asked(&encoding.chunks, d).is_some());
    let chunked = compressed || grows || named || !encoding.shards.is_empty() || !in_order;
    if array.dims().is_empty() || array.expr().is_empty() || !chunked {
        return None;
    }
    let extents = block_extents(chunks, array.dtype().size(), SMALL_CHUNK_BYTES, CHUNK_BYTES);
    let pairs = array.dims().iter().zip(extents);
    Some(
        pairs
            .map(|(dim, n)| asked(&encoding.chunks, dim).unwrap_or(n))
            .collect(),
    )
}

impl DataArray {
    /// The lazy array without names.
    pub fn array(&self) -> Array {
        Array::from_expr(self.expr().clone())
    }

    /// The labels along a dimension as text, at most `most` of them.
    pub fn shown_labels(&self, dim: &str, most: usize) -> Vec<String> {
        let show = |index: &Arc<Index>| (0..index.len().min(most)).map(|at| index.show(at)).collect();
        self.index(dim).map(show).unwrap_or_default()
    }
}

/// A sink that takes an array nowhere: what a plan is made for before an output has a name.
#[derive(Debug)]
pub struct Nowhere {
    shape: Vec<usize>,
    dtype: DType,
}

impl Nowhere {
    /// A sink for that array.
    pub fn like(array: &DataArray) -> Nowhere {
        Nowhere {
            shape: array.shape().to_vec(),
            dtype: array.dtype(),
        }
    }
}

impl Sink for Nowhere {
    fn name(&self) -> String {
        "output".into()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn chunks(&self) -> Option<&[usize]> {
        None
    }

    fn write(&self, _region: &crate::geometry::Region, _data: &[u8]) -> Result<()> {
        Ok(())
    }

    fn scratch_bytes(&self, _region: &crate::geometry::Region) -> usize {
        0
    }
}
