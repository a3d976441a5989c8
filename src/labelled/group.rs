//! Group-by along one dimension, and the way back from groups to members.
//!
//! A group's result keeps the place of the grouped dimension under the group's name (`month`) and
//! remembers what it was made from, so arithmetic with the members needs no further word.

use super::align::{Operand, apply};
use super::attributes::after_reduction;
use super::cftime::{Field, SEASONS};
use super::coord::Coord;
use super::data_array::{DataArray, listed};
use super::index::{GroupKey, Index, Values};
use super::pick::Pick;
use super::reduce::default_skipna;
use crate::io::Attributes;
use crate::{Error, Op, ReduceKind, Reduction, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An array whose members along one dimension are grouped.
#[derive(Clone, Debug)]
pub struct GroupBy {
    array: DataArray,
    name: String,
    key: GroupKey,
    labels: Arc<[u32]>,
    index: Index,
}

impl GroupBy {
    /// Groups by a field of a time coordinate (`time.month`, `.season`, `.year`, `.dayofyear`,
    /// `.hour`, …) or by the values of a coordinate along one dimension.
    ///
    /// # Errors
    /// When there is no such coordinate or field, or the coordinate is no time axis.
    pub fn new(array: &DataArray, by: &str) -> Result<GroupBy> {
        let (coord_name, field) = match by.rsplit_once('.') {
            Some((coord, field)) => {
                let known = Field::parse(field).ok_or_else(|| {
                    let all: Vec<&str> = Field::ALL.iter().map(|(_, n)| *n).collect();
                    Error::invalid(format!(
                        "groupby({by:?}): there is no field {field:?}; the fields are {}",
                        all.join(", ")
                    ))
                })?;
                (coord, Some(known))
            }
            None => (by, None),
        };
        let names: Vec<String> = array.coords().iter().map(|(n, _)| n.clone()).collect();
        let coord = array.coord(coord_name).ok_or_else(|| {
            Error::invalid(format!(
                "groupby({by:?}): {} has no coordinate {coord_name:?}; it has {}",
                array.describe(),
                if names.is_empty() {
                    "none".into()
                } else {
                    listed(&names)
                }
            ))
        })?;
        let ([dim], Some(_)) = (coord.dims.as_slice(), coord.index()) else {
            return Err(Error::invalid(format!(
                "groupby({by:?}): {coord_name} lies along {}; only coordinates along one dimension can be grouped by",
                listed(&coord.dims)
            )));
        };
        let key = GroupKey {
            dim: dim.clone(),
            coord: coord_name.to_string(),
            field,
        };
        let (values, labels) = unique(&key.values(array)?);
        let mut index = match &values {
            Values::Int(v) => Index::ints(v.clone()),
            Values::Float(v) => Index::floats(v.clone()),
            Values::Text(v) => Index::texts(v.clone()),
        };
        if field.is_none()
            && let Some(whole) = coord.index()
        {
            index.dtype = whole.dtype;
            index.time = whole.time.clone();
        }
        index.group = Some(key.clone());
        Ok(GroupBy {
            array: array.clone(),
            name: field.map_or(coord_name, |f| f.name()).to_string(),
            key,
            labels: labels.into(),
            index,
        })
    }

    /// A reduction within each group; `skipna` defaults to true for floats.
    ///
    /// # Errors
    /// For reductions that speak of places (`argmin`).
    pub fn reduce(&self, kind: ReduceKind, skipna: Option<bool>, ddof: u32) -> Result<DataArray> {
        if matches!(kind, ReduceKind::ArgMin | ReduceKind::ArgMax) {
            return Err(Error::invalid(format!(
                "{} has no meaning within groups",
                kind.name()
            )));
        }
        let array = &self.array;
        let skipna = skipna.unwrap_or_else(|| default_skipna(kind, array.dtype()));
        let reduction = Reduction { kind, skipna, ddof };
        let axis = array.axis(&self.key.dim)?;
        let expr =
            array
                .expr()
                .group_reduce(reduction, axis as isize, self.labels.clone(), self.index.len())?;
        let mut dims = array.dims().to_vec();
        dims[axis].clone_from(&self.name);
        let mut coords = array.coords_without(std::slice::from_ref(&self.key.dim));
        coords.retain(|(name, _)| *name != self.name);
        coords.push((
            self.name.clone(),
            Coord::along(&self.name, self.index.clone(), Attributes::new()),
        ));
        let attrs = after_reduction(array.attrs(), kind, std::slice::from_ref(&self.key.dim));
        DataArray::new(array.name(), expr, dims, coords, attrs)
    }

    /// An op between each member and its group's value, e.g. `x.groupby("time.month") - clim`.
    ///
    /// # Errors
    /// When the other side has not the group's dimension, or lacks a group.
    pub fn apply(&self, op: Op, other: &DataArray, group_first: bool) -> Result<DataArray> {
        if !other.dims().contains(&self.name) {
            return Err(Error::invalid(format!(
                "{}: the right side of a groupby needs the dimension {:?}; it is {}",
                op.name,
                self.name,
                other.describe()
            )));
        }
        let spread = members(other, &self.name, &self.key, &self.array)?;
        let (own, spread) = (Operand::Array(self.array.clone()), Operand::Array(spread));
        match group_first {
            true => apply(op, &[own, spread]),
            false => apply(op, &[spread, own]),
        }
    }

    /// The array that was grouped.
    pub fn array(&self) -> &DataArray {
        &self.array
    }
}

impl GroupKey {
    /// The key of each member of an array along the grouped dimension.
    fn values(&self, array: &DataArray) -> Result<Values> {
        let index = array
            .coord(&self.coord)
            .filter(|c| c.dims == [self.dim.as_str()])
            .and_then(Coord::index)
            .ok_or_else(|| {
                Error::invalid(format!(
                    "{} has no coordinate {} along {}",
                    array.describe(),
                    self.coord,
                    self.dim
                ))
            })?;
        let Some(field) = self.field else {
            return Ok(index.values.clone());
        };
        let fields = index.fields(&self.coord, field)?;
        if field == Field::Season {
            return Ok(Values::Text(
                fields.iter().map(|&f| SEASONS[f as usize].to_string()).collect(),
            ));
        }
        Ok(Values::Int(fields))
    }
}

/// The sorted distinct values and the number of each member's; `u32::MAX` for NaN.
fn unique(values: &Values) -> (Values, Vec<u32>) {
    fn number<K: Ord + Clone>(keys: &[Option<K>]) -> (Vec<K>, Vec<u32>) {
        let mut seen: BTreeMap<K, u32> = keys.iter().flatten().map(|k| (k.clone(), 0)).collect();
        for (at, place) in seen.values_mut().enumerate() {
            *place = at as u32;
        }
        let labels = keys
            .iter()
            .map(|k| k.as_ref().map_or(u32::MAX, |k| seen[k]))
            .collect();
        (seen.into_keys().collect(), labels)
    }
    match values {
        Values::Int(v) => {
            let (keys, labels) = number(&v.iter().map(|&k| Some(k)).collect::<Vec<_>>());
            (Values::Int(keys), labels)
        }
        Values::Text(v) => {
            let (keys, labels) = number(&v.iter().map(|k| Some(k.clone())).collect::<Vec<_>>());
            (Values::Text(keys), labels)
        }
        Values::Float(v) => {
            // The bits of floats, turned so that they order as the numbers do; -0 is 0.
            let turn = |x: f64| {
                let bits = (x + 0.0).to_bits();
                if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
            };
            let back = |k: u64| f64::from_bits(if k >> 63 == 1 { k & !(1 << 63) } else { !k });
            let keys: Vec<Option<u64>> = v.iter().map(|&x| (!x.is_nan()).then(|| turn(x))).collect();
            let (keys, labels) = number(&keys);
            (Values::Float(keys.into_iter().map(back).collect()), labels)
        }
    }
}

/// Arrays in which every group dimension that meets its own members is spread over them.
///
/// # Errors
/// When a member's group is missing.
pub(super) fn spread(arrays: &[&DataArray]) -> Result<Vec<DataArray>> {
    arrays
        .iter()
        .map(|array| {
            let mut out = (*array).clone();
            for dim in array.dims() {
                let Some(key) = array.index(dim).and_then(|index| index.group.clone()) else {
                    continue;
                };
                let meets = |other: &&&DataArray| {
                    other.dims().contains(&key.dim)
                        && !other.dims().contains(dim)
                        && other.coord(&key.coord).is_some()
                };
                if let Some(other) = arrays.iter().find(meets)
                    && !out.dims().contains(&key.dim)
                {
                    out = members(&out, dim, &key, other)?;
                }
            }
            Ok(out)
        })
        .collect()
}

/// The group values of each member of `like`, along the grouped dimension.
fn members(groups: &DataArray, dim: &str, key: &GroupKey, like: &DataArray) -> Result<DataArray> {
    let index = groups.labels(dim)?;
    let (wanted, labels) = unique(&key.values(like)?);
    let places: Vec<Option<usize>> = match (&wanted, &index.values) {
        (Values::Int(w), Values::Int(have)) => w.iter().map(|k| have.iter().position(|h| h == k)).collect(),
        (Values::Text(w), Values::Text(have)) => w.iter().map(|k| have.iter().position(|h| h == k)).collect(),
        (Values::Text(_), _) | (_, Values::Text(_)) => vec![None; wanted.len()],
        (Values::Float(w), _) => w
            .iter()
            .map(|k| (0..index.len()).find(|&h| index.number(h) == *k))
            .collect(),
        (Values::Int(w), _) => w
            .iter()
            .map(|k| (0..index.len()).find(|&h| index.number(h) == *k as f64))
            .collect(),
    };
    let missing = places.iter().position(Option::is_none);
    let table: Option<Vec<usize>> = labels
        .iter()
        .map(|&l| places.get(l as usize).copied().flatten())
        .collect();
    let Some(table) = table else {
        let which = match (&wanted, missing) {
            (Values::Int(w), Some(at)) => w[at].to_string(),
            (Values::Float(w), Some(at)) => w[at].to_string(),
            (Values::Text(w), Some(at)) => w[at].clone(),
            _ => "NaN".into(),
        };
        return Err(Error::invalid(format!(
            "{} has no group {dim} = {which}, which {} needs",
            groups.describe(),
            like.describe()
        )));
    };
    let picked = groups.pick(dim, &Pick::List(table.into()))?;
    let coords = picked.coords_without(&[dim.to_string()]);
    Ok(picked.with_coords(coords).rename_dim(dim, &key.dim))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_sorted_and_nan_is_left_out() {
        let (values, labels) = unique(&Values::Float(vec![
            2.0,
            -1.0,
            f64::NAN,
            -0.0,
            2.0,
            0.0,
            f64::NEG_INFINITY,
        ]));
        assert_eq!(values, Values::Float(vec![f64::NEG_INFINITY, -1.0, 0.0, 2.0]));
        assert_eq!(labels, [3, 1, u32::MAX, 2, 3, 2, 0]);
        let (values, labels) = unique(&Values::Text(vec!["SON".into(), "DJF".into(), "SON".into()]));
        assert_eq!(values, Values::Text(vec!["DJF".into(), "SON".into()]));
        assert_eq!(labels, [1, 0, 1]);
    }
}
