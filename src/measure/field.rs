//! The arrays that are measured: made-up numbers in memory that was touched before.
//!
//! A number follows from its index alone, so that any program can make the same array and compare
//! its answer.

use crate::store::{Budget, Buffer, MemorySource, Pool, Tier};
use crate::{Array, Error, Result, Session, f16};
use rayon::prelude::*;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tilewise_kernels::DType;

/// Elements that one thread makes at a time.
const PIECE: usize = 1 << 16;

/// Equally distributed in [0, 1), in steps of 2^-24, by index and seed.
pub fn uniform(index: usize, seed: u32) -> f32 {
    let mut x = (index as u32).wrapping_add(seed.wrapping_mul(0x9e37_79b9));
    x = (x ^ (x >> 16)).wrapping_mul(0x21f0_aaad);
    x = (x ^ (x >> 15)).wrapping_mul(0x735a_2d97);
    x ^= x >> 15;
    (x >> 8) as f32 / 16_777_216.0
}

/// What the numbers of a field are.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Numbers {
    /// `low + span * uniform`, rounded to f32.
    Between(f32, f32),
    /// The same, with a NaN at each index whose `uniform` of the next seed is below 1/128.
    Gaps(f32, f32),
}

impl Numbers {
    /// The number at an index.
    pub fn at(self, index: usize, seed: u32) -> f32 {
        let (Numbers::Between(low, span) | Numbers::Gaps(low, span)) = self;
        if matches!(self, Numbers::Gaps(..)) && uniform(index, seed + 1) < 1.0 / 128.0 {
            return f32::NAN;
        }
        low + span * uniform(index, seed)
    }
}

/// An array in memory, with its numbers at hand for checks.
#[derive(Clone)]
pub struct Field {
    memory: Arc<Memory>,
    shape: Vec<usize>,
    dtype: DType,
    /// The session that keeps the array as tiles of its own, and the array once it is asked for.
    keeper: Option<(Session, Arc<OnceLock<Array>>)>,
}

/// A buffer whose owner lends it to sources.
struct Memory(Buffer);

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Field {
    /// Its lazy array: of its memory, or of tiles that a session keeps.
    ///
    /// # Errors
    /// When its size does not fit 64 bits; what keeping it meets.
    pub fn array(&self) -> Result<Array> {
        let source = MemorySource::new(&self.shape, self.dtype, self.memory.clone())?;
        let array = Array::from_source(Arc::new(source))?;
        let Some((session, kept)) = &self.keeper else {
            return Ok(array);
        };
        if let Some(kept) = kept.get() {
            return Ok(kept.clone());
        }
        let tiles = session.persist(&array)?;
        Ok(kept.get_or_init(|| tiles).clone())
    }

    /// The number at a flat index.
    pub fn at(&self, index: usize) -> f64 {
        element(&self.memory.0, self.dtype, index)
    }

    /// Its elements where they are f32.
    pub fn f32(&self) -> &[f32] {
        bytemuck::cast_slice(&self.memory.0)
    }

    /// Its bytes.
    pub fn bytes(&self) -> usize {
        self.memory.0.len()
    }
}

/// An element of dense bytes as f64; integers of 64 bits are rounded.
pub fn element(bytes: &[u8], dtype: DType, index: usize) -> f64 {
    let size = dtype.size();
    let at = &bytes[index * size..][..size];
    let cast = |value| tilewise_kernels::Scalar::from_bytes(dtype, value);
    cast(at).to_f64()
}

/// Memory for fields and results, recycled; and the fields made last.
pub struct Fields {
    pool: Pool,
    made: Mutex<Vec<(Key, Field)>>,
    keeper: Option<Session>,
}

/// What tells a field apart: its shape, dtype, numbers and seed.
type Key = (Vec<usize>, DType, Numbers, u32);

/// How many fields are kept for the next family.
const KEPT: usize = 3;

impl Fields {
    /// No fields yet.
    pub fn new() -> Fields {
        Fields {
            pool: Pool::new(&Budget::new(Tier::Host, u64::MAX)),
            made: Mutex::default(),
            keeper: None,
        }
    }

    /// No fields yet; the arrays of later ones are kept by a session, wherever its tiles are.
    pub fn kept_by(session: Session) -> Fields {
        Fields {
            keeper: Some(session),
            ..Fields::new()
        }
    }

    /// Memory of so many bytes that has been touched.
    ///
    /// # Errors
    /// When the system has none.
    pub fn memory(&self, bytes: usize) -> Result<Buffer> {
        let mut buffer = self.pool.take("measured results", bytes)?;
        buffer.par_chunks_mut(PIECE).for_each(|piece| piece.fill(0x5a));
        Ok(buffer)
    }

    /// A field of that shape.
    ///
    /// # Errors
    /// When the system has no memory for it, or numbers have no such dtype.
    pub fn make(&self, shape: &[usize], dtype: DType, numbers: Numbers, seed: u32) -> Result<Field> {
        let key = (shape.to_vec(), dtype, numbers, seed);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, field)) = made.iter().find(|(k, _)| *k == key) {
            return Ok(field.clone());
        }
        // The oldest goes before the new one comes, so that its memory is used again.
        if made.len() >= KEPT {
            made.remove(0);
        }
        let bytes = crate::geometry::checked_bytes(shape, dtype.size())?;
        let mut buffer = self.pool.take("measured arrays", bytes)?;
        match dtype {
            DType::F32 => fill::<f32>(&mut buffer, |i| numbers.at(i, seed)),
            DType::F64 => fill::<f64>(&mut buffer, |i| f64::from(numbers.at(i, seed))),
            DType::F16 => fill::<f16>(&mut buffer, |i| f16::from_f32(numbers.at(i, seed))),
            DType::I16 => fill::<i16>(&mut buffer, |i| numbers.at(i, seed) as i16),
            DType::I32 => fill::<i32>(&mut buffer, |i| numbers.at(i, seed) as i32),
            other => return Err(Error::invalid(format!("no measured arrays of {other} are made"))),
        }
        let field = Field {
            memory: Arc::new(Memory(buffer)),
            shape: shape.to_vec(),
            dtype,
            keeper: self.keeper.clone().map(|session| (session, Arc::default())),
        };
        made.push((key, field.clone()));
        Ok(field)
    }

    /// Forgets all fields and gives idle memory back.
    pub fn clear(&self) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.pool.clear();
    }
}

impl Default for Fields {
    fn default() -> Fields {
        Fields::new()
    }
}

fn fill<T: bytemuck::Pod + Send>(buffer: &mut [u8], value: impl Fn(usize) -> T + Sync) {
    let all: &mut [T] = bytemuck::cast_slice_mut(buffer);
    all.par_chunks_mut(PIECE).enumerate().for_each(|(n, piece)| {
        for (i, slot) in piece.iter_mut().enumerate() {
            *slot = value(n * PIECE + i);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_even_and_repeat() {
        let mean: f64 = (0..100_000).map(|i| f64::from(uniform(i, 1))).sum::<f64>() / 1e5;
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
        let fields = Fields::new();
        let numbers = Numbers::Gaps(200.0, 100.0);
        let field = fields.make(&[40, 50], DType::F32, numbers, 3).unwrap();
        let gaps = (0..2000).filter(|&i| field.at(i).is_nan()).count();
        assert!((5..40).contains(&gaps), "{gaps} NaN");
        assert!((0..2000).all(|i| field.at(i).is_nan() || (200.0..300.0).contains(&field.at(i))));
        assert_eq!(field.array().unwrap().shape(), [40, 50]);
        assert!(fields.make(&[4], DType::U8, numbers, 3).is_err());
    }
}
