//! The records of a log: what a payload is, with checksums that tell whether both came through whole.

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

/// Bytes of a record before its payload.
pub(super) const HEADER: usize = 48;

/// What a payload is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A block of an array.
    Block,
    /// The states of a finished run of a reduction.
    Run,
    /// The states of a run that was fed a part of its blocks.
    Part,
}

/// The head of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Record {
    /// What the payload is.
    pub kind: Kind,
    /// Of a block: which of the stage's arrays; of a part: how many blocks were fed.
    pub of: u64,
    /// The number of the block or of the run.
    pub number: u64,
    /// Bytes of the payload.
    pub len: u64,
    /// Its checksum.
    sum: u64,
}

impl Record {
    /// The head of a payload that lies in pieces.
    pub fn new(kind: Kind, of: u64, number: u64, payload: &[&[u8]]) -> Record {
        Record {
            kind,
            of,
            number,
            len: payload.iter().map(|piece| piece.len() as u64).sum(),
            sum: checksum(payload.iter().copied()),
        }
    }

    /// Its bytes in a log of that key.
    pub fn to_bytes(self, key: u128) -> [u8; HEADER] {
        let kind = match self.kind {
            Kind::Block => 1,
            Kind::Run => 2,
            Kind::Part => 3,
        };
        let mut bytes = [0; HEADER];
        let words = [kind, self.of, self.number, self.len, self.sum];
        for (slot, word) in bytes.chunks_exact_mut(8).zip(words) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        let check = check(&bytes, key);
        bytes[HEADER - 8..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// The head of these bytes; `None` where they are none of a log of that key.
    pub fn from_bytes(bytes: &[u8; HEADER], key: u128) -> Option<Record> {
        let mut words = [0; HEADER / 8];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        let [kind, of, number, len, sum, told] = words;
        let kind = match kind {
            1 => Kind::Block,
            2 => Kind::Run,
            3 => Kind::Part,
            _ => return None,
        };
        (told == check(bytes, key)).then_some(Record {
            kind,
            of,
            number,
            len,
            sum,
        })
    }

    /// Whether that is its payload.
    pub fn fits<'a>(&self, payload: impl Iterator<Item = &'a [u8]>) -> bool {
        self.sum == checksum(payload)
    }
}

/// The checksum of a head.
fn check(bytes: &[u8; HEADER], key: u128) -> u64 {
    let seed = (key as u64) ^ (key >> 64) as u64;
    xxh3_64_with_seed(&bytes[..HEADER - 8], seed)
}

/// The checksum of a payload in pieces.
fn checksum<'a>(payload: impl Iterator<Item = &'a [u8]>) -> u64 {
    let mut hasher = Xxh3::new();
    payload.for_each(|piece| hasher.update(piece));
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back_and_any_flipped_bit_shows() {
        let payload: [&[u8]; 2] = [b"abc", b"defg"];
        for kind in [Kind::Block, Kind::Run, Kind::Part] {
            let record = Record::new(kind, 3, 1 << 40, &payload);
            assert_eq!(record.len, 7);
            let bytes = record.to_bytes(5);
            assert_eq!(Record::from_bytes(&bytes, 5), Some(record));
            assert_eq!(Record::from_bytes(&bytes, 6), None, "a record of another log");
            for bit in 0..8 * HEADER {
                let mut flipped = bytes;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Record::from_bytes(&flipped, 5), None, "bit {bit}");
            }
            assert!(record.fits([&b"abcdefg"[..]].into_iter()), "pieces do not count");
            assert!(!record.fits([&b"abcdefh"[..]].into_iter()));
        }
        assert_eq!(Record::from_bytes(&[0; HEADER], 0), None, "a hole");
    }
}
