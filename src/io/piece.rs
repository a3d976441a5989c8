//! Boxes of an array that lies in a file in one piece, read and written by position.
//!
//! Long rows are read straight to where they belong. Short rows that follow each other closely are
//! picked out of a window, because a system call per few bytes costs more than reading the gaps.

use super::file::ReadFile;
use super::runs::{Side, for_each_run};
use super::write_file::WriteFile;
use crate::Result;
use crate::geometry::Region;

/// Rows shorter than this go through the window.
const SHORT_ROW: usize = 4096;

/// Bytes of the window.
pub(crate) const WINDOW: usize = 256 << 10;

/// Reads the box of extents `extent` of the array at `offset` of a file: `from` is the array in the
/// file, `to` the one in `out`, both of elements of `size` bytes.
pub(crate) fn read_piece(
    file: &ReadFile,
    offset: u64,
    from: Side,
    out: &mut [u8],
    to: Side,
    extent: &[usize],
    size: usize,
) -> Result<()> {
    let end = from.shape.iter().product::<usize>() * size;
    let mut rows = Rows::new(file, offset, end);
    for_each_run(from, to, extent, size, |a, b, n| rows.read(a, &mut out[b..b + n]))
}

/// Bytes that [`read_piece`] holds for a region.
pub(crate) fn piece_scratch(region: &Region, size: usize) -> usize {
    match region.shape.last() {
        Some(&n) if n * size >= SHORT_ROW => 0,
        _ => WINDOW,
    }
}

/// Writes `data`, the elements of `region`, into the array of that shape at `offset` of a file,
/// with elements of `size` bytes.
pub(crate) fn write_piece(
    file: &WriteFile,
    offset: u64,
    shape: &[usize],
    region: &Region,
    data: &[u8],
    size: usize,
) -> std::io::Result<()> {
    let origin = vec![0; region.rank()];
    let from = Side {
        shape: &region.shape,
        start: &origin,
    };
    let to = Side {
        shape,
        start: &region.start,
    };
    for_each_run(from, to, &region.shape, size, |a, b, n| {
        file.write_at(&data[a..a + n], offset + b as u64)
    })
}

/// Says that the box of extents `extent` at `from` of the data at `offset` will be read, where its rows are
/// long.
pub(crate) fn will_read_piece(file: &ReadFile, offset: u64, from: Side, extent: &[usize], size: usize) {
    let dense = Side {
        shape: extent,
        start: &vec![0; extent.len()],
    };
    let mut hints = Hints::new(file);
    let told = for_each_run(from, dense, extent, size, |at, _, bytes| {
        hints.add(offset + at as u64, bytes as u64);
        // Rows are alike: after a short one come more.
        if bytes < SHORT_ROW { Err(()) } else { Ok(()) }
    });
    let (Ok(()) | Err(())) = told;
}

/// A shorter stretch is read sooner than the system hears of it.
const WORTH_A_HINT: u64 = 32 << 10;

/// Hints about stretches of a file, neighbours joined.
pub(crate) struct Hints<'a> {
    file: &'a ReadFile,
    start: u64,
    end: u64,
}

impl<'a> Hints<'a> {
    pub fn new(file: &'a ReadFile) -> Hints<'a> {
        Hints {
            file,
            start: 0,
            end: 0,
        }
    }

    /// Takes a stretch in.
    pub fn add(&mut self, offset: u64, len: u64) {
        if offset != self.end {
            self.tell();
            self.start = offset;
        }
        self.end = offset.saturating_add(len);
    }

    fn tell(&mut self) {
        if self.end - self.start >= WORTH_A_HINT {
            self.file.will_read(self.start, self.end - self.start);
        }
        (self.start, self.end) = (0, 0);
    }
}

impl Drop for Hints<'_> {
    fn drop(&mut self) {
        self.tell();
    }
}

/// A stretch of a file that rows are read from, in the order of the file.
pub(crate) struct Rows<'a> {
    file: &'a ReadFile,
    offset: u64,
    end: usize,
    window: Window,
}

impl<'a> Rows<'a> {
    /// The bytes of `file` from `offset` on, `end` of them.
    pub fn new(file: &'a ReadFile, offset: u64, end: usize) -> Rows<'a> {
        Rows {
            file,
            offset,
            end,
            window: Window::default(),
        }
    }

    /// Reads the row at byte `at` of the stretch; rows come in ascending order.
    pub fn read(&mut self, at: usize, row: &mut [u8]) -> Result<()> {
        if row.len() >= SHORT_ROW {
            self.file.read_at(self.offset + at as u64, row)
        } else {
            self.window.read(self.file, self.offset, at, self.end, row)
        }
    }
}

/// A stretch of the file that short rows are taken from.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    start: usize,
    last: Option<usize>,
}

impl Window {
    /// Copies the bytes `at..` of the piece at `offset` that ends at `end`, reading ahead where rows
    /// follow each other closely.
    fn read(&mut self, file: &ReadFile, offset: u64, at: usize, end: usize, out: &mut [u8]) -> Result<()> {
        let held = at >= self.start && at + out.len() <= self.start + self.bytes.len();
        let close = self.last.replace(at).is_some_and(|last| at - last < WINDOW / 8);
        if !held && !close {
            return file.read_at(offset + at as u64, out);
        }
        if !held {
            self.bytes.resize(WINDOW.min(end - at), 0);
            self.start = at;
            file.read_at(offset + at as u64, &mut self.bytes)?;
        }
        let from = at - self.start;
        out.copy_from_slice(&self.bytes[from..from + out.len()]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_of_near_and_far_rows_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("piece");
        let shape = [3usize, 400, 300];
        let elements: Vec<u8> = (0..shape.iter().product::<usize>())
            .flat_map(|i| (i as u32).to_le_bytes())
            .collect();
        let mut content = vec![9u8; 77];
        content.extend(&elements);
        std::fs::write(&path, &content).unwrap();
        let file = ReadFile::open(&path).unwrap();
        for region in [
            Region::whole(&shape),
            Region::new(vec![0, 3, 5], vec![3, 390, 7]),
            Region::new(vec![1, 399, 299], vec![2, 1, 1]),
            Region::new(vec![0, 0, 0], vec![3, 1, 2]),
            Region::new(vec![2, 7, 0], vec![1, 9, 300]),
        ] {
            let mut out = vec![0; region.len() * 4];
            let (from, origin) = (
                Side {
                    shape: &shape,
                    start: &region.start,
                },
                [0; 3],
            );
            let to = Side {
                shape: &region.shape,
                start: &origin,
            };
            read_piece(&file, 77, from, &mut out, to, &region.shape, 4).unwrap();
            let mut expected = vec![0; out.len()];
            crate::store::copy_region(
                &elements,
                &shape,
                &region,
                &mut expected,
                &region.shape,
                &origin,
                4,
            );
            assert!(out == expected, "{region:?}");
        }
        let mut out = [0; 4];
        assert!(matches!(
            file.read_at(content.len() as u64 - 2, &mut out),
            Err(crate::Error::Format { .. })
        ));
    }
}
