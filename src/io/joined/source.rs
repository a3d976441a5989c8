//! An array whose parts along one axis lie in different files, as a [`Source`].
//!
//! A region is read from the parts it touches, one after the other, each from a file that the pool
//! opens. A part may be stored in another form than the array has (another packing, other units of
//! time, a narrower dtype) and is converted while it is read.

use super::FilePool;
use crate::geometry::{Region, checked_bytes};
use crate::io::file::check_region;
use crate::io::runs::{Side, contiguous, for_each_run};
use crate::store::{Source, copy_region};
use crate::{DType, Error, Result};
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Another form of elements, made one by one. The text of `Debug` tells it from others.
pub trait Convert: Send + Sync + Debug {
    /// Converts stored elements into those of the array; both slices are whole elements, as many.
    fn convert(&self, stored: &[u8], out: &mut [u8]);
}

/// One part of a joined array.
#[derive(Clone, Debug)]
pub struct JoinedPart {
    /// The number of its file in the pool.
    pub file: usize,
    /// Its extent along the axis.
    pub extent: usize,
    /// The dtype of its stored elements.
    pub stored: DType,
    /// [`Source::fingerprint`] of the variable in its file, which must not have changed.
    pub fingerprint: u64,
    /// What makes stored elements those of the array; `None` where they are.
    pub convert: Option<Arc<dyn Convert>>,
}

/// What a joined array is made of.
#[derive(Clone, Debug)]
pub struct JoinedSource {
    pool: Arc<FilePool>,
    variable: String,
    shape: Vec<usize>,
    axis: usize,
    dtype: DType,
    chunks: Option<Vec<usize>>,
    parts: Vec<JoinedPart>,
    /// Where each part begins along the axis, and the end.
    starts: Vec<usize>,
    scratch: usize,
    stored_bytes: u64,
    fingerprint: u64,
}

impl JoinedSource {
    /// The variable of that name in the parts' files, one after the other along `axis`. `shape` is
    /// that of a part, with any extent along the axis; one part alone may have no axis at all.
    /// `scratch` is the most that reading from one of the files holds, `stored_bytes` those of all.
    ///
    /// # Errors
    /// No part, several parts without the axis, a size that does not fit, chunks of another rank.
    pub fn new(
        pool: Arc<FilePool>,
        variable: &str,
        mut shape: Vec<usize>,
        axis: usize,
        dtype: DType,
        chunks: Option<Vec<usize>>,
        parts: Vec<JoinedPart>,
        scratch: usize,
        stored_bytes: u64,
    ) -> Result<JoinedSource> {
        let wrong = |what: &str| Error::invalid(format!("variable {variable}: {what}"));
        let mut starts = vec![0usize];
        if parts.is_empty() || (parts.len() > 1 && axis >= shape.len()) {
            return Err(wrong("there is nothing to join it from"));
        }
        for part in &parts {
            let last = starts.last().copied().unwrap_or(0);
            let end = last.checked_add(part.extent);
            starts.push(end.ok_or_else(|| wrong("its extent does not fit 64 bits"))?);
        }
        if let (Some(extent), Some(end)) = (shape.get_mut(axis), starts.last()) {
            *extent = *end;
        }
        checked_bytes(&shape, dtype.size())?;
        if chunks
            .as_ref()
            .is_some_and(|c| c.len() != shape.len() || c.contains(&0))
        {
            return Err(wrong("its chunks do not fit its shape"));
        }
        let mut hasher = Xxh3::new();
        hasher.update(format!("{variable} {shape:?} {axis} {dtype}").as_bytes());
        let mut told: Option<&Arc<dyn Convert>> = None;
        for part in &parts {
            hasher.update(&part.fingerprint.to_le_bytes());
            hasher.update(&(part.extent as u64).to_le_bytes());
            // Many parts share one conversion, whose text is made once.
            if let Some(convert) = &part.convert
                && !told.is_some_and(|t| Arc::ptr_eq(t, convert))
            {
                hasher.update(format!("{convert:?}").as_bytes());
                told = Some(convert);
            }
        }
        Ok(JoinedSource {
            pool,
            variable: variable.to_string(),
            shape,
            axis,
            dtype,
            chunks,
            fingerprint: hasher.digest(),
            parts,
            starts,
            scratch,
            stored_bytes,
        })
    }

    /// Opens a part, which must be what it was when the files were joined.
    fn open(&self, part: &JoinedPart, shape: &[usize]) -> Result<Arc<dyn Source>> {
        let path = self.pool.path(part.file);
        let source = self.pool.get(part.file)?.source(&self.variable)?;
        let same = source.shape() == shape
            && source.dtype() == part.stored
            && source.fingerprint() == part.fingerprint;
        match same {
            true => Ok(source),
            false => Err(changed(path, &self.variable)),
        }
    }

    /// The shape of a part.
    fn part_shape(&self, part: &JoinedPart) -> Vec<usize> {
        let mut shape = self.shape.clone();
        if let Some(extent) = shape.get_mut(self.axis) {
            *extent = part.extent;
        }
        shape
    }

    /// The parts that a region touches: each with the piece of it, and where that begins in the region.
    fn pieces<'a>(
        &'a self,
        region: &'a Region,
    ) -> impl Iterator<Item = (&'a JoinedPart, Region, Vec<usize>)> + 'a {
        let (first, stop) = match self.axis < self.shape.len() {
            true => (region.start[self.axis], region.stop(self.axis)),
            false => (0, self.starts[1]),
        };
        let from = self.starts.partition_point(|&s| s <= first).saturating_sub(1);
        let touched = (from..self.parts.len()).take_while(move |&at| self.starts[at] < stop);
        let pieces = touched.map(move |at| {
            let (mut piece, mut start) = (region.clone(), vec![0; region.rank()]);
            if self.axis < self.shape.len() {
                let (low, high) = (first.max(self.starts[at]), stop.min(self.starts[at + 1]));
                piece.start[self.axis] = low - self.starts[at];
                piece.shape[self.axis] = high - low;
                start[self.axis] = low - first;
            }
            (&self.parts[at], piece, start)
        });
        pieces.filter(|(_, piece, _)| !piece.is_empty())
    }

    /// Reads `piece` of a part to the place in `out` where it belongs.
    fn read_part(
        &self,
        part: &JoinedPart,
        piece: &Region,
        out: &mut [u8],
        to: Side,
        buffers: &mut Vec<u8>,
    ) -> Result<()> {
        let (size, stored) = (self.dtype.size(), part.stored.size());
        let source = self.open(part, &self.part_shape(part))?;
        let landing = contiguous(to, &piece.shape, size);
        match (&part.convert, landing) {
            (None, Some(range)) => source.read(piece, &mut out[range]),
            (convert, landing) => {
                buffers.resize(piece.len() * stored, 0);
                source.read(piece, buffers)?;
                let whole = Region::whole(&piece.shape);
                match (convert, landing) {
                    (None, _) => {
                        copy_region(buffers, &piece.shape, &whole, out, to.shape, to.start, size);
                        Ok(())
                    }
                    (Some(convert), Some(range)) => {
                        convert.convert(buffers, &mut out[range]);
                        Ok(())
                    }
                    (Some(convert), None) => {
                        let from = Side {
                            shape: &piece.shape,
                            start: &whole.start,
                        };
                        // Runs are counted in elements, whose sizes differ.
                        for_each_run(from, to, &piece.shape, 1, |a, b, n| {
                            let (a, b) = (a * stored..(a + n) * stored, b * size..(b + n) * size);
                            convert.convert(&buffers[a], &mut out[b]);
                            Ok(())
                        })
                    }
                }
            }
        }
    }
}

/// Bytes of a piece of a file for which the file is opened before its turn: other files may have to be
/// closed for it.
const WORTH_OPENING: usize = 1 << 20;

/// The error for a file that is not what it was.
pub(super) fn changed(path: &Path, variable: &str) -> Error {
    Error::format(
        path,
        format!("variable {variable}: the file has changed since it was joined with others; open them again"),
    )
}

impl Source for JoinedSource {
    fn name(&self) -> String {
        let file = |part: Option<&JoinedPart>| {
            let path = part.map_or(Path::new(""), |p| self.pool.path(p.file));
            path.file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy()
                .into_owned()
        };
        let first = file(self.parts.first());
        match self.parts.len() {
            1 => format!("{first}:{}", self.variable),
            n => format!(
                "{first}…{}:{} ({n} files)",
                file(self.parts.last()),
                self.variable
            ),
        }
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

    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        check_region(&self.name(), &self.shape, self.dtype.size(), region, out.len())?;
        if region.is_empty() {
            return Ok(());
        }
        let mut buffers = Vec::new();
        self.pieces(region).try_for_each(|(part, piece, start)| {
            let to = Side {
                shape: &region.shape,
                start: &start,
            };
            self.read_part(part, &piece, out, to, &mut buffers)
        })
    }

    fn will_read(&self, region: &Region) {
        let bytes = |piece: &Region| piece.len() * self.dtype.size();
        for (part, piece, _) in self
            .pieces(region)
            .filter(|(_, piece, _)| bytes(piece) >= WORTH_OPENING)
        {
            // Who reads it tells what is wrong with it.
            if let Ok(source) = self.open(part, &self.part_shape(part)) {
                source.will_read(&piece);
            }
        }
    }

    fn scratch_bytes(&self, region: &Region) -> usize {
        let mut piece = region.clone();
        let longest = self.parts.iter().map(|p| p.extent).max().unwrap_or(0);
        if let Some(extent) = piece.shape.get_mut(self.axis) {
            *extent = longest.min(*extent);
        }
        let direct = region.shape.iter().take(self.axis).all(|&n| n == 1);
        let widest = self
            .parts
            .iter()
            .filter(|p| p.convert.is_some() || !direct)
            .map(|p| p.stored.size())
            .max();
        self.scratch
            .saturating_add(piece.len().saturating_mul(widest.unwrap_or(0)))
    }

    fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn durable_fingerprint(&self) -> Option<u64> {
        let mut hasher = Xxh3::new();
        hasher.update(&self.fingerprint.to_le_bytes());
        for part in &self.parts {
            let source = self.open(part, &self.part_shape(part)).ok()?;
            hasher.update(&source.durable_fingerprint()?.to_le_bytes());
        }
        Some(hasher.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Contents, NpyFile, NpyWriter};
    use crate::store::conformance;

    /// Doubles bytes into 16-bit integers.
    #[derive(Debug)]
    struct Doubled;

    impl Convert for Doubled {
        fn convert(&self, stored: &[u8], out: &mut [u8]) {
            for (x, y) in stored.iter().zip(out.chunks_exact_mut(2)) {
                y.copy_from_slice(&(2 * u16::from(*x)).to_ne_bytes());
            }
        }
    }

    fn write(path: &Path, shape: &[usize], dtype: DType, bytes: &[u8]) -> u64 {
        let writer = NpyWriter::create(path, dtype, shape).unwrap();
        writer.array().write(&Region::whole(shape), bytes).unwrap();
        writer.finish().unwrap();
        let file = NpyFile::open(path).unwrap();
        let name = file.catalog().variables[0].name.clone();
        file.source(&name).unwrap().fingerprint()
    }

    /// Parts of extents along an axis of a 3-d array, the middle one of bytes that are doubled.
    fn joined(folder: &Path, axis: usize, extents: &[usize], most: usize) -> (JoinedSource, Vec<u8>) {
        let mut shape = vec![3, 4, 5];
        shape[axis] = extents.iter().sum();
        let whole: Vec<u16> = (0..shape.iter().product::<usize>())
            .map(|i| 2 * (i % 100) as u16)
            .collect();
        let bytes: Vec<u8> = whole.iter().flat_map(|v| v.to_ne_bytes()).collect();
        let (mut parts, mut paths, mut at) = (Vec::new(), Vec::new(), 0);
        for (n, &extent) in extents.iter().enumerate() {
            let mut region = Region::whole(&shape);
            (region.start[axis], region.shape[axis]) = (at, extent);
            let mut own = vec![0; region.len() * 2];
            copy_region(&bytes, &shape, &region, &mut own, &region.shape, &[0; 3], 2);
            // A variable of an NPY file is called like the file, so folders tell the parts apart.
            let path = folder.join(n.to_string());
            std::fs::create_dir_all(&path).unwrap();
            let path = path.join("v.npy");
            let narrow = n == 1;
            if narrow {
                own = own
                    .chunks_exact(2)
                    .map(|b| (u16::from_ne_bytes([b[0], b[1]]) / 2) as u8)
                    .collect();
            }
            let stored = if narrow { DType::U8 } else { DType::U16 };
            parts.push(JoinedPart {
                file: n,
                extent,
                stored,
                fingerprint: write(&path, &region.shape, stored, &own),
                convert: narrow.then(|| Arc::new(Doubled) as Arc<dyn Convert>),
            });
            paths.push(path);
            at += extent;
        }
        let name = NpyFile::open(&paths[0]).unwrap().catalog().variables[0]
            .name
            .clone();
        let pool = Arc::new(FilePool::new(paths, most));
        shape[axis] = 1;
        let source = JoinedSource::new(pool, &name, shape, axis, DType::U16, None, parts, 0, 0).unwrap();
        (source, bytes)
    }

    #[test]
    fn parts_along_any_axis_are_one_array() {
        for axis in 0..3 {
            for extents in [&[2usize, 3, 1, 4][..], &[5], &[1, 1], &[2, 0, 3]] {
                let folder = tempfile::tempdir().unwrap();
                let (source, bytes) = joined(folder.path(), axis, extents, 2);
                conformance::source(&source, &bytes);
                assert!(source.pool.open_count() <= 2);
            }
        }
    }

    #[test]
    fn a_part_that_changes_or_goes_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (source, bytes) = joined(folder.path(), 0, &[1, 1, 1], 1);
        let path = source.pool.path(2).to_path_buf();
        write(&path, &[1, 4, 5], DType::F32, &[0; 80]);
        let mut out = vec![0; bytes.len()];
        let whole = Region::whole(source.shape());
        let told = source.read(&whole, &mut out).unwrap_err().to_string();
        assert!(told.contains("2/v.npy") && told.contains("has changed"), "{told}");
        std::fs::remove_file(&path).unwrap();
        source.pool.get(0).unwrap();
        let told = source.read(&whole, &mut out).unwrap_err();
        assert!(matches!(&told, Error::Io { path: p, .. } if *p == path), "{told}");
    }

    #[test]
    fn buffers_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let (source, _) = joined(folder.path(), 1, &[2, 2], 1);
        assert_eq!(source.scratch_bytes(&Region::whole(&[3, 4, 5])), 3 * 2 * 5 * 2);
        assert_eq!(
            source.scratch_bytes(&Region::new(vec![0; 3], vec![1, 4, 5])),
            2 * 5
        );
    }
}
