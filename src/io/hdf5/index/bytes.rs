//! The beginning of an HDF5 file, and little-endian numbers of its structures.

use crate::io::file::ReadFile;

/// An undefined address of any width.
const UNDEFINED: u64 = u64::MAX;

/// How a file counts: the width of its addresses and lengths, and where it begins.
#[derive(Debug)]
pub(super) struct Base<'a> {
    file: &'a ReadFile,
    start: u64,
    /// Bytes of an address.
    pub address: usize,
    /// Bytes of a length.
    pub length: usize,
}

impl<'a> Base<'a> {
    /// Finds the superblock, which stands at 0 or, behind a user block, at a power of two from 512.
    pub fn find(file: &'a ReadFile) -> Option<Base<'a>> {
        let mut at = 0u64;
        loop {
            let mut head = [0u8; 32];
            if at.checked_add(32)? > file.len() {
                return None;
            }
            file.read_at(at, &mut head).ok()?;
            if head.starts_with(b"\x89HDF\r\n\x1a\n") {
                return Base::of(file, at, &head);
            }
            at = if at == 0 { 512 } else { at * 2 };
        }
    }

    fn of(file: &'a ReadFile, at: u64, head: &[u8; 32]) -> Option<Base<'a>> {
        let (address, length, skip) = match head[8] {
            0 => (head[13], head[14], 24),
            1 => (head[13], head[14], 28),
            2 | 3 => (head[9], head[10], 12),
            _ => return None,
        };
        let (address, length) = (usize::from(address), usize::from(length));
        if !matches!(address, 4 | 8) || !matches!(length, 4 | 8) {
            return None;
        }
        let mut base = Base {
            file,
            start: 0,
            address,
            length,
        };
        let stored = base.read(at + skip, address)?;
        // The address of the beginning is the superblock's own unless the file was moved about.
        base.start = Cursor::new(&stored).number(address)?;
        (base.start == at).then_some(base)
    }

    /// An address of the file's own counting as an offset.
    pub fn absolute(&self, address: u64) -> Option<u64> {
        self.start.checked_add(address)
    }

    /// `len` bytes at an address; `None` where the file ends before.
    pub fn read(&self, address: u64, len: usize) -> Option<Vec<u8>> {
        let at = self.absolute(address)?;
        if at.checked_add(len as u64)? > self.file.len() {
            return None;
        }
        let mut out = vec![0; len];
        self.file.read_at(at, &mut out).ok()?;
        Some(out)
    }

    /// The file's length, which bounds what there can be in it.
    pub fn file_len(&self) -> u64 {
        self.file.len()
    }
}

/// Reads numbers one after another; `None` at the end.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes }
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.bytes.split_at_checked(n)?;
        self.bytes = rest;
        Some(head)
    }

    /// The next number of `n` bytes, at most eight.
    pub fn number(&mut self, n: usize) -> Option<u64> {
        let mut wide = [0u8; 8];
        wide.get_mut(..n)?.copy_from_slice(self.take(n)?);
        Some(u64::from_le_bytes(wide))
    }

    /// The next number of `n` bytes as a size.
    pub fn size(&mut self, n: usize) -> Option<usize> {
        usize::try_from(self.number(n)?).ok()
    }

    /// The next address of `n` bytes: an inner `None` where it is undefined.
    pub fn address(&mut self, n: usize) -> Option<Option<u64>> {
        let value = self.number(n)?;
        let undefined = UNDEFINED >> (64 - 8 * n);
        Some((value != undefined).then_some(value))
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len()
    }
}
