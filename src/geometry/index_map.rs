//! Index maps: the one form of every view.
//!
//! A view (slice with steps, flip, transpose, broadcast, new axis, integer index, take by a list)
//! maps each index of the result to an index of its input, axis by axis. Maps compose to a map, so
//! a chain of views is one map, and a load in a fused kernel is a buffer with one map.

use super::{Region, row_major_strides};
use std::sync::Arc;

/// Where the index along one input axis comes from.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum AxisMap {
    /// Always this index.
    Fixed(usize),
    /// `start + step * i` for the result's index `i` along `axis`.
    Affine {
        /// Axis of the result.
        axis: usize,
        /// Index at `i = 0`.
        start: usize,
        /// Step, may be negative, not 0.
        step: isize,
    },
    /// `indices[i]` for the result's index `i` along `axis`.
    Table {
        /// Axis of the result.
        axis: usize,
        /// One input index per index along that axis.
        indices: Arc<[usize]>,
    },
}

impl AxisMap {
    /// Input index for result index `at`.
    pub fn apply(&self, at: &[usize]) -> usize {
        match self {
            AxisMap::Fixed(i) => *i,
            AxisMap::Affine { axis, start, step } => start.wrapping_add_signed(at[*axis] as isize * step),
            AxisMap::Table { axis, indices } => indices[at[*axis]],
        }
    }
}

/// A view: the result's shape and, per input axis, where its index comes from. Result axes that
/// no input axis names are broadcast.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct IndexMap {
    /// Shape of the result.
    pub shape: Vec<usize>,
    /// One entry per input axis.
    pub axes: Vec<AxisMap>,
}

/// The indices along one input axis that a block needs, as runs of neighbours in rising order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selection {
    /// Start and length of each run; rising and disjoint.
    pub runs: Vec<(usize, usize)>,
}

impl Selection {
    /// One run.
    pub fn range(start: usize, len: usize) -> Selection {
        Selection {
            runs: vec![(start, len)],
        }
    }

    /// Number of indices.
    pub fn len(&self) -> usize {
        self.runs.iter().map(|r| r.1).sum()
    }

    /// Whether no index is selected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How a kernel walks a dense local buffer: element offset at the block's origin, and per block
/// axis what an index adds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Access {
    /// Element offset of the block's first element.
    pub offset: isize,
    /// One entry per axis of the block.
    pub steps: Vec<AxisStep>,
}

/// What an index along one block axis adds to the element offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AxisStep {
    /// `i * step` (0 for a broadcast axis).
    Step(isize),
    /// `table[i]`.
    Table(Arc<[isize]>),
}

/// A strided axis is read whole while at most this many elements are read for each one used.
const READ_THROUGH: usize = 4;

impl IndexMap {
    /// The view that changes nothing.
    pub fn identity(shape: &[usize]) -> IndexMap {
        let axes = (0..shape.len())
            .map(|axis| AxisMap::Affine {
                axis,
                start: 0,
                step: 1,
            })
            .collect();
        IndexMap {
            shape: shape.to_vec(),
            axes,
        }
    }

    /// Whether it changes nothing for an input of that shape.
    pub fn is_identity(&self, input: &[usize]) -> bool {
        *self == IndexMap::identity(input)
    }

    /// The view of a view: `self` is applied to the input first, `outer` to its result. Where
    /// `outer` reaches beyond `self` (a part of a concatenation seen from the whole), the map is
    /// meaningless and never visited.
    pub fn then(&self, outer: &IndexMap) -> IndexMap {
        let compose = |inner: &AxisMap| match inner {
            AxisMap::Fixed(i) => AxisMap::Fixed(*i),
            AxisMap::Affine { axis, start, step } => match &outer.axes[*axis] {
                AxisMap::Fixed(i) => AxisMap::Fixed(start.wrapping_add_signed(*i as isize * step)),
                AxisMap::Affine {
                    axis,
                    start: s2,
                    step: k2,
                } => AxisMap::Affine {
                    axis: *axis,
                    start: start.wrapping_add_signed(*s2 as isize * step),
                    step: step * k2,
                },
                AxisMap::Table { axis, indices } => AxisMap::Table {
                    axis: *axis,
                    indices: indices
                        .iter()
                        .map(|&i| start.wrapping_add_signed(i as isize * step))
                        .collect(),
                },
            },
            AxisMap::Table { axis, indices } => {
                let pick = |i: usize| indices.get(i).copied().unwrap_or(0);
                match &outer.axes[*axis] {
                    AxisMap::Fixed(i) => AxisMap::Fixed(pick(*i)),
                    AxisMap::Affine { axis, start, step } => AxisMap::Table {
                        axis: *axis,
                        indices: (0..outer.shape[*axis])
                            .map(|i| pick(start.wrapping_add_signed(i as isize * step)))
                            .collect(),
                    },
                    AxisMap::Table { axis, indices: picks } => AxisMap::Table {
                        axis: *axis,
                        indices: picks.iter().map(|&i| pick(i)).collect(),
                    },
                }
            }
        };
        IndexMap {
            shape: outer.shape.clone(),
            axes: self.axes.iter().map(compose).collect(),
        }
    }

    /// How a block walks the whole input where it lies dense in memory.
    pub fn access_whole(&self, block: &Region, input: &[usize]) -> Access {
        self.access_within(block, &Region::whole(input))
    }

    /// How a block walks a dense array of `place`, a region of the input that holds all it sees.
    pub fn access_within(&self, block: &Region, place: &Region) -> Access {
        let strides = row_major_strides(&place.shape);
        let start: usize = place.start.iter().zip(&strides).map(|(i, s)| i * s).sum();
        let mut access = Access {
            offset: -(start as isize),
            steps: vec![AxisStep::Step(0); block.rank()],
        };
        for (map, stride) in self.axes.iter().zip(strides) {
            let stride = stride as isize;
            match map {
                AxisMap::Fixed(i) => access.offset += *i as isize * stride,
                AxisMap::Affine { axis, start, step } => {
                    let first = start.wrapping_add_signed(block.start[*axis] as isize * step);
                    access.offset += first as isize * stride;
                    let step = AxisStep::Step(*step);
                    access.steps[*axis] = add_steps(&access.steps[*axis], &step, stride, block.shape[*axis]);
                }
                AxisMap::Table { axis, indices } => {
                    let used = &indices[block.start[*axis]..block.stop(*axis)];
                    let step = AxisStep::Table(used.iter().map(|&i| i as isize).collect());
                    access.steps[*axis] = add_steps(&access.steps[*axis], &step, stride, block.shape[*axis]);
                }
            }
        }
        access
    }

    /// An upper bound of the extents that [`IndexMap::access`] selects for any block of these
    /// extents, from geometry alone.
    pub fn bound(&self, block: &[usize], input: &[usize]) -> Vec<usize> {
        let bound = |map: &AxisMap, extent: usize| match map {
            AxisMap::Fixed(_) => 1,
            AxisMap::Affine { axis, step, .. } => {
                let (count, stride) = (block[*axis], step.unsigned_abs());
                let span = count
                    .saturating_sub(1)
                    .saturating_mul(stride)
                    .saturating_add(count.min(1));
                if stride <= READ_THROUGH {
                    span.min(extent)
                } else {
                    count.min(extent)
                }
            }
            AxisMap::Table { axis, .. } => block[*axis].saturating_mul(READ_THROUGH).min(extent),
        };
        self.axes
            .iter()
            .zip(input)
            .map(|(map, &extent)| bound(map, extent))
            .collect()
    }

    /// What a block of the result needs of the input: the indices per input axis, and how to walk
    /// the dense buffer that holds them in row-major order.
    pub fn access(&self, block: &Region) -> (Vec<Selection>, Access) {
        let parts: Vec<(Selection, Option<(usize, AxisStep)>)> =
            self.axes.iter().map(|map| select(map, block)).collect();
        let local: Vec<usize> = parts.iter().map(|(s, _)| s.len()).collect();
        let strides = row_major_strides(&local);
        let mut access = Access {
            offset: 0,
            steps: vec![AxisStep::Step(0); block.rank()],
        };
        for ((_, part), stride) in parts.iter().zip(strides) {
            let Some((axis, step)) = part else { continue };
            let stride = stride as isize;
            let extent = block.shape[*axis];
            if let AxisStep::Step(k) = step
                && *k < 0
            {
                access.offset += stride * -k * (extent.saturating_sub(1)) as isize;
            }
            access.steps[*axis] = add_steps(&access.steps[*axis], step, stride, extent);
        }
        (parts.into_iter().map(|(s, _)| s).collect(), access)
    }
}

/// The sum of what an axis already adds and `step` times `stride`.
fn add_steps(have: &AxisStep, step: &AxisStep, stride: isize, extent: usize) -> AxisStep {
    let at = |s: &AxisStep, i: usize| match s {
        AxisStep::Step(k) => k * i as isize,
        AxisStep::Table(t) => t[i],
    };
    match (have, step) {
        (AxisStep::Step(a), AxisStep::Step(b)) => AxisStep::Step(a + b * stride),
        _ => AxisStep::Table((0..extent).map(|i| at(have, i) + at(step, i) * stride).collect()),
    }
}

/// Indices needed along one input axis, and the step within the compacted axis. A negative
/// `Step` counts down from the block's far end.
fn select(map: &AxisMap, block: &Region) -> (Selection, Option<(usize, AxisStep)>) {
    match map {
        AxisMap::Fixed(i) => (Selection::range(*i, 1), None),
        AxisMap::Affine { axis, start, step } => {
            let count = block.shape[*axis];
            if count == 0 {
                return (Selection::range(0, 0), Some((*axis, AxisStep::Step(1))));
            }
            let first = start.wrapping_add_signed(block.start[*axis] as isize * step);
            let last = first.wrapping_add_signed((count - 1) as isize * step);
            let low = first.min(last);
            let stride = step.unsigned_abs();
            if count == 1 || stride <= READ_THROUGH {
                (
                    Selection::range(low, first.abs_diff(last) + 1),
                    Some((*axis, AxisStep::Step(*step))),
                )
            } else {
                let runs = (0..count).map(|i| (low + i * stride, 1)).collect();
                (Selection { runs }, Some((*axis, AxisStep::Step(step.signum()))))
            }
        }
        AxisMap::Table { axis, indices } => {
            let used = &indices[block.start[*axis]..block.stop(*axis)];
            let mut sorted = used.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else {
                return (Selection::range(0, 0), Some((*axis, AxisStep::Step(0))));
            };
            if high - low < READ_THROUGH * sorted.len() {
                let table = used.iter().map(|&i| (i - low) as isize).collect();
                return (
                    Selection::range(low, high - low + 1),
                    Some((*axis, AxisStep::Table(table))),
                );
            }
            let place = |i: usize| sorted.partition_point(|&s| s < i) as isize;
            let table = used.iter().map(|&i| place(i)).collect();
            let mut runs: Vec<(usize, usize)> = Vec::new();
            for &i in &sorted {
                match runs.last_mut() {
                    Some((start, len)) if *start + *len == i => *len += 1,
                    _ => runs.push((i, 1)),
                }
            }
            (Selection { runs }, Some((*axis, AxisStep::Table(table))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn affine(axis: usize, start: usize, step: isize) -> AxisMap {
        AxisMap::Affine { axis, start, step }
    }

    /// Walks a block through `access` over an input whose elements are their own flat index.
    fn walk(map: &IndexMap, input: &[usize], block: &Region) -> Vec<usize> {
        let (selections, access) = map.access(block);
        let strides = row_major_strides(input);
        let mut local = vec![0];
        for (selection, stride) in selections.iter().zip(&strides) {
            let picks: Vec<usize> = selection.runs.iter().flat_map(|&(s, n)| s..s + n).collect();
            local = local
                .iter()
                .flat_map(|base| picks.iter().map(move |p| base + p * stride))
                .collect();
        }
        points(&block.shape)
            .iter()
            .map(|at| {
                let mut offset = access.offset;
                for (i, step) in at.iter().zip(&access.steps) {
                    offset += match step {
                        AxisStep::Step(k) => k * *i as isize,
                        AxisStep::Table(t) => t[*i],
                    };
                }
                local[offset as usize]
            })
            .collect()
    }

    fn points(shape: &[usize]) -> Vec<Vec<usize>> {
        let mut out = vec![vec![]];
        for &n in shape {
            out = out
                .iter()
                .flat_map(|p| (0..n).map(move |i| [p.clone(), vec![i]].concat()))
                .collect();
        }
        out
    }

    fn direct(map: &IndexMap, input: &[usize], block: &Region) -> Vec<usize> {
        let strides = row_major_strides(input);
        points(&block.shape)
            .iter()
            .map(|at| {
                let at: Vec<usize> = at.iter().zip(&block.start).map(|(i, s)| i + s).collect();
                map.axes.iter().zip(&strides).map(|(m, s)| m.apply(&at) * s).sum()
            })
            .collect()
    }

    /// The same through `access_whole`.
    fn walk_whole(map: &IndexMap, input: &[usize], block: &Region) -> Vec<usize> {
        let access = map.access_whole(block, input);
        let value = |at: &Vec<usize>| {
            let add = |(i, step): (&usize, &AxisStep)| match step {
                AxisStep::Step(k) => k * *i as isize,
                AxisStep::Table(t) => t[*i],
            };
            (access.offset + at.iter().zip(&access.steps).map(add).sum::<isize>()) as usize
        };
        points(&block.shape).iter().map(value).collect()
    }

    #[test]
    fn every_view_walks_as_it_maps() {
        let input = [12, 20];
        let tables: Arc<[usize]> = vec![11, 0, 0, 7, 1].into();
        let maps = [
            IndexMap::identity(&input),
            IndexMap {
                shape: vec![20, 12],
                axes: vec![affine(1, 0, 1), affine(0, 0, 1)],
            },
            IndexMap {
                shape: vec![4, 10],
                axes: vec![affine(0, 11, -3), affine(1, 1, 2)],
            },
            IndexMap {
                shape: vec![2, 3],
                axes: vec![affine(0, 10, -9), affine(1, 0, 9)],
            },
            IndexMap {
                shape: vec![3, 5],
                axes: vec![AxisMap::Fixed(4), AxisMap::Fixed(19)],
            },
            IndexMap {
                shape: vec![20, 5],
                axes: vec![
                    AxisMap::Table {
                        axis: 1,
                        indices: tables.clone(),
                    },
                    affine(0, 19, -1),
                ],
            },
            IndexMap {
                shape: vec![10],
                axes: vec![affine(0, 0, 1), affine(0, 19, -2)],
            },
        ];
        for map in &maps {
            let whole = Region::whole(&map.shape);
            assert_eq!(walk(map, &input, &whole), direct(map, &input, &whole), "{map:?}");
            let start: Vec<usize> = map.shape.iter().map(|n| n / 2).collect();
            let shape = map.shape.iter().zip(&start).map(|(n, s)| n - s).collect();
            let part = Region::new(start, shape);
            assert_eq!(walk(map, &input, &part), direct(map, &input, &part), "{map:?}");
            assert_eq!(
                walk_whole(map, &input, &part),
                direct(map, &input, &part),
                "{map:?}"
            );
            let (selections, _) = map.access(&part);
            for (selection, bound) in selections.iter().zip(map.bound(&part.shape, &input)) {
                assert!(selection.len() <= bound, "{map:?}");
            }
        }
    }

    #[test]
    fn views_of_views_compose() {
        let input = [12, 20];
        let first = IndexMap {
            shape: vec![20, 6],
            axes: vec![affine(1, 10, -2), affine(0, 0, 1)],
        };
        let table: Arc<[usize]> = vec![5, 0, 3].into();
        let second = IndexMap {
            shape: vec![3, 2, 4],
            axes: vec![
                affine(2, 1, 5),
                AxisMap::Table {
                    axis: 0,
                    indices: table,
                },
            ],
        };
        let both = first.then(&second);
        for at in points(&second.shape) {
            let middle: Vec<usize> = second.axes.iter().map(|m| m.apply(&at)).collect();
            let want: Vec<usize> = first.axes.iter().map(|m| m.apply(&middle)).collect();
            let got: Vec<usize> = both.axes.iter().map(|m| m.apply(&at)).collect();
            assert_eq!(got, want);
        }
        assert!(IndexMap::identity(&input).is_identity(&input));
    }

    #[test]
    fn scattered_picks_are_read_as_runs() {
        let map = IndexMap {
            shape: vec![3],
            axes: vec![AxisMap::Table {
                axis: 0,
                indices: vec![900, 2, 3].into(),
            }],
        };
        let (selections, access) = map.access(&Region::whole(&[3]));
        assert_eq!(selections[0].runs, [(2, 2), (900, 1)]);
        assert_eq!(access.steps[0], AxisStep::Table(vec![2, 0, 1].into()));
    }
}
