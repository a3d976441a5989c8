//! Strings of text variables: of variable length, of fixed width, or rows of characters.
//!
//! Names of stations and the like are small; they are read whole, through the library.

use super::attributes::text_at;
use super::dataset::Dataset;
use super::ffi::{H5Dvlen_reclaim, H5Result, Id, check, text_of};
use crate::io::catalog::VarType;
use crate::io::text::TextArray;
use hdf5_sys::h5d::{H5Dget_space, H5Dread};
use hdf5_sys::h5p::H5P_DEFAULT;
use hdf5_sys::h5s::H5S_ALL;
use std::ffi::c_char;

/// The most bytes of text that are read as one variable.
const MOST_BYTES: usize = 1 << 30;

/// Reads all strings of a dataset; the lock is held.
pub(super) fn read(dataset: &Dataset) -> H5Result<TextArray> {
    let count: usize = dataset.extent.iter().product();
    let mut shape = dataset.extent.clone();
    let variable = dataset.stored.is_variable_text();
    let size = if variable {
        size_of::<*mut c_char>()
    } else {
        dataset.stored.size
    };
    if count.saturating_mul(size) > MOST_BYTES {
        return Err(format!(
            "its {count} strings of {size} bytes are more than are read as text"
        ));
    }
    if variable {
        return Ok(TextArray {
            shape,
            values: read_variable(dataset, count)?,
        });
    }
    let mut bytes = vec![0u8; count * size];
    let (id, memory) = (dataset.id.raw(), dataset.stored.id.raw());
    // SAFETY: the buffer has `count` elements of the file's own type; the lock is held.
    let status = unsafe {
        H5Dread(
            id,
            memory,
            H5S_ALL,
            H5S_ALL,
            H5P_DEFAULT,
            bytes.as_mut_ptr().cast(),
        )
    };
    check(status, "read")?;
    let width = match dataset.stored.what {
        VarType::Char => shape.pop().unwrap_or(1),
        _ => size,
    };
    let values = match width {
        0 => vec![String::new(); shape.iter().product()],
        _ => bytes.chunks_exact(width).map(text_of).collect(),
    };
    Ok(TextArray { shape, values })
}

/// Reads strings of variable length.
fn read_variable(dataset: &Dataset, count: usize) -> H5Result<Vec<String>> {
    let (id, memory, doing) = (dataset.id.raw(), dataset.stored.id.raw(), "read");
    // SAFETY: the buffer has room for `count` pointers, which the library sets and takes back; each
    // is null or a string; the lock is held.
    unsafe {
        let space = Id::new(H5Dget_space(id), doing)?;
        let mut pointers: Vec<*mut c_char> = vec![std::ptr::null_mut(); count];
        let buffer = pointers.as_mut_ptr().cast();
        check(H5Dread(id, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer), doing)?;
        let texts = pointers.iter().map(|p| text_at(*p)).collect();
        H5Dvlen_reclaim(memory, space.raw(), H5P_DEFAULT, buffer);
        Ok(texts)
    }
}
