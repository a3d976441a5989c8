//! The chunk filters of HDF5 files: shuffle, deflate and zstd both ways, fletcher32, lzf and blosc for
//! reading.
//!
//! HDF5 runs its filters one chunk at a time under one lock; these run on any thread, at more than
//! twice its speed, between two buffers that the caller keeps.

mod fletcher32;
mod lzf;
mod shuffle;

use self::fletcher32::check_fletcher32;
use self::shuffle::{shuffle, unshuffle};
use crate::io::blosc;
use libdeflater::{CompressionLvl, Compressor, Decompressor};
use std::ops::Range;
use zstd_safe::{CCtx, DCtx};

/// One step of a pipeline, in the order in which it is applied when a chunk is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Filter {
    /// Byte planes of elements of that many bytes.
    Shuffle(usize),
    /// zlib at that level.
    Deflate(u8),
    /// A checksum of four bytes behind the data.
    Fletcher32,
    /// LZF, which is read only.
    Lzf,
    /// Zstandard at that level.
    Zstd(u8),
    /// Blosc, which is read only.
    Blosc,
}

impl Filter {
    /// Whether decoding it gives new bytes, not only fewer.
    fn produces(self) -> bool {
        match self {
            Filter::Shuffle(size) => size > 1,
            Filter::Deflate(_) | Filter::Lzf | Filter::Zstd(_) | Filter::Blosc => true,
            Filter::Fletcher32 => false,
        }
    }
}

/// Buffers and the inflater of one reader.
pub(crate) struct DecodeScratch {
    /// Stored bytes of several neighbouring chunks.
    pub window: Vec<u8>,
    /// A stored chunk, then every second stage.
    pub raw: Vec<u8>,
    other: Vec<u8>,
    inflate: Decompressor,
    zstd: DCtx<'static>,
}

impl DecodeScratch {
    /// Empty buffers.
    pub fn new() -> DecodeScratch {
        DecodeScratch {
            window: Vec::new(),
            raw: Vec::new(),
            other: Vec::new(),
            inflate: Decompressor::new(),
            zstd: DCtx::create(),
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

/// Where a stored chunk lies in the scratch.
#[derive(Clone, Debug)]
pub(crate) enum Stored {
    /// The first bytes of `raw`.
    Raw(usize),
    /// That part of `window`.
    Window(Range<usize>),
}

/// Decodes a stored chunk to exactly `bytes` bytes. Bit `i` of `mask` says that filter `i` was left
/// out. The result lies in `target` where that is given, else in `scratch.raw`.
///
/// The buffers `raw` and `other` of `scratch` are at least `stored_bound(bytes)` long.
pub(crate) fn decode(
    filters: &[Filter],
    mask: u32,
    scratch: &mut DecodeScratch,
    stored: Stored,
    bytes: usize,
    mut target: Option<&mut [u8]>,
) -> Result<(), String> {
    let active: Vec<Filter> = (0..filters.len())
        .rev()
        .filter(|i| mask & (1 << i) == 0)
        .map(|i| filters[i])
        .collect();
    let last = active.iter().rposition(|f| f.produces());
    let mut at = stored;
    let mut done = false;
    for (step, filter) in active.iter().enumerate() {
        let DecodeScratch {
            window,
            raw,
            other,
            inflate,
            zstd,
        } = &mut *scratch;
        let input: &[u8] = match &at {
            Stored::Raw(len) => &raw[..*len],
            Stored::Window(range) => &window[range.clone()],
        };
        if *filter == Filter::Fletcher32 {
            let len = check_fletcher32(input)?;
            at = match at {
                Stored::Raw(_) => Stored::Raw(len),
                Stored::Window(range) => Stored::Window(range.start..range.start + len),
            };
            continue;
        }
        if !filter.produces() {
            continue;
        }
        // A last stage with nothing behind it writes where the data is wanted.
        let direct = match &mut target {
            Some(out) if Some(step) == last && step + 1 == active.len() => Some(&mut **out),
            _ => None,
        };
        let landed = direct.is_some();
        let out: &mut [u8] = direct.unwrap_or(other);
        let len = match filter {
            Filter::Shuffle(size) => {
                let len = input.len();
                let out = out.get_mut(..len).filter(|_| !landed || len == bytes);
                let out = out.ok_or_else(|| format!("the chunk holds {len} bytes instead of {bytes}"))?;
                unshuffle(input, *size, out);
                len
            }
            Filter::Deflate(_) => inflate
                .zlib_decompress(input, out)
                .map_err(|_| "the chunk does not inflate".to_string())?,
            Filter::Lzf => lzf::decode(input, out)?,
            Filter::Zstd(_) => zstd
                .decompress(out, input)
                .map_err(|code| format!("zstd: {}", zstd_safe::get_error_name(code)))?,
            Filter::Blosc => blosc::decompress(input, out)?,
            Filter::Fletcher32 => input.len(),
        };
        if landed {
            done = true;
        } else {
            std::mem::swap(&mut scratch.raw, &mut scratch.other);
        }
        at = Stored::Raw(len);
    }
    let (held, len) = match &at {
        Stored::Raw(len) => (&scratch.raw, 0..*len),
        Stored::Window(range) => (&scratch.window, range.clone()),
    };
    if len.len() != bytes {
        return Err(format!("the chunk holds {} bytes instead of {bytes}", len.len()));
    }
    match (target, &at) {
        (Some(out), _) if !done => out.copy_from_slice(&held[len]),
        (None, Stored::Window(range)) => {
            let DecodeScratch { window, raw, .. } = scratch;
            raw[..bytes].copy_from_slice(&window[range.clone()]);
        }
        _ => {}
    }
    Ok(())
}

/// Buffers and deflaters of one writer.
pub(crate) struct EncodeScratch {
    shuffled: Vec<u8>,
    stored: Vec<u8>,
    deflate: Option<(u8, Compressor)>,
    zstd: CCtx<'static>,
}

impl EncodeScratch {
    /// Empty buffers.
    pub fn new() -> EncodeScratch {
        EncodeScratch {
            shuffled: Vec::new(),
            stored: Vec::new(),
            deflate: None,
            zstd: CCtx::create(),
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
                    ..
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
            Filter::Zstd(level) => {
                let EncodeScratch {
                    shuffled,
                    stored,
                    zstd,
                    ..
                } = scratch;
                let source: &[u8] = match at {
                    Stage::Input => chunk,
                    Stage::Shuffled => shuffled,
                    Stage::Stored(_) => return Err("two compressors in a row".to_string()),
                };
                let bound = zstd_safe::compress_bound(source.len());
                if stored.len() < bound {
                    stored.resize(bound, 0);
                }
                let n = zstd
                    .compress(&mut stored[..], source, i32::from(*level))
                    .map_err(|code| format!("zstd: {}", zstd_safe::get_error_name(code)))?;
                at = Stage::Stored(n);
            }
            Filter::Fletcher32 | Filter::Lzf | Filter::Blosc => {
                return Err(format!("{filter:?} is not written"));
            }
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

/// Bytes of a context of zstd that compresses at a level, roughly: its window and tables.
pub(crate) fn zstd_bytes(level: u8) -> usize {
    match level {
        ..=2 => 2 << 20,
        3..=8 => 6 << 20,
        9..=15 => 40 << 20,
        _ => 100 << 20,
    }
}

/// Bytes that [`encode`] holds for a chunk of `bytes`.
pub(crate) fn encode_bytes(filters: &[Filter], bytes: usize) -> usize {
    filters
        .iter()
        .map(|f| match f {
            Filter::Shuffle(size) if *size > 1 => bytes,
            Filter::Deflate(_) => stored_bound(bytes),
            Filter::Zstd(level) => stored_bound(bytes) + zstd_bytes(*level).min(8 * bytes + (256 << 10)),
            _ => 0,
        })
        .sum()
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
        let pipelines: [&[Filter]; 7] = [
            &[Filter::Zstd(3)],
            &[Filter::Shuffle(8), Filter::Zstd(1)],
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
                for (direct, windowed) in [(false, false), (true, false), (false, true), (true, true)] {
                    let mut scratch = DecodeScratch::new();
                    scratch.reserve(stored_bound(n));
                    let place = if windowed {
                        scratch.window = [&[9; 3], &stored[..], &[9]].concat();
                        Stored::Window(3..3 + stored.len())
                    } else {
                        scratch.raw[..stored.len()].copy_from_slice(&stored);
                        Stored::Raw(stored.len())
                    };
                    let mut out = vec![0; n];
                    let target = direct.then_some(&mut out[..]);
                    decode(filters, 0, &mut scratch, place, n, target).unwrap();
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
        decode(&filters, 0b11, &mut scratch, Stored::Raw(64), 64, Some(&mut out)).unwrap();
        assert_eq!(out, data);
    }

    #[test]
    fn broken_chunks_are_refused() {
        let filters = [Filter::Shuffle(4), Filter::Deflate(4)];
        let mut scratch = DecodeScratch::new();
        scratch.reserve(stored_bound(64));
        scratch.raw[..9].copy_from_slice(b"not zlib!");
        let error = decode(&filters, 0, &mut scratch, Stored::Raw(9), 64, None).unwrap_err();
        assert!(error.contains("inflate"), "{error}");
        let stored = encode(&filters, &[1; 32], &mut EncodeScratch::new())
            .unwrap()
            .to_vec();
        scratch.raw[..stored.len()].copy_from_slice(&stored);
        let error = decode(&filters, 0, &mut scratch, Stored::Raw(stored.len()), 64, None).unwrap_err();
        assert!(error.contains("32 bytes instead of 64"), "{error}");
        let mut out = [0; 64];
        scratch.raw[..stored.len()].copy_from_slice(&stored);
        assert!(
            decode(
                &filters,
                0,
                &mut scratch,
                Stored::Raw(stored.len()),
                64,
                Some(&mut out)
            )
            .is_err()
        );
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
