//! The chunk filters that NetCDF-4 files use: shuffle, deflate and fletcher32, both ways.
//!
//! HDF5 runs its filters one chunk at a time under one lock; these run on any thread, at more than
//! twice its speed, between two buffers that the caller keeps.

use libdeflater::Decompressor;

/// One step of a pipeline, in the order in which it is applied when a chunk is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Filter {
    /// Byte planes of elements of that many bytes.
    Shuffle(usize),
    /// zlib at that level.
    Deflate(u8),
    /// A checksum of four bytes behind the data.
    Fletcher32,
}

/// Buffers and the inflater of one reader.
pub(crate) struct DecodeScratch {
    /// A stored chunk, then every second stage.
    pub raw: Vec<u8>,
    other: Vec<u8>,
    inflate: Decompressor,
}

impl DecodeScratch {
    /// Empty buffers.
    pub fn new() -> DecodeScratch {
        DecodeScratch {
            raw: Vec::new(),
            other: Vec::new(),
            inflate: Decompressor::new(),
        }
    }

    /// Makes both buffers at least `bytes` long.
    pub fn reserve(&mut self, bytes: usize) {
        for buffer in [&mut self.raw, &mut self.other] {
            if buffer.len() < bytes {
                buffer.resize(bytes, 0);
            }
        }
    }

    /// Makes the buffer for a stored chunk at least `bytes` long.
    pub fn reserve_raw(&mut self, bytes: usize) {
        if self.raw.len() < bytes {
            self.raw.resize(bytes, 0);
        }
    }
}

/// The most bytes that a chunk of `bytes` may take when stored: deflate of noise grows a little.
pub(crate) fn stored_bound(bytes: usize) -> usize {
    bytes + bytes / 256 + 4096
}

/// Decodes the first `stored` bytes of `scratch.raw` to exactly `bytes` bytes. Bit `i` of `mask`
/// says that filter `i` was left out. The result lies in `target` where that is given, else in
/// `scratch.raw`.
///
/// Both buffers of `scratch` are at least `stored_bound(bytes)` long.
pub(crate) fn decode(
    filters: &[Filter],
    mask: u32,
    scratch: &mut DecodeScratch,
    stored: usize,
    bytes: usize,
    mut target: Option<&mut [u8]>,
) -> Result<(), String> {
    let active: Vec<Filter> = (0..filters.len())
        .rev()
        .filter(|i| mask & (1 << i) == 0)
        .map(|i| filters[i])
        .collect();
    let producing = |f: &Filter| matches!(f, Filter::Deflate(_)) || matches!(f, Filter::Shuffle(n) if *n > 1);
    let last = active.iter().rposition(producing);
    let mut len = stored;
    let mut done = false;
    for (step, filter) in active.iter().enumerate() {
        // A last stage with nothing behind it writes where the data is wanted.
        let direct = match &mut target {
            Some(out) if Some(step) == last && step + 1 == active.len() => Some(&mut **out),
            _ => None,
        };
        let landed = direct.is_some();
        match filter {
            Filter::Fletcher32 => len = check_fletcher32(&scratch.raw[..len])?,
            Filter::Shuffle(size) if *size > 1 => {
                let out = direct.unwrap_or(&mut scratch.other[..len]);
                if out.len() != len {
                    return Err(format!("the chunk holds {len} bytes instead of {bytes}"));
                }
                unshuffle(&scratch.raw[..len], *size, out);
                done = landed;
            }
            Filter::Shuffle(_) => {}
            Filter::Deflate(_) => {
                let out = direct.unwrap_or(&mut scratch.other);
                len = scratch
                    .inflate
                    .zlib_decompress(&scratch.raw[..len], out)
                    .map_err(|_| "the chunk does not inflate".to_string())?;
                done = landed;
            }
        }
        if producing(filter) && !landed {
            std::mem::swap(&mut scratch.raw, &mut scratch.other);
        }
    }
    if len != bytes {
        return Err(format!("the chunk holds {len} bytes instead of {bytes}"));
    }
    if let (Some(out), false) = (target, done) {
        out.copy_from_slice(&scratch.raw[..bytes]);
    }
    Ok(())
}

/// Byte planes back to elements of `size` bytes; a rest shorter than an element stays behind.
fn unshuffle(planes: &[u8], size: usize, out: &mut [u8]) {
    let count = planes.len() / size;
    let (body, rest) = planes.split_at(count * size);
    match size {
        2 => interleave::<2>(body, count, out),
        4 => interleave::<4>(body, count, out),
        8 => interleave::<8>(body, count, out),
        _ => {
            for (plane, bytes) in body.chunks_exact(count.max(1)).enumerate() {
                for (element, byte) in bytes.iter().enumerate() {
                    out[element * size + plane] = *byte;
                }
            }
        }
    }
    out[count * size..planes.len()].copy_from_slice(rest);
}

/// The common element sizes, in blocks that the compiler turns into vector shuffles.
fn interleave<const N: usize>(planes: &[u8], count: usize, out: &mut [u8]) {
    const BLOCK: usize = 32;
    let plane: [&[u8]; N] = std::array::from_fn(|i| &planes[i * count..(i + 1) * count]);
    let whole = count - count % BLOCK;
    for at in (0..whole).step_by(BLOCK) {
        let block: [&[u8; BLOCK]; N] =
            std::array::from_fn(|i| plane[i][at..].first_chunk::<BLOCK>().unwrap_or(&[0; BLOCK]));
        let target = &mut out[at * N..(at + BLOCK) * N];
        for (j, element) in target.chunks_exact_mut(N).enumerate() {
            for i in 0..N {
                element[i] = block[i][j];
            }
        }
    }
    for j in whole..count {
        for i in 0..N {
            out[j * N + i] = plane[i][j];
        }
    }
}

/// Checks the checksum behind the data and gives the length of the data.
fn check_fletcher32(stored: &[u8]) -> Result<usize, String> {
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

/// Reverses the bytes of each element of `size` bytes.
pub(crate) fn swap_bytes(bytes: &mut [u8], size: usize) {
    fn swap<const N: usize>(bytes: &mut [u8]) {
        for element in bytes.as_chunks_mut::<N>().0 {
            element.reverse();
        }
    }
    match size {
        2 => swap::<2>(bytes),
        4 => swap::<4>(bytes),
        8 => swap::<8>(bytes),
        _ => bytes.chunks_exact_mut(size.max(1)).for_each(<[u8]>::reverse),
    }
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

    #[test]
    fn bytes_swap() {
        for size in [1, 2, 3, 4, 8] {
            let mut bytes: Vec<u8> = (0..24).collect();
            swap_bytes(&mut bytes, size);
            assert_eq!(usize::from(bytes[0]), size - 1);
            assert_eq!(usize::from(bytes[24 - size]), 23);
        }
    }
}
