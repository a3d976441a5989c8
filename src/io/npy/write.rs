//! NPY files, written whole or not at all.
//!
//! The length of the file is known from its header, so regions are written where they belong in any
//! order; the file gets its name when it is finished.

use super::NAME;
use super::header::header_bytes;
use crate::geometry::{Region, checked_bytes};
use crate::io::catalog::VarType;
use crate::io::file::check_region;
use crate::io::piece::write_piece;
use crate::io::spec::FileSpec;
use crate::io::unfinished::create_unfinished;
use crate::io::writer::Writer;
use crate::store::Sink;
use crate::{DType, Error, Result};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempPath;

/// An NPY file being written. [`NpyWriter::finish`] gives it its name; dropping it before removes
/// it.
#[derive(Debug)]
pub struct NpyWriter {
    sink: Arc<NpySink>,
    temporary: TempPath,
}

/// The array of a file being written.
#[derive(Debug)]
struct NpySink {
    file: File,
    path: PathBuf,
    dtype: DType,
    shape: Vec<usize>,
    offset: u64,
}

impl NpyWriter {
    /// Creates a file that will be called `path`, for an array of that dtype and shape; elements
    /// never written are 0.
    ///
    /// # Errors
    /// [`Error::Invalid`] when NPY has no such dtype or the shape is too large, [`Error::Io`] when
    /// the system refuses.
    pub fn create(path: impl AsRef<Path>, dtype: DType, shape: &[usize]) -> Result<NpyWriter> {
        let path = path.as_ref();
        let bytes = checked_bytes(shape, dtype.size())?;
        let header = header_bytes(dtype, shape)?;
        let (mut file, temporary) = create_unfinished(path)?;
        file.write_all(&header).map_err(Error::io("write", path))?;
        let offset = header.len() as u64;
        file.set_len(offset + bytes as u64)
            .map_err(Error::io("write", path))?;
        let sink = NpySink {
            file,
            path: path.to_path_buf(),
            dtype,
            shape: shape.to_vec(),
            offset,
        };
        Ok(NpyWriter {
            sink: Arc::new(sink),
            temporary,
        })
    }

    /// Creates a file for the one variable that `spec` describes; names and attributes are lost.
    ///
    /// # Errors
    /// As [`NpyWriter::create`], and when there is not exactly one variable, of numbers.
    pub fn for_spec(path: &Path, spec: &FileSpec) -> Result<NpyWriter> {
        spec.check()?;
        let [variable] = spec.variables.as_slice() else {
            return Err(Error::invalid(format!(
                "{}: an .npy file holds one array, not {}; write them to a .nc file",
                path.display(),
                spec.variables.len()
            )));
        };
        let VarType::Numeric(dtype) = variable.dtype else {
            return Err(Error::invalid(format!(
                "{}: text is not written to NPY",
                variable.name
            )));
        };
        let dims = spec.dims_of(variable)?;
        let shape: Vec<usize> = dims.into_iter().map(|d| spec.dims[d].len).collect();
        NpyWriter::create(path, dtype, &shape)
    }

    /// The sink for the array.
    pub fn array(&self) -> Arc<dyn Sink> {
        self.sink.clone()
    }

    /// Gives the file its name, replacing a file that has it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn finish(self) -> Result<()> {
        let path = self.sink.path.clone();
        self.temporary
            .persist(&path)
            .map_err(|e| Error::io("rename to", &path)(e.error))
    }
}

impl Writer for NpyWriter {
    /// The one array, whatever its name.
    fn sink(&self, _variable: &str) -> Result<Arc<dyn Sink>> {
        Ok(self.array())
    }

    fn write_text(&self, variable: &str, _values: &[String]) -> Result<()> {
        Err(Error::invalid(format!("{variable}: text is not written to NPY")))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        (*self).finish()
    }
}

impl Sink for NpySink {
    fn name(&self) -> String {
        let file = self.path.file_name().unwrap_or(self.path.as_os_str());
        format!("{}:{NAME}", file.to_string_lossy())
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn chunks(&self) -> Option<&[usize]> {
        None
    }

    fn write(&self, region: &Region, data: &[u8]) -> Result<()> {
        check_region(&self.name(), &self.shape, self.dtype.size(), region, data.len())?;
        let size = self.dtype.size();
        write_piece(&self.file, self.offset, &self.shape, region, data, size)
            .map_err(Error::io("write", &self.path))
    }

    fn scratch_bytes(&self, _region: &Region) -> usize {
        0
    }
}
