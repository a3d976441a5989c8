//! The datasets of a file to be written, with their types, layouts and filters.
//!
//! Everything is created before the first element is written, so that sizes and addresses are
//! known and a wrong description fails at once.

use super::dataset::ZSTD;
use super::ffi::{H5Result, Id, UNDEFINED, check, cstring};
use super::placed::{MOST_CHUNKS, Piece, Placed};
use super::types::{file_type, text_type};
use crate::DType;
use crate::io::catalog::{VarType, netcdf_default_fill};
use crate::io::filters::Filter;
use crate::io::spec::{Codec, VariableSpec};
use hdf5_sys::h5d::*;
use hdf5_sys::h5g::H5Gcreate2;
use hdf5_sys::h5p::*;
use hdf5_sys::h5s::{H5S_SCALAR, H5S_UNLIMITED, H5Screate, H5Screate_simple};
use hdf5_sys::h5t::{H5T_IEEE_F32BE, H5Tcopy};
use hdf5_sys::h5z::H5Z_FLAG_OPTIONAL;
use std::ffi::c_uint;
use tilewise_kernels::Scalar;

/// Chunks that the writer chooses have at most this many bytes.
const CHOSEN_CHUNK: usize = 4 << 20;

/// The most bytes of a chunk: HDF5 counts them in 32 bits.
const MOST_CHUNK: usize = u32::MAX as usize;

/// Keeps the order in which links and attributes were made, as NetCDF asks.
const IN_ORDER: c_uint = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;

/// Where the elements of a new dataset go.
#[derive(Debug)]
pub(super) enum Place {
    /// Chunks of that shape through those filters, by the library.
    Chunks { chunk: Vec<usize>, filters: Vec<Filter> },
    /// Chunks of that shape, which have room in the file.
    Room { shape: Vec<usize>, chunk: Vec<usize> },
    /// The same, when their room is found.
    Placed(Placed),
    /// One piece at that offset of the file.
    Piece(Piece),
    /// Nothing to write by regions: text, or no element.
    Library,
}

/// A new dataset.
#[derive(Debug)]
pub(super) struct Created {
    pub id: Id,
    pub kind: Id,
    pub place: Place,
    pub fill: Vec<u8>,
}

/// A property list that keeps creation order; the lock is held, here and below.
pub(super) fn ordered_list(class: hdf5_sys::h5i::hid_t, links: bool) -> H5Result<Id> {
    let doing = "make a property list";
    // SAFETY: a valid class; the list takes the properties of its class.
    unsafe {
        let list = Id::new(H5Pcreate(class), doing)?;
        check(H5Pset_attr_creation_order(list.raw(), IN_ORDER), doing)?;
        check(H5Pset_obj_track_times(list.raw(), 0), doing)?;
        if links {
            check(H5Pset_link_creation_order(list.raw(), IN_ORDER), doing)?;
        }
        Ok(list)
    }
}

/// Creates a group.
pub(super) fn group(file: &Id, path: &str) -> H5Result<Id> {
    let list = ordered_list(*H5P_CLS_GROUP_CREATE, true)?;
    let name = cstring(path)?;
    // SAFETY: valid handles and a C string.
    let raw = unsafe { H5Gcreate2(file.raw(), name.as_ptr(), H5P_DEFAULT, list.raw(), H5P_DEFAULT) };
    Id::new(raw, "create a group")
}

/// Creates the dataset of a dimension that has no coordinate variable; it holds nothing.
pub(super) fn bare_dimension(file: &Id, path: &str, len: usize, unlimited: bool) -> H5Result<Id> {
    let doing = "create a dimension";
    // SAFETY: valid handles; the lock is held.
    unsafe {
        let kind = Id::new(H5Tcopy(*H5T_IEEE_F32BE), doing)?;
        let list = ordered_list(*H5P_CLS_DATASET_CREATE, false)?;
        if unlimited {
            check(
                H5Pset_chunk(list.raw(), 1, [len.clamp(1, 1024) as u64].as_ptr()),
                doing,
            )?;
        }
        let space = shape_space(&[len], &[unlimited])?;
        dataset(file, path, &kind, &space, &list)
    }
}

/// Creates the dataset of a variable of that shape.
pub(super) fn variable(
    file: &Id,
    path: &str,
    spec: &VariableSpec,
    shape: &[usize],
    unlimited: &[bool],
    fill: Option<Scalar>,
) -> H5Result<Created> {
    let kind = match &spec.dtype {
        VarType::Numeric(dtype) => file_type(*dtype)?,
        VarType::Char => text_type(Some(1), false)?,
        _ => text_type(None, true)?,
    };
    let size = match &spec.dtype {
        VarType::Numeric(dtype) => dtype.size(),
        VarType::Char => 1,
        _ => 16,
    };
    let list = ordered_list(*H5P_CLS_DATASET_CREATE, false)?;
    let doing = "set the layout";
    let grows = unlimited.contains(&true);
    let empty = shape.contains(&0);
    let chunked =
        !shape.is_empty() && (grows || (!empty && (spec.chunks.is_some() || spec.compression.is_some())));
    let numeric = matches!(spec.dtype, VarType::Numeric(_));
    let fill_value = fill_value(spec, fill);
    let mut filters = Vec::new();
    let mut chunk = Vec::new();
    let by_position;
    // Where others let it grow, the library must fill what they leave out.
    let plain = |filters: &[Filter], chunk: &[usize]| {
        let chunks = shape.iter().zip(chunk).map(|(n, c)| n.div_ceil(*c));
        !grows && filters.is_empty() && chunks.product::<usize>() <= MOST_CHUNKS
    };
    // SAFETY: a valid list; the arrays have a place for each axis; the fill value has the bytes of
    // the type; the lock is held.
    unsafe {
        if let Some(value) = &fill_value {
            check(
                H5Pset_fill_value(list.raw(), kind.raw(), value.as_ptr().cast()),
                doing,
            )?;
        }
        if chunked {
            chunk = chunk_shape(spec.chunks.as_deref(), shape, unlimited, size)?;
            let wide: Vec<u64> = chunk.iter().map(|&c| c as u64).collect();
            check(H5Pset_chunk(list.raw(), wide.len() as i32, wide.as_ptr()), doing)?;
            // HDF5 cannot compress strings of variable length, only their addresses.
            if spec.dtype != VarType::Text {
                let shuffles = spec.compression.is_some_and(|c| c.shuffle);
                if shuffles && size > 1 {
                    check(H5Pset_shuffle(list.raw()), doing)?;
                    filters.push(Filter::Shuffle(size));
                }
                match spec.compression.map(|c| c.codec) {
                    None => {}
                    Some(Codec::Deflate(level)) => {
                        check(H5Pset_deflate(list.raw(), level.into()), doing)?;
                        filters.push(Filter::Deflate(level));
                    }
                    Some(Codec::Zstd(level)) => {
                        // Optional, because it need not be there to make the file: we encode.
                        let (values, flags) = ([c_uint::from(level)], H5Z_FLAG_OPTIONAL);
                        let status = H5Pset_filter(list.raw(), ZSTD, flags, 1, values.as_ptr());
                        check(status, doing)?;
                        filters.push(Filter::Zstd(level));
                    }
                    Some(codec) => {
                        return Err(format!(
                            "variable {}: {} is not written to NetCDF-4; deflate and zstd are",
                            spec.name,
                            codec.name()
                        ));
                    }
                }
            }
        }
        by_position = numeric && !empty && (!chunked || plain(&filters, &chunk));
        if by_position {
            // Room now and no fill: every element is written past the library.
            check(H5Pset_alloc_time(list.raw(), H5D_ALLOC_TIME_EARLY), doing)?;
            check(H5Pset_fill_time(list.raw(), H5D_FILL_TIME_NEVER), doing)?;
        }
    }
    let space = shape_space(shape, unlimited)?;
    let id = dataset(file, path, &kind, &space, &list)?;
    let fill = fill_value.unwrap_or_else(|| vec![0; size]);
    let place = if !numeric || empty {
        Place::Library
    } else if chunked && by_position {
        Place::Room {
            shape: shape.to_vec(),
            chunk,
        }
    } else if chunked {
        Place::Chunks { chunk, filters }
    } else {
        // SAFETY: a valid dataset; the lock is held.
        let offset = unsafe { H5Dget_offset(id.raw()) };
        if offset == UNDEFINED {
            return Err("the library gave no space in the file".to_string());
        }
        Place::Piece(Piece::new(offset, shape, fill.clone()))
    };
    Ok(Created {
        id,
        kind,
        place,
        fill,
    })
}

/// The bytes of elements never written: the variable's fill value, else NetCDF's default.
fn fill_value(spec: &VariableSpec, fill: Option<Scalar>) -> Option<Vec<u8>> {
    match spec.dtype {
        VarType::Numeric(DType::Bool) => fill.map(|f| f.bytes()),
        VarType::Numeric(dtype) => fill.or_else(|| netcdf_default_fill(dtype)).map(|f| f.bytes()),
        _ => None,
    }
}

/// The chunk shape: the one wished for, cut to what the axes hold, or one of a fair size.
fn chunk_shape(
    wished: Option<&[usize]>,
    shape: &[usize],
    unlimited: &[bool],
    size: usize,
) -> H5Result<Vec<usize>> {
    let chunk: Vec<usize> = match wished {
        Some(wished) => wished
            .iter()
            .zip(shape)
            .zip(unlimited)
            .map(|((&w, &n), &grows)| if grows { w } else { w.min(n.max(1)) })
            .collect(),
        None => chosen_chunk(shape, size),
    };
    let bytes = chunk.iter().try_fold(size, |n, &c| n.checked_mul(c));
    match bytes {
        Some(bytes) if bytes <= MOST_CHUNK => Ok(chunk),
        _ => Err(format!(
            "chunks {chunk:?} of {size}-byte elements are 4 GiB or more: choose smaller ones"
        )),
    }
}

/// Whole rows and planes as long as they fit, so that the slow axes are cut first.
fn chosen_chunk(shape: &[usize], size: usize) -> Vec<usize> {
    let mut room = CHOSEN_CHUNK / size;
    let mut chunk: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&n| {
            let extent = n.clamp(1, room.max(1));
            room /= extent;
            extent
        })
        .collect();
    chunk.reverse();
    chunk
}

/// A dataspace of that shape that can grow where asked.
fn shape_space(shape: &[usize], unlimited: &[bool]) -> H5Result<Id> {
    let doing = "make a shape";
    let dims: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
    let most: Vec<u64> = dims
        .iter()
        .zip(unlimited)
        .map(|(&n, &grows)| if grows { H5S_UNLIMITED } else { n })
        .collect();
    // SAFETY: both arrays have a place for each axis; the lock is held.
    let raw = unsafe {
        if shape.is_empty() {
            H5Screate(H5S_SCALAR)
        } else {
            H5Screate_simple(dims.len() as i32, dims.as_ptr(), most.as_ptr())
        }
    };
    Id::new(raw, doing)
}

fn dataset(file: &Id, path: &str, kind: &Id, space: &Id, list: &Id) -> H5Result<Id> {
    let name = cstring(path)?;
    // SAFETY: valid handles and a C string; the lock is held.
    let raw = unsafe {
        let (kind, space) = (kind.raw(), space.raw());
        H5Dcreate2(
            file.raw(),
            name.as_ptr(),
            kind,
            space,
            H5P_DEFAULT,
            list.raw(),
            H5P_DEFAULT,
        )
    };
    Id::new(raw, "create")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_chunks_are_of_a_fair_size() {
        assert_eq!(chosen_chunk(&[1000, 721, 1440], 4), [1, 721, 1440]);
        assert_eq!(chosen_chunk(&[1 << 24], 4), [1 << 20]);
        assert_eq!(chosen_chunk(&[0, 3], 8), [1, 3]);
        assert_eq!(chosen_chunk(&[5, 1 << 21], 4), [1, 1 << 20]);
        let cut = chunk_shape(Some(&[10, 10]), &[4, 4], &[true, false], 4);
        assert_eq!(cut, Ok(vec![10, 4]));
        assert!(chunk_shape(Some(&[1 << 20, 1 << 12]), &[1 << 20, 1 << 12], &[false; 2], 4).is_err());
    }
}
