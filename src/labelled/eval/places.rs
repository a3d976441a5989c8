//! Functions that choose, order, move and join along dimensions: arguments to methods of arrays.

use super::super::data_array::DataArray;
use super::super::pick::Pick;
use super::call::Call;
use super::value::Value;
use crate::{Error, Result};
use tilewise_kernels::Literal;

pub(super) fn isel(mut call: Call) -> Result<Value> {
    let mut out = call.array()?;
    for (dim, value) in call.by_dim()? {
        let pick = value.places(&dim, out.size(&dim)?)?;
        out = out.pick(&dim, &pick)?;
    }
    call.finish("dimensions as keywords")?;
    Ok(Value::Array(out))
}

pub(super) fn sel(mut call: Call) -> Result<Value> {
    let mut out = call.array()?;
    let nearest = match call.keyword("method") {
        None | Some(Value::None) => false,
        Some(value) if value.text("method")? == "nearest" => true,
        Some(other) => {
            return Err(Error::invalid(format!(
                "method is \"nearest\", not {}",
                other.kind()
            )));
        }
    };
    for (dim, value) in call.by_dim()? {
        let index = out.labels(&dim)?.clone();
        let pick = match &value {
            Value::Slice(bounds) => {
                let bound = |value: &Value| match value {
                    Value::None => Ok(None),
                    other => other.label(&dim).map(Some),
                };
                let step = match &bounds[2] {
                    Value::None => 1,
                    step => usize::try_from(step.int("a step")?).unwrap_or(0),
                };
                if step == 0 {
                    return Err(Error::invalid("the step of a slice of labels is 1 or more"));
                }
                index.between(
                    &dim,
                    bound(&bounds[0])?.as_ref(),
                    bound(&bounds[1])?.as_ref(),
                    step,
                )?
            }
            Value::List(labels) => {
                let mut places = Vec::new();
                for label in labels {
                    let label = label.label(&dim)?;
                    match nearest {
                        true => places.push(index.nearest(&dim, &label)?),
                        false => places.extend(index.find(&dim, &label)?.places()),
                    }
                }
                Pick::List(places.into())
            }
            label => {
                let label = label.label(&dim)?;
                match nearest {
                    true => Pick::At(index.nearest(&dim, &label)?),
                    false => index.find(&dim, &label)?,
                }
            }
        };
        out = out.pick(&dim, &pick)?;
    }
    Ok(Value::Array(out))
}

pub(super) fn slice(mut call: Call) -> Result<Value> {
    let mut bounds = call.rest();
    call.finish("start, stop and step by place")?;
    let [start, stop, step] = match bounds.len() {
        1 => [Value::None, bounds.remove(0), Value::None],
        2 | 3 => {
            bounds.resize_with(3, || Value::None);
            let mut bounds = bounds.into_iter();
            std::array::from_fn(|_| bounds.next().unwrap_or(Value::None))
        }
        n => {
            return Err(Error::invalid(format!(
                "slice takes start, stop and step, not {n} values"
            )));
        }
    };
    Ok(Value::Slice(Box::new([start, stop, step])))
}

pub(super) fn transpose(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let mut names = Vec::new();
    for value in call.rest() {
        match value {
            Value::Ellipsis => names.push(None),
            other => names.extend(other.names("a dimension")?.into_iter().map(Some)),
        }
    }
    call.finish("dimensions by place")?;
    array.transpose_with(&names).map(Value::Array)
}

pub(super) fn expand_dims(mut call: Call) -> Result<Value> {
    let mut out = call.array()?;
    let dims = call
        .required("the name of a new dimension")?
        .names("a dimension")?;
    call.finish("the names of new dimensions")?;
    for dim in dims.iter().rev() {
        out = out.expand_dims(dim)?;
    }
    Ok(Value::Array(out))
}

pub(super) fn squeeze(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let dims = call.optional("dim").map(|v| v.names("a dimension")).transpose()?;
    call.finish("dim")?;
    array.squeeze(dims.as_deref()).map(Value::Array)
}

pub(super) fn flip(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let dims = match call.optional("dim") {
        Some(value) => value.names("a dimension")?,
        None => array.dims().to_vec(),
    };
    call.finish("dim")?;
    array.flip(&dims).map(Value::Array)
}

pub(super) fn shift(mut call: Call) -> Result<Value> {
    let mut out = call.array()?;
    let fill = match call.keyword("fill_value") {
        Some(Value::Literal(literal)) => literal,
        Some(other) => {
            return Err(Error::invalid(format!(
                "fill_value is a number, not {}",
                other.kind()
            )));
        }
        None => Literal::Float(f64::NAN),
    };
    for (dim, by) in call.by_dim()? {
        out = out.shift(&dim, by.int("a shift")?, fill)?;
    }
    Ok(Value::Array(out))
}

pub(super) fn roll(mut call: Call) -> Result<Value> {
    let mut out = call.array()?;
    for (dim, by) in call.by_dim()? {
        out = out.roll(&dim, by.int("a shift")?)?;
    }
    Ok(Value::Array(out))
}

pub(super) fn concat(mut call: Call) -> Result<Value> {
    let Value::List(items) = call.required("a list of arrays")? else {
        return Err(Error::invalid(
            "concat takes a list of arrays, as in concat([a, b], \"time\")",
        ));
    };
    let dim = call.required("dim")?.text("a dimension")?;
    call.finish("a list of arrays and dim")?;
    let parts = items
        .into_iter()
        .map(|item| match item {
            Value::Array(array) if !array.dims().contains(&dim) => array.expand_dims(&dim),
            other => other.array("concat"),
        })
        .collect::<Result<Vec<_>>>()?;
    DataArray::concat(&parts, &dim).map(Value::Array)
}

pub(super) fn chunk(mut call: Call) -> Result<Value> {
    let array = call.array()?;
    let sizes = call
        .by_dim()?
        .into_iter()
        .map(|(dim, size)| {
            let size = size.int("a chunk's size")?;
            let size = match size {
                -1 => Some(0), // what stands for all
                size => usize::try_from(size).ok().filter(|&n| n > 0),
            };
            let size = size.ok_or_else(|| Error::invalid("a chunk's size is 1 or more, or -1 for all"))?;
            Ok((dim, size))
        })
        .collect::<Result<Vec<_>>>()?;
    array.chunk(&sizes).map(Value::Array)
}
