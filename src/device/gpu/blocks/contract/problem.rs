//! A contraction as the kernels see it: batches of products of two matrices, however many axes
//! stand behind rows, columns and summed elements.
//!
//! An index of each kind counts through its axes, the last one fastest.

use super::super::walk::Walk;
use tilewise_kernels::gemm::Axes;

/// An array in memory, in elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout<'a> {
    pub offset: usize,
    pub shape: &'a [usize],
    pub strides: &'a [usize],
}

/// A factor: matrices of elements across and along the summed axis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Side {
    pub offset: usize,
    pub batch: Walk,
    /// Its rows or columns, those that the result has.
    pub across: Walk,
    pub along: Walk,
    /// How an element of the result goes through it.
    pub cell: Walk,
}

impl Side {
    /// How far the last element is from the first.
    pub fn reach(&self) -> usize {
        self.batch.reach() + self.across.reach() + self.along.reach()
    }

    /// Whether elements along the summed axis are nearer to each other than those across.
    pub fn turned(&self) -> bool {
        self.along.innermost() < self.across.innermost()
    }
}

/// What an axis of the result counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Count {
    Batch,
    Row,
    Col,
}

/// Batches of products of matrices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Problem {
    /// Batches, rows, columns and summed elements.
    pub batch: usize,
    pub rows: usize,
    pub cols: usize,
    pub summed: usize,
    /// The factor with the rows.
    pub a: Side,
    /// The factor with the columns.
    pub b: Side,
    /// Whether the factors changed places, so that the result's neighbours are in the columns.
    pub swapped: bool,
    /// Of the result's axes, the innermost first: extent, what it counts, and by how much.
    result: Vec<(usize, Count, usize)>,
}

impl Problem {
    /// A contraction of two arrays to a dense result of that shape.
    pub fn new(axes: &Axes, a: Layout<'_>, b: Layout<'_>, out: &[usize]) -> Problem {
        let last = (0..out.len()).rev().find(|&axis| out[axis] > 1);
        if axes.rows.iter().any(|&(_, c)| Some(c) == last) {
            let axes = Axes {
                batch: axes.batch.iter().map(|&(a, b, c)| (b, a, c)).collect(),
                rows: axes.cols.clone(),
                cols: axes.rows.clone(),
                summed: axes.summed.iter().map(|&(a, b)| (b, a)).collect(),
            };
            let ordered = Problem::ordered(axes, b, a, out);
            return Problem {
                swapped: true,
                ..ordered
            };
        }
        Problem::ordered(axes.clone(), a, b, out)
    }

    fn ordered(mut axes: Axes, a: Layout<'_>, b: Layout<'_>, out: &[usize]) -> Problem {
        // Indices count through the result's axes; summed ones in the order of the first factor, so
        // that the order of a sum depends on no layout.
        axes.batch.sort_unstable_by_key(|&(_, _, c)| c);
        axes.rows.sort_unstable_by_key(|&(_, c)| c);
        axes.cols.sort_unstable_by_key(|&(_, c)| c);
        let walk = |of: Layout<'_>, list: Vec<usize>| {
            Walk::new(
                list.into_iter()
                    .rev()
                    .map(|axis| (of.shape[axis], of.strides[axis])),
            )
        };
        let mut result: Vec<(usize, Count, usize)> = Vec::new();
        let mut cells = [Vec::new(), Vec::new()];
        let (mut batch, mut rows, mut cols) = (1, 1, 1);
        for (axis, &extent) in out.iter().enumerate().rev() {
            let at = |list: &[(usize, usize)]| list.iter().find(|p| p.1 == axis).map(|p| p.0);
            let (count, by, in_a, in_b) = if let Some(x) = at(&axes.rows) {
                (Count::Row, &mut rows, Some(x), None)
            } else if let Some(y) = at(&axes.cols) {
                (Count::Col, &mut cols, None, Some(y))
            } else {
                let both = axes.batch.iter().find(|p| p.2 == axis);
                (Count::Batch, &mut batch, both.map(|p| p.0), both.map(|p| p.1))
            };
            result.push((extent, count, *by));
            *by *= extent;
            for (cell, (of, at)) in cells.iter_mut().zip([(a, in_a), (b, in_b)]) {
                cell.push((extent, at.map_or(0, |axis| of.strides[axis])));
            }
        }
        let [cell_a, cell_b] = cells.map(Walk::new);
        Problem {
            batch,
            rows,
            cols,
            summed: axes.summed.iter().map(|&(x, _)| a.shape[x]).product(),
            a: Side {
                offset: a.offset,
                batch: walk(a, axes.batch.iter().map(|p| p.0).collect()),
                across: walk(a, axes.rows.iter().map(|p| p.0).collect()),
                along: walk(a, axes.summed.iter().map(|p| p.0).collect()),
                cell: cell_a,
            },
            b: Side {
                offset: b.offset,
                batch: walk(b, axes.batch.iter().map(|p| p.1).collect()),
                across: walk(b, axes.cols.iter().map(|p| p.0).collect()),
                along: walk(b, axes.summed.iter().map(|p| p.1).collect()),
                cell: cell_b,
            },
            swapped: false,
            result,
        }
    }

    /// Elements of the result.
    pub fn cells(&self) -> usize {
        self.batch * self.rows * self.cols
    }

    /// Axes of the result.
    pub fn rank(&self) -> usize {
        self.result.len()
    }

    /// How an index of the result goes through sums that lie in planes of rows.
    pub fn through_sums(&self, row: usize, plane: usize) -> Walk {
        Walk::new(self.result.iter().map(|&(extent, count, by)| match count {
            Count::Batch => (extent, by * plane),
            Count::Row => (extent, by * row),
            Count::Col => (extent, by),
        }))
    }

    /// Elements from row to row and from batch to batch of the result itself, where its columns are
    /// neighbours and rows and batches evenly spaced.
    pub fn in_place(&self) -> Option<(usize, usize)> {
        let mut inner = 1;
        let stride = |&(extent, ..): &(usize, Count, usize)| {
            let own = inner;
            inner *= extent;
            own
        };
        let strides: Vec<usize> = self.result.iter().map(stride).collect();
        let walk = |count: Count| {
            let axes = self
                .result
                .iter()
                .zip(&strides)
                .filter(|((_, c, _), _)| *c == count);
            Walk::new(axes.map(|(&(extent, ..), &stride)| (extent, stride)))
        };
        let (batch, row, col) = (walk(Count::Batch), walk(Count::Row), walk(Count::Col));
        (col.stride()? <= 1).then_some((row.stride()?, batch.stride()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `out[i, j, l, h] = Σ a[p, i, q, h] · b[l, q, j, p]`.
    fn tensors() -> Problem {
        let axes = Axes {
            batch: vec![],
            rows: vec![(1, 0), (3, 3)],
            cols: vec![(0, 2), (2, 1)],
            summed: vec![(0, 3), (2, 1)],
        };
        let a = Layout {
            offset: 5,
            shape: &[3, 3, 2, 2],
            strides: &[12, 4, 2, 1],
        };
        let b = Layout {
            offset: 0,
            shape: &[4, 2, 2, 3],
            strides: &[12, 6, 3, 1],
        };
        Problem::new(&axes, a, b, &[3, 2, 4, 2])
    }

    #[test]
    fn the_results_neighbours_become_columns() {
        let problem = tensors();
        assert!(problem.swapped);
        let extents = (problem.batch, problem.rows, problem.cols, problem.summed);
        assert_eq!(extents, (1, 8, 6, 6));
        assert_eq!(problem.b.offset, 5);
        assert_eq!(problem.b.across, Walk(vec![(2, 1), (3, 4)]));
        assert_eq!(problem.in_place(), None, "columns are not side by side");
        // Of [i, j, l, h], j and l are the rows, i and h the columns.
        assert_eq!(problem.through_sums(8, 99), Walk(vec![(2, 1), (8, 8), (3, 2)]));
        assert_eq!(problem.a.cell, Walk(vec![(2, 0), (4, 12), (2, 3), (3, 0)]));
    }

    #[test]
    fn a_product_of_batches_lies_in_place() {
        let axes = Axes {
            batch: vec![(0, 0, 0)],
            rows: vec![(1, 1)],
            cols: vec![(2, 2)],
            summed: vec![(2, 1)],
        };
        let a = Layout {
            offset: 0,
            shape: &[2, 5, 7],
            strides: &[35, 7, 1],
        };
        let b = Layout {
            offset: 0,
            shape: &[2, 7, 3],
            strides: &[21, 3, 1],
        };
        let problem = Problem::new(&axes, a, b, &[2, 5, 3]);
        assert_eq!(problem.in_place(), Some((3, 15)));
        assert!(problem.a.turned() && !problem.b.turned());
        assert_eq!(problem.through_sums(3, 15), Walk(vec![(30, 1)]));
        assert_eq!(problem.a.reach(), 69);
    }
}
