//! Which format a file or store has, and who opens it.
//!
//! The format is told by the first bytes of a file, or the entries of a folder, never by a name.
//! Formats that cannot be read are recognised all the same, so that the message can say what to do.

use super::contents::Contents;
use super::file::ReadFile;
use super::{Hdf5File, NpyFile};
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
        false => of_file(path)?,
    };
    opener(path)
}

/// Makes an opener of a format's own one.
fn boxed<C: Contents + 'static>(contents: Result<C>) -> Result<Box<dyn Contents>> {
    contents.map(|c| Box::new(c) as Box<dyn Contents>)
}

/// Entries that tell a Zarr group or array.
const ZARR_ENTRIES: [&str; 4] = [".zgroup", ".zarray", ".zmetadata", "zarr.json"];

fn of_folder(path: &Path) -> Result<Open> {
    if ZARR_ENTRIES.iter().any(|name| path.join(name).exists()) {
        return Err(Error::format(
            path,
            "a Zarr store, which is not read yet: export it with xarray's to_netcdf",
        ));
    }
    Err(Error::io("read", path)(std::io::ErrorKind::IsADirectory.into()))
}

const HDF5_MAGIC: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

fn of_file(path: &Path) -> Result<Open> {
    let file = ReadFile::open(path)?;
    let head = file.head(8)?;
    match head.as_slice() {
        [] => return Err(Error::format(path, "the file is empty")),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => return Ok(|p| boxed(NpyFile::open(p))),
        [b'C', b'D', b'F', version @ (1 | 2 | 5), ..] => {
            let name = match version {
                1 => "classic",
                2 => "64-bit offset",
                _ => "64-bit data",
            };
            return Err(Error::format(
                path,
                format!(
                    "a NetCDF-3 file ({name}), which is not read yet: convert it with `nccopy -4 IN OUT`"
                ),
            ));
        }
        [b'G', b'R', b'I', b'B', ..] => {
            return Err(Error::format(
                path,
                "a GRIB file, which is not read yet: convert it with `cdo -f nc4 copy IN OUT`",
            ));
        }
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
    Err(Error::format(
        path,
        "its first bytes are those of no format that is read: NetCDF-4, HDF5 and NPY are",
    ))
}
