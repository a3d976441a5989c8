//! NPY files, written whole or not at all.
//!
//! The length of the file is known from its header, so regions are written where they belong in any
//! order; the file gets its name when it is finished.

use super::NAME;
use super::header::header_bytes;
use crate::geometry::checked_bytes;
use crate::io::catalog::VarType;
use crate::io::dense::DenseSink;
use crate::io::spec::FileSpec;
use crate::io::unfinished::create_unfinished;
use crate::io::write_file::WriteFile;
use crate::io::writer::Writer;
use crate::store::Sink;
use crate::{DType, Error, Result};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempPath;

/// An NPY file being written. [`NpyWriter::finish`] gives it its name; dropping it before removes
/// it.
#[derive(Debug)]
pub struct NpyWriter {
    sink: Arc<DenseSink>,
    temporary: TempPath,
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
        let sink = DenseSink {
            file: Arc::new(WriteFile::sized(file, &temporary, bytes as u64)),
            path: path.to_path_buf(),
            variable: NAME.to_string(),
            dtype,
            shape: shape.to_vec(),
            offset,
            sum: None,
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
                "{}: an .npy file holds one array, not {}; write them to a .nc or .npz file",
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
