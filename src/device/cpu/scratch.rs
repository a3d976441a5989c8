//! Scratch of one worker: aligned strips for values, and short lists that are used again.

use super::code::Code;
use super::space::{MOST, STRIP};
use crate::plan::program::Output;
use std::sync::Arc;

/// Bytes that strips are aligned to: a cache line, and the widest vector.
const ALIGN: usize = 64;

/// Aligned bytes.
#[derive(Default)]
pub(super) struct Slot {
    words: Vec<u64>,
    skip: usize,
}

impl Slot {
    /// Makes room for at least `bytes`.
    fn reserve(&mut self, bytes: usize) {
        let words = (bytes + ALIGN).div_ceil(8);
        if self.words.len() < words {
            self.words = vec![0; words];
            self.skip = self.words.as_ptr().align_offset(ALIGN);
        }
    }

    /// The first `len` bytes.
    pub(super) fn bytes(&self, len: usize) -> &[u8] {
        &bytemuck::cast_slice(&self.words[self.skip..])[..len]
    }

    /// Its first byte, from which all that was reserved is reached.
    pub(super) fn start(&mut self) -> *mut u8 {
        self.words[self.skip..].as_mut_ptr().cast()
    }

    /// The first `len` bytes, to be written.
    pub(super) fn bytes_mut(&mut self, len: usize) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words[self.skip..])[..len]
    }
}

/// What one worker needs to run code.
#[derive(Default)]
pub(super) struct Scratch {
    /// The code that it ran last.
    pub last: Option<Arc<Code>>,
    /// Strips of values.
    pub slots: Vec<Slot>,
    /// Per node: where each row of the strip begins in its input, in elements.
    pub starts: Vec<Vec<usize>>,
    /// Rows of the strip: their indices along the dimension of rows.
    pub rows: Vec<usize>,
    /// Rows fed to a reduction: where they begin, their cells and their indices.
    pub fed: (Vec<usize>, Vec<usize>, Vec<i64>),
}

impl Scratch {
    /// Bytes of its strips and lists.
    pub(super) fn bytes(&self) -> usize {
        let strips: usize = self.slots.iter().map(|slot| 8 * slot.words.capacity()).sum();
        let lists: usize = self.starts.iter().map(|list| 8 * list.capacity()).sum();
        strips + lists
    }

    /// Makes room for strips of `strip` elements of `code`.
    pub(super) fn prepare(&mut self, code: &Code, strip: usize) {
        if self.slots.len() < code.slots {
            self.slots.resize_with(code.slots, Slot::default);
        }
        for node in &code.nodes {
            self.slots[node.slot].reserve(strip * node.dtype.size());
        }
        if self.starts.len() < code.nodes.len() {
            self.starts.resize_with(code.nodes.len(), Vec::new);
        }
    }
}

/// Most bytes that scratch for `code` grows to over a block of `elements`.
pub(super) fn scratch_bytes(code: &Code, elements: usize) -> usize {
    let mut outputs = code.program.outputs.iter();
    let reduces = outputs.any(|o| matches!(o, Output::Reduce { .. }));
    let strip = elements.min(if reduces { MOST } else { STRIP });
    let lists = (code.nodes.len() + 4) * strip.min(STRIP) * size_of::<usize>();
    // Rectangles of bytes, where inputs are transposed, hold twice as many.
    code.slots * (strip * code.widest.max(2) + 2 * ALIGN) + lists
}
