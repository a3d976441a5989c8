//! Feeding: rows of stored elements join a state.
//!
//! Elements are read where they lie. Those that are not aligned are copied to a buffer on the
//! stack, eight rows of 256 at a time, so that it stays in the first-level cache.

use super::elements::Stored;
use super::lanes::{Direction, TypedRows, drive};
use super::rule::{BLOCK, Rule};
use super::rules::{Found, Work, with_rule};
use super::state::{Cells, State};
use crate::Isa;

/// Columns copied at a time.
const CHUNK: usize = 256;

/// Rows of elements of a state's dtype that are fed together; all have `len` elements.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The bytes that rows lie in.
    pub values: &'a [u8],
    /// Per row: its first element, counted in elements.
    pub starts: &'a [usize],
    /// Elements per row.
    pub len: usize,
    /// Per row: the output element that it begins at.
    pub cells: &'a [usize],
    /// Per row: the index of its first element, for reductions that speak of indices; not negative.
    pub indices: &'a [i64],
    /// What one element along a row adds to the index.
    pub index_step: i64,
}

impl State {
    /// Feeds element `j` of each row to output element `cells[row] + j`.
    ///
    /// # Panics
    /// When rows reach beyond `values` or the state.
    pub fn feed_across(&mut self, rows: &Rows<'_>) {
        self.feed(rows, Direction::Across);
    }

    /// Feeds every element of each row to output element `cells[row]`. Partial results
    /// are joined in a fixed order, so the bits do not depend on the machine.
    ///
    /// # Panics
    /// When rows reach beyond `values` or the state.
    pub fn feed_along(&mut self, rows: &Rows<'_>) {
        self.feed(rows, Direction::Along);
    }

    /// Feeds element `j` of each row to output element `cells[row] + labels[j] * stride`. Elements
    /// with a label outside `0..groups` are left out.
    ///
    /// # Panics
    /// When rows reach beyond `values`, the labels or the state.
    pub fn feed_grouped(&mut self, rows: &Rows<'_>, labels: &[u32], groups: usize, stride: usize) {
        assert!(labels.len() >= rows.len, "a label per element");
        let direction = Direction::Grouped {
            labels,
            groups,
            stride,
        };
        self.feed(rows, direction);
    }

    fn feed(&mut self, rows: &Rows<'_>, direction: Direction<'_>) {
        let mut work = Feed {
            rows,
            direction,
            isa: self.isa,
        };
        with_rule(self.reduction, self.dtype, &mut self.cells, &mut work);
    }
}

/// Rows on their way to the cells.
struct Feed<'a> {
    rows: &'a Rows<'a>,
    direction: Direction<'a>,
    isa: Isa,
}

impl Work for Feed<'_> {
    fn run<R: Rule>(&mut self, cells: &mut Cells)
    where
        R::Store: Found,
        R::Elem: Stored,
    {
        let Some(store) = R::Store::of_mut(cells) else {
            return;
        };
        match R::Elem::view(self.rows.values) {
            Some(values) => {
                let rows = TypedRows {
                    values,
                    starts: self.rows.starts,
                    len: self.rows.len,
                    cells: self.rows.cells,
                    indices: self.rows.indices,
                    step: self.rows.index_step,
                };
                drive::<R>(store, &rows, self.direction, self.isa);
            }
            None => self.copied::<R>(store),
        }
    }
}

impl Feed<'_> {
    /// Rows that are not aligned, some at a time.
    fn copied<R: Rule>(&self, store: &mut R::Store)
    where
        R::Elem: Stored,
    {
        let rows = self.rows;
        let size = size_of::<R::Elem>();
        let mut buffer = [R::Elem::default(); BLOCK * CHUNK];
        let starts: [usize; BLOCK] = std::array::from_fn(|row| row * CHUNK);
        for first in (0..rows.starts.len()).step_by(BLOCK) {
            let count = BLOCK.min(rows.starts.len() - first);
            for column in (0..rows.len).step_by(CHUNK) {
                let len = CHUNK.min(rows.len - column);
                let mut cells = [0; BLOCK];
                let mut indices = [0; BLOCK];
                for row in 0..count {
                    let from = (rows.starts[first + row] + column) * size;
                    let out = &mut buffer[starts[row]..starts[row] + len];
                    let bytes = &rows.values[from..from + len * size];
                    bytemuck::cast_slice_mut(out).copy_from_slice(bytes);
                    indices[row] = rows.indices[first + row] + column as i64 * rows.index_step;
                    cells[row] = rows.cells[first + row];
                    if let Direction::Across = self.direction {
                        cells[row] += column;
                    }
                }
                let part = TypedRows {
                    values: &buffer,
                    starts: &starts[..count],
                    len,
                    cells: &cells[..count],
                    indices: &indices[..count],
                    step: rows.index_step,
                };
                let direction = match self.direction {
                    Direction::Grouped {
                        labels,
                        groups,
                        stride,
                    } => Direction::Grouped {
                        labels: &labels[column..],
                        groups,
                        stride,
                    },
                    other => other,
                };
                drive::<R>(store, &part, direction, self.isa);
            }
        }
    }
}
