//! Attributes of HDF5 objects, read.
//!
//! NetCDF keeps its own bookkeeping in attributes (dimension ids, scales, references); those are
//! read by `dims.rs` and not shown.

use super::ffi::{H5Dvlen_reclaim, H5Result, Id, check, cstring, text_of};
use super::types::StoredType;
use crate::DType;
use crate::io::catalog::{AttrValue, Attributes, VarType};
use crate::io::filters::swap_bytes;
use hdf5_sys::h5::{H5_INDEX_CRT_ORDER, H5_INDEX_NAME, H5_ITER_INC, H5_index_t};
use hdf5_sys::h5a::*;
use hdf5_sys::h5i::hid_t;
use hdf5_sys::h5p::H5P_DEFAULT;
use hdf5_sys::h5s::*;
use std::ffi::{CStr, c_char};
use tilewise_kernels::{Kind, Scalar};

/// Attributes that are NetCDF's bookkeeping, not the user's.
const HIDDEN: [&str; 10] = [
    "CLASS",
    "NAME",
    "DIMENSION_LIST",
    "REFERENCE_LIST",
    "DIMENSION_LABELS",
    "_Netcdf4Dimid",
    "_Netcdf4Coordinates",
    "_NCProperties",
    "_nc3_strict",
    "_NCCOPY",
];

/// The most bytes an attribute may have; HDF5's own limit for large ones is far above real files.
const MOST_BYTES: usize = 64 << 20;

/// The attributes of an object of those names; those that cannot be read are named in `notes`.
pub(super) fn read_all(object: &Id, names: &[String], owner: &str, notes: &mut Vec<String>) -> Attributes {
    let mut attributes = Attributes::new();
    for name in names.iter().filter(|n| !HIDDEN.contains(&n.as_str())) {
        match read(object, name) {
            Ok(value) => attributes.set(name.as_str(), value),
            Err(reason) => notes.push(format!("attribute {owner}:{name} is not shown: {reason}")),
        }
    }
    attributes
}

/// The names of all attributes, in the order of their creation where that is kept.
pub(super) fn names(object: &Id) -> H5Result<Vec<String>> {
    /// Appends one name.
    unsafe extern "C" fn keep(
        _: hid_t,
        name: *const c_char,
        _: *const H5A_info_t,
        data: *mut std::ffi::c_void,
    ) -> i32 {
        // SAFETY: the library passes a valid name and the pointer given below.
        unsafe {
            let text = CStr::from_ptr(name).to_string_lossy().into_owned();
            (*data.cast::<Vec<String>>()).push(text);
        }
        0
    }
    let run = |index: H5_index_t, found: &mut Vec<String>| {
        let mut at = 0;
        let data = std::ptr::from_mut(found).cast();
        // SAFETY: the callback gets a pointer to a vector that outlives the call; the lock is held.
        let status = unsafe { H5Aiterate2(object.raw(), index, H5_ITER_INC, &mut at, Some(keep), data) };
        check(status, "list attributes")
    };
    let mut found = Vec::new();
    if run(H5_INDEX_CRT_ORDER, &mut found).is_err() {
        found.clear();
        run(H5_INDEX_NAME, &mut found)?;
    }
    Ok(found)
}

/// Opens an attribute that is there.
pub(super) fn open(object: &Id, name: &str) -> H5Result<Id> {
    let c_name = cstring(name)?;
    // SAFETY: a valid object and a C string; the lock is held by the caller, here and below.
    let raw = unsafe { H5Aopen(object.raw(), c_name.as_ptr(), H5P_DEFAULT) };
    Id::new(raw, "open an attribute")
}

/// Number of elements of an attribute; `None` for the null space that NetCDF writes for empty text.
pub(super) fn element_count(attribute: &Id) -> H5Result<Option<usize>> {
    // SAFETY: as above.
    unsafe {
        let space = Id::new(H5Aget_space(attribute.raw()), "read an attribute's shape")?;
        if H5Sget_simple_extent_type(space.raw()) == H5S_NULL {
            return Ok(None);
        }
        let n = check(
            H5Sget_simple_extent_npoints(space.raw()),
            "read an attribute's shape",
        )?;
        Ok(usize::try_from(n).ok())
    }
}

/// The text of an attribute that is there, where it is one text.
pub(super) fn text(object: &Id, name: &str) -> H5Result<Option<String>> {
    Ok(read(object, name)?.as_text().map(str::to_string))
}

/// The integers of an attribute that is there.
pub(super) fn integers(object: &Id, name: &str) -> H5Result<Option<Vec<i64>>> {
    Ok(match read(object, name)? {
        AttrValue::Int(_, values) => Some(values),
        _ => None,
    })
}

/// The value of an attribute.
fn read(object: &Id, name: &str) -> H5Result<AttrValue> {
    let attribute = open(object, name)?;
    // SAFETY: as above.
    let id = Id::new(
        unsafe { H5Aget_type(attribute.raw()) },
        "read an attribute's type",
    )?;
    let stored = StoredType::new(id)?;
    let count = match (element_count(&attribute)?, &stored.what) {
        (Some(count), _) => count,
        (None, VarType::Text | VarType::Char) => return Ok(AttrValue::Text(String::new())),
        (None, _) => 0,
    };
    match &stored.what {
        VarType::Text | VarType::Char => {
            let mut texts = read_texts(&attribute, &stored, count)?;
            Ok(match texts.len() {
                1 => AttrValue::Text(texts.remove(0)),
                _ => AttrValue::TextList(texts),
            })
        }
        VarType::Numeric(dtype) => read_numbers(&attribute, &stored, *dtype, count),
        VarType::Other(what) => Err(format!("it is of type {what}")),
    }
}

/// The strings of an attribute.
fn read_texts(attribute: &Id, stored: &StoredType, count: usize) -> H5Result<Vec<String>> {
    let doing = "read an attribute";
    if stored.is_variable_text() {
        // SAFETY: the buffer has room for `count` pointers, which the library sets and takes back;
        // a null pointer is an empty string; the lock is held.
        return unsafe {
            let space = Id::new(H5Aget_space(attribute.raw()), doing)?;
            let mut pointers: Vec<*mut c_char> = vec![std::ptr::null_mut(); count];
            let buffer = pointers.as_mut_ptr().cast();
            check(H5Aread(attribute.raw(), stored.id.raw(), buffer), doing)?;
            let texts = pointers.iter().map(|p| text_at(*p)).collect();
            H5Dvlen_reclaim(stored.id.raw(), space.raw(), H5P_DEFAULT, buffer);
            Ok(texts)
        };
    }
    let mut bytes = buffer(count, stored.size)?;
    // SAFETY: the buffer has `count` elements of the file's own type; the lock is held.
    unsafe {
        check(
            H5Aread(attribute.raw(), stored.id.raw(), bytes.as_mut_ptr().cast()),
            doing,
        )?
    };
    Ok(match stored.what {
        // An array of characters is one text.
        VarType::Char => vec![text_of(&bytes)],
        _ => bytes.chunks_exact(stored.size).map(text_of).collect(),
    })
}

/// The text at a pointer of the library.
///
/// # Safety
/// `pointer` is null or a NUL-terminated string.
pub(super) unsafe fn text_at(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: by the contract.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// A zeroed buffer for `count` elements, within reason.
fn buffer(count: usize, size: usize) -> H5Result<Vec<u8>> {
    match count.checked_mul(size) {
        Some(bytes) if bytes <= MOST_BYTES => Ok(vec![0; bytes]),
        _ => Err(format!("it has {count} elements of {size} bytes")),
    }
}

/// The numbers of an attribute, widened.
fn read_numbers(attribute: &Id, stored: &StoredType, dtype: DType, count: usize) -> H5Result<AttrValue> {
    let doing = "read an attribute";
    let size = dtype.size();
    let mut bytes = buffer(count, size.max(stored.size))?;
    let memory = if stored.exact {
        None
    } else {
        Some(stored.memory()?)
    };
    let asked = memory.as_ref().map_or(stored.id.raw(), Id::raw);
    // SAFETY: the buffer has `count` elements of the type asked for; the lock is held.
    unsafe { check(H5Aread(attribute.raw(), asked, bytes.as_mut_ptr().cast()), doing)? };
    bytes.truncate(count * size);
    if stored.exact && stored.swapped {
        swap_bytes(&mut bytes, size);
    }
    let scalars = bytes.chunks_exact(size).map(|b| Scalar::from_bytes(dtype, b));
    Ok(match dtype.kind() {
        Kind::Float => AttrValue::Float(dtype, scalars.map(Scalar::to_f64).collect()),
        Kind::Complex => {
            let parts = scalars.map(Scalar::parts);
            let numbers = parts.flat_map(|(re, im)| [re.to_f64(), im.to_f64()]);
            AttrValue::Float(dtype.part(), numbers.collect())
        }
        Kind::Unsigned => AttrValue::UInt(dtype, scalars.map(Scalar::bits).collect()),
        Kind::Signed | Kind::Bool => AttrValue::Int(dtype, scalars.map(signed).collect()),
    })
}

/// A signed integer or boolean, widened.
fn signed(value: Scalar) -> i64 {
    match AttrValue::from(value) {
        AttrValue::Int(_, values) => values.first().copied().unwrap_or(0),
        _ => 0,
    }
}

/// The address of an object, which is what references to it hold.
pub(super) fn address(object: &Id) -> H5Result<u64> {
    let mut reference = 0u64;
    // SAFETY: the place has the eight bytes of a classic object reference (kind 0); the lock is
    // held.
    let status = unsafe {
        super::ffi::H5Rcreate(
            std::ptr::from_mut(&mut reference).cast(),
            object.raw(),
            c".".as_ptr(),
            0,
            -1,
        )
    };
    check(status, "make a reference")?;
    Ok(reference)
}
