//! Arrays of texts: of any length, or of a fixed room that NULs fill.

use super::codec::{Chain, Shards};
use super::elements::Elements;
use super::files::Files;
use super::files::{grow, small};
use super::meta::{ArrayMeta, Route};
use super::pipeline::{DecodeScratch, check_crc32c, decode_open};
use super::stored::{cell_region, cells};
use crate::geometry::Region;
use crate::io::text::TextArray;
use crate::{Error, Result};

/// The most texts of one array, and the most bytes of those of one chunk.
const MOST_TEXTS: usize = 1 << 27;
const MOST_BYTES: usize = 1 << 31;

/// Reads all texts of an array.
///
/// # Errors
/// When a chunk is broken, or there are more than fit any memory.
pub(super) fn read(files: &dyn Files, meta: &ArrayMeta, name: &str) -> Result<TextArray> {
    let error = |reason: String| Error::format(files.location(), format!("variable {name}: {reason}"));
    let (chain, shards) = match &meta.route {
        Route::Own(chain, shards) => (chain, shards),
        Route::General(reason) | Route::Refused(reason) => return Err(error(reason.clone())),
    };
    let count: usize = meta.shape.iter().product();
    if count > MOST_TEXTS {
        return Err(error(format!(
            "{count} texts are more than the {MOST_TEXTS} that are read"
        )));
    }
    let mut values = vec![meta.text_fill.clone(); count];
    let whole = Region::whole(&meta.shape);
    let mut scratch = DecodeScratch::new();
    for at in cells(&whole, &meta.grid) {
        let key = meta.key(&at);
        let failed = |reason: String| error(format!("chunk {key}: {reason}"));
        let cell = cell_region(&at, &meta.grid);
        let Some(stored) = small(files, &key)? else {
            continue;
        };
        match shards {
            None => chunk(&stored, chain, meta, &cell, &mut scratch, &mut values).map_err(failed)?,
            Some(shards) => shard(&stored, shards, meta, &cell, &mut scratch, &mut values).map_err(failed)?,
        }
    }
    Ok(TextArray {
        shape: meta.shape.clone(),
        values,
    })
}

/// Lays the texts of a stored chunk where they belong.
fn chunk(
    stored: &[u8],
    chain: &Chain,
    meta: &ArrayMeta,
    cell: &Region,
    scratch: &mut DecodeScratch,
    values: &mut [String],
) -> Result<(), String> {
    let count = cell.len();
    grow(&mut scratch.raw, stored.len())?;
    scratch.raw[..stored.len()].copy_from_slice(stored);
    let most = meta
        .elements
        .size()
        .map_or(MOST_BYTES, |size| size.saturating_mul(count));
    let len = decode_open(&chain.steps, scratch, stored.len(), most)?;
    let bytes = &scratch.raw[..len];
    let texts = match meta.elements {
        Elements::Utf32(room) => fixed(bytes, 4 * room, count, |b| utf32(b, chain.swapped))?,
        Elements::Bytes(room) => fixed(bytes, room, count, latin)?,
        _ => varying(bytes, count)?,
    };
    let axes: Vec<usize> = chain.order.clone().unwrap_or_else(|| (0..cell.rank()).collect());
    let mut index = vec![0; cell.rank()];
    for text in texts {
        let inside = (0..index.len()).all(|a| cell.start[a] + index[a] < meta.shape[a]);
        if inside {
            let at = (0..index.len()).fold(0, |n, a| n * meta.shape[a] + cell.start[a] + index[a]);
            values[at] = text;
        }
        for &axis in axes.iter().rev() {
            index[axis] += 1;
            if index[axis] < cell.shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    Ok(())
}

/// Lays the texts of a shard where they belong.
fn shard(
    stored: &[u8],
    shards: &Shards,
    meta: &ArrayMeta,
    cell: &Region,
    scratch: &mut DecodeScratch,
    values: &mut [String],
) -> Result<(), String> {
    let count: usize = meta.grid.iter().zip(&shards.inner).map(|(s, c)| s / c).product();
    let bytes = count * 16 + if shards.index_checksum { 4 } else { 0 };
    let behind = stored
        .len()
        .checked_sub(bytes)
        .ok_or("it has no room for its index")?;
    let start = if shards.index_first { 0 } else { behind };
    let index = &stored[start..start + bytes];
    if shards.index_checksum {
        check_crc32c(index)?;
    }
    let within = Region::whole(&meta.grid);
    for (number, at) in cells(&within, &shards.inner).enumerate() {
        let word = |k: usize| {
            index[16 * number + 8 * k..]
                .first_chunk::<8>()
                .map(|b| u64::from_le_bytes(*b))
        };
        let (Some(offset), Some(len)) = (word(0), word(1)) else {
            break;
        };
        if offset == u64::MAX {
            continue;
        }
        let range = usize::try_from(offset).ok().zip(usize::try_from(len).ok());
        let part = range.and_then(|(o, n)| stored.get(o..o.checked_add(n)?));
        let part = part.ok_or_else(|| format!("its index places chunk {number} beyond its end"))?;
        let mut chunk_cell = cell_region(&at, &shards.inner);
        chunk_cell
            .start
            .iter_mut()
            .zip(&cell.start)
            .for_each(|(s, c)| *s += c);
        if chunk_cell.start.iter().zip(&meta.shape).all(|(s, n)| s < n) {
            chunk(part, &shards.chain, meta, &chunk_cell, scratch, values)?;
        }
    }
    Ok(())
}

/// Texts of `room` bytes each.
fn fixed(
    bytes: &[u8],
    room: usize,
    count: usize,
    text: impl Fn(&[u8]) -> String,
) -> Result<Vec<String>, String> {
    if bytes.len() != room.saturating_mul(count) {
        return Err(format!(
            "the chunk holds {} bytes instead of {}",
            bytes.len(),
            room.saturating_mul(count)
        ));
    }
    Ok(match room {
        0 => vec![String::new(); count],
        room => bytes.chunks_exact(room).map(text).collect(),
    })
}

/// Code points of four bytes up to the last that is not NUL; what is no code point becomes `�`.
fn utf32(bytes: &[u8], swapped: bool) -> String {
    let point = |b: &[u8; 4]| match swapped {
        true => u32::from_be_bytes(*b),
        false => u32::from_le_bytes(*b),
    };
    let points: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(point).collect();
    let used = points.iter().rposition(|&p| p != 0).map_or(0, |last| last + 1);
    points[..used]
        .iter()
        .map(|&p| char::from_u32(p).unwrap_or('\u{fffd}'))
        .collect()
}

/// UTF-8, or Latin-1 where it is none, up to the last byte that is not NUL.
fn latin(bytes: &[u8]) -> String {
    let used = bytes.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
    match std::str::from_utf8(&bytes[..used]) {
        Ok(text) => text.to_string(),
        Err(_) => bytes[..used].iter().map(|&b| char::from(b)).collect(),
    }
}

/// A count, then each text behind its length.
fn varying(bytes: &[u8], count: usize) -> Result<Vec<String>, String> {
    fn take<'a>(rest: &mut &'a [u8], n: usize) -> Result<&'a [u8], String> {
        let (head, tail) = rest.split_at_checked(n).ok_or("the chunk ends within a text")?;
        *rest = tail;
        Ok(head)
    }
    fn number(rest: &mut &[u8]) -> Result<usize, String> {
        let bytes = take(rest, 4)?;
        Ok(bytes
            .first_chunk::<4>()
            .map_or(0, |b| u32::from_le_bytes(*b) as usize))
    }
    let mut rest = bytes;
    let given = number(&mut rest)?;
    if given != count {
        return Err(format!("the chunk holds {given} texts instead of {count}"));
    }
    if rest.len() / 4 < count {
        return Err(format!("{} bytes hold no {count} texts", rest.len()));
    }
    (0..count)
        .map(|_| {
            let len = number(&mut rest)?;
            let text = take(&mut rest, len)?;
            String::from_utf8(text.to_vec()).map_err(|_| "a text is not UTF-8".to_string())
        })
        .collect()
}

/// A chunk of texts as it is stored before its other steps.
pub(super) fn encode(texts: &[String]) -> Vec<u8> {
    let mut bytes = (texts.len() as u32).to_le_bytes().to_vec();
    for text in texts {
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_and_broken_ones_are_refused() {
        let texts: Vec<String> = ["", "Åse", "a\0b", "🦀"].map(String::from).to_vec();
        let bytes = encode(&texts);
        assert_eq!(varying(&bytes, 4).unwrap(), texts);
        assert!(varying(&bytes, 5).is_err());
        assert!(varying(&bytes[..bytes.len() - 1], 4).is_err());
        let mut huge = bytes.clone();
        huge[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(varying(&huge, u32::MAX as usize).is_err());
        assert_eq!(utf32(&[0x41, 0, 0, 0, 0, 0, 0, 0], false), "A");
        assert_eq!(utf32(&[0, 0, 0, 0x41, 0, 0xd8, 0, 0], true), "A\u{fffd}");
        assert_eq!((latin(b"ab\0\0"), latin(b"\xe5")), ("ab".into(), "å".into()));
        assert_eq!(fixed(&[], 0, 3, latin).unwrap().len(), 3);
        assert!(fixed(b"abc", 2, 2, latin).is_err());
    }
}
