//! The chunk filters that NetCDF-4 files use: shuffle, deflate and fletcher32, both ways.
//!
//! HDF5 runs its filters one chunk at a time under one lock; these run on any thread, at more than
//! twice its speed, between two buffers that the caller keeps.

use libdeflater::{CompressionLvl, Compressor, Decompressor};

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

/// Buffers and deflaters of one writer.
pub(crate) struct EncodeScratch {
    shuffled: Vec<u8>,
    stored: Vec<u8>,
    deflate: Option<(u8, Compressor)>,
}

impl EncodeScratch {
    /// Empty buffers.
    pub fn new() -> EncodeScratch {
        EncodeScratch {
            shuffled: Vec::new(),
            stored: Vec::new(),
            deflate: None,
        }
    }
}

/// Encodes a chunk by `filters`; the stored bytes lie in `scratch` (or are `chunk` itself).
pub(crate) fn encode<'a>(
    filters: &[Filter],
    chunk: &'a [u8],
    scratch: &'a mut EncodeScratch,
) -> Result<&'a [u8], String> {
    let mut at = Stage::Input;
    for filter in filters {
        match filter {
            Filter::Shuffle(size) if *size > 1 => {
                let EncodeScratch { shuffled, stored, .. } = scratch;
                let source: &[u8] = match at {
                    Stage::Input => chunk,
                    Stage::Stored(n) => &stored[..n],
                    Stage::Shuffled => return Err("two shuffles in a row".to_string()),
                };
                shuffled.resize(source.len(), 0);
                shuffle(source, *size, shuffled);
                at = Stage::Shuffled;
            }
            Filter::Shuffle(_) => {}
            Filter::Deflate(level) => {
                if scratch.deflate.as_ref().is_none_or(|(l, _)| l != level) {
                    let wanted = CompressionLvl::new(i32::from(*level))
                        .map_err(|_| format!("deflate level {level} is not within 0 to 12"))?;
                    scratch.deflate = Some((*level, Compressor::new(wanted)));
                }
                let EncodeScratch {
                    shuffled,
                    stored,
                    deflate,
                } = scratch;
                let source: &[u8] = match at {
                    Stage::Input => chunk,
                    Stage::Shuffled => shuffled,
                    Stage::Stored(_) => return Err("two deflates in a row".to_string()),
                };
                let Some((_, compressor)) = deflate else {
                    return Err("no deflater".to_string());
                };
                let bound = compressor.zlib_compress_bound(source.len());
                if stored.len() < bound {
                    stored.resize(bound, 0);
                }
                let n = compressor
                    .zlib_compress(source, stored)
                    .map_err(|_| "the chunk does not fit its deflate bound".to_string())?;
                at = Stage::Stored(n);
            }
            Filter::Fletcher32 => return Err("fletcher32 is not written".to_string()),
        }
    }
    Ok(match at {
        Stage::Input => chunk,
        Stage::Shuffled => &scratch.shuffled,
        Stage::Stored(n) => &scratch.stored[..n],
    })
}

/// Where the bytes of a chunk lie between two filters.
enum Stage {
    Input,
    Shuffled,
    Stored(usize),
}

/// Bytes that [`encode`] holds for a chunk of `bytes`.
pub(crate) fn encode_bytes(filters: &[Filter], bytes: usize) -> usize {
    filters
        .iter()
        .map(|f| match f {
            Filter::Shuffle(size) if *size > 1 => bytes,
            Filter::Deflate(_) => stored_bound(bytes),
            _ => 0,
        })
        .sum()
}

/// Byte planes back to elements of `size` bytes; a rest shorter than an element stays behind.
fn unshuffle(planes: &[u8], size: usize, out: &mut [u8]) {
    let count = planes.len() / size;
    let (body, rest) = planes.split_at(count * size);
    match size {
        2 => interleave::<2>(body, count, out),
        4 => interleave::<4>(body, count, out),
        8 => interleave::<8>(body, count, out),
        16 => interleave::<16>(body, count, out),
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

/// Elements of `size` bytes to byte planes; a rest shorter than an element stays behind.
fn shuffle(elements: &[u8], size: usize, out: &mut [u8]) {
    let count = elements.len() / size;
    let (body, rest) = elements.split_at(count * size);
    for (plane, bytes) in out[..count * size].chunks_exact_mut(count.max(1)).enumerate() {
        for (byte, element) in bytes.iter_mut().zip(body.chunks_exact(size)) {
            *byte = element[plane];
        }
    }
    out[count * size..].copy_from_slice(rest);
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

    fn noise(n: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        (0..n)
            .map(|i| {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                if i % 3 == 0 {
                    (state >> 56) as u8
                } else {
                    (i / 64) as u8
                }
            })
            .collect()
    }

    #[test]
    fn pipelines_decode_what_they_encode() {
        let pipelines: [&[Filter]; 5] = [
            &[],
            &[Filter::Shuffle(4)],
            &[Filter::Deflate(4)],
            &[Filter::Shuffle(2), Filter::Deflate(1)],
            &[Filter::Shuffle(12), Filter::Deflate(9)],
        ];
        for filters in pipelines {
            for n in [0, 1, 7, 1000, 4097] {
                let data = noise(n);
                let mut encode_scratch = EncodeScratch::new();
                let stored = encode(filters, &data, &mut encode_scratch).unwrap().to_vec();
                for direct in [false, true] {
                    let mut scratch = DecodeScratch::new();
                    scratch.reserve(stored_bound(n));
                    scratch.raw[..stored.len()].copy_from_slice(&stored);
                    let mut out = vec![0; n];
                    let target = direct.then_some(&mut out[..]);
                    decode(filters, 0, &mut scratch, stored.len(), n, target).unwrap();
                    let result = if direct { &out } else { &scratch.raw[..n] };
                    assert_eq!(result, data, "{filters:?} {n}");
                }
            }
        }
    }

    #[test]
    fn left_out_filters_are_left_out() {
        let data = noise(64);
        let filters = [Filter::Shuffle(4), Filter::Deflate(4)];
        let mut scratch = DecodeScratch::new();
        scratch.reserve(stored_bound(64));
        scratch.raw[..64].copy_from_slice(&data);
        let mut out = vec![0; 64];
        decode(&filters, 0b11, &mut scratch, 64, 64, Some(&mut out)).unwrap();
        assert_eq!(out, data);
    }

    #[test]
    fn broken_chunks_are_refused() {
        let filters = [Filter::Shuffle(4), Filter::Deflate(4)];
        let mut scratch = DecodeScratch::new();
        scratch.reserve(stored_bound(64));
        scratch.raw[..9].copy_from_slice(b"not zlib!");
        let error = decode(&filters, 0, &mut scratch, 9, 64, None).unwrap_err();
        assert!(error.contains("inflate"), "{error}");
        let stored = encode(&filters, &[1; 32], &mut EncodeScratch::new())
            .unwrap()
            .to_vec();
        scratch.raw[..stored.len()].copy_from_slice(&stored);
        let error = decode(&filters, 0, &mut scratch, stored.len(), 64, None).unwrap_err();
        assert!(error.contains("32 bytes instead of 64"), "{error}");
        let mut out = [0; 64];
        scratch.raw[..stored.len()].copy_from_slice(&stored);
        assert!(decode(&filters, 0, &mut scratch, stored.len(), 64, Some(&mut out)).is_err());
    }

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
