//! Putting a region together out of tiles that lie on the device, and sending tiles there.
//!
//! A task sees each input as one dense array. Where its part lies in several tiles of the device,
//! they are copied together there instead of going through the host.

use super::Gpu;
use super::launch::{Launch, Need};
use super::pipeline::Compiled;
use super::resident::Resident;
use crate::device::{Bytes, OutMut};
use crate::geometry::{Region, row_major_strides};
use crate::{Error, Result};
use std::sync::Arc;

/// The kernel that copies a box word by word.
const COPY_WORDS: &str = include_str!("../../../shaders/blocks/copy_box.wgsl");
/// The kernel that copies one vector by vector.
const COPY_VECTORS: &str = include_str!("../../../shaders/blocks/copy_box_vectors.wgsl");

/// Bytes of a vector.
const VECTOR: usize = 16;

/// Invocations of its workgroups.
const WORKGROUP: usize = 64;

/// A box of a tile and where it goes.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The tile.
    pub tile: Resident,
    /// The tile's extents.
    pub shape: Vec<usize>,
    /// The box, within the tile.
    pub from: Region,
    /// Its first index in the region.
    pub at: Vec<usize>,
}

impl Gpu {
    /// The kernel of a copy.
    fn copy_kernel(&self, copy: &Copy) -> Result<Arc<Compiled>> {
        let text = if copy.vectors { COPY_VECTORS } else { COPY_WORDS };
        self.pipelines.text(&self.home.context, text)
    }

    /// Whether a region of that shape can be assembled: rows of narrow elements are whole words,
    /// and it can be bound.
    pub(super) fn can_assemble(&self, shape: &[usize], size: usize) -> bool {
        let bytes = shape.iter().fold(size, |n, &d| n.saturating_mul(d));
        let row = shape.last().copied().unwrap_or(1) * size;
        row.is_multiple_of(4) && bytes as u64 + 256 <= self.binding_bytes && bytes < 1 << 31
    }

    /// The region of that shape and element size that the pieces fill.
    ///
    /// # Errors
    /// A shape that does not assemble; what the device meets.
    pub(super) fn assemble_tile(&self, shape: &[usize], size: usize, pieces: &[Piece]) -> Result<Resident> {
        if shape.is_empty() || !self.can_assemble(shape, size) {
            return Err(Error::Device(format!("a region of {shape:?} is not assembled")));
        }
        let bytes = shape.iter().product::<usize>() * size;
        let mut tile = None;
        let copy = |piece: &Piece| Copy::new(&piece.shape, &piece.from, shape, &piece.at, size);
        let copies: Vec<Copy> = pieces.iter().map(copy).collect();
        let words: Vec<Vec<u32>> = copies.iter().map(Copy::words).collect();
        let mut need = Need::new(self);
        need.output(&OutMut::Keep(&mut tile), bytes);
        need.many(&words);
        let mut launch = Launch::new(self, need)?;
        let out = launch.output(bytes)?;
        let parameters = launch.many(&words)?;
        for ((piece, parameters), copy) in pieces.iter().zip(&parameters).zip(&copies) {
            let source = launch.operand(Bytes::Resident(&piece.tile), 0..piece.tile.len())?;
            let kernel = self.copy_kernel(copy)?;
            launch.dispatch(&kernel, &[parameters, &source, &out], copy.workgroups())?;
        }
        launch.finish(vec![(out, OutMut::Keep(&mut tile))])?;
        tile.ok_or_else(|| Error::Device("a region was not assembled".into()))
    }

    /// The boxes of a tile of that shape and element size as tiles of their own.
    ///
    /// # Errors
    /// A box that does not assemble; what the device meets.
    pub(super) fn cut_tile(
        &self,
        tile: &Resident,
        shape: &[usize],
        size: usize,
        boxes: &[Region],
    ) -> Result<Vec<Resident>> {
        if let Some(not) = boxes.iter().find(|b| !self.can_assemble(&b.shape, size)) {
            return Err(Error::Device(format!("a tile of {:?} is not cut", not.shape)));
        }
        let origin = vec![0; shape.len()];
        let copy = |part: &Region| Copy::new(shape, part, &part.shape, &origin, size);
        let copies: Vec<Copy> = boxes.iter().map(copy).collect();
        let words: Vec<Vec<u32>> = copies.iter().map(Copy::words).collect();
        let mut cut: Vec<Option<Resident>> = boxes.iter().map(|_| None).collect();
        let mut need = Need::new(self);
        need.many(&words);
        for (part, tile) in boxes.iter().zip(&mut cut) {
            need.output(&OutMut::Keep(tile), part.len() * size);
        }
        let mut launch = Launch::new(self, need)?;
        let source = launch.operand(Bytes::Resident(tile), 0..tile.len())?;
        let parameters = launch.many(&words)?;
        let mut results = Vec::with_capacity(boxes.len());
        for (((part, tile), parameters), copy) in boxes.iter().zip(&mut cut).zip(&parameters).zip(&copies) {
            let out = launch.output(part.len() * size)?;
            let kernel = self.copy_kernel(copy)?;
            launch.dispatch(&kernel, &[parameters, &source, &out], copy.workgroups())?;
            results.push((out, OutMut::Keep(tile)));
        }
        launch.finish(results)?;
        let whole: Option<Vec<Resident>> = cut.into_iter().collect();
        whole.ok_or_else(|| Error::Device("a tile was not cut".into()))
    }

    /// Bytes of the host as a tile of the device.
    ///
    /// # Errors
    /// What the device meets.
    pub(super) fn upload_tile(&self, bytes: &[u8]) -> Result<Resident> {
        let mut tile = None;
        let mut need = Need::new(self);
        let copy = Copy::flat(bytes.len());
        let words = copy.words();
        need.output(&OutMut::Keep(&mut tile), bytes.len());
        need.upload(4 * words.len());
        need.upload_or_stage(bytes.len());
        let mut launch = Launch::new(self, need)?;
        let out = launch.output(bytes.len())?;
        if !launch.stage(bytes, &out)? {
            let (source, parameters) = (launch.upload(bytes)?, launch.words(&words)?);
            let bindings = [&parameters, &source, &out];
            launch.dispatch(&self.copy_kernel(&copy)?, &bindings, copy.workgroups())?;
        }
        launch.finish(vec![(out, OutMut::Keep(&mut tile))])?;
        tile.ok_or_else(|| Error::Device("a tile was not sent".into()))
    }
}

/// A copy of a box between two dense arrays.
struct Copy {
    /// Bytes of an element.
    size: usize,
    /// The first byte in the source and in the target.
    first: [usize; 2],
    /// Extents, and the strides in bytes of source and target, the outermost first.
    outer: Vec<(usize, [usize; 2])>,
    /// Contiguous bytes.
    row: usize,
    /// Whether it moves whole vectors.
    vectors: bool,
}

impl Copy {
    /// Of the box `what` of an array of shape `from` to an array of shape `to`, where it begins `at`.
    fn new(from: &[usize], what: &Region, to: &[usize], at: &[usize], size: usize) -> Copy {
        let bytes = |shape: &[usize]| -> Vec<usize> {
            row_major_strides(shape).into_iter().map(|s| s * size).collect()
        };
        let (source, target) = (bytes(from), bytes(to));
        let dot = |strides: &[usize], at: &[usize]| strides.iter().zip(at).map(|(s, i)| s * i).sum();
        let first = [dot(&source, &what.start), dot(&target, at)];
        let (mut row, mut outer): (usize, Vec<(usize, [usize; 2])>) = (size, Vec::new());
        for (axis, &extent) in what.shape.iter().enumerate().rev() {
            let strides = [source[axis], target[axis]];
            match outer.last_mut() {
                _ if extent == 1 => {}
                None if strides == [row; 2] => row *= extent,
                // Neighbours that run together in both arrays are one axis.
                Some((inner, steps)) if strides == steps.map(|step| step * *inner) => *inner *= extent,
                _ => outer.push((extent, strides)),
            }
        }
        outer.reverse();
        let steps = outer.iter().flat_map(|(_, strides)| strides);
        let vectors = steps
            .chain(&first)
            .chain([&row])
            .all(|bytes| bytes.is_multiple_of(VECTOR));
        Copy {
            size,
            first,
            outer,
            row,
            vectors,
        }
    }

    /// Of so many bytes, and of what fills up the last vector.
    fn flat(bytes: usize) -> Copy {
        let whole = Region::whole(&[bytes.div_ceil(VECTOR)]);
        Copy::new(&whole.shape, &whole, &whole.shape, &[0], VECTOR)
    }

    /// Invocations of a row.
    fn across(&self) -> usize {
        match (self.vectors, self.size) {
            (true, _) => self.row / VECTOR,
            (false, 4..) => self.row / 4,
            // A narrow row may begin and end within a word.
            _ => self.row.div_ceil(4) + 1,
        }
    }

    fn threads(&self) -> usize {
        self.outer.iter().map(|(extent, _)| extent).product::<usize>() * self.across()
    }

    fn workgroups(&self) -> u32 {
        self.threads().div_ceil(WORKGROUP) as u32
    }

    /// The parameters of its kernel.
    fn words(&self) -> Vec<u32> {
        let mut list = vec![self.threads(), self.outer.len() + 1, self.size, self.across()];
        list.extend(self.outer.iter().map(|(extent, _)| extent));
        list.extend(self.outer.iter().map(|(_, [source, _])| source));
        list.extend(self.outer.iter().map(|(_, [_, target])| target));
        list.extend([self.first[0], self.first[1], self.row]);
        list.into_iter().map(|n| n as u32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::blocks::valid::validate;
    use super::*;

    #[test]
    fn both_kernels_are_valid() {
        validate(COPY_WORDS, false);
        validate(COPY_VECTORS, false);
    }

    #[test]
    fn what_runs_together_is_one_row() {
        let part = Region::new(vec![0, 4, 0], vec![11, 12, 512]);
        let copy = Copy::new(&[11, 361, 512], &part, &[363, 12, 512], &[22, 0, 0], 4);
        assert_eq!((copy.row, copy.vectors), (12 * 512 * 4, true));
        assert_eq!(copy.outer, [(11, [361 * 2048, 12 * 2048])]);
        assert_eq!(copy.first, [4 * 2048, 22 * 12 * 2048]);

        let part = Region::new(vec![1, 0, 1], vec![2, 3, 4]);
        let copy = Copy::new(&[4, 3, 6], &part, &[2, 3, 4], &[0, 0, 0], 4);
        assert_eq!((copy.row, copy.vectors), (16, false));
        assert_eq!(copy.outer, [(6, [24, 16])]);
        assert_eq!(copy.threads(), 6 * 4);

        let copy = Copy::flat(33);
        assert_eq!((copy.row, copy.vectors, copy.threads()), (48, true, 3));
    }
}
