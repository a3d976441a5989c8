//! An array of a store as a [`Source`]: any region, from several threads.

use super::files::Files;
use super::meta::ArrayMeta;
use super::stored::{Stored, Target};
use crate::geometry::Region;
use crate::io::catalog::Variable;
use crate::io::file::check_region;
use crate::store::Source;
use crate::{DType, Result};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// One numeric variable of a store.
#[derive(Debug)]
pub(super) struct ZarrSource {
    stored: Stored,
    stored_bytes: u64,
    fingerprint: u64,
}

impl ZarrSource {
    /// A source for an array.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn new(
        files: Arc<dyn Files>,
        meta: ArrayMeta,
        variable: &Variable,
        dtype: DType,
    ) -> Result<ZarrSource, String> {
        let mut identity = files.identity(&meta.folder).to_le_bytes().to_vec();
        identity.extend(variable.name.as_bytes());
        identity.extend(serde_json::to_vec(&meta.json).unwrap_or_default());
        Ok(ZarrSource {
            stored: Stored::new(files, meta, variable.name.clone(), dtype)?,
            stored_bytes: variable.stored_bytes,
            fingerprint: xxh3_64(&identity),
        })
    }
}

impl Source for ZarrSource {
    fn name(&self) -> String {
        let location = self.stored.files.location();
        let file = location.file_name().unwrap_or(location.as_os_str());
        format!("{}:{}", file.to_string_lossy(), self.stored.name)
    }

    fn shape(&self) -> &[usize] {
        &self.stored.meta.shape
    }

    fn dtype(&self) -> DType {
        self.stored.dtype
    }

    fn chunks(&self) -> Option<&[usize]> {
        Some(self.stored.meta.chunk())
    }

    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        check_region(&self.name(), self.shape(), self.dtype().size(), region, out.len())?;
        match region.is_empty() {
            true => Ok(()),
            false => self.stored.read(&mut Target { out, region }),
        }
    }

    fn will_read(&self, region: &Region) {
        self.stored.will_read(region);
    }

    fn scratch_bytes(&self, _region: &Region) -> usize {
        self.stored.scratch_bytes()
    }

    fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn durable_fingerprint(&self) -> Option<u64> {
        // Chunks are objects of their own, which are replaced without a trace in what describes them.
        let objects = self.stored.files.objects(&self.stored.meta.folder)?;
        Some(xxh3_64(
            &[self.fingerprint.to_le_bytes(), objects.to_le_bytes()].concat(),
        ))
    }
}
