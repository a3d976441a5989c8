//! Where the chunks of a dataset lie in the file, read past the library.
//!
//! HDF5 1.10, which many systems have, finds the addresses of chunks one by one and each in linear
//! time; and every read of a chunk through any version waits for the one lock of the process. The
//! index itself is a small structure in the file: here it is read by position, once for a dataset,
//! so that chunks are then read by position too, by many threads, neighbours in one piece.
//!
//! What is understood: version 1 B-trees, which files have unless they ask for the newest format,
//! and single chunks. Anything else, and whatever looks wrong, gives no index: the
//! library's own way is taken, with the same answers. The format is described in the HDF5 File
//! Format Specification, version 3.0, sections II, III.A.1 and IV.A.2.i.

mod bytes;
mod header;
mod tree;

use self::bytes::Base;
use self::header::{Place, layout};
use crate::io::file::ReadFile;

/// More chunks than this are found through the library, one by one: 96 MiB of index.
const MOST_CHUNKS: u64 = 4 << 20;

/// One stored chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    /// Its number in the row-major grid of chunks.
    number: u64,
    /// Its offset in the file.
    pub offset: u64,
    /// Its stored bytes.
    pub len: u32,
    /// Bit `i`: filter `i` was left out.
    pub mask: u32,
}

/// All stored chunks of a dataset.
#[derive(Debug)]
pub(super) struct ChunkIndex {
    /// Ordered by number.
    entries: Vec<Entry>,
    /// Chunks along each axis.
    counts: Vec<u64>,
}

impl ChunkIndex {
    /// Reads the index of the dataset whose object header is at `address`; `None` where it is not
    /// one that is understood.
    pub fn read(
        file: &ReadFile,
        address: u64,
        extent: &[usize],
        chunk: &[usize],
        size: usize,
    ) -> Option<ChunkIndex> {
        let counts: Vec<u64> = extent
            .iter()
            .zip(chunk)
            .map(|(&n, &c)| n.div_ceil(c) as u64)
            .collect();
        let total = counts.iter().try_fold(1u64, |n, &c| n.checked_mul(c))?;
        if total > MOST_CHUNKS || chunk.is_empty() {
            return None;
        }
        let bytes = chunk
            .iter()
            .try_fold(size as u64, |n, &c| n.checked_mul(c as u64))?;
        let plain = u32::try_from(bytes).ok()?;
        let base = Base::find(file)?;
        let found = layout(&base, address)?;
        if found.chunk != chunk || found.element != size {
            return None;
        }
        let mut index = ChunkIndex {
            entries: Vec::new(),
            counts,
        };
        match found.place {
            Place::Nothing => {}
            Place::Tree { root } => index.entries = tree::entries(&base, root, chunk, &index.counts)?,
            Place::Single { at, stored } if total == 1 => {
                let (len, mask) = stored.unwrap_or((plain, 0));
                index.entries.push(Entry {
                    number: 0,
                    offset: base.absolute(at)?,
                    len,
                    mask,
                });
            }
            Place::Single { .. } => return None,
        }
        let inside = |e: &Entry| {
            e.offset
                .checked_add(u64::from(e.len))
                .is_some_and(|end| end <= file.len())
        };
        let rising = index.entries.windows(2).all(|w| w[0].number < w[1].number);
        (rising && index.entries.iter().all(inside)).then_some(index)
    }

    /// The stored chunk at a place of the grid of chunks.
    pub fn find(&self, at: &[usize]) -> Option<Entry> {
        self.position(at).map(|(found, _)| self.entries[found])
    }

    /// The same as its number among the stored ones and its offset in the file.
    pub fn position(&self, at: &[usize]) -> Option<(usize, u64)> {
        let number = at
            .iter()
            .zip(&self.counts)
            .fold(0u64, |n, (&i, &c)| n * c + i as u64);
        let found = self.entries.binary_search_by_key(&number, |e| e.number).ok()?;
        Some((found, self.entries[found].offset))
    }

    /// How many chunks are stored.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where they lie, in row-major order.
    pub fn offsets(&self) -> impl Iterator<Item = u64> {
        self.entries.iter().map(|e| e.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Hdf5File;
    use crate::io::contents::Contents;
    use std::path::{Path, PathBuf};

    /// A file with a dataset `x` of chunks 3 x 4, all of them stored but the second row's.
    fn sample(folder: &Path, name: &str, latest: bool, filtered: bool) -> PathBuf {
        let path = folder.join(name);
        let file = hdf5::File::with_options()
            .with_fapl(|p| if latest { p.libver_latest() } else { p })
            .create(&path)
            .unwrap();
        let builder = file.new_dataset::<i32>().chunk((3, 4)).shape((50, 41));
        let builder = if filtered {
            builder.shuffle().deflate(3)
        } else {
            builder
        };
        let dataset = builder.create("x").unwrap();
        for row in (0..50).filter(|r| !(3..6).contains(r)) {
            let values: Vec<i32> = (0..41).map(|c| row * 100 + c).collect();
            dataset
                .write_slice(&ndarray::Array1::from(values), (row as usize, ..))
                .unwrap();
        }
        path
    }

    fn bytes_of(path: &Path) -> Vec<u8> {
        let file = Hdf5File::open(path).unwrap();
        let source = file.source("x").unwrap();
        let mut out = vec![0; 50 * 41 * 4];
        source
            .read(&crate::geometry::Region::whole(&[50, 41]), &mut out)
            .unwrap();
        out
    }

    #[test]
    fn trees_are_read_and_others_left_to_the_library() {
        let folder = tempfile::tempdir().unwrap();
        let expected: Vec<u8> = (0..50i32)
            .flat_map(|r| (0..41).map(move |c| if (3..6).contains(&r) { 0 } else { r * 100 + c }))
            .flat_map(i32::to_le_bytes)
            .collect();
        for (name, latest, filtered) in [
            ("plain.h5", false, false),
            ("deflated.h5", false, true),
            ("latest.h5", true, true),
        ] {
            let path = sample(folder.path(), name, latest, filtered);
            let file = Hdf5File::open(&path).unwrap();
            let index = file.datasets[0].index(&file.file);
            assert_eq!(index.is_some(), !latest, "{name}");
            if let Some(index) = index {
                assert_eq!(index.entries.len(), 17 * 11 - 11);
                assert!(index.find(&[1, 3]).is_none() && index.find(&[16, 10]).is_some());
                assert_eq!(index.find(&[0, 0]).map(|e| e.len == 48), Some(!filtered));
            }
            assert!(bytes_of(&path) == expected, "{name}");
        }
    }

    /// Whatever a broken file says, an index is small, within the file, or absent.
    #[test]
    fn broken_trees_give_no_index() {
        let folder = tempfile::tempdir().unwrap();
        let path = sample(folder.path(), "x.h5", false, true);
        let good = std::fs::read(&path).unwrap();
        let file = Hdf5File::open(&path).unwrap();
        let address = file.datasets[0].address;
        let read = |bytes: &[u8]| {
            let broken = folder.path().join("broken.h5");
            std::fs::write(&broken, bytes).unwrap();
            let file = crate::io::file::ReadFile::open(&broken).unwrap();
            super::ChunkIndex::read(&file, address, &[50, 41], &[3, 4], 4)
        };
        assert!(read(&good).is_some());
        for len in (0..good.len()).step_by(97) {
            assert!(read(&good[..len]).is_none(), "cut at {len}");
        }
        let mut state = 1u64;
        for _ in 0..800 {
            let mut bytes = good.clone();
            for _ in 0..3 {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                let at = (state >> 33) as usize % bytes.len();
                bytes[at] = (state >> 24) as u8;
            }
            if let Some(index) = read(&bytes) {
                assert!(index.entries.len() <= 17 * 11);
            }
        }
    }
}
