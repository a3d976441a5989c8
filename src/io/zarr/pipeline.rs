//! Chunks decoded and encoded between buffers that are kept from chunk to chunk.
//!
//! What a stored chunk claims to hold is compared with what metadata says before memory is made for it,
//! so a small file cannot ask for much.

use super::codec::Step;
use super::files::grow;
use crate::io::blosc;
use crate::io::filters::zstd_bytes;
use libdeflater::{CompressionLvl, Compressor, DecompressionError, Decompressor};
use std::fmt;
use zstd_safe::{CCtx, CParameter, DCtx};

/// Bytes of a context of zstd and of an inflater, roughly.
pub(super) const CONTEXTS: usize = 256 << 10;

/// Bytes of a context of zstd that compresses at a level, roughly: its window and tables.
pub(super) fn compressor_bytes(steps: &[Step], bytes: usize) -> usize {
    let of = |step: &Step| match step {
        Step::Zstd { level, .. } => zstd_bytes(u8::try_from(*level).unwrap_or(1)).min(8 * bytes + CONTEXTS),
        Step::Gzip(_) | Step::Zlib(_) => 4 * CONTEXTS,
        Step::Blosc(_) => 4 << 20,
        Step::Crc32c => 0,
    };
    steps.iter().map(of).sum()
}

/// The most bytes that `bytes` may take after one step.
fn bound(step: Step, bytes: usize) -> usize {
    match step {
        Step::Crc32c => bytes.saturating_add(4),
        Step::Blosc(_) => bytes.saturating_add(blosc::OVERHEAD),
        _ => bytes.saturating_add(bytes / 128).saturating_add(1 << 12),
    }
}

/// The most bytes that a chunk of `bytes` may take when stored.
pub(super) fn stored_bound(steps: &[Step], bytes: usize) -> usize {
    steps.iter().fold(bytes, |bytes, step| bound(*step, bytes))
}

/// Buffers and decompressors of one reader.
pub(super) struct DecodeScratch {
    /// A stored chunk, then every second stage.
    pub raw: Vec<u8>,
    other: Vec<u8>,
    inflate: Decompressor,
    zstd: DCtx<'static>,
}

impl DecodeScratch {
    pub fn new() -> DecodeScratch {
        DecodeScratch {
            raw: Vec::new(),
            other: Vec::new(),
            inflate: Decompressor::new(),
            zstd: DCtx::create(),
        }
    }

    /// Bytes that decoding a chunk of `bytes` holds.
    pub fn bytes(steps: &[Step], bytes: usize) -> usize {
        let most = stored_bound(steps, bytes);
        match steps {
            [] => bytes,
            _ => most.saturating_mul(2).saturating_add(CONTEXTS),
        }
    }
}

impl fmt::Debug for DecodeScratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecodeScratch({} bytes)", self.raw.len() + self.other.len())
    }
}

/// Decodes the first `stored` bytes of `scratch.raw` to exactly `bytes` bytes, which then lie in
/// `target` where that is given, else in `scratch.raw`.
pub(super) fn decode(
    steps: &[Step],
    scratch: &mut DecodeScratch,
    stored: usize,
    bytes: usize,
    mut target: Option<&mut [u8]>,
) -> Result<(), String> {
    let mut len = stored;
    let mut landed = false;
    for (at, step) in steps.iter().enumerate().rev() {
        let most = stored_bound(&steps[..at], bytes);
        if *step == Step::Crc32c {
            len = check_crc32c(&scratch.raw[..len])?;
            continue;
        }
        let input = &scratch.raw[..len];
        let exact = steps[..at].iter().all(|s| *s == Step::Crc32c).then_some(most);
        plausible(*step, input, exact)?;
        let direct = target.as_deref_mut().filter(|_| at == 0);
        landed = direct.is_some();
        let out = match direct {
            Some(out) => out,
            None => {
                grow(&mut scratch.other, most)?;
                &mut scratch.other[..most]
            }
        };
        let done = match step {
            Step::Gzip(_) => scratch
                .inflate
                .gzip_decompress(input, out)
                .map_err(|e| inflating(e, most)),
            Step::Zlib(_) => scratch
                .inflate
                .zlib_decompress(input, out)
                .map_err(|e| inflating(e, most)),
            Step::Zstd { .. } => scratch.zstd.decompress(out, input).map_err(|code| {
                format!(
                    "the chunk does not decompress: {}",
                    zstd_safe::get_error_name(code)
                )
            }),
            Step::Blosc(_) => blosc::decompress(input, out),
            Step::Crc32c => Ok(len),
        };
        len = done?;
        if !landed {
            std::mem::swap(&mut scratch.raw, &mut scratch.other);
        }
    }
    if len != bytes {
        return Err(format!("the chunk holds {len} bytes instead of {bytes}"));
    }
    if let (Some(out), false) = (target, landed) {
        out.copy_from_slice(&scratch.raw[..bytes]);
    }
    Ok(())
}

/// Decodes the first `stored` bytes of `scratch.raw` where nobody knows how many they become, at most
/// `most`: how many bytes then lie there.
pub(super) fn decode_open(
    steps: &[Step],
    scratch: &mut DecodeScratch,
    stored: usize,
    most: usize,
) -> Result<usize, String> {
    let mut len = stored;
    for step in steps.iter().rev() {
        let input = &scratch.raw[..len];
        if *step == Step::Crc32c {
            len = check_crc32c(input)?;
            continue;
        }
        let told = match step {
            Step::Gzip(_) => input.last_chunk::<4>().map(|n| u32::from_le_bytes(*n) as usize),
            Step::Zstd { .. } => zstd_safe::get_frame_content_size(input)
                .ok()
                .flatten()
                .map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            Step::Blosc(_) => Some(blosc::decoded_len(input)?),
            Step::Zlib(_) | Step::Crc32c => None,
        };
        if let Some(told) = told.filter(|&n| n > most) {
            return Err(format!("the chunk claims {told} bytes, more than {most}"));
        }
        let ratio = if matches!(step, Step::Gzip(_) | Step::Zlib(_)) {
            1_100
        } else {
            70_000
        };
        let most = most.min(input.len().saturating_mul(ratio).saturating_add(64));
        let mut room = told
            .unwrap_or_else(|| input.len().saturating_mul(4).saturating_add(1 << 12))
            .min(most);
        len = loop {
            grow(&mut scratch.other, room)?;
            let (input, out) = (&scratch.raw[..len], &mut scratch.other[..room]);
            let (done, short) = match step {
                Step::Gzip(_) => shortage(scratch.inflate.gzip_decompress(input, out), room),
                Step::Zlib(_) => shortage(scratch.inflate.zlib_decompress(input, out), room),
                Step::Zstd { .. } => {
                    let done = scratch.zstd.decompress(out, input);
                    let done = done.map_err(|code| zstd_safe::get_error_name(code).to_string());
                    let short = done.as_ref().is_err_and(|e| e.contains("too small"));
                    (done, short)
                }
                _ => (blosc::decompress(input, out), false),
            };
            if !short || room >= most {
                break done?;
            }
            room = room.saturating_mul(2).min(most);
        };
        std::mem::swap(&mut scratch.raw, &mut scratch.other);
    }
    Ok(len)
}

/// The result of inflating, and whether only room was lacking.
fn shortage(result: Result<usize, DecompressionError>, room: usize) -> (Result<usize, String>, bool) {
    let short = matches!(result, Err(DecompressionError::InsufficientSpace));
    (result.map_err(|e| inflating(e, room)), short)
}

fn inflating(error: DecompressionError, most: usize) -> String {
    match error {
        DecompressionError::InsufficientSpace => format!("the chunk holds more than {most} bytes"),
        _ => "the chunk does not inflate: it is broken".to_string(),
    }
}

/// Checks what compressed bytes say of their content, before there is memory for it: that it has
/// `exact` bytes where that is known, and not more than the compressor can make of so few.
fn plausible(step: Step, input: &[u8], exact: Option<usize>) -> Result<(), String> {
    let (claimed, ratio) = match step {
        Step::Gzip(_) | Step::Zlib(_) => (None, 1_100),
        Step::Zstd { .. } => (zstd_safe::get_frame_content_size(input).ok().flatten(), 70_000),
        Step::Blosc(_) => (Some(blosc::decoded_len(input)? as u64), 70_000),
        Step::Crc32c => return Ok(()),
    };
    let Some(exact) = exact else { return Ok(()) };
    if let Some(claimed) = claimed.filter(|&n| n > exact as u64) {
        return Err(format!("the chunk claims {claimed} bytes instead of {exact}"));
    }
    match input.len().saturating_mul(ratio) {
        most if most < exact => Err(format!("{} stored bytes hold no {exact}", input.len())),
        _ => Ok(()),
    }
}

/// Buffers and compressors of one writer.
pub(super) struct EncodeScratch {
    front: Vec<u8>,
    back: Vec<u8>,
    deflate: Option<(u8, Compressor)>,
    zstd: CCtx<'static>,
}

impl EncodeScratch {
    pub fn new() -> EncodeScratch {
        EncodeScratch {
            front: Vec::new(),
            back: Vec::new(),
            deflate: None,
            zstd: CCtx::create(),
        }
    }

    /// Bytes that encoding a chunk of `bytes` holds.
    pub fn bytes(steps: &[Step], bytes: usize) -> usize {
        let most = stored_bound(steps, bytes);
        let buffers = steps.len().min(2);
        most.saturating_mul(buffers)
            .saturating_add(compressor_bytes(steps, bytes))
    }
}

impl fmt::Debug for EncodeScratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodeScratch({} bytes)", self.front.len() + self.back.len())
    }
}

/// Encodes a chunk; the stored bytes lie in `scratch` or are `chunk` itself.
pub(super) fn encode<'a>(
    steps: &[Step],
    chunk: &'a [u8],
    scratch: &'a mut EncodeScratch,
) -> Result<&'a [u8], String> {
    let mut len = chunk.len();
    for (at, step) in steps.iter().enumerate() {
        grow(&mut scratch.back, bound(*step, len))?;
        let out = &mut scratch.back[..];
        let input = if at == 0 { chunk } else { &scratch.front[..len] };
        len = match step {
            Step::Gzip(level) => deflater(&mut scratch.deflate, *level)?
                .gzip_compress(input, out)
                .map_err(|_| "the chunk does not fit its bound".to_string())?,
            Step::Zlib(level) => deflater(&mut scratch.deflate, *level)?
                .zlib_compress(input, out)
                .map_err(|_| "the chunk does not fit its bound".to_string())?,
            Step::Zstd { level, checksum } => zstd(&mut scratch.zstd, *level, *checksum, input, out)?,
            Step::Blosc(blosc) => blosc.compress(input, out)?,
            Step::Crc32c => {
                out[..len].copy_from_slice(input);
                out[len..len + 4].copy_from_slice(&crc32c::crc32c(input).to_le_bytes());
                len + 4
            }
        };
        std::mem::swap(&mut scratch.front, &mut scratch.back);
    }
    Ok(match steps {
        [] => chunk,
        _ => &scratch.front[..len],
    })
}

/// The deflater of a level, made where the last one is of another.
fn deflater(kept: &mut Option<(u8, Compressor)>, level: u8) -> Result<&mut Compressor, String> {
    if kept.as_ref().is_none_or(|(l, _)| *l != level) {
        let wanted = CompressionLvl::new(i32::from(level))
            .map_err(|_| format!("deflate level {level} is not within 0 to 12"))?;
        *kept = Some((level, Compressor::new(wanted)));
    }
    kept.as_mut()
        .map(|(_, c)| c)
        .ok_or_else(|| "no deflater".to_string())
}

fn zstd(
    context: &mut CCtx,
    level: i32,
    checksum: bool,
    input: &[u8],
    out: &mut [u8],
) -> Result<usize, String> {
    let told = |code| zstd_safe::get_error_name(code).to_string();
    for parameter in [
        CParameter::CompressionLevel(level),
        CParameter::ChecksumFlag(checksum),
    ] {
        context.set_parameter(parameter).map_err(told)?;
    }
    context.compress2(out, input).map_err(told)
}

/// Checks the checksum behind the data and gives the length of the data.
pub(super) fn check_crc32c(stored: &[u8]) -> Result<usize, String> {
    let Some((data, checksum)) = stored.split_last_chunk::<4>() else {
        return Err(format!("{} bytes have no room for a checksum", stored.len()));
    };
    match crc32c::crc32c(data) == u32::from_le_bytes(*checksum) {
        true => Ok(data.len()),
        false => Err("its checksum is wrong: the chunk is corrupt".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::blosc::{Blosc, Shuffle};

    fn chains() -> Vec<Vec<Step>> {
        let blosc = |name, shuffle| Step::Blosc(Blosc::new(name, 5, shuffle, 4, 0).unwrap());
        let zstd = Step::Zstd {
            level: 3,
            checksum: true,
        };
        vec![
            vec![],
            vec![Step::Gzip(4)],
            vec![Step::Zlib(9)],
            vec![zstd],
            vec![Step::Crc32c],
            vec![zstd, Step::Crc32c],
            vec![Step::Crc32c, Step::Gzip(1)],
            vec![Step::Zlib(1), zstd],
            vec![blosc("lz4", Shuffle::Bytes)],
            vec![blosc("zstd", Shuffle::Bits)],
            vec![blosc("blosclz", Shuffle::None)],
            vec![blosc("zlib", Shuffle::Bytes)],
            vec![blosc("lz4hc", Shuffle::Bytes)],
            vec![blosc("snappy", Shuffle::Bytes)],
        ]
    }

    #[test]
    fn chains_decode_what_they_encode() {
        for steps in chains() {
            let (mut encoder, mut scratch) = (EncodeScratch::new(), DecodeScratch::new());
            for n in [0usize, 1, 4, 1000, 70_001] {
                let data: Vec<u8> = (0..n).map(|i| (i * i / 97) as u8).collect();
                let stored = encode(&steps, &data, &mut encoder).unwrap();
                assert!(stored.len() <= stored_bound(&steps, n), "{steps:?} {n}");
                for direct in [false, true] {
                    grow(&mut scratch.raw, stored.len()).unwrap();
                    scratch.raw[..stored.len()].copy_from_slice(stored);
                    let mut out = vec![0; n];
                    let target = direct.then_some(&mut out[..]);
                    decode(&steps, &mut scratch, stored.len(), n, target).unwrap();
                    let result = if direct { &out } else { &scratch.raw[..n] };
                    assert!(result == &data[..], "{steps:?} {n}");
                    scratch.raw.clear();
                    scratch.raw.extend(stored);
                    let len = decode_open(&steps, &mut scratch, stored.len(), 1 << 20).unwrap();
                    assert!(scratch.raw[..len] == data, "{steps:?} {n}");
                    if n > 8 && !steps.is_empty() {
                        scratch.raw.clear();
                        scratch.raw.extend(stored);
                        assert!(
                            decode_open(&steps, &mut scratch, stored.len(), n - 1).is_err()
                                || steps == [Step::Crc32c]
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn broken_and_swollen_chunks_are_refused() {
        for steps in chains().iter().filter(|s| !s.is_empty()) {
            let data = vec![7u8; 100_000];
            let mut encoder = EncodeScratch::new();
            let stored = encode(steps, &data, &mut encoder).unwrap().to_vec();
            let decoded = |stored: &[u8], bytes: usize, direct: bool| {
                let mut scratch = DecodeScratch::new();
                scratch.raw = stored.to_vec();
                let mut out = vec![0; if direct { bytes } else { 0 }];
                let target = direct.then_some(&mut out[..]);
                decode(steps, &mut scratch, stored.len(), bytes, target)?;
                Ok::<usize, String>(scratch.other.len().max(scratch.raw.len()))
            };
            for direct in [false, true] {
                assert!(decoded(&stored, 100_000, direct).is_ok(), "{steps:?}");
                assert!(decoded(&stored, 99_999, direct).is_err(), "{steps:?}");
                assert!(decoded(&stored, 100_001, direct).is_err(), "{steps:?}");
                assert!(
                    decoded(&stored[..stored.len() / 2], 100_000, direct).is_err(),
                    "{steps:?}"
                );
                assert!(decoded(&[], 100_000, direct).is_err(), "{steps:?}");
            }
            assert!(decoded(&stored, 1 << 45, false).is_err(), "{steps:?}");
            for at in 0..stored.len().min(64) {
                let mut broken = stored.clone();
                broken[at] ^= 0x55;
                let _ = decoded(&broken, 100_000, false);
            }
        }
    }
}
