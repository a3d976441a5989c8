//! LZF, the fast compressor that h5py brings: decoding only.
//!
//! A stream of literal runs (a control byte below 32: one less than their length) and of copies from
//! what is already there (three bits of length, 13 of distance).

/// Decodes `input` into `out`; the number of bytes that came.
///
/// # Errors
/// When the stream is broken or longer than `out`.
pub(super) fn decode(input: &[u8], out: &mut [u8]) -> Result<usize, String> {
    let broken = || "the chunk is no LZF stream".to_string();
    let (mut from, mut to) = (0, 0);
    let next = |at: &mut usize| {
        let byte = input.get(*at).copied().ok_or_else(broken);
        *at += 1;
        byte
    };
    while from < input.len() {
        let control = usize::from(next(&mut from)?);
        if control < 32 {
            let len = control + 1;
            let run = input.get(from..from + len).ok_or_else(broken)?;
            out.get_mut(to..to + len).ok_or_else(broken)?.copy_from_slice(run);
            (from, to) = (from + len, to + len);
            continue;
        }
        let mut len = control >> 5;
        if len == 7 {
            len += usize::from(next(&mut from)?);
        }
        len += 2;
        let back = ((control & 31) << 8 | usize::from(next(&mut from)?)) + 1;
        let start = to.checked_sub(back).ok_or_else(broken)?;
        if to + len > out.len() {
            return Err(broken());
        }
        if back >= len {
            out.copy_within(start..start + len, to);
        } else {
            // The copy reads what it writes: a pattern repeated.
            for i in 0..len {
                out[to + i] = out[start + i];
            }
        }
        to += len;
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn runs_and_copies_are_decoded() {
        let mut out = [0; 32];
        assert_eq!(decode(&[2, b'a', b'b', b'c'], &mut out), Ok(3));
        // One literal, then eight copies of it: length 1 + 7 from one byte back.
        assert_eq!(decode(&[0, b'x', 6 << 5, 0], &mut out), Ok(9));
        assert_eq!(out[..9], [b'x'; 9]);
        assert_eq!(decode(&[1, 1, 2, 7 << 5, 3, 1], &mut out), Ok(2 + 12));
        assert_eq!(out[..14], [1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
        for bad in [
            &[5, 1][..],
            &[1 << 5, 0],
            &[0, 1, 7 << 5],
            &[0, 1, 7 << 5, 255, 0],
        ] {
            assert!(decode(bad, &mut out).is_err(), "{bad:?}");
        }
    }
}
