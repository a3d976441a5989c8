//! Task grids: how a stage's iteration space is cut into blocks.
//!
//! Blocks follow the stored chunks. Small chunks are joined along the inner axes first, so that
//! reads are long; large ones are cut along the outermost axis when the budget asks, because
//! sources give any region. The choice depends on bytes alone, never on the number of threads.

use crate::geometry::{AxisChunks, Chunks};
use std::collections::BTreeSet;

/// Elements along the innermost axis below which a row is not cut.
const LEAST_ROW: usize = 512;

/// A grid whose blocks hold at most `limit` elements (at least one) and, where whole chunks of
/// `hint` are smaller than `target` elements, about `target`.
pub(crate) fn choose(hint: &Chunks, target: usize, limit: usize) -> Chunks {
    let shape = hint.shape();
    let mut extents: Vec<usize> = hint.largest().iter().map(|&n| n.max(1)).collect();
    let product = |e: &[usize]| e.iter().fold(1usize, |n, &d| n.saturating_mul(d));
    let mut cut = vec![false; extents.len()];
    for axis in 0..extents.len() {
        if product(&extents) <= limit.max(1) {
            break;
        }
        let rest = product(&extents[axis + 1..]);
        let fits = (limit / rest.max(1)).max(1);
        cut[axis] = fits < extents[axis];
        extents[axis] = extents[axis].min(fits);
    }
    let mut joined = vec![1; extents.len()];
    if !cut.contains(&true) {
        for axis in (0..extents.len()).rev() {
            // How far this axis may reach beside the other axes' extents.
            let fits = target / (product(&extents) / extents[axis]).max(1);
            if fits <= extents[axis] || shape[axis] == 0 {
                break;
            }
            if let AxisChunks::Regular { .. } = hint.axes()[axis] {
                joined[axis] = shape[axis].div_ceil(extents[axis]).min(fits / extents[axis]);
                extents[axis] = (extents[axis] * joined[axis]).min(shape[axis]);
            } else {
                extents[axis] = fits.min(shape[axis]);
            }
            if extents[axis] < shape[axis] {
                break;
            }
        }
    }
    let axes = hint.axes().iter().enumerate().map(|(axis, chunks)| match chunks {
        _ if cut[axis] => AxisChunks::regular(shape[axis], extents[axis]),
        AxisChunks::Regular { len, chunk } => AxisChunks::regular(*len, chunk * joined[axis]),
        AxisChunks::Irregular(_) => join(chunks, extents[axis]),
    });
    Chunks::new(axes.collect())
}

/// A grid that leaves folded axes whole and cuts the kept ones, the outermost first, into about
/// `parts` blocks of rows worth reading; `None` where fewer than half of them come about, as
/// lengths are rounded. Each block's states are small and done with at once, which suits data
/// that any part of can be read as fast.
pub(crate) fn across(shape: &[usize], folded: &[bool], parts: usize) -> Option<Chunks> {
    let mut extents = shape.to_vec();
    let mut have = 1;
    for axis in (0..shape.len()).filter(|&axis| !folded[axis]) {
        let row = if axis + 1 == shape.len() { LEAST_ROW } else { 1 };
        let pieces = parts.div_ceil(have).min(shape[axis] / row).max(1);
        extents[axis] = shape[axis].div_ceil(pieces).max(1);
        have *= shape[axis].div_ceil(extents[axis]);
    }
    (2 * have >= parts).then(|| Chunks::regular(shape, &extents))
}

/// As [`across`], with the folded axes cut too, the outermost first, so that blocks have at most `limit`
/// elements.
pub(crate) fn bands(shape: &[usize], folded: &[bool], parts: usize, limit: usize) -> Option<Chunks> {
    let mut extents = across(shape, folded, parts)?.largest();
    for axis in (0..shape.len()).filter(|&axis| folded[axis]) {
        let held = extents.iter().fold(1usize, |n, &d| n.saturating_mul(d.max(1)));
        let rest = held / extents[axis].max(1);
        extents[axis] = extents[axis].min((limit / rest.max(1)).max(1));
    }
    Some(Chunks::regular(shape, &extents))
}

/// Extents of blocks that follow `chunks` and hold about `target` bytes where chunks are smaller,
/// at most `limit` bytes, for elements of `size` bytes.
pub(crate) fn block_extents(chunks: &Chunks, size: usize, target: usize, limit: usize) -> Vec<usize> {
    let blocks = choose(chunks, target / size, limit / size);
    blocks.largest().iter().map(|&n| n.max(1)).collect()
}

/// Neighbouring chunks joined while they hold at most `extent` indices.
fn join(chunks: &AxisChunks, extent: usize) -> AxisChunks {
    let mut sizes: Vec<usize> = Vec::new();
    for index in 0..chunks.count() {
        let n = chunks.span(index).1;
        match sizes.last_mut() {
            Some(last) if *last + n <= extent => *last += n,
            _ => sizes.push(n),
        }
    }
    AxisChunks::from_sizes(&sizes)
}

/// The grid with more cuts.
pub(crate) fn refine(grid: &Chunks, starts: &[BTreeSet<usize>]) -> Chunks {
    let axes = grid.axes().iter().zip(starts).map(|(axis, starts)| {
        if starts.is_empty() {
            return axis.clone();
        }
        let mut bounds: BTreeSet<usize> = starts.clone();
        bounds.extend((0..axis.count()).map(|c| axis.span(c).0));
        bounds.insert(axis.len());
        bounds.insert(0);
        let bounds: Vec<usize> = bounds.into_iter().collect();
        AxisChunks::from_sizes(&bounds.windows(2).map(|w| w[1] - w[0]).collect::<Vec<_>>())
    });
    Chunks::new(axes.collect())
}

/// The common refinement of two grids of one shape.
pub(crate) fn common(a: &Chunks, b: &Chunks) -> Chunks {
    let starts: Vec<BTreeSet<usize>> = a
        .axes()
        .iter()
        .zip(b.axes())
        .map(|(a, b)| {
            if a == b || b.count() == 1 {
                return BTreeSet::new();
            }
            (1..b.count()).map(|c| b.span(c).0).collect()
        })
        .collect();
    refine(a, &starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_chunks_are_joined_inner_axes_first() {
        let hint = Chunks::regular(&[100, 40, 50], &[1, 20, 25]);
        assert_eq!(format!("{:?}", choose(&hint, 2000, 4000)), "[100/1, 40, 50]");
        assert_eq!(format!("{:?}", choose(&hint, 10_000, 20_000)), "[100/5, 40, 50]");
        assert_eq!(format!("{:?}", choose(&hint, 500, 4000)), "[100/1, 40/20, 50/25]");
    }

    #[test]
    fn large_chunks_are_cut_outermost_first() {
        let hint = Chunks::single(&[100, 40, 50]);
        assert_eq!(format!("{:?}", choose(&hint, 4000, 6000)), "[100/3, 40, 50]");
        assert_eq!(format!("{:?}", choose(&hint, 10, 120)), "[100/1, 40/2, 50]");
        assert_eq!(choose(&Chunks::single(&[]), 1, 1).count(), 1);
        assert_eq!(choose(&Chunks::single(&[0, 7]), 5, 5).shape(), [0, 7]);
    }

    #[test]
    fn kept_axes_are_cut_around_whole_folded_ones() {
        let grid = across(&[363, 361, 512], &[true, false, false], 67).unwrap();
        assert_eq!(format!("{grid:?}"), "[363, 361/6, 512]");
        let across = |shape: &[usize], folded: &[bool]| across(shape, folded, 16);
        let grid = across(&[300, 361, 512], &[true, false, false]).unwrap();
        assert_eq!(format!("{grid:?}"), "[300, 361/23, 512]");
        let grid = across(&[4, 300, 10_000], &[false, true, false]).unwrap();
        assert_eq!(format!("{grid:?}"), "[4/1, 300, 10000/2500]");
        assert_eq!(across(&[300, 7, 100], &[true, false, false]), None);
        assert_eq!(across(&[300], &[true]), None);
        assert_eq!(across(&[0, 64], &[true, false]), None);
    }

    #[test]
    fn bands_have_a_part_of_the_folded_axes() {
        let grid = bands(&[1000, 180, 360], &[true, false, false], 5, 360 * 36 * 7).unwrap();
        assert_eq!(format!("{grid:?}"), "[1000/7, 180/36, 360]");
        let grid = bands(&[90, 50, 7], &[false, true, true], 3, 7 * 30).unwrap();
        assert_eq!(format!("{grid:?}"), "[90/30, 50/1, 7]");
        assert_eq!(bands(&[300], &[true], 16, 10), None);
    }

    #[test]
    fn grids_refine_each_other() {
        let a = Chunks::regular(&[10], &[4]);
        let starts = [BTreeSet::from([5])];
        assert_eq!(
            refine(&a, &starts),
            Chunks::from_sizes(&[10], &[vec![4, 1, 3, 2]]).unwrap()
        );
        let b = Chunks::regular(&[10], &[5]);
        assert_eq!(
            common(&a, &b),
            Chunks::from_sizes(&[10], &[vec![4, 1, 3, 2]]).unwrap()
        );
        let ragged = Chunks::from_sizes(&[10], &[vec![1, 2, 3, 4]]).unwrap();
        assert_eq!(
            choose(&ragged, 6, 100),
            Chunks::from_sizes(&[10], &[vec![6, 4]]).unwrap()
        );
    }
}
