//! What the elements of an array are, by the names of both versions of the format, and fill values.

use super::json::{float, number};
use crate::io::catalog::VarType;
use crate::{DType, Scalar, bf16, f16};
use serde_json::{Value, json};
use tilewise_kernels::Kind;

/// The elements of an array as they are once decoded.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Elements {
    /// Numbers.
    Number(DType),
    /// Texts of any length.
    Text,
    /// Texts of so many code points of four bytes.
    Utf32(usize),
    /// Texts of so many bytes.
    Bytes(usize),
    /// What is not read, in words.
    Other(String),
}

/// Elements, whether their bytes are swapped (only the second version of the format says that here),
/// and what a user should know of them.
pub(super) struct Found {
    pub elements: Elements,
    pub swapped: bool,
    pub note: Option<String>,
}

impl Elements {
    /// As the catalog has it.
    pub fn var_type(&self) -> VarType {
        match self {
            Elements::Number(dtype) => VarType::Numeric(*dtype),
            Elements::Text | Elements::Utf32(_) | Elements::Bytes(_) => VarType::Text,
            Elements::Other(what) => VarType::Other(what.clone()),
        }
    }

    /// Bytes of one; `None` where they differ.
    pub fn size(&self) -> Option<usize> {
        match self {
            Elements::Number(dtype) => Some(dtype.size()),
            Elements::Utf32(n) => n.checked_mul(4),
            Elements::Bytes(n) => Some(*n),
            Elements::Text | Elements::Other(_) => None,
        }
    }

    /// Of the second version's dtype.
    pub fn of_v2(dtype: &Value) -> Found {
        let text = dtype.as_str().unwrap_or_default();
        let swapped = text.starts_with('>');
        let bare = text.trim_start_matches(['<', '>', '|', '=']);
        let count = bare.get(1..).and_then(|n| n.parse::<usize>().ok());
        let descr = |d: &DType| d.info().npy.is_some_and(|n| n[1..] == *bare);
        let known = DType::ALL.into_iter().find(descr).map(Elements::Number);
        let elements = known.unwrap_or_else(|| match (bare.chars().next(), count) {
            (Some('U'), Some(n)) => Elements::Utf32(n),
            (Some('S'), Some(n)) => Elements::Bytes(n),
            (Some('O'), _) => Elements::Text,
            (Some('M' | 'm'), Some(8)) => Elements::Number(DType::I64),
            (Some('M' | 'm'), _) if bare[1..].starts_with('8') => Elements::Number(DType::I64),
            _ => Elements::Other(dtype.to_string().replace('"', "")),
        });
        Found {
            note: times(bare.starts_with(['M', 'm']), bare),
            elements,
            swapped,
        }
    }

    /// Of the third version's data type.
    pub fn of_v3(dtype: &Value) -> Found {
        let name = dtype
            .as_str()
            .or_else(|| dtype["name"].as_str())
            .unwrap_or_default();
        let length = dtype["configuration"]["length_bytes"].as_u64();
        let length = length.and_then(|n| usize::try_from(n).ok());
        let elements = match (name, length) {
            ("string", _) => Elements::Text,
            ("fixed_length_utf32", Some(n)) if n % 4 == 0 => Elements::Utf32(n / 4),
            ("null_terminated_bytes", Some(n)) => Elements::Bytes(n),
            ("numpy.datetime64" | "numpy.timedelta64", _) => Elements::Number(DType::I64),
            _ => match DType::ALL.into_iter().find(|d| d.name() == name) {
                Some(dtype) => Elements::Number(dtype),
                None => Elements::Other(if name.is_empty() {
                    dtype.to_string()
                } else {
                    name.into()
                }),
            },
        };
        let shown = match &dtype["configuration"]["unit"] {
            Value::String(unit) => format!("{name}[{unit}]"),
            _ => name.to_string(),
        };
        Found {
            note: times(name.starts_with("numpy."), &shown),
            elements,
            swapped: false,
        }
    }
}

fn times(are_times: bool, name: &str) -> Option<String> {
    are_times.then(|| {
        let name = name.trim_start_matches("numpy.");
        format!("holds {name}, shown as its whole numbers, the least of which means no time")
    })
}

/// A fill value as it stands in metadata.
///
/// # Errors
/// When it is none of that dtype.
pub(super) fn fill_value(value: &Value, dtype: DType) -> Result<Scalar, String> {
    let wrong = || format!("its fill value {value} is no {dtype}");
    let part = |v: &Value| float_part(v, dtype.part());
    match (dtype.kind(), value) {
        (Kind::Bool, _) => {
            let bit = value.as_bool().or_else(|| number(value).map(|n| n != 0.0));
            bit.map(Scalar::new).ok_or_else(wrong)
        }
        (Kind::Float, _) => part(value).ok_or_else(wrong),
        (Kind::Complex, Value::Array(parts)) if parts.len() == 2 => {
            let (re, im) = part(&parts[0]).zip(part(&parts[1])).ok_or_else(wrong)?;
            let bytes = [re.bytes(), im.bytes()].concat();
            Ok(Scalar::from_bytes(dtype, &bytes))
        }
        (Kind::Complex, _) => {
            let mut bytes = part(value).ok_or_else(wrong)?.bytes();
            bytes.resize(dtype.size(), 0);
            Ok(Scalar::from_bytes(dtype, &bytes))
        }
        (Kind::Signed, Value::String(text)) if text == "NaT" => Ok(Scalar::new(i64::MIN)),
        (Kind::Signed | Kind::Unsigned, _) => {
            let whole = value
                .as_i64()
                .map(i128::from)
                .or_else(|| value.as_u64().map(i128::from));
            let whole = whole.or_else(|| {
                let n = number(value)?;
                (n.fract() == 0.0 && n.abs() < 1e19).then_some(n as i128)
            });
            let whole = whole.ok_or_else(wrong)?;
            let scalar = Scalar::from_bytes(dtype, &whole.to_le_bytes());
            (whole_of(scalar) == whole).then_some(scalar).ok_or_else(wrong)
        }
    }
}

/// A float as metadata spells it: a number, a word, or the hexadecimal digits of its bits.
fn float_part(value: &Value, dtype: DType) -> Option<Scalar> {
    let number = match value {
        Value::String(text) => match text.as_str() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            text => match text.strip_prefix("0x") {
                Some(digits) => {
                    let fits = digits.len() == 2 * dtype.size();
                    let bits = u64::from_str_radix(digits, 16).ok().filter(|_| fits)?;
                    return Some(Scalar::from_bytes(dtype, &bits.to_le_bytes()));
                }
                None => number(value)?,
            },
        },
        _ => number(value)?,
    };
    Some(rounded(number, dtype))
}

/// A number rounded to a float dtype.
pub(super) fn rounded(number: f64, dtype: DType) -> Scalar {
    match dtype {
        DType::F16 => Scalar::new(f16::from_f64(number)),
        DType::BF16 => Scalar::new(bf16::from_f64(number)),
        DType::F32 => Scalar::new(number as f32),
        _ => Scalar::new(number),
    }
}

/// The value of an integer.
fn whole_of(scalar: Scalar) -> i128 {
    let unused = 64 - 8 * scalar.dtype().size() as u32;
    match scalar.dtype().kind() {
        Kind::Signed => i128::from((scalar.bits() << unused) as i64 >> unused),
        _ => i128::from(scalar.bits()),
    }
}

/// A value as metadata spells it; a NaN other than the usual one by its bits.
pub(super) fn fill_json(scalar: Scalar) -> Value {
    let dtype = scalar.dtype();
    match dtype.kind() {
        Kind::Bool => Value::Bool(scalar.bits() != 0),
        Kind::Signed => json!(whole_of(scalar) as i64),
        Kind::Unsigned => json!(scalar.bits()),
        Kind::Float if scalar.to_f64().is_nan() && scalar != rounded(f64::NAN, dtype) => {
            Value::String(format!("0x{:0width$x}", scalar.bits(), width = 2 * dtype.size()))
        }
        Kind::Float => float(scalar.to_f64()),
        Kind::Complex => {
            let (re, im) = scalar.parts();
            json!([fill_json(re), fill_json(im)])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fill_values_are_read_as_they_are_spelt() {
        let ok = |v: Value, s: Scalar| assert_eq!(fill_value(&v, s.dtype()).unwrap().bytes(), s.bytes());
        ok(json!(-0.0), Scalar::new(-0.0f32));
        ok(json!("-Infinity"), Scalar::new(f16::NEG_INFINITY));
        ok(json!("0x7fc00001"), Scalar::new(f32::from_bits(0x7fc0_0001)));
        ok(json!(u64::MAX), Scalar::new(u64::MAX));
        ok(json!(-1.0), Scalar::new(-1i8));
        ok(json!(0), Scalar::new(false));
        ok(json!("NaT"), Scalar::new(i64::MIN));
        let complex = fill_value(&json!([1.5, "Infinity"]), DType::C64).unwrap();
        assert_eq!(
            complex.bytes(),
            [1.5f32.to_le_bytes(), f32::INFINITY.to_le_bytes()].concat()
        );
        for (bad, dtype) in [
            (json!(300), DType::U8),
            (json!(1.5), DType::I32),
            (json!("0x7fc0"), DType::F32),
            (json!("x"), DType::F64),
            (json!({}), DType::Bool),
            (json!([1, 2, 3]), DType::C64),
        ] {
            assert!(fill_value(&bad, dtype).is_err(), "{bad}");
        }
    }

    #[test]
    fn fill_values_come_back() {
        for scalar in [
            Scalar::new(-0.0f64),
            Scalar::new(f32::NAN),
            Scalar::new(f32::from_bits(0xffc0_0001)),
            Scalar::new(f64::INFINITY),
            Scalar::new(i64::MIN),
            Scalar::new(u64::MAX),
            Scalar::new(true),
            Scalar::new(bf16::from_f64(3.0)),
        ] {
            let back = fill_value(&fill_json(scalar), scalar.dtype()).unwrap();
            assert_eq!(back.bytes(), scalar.bytes(), "{scalar:?}");
        }
    }

    #[test]
    fn dtypes_are_named() {
        let v2 = |t: &str| Elements::of_v2(&json!(t));
        assert_eq!(v2("<f4").elements, Elements::Number(DType::F32));
        assert!(v2(">i2").swapped && !v2("|b1").swapped);
        assert_eq!(v2(">c16").elements, Elements::Number(DType::C128));
        assert_eq!(
            (v2("<U7").elements, v2("|S3").elements),
            (Elements::Utf32(7), Elements::Bytes(3))
        );
        assert!(v2("<M8[ns]").note.is_some_and(|n| n.contains("M8[ns]")));
        assert_eq!(v2("|V4").elements, Elements::Other("|V4".into()));
        assert!(matches!(
            Elements::of_v2(&json!([["a", "<f4"]])).elements,
            Elements::Other(_)
        ));
        let v3 = |v: Value| Elements::of_v3(&v).elements;
        assert_eq!(v3(json!("bfloat16")), Elements::Number(DType::BF16));
        let utf = json!({"name": "fixed_length_utf32", "configuration": {"length_bytes": 20}});
        assert_eq!(v3(utf), Elements::Utf32(5));
        assert_eq!(v3(json!("r16")), Elements::Other("r16".into()));
    }
}
