//! Places along one dimension: one, an even range, or a list.

use crate::expr::SliceItem;
use crate::{Error, Result};
use std::sync::Arc;

/// Which places of a dimension are taken.
#[derive(Clone, PartialEq, Debug)]
pub enum Pick {
    /// One; the dimension vanishes.
    At(usize),
    /// `start, start + step, …`.
    Range {
        /// First place.
        start: usize,
        /// Step, not 0.
        step: isize,
        /// Number of places.
        count: usize,
    },
    /// Any places in any order.
    List(Arc<[usize]>),
}

impl Pick {
    /// Every `step`-th of `count` places from `start`.
    pub fn range(start: usize, count: usize, step: usize) -> Pick {
        Pick::Range {
            start,
            step: step as isize,
            count: count.div_ceil(step),
        }
    }

    /// One place by Python's rule: negative counts from the end.
    ///
    /// # Errors
    /// When it is out of range.
    pub fn at(dim: &str, index: i128, len: usize) -> Result<Pick> {
        let at = if index < 0 { index + len as i128 } else { index };
        match usize::try_from(at) {
            Ok(at) if at < len => Ok(Pick::At(at)),
            _ => Err(Error::invalid(format!(
                "index {index} is out of range for dimension {dim} of size {len}"
            ))),
        }
    }

    /// Places by Python's slice rule.
    ///
    /// # Errors
    /// When the step is 0.
    pub fn slice(start: Option<i128>, stop: Option<i128>, step: Option<i128>, len: usize) -> Result<Pick> {
        let n = len as i128;
        let step = step.unwrap_or(1).clamp(-(1 << 62), 1 << 62);
        if step == 0 {
            return Err(Error::invalid("a slice's step cannot be 0"));
        }
        let wrap = |i: i128| if i < 0 { i.saturating_add(n) } else { i };
        let (first, count) = if step > 0 {
            let first = start.map_or(0, |s| wrap(s).clamp(0, n));
            let end = stop.map_or(n, |s| wrap(s).clamp(0, n));
            (
                first,
                (end - first).max(0).div_euclid(step) + i128::from((end - first).max(0) % step != 0),
            )
        } else {
            let first = start.map_or(n - 1, |s| wrap(s).clamp(-1, n - 1));
            let end = stop.map_or(-1, |s| wrap(s).clamp(-1, n - 1));
            let span = (first - end).max(0);
            (first, span / -step + i128::from(span % -step != 0))
        };
        Ok(Pick::Range {
            start: if count == 0 { 0 } else { first as usize },
            step: step as isize,
            count: count as usize,
        })
    }

    /// How many places.
    pub fn count(&self) -> usize {
        match self {
            Pick::At(_) => 1,
            Pick::Range { count, .. } => *count,
            Pick::List(list) => list.len(),
        }
    }

    /// All places in order.
    pub fn places(&self) -> Vec<usize> {
        match self {
            Pick::At(at) => vec![*at],
            Pick::Range { start, step, count } => {
                let place = |i: usize| start.wrapping_add_signed(i as isize * step);
                (0..*count).map(place).collect()
            }
            Pick::List(list) => list.to_vec(),
        }
    }

    /// Whether it takes all of `len` places in order.
    pub fn is_all(&self, len: usize) -> bool {
        *self
            == Pick::Range {
                start: 0,
                step: 1,
                count: len,
            }
    }

    /// The entry of a basic index that does the same; `None` for a list.
    pub(super) fn slice_item(&self) -> Option<SliceItem> {
        match self {
            Pick::At(at) => Some(SliceItem::Index(*at as isize)),
            Pick::List(_) => None,
            Pick::Range { start, step, count } => {
                let start = *start as isize;
                let end = start + *count as isize * step;
                Some(SliceItem::Slice {
                    start: Some(start),
                    stop: if end < 0 { None } else { Some(end) },
                    step: Some(*step),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(start: Option<i128>, stop: Option<i128>, step: Option<i128>, len: usize) -> Vec<usize> {
        Pick::slice(start, stop, step, len).unwrap().places()
    }

    #[test]
    fn slices_are_pythons() {
        // list(range(n))[start:stop:step] in CPython
        assert_eq!(places(None, None, None, 3), [0, 1, 2]);
        assert_eq!(places(Some(-2), None, None, 5), [3, 4]);
        assert_eq!(places(None, Some(-1), Some(2), 6), [0, 2, 4]);
        assert_eq!(places(None, None, Some(-1), 3), [2, 1, 0]);
        assert_eq!(places(Some(3), Some(0), Some(-2), 5), [3, 1]);
        assert_eq!(places(Some(100), Some(-100), Some(-3), 5), [4, 1]);
        assert_eq!(places(Some(4), Some(2), None, 5), [0usize; 0]);
        assert_eq!(places(None, None, Some(-1), 0), [0usize; 0]);
        assert!(Pick::slice(None, None, Some(0), 3).is_err());
        assert_eq!(Pick::at("x", -1, 4).unwrap(), Pick::At(3));
        assert!(Pick::at("x", 4, 4).is_err());
        assert!(Pick::at("x", 0, 0).is_err());
    }
}
