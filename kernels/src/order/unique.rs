//! Distinct elements with their counts and first places, collected block by block.

use super::{Ordered, radix};
use std::fmt;

/// Distinct elements seen so far, in order; two zeros are one, and all NaN.
#[derive(Clone)]
pub struct Uniques<T: Ordered> {
    found: Vec<Found<T>>,
}

/// A distinct element.
#[derive(Clone, Copy)]
pub struct Found<T: Ordered> {
    rank: T::Key,
    /// The element that came first.
    pub value: T::Stored,
    /// How often it occurs.
    pub count: u64,
    /// Where it came first.
    pub index: u64,
}

impl<T: Ordered> fmt::Debug for Uniques<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} distinct {}", self.found.len(), T::DTYPE)
    }
}

impl<T: Ordered> Default for Uniques<T> {
    fn default() -> Uniques<T> {
        Uniques { found: Vec::new() }
    }
}

/// Elements that are sorted at once.
const RUN: usize = 1 << 16;

impl<T: Ordered> Uniques<T> {
    /// The distinct elements, rising, NaN last.
    pub fn found(&self) -> &[Found<T>] {
        &self.found
    }

    /// Bytes that merging with another part takes, this one's included.
    pub fn bytes_with(&self, other: &Uniques<T>) -> usize {
        2 * (self.found.len() + other.found.len()) * size_of::<Found<T>>()
    }

    /// Bytes that [`Uniques::of`] takes for so many values, its result included.
    pub fn scratch_bytes(count: usize) -> usize {
        2 * count.min(RUN) * size_of::<(T::Key, u32)>() + 3 * count * size_of::<Found<T>>()
    }

    /// Tells where the elements of a part stand in the whole: `place` keeps their order.
    pub fn place(&mut self, place: impl Fn(u64) -> u64) {
        for found in &mut self.found {
            found.index = place(found.index);
        }
    }

    /// The distinct elements of `values`, with their places there.
    pub fn of(values: &[T::Stored]) -> Uniques<T> {
        let mut all = Uniques::default();
        let mut lane: Vec<(T::Key, u32)> = Vec::new();
        let mut spare = Vec::new();
        for (run, values) in values.chunks(RUN).enumerate() {
            lane.clear();
            lane.extend(values.iter().enumerate().map(|(i, &v)| (T::rank(v), i as u32)));
            radix::sort(&mut lane, &mut spare);
            let same = lane.chunk_by(|a, b| a.0 == b.0);
            let found = same.map(|same| Found {
                rank: same[0].0,
                value: values[same[0].1 as usize],
                count: same.len() as u64,
                index: (run * RUN) as u64 + u64::from(same[0].1),
            });
            all.merge(Uniques {
                found: found.collect(),
            });
        }
        all
    }

    /// Adds the elements that another part found.
    pub fn merge(&mut self, other: Uniques<T>) {
        if self.found.is_empty() {
            self.found = other.found;
            return;
        }
        let mut merged = Vec::with_capacity(self.found.len() + other.found.len());
        let (mut left, mut right) = (self.found.iter().peekable(), other.found.iter().peekable());
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.rank == b.rank => {
                    let (first, second) = if a.index < b.index { (**a, **b) } else { (**b, **a) };
                    left.next();
                    right.next();
                    Some(Found {
                        count: first.count + second.count,
                        ..first
                    })
                }
                (Some(a), Some(b)) if a.rank > b.rank => right.next().copied(),
                (Some(_), _) => left.next().copied(),
                (None, _) => right.next().copied(),
            };
            match next {
                Some(found) => merged.push(found),
                None => break,
            }
        }
        self.found = merged;
    }
}
