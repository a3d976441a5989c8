//! A variable of a GRIB file as a [`Source`]: only the messages that a region touches are decoded.

use super::field::Packed;
use super::grid::Grid;
use super::unpack::unpack;
use crate::geometry::Region;
use crate::io::file::{ReadFile, check_region, fingerprint};
use crate::store::{Source, copy_region};
use crate::{DType, Error, Result};
use std::sync::Arc;

/// What a source reads.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    /// The shape: axes of more than one place, then those of the grid.
    pub shape: Vec<usize>,
    /// One field, its axes before those of the grid 1.
    pub chunk: Vec<usize>,
    /// The field at each place of the leading axes.
    pub fields: Arc<[Option<Packed>]>,
    /// Where its points are.
    pub grid: Arc<Grid>,
}

/// One variable.
#[derive(Debug)]
pub(super) struct GribSource {
    file: Arc<ReadFile>,
    name: String,
    of: Fields,
}

impl GribSource {
    /// A source of fields of a file.
    pub fn new(file: Arc<ReadFile>, name: String, of: Fields) -> GribSource {
        GribSource { file, name, of }
    }

    /// The axes before those of the grid.
    fn leading(&self) -> usize {
        self.of.shape.len() - self.of.grid.dims().len()
    }
}

impl Source for GribSource {
    fn name(&self) -> String {
        let path = self.file.path();
        let file = path.file_name().unwrap_or(path.as_os_str());
        format!("{}:{}", file.to_string_lossy(), self.name)
    }

    fn shape(&self) -> &[usize] {
        &self.of.shape
    }

    fn dtype(&self) -> DType {
        DType::F32
    }

    fn chunks(&self) -> Option<&[usize]> {
        Some(&self.of.chunk)
    }

    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        check_region(&self.name(), &self.of.shape, 4, region, out.len())?;
        if region.is_empty() {
            return Ok(());
        }
        let leading = self.leading();
        let plane = &self.of.shape[leading..];
        let part = Region::new(region.start[leading..].to_vec(), region.shape[leading..].to_vec());
        let origin = vec![0; plane.len()];
        let bytes = part.len() * 4;
        let mut index = vec![0; leading];
        for piece in out.chunks_exact_mut(bytes) {
            let place = (0..leading).fold(0, |at, a| at * self.of.shape[a] + region.start[a] + index[a]);
            match &self.of.fields[place] {
                None => piece
                    .chunks_exact_mut(4)
                    .for_each(|b| b.copy_from_slice(&f32::NAN.to_ne_bytes())),
                Some(packed) => {
                    let values = unpack(&self.file, packed)?;
                    if values.len() != plane.iter().product::<usize>() {
                        let reason = format!("variable {}: a field has {} values", self.name, values.len());
                        return Err(Error::format(self.file.path(), reason));
                    }
                    let values = self.of.grid.arranged(values);
                    let values = bytemuck::cast_slice(&values);
                    copy_region(values, plane, &part, piece, &part.shape, &origin, 4);
                }
            }
            for axis in (0..leading).rev() {
                index[axis] += 1;
                if index[axis] < region.shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Ok(())
    }

    fn scratch_bytes(&self, _: &Region) -> usize {
        /// Of each point beside its bits: three copies as floats, and numbers and groups of complex
        /// packing.
        const POINT: usize = 3 * 4 + 16 + 16;
        let stored = self.of.fields.iter().flatten();
        let stored = stored.map(|p| p.describes.len + p.values.len + p.bitmap.map_or(0, |b| b.len));
        let packed = usize::try_from(stored.max().unwrap_or(0)).unwrap_or(usize::MAX);
        packed.saturating_add(self.of.grid.points.saturating_mul(POINT))
    }

    fn stored_bytes(&self) -> u64 {
        self.of.fields.iter().flatten().map(|p| p.values.len).sum()
    }

    fn fingerprint(&self) -> u64 {
        fingerprint(&self.file, &self.name)
    }
}

/// The latitudes or longitudes of the points of rows of different length, made when they are read.
#[derive(Debug)]
pub(super) struct PointSource {
    /// The name of the file, and the number that tells it.
    pub name: String,
    pub fingerprint: u64,
    /// The latitude of each row and where its points begin; the last entry is the end.
    pub rows: Vec<(f64, usize)>,
    /// The points.
    pub shape: [usize; 1],
    /// Whether latitudes are wanted, else longitudes.
    pub latitudes: bool,
}

impl Source for PointSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn dtype(&self) -> DType {
        DType::F64
    }

    fn chunks(&self) -> Option<&[usize]> {
        None
    }

    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        check_region(&self.name, &self.shape, 8, region, out.len())?;
        let mut row = 0;
        for (at, place) in out.chunks_exact_mut(8).enumerate() {
            let at = region.start[0] + at;
            while row + 2 < self.rows.len() && self.rows[row + 1].1 <= at {
                row += 1;
            }
            let (latitude, start) = self.rows[row];
            let count = self.rows[row + 1].1 - start;
            let value = match self.latitudes {
                true => latitude,
                false => 360.0 * (at - start) as f64 / count as f64,
            };
            place.copy_from_slice(&value.to_ne_bytes());
        }
        Ok(())
    }

    fn scratch_bytes(&self, _: &Region) -> usize {
        0
    }

    fn stored_bytes(&self) -> u64 {
        self.rows.len() as u64
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}
