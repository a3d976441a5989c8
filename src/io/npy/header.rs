//! Headers of NPY files: a magic, a version, and a Python literal.
//!
//! A header comes from outside, so its lengths are checked before anything is allocated and its
//! literal is read by a parser of its own few words.

use crate::io::dense::Layout;
use crate::{DType, Error, Result};
use std::fmt::Write as _;
use std::path::Path;

/// The longest header that is read; NumPy's own limit for untrusted files is 10,000.
const MOST_HEADER: usize = 1 << 20;

/// The most axes of an array; NumPy's limit.
const MOST_AXES: usize = 64;

/// The header of an NPY file of `len` bytes, read in ascending order by `read`, and where its
/// elements start.
///
/// # Errors
/// [`Error::Format`] for `path` when it is no header, is cut off, or its dtype is none of ours.
pub(in crate::io) fn read_header(
    path: &Path,
    len: u64,
    read: &mut dyn FnMut(u64, &mut [u8]) -> Result<()>,
) -> Result<(Layout, u64)> {
    let bad = |reason: String| Error::format(path, reason);
    let mut head = vec![0; len.min(12) as usize];
    read(0, &mut head)?;
    let (start, text_len) = match head.as_slice() {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, a, b, ..] => {
            (10, usize::from(u16::from_le_bytes([*a, *b])))
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _, a, b, c, d] => {
            (12, u32::from_le_bytes([*a, *b, *c, *d]) as usize)
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', major, minor, ..] if !(1..=3).contains(major) => {
            return Err(bad(format!(
                "NPY version {major}.{minor} is unknown: 1 to 3 are read"
            )));
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] | [] => {
            return Err(bad("truncated within its NPY header".to_string()));
        }
        _ => return Err(bad("no NPY header".to_string())),
    };
    if text_len > MOST_HEADER {
        return Err(bad(format!(
            "its NPY header claims {text_len} bytes, more than {MOST_HEADER}"
        )));
    }
    if (start + text_len) as u64 > len {
        return Err(bad("truncated within its NPY header".to_string()));
    }
    // Of version 1, two of the bytes read above are of the text.
    let mut text = head.split_off(start.min(head.len()));
    let held = text.len().min(text_len);
    text.resize(text_len, 0);
    read((start + held) as u64, &mut text[held..])?;
    let text = String::from_utf8_lossy(&text);
    let layout = Literal { rest: text.trim() }.header().map_err(|reason| {
        bad(format!(
            "NPY header {:?}: {reason}",
            text.trim().chars().take(200).collect::<String>()
        ))
    })?;
    Ok((layout, (start + text_len) as u64))
}

/// The Python literal of a header.
struct Literal<'a> {
    rest: &'a str,
}

impl Literal<'_> {
    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, keys in any order.
    fn header(mut self) -> Result<Layout, String> {
        let (mut dtype, mut fortran, mut shape) = (None, None, None);
        self.expect('{')?;
        while !self.take('}') {
            let key = self.string()?;
            self.expect(':')?;
            match key.as_str() {
                "descr" => dtype = Some(self.dtype()?),
                "fortran_order" => fortran = Some(self.boolean()?),
                "shape" => shape = Some(self.tuple()?),
                other => return Err(format!("unknown key {other:?}")),
            }
            if !self.take(',') {
                self.expect('}')?;
                break;
            }
        }
        let (dtype, swapped) = dtype.ok_or("no descr")?;
        let shape = shape.ok_or("no shape")?;
        Ok(Layout {
            dtype,
            swapped,
            fortran: fortran.ok_or("no fortran_order")?,
            shape,
        })
    }

    fn take(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char) -> Result<(), String> {
        if self.take(c) {
            Ok(())
        } else {
            Err(format!("{c:?} expected at {:?}", self.here()))
        }
    }

    fn here(&self) -> String {
        self.rest.chars().take(20).collect()
    }

    fn string(&mut self) -> Result<String, String> {
        let quote = if self.take('"') { '"' } else { '\'' };
        if quote == '\'' {
            self.expect('\'')?;
        }
        let (text, rest) = self.rest.split_once(quote).ok_or("a string without an end")?;
        let text = text.to_string();
        self.rest = rest;
        Ok(text)
    }

    fn boolean(&mut self) -> Result<bool, String> {
        self.rest = self.rest.trim_start();
        for (name, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(name) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(format!("True or False expected at {:?}", self.here()))
    }

    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        self.expect('(')?;
        let mut extents = Vec::new();
        while !self.take(')') {
            self.rest = self.rest.trim_start();
            let end = self
                .rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(self.rest.len());
            let (digits, rest) = self.rest.split_at(end);
            let extent = digits
                .parse()
                .map_err(|_| format!("an extent expected at {:?}", self.here()))?;
            // Python 2 wrote long integers as `3L`.
            self.rest = rest.strip_prefix('L').unwrap_or(rest);
            extents.push(extent);
            if extents.len() > MOST_AXES {
                return Err(format!("more than {MOST_AXES} axes"));
            }
            if !self.take(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(extents)
    }

    /// A dtype and whether its bytes are in the other order.
    fn dtype(&mut self) -> Result<(DType, bool), String> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('[') {
            return Err("structured dtypes are not read: save each field on its own".to_string());
        }
        let descr = self.string()?;
        let order = descr.chars().next().filter(|c| "<>|=".contains(*c));
        let bare = descr.trim_start_matches(['<', '>', '|', '=']);
        let dtype = DType::ALL
            .into_iter()
            .find(|d| {
                d.info()
                    .npy
                    .is_some_and(|n| n.trim_start_matches(['<', '|']) == bare)
            })
            .ok_or_else(|| format!("dtype {descr:?} is not read"))?;
        Ok((dtype, order == Some('>') && dtype.size() > 1))
    }
}

/// The magic, version 1.0 and the header, padded so that elements start at a multiple of 64.
pub(in crate::io) fn header_bytes(dtype: DType, shape: &[usize]) -> Result<Vec<u8>> {
    let Some(descr) = dtype.info().npy else {
        return Err(Error::invalid(format!(
            "NPY has no {dtype}: cast to float32 before writing"
        )));
    };
    let mut tuple = String::new();
    for extent in shape {
        let _ = write!(tuple, "{extent}, ");
    }
    let tuple = if shape.len() == 1 {
        tuple.trim_end()
    } else {
        tuple.trim_end_matches(", ")
    };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({tuple}), }}");
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let len = u16::try_from(text.len())
        .map_err(|_| Error::invalid(format!("an NPY header for shape {shape:?} is too long")))?;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(len.to_le_bytes());
    header.extend(text.as_bytes());
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Layout, String> {
        Literal { rest: text.trim() }.header()
    }

    #[test]
    fn headers_are_numpys() {
        let header = parse("{'descr': '>f4', 'fortran_order': True, 'shape': (3, 4), }\n").unwrap();
        let expected = Layout {
            dtype: DType::F32,
            swapped: true,
            fortran: true,
            shape: vec![3, 4],
        };
        assert_eq!(header, expected);
        let header = parse("{\"shape\": (5L,), 'fortran_order':False,'descr':'|b1'}").unwrap();
        assert_eq!((header.dtype, header.shape), (DType::Bool, vec![5]));
        assert_eq!(
            parse("{'descr': '<i2', 'fortran_order': False, 'shape': ()}")
                .unwrap()
                .shape,
            [0usize; 0]
        );
        for (text, expected) in [
            (
                "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}",
                "structured",
            ),
            ("{'descr': '<c32', 'fortran_order': False, 'shape': ()}", "<c32"),
            (
                "{'descr': '<f4', 'fortran_order': 1, 'shape': ()}",
                "True or False",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
                "extent",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
                "extent",
            ),
            ("{'descr': '<f4', 'fortran_order': False, }", "no shape"),
            ("{'descr': '<f4', 'x': 1}", "unknown key"),
            ("{'descr", "without an end"),
            ("", "expected"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn written_headers_are_aligned_and_parse_back() {
        for shape in [&[][..], &[7], &[2, 0, 3]] {
            let bytes = header_bytes(DType::U16, shape).unwrap();
            assert_eq!(bytes.len() % 64, 0);
            let text = std::str::from_utf8(&bytes[10..]).unwrap();
            assert_eq!(parse(text).unwrap().shape, shape, "{text}");
        }
        assert_eq!(
            &header_bytes(DType::F64, &[7]).unwrap()[10..68],
            b"{'descr': '<f8', 'fortran_order': False, 'shape': (7,), } "
        );
        assert!(header_bytes(DType::BF16, &[1]).is_err());
    }
}
