//! Headers of NetCDF-3 files, written.
//!
//! A header has the same length whatever its offsets are, so it is encoded once to learn where
//! elements begin and once to say so.

use super::types::{CHAR, Version, number_of};
use crate::DType;
use crate::io::catalog::AttrValue;

/// A variable as a header tells of it.
#[derive(Debug)]
pub(super) struct Described {
    pub name: String,
    /// The numbers of its dimensions.
    pub dims: Vec<usize>,
    pub attributes: Vec<EncodedAttribute>,
    /// The number of its type.
    pub kind: u32,
}

/// An attribute in the bytes of the file.
#[derive(Debug)]
pub(super) struct EncodedAttribute {
    name: String,
    kind: u32,
    count: u64,
    bytes: Vec<u8>,
}

/// The tags of the three lists.
const DIMENSIONS: u32 = 10;
const VARIABLES: u32 = 11;
const ATTRIBUTES: u32 = 12;

/// Encodes an attribute. Integers that a version has no type for become int32, or float64 where
/// they are larger, of the same value.
pub(super) fn attribute(
    name: &str,
    value: &AttrValue,
    version: Version,
) -> std::result::Result<EncodedAttribute, String> {
    let (kind, count, bytes) = match value {
        AttrValue::Text(text) => (CHAR, text.len(), text.clone().into_bytes()),
        AttrValue::TextList(list) => match list.as_slice() {
            [text] => (CHAR, text.len(), text.clone().into_bytes()),
            _ => {
                return Err(format!(
                    "attribute {name} is a list of {} texts, which NetCDF-3 cannot hold: join them, or write \
                     NetCDF-4",
                    list.len()
                ));
            }
        },
        AttrValue::Float(DType::F64, v) => (6, v.len(), v.iter().flat_map(|x| x.to_be_bytes()).collect()),
        AttrValue::Float(_, v) => (
            5,
            v.len(),
            v.iter().flat_map(|&x| (x as f32).to_be_bytes()).collect(),
        ),
        AttrValue::Int(dtype, v) => integers(name, *dtype, v.iter().map(|&x| i128::from(x)), version)?,
        AttrValue::UInt(dtype, v) => integers(name, *dtype, v.iter().map(|&x| i128::from(x)), version)?,
    };
    Ok(EncodedAttribute {
        name: name.to_string(),
        kind,
        count: count as u64,
        bytes,
    })
}

/// The number of the type, the count and the bytes of integers.
fn integers(
    name: &str,
    dtype: DType,
    values: impl Iterator<Item = i128> + Clone,
    version: Version,
) -> std::result::Result<(u32, usize, Vec<u8>), String> {
    let count = values.clone().count();
    let encoded = |dtype: DType| {
        let size = dtype.size();
        values
            .clone()
            .flat_map(move |v| v.to_be_bytes()[16 - size..].to_vec())
            .collect()
    };
    if let Some(kind) = number_of(dtype, version) {
        return Ok((kind, count, encoded(dtype)));
    }
    if values.clone().all(|v| i32::try_from(v).is_ok()) {
        return Ok((4, count, encoded(DType::I32)));
    }
    if values.clone().all(|v| v as f64 as i128 == v) {
        return Ok((6, count, values.flat_map(|v| (v as f64).to_be_bytes()).collect()));
    }
    Err(format!(
        "attribute {name} has {dtype} values that {} cannot hold: write CDF-5 (netcdf5) or NetCDF-4",
        version.name()
    ))
}

/// What stands in a header beside the variables.
pub(super) struct Head<'a> {
    pub version: Version,
    pub records: u64,
    /// Names and extents; the dimension of the records has extent 0.
    pub dims: &'a [(String, u64)],
    pub attributes: &'a [EncodedAttribute],
}

/// The bytes of a header; `places` has the bytes of a piece of each variable and where the first
/// begins.
pub(super) fn header(head: &Head, variables: &[Described], places: &[(u64, u64)]) -> Vec<u8> {
    let mut out = Out {
        bytes: b"CDF".to_vec(),
        version: head.version,
    };
    out.bytes.push(head.version.byte());
    out.count(head.records);
    out.list(DIMENSIONS, head.dims.len());
    for (name, extent) in head.dims {
        out.name(name);
        out.count(*extent);
    }
    out.attributes(head.attributes);
    out.list(VARIABLES, variables.len());
    for (variable, &(bytes, begin)) in variables.iter().zip(places) {
        out.name(&variable.name);
        out.count(variable.dims.len() as u64);
        variable.dims.iter().for_each(|&dim| out.count(dim as u64));
        out.attributes(&variable.attributes);
        out.word(variable.kind);
        // Larger sizes do not fit their field, and follow from the dimensions anyway.
        let padded = bytes.saturating_add(3) / 4 * 4;
        match head.version {
            Version::Data64 => out.count(padded),
            _ => out.word(u32::try_from(padded).unwrap_or(u32::MAX)),
        }
        match head.version.offset_bytes() {
            4 => out.word(begin as u32),
            _ => out.bytes.extend(begin.to_be_bytes()),
        }
    }
    out.bytes
}

/// A header that grows.
struct Out {
    bytes: Vec<u8>,
    version: Version,
}

impl Out {
    fn word(&mut self, value: u32) {
        self.bytes.extend(value.to_be_bytes());
    }

    fn count(&mut self, value: u64) {
        match self.version.count_bytes() {
            8 => self.bytes.extend(value.to_be_bytes()),
            _ => self.word(value as u32),
        }
    }

    fn list(&mut self, tag: u32, len: usize) {
        self.word(if len == 0 { 0 } else { tag });
        self.count(len as u64);
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }

    fn name(&mut self, name: &str) {
        self.count(name.len() as u64);
        self.padded(name.as_bytes());
    }

    fn attributes(&mut self, attributes: &[EncodedAttribute]) {
        self.list(ATTRIBUTES, attributes.len());
        for attribute in attributes {
            self.name(&attribute.name);
            self.word(attribute.kind);
            self.count(attribute.count);
            self.padded(&attribute.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_the_type_that_holds_them() {
        let kind = |value: AttrValue, version| attribute("a", &value, version).map(|a| (a.kind, a.bytes));
        let small = AttrValue::Int(DType::I64, vec![-2]);
        assert_eq!(
            kind(small.clone(), Version::Classic),
            Ok((4, (-2i32).to_be_bytes().to_vec()))
        );
        assert_eq!(
            kind(small, Version::Data64),
            Ok((10, (-2i64).to_be_bytes().to_vec()))
        );
        let wide = AttrValue::UInt(DType::U32, vec![4_000_000_000]);
        assert_eq!(
            kind(wide, Version::Offset64),
            Ok((6, 4e9f64.to_be_bytes().to_vec()))
        );
        let odd = AttrValue::UInt(DType::U64, vec![u64::MAX]);
        assert!(kind(odd, Version::Classic).unwrap_err().contains("netcdf5"));
        let texts = AttrValue::TextList(vec!["a".into(), "b".into()]);
        assert!(kind(texts, Version::Data64).is_err());
    }
}
