//! Where the elements of NetCDF-3 variables lie.
//!
//! Variables that do not grow lie one after another, each in one piece. Of those that grow, each
//! record holds a piece of every one, so a variable's records lie a stride apart. Pieces are padded
//! to four bytes, but for the records of a variable that grows alone.

use super::types::padded;

/// Where the elements of one variable lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where its first element lies.
    pub begin: u64,
    /// How many pieces it has: records, or 1.
    pub pieces: usize,
    /// Elements' bytes in a piece.
    pub bytes: usize,
    /// From the beginning of a piece to that of the next.
    pub stride: u64,
    /// Bytes behind the elements of a piece that nothing else uses.
    pub pad: usize,
}

impl Place {
    /// Where the last element ends; `None` beyond 64 bits.
    pub fn end(&self) -> Option<u64> {
        if self.pieces == 0 {
            return Some(self.begin);
        }
        let last = (self.pieces as u64 - 1).checked_mul(self.stride)?;
        self.begin.checked_add(last)?.checked_add(self.bytes as u64)
    }
}

/// Bytes of a record whose pieces have these bytes; `None` beyond 64 bits.
pub(super) fn record_bytes(pieces: &[u64]) -> Option<u64> {
    match pieces {
        [alone] => Some(*alone),
        _ => pieces
            .iter()
            .try_fold(0u64, |sum, &bytes| sum.checked_add(padded(bytes)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_padded_unless_alone() {
        assert_eq!(record_bytes(&[]), Some(0));
        assert_eq!(record_bytes(&[6]), Some(6));
        assert_eq!(record_bytes(&[6, 1]), Some(12));
        assert_eq!(record_bytes(&[u64::MAX, 1]), None);
    }

    #[test]
    fn ends_are_those_of_the_last_record() {
        let mut place = Place {
            begin: 100,
            pieces: 3,
            bytes: 6,
            stride: 12,
            pad: 2,
        };
        assert_eq!(place.end(), Some(130));
        place.pieces = 0;
        assert_eq!(place.end(), Some(100));
        place.pieces = usize::MAX;
        assert_eq!(place.end(), None);
    }
}
