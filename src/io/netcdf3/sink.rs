//! A NetCDF-3 variable as a [`Sink`]: regions are turned to big-endian order and written where they
//! belong, record by record.

use super::layout::Place;
use super::write::Shared;
use crate::DType;
use crate::Result;
use crate::geometry::Region;
use crate::io::file::check_region;
use crate::io::filters::swap_bytes;
use crate::io::runs::{Side, fill, for_each_run};
use crate::store::Sink;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes that are turned and written at once.
const BUFFER: usize = 256 << 10;

/// One numeric variable of a file being written.
#[derive(Debug)]
pub(super) struct NetCdf3Sink {
    pub shared: Arc<Shared>,
    /// Its number in the file's description.
    pub number: usize,
    pub variable: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
    /// What unwritten elements are.
    pub fill: Vec<u8>,
}

impl Sink for NetCdf3Sink {
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
        None
    }

    fn write(&self, region: &Region, data: &[u8]) -> Result<()> {
        let size = self.dtype.size();
        check_region(&self.name(), &self.shape, size, region, data.len())?;
        let laid = self.shared.laid()?;
        let origin = vec![0; region.rank()];
        let from = Side {
            shape: &region.shape,
            start: &origin,
        };
        let to = Side {
            shape: &self.shape,
            start: &region.start,
        };
        for_each_run(from, to, &region.shape, size, |a, b, n| {
            self.shared.put(laid, self.number, b, &data[a..a + n], &self.fill)
        })
    }

    fn scratch_bytes(&self, region: &Region) -> usize {
        BUFFER.min(region.len() * self.dtype.size() + 4)
    }
}

/// Writes elements at byte `at` of a variable; behind the end of a piece the padding is written
/// with it, as fill values.
pub(super) fn write_elements(
    file: &File,
    place: &Place,
    at: usize,
    bytes: &[u8],
    size: usize,
    fill: &[u8],
) -> std::io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER.min(bytes.len() + 4));
    let (mut at, mut rest) = (at, bytes);
    while !rest.is_empty() {
        let (piece, within) = match place.stride == place.bytes as u64 {
            true => (0, at), // pieces without padding are one
            false => (at / place.bytes, at % place.bytes),
        };
        let end = if place.stride == place.bytes as u64 {
            place.pieces * place.bytes
        } else {
            place.bytes
        };
        let n = rest.len().min(end - within).min((BUFFER - 4) / size * size);
        buffer.clear();
        buffer.extend_from_slice(&rest[..n]);
        swap_bytes(&mut buffer, size);
        if within + n == end {
            buffer.extend(fill.iter().rev().cycle().take(place.pad));
        }
        let offset = place.begin + piece as u64 * place.stride + within as u64;
        file.write_all_at(&buffer, offset)?;
        at += n;
        rest = &rest[n..];
    }
    Ok(())
}

/// Writes fill values where nothing was written.
pub(super) fn fill_gaps(
    file: &File,
    place: &Place,
    gaps: &[Range<u64>],
    size: usize,
    value: &[u8],
) -> std::io::Result<()> {
    if value.iter().all(|b| *b == 0) {
        return Ok(()); // the file was made of zeros
    }
    let mut filled = vec![0; BUFFER / size * size];
    fill(&mut filled, value);
    for gap in gaps {
        let mut at = gap.start;
        while at < gap.end {
            let n = (gap.end - at).min(filled.len() as u64) as usize;
            write_elements(file, place, at as usize, &filled[..n], size, value)?;
            at += n as u64;
        }
    }
    Ok(())
}
