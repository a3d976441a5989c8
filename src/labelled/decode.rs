//! CF packing undone: missing values, scale and offset, unsigned bytes, as a lazy expression.
//!
//! Packed data stays packed on disk and in memory; unpacking is part of the kernel that reads it.
//! The rules for the resulting dtype are xarray's, so the numbers are those its users know. Floats that declare
//! no missing value have NetCDF's default one, as for its own library.

use crate::expr::Expr;
use crate::io::{AttrValue, Attributes, netcdf_default_fill};
use crate::{DType, Error, Op, Result, Scalar, bf16, f16};
use tilewise_kernels::{Kind, Literal};

/// Attributes that packing uses up.
pub(super) const PACKING: [&str; 5] = [
    "_FillValue",
    "missing_value",
    "scale_factor",
    "add_offset",
    "_Unsigned",
];

/// What a variable's attributes say of its packing.
#[derive(Clone, Debug)]
pub(super) struct Packing {
    /// The dtype whose bits are stored, where `_Unsigned` says another than the file.
    reinterpreted: Option<DType>,
    /// Values that mean missing, in the stored (or reinterpreted) dtype.
    fills: Vec<Scalar>,
    scale: Option<f64>,
    offset: Option<f64>,
    /// The dtype of decoded values.
    pub dtype: DType,
}

impl Packing {
    /// Reads the attributes of a variable of a stored dtype; `None` when its values are plain.
    pub fn of(stored: DType, attrs: &Attributes) -> Option<Packing> {
        let reinterpreted = unsigned(stored, attrs);
        let dtype = reinterpreted.unwrap_or(stored);
        let mut fills = Vec::new();
        for name in ["_FillValue", "missing_value"] {
            for value in attrs.get(name).and_then(AttrValue::as_f64s).unwrap_or_default() {
                fills.extend(fill_scalar(stored, dtype, value, attrs.get(name)));
            }
        }
        let declared = !fills.is_empty() || attrs.get("_FillValue").is_some();
        if !declared && dtype.is_float() {
            fills.extend(netcdf_default_fill(dtype));
        }
        fills.retain(|fill| !fill.to_f64().is_nan());
        fills.dedup();
        let scale = attrs.get("scale_factor").and_then(AttrValue::as_f64);
        let offset = attrs.get("add_offset").and_then(AttrValue::as_f64);
        let packed = scale.is_some() || offset.is_some();
        if !packed && fills.is_empty() && reinterpreted.is_none() && !matches!(dtype, DType::F16) {
            return None;
        }
        let decoded = match packed || !fills.is_empty() {
            true => decoded_dtype(dtype, attrs),
            false => dtype,
        };
        Some(Packing {
            reinterpreted,
            fills,
            scale,
            offset,
            dtype: decoded,
        })
    }

    /// The decoded values of stored ones.
    ///
    /// # Errors
    /// None for expressions that exist.
    pub fn decode(&self, stored: &Expr) -> Result<Expr> {
        let raw = match self.reinterpreted {
            Some(dtype) => stored.cast(dtype),
            None => stored.clone(),
        };
        let table = |name: &str| Op::find(name).ok_or_else(|| Error::invalid(format!("no function {name}")));
        let mut out = raw.cast(self.dtype);
        let constant = |value: f64| float(self.dtype, value).map(Expr::scalar);
        if let Some(scale) = self.scale.and_then(constant) {
            out = Expr::op(table("multiply")?, &[out, scale])?;
        }
        if let Some(offset) = self.offset.and_then(constant) {
            out = Expr::op(table("add")?, &[out, offset])?;
        }
        let mut missing: Option<Expr> = None;
        for fill in &self.fills {
            let here = Expr::op(table("equal")?, &[raw.clone(), Expr::scalar(*fill)])?;
            missing = Some(match missing {
                None => here,
                Some(before) => Expr::op(table("logical_or")?, &[before, here])?,
            });
        }
        match (missing, constant(f64::NAN)) {
            (Some(missing), Some(nan)) => Expr::op(table("where")?, &[missing, nan, out]),
            _ => Ok(out),
        }
    }

    /// The decoded element of one stored number, with the roundings of [`Packing::decode`].
    pub fn decode_scalar(&self, stored: Scalar) -> Scalar {
        let raw = match self.reinterpreted {
            Some(dtype) => Scalar::from_bytes(dtype, &stored.bytes()),
            None => stored,
        };
        let missing = self.fills.iter().any(|fill| fill.to_f64() == raw.to_f64());
        let (scale, offset) = (self.scale, self.offset);
        match self.dtype {
            DType::F32 => {
                let mut value = raw.to_f64() as f32;
                value = scale.map_or(value, |s| value * s as f32);
                value = offset.map_or(value, |o| value + o as f32);
                Scalar::new(if missing { f32::NAN } else { value })
            }
            DType::F64 => {
                let mut value = raw.to_f64();
                value = scale.map_or(value, |s| value * s);
                value = offset.map_or(value, |o| value + o);
                Scalar::new(if missing { f64::NAN } else { value })
            }
            // No packing: another sign alone, or half floats.
            _ => raw,
        }
    }

    /// The decoded value of one stored number, for coordinates in memory.
    pub fn decode_value(&self, stored: Scalar) -> f64 {
        let raw = match self.reinterpreted {
            Some(dtype) => Scalar::from_bytes(dtype, &stored.bytes()),
            None => stored,
        };
        if self.fills.iter().any(|fill| fill.to_f64() == raw.to_f64()) {
            return f64::NAN;
        }
        raw.to_f64() * self.scale.unwrap_or(1.0) + self.offset.unwrap_or(0.0)
    }
}

/// The other signedness of an integer, where `_Unsigned` asks for it.
fn unsigned(stored: DType, attrs: &Attributes) -> Option<DType> {
    let wanted = attrs.text("_Unsigned")?.to_ascii_lowercase();
    let pairs = [
        (DType::I8, DType::U8),
        (DType::I16, DType::U16),
        (DType::I32, DType::U32),
        (DType::I64, DType::U64),
    ];
    pairs
        .iter()
        .find_map(|&(signed, unsigned)| match wanted.as_str() {
            "true" if stored == signed => Some(unsigned),
            "false" if stored == unsigned => Some(signed),
            _ => None,
        })
}

/// A fill value in the dtype that values are compared in; `None` when that dtype has no such value.
fn fill_scalar(stored: DType, dtype: DType, value: f64, attr: Option<&AttrValue>) -> Option<Scalar> {
    if dtype.is_float() {
        return float(dtype, value);
    }
    // The attribute may stand in the stored dtype (-1 for 255) or in the meant one.
    let exact = |d: DType| attr.and_then(|a| a.scalar(d)).filter(|s| s.to_f64() == value);
    let whole = |d: DType| Literal::Float(value).to_scalar(d).ok();
    exact(dtype).or_else(|| whole(dtype)).or_else(|| {
        let scalar = exact(stored).or_else(|| whole(stored))?;
        Some(Scalar::from_bytes(dtype, &scalar.bytes()))
    })
}

/// `value` in a float dtype.
fn float(dtype: DType, value: f64) -> Option<Scalar> {
    Some(match dtype {
        DType::F16 => Scalar::new(f16::from_f64(value)),
        DType::BF16 => Scalar::new(bf16::from_f64(value)),
        DType::F32 => Scalar::new(value as f32),
        DType::F64 => Scalar::new(value),
        _ => return None,
    })
}

/// xarray's choice of the float dtype of decoded values.
fn decoded_dtype(dtype: DType, attrs: &Attributes) -> DType {
    let kind_of = |name: &str| attrs.get(name).and_then(AttrValue::dtype);
    let (scale, offset) = (kind_of("scale_factor"), kind_of("add_offset"));
    let integer = matches!(dtype.kind(), Kind::Signed | Kind::Unsigned | Kind::Bool);
    match (scale, offset) {
        (Some(s), Some(o)) if s == o && matches!(s, DType::F32 | DType::F64) => {
            if integer && dtype.size() == 4 {
                DType::F64
            } else {
                s
            }
        }
        (_, Some(_)) => DType::F64,
        (Some(s), None) if s.is_float() => s,
        (Some(_), None) => DType::F64,
        (None, None) if dtype.is_float() && dtype.size() <= 4 => DType::F32,
        (None, None) if integer && dtype.size() <= 2 => DType::F32,
        (None, None) => DType::F64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attrs(entries: &[(&str, AttrValue)]) -> Attributes {
        let mut out = Attributes::new();
        for (name, value) in entries {
            out.set(*name, value.clone());
        }
        out
    }

    #[test]
    fn dtypes_follow_xarray() {
        let f32s = |v: f64| AttrValue::Float(DType::F32, vec![v]);
        let f64s = |v: f64| AttrValue::Float(DType::F64, vec![v]);
        let dtype =
            |stored, entries: &[(&str, AttrValue)]| Packing::of(stored, &attrs(entries)).map(|p| p.dtype);
        assert_eq!(dtype(DType::I16, &[]), None);
        assert_eq!(
            dtype(DType::I16, &[("_FillValue", AttrValue::number(-1i16))]),
            Some(DType::F32)
        );
        assert_eq!(
            dtype(DType::I32, &[("_FillValue", AttrValue::number(-1i32))]),
            Some(DType::F64)
        );
        assert_eq!(
            dtype(DType::I16, &[("scale_factor", f32s(0.1))]),
            Some(DType::F32)
        );
        assert_eq!(
            dtype(
                DType::I16,
                &[("scale_factor", f64s(0.1)), ("add_offset", f64s(1.0))]
            ),
            Some(DType::F64)
        );
        assert_eq!(
            dtype(
                DType::I16,
                &[("scale_factor", f32s(0.1)), ("add_offset", f32s(1.0))]
            ),
            Some(DType::F32)
        );
        assert_eq!(
            dtype(
                DType::I32,
                &[("scale_factor", f32s(0.1)), ("add_offset", f32s(1.0))]
            ),
            Some(DType::F64)
        );
        assert_eq!(dtype(DType::I16, &[("add_offset", f32s(1.0))]), Some(DType::F64));
        assert_eq!(dtype(DType::F32, &[("_FillValue", f32s(1e20))]), Some(DType::F32));
        assert_eq!(dtype(DType::F32, &[("_FillValue", f32s(f64::NAN))]), None);
    }

    #[test]
    fn unsigned_bytes_are_read_as_meant() {
        let attrs = attrs(&[
            ("_Unsigned", "true".into()),
            ("_FillValue", AttrValue::number(-1i8)),
            ("scale_factor", AttrValue::number(0.5f32)),
        ]);
        let packing = Packing::of(DType::I8, &attrs).unwrap();
        assert_eq!(packing.decode_value(Scalar::new(-2i8)), 127.0);
        assert!(packing.decode_value(Scalar::new(-1i8)).is_nan());
        assert_eq!(packing.decode_value(Scalar::new(4i8)), 2.0);
    }
}
