//! Chunk grids: how an array is cut along each axis.
//!
//! A regular axis is three numbers however many chunks it has, so a plan over 10^7 tiles stays
//! small; an irregular one keeps its boundaries once, shared.

use super::Region;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The cutting of one axis.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum AxisChunks {
    /// Chunks of `chunk` elements; the last may be shorter. `chunk` is at least 1.
    Regular {
        /// Extent of the axis.
        len: usize,
        /// Extent of a chunk.
        chunk: usize,
    },
    /// Chunks between neighbouring bounds: starts with 0, ends with the extent, never falls.
    Irregular(Arc<[usize]>),
}

impl AxisChunks {
    /// Chunks of `chunk` elements (at least one) over `len`.
    pub fn regular(len: usize, chunk: usize) -> AxisChunks {
        AxisChunks::Regular {
            len,
            chunk: chunk.clamp(1, len.max(1)),
        }
    }

    /// Chunks of the given sizes.
    pub fn from_sizes(sizes: &[usize]) -> AxisChunks {
        let len = sizes.iter().sum();
        let first = sizes.first().copied().unwrap_or(0);
        let ragged_last = sizes.last().copied().unwrap_or(0) <= first;
        let body = &sizes[..sizes.len().saturating_sub(1)];
        if first > 0 && ragged_last && body.iter().all(|&s| s == first) && sizes.last() != Some(&0) {
            return AxisChunks::regular(len, first);
        }
        let mut bounds = vec![0];
        let mut at = 0;
        for size in sizes {
            at += size;
            bounds.push(at);
        }
        if sizes.is_empty() {
            return AxisChunks::regular(0, 1);
        }
        AxisChunks::Irregular(bounds.into())
    }

    /// Extent of the axis.
    pub fn len(&self) -> usize {
        match self {
            AxisChunks::Regular { len, .. } => *len,
            AxisChunks::Irregular(bounds) => bounds.last().copied().unwrap_or(0),
        }
    }

    /// Whether the axis has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of chunks; an empty axis has one empty chunk.
    pub fn count(&self) -> usize {
        match self {
            AxisChunks::Regular { len, chunk } => len.div_ceil(*chunk).max(1),
            AxisChunks::Irregular(bounds) => bounds.len() - 1,
        }
    }

    /// Start and extent of chunk `index`.
    pub fn span(&self, index: usize) -> (usize, usize) {
        match self {
            AxisChunks::Regular { len, chunk } => {
                let start = index * chunk;
                (start, (*chunk).min(len - start))
            }
            AxisChunks::Irregular(bounds) => (bounds[index], bounds[index + 1] - bounds[index]),
        }
    }

    /// The chunk that holds element `at`.
    pub fn find(&self, at: usize) -> usize {
        match self {
            AxisChunks::Regular { chunk, .. } => at / chunk,
            AxisChunks::Irregular(bounds) => bounds.partition_point(|&b| b <= at).saturating_sub(1),
        }
    }

    /// The extents that chunks have, each with how many have it.
    pub fn extents(&self) -> BTreeMap<usize, usize> {
        let mut extents = BTreeMap::new();
        match self {
            AxisChunks::Regular { len, chunk } => {
                let rest = len % chunk;
                extents.extend((len >= chunk).then_some((*chunk, len / chunk)));
                extents.extend((rest > 0 || *len == 0).then_some((rest, 1)));
            }
            AxisChunks::Irregular(bounds) => bounds
                .windows(2)
                .for_each(|w| *extents.entry(w[1] - w[0]).or_insert(0) += 1),
        }
        extents
    }

    /// Extent of the largest chunk.
    pub fn largest(&self) -> usize {
        match self {
            AxisChunks::Regular { len, chunk } => (*chunk).min(*len),
            AxisChunks::Irregular(bounds) => bounds.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0),
        }
    }
}

impl fmt::Debug for AxisChunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count();
        match self {
            AxisChunks::Regular { len, chunk } if count > 1 => write!(f, "{len}/{chunk}"),
            AxisChunks::Regular { len, .. } => write!(f, "{len}"),
            AxisChunks::Irregular(_) => write!(f, "{}/~{}", self.len(), self.largest()),
        }
    }
}

/// The grid of an array: one cutting per axis.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Chunks {
    axes: Vec<AxisChunks>,
}

impl Chunks {
    /// A grid from its axes.
    pub fn new(axes: Vec<AxisChunks>) -> Chunks {
        Chunks { axes }
    }

    /// One chunk that is the whole array.
    pub fn single(shape: &[usize]) -> Chunks {
        Chunks::regular(shape, shape)
    }

    /// A regular grid; `chunk` has an extent for each axis of `shape`.
    pub fn regular(shape: &[usize], chunk: &[usize]) -> Chunks {
        Chunks {
            axes: shape
                .iter()
                .zip(chunk)
                .map(|(&n, &c)| AxisChunks::regular(n, c))
                .collect(),
        }
    }

    /// A grid from Dask's notation, a list of sizes per axis.
    ///
    /// # Errors
    /// When the sizes along an axis do not add up to its extent.
    pub fn from_sizes(shape: &[usize], sizes: &[Vec<usize>]) -> Result<Chunks> {
        if sizes.len() != shape.len() {
            return Err(Error::invalid(format!(
                "chunks for {} axes given, the array has {}",
                sizes.len(),
                shape.len()
            )));
        }
        for (axis, (want, given)) in shape.iter().zip(sizes).enumerate() {
            let sum = given.iter().try_fold(0usize, |sum, &n| sum.checked_add(n));
            if sum != Some(*want) {
                let sum = sum.map_or("more than 64 bits hold".into(), |n| n.to_string());
                return Err(Error::invalid(format!(
                    "chunks along axis {axis} add up to {sum}, its extent is {want}"
                )));
            }
        }
        Ok(Chunks {
            axes: sizes.iter().map(|s| AxisChunks::from_sizes(s)).collect(),
        })
    }

    /// The cutting of each axis.
    pub fn axes(&self) -> &[AxisChunks] {
        &self.axes
    }

    /// The shape of the array.
    pub fn shape(&self) -> Vec<usize> {
        self.axes.iter().map(AxisChunks::len).collect()
    }

    /// Number of chunks per axis.
    pub fn grid(&self) -> Vec<usize> {
        self.axes.iter().map(AxisChunks::count).collect()
    }

    /// Number of chunks.
    pub fn count(&self) -> usize {
        self.axes.iter().map(AxisChunks::count).product()
    }

    /// Extents of the largest chunk.
    pub fn largest(&self) -> Vec<usize> {
        self.axes.iter().map(AxisChunks::largest).collect()
    }

    /// The block index of chunk number `number` in row-major order.
    pub fn block(&self, number: usize) -> Vec<usize> {
        let mut rest = number;
        let mut block = vec![0; self.axes.len()];
        for (slot, axis) in block.iter_mut().zip(&self.axes).rev() {
            *slot = rest % axis.count();
            rest /= axis.count();
        }
        block
    }

    /// The row-major number of a block.
    pub fn number(&self, block: &[usize]) -> usize {
        block
            .iter()
            .zip(&self.axes)
            .fold(0, |n, (b, axis)| n * axis.count() + b)
    }

    /// The elements of a block.
    pub fn region(&self, block: &[usize]) -> Region {
        let (start, shape) = block
            .iter()
            .zip(&self.axes)
            .map(|(&b, axis)| axis.span(b))
            .unzip();
        Region { start, shape }
    }

    /// The block numbers that share elements with `region`, in row-major order.
    pub fn overlapping(&self, region: &Region) -> Vec<usize> {
        if region.is_empty() {
            return Vec::new();
        }
        let ranges: Vec<(usize, usize)> = self
            .axes
            .iter()
            .enumerate()
            .map(|(a, axis)| (axis.find(region.start[a]), axis.find(region.stop(a) - 1)))
            .collect();
        let mut numbers = vec![0];
        for ((lo, hi), axis) in ranges.into_iter().zip(&self.axes) {
            numbers = numbers
                .iter()
                .flat_map(|n| (lo..=hi).map(move |b| n * axis.count() + b))
                .collect();
        }
        numbers.retain(|&n| !self.region(&self.block(n)).is_empty());
        numbers
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.axes).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_grids_have_a_ragged_end() {
        let chunks = Chunks::regular(&[10, 7], &[4, 7]);
        assert_eq!((chunks.count(), chunks.grid()), (3, vec![3, 1]));
        assert_eq!(chunks.region(&[2, 0]), Region::new(vec![8, 0], vec![2, 7]));
        assert_eq!(chunks.overlapping(&Region::new(vec![3, 0], vec![2, 1])), [0, 1]);
        for n in 0..chunks.count() {
            assert_eq!(chunks.number(&chunks.block(n)), n);
        }
        assert_eq!(format!("{chunks:?}"), "[10/4, 7]");
    }

    #[test]
    fn irregular_grids_find_their_blocks() {
        let chunks = Chunks::from_sizes(&[9], &[vec![2, 0, 5, 2]]).unwrap();
        assert_eq!(chunks.count(), 4);
        assert_eq!(chunks.overlapping(&Region::new(vec![1], vec![7])), [0, 2, 3]);
        assert_eq!(chunks.largest(), [5]);
        assert!(Chunks::from_sizes(&[9], &[vec![2, 5]]).is_err());
        assert!(Chunks::from_sizes(&[9], &[vec![usize::MAX, 10]]).is_err());
        assert_eq!(AxisChunks::from_sizes(&[4, 4, 1]), AxisChunks::regular(9, 4));
    }

    #[test]
    fn empty_axes_have_one_empty_chunk() {
        let chunks = Chunks::single(&[0, 3]);
        assert_eq!((chunks.count(), chunks.region(&[0, 0]).len()), (1, 0));
        assert_eq!(Chunks::single(&[]).count(), 1);
        assert_eq!(
            Chunks::regular(&[usize::MAX], &[1 << 20]).grid()[0],
            usize::MAX.div_ceil(1 << 20)
        );
    }
}
