//! NetCDF-4's dimensions, written as HDF5's dimension scales.
//!
//! The inverse of `dims.rs`, after the specification of HDF5's dimension scales: a scale carries
//! `CLASS`, `NAME` and the list of what refers to it, a variable the list of its scales. NetCDF adds
//! the number of each dimension. The functions of HDF5's high-level library do the same, but that
//! library is not everywhere.

use super::attributes::address;
use super::ffi::{H5Result, Id, check};
use super::types::file_type;
use super::write_attributes::{write_raw, write_terminated};
use crate::DType;
use hdf5_sys::h5t::*;
use std::ffi::c_void;

/// Bytes of an entry of `REFERENCE_LIST`: an address, an axis, padding.
const REFERENCE: usize = 16;

/// An axis that refers to a scale: the address of its dataset and the number of the axis.
pub(super) type Use = (u64, usize);

/// Marks a dataset as the scale of dimension `number`; the lock is held.
pub(super) fn mark(dataset: &Id, name: &str, number: usize) -> H5Result<()> {
    write_terminated(dataset, "CLASS", "DIMENSION_SCALE")?;
    write_terminated(dataset, "NAME", name)?;
    let number = i32::try_from(number).map_err(|_| "more dimensions than NetCDF numbers".to_string())?;
    write_raw(
        dataset,
        "_Netcdf4Dimid",
        &file_type(DType::I32)?,
        None,
        &number.to_le_bytes(),
    )
}

/// The `NAME` of a dimension that has no coordinate variable, as the NetCDF library writes it.
pub(super) fn bare_name(len: usize) -> String {
    format!("This is a netCDF dimension but not a netCDF variable.{len:10}")
}

/// Writes NetCDF's numbers of the dimensions of a variable.
pub(super) fn number_axes(dataset: &Id, dims: &[usize]) -> H5Result<()> {
    let bytes: Vec<u8> = dims.iter().flat_map(|&d| (d as i32).to_le_bytes()).collect();
    write_raw(
        dataset,
        "_Netcdf4Coordinates",
        &file_type(DType::I32)?,
        Some(dims.len()),
        &bytes,
    )
}

/// Lets each axis of a variable refer to its scale.
pub(super) fn attach(dataset: &Id, scales: &[&Id]) -> H5Result<()> {
    let doing = "write DIMENSION_LIST";
    let mut references = scales
        .iter()
        .map(|s| address(s))
        .collect::<H5Result<Vec<u64>>>()?;
    let lists: Vec<hvl_t> = references
        .iter_mut()
        .map(|r| hvl_t {
            len: 1,
            p: std::ptr::from_mut(r).cast::<c_void>(),
        })
        .collect();
    // SAFETY: each list has one reference that outlives the call; the lock is held by the caller.
    let kind = unsafe { Id::new(H5Tvlen_create(*H5T_STD_REF_OBJ), doing)? };
    // SAFETY: the lists are plain memory of that many bytes.
    let bytes =
        unsafe { std::slice::from_raw_parts(lists.as_ptr().cast::<u8>(), size_of_val(lists.as_slice())) };
    write_raw(dataset, "DIMENSION_LIST", &kind, Some(lists.len()), bytes)
}

/// Writes into a scale which axes refer to it.
pub(super) fn list_uses(scale: &Id, uses: &[Use]) -> H5Result<()> {
    if uses.is_empty() {
        return Ok(());
    }
    let doing = "write REFERENCE_LIST";
    // SAFETY: the members lie within the size of the compound; the lock is held by the caller.
    let kind = unsafe {
        let kind = Id::new(H5Tcreate(H5T_COMPOUND, REFERENCE), doing)?;
        check(
            H5Tinsert(kind.raw(), c"dataset".as_ptr(), 0, *H5T_STD_REF_OBJ),
            doing,
        )?;
        check(
            H5Tinsert(kind.raw(), c"dimension".as_ptr(), 8, *H5T_STD_I32LE),
            doing,
        )?;
        kind
    };
    let mut bytes = Vec::with_capacity(uses.len() * REFERENCE);
    for (address, axis) in uses {
        bytes.extend(address.to_ne_bytes());
        bytes.extend((*axis as i32).to_le_bytes());
        bytes.extend([0; 4]);
    }
    write_raw(scale, "REFERENCE_LIST", &kind, Some(uses.len()), &bytes)
}
