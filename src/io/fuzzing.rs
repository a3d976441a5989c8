//! The readers of untrusted bytes, one entry each, for fuzzers.
//!
//! Whatever the bytes are, an entry returns: no panic, no endless loop, no allocation beyond a small
//! multiple of the input.

use super::contents::Container;
use super::filters::{DecodeScratch, Filter, Stored, decode, stored_bound};
use crate::Result;
use crate::geometry::Region;
use std::io::Write as _;

/// Chunks that are decoded have at most this many bytes.
const MOST_CHUNK: usize = 1 << 16;

/// A NetCDF-3 file: its header, and then every variable.
pub fn netcdf3(bytes: &[u8]) {
    let _ = read_everything(bytes, ".nc");
}

/// An NPY file: its header and its array.
pub fn npy(bytes: &[u8]) {
    let _ = read_everything(bytes, ".npy");
}

/// An NPZ file: its directory, and then every array.
pub fn npz(bytes: &[u8]) {
    let _ = read_everything(bytes, ".npz");
}

/// A table: its pass at opening, and then every column.
pub fn csv(bytes: &[u8]) {
    let _ = read_everything(bytes, ".csv");
}

/// A stored chunk: the first byte chooses its filters, the second the size of elements, the next two
/// how many bytes it should become; the rest is the chunk.
pub fn filters(bytes: &[u8]) {
    let [pipeline, size, low, high, stored @ ..] = bytes else {
        return;
    };
    let size = usize::from(*size).max(1);
    let compressor = match pipeline >> 6 {
        0 => Filter::Deflate(4),
        1 => Filter::Lzf,
        2 => Filter::Zstd(3),
        _ => Filter::Blosc,
    };
    let all = [Filter::Shuffle(size), compressor, Filter::Fletcher32];
    let chosen: Vec<Filter> = (0..3)
        .filter(|bit| pipeline >> bit & 1 == 1)
        .map(|bit| all[bit])
        .collect();
    let len = usize::from(u16::from_le_bytes([*low, *high])).min(MOST_CHUNK);
    let bound = stored_bound(len);
    if stored.len() > bound {
        return; // readers refuse a chunk that is longer before they decode it
    }
    let mut scratch = DecodeScratch::new();
    scratch.reserve(bound);
    scratch.raw[..stored.len()].copy_from_slice(stored);
    let mask = u32::from(pipeline >> 3 & 7);
    let _ = decode(&chosen, mask, &mut scratch, Stored::Raw(stored.len()), len, None);
    let mut out = vec![0; len];
    scratch.raw[..stored.len()].copy_from_slice(stored);
    let _ = decode(
        &chosen,
        mask,
        &mut scratch,
        Stored::Raw(stored.len()),
        len,
        Some(&mut out),
    );
}

/// Opens bytes as a file and reads all of it that is not absurdly large.
fn read_everything(bytes: &[u8], ending: &str) -> Result<()> {
    let in_temporary = |e: std::io::Error| crate::Error::io("write", std::env::temp_dir())(e);
    let mut file = tempfile::Builder::new()
        .suffix(ending)
        .tempfile()
        .map_err(in_temporary)?;
    file.write_all(bytes).map_err(in_temporary)?;
    let container = Container::open(file.path())?;
    let most = 1100 * bytes.len().max(1); // what deflate can become, and elements of tables
    for variable in &container.catalog().variables {
        match variable.numeric() {
            Some(dtype) => {
                let source = container.source(&variable.name)?;
                let whole = Region::whole(source.shape());
                let bytes = whole.len() * dtype.size();
                assert!(
                    bytes <= most,
                    "{} claims {bytes} bytes in a file of {most}",
                    variable.name
                );
                source.read(&whole, &mut vec![0; bytes])?;
            }
            None => drop(container.text(&variable.name)?),
        }
    }
    Ok(())
}
