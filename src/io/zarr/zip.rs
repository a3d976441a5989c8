//! A store in a zip archive, read without unpacking it.
//!
//! Entries stored as they are, as zarr-python writes them, are read in place; deflated ones are inflated
//! when they are asked for. Of entries of one name the last counts.

use super::files::{Files, Object, grow, is_metadata, join};
use crate::io::file::ReadFile;
use crate::{Error, Result};
use libdeflater::Decompressor;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

/// The most bytes of a list of entries: millions of them.
const MOST_LIST: u64 = 1 << 30;

/// The ends of an archive: of the common one with its longest comment, and of its larger kind.
const END: &[u8; 4] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const LONGEST_END: u64 = 22 + 0xffff;
const LARGE_PLACE: &[u8; 4] = b"PK\x06\x07";
const LARGE_END: &[u8; 4] = b"PK\x06\x06";
const ENTRY: &[u8; 4] = b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
const LOCAL: &[u8; 4] = b"PK\x03\x04";
const LOCAL_BYTES: usize = 30;

/// One file of an archive.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// How it is compressed: 0 not, 8 by deflate.
    method: u16,
    encrypted: bool,
    stored: u64,
    len: u64,
    /// Where what stands before it begins.
    offset: u64,
}

/// A store in an archive.
#[derive(Debug)]
pub(super) struct Archive {
    file: Arc<ReadFile>,
    entries: HashMap<String, Entry>,
    /// The names directly below each folder.
    folders: HashMap<String, BTreeSet<String>>,
    /// The folder of the archive that is the store, with a slash behind.
    prefix: String,
    /// The most bytes of an entry that is deflated.
    inflated: usize,
}

/// Little-endian numbers of a record.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let mut wide = [0; 8];
    wide[..N].copy_from_slice(bytes.get(at..)?.first_chunk::<N>()?);
    Some(u64::from_le_bytes(wide))
}

impl Archive {
    /// Opens an archive and reads its list of entries.
    ///
    /// # Errors
    /// When it is broken, or holds no Zarr group or array at its root or in its one folder.
    pub fn open(path: &Path) -> Result<Archive> {
        let file = Arc::new(ReadFile::open(path)?);
        let broken = || Error::format(path, "the list of its entries is broken: is the archive whole?");
        let list = list(&file)?.ok_or_else(broken)?;
        let entries = entries(&list).ok_or_else(broken)?;
        let is_root = |prefix: &str| {
            let node = |name: &str| entries.contains_key(&format!("{prefix}{name}"));
            ["zarr.json", ".zgroup", ".zarray", ".zmetadata"]
                .into_iter()
                .any(node)
        };
        let tops: BTreeSet<&str> = entries
            .keys()
            .filter_map(|k| Some(k.split_once('/')?.0))
            .collect();
        let prefix = match tops.first() {
            _ if is_root("") => String::new(),
            Some(top) if tops.len() == 1 && is_root(&format!("{top}/")) => format!("{top}/"),
            _ => return Err(Error::format(path, "a zip archive that holds no Zarr store")),
        };
        let mut folders: HashMap<String, BTreeSet<String>> = HashMap::new();
        for key in entries.keys() {
            let mut rest = key.trim_end_matches('/');
            loop {
                let (folder, name) = rest.rsplit_once('/').unwrap_or(("", rest));
                if !folders
                    .entry(folder.to_string())
                    .or_default()
                    .insert(name.to_string())
                    || folder.is_empty()
                {
                    break;
                }
                rest = folder;
            }
        }
        let deflated = entries.values().filter(|e| e.method != 0).map(|e| e.len).max();
        Ok(Archive {
            file,
            entries,
            folders,
            prefix,
            inflated: deflated.map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX)),
        })
    }

    /// Where the bytes of an entry begin.
    fn place(&self, entry: &Entry) -> Result<u64> {
        let broken = || {
            Error::format(
                self.file.path(),
                "an entry is not where its list says: the archive is broken",
            )
        };
        let mut head = [0; LOCAL_BYTES];
        self.file.read_at(entry.offset, &mut head)?;
        if !head.starts_with(LOCAL) {
            return Err(broken());
        }
        let names = number::<2>(&head, 26).unwrap_or(0) + number::<2>(&head, 28).unwrap_or(0);
        let at = entry.offset + LOCAL_BYTES as u64 + names;
        match at.checked_add(entry.stored) {
            Some(end) if end <= self.file.len() => Ok(at),
            _ => Err(broken()),
        }
    }
}

/// The list of entries; `None` where its place is not told.
fn list(file: &ReadFile) -> Result<Option<Vec<u8>>> {
    let from = file.len().saturating_sub(LONGEST_END);
    let mut tail = vec![0; (file.len() - from) as usize];
    file.read_at(from, &mut tail)?;
    let ends = tail.windows(END_BYTES).rposition(|w| w.starts_with(END));
    let Some(end) = ends else { return Ok(None) };
    let (mut bytes, mut offset) = (number::<4>(&tail, end + 12), number::<4>(&tail, end + 16));
    let large = end
        .checked_sub(20)
        .filter(|&at| tail[at..].starts_with(LARGE_PLACE));
    if let Some(place) = large.and_then(|at| number::<8>(&tail, at + 8))
        && place.checked_add(56).is_some_and(|stop| stop <= file.len())
    {
        let mut record = [0; 56];
        file.read_at(place, &mut record)?;
        if record.starts_with(LARGE_END) {
            (bytes, offset) = (number::<8>(&record, 40), number::<8>(&record, 48));
        }
    }
    let (Some(bytes), Some(offset)) = (bytes, offset) else {
        return Ok(None);
    };
    let inside = offset.checked_add(bytes).is_some_and(|stop| stop <= file.len());
    if !inside || bytes > MOST_LIST {
        return Ok(None);
    }
    let mut list = vec![0; bytes as usize];
    file.read_at(offset, &mut list)?;
    Ok(Some(list))
}

/// The entries of a list by name; `None` where it is broken.
fn entries(list: &[u8]) -> Option<HashMap<String, Entry>> {
    let mut out = HashMap::new();
    let mut rest = list;
    while rest.len() >= ENTRY_BYTES {
        if !rest.starts_with(ENTRY) {
            return None;
        }
        let length = |at: usize| number::<2>(rest, at).map(|n| n as usize);
        let (name_len, extra_len, comment_len) = (length(28)?, length(30)?, length(32)?);
        let name = rest.get(ENTRY_BYTES..ENTRY_BYTES + name_len)?;
        let extra = rest.get(ENTRY_BYTES + name_len..ENTRY_BYTES + name_len + extra_len)?;
        let mut wide = wide_numbers(extra).into_iter();
        let mut widened = |at: usize| match number::<4>(rest, at)? {
            0xffff_ffff => wide.next(),
            small => Some(small),
        };
        let (len, stored, offset) = (widened(24)?, widened(20)?, widened(42)?);
        let entry = Entry {
            method: number::<2>(rest, 10)? as u16,
            encrypted: number::<2>(rest, 8)? & 1 != 0,
            stored,
            len,
            offset,
        };
        let name = String::from_utf8_lossy(name).replace('\\', "/");
        if !name.ends_with('/') {
            out.insert(name, entry);
        }
        rest = rest.get(ENTRY_BYTES + name_len + extra_len + comment_len..)?;
    }
    Some(out)
}

/// The numbers of eight bytes that stand in for those that do not fit four.
fn wide_numbers(extra: &[u8]) -> Vec<u64> {
    let mut rest = extra;
    while let (Some(kind), Some(len)) = (number::<2>(rest, 0), number::<2>(rest, 2)) {
        let Some(body) = rest.get(4..4 + len as usize) else {
            break;
        };
        if kind == 1 {
            return body
                .as_chunks::<8>()
                .0
                .iter()
                .map(|b| u64::from_le_bytes(*b))
                .collect();
        }
        rest = &rest[4 + len as usize..];
    }
    Vec::new()
}

/// An entry stored as it is.
struct InPlace {
    file: Arc<ReadFile>,
    at: u64,
    len: u64,
}

impl Object for InPlace {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        match offset.checked_add(out.len() as u64) {
            Some(end) if end <= self.len => self.file.read_at(self.at + offset, out),
            _ => Err(Error::format(
                self.file.path(),
                "an entry ends too soon: the archive is broken",
            )),
        }
    }
}

/// An entry that was inflated.
struct Inflated {
    bytes: Vec<u8>,
    file: Arc<ReadFile>,
}

impl Object for Inflated {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let start = usize::try_from(offset).ok();
        let part = start.and_then(|s| self.bytes.get(s..s.checked_add(out.len())?));
        let part = part.ok_or_else(|| {
            Error::format(self.file.path(), "an entry ends too soon: the archive is broken")
        })?;
        out.copy_from_slice(part);
        Ok(())
    }
}

impl Files for Archive {
    fn open(&self, key: &str) -> Result<Option<Box<dyn Object>>> {
        let Some(entry) = self.entries.get(&format!("{}{key}", self.prefix)) else {
            return Ok(None);
        };
        let wrong = |what: String| Error::format(self.file.path(), format!("the entry {key} {what}"));
        if entry.encrypted {
            return Err(wrong("is encrypted, which is not read".to_string()));
        }
        let at = self.place(entry)?;
        match entry.method {
            0 if entry.stored != entry.len => {
                Err(wrong("has two lengths: the archive is broken".to_string()))
            }
            0 => Ok(Some(Box::new(InPlace {
                file: self.file.clone(),
                at,
                len: entry.len,
            }))),
            8 => {
                // Deflate makes at most 1032 bytes of one.
                if entry.len > entry.stored.saturating_mul(1_100).saturating_add(64) {
                    return Err(wrong(format!(
                        "claims {} bytes, more than it can hold",
                        entry.len
                    )));
                }
                let (mut stored, mut bytes) = (Vec::new(), Vec::new());
                grow(&mut stored, entry.stored as usize).map_err(wrong)?;
                grow(&mut bytes, entry.len as usize).map_err(wrong)?;
                self.file.read_at(at, &mut stored)?;
                match Decompressor::new().deflate_decompress(&stored, &mut bytes) {
                    Ok(n) if n == bytes.len() => Ok(Some(Box::new(Inflated {
                        bytes,
                        file: self.file.clone(),
                    }))),
                    _ => Err(wrong("does not inflate: the archive is broken".to_string())),
                }
            }
            method => Err(wrong(format!(
                "is compressed by method {method}, which is not read: zip the store without compression (zip -0)"
            ))),
        }
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<String>>> {
        let folder = format!("{}{folder}", self.prefix);
        let names = self.folders.get(folder.trim_end_matches('/'));
        Ok(Some(names.into_iter().flatten().cloned().collect()))
    }

    fn sizes(&self, folder: &str, most: usize) -> Option<(u64, usize)> {
        let (mut bytes, mut count) = (0, 0);
        let mut folders = vec![
            format!("{}{folder}", self.prefix)
                .trim_end_matches('/')
                .to_string(),
        ];
        while let Some(folder) = folders.pop() {
            for name in self.folders.get(&folder).into_iter().flatten() {
                if count == most {
                    return Some((bytes, count));
                }
                match self.entries.get(&join(&folder, name)) {
                    None => folders.push(join(&folder, name)),
                    Some(entry) if !is_metadata(name) => {
                        bytes += entry.stored;
                        count += 1;
                    }
                    Some(_) => {}
                }
            }
        }
        Some((bytes, count))
    }

    fn held(&self, most: usize) -> usize {
        self.inflated.min(most).saturating_mul(2)
    }

    fn location(&self) -> &Path {
        self.file.path()
    }

    fn identity(&self, _folder: &str) -> u64 {
        self.file.identity()
    }

    fn objects(&self, _folder: &str) -> Option<u64> {
        Some(self.file.identity())
    }
}
