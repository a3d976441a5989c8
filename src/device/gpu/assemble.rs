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

/// The kernel that copies a box.
const COPY_BOX: &str = include_str!("../../../shaders/blocks/copy_box.wgsl");

/// Invocations of its workgroups.
const WORKGROUP: u32 = 64;

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
    /// The kernel that copies boxes.
    pub(super) fn copy_kernel(&self) -> Result<Arc<Compiled>> {
        self.pipelines.text(&self.home.context, COPY_BOX)
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
        let (words, threads): (Vec<Vec<u32>>, Vec<u32>) =
            pieces.iter().map(|piece| plan(piece, shape, size)).unzip();
        let mut need = Need::new(self);
        need.output(&OutMut::Keep(&mut tile), bytes);
        need.many(&words);
        let kernel = self.copy_kernel()?;
        let mut launch = Launch::new(self, need)?;
        let out = launch.output(bytes)?;
        let parameters = launch.many(&words)?;
        for ((piece, parameters), threads) in pieces.iter().zip(&parameters).zip(threads) {
            let source = launch.operand(Bytes::Resident(&piece.tile), 0..piece.tile.len())?;
            launch.dispatch(&kernel, &[parameters, &source, &out], threads.div_ceil(WORKGROUP))?;
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
        let (words, threads): (Vec<Vec<u32>>, Vec<u32>) = boxes
            .iter()
            .map(|part| box_words(shape, &part.start, part, &part.shape, &origin, size))
            .unzip();
        let mut cut: Vec<Option<Resident>> = boxes.iter().map(|_| None).collect();
        let mut need = Need::new(self);
        need.many(&words);
        for (part, tile) in boxes.iter().zip(&mut cut) {
            need.output(&OutMut::Keep(tile), part.len() * size);
        }
        let kernel = self.copy_kernel()?;
        let mut launch = Launch::new(self, need)?;
        let source = launch.operand(Bytes::Resident(tile), 0..tile.len())?;
        let parameters = launch.many(&words)?;
        let mut results = Vec::with_capacity(boxes.len());
        for (((part, tile), parameters), threads) in boxes.iter().zip(&mut cut).zip(&parameters).zip(threads)
        {
            let out = launch.output(part.len() * size)?;
            launch.dispatch(&kernel, &[parameters, &source, &out], threads.div_ceil(WORKGROUP))?;
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
        let (words, threads) = flat_copy(bytes.len());
        need.output(&OutMut::Keep(&mut tile), bytes.len());
        need.upload(4 * words.len());
        need.upload_or_stage(bytes.len());
        let mut launch = Launch::new(self, need)?;
        let out = launch.output(bytes.len())?;
        if !launch.stage(bytes, &out)? {
            let (source, parameters) = (launch.upload(bytes)?, launch.words(&words)?);
            let bindings = [&parameters, &source, &out];
            launch.dispatch(&self.copy_kernel()?, &bindings, threads.div_ceil(WORKGROUP))?;
        }
        launch.finish(vec![(out, OutMut::Keep(&mut tile))])?;
        tile.ok_or_else(|| Error::Device("a tile was not sent".into()))
    }
}

/// Parameters and invocations for a copy of so many bytes, in whole words.
fn flat_copy(bytes: usize) -> (Vec<u32>, u32) {
    let whole = Region::whole(&[bytes.div_ceil(4)]);
    box_words(&whole.shape, &[0], &whole, &whole.shape, &[0], 4)
}

/// Parameters and invocations of a piece's copy.
fn plan(piece: &Piece, shape: &[usize], size: usize) -> (Vec<u32>, u32) {
    box_words(
        &piece.shape,
        &piece.from.start,
        &piece.from,
        shape,
        &piece.at,
        size,
    )
}

/// Parameters and invocations for a copy of a box from an array of shape `from` at `first` to an
/// array of shape `to` at `at`.
fn box_words(
    from: &[usize],
    first: &[usize],
    what: &Region,
    to: &[usize],
    at: &[usize],
    size: usize,
) -> (Vec<u32>, u32) {
    let rank = to.len();
    let bytes =
        |shape: &[usize]| -> Vec<usize> { row_major_strides(shape).into_iter().map(|s| s * size).collect() };
    let (source, target) = (bytes(from), bytes(to));
    let dot = |strides: &[usize], at: &[usize]| -> usize { strides.iter().zip(at).map(|(s, i)| s * i).sum() };
    let row = what.shape[rank - 1] * size;
    // A narrow row may begin and end within a word.
    let words = if size >= 4 { row / 4 } else { row.div_ceil(4) + 1 };
    let rows: usize = what.shape[..rank - 1].iter().product();
    let mut list = vec![rows * words, rank, size, words];
    list.extend(&what.shape[..rank - 1]);
    list.extend(&source[..rank - 1]);
    list.extend(&target[..rank - 1]);
    list.extend([dot(&source, first), dot(&target, at), row]);
    (
        list.into_iter().map(|n| n as u32).collect(),
        (rows * words) as u32,
    )
}
