//! What several tests share: sources that behave like files.

#![allow(clippy::unwrap_used)] // a panic is how a test fails
#![allow(dead_code)] // each test binary uses its part

use std::sync::Arc;
use tilewise::geometry::Region;
use tilewise::store::{MemorySource, Source};
use tilewise::{DType, Result};

/// An array that is read region by region like a chunked file, never in place.
#[derive(Debug)]
pub struct FileLike {
    name: String,
    shape: Vec<usize>,
    dtype: DType,
    chunk: Option<Vec<usize>>,
    stored: u64,
    data: Option<MemorySource>,
}

impl FileLike {
    /// A source without data, for plans.
    pub fn plan_only(name: &str, shape: &[usize], dtype: DType, chunk: Option<&[usize]>) -> Arc<FileLike> {
        let stored = (shape.iter().product::<usize>() * dtype.size()) as u64;
        let (shape, chunk) = (shape.to_vec(), chunk.map(<[usize]>::to_vec));
        Arc::new(FileLike {
            name: name.into(),
            shape,
            dtype,
            chunk,
            stored,
            data: None,
        })
    }

    /// A source of these elements.
    pub fn of<T: tilewise::kernels::Element>(
        name: &str,
        shape: &[usize],
        chunk: Option<&[usize]>,
        values: &[T],
    ) -> Arc<FileLike> {
        let stored: Vec<T::Stored> = values.iter().map(|v| v.store()).collect();
        let data = MemorySource::from_vec::<T>(shape, stored).unwrap();
        let mut source = FileLike::plan_only(name, shape, T::DTYPE, chunk);
        Arc::get_mut(&mut source).unwrap().data = Some(data);
        source
    }

    /// The same with its bytes compressed to `stored`.
    pub fn compressed(mut self: Arc<FileLike>, stored: u64) -> Arc<FileLike> {
        Arc::get_mut(&mut self).unwrap().stored = stored;
        self
    }
}

impl Source for FileLike {
    fn name(&self) -> String {
        self.name.clone()
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn dtype(&self) -> DType {
        self.dtype
    }
    fn chunks(&self) -> Option<&[usize]> {
        self.chunk.as_deref()
    }
    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        self.data
            .as_ref()
            .expect("a source for plans has no data")
            .read(region, out)
    }
    fn scratch_bytes(&self, _: &Region) -> usize {
        0
    }
    fn stored_bytes(&self) -> u64 {
        self.stored
    }
    fn fingerprint(&self) -> u64 {
        self.name
            .bytes()
            .fold(7, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b)))
    }
}
