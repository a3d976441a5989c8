//! Headers of NetCDF-3 files, read.
//!
//! Everything in a header is a claim: counts are compared with the bytes that are left before
//! anything is allocated, types and dimension numbers with what there is. Sizes of variables are
//! computed and not believed, because writers round or cut them when they are large.

use super::types::{Version, padded, size_of, type_of};
use crate::io::catalog::{AttrValue, Attributes, VarType};
use crate::io::file::ReadFile;
use crate::io::text::text_of;
use crate::{Error, Result};
use tilewise_kernels::{Kind, Scalar};

/// The longest header that is read. A header of a thousand variables has about 1 MiB.
const MOST_HEADER: u64 = 16 << 20;

/// Bytes that are read at once.
const PAGE: usize = 64 << 10;

/// The most axes of a variable, and of all variables together.
const MOST_AXES: u64 = 1024;
const MOST_AXES_OF_ALL: u64 = 1 << 18;

/// The most bytes of a name, which is NetCDF's own limit.
const MOST_NAME: u64 = 256;

/// What a header says.
#[derive(Debug)]
pub(super) struct Header {
    pub version: Version,
    /// The number of records; `None` where it follows from the length of the file.
    pub records: Option<u64>,
    /// Names and extents; the dimension of the records has extent 0.
    pub dims: Vec<(String, u64)>,
    pub attributes: Attributes,
    pub variables: Vec<HeaderVariable>,
    /// Where the header ends.
    pub end: u64,
}

/// A variable in a header.
#[derive(Debug)]
pub(super) struct HeaderVariable {
    pub name: String,
    pub dims: Vec<usize>,
    pub attributes: Attributes,
    pub dtype: VarType,
    /// Where its first element lies.
    pub begin: u64,
}

/// The tags of the three lists.
const DIMENSIONS: u32 = 10;
const VARIABLES: u32 = 11;
const ATTRIBUTES: u32 = 12;

/// Reads the header of a file.
///
/// # Errors
/// [`Error::Format`] when it is no NetCDF-3 header, is cut off or contradicts itself.
pub(super) fn read_header(file: &ReadFile) -> Result<Header> {
    let mut cursor = Cursor {
        file,
        page: Vec::new(),
        start: 0,
        at: 0,
        version: Version::Classic,
        axes: 0,
    };
    let magic = cursor.bytes(4)?;
    cursor.version = match magic.as_slice() {
        [b'C', b'D', b'F', byte] => Version::of(*byte).ok_or_else(|| {
            cursor.error(format!("NetCDF-3 version {byte} is unknown: 1, 2 and 5 are read"))
        })?,
        _ => return Err(cursor.error("it is no NetCDF-3 file")),
    };
    let records = match cursor.version.count_bytes() {
        8 => Some(cursor.number(8)?).filter(|&n| n != u64::MAX),
        _ => Some(cursor.number(4)?).filter(|&n| n != u64::from(u32::MAX)),
    };
    let mut dims = Vec::new();
    let smallest = 2 * cursor.version.count_bytes();
    for _ in 0..cursor.list(DIMENSIONS, "dimensions", smallest)? {
        let name = cursor.name()?;
        dims.push((name, cursor.count()?));
    }
    if dims.iter().filter(|d| d.1 == 0).count() > 1 {
        return Err(
            cursor.error("two of its dimensions grow, of which NetCDF-3 has one: the header is broken")
        );
    }
    let attributes = cursor.attributes()?;
    let mut variables = Vec::new();
    let smallest = 4 * cursor.version.count_bytes() + cursor.version.offset_bytes() + 8;
    for _ in 0..cursor.list(VARIABLES, "variables", smallest)? {
        variables.push(cursor.variable(&dims)?);
    }
    Ok(Header {
        version: cursor.version,
        records,
        dims,
        attributes,
        variables,
        end: cursor.at,
    })
}

/// A place in the header, with the page around it.
struct Cursor<'a> {
    file: &'a ReadFile,
    page: Vec<u8>,
    /// Where the page begins.
    start: u64,
    at: u64,
    version: Version,
    /// Axes of the variables so far.
    axes: u64,
}

impl Cursor<'_> {
    fn error(&self, reason: impl Into<String>) -> Error {
        Error::format(self.file.path(), reason)
    }

    /// The next `n` bytes.
    fn bytes(&mut self, n: u64) -> Result<Vec<u8>> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.file.len());
        let Some(end) = end else {
            return Err(self.error(format!(
                "truncated within its NetCDF-3 header: {n} bytes at {} are beyond its {}",
                self.at,
                self.file.len()
            )));
        };
        if end > MOST_HEADER {
            return Err(self.error("its NetCDF-3 header is longer than 16 MiB, which no real one is"));
        }
        let mut out = vec![0; n as usize];
        let held = self.at >= self.start && end <= self.start + self.page.len() as u64;
        if n as usize > PAGE {
            self.file.read_at(self.at, &mut out)?;
        } else {
            if !held {
                let len = (self.file.len() - self.at).min(PAGE as u64);
                self.page.resize(len as usize, 0);
                self.start = self.at;
                self.file.read_at(self.at, &mut self.page)?;
            }
            let from = (self.at - self.start) as usize;
            out.copy_from_slice(&self.page[from..from + n as usize]);
        }
        self.at = end;
        Ok(out)
    }

    /// Bytes and what fills them up to a multiple of four.
    fn padded_bytes(&mut self, n: u64) -> Result<Vec<u8>> {
        let whole = padded(n).ok_or_else(|| self.error("a length in its NetCDF-3 header is no length"))?;
        let mut bytes = self.bytes(whole)?;
        bytes.truncate(n as usize);
        Ok(bytes)
    }

    /// A big-endian number of 4 or 8 bytes.
    fn number(&mut self, bytes: usize) -> Result<u64> {
        let read = self.bytes(bytes as u64)?;
        Ok(read.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    fn word(&mut self) -> Result<u32> {
        self.number(4).map(|n| n as u32)
    }

    /// A count or an extent.
    fn count(&mut self) -> Result<u64> {
        self.number(self.version.count_bytes())
    }

    /// The length of a list whose entries have at least `smallest` bytes.
    fn list(&mut self, tag: u32, what: &str, smallest: usize) -> Result<u64> {
        let (found, count) = (self.word()?, self.count()?);
        if found != tag && (found, count) != (0, 0) {
            return Err(self.error(format!(
                "broken NetCDF-3 header: the list of {what} begins with {found} at {}",
                self.at
            )));
        }
        let room = (self.file.len() - self.at) / smallest as u64;
        if count > room {
            return Err(self.error(format!(
                "broken NetCDF-3 header: it claims {count} {what}, and has room for {room} at most"
            )));
        }
        Ok(count)
    }

    fn name(&mut self) -> Result<String> {
        let len = self.count()?;
        if len > MOST_NAME {
            return Err(self.error(format!(
                "broken NetCDF-3 header: a name of {len} bytes at {}",
                self.at
            )));
        }
        let bytes = self.padded_bytes(len)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn attributes(&mut self) -> Result<Attributes> {
        let mut attributes = Vec::new();
        let smallest = 2 * self.version.count_bytes() + 4;
        for _ in 0..self.list(ATTRIBUTES, "attributes", smallest)? {
            let name = self.name()?;
            let number = self.word()?;
            let dtype = self.known_type(number, "attribute", &name)?;
            let count = self.count()?;
            let bytes = count
                .checked_mul(size_of(&dtype) as u64)
                .ok_or_else(|| self.error(format!("attribute {name} claims {count} values")))?;
            let bytes = self.padded_bytes(bytes)?;
            attributes.push((name, value(&dtype, &bytes)));
        }
        Ok(attributes.into_iter().collect())
    }

    fn known_type(&self, number: u32, what: &str, name: &str) -> Result<VarType> {
        type_of(number, self.version).ok_or_else(|| {
            self.error(format!(
                "{what} {name} has the type {number}, which {} has not",
                self.version.name()
            ))
        })
    }

    fn variable(&mut self, dims: &[(String, u64)]) -> Result<HeaderVariable> {
        let name = self.name()?;
        let rank = self.count()?;
        self.axes = self.axes.saturating_add(rank);
        if rank > MOST_AXES || self.axes > MOST_AXES_OF_ALL {
            return Err(self.error(format!("variable {name} claims {rank} axes")));
        }
        let mut axes = Vec::new();
        for axis in 0..rank {
            let number = self.count()?;
            let dim = usize::try_from(number).ok().filter(|&n| n < dims.len());
            let dim = dim.ok_or_else(|| {
                self.error(format!(
                    "variable {name} has the dimension number {number} of {}",
                    dims.len()
                ))
            })?;
            if axis > 0 && dims[dim].1 == 0 {
                return Err(self.error(format!(
                    "variable {name} grows along its axis {axis}, and NetCDF-3 only along the first"
                )));
            }
            axes.push(dim);
        }
        let attributes = self.attributes()?;
        let number = self.word()?;
        let dtype = self.known_type(number, "variable", &name)?;
        let _size = self.count()?; // follows from the dimensions, and is cut where it is large
        let begin = self.number(self.version.offset_bytes())?;
        Ok(HeaderVariable {
            name,
            dims: axes,
            attributes,
            dtype,
            begin,
        })
    }
}

/// The value of an attribute.
fn value(dtype: &VarType, bytes: &[u8]) -> AttrValue {
    let VarType::Numeric(dtype) = *dtype else {
        return AttrValue::Text(text_of(bytes));
    };
    let scalars = bytes.chunks_exact(dtype.size()).map(|b| {
        let mut native = [0u8; 8];
        for (to, from) in native.iter_mut().zip(b.iter().rev()) {
            *to = *from;
        }
        Scalar::from_bytes(dtype, &native[..dtype.size()])
    });
    match dtype.kind() {
        Kind::Float => AttrValue::Float(dtype, scalars.map(Scalar::to_f64).collect()),
        Kind::Unsigned => AttrValue::UInt(dtype, scalars.map(Scalar::bits).collect()),
        _ => {
            let unused = 64 - 8 * dtype.size() as u32;
            let signed = |s: Scalar| (s.bits() << unused) as i64 >> unused;
            AttrValue::Int(dtype, scalars.map(signed).collect())
        }
    }
}
