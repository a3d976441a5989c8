//! Views: slicing, transposing, broadcasting, new axes, flipping, taking by a list.
//!
//! Each is one [`IndexMap`]; nothing is copied, and chains of them merge to one map.

use super::Expr;
use crate::geometry::{AxisMap, IndexMap, checked_bytes, normalize_axis};
use crate::{Error, Result};
use std::sync::Arc;

/// One entry of a subscript, as in `x[3, 1:9:2, None, ...]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SliceItem {
    /// One index; the axis vanishes. Negative counts from the end.
    Index(isize),
    /// `start:stop:step` with Python's meaning of absent and negative numbers.
    Slice {
        /// First index.
        start: Option<isize>,
        /// End, exclusive.
        stop: Option<isize>,
        /// Step, not 0.
        step: Option<isize>,
    },
    /// `None`/`newaxis`: a new axis of extent 1.
    NewAxis,
    /// `...`: all axes not named by other items.
    Ellipsis,
}

impl SliceItem {
    /// `:`.
    pub const ALL: SliceItem = SliceItem::Slice {
        start: None,
        stop: None,
        step: None,
    };
}

/// First index, step and count of a Python slice over `len` indices.
fn resolve(start: Option<isize>, stop: Option<isize>, step: isize, len: usize) -> (usize, usize) {
    let n = len as isize;
    let wrap = |i: isize| if i < 0 { i.saturating_add(n) } else { i };
    if step > 0 {
        let first = wrap(start.unwrap_or(0)).clamp(0, n);
        let end = wrap(stop.unwrap_or(n)).clamp(0, n);
        let count = if end > first {
            (end - first - 1) / step + 1
        } else {
            0
        };
        (first as usize, count as usize)
    } else {
        let first = wrap(start.unwrap_or(n - 1)).clamp(-1, n - 1);
        let end = stop.map_or(-1, |s| wrap(s).clamp(-1, n - 1));
        let count = if first > end {
            (first - end - 1) / step.saturating_neg() + 1
        } else {
            0
        };
        (first.max(0) as usize, count as usize)
    }
}

impl Expr {
    /// NumPy's basic indexing.
    ///
    /// # Errors
    /// Too many items, an index out of range, a step of 0.
    pub fn slice(&self, items: &[SliceItem]) -> Result<Expr> {
        let named = items
            .iter()
            .filter(|i| matches!(i, SliceItem::Index(_) | SliceItem::Slice { .. }))
            .count();
        let ellipses = items.iter().filter(|i| **i == SliceItem::Ellipsis).count();
        if named > self.rank() || ellipses > 1 {
            return Err(Error::invalid(format!(
                "subscript with {named} indices and {ellipses} ellipses for an array of {} axes",
                self.rank()
            )));
        }
        let mut items = items.to_vec();
        if ellipses == 0 {
            items.push(SliceItem::Ellipsis);
        }
        let mut map = IndexMap {
            shape: vec![],
            axes: vec![],
        };
        for item in items {
            let input = map.axes.len();
            match item {
                SliceItem::NewAxis => map.shape.push(1),
                SliceItem::Ellipsis => {
                    for extent in &self.shape[input..input + self.rank() - named] {
                        map.axes.push(AxisMap::Affine {
                            axis: map.shape.len(),
                            start: 0,
                            step: 1,
                        });
                        map.shape.push(*extent);
                    }
                }
                SliceItem::Index(i) => {
                    let extent = self.shape[input];
                    let at = if i < 0 { i + extent as isize } else { i };
                    if at < 0 || at >= extent as isize {
                        return Err(Error::invalid(format!(
                            "index {i} is out of range for axis {input} of extent {extent}"
                        )));
                    }
                    map.axes.push(AxisMap::Fixed(at as usize));
                }
                SliceItem::Slice { start, stop, step } => {
                    let step = step.unwrap_or(1);
                    if step == 0 {
                        return Err(Error::invalid(format!("slice step is 0 along axis {input}")));
                    }
                    let (start, count) = resolve(start, stop, step, self.shape[input]);
                    let step = if count > 1 { step } else { 1 }; // none is made, however long
                    map.axes.push(AxisMap::Affine {
                        axis: map.shape.len(),
                        start,
                        step,
                    });
                    map.shape.push(count);
                }
            }
        }
        Ok(self.view(map))
    }

    /// The axes in another order; `axes` names each once, negative from the end.
    ///
    /// # Errors
    /// When it is not a permutation.
    pub fn permute(&self, axes: &[isize]) -> Result<Expr> {
        let order: Vec<usize> = axes
            .iter()
            .map(|&a| normalize_axis(a, self.rank()))
            .collect::<Result<_>>()?;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if sorted != (0..self.rank()).collect::<Vec<_>>() {
            return Err(Error::invalid(format!(
                "axes {axes:?} are not a permutation of {} axes",
                self.rank()
            )));
        }
        let mut map = IndexMap::identity(&self.shape);
        for (out, &input) in order.iter().enumerate() {
            map.shape[out] = self.shape[input];
            map.axes[input] = AxisMap::Affine {
                axis: out,
                start: 0,
                step: 1,
            };
        }
        Ok(self.view(map))
    }

    /// The array repeated to a larger shape by NumPy's broadcasting.
    ///
    /// # Errors
    /// When the shape does not broadcast to it.
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<Expr> {
        if self.shape == shape {
            return Ok(self.clone());
        }
        checked_bytes(shape, self.dtype.size())?;
        let lead = shape.len().checked_sub(self.rank());
        let fits = lead.is_some_and(|lead| {
            self.shape
                .iter()
                .zip(&shape[lead..])
                .all(|(&have, &want)| have == want || have == 1)
        });
        let Some(lead) = lead.filter(|_| fits) else {
            return Err(Error::invalid(format!(
                "shape {:?} does not broadcast to {shape:?}",
                self.shape
            )));
        };
        let axes = self.shape.iter().enumerate().map(|(axis, &have)| {
            let out = lead + axis;
            if have == shape[out] {
                AxisMap::Affine {
                    axis: out,
                    start: 0,
                    step: 1,
                }
            } else {
                AxisMap::Fixed(0)
            }
        });
        Ok(self.view(IndexMap {
            shape: shape.to_vec(),
            axes: axes.collect(),
        }))
    }

    /// The order of elements along the axes reversed.
    ///
    /// # Errors
    /// When an axis is out of range.
    pub fn flip(&self, axes: &[isize]) -> Result<Expr> {
        let mut map = IndexMap::identity(&self.shape);
        for &axis in axes {
            let axis = normalize_axis(axis, self.rank())?;
            let start = self.shape[axis].saturating_sub(1);
            map.axes[axis] = AxisMap::Affine {
                axis,
                start,
                step: -1,
            };
        }
        Ok(self.view(map))
    }

    /// A new axis of extent 1 at `axis` of the result.
    ///
    /// # Errors
    /// When the axis is out of range.
    pub fn expand_dims(&self, axis: isize) -> Result<Expr> {
        let axis = normalize_axis(axis, self.rank() + 1)?;
        let mut items = vec![SliceItem::ALL; axis];
        items.push(SliceItem::NewAxis);
        self.slice(&items)
    }

    /// The axes of extent 1 removed; all of them when none is named.
    ///
    /// # Errors
    /// When a named axis has another extent.
    pub fn squeeze(&self, axes: Option<&[isize]>) -> Result<Expr> {
        let drop: Vec<usize> = match axes {
            Some(axes) => axes
                .iter()
                .map(|&a| normalize_axis(a, self.rank()))
                .collect::<Result<_>>()?,
            None => (0..self.rank()).filter(|&a| self.shape[a] == 1).collect(),
        };
        if let Some(&axis) = drop.iter().find(|&&a| self.shape[a] != 1) {
            return Err(Error::invalid(format!(
                "squeeze: axis {axis} has extent {}, only axes of extent 1 can be removed",
                self.shape[axis]
            )));
        }
        let items: Vec<SliceItem> = (0..self.rank())
            .map(|a| {
                if drop.contains(&a) {
                    SliceItem::Index(0)
                } else {
                    SliceItem::ALL
                }
            })
            .collect();
        self.slice(&items)
    }

    /// The elements at `indices` along `axis`, in that order; negative counts from the end.
    ///
    /// # Errors
    /// When an index or the axis is out of range.
    pub fn take(&self, indices: &[i64], axis: isize) -> Result<Expr> {
        let axis = normalize_axis(axis, self.rank())?;
        let extent = self.shape[axis] as i64;
        let wrap = |&i: &i64| {
            let at = if i < 0 { i + extent } else { i };
            if (0..extent).contains(&at) {
                Ok(at as usize)
            } else {
                Err(Error::invalid(format!(
                    "take: index {i} is out of range for axis {axis} of extent {extent}"
                )))
            }
        };
        let table: Arc<[usize]> = indices.iter().map(wrap).collect::<Result<_>>()?;
        self.take_table(table, axis)
    }

    /// [`Expr::take`] by indices known to be in range.
    pub(crate) fn take_table(&self, indices: Arc<[usize]>, axis: usize) -> Result<Expr> {
        let mut map = IndexMap::identity(&self.shape);
        map.shape[axis] = indices.len();
        checked_bytes(&map.shape, self.dtype.size())?;
        map.axes[axis] = AxisMap::Table { axis, indices };
        Ok(self.view(map))
    }
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn slices_resolve_as_python() {
        // Each case: slice(start, stop, step).indices(len) of CPython, as first index and count.
        assert_eq!(resolve(None, None, 1, 5), (0, 5));
        assert_eq!(resolve(Some(-3), None, 1, 5), (2, 3));
        assert_eq!(resolve(Some(1), Some(100), 3, 5), (1, 2));
        assert_eq!(resolve(None, None, -1, 5), (4, 5));
        assert_eq!(resolve(Some(100), Some(-100), -2, 5), (4, 3));
        assert_eq!(resolve(Some(3), Some(0), -1, 5), (3, 3));
        assert_eq!(resolve(Some(4), Some(2), 1, 5), (4, 0));
        assert_eq!(resolve(None, None, -1, 0).1, 0);
        assert_eq!(resolve(Some(isize::MIN), Some(isize::MAX), 1, 5), (0, 5));
        assert_eq!(resolve(None, None, isize::MIN, 5), (4, 1));
        assert_eq!(resolve(None, None, isize::MAX, 5), (0, 1));
    }
}
