//! Which format a file or store has, and who opens it.
//!
//! The format is told by the first bytes of a file, or the entries of a folder; by a name only for
//! tables, which begin with anything.
//! Formats that cannot be read are recognised all the same, so that the message can say what to do.

use super::contents::Contents;
use super::file::ReadFile;
use super::{CsvFile, GribFile, Hdf5File, NetCdf3File, NpyFile, NpzFile, ZarrStore};
use crate::{Error, Result};
use std::path::Path;

/// Opens contents; reads no array data.
type Open = fn(&Path) -> Result<Box<dyn Contents>>;

/// Opens a file or store of whatever format.
///
/// # Errors
/// As [`super::Container::open`].
pub(super) fn open(path: &Path) -> Result<Box<dyn Contents>> {
    let opener = match path.is_dir() {
        true => of_folder(path)?,
        false if is_url(path) => of_url(path)?,
        false => of_file(path)?,
    };
    opener(path)
}

/// Whether a path is a URL, as in `https://host/store.zarr`.
fn is_url(path: &Path) -> bool {
    let scheme = path.to_str().and_then(|text| text.split_once("://"));
    scheme.is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(feature = "cloud")]
fn of_url(_path: &Path) -> Result<Open> {
    Ok(|p| boxed(ZarrStore::open_url(p)))
}

#[cfg(not(feature = "cloud"))]
fn of_url(path: &Path) -> Result<Open> {
    Err(Error::format(
        path,
        "a URL, which this program reads only where it was built with the feature cloud: cargo build --features cloud",
    ))
}

/// Makes an opener of a format's own one.
fn boxed<C: Contents + 'static>(contents: Result<C>) -> Result<Box<dyn Contents>> {
    contents.map(|c| Box::new(c) as Box<dyn Contents>)
}

/// Entries that tell a Zarr group or array.
const ZARR_ENTRIES: [&str; 4] = [".zgroup", ".zarray", ".zmetadata", "zarr.json"];

/// Whether a folder is a Zarr group or array.
pub(super) fn is_zarr_folder(path: &Path) -> bool {
    ZARR_ENTRIES.iter().any(|name| path.join(name).exists())
}

fn of_folder(path: &Path) -> Result<Open> {
    if is_zarr_folder(path) {
        return Ok(|p| boxed(ZarrStore::open(p)));
    }
    Err(Error::io("read", path)(std::io::ErrorKind::IsADirectory.into()))
}

/// Opens an archive: a Zarr store that was packed, or NumPy's arrays.
fn archive(path: &Path) -> Result<Box<dyn Contents>> {
    let as_zarr = match ZarrStore::open_zip(path) {
        Ok(store) => return Ok(Box::new(store)),
        Err(error) => error,
    };
    match NpzFile::open(path) {
        Ok(arrays) => Ok(Box::new(arrays)),
        Err(error) if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz")) => Err(error),
        Err(_) => Err(as_zarr),
    }
}

const HDF5_MAGIC: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

fn of_file(path: &Path) -> Result<Open> {
    let file = ReadFile::open(path)?;
    let head = file.head(8)?;
    match head.as_slice() {
        [] => return Err(Error::format(path, "the file is empty")),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => return Ok(|p| boxed(NpyFile::open(p))),
        [b'C', b'D', b'F', 1 | 2 | 5, ..] => return Ok(|p| boxed(NetCdf3File::open(p))),
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => return Ok(archive),
        [b'G', b'R', b'I', b'B', ..] => return Ok(|p| boxed(GribFile::open(p))),
        _ => {}
    }
    // The signature stands at 0 or, behind a user block, at a power of two from 512 on.
    let mut at = 0;
    while at + 8 <= file.len() {
        let mut found = [0; 8];
        file.read_at(at, &mut found)?;
        if &found == HDF5_MAGIC {
            return Ok(|p| boxed(Hdf5File::open(p)));
        }
        at = if at == 0 { 512 } else { at * 2 };
    }
    if CsvFile::is_one(path) {
        return Ok(|p| boxed(CsvFile::open(p)));
    }
    Err(Error::format(
        path,
        "its first bytes are those of no format that is read: NetCDF, HDF5, Zarr, GRIB, NPY and NPZ are; a table is told \
         by its ending .csv or .tsv",
    ))
}
