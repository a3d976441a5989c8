//! The CRC-32 of bytes that are written in any order.
//!
//! A CRC is linear: that of a whole is the sum of those of its pieces, each shifted by the bytes
//! behind it, and bytes of zero add nothing. So pieces are summed as they are written, by whichever
//! thread, and nothing is read again.

use libdeflater::Crc;

/// The polynomial of ZIP, its highest power in the lowest bit.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// The polynomial 1.
const ONE: u32 = 1 << 31;

/// The checksum of as many bytes, zeros where nothing was added.
#[derive(Clone, Debug)]
pub(crate) struct Checksum {
    len: u64,
    /// The sum of the pieces, as if it began with 0 and were not inverted at the end.
    sum: u32,
    /// The powers x^(8·2^k): shifts by that many bytes.
    shifts: [u32; 64],
}

impl Checksum {
    /// That of `len` zeros.
    pub fn new(len: u64) -> Checksum {
        let mut shifts = [0; 64];
        shifts[0] = ONE >> 8;
        for k in 1..64 {
            shifts[k] = multiply(shifts[k - 1], shifts[k - 1]);
        }
        Checksum { len, sum: 0, shifts }
    }

    /// How many bytes it is of.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Adds the bytes at `at`, where only zeros were.
    pub fn add(&mut self, at: u64, bytes: &[u8]) {
        let mut crc = Crc::new();
        crc.update(bytes);
        let plain = !crc.sum() ^ self.shifted(u32::MAX, bytes.len() as u64);
        let behind = self.len - at - bytes.len() as u64;
        self.sum ^= self.shifted(plain, behind);
    }

    /// Adds what another of the same length holds.
    pub fn join(&mut self, other: &Checksum) {
        self.sum ^= other.sum;
    }

    /// The CRC-32.
    pub fn value(&self) -> u32 {
        !(self.sum ^ self.shifted(u32::MAX, self.len))
    }

    /// A remainder with as many bytes of zero behind it.
    fn shifted(&self, mut remainder: u32, bytes: u64) -> u32 {
        for (k, shift) in self.shifts.iter().enumerate() {
            if bytes >> k & 1 == 1 {
                remainder = multiply(*shift, remainder);
            }
        }
        remainder
    }
}

/// The product of two polynomials, modulo the polynomial.
fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    for bit in (0..32).rev() {
        if a >> bit & 1 == 1 {
            product ^= b;
        }
        b = (b >> 1) ^ if b & 1 == 1 { POLYNOMIAL } else { 0 };
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_sum_to_the_crc_of_the_whole() {
        let whole: Vec<u8> = (0..1000u32).map(|i| ((i * i) >> 3) as u8).collect();
        let mut crc = Crc::new();
        crc.update(&whole);
        let mut sum = Checksum::new(1000);
        let mut other = Checksum::new(1000);
        sum.add(700, &whole[700..]);
        other.add(1, &whole[1..64]);
        sum.add(0, &whole[..1]);
        other.add(64, &whole[64..700]);
        sum.join(&other);
        assert_eq!(sum.value(), crc.sum());
    }

    #[test]
    fn unwritten_bytes_are_zeros() {
        let mut crc = Crc::new();
        crc.update(&[0, 0, 7, 0, 0, 0]);
        let mut sum = Checksum::new(6);
        sum.add(2, &[7]);
        assert_eq!(sum.value(), crc.sum());
        assert_eq!(Checksum::new(0).value(), 0);
        // The check value that the catalogue of CRCs gives for CRC-32/ISO-HDLC.
        let mut known = Checksum::new(9);
        known.add(0, b"123456789");
        assert_eq!(known.value(), 0xcbf4_3926);
    }
}
