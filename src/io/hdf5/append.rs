//! More steps at the end of a NetCDF-4 file, along a dimension that can grow.
//!
//! The file is copied under a temporary name (by reference where the file system can), grows there
//! and is renamed when all is written: whoever reads it meanwhile reads the old one, and a run that
//! fails leaves that as it was.

use super::create::{Created, Place};
use super::dataset::{Dataset, Layout};
use super::ffi::{H5Result, Id, check, cstring, locked};
use super::shared::{Shared, State, failure};
use super::types::file_type;
use super::walk::{Node, walk};
use super::write::NetCdfWriter;
use super::{access_list, dims};
use crate::geometry::Region;
use crate::io::catalog::VarType;
use crate::io::filters::Filter;
use crate::io::spec::{FileSpec, VariableSpec};
use crate::io::unfinished::create_unfinished;
use crate::io::write_file::WriteFile;
use crate::store::Sink;
use crate::{DType, Error, Result};
use hdf5_sys::h5d::H5Dset_extent;
use hdf5_sys::h5f::{H5F_ACC_RDWR, H5Fopen};
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;

/// Where what is appended begins.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    /// The dimension.
    pub dim: String,
    /// Its length before.
    pub start: usize,
}

impl NetCdfWriter {
    /// Opens a copy of the file at `path` whose dimension `dim` is longer by what `spec` says; the
    /// sinks of the variables that `spec` describes, all of which have that dimension, take the new
    /// part alone. [`crate::io::Writer::finish`] puts the copy in the file's place.
    ///
    /// # Errors
    /// When the file or one of the variables is missing, `dim` cannot grow, dtypes or other
    /// dimensions differ, or a variable has a filter that is not written.
    pub fn append(path: impl AsRef<Path>, dim: &str, spec: &FileSpec) -> Result<NetCdfWriter> {
        let path = path.as_ref();
        spec.check()?;
        let (placeholder, temporary) = create_unfinished(path)?;
        drop(placeholder);
        std::fs::copy(path, &temporary).map_err(Error::io("copy", path))?;
        let text = temporary.to_str().ok_or_else(|| {
            Error::format(
                path,
                "its path is not UTF-8, which HDF5 cannot open: rename the folder",
            )
        })?;
        let said = |reason: String| failure(path, reason);
        let (state, whole, start) = locked(|| grow(text, dim, spec)).map_err(said)?;
        let growth = Growth {
            dim: dim.to_string(),
            start,
        };
        Ok(NetCdfWriter::grown(
            whole,
            Shared::new(path, state),
            temporary,
            growth,
        ))
    }
}

/// Lets the variables of `spec` grow; gives the open file, the description with their whole extents,
/// and where the new part begins. The lock is held.
fn grow(path: &str, dim: &str, spec: &FileSpec) -> H5Result<(State, FileSpec, usize)> {
    let (name, doing) = (cstring(path)?, "open the file");
    let access = access_list()?;
    // SAFETY: a valid list and a C string; the lock is held.
    let file = Id::new(
        unsafe { H5Fopen(name.as_ptr(), H5F_ACC_RDWR, access.raw()) },
        doing,
    )?;
    let found = walk(&file)?;
    let (known, axes) = dims::resolve(&found);
    let Some(at) = known.iter().position(|d| d.name == dim) else {
        let names: Vec<&str> = known.iter().map(|d| d.name.as_str()).collect();
        return Err(format!(
            "it has no dimension {dim} to append along: it has {}",
            names.join(", ")
        ));
    };
    if !known[at].unlimited {
        return Err(format!(
            "its dimension {dim} cannot grow: write it anew with `tilewise convert IN OUT --unlimited {dim}`"
        ));
    }
    let start = known[at].len;
    let added = spec.dims.iter().find(|d| d.name == dim).map_or(0, |d| d.len);
    let len = start.checked_add(added).ok_or("its new length is too large")?;
    let mut whole = spec.clone();
    for own in whole.dims.iter_mut() {
        if own.name == dim {
            own.len = len;
        } else if let Some(there) = known.iter().find(|d| d.name == own.name)
            && there.len != own.len
        {
            return Err(format!(
                "its dimension {} has {} elements, what is appended {}",
                own.name, there.len, own.len
            ));
        }
    }
    let names: Vec<String> = found
        .nodes
        .iter()
        .map(|n| dims::shown_name(&found, n.group, &n.name))
        .collect();
    // The dimension grows with its scale, also where that is no variable.
    for (node, axes) in found.nodes.iter().zip(&axes) {
        if node.only_a_dimension && axes.first() == Some(&at) {
            set_extent(&node.dataset, &[len])?;
        }
    }
    let mut nodes: Vec<Option<Node>> = found.nodes.into_iter().map(Some).collect();
    let mut datasets = Vec::new();
    for variable in &spec.variables {
        let told = |reason: String| format!("variable {}: {reason}", variable.name);
        let at = names.iter().position(|n| *n == variable.name);
        let Some(node) = at.and_then(|at| nodes[at].take()) else {
            return Err(format!("it has no variable {} to append to", variable.name));
        };
        let there: Vec<&str> = axes[at.unwrap_or(0)]
            .iter()
            .map(|&d| known[d].name.as_str())
            .collect();
        if there != variable.dims.iter().map(String::as_str).collect::<Vec<_>>() {
            return Err(told(format!(
                "its dimensions are {}, those of what is appended {}",
                there.join(", "),
                variable.dims.join(", ")
            )));
        }
        datasets.push(grown(node.dataset, variable, &whole).map_err(told)?);
    }
    let raw = OpenOptions::new().read(true).write(true).open(path);
    let raw = raw.map_err(|e| format!("{doing}: {e}"))?;
    let raw = WriteFile::cached(raw);
    Ok((State { datasets, file, raw }, whole, start))
}

/// A dataset with its new extents, ready to take chunks.
fn grown(dataset: Dataset, variable: &VariableSpec, whole: &FileSpec) -> H5Result<Created> {
    let VarType::Numeric(dtype) = variable.dtype else {
        return Err("text cannot be appended".into());
    };
    let stored = &dataset.stored;
    let bools = dtype == DType::Bool && stored.size == 1;
    if !(stored.what == VarType::Numeric(dtype) || bools) || stored.swapped || !stored.exact {
        return Err(format!(
            "it is stored as {}{}, what is appended is {dtype}",
            if stored.swapped { "big-endian " } else { "" },
            stored.what
        ));
    }
    let writable = |f: &Filter| matches!(f, Filter::Shuffle(_) | Filter::Deflate(_) | Filter::Zstd(_));
    let filters = dataset.own_filters().filter(|f| f.iter().all(writable));
    let (Layout::Chunked(chunk), Some(filters)) = (dataset.layout.clone(), filters) else {
        return Err(format!(
            "its filters {} are not written: convert the file first",
            dataset.codecs()
        ));
    };
    let extent: Vec<usize> = whole
        .dims_of(variable)
        .map_err(|e| e.to_string())?
        .into_iter()
        .map(|d| whole.dims[d].len)
        .collect();
    set_extent(&dataset, &extent)?;
    let fill = dataset.fill.map_or_else(|| vec![0; dtype.size()], |f| f.bytes());
    Ok(Created {
        kind: file_type(dtype)?,
        place: Place::Chunks { chunk, filters },
        fill,
        id: dataset.id,
    })
}

fn set_extent(dataset: &Dataset, extent: &[usize]) -> H5Result<()> {
    let wide: Vec<u64> = extent.iter().map(|&n| n as u64).collect();
    if wide.len() != dataset.extent.len() {
        return Err("it has another number of dimensions".into());
    }
    // SAFETY: a valid dataset and an extent for each of its axes; the lock is held.
    check(unsafe { H5Dset_extent(dataset.id.raw(), wide.as_ptr()) }, "grow").map(|_| ())
}

/// The new part of a variable that grew.
#[derive(Debug)]
pub(super) struct GrownSink {
    /// The whole variable.
    pub inner: Arc<dyn Sink>,
    pub axis: usize,
    /// Where the new part begins.
    pub start: usize,
    /// Its extents.
    pub shape: Vec<usize>,
}

impl Sink for GrownSink {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn dtype(&self) -> DType {
        self.inner.dtype()
    }

    fn chunks(&self) -> Option<&[usize]> {
        self.inner.chunks()
    }

    fn write(&self, region: &Region, data: &[u8]) -> Result<()> {
        let mut whole = region.clone();
        whole.start[self.axis] += self.start;
        self.inner.write(&whole, data)
    }

    fn scratch_bytes(&self, region: &Region) -> usize {
        self.inner.scratch_bytes(region)
    }
}
