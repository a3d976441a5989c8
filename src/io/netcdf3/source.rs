//! A NetCDF-3 variable as a [`Source`]: a region is read record by record, and no byte of others.

use super::layout::Place;
use crate::geometry::Region;
use crate::io::file::{ReadFile, check_region, fingerprint};
use crate::io::filters::swap_bytes;
use crate::io::piece::{Rows, piece_scratch, will_read_piece};
use crate::io::runs::{Side, for_each_run};
use crate::store::Source;
use crate::{DType, Result};
use std::sync::Arc;

/// Of smaller records none is hinted at.
const WORTH_A_HINT: usize = 32 << 10;

/// One numeric variable of an open file.
#[derive(Debug)]
pub(super) struct NetCdf3Source {
    pub file: Arc<ReadFile>,
    pub variable: String,
    pub shape: Vec<usize>,
    pub dtype: DType,
    pub place: Place,
    /// Whether its first axis is that of the records.
    pub grows: bool,
}

/// Reads the region of a variable as it lies in the file; `grows` tells whether the first axis is
/// that of the records.
pub(super) fn read_stored(
    file: &ReadFile,
    place: &Place,
    shape: &[usize],
    grows: bool,
    region: &Region,
    out: &mut [u8],
    size: usize,
) -> Result<()> {
    if region.is_empty() {
        return Ok(());
    }
    // Offsets count from `begin`; that the last one exists was checked when the file was opened.
    let end = place.end().unwrap_or(place.begin) - place.begin;
    let mut rows = Rows::new(file, place.begin, end as usize);
    let (first, records) = match grows {
        true => (region.start[0], region.shape[0]),
        false => (0, 1),
    };
    let own = usize::from(grows);
    let extent = &region.shape[own..];
    let (from, to) = (
        Side {
            shape: &shape[own..],
            start: &region.start[own..],
        },
        Side {
            shape: extent,
            start: &vec![0; extent.len()],
        },
    );
    let bytes = out.len() / records;
    for (record, out) in out.chunks_exact_mut(bytes).enumerate() {
        let start = (first + record) * place.stride as usize;
        for_each_run(from, to, extent, size, |a, b, n| {
            rows.read(start + a, &mut out[b..b + n])
        })?;
    }
    Ok(())
}

impl NetCdf3Source {
    /// Whether records follow each other without anything between.
    fn dense(&self) -> bool {
        !self.grows || self.place.stride == self.place.bytes as u64
    }
}

impl Source for NetCdf3Source {
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
        None
    }

    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        let size = self.dtype.size();
        check_region(&self.name(), &self.shape, size, region, out.len())?;
        let grows = !self.dense();
        read_stored(&self.file, &self.place, &self.shape, grows, region, out, size)?;
        swap_bytes(out, size);
        if self.dtype == DType::Bool {
            out.iter_mut().for_each(|b| *b = u8::from(*b != 0));
        }
        Ok(())
    }

    fn will_read(&self, region: &Region) {
        let (size, own) = (self.dtype.size(), usize::from(!self.dense()));
        if self.place.bytes < WORTH_A_HINT {
            return;
        }
        let records = if own == 1 {
            region.start[0]..region.stop(0)
        } else {
            0..1
        };
        for record in records {
            let from = Side {
                shape: &self.shape[own..],
                start: &region.start[own..],
            };
            let offset = self.place.begin + record as u64 * self.place.stride;
            will_read_piece(&self.file, offset, from, &region.shape[own..], size);
        }
    }

    fn scratch_bytes(&self, region: &Region) -> usize {
        // A region of a variable that only grows has rows of one element.
        match self.dense() || region.rank() > 1 {
            true => piece_scratch(region, self.dtype.size()),
            false => piece_scratch(&Region::whole(&[1]), self.dtype.size()),
        }
    }

    fn stored_bytes(&self) -> u64 {
        (self.place.pieces * self.place.bytes) as u64
    }

    fn fingerprint(&self) -> u64 {
        fingerprint(&self.file, &self.variable)
    }
}
