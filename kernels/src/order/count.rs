//! Counting elements by bin and by value.

use crate::Element;

/// Edges of bins, checked: they do not fall, and there are two at least.
#[derive(Clone, PartialEq, Debug)]
pub struct Bins {
    edges: Vec<f64>,
    /// Bins per unit, where all are equally wide but for rounding.
    rate: Option<f64>,
}

/// What is wrong with edges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BinError {
    /// Fewer than two.
    TooFew,
    /// An edge is NaN or less than the one before it.
    Falling,
}

impl Bins {
    /// Bins between edges; each holds its left edge, the last one both.
    ///
    /// # Errors
    /// When edges are too few or fall.
    pub fn new(edges: Vec<f64>) -> Result<Bins, BinError> {
        if edges.len() < 2 {
            return Err(BinError::TooFew);
        }
        if !edges.windows(2).all(|w| w[0] <= w[1]) {
            return Err(BinError::Falling);
        }
        let (low, high, count) = (edges[0], edges[edges.len() - 1], (edges.len() - 1) as f64);
        let rate = count / (high - low);
        // A guess that is off by a bin or so is put right; others are searched for.
        let near = |(i, &edge): (usize, &f64)| ((edge - low) * rate - i as f64).abs() < 0.5;
        let equal = rate.is_finite() && edges.iter().enumerate().all(near);
        Ok(Bins {
            edges,
            rate: equal.then_some(rate),
        })
    }

    /// The edges.
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// Number of bins.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.edges.len() - 1
    }

    /// The bin of a value; none outside and for NaN.
    #[inline(always)]
    fn find(&self, value: f64) -> Option<usize> {
        let (edges, last) = (self.edges.as_slice(), self.len() - 1);
        if !(value >= edges[0] && value <= edges[last + 1]) {
            return None;
        }
        let mut bin = match self.rate {
            Some(rate) => (((value - edges[0]) * rate) as usize).min(last),
            None => edges
                .partition_point(|&edge| edge <= value)
                .saturating_sub(1)
                .min(last),
        };
        while value < edges[bin] {
            bin -= 1;
        }
        while bin < last && value >= edges[bin + 1] {
            bin += 1;
        }
        Some(bin)
    }
}

/// Adds the elements to the counts of their bins.
///
/// # Panics
/// When there are not as many counts as bins.
pub fn histogram<T: Element>(values: &[T::Stored], bins: &Bins, counts: &mut [i64]) {
    assert_eq!(counts.len(), bins.len(), "one count per bin");
    for &value in values {
        if let Some(bin) = bins.find(T::load(value).to_f64()) {
            counts[bin] += 1;
        }
    }
}

/// Adds the elements' weights to the sums of their bins.
///
/// # Panics
/// When there are not as many sums as bins, or weights as values.
pub fn weighted_histogram<T: Element>(values: &[T::Stored], weights: &[f64], bins: &Bins, sums: &mut [f64]) {
    assert_eq!(sums.len(), bins.len(), "one sum per bin");
    assert_eq!(values.len(), weights.len(), "one weight per value");
    for (&value, &weight) in values.iter().zip(weights) {
        if let Some(bin) = bins.find(T::load(value).to_f64()) {
            sums[bin] += weight;
        }
    }
}

/// Counts how often each number from 0 on occurs; returns a number that has no count.
pub fn bincount(values: &[i64], counts: &mut [i64]) -> Result<(), i64> {
    for &value in values {
        let slot = usize::try_from(value).ok().and_then(|v| counts.get_mut(v));
        *slot.ok_or(value)? += 1;
    }
    Ok(())
}

/// Adds up the weights of each number from 0 on; returns a number that has no sum.
///
/// # Panics
/// When there are not as many weights as values.
pub fn weighted_bincount(values: &[i64], weights: &[f64], sums: &mut [f64]) -> Result<(), i64> {
    assert_eq!(values.len(), weights.len(), "one weight per value");
    for (&value, &weight) in values.iter().zip(weights) {
        let slot = usize::try_from(value).ok().and_then(|v| sums.get_mut(v));
        *slot.ok_or(value)? += weight;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_on_edges_fall_right_and_the_last_bin_is_closed() {
        let tenths: Vec<f64> = (0..=10).map(|i| f64::from(i) * 0.1).collect();
        let odd = vec![0.0, 0.1, 0.1, 0.7, 1.0, 1.0];
        for edges in [tenths, odd] {
            let bins = Bins::new(edges.clone()).unwrap();
            let mut probes: Vec<f64> = edges
                .iter()
                .flat_map(|&e| [e, e.next_up(), e.next_down()])
                .collect();
            probes.extend([f64::NAN, f64::INFINITY, -f64::INFINITY, 0.33, -0.0]);
            for value in probes {
                // NumPy's rule: between the places of both edges among sorted values.
                let last = edges.len() - 2;
                let within = |i: usize| {
                    edges[i] <= value && (value < edges[i + 1] || (i == last && value == edges[i + 1]))
                };
                let want = (0..=last).find(|&i| within(i));
                assert_eq!(bins.find(value), want, "{value} in {edges:?}");
            }
        }
        assert_eq!(Bins::new(vec![1.0]), Err(BinError::TooFew));
        assert_eq!(Bins::new(vec![1.0, f64::NAN]), Err(BinError::Falling));
        assert_eq!(Bins::new(vec![2.0, 1.0]), Err(BinError::Falling));
    }

    #[test]
    fn numbers_without_a_count_are_named() {
        let mut counts = [0; 3];
        assert_eq!(bincount(&[2, 0, 2], &mut counts), Ok(()));
        assert_eq!(counts, [1, 0, 2]);
        assert_eq!(bincount(&[1, -1], &mut counts), Err(-1));
        assert_eq!(weighted_bincount(&[3], &[1.0], &mut [0.0; 3]), Err(3));
    }
}
