//! The messages of a file, found one after the other by their lengths.

use super::bits::{Octets, Short};
use super::field::{Field, Span};
use super::grid::{self, Grid};
use super::{edition1, edition2};
use crate::io::file::ReadFile;
use crate::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// Headers longer than this are a broken file.
const LONGEST_HEADER: u64 = 16 << 20;

/// Bytes between messages are looked through in pieces of this size.
const GAP: usize = 64 << 10;

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Its fields, in the order of the file.
    pub fields: Vec<Field>,
    /// Why fields are not shown, and how many.
    pub skipped: BTreeMap<String, usize>,
}

/// Reads parts of a file; grids that look alike are one.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    file: &'a ReadFile,
    grids: HashMap<(u8, u128), Short<Arc<Grid>>>,
}

impl Reader<'_> {
    /// Bytes of the file.
    pub fn bytes(&self, at: u64, len: u64) -> Short<Vec<u8>> {
        if len > LONGEST_HEADER {
            return Err(format!("a header of {len} bytes is not read"));
        }
        let mut out = vec![0; len as usize];
        self.file.read_at(at, &mut out).map_err(|e| e.to_string())?;
        Ok(out)
    }

    /// Where a section of edition 1 begins and its length.
    pub fn peek1(&self, at: u64, message: Span) -> Short<(u64, u64)> {
        let len = Octets(&self.bytes(at, 3)?).unsigned(1, 3)?;
        let end = message.at + message.len;
        match len >= 3 && at + len <= end {
            true => Ok((at, len)),
            false => Err(format!("a section claims {len} bytes")),
        }
    }

    /// A section of edition 1, and past it.
    pub fn section1(&mut self, at: &mut u64, message: Span) -> Short<Vec<u8>> {
        let (start, len) = self.peek1(*at, message)?;
        *at = start + len;
        self.bytes(start, len)
    }

    /// A section of edition 2.
    pub fn section2(&mut self, span: Span) -> Short<Vec<u8>> {
        self.bytes(span.at, span.len)
    }

    /// The grid that a section describes.
    pub fn grid(&mut self, edition: u8, section: &[u8]) -> Short<Arc<Grid>> {
        let key = (edition, xxh3_128(section));
        let make = || {
            let made = match edition {
                1 => grid::edition1(Octets(section)),
                _ => grid::edition2(Octets(section)),
            };
            made.map(Arc::new)
        };
        self.grids.entry(key).or_insert_with(make).clone()
    }
}

/// Finds all fields.
///
/// # Errors
/// When a message is truncated or contradicts itself, or there is none.
pub(super) fn scan(file: &ReadFile) -> Result<Found> {
    let mut reader = Reader {
        file,
        grids: HashMap::new(),
    };
    let mut found = Found::default();
    let mut at = 0;
    let mut messages = 0usize;
    while let Some(start) = next(file, at)? {
        let wrong =
            |reason: String| Error::format(file.path(), format!("the message at byte {start}: {reason}"));
        let span = message(file, start).map_err(wrong)?;
        let Found { fields, skipped } = &mut found;
        let mut skip = |reason: String| *skipped.entry(reason).or_insert(0) += 1;
        let edition = reader.bytes(start, 8).map_err(wrong)?;
        match edition[7] {
            1 => match edition1::field(&mut reader, span) {
                Ok(field) => fields.push(field),
                Err(reason) => skip(reason),
            },
            _ => edition2::fields(&mut reader, span, edition[6], |f| fields.push(f), skip).map_err(wrong)?,
        }
        messages += 1;
        at = start + span.len;
    }
    match messages {
        0 => Err(Error::format(file.path(), "it holds no GRIB message")),
        _ => Ok(found),
    }
}

/// Where the next message begins.
fn next(file: &ReadFile, mut at: u64) -> Result<Option<u64>> {
    while at + 16 <= file.len() {
        let len = usize::try_from(file.len() - at).map_or(GAP, |left| left.min(GAP));
        let mut bytes = vec![
            0;
            if at == 0 || len < 16 {
                len.min(16)
            } else {
                16.min(len)
            }
        ];
        file.read_at(at, &mut bytes)?;
        if bytes.starts_with(b"GRIB") {
            return Ok(Some(at));
        }
        bytes.resize(len, 0);
        file.read_at(at, &mut bytes)?;
        if let Some(place) = bytes.windows(4).position(|w| w == b"GRIB") {
            return Ok(Some(at + place as u64));
        }
        // The word may lie across two pieces.
        at += (len - 3) as u64;
    }
    Ok(None)
}

/// The extent of a message, which is checked to end in the file and as it must.
fn message(file: &ReadFile, at: u64) -> Short<Span> {
    let read = |at: u64, len: usize| -> Short<Vec<u8>> {
        let mut out = vec![0; len];
        file.read_at(at, &mut out).map_err(|e| e.to_string())?;
        Ok(out)
    };
    let head = read(at, 16)?;
    let octets = Octets(&head);
    let len = match octets.byte(8)? {
        1 => {
            let told = octets.unsigned(5, 3)?;
            match told & 0x80_0000 {
                0 => told,
                _ => long(&read, at, told)?,
            }
        }
        2 => octets.unsigned(9, 8)?,
        other => return Err(format!("edition {other} is not known")),
    };
    if len < 20 {
        return Err(format!("it claims {len} bytes"));
    }
    if len > file.len() - at {
        return Err(format!(
            "truncated: it claims {len} bytes, {} are left",
            file.len() - at
        ));
    }
    match read(at + len - 4, 4)?.as_slice() {
        b"7777" => Ok(Span { at, len }),
        _ => Err("it does not end with 7777".to_string()),
    }
}

/// The length of a message of edition 1 beyond 8 MiB: told in units of 120 bytes, less what the
/// data section tells as its own length.
fn long(read: &impl Fn(u64, usize) -> Short<Vec<u8>>, start: u64, told: u64) -> Short<u64> {
    let section = |at: u64| -> Short<u64> { Octets(&read(at, 3)?).unsigned(1, 3) };
    let mut at = start + 8;
    let flags = Octets(&read(at, 8)?).byte(8)?;
    at += section(at)?;
    for bit in [0x80, 0x40] {
        if flags & bit != 0 {
            at += section(at)?;
        }
    }
    let last = section(at)?;
    match last < 120 {
        true => Ok((told & 0x7f_ffff) * 120 - last + 4),
        false => Ok(told),
    }
}
