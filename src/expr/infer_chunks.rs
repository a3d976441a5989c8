//! Chunk grids of results: a hint for how tasks are cut, and what `chunks` shows.

use super::Expr;
use crate::geometry::{AxisChunks, AxisMap, Chunks, IndexMap};

/// Above this many chunks along an axis a sliced grid is kept regular rather than listed.
const LISTED_CHUNKS: usize = 1 << 16;

/// The grid of a view.
pub(crate) fn through_view(chunks: &Chunks, map: &IndexMap) -> Chunks {
    let axes = map.shape.iter().enumerate().map(|(axis, &len)| {
        let source = map.axes.iter().zip(chunks.axes()).find_map(|(m, input)| match m {
            AxisMap::Affine { axis: a, start, step } if *a == axis => Some(sliced(input, *start, *step, len)),
            AxisMap::Table { axis: a, .. } if *a == axis => Some(AxisChunks::regular(len, input.largest())),
            _ => None,
        });
        source.unwrap_or_else(|| AxisChunks::regular(len, len))
    });
    Chunks::new(axes.collect())
}

/// The cutting of `start + step * i` for `i` in `0..len` by the input's chunk bounds.
fn sliced(input: &AxisChunks, start: usize, step: isize, len: usize) -> AxisChunks {
    if len == 0 || input.count() == 1 {
        return AxisChunks::regular(len, len);
    }
    if let AxisChunks::Regular { chunk, .. } = input
        && step == 1
        && start.is_multiple_of(*chunk)
    {
        return AxisChunks::regular(len, *chunk);
    }
    let stride = step.unsigned_abs();
    let last = start.wrapping_add_signed((len - 1) as isize * step);
    let (first_chunk, last_chunk) = (input.find(start.min(last)), input.find(start.max(last)));
    if last_chunk - first_chunk >= LISTED_CHUNKS {
        return AxisChunks::regular(len, input.largest().div_ceil(stride));
    }
    let mut sizes: Vec<usize> = (first_chunk..=last_chunk)
        .map(|c| {
            let (lo, n) = input.span(c);
            let below = |edge: usize| {
                // Number of i whose index lies below `edge`, counted in rising index order.
                let low = start.min(last);
                if edge <= low {
                    0
                } else {
                    (edge - low).div_ceil(stride).min(len)
                }
            };
            below(lo + n) - below(lo)
        })
        .filter(|&n| n > 0)
        .collect();
    if step < 0 {
        sizes.reverse();
    }
    AxisChunks::from_sizes(&sizes)
}

/// The grid of an elementwise result: per axis that of the largest input that is cut there.
pub(crate) fn elementwise(shape: &[usize], inputs: &[Expr]) -> Chunks {
    let mut ranked: Vec<&Expr> = inputs.iter().filter(|i| i.shape == shape).collect();
    ranked.sort_by_key(|i| std::cmp::Reverse(stored_elements(i)));
    let axes = (0..shape.len()).map(|axis| {
        ranked
            .iter()
            .map(|i| &i.chunks.axes()[axis])
            .find(|c| c.count() > 1)
            .cloned()
            .unwrap_or_else(|| AxisChunks::regular(shape[axis], shape[axis]))
    });
    Chunks::new(axes.collect())
}

/// Elements behind an expression, not counting what views repeat.
fn stored_elements(expr: &Expr) -> usize {
    match &expr.kind {
        super::NodeKind::View(_) => stored_elements(&expr.inputs[0]),
        _ => expr.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_keep_chunk_bounds() {
        let axis = AxisChunks::regular(10, 4);
        assert_eq!(sliced(&axis, 4, 1, 6), AxisChunks::regular(6, 4));
        assert_eq!(sliced(&axis, 3, 1, 6), AxisChunks::from_sizes(&[1, 4, 1]));
        assert_eq!(sliced(&axis, 9, -1, 10), AxisChunks::from_sizes(&[2, 4, 4]));
        assert_eq!(sliced(&axis, 1, 3, 3), AxisChunks::from_sizes(&[1, 2]));
        assert_eq!(sliced(&axis, 0, 5, 2), AxisChunks::from_sizes(&[1, 1]));
    }
}
