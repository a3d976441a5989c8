//! NumPy's NPZ files: a ZIP archive with an NPY file for each array.
//!
//! Arrays that `numpy.savez` stores plainly are read in place, region by region. Those that
//! `numpy.savez_compressed` deflates are one stream each, which is inflated up to the region that is
//! asked for (see `inflate.rs`), and checked when its end is reached. Written arrays are plain.

mod write;
mod zip_format;

use super::catalog::{Attributes, Catalog, Dim};
use super::contents::{Contents, missing};
use super::dense::{DenseSource, Stored};
use super::file::ReadFile;
use super::inflate::Inflated;
use super::npy::read_header;
use crate::store::Source;
use crate::{Error, Result};
use std::collections::HashSet;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use zip::{CompressionMethod, ZipArchive};

pub use self::write::NpzWriter;

/// The most members of an archive that is read.
const MOST_MEMBERS: usize = 1 << 16;

/// An open NPZ file.
#[derive(Debug)]
pub struct NpzFile {
    catalog: Catalog,
    /// The source of each variable of the catalog.
    arrays: Vec<Arc<DenseSource>>,
}

impl NpzFile {
    /// Opens a file and reads its directory and the header of each array.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses, [`Error::Format`] when it is no archive or holds no
    /// array, and for an array that is broken or longer than its member.
    pub fn open(path: &Path) -> Result<NpzFile> {
        let file = Arc::new(ReadFile::open(path)?);
        let broken =
            |e: zip::result::ZipError| Error::format(path, format!("its ZIP archive is not readable: {e}"));
        let mut archive = ZipArchive::new(BufReader::new(Place { file: &file, at: 0 })).map_err(broken)?;
        if archive.len() > MOST_MEMBERS {
            return Err(Error::format(
                path,
                format!("it has {} members, more than are read", archive.len()),
            ));
        }
        let (mut arrays, mut notes, mut names) = (Vec::new(), Vec::new(), HashSet::new());
        for number in 0..archive.len() {
            let member = archive.by_index_raw(number).map_err(broken)?;
            let full = member.name().map_err(broken)?.into_owned();
            let Some(name) = full.strip_suffix(".npy").map(str::to_string) else {
                notes.push(format!("the member {full} is no NPY file and not shown"));
                continue;
            };
            if !names.insert(name.clone()) {
                notes.push(format!("two members are called {name}.npy: the first is shown"));
                continue;
            }
            let Some(start) = member.data_start() else {
                return Err(Error::format(path, format!("member {name}.npy has no data")));
            };
            let (stored, len, crc) = (member.compressed_size(), member.size(), member.crc32());
            let method = member.compression();
            if member.encrypted() {
                notes.push(format!("{name} is encrypted and not shown"));
                continue;
            }
            drop(member);
            let found = match method {
                CompressionMethod::STORE => in_place(&file, &name, start, stored),
                CompressionMethod::DEFLATE => {
                    notes.push(format!(
                        "{name} is compressed in one stream: a region is read by inflating all before it"
                    ));
                    deflated(
                        &file,
                        &name,
                        Inflated::new(&file, &name, start, stored, len, crc)?,
                    )
                }
                other => {
                    notes.push(format!(
                        "{name} is compressed by {other}, which is not read, and not shown"
                    ));
                    continue;
                }
            };
            arrays.push(Arc::new(found?));
        }
        if arrays.is_empty() && !archive.is_empty() {
            return Err(Error::format(
                path,
                "a ZIP archive without readable NPY files, which no format here is",
            ));
        }
        Ok(NpzFile {
            catalog: catalog(path, &arrays, notes),
            arrays,
        })
    }
}

/// An array that lies plainly in the archive.
fn in_place(file: &Arc<ReadFile>, name: &str, start: u64, len: u64) -> Result<DenseSource> {
    if start.checked_add(len).is_none_or(|end| end > file.len()) {
        return Err(Error::format(
            file.path(),
            format!("truncated: {name} is beyond its end"),
        ));
    }
    let (layout, offset) = read_header(file.path(), len, &mut |at, out| file.read_at(start + at, out))?;
    fits(file, name, offset, layout.bytes()?, len)?;
    Ok(DenseSource {
        file: file.clone(),
        variable: name.to_string(),
        layout,
        stored: Stored::At(start + offset),
    })
}

/// An array that is deflated.
fn deflated(file: &Arc<ReadFile>, name: &str, inflated: Inflated) -> Result<DenseSource> {
    let mut reader = inflated.reader();
    let (layout, offset) = read_header(file.path(), inflated.len(), &mut |at, out| {
        reader.read_at(at, out)
    })?;
    drop(reader);
    fits(file, name, offset, layout.bytes()?, inflated.len())?;
    Ok(DenseSource {
        file: file.clone(),
        variable: name.to_string(),
        layout,
        stored: Stored::Inflated(inflated, offset),
    })
}

/// Checks that a member has the bytes of its array.
fn fits(file: &ReadFile, name: &str, offset: u64, bytes: u64, len: u64) -> Result<()> {
    match offset.checked_add(bytes) {
        Some(end) if end <= len => Ok(()),
        _ => Err(Error::format(
            file.path(),
            format!("{name}: truncated: {len} bytes are there, its header asks for {bytes} from {offset} on"),
        )),
    }
}

/// What the archive holds. Axes without names are called by their number, and by their length, too,
/// where an array before has another.
fn catalog(path: &Path, arrays: &[Arc<DenseSource>], notes: Vec<String>) -> Catalog {
    let mut dims: Vec<Dim> = Vec::new();
    let mut variables = Vec::new();
    for array in arrays {
        let mut own = Vec::new();
        for (axis, &len) in array.layout.shape.iter().enumerate() {
            let mut name = format!("dim_{axis}");
            if dims.iter().any(|d| d.name == name && d.len != len) {
                name = format!("dim_{axis}_{len}");
            }
            if !dims.iter().any(|d| d.name == name) {
                dims.push(Dim {
                    name: name.clone(),
                    len,
                    unlimited: false,
                });
            }
            own.push(name);
        }
        let codecs = match &array.stored {
            Stored::At(_) => "",
            Stored::Inflated(..) => "deflate",
        };
        let stored = array.stored_bytes();
        variables.push(array.layout.variable(&array.variable, own, codecs, stored));
    }
    Catalog {
        path: path.to_path_buf(),
        format: "NPZ",
        dims,
        variables,
        attributes: Attributes::new(),
        notes,
    }
}

impl Contents for NpzFile {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn source(&self, variable: &str) -> Result<Arc<dyn Source>> {
        match self.arrays.iter().find(|a| a.variable == variable) {
            Some(array) => Ok(array.clone()),
            None => Err(missing(&self.catalog, variable)),
        }
    }
}

/// A file with a cursor, as the reader of archives wants it.
struct Place<'a> {
    file: &'a ReadFile,
    at: u64,
}

impl Read for Place<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let left = self.file.len().saturating_sub(self.at);
        let n = (out.len() as u64).min(left) as usize;
        self.file
            .read_at(self.at, &mut out[..n])
            .map_err(std::io::Error::other)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Place<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.file.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
