//! Floats stored as small integers with a scale and an offset, as CF's packing has it.
//!
//! The range of an array is found first, in one pass for all arrays; then every value is within
//! half a step of what its code means: none is clipped. NaN becomes the fill value; an infinity has
//! no code and is an error.

use super::data_array::DataArray;
use crate::expr::Expr;
use crate::io::AttrValue;
use crate::session::{Array, Session};
use crate::{DType, Error, Op, ReduceKind, Reduction, Result, Scalar};
use tilewise_kernels::{Kind, Literal};

/// The codes of an integer dtype: the least, the greatest, and the one that means missing.
fn codes(dtype: DType) -> Result<(f64, f64, Scalar)> {
    let bits = 8 * dtype.size() as i32;
    let (least, greatest, fill) = match dtype {
        DType::I8 | DType::I16 | DType::I32 => {
            let most = 2f64.powi(bits - 1) - 1.0;
            (-most, most, -most - 1.0)
        }
        DType::U8 | DType::U16 | DType::U32 => {
            let most = 2f64.powi(bits) - 1.0;
            (0.0, most - 1.0, most)
        }
        _ => {
            return Err(Error::invalid(format!(
                "values are packed to int8, int16, int32, uint8, uint16 or uint32, not to {dtype}"
            )));
        }
    };
    let fill = Literal::Float(fill).to_scalar(dtype).map_err(Error::invalid)?;
    Ok((least, greatest, fill))
}

/// Packs the float arrays; the second value of each pair is the code of missing values.
///
/// # Errors
/// A dtype that cannot hold codes, an array with infinities, and what computing the ranges meets.
pub(super) fn pack(
    session: &Session,
    arrays: &[DataArray],
    dtype: DType,
) -> Result<Vec<(DataArray, Option<Scalar>)>> {
    codes(dtype)?;
    let packs = |a: &DataArray| a.dtype().kind() == Kind::Float && !a.expr().is_empty();
    let mut reduced: Vec<Array> = Vec::new();
    for array in arrays.iter().filter(|a| packs(a)) {
        for kind in [ReduceKind::Min, ReduceKind::Max] {
            let reduction = Reduction::new(kind).skipna(true);
            let range = array.expr().cast(DType::F64).reduce(reduction, None, false)?;
            reduced.push(Array::from_expr(range));
        }
    }
    let handles: Vec<&Array> = reduced.iter().collect();
    let ranges: Vec<f64> = match handles.is_empty() {
        true => Vec::new(),
        false => session
            .compute_many::<f64>(&handles)?
            .into_iter()
            .flatten()
            .collect(),
    };
    let mut ranges = ranges.chunks_exact(2);
    let one = |array: &DataArray| {
        let range = if packs(array) { ranges.next() } else { None };
        match range {
            Some(range) => packed(array, dtype, range[0], range[1]),
            None => Ok((array.clone(), None)),
        }
    };
    arrays.iter().map(one).collect()
}

/// One array as codes of its range.
fn packed(array: &DataArray, dtype: DType, min: f64, max: f64) -> Result<(DataArray, Option<Scalar>)> {
    let name = array.name();
    if min.is_infinite() || max.is_infinite() {
        return Err(Error::invalid(format!(
            "{name} cannot be packed to {dtype}: it holds infinities, which have no code; mask them, as in \
             {name}.where(isfinite({name}))"
        )));
    }
    let (least, greatest, fill) = codes(dtype)?;
    let (scale, offset) = step(array.dtype(), (min, max), (least, greatest)).ok_or_else(|| {
        Error::invalid(format!(
            "{name} cannot be packed to {dtype}: no {} scale and offset cover its range {min} to {max}",
            array.dtype()
        ))
    })?;
    let op = |name: &str, args: &[Expr]| {
        let found = Op::find(name).ok_or_else(|| Error::invalid(format!("no function {name}")))?;
        Expr::op(found, args)
    };
    let constant = |value: f64| Expr::scalar(Scalar::new(value));
    let wide = array.expr().cast(DType::F64);
    let steps = op(
        "divide",
        &[
            op("subtract", &[wide.clone(), constant(offset)])?,
            constant(scale),
        ],
    )?;
    let missing = op("isnan", &[wide])?;
    let code = op(
        "where",
        &[missing, constant(fill.to_f64()), op("round", &[steps])?],
    )?;
    let mut attrs = array.attrs().clone();
    let number = |value: f64| match array.dtype() {
        DType::F64 => AttrValue::number(value),
        _ => AttrValue::number(value as f32),
    };
    attrs.set("scale_factor", number(scale));
    attrs.set("add_offset", number(offset));
    let coords = array.coords().clone();
    let made = DataArray::new(name, code.cast(dtype), array.dims().to_vec(), coords, attrs)?;
    Ok((made, Some(fill)))
}

/// A scale and an offset, exact in the array's own dtype (at most f64), with which the codes of both
/// ends of a range are codes.
fn step(dtype: DType, (min, max): (f64, f64), (least, greatest): (f64, f64)) -> Option<(f64, f64)> {
    if min.is_nan() {
        return Some((1.0, 0.0));
    }
    let rounded = |value: f64| match dtype {
        DType::F64 => value,
        _ => f64::from(value as f32),
    };
    // Halves, because the width of the range may overflow.
    let half = max / 2.0 - min / 2.0;
    let offset = rounded(if least < 0.0 { min + half } else { min });
    let mut scale = rounded(half / ((greatest - least) / 2.0));
    if scale == 0.0 {
        scale = 1.0;
    }
    for _ in 0..64 {
        let code = |value: f64| ((value - offset) / scale).round_ties_even();
        let within = |code: f64| (least..=greatest).contains(&code);
        if offset.is_finite() && scale.is_finite() && within(code(min)) && within(code(max)) {
            return Some((scale, offset));
        }
        scale = match dtype {
            DType::F64 => scale.next_up(),
            _ => f64::from((scale as f32).next_up()),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_cover_the_range() {
        for dtype in [DType::F32, DType::F64] {
            for packed in [DType::I8, DType::I16, DType::U8, DType::U16, DType::I32] {
                let (least, greatest, _) = codes(packed).unwrap();
                for (min, max) in [
                    (0.0, 1.0),
                    (-3.5, 3.5),
                    (273.15, 310.0),
                    (5.0, 5.0),
                    (0.0, 0.0),
                    (-1e30, 1e30),
                    (1e-30, 2e-30),
                    (f64::NAN, f64::NAN),
                ] {
                    let (scale, offset) = step(dtype, (min, max), (least, greatest)).unwrap();
                    for value in [min, max, min / 2.0 + max / 2.0] {
                        let code = ((value - offset) / scale).round_ties_even();
                        assert!(
                            value.is_nan() || (least..=greatest).contains(&code),
                            "{code} {value} {packed}"
                        );
                        let back = code * scale + offset;
                        let slack = value.abs() * 1e-7;
                        assert!(value.is_nan() || (back - value).abs() <= scale * 0.5001 + slack);
                    }
                }
            }
        }
        assert!(codes(DType::F32).is_err() && codes(DType::I64).is_err());
    }
}
