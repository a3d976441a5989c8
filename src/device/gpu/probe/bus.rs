//! The ways of bytes between host and device, for the probe: a ring of staging buffers that are
//! used again and again, and memory that both see.

use super::{buffer, pattern};
use crate::Result;
use crate::device::gpu::context::Context;
use rayon::prelude::*;
use std::collections::VecDeque;
use wgpu::{BufferUsages, CommandEncoder, MapMode};

/// Bytes of a staging buffer.
const STAGED: u64 = 16 << 20;

/// Staging buffers of one direction.
const RING: usize = 4;

/// Bytes that one thread copies at a time.
const PIECE: usize = 256 << 10;

/// Bytes of memory that both see, at most.
const MAPPED: u64 = 64 << 20;

/// A part of an array on its way to the host.
struct Piece {
    number: usize,
    at: usize,
    len: usize,
    submission: wgpu::SubmissionIndex,
}

/// Staging buffers in both directions, what is sent, and where it comes back.
pub(super) struct Bus {
    up: Vec<wgpu::Buffer>,
    down: Vec<wgpu::Buffer>,
    word: wgpu::Buffer,
    sent: Vec<u32>,
    back: Vec<u32>,
}

impl Bus {
    /// Staging for arrays of so many bytes, and the pattern that is sent.
    pub fn new(context: &Context, bytes: u64) -> Result<Bus> {
        let ring = |usage: BufferUsages| -> Result<Vec<wgpu::Buffer>> {
            (0..RING)
                .map(|_| buffer(context, STAGED.min(bytes), usage))
                .collect()
        };
        Ok(Bus {
            up: ring(BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC)?,
            down: ring(BufferUsages::MAP_READ | BufferUsages::COPY_DST)?,
            word: buffer(context, 4, BufferUsages::MAP_READ | BufferUsages::COPY_DST)?,
            sent: (0..bytes / 4).into_par_iter().map(pattern).collect(),
            back: vec![0; (bytes / 4) as usize],
        })
    }

    /// Records copies of as many bytes as an array has between it and staging memory.
    pub fn record(&self, encoder: &mut CommandEncoder, array: &wgpu::Buffer, up: bool) {
        for (number, (at, len)) in pieces(array.size()).enumerate() {
            match up {
                true => encoder.copy_buffer_to_buffer(&self.up[number % RING], 0, array, at, len),
                false => encoder.copy_buffer_to_buffer(array, at, &self.down[number % RING], 0, len),
            }
        }
    }

    /// Sends the pattern to an array: threads fill a staging buffer while the one before crosses
    /// the bus.
    pub fn upload(&mut self, context: &Context, array: &wgpu::Buffer) -> Result<()> {
        let mut on_the_way = VecDeque::new();
        for (number, (at, len)) in pieces(array.size()).enumerate() {
            if on_the_way.len() == RING
                && let Some(first) = on_the_way.pop_front()
            {
                context.wait(first)?;
            }
            let staging = &self.up[number % RING];
            context.map(staging, MapMode::Write, len)?;
            let mut view = context
                .guard("writing to the device", || staging.get_mapped_range_mut(..len))?
                .map_err(|error| context.error("writing to the device", error))?;
            let from = &bytemuck::cast_slice(&self.sent)[at as usize..(at + len) as usize];
            fill(view.slice(..), from);
            drop(view);
            staging.unmap();
            let mut encoder = context.device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(staging, 0, array, at, len);
            on_the_way.push_back(context.guard("submitting", || context.queue.submit([encoder.finish()]))?);
        }
        on_the_way
            .into_iter()
            .try_for_each(|submission| context.wait(submission))
    }

    /// Brings an array back: threads empty a staging buffer while the next ones are filled.
    pub fn download(&mut self, context: &Context, array: &wgpu::Buffer) -> Result<()> {
        let mut on_the_way = VecDeque::new();
        for (number, (at, len)) in pieces(array.size()).enumerate() {
            if on_the_way.len() == RING
                && let Some(first) = on_the_way.pop_front()
            {
                self.receive(context, first)?;
            }
            let mut encoder = context.device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(array, at, &self.down[number % RING], 0, len);
            let submission = context.guard("submitting", || context.queue.submit([encoder.finish()]))?;
            on_the_way.push_back(Piece {
                number,
                at: at as usize,
                len: len as usize,
                submission,
            });
        }
        on_the_way
            .into_iter()
            .try_for_each(|piece| self.receive(context, piece))
    }

    /// Takes a piece out of its staging buffer, once it is there.
    fn receive(&mut self, context: &Context, piece: Piece) -> Result<()> {
        context.wait(piece.submission)?; // not for the ones behind it, as mapping would
        let staging = &self.down[piece.number % RING];
        let len = piece.len as u64;
        context.map(staging, MapMode::Read, len)?;
        let view = context
            .guard("reading a result", || staging.get_mapped_range(..len))?
            .map_err(|error| context.error("reading a result", error))?;
        let back: &mut [u8] = bytemuck::cast_slice_mut(&mut self.back);
        copy(&view, &mut back[piece.at..piece.at + piece.len]);
        drop(view);
        staging.unmap();
        Ok(())
    }

    /// Whether what came back is what was sent.
    pub fn came_back(&self) -> bool {
        self.sent == self.back
    }

    /// Four bytes of a buffer.
    pub fn peek(&self, context: &Context, from: &wgpu::Buffer, at: u64) -> Result<u32> {
        let mut encoder = context.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(from, at, &self.word, 0, 4);
        context.guard("submitting", || context.queue.submit([encoder.finish()]))?;
        context.map(&self.word, MapMode::Read, 4)?;
        let view = context
            .guard("reading a result", || self.word.get_mapped_range(..))?
            .map_err(|error| context.error("reading a result", error))?;
        let word = view.first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
        drop(view);
        self.word.unmap();
        Ok(word)
    }
}

/// Where the pieces of an array begin, and how long they are.
fn pieces(bytes: u64) -> impl Iterator<Item = (u64, u64)> {
    let starts = (0..bytes).step_by(STAGED as usize);
    starts.map(move |at| (at, STAGED.min(bytes - at)))
}

/// Writes mapped memory by several threads.
fn fill(to: wgpu::WriteOnly<'_, [u8]>, from: &[u8]) {
    let (pieces, mut rest) = to.into_chunks::<PIECE>();
    let from = from.par_chunks_exact(PIECE);
    rest.copy_from_slice(from.remainder());
    let pieces: Vec<_> = pieces.into_iter().collect();
    pieces
        .into_par_iter()
        .zip(from)
        .for_each(|(piece, from)| wgpu::WriteOnly::<[u8]>::from(piece).copy_from_slice(from));
}

/// Copies by several threads.
fn copy(from: &[u8], to: &mut [u8]) {
    to.par_chunks_mut(PIECE)
        .zip(from.par_chunks(PIECE))
        .for_each(|(to, from)| to.copy_from_slice(from));
}

/// Memory that kernels and the host see.
pub(super) struct Near {
    written: wgpu::Buffer,
    read: wgpu::Buffer,
    host: Vec<u8>,
}

impl Near {
    /// Two buffers of so many bytes, or of 64 MiB.
    pub fn new(context: &Context, bytes: u64) -> Result<Near> {
        let bytes = bytes.min(MAPPED);
        Ok(Near {
            written: buffer(context, bytes, BufferUsages::STORAGE | BufferUsages::MAP_WRITE)?,
            read: buffer(context, bytes, BufferUsages::STORAGE | BufferUsages::MAP_READ)?,
            host: vec![0x5a; bytes as usize],
        })
    }

    /// Bytes of a turn.
    pub fn bytes(&self) -> u64 {
        self.host.len() as u64
    }

    /// Maps one of the buffers, writes or reads it, and ends the mapping.
    pub fn turn(&mut self, context: &Context, write: bool) -> Result<()> {
        let step = "using mapped memory";
        let len = self.bytes();
        if write {
            context.map(&self.written, MapMode::Write, len)?;
            let mut view = context
                .guard(step, || self.written.get_mapped_range_mut(..))?
                .map_err(|error| context.error(step, error))?;
            fill(view.slice(..), &self.host);
            drop(view);
            self.written.unmap();
        } else {
            context.map(&self.read, MapMode::Read, len)?;
            let view = context
                .guard(step, || self.read.get_mapped_range(..))?
                .map_err(|error| context.error(step, error))?;
            copy(&view, &mut self.host);
            drop(view);
            self.read.unmap();
        }
        Ok(())
    }
}
