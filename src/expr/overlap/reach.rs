//! How far a block of the result reaches along one axis of its operand, and what it finds there.

use super::Boundary;
use crate::Result;
use crate::expr::Expr;
use crate::geometry::Region;
use std::sync::Arc;

/// The reach along an axis: an element needs `before` elements in front of it and `after` behind.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Reach {
    pub before: usize,
    pub after: usize,
    /// What lies beyond the ends; nothing where the operand is so much longer than the result.
    pub beyond: Option<Boundary>,
}

impl Reach {
    /// Both together.
    pub fn both(&self) -> usize {
        self.before + self.after
    }

    /// The indices of the operand, of extent `n`, that a block needs: the first and how many.
    pub fn needs(&self, start: usize, len: usize, n: usize) -> (usize, usize) {
        let Some(boundary) = self.beyond else {
            return (start, len + self.both());
        };
        if len == 0 || n == 0 {
            return (start.min(n), 0);
        }
        let (low, high) = (
            start as isize - self.before as isize,
            (start + len + self.after) as isize,
        );
        let (mut first, mut end) = (low.max(0) as usize, (high as usize).min(n));
        for index in (low..0).chain(n as isize..high) {
            if let Some(at) = boundary.source(index, n) {
                (first, end) = (first.min(at), end.max(at + 1));
            }
        }
        (first, end - first)
    }

    /// At least as many as [`Reach::needs`] says for any block of that extent.
    pub fn bound(&self, len: usize, n: usize) -> usize {
        (len + self.both()).min(n)
    }

    /// For each index that a block reaches, in order, where it is found, counted from the first
    /// that it needs; `None` for what has no place in the array.
    pub fn table(&self, start: usize, len: usize, n: usize) -> Vec<Option<usize>> {
        let Some(boundary) = self.beyond else {
            return (0..len + self.both()).map(Some).collect();
        };
        let (first, _) = self.needs(start, len, n);
        let low = start as isize - self.before as isize;
        let indices = low..(start + len + self.after) as isize;
        indices
            .map(|i| boundary.source(i, n).map(|at| at - first))
            .collect()
    }

    /// The part of [`Reach::table`] that lies in the array as it is: its first entry and its end.
    pub fn plain(&self, start: usize, len: usize, n: usize) -> (usize, usize) {
        match self.beyond {
            None => (0, len + self.both()),
            Some(_) => (
                self.before.saturating_sub(start),
                (n + self.before - start).min(len + self.both()),
            ),
        }
    }
}

/// The part of an operand of that shape that a block needs.
pub(super) fn needs(reaches: &[Reach], block: &Region, shape: &[usize]) -> Region {
    let ranges = (0..reaches.len()).map(|a| reaches[a].needs(block.start[a], block.shape[a], shape[a]));
    let (start, shape) = ranges.unzip();
    Region { start, shape }
}

/// The array continued along its periodic axes, which then reach no further.
pub(super) fn unrolled(expr: &Expr, reaches: &mut [Reach]) -> Result<Expr> {
    let mut out = expr.clone();
    for (axis, reach) in reaches.iter_mut().enumerate() {
        let n = expr.shape[axis];
        if reach.beyond == Some(Boundary::Periodic) {
            reach.beyond = None;
            if n > 0 {
                out = continued(&out, axis, reach.before, reach.after, Boundary::Periodic)?;
            }
        }
    }
    Ok(out)
}

/// The array with so many elements more at the ends of an axis that is not empty, as a view.
pub(super) fn continued(
    expr: &Expr,
    axis: usize,
    before: usize,
    after: usize,
    boundary: Boundary,
) -> Result<Expr> {
    let n = expr.shape[axis];
    let indices = -(before as isize)..(n + after) as isize;
    let table: Arc<[usize]> = indices.filter_map(|i| boundary.source(i, n)).collect();
    expr.take_table(table, axis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_lie_in_what_is_needed_and_that_within_its_bound() {
        let kinds = [
            Boundary::Reflect,
            Boundary::Mirror,
            Boundary::Nearest,
            Boundary::None,
        ];
        for boundary in kinds {
            for n in 1..7 {
                for (before, after) in [(0, 0), (1, 1), (2, 0), (0, 3), (5, 9)] {
                    let beyond = Some(boundary);
                    let reach = Reach {
                        before,
                        after,
                        beyond,
                    };
                    for start in 0..n {
                        for len in 1..=n - start {
                            let (first, count) = reach.needs(start, len, n);
                            assert!(first + count <= n && count <= reach.bound(len, n));
                            let table = reach.table(start, len, n);
                            assert_eq!(table.len(), len + reach.both());
                            assert!(table.iter().flatten().all(|&at| at < count));
                            let (low, high) = reach.plain(start, len, n);
                            for (t, at) in table.iter().enumerate().take(high).skip(low) {
                                assert_eq!(*at, Some(start + t - before - first));
                            }
                            assert!((0..len).all(|i| (low..high).contains(&(i + before))));
                        }
                    }
                }
            }
        }
    }
}
