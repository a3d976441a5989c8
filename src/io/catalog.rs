//! What a file holds, in words that no format owns.
//!
//! Listing, labelling and writing need names, dimensions, dtypes and attributes, not HDF5's or
//! Zarr's records of them. A [`Catalog`] is read without touching any array data.

use std::collections::HashSet;
use std::path::PathBuf;
use tilewise_kernels::{DType, Element, Kind, Scalar};

/// The content of one file or store.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// The file.
    pub path: PathBuf,
    /// Its format, e.g. `NetCDF-4`.
    pub format: &'static str,
    /// Its dimensions, in the order of the file.
    pub dims: Vec<Dim>,
    /// Its variables, in the order of the file.
    pub variables: Vec<Variable>,
    /// The attributes of the file itself.
    pub attributes: Attributes,
    /// What a user should know of the file, one sentence each.
    pub notes: Vec<String>,
}

impl Catalog {
    /// The variable of that name.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|v| v.name == name)
    }

    /// The dimension of that name.
    pub fn dim(&self, name: &str) -> Option<&Dim> {
        self.dims.iter().find(|d| d.name == name)
    }
}

/// A named axis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dim {
    /// Its name; `/group/name` below the root.
    pub name: String,
    /// Its extent.
    pub len: usize,
    /// Whether the file can grow along it.
    pub unlimited: bool,
}

/// One array of a file.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name; `/group/name` below the root.
    pub name: String,
    /// The name of the dimension of each axis.
    pub dims: Vec<String>,
    /// The extent of each axis.
    pub shape: Vec<usize>,
    /// What its elements are.
    pub dtype: VarType,
    /// The shape of its stored chunks; `None` when it is stored in one piece.
    pub chunks: Option<Vec<usize>>,
    /// The filters of its chunks in the order they were applied, e.g. `shuffle,deflate(4)`; empty
    /// when there is none.
    pub codecs: String,
    /// Bytes in the file.
    pub stored_bytes: u64,
    /// The value of elements never written, where the file declares one beside its attributes.
    pub fill: Option<Scalar>,
    /// Its attributes.
    pub attributes: Attributes,
}

impl Variable {
    /// Its dtype where it is numeric.
    pub fn numeric(&self) -> Option<DType> {
        match self.dtype {
            VarType::Numeric(dtype) => Some(dtype),
            _ => None,
        }
    }
}

/// What the elements of a variable are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VarType {
    /// Numbers or booleans.
    Numeric(DType),
    /// Whole strings.
    Text,
    /// Single characters; the last axis is the length of the strings.
    Char,
    /// Anything else, in words, e.g. `compound`.
    Other(String),
}

impl std::fmt::Display for VarType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            VarType::Numeric(dtype) => dtype.fmt(f),
            VarType::Text => f.pad("string"),
            VarType::Char => f.pad("char"),
            VarType::Other(what) => f.pad(what),
        }
    }
}

/// The value of an attribute; numbers keep their stored dtype beside a type that holds them all.
#[derive(Clone, PartialEq, Debug)]
pub enum AttrValue {
    /// One text.
    Text(String),
    /// Several texts.
    TextList(Vec<String>),
    /// Signed integers (and booleans) of that dtype.
    Int(DType, Vec<i64>),
    /// Unsigned integers of that dtype.
    UInt(DType, Vec<u64>),
    /// Floats of that dtype.
    Float(DType, Vec<f64>),
}

impl AttrValue {
    /// The attribute that holds one number.
    pub fn number<T: Element>(value: T) -> AttrValue {
        AttrValue::from(Scalar::new(value))
    }

    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            AttrValue::Text(text) => Some(text),
            AttrValue::TextList(list) if list.len() == 1 => Some(&list[0]),
            _ => None,
        }
    }

    /// The numbers as f64, rounded where f64 cannot hold them; `None` for text.
    pub fn as_f64s(&self) -> Option<Vec<f64>> {
        match self {
            AttrValue::Int(_, v) => Some(v.iter().map(|&x| x as f64).collect()),
            AttrValue::UInt(_, v) => Some(v.iter().map(|&x| x as f64).collect()),
            AttrValue::Float(_, v) => Some(v.clone()),
            _ => None,
        }
    }

    /// The first number as f64.
    pub fn as_f64(&self) -> Option<f64> {
        self.as_f64s().and_then(|v| v.first().copied())
    }

    /// The stored dtype of numbers; `None` for text.
    pub fn dtype(&self) -> Option<DType> {
        match self {
            AttrValue::Int(d, _) | AttrValue::UInt(d, _) | AttrValue::Float(d, _) => Some(*d),
            _ => None,
        }
    }

    /// The first number as an element of `dtype`, where that dtype holds it exactly.
    pub fn scalar(&self, dtype: DType) -> Option<Scalar> {
        let first = match self {
            AttrValue::Int(_, v) => Number::Signed(*v.first()?),
            AttrValue::UInt(_, v) => Number::Unsigned(*v.first()?),
            AttrValue::Float(_, v) => Number::Float(*v.first()?),
            AttrValue::Text(_) | AttrValue::TextList(_) => return None,
        };
        first.exactly(dtype)
    }
}

impl From<Scalar> for AttrValue {
    fn from(value: Scalar) -> AttrValue {
        let dtype = value.dtype();
        let bits = value.bits();
        match dtype.kind() {
            Kind::Unsigned => AttrValue::UInt(dtype, vec![bits]),
            Kind::Float => AttrValue::Float(dtype, vec![value.to_f64()]),
            Kind::Complex => {
                let (re, im) = value.parts();
                AttrValue::Float(dtype.part(), vec![re.to_f64(), im.to_f64()])
            }
            Kind::Bool => AttrValue::Int(dtype, vec![i64::from(bits != 0)]),
            Kind::Signed => {
                let unused = 64 - 8 * dtype.size() as u32;
                AttrValue::Int(dtype, vec![(bits << unused) as i64 >> unused])
            }
        }
    }
}

impl From<&str> for AttrValue {
    fn from(text: &str) -> AttrValue {
        AttrValue::Text(text.to_string())
    }
}

impl From<String> for AttrValue {
    fn from(text: String) -> AttrValue {
        AttrValue::Text(text)
    }
}

/// One number of the widest type of its family.
#[derive(Clone, Copy)]
enum Number {
    Signed(i64),
    Unsigned(u64),
    Float(f64),
}

impl Number {
    /// As an element of `dtype`, `None` where its value would change.
    fn exactly(self, dtype: DType) -> Option<Scalar> {
        let wide = match self {
            Number::Signed(v) => i128::from(v),
            Number::Unsigned(v) => i128::from(v),
            Number::Float(v) if dtype.is_float() => {
                let rounded = float_scalar(dtype, v)?;
                let same = rounded.to_f64() == v || v.is_nan();
                return same.then_some(rounded);
            }
            Number::Float(v) if v.fract() == 0.0 && v.abs() < 1e19 => v as i128,
            Number::Float(_) => return None,
        };
        if dtype.is_float() {
            let rounded = float_scalar(dtype, wide as f64)?;
            return (rounded.to_f64() as i128 == wide).then_some(rounded);
        }
        let bits = 8 * dtype.size() as u32;
        let (low, high) = match dtype.kind() {
            Kind::Signed => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
            Kind::Bool => (0, 1),
            _ => (0, (1i128 << bits) - 1),
        };
        (low..=high)
            .contains(&wide)
            .then(|| Scalar::from_bytes(dtype, &wide.to_le_bytes()))
    }
}

/// `value` rounded to a float dtype.
fn float_scalar(dtype: DType, value: f64) -> Option<Scalar> {
    Some(match dtype {
        DType::F16 => Scalar::new(tilewise_kernels::f16::from_f64(value)),
        DType::BF16 => Scalar::new(tilewise_kernels::bf16::from_f64(value)),
        DType::F32 => Scalar::new(value as f32),
        DType::F64 => Scalar::new(value),
        _ => return None,
    })
}

/// Named values in the order of the file.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Attributes {
    entries: Vec<(String, AttrValue)>,
}

impl Attributes {
    /// None.
    pub fn new() -> Attributes {
        Attributes::default()
    }

    /// The value called `name`.
    pub fn get(&self, name: &str) -> Option<&AttrValue> {
        self.entries.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// The text called `name`, where it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(AttrValue::as_text)
    }

    /// Sets a value, in its old place where the name is there already.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<AttrValue>) {
        let (name, value) = (name.into(), value.into());
        match self.entries.iter_mut().find(|(n, _)| *n == name) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((name, value)),
        }
    }

    /// Takes a value out.
    pub fn remove(&mut self, name: &str) -> Option<AttrValue> {
        let at = self.entries.iter().position(|(n, _)| n == name)?;
        Some(self.entries.remove(at).1)
    }

    /// All of them in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &AttrValue)> {
        self.entries.iter().map(|(n, v)| (n.as_str(), v))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl FromIterator<(String, AttrValue)> for Attributes {
    /// In that order; of several with one name the first stays.
    fn from_iter<I: IntoIterator<Item = (String, AttrValue)>>(entries: I) -> Attributes {
        let mut seen = HashSet::new();
        let entries = entries.into_iter().filter(|(name, _)| seen.insert(name.clone()));
        Attributes {
            entries: entries.collect(),
        }
    }
}

/// NetCDF's default fill value of a dtype: what its library writes where nothing was written.
/// Bytes have none that is unambiguous, and half floats and complex numbers are no NetCDF types.
pub fn netcdf_default_fill(dtype: DType) -> Option<Scalar> {
    Some(match dtype {
        DType::I16 => Scalar::new(-32767i16),
        DType::U16 => Scalar::new(65535u16),
        DType::I32 => Scalar::new(-2147483647i32),
        DType::U32 => Scalar::new(4294967295u32),
        DType::I64 => Scalar::new(-9223372036854775806i64),
        DType::U64 => Scalar::new(18446744073709551614u64),
        DType::F32 => Scalar::new(9.969_21e36f32),
        DType::F64 => Scalar::new(9.969_209_968_386_869e36f64),
        DType::Bool | DType::I8 | DType::U8 | DType::F16 | DType::BF16 => return None,
        DType::C64 | DType::C128 => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_keep_their_order() {
        let mut attributes = Attributes::new();
        attributes.set("units", "K");
        attributes.set("scale_factor", AttrValue::number(0.5f32));
        attributes.set("units", "degC");
        let names: Vec<&str> = attributes.iter().map(|(n, _)| n).collect();
        assert_eq!(names, ["units", "scale_factor"]);
        assert_eq!(attributes.text("units"), Some("degC"));
        assert_eq!(attributes.remove("units"), Some(AttrValue::from("degC")));
        assert_eq!((attributes.len(), attributes.text("units")), (1, None));
    }

    #[test]
    fn numbers_become_scalars_only_when_exact() {
        assert_eq!(AttrValue::number(-3i8), AttrValue::Int(DType::I8, vec![-3]));
        let fill = AttrValue::Float(DType::F64, vec![-999.0]);
        assert_eq!(fill.scalar(DType::I16), Some(Scalar::new(-999i16)));
        assert_eq!(fill.scalar(DType::U16), None);
        assert_eq!(AttrValue::number(0.1f64).scalar(DType::F32), None);
        assert_eq!(AttrValue::number(i64::MAX).scalar(DType::F64), None);
        assert_eq!(
            AttrValue::number(u64::MAX).scalar(DType::U64),
            Some(Scalar::new(u64::MAX))
        );
        assert_eq!(AttrValue::number(f64::NAN).scalar(DType::I32), None);
        let nan = AttrValue::number(f64::NAN).scalar(DType::F32);
        assert!(nan.is_some_and(|s| s.to_f64().is_nan()));
        assert_eq!(AttrValue::from("x").scalar(DType::F32), None);
    }
}
