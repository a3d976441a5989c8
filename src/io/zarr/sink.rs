//! An array of a store being written as a [`Sink`]: regions from several threads, chunk by chunk.
//!
//! A chunk that a region covers is encoded straight from the caller's memory where that has its form, and
//! becomes an object in one write. Of a chunk that a region cuts, the rest is read back first, under a lock
//! for chunks, so that two threads may write two parts of one.

use super::codec::{Chain, Shards};
use super::files::grow;
use super::meta::Route;
use super::pipeline::{EncodeScratch, encode, stored_bound};
use super::stored::{Stored, Target, cell_region, cells};
use super::turn::turn_back;
use crate::geometry::Region;
use crate::io::file::check_region;
use crate::io::filters::swap_bytes;
use crate::io::runs::{Side, contiguous, fill};
use crate::io::write_file::{ASIDE, LONG, PAGE, PageBytes, WriteFile};
use crate::store::{Sink, copy_region};
use crate::{DType, Error, Result};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use xxhash_rust::xxh3::xxh3_64;

/// What a writer and its sinks share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The final path.
    pub path: PathBuf,
    /// The folder that is written to.
    pub root: PathBuf,
    /// Whether readers may see the folder meanwhile.
    pub seen: bool,
    /// Whether long objects go past the page cache.
    pub direct: bool,
    pub finished: RwLock<bool>,
    pub failed: AtomicBool,
    pub locks: Locks,
}

/// Locks for chunks, a few of which share each.
#[derive(Debug)]
pub(super) struct Locks([Mutex<()>; 64]);

impl Default for Locks {
    fn default() -> Locks {
        Locks(std::array::from_fn(|_| Mutex::new(())))
    }
}

impl Locks {
    fn lock(&self, key: &str) -> MutexGuard<'_, ()> {
        let number = xxh3_64(key.as_bytes()) as usize % self.0.len();
        self.0[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Runs a write unless the store is finished; several may run at once. Remembers a failure.
    pub fn writing<T>(&self, write: impl FnOnce() -> Result<T>) -> Result<T> {
        let finished = self.finished.read().unwrap_or_else(PoisonError::into_inner);
        if *finished {
            return Err(Error::format(
                &self.path,
                "the store is finished: nothing can be written to it",
            ));
        }
        let result = write();
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }

    /// Writes an object, whole or not at all where readers may see it.
    pub fn put(&self, key: &str, bytes: &[u8]) -> Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let path = self.root.join(key);
        if !self.seen {
            return self.write_file(&path, bytes).map_err(Error::io("write", &path));
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}-{number}.part", std::process::id()));
        let temporary = path.with_file_name(name);
        let written = self
            .write_file(&temporary, bytes)
            .and_then(|()| fs::rename(&temporary, &path));
        written.map_err(|e| {
            let _ = fs::remove_file(&temporary); // the first refusal is the one to tell
            Error::io("write", &path)(e)
        })
    }

    /// Writes a file, and makes its folder where that is missing.
    fn write_file(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let mut file = match File::create(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
                File::create(path)?
            }
            other => other?,
        };
        match self.direct && bytes.len() >= LONG {
            true => WriteFile::direct(file, path).write_at(bytes, 0),
            false => file.write_all(bytes),
        }
    }
}

/// What one write keeps for the next.
#[derive(Debug)]
struct Scratch {
    /// A chunk or a shard of elements.
    gathered: PageBytes,
    /// A chunk within a shard, or with its axes in their stored order.
    turned: Vec<u8>,
    /// A shard as it is stored.
    shard: Vec<u8>,
    encode: EncodeScratch,
}

/// One numeric variable of a store being written: a box of its array that begins at `origin`.
#[derive(Debug)]
pub(super) struct ZarrSink {
    shared: Arc<Shared>,
    stored: Arc<Stored>,
    origin: Vec<usize>,
    shape: Vec<usize>,
    /// Whether what is written must be there already, as coordinates are that do not grow.
    compares: bool,
    idle: Mutex<Vec<Scratch>>,
}

impl ZarrSink {
    pub fn new(
        shared: Arc<Shared>,
        stored: Arc<Stored>,
        origin: Vec<usize>,
        shape: Vec<usize>,
        compares: bool,
    ) -> ZarrSink {
        ZarrSink {
            shared,
            stored,
            origin,
            shape,
            compares,
            idle: Mutex::new(Vec::new()),
        }
    }

    fn own(&self) -> Result<(&Chain, Option<&Shards>)> {
        match &self.stored.meta.route {
            Route::Own(chain, shards) => Ok((chain, shards.as_ref())),
            Route::General(codec) => Err(self
                .stored
                .error(format!("chunks with the codec {codec} are not written"))),
            Route::Refused(reason) => Err(self.stored.error(reason)),
        }
    }

    /// Writes the part of each stored object that lies in `region` of the array.
    fn write_region(&self, region: &Region, data: &[u8]) -> Result<()> {
        let grid = &self.stored.meta.grid;
        let whole = Region::whole(&self.stored.meta.shape);
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut scratch = idle.unwrap_or_else(|| Scratch {
            gathered: PageBytes::default(),
            turned: Vec::new(),
            shard: Vec::new(),
            encode: EncodeScratch::new(),
        });
        let result = cells(region, grid).try_for_each(|at| {
            let cell = cell_region(&at, grid);
            let Some(existing) = cell.intersect(&whole) else {
                return Ok(());
            };
            let Some(part) = existing.intersect(region) else {
                return Ok(());
            };
            self.write_object(&at, &cell, &existing, &part, region, data, &mut scratch)
        });
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(scratch);
        result
    }

    /// Writes `part` of one stored object, of which `existing` lies in the array.
    fn write_object(
        &self,
        at: &[usize],
        cell: &Region,
        existing: &Region,
        part: &Region,
        region: &Region,
        data: &[u8],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let size = self.stored.dtype.size();
        let key = self.stored.meta.key(at);
        let failed = |reason: String| self.stored.error(format!("chunk {key}: {reason}"));
        let given = part.relative_to(&region.start);
        let side = Side {
            shape: &region.shape,
            start: &given.start,
        };
        let whole = if part == cell {
            contiguous(side, &part.shape, size)
        } else {
            None
        };
        if let Some(range) = whole {
            return self.store(
                &key,
                cell,
                &data[range],
                &mut scratch.turned,
                &mut scratch.shard,
                &mut scratch.encode,
            );
        }
        let bytes = cell.len() * size;
        grow(&mut scratch.gathered.0, bytes + PAGE).map_err(failed)?;
        let gathered = scratch.gathered.slice(bytes);
        let _guard = (part != existing).then(|| self.shared.locks.lock(&key));
        if part != cell {
            fill(gathered, &self.stored.meta.fill);
        }
        if part != existing {
            let mut before = vec![0; existing.len() * size];
            self.stored.read(&mut Target {
                out: &mut before,
                region: existing,
            })?;
            let all = Region::whole(&existing.shape);
            let to = existing.relative_to(&cell.start).start;
            copy_region(&before, &existing.shape, &all, gathered, &cell.shape, &to, size);
        }
        let to = part.relative_to(&cell.start).start;
        copy_region(data, &region.shape, &given, gathered, &cell.shape, &to, size);
        let Scratch {
            gathered,
            turned,
            shard,
            encode,
        } = scratch;
        self.store(&key, cell, gathered.slice(bytes), turned, shard, encode)
    }

    /// Encodes all of a chunk or shard and writes it.
    fn store(
        &self,
        key: &str,
        cell: &Region,
        elements: &[u8],
        turned: &mut Vec<u8>,
        shard: &mut Vec<u8>,
        scratch: &mut EncodeScratch,
    ) -> Result<()> {
        let failed = |reason: String| self.stored.error(format!("chunk {key}: {reason}"));
        let (chain, shards) = self.own()?;
        let Some(shards) = shards else {
            let elements = self
                .as_stored(chain, &cell.shape, elements, turned)
                .map_err(failed)?;
            let stored = encode(&chain.steps, elements, scratch).map_err(failed)?;
            return self.shared.put(key, stored);
        };
        let size = self.stored.dtype.size();
        let bytes = shards.inner.iter().product::<usize>() * size;
        let mut index: Vec<u8> = Vec::new();
        let count: usize = cell.shape.iter().zip(&shards.inner).map(|(s, c)| s / c).product();
        let index_bytes = 16 * count + if shards.index_checksum { 4 } else { 0 };
        shard.clear();
        if shards.index_first {
            shard.resize(index_bytes, 0);
        }
        let mut inner = Vec::new();
        grow(&mut inner, bytes).map_err(failed)?;
        let origin = vec![0; cell.rank()];
        for at in cells(&Region::whole(&cell.shape), &shards.inner) {
            let chunk = cell_region(&at, &shards.inner);
            let outside =
                (0..cell.rank()).any(|a| cell.start[a] + chunk.start[a] >= self.stored.meta.shape[a]);
            if outside {
                index.extend([0xff; 16]);
                continue;
            }
            copy_region(
                elements,
                &cell.shape,
                &chunk,
                &mut inner,
                &shards.inner,
                &origin,
                size,
            );
            let elements = self
                .as_stored(&shards.chain, &shards.inner, &inner, turned)
                .map_err(failed)?;
            let stored = encode(&shards.chain.steps, elements, scratch).map_err(failed)?;
            index.extend((shard.len() as u64).to_le_bytes());
            index.extend((stored.len() as u64).to_le_bytes());
            shard.extend(stored);
        }
        if shards.index_checksum {
            index.extend(crc32c::crc32c(&index).to_le_bytes());
        }
        match shards.index_first {
            true => shard[..index_bytes].copy_from_slice(&index),
            false => shard.extend(&index),
        }
        self.shared.put(key, shard)
    }

    /// A chunk with its axes and bytes in their stored order.
    fn as_stored<'a>(
        &self,
        chain: &Chain,
        shape: &[usize],
        elements: &'a [u8],
        turned: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], String> {
        if chain.order.is_none() && !chain.swapped {
            return Ok(elements);
        }
        let dtype = self.stored.dtype;
        grow(turned, elements.len())?;
        let out = &mut turned[..elements.len()];
        match &chain.order {
            Some(order) => turn_back(elements, shape, order, out, dtype.size()),
            None => out.copy_from_slice(elements),
        }
        if chain.swapped {
            swap_bytes(out, dtype.part().size());
        }
        Ok(out)
    }

    /// Checks that the store holds `data` already.
    fn compare(&self, region: &Region, data: &[u8]) -> Result<()> {
        let mut held = vec![0; data.len()];
        self.stored.read(&mut Target {
            out: &mut held,
            region,
        })?;
        match held == data {
            true => Ok(()),
            false => Err(self
                .stored
                .error("its values differ from those in the store, and it does not grow")),
        }
    }
}

impl Sink for ZarrSink {
    fn name(&self) -> String {
        let file = self
            .shared
            .path
            .file_name()
            .unwrap_or(self.shared.path.as_os_str());
        format!("{}:{}", file.to_string_lossy(), self.stored.name)
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn dtype(&self) -> DType {
        self.stored.dtype
    }

    fn chunks(&self) -> Option<&[usize]> {
        Some(&self.stored.meta.grid)
    }

    fn write(&self, region: &Region, data: &[u8]) -> Result<()> {
        check_region(&self.name(), &self.shape, self.dtype().size(), region, data.len())?;
        if region.is_empty() {
            return Ok(());
        }
        let start = region
            .start
            .iter()
            .zip(&self.origin)
            .map(|(s, o)| s + o)
            .collect();
        let region = Region::new(start, region.shape.clone());
        self.shared.writing(|| match self.compares {
            true => self.compare(&region, data),
            false => self.write_region(&region, data),
        })
    }

    fn scratch_bytes(&self, region: &Region) -> usize {
        let size = self.dtype().size();
        let bytes = self.stored.meta.grid.iter().product::<usize>() * size;
        let read = self.stored.scratch_bytes();
        if self.compares {
            return region.len() * size + read;
        }
        // The object, a part that is read back, the chunk in its stored order.
        let gathered = 3 * bytes + PAGE + read + if self.shared.direct { ASIDE } else { 0 };
        match &self.stored.meta.route {
            Route::Own(_, Some(shards)) => {
                let inner = shards.inner.iter().product::<usize>() * size;
                let count = bytes.checked_div(inner).unwrap_or(0);
                let steps = &shards.chain.steps;
                let shard = count * (stored_bound(steps, inner) + 32);
                // The shard grows as it fills, to at most twice what it needs.
                gathered + 2 * shard + 2 * inner + EncodeScratch::bytes(steps, inner)
            }
            Route::Own(chain, None) => gathered + EncodeScratch::bytes(&chain.steps, bytes),
            _ => gathered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_written_whole_also_past_the_page_cache() {
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR").to_string() + "/target").unwrap();
        for (direct, seen) in [(true, true), (true, false), (false, true), (false, false)] {
            let root = folder.path().join(format!("{direct}{seen}"));
            let shared = Shared {
                path: root.clone(),
                root: root.clone(),
                seen,
                direct,
                finished: Default::default(),
                failed: Default::default(),
                locks: Default::default(),
            };
            for len in [0, 7, LONG, 3 * LONG + 4097] {
                let bytes: Vec<u8> = (0..len).map(|i| (i * 7 + i / 250) as u8).collect();
                shared.put("x/c/0", &bytes).unwrap();
                assert!(
                    fs::read(root.join("x/c/0")).unwrap() == bytes,
                    "{len} bytes, {direct} {seen}"
                );
                assert_eq!(fs::read_dir(root.join("x/c")).unwrap().count(), 1);
            }
        }
    }
}
