//! Chunks with rarer codecs, decoded by the crate `zarrs`.
//!
//! It knows what we have no steps for: filters of numbers such as `fixedscaleoffset`, `bitround` or
//! `packbits`, bzip2, shards within shards. It makes new buffers for every chunk, so the common chains do
//! not come here; and the compressors among ours at the end of a chain are undone by us first, because
//! ours are told how much a chunk may hold.

use super::codec::{Step, parts};
use super::files::grow;
use super::meta::ArrayMeta;
use super::pipeline::{DecodeScratch, decode_open};
use crate::DType;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use zarrs::array::codec::api::ArrayToBytesCodecTraits;
use zarrs::array::{ArrayMetadataV2, ArrayMetadataV3, CodecChain, CodecOptions, DataType, FillValue};

/// What decodes the chunks of one array.
pub(super) struct General {
    chain: CodecChain,
    /// Steps that are done after the chain when a chunk is written.
    steps: Vec<Step>,
    shape: Vec<NonZeroU64>,
    dtype: DataType,
    fill: FillValue,
    bytes: usize,
    /// The most bytes between the chain and the steps.
    between: usize,
}

impl fmt::Debug for General {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "General({:?} of {} bytes)", self.shape, self.bytes)
    }
}

/// The most bytes that a stored chunk of `bytes` may have: filters may make elements wider.
pub(super) fn stored_bound(bytes: usize) -> usize {
    bytes.saturating_mul(9).saturating_add(64 << 10)
}

/// Bytes that decoding a chunk of `bytes` holds.
pub(super) fn scratch_bytes(bytes: usize) -> usize {
    stored_bound(bytes).saturating_mul(4)
}

impl General {
    /// What decodes the chunks of an array, where the crate can; `codec` is what our own steps lack.
    ///
    /// # Errors
    /// Names the codec.
    pub fn new(meta: &ArrayMeta, dtype: DType, codec: &str) -> Result<General, String> {
        let lacking = |e: String| {
            format!(
                "it is stored with the codec {codec}, which is not read ({e}): rewrite it with zarr-python \
                 and a codec such as zstd or blosc"
            )
        };
        guarded(|| General::build(meta, dtype)).map_err(lacking)
    }

    fn build(meta: &ArrayMeta, dtype: DType) -> Result<General, String> {
        let told = |e: &dyn fmt::Display| e.to_string();
        let (metadata, mut steps) = match meta.version {
            2 => {
                let (json, steps) = without_compressor(&meta.json, dtype);
                let old: ArrayMetadataV2 =
                    serde_json::from_value(Value::Object(json)).map_err(|e| told(&e))?;
                let new = zarrs::convert::array_metadata_v2_to_v3(&old).map_err(|e| told(&e))?;
                (new, steps)
            }
            _ => {
                let json = Value::Object(meta.json.clone());
                let new: ArrayMetadataV3 = serde_json::from_value(json).map_err(|e| told(&e))?;
                (new, Vec::new())
            }
        };
        let mut codecs = metadata.codecs;
        while let Some(last) = codecs.last() {
            let json = serde_json::to_value(last).map_err(|e| told(&e))?;
            let (name, settings) = parts(&json);
            let Some(step) = Step::of(name, settings, dtype.size(), false) else {
                break;
            };
            steps.insert(0, step);
            codecs.pop();
        }
        let chain = CodecChain::from_metadata(&codecs).map_err(|e| told(&e))?;
        let data_type = DataType::from_metadata(&metadata.data_type).map_err(|e| told(&e))?;
        let shape = meta.grid.iter().map(|&n| NonZeroU64::new(n as u64));
        let shape: Vec<NonZeroU64> = shape.collect::<Option<_>>().ok_or("a chunk without elements")?;
        let fill = FillValue::new(meta.fill.clone());
        let bytes = meta.grid.iter().product::<usize>() * dtype.size();
        let between = chain
            .encoded_representation(&shape, &data_type, &fill)
            .map_err(|e| told(&e))?
            .size()
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(usize::MAX);
        Ok(General {
            chain,
            steps,
            shape,
            dtype: data_type,
            fill,
            bytes,
            between: between.min(stored_bound(bytes)),
        })
    }

    /// The elements of a stored chunk.
    pub fn decode(&self, stored: &[u8]) -> Result<Vec<u8>, String> {
        let mut scratch = DecodeScratch::new();
        let stored = match self.steps.as_slice() {
            [] => Cow::Borrowed(stored),
            steps => {
                grow(&mut scratch.raw, stored.len())?;
                scratch.raw[..stored.len()].copy_from_slice(stored);
                let len = decode_open(steps, &mut scratch, stored.len(), self.between)?;
                Cow::Borrowed(&scratch.raw[..len])
            }
        };
        let mut options = CodecOptions::default();
        options.set_concurrent_target(1);
        let decoded = guarded(|| {
            let decoded = self
                .chain
                .decode(stored, &self.shape, &self.dtype, &self.fill, &options);
            let decoded = decoded.map_err(|e| e.to_string())?;
            decoded
                .into_fixed()
                .map(Cow::into_owned)
                .map_err(|e| e.to_string())
        })?;
        match decoded.len() == self.bytes {
            true => Ok(decoded),
            false => Err(format!(
                "the chunk holds {} bytes instead of {}",
                decoded.len(),
                self.bytes
            )),
        }
    }
}

/// Metadata of the second version without its compressor where that is one of our steps, and the step.
fn without_compressor(json: &Map<String, Value>, dtype: DType) -> (Map<String, Value>, Vec<Step>) {
    let mut json = json.clone();
    let compressor = json.get("compressor").cloned().unwrap_or(Value::Null);
    let name = compressor["id"].as_str().unwrap_or_default();
    let step = Step::of(name, &compressor, dtype.size(), true);
    if step.is_some() {
        json.insert("compressor".to_string(), Value::Null);
    }
    (json, step.into_iter().collect())
}

/// Runs code of the crate on what a file says; where it panics, that is an error like any other.
fn guarded<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("the chunk or its metadata is broken".into()))
}
