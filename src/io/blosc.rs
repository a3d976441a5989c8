//! Blosc, called between two buffers that the caller keeps.
//!
//! The library checks a compressed buffer before it touches the other one; that its header says what the
//! metadata says is checked before any memory is made for it.

use blosc_src::{blosc_cbuffer_validate, blosc_compress_ctx, blosc_decompress_ctx};
use std::ffi::CStr;

/// Bytes that compression may add.
pub(crate) const OVERHEAD: usize = 16;

/// The most bytes that the format can hold.
pub(crate) const MOST: usize = i32::MAX as usize - OVERHEAD;

/// The compressors inside of it, by name.
const COMPRESSORS: [&CStr; 6] = [c"blosclz", c"lz4", c"lz4hc", c"snappy", c"zlib", c"zstd"];

/// How a buffer is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Blosc {
    /// The compressor's number in the list of names.
    compressor: usize,
    /// 0 to 9.
    pub level: u8,
    /// How the bytes of elements are grouped.
    pub shuffle: Shuffle,
    /// Bytes of an element.
    pub type_size: usize,
    /// Bytes of a block, 0 lets the library choose.
    pub block: usize,
}

/// How bytes are grouped before they are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shuffle {
    None = 0,
    Bytes = 1,
    Bits = 2,
}

impl Shuffle {
    /// Its name in the third version of the format.
    pub fn name(self) -> &'static str {
        match self {
            Shuffle::None => "noshuffle",
            Shuffle::Bytes => "shuffle",
            Shuffle::Bits => "bitshuffle",
        }
    }
}

impl Blosc {
    /// A compressor by name; `None` where there is none of it.
    pub fn new(name: &str, level: u8, shuffle: Shuffle, type_size: usize, block: usize) -> Option<Blosc> {
        let compressor = COMPRESSORS.iter().position(|c| c.to_bytes() == name.as_bytes())?;
        Some(Blosc {
            compressor,
            level,
            shuffle,
            type_size,
            block,
        })
    }

    /// The name of the compressor.
    pub fn name(self) -> &'static str {
        COMPRESSORS[self.compressor].to_str().unwrap_or_default()
    }

    /// Compresses `data` into `out`, which is [`OVERHEAD`] bytes longer at least: the bytes written.
    pub fn compress(self, data: &[u8], out: &mut [u8]) -> Result<usize, String> {
        if data.len() > MOST || self.block > MOST {
            return Err(format!("blosc holds no chunk of {} bytes", data.len()));
        }
        let (level, shuffle) = (i32::from(self.level), self.shuffle as i32);
        let name = COMPRESSORS[self.compressor].as_ptr();
        // SAFETY: both pointers are valid for the lengths told, the buffers are two, the name is a C
        // string, and the library writes at most the length told.
        let written = unsafe {
            let (from, to) = (data.as_ptr().cast(), out.as_mut_ptr().cast());
            let size = self.type_size.clamp(1, 255);
            blosc_compress_ctx(
                level,
                shuffle,
                size,
                data.len(),
                from,
                to,
                out.len(),
                name,
                self.block,
                1,
            )
        };
        usize::try_from(written)
            .ok()
            .filter(|&n| n > 0 && n <= out.len())
            .ok_or_else(|| format!("blosc does not compress with {}", self.name()))
    }
}

/// The length of what `stored` holds, where it is a valid buffer.
pub(crate) fn decoded_len(stored: &[u8]) -> Result<usize, String> {
    let mut len = 0;
    // SAFETY: the pointer is valid for the length told, and the library reads no more.
    let status = unsafe { blosc_cbuffer_validate(stored.as_ptr().cast(), stored.len(), &mut len) };
    match status {
        0 => Ok(len),
        _ => Err("the chunk is no blosc buffer".to_string()),
    }
}

/// Decompresses `stored`, which [`decoded_len`] has found valid, into `out`: the bytes written.
pub(crate) fn decompress(stored: &[u8], out: &mut [u8]) -> Result<usize, String> {
    let len = decoded_len(stored)?;
    if len > out.len() {
        return Err(format!("the chunk holds {len} bytes, more than {}", out.len()));
    }
    if len == 0 {
        return Ok(0);
    }
    // SAFETY: the buffer was validated just now, which bounds what is read of it; at most `out.len()`
    // bytes are written to `out`, which is another buffer.
    let written =
        unsafe { blosc_decompress_ctx(stored.as_ptr().cast(), out.as_mut_ptr().cast(), out.len(), 1) };
    match usize::try_from(written) {
        Ok(n) if n == len => Ok(n),
        _ => Err("the chunk does not decompress: it is broken".to_string()),
    }
}
