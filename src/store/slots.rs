//! Which parts of a spill file are free.
//!
//! Tiles of a run have few sizes, so first fit over merged free ranges reuses them well, and the
//! file grows only when nothing freed is large enough. What it has grown to is reserved from the
//! disk budget, because the file system holds it until the file is empty.

use super::budget::{Budget, Reservation};
use crate::Result;
use std::collections::BTreeMap;

/// The ranges of one file.
#[derive(Debug)]
pub(super) struct Slots {
    /// Length by offset; neighbours are merged, and none touches `end`.
    free: BTreeMap<u64, u64>,
    end: u64,
    /// As many bytes as the file has ever had since it was last empty.
    grown: Reservation,
}

impl Slots {
    /// An empty file.
    ///
    /// # Errors
    /// Never with a working budget: nothing is reserved yet.
    pub(super) fn new(disk: &Budget) -> Result<Slots> {
        Ok(Slots {
            free: BTreeMap::new(),
            end: 0,
            grown: disk.try_reserve("spill file", 0)?,
        })
    }

    /// The offset of `bytes` that are free.
    ///
    /// # Errors
    /// When the file would outgrow the disk budget.
    pub(super) fn allocate(&mut self, bytes: u64) -> Result<u64> {
        let fit = self.free.iter().find(|&(_, &len)| len >= bytes);
        if let Some((&offset, &len)) = fit.filter(|_| bytes > 0) {
            self.free.remove(&offset);
            if len > bytes {
                self.free.insert(offset + bytes, len - bytes);
            }
            return Ok(offset);
        }
        let end = self.end.saturating_add(bytes);
        self.grown.grow(end.saturating_sub(self.grown.bytes()))?;
        Ok(std::mem::replace(&mut self.end, end))
    }

    /// Frees what [`Slots::allocate`] gave; `true` when nothing is in use any more, so the caller
    /// may empty the file and then call [`Slots::emptied`].
    pub(super) fn release(&mut self, offset: u64, bytes: u64) -> bool {
        if bytes > 0 {
            let (mut start, mut len) = (offset, bytes);
            if let Some((&before, &before_len)) = self.free.range(..offset).next_back()
                && before + before_len == offset
            {
                self.free.remove(&before);
                (start, len) = (before, before_len + len);
            }
            if let Some(after) = self.free.remove(&(offset + bytes)) {
                len += after;
            }
            if start + len == self.end {
                self.end = start;
            } else {
                self.free.insert(start, len);
            }
        }
        self.end == 0 && self.grown.bytes() > 0
    }

    /// The file system holds nothing of the file any more.
    pub(super) fn emptied(&mut self) {
        self.grown.shrink(self.grown.bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tier;
    use super::*;

    #[test]
    fn freed_ranges_are_merged_and_reused() {
        let disk = Budget::new(Tier::Disk, 100);
        let mut slots = Slots::new(&disk).unwrap();
        let at: Vec<u64> = (0..5).map(|_| slots.allocate(20).unwrap()).collect();
        assert_eq!(at, [0, 20, 40, 60, 80]);
        assert!(slots.allocate(1).is_err(), "the disk limit");
        assert!(!slots.release(20, 20));
        assert!(!slots.release(60, 20));
        assert!(slots.allocate(21).is_err());
        assert!(!slots.release(40, 20));
        assert_eq!(slots.allocate(50).unwrap(), 20, "three ranges became one");
        assert_eq!(slots.allocate(10).unwrap(), 70);
        assert_eq!(disk.used(), 100);
        for (offset, bytes) in [(0, 20), (70, 10), (80, 20)] {
            assert!(!slots.release(offset, bytes));
        }
        assert!(slots.release(20, 50), "empty");
        assert_eq!((slots.free.len(), disk.used()), (0, 100));
        slots.emptied();
        assert_eq!(disk.used(), 0);
        assert_eq!(slots.allocate(0).unwrap(), 0);
    }

    #[test]
    fn ranges_in_use_never_overlap() {
        let disk = Budget::new(Tier::Disk, u64::MAX);
        let mut slots = Slots::new(&disk).unwrap();
        let mut used: Vec<(u64, u64)> = Vec::new();
        let mut x = 12345u64;
        for _ in 0..3000 {
            x = x
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            if x >> 63 == 0 || used.is_empty() {
                let bytes = 1 + (x >> 33) % 50;
                let at = slots.allocate(bytes).unwrap();
                assert!(used.iter().all(|&(o, n)| at + bytes <= o || o + n <= at));
                used.push((at, bytes));
            } else {
                let (at, bytes) = used.swap_remove((x >> 33) as usize % used.len());
                slots.release(at, bytes);
            }
        }
        for (at, bytes) in used.drain(..) {
            slots.release(at, bytes);
        }
        assert_eq!((slots.end, slots.free.len()), (0, 0));
    }
}
