//! An array that already lies in memory, as a source.
//!
//! What a user hands over from `ndarray`, a list or a buffer of their own is read like any file,
//! except that it can also be borrowed whole, so no copy is made of it.

use super::{Source, copy_region};
use crate::geometry::{Region, checked_bytes};
use crate::{Error, Result};
use bytemuck::Pod;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tilewise_kernels::{DType, Element};
use xxhash_rust::xxh3::xxh3_64;

/// A dense row-major array in host memory. The memory is the user's: no budget counts it.
#[derive(Clone)]
pub struct MemorySource {
    shape: Vec<usize>,
    dtype: DType,
    data: Arc<dyn AsRef<[u8]> + Send + Sync>,
    fingerprint: u64,
}

/// A vector of elements seen as bytes.
struct Elements<T>(Vec<T>);

impl<T: Pod> AsRef<[u8]> for Elements<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

impl MemorySource {
    /// An array over bytes in memory, whose content must not change.
    ///
    /// # Errors
    /// When `data` has not exactly the bytes of `shape` and `dtype`.
    pub fn new(
        shape: &[usize],
        dtype: DType,
        data: Arc<dyn AsRef<[u8]> + Send + Sync>,
    ) -> Result<MemorySource> {
        let expected = checked_bytes(shape, dtype.size())?;
        let given = (*data).as_ref().len();
        if given != expected {
            return Err(Error::invalid(format!(
                "{given} bytes given for an array of shape {shape:?} and dtype {dtype}, which has {expected}"
            )));
        }
        Ok(MemorySource {
            shape: shape.to_vec(),
            dtype,
            data,
            fingerprint: fingerprint(),
        })
    }

    /// An array of a vector's elements, not copied. For `bool`, bytes of 0 and 1.
    ///
    /// # Errors
    /// When the vector has not as many elements as `shape`.
    pub fn from_vec<T: Element>(shape: &[usize], values: Vec<T::Stored>) -> Result<MemorySource> {
        MemorySource::new(shape, T::DTYPE, Arc::new(Elements(values)))
    }
}

/// A number that no other source has: content is told apart by identity, as hashing it would read
/// all of it.
fn fingerprint() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    xxh3_64(format!("memory array {number} of process {}", std::process::id()).as_bytes())
}

impl Source for MemorySource {
    fn name(&self) -> String {
        format!("array in memory ({} {:?})", self.dtype, self.shape)
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn chunks(&self) -> Option<&[usize]> {
        None
    }

    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        let inside = region.rank() == self.shape.len() && Region::whole(&self.shape).contains(region);
        let bytes = region.len() * self.dtype.size();
        if !inside || out.len() != bytes {
            return Err(Error::invalid(format!(
                "{region:?} cannot be read from {} into {} bytes",
                self.name(),
                out.len()
            )));
        }
        let data = (*self.data).as_ref();
        let origin = vec![0; region.rank()];
        copy_region(
            data,
            &self.shape,
            region,
            out,
            &region.shape,
            &origin,
            self.dtype.size(),
        );
        Ok(())
    }

    fn scratch_bytes(&self, _: &Region) -> usize {
        0
    }

    fn stored_bytes(&self) -> u64 {
        (*self.data).as_ref().len() as u64
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn durable_fingerprint(&self) -> Option<u64> {
        Some(xxh3_64((*self.data).as_ref()))
    }

    fn in_memory(&self) -> Option<&[u8]> {
        Some((*self.data).as_ref())
    }
}

impl fmt::Debug for MemorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance;
    use super::*;

    #[test]
    fn conforms_for_every_rank() {
        for shape in [&[][..], &[0], &[1], &[7], &[3, 0, 2], &[4, 5, 6], &[2, 1, 3, 5]] {
            let count: usize = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|i| i as f32 - 3.5).collect();
            let source = MemorySource::from_vec::<f32>(shape, values.clone()).unwrap();
            conformance::source(&source, bytemuck::cast_slice(&values));
        }
    }

    #[test]
    fn keeps_special_bits_and_small_dtypes() {
        let bits = [
            f64::NAN.to_bits() | 5,
            (-0.0f64).to_bits(),
            f64::INFINITY.to_bits(),
            1,
        ];
        let source = MemorySource::from_vec::<f64>(&[2, 2], bits.map(f64::from_bits).to_vec()).unwrap();
        conformance::source(&source, bytemuck::cast_slice(&bits));
        let source = MemorySource::from_vec::<bool>(&[3], vec![1, 0, 1]).unwrap();
        assert_eq!(source.dtype(), DType::Bool);
        conformance::source(&source, &[1, 0, 1]);
    }

    #[test]
    fn wrong_lengths_and_regions_are_errors() {
        let text = MemorySource::from_vec::<i16>(&[2, 3], vec![0; 5])
            .unwrap_err()
            .to_string();
        assert_eq!(
            text,
            "10 bytes given for an array of shape [2, 3] and dtype int16, which has 12"
        );
        assert!(MemorySource::from_vec::<u8>(&[usize::MAX, 2], vec![]).is_err());
        let source = MemorySource::from_vec::<u8>(&[4], vec![1, 2, 3, 4]).unwrap();
        let out = &mut [0; 2][..];
        assert!(source.read(&Region::new(vec![3], vec![2]), out).is_err());
        assert!(source.read(&Region::new(vec![0, 0], vec![1, 2]), out).is_err());
        assert!(source.read(&Region::new(vec![0], vec![3]), out).is_err());
    }

    #[test]
    fn identity_is_the_fingerprint_and_nothing_is_copied() {
        let values = vec![1u32, 2];
        let address = values.as_ptr().cast::<u8>();
        let a = MemorySource::from_vec::<u32>(&[2], values).unwrap();
        let b = MemorySource::from_vec::<u32>(&[2], vec![1, 2]).unwrap();
        assert_eq!(a.in_memory().unwrap().as_ptr(), address);
        assert_eq!(a.fingerprint(), a.clone().fingerprint());
        assert_ne!(a.fingerprint(), b.fingerprint());
        assert_eq!(a.durable_fingerprint(), b.durable_fingerprint());
        let c = MemorySource::from_vec::<u32>(&[2], vec![1, 3]).unwrap();
        assert_ne!(a.durable_fingerprint(), c.durable_fingerprint());
    }
}
