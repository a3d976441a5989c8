//! Products of named arrays, summed over dimensions: xarray's `dot`.

use super::align::prepared;
use super::data_array::{Coords, DataArray};
use crate::expr::Expr;
use crate::{Error, Result};

/// The sum of products of arrays over dimensions; over those that several of them have when none
/// are named. Products run along dimensions of one name together; the result has the others in order
/// of appearance. Labels of one dimension must agree.
///
/// ```
/// use tilewise::Array;
/// use tilewise::labelled::{DataArray, dot};
///
/// let named = |name: &str, dims: &[&str], shape: &[usize]| {
///     let ones = Array::full(shape, 2.0f32)?;
///     let dims = dims.iter().map(|d| d.to_string()).collect();
///     DataArray::new(name, ones.expr().clone(), dims, vec![], Default::default())
/// };
/// let maps = named("maps", &["time", "cell"], &[3, 5])?;
/// let patterns = named("patterns", &["mode", "cell"], &[2, 5])?;
/// let scores = dot(&[&maps, &patterns], None)?;
/// assert_eq!((scores.dims(), scores.shape()), (&["time".to_string(), "mode".into()][..], &[3, 2][..]));
/// # Ok::<(), tilewise::Error>(())
/// ```
///
/// # Errors
/// No array; a dimension that none has; sizes or labels that differ.
pub fn dot(arrays: &[&DataArray], dims: Option<&[String]>) -> Result<DataArray> {
    if arrays.is_empty() {
        return Err(Error::invalid("dot needs an array"));
    }
    let (arrays, all, coords) = prepared("dot", arrays)?;
    if let Some(unknown) = dims.into_iter().flatten().find(|d| !all.contains(d)) {
        return Err(Error::invalid(format!(
            "dot: no array has the dimension {unknown:?}; there are {}",
            all.join(", ")
        )));
    }
    let shared = |dim: &String| arrays.iter().filter(|a| a.dims().contains(dim)).count() > 1;
    let summed: Vec<&String> = all
        .iter()
        .filter(|dim| dims.map_or_else(|| shared(dim), |dims| dims.contains(dim)))
        .collect();
    let kept: Vec<String> = all.iter().filter(|d| !summed.contains(d)).cloned().collect();
    let number = |dims: &[String]| -> Vec<u32> {
        let place = |dim: &String| all.iter().position(|d| d == dim).unwrap_or(0) as u32;
        dims.iter().map(place).collect()
    };
    let labels: Vec<Vec<u32>> = arrays.iter().map(|a| number(a.dims())).collect();
    let operands: Vec<(&Expr, &[u32])> = arrays
        .iter()
        .zip(&labels)
        .map(|(a, l)| (a.expr(), &l[..]))
        .collect();
    let expr =
        Expr::contract(&operands, &number(&kept)).map_err(|error| Error::invalid(format!("dot: {error}")))?;
    let coords: Coords = coords
        .into_iter()
        .filter(|(_, c)| c.dims.iter().all(|d| kept.contains(d)))
        .collect();
    let first = arrays[0].name();
    let name = if arrays.iter().all(|a| a.name() == first) {
        first
    } else {
        ""
    };
    DataArray::new(name, expr, kept, coords, Default::default())
}
