//! The object header of a dataset: only its data layout message is looked for.

use super::bytes::{Base, Cursor};
use std::collections::HashSet;

/// The number of the message that tells the layout.
const LAYOUT: u64 = 8;
/// The number of the message that says where more messages are.
const CONTINUATION: u64 = 16;
/// A block of messages longer than this is no object header.
const LONGEST_BLOCK: usize = 1 << 20;

/// How the file says that chunks are stored.
#[derive(Debug)]
pub(super) struct StoredLayout {
    /// The shape of a chunk.
    pub chunk: Vec<usize>,
    /// Bytes of an element.
    pub element: usize,
    /// Where they are.
    pub place: Place,
}

/// Where chunks are.
#[derive(Debug)]
pub(super) enum Place {
    /// Nothing is stored yet.
    Nothing,
    /// In a version 1 B-tree.
    Tree { root: u64 },
    /// The only chunk; its stored length and filter mask where it is filtered.
    Single { at: u64, stored: Option<(u32, u32)> },
}

/// The layout of the dataset whose object header is at `address`; `None` where it is not chunked, or
/// in a way that is not understood.
pub(super) fn layout(base: &Base, address: u64) -> Option<StoredLayout> {
    let head = base.read(address, 16)?;
    if head.starts_with(b"OHDR") {
        second_version(base, address)
    } else if head[0] == 1 {
        let mut cursor = Cursor::new(&head[8..]);
        let len = cursor.size(4)?;
        walk(base, address + 16, len, Style::First)
    } else {
        None
    }
}

/// The two ways in which messages are laid out.
#[derive(Clone, Copy)]
enum Style {
    First,
    Second { order: bool },
}

fn second_version(base: &Base, address: u64) -> Option<StoredLayout> {
    let head = base.read(address, 6)?;
    let (version, flags) = (head[4], head[5]);
    if version != 2 {
        return None;
    }
    let times = if flags & 0x20 != 0 { 16 } else { 0 };
    let phases = if flags & 0x10 != 0 { 4 } else { 0 };
    let width = 1usize << (flags & 3);
    let at = address + 6 + times + phases;
    let stored = base.read(at, width)?;
    let len = Cursor::new(&stored).size(width)?;
    let order = flags & 0x04 != 0;
    walk(base, at + width as u64, len, Style::Second { order })
}

/// Looks for the layout in a block of messages and those that it leads to.
fn walk(base: &Base, address: u64, len: usize, style: Style) -> Option<StoredLayout> {
    let mut blocks = vec![(address, len)];
    let mut seen = HashSet::new();
    while let Some((address, len)) = blocks.pop() {
        if len > LONGEST_BLOCK || !seen.insert(address) {
            return None;
        }
        let block = base.read(address, len)?;
        let mut cursor = Cursor::new(&block);
        while let Some((kind, flags, body)) = message(&mut cursor, style) {
            match kind {
                // A shared message holds no layout but a reference; the format has none such.
                LAYOUT if flags & 2 == 0 => return chunked(base, body),
                CONTINUATION => {
                    let mut cursor = Cursor::new(body);
                    let at = cursor.address(base.address)??;
                    let len = cursor.size(base.length)?;
                    blocks.push(match style {
                        Style::First => (at, len),
                        // Between its signature and its checksum.
                        Style::Second { .. } => (at.checked_add(4)?, len.checked_sub(8)?),
                    });
                }
                _ => {}
            }
        }
    }
    None
}

/// The next message: its kind, flags and body.
fn message<'a>(cursor: &mut Cursor<'a>, style: Style) -> Option<(u64, u64, &'a [u8])> {
    let (kind, len, flags) = match style {
        Style::First => {
            let (kind, len, flags) = (cursor.number(2)?, cursor.size(2)?, cursor.number(1)?);
            cursor.take(3)?;
            (kind, len, flags)
        }
        Style::Second { order } => {
            let (kind, len, flags) = (cursor.number(1)?, cursor.size(2)?, cursor.number(1)?);
            if order {
                cursor.take(2)?;
            }
            (kind, len, flags)
        }
    };
    Some((kind, flags, cursor.take(len)?))
}

/// A layout message of a chunked dataset.
fn chunked(base: &Base, body: &[u8]) -> Option<StoredLayout> {
    const CHUNKED: u64 = 2;
    let mut cursor = Cursor::new(body);
    let version = cursor.number(1)?;
    if !matches!(version, 3 | 4) || cursor.number(1)? != CHUNKED {
        return None;
    }
    if version == 3 {
        let axes = cursor.size(1)?;
        let root = cursor.address(base.address)?;
        let (chunk, element) = extents(&mut cursor, axes, 4)?;
        let place = root.map_or(Place::Nothing, |root| Place::Tree { root });
        return Some(StoredLayout {
            chunk,
            element,
            place,
        });
    }
    let flags = cursor.number(1)?;
    let (axes, width) = (cursor.size(1)?, cursor.size(1)?);
    let (chunk, element) = extents(&mut cursor, axes, width)?;
    let place = match cursor.number(1)? {
        1 => {
            let filtered = flags & 2 != 0;
            let stored = match filtered {
                true => Some((
                    u32::try_from(cursor.number(base.length)?).ok()?,
                    u32::try_from(cursor.number(4)?).ok()?,
                )),
                false => None,
            };
            let at = cursor.address(base.address)?;
            at.map_or(Place::Nothing, |at| Place::Single { at, stored })
        }
        _ => return None,
    };
    Some(StoredLayout {
        chunk,
        element,
        place,
    })
}

/// The extents of a chunk and, last, the bytes of an element.
fn extents(cursor: &mut Cursor, axes: usize, width: usize) -> Option<(Vec<usize>, usize)> {
    if axes < 2 || !(1..=8).contains(&width) || cursor.left() < axes * width {
        return None;
    }
    let mut chunk = (0..axes)
        .map(|_| cursor.size(width))
        .collect::<Option<Vec<usize>>>()?;
    let element = chunk.pop()?;
    Some((chunk, element))
}
