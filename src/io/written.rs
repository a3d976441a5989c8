//! Which bytes of a variable were written, so that the rest can be filled.
//!
//! Nearly always everything is, and then counting is enough; stretches that touch are joined, so
//! that tiles written in any order leave little to remember.

use super::runs::{Side, for_each_run};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;

/// The most stretches that are remembered.
const MOST: usize = 1 << 20;

/// The bytes written so far.
#[derive(Debug, Default)]
pub(crate) struct Written {
    count: u64,
    /// Start and end of stretches that do not touch.
    spans: BTreeMap<u64, u64>,
    /// Whether there were too many to remember.
    lost: bool,
}

impl Written {
    /// Remembers `start..end`, of which nothing was written before.
    pub fn add(&mut self, start: u64, end: u64) {
        self.count += end - start;
        if self.lost || start == end {
            return;
        }
        let (mut start, mut end) = (start, end);
        if let Some((&before, &stop)) = self.spans.range(..=start).next_back()
            && stop >= start
        {
            self.spans.remove(&before);
            (start, end) = (before, end.max(stop));
        }
        if let Some(&stop) = self.spans.get(&end) {
            self.spans.remove(&end);
            end = stop;
        }
        self.spans.insert(start, end);
        if self.spans.len() > MOST {
            self.lost = true;
            self.spans.clear();
        }
    }

    /// Remembers the runs of a box of extents `extent` at `to`, of elements of `size` bytes.
    pub fn add_box(&mut self, to: Side, extent: &[usize], size: usize) {
        let added: Result<(), Infallible> = for_each_run(to, to, extent, size, |at, _, bytes| {
            self.add(at as u64, (at + bytes) as u64);
            Ok(())
        });
        let Ok(()) = added;
    }

    /// The stretches of `0..total` that were not written; `None` where that is not known.
    pub fn gaps(&self, total: u64) -> Option<Vec<Range<u64>>> {
        if self.count >= total {
            return Some(Vec::new());
        }
        if self.lost {
            return None;
        }
        let mut gaps = Vec::new();
        let mut at = 0;
        for (&start, &end) in &self.spans {
            if at < start {
                gaps.push(at..start);
            }
            at = end;
        }
        if at < total {
            gaps.push(at..total);
        }
        Some(gaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_join_and_gaps_remain() {
        let mut written = Written::default();
        assert_eq!(written.gaps(0), Some(vec![]));
        assert_eq!(
            written.gaps(9).unwrap(),
            std::iter::once(0..9).collect::<Vec<_>>()
        );
        for (start, end) in [(4, 6), (0, 2), (8, 9), (2, 4), (6, 6)] {
            written.add(start, end);
        }
        assert_eq!(written.spans.len(), 2);
        assert_eq!(written.gaps(10), Some(vec![6..8, 9..10]));
        written.add(6, 8);
        written.add(9, 10);
        assert_eq!((written.spans.len(), written.gaps(10)), (1, Some(vec![])));
    }

    #[test]
    fn too_many_stretches_are_only_counted() {
        let mut written = Written::default();
        let most = MOST as u64 + 1;
        (0..most).for_each(|i| written.add(2 * i, 2 * i + 1));
        assert_eq!(written.gaps(2 * most), None);
        (0..most).for_each(|i| written.add(2 * i + 1, 2 * i + 2));
        assert_eq!(written.gaps(2 * most), Some(vec![]));
    }
}
