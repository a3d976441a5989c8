//! A bit for each of many blocks, set by many threads.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bits, all unset at first.
#[derive(Debug)]
pub(super) struct Bits {
    words: Vec<AtomicU64>,
    len: usize,
}

impl Bits {
    /// So many.
    pub fn new(len: usize) -> Bits {
        Bits {
            words: (0..len.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            len,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether one is set.
    pub fn get(&self, at: usize) -> bool {
        let word = self.words.get(at / 64);
        word.is_some_and(|word| word.load(Ordering::Relaxed) >> (at % 64) & 1 == 1)
    }

    /// Sets one; whether it was not set.
    pub fn set(&self, at: usize) -> bool {
        let bit = 1 << (at % 64);
        self.words[at / 64].fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// Unsets all.
    pub fn clear(&self) {
        self.words
            .iter()
            .for_each(|word| word.store(0, Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_set_once() {
        let bits = Bits::new(130);
        assert!(bits.set(0) && bits.set(64) && bits.set(129) && !bits.set(64));
        let set: Vec<usize> = (0..bits.len()).filter(|&at| bits.get(at)).collect();
        assert_eq!(set, [0, 64, 129]);
        bits.clear();
        assert!((0..200).all(|at| !bits.get(at)));
    }
}
