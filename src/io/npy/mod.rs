//! NumPy's NPY files: one array, read and written region by region.
//!
//! Both element orders and both byte orders are read; written files are C-ordered and little
//! endian, which `numpy.load(..., mmap_mode="r")` opens without reading.

mod header;
mod write;

use self::header::{Header, read_header};
use super::catalog::{Attributes, Catalog, Dim, VarType, Variable};
use super::contents::Contents;
use super::file::{ReadFile, check_region, fingerprint};
use super::filters::swap_bytes;
use super::piece::{WINDOW, piece_scratch, read_piece};
use super::runs::{Side, for_each_run};
use crate::geometry::{Region, checked_bytes};
use crate::store::Source;
use crate::{DType, Error, Result};
use std::path::Path;
use std::sync::Arc;

pub use self::write::NpyWriter;

/// The name of the array of an NPY file, which has none of its own.
const NAME: &str = "data";

/// An open NPY file.
#[derive(Debug)]
pub struct NpyFile {
    catalog: Catalog,
    array: Arc<NpySource>,
}

/// The array of an NPY file.
#[derive(Debug)]
struct NpySource {
    file: ReadFile,
    header: Header,
    /// Where the elements start.
    offset: u64,
}

impl NpyFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses, [`Error::Format`] when it is no NPY file, its dtype is
    /// none of ours, or it is shorter than its header says.
    pub fn open(path: &Path) -> Result<NpyFile> {
        let file = ReadFile::open(path)?;
        let (header, offset) = read_header(&file)?;
        let bytes = checked_bytes(&header.shape, header.dtype.size())?;
        let end = offset.checked_add(bytes as u64);
        if end.is_none_or(|end| end > file.len()) {
            return Err(Error::format(
                path,
                format!(
                    "truncated: {} bytes are there, its header asks for {bytes} from {offset} on",
                    file.len()
                ),
            ));
        }
        let dims = header.shape.iter().enumerate().map(|(axis, &len)| Dim {
            name: format!("dim_{axis}"),
            len,
            unlimited: false,
        });
        let dims: Vec<Dim> = dims.collect();
        let variable = Variable {
            name: NAME.to_string(),
            dims: dims.iter().map(|d| d.name.clone()).collect(),
            shape: header.shape.clone(),
            dtype: VarType::Numeric(header.dtype),
            chunks: None,
            codecs: String::new(),
            stored_bytes: bytes as u64,
            fill: None,
            attributes: Attributes::new(),
        };
        let catalog = Catalog {
            path: path.to_path_buf(),
            format: "NPY",
            dims,
            variables: vec![variable],
            attributes: Attributes::new(),
            notes: Vec::new(),
        };
        Ok(NpyFile {
            catalog,
            array: Arc::new(NpySource { file, header, offset }),
        })
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

impl NpySource {
    /// Reads a region of an array stored with its first axis fastest: runs of the file are spread
    /// over the result.
    fn read_fortran(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        let size = self.header.dtype.size();
        let reversed = |v: &[usize]| v.iter().rev().copied().collect::<Vec<usize>>();
        let (shape, start, extent) = (
            reversed(&self.header.shape),
            reversed(&region.start),
            reversed(&region.shape),
        );
        let origin = vec![0; extent.len()];
        let from = Side {
            shape: &shape,
            start: &start,
        };
        let dense = Side {
            shape: &extent,
            start: &origin,
        };
        let mut buffer = vec![0u8; WINDOW / size * size];
        for_each_run(from, dense, &extent, size, |a, b, n| {
            for at in (0..n).step_by(buffer.len()) {
                let part = &mut buffer[..WINDOW.min(n - at) / size * size];
                self.file.read_at(self.offset + (a + at) as u64, part)?;
                spread(part, (b + at) / size, &extent, size, out);
            }
            Ok(())
        })
    }
}

/// Puts consecutive elements, the first being number `first` in the file's order of a box of
/// extents `extent` (slowest axis of the file first), where they belong in the row-major result,
/// whose axes are the reverse.
fn spread(elements: &[u8], first: usize, extent: &[usize], size: usize, out: &mut [u8]) {
    let rank = extent.len();
    // In the result the file's slowest axis is the fastest.
    let mut strides = vec![size; rank];
    for axis in 1..rank {
        strides[axis] = strides[axis - 1] * extent[axis - 1];
    }
    let (mut rest, mut index, mut at) = (first, vec![0; rank], 0);
    for axis in (0..rank).rev() {
        index[axis] = rest % extent[axis];
        rest /= extent[axis];
        at += index[axis] * strides[axis];
    }
    for element in elements.chunks_exact(size) {
        out[at..at + size].copy_from_slice(element);
        for axis in (0..rank).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < extent[axis] {
                break;
            }
            at -= strides[axis] * extent[axis];
            index[axis] = 0;
        }
    }
}

impl Source for NpySource {
    fn name(&self) -> String {
        let path = self.file.path();
        let file = path.file_name().unwrap_or(path.as_os_str());
        format!("{}:{NAME}", file.to_string_lossy())
    }

    fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    fn dtype(&self) -> DType {
        self.header.dtype
    }

    fn chunks(&self) -> Option<&[usize]> {
        None
    }

    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        let (shape, dtype) = (&self.header.shape, self.header.dtype);
        check_region(&self.name(), shape, dtype.size(), region, out.len())?;
        if region.is_empty() {
            return Ok(());
        }
        if self.header.fortran && shape.len() > 1 {
            self.read_fortran(region, out)?;
        } else {
            let origin = vec![0; region.rank()];
            let from = Side {
                shape,
                start: &region.start,
            };
            let to = Side {
                shape: &region.shape,
                start: &origin,
            };
            read_piece(
                &self.file,
                self.offset,
                from,
                out,
                to,
                &region.shape,
                dtype.size(),
            )?;
        }
        if self.header.swapped {
            swap_bytes(out, dtype.part().size());
        }
        if dtype == DType::Bool {
            out.iter_mut().for_each(|b| *b = u8::from(*b != 0));
        }
        Ok(())
    }

    fn scratch_bytes(&self, region: &Region) -> usize {
        match self.header.fortran {
            true => WINDOW,
            false => piece_scratch(region, self.header.dtype.size()),
        }
    }

    fn stored_bytes(&self) -> u64 {
        let count: usize = self.header.shape.iter().product();
        (count * self.header.dtype.size()) as u64
    }

    fn fingerprint(&self) -> u64 {
        fingerprint(&self.file, NAME)
    }
}
