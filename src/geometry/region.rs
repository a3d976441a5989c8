//! A box of elements: a start and a length per axis.

use std::fmt;

/// A half-open box `start .. start + shape` per axis.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Region {
    /// First index per axis.
    pub start: Vec<usize>,
    /// Extent per axis.
    pub shape: Vec<usize>,
}

impl Region {
    /// A region from its start and extents, which have the same length.
    pub fn new(start: Vec<usize>, shape: Vec<usize>) -> Region {
        debug_assert_eq!(start.len(), shape.len());
        Region { start, shape }
    }

    /// All of an array of that shape.
    pub fn whole(shape: &[usize]) -> Region {
        Region {
            start: vec![0; shape.len()],
            shape: shape.to_vec(),
        }
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements (the array it lies in was overflow-checked).
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it holds no element.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// One past the last index along `axis`.
    pub fn stop(&self, axis: usize) -> usize {
        self.start[axis] + self.shape[axis]
    }

    /// The part in both, in the same coordinates; `None` where they share no element.
    pub fn intersect(&self, other: &Region) -> Option<Region> {
        let mut start = Vec::with_capacity(self.rank());
        let mut shape = Vec::with_capacity(self.rank());
        for axis in 0..self.rank() {
            let lo = self.start[axis].max(other.start[axis]);
            let hi = self.stop(axis).min(other.stop(axis));
            if lo >= hi {
                return None;
            }
            start.push(lo);
            shape.push(hi - lo);
        }
        Some(Region { start, shape })
    }

    /// Whether `other` lies within it.
    pub fn contains(&self, other: &Region) -> bool {
        (0..self.rank()).all(|a| self.start[a] <= other.start[a] && other.stop(a) <= self.stop(a))
    }

    /// The same box with coordinates counted from `origin`.
    pub fn relative_to(&self, origin: &[usize]) -> Region {
        let start = self.start.iter().zip(origin).map(|(s, o)| s - o).collect();
        Region {
            start,
            shape: self.shape.clone(),
        }
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for axis in 0..self.rank() {
            let comma = if axis == 0 { "" } else { ", " };
            write!(f, "{comma}{}:{}", self.start[axis], self.stop(axis))?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intersections_are_boxes() {
        let a = Region::new(vec![0, 4], vec![3, 6]);
        let b = Region::new(vec![2, 0], vec![5, 5]);
        assert_eq!(a.intersect(&b), Some(Region::new(vec![2, 4], vec![1, 1])));
        assert_eq!(a.intersect(&Region::new(vec![3, 0], vec![1, 9])), None);
        assert!(Region::whole(&[9, 9]).contains(&b.intersect(&Region::whole(&[7, 5])).unwrap()));
        assert_eq!(format!("{a:?}"), "[0:3, 4:10]");
        assert_eq!(Region::whole(&[]).len(), 1);
    }
}
