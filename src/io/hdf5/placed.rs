//! Datasets without filters, in one piece or in chunks, written by position past the library.
//!
//! The library gives all of them room when they are created, and they are as long in the file as in memory:
//! so they are written where they lie, by many threads at once and without its lock. What is never written is
//! filled at the end.

use super::create::{Created, Place};
use super::ffi::{H5Result, Id, check};
use super::index::ChunkIndex;
use crate::geometry::Region;
use crate::io::file::ReadFile;
use crate::io::piece::write_piece;
use crate::io::runs::{Side, fill, for_each_run};
use crate::io::write_file::WriteFile;
use crate::io::written::Written;
use hdf5_sys::h5f::{H5F_SCOPE_LOCAL, H5Fflush};
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More chunks are left to the library: each has a place in memory here.
pub(super) const MOST_CHUNKS: usize = 1 << 20;

/// Bytes of fill values that are written at once.
pub(super) const FILLED: usize = 1 << 20;

/// A dataset in one piece being written.
#[derive(Debug)]
pub(super) struct Piece {
    /// Its place in the file.
    offset: u64,
    shape: Vec<usize>,
    /// The value of elements never written.
    fill: Vec<u8>,
    written: Mutex<Written>,
}

impl Piece {
    /// Nothing is written yet of the piece at `offset`.
    pub fn new(offset: u64, shape: &[usize], fill: Vec<u8>) -> Piece {
        Piece {
            offset,
            shape: shape.to_vec(),
            fill,
            written: Mutex::default(),
        }
    }

    /// Writes `data`, the elements of `region`.
    pub fn write(&self, file: &WriteFile, region: &Region, data: &[u8]) -> io::Result<()> {
        let size = self.fill.len();
        write_piece(file, self.offset, &self.shape, region, data, size)?;
        let to = Side {
            shape: &self.shape,
            start: &region.start,
        };
        self.written().add_box(to, &region.shape, size);
        Ok(())
    }

    /// Fills what nobody wrote.
    pub fn fill_rest(&self, file: &WriteFile) -> io::Result<()> {
        let bytes = (self.shape.iter().product::<usize>() * self.fill.len()) as u64;
        let gaps = self.written().gaps(bytes);
        let gaps =
            gaps.ok_or_else(|| io::Error::other("what was never written is too scattered to be filled"))?;
        gaps.into_iter()
            .try_for_each(|gap| fill_at(file, self.offset + gap.start, gap.end - gap.start, &self.fill))
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes `bytes` bytes of copies of `value`.
fn fill_at(file: &WriteFile, offset: u64, bytes: u64, value: &[u8]) -> io::Result<()> {
    if bytes == 0 || value.iter().all(|b| *b == 0) {
        return Ok(()); // room that was never written is of zeros
    }
    let mut values = vec![0; bytes.min((FILLED / value.len() * value.len()) as u64) as usize];
    fill(&mut values, value);
    for at in (0..bytes).step_by(values.len()) {
        let rest = values.len().min((bytes - at) as usize);
        file.write_at(&values[..rest], offset + at)?;
    }
    Ok(())
}

/// The chunks of a dataset being written.
#[derive(Debug)]
pub(super) struct Placed {
    index: ChunkIndex,
    chunk: Vec<usize>,
    /// The value of elements never written.
    fill: Vec<u8>,
    /// Of each chunk, whether all of it was given a value.
    filled: Mutex<Vec<bool>>,
}

/// Finds the chunks of all datasets that were given room for them; the lock is held.
pub(super) fn place_all(file: &Id, path: &str, datasets: &mut [Created]) -> H5Result<()> {
    let has_room = |created: &Created| matches!(created.place, Place::Room { .. });
    if !datasets.iter().any(has_room) {
        return Ok(());
    }
    // SAFETY: a valid file; the lock is held.
    check(unsafe { H5Fflush(file.raw(), H5F_SCOPE_LOCAL) }, "write")?;
    let read = ReadFile::open(Path::new(path)).map_err(|e| e.to_string())?;
    for created in datasets {
        if let Place::Room { shape, chunk } = &created.place {
            let address = super::attributes::address(&created.id)?;
            let index = ChunkIndex::read(&read, address, shape, chunk, created.fill.len());
            let count = shape.iter().zip(chunk).map(|(n, c)| n.div_ceil(*c)).product();
            let index = index.filter(|index| index.len() == count);
            let index = index.ok_or("the library laid out chunks in an unknown way: write without chunks")?;
            created.place = Place::Placed(Placed {
                index,
                chunk: chunk.clone(),
                fill: created.fill.clone(),
                filled: Mutex::new(vec![false; count]),
            });
        }
    }
    Ok(())
}

impl Placed {
    /// The shape of a chunk.
    pub fn chunk(&self) -> &[usize] {
        &self.chunk
    }

    /// Writes all elements of the chunk at a place of the grid, without what may lie behind them.
    pub fn write_whole(&self, file: &WriteFile, at: &[usize], bytes: &[u8]) -> io::Result<()> {
        let (number, offset) = self.find(at)?;
        file.write_at(bytes, offset)?;
        self.filled()[number] = true;
        Ok(())
    }

    /// Writes `part` of the chunk at a place of the grid, from `data`, the elements of `region`.
    pub fn write_part(
        &self,
        file: &WriteFile,
        at: &[usize],
        part: &Region,
        (region, data): (&Region, &[u8]),
    ) -> io::Result<()> {
        let (number, offset) = self.find(at)?;
        {
            // Under the lock, so that nobody's part is filled over.
            let mut filled = self.filled();
            if !filled[number] {
                self.fill_chunk(file, offset)?;
                filled[number] = true;
            }
        }
        let origin: Vec<usize> = at.iter().zip(&self.chunk).map(|(i, c)| i * c).collect();
        let (given, own) = (part.relative_to(&region.start), part.relative_to(&origin));
        let from = Side {
            shape: &region.shape,
            start: &given.start,
        };
        let to = Side {
            shape: &self.chunk,
            start: &own.start,
        };
        for_each_run(from, to, &part.shape, self.fill.len(), |a, b, n| {
            file.write_at(&data[a..a + n], offset + b as u64)
        })
    }

    /// Fills the chunks that nobody wrote.
    pub fn fill_rest(&self, file: &WriteFile) -> io::Result<()> {
        let filled = self.filled();
        let mut empty = filled
            .iter()
            .zip(self.index.offsets())
            .filter(|(filled, _)| !**filled);
        empty.try_for_each(|(_, offset)| self.fill_chunk(file, offset))
    }

    fn fill_chunk(&self, file: &WriteFile, offset: u64) -> io::Result<()> {
        let bytes = self.chunk.iter().product::<usize>() * self.fill.len();
        fill_at(file, offset, bytes as u64, &self.fill)
    }

    fn find(&self, at: &[usize]) -> io::Result<(usize, u64)> {
        let found = self.index.position(at);
        found.ok_or_else(|| io::Error::other(format!("there is no chunk {at:?}")))
    }

    fn filled(&self) -> MutexGuard<'_, Vec<bool>> {
        self.filled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Hdf5File, NetCdfWriter};
    use crate::geometry::Region;
    use crate::io::{Contents as _, Dim, FileSpec, VarType, VariableSpec, Writer as _};
    use crate::{DType, Scalar};
    use std::path::Path;

    const SHAPE: [usize; 2] = [1500, 1030];

    fn spec(chunks: Option<Vec<usize>>) -> FileSpec {
        let mut spec = FileSpec::default();
        for (name, len) in ["y", "x"].iter().zip(SHAPE) {
            spec.dims.push(Dim {
                name: name.to_string(),
                len,
                unlimited: false,
            });
        }
        let mut variable = VariableSpec::new("v", &["y", "x"], VarType::Numeric(DType::F32));
        variable.chunks = chunks;
        variable.fill = Some(Scalar::new(-5.5f32));
        spec.variables.push(variable);
        spec
    }

    fn value(y: usize, x: usize) -> f32 {
        (y * 2000 + x) as f32
    }

    /// Writes the regions to a new file and reads all of it back.
    fn written(path: &Path, spec: &FileSpec, direct: bool, regions: &[Region]) -> Vec<f32> {
        let writer = NetCdfWriter::create_as(path, spec, direct).unwrap();
        let sink = writer.sink("v").unwrap();
        for region in regions {
            let rows = region.start[0]..region.stop(0);
            let values = rows.flat_map(|y| (region.start[1]..region.stop(1)).map(move |x| value(y, x)));
            let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
            sink.write(region, &bytes).unwrap();
        }
        writer.finish().unwrap();
        let mut bytes = vec![0; SHAPE[0] * SHAPE[1] * 4];
        let file = Hdf5File::open(path).unwrap();
        let source = file.source("v").unwrap();
        source.read(&Region::whole(&SHAPE), &mut bytes).unwrap();
        let (values, _) = bytes.as_chunks::<4>();
        values.iter().map(|b| f32::from_le_bytes(*b)).collect()
    }

    #[test]
    fn whole_chunks_parts_and_what_nobody_writes() {
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR").to_string() + "/target").unwrap();
        let path = folder.path().join("x.nc");
        let regions = [
            Region::new(vec![0, 0], vec![1024, 1024]),    // whole chunks
            Region::new(vec![1024, 0], vec![476, 512]),   // whole but for what lies outside
            Region::new(vec![1024, 600], vec![300, 300]), // parts of two chunks
            Region::new(vec![1324, 600], vec![100, 300]), // more of the same
            Region::new(vec![3, 1024], vec![2, 6]),       // a part of a chunk at the edge
            Region::new(vec![1400, 1030], vec![100, 0]),  // nothing
        ];
        for chunks in [
            Some(vec![512, 512]),
            Some(vec![1500, 1030]),
            Some(vec![7, 400]),
            None,
        ] {
            for direct in [true, false] {
                let read = written(&path, &spec(chunks.clone()), direct, &regions);
                for (at, &found) in read.iter().enumerate() {
                    let (y, x) = (at / SHAPE[1], at % SHAPE[1]);
                    let inside = |r: &Region| {
                        (r.start[0]..r.stop(0)).contains(&y) && (r.start[1]..r.stop(1)).contains(&x)
                    };
                    let expected = if regions.iter().any(inside) {
                        value(y, x)
                    } else {
                        -5.5
                    };
                    assert_eq!(
                        found, expected,
                        "({y}, {x}) of chunks {chunks:?}, direct {direct}"
                    );
                }
            }
        }
    }

    #[test]
    fn long_chunks_begin_at_pages_where_they_go_past_the_cache() {
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR").to_string() + "/target").unwrap();
        let path = folder.path().join("x.nc");
        for direct in [true, false] {
            let read = written(
                &path,
                &spec(Some(vec![700, 600])),
                direct,
                &[Region::whole(&SHAPE)],
            );
            let expected = (0..SHAPE[0]).flat_map(|y| (0..SHAPE[1]).map(move |x| value(y, x)));
            assert!(read.into_iter().eq(expected));
            let file = Hdf5File::open(&path).unwrap();
            let index = file.datasets[0].index(&file.file).unwrap();
            let aligned = index
                .offsets()
                .filter(|offset| offset.is_multiple_of(4096))
                .count();
            assert_eq!(index.len(), 6);
            assert!(!direct || aligned == 6, "{aligned} of 6");
        }
    }
}
