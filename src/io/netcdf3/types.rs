//! The versions of NetCDF-3 and the types of their elements.
//!
//! A version says how wide counts and offsets are, which types exist and how large things may be;
//! reading and writing ask the same table.

use crate::DType;
use crate::io::catalog::{VarType, netcdf_default_fill};

/// The versions, told by the fourth byte of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::io) enum Version {
    /// CDF-1: counts and offsets of 32 bits.
    Classic,
    /// CDF-2: offsets of 64 bits.
    Offset64,
    /// CDF-5: counts and offsets of 64 bits, and unsigned and 64-bit integers.
    Data64,
}

impl Version {
    /// The version of a file that begins with `CDF` and this byte.
    pub fn of(byte: u8) -> Option<Version> {
        match byte {
            1 => Some(Version::Classic),
            2 => Some(Version::Offset64),
            5 => Some(Version::Data64),
            _ => None,
        }
    }

    /// The fourth byte of a file.
    pub fn byte(self) -> u8 {
        match self {
            Version::Classic => 1,
            Version::Offset64 => 2,
            Version::Data64 => 5,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Version::Classic => "NetCDF-3 classic",
            Version::Offset64 => "NetCDF-3 64-bit offset",
            Version::Data64 => "NetCDF-3 CDF-5",
        }
    }

    /// Bytes of a count.
    pub fn count_bytes(self) -> usize {
        if self == Version::Data64 { 8 } else { 4 }
    }

    /// Bytes of an offset.
    pub fn offset_bytes(self) -> usize {
        if self == Version::Classic { 4 } else { 8 }
    }

    /// The most bytes that a variable (a record of one that grows) has in front of others.
    pub fn most_bytes(self) -> u64 {
        match self {
            Version::Classic => i32::MAX as u64 - 3,
            Version::Offset64 => u64::from(u32::MAX) - 3,
            Version::Data64 => i64::MAX as u64 - 3,
        }
    }

    /// The largest offset at which a variable begins.
    pub fn most_offset(self) -> u64 {
        match self {
            Version::Classic => i32::MAX as u64,
            _ => i64::MAX as u64,
        }
    }

    /// The largest extent of a dimension.
    pub fn most_extent(self) -> u64 {
        self.most_bytes()
    }

    /// The most records.
    pub fn most_records(self) -> u64 {
        match self {
            Version::Data64 => i64::MAX as u64,
            _ => i32::MAX as u64,
        }
    }
}

/// The number of characters among the types.
pub(super) const CHAR: u32 = 2;

/// The numbers of the numeric types; those from 7 on are of CDF-5 alone.
const NUMERIC: [(u32, DType); 10] = [
    (1, DType::I8),
    (3, DType::I16),
    (4, DType::I32),
    (5, DType::F32),
    (6, DType::F64),
    (7, DType::U8),
    (8, DType::U16),
    (9, DType::U32),
    (10, DType::I64),
    (11, DType::U64),
];

/// What elements of a type of that number are; `None` where the version has no such type.
pub(super) fn type_of(number: u32, version: Version) -> Option<VarType> {
    if number == CHAR {
        return Some(VarType::Char);
    }
    NUMERIC
        .iter()
        .find(|(n, _)| *n == number && (number < 7 || version == Version::Data64))
        .map(|(_, dtype)| VarType::Numeric(*dtype))
}

/// The number of the type that stores a dtype; `None` where the version has none.
pub(super) fn number_of(dtype: DType, version: Version) -> Option<u32> {
    let stored = if dtype == DType::Bool { DType::I8 } else { dtype };
    NUMERIC
        .iter()
        .find(|(number, d)| *d == stored && (*number < 7 || version == Version::Data64))
        .map(|(number, _)| *number)
}

/// Bytes of an element.
pub(super) fn size_of(dtype: &VarType) -> usize {
    match dtype {
        VarType::Numeric(dtype) => dtype.size(),
        _ => 1,
    }
}

/// What the NetCDF library writes where nothing was written, as this machine holds it.
pub(super) fn default_fill(dtype: &VarType) -> Vec<u8> {
    match dtype {
        VarType::Numeric(DType::I8 | DType::Bool) => vec![0x81], // -127
        VarType::Numeric(DType::U8) => vec![0xff],
        VarType::Numeric(dtype) => {
            let fill = netcdf_default_fill(*dtype).map_or(0, |s| s.bits());
            fill.to_le_bytes()[..dtype.size().min(8)].to_vec()
        }
        _ => vec![0],
    }
}

/// Rounded up to the four bytes that everything is aligned to; `None` beyond 64 bits.
pub(super) fn padded(bytes: u64) -> Option<u64> {
    bytes.checked_next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_go_both_ways() {
        for version in [1, 2, 5].map(|b| Version::of(b).unwrap()) {
            for number in 1..12 {
                let Some(VarType::Numeric(dtype)) = type_of(number, version) else {
                    assert!(number == CHAR || (number > 6 && version != Version::Data64));
                    continue;
                };
                assert_eq!(number_of(dtype, version), Some(number));
            }
            assert_eq!(number_of(DType::Bool, version), Some(1));
            assert_eq!(number_of(DType::F16, version), None);
            assert_eq!(Version::of(version.byte()), Some(version));
        }
        assert_eq!(Version::of(3), None);
        assert_eq!(
            default_fill(&VarType::Numeric(DType::I16)),
            (-32767i16).to_le_bytes()
        );
        assert_eq!(padded(5), Some(8));
        assert_eq!(padded(u64::MAX), None);
    }
}
