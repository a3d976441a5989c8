//! Raw binary: an array without a header, of which the caller knows dtype, shape and order.

use super::catalog::{Attributes, Catalog, Dim, VarType};
use super::contents::{Contents, missing};
use super::dense::{DenseSink, DenseSource, Layout, Stored};
use super::file::ReadFile;
use super::spec::FileSpec;
use super::unfinished::create_unfinished;
use super::write_file::WriteFile;
use super::writer::Writer;
use crate::geometry::checked_bytes;
use crate::store::{Sink, Source};
use crate::{DType, Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempPath;

/// The name of the array, which has none of its own.
const NAME: &str = "data";

/// An open file of bare elements.
#[derive(Debug)]
pub struct RawFile {
    catalog: Catalog,
    array: Arc<DenseSource>,
}

impl RawFile {
    /// Opens a file that holds an array of that dtype and shape from byte `offset` on; `fortran`
    /// where its first axis is the fastest, `swapped` where its bytes are big-endian. What the file
    /// holds behind the array is left alone.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses, [`Error::Format`] when the file is shorter than that.
    pub fn open(
        path: impl AsRef<Path>,
        dtype: DType,
        shape: &[usize],
        offset: u64,
        fortran: bool,
        swapped: bool,
    ) -> Result<RawFile> {
        let path = path.as_ref();
        let file = Arc::new(ReadFile::open(path)?);
        let layout = Layout {
            dtype,
            swapped: swapped && dtype.part().size() > 1,
            fortran,
            shape: shape.to_vec(),
        };
        let bytes = layout.bytes()?;
        if offset.checked_add(bytes).is_none_or(|end| end > file.len()) {
            return Err(Error::format(
                path,
                format!(
                    "{dtype} of shape {shape:?} needs {bytes} bytes from {offset} on, and the file has {}",
                    file.len()
                ),
            ));
        }
        let dims = shape.iter().enumerate().map(|(axis, &len)| Dim {
            name: format!("dim_{axis}"),
            len,
            unlimited: false,
        });
        let dims: Vec<Dim> = dims.collect();
        let names = dims.iter().map(|d| d.name.clone()).collect();
        let catalog = Catalog {
            path: path.to_path_buf(),
            format: "raw binary",
            variables: vec![layout.variable(NAME, names, "", bytes)],
            dims,
            attributes: Attributes::new(),
            notes: Vec::new(),
        };
        let array = Arc::new(DenseSource {
            file,
            variable: NAME.to_string(),
            layout,
            stored: Stored::At(offset),
        });
        Ok(RawFile { catalog, array })
    }

    /// Opens what a text describes: `FILE:DTYPE:SHAPE`, as in `field.bin:float32:100x200`, and behind
    /// that `:offset=N` (bytes), `:order=F` (or `C`) and `:endian=big` (or `little`) in any order.
    /// One element has the shape `scalar`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text of another form, and as [`RawFile::open`].
    pub fn parse(text: &str) -> Result<RawFile> {
        let described = Described::parse(text).map_err(|reason| {
            Error::invalid(format!(
                "{text:?}: {reason}; raw binary is FILE:DTYPE:SHAPE[:offset=N][:order=F][:endian=big], as in \
                 field.bin:float32:100x200"
            ))
        })?;
        RawFile::open(
            described.path,
            described.dtype,
            &described.shape,
            described.offset,
            described.fortran,
            described.big,
        )
    }
}

/// What a text describes.
#[derive(Debug, PartialEq)]
struct Described {
    path: PathBuf,
    dtype: DType,
    shape: Vec<usize>,
    offset: u64,
    fortran: bool,
    big: bool,
}

impl Described {
    fn parse(text: &str) -> Result<Described, String> {
        let (mut offset, mut fortran, mut big) = (None, None, None);
        let mut rest = text;
        // From the end, because the name of a file may have colons.
        let shape = loop {
            let (before, last) = rest.rsplit_once(':').ok_or("it has no dtype and shape")?;
            rest = before;
            let Some((key, value)) = last.split_once('=') else {
                break last;
            };
            let again = match (key, value) {
                ("offset", n) => offset
                    .replace(
                        n.parse()
                            .map_err(|_| format!("offset {n:?} is no number of bytes"))?,
                    )
                    .is_some(),
                ("order", "C" | "F") => fortran.replace(value == "F").is_some(),
                ("endian", "big" | "little") => big.replace(value == "big").is_some(),
                _ => {
                    return Err(format!(
                        "{last:?} is none of offset=N, order=C|F, endian=little|big"
                    ));
                }
            };
            if again {
                return Err(format!("{key} is given twice"));
            }
        };
        let (path, dtype) = rest.rsplit_once(':').ok_or("it has no dtype")?;
        if path.is_empty() {
            return Err("it names no file".to_string());
        }
        let shape = match shape {
            "scalar" => Vec::new(),
            shape => shape
                .split('x')
                .map(|n| {
                    n.parse()
                        .map_err(|_| format!("shape {shape:?} is not of the form 100x200"))
                })
                .collect::<Result<_, _>>()?,
        };
        Ok(Described {
            path: PathBuf::from(path),
            dtype: DType::parse(dtype).ok_or_else(|| format!("there is no dtype {dtype:?}"))?,
            shape,
            offset: offset.unwrap_or(0),
            fortran: fortran.unwrap_or(false),
            big: big.unwrap_or(false),
        })
    }
}

impl Contents for RawFile {
    /// One variable called `data` with dimensions `dim_0`, `dim_1`, ….
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn source(&self, variable: &str) -> Result<Arc<dyn Source>> {
        match variable {
            NAME => Ok(self.array.clone()),
            _ => Err(missing(&self.catalog, variable)),
        }
    }
}

/// A file of bare elements being written: row-major, little-endian, nothing beside them.
#[derive(Debug)]
pub struct RawWriter {
    sink: Arc<DenseSink>,
    temporary: TempPath,
}

impl RawWriter {
    /// Creates a file that will be called `path`, for the one array of `spec`; elements never written
    /// are 0.
    ///
    /// # Errors
    /// [`Error::Invalid`] for more or fewer arrays than one, for text and compression; [`Error::Io`]
    /// when the system refuses.
    pub fn create(path: &Path, spec: &FileSpec) -> Result<RawWriter> {
        spec.check()?;
        let [variable] = spec.variables.as_slice() else {
            return Err(Error::invalid(format!(
                "{}: a file of raw binary holds one array, not {}; write them to a .nc or .npz file",
                path.display(),
                spec.variables.len()
            )));
        };
        let VarType::Numeric(dtype) = variable.dtype else {
            return Err(Error::invalid(format!(
                "{}: text is not written to raw binary",
                variable.name
            )));
        };
        if variable.compression.is_some() {
            return Err(Error::invalid(format!(
                "{}: raw binary has no compression",
                variable.name
            )));
        }
        let dims = spec.dims_of(variable)?;
        let shape: Vec<usize> = dims.into_iter().map(|d| spec.dims[d].len).collect();
        let bytes = checked_bytes(&shape, dtype.size())?;
        let (file, temporary) = create_unfinished(path)?;
        file.set_len(bytes as u64).map_err(Error::io("write", path))?;
        let sink = DenseSink {
            file: Arc::new(WriteFile::sized(file, &temporary, bytes as u64)),
            path: path.to_path_buf(),
            variable: NAME.to_string(),
            dtype,
            shape,
            offset: 0,
            sum: None,
        };
        Ok(RawWriter {
            sink: Arc::new(sink),
            temporary,
        })
    }
}

impl Writer for RawWriter {
    /// The one array, whatever its name.
    fn sink(&self, _variable: &str) -> Result<Arc<dyn Sink>> {
        Ok(self.sink.clone())
    }

    fn write_text(&self, variable: &str, _values: &[String]) -> Result<()> {
        Err(Error::invalid(format!(
            "{variable}: text is not written to raw binary"
        )))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let path = self.sink.path.clone();
        self.temporary
            .persist(&path)
            .map_err(|e| Error::io("rename to", &path)(e.error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_of_one_file_are_different_sources() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.bin");
        std::fs::write(&path, [7; 64]).unwrap();
        let views = [
            "f4:2x2",
            "f4:2x2:offset=4",
            "f4:2x2:order=F",
            "f4:2x2:endian=big",
            "i4:2x2",
        ];
        let views = views.map(|view| view.replace("f4", "float32").replace("i4", "int32"));
        let mut prints: Vec<u64> = views
            .iter()
            .map(|view| RawFile::parse(&format!("{}:{view}", path.display())).unwrap())
            .map(|file| file.source("data").unwrap().fingerprint())
            .collect();
        prints.sort_unstable();
        prints.dedup();
        assert_eq!(prints.len(), views.len());
    }

    #[test]
    fn texts_describe_files() {
        let described = Described::parse("a:b.bin:f4:3x0x2:endian=big:offset=12:order=F");
        let expected = Described {
            path: "a:b.bin".into(),
            dtype: DType::F32,
            shape: vec![3, 0, 2],
            offset: 12,
            fortran: true,
            big: true,
        };
        assert_eq!(
            described.or_else(|_| Described::parse("a:b.bin:float32:3x0x2:endian=big:offset=12:order=F")),
            Ok(expected)
        );
        let plain = Described::parse("x:bool:scalar").unwrap();
        assert_eq!((plain.shape.len(), plain.offset, plain.big), (0, 0, false));
        for (text, expected) in [
            ("x", "no dtype and shape"),
            ("x:3", "no dtype"),
            ("x:float32:axb", "of the form"),
            ("x:float32:3:order=Z", "none of"),
            ("x:float32:3:offset=-1", "number of bytes"),
            ("x:float32:3:offset=1:offset=2", "twice"),
            ("x:float31:3", "no dtype"),
            (":float32:3", "no file"),
        ] {
            let error = Described::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
