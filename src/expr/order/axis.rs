//! What operations along whole axes share: parts that span them.

use crate::geometry::{AxisChunks, Chunks, Region};

/// The part of an array of `shape` that a block of a result needs which has other extents along
/// `axes`: all along these, the block along the others.
pub(in crate::expr) fn whole_along(axes: &[usize], shape: &[usize], block: &Region) -> Region {
    let mut region = block.clone();
    for &axis in axes {
        region.start[axis] = 0;
        region.shape[axis] = shape[axis];
    }
    region
}

/// The extents of [`whole_along`] for a block of these extents.
pub(in crate::expr) fn bound_along(axes: &[usize], shape: &[usize], block: &[usize]) -> Vec<usize> {
    let mut bound = block.to_vec();
    for &axis in axes {
        bound[axis] = shape[axis];
    }
    bound
}

/// Chunks of a result whose extents along `axes` are these, each one chunk.
pub(in crate::expr) fn chunks_along(chunks: &Chunks, axes: &[(usize, usize)]) -> Chunks {
    let mut out = chunks.axes().to_vec();
    for &(axis, extent) in axes {
        out[axis] = AxisChunks::regular(extent, extent);
    }
    Chunks::new(out)
}
