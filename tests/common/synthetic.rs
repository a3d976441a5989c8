//! Sources that make their values from indices, of any size, and sinks that keep what is written: what
//! tests of work larger than memory need.

#![allow(clippy::unwrap_used)] // a panic is how a test fails
#![allow(dead_code)] // each test binary uses its part

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tilewise::geometry::{Region, row_major_strides};
use tilewise::kernels::Element;
use tilewise::store::{Sink, Source};
use tilewise::{Array, DType, Result};

/// An array whose element at each row-major place is `value(place)`.
pub struct Synthetic<T> {
    name: String,
    shape: Vec<usize>,
    chunk: Option<Vec<usize>>,
    value: fn(usize) -> T,
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl<T: Element> Synthetic<T> {
    /// A source of that shape, stored in chunks of these extents.
    pub fn new(
        name: &str,
        shape: &[usize],
        chunk: Option<&[usize]>,
        value: fn(usize) -> T,
    ) -> Arc<Synthetic<T>> {
        Arc::new(Synthetic {
            name: name.into(),
            shape: shape.to_vec(),
            chunk: chunk.map(<[usize]>::to_vec),
            value,
            reads: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        })
    }

    /// How often it was read.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Bytes that were read.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// It as an array.
    pub fn array(self: &Arc<Self>) -> Array {
        Array::from_source(self.clone()).unwrap()
    }
}

impl<T> fmt::Debug for Synthetic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.shape)
    }
}

/// Calls `work` with the place of the first element of each row of a region.
fn rows(shape: &[usize], region: &Region, mut work: impl FnMut(usize)) {
    let strides = row_major_strides(shape);
    let outer = region.rank().saturating_sub(1);
    let count: usize = region.shape[..outer].iter().product();
    for number in 0..count {
        let (mut rest, mut place) = (number, region.start.last().copied().unwrap_or(0));
        for axis in (0..outer).rev() {
            place += (region.start[axis] + rest % region.shape[axis]) * strides[axis];
            rest /= region.shape[axis];
        }
        work(place);
    }
}

impl<T: Element> Source for Synthetic<T> {
    fn name(&self) -> String {
        self.name.clone()
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn dtype(&self) -> DType {
        T::DTYPE
    }
    fn chunks(&self) -> Option<&[usize]> {
        self.chunk.as_deref()
    }
    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(out.len() as u64, Ordering::Relaxed);
        let size = size_of::<T::Stored>();
        let len = region.shape.last().copied().unwrap_or(1);
        let mut slots = out.chunks_exact_mut(size);
        rows(&self.shape, region, |first| {
            for (place, slot) in (first..first + len).zip(&mut slots) {
                slot.copy_from_slice(bytemuck::bytes_of(&(self.value)(place).store()));
            }
        });
        Ok(())
    }
    fn scratch_bytes(&self, _: &Region) -> usize {
        0
    }
    fn stored_bytes(&self) -> u64 {
        (self.shape.iter().product::<usize>() * size_of::<T::Stored>()) as u64
    }
    fn fingerprint(&self) -> u64 {
        let bytes = self.name.bytes();
        bytes.fold(11, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b)))
    }
}

/// A sink that keeps what is written.
pub struct Kept {
    shape: Vec<usize>,
    dtype: DType,
    chunks: Option<Vec<usize>>,
    bytes: Mutex<Vec<u8>>,
    writes: AtomicU64,
}

impl Kept {
    /// A sink for an array.
    pub fn of(array: &Array, chunks: Option<&[usize]>) -> Arc<Kept> {
        Arc::new(Kept {
            shape: array.shape().to_vec(),
            dtype: array.dtype(),
            chunks: chunks.map(<[usize]>::to_vec),
            bytes: Mutex::new(vec![0xA5; array.len() * array.dtype().size()]),
            writes: AtomicU64::new(0),
        })
    }

    /// How often it was written to.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// The bytes written.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kept {:?}", self.shape)
    }
}

impl Sink for Kept {
    fn name(&self) -> String {
        "kept".into()
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn dtype(&self) -> DType {
        self.dtype
    }
    fn chunks(&self) -> Option<&[usize]> {
        self.chunks.as_deref()
    }
    fn write(&self, region: &Region, data: &[u8]) -> Result<()> {
        let size = self.dtype.size();
        let row = region.shape.last().copied().unwrap_or(1) * size;
        self.writes.fetch_add(1, Ordering::Relaxed);
        let mut bytes = self.bytes.lock().unwrap();
        let mut from = data.chunks_exact(row.max(1));
        rows(&self.shape, region, |first| {
            if let Some(from) = from.next() {
                bytes[first * size..][..row].copy_from_slice(from);
            }
        });
        Ok(())
    }
    fn scratch_bytes(&self, _: &Region) -> usize {
        0
    }
}
