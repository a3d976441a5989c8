//! Fourier transforms: `x.fft("time")` and the others by NumPy's names.

use super::super::fft::FftOptions;
use super::call::Call;
use super::value::Value;
use crate::expr::Norm;
use crate::{Error, Result, Transform};

/// `fft`, `ifft`, `rfft` and `irfft`.
pub(super) fn transform(mut call: Call) -> Result<Value> {
    const ACCEPTS: &str = "dimensions, n, norm and spacing";
    let transform = match call.name.as_str() {
        "fft" => Transform::Forward,
        "ifft" => Transform::Inverse,
        "rfft" => Transform::RealForward,
        _ => Transform::RealInverse,
    };
    let array = call.array()?;
    let dims = call.required("a dimension")?.names("a dimension")?;
    let n = match call.optional("n") {
        None | Some(Value::None) => None,
        Some(value) => {
            let n = value.int("n")?;
            Some(usize::try_from(n).map_err(|_| Error::invalid(format!("n is {n}; it is 1 or more")))?)
        }
    };
    let norm = match call.keyword("norm") {
        None | Some(Value::None) => Norm::Backward,
        Some(value) => {
            let name = value.text("norm")?;
            Norm::parse(&name).ok_or_else(|| {
                Error::invalid(format!(
                    "norm is \"backward\", \"ortho\" or \"forward\", not {name:?}"
                ))
            })?
        }
    };
    let spacing = match call.keyword("spacing") {
        None | Some(Value::None) => None,
        Some(Value::Literal(literal)) => Some(super::literal::float(literal)),
        Some(other) => {
            return Err(Error::invalid(format!(
                "spacing is a number, not {}",
                other.kind()
            )));
        }
    };
    call.finish(ACCEPTS)?;
    if spacing.is_some_and(|s| !s.is_finite() || s == 0.0) {
        return Err(Error::invalid("spacing is a number other than 0"));
    }
    let real = matches!(transform, Transform::RealForward | Transform::RealInverse);
    if dims.is_empty() || (dims.len() > 1 && (real || n.is_some())) {
        return Err(Error::invalid(format!(
            "{} takes one dimension here; go on with fft along the others",
            call.name
        )));
    }
    let options = FftOptions { n, norm, spacing };
    let made = dims
        .iter()
        .try_fold(array, |array, dim| array.fft(transform, dim, &options))?;
    Ok(Value::Array(made))
}

/// `fftshift` and `ifftshift`.
pub(super) fn shift(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let dims = match call.optional("dim") {
        None | Some(Value::None) => array.dims().to_vec(),
        Some(value) => value.names("a dimension")?,
    };
    call.finish("dimensions")?;
    array.fftshift(&dims, call.name == "ifftshift").map(Value::Array)
}
