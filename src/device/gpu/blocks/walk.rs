//! How an index goes through memory, and the function of shaders that does it.

/// Extent and stride of each axis, the innermost first; neighbours that run together are one axis,
/// so that most walks have one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Walk(pub Vec<(usize, usize)>);

/// The function `place` of shaders, which goes by [`Walk::words`].
pub(super) const PLACE: &str = include_str!("../../../../shaders/blocks/place.wgsl");

impl Walk {
    /// Of some axes, the innermost first.
    pub fn new(axes: impl IntoIterator<Item = (usize, usize)>) -> Walk {
        let mut joined: Vec<(usize, usize)> = Vec::new();
        for (extent, stride) in axes.into_iter().filter(|&(extent, _)| extent != 1) {
            match joined.last_mut() {
                Some((inner, step)) if *inner * *step == stride => *inner *= extent,
                _ => joined.push((extent, stride)),
            }
        }
        Walk(joined)
    }

    /// The one stride, where there is no more than one; zero of no axis.
    pub fn stride(&self) -> Option<usize> {
        match self.0[..] {
            [] => Some(0),
            [(_, stride)] => Some(stride),
            _ => None,
        }
    }

    /// The stride of the innermost axis; of none, the longest.
    pub fn innermost(&self) -> usize {
        self.0.first().map_or(usize::MAX, |&(_, stride)| stride)
    }

    /// Where the element of an index lies.
    pub fn place(&self, index: usize) -> usize {
        let (mut rest, mut at) = (index, 0);
        for (extent, stride) in &self.0 {
            at += rest % extent * stride;
            rest /= extent;
        }
        at
    }

    /// How far the last element is from the first.
    pub fn reach(&self) -> usize {
        let axes = self.0.iter();
        axes.map(|&(extent, stride)| extent.saturating_sub(1) * stride)
            .sum()
    }

    /// As parameters of `place`.
    pub fn words(&self) -> Vec<u32> {
        let axes = self
            .0
            .iter()
            .flat_map(|&(extent, stride)| [extent as u32, stride as u32]);
        std::iter::once(self.0.len() as u32).chain(axes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_that_run_together_are_one() {
        assert_eq!(Walk::new([(4, 1), (1, 77), (3, 4), (2, 12)]), Walk(vec![(24, 1)]));
        assert_eq!(Walk::new([(4, 2), (3, 9)]).words(), [2, 4, 2, 3, 9]);
        assert_eq!(Walk::new([(1, 3)]).stride(), Some(0));
        assert_eq!(Walk::new([(4, 0), (3, 0)]).words(), [1, 12, 0]);
        assert_eq!(Walk::new([(4, 2), (3, 9)]).reach(), 24);
        assert_eq!(Walk::new([(4, 2), (3, 9)]).place(6), 13);
    }
}
