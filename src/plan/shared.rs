//! Shared reads: inputs that see one feed shifted against each other, as the terms of a stencil
//! written with slices do, are read as the one region that holds all of them.
//!
//! That is done for a block where it takes fewer bytes than reading each. As both numbers grow with
//! the block, what is counted for the largest block is enough for all.

use super::memory::lies_in_memory;
use super::stage::{Input, PlanArray};
use crate::geometry::{Access, AxisMap, AxisStep, Region, row_major_strides};
use crate::store::Pool;

/// What a task reads at once: the inputs that see it, and for several how they are shifted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Read {
    /// Numbers of the inputs.
    pub inputs: Vec<usize>,
    shifts: Option<Shifts>,
}

/// Inputs of one feed that differ in where they begin, with unit steps.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Shifts {
    /// Per axis of the feed, the block's axis that runs along it.
    axes: Vec<Option<usize>>,
    /// Per axis, the first index that any sees from the block at the origin.
    first: Vec<isize>,
    /// Per axis, how far beyond the first the last begins.
    extra: Vec<usize>,
}

/// The axis and the beginning of a map of unit step along one axis of a feed.
fn unit(map: &AxisMap) -> Option<(Option<usize>, isize)> {
    match map {
        AxisMap::Fixed(at) => Some((None, *at as isize)),
        // In the part of a concatenation a beginning may lie before the feed's.
        AxisMap::Affine { axis, start, step: 1 } => Some((Some(*axis), *start as isize)),
        _ => None,
    }
}

/// Per axis of an input's feed, the block's axis and the beginning, where all steps are 1.
fn units(input: &Input) -> Option<Vec<(Option<usize>, isize)>> {
    input.map.axes.iter().map(unit).collect()
}

impl Shifts {
    /// The shifts between some inputs of one feed; `None` where they differ in more.
    fn between(inputs: &[&Input]) -> Option<Shifts> {
        let all: Vec<_> = inputs.iter().map(|input| units(input)).collect::<Option<_>>()?;
        let axes: Vec<Option<usize>> = all.first()?.iter().map(|(axis, _)| *axis).collect();
        let alike = |one: &Vec<(Option<usize>, isize)>| one.iter().map(|(axis, _)| axis).eq(axes.iter());
        if inputs.len() < 2 || !all.iter().all(alike) {
            return None;
        }
        let starts = |at: usize| all.iter().map(move |one| one[at].1);
        let first: Vec<isize> = (0..axes.len()).map(|at| starts(at).min().unwrap_or(0)).collect();
        let extra = (0..axes.len())
            .map(|at| starts(at).max().unwrap_or(0).abs_diff(first[at]))
            .collect();
        Some(Shifts { axes, first, extra })
    }

    /// Extents of what a block of these extents sees.
    fn extents(&self, block: &[usize]) -> Vec<usize> {
        let extent =
            |(axis, extra): (&Option<usize>, &usize)| axis.map_or(1, |a| block[a]).saturating_add(*extra);
        self.axes.iter().zip(&self.extra).map(extent).collect()
    }
}

impl Read {
    /// The inputs of a variant put together by what they could be read with.
    pub fn of(inputs: &[Input]) -> Vec<Read> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (number, input) in inputs.iter().enumerate() {
            let joins = |group: &&mut Vec<usize>| {
                let other = &inputs[group[0]];
                other.feed.same(&input.feed) && Shifts::between(&[other, input]).is_some()
            };
            match groups.iter_mut().find(joins) {
                Some(group) => group.push(number),
                None => groups.push(vec![number]),
            }
        }
        groups
            .into_iter()
            .map(|group| {
                let members: Vec<&Input> = group.iter().map(|&n| &inputs[n]).collect();
                let shifts = Shifts::between(&members);
                Read {
                    inputs: group,
                    shifts,
                }
            })
            .collect()
    }

    /// The reads of a block of these extents: each input alone where that takes no more bytes than
    /// all at once, or where it is used in place. With extents that each reads, of its feed.
    pub fn apart<'a>(
        reads: &'a [Read],
        inputs: &'a [Input],
        arrays: &'a [PlanArray],
        block: &'a [usize],
    ) -> impl Iterator<Item = (&'a [usize], Vec<usize>)> {
        reads
            .iter()
            .flat_map(move |read| match read.together(inputs, arrays, block) {
                Some(extents) => vec![(&read.inputs[..], extents)],
                None => read
                    .inputs
                    .chunks(1)
                    .map(|one| (one, inputs[one[0]].map.bound(block, &inputs[one[0]].shape)))
                    .collect(),
            })
    }

    /// Extents of the one region that is read for all inputs, where that is done for such a block.
    pub fn together(&self, inputs: &[Input], arrays: &[PlanArray], block: &[usize]) -> Option<Vec<usize>> {
        let shifts = self.shifts.as_ref()?;
        let first = &inputs[self.inputs[0]];
        if lies_in_memory(first, arrays) {
            return None;
        }
        let held =
            |extents: &[usize]| Pool::held_bytes(extents.iter().product::<usize>() * first.dtype.size());
        let each = |&n: &usize| held(&inputs[n].map.bound(block, &inputs[n].shape));
        let extents = shifts.extents(block);
        (held(&extents) < self.inputs.iter().map(each).sum::<u64>()).then_some(extents)
    }

    /// The region that is read for all inputs.
    pub fn region(&self, block: &Region) -> Option<Region> {
        let shifts = self.shifts.as_ref()?;
        let start = shifts.axes.iter().zip(&shifts.first).map(|(axis, first)| {
            let from = axis.map_or(0, |a| block.start[a]);
            from.wrapping_add_signed(*first)
        });
        Some(Region::new(start.collect(), shifts.extents(&block.shape)))
    }

    /// How a block walks the region for one of the inputs.
    pub fn access(&self, input: &Input, block: &Region) -> Option<Access> {
        let shifts = self.shifts.as_ref()?;
        let strides = row_major_strides(&shifts.extents(&block.shape));
        let (mut offset, mut steps) = (0, vec![0; block.rank()]);
        for (at, (axis, start)) in units(input)?.into_iter().enumerate() {
            let stride = strides[at] as isize;
            offset += (start - shifts.first[at]) * stride;
            if let Some(axis) = axis {
                steps[axis] += stride;
            }
        }
        let steps = steps.into_iter().map(AxisStep::Step).collect();
        Some(Access { offset, steps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;
    use crate::geometry::IndexMap;
    use crate::plan::Feed;

    fn input(feed: usize, shape: &[usize], axes: Vec<AxisMap>, space: &[usize]) -> Input {
        Input {
            feed: Feed::Array(feed),
            shape: shape.to_vec(),
            dtype: DType::F32,
            map: IndexMap {
                shape: space.to_vec(),
                axes,
            },
        }
    }

    fn affine(axis: usize, start: usize, step: isize) -> AxisMap {
        AxisMap::Affine { axis, start, step }
    }

    #[test]
    fn shifted_inputs_are_read_once_where_that_is_less() {
        let space = [6, 4];
        let shift = |rows, cols| input(0, &[8, 9], vec![affine(0, rows, 1), affine(1, cols, 1)], &space);
        let inputs = [
            shift(0, 1),
            input(0, &[8, 9], vec![affine(1, 0, 1), affine(0, 0, 1)], &space),
            shift(2, 5),
            shift(1, 0),
            input(1, &[8, 9], vec![affine(0, 1, 1), affine(1, 1, 1)], &space),
            input(0, &[8, 9], vec![affine(0, 0, 1), affine(1, 0, 2)], &space),
        ];
        let reads = Read::of(&inputs);
        let groups: Vec<&[usize]> = reads.iter().map(|r| &r.inputs[..]).collect();
        assert_eq!(groups, [&[0, 2, 3][..], &[1], &[4], &[5]]);
        let block = Region::new(vec![1, 0], vec![3, 2]);
        let region = reads[0].region(&block).unwrap();
        assert_eq!(region, Region::new(vec![1, 0], vec![5, 7]));
        // Each element is found where the map says that it lies.
        for &n in &reads[0].inputs {
            let access = reads[0].access(&inputs[n], &block).unwrap();
            for (i, j) in [(0, 0), (2, 1)] {
                let at = [block.start[0] + i, block.start[1] + j];
                let lies: Vec<usize> = inputs[n].map.axes.iter().map(|m| m.apply(&at)).collect();
                let local = (lies[0] - region.start[0]) * 7 + lies[1] - region.start[1];
                let steps = [&access.steps[0], &access.steps[1]].map(|s| match s {
                    AxisStep::Step(step) => *step,
                    AxisStep::Table(_) => panic!("a table"),
                });
                assert_eq!(
                    access.offset + i as isize * steps[0] + j as isize * steps[1],
                    local as isize
                );
            }
        }
    }

    #[test]
    fn far_shifts_are_read_apart_over_small_blocks() {
        let space = [500_000];
        let half = |start| input(0, &[1_000_000], vec![affine(0, start, 1)], &space);
        let inputs = [half(0), half(400_000)];
        let reads = Read::of(&inputs);
        let arrays = [crate::plan::PlanArray {
            value: crate::expr::Expr::index(&[1_000_000], 0).unwrap(),
            shape: vec![1_000_000],
            dtype: DType::F32,
            grid: crate::geometry::Chunks::regular(&[1_000_000], &[1000]),
            made_by: 0,
            last_use: 1,
            roots: vec![],
            stored: true,
        }];
        assert_eq!(
            reads[0].together(&inputs, &arrays, &[500_000]),
            Some(vec![900_000])
        );
        assert_eq!(reads[0].together(&inputs, &arrays, &[50_000]), None);
        let apart: Vec<_> = Read::apart(&reads, &inputs, &arrays, &[50_000]).collect();
        assert_eq!(apart, [(&[0][..], vec![50_000]), (&[1][..], vec![50_000])]);
    }
}
