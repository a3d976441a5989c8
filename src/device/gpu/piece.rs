//! Cutting a task into pieces that a device can take.
//!
//! A kernel sees windows of the task's buffers, counts points in u32, and may bind only so many
//! bytes at once. A piece is a box of the block; a box that breaks a limit is halved along its
//! first axis of extent above one, so the points of a piece are neighbours in every output.

use super::launch::alignment;
use super::run::Placed;
use crate::geometry::{Access, AxisStep, Region};
use std::ops::Range;

/// What a piece must keep to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of one binding.
    pub binding: u64,
    /// Points of one dispatch.
    pub points: u64,
}

/// The elements of an access that a box of the block touches: first and one past the last.
pub(super) fn window(access: &Access, part: &Region) -> Range<usize> {
    let (mut low, mut high) = (access.offset, access.offset);
    for (axis, step) in access.steps.iter().enumerate() {
        let (start, len) = (part.start[axis], part.shape[axis]);
        let (a, b) = match step {
            AxisStep::Step(k) => {
                let (first, last) = (k * start as isize, k * (start + len - 1) as isize);
                (first.min(last), first.max(last))
            }
            AxisStep::Table(t) => {
                let used = &t[start..start + len];
                let least = used.iter().copied().min().unwrap_or(0);
                (least, used.iter().copied().max().unwrap_or(0))
            }
        };
        low += a;
        high += b;
    }
    low as usize..(high as usize).wrapping_add(1)
}

/// More pieces than this a task is not worth: their windows overlap, and the CPU is quicker.
const MOST_PIECES: usize = 1024;

/// Cuts a block into pieces that `fits` accepts; `None` where one point is too much already, or where
/// that takes too many. None is empty. With `weight` each cut is along the axis whose halves weigh
/// least; without it along the first that has more than one index, which gives pieces in row-major
/// order whose points are neighbours.
pub(super) fn cut(
    shape: &[usize],
    fits: &dyn Fn(&Region) -> bool,
    weight: Option<&dyn Fn(&Region) -> u64>,
) -> Option<Vec<Region>> {
    let mut open = vec![Region::whole(shape)];
    let mut pieces = Vec::new();
    while let Some(region) = open.pop() {
        if region.is_empty() {
            continue;
        }
        if fits(&region) {
            pieces.push(region);
            continue;
        }
        if pieces.len() + open.len() + 2 > MOST_PIECES {
            return None;
        }
        let mut axes = (0..region.rank()).filter(|&axis| region.shape[axis] > 1);
        let axis = match weight {
            None => axes.next()?,
            Some(weight) => axes.min_by_key(|&axis| weight(&halves(&region, axis).0))?,
        };
        let (first, second) = halves(&region, axis);
        open.push(second);
        open.push(first);
    }
    Some(pieces)
}

/// The halves of a box along an axis.
fn halves(region: &Region, axis: usize) -> (Region, Region) {
    let half = region.shape[axis] / 2;
    let (mut first, mut second) = (region.clone(), region.clone());
    first.shape[axis] = half;
    second.start[axis] += half;
    second.shape[axis] -= half;
    (first, second)
}

/// One buffer of a task as a piece sees it: which bytes are uploaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Upload {
    /// Number of the task's buffer.
    pub buffer: usize,
    /// The bytes; they begin at a multiple of what their place asks for.
    pub bytes: Range<usize>,
}

/// What a piece uploads, and per program input: which upload, and the access into it.
pub(super) fn uploads(placed: &Placed<'_>, part: &Region) -> (Vec<Upload>, Vec<(usize, Access)>) {
    let task = placed.task;
    let mut uploads: Vec<Upload> = Vec::new();
    for (binding, dtype) in task.bindings.iter().zip(&task.program.inputs) {
        let window = window(&binding.access, part);
        let (start, end) = (window.start * dtype.size(), window.end * dtype.size());
        let unit = alignment(&placed.bytes(binding.buffer));
        let start = start / unit * unit;
        match uploads.iter_mut().find(|u| u.buffer == binding.buffer) {
            Some(upload) => {
                upload.bytes = upload.bytes.start.min(start)..upload.bytes.end.max(end);
            }
            None => uploads.push(Upload {
                buffer: binding.buffer,
                bytes: start..end,
            }),
        }
    }
    let inputs = task
        .bindings
        .iter()
        .zip(&task.program.inputs)
        .map(|(binding, dtype)| {
            let at = uploads
                .iter()
                .position(|u| u.buffer == binding.buffer)
                .unwrap_or(0);
            let shift = uploads[at].bytes.start / dtype.size();
            (at, shrink(&binding.access, part, shift))
        })
        .collect();
    (uploads, inputs)
}

/// The access of a box of the block, into a buffer that begins `shift` elements later.
fn shrink(access: &Access, part: &Region, shift: usize) -> Access {
    let mut offset = access.offset - shift as isize;
    let mut steps = Vec::with_capacity(part.rank());
    for (axis, step) in access.steps.iter().enumerate() {
        let (start, len) = (part.start[axis], part.shape[axis]);
        match step {
            AxisStep::Step(k) => {
                offset += k * start as isize;
                steps.push(AxisStep::Step(if len == 1 { 0 } else { *k }));
            }
            AxisStep::Table(t) if len == 1 => {
                offset += t[start];
                steps.push(AxisStep::Step(0));
            }
            AxisStep::Table(t) if start == 0 && len == t.len() => steps.push(AxisStep::Table(t.clone())),
            AxisStep::Table(t) => steps.push(AxisStep::Table(t[start..start + len].into())),
        }
    }
    Access { offset, steps }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_block_in_order() {
        let pieces = cut(&[5, 7], &|r| r.len() <= 6, None).unwrap_or_default();
        let mut next = 0;
        for piece in &pieces {
            assert!(piece.len() <= 6);
            assert_eq!(piece.start[0] * 7 + piece.start[1], next, "{piece:?}");
            next += piece.len();
        }
        assert_eq!(next, 35);
        assert_eq!(cut(&[2], &|_| false, None), None);
        assert_eq!(cut(&[0, 4], &|_| false, None), Some(vec![]));
        assert_eq!(cut(&[], &|_| true, None).map(|p| p.len()), Some(1));
        assert_eq!(cut(&[MOST_PIECES + 1], &|r| r.len() <= 1, None), None);
    }

    #[test]
    fn pieces_of_little_weight_are_few() {
        // A column weighs as much as it spans.
        let weight = |r: &Region| (r.shape[0] + 100 * r.shape[1]) as u64;
        let pieces = cut(&[64, 8], &|r| weight(r) <= 264, Some(&weight)).unwrap_or_default();
        assert_eq!(pieces.len(), 4);
        assert_eq!(pieces.iter().map(Region::len).sum::<usize>(), 512);
    }

    #[test]
    fn windows_follow_negative_steps_and_tables() {
        let access = Access {
            offset: 20,
            steps: vec![AxisStep::Step(-5), AxisStep::Table(vec![3, 0, 4].into())],
        };
        let part = Region::new(vec![1, 1], vec![3, 2]);
        assert_eq!(window(&access, &part), 5..20);
        let small = shrink(&access, &part, 4);
        assert_eq!(small.offset, 11);
        assert_eq!(
            small.steps,
            [AxisStep::Step(-5), AxisStep::Table(vec![0, 4].into())]
        );
    }
}
