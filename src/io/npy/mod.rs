//! NumPy's NPY files: one array, read and written region by region.
//!
//! Both element orders and both byte orders are read; written files are C-ordered and little
//! endian, which `numpy.load(..., mmap_mode="r")` opens without reading.

mod header;
mod write;

use super::catalog::{Attributes, Catalog, Dim};
use super::contents::Contents;
use super::dense::{DenseSource, Stored};
use super::file::ReadFile;
use crate::store::Source;
use crate::{Error, Result};
use std::path::Path;
use std::sync::Arc;

pub(super) use self::header::{header_bytes, read_header};
pub use self::write::NpyWriter;

/// The name of the array of an NPY file, which has none of its own.
const NAME: &str = "data";

/// An open NPY file.
#[derive(Debug)]
pub struct NpyFile {
    catalog: Catalog,
    array: Arc<DenseSource>,
}

impl NpyFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses, [`Error::Format`] when it is no NPY file, its dtype is
    /// none of ours, or it is shorter than its header says.
    pub fn open(path: &Path) -> Result<NpyFile> {
        let file = Arc::new(ReadFile::open(path)?);
        let (layout, offset) = read_header(path, file.len(), &mut |at, out| file.read_at(at, out))?;
        let bytes = layout.bytes()?;
        let end = offset.checked_add(bytes);
        if end.is_none_or(|end| end > file.len()) {
            return Err(Error::format(
                path,
                format!(
                    "truncated: {} bytes are there, its header asks for {bytes} from {offset} on",
                    file.len()
                ),
            ));
        }
        let dims = layout.shape.iter().enumerate().map(|(axis, &len)| Dim {
            name: format!("dim_{axis}"),
            len,
            unlimited: false,
        });
        let dims: Vec<Dim> = dims.collect();
        let names = dims.iter().map(|d| d.name.clone()).collect();
        let catalog = Catalog {
            path: path.to_path_buf(),
            format: "NPY",
            variables: vec![layout.variable(NAME, names, "", bytes)],
            dims,
            attributes: Attributes::new(),
            notes: Vec::new(),
        };
        let array = Arc::new(DenseSource {
            file,
            variable: NAME.to_string(),
            layout,
            stored: Stored::At(offset),
        });
        Ok(NpyFile { catalog, array })
    }
}

impl Contents for NpyFile {
    /// What the file holds: one variable called `data` with dimensions `dim_0`, `dim_1`, ….
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The array.
    ///
    /// # Errors
    /// When `variable` is not `data`.
    fn source(&self, variable: &str) -> Result<Arc<dyn Source>> {
        if variable == NAME {
            Ok(self.array.clone())
        } else {
            Err(super::missing(&self.catalog, variable))
        }
    }
}
