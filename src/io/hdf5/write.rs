//! NetCDF-4 files, written whole or not at all.
//!
//! The file grows under a temporary name beside its final one and is renamed when it is finished;
//! whatever goes wrong before leaves nothing behind. Dimensions, attributes and their order are laid
//! out as the NetCDF library does, so that ncdump, xarray, CDO and h5netcdf read them.

use super::append::{GrownSink, Growth};
use super::create::{self, Created, Place};
use super::ffi::{H5Result, Id, check, cstring, locked};
use super::placed::place_all;
use super::scales;
use super::shared::{Shared, State, failure};
use super::sink::Hdf5Sink;
use super::walk::join;
use super::write_attributes::{write, write_all, write_text};
use crate::io::catalog::{AttrValue, VarType};
use crate::io::spec::{FileSpec, VariableSpec};
use crate::io::unfinished::create_unfinished;
use crate::io::write_file::{LONG, PAGE, WriteFile, exceeds_cache};
use crate::io::writer::{Writer, check_texts};
use crate::store::Sink;
use crate::{DType, Error, Result};
use hdf5_sys::h5d::H5Dwrite;
use hdf5_sys::h5f::{H5F_ACC_EXCL, H5F_LIBVER_V18, H5F_SCOPE_GLOBAL, H5Fcreate, H5Fflush};
use hdf5_sys::h5o::H5Oopen;
use hdf5_sys::h5p::*;
use hdf5_sys::h5s::H5S_ALL;
use std::collections::{BTreeSet, HashMap};
use std::ffi::{CString, c_char};
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempPath;

/// A NetCDF-4 file being written. [`NetCdfWriter::finish`] gives it its name; dropping it before
/// removes it.
#[derive(Debug)]
pub struct NetCdfWriter {
    spec: FileSpec,
    shared: Arc<Shared>,
    temporary: Option<TempPath>,
    growth: Option<Growth>,
}

impl NetCdfWriter {
    /// Creates a file that will be called `path`, with everything that `spec` describes; elements
    /// are written through [`NetCdfWriter::sink`] and its like.
    ///
    /// Booleans are stored as bytes with xarray's `dtype = "bool"`. f16 and bf16 are stored as
    /// HDF5's 16-bit floats, which HDF5 tools read but the NetCDF library does not.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the description contradicts itself, [`Error::Io`] when the folder
    /// refuses, [`Error::Format`] when NetCDF-4 cannot hold it.
    pub fn create(path: impl AsRef<Path>, spec: &FileSpec) -> Result<NetCdfWriter> {
        NetCdfWriter::create_as(path.as_ref(), spec, exceeds_cache(spec.plain_bytes()))
    }

    /// As [`NetCdfWriter::create`]; `direct` lets long stretches go past the page cache.
    pub(super) fn create_as(path: &Path, spec: &FileSpec, direct: bool) -> Result<NetCdfWriter> {
        spec.check()?;
        let (placeholder, temporary) = create_unfinished(path)?;
        drop(placeholder);
        let text = temporary.to_str().ok_or_else(|| {
            Error::format(
                path,
                "its path is not UTF-8, which HDF5 cannot create: rename the folder",
            )
        })?;
        let state = locked(|| {
            let (file, raw) = create_file(text, direct)?;
            let mut datasets = create_all(&file, spec)?;
            place_all(&file, text, &mut datasets)?;
            Ok(State { datasets, file, raw })
        })
        .map_err(|reason: String| failure(path, reason))?;
        let shared = Shared::new(path, state);
        Ok(NetCdfWriter {
            spec: spec.clone(),
            shared: Arc::new(shared),
            temporary: Some(temporary),
            growth: None,
        })
    }

    /// A writer of the new part of a file whose variables grew to the extents of `spec`.
    pub(super) fn grown(spec: FileSpec, shared: Shared, temporary: TempPath, growth: Growth) -> NetCdfWriter {
        NetCdfWriter {
            spec,
            shared: Arc::new(shared),
            temporary: Some(temporary),
            growth: Some(growth),
        }
    }

    /// Closes the file and gives it its name, replacing a file that has it.
    ///
    /// # Errors
    /// As [`Writer::finish`].
    pub fn finish(mut self) -> Result<()> {
        let path = self.shared.path.clone();
        let Some(state) = self.shared.close() else {
            return Ok(());
        };
        let filled = state
            .datasets
            .iter()
            .try_for_each(|created| match &created.place {
                Place::Placed(placed) => placed.fill_rest(&state.raw),
                Place::Piece(piece) => piece.fill_rest(&state.raw),
                _ => Ok(()),
            });
        // SAFETY: a valid file; the lock is held.
        let flushed = locked(|| check(unsafe { H5Fflush(state.file.raw(), H5F_SCOPE_GLOBAL) }, "write"));
        drop(state);
        flushed.map_err(|reason| failure(&path, reason))?;
        filled.map_err(Error::io("write", &path))?;
        if self.shared.has_failed() {
            return Err(Error::format(&path, "not kept, because a write to it failed"));
        }
        match self.temporary.take() {
            Some(temporary) => temporary
                .persist(&path)
                .map_err(|e| Error::io("rename to", &path)(e.error)),
            None => Ok(()),
        }
    }

    fn find(&self, variable: &str) -> Result<(usize, &VariableSpec)> {
        let at = self.spec.variables.iter().position(|v| v.name == variable);
        at.map(|at| (at, &self.spec.variables[at]))
            .ok_or_else(|| Error::invalid(format!("the file has no variable {variable}")))
    }

    fn shape(&self, variable: &VariableSpec) -> Result<Vec<usize>> {
        let dims = self.spec.dims_of(variable)?;
        Ok(dims.into_iter().map(|d| self.spec.dims[d].len).collect())
    }
}

impl Writer for NetCdfWriter {
    fn sink(&self, variable: &str) -> Result<Arc<dyn Sink>> {
        let (number, spec) = self.find(variable)?;
        let VarType::Numeric(dtype) = spec.dtype else {
            return Err(Error::invalid(format!(
                "variable {variable} is text: write it with write_text"
            )));
        };
        let chunks = self
            .shared
            .with_state(|state| match &state.datasets[number].place {
                Place::Chunks { chunk, filters } => Ok(Some((chunk.clone(), filters.clone()))),
                Place::Placed(placed) => Ok(Some((placed.chunk().to_vec(), Vec::new()))),
                _ => Ok(None),
            })?;
        let aside = self.shared.with_state(|state| Ok(state.raw.scratch_bytes()))?;
        let whole = Arc::new(Hdf5Sink {
            shared: self.shared.clone(),
            number,
            variable: variable.to_string(),
            dtype,
            shape: self.shape(spec)?,
            chunks,
            aside,
            idle: Mutex::new(Vec::new()),
        });
        let Some(growth) = &self.growth else {
            return Ok(whole);
        };
        let axis = spec.dims.iter().position(|d| *d == growth.dim);
        let axis = axis.ok_or_else(|| {
            Error::invalid(format!("variable {variable} does not grow with {}", growth.dim))
        })?;
        let mut shape = whole.shape.clone();
        shape[axis] -= growth.start;
        Ok(Arc::new(GrownSink {
            inner: whole,
            axis,
            start: growth.start,
            shape,
        }))
    }

    fn write_text(&self, variable: &str, values: &[String]) -> Result<()> {
        let (number, spec) = self.find(variable)?;
        let width = check_texts(spec, &self.shape(spec)?, values)?;
        if values.is_empty() || width == Some(0) {
            return Ok(());
        }
        self.shared.with_state(|state| {
            let created = &state.datasets[number];
            locked(|| match width {
                Some(width) => write_characters(created, values, width),
                None => write_strings(created, values),
            })
            .map_err(|reason| failure(&self.shared.path, format!("variable {variable}: {reason}")))
        })
    }

    fn finish(self: Box<Self>) -> Result<()> {
        (*self).finish()
    }
}

impl Drop for NetCdfWriter {
    /// Closes the file before its temporary name is removed.
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// Creates the file in the place of the empty one of that name, and opens it beside the library;
/// the lock is held, here and below.
///
/// The library would empty a file that exists, and ext4 writes a file that was emptied to the disk
/// before it lets go of it: the whole output, at the end, while somebody waits.
///
/// With `direct`, long stretches of data begin at pages of the file.
fn create_file(path: &str, direct: bool) -> H5Result<(Id, WriteFile)> {
    let (name, doing) = (cstring(path)?, "create the file");
    let said = |e: std::io::Error| format!("{doing}: {e}");
    std::fs::remove_file(path).map_err(said)?;
    // SAFETY: valid lists and a C string.
    let file = unsafe {
        let creation = create::ordered_list(*H5P_CLS_FILE_CREATE, true)?;
        let access = Id::new(H5Pcreate(*H5P_CLS_FILE_ACCESS), doing)?;
        // What HDF5 1.8 reads, every tool reads.
        check(
            H5Pset_libver_bounds(access.raw(), H5F_LIBVER_V18, H5F_LIBVER_V18),
            doing,
        )?;
        check(H5Pset_file_locking(access.raw(), 1, 1), doing)?;
        if direct {
            let (long, page) = (LONG as u64, PAGE as u64);
            check(H5Pset_alignment(access.raw(), long, page), doing)?;
        }
        Id::new(
            H5Fcreate(name.as_ptr(), H5F_ACC_EXCL, creation.raw(), access.raw()),
            doing,
        )?
    };
    let raw = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(said)?;
    let raw = match direct {
        true => WriteFile::direct(raw, Path::new(path)),
        false => WriteFile::cached(raw),
    };
    Ok((file, raw))
}

/// The group and the base name of a name of the description.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once('/') {
        None | Some(("", _)) => ("/", name.trim_start_matches('/')),
        Some((group, base)) => (group, base),
    }
}

/// The paths of all groups that names of the description lie in, parents first.
fn group_paths(spec: &FileSpec) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let variables = spec.variables.iter().map(|v| v.name.as_str());
    let attributes = spec
        .attributes
        .iter()
        .map(|(n, _)| n)
        .filter(|n| n.starts_with('/'));
    for name in variables
        .chain(spec.dims.iter().map(|d| d.name.as_str()))
        .chain(attributes)
    {
        let mut group = split(name).0;
        while group != "/" {
            paths.insert(if group.starts_with('/') {
                group.to_string()
            } else {
                format!("/{group}")
            });
            group = split(group).0;
        }
    }
    paths
}

/// Creates groups, dimensions, variables and attributes; gives the datasets of the variables.
fn create_all(file: &Id, spec: &FileSpec) -> H5Result<Vec<Created>> {
    let mut groups = HashMap::new();
    for path in group_paths(spec) {
        groups.insert(path.clone(), create::group(file, &path)?);
    }
    // SAFETY: a valid file and a C string.
    let root = unsafe { H5Oopen(file.raw(), c"/".as_ptr(), H5P_DEFAULT) };
    groups.insert("/".to_string(), Id::new(root, "open the root")?);
    let (major, minor, patch) = hdf5::library_version();
    let own = env!("CARGO_PKG_VERSION");
    let properties = format!("version=2,tilewise={own},hdf5={major}.{minor}.{patch}");
    write_text(&groups["/"], "_NCProperties", &properties)?;

    let mut scale_of: Vec<Option<usize>> = vec![None; spec.dims.len()];
    let mut created = Vec::new();
    for variable in &spec.variables {
        let described = |reason: String| format!("variable {}: {reason}", variable.name);
        let dims = spec.dims_of(variable).map_err(|e| e.to_string())?;
        let own = spec.dims.iter().position(|d| d.name == variable.name);
        let is_scale = own.is_some() && dims.first() == own.as_ref();
        created.push(
            create_variable(file, spec, variable, &dims, own.is_some() && !is_scale).map_err(described)?,
        );
        if let (true, Some(dim)) = (is_scale, own) {
            scale_of[dim] = Some(created.len() - 1);
        }
    }
    write_scales(file, spec, &created, &scale_of)?;
    for (variable, dataset) in spec.variables.iter().zip(&created) {
        let mut attributes = variable.attributes.clone();
        attributes.remove("_FillValue");
        if variable.dtype == VarType::Numeric(DType::Bool) {
            attributes.set("dtype", "bool");
        }
        if let Some(fill) = variable.declared_fill()? {
            write(&dataset.id, "_FillValue", &AttrValue::from(fill))?;
        }
        write_all(&dataset.id, &attributes)
            .map_err(|reason| format!("variable {}: {reason}", variable.name))?;
    }
    for (name, value) in spec.attributes.iter() {
        let (group, base) = if name.starts_with('/') {
            split(name)
        } else {
            ("/", name)
        };
        let group = groups
            .get(group)
            .ok_or_else(|| format!("no group {group} for attribute {name}"))?;
        write(group, base, value).map_err(|reason| format!("attribute {name}: {reason}"))?;
    }
    Ok(created)
}

/// Creates the dataset of a variable, under another name where a dimension has its.
fn create_variable(
    file: &Id,
    spec: &FileSpec,
    variable: &VariableSpec,
    dims: &[usize],
    renamed: bool,
) -> H5Result<Created> {
    let (group, base) = split(&variable.name);
    let path = match renamed {
        true => join(group, &format!("_nc4_non_coord_{base}")),
        false => join(group, base),
    };
    let shape: Vec<usize> = dims.iter().map(|&d| spec.dims[d].len).collect();
    let unlimited: Vec<bool> = dims.iter().map(|&d| spec.dims[d].unlimited).collect();
    create::variable(
        file,
        &path,
        variable,
        &shape,
        &unlimited,
        variable.declared_fill()?,
    )
}

/// Makes the scales of all dimensions and lets the variables refer to them.
fn write_scales(file: &Id, spec: &FileSpec, created: &[Created], scale_of: &[Option<usize>]) -> H5Result<()> {
    let mut bare = HashMap::new();
    for (number, dim) in spec.dims.iter().enumerate() {
        let (group, base) = split(&dim.name);
        match scale_of[number] {
            Some(variable) => scales::mark(&created[variable].id, base, number)?,
            None => {
                let dataset = create::bare_dimension(file, &join(group, base), dim.len, dim.unlimited)
                    .map_err(|reason| format!("dimension {}: {reason}", dim.name))?;
                scales::mark(&dataset, &scales::bare_name(dim.len), number)?;
                bare.insert(number, dataset);
            }
        }
    }
    let scale = |dim: usize| match scale_of[dim] {
        Some(variable) => Some(&created[variable].id),
        None => bare.get(&dim),
    };
    let mut uses: Vec<Vec<scales::Use>> = vec![Vec::new(); spec.dims.len()];
    for (number, variable) in spec.variables.iter().enumerate() {
        let dims = spec.dims_of(variable).map_err(|e| e.to_string())?;
        let id = &created[number].id;
        if scale_of.contains(&Some(number)) {
            // A scale may not refer to scales; NetCDF numbers the axes of those with several.
            if dims.len() > 1 {
                scales::number_axes(id, &dims)?;
            }
        } else if !dims.is_empty() {
            let referred: Vec<&Id> = dims.iter().filter_map(|&d| scale(d)).collect();
            scales::attach(id, &referred)?;
            let address = super::attributes::address(id)?;
            dims.iter()
                .enumerate()
                .for_each(|(axis, &dim)| uses[dim].push((address, axis)));
        }
    }
    for (dim, uses) in uses.iter().enumerate() {
        if let Some(scale) = scale(dim) {
            scales::list_uses(scale, uses)?;
        }
    }
    Ok(())
}

/// Writes rows of characters.
fn write_characters(created: &Created, values: &[String], width: usize) -> H5Result<()> {
    let mut bytes = vec![0u8; values.len() * width];
    for (row, value) in bytes.chunks_exact_mut(width).zip(values) {
        row[..value.len()].copy_from_slice(value.as_bytes());
    }
    write_all_elements(created, bytes.as_ptr().cast())
}

/// Writes strings of variable length.
fn write_strings(created: &Created, values: &[String]) -> H5Result<()> {
    let owned = values
        .iter()
        .map(|v| cstring(v))
        .collect::<H5Result<Vec<CString>>>()?;
    let pointers: Vec<*const c_char> = owned.iter().map(|v| v.as_ptr()).collect();
    write_all_elements(created, pointers.as_ptr().cast())
}

/// Writes a whole dataset from a buffer of its own type.
fn write_all_elements(created: &Created, buffer: *const std::ffi::c_void) -> H5Result<()> {
    // SAFETY: the callers pass a buffer with an element for each of the dataset's, as its
    // description was checked against the number of strings; the lock is held.
    let status = unsafe {
        H5Dwrite(
            created.id.raw(),
            created.kind.raw(),
            H5S_ALL,
            H5S_ALL,
            H5P_DEFAULT,
            buffer,
        )
    };
    check(status, "write").map(|_| ())
}
