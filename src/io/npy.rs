//! NumPy's NPY files: one array, read and written region by region.
//!
//! The header is a Python literal; what is read of it is checked against the length of the file
//! before anything is allocated. Both element orders and both byte orders are read; written files
//! are C-ordered and little endian, which `numpy.load(..., mmap_mode="r")` opens without reading.

use super::catalog::{Attributes, Catalog, Dim, VarType, Variable};
use super::file::{ReadFile, check_region, fingerprint};
use super::filters::swap_bytes;
use super::piece::{WINDOW, piece_scratch, read_piece};
use super::runs::{Side, for_each_run};
use crate::geometry::{Region, checked_bytes};
use crate::store::{Sink, Source};
use crate::{DType, Error, Result};
use std::fmt::Write as _;
use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempPath;

/// The name of the array of an NPY file, which has none of its own.
const NAME: &str = "data";

/// The longest header that is read; NumPy's own limit for untrusted files is 10,000.
const MOST_HEADER: usize = 1 << 20;

/// The most axes of an array; NumPy's limit.
const MOST_AXES: usize = 64;

/// An open NPY file.
#[derive(Debug)]
pub struct NpyFile {
    catalog: Catalog,
    array: Arc<NpySource>,
}

/// The array of an NPY file.
#[derive(Debug)]
struct NpySource {
    file: ReadFile,
    header: Header,
    /// Where the elements start.
    offset: u64,
}

/// What a header says.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Header {
    dtype: DType,
    swapped: bool,
    fortran: bool,
    shape: Vec<usize>,
}

impl NpyFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses, [`Error::Format`] when it is no NPY file, its dtype is
    /// none of ours, or it is shorter than its header says.
    pub fn open(path: &Path) -> Result<NpyFile> {
        let file = ReadFile::open(path)?;
        let (header, offset) = read_header(&file)?;
        let bytes = checked_bytes(&header.shape, header.dtype.size())?;
        let end = offset.checked_add(bytes as u64);
        if end.is_none_or(|end| end > file.len()) {
            return Err(Error::format(
                path,
                format!(
                    "truncated: {} bytes are there, its header asks for {bytes} from {offset} on",
                    file.len()
                ),
            ));
        }
        let dims = header.shape.iter().enumerate().map(|(axis, &len)| Dim {
            name: format!("dim_{axis}"),
            len,
            unlimited: false,
        });
        let dims: Vec<Dim> = dims.collect();
        let variable = Variable {
            name: NAME.to_string(),
            dims: dims.iter().map(|d| d.name.clone()).collect(),
            shape: header.shape.clone(),
            dtype: VarType::Numeric(header.dtype),
            chunks: None,
            codecs: String::new(),
            stored_bytes: bytes as u64,
            fill: None,
            attributes: Attributes::new(),
        };
        let catalog = Catalog {
            path: path.to_path_buf(),
            format: "NPY",
            dims,
            variables: vec![variable],
            attributes: Attributes::new(),
            notes: Vec::new(),
        };
        Ok(NpyFile {
            catalog,
            array: Arc::new(NpySource { file, header, offset }),
        })
    }

    /// What the file holds: one variable called `data` with dimensions `dim_0`, `dim_1`, ….
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The array.
    ///
    /// # Errors
    /// When `variable` is not `data`.
    pub fn source(&self, variable: &str) -> Result<Arc<dyn Source>> {
        if variable == NAME {
            Ok(self.array.clone())
        } else {
            Err(super::missing(&self.catalog, variable))
        }
    }
}

/// The header of a file and where its elements start.
fn read_header(file: &ReadFile) -> Result<(Header, u64)> {
    let bad = |reason: String| Error::format(file.path(), reason);
    let head = file.head(12)?;
    let (start, len) = match head.as_slice() {
        [_, _, _, _, _, _, 1, _, a, b, ..] => (10, usize::from(u16::from_le_bytes([*a, *b]))),
        [_, _, _, _, _, _, 2 | 3, _, a, b, c, d] => (12, u32::from_le_bytes([*a, *b, *c, *d]) as usize),
        [_, _, _, _, _, _, major, minor, ..] if !(1..=3).contains(major) => {
            return Err(bad(format!(
                "NPY version {major}.{minor} is unknown: 1 to 3 are read"
            )));
        }
        _ => return Err(bad("truncated within its NPY header".to_string())),
    };
    if len > MOST_HEADER {
        return Err(bad(format!(
            "its NPY header claims {len} bytes, more than {MOST_HEADER}"
        )));
    }
    if (start + len) as u64 > file.len() {
        return Err(bad("truncated within its NPY header".to_string()));
    }
    let mut text = vec![0; len];
    file.read_at(start as u64, &mut text)?;
    let text = String::from_utf8_lossy(&text);
    let header = Literal { rest: text.trim() }.header().map_err(|reason| {
        bad(format!(
            "NPY header {:?}: {reason}",
            text.trim().chars().take(200).collect::<String>()
        ))
    })?;
    Ok((header, (start + len) as u64))
}

/// The Python literal of a header.
struct Literal<'a> {
    rest: &'a str,
}

impl Literal<'_> {
    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, keys in any order.
    fn header(mut self) -> Result<Header, String> {
        let (mut dtype, mut fortran, mut shape) = (None, None, None);
        self.expect('{')?;
        while !self.take('}') {
            let key = self.string()?;
            self.expect(':')?;
            match key.as_str() {
                "descr" => dtype = Some(self.dtype()?),
                "fortran_order" => fortran = Some(self.boolean()?),
                "shape" => shape = Some(self.tuple()?),
                other => return Err(format!("unknown key {other:?}")),
            }
            if !self.take(',') {
                self.expect('}')?;
                break;
            }
        }
        let (dtype, swapped) = dtype.ok_or("no descr")?;
        let shape = shape.ok_or("no shape")?;
        Ok(Header {
            dtype,
            swapped,
            fortran: fortran.ok_or("no fortran_order")?,
            shape,
        })
    }

    fn take(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char) -> Result<(), String> {
        if self.take(c) {
            Ok(())
        } else {
            Err(format!("{c:?} expected at {:?}", self.here()))
        }
    }

    fn here(&self) -> String {
        self.rest.chars().take(20).collect()
    }

    fn string(&mut self) -> Result<String, String> {
        let quote = if self.take('"') { '"' } else { '\'' };
        if quote == '\'' {
            self.expect('\'')?;
        }
        let (text, rest) = self.rest.split_once(quote).ok_or("a string without an end")?;
        let text = text.to_string();
        self.rest = rest;
        Ok(text)
    }

    fn boolean(&mut self) -> Result<bool, String> {
        self.rest = self.rest.trim_start();
        for (name, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(name) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(format!("True or False expected at {:?}", self.here()))
    }

    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        self.expect('(')?;
        let mut extents = Vec::new();
        while !self.take(')') {
            self.rest = self.rest.trim_start();
            let end = self
                .rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(self.rest.len());
            let (digits, rest) = self.rest.split_at(end);
            let extent = digits
                .parse()
                .map_err(|_| format!("an extent expected at {:?}", self.here()))?;
            // Python 2 wrote long integers as `3L`.
            self.rest = rest.strip_prefix('L').unwrap_or(rest);
            extents.push(extent);
            if extents.len() > MOST_AXES {
                return Err(format!("more than {MOST_AXES} axes"));
            }
            if !self.take(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(extents)
    }

    /// A dtype and whether its bytes are in the other order.
    fn dtype(&mut self) -> Result<(DType, bool), String> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('[') {
            return Err("structured dtypes are not read: save each field on its own".to_string());
        }
        let descr = self.string()?;
        let order = descr.chars().next().filter(|c| "<>|=".contains(*c));
        let bare = descr.trim_start_matches(['<', '>', '|', '=']);
        let dtype = DType::ALL
            .into_iter()
            .find(|d| {
                d.info()
                    .npy
                    .is_some_and(|n| n.trim_start_matches(['<', '|']) == bare)
            })
            .ok_or_else(|| format!("dtype {descr:?} is not read"))?;
        Ok((dtype, order == Some('>') && dtype.size() > 1))
    }
}

impl NpySource {
    /// Reads a region of an array stored with its first axis fastest: runs of the file are spread
    /// over the result.
    fn read_fortran(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        let size = self.header.dtype.size();
        let reversed = |v: &[usize]| v.iter().rev().copied().collect::<Vec<usize>>();
        let (shape, start, extent) = (
            reversed(&self.header.shape),
            reversed(&region.start),
            reversed(&region.shape),
        );
        let origin = vec![0; extent.len()];
        let from = Side {
            shape: &shape,
            start: &start,
        };
        let dense = Side {
            shape: &extent,
            start: &origin,
        };
        let mut buffer = vec![0u8; WINDOW / size * size];
        for_each_run(from, dense, &extent, size, |a, b, n| {
            for at in (0..n).step_by(buffer.len()) {
                let part = &mut buffer[..WINDOW.min(n - at) / size * size];
                self.file.read_at(self.offset + (a + at) as u64, part)?;
                spread(part, (b + at) / size, &extent, size, out);
            }
            Ok(())
        })
    }
}

/// Puts consecutive elements, the first being number `first` in the file's order of a box of
/// extents `extent` (slowest axis of the file first), where they belong in the row-major result,
/// whose axes are the reverse.
fn spread(elements: &[u8], first: usize, extent: &[usize], size: usize, out: &mut [u8]) {
    let rank = extent.len();
    // In the result the file's slowest axis is the fastest.
    let mut strides = vec![size; rank];
    for axis in 1..rank {
        strides[axis] = strides[axis - 1] * extent[axis - 1];
    }
    let (mut rest, mut index, mut at) = (first, vec![0; rank], 0);
    for axis in (0..rank).rev() {
        index[axis] = rest % extent[axis];
        rest /= extent[axis];
        at += index[axis] * strides[axis];
    }
    for element in elements.chunks_exact(size) {
        out[at..at + size].copy_from_slice(element);
        for axis in (0..rank).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < extent[axis] {
                break;
            }
            at -= strides[axis] * extent[axis];
            index[axis] = 0;
        }
    }
}

impl Source for NpySource {
    fn name(&self) -> String {
        let path = self.file.path();
        let file = path.file_name().unwrap_or(path.as_os_str());
        format!("{}:{NAME}", file.to_string_lossy())
    }

    fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    fn dtype(&self) -> DType {
        self.header.dtype
    }

    fn chunks(&self) -> Option<&[usize]> {
        None
    }

    fn read(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        let (shape, dtype) = (&self.header.shape, self.header.dtype);
        check_region(&self.name(), shape, dtype.size(), region, out.len())?;
        if region.is_empty() {
            return Ok(());
        }
        if self.header.fortran && shape.len() > 1 {
            self.read_fortran(region, out)?;
        } else {
            let origin = vec![0; region.rank()];
            let from = Side {
                shape,
                start: &region.start,
            };
            let to = Side {
                shape: &region.shape,
                start: &origin,
            };
            read_piece(
                &self.file,
                self.offset,
                from,
                out,
                to,
                &region.shape,
                dtype.size(),
            )?;
        }
        if self.header.swapped {
            swap_bytes(out, dtype.size());
        }
        if dtype == DType::Bool {
            out.iter_mut().for_each(|b| *b = u8::from(*b != 0));
        }
        Ok(())
    }

    fn scratch_bytes(&self, region: &Region) -> usize {
        match self.header.fortran {
            true => WINDOW,
            false => piece_scratch(region, self.header.dtype.size()),
        }
    }

    fn stored_bytes(&self) -> u64 {
        let count: usize = self.header.shape.iter().product();
        (count * self.header.dtype.size()) as u64
    }

    fn fingerprint(&self) -> u64 {
        fingerprint(&self.file, NAME)
    }
}

/// An NPY file being written. [`NpyWriter::finish`] gives it its name; dropping it before removes
/// it.
#[derive(Debug)]
pub struct NpyWriter {
    sink: Arc<NpySink>,
    temporary: TempPath,
}

/// The array of a file being written.
#[derive(Debug)]
struct NpySink {
    file: File,
    path: PathBuf,
    dtype: DType,
    shape: Vec<usize>,
    offset: u64,
}

impl NpyWriter {
    /// Creates a file that will be called `path`, for an array of that dtype and shape; elements
    /// never written are 0.
    ///
    /// # Errors
    /// [`Error::Invalid`] when NPY has no such dtype or the shape is too large, [`Error::Io`] when
    /// the system refuses.
    pub fn create(path: impl AsRef<Path>, dtype: DType, shape: &[usize]) -> Result<NpyWriter> {
        let path = path.as_ref();
        let bytes = checked_bytes(shape, dtype.size())?;
        let header = header_bytes(dtype, shape)?;
        if path.is_dir() {
            return Err(Error::io("create", path)(std::io::ErrorKind::IsADirectory.into()));
        }
        let folder = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let (mut file, temporary) = tempfile::Builder::new()
            .prefix(".tilewise-")
            .suffix(".npy.part")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(Error::io("create", path))?
            .into_parts();
        file.write_all(&header).map_err(Error::io("write", path))?;
        let offset = header.len() as u64;
        file.set_len(offset + bytes as u64)
            .map_err(Error::io("write", path))?;
        let sink = NpySink {
            file,
            path: path.to_path_buf(),
            dtype,
            shape: shape.to_vec(),
            offset,
        };
        Ok(NpyWriter {
            sink: Arc::new(sink),
            temporary,
        })
    }

    /// The sink for the array.
    pub fn sink(&self) -> Arc<dyn Sink> {
        self.sink.clone()
    }

    /// Gives the file its name, replacing a file that has it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn finish(self) -> Result<()> {
        let path = self.sink.path.clone();
        self.temporary
            .persist(&path)
            .map_err(|e| Error::io("rename to", &path)(e.error))
    }
}

/// The magic, version 1.0 and the header, padded so that elements start at a multiple of 64.
fn header_bytes(dtype: DType, shape: &[usize]) -> Result<Vec<u8>> {
    let Some(descr) = dtype.info().npy else {
        return Err(Error::invalid(format!(
            "NPY has no {dtype}: cast to float32 before writing"
        )));
    };
    let mut tuple = String::new();
    for extent in shape {
        let _ = write!(tuple, "{extent}, ");
    }
    let tuple = if shape.len() == 1 {
        tuple.trim_end()
    } else {
        tuple.trim_end_matches(", ")
    };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({tuple}), }}");
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let len = u16::try_from(text.len())
        .map_err(|_| Error::invalid(format!("an NPY header for shape {shape:?} is too long")))?;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(len.to_le_bytes());
    header.extend(text.as_bytes());
    Ok(header)
}

impl Sink for NpySink {
    fn name(&self) -> String {
        let file = self.path.file_name().unwrap_or(self.path.as_os_str());
        format!("{}:{NAME}", file.to_string_lossy())
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn chunks(&self) -> Option<&[usize]> {
        None
    }

    fn write(&self, region: &Region, data: &[u8]) -> Result<()> {
        check_region(&self.name(), &self.shape, self.dtype.size(), region, data.len())?;
        let origin = vec![0; region.rank()];
        let from = Side {
            shape: &region.shape,
            start: &origin,
        };
        let to = Side {
            shape: &self.shape,
            start: &region.start,
        };
        for_each_run(from, to, &region.shape, self.dtype.size(), |a, b, n| {
            self.file.write_all_at(&data[a..a + n], self.offset + b as u64)
        })
        .map_err(Error::io("write", &self.path))
    }

    fn scratch_bytes(&self, _region: &Region) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Header, String> {
        Literal { rest: text.trim() }.header()
    }

    #[test]
    fn headers_are_numpys() {
        let header = parse("{'descr': '>f4', 'fortran_order': True, 'shape': (3, 4), }\n").unwrap();
        let expected = Header {
            dtype: DType::F32,
            swapped: true,
            fortran: true,
            shape: vec![3, 4],
        };
        assert_eq!(header, expected);
        let header = parse("{\"shape\": (5L,), 'fortran_order':False,'descr':'|b1'}").unwrap();
        assert_eq!((header.dtype, header.shape), (DType::Bool, vec![5]));
        assert_eq!(
            parse("{'descr': '<i2', 'fortran_order': False, 'shape': ()}")
                .unwrap()
                .shape,
            [0usize; 0]
        );
        for (text, expected) in [
            (
                "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}",
                "structured",
            ),
            ("{'descr': '<c8', 'fortran_order': False, 'shape': ()}", "<c8"),
            (
                "{'descr': '<f4', 'fortran_order': 1, 'shape': ()}",
                "True or False",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
                "extent",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
                "extent",
            ),
            ("{'descr': '<f4', 'fortran_order': False, }", "no shape"),
            ("{'descr': '<f4', 'x': 1}", "unknown key"),
            ("{'descr", "without an end"),
            ("", "expected"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn written_headers_are_aligned_and_parse_back() {
        for shape in [&[][..], &[7], &[2, 0, 3]] {
            let bytes = header_bytes(DType::U16, shape).unwrap();
            assert_eq!(bytes.len() % 64, 0);
            let text = std::str::from_utf8(&bytes[10..]).unwrap();
            assert_eq!(parse(text).unwrap().shape, shape, "{text}");
        }
        assert_eq!(
            &header_bytes(DType::F64, &[7]).unwrap()[10..68],
            b"{'descr': '<f8', 'fortran_order': False, 'shape': (7,), } "
        );
        assert!(header_bytes(DType::BF16, &[1]).is_err());
    }
}
