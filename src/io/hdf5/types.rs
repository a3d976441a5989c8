//! HDF5 datatypes in the terms of tilewise, both ways.
//!
//! A type whose bytes are those of one of our dtypes, up to their order, is *exact* and may be read
//! past the library; any other number (odd precision, padding) goes through its conversion.

use super::ffi::{H5Result, Id, check};
use crate::DType;
use crate::io::catalog::VarType;
use hdf5_sys::h5::H5free_memory;
use hdf5_sys::h5t::*;

/// The type of a dataset or attribute.
#[derive(Debug)]
pub(super) struct StoredType {
    /// The library's handle.
    pub id: Id,
    /// What the elements are.
    pub what: VarType,
    /// Bytes per element in the file.
    pub size: usize,
    /// Whether the bytes are the dtype's.
    pub exact: bool,
    /// Whether the bytes of each element stand in the other order than this machine's.
    pub swapped: bool,
}

impl StoredType {
    /// Reads a type; the lock is held.
    pub fn new(id: Id) -> H5Result<StoredType> {
        // SAFETY: `id` is a valid datatype and the lock is held, here and below.
        let (class, size, order) = unsafe {
            (
                H5Tget_class(id.raw()),
                H5Tget_size(id.raw()),
                H5Tget_order(id.raw()),
            )
        };
        let native = if cfg!(target_endian = "little") {
            H5T_ORDER_LE
        } else {
            H5T_ORDER_BE
        };
        let known_order = size == 1 || matches!(order, H5T_ORDER_LE | H5T_ORDER_BE);
        let (what, exact) = match class {
            H5T_INTEGER => integer(&id, size)?,
            H5T_FLOAT => float(&id, size)?,
            H5T_COMPOUND => match complex(&id, size)? {
                Some(found) => found,
                None => (VarType::Other(class_name(class).to_string()), false),
            },
            H5T_ENUM if size == 1 && is_boolean(&id) => (VarType::Numeric(DType::Bool), true),
            // SAFETY: as above.
            H5T_STRING if size == 1 && unsafe { H5Tis_variable_str(id.raw()) } == 0 => (VarType::Char, true),
            H5T_STRING => (VarType::Text, true),
            other => (VarType::Other(class_name(other).to_string()), false),
        };
        Ok(StoredType {
            // The order of a compound is that of its members, which are looked at where it is complex.
            swapped: size > 1 && order != native && class != H5T_COMPOUND,
            exact: exact && (known_order || class == H5T_COMPOUND),
            id,
            what,
            size,
        })
    }

    /// The type to ask the library for: the dtype in this machine's order.
    pub fn memory(&self) -> H5Result<Id> {
        let doing = "make a memory type";
        // SAFETY: the handle is a valid datatype; the lock is held by the caller.
        unsafe {
            if !self.exact {
                return Id::new(H5Tget_native_type(self.id.raw(), H5T_DIR_DEFAULT), doing);
            }
            let copy = Id::new(H5Tcopy(self.id.raw()), doing)?;
            if self.swapped {
                let native = if cfg!(target_endian = "little") {
                    H5T_ORDER_LE
                } else {
                    H5T_ORDER_BE
                };
                check(H5Tset_order(copy.raw(), native), doing)?;
            }
            Ok(copy)
        }
    }

    /// Whether it is a string of variable length.
    pub fn is_variable_text(&self) -> bool {
        // SAFETY: a valid datatype; the lock is held by the caller.
        unsafe { H5Tis_variable_str(self.id.raw()) > 0 }
    }
}

/// The integer type of that size and sign.
fn integer_dtype(size: usize, signed: bool) -> Option<DType> {
    let kind = if signed {
        crate::kernels::Kind::Signed
    } else {
        crate::kernels::Kind::Unsigned
    };
    DType::ALL
        .into_iter()
        .find(|d| d.kind() == kind && d.size() == size)
}

/// An integer type and whether it fills its bytes.
fn integer(id: &Id, size: usize) -> H5Result<(VarType, bool)> {
    // SAFETY: a valid integer type; the lock is held by the caller.
    let (sign, precision, offset) = unsafe {
        (
            H5Tget_sign(id.raw()),
            H5Tget_precision(id.raw()),
            H5Tget_offset(id.raw()),
        )
    };
    let signed = sign == H5T_SGN_2;
    let full = precision == 8 * size && offset == 0;
    if let (true, Some(dtype)) = (full, integer_dtype(size, signed)) {
        return Ok((VarType::Numeric(dtype), true));
    }
    let other = VarType::Other(format!("integer of {precision} bits"));
    Ok((
        native_size(id)?
            .and_then(|n| integer_dtype(n, signed))
            .map_or(other, VarType::Numeric),
        false,
    ))
}

/// A float type and whether it is IEEE's, or bfloat16.
fn float(id: &Id, size: usize) -> H5Result<(VarType, bool)> {
    let (mut sign, mut exponent, mut exponent_bits, mut mantissa, mut mantissa_bits) = (0, 0, 0, 0, 0);
    // SAFETY: a valid float type and five places to write to; the lock is held by the caller.
    let (bias, norm, precision) = unsafe {
        check(
            H5Tget_fields(
                id.raw(),
                &mut sign,
                &mut exponent,
                &mut exponent_bits,
                &mut mantissa,
                &mut mantissa_bits,
            ),
            "read a float type",
        )?;
        (
            H5Tget_ebias(id.raw()),
            H5Tget_norm(id.raw()),
            H5Tget_precision(id.raw()),
        )
    };
    let fields = (sign, exponent, exponent_bits, mantissa_bits, bias);
    let exact = match fields {
        (15, 10, 5, 10, 15) => Some(DType::F16),
        (15, 7, 8, 7, 127) => Some(DType::BF16),
        (31, 23, 8, 23, 127) => Some(DType::F32),
        (63, 52, 11, 52, 1023) => Some(DType::F64),
        _ => None,
    }
    .filter(|d| mantissa == 0 && norm == H5T_NORM_IMPLIED && d.size() == size);
    if let Some(dtype) = exact {
        return Ok((VarType::Numeric(dtype), true));
    }
    let what = match native_size(id)? {
        Some(4) => VarType::Numeric(DType::F32),
        Some(8) => VarType::Numeric(DType::F64),
        _ => VarType::Other(format!("float of {precision} bits")),
    };
    Ok((what, false))
}

/// What h5py and netCDF4 take for complex numbers: a real and an imaginary part, two floats of one type
/// called `r` and `i` or `real` and `imag`. Exact where they lie side by side in this machine's order.
fn complex(id: &Id, size: usize) -> H5Result<Option<(VarType, bool)>> {
    // SAFETY: a valid compound type, whose members are numbered below their count; names are the
    // library's to free; the lock is held by the caller.
    let members = unsafe {
        if H5Tget_nmembers(id.raw()) != 2 {
            return Ok(None);
        }
        let mut members = Vec::new();
        for i in 0..2 {
            let name = H5Tget_member_name(id.raw(), i);
            if name.is_null() {
                return Ok(None);
            }
            let text = std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned();
            H5free_memory(name.cast());
            if H5Tget_member_class(id.raw(), i) != H5T_FLOAT {
                return Ok(None);
            }
            let part = Id::new(H5Tget_member_type(id.raw(), i), "read a member's type")?;
            members.push((text, H5Tget_member_offset(id.raw(), i), StoredType::new(part)?));
        }
        members
    };
    let [(re, first, x), (im, second, y)] = &members[..] else {
        return Ok(None);
    };
    let named = matches!((re.as_str(), im.as_str()), ("r", "i") | ("real", "imag"));
    let (VarType::Numeric(part), true) = (&x.what, named && x.what == y.what && x.size == y.size) else {
        return Ok(None);
    };
    let plain = x.exact && y.exact && !x.swapped && !y.swapped;
    let beside = *first == 0 && *second == x.size && size == 2 * x.size;
    match part {
        DType::F32 | DType::F64 => Ok(Some((VarType::Numeric(part.with_imaginary()), plain && beside))),
        _ => Ok(None),
    }
}

/// Bytes of the native type that the library would read it as.
fn native_size(id: &Id) -> H5Result<Option<usize>> {
    // SAFETY: a valid number type; the lock is held by the caller.
    unsafe {
        let raw = H5Tget_native_type(id.raw(), H5T_DIR_DEFAULT);
        match Id::new(raw, "find the native type") {
            Ok(native) => Ok(Some(H5Tget_size(native.raw()))),
            Err(_) => Ok(None),
        }
    }
}

/// Whether an enumeration of one byte is the boolean that h5py writes.
fn is_boolean(id: &Id) -> bool {
    // SAFETY: a valid enumeration of one byte, so each value fits in one byte; the names are the
    // library's to free; the lock is held by the caller.
    unsafe {
        if H5Tget_nmembers(id.raw()) != 2 {
            return false;
        }
        (0..2u8).all(|i| {
            let name = H5Tget_member_name(id.raw(), i.into());
            if name.is_null() {
                return false;
            }
            let text = std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned();
            H5free_memory(name.cast());
            let mut value = u8::MAX;
            let read = H5Tget_member_value(id.raw(), i.into(), std::ptr::from_mut(&mut value).cast());
            read >= 0 && (text.as_str(), value) == [("FALSE", 0), ("TRUE", 1)][usize::from(i)]
        })
    }
}

/// The name of a type class that is not read as numbers.
fn class_name(class: H5T_class_t) -> &'static str {
    match class {
        H5T_TIME => "time",
        H5T_BITFIELD => "bitfield",
        H5T_OPAQUE => "opaque",
        H5T_COMPOUND => "compound",
        H5T_REFERENCE => "reference",
        H5T_ENUM => "enum",
        H5T_VLEN => "vlen",
        H5T_ARRAY => "array",
        _ => "unknown type",
    }
}

/// The little-endian file type of a dtype; booleans are NetCDF's bytes, since NetCDF has none.
pub(super) fn file_type(dtype: DType) -> H5Result<Id> {
    let doing = "make a file type";
    // SAFETY: the library is open, because the caller holds the lock, and so are its types.
    unsafe {
        let base = match dtype {
            DType::Bool | DType::I8 => *H5T_STD_I8LE,
            DType::I16 => *H5T_STD_I16LE,
            DType::I32 => *H5T_STD_I32LE,
            DType::I64 => *H5T_STD_I64LE,
            DType::U8 => *H5T_STD_U8LE,
            DType::U16 => *H5T_STD_U16LE,
            DType::U32 => *H5T_STD_U32LE,
            DType::U64 => *H5T_STD_U64LE,
            DType::F64 => *H5T_IEEE_F64LE,
            DType::F32 | DType::F16 | DType::BF16 => *H5T_IEEE_F32LE,
            DType::C64 | DType::C128 => return complex_type(dtype),
        };
        let id = Id::new(H5Tcopy(base), doing)?;
        let (exponent, exponent_bits, bias) = match dtype {
            DType::F16 => (10, 5, 15),
            DType::BF16 => (7, 8, 127),
            _ => return Ok(id),
        };
        check(
            H5Tset_fields(id.raw(), 15, exponent, exponent_bits, 0, exponent),
            doing,
        )?;
        check(H5Tset_precision(id.raw(), 16), doing)?;
        check(H5Tset_size(id.raw(), 2), doing)?;
        check(H5Tset_ebias(id.raw(), bias), doing)?;
        Ok(id)
    }
}

/// The compound of a complex dtype, with h5py's names of the parts.
fn complex_type(dtype: DType) -> H5Result<Id> {
    let doing = "make a complex file type";
    let part = file_type(dtype.part())?;
    // SAFETY: as in `file_type`; the members lie within the size.
    unsafe {
        let id = Id::new(H5Tcreate(H5T_COMPOUND, dtype.size()), doing)?;
        check(H5Tinsert(id.raw(), c"r".as_ptr(), 0, part.raw()), doing)?;
        let second = dtype.part().size();
        check(H5Tinsert(id.raw(), c"i".as_ptr(), second, part.raw()), doing)?;
        Ok(id)
    }
}

/// A string type: of `bytes` bytes, or of variable length; in UTF-8 or plain ASCII.
pub(super) fn text_type(bytes: Option<usize>, utf8: bool) -> H5Result<Id> {
    let doing = "make a string type";
    // SAFETY: as in `file_type`.
    unsafe {
        let id = Id::new(H5Tcopy(*H5T_C_S1), doing)?;
        check(H5Tset_size(id.raw(), bytes.unwrap_or(H5T_VARIABLE)), doing)?;
        if utf8 {
            check(H5Tset_cset(id.raw(), H5T_CSET_UTF8), doing)?;
        }
        Ok(id)
    }
}
