//! A new dataset as a [`Sink`]: regions from several threads, encoded outside of the library.
//!
//! Data in one piece and chunks without filters are written to the file past the library. A chunk that
//! a region covers is else encoded on the caller's thread and handed over as it will be stored. Only
//! parts of such chunks go through the library's own write, which reads them back and encodes them under
//! its lock: writers that align to [`Sink::chunks`] never meet it.

use super::create::Place;
use super::ffi::{H5Result, check, locked};
use super::placed::FILLED;
use super::shared::{Shared, State, failure};
use super::source::select;
use crate::geometry::Region;
use crate::io::file::check_region;
use crate::io::filters::{EncodeScratch, Filter, encode, encode_bytes};
use crate::io::runs::{Side, contiguous, fill};
use crate::io::write_file::{PAGE, PageBytes};
use crate::store::{Sink, copy_region};
use crate::{DType, Error, Result};
use hdf5_sys::h5d::{H5Dwrite, H5Dwrite_chunk};
use hdf5_sys::h5p::H5P_DEFAULT;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// One numeric variable of a file being written.
pub(super) struct Hdf5Sink {
    pub shared: Arc<Shared>,
    /// Its number in the file's description.
    pub number: usize,
    pub variable: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
    /// The shape of its chunks and their filters.
    pub chunks: Option<(Vec<usize>, Vec<Filter>)>,
    /// Bytes that writing past the page cache holds.
    pub aside: usize,
    pub idle: Mutex<Vec<(PageBytes, EncodeScratch)>>,
}

impl fmt::Debug for Hdf5Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hdf5Sink")
            .field("name", &self.name())
            .field("dtype", &self.dtype)
            .field("shape", &self.shape)
            .field("chunks", &self.chunks)
            .finish_non_exhaustive()
    }
}

impl Hdf5Sink {
    fn error(&self, reason: impl fmt::Display) -> Error {
        failure(&self.shared.path, format!("variable {}: {reason}", self.variable))
    }

    /// Writes the part of each chunk that lies in `region`.
    fn write_chunks(&self, state: &State, region: &Region, data: &[u8]) -> Result<()> {
        let Some((chunk, filters)) = &self.chunks else {
            return Ok(());
        };
        let rank = chunk.len();
        let first: Vec<usize> = (0..rank).map(|a| region.start[a] / chunk[a]).collect();
        let last: Vec<usize> = (0..rank).map(|a| (region.stop(a) - 1) / chunk[a]).collect();
        let whole = Region::whole(&self.shape);
        let mut at = first.clone();
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut scratch = idle.unwrap_or_else(|| (PageBytes::default(), EncodeScratch::new()));
        loop {
            let start: Vec<usize> = (0..rank).map(|a| at[a] * chunk[a]).collect();
            let stored = Region::new(start, chunk.clone());
            // The elements of the chunk that exist, and those of them that are given.
            if let Some(existing) = stored.intersect(&whole)
                && let Some(part) = existing.intersect(region)
            {
                if part == existing {
                    let given = (region, data);
                    self.write_chunk(state, &at, &stored, &part, given, filters, &mut scratch)?;
                } else {
                    self.write_part(state, &at, &part, region, data)?;
                }
            }
            let Some(axis) = (0..rank).rev().find(|&a| at[a] < last[a]) else {
                break;
            };
            at[axis] += 1;
            at[axis + 1..].copy_from_slice(&first[axis + 1..]);
        }
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(scratch);
        Ok(())
    }

    /// Encodes one chunk and hands it over; `part` is all of it that exists.
    fn write_chunk(
        &self,
        state: &State,
        at: &[usize],
        stored: &Region,
        part: &Region,
        (region, data): (&Region, &[u8]),
        filters: &[Filter],
        (gathered, scratch): &mut (PageBytes, EncodeScratch),
    ) -> Result<()> {
        let size = self.dtype.size();
        let created = &state.datasets[self.number];
        let given = part.relative_to(&region.start);
        let side = Side {
            shape: &region.shape,
            start: &given.start,
        };
        let origin = vec![0; part.rank()];
        let chunk = Side {
            shape: &stored.shape,
            start: &origin,
        };
        let placed = match &created.place {
            Place::Placed(placed) => Some(placed),
            _ => None,
        };
        // What no element lies in behind the others need not be written.
        let stored = match placed.is_some() && contiguous(chunk, &part.shape, size).is_some() {
            true => part,
            false => stored,
        };
        let whole = if part == stored {
            contiguous(side, &part.shape, size)
        } else {
            None
        };
        let bytes = match whole {
            Some(range) => &data[range],
            None => {
                let gathered = gathered.slice(stored.len() * size);
                if part != stored {
                    fill(gathered, &created.fill);
                }
                copy_region(
                    data,
                    &region.shape,
                    &given,
                    gathered,
                    &stored.shape,
                    &origin,
                    size,
                );
                gathered
            }
        };
        if let Some(placed) = placed {
            let written = placed.write_whole(&state.raw, at, bytes);
            return written.map_err(Error::io("write", &self.shared.path));
        }
        let encoded = encode(filters, bytes, scratch).map_err(|reason| self.error(reason))?;
        let start: Vec<u64> = stored.start.iter().map(|&s| s as u64).collect();
        locked(|| {
            // SAFETY: a valid chunked dataset, a place for each axis, and a buffer of the length
            // told; the lock is held.
            let status = unsafe {
                let (id, data) = (created.id.raw(), encoded.as_ptr().cast());
                H5Dwrite_chunk(id, H5P_DEFAULT, 0, start.as_ptr(), encoded.len(), data)
            };
            check(status, "write the chunk")
        })
        .map_err(|reason| self.error(format!("chunk at {start:?}: {reason}")))?;
        Ok(())
    }

    /// Writes a part of a chunk, where that has filters through the library.
    fn write_part(
        &self,
        state: &State,
        at: &[usize],
        part: &Region,
        region: &Region,
        data: &[u8],
    ) -> Result<()> {
        let created = &state.datasets[self.number];
        if let Place::Placed(placed) = &created.place {
            let written = placed.write_part(&state.raw, at, part, (region, data));
            return written.map_err(Error::io("write", &self.shared.path));
        }
        let given = part.relative_to(&region.start);
        locked(|| -> H5Result<()> {
            let from = select(&region.shape, &given.start, &part.shape)?;
            let to = select(&self.shape, &part.start, &part.shape)?;
            // SAFETY: the memory space has the shape of the region, whose bytes `data` has, of
            // elements of the dataset's own type; the lock is held.
            let status = unsafe {
                let (id, data) = (created.id.raw(), data.as_ptr().cast());
                H5Dwrite(id, created.kind.raw(), from.raw(), to.raw(), H5P_DEFAULT, data)
            };
            check(status, "write").map(|_| ())
        })
        .map_err(|reason| self.error(reason))
    }
}

impl Sink for Hdf5Sink {
    fn name(&self) -> String {
        let path = &self.shared.path;
        let file = path.file_name().unwrap_or(path.as_os_str());
        format!("{}:{}", file.to_string_lossy(), self.variable)
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn chunks(&self) -> Option<&[usize]> {
        self.chunks.as_ref().map(|(chunk, _)| chunk.as_slice())
    }

    fn write(&self, region: &Region, data: &[u8]) -> Result<()> {
        check_region(&self.name(), &self.shape, self.dtype.size(), region, data.len())?;
        if region.is_empty() {
            return Ok(());
        }
        self.shared
            .with_state(|state| match &state.datasets[self.number].place {
                Place::Chunks { .. } | Place::Placed(_) => self.write_chunks(state, region, data),
                Place::Piece(piece) => piece
                    .write(&state.raw, region, data)
                    .map_err(Error::io("write", &self.shared.path)),
                Place::Library | Place::Room { .. } => Ok(()),
            })
    }

    fn scratch_bytes(&self, _region: &Region) -> usize {
        let chunk = self.chunks.as_ref().map_or(0, |(chunk, filters)| {
            let bytes = chunk.iter().product::<usize>() * self.dtype.size();
            // What a part of a chunk does not cover is filled at first.
            let filled = if filters.is_empty() { FILLED.min(bytes) } else { 0 };
            bytes + PAGE + filled + encode_bytes(filters, bytes)
        });
        chunk + self.aside
    }
}
