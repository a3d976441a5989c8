//! The conventions by which xarray keeps in Zarr what NetCDF has names for: dimensions in the second
//! version of the format, missing values in both.

use crate::io::catalog::{AttrValue, Attributes};
use crate::{DType, Scalar};
use serde_json::{Map, Value, json};
use tilewise_kernels::Kind;

/// The attribute that names the dimensions in the second version.
pub(super) const DIMENSIONS: &str = "_ARRAY_DIMENSIONS";

/// The attribute of missing values.
pub(super) const FILL: &str = "_FillValue";

/// Whether a missing value of that dtype is one number, with which values can be compared.
fn comparable(dtype: DType) -> bool {
    !matches!(dtype.kind(), Kind::Bool | Kind::Complex)
}

/// Gives `_FillValue` its dtype: floats are kept in base64 by the third version; in the second the
/// array's fill value takes its place.
pub(super) fn decode_fill(attributes: &mut Attributes, dtype: DType, version: u8, fill: Option<Scalar>) {
    if !comparable(dtype) {
        return;
    }
    if let (2, Some(fill)) = (version, fill) {
        attributes.set(FILL, AttrValue::from(fill));
        return;
    }
    let value = match attributes.get(FILL) {
        Some(AttrValue::Text(text)) if dtype.is_float() => float_of(text),
        Some(value) => value.as_f64(),
        None => None,
    };
    let stored = attributes.get(FILL).and_then(|v| v.scalar(dtype));
    let scalar = match value.filter(|_| dtype.is_float()) {
        Some(value) => Some(super::elements::rounded(value, dtype)),
        None => stored,
    };
    if let Some(scalar) = scalar {
        attributes.set(FILL, AttrValue::from(scalar));
    }
}

/// Adds `_FillValue` as the third version has it.
pub(super) fn encode_fill(attributes: &mut Map<String, Value>, fill: Scalar) {
    let value = match fill.dtype().kind() {
        Kind::Float => Value::String(base64(fill.to_f64())),
        Kind::Complex => {
            let (re, im) = fill.parts();
            json!([base64(re.to_f64()), base64(im.to_f64())])
        }
        _ => super::elements::fill_json(fill),
    };
    attributes.insert(FILL.to_string(), value);
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The eight bytes of a float, little endian, in base64: twelve characters.
fn base64(value: f64) -> String {
    let mut bytes = value.to_le_bytes().to_vec();
    bytes.push(0);
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0usize, |bits, b| bits << 8 | usize::from(*b));
        text.extend([18, 12, 6, 0].map(|shift| char::from(DIGITS[bits >> shift & 63])));
    }
    text.replace_range(11.., "=");
    text
}

/// The float that twelve characters of base64 stand for.
fn float_of(text: &str) -> Option<f64> {
    let digits = text.strip_suffix('=').filter(|t| t.len() == 11)?;
    let mut bits = 0u128;
    for digit in digits.bytes() {
        bits = bits << 6 | DIGITS.iter().position(|d| *d == digit)? as u128;
    }
    let bytes = (bits >> 2).to_be_bytes();
    let (_, low) = bytes.split_last_chunk::<8>()?;
    Some(f64::from_le_bytes(*low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_of_floats_are_base64() {
        assert_eq!(base64(f64::NAN), "AAAAAAAA+H8=");
        assert_eq!(
            float_of("AAAAAAAA+H8=").map(f64::to_bits),
            Some(f64::NAN.to_bits())
        );
        for value in [-999.0, 1e20, -0.0, f64::INFINITY, 0.1] {
            assert_eq!(float_of(&base64(value)).map(f64::to_bits), Some(value.to_bits()));
        }
        for bad in ["", "AAAAAAAA+H8", "AAAAAAAA+H8=x", "AAAAAAAA+é8="] {
            assert_eq!(float_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_version_has_its_place() {
        let fill = |version, given: AttrValue, dtype, array| {
            let mut attributes = Attributes::new();
            attributes.set(FILL, given);
            decode_fill(&mut attributes, dtype, version, array);
            attributes.get(FILL).cloned()
        };
        let float = fill(3, AttrValue::from(base64(1e20)), DType::F32, None);
        assert_eq!(float, Some(AttrValue::number(1e20f32)));
        let int = fill(3, AttrValue::number(-9i64), DType::I16, Some(Scalar::new(0i16)));
        assert_eq!(int, Some(AttrValue::number(-9i16)));
        let v2 = fill(2, AttrValue::number(1i64), DType::I16, Some(Scalar::new(7i16)));
        assert_eq!(v2, Some(AttrValue::number(7i16)));
        let odd = fill(3, AttrValue::from("x"), DType::I16, None);
        assert_eq!(odd, Some(AttrValue::from("x")));
    }
}
