//! An array that lies in one piece, alone or between other bytes: NPY, NPZ and raw binary.
//!
//! Both element orders and both byte orders are read. What is written is in row-major order and
//! little-endian, so that regions go where they belong in any order.

use super::catalog::{Attributes, VarType, Variable};
use super::checksum::Checksum;
use super::file::{ReadFile, check_region, fingerprint};
use super::filters::swap_bytes;
use super::inflate::Inflated;
use super::piece::{WINDOW, piece_scratch, read_piece, will_read_piece, write_piece};
use super::runs::{Side, for_each_run};
use super::write_file::WriteFile;
use crate::geometry::{Region, checked_bytes};
use crate::store::{Sink, Source};
use crate::{DType, Error, Result};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// What the bytes of an array are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    pub dtype: DType,
    /// Whether its bytes are in the other order than this machine's.
    pub swapped: bool,
    /// Whether the first axis is the fastest.
    pub fortran: bool,
    pub shape: Vec<usize>,
}

impl Layout {
    /// Bytes of all elements.
    ///
    /// # Errors
    /// When 64 bits do not count them.
    pub fn bytes(&self) -> Result<u64> {
        checked_bytes(&self.shape, self.dtype.size()).map(|bytes| bytes as u64)
    }

    /// The variable that shows the array, with dimensions of these names.
    pub fn variable(&self, name: &str, dims: Vec<String>, codecs: &str, stored_bytes: u64) -> Variable {
        Variable {
            name: name.to_string(),
            dims,
            shape: self.shape.clone(),
            dtype: VarType::Numeric(self.dtype),
            chunks: None,
            codecs: codecs.to_string(),
            stored_bytes,
            fill: None,
            attributes: Attributes::new(),
        }
    }
}

/// Where the bytes of an array are.
#[derive(Debug)]
pub(super) enum Stored {
    /// From that offset of the file on.
    At(u64),
    /// Compressed in one stream, behind as many bytes of it.
    Inflated(Inflated, u64),
}

/// An array in one piece.
#[derive(Debug)]
pub(super) struct DenseSource {
    pub file: Arc<ReadFile>,
    pub variable: String,
    pub layout: Layout,
    pub stored: Stored,
}

impl DenseSource {
    /// The bytes of rows of the array, in ascending order of their places.
    fn rows<'a>(&'a self) -> impl FnMut(usize, &mut [u8]) -> Result<()> + 'a {
        let mut stream = match &self.stored {
            Stored::At(_) => None,
            Stored::Inflated(inflated, _) => Some(inflated.reader()),
        };
        move |at, row| match (&self.stored, &mut stream) {
            (Stored::Inflated(_, before), Some(stream)) => stream.read_at(before + at as u64, row),
            (Stored::Inflated(_, before) | Stored::At(before), _) => {
                self.file.read_at(before + at as u64, row)
            }
        }
    }

    /// Reads a region of an array stored with its first axis fastest: runs of the file are spread
    /// over the result.
    fn read_fortran(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        let size = self.layout.dtype.size();
        let reversed = |v: &[usize]| v.iter().rev().copied().collect::<Vec<usize>>();
        let (shape, start, extent) = (
            reversed(&self.layout.shape),
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
        let mut read = self.rows();
        for_each_run(from, dense, &extent, size, |a, b, n| {
            for at in (0..n).step_by(buffer.len()) {
                let part = &mut buffer[..WINDOW.min(n - at) / size * size];
                read(a + at, part)?;
                spread(part, (b + at) / size, &extent, size, out);
            }
            Ok(())
        })
    }

    /// Reads a region of an array stored in row-major order.
    fn read_rows(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        let size = self.layout.dtype.size();
        let origin = vec![0; region.rank()];
        let from = Side {
            shape: &self.layout.shape,
            start: &region.start,
        };
        let to = Side {
            shape: &region.shape,
            start: &origin,
        };
        match &self.stored {
            Stored::At(offset) => read_piece(&self.file, *offset, from, out, to, &region.shape, size),
            Stored::Inflated(..) => {
                let mut read = self.rows();
                for_each_run(from, to, &region.shape, size, |a, b, n| {
                    read(a, &mut out[b..b + n])
                })
            }
        }
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

impl Source for DenseSource {
    fn name(&self) -> String {
        let path = self.file.path();
        let file = path.file_name().unwrap_or(path.as_os_str());
        format!("{}:{}", file.to_string_lossy(), self.variable)
    }

    fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    fn dtype(&self) -> DType {
        self.layout.dtype
    }

    fn chunks(&self) -> Option<&[usize]> {
        None
    }

    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        let Layout { shape, dtype, .. } = &self.layout;
        check_region(&self.name(), shape, dtype.size(), region, out.len())?;
        if region.is_empty() {
            return Ok(());
        }
        if self.layout.fortran && shape.len() > 1 {
            self.read_fortran(region, out)?;
        } else {
            self.read_rows(region, out)?;
        }
        if self.layout.swapped {
            swap_bytes(out, dtype.part().size());
        }
        if *dtype == DType::Bool {
            out.iter_mut().for_each(|b| *b = u8::from(*b != 0));
        }
        Ok(())
    }

    fn will_read(&self, region: &Region) {
        if let (Stored::At(offset), false) = (&self.stored, self.layout.fortran) {
            let from = Side {
                shape: &self.layout.shape,
                start: &region.start,
            };
            will_read_piece(&self.file, *offset, from, &region.shape, self.layout.dtype.size());
        }
    }

    fn scratch_bytes(&self, region: &Region) -> usize {
        let rows = match self.layout.fortran {
            true => WINDOW,
            false => piece_scratch(region, self.layout.dtype.size()),
        };
        match &self.stored {
            Stored::At(_) => rows,
            Stored::Inflated(..) => rows + Inflated::SCRATCH,
        }
    }

    fn stored_bytes(&self) -> u64 {
        match &self.stored {
            Stored::At(_) => self.layout.bytes().unwrap_or(u64::MAX),
            Stored::Inflated(inflated, _) => inflated.stored_bytes(),
        }
    }

    fn fingerprint(&self) -> u64 {
        // The same bytes of a file may be seen as several arrays.
        let (Stored::At(offset) | Stored::Inflated(_, offset)) = &self.stored;
        let Layout {
            dtype,
            swapped,
            fortran,
            shape,
        } = &self.layout;
        let seen = format!(
            "{}\0{offset} {dtype} {shape:?} {swapped} {fortran}",
            self.variable
        );
        fingerprint(&self.file, &seen)
    }
}

/// An array of a file being written, from that offset on.
#[derive(Debug)]
pub(super) struct DenseSink {
    pub file: Arc<WriteFile>,
    pub path: PathBuf,
    pub variable: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub offset: u64,
    /// The checksum of the elements, where the format wants one.
    pub sum: Option<Mutex<Checksum>>,
}

impl Sink for DenseSink {
    fn name(&self) -> String {
        let file = self.path.file_name().unwrap_or(self.path.as_os_str());
        format!("{}:{}", file.to_string_lossy(), self.variable)
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
        let size = self.dtype.size();
        check_region(&self.name(), &self.shape, size, region, data.len())?;
        write_piece(&self.file, self.offset, &self.shape, region, data, size)
            .map_err(Error::io("write", &self.path))?;
        if let Some(sum) = &self.sum {
            let origin = vec![0; region.rank()];
            let from = Side {
                shape: &region.shape,
                start: &origin,
            };
            let to = Side {
                shape: &self.shape,
                start: &region.start,
            };
            let len = sum.lock().unwrap_or_else(PoisonError::into_inner).len();
            let mut own = Checksum::new(len);
            let summed: Result<(), std::convert::Infallible> =
                for_each_run(from, to, &region.shape, size, |a, b, n| {
                    own.add(b as u64, &data[a..a + n]);
                    Ok(())
                });
            let Ok(()) = summed;
            sum.lock().unwrap_or_else(PoisonError::into_inner).join(&own);
        }
        Ok(())
    }

    fn scratch_bytes(&self, _region: &Region) -> usize {
        self.file.scratch_bytes()
    }
}
