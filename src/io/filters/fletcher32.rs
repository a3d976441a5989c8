//! HDF5's Fletcher checksum behind the bytes of a chunk.

/// Checks the checksum behind the data and gives the length of the data.
pub(super) fn check_fletcher32(stored: &[u8]) -> Result<usize, String> {
    let Some((data, checksum)) = stored.split_last_chunk::<4>() else {
        return Err(format!(
            "a chunk of {} bytes has no room for its checksum",
            stored.len()
        ));
    };
    let found = u32::from_le_bytes(*checksum);
    let sum = fletcher32(data);
    // Files of HDF5 before 1.6.3 hold the two halves with their bytes swapped.
    let swapped = (sum & 0x00ff_00ff) << 8 | (sum & 0xff00_ff00) >> 8;
    if found == sum || found == swapped {
        Ok(data.len())
    } else {
        Err(format!(
            "checksum {found:08x} instead of {sum:08x}: the chunk is corrupt"
        ))
    }
}

/// HDF5's Fletcher checksum over big-endian 16-bit words.
fn fletcher32(data: &[u8]) -> u32 {
    let fold = |s: u32| (s & 0xffff) + (s >> 16);
    let (mut low, mut high) = (0u32, 0u32);
    let words = data.chunks_exact(2);
    let odd = words.remainder();
    // 360 words are the most before the sums may overflow.
    for block in data[..data.len() - odd.len()].chunks(720) {
        for word in block.chunks_exact(2) {
            low += u32::from(word[0]) << 8 | u32::from(word[1]);
            high += low;
        }
        (low, high) = (fold(low), fold(high));
    }
    if let [last] = odd {
        low += u32::from(*last) << 8;
        high += low;
        (low, high) = (fold(low), fold(high));
    }
    fold(high) << 16 | fold(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_hdf5s() {
        let ramp: Vec<u8> = (0..256).flat_map(|i: u32| (i as f32).to_le_bytes()).collect();
        assert_eq!(fletcher32(&[0xaa]), 0xaa00_aa00);
        assert_eq!(fletcher32(&[]), 0);
        let mut stored = ramp.clone();
        stored.extend(fletcher32(&ramp).to_le_bytes());
        assert_eq!(check_fletcher32(&stored), Ok(1024));
        stored[77] ^= 1;
        assert!(check_fletcher32(&stored).is_err());
        assert!(check_fletcher32(&[1, 2]).is_err());
    }
}
