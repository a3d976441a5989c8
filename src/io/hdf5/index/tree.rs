//! Version 1 B-trees of chunks.

use super::Entry;
use super::bytes::{Base, Cursor};
use std::collections::HashSet;

/// A tree of more levels than this has more chunks than any file.
const MOST_LEVELS: u64 = 16;

/// The chunks of the tree at `root` in the order of their places; `None` where anything is not as a
/// tree has it.
pub(super) fn entries(base: &Base, root: u64, chunk: &[usize], counts: &[u64]) -> Option<Vec<Entry>> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    // Nodes to visit, the next one last, with the level that each must have.
    let mut nodes: Vec<(u64, Option<u64>)> = vec![(root, None)];
    let key = 8 + 8 * (chunk.len() + 1);
    while let Some((address, wanted)) = nodes.pop() {
        if !seen.insert(address) {
            return None;
        }
        let fixed = 8 + 2 * base.address;
        let head = base.read(address, fixed)?;
        let mut cursor = Cursor::new(&head);
        let (signature, kind) = (cursor.take(4)?, cursor.number(1)?);
        let (level, used) = (cursor.number(1)?, cursor.size(2)?);
        if signature != b"TREE" || kind != 1 || level > MOST_LEVELS || wanted.is_some_and(|w| w != level) {
            return None;
        }
        let body = base.read(address.checked_add(fixed as u64)?, used * (key + base.address))?;
        let mut cursor = Cursor::new(&body);
        let mut children = Vec::new();
        for _ in 0..used {
            let (len, mask) = (cursor.number(4)?, cursor.number(4)?);
            let number = place(&mut cursor, chunk, counts)?;
            let child = cursor.address(base.address)??;
            if level > 0 {
                children.push((child, Some(level - 1)));
            } else if let Some(number) = number {
                found.push(Entry {
                    number,
                    offset: base.absolute(child)?,
                    len: u32::try_from(len).ok()?,
                    mask: u32::try_from(mask).ok()?,
                });
            }
        }
        // Each node takes bytes of the file, so a tree has no more than fit.
        if (nodes.len() + children.len()) as u64 > base.file_len() / fixed as u64 {
            return None;
        }
        nodes.extend(children.into_iter().rev());
    }
    Some(found)
}

/// The number of the chunk that a key tells; an inner `None` for one beyond the extents, which a
/// dataset that shrank may still have.
fn place(cursor: &mut Cursor, chunk: &[usize], counts: &[u64]) -> Option<Option<u64>> {
    let mut number = Some(0u64);
    for (&extent, &count) in chunk.iter().zip(counts) {
        let start = cursor.number(8)?;
        let at = start / extent as u64;
        if !start.is_multiple_of(extent as u64) {
            return None;
        }
        number = number.filter(|_| at < count).map(|n| n * count + at);
    }
    cursor.number(8)?; // the place within an element
    Some(number)
}
