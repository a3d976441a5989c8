//! Numbers of whole bytes and of any number of bits, as GRIB writes them: most significant first.

/// Bytes of a header, read with checks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Octets<'a>(pub &'a [u8]);

/// What is missing where a header is shorter than it must be.
pub(super) type Short<T> = Result<T, String>;

impl<'a> Octets<'a> {
    /// `n` bytes from octet `at` on; octets are counted from 1, as in the specification.
    pub fn slice(self, at: usize, n: usize) -> Short<&'a [u8]> {
        let found = at
            .checked_sub(1)
            .and_then(|from| self.0.get(from..from.checked_add(n)?));
        found.ok_or_else(|| format!("a section of {} bytes has no octet {}", self.0.len(), at + n - 1))
    }

    /// An unsigned number of up to 8 bytes.
    pub fn unsigned(self, at: usize, n: usize) -> Short<u64> {
        Ok(self
            .slice(at, n)?
            .iter()
            .fold(0, |all, b| all << 8 | u64::from(*b)))
    }

    /// One byte.
    pub fn byte(self, at: usize) -> Short<u8> {
        Ok(self.slice(at, 1)?[0])
    }

    /// A number whose first bit is its sign.
    pub fn signed(self, at: usize, n: usize) -> Short<i64> {
        let raw = self.unsigned(at, n)?;
        let sign = 1u64 << (8 * n - 1);
        let magnitude = (raw & (sign - 1)) as i64;
        Ok(if raw & sign == 0 { magnitude } else { -magnitude })
    }

    /// An IEEE float of 32 bits.
    pub fn float(self, at: usize) -> Short<f64> {
        Ok(f64::from(f32::from_bits(self.unsigned(at, 4)? as u32)))
    }

    /// An IBM float of 32 bits.
    pub fn ibm_float(self, at: usize) -> Short<f64> {
        let raw = self.unsigned(at, 4)?;
        let mantissa = (raw & 0x00ff_ffff) as f64;
        let exponent = ((raw >> 24) & 0x7f) as i32 - 64 - 6;
        let value = mantissa * 16f64.powi(exponent);
        Ok(if raw >> 31 == 0 { value } else { -value })
    }
}

/// A stream of unsigned numbers of any width.
#[derive(Clone, Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next bit.
    at: usize,
}

impl<'a> Bits<'a> {
    /// The bits of some bytes.
    pub fn new(bytes: &'a [u8]) -> Bits<'a> {
        Bits { bytes, at: 0 }
    }

    /// The next number of `width` bits, at most 32; 0 for none.
    pub fn next(&mut self, width: u32) -> Short<u32> {
        let end = self.at + width as usize;
        if end > self.bytes.len() * 8 {
            return Err("the packed values end early".to_string());
        }
        let (first, last) = (self.at / 8, end.div_ceil(8));
        let mut all = 0u64;
        for byte in &self.bytes[first..last] {
            all = all << 8 | u64::from(*byte);
        }
        let after = last * 8 - end;
        self.at = end;
        Ok(((all >> after) & ((1u64 << width) - 1)) as u32)
    }

    /// Goes on to the next whole byte.
    pub fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read() {
        let octets = Octets(&[0x80, 0x05, 0xff, 0x42, 0x64, 0x00, 0x00]);
        assert_eq!(octets.signed(1, 2), Ok(-5));
        assert_eq!(octets.unsigned(2, 2), Ok(0x05ff));
        assert_eq!(octets.ibm_float(4), Ok(100.0));
        assert!(octets.float(5).is_err() && octets.byte(0).is_err());
        let mut bits = Bits::new(&[0b1011_0011, 0b0100_0000, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!((bits.next(1), bits.next(3), bits.next(0)), (Ok(1), Ok(3), Ok(0)));
        assert_eq!(bits.next(6), Ok(0b00_1101));
        bits.align();
        assert_eq!(bits.next(32), Ok(u32::MAX));
        assert!(bits.next(1).is_err());
    }
}
