//! Stored chunks that follow each other in the file, read in one piece.
//!
//! A chunk of some KiB costs a system call of its own, more than its decoding; a variable of many
//! small chunks usually has those of one region side by side.

use super::index::Entry;
use crate::Result;
use crate::geometry::Region;
use crate::io::file::ReadFile;
use crate::io::piece::Hints;
use std::ops::Range;

/// The most bytes that are read at once for several chunks.
pub(super) const WINDOW: usize = 512 << 10;

/// Chunks of more stored bytes than this are read on their own.
const LARGE: u32 = 64 << 10;

/// The most chunks that one hint is about.
const MOST_HINTS: usize = 4096;

/// Bytes between two chunks that are read rather than skipped.
const GAP: u64 = 4 << 10;

/// The places, in the grid of chunks, of those that a region touches, row-major.
#[derive(Clone, Debug)]
pub(super) struct Places {
    first: Vec<usize>,
    last: Vec<usize>,
    next: Option<Vec<usize>>,
}

impl Places {
    /// The chunks of a region that is not empty.
    pub fn new(region: &Region, chunk: &[usize]) -> Places {
        let first: Vec<usize> = region.start.iter().zip(chunk).map(|(s, c)| s / c).collect();
        let last = (0..chunk.len())
            .map(|a| (region.stop(a) - 1) / chunk[a])
            .collect();
        Places {
            next: Some(first.clone()),
            first,
            last,
        }
    }
}

impl Iterator for Places {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        let at = self.next.take()?;
        if let Some(axis) = (0..at.len()).rev().find(|&a| at[a] < self.last[a]) {
            let mut after = at.clone();
            after[axis] += 1;
            after[axis + 1..].copy_from_slice(&self.first[axis + 1..]);
            self.next = Some(after);
        }
        Some(at)
    }
}

/// Hints at the stored chunks that a region touches, of which `find` tells the places; of `plain` ones, whose
/// parts are read alone, at those of which it needs a half.
pub(super) fn will_read_chunks(
    file: &ReadFile,
    find: Option<impl Fn(&[usize]) -> Option<Entry>>,
    region: &Region,
    chunk: &[usize],
    plain: bool,
) {
    let Some(find) = find else { return };
    let mut hints = Hints::new(file);
    for at in Places::new(region, chunk).take(MOST_HINTS) {
        let start: Vec<usize> = at.iter().zip(chunk).map(|(i, c)| i * c).collect();
        let stored = Region::new(start, chunk.to_vec());
        let wanted = stored.intersect(region).map_or(0, |part| part.len());
        if let Some(entry) = find(&at).filter(|_| !plain || 2 * wanted >= stored.len()) {
            hints.add(entry.offset, entry.len.into());
        }
    }
}

/// What of the file lies in the window.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    held: Range<u64>,
}

impl Neighbours {
    /// Where a chunk lies in `window`, which is read anew where the chunks that `ahead` tells follow
    /// it closely; `None` where it is better read on its own.
    pub fn place<I: Iterator<Item = Option<Entry>>>(
        &mut self,
        file: &ReadFile,
        entry: Entry,
        ahead: impl FnOnce() -> I,
        window: &mut Vec<u8>,
    ) -> Result<Option<Range<usize>>> {
        let end = entry.offset + u64::from(entry.len);
        if entry.len > LARGE {
            return Ok(None);
        }
        if entry.offset < self.held.start || end > self.held.end {
            let (mut stop, mut more) = (end, false);
            for next in ahead().map_while(|next| next) {
                let after = next.offset + u64::from(next.len);
                let close = next.offset >= stop && next.offset - stop <= GAP;
                if !close || after - entry.offset > WINDOW as u64 {
                    break;
                }
                (stop, more) = (after, true);
            }
            if !more {
                return Ok(None);
            }
            self.held = 0..0;
            let bytes = (stop - entry.offset) as usize;
            window.resize(window.len().max(bytes), 0);
            file.read_at(entry.offset, &mut window[..bytes])?;
            self.held = entry.offset..stop;
        }
        let from = (entry.offset - self.held.start) as usize;
        Ok(Some(from..from + entry.len as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_region() {
        let region = Region::new(vec![3, 0, 7], vec![4, 1, 2]);
        let places: Vec<Vec<usize>> = Places::new(&region, &[2, 5, 8]).collect();
        let wanted = [[1, 0, 0], [1, 0, 1], [2, 0, 0], [2, 0, 1], [3, 0, 0], [3, 0, 1]];
        assert_eq!(places, wanted);
        let one: Vec<Vec<usize>> = Places::new(&Region::new(vec![], vec![]), &[]).collect();
        assert_eq!(one, [Vec::<usize>::new()]);
    }
}
