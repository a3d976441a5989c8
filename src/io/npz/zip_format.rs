//! The records of a ZIP archive of plain members, as they are written.
//!
//! Sizes and places beyond 32 bits go into the extra field of ZIP64, as NumPy writes them. Where
//! nothing is that large there is none, so that every reader has an easy time.

/// What does not fit 32 bits is in the extra field.
const ELSEWHERE: u32 = u32::MAX;

/// One member.
#[derive(Debug)]
pub(super) struct Member {
    pub name: String,
    /// Where its record begins.
    pub start: u64,
    /// Its bytes.
    pub len: u64,
}

impl Member {
    fn is_large(&self) -> bool {
        self.len >= u64::from(ELSEWHERE)
    }

    /// What both records of a member have: version, flags, method, time, checksum and sizes.
    fn common(&self, out: &mut Vec<u8>, crc: u32, extended: bool) {
        let utf8 = if self.name.is_ascii() { 0u16 } else { 1 << 11 };
        let size = if self.is_large() {
            ELSEWHERE
        } else {
            self.len as u32
        };
        for half in [if extended { 45 } else { 20 }, utf8, 0, 0, 0x21] {
            out.extend(half.to_le_bytes()); // the time is the first that there is, 1980-01-01
        }
        for word in [crc, size, size] {
            out.extend(word.to_le_bytes());
        }
        out.extend((self.name.len() as u16).to_le_bytes());
    }

    /// The record in front of the bytes.
    pub fn local(&self, crc: u32) -> Vec<u8> {
        let mut out = b"PK\x03\x04".to_vec();
        self.common(&mut out, crc, self.is_large());
        out.extend((if self.is_large() { 20u16 } else { 0 }).to_le_bytes());
        out.extend(self.name.as_bytes());
        if self.is_large() {
            out.extend([1, 0, 16, 0]);
            out.extend(self.len.to_le_bytes());
            out.extend(self.len.to_le_bytes());
        }
        out
    }

    /// The record in the directory.
    fn central(&self, crc: u32) -> Vec<u8> {
        let far = self.start >= u64::from(ELSEWHERE);
        let mut large = Vec::new();
        if self.is_large() {
            large.extend([self.len, self.len]);
        }
        if far {
            large.push(self.start);
        }
        let mut out = b"PK\x01\x02".to_vec();
        out.extend([45, 3]); // made by this version, on Unix
        self.common(&mut out, crc, !large.is_empty());
        let extra = if large.is_empty() { 0 } else { 4 + 8 * large.len() };
        for half in [extra as u16, 0, 0, 0] {
            out.extend(half.to_le_bytes());
        }
        out.extend((0o100_644u32 << 16).to_le_bytes()); // a plain file that everybody may read
        out.extend((if far { ELSEWHERE } else { self.start as u32 }).to_le_bytes());
        out.extend(self.name.as_bytes());
        if !large.is_empty() {
            out.extend([1, 0]);
            out.extend((8 * large.len() as u16).to_le_bytes());
            large.iter().for_each(|n| out.extend(n.to_le_bytes()));
        }
        out
    }
}

/// The directory, which begins at `start` behind all members.
pub(super) fn directory(members: &[(Member, u32)], start: u64) -> Vec<u8> {
    let mut out: Vec<u8> = members.iter().flat_map(|(m, crc)| m.central(*crc)).collect();
    let (len, count) = (out.len() as u64, members.len() as u64);
    let large = count >= u64::from(u16::MAX) || len.max(start) >= u64::from(ELSEWHERE);
    if large {
        out.extend(b"PK\x06\x06");
        out.extend(44u64.to_le_bytes());
        out.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for n in [count, count, len, start] {
            out.extend(n.to_le_bytes());
        }
        out.extend(b"PK\x06\x07\0\0\0\0");
        out.extend((start + len).to_le_bytes());
        out.extend(1u32.to_le_bytes());
    }
    out.extend(b"PK\x05\x06\0\0\0\0");
    let count = if large { u16::MAX } else { count as u16 };
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    for n in [len, start] {
        out.extend((if large { ELSEWHERE } else { n as u32 }).to_le_bytes());
    }
    out.extend([0, 0]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_members_are_told_in_the_extra_field() {
        let member = |start, len| Member {
            name: "a.npy".into(),
            start,
            len,
        };
        assert_eq!(member(0, 7).local(1).len(), 35);
        assert_eq!(member(0, 5 << 30).local(1).len(), 55);
        assert_eq!(member(0, 7).central(1).len(), 51);
        assert_eq!(member(5 << 30, 7).central(1).len(), 63);
        assert_eq!(member(5 << 30, 6 << 30).central(1).len(), 79);
        assert_eq!(directory(&[], 0).len(), 22);
        assert_eq!(directory(&[(member(0, 7), 1)], 5 << 30).len(), 51 + 56 + 20 + 22);
    }
}
