//! Transposes: plain copies of an input whose neighbours are no neighbours in the result.
//!
//! A generated kernel writes neighbours and would read far apart, a cache line per element. Where a
//! program only loads, whole tiles go through workgroup memory instead. Axes that run together are
//! one, so that any permutation is a batch of matrices to turn.

use super::walk::{PLACE, Walk};
use crate::Result;
use crate::device::OutMut;
use crate::device::gpu::Gpu;
use crate::device::gpu::launch::{Launch, Need, alignment};
use crate::device::gpu::run::Placed;
use crate::device::gpu::template::fill;
use crate::geometry::AxisStep;
use std::ops::Range;

/// The kernel.
const TRANSPOSE: &str = include_str!("../../../../shaders/blocks/transpose.wgsl");
/// Invocations of a workgroup.
const THREADS: usize = 256;
/// Rows and columns below which neighbours are too few to be worth a tile.
const LEAST: usize = 8;

/// A batch of matrices to turn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::device::gpu) struct Transpose {
    /// Bytes of an element.
    size: usize,
    /// The bytes of the input that are bound, and the first element within them.
    window: Range<usize>,
    first: usize,
    /// Rows and columns of the result's matrices.
    rows: usize,
    cols: usize,
    /// Elements from column to column of the input, and from row to row of the result.
    from_col: usize,
    to_row: usize,
    batches: usize,
    /// How batches go through input and result.
    from: Walk,
    to: Walk,
}

/// An axis of the result: its extent, and strides in the input and in the result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Axis {
    extent: usize,
    from: usize,
    to: usize,
}

/// The transpose that a task is, if it is one that can be run at once.
pub(in crate::device::gpu) fn plan(gpu: &Gpu, placed: &Placed<'_>, out: &OutMut<'_>) -> Option<Transpose> {
    let task = placed.task;
    if !task.program.is_load() || matches!(out, OutMut::Reduce(_)) {
        return None;
    }
    let access = &task.bindings[0].access;
    let strides: Option<Vec<usize>> = access
        .steps
        .iter()
        .map(|step| match step {
            AxisStep::Step(step) => usize::try_from(*step).ok(),
            AxisStep::Table(_) => None,
        })
        .collect();
    let size = task.program.inputs[0].size();
    let bytes = placed.bytes(task.bindings[0].buffer);
    let unit = alignment(&bytes);
    let offset = usize::try_from(access.offset).ok()?;
    let found = turned(task.shape, &strides?, size, offset, unit)?;
    let points = task.shape.iter().product::<usize>() * size;
    let mut need = need(gpu, &found, points, out);
    need.operand(&bytes, found.window.len());
    let (total, budget) = (need.total(), gpu.home.memory.budget());
    let fits = total.device <= budget.device && total.staging <= budget.staging;
    let bound = found.window.len().max(points) as u64 + 64;
    (fits && bound <= gpu.binding_bytes && bound < 1 << 31).then_some(found)
}

/// What it holds beside its input.
fn need<'g>(gpu: &'g Gpu, transpose: &Transpose, bytes: usize, out: &OutMut<'_>) -> Need<'g> {
    let mut need = Need::new(gpu);
    need.upload(4 * transpose.words().len());
    need.output(out, bytes);
    need
}

/// A copy to a dense result of that shape as matrices to turn; `None` where neighbours stay
/// neighbours, are few, or rows of the result are no whole words.
fn turned(shape: &[usize], strides: &[usize], size: usize, offset: usize, unit: usize) -> Option<Transpose> {
    let mut axes: Vec<Axis> = Vec::new();
    let mut inner = 1;
    for (&extent, &from) in shape
        .iter()
        .zip(strides)
        .rev()
        .filter(|(extent, _)| **extent != 1)
    {
        let to = inner;
        inner *= extent;
        match axes.last_mut() {
            Some(last) if last.extent * last.from == from => last.extent *= extent,
            _ => axes.push(Axis { extent, from, to }),
        }
    }
    let cols = *axes.first()?;
    let row = axes.iter().position(|axis| axis.from == 1)?;
    let rows = axes[row];
    let whole = (cols.extent * size).is_multiple_of(4);
    if row == 0 || !whole || rows.extent < LEAST || cols.extent < LEAST {
        return None;
    }
    let reach: usize = axes.iter().map(|axis| (axis.extent - 1) * axis.from).sum();
    let start = offset * size / unit * unit;
    axes.remove(row);
    axes.remove(0);
    Some(Transpose {
        size,
        window: start..(offset + reach + 1) * size,
        first: offset - start / size,
        rows: rows.extent,
        cols: cols.extent,
        from_col: cols.from,
        to_row: rows.to,
        batches: axes.iter().map(|axis| axis.extent).product(),
        from: Walk::new(axes.iter().map(|axis| (axis.extent, axis.from))),
        to: Walk::new(axes.iter().map(|axis| (axis.extent, axis.to))),
    })
}

impl Transpose {
    /// Elements in a word of the result.
    fn per(&self) -> usize {
        (4 / self.size).max(1)
    }

    /// The edge of a tile.
    fn side(&self) -> usize {
        // The least workgroup memory is 16 KiB.
        match self.size {
            1 | 2 => 64,
            16 => 16,
            _ => 32,
        }
    }

    fn groups(&self) -> usize {
        self.batches * self.rows.div_ceil(self.side()) * self.cols.div_ceil(self.side())
    }

    fn words(&self) -> Vec<u32> {
        let (from, to) = (self.from.words(), self.to.words());
        let head = [
            self.groups(),
            self.rows,
            self.cols,
            self.from_col,
            self.to_row / self.per(),
            self.first,
            8,
            8 + from.len(),
        ];
        head.map(|word| word as u32)
            .into_iter()
            .chain(from)
            .chain(to)
            .collect()
    }

    /// The kernel of elements of so many bytes.
    fn text(&self) -> String {
        let (load, merge) = match self.size {
            1 => (
                "(x[at >> 2u] >> ((at & 3u) * 8u)) & 0xffu",
                "word = word | (value << (part * 8u));",
            ),
            2 => (
                "(x[at >> 1u] >> ((at & 1u) * 16u)) & 0xffffu",
                "word = word | (value << (part * 16u));",
            ),
            _ => ("x[at]", "word = value;"),
        };
        let word = match self.size {
            8 => "vec2<u32>",
            16 => "vec4<u32>",
            _ => "u32",
        };
        let side = self.side();
        let number = |n: usize| n.to_string();
        fill(
            TRANSPOSE,
            &[
                ("WORD", word),
                ("PER", &number(self.per())),
                ("LOAD", load),
                ("MERGE", merge),
                ("SIDE", &number(side)),
                ("PITCH", &number(side + 1)),
                ("AREA", &number(side * (side + 1))),
                ("THREADS", &number(THREADS)),
                ("PLACE", PLACE),
            ],
        )
    }

    /// Turns the input of a task.
    pub(in crate::device::gpu) fn run(&self, gpu: &Gpu, placed: &Placed<'_>, out: OutMut<'_>) -> Result<()> {
        let bytes = placed.bytes(placed.task.bindings[0].buffer);
        let points = placed.task.shape.iter().product::<usize>() * self.size;
        let mut need = need(gpu, self, points, &out);
        need.operand(&bytes, self.window.len());
        let pipeline = gpu.pipelines.text(&gpu.home.context, &self.text())?;
        let mut launch = Launch::new(gpu, need)?;
        let words = launch.words(&self.words())?;
        let input = launch.operand(bytes, self.window.clone())?;
        let made = launch.output(points)?;
        launch.dispatch(&pipeline, &[&words, &input, &made], self.groups() as u32)?;
        launch.finish(vec![(made, out)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutations_are_batches_of_matrices() {
        // [a, b, c, d] of extents 2, 3, 4, 50 to [a, d, b, c].
        let found = turned(&[2, 50, 3, 4], &[600, 1, 200, 50], 4, 0, 32).unwrap();
        assert_eq!((found.rows, found.cols, found.batches), (50, 12, 2));
        assert_eq!((found.from_col, found.to_row), (50, 12));
        assert_eq!(
            (found.from.clone(), found.to.clone()),
            (Walk(vec![(2, 600)]), Walk(vec![(2, 600)]))
        );
        assert_eq!(found.window, 0..4800);
        // [a, b, c] to [c, a, b], read in part.
        let found = turned(&[20, 9, 10], &[1, 300, 30], 2, 37, 32).unwrap();
        assert_eq!((found.rows, found.cols, found.batches), (20, 90, 1));
        assert_eq!((found.window, found.first), (64..(37 + 19 + 2670 + 1) * 2, 5));
    }

    #[test]
    fn what_a_tile_does_not_help_is_left() {
        assert_eq!(turned(&[40, 50], &[50, 1], 4, 0, 32), None, "no transpose");
        assert_eq!(turned(&[40, 50], &[100, 2], 4, 0, 32), None, "no neighbours");
        assert_eq!(turned(&[50, 4], &[1, 50], 4, 0, 32), None, "few neighbours");
        assert_eq!(
            turned(&[50, 41], &[1, 50], 1, 0, 32),
            None,
            "rows end within words"
        );
        assert_eq!(turned(&[], &[], 4, 0, 32), None);
    }
}
