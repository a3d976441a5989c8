//! Streaming stores: results that no cache should keep.
//!
//! A plain store to memory that is not in the cache reads the line first, and drives out what the
//! next strip needs; a streaming store does neither. While a strip goes out, the input of the next
//! one is asked for, so that memory is never idle between the two.

/// Whether [`stream`] goes past the caches here; elsewhere it is a copy.
pub const STREAMS: bool = cfg!(target_arch = "x86_64");

/// Bytes of a cache line: what goes out at once, and what destinations should be aligned to.
pub const LINE: usize = 64;

/// Copies `from` to `to` past the caches, line by line where `to` is aligned to lines, and asks
/// meanwhile for the bytes of `ahead`. Lengths that differ copy the shorter. Before another thread
/// reads `to`, the caller calls [`settle`].
pub fn stream(from: &[u8], to: &mut [u8], ahead: &[&[u8]]) {
    let len = from.len().min(to.len());
    let (from, to) = (&from[..len], &mut to[..len]);
    let head = to.as_ptr().align_offset(LINE).min(len);
    let body = (len - head) / LINE * LINE;
    to[..head].copy_from_slice(&from[..head]);
    to[head + body..].copy_from_slice(&from[head + body..]);
    let (from, to) = (&from[head..head + body], &mut to[head..head + body]);
    match ahead {
        [] => lines(from, to, []),
        [a] => lines(from, to, [a]),
        [a, b] => lines(from, to, [a, b]),
        [a, b, c] => lines(from, to, [a, b, c]),
        [a, b, c, d, ..] => lines(from, to, [a, b, c, d]),
    }
}

/// Asks for the lines of `bytes` to be brought close; nothing waits for them.
pub fn prefetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(LINE) {
        // SAFETY: a prefetch reads nothing, and every x86-64 has it.
        unsafe {
            use std::arch::x86_64::*;
            _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}

/// Orders streamed stores before whatever the calling thread does next.
pub fn settle() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a fence touches no memory, and every x86-64 has SSE2.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// Whole lines; `to` is aligned to them.
#[cfg(target_arch = "x86_64")]
fn lines<const N: usize>(from: &[u8], to: &mut [u8], ahead: [&[u8]; N]) {
    use std::arch::x86_64::*;
    let count = to.len() / LINE;
    let steps = ahead.map(|bytes| bytes.len().checked_div(count).unwrap_or(0));
    let mut at = ahead.map(|bytes| bytes.as_ptr());
    let target = to.as_mut_ptr();
    if count == 0 {
        return;
    }
    assert!(from.len() == to.len() && target.align_offset(LINE) == 0);
    for line in 0..count {
        // SAFETY: each line lies inside both slices, which are equally long; streaming stores want
        // 16-byte alignment, which the line has. A prefetch reads nothing, so any address will do.
        unsafe {
            for (at, step) in at.iter_mut().zip(steps) {
                _mm_prefetch::<_MM_HINT_T1>(at.cast());
                *at = at.wrapping_add(step);
            }
            let source = from.as_ptr().add(line * LINE).cast::<__m128i>();
            let target = target.add(line * LINE).cast::<__m128i>();
            let four = [0, 1, 2, 3].map(|part| _mm_loadu_si128(source.add(part)));
            for (part, value) in four.into_iter().enumerate() {
                _mm_stream_si128(target.add(part), value);
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn lines<const N: usize>(from: &[u8], to: &mut [u8], _: [&[u8]; N]) {
    to.copy_from_slice(from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_arrives_at_any_alignment() {
        let from: Vec<u8> = (0..1000u32).map(|i| (i * 7 % 251) as u8).collect();
        for start in [0, 1, 16, 63, 64] {
            for len in [0, 1, 63, 64, 65, 128, 500, 900] {
                for ahead in 0..6 {
                    let mut to = vec![0xEE; 1100];
                    let next = vec![&from[..len]; ahead];
                    stream(&from[3..3 + len], &mut to[start..start + len], &next);
                    settle();
                    assert_eq!(to[start..start + len], from[3..3 + len], "{start} {len}");
                    assert!(to[..start].iter().chain(&to[start + len..]).all(|&b| b == 0xEE));
                }
            }
        }
    }

    #[test]
    fn unequal_lengths_copy_the_shorter() {
        let mut to = [9u8; 200];
        stream(&[1; 130], &mut to, &[]);
        assert_eq!((to[129], to[130]), (1, 9));
        stream(&[2; 200], &mut to[..70], &[&[], &[5]]);
        settle();
        assert_eq!((to[69], to[70]), (2, 1));
    }
}
