//! What the library says of one dataset: its shape, layout, filters and fill value.

use super::attributes::address;
use super::ffi::{H5Result, Id, UNDEFINED, check, name_from, text_of};
use super::index::ChunkIndex;
use super::types::StoredType;
use crate::io::catalog::VarType;
use crate::io::file::ReadFile;
use crate::io::filters::Filter;
use hdf5_sys::h5d::*;
use hdf5_sys::h5f::H5Fget_name;
use hdf5_sys::h5p::*;
use hdf5_sys::h5s::*;
use hdf5_sys::h5z::H5Zfilter_avail;
use std::ffi::c_uint;
use std::sync::OnceLock;
use tilewise_kernels::Scalar;

/// Where the bytes of a dataset are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Layout {
    /// In chunks of that shape.
    Chunked(Vec<usize>),
    /// In one piece at that offset of the file, user block included; `None` before the first write
    /// or in other files.
    Contiguous(Option<u64>),
    /// In the object header, or put together from other datasets.
    Other,
}

/// One filter of a dataset as the file names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct StoredFilter {
    /// Its registered number.
    pub number: i32,
    /// Its name with its main parameter.
    pub label: String,
    /// The same as one of ours, where it is one of ours.
    pub own: Option<Filter>,
    /// Whether the library has it.
    pub available: bool,
}

/// The library's description of a dataset.
#[derive(Debug)]
pub(super) struct Dataset {
    /// The open dataset.
    pub id: Id,
    /// The type of its elements.
    pub stored: StoredType,
    /// Extents in the file.
    pub extent: Vec<usize>,
    /// Whether it can grow along each axis without limit.
    pub unlimited: Vec<bool>,
    /// Where the bytes are.
    pub layout: Layout,
    /// Filters in the order in which they are applied when writing.
    pub filters: Vec<StoredFilter>,
    /// Whether partial chunks at the end are left unfiltered, an option that no mask shows.
    pub raw_edges: bool,
    /// The value of elements never written, where the file declares one.
    pub fill: Option<Scalar>,
    /// Bytes in the file.
    pub stored_bytes: u64,
    /// The address of its header.
    pub address: u64,
    /// Whether it lies in the file that it is listed in; links may lead to others.
    pub at_home: bool,
    index: OnceLock<Option<ChunkIndex>>,
}

impl Dataset {
    /// Reads the description of an open dataset that was found in a file; the lock is held.
    pub fn new(id: Id, file: &str) -> H5Result<Dataset> {
        // SAFETY: `id` is a valid dataset and the lock is held, here and below.
        let (raw_type, raw_space, raw_list, stored_bytes) = unsafe {
            (
                H5Dget_type(id.raw()),
                H5Dget_space(id.raw()),
                H5Dget_create_plist(id.raw()),
                H5Dget_storage_size(id.raw()),
            )
        };
        let raw_type = Id::new(raw_type, "read the type");
        let space = Id::new(raw_space, "read the shape")?;
        let list = Id::new(raw_list, "read the layout")?;
        let stored = StoredType::new(raw_type?)?;
        let (extent, unlimited) = extents(&space)?;
        let at_home = file_name(&id)? == file;
        let layout = match layout(&id, &list, extent.len())? {
            Layout::Contiguous(_) if !at_home => Layout::Contiguous(None),
            layout => layout,
        };
        let mut options: c_uint = 0;
        if matches!(layout, Layout::Chunked(_)) {
            // SAFETY: a valid creation list of a chunked dataset and a place to write to.
            unsafe {
                check(
                    H5Pget_chunk_opts(list.raw(), &mut options),
                    "read the chunk options",
                )?
            };
        }
        Ok(Dataset {
            fill: fill(&list, &stored)?,
            filters: filters(&list)?,
            raw_edges: options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS != 0,
            address: address(&id)?,
            at_home,
            index: OnceLock::new(),
            id,
            stored,
            extent,
            unlimited,
            layout,
            stored_bytes,
        })
    }

    /// Where its chunks are in its file, read when it is first asked for; `None` where only the
    /// library finds them. The lock need not be held.
    pub fn index(&self, file: &ReadFile) -> Option<&ChunkIndex> {
        let Layout::Chunked(chunk) = &self.layout else {
            return None;
        };
        let read = || {
            let read = || ChunkIndex::read(file, self.address, &self.extent, chunk, self.stored.size);
            self.at_home.then(read).flatten()
        };
        self.index.get_or_init(read).as_ref()
    }

    /// The filters where all of them are ours.
    pub fn own_filters(&self) -> Option<Vec<Filter>> {
        self.filters.iter().map(|f| f.own).collect()
    }

    /// The filters in one line.
    pub fn codecs(&self) -> String {
        let labels: Vec<&str> = self.filters.iter().map(|f| f.label.as_str()).collect();
        labels.join(",")
    }
}

/// The name of the file that an object lies in, as it was opened; the lock is held.
pub(super) fn file_name(object: &Id) -> H5Result<String> {
    // SAFETY: a valid object, and a buffer of the length told.
    name_from("read the file's name", |buffer, len| unsafe {
        H5Fget_name(object.raw(), buffer, len)
    })
}

/// Extents of a dataspace, and whether each is unlimited. A null space has one empty axis.
fn extents(space: &Id) -> H5Result<(Vec<usize>, Vec<bool>)> {
    let doing = "read the shape";
    // SAFETY: a valid dataspace; both arrays have a place for each axis; the lock is held.
    unsafe {
        if H5Sget_simple_extent_type(space.raw()) == H5S_NULL {
            return Ok((vec![0], vec![false]));
        }
        let rank = check(H5Sget_simple_extent_ndims(space.raw()), doing)?.unsigned_abs() as usize;
        let (mut dims, mut most) = (vec![0u64; rank], vec![0u64; rank]);
        check(
            H5Sget_simple_extent_dims(space.raw(), dims.as_mut_ptr(), most.as_mut_ptr()),
            doing,
        )?;
        let extent: Result<Vec<usize>, _> = dims.iter().map(|&d| usize::try_from(d)).collect();
        let extent = extent.map_err(|_| format!("shape {dims:?} is too large"))?;
        crate::geometry::checked_bytes(&extent, 16).map_err(|e| e.to_string())?;
        Ok((extent, most.iter().map(|&m| m == H5S_UNLIMITED).collect()))
    }
}

/// The layout from the creation list.
fn layout(id: &Id, list: &Id, rank: usize) -> H5Result<Layout> {
    // SAFETY: a valid dataset and its creation list; the array has a place for each axis; the lock
    // is held.
    unsafe {
        Ok(match H5Pget_layout(list.raw()) {
            H5D_CHUNKED => {
                let mut chunk = vec![0u64; rank];
                let axes = H5Pget_chunk(list.raw(), rank as i32, chunk.as_mut_ptr());
                if check(axes, "read the chunk shape")?.unsigned_abs() as usize != rank {
                    return Err(format!("its chunks have {axes} axes, it has {rank}"));
                }
                let chunk: Vec<usize> = chunk.into_iter().map(|c| c as usize).collect();
                if chunk.contains(&0) {
                    return Err(format!("its chunks {chunk:?} have no element"));
                }
                Layout::Chunked(chunk)
            }
            H5D_CONTIGUOUS if H5Pget_external_count(list.raw()) > 0 => Layout::Contiguous(None),
            H5D_CONTIGUOUS => {
                let offset = H5Dget_offset(id.raw());
                Layout::Contiguous((offset != UNDEFINED).then_some(offset))
            }
            _ => Layout::Other,
        })
    }
}

/// The filters from the creation list.
fn filters(list: &Id) -> H5Result<Vec<StoredFilter>> {
    const MOST_VALUES: usize = 32;
    // SAFETY: a valid creation list; the arrays have the lengths told; the lock is held.
    unsafe {
        let count = check(H5Pget_nfilters(list.raw()), "read the filters")?;
        let mut found = Vec::new();
        for at in 0..count.unsigned_abs() {
            let (mut flags, mut config) = (0, 0);
            let (mut used, mut values, mut name) = (MOST_VALUES, [0 as c_uint; MOST_VALUES], [0u8; 64]);
            let number = H5Pget_filter2(
                list.raw(),
                at,
                &mut flags,
                &mut used,
                values.as_mut_ptr(),
                name.len(),
                name.as_mut_ptr().cast(),
                &mut config,
            );
            let number = check(number, "read a filter")?;
            let values = &values[..used.min(MOST_VALUES)];
            let (label, own) = filter_label(number, values, &text_of(&name));
            let available = own.is_some() || H5Zfilter_avail(number) > 0;
            found.push(StoredFilter {
                number,
                label,
                own,
                available,
            });
        }
        Ok(found)
    }
}

/// The registered number of the filter zstd.
pub(super) const ZSTD: i32 = 32015;

/// The name of a filter with its main parameter, and the filter where it is one of ours.
fn filter_label(number: i32, values: &[c_uint], stored_name: &str) -> (String, Option<Filter>) {
    let first = values.first().copied();
    match (number, first) {
        (1, level) => {
            let level = u8::try_from(level.unwrap_or(6)).unwrap_or(6);
            (format!("deflate({level})"), Some(Filter::Deflate(level)))
        }
        (2, Some(size)) if size > 0 => ("shuffle".to_string(), Some(Filter::Shuffle(size as usize))),
        (3, _) => ("fletcher32".to_string(), Some(Filter::Fletcher32)),
        (32000, _) => ("lzf".to_string(), Some(Filter::Lzf)),
        (32001, _) => ("blosc".to_string(), Some(Filter::Blosc)),
        (ZSTD, level) => {
            let level = u8::try_from(level.unwrap_or(3)).unwrap_or(3);
            (format!("zstd({level})"), Some(Filter::Zstd(level)))
        }
        _ => (filter_name(number, stored_name), None),
    }
}

/// The name of a filter by its registered number, else the one the file gives, else the number.
fn filter_name(number: i32, stored_name: &str) -> String {
    let known = match number {
        2 => "shuffle",
        4 => "szip",
        5 => "nbit",
        6 => "scaleoffset",
        307 => "bzip2",
        32004 => "lz4",
        32008 => "bitshuffle",
        32013 => "zfp",
        32026 => "blosc2",
        _ if !stored_name.is_empty() => stored_name,
        _ => return format!("filter {number}"),
    };
    known.to_string()
}

/// The fill value that the file declares, in this machine's order.
fn fill(list: &Id, stored: &StoredType) -> H5Result<Option<Scalar>> {
    let VarType::Numeric(dtype) = stored.what else {
        return Ok(None);
    };
    let doing = "read the fill value";
    let mut status = H5D_FILL_VALUE_UNDEFINED;
    let mut value = [0u8; 16];
    // SAFETY: a valid creation list; the memory type has at most 8 bytes, the place 16; the lock
    // is held.
    unsafe {
        check(H5Pfill_value_defined(list.raw(), &mut status), doing)?;
        if status != H5D_FILL_VALUE_USER_DEFINED {
            return Ok(None);
        }
        let memory = stored.memory()?;
        check(
            H5Pget_fill_value(list.raw(), memory.raw(), value.as_mut_ptr().cast()),
            doing,
        )?;
    }
    Ok(Some(Scalar::from_bytes(dtype, &value)))
}
