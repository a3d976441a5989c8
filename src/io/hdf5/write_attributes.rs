//! Attributes of HDF5 objects, written as the NetCDF library writes them.
//!
//! One text is a string of its own length, several are strings of variable length; numbers are
//! one-dimensional even when there is one.

use super::ffi::{H5Result, Id, check, cstring};
use super::types::{file_type, text_type};
use crate::DType;
use crate::io::catalog::{AttrValue, Attributes};
use hdf5_sys::h5a::{H5Acreate2, H5Awrite};
use hdf5_sys::h5p::H5P_DEFAULT;
use hdf5_sys::h5s::{H5S_NULL, H5S_SCALAR, H5Screate, H5Screate_simple};
use std::ffi::{CString, c_char};

/// Writes all attributes of an object; the lock is held, here and below.
pub(super) fn write_all(object: &Id, attributes: &Attributes) -> H5Result<()> {
    for (name, value) in attributes.iter() {
        write(object, name, value).map_err(|reason| format!("attribute {name}: {reason}"))?;
    }
    Ok(())
}

/// Writes one attribute.
pub(super) fn write(object: &Id, name: &str, value: &AttrValue) -> H5Result<()> {
    match value {
        AttrValue::Text(text) => write_text(object, name, text),
        AttrValue::TextList(texts) => write_texts(object, name, texts),
        AttrValue::Int(dtype, v) => {
            let bytes = v.iter().flat_map(|x| x.to_le_bytes()[..dtype.size()].to_vec());
            write_numbers(object, name, *dtype, v.len(), bytes.collect())
        }
        AttrValue::UInt(dtype, v) => {
            let bytes = v.iter().flat_map(|x| x.to_le_bytes()[..dtype.size()].to_vec());
            write_numbers(object, name, *dtype, v.len(), bytes.collect())
        }
        AttrValue::Float(dtype, v) => {
            let bytes = v.iter().flat_map(|&x| float_bytes(*dtype, x));
            write_numbers(object, name, *dtype, v.len(), bytes.collect())
        }
    }
}

/// A float in the bytes of its dtype.
fn float_bytes(dtype: DType, value: f64) -> Vec<u8> {
    match dtype {
        DType::F16 => tilewise_kernels::f16::from_f64(value).to_le_bytes().to_vec(),
        DType::BF16 => tilewise_kernels::bf16::from_f64(value).to_le_bytes().to_vec(),
        DType::F32 => (value as f32).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    }
}

fn write_numbers(object: &Id, name: &str, dtype: DType, count: usize, bytes: Vec<u8>) -> H5Result<()> {
    let kind = file_type(dtype)?;
    if bytes.len() != count * dtype.size() {
        return Err(format!("its values are not of dtype {dtype}"));
    }
    if count == 0 {
        return create(object, name, &kind, &null_space()?).map(|_| ());
    }
    write_raw(object, name, &kind, Some(count), &bytes)
}

/// Writes one text.
pub(super) fn write_text(object: &Id, name: &str, text: &str) -> H5Result<()> {
    let kind = text_type(Some(text.len().max(1)), !text.is_ascii())?;
    if text.is_empty() {
        return create(object, name, &kind, &null_space()?).map(|_| ());
    }
    write_raw(object, name, &kind, None, text.as_bytes())
}

/// Writes one text with the NUL that HDF5's own conventions count in.
pub(super) fn write_terminated(object: &Id, name: &str, text: &str) -> H5Result<()> {
    let bytes = cstring(text)?.into_bytes_with_nul();
    write_raw(object, name, &text_type(Some(bytes.len()), false)?, None, &bytes)
}

/// Writes several texts.
fn write_texts(object: &Id, name: &str, texts: &[String]) -> H5Result<()> {
    let kind = text_type(None, true)?;
    if texts.is_empty() {
        return create(object, name, &kind, &null_space()?).map(|_| ());
    }
    let owned = texts
        .iter()
        .map(|t| cstring(t))
        .collect::<H5Result<Vec<CString>>>()?;
    let pointers: Vec<*const c_char> = owned.iter().map(|t| t.as_ptr()).collect();
    let attribute = create(object, name, &kind, &array_space(texts.len())?)?;
    // SAFETY: one pointer to a string that outlives the call per element.
    let status = unsafe { H5Awrite(attribute.raw(), kind.raw(), pointers.as_ptr().cast()) };
    check(status, "write").map(|_| ())
}

/// Writes the bytes of `count` elements of a type, or of one where there is no count.
pub(super) fn write_raw(
    object: &Id,
    name: &str,
    kind: &Id,
    count: Option<usize>,
    bytes: &[u8],
) -> H5Result<()> {
    // SAFETY: a type of ours.
    let size = unsafe { hdf5_sys::h5t::H5Tget_size(kind.raw()) };
    if bytes.len() != size * count.unwrap_or(1) {
        return Err(format!("{} bytes for {count:?} elements of {size}", bytes.len()));
    }
    let space = match count {
        Some(count) => array_space(count)?,
        // SAFETY: no argument that could be wrong.
        None => Id::new(unsafe { H5Screate(H5S_SCALAR) }, "make a shape")?,
    };
    let attribute = create(object, name, kind, &space)?;
    // SAFETY: the length was checked above.
    let status = unsafe { H5Awrite(attribute.raw(), kind.raw(), bytes.as_ptr().cast()) };
    check(status, "write").map(|_| ())
}

fn create(object: &Id, name: &str, kind: &Id, space: &Id) -> H5Result<Id> {
    let c_name = cstring(name)?;
    // SAFETY: valid handles and a C string.
    let raw = unsafe {
        H5Acreate2(
            object.raw(),
            c_name.as_ptr(),
            kind.raw(),
            space.raw(),
            H5P_DEFAULT,
            H5P_DEFAULT,
        )
    };
    Id::new(raw, "create")
}

fn array_space(count: usize) -> H5Result<Id> {
    let dims = [count as u64];
    // SAFETY: one extent for one axis.
    Id::new(
        unsafe { H5Screate_simple(1, dims.as_ptr(), std::ptr::null()) },
        "make a shape",
    )
}

fn null_space() -> H5Result<Id> {
    // SAFETY: no argument that could be wrong.
    Id::new(unsafe { H5Screate(H5S_NULL) }, "make a shape")
}
