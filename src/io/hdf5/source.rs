//! A dataset as a [`Source`]: any region, from several threads, past the library where possible.
//!
//! HDF5 is one lock for the process and runs its filters inside of it. So chunks whose places the
//! index tells, and data in one piece, are read from the file without the library and decoded on
//! the caller's thread; where there is no index, a chunk is fetched as stored under the lock and
//! decoded outside. What neither covers (foreign filters, odd types, virtual datasets) goes through
//! the library's own read.
//!
//! | layout | under the lock | outside |
//! | --- | --- | --- |
//! | chunks with an index, filters of ours or none | | `pread`, small neighbours at once; decode, copy |
//! | chunks without an index, likewise | read stored bytes | decode, copy |
//! | one piece | | `pread` |
//! | anything else | everything | |

use super::dataset::{Dataset, Layout};
use super::ffi::{H5Dget_chunk_storage_size, H5Result, Id, check, locked};
use super::index::Entry;
use super::neighbours::{Neighbours, Places, WINDOW, will_read_chunks};
use crate::geometry::Region;
use crate::io::file::{ReadFile, check_region, fingerprint};
use crate::io::filters::{DecodeScratch, Filter, Stored, decode, stored_bound, swap_bytes};
use crate::io::piece::{self, piece_scratch, read_piece, will_read_piece};
use crate::io::runs::{Side, contiguous, fill, fill_box, for_each_run};
use crate::store::{Source, copy_region};
use crate::{DType, Error, Result};
use hdf5_sys::h5d::{H5Dread, H5Dread_chunk1};
use hdf5_sys::h5p::H5P_DEFAULT;
use hdf5_sys::h5s::{H5S_SELECT_SET, H5Screate_simple, H5Sselect_hyperslab, H5Sselect_none};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// The most that the library caches of the chunks of one dataset that is read through it.
pub(super) const LIBRARY_CACHE: usize = 32 << 20;

/// What the library converts types in.
const LIBRARY_BUFFERS: usize = 2 << 20;

/// How the library puts it that a chunk was never written.
const NOT_WRITTEN: &str = "chunk storage is not allocated";

/// One numeric variable of an HDF5 or NetCDF-4 file.
pub(super) struct Hdf5Source {
    pub file: Arc<ReadFile>,
    pub dataset: Arc<Dataset>,
    /// The variable's name.
    pub variable: String,
    pub dtype: DType,
    /// The extents shown, at least the stored ones.
    pub shape: Vec<usize>,
    /// The value of elements that are not stored.
    pub fill: Vec<u8>,
    pub route: Route,
    idle: Mutex<Vec<DecodeScratch>>,
}

/// How the bytes are reached.
#[derive(Debug)]
pub(super) enum Route {
    /// Stored chunks and our filters.
    Chunks { chunk: Vec<usize>, filters: Vec<Filter> },
    /// One piece at that offset.
    Piece { offset: u64 },
    /// The library's read, giving elements of that type.
    Library { memory: Id },
}

impl fmt::Debug for Hdf5Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hdf5Source")
            .field("name", &self.name())
            .field("dtype", &self.dtype)
            .field("shape", &self.shape)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

/// Where a read puts its elements.
struct Target<'a> {
    out: &'a mut [u8],
    region: &'a Region,
}

impl Target<'_> {
    /// Index of `place` in the region.
    fn at(&self, place: &Region) -> Vec<usize> {
        place
            .start
            .iter()
            .zip(&self.region.start)
            .map(|(p, r)| p - r)
            .collect()
    }
}

impl Hdf5Source {
    /// A source for a dataset whose elements are `dtype`; the lock is held.
    pub fn new(
        file: Arc<ReadFile>,
        dataset: Arc<Dataset>,
        variable: String,
        dtype: DType,
        shape: Vec<usize>,
    ) -> H5Result<Hdf5Source> {
        let exact = dataset.stored.exact;
        let filters = dataset.own_filters().filter(|_| exact && !dataset.raw_edges);
        let route = match (&dataset.layout, filters) {
            (Layout::Chunked(chunk), Some(filters)) => Route::Chunks {
                chunk: chunk.clone(),
                filters,
            },
            (Layout::Contiguous(Some(offset)), _) if exact => Route::Piece { offset: *offset },
            _ => Route::Library {
                memory: dataset.stored.memory()?,
            },
        };
        let fill = match dataset.fill {
            Some(value) => value.bytes(),
            None => vec![0; dtype.size()],
        };
        Ok(Hdf5Source {
            file,
            dataset,
            variable,
            dtype,
            shape,
            fill,
            route,
            idle: Mutex::new(Vec::new()),
        })
    }

    fn error(&self, reason: impl fmt::Display) -> Error {
        Error::format(self.file.path(), format!("variable {}: {reason}", self.variable))
    }

    /// Runs `f` with buffers that no other reader uses; they are kept for the next one.
    fn with_scratch<T>(&self, f: impl FnOnce(&mut DecodeScratch) -> T) -> T {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut scratch = idle.unwrap_or_else(DecodeScratch::new);
        let result = f(&mut scratch);
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(scratch);
        result
    }

    /// Reads the part of each chunk that lies in `inner`.
    fn read_chunks(
        &self,
        inner: &Region,
        target: &mut Target,
        chunk: &[usize],
        filters: &[Filter],
    ) -> Result<()> {
        let index = self.dataset.index(&self.file);
        let bytes = chunk.iter().product::<usize>() * self.dtype.size();
        self.with_scratch(|scratch| {
            let mut places = Places::new(inner, chunk);
            let mut neighbours = Neighbours::default();
            while let Some(at) = places.next() {
                let start: Vec<usize> = at.iter().zip(chunk).map(|(i, c)| i * c).collect();
                let stored = Region::new(start, chunk.to_vec());
                let Some(part) = stored.intersect(inner) else {
                    continue;
                };
                let way = match index {
                    None => Way::Library,
                    Some(index) => match index.find(&at) {
                        None => Way::Absent,
                        Some(entry) => {
                            self.check_length(&stored, entry.len.into(), bytes)?;
                            let ahead = || places.clone().map(|at| index.find(&at));
                            let window = &mut scratch.window;
                            match neighbours.place(&self.file, entry, ahead, window)? {
                                Some(range) => Way::Window(range, entry.mask),
                                None => Way::File(entry),
                            }
                        }
                    },
                };
                self.read_chunk(way, &stored, &part, target, filters, scratch)?;
            }
            Ok(())
        })
    }

    /// Refuses a chunk of `bytes` that takes more stored bytes than any encoding gives.
    fn check_length(&self, stored: &Region, len: u64, bytes: usize) -> Result<()> {
        let fits = match self.filtered() {
            true => len <= stored_bound(bytes) as u64,
            false => len == bytes as u64,
        };
        match fits {
            true => Ok(()),
            false => Err(self.error(format!(
                "chunk at {:?}: it claims {len} stored bytes for {bytes} bytes of data",
                stored.start
            ))),
        }
    }

    /// Reads `part` of one chunk.
    fn read_chunk(
        &self,
        way: Way,
        stored: &Region,
        part: &Region,
        target: &mut Target,
        filters: &[Filter],
        scratch: &mut DecodeScratch,
    ) -> Result<()> {
        let size = self.dtype.size();
        let bytes = stored.len() * size;
        let to_start = target.at(part);
        let to = Side {
            shape: &target.region.shape,
            start: &to_start,
        };
        // A whole chunk that is one piece of the result needs no copy.
        let landing = if part == stored {
            contiguous(to, &part.shape, size)
        } else {
            None
        };
        if let (Some(range), true) = (&landing, filters.is_empty()) {
            let out = &mut target.out[range.clone()];
            let there = match way {
                Way::Absent => false,
                Way::File(entry) => {
                    self.file.read_at(entry.offset, out)?;
                    true
                }
                Way::Window(range, _) => {
                    out.copy_from_slice(&scratch.window[range]);
                    true
                }
                Way::Library => self.fetch(&stored.start, bytes, Fetch::Exactly(out))?.is_some(),
            };
            match there {
                true => self.finish(out),
                false => fill(out, &self.fill),
            }
            return Ok(());
        }
        if let (Way::File(entry), true) = (&way, filters.is_empty()) {
            // A part of plain data: its pieces alone.
            let start = part.relative_to(&stored.start).start;
            let from = Side {
                shape: &stored.shape,
                start: &start,
            };
            read_piece(&self.file, entry.offset, from, target.out, to, &part.shape, size)?;
            return self.finish_box(target, &to_start, part);
        }
        let found = match way {
            Way::Absent => None,
            Way::File(entry) => {
                let len = entry.len as usize;
                scratch.reserve_raw(stored_bound(bytes));
                self.file.read_at(entry.offset, &mut scratch.raw[..len])?;
                Some((Stored::Raw(len), entry.mask))
            }
            Way::Window(range, mask) => Some((Stored::Window(range), mask)),
            Way::Library => self
                .fetch(&stored.start, bytes, Fetch::AtMost(scratch))?
                .map(|(len, mask)| (Stored::Raw(len), mask)),
        };
        let Some((place, mask)) = found else {
            fill_box(target.out, to, &part.shape, &self.fill);
            return Ok(());
        };
        match filters.is_empty() {
            true => scratch.reserve_raw(bytes),
            false => scratch.reserve(stored_bound(bytes)),
        }
        let direct = landing.map(|range| &mut target.out[range]);
        let landed = direct.is_some();
        decode(filters, mask, scratch, place, bytes, direct)
            .map_err(|reason| self.error(format!("chunk at {:?}: {reason}", stored.start)))?;
        if landed {
            let range = contiguous(to, &part.shape, size).unwrap_or(0..0);
            self.finish(&mut target.out[range]);
        } else {
            self.finish(&mut scratch.raw[..bytes]);
            let from = part.relative_to(&stored.start);
            let shape = &target.region.shape;
            copy_region(
                &scratch.raw[..bytes],
                &stored.shape,
                &from,
                target.out,
                shape,
                &to_start,
                size,
            );
        }
        Ok(())
    }

    /// Fetches a chunk as it is stored: its length and filter mask, `None` where it was never
    /// written.
    fn fetch(&self, start: &[usize], bytes: usize, into: Fetch) -> Result<Option<(usize, u32)>> {
        let start: Vec<u64> = start.iter().map(|&s| s as u64).collect();
        let id = self.dataset.id.raw();
        let place = || format!("chunk at {start:?}");
        locked(|| {
            let mut len = 0u64;
            // SAFETY: a valid chunked dataset, a place for each axis of the chunk's start and for
            // the length; the lock is held, here and below.
            let status = unsafe { H5Dget_chunk_storage_size(id, start.as_ptr(), &mut len) };
            match check(status, "find the chunk") {
                // HDF5 1.10 fails for a chunk that was never written, newer ones say 0.
                Err(reason) if !reason.ends_with(NOT_WRITTEN) => return Err(reason),
                Err(_) => return Ok(None),
                Ok(_) if len == 0 => return Ok(None),
                Ok(_) => {}
            }
            let fits = usize::try_from(len).ok().filter(|&n| match into {
                Fetch::Exactly(_) => n == bytes,
                Fetch::AtMost(_) => n <= stored_bound(bytes),
            });
            let Some(len) = fits else {
                return Err(format!("it claims {len} stored bytes for {bytes} bytes of data"));
            };
            let buffer = match into {
                Fetch::Exactly(out) => out.as_mut_ptr(),
                Fetch::AtMost(scratch) => {
                    scratch.reserve_raw(if self.filtered() {
                        stored_bound(bytes)
                    } else {
                        bytes.max(len)
                    });
                    scratch.raw.as_mut_ptr()
                }
            };
            let mut mask = 0u32;
            // SAFETY: the buffer has at least the `len` bytes that the library said it will write,
            // and no other thread is inside the library to change that.
            let status = unsafe { H5Dread_chunk1(id, H5P_DEFAULT, start.as_ptr(), &mut mask, buffer.cast()) };
            check(status, "read the chunk")?;
            Ok(Some((len, mask)))
        })
        .map_err(|reason: String| self.error(format!("{}: {reason}", place())))
    }

    fn filtered(&self) -> bool {
        !self.dataset.filters.is_empty()
    }

    /// Turns stored elements into ours: this machine's byte order, booleans 0 or 1.
    fn finish(&self, bytes: &mut [u8]) {
        if self.dataset.stored.swapped && self.dataset.stored.exact {
            swap_bytes(bytes, self.dtype.size());
        }
        if self.dtype == DType::Bool {
            bytes.iter_mut().for_each(|b| *b = u8::from(*b != 0));
        }
    }

    /// Reads `inner` of data stored in one piece.
    fn read_piece(&self, inner: &Region, target: &mut Target, offset: u64) -> Result<()> {
        let size = self.dtype.size();
        let to_start = target.at(inner);
        let from = Side {
            shape: &self.dataset.extent,
            start: &inner.start,
        };
        let to = Side {
            shape: &target.region.shape,
            start: &to_start,
        };
        read_piece(&self.file, offset, from, target.out, to, &inner.shape, size)?;
        self.finish_box(target, &to_start, inner)
    }

    /// [`Hdf5Source::finish`] for the elements just read: the rest of the target is somebody else's.
    fn finish_box(&self, target: &mut Target, start: &[usize], read: &Region) -> Result<()> {
        if !self.dataset.stored.swapped && self.dtype != DType::Bool {
            return Ok(());
        }
        let to = Side {
            shape: &target.region.shape,
            start,
        };
        for_each_run(to, to, &read.shape, self.dtype.size(), |at, _, n| {
            self.finish(&mut target.out[at..at + n]);
            Ok::<(), Error>(())
        })
    }

    /// Reads `inner` through the library.
    fn read_library(&self, inner: &Region, target: &mut Target, memory: &Id) -> Result<()> {
        let to_start = target.at(inner);
        locked(|| {
            let from = select(&self.dataset.extent, &inner.start, &inner.shape)?;
            let to = select(&target.region.shape, &to_start, &inner.shape)?;
            // SAFETY: the memory space has the shape of the region, whose bytes `out` has, of
            // elements of `memory`, which has the dtype's size; the lock is held.
            let status = unsafe {
                let out = target.out.as_mut_ptr().cast();
                H5Dread(
                    self.dataset.id.raw(),
                    memory.raw(),
                    to.raw(),
                    from.raw(),
                    H5P_DEFAULT,
                    out,
                )
            };
            check(status, "read").map(|_| ())
        })
        .map_err(|reason: String| self.error(reason))?;
        if self.dtype == DType::Bool {
            self.finish(target.out);
        }
        Ok(())
    }
}

/// How a stored chunk is reached.
enum Way {
    /// It was never written.
    Absent,
    /// By position.
    File(Entry),
    /// It lies in the window, with that filter mask.
    Window(Range<usize>, u32),
    /// By asking the library.
    Library,
}

/// Where a fetched chunk goes.
enum Fetch<'a> {
    /// A stored chunk without filters, which has exactly these bytes.
    Exactly(&'a mut [u8]),
    /// A stored chunk of at most the bound.
    AtMost(&'a mut DecodeScratch),
}

/// A dataspace with a box selected; the lock is held.
pub(super) fn select(shape: &[usize], start: &[usize], extent: &[usize]) -> H5Result<Id> {
    let wide = |v: &[usize]| v.iter().map(|&x| x as u64).collect::<Vec<u64>>();
    let (shape, start, extent) = (wide(shape), wide(start), wide(extent));
    let doing = "select a region";
    // SAFETY: the arrays have a place for each axis; the lock is held by the caller.
    unsafe {
        let raw = H5Screate_simple(shape.len() as i32, shape.as_ptr(), std::ptr::null());
        let space = Id::new(raw, doing)?;
        let null = std::ptr::null();
        if extent.contains(&0) {
            check(H5Sselect_none(space.raw()), doing)?;
        } else if !shape.is_empty() {
            let (s, e) = (start.as_ptr(), extent.as_ptr());
            check(
                H5Sselect_hyperslab(space.raw(), H5S_SELECT_SET, s, null, e, null),
                doing,
            )?;
        }
        Ok(space)
    }
}

impl Source for Hdf5Source {
    fn name(&self) -> String {
        let path = self.file.path();
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
        match &self.dataset.layout {
            Layout::Chunked(chunk) => Some(chunk),
            _ => None,
        }
    }

    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        check_region(&self.name(), &self.shape, self.dtype.size(), region, out.len())?;
        if region.is_empty() {
            return Ok(());
        }
        let stored = Region::whole(&self.dataset.extent);
        let inner = region.intersect(&stored);
        if inner.as_ref() != Some(region) {
            fill(out, &self.fill);
        }
        let Some(inner) = inner else { return Ok(()) };
        let mut target = Target { out, region };
        match &self.route {
            Route::Chunks { chunk, filters } => self.read_chunks(&inner, &mut target, chunk, filters),
            Route::Piece { offset } => self.read_piece(&inner, &mut target, *offset),
            Route::Library { memory } => self.read_library(&inner, &mut target, memory),
        }
    }

    fn will_read(&self, region: &Region) {
        let stored = Region::whole(&self.dataset.extent);
        let Some(inner) = region.intersect(&stored).filter(|inner| !inner.is_empty()) else {
            return;
        };
        match &self.route {
            Route::Chunks { chunk, filters } => {
                let find = self
                    .dataset
                    .index(&self.file)
                    .map(|index| |at: &[usize]| index.find(at));
                will_read_chunks(&self.file, find, &inner, chunk, filters.is_empty());
            }
            Route::Piece { offset } => {
                let from = Side {
                    shape: &self.dataset.extent,
                    start: &inner.start,
                };
                will_read_piece(&self.file, *offset, from, &inner.shape, self.dtype.size());
            }
            Route::Library { .. } => {}
        }
    }

    fn scratch_bytes(&self, region: &Region) -> usize {
        let size = self.dtype.size();
        match &self.route {
            Route::Chunks { chunk, filters } => {
                let bytes = chunk.iter().product::<usize>() * size;
                WINDOW
                    + if filters.is_empty() {
                        bytes.max(piece::WINDOW)
                    } else {
                        2 * stored_bound(bytes)
                    }
            }
            Route::Piece { .. } => piece_scratch(region, size),
            Route::Library { .. } => {
                let chunk = self.chunks().map_or(0, |c| c.iter().product::<usize>() * size);
                LIBRARY_CACHE.max(2 * stored_bound(chunk)) + LIBRARY_BUFFERS
            }
        }
    }

    fn stored_bytes(&self) -> u64 {
        self.dataset.stored_bytes
    }

    fn fingerprint(&self) -> u64 {
        fingerprint(&self.file, &self.variable)
    }

    fn durable_fingerprint(&self) -> Option<u64> {
        // What lies in other files, or may, changes without this one.
        let own = match &self.dataset.layout {
            Layout::Chunked(_) | Layout::Contiguous(Some(_)) => self.dataset.at_home,
            Layout::Contiguous(None) | Layout::Other => false,
        };
        own.then(|| self.fingerprint())
    }
}
