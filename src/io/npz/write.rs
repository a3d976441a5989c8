//! NPZ files, written whole or not at all.
//!
//! Arrays are stored plainly, so every place is known beforehand and regions go where they belong
//! from any thread. Checksums are summed on the way and put in front of the arrays at the end.

use super::zip_format::{Member, directory};
use crate::geometry::checked_bytes;
use crate::io::catalog::VarType;
use crate::io::checksum::Checksum;
use crate::io::dense::DenseSink;
use crate::io::npy::header_bytes;
use crate::io::spec::FileSpec;
use crate::io::unfinished::create_unfinished;
use crate::io::write_file::WriteFile;
use crate::io::writer::Writer;
use crate::store::Sink;
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempPath;

/// An NPZ file being written; dropping it before it is finished removes it.
#[derive(Debug)]
pub struct NpzWriter {
    file: Arc<WriteFile>,
    path: PathBuf,
    temporary: TempPath,
    arrays: Vec<(Member, Vec<u8>, Arc<DenseSink>)>,
    /// Where the directory goes.
    end: u64,
}

impl NpzWriter {
    /// Creates a file that will be called `path`, for all arrays of `spec`; elements never written
    /// are 0.
    ///
    /// # Errors
    /// [`Error::Invalid`] when NPY has no such dtype, or for text and compression; [`Error::Io`] when
    /// the system refuses.
    pub fn create(path: &Path, spec: &FileSpec) -> Result<NpzWriter> {
        spec.check()?;
        let (file, temporary) = create_unfinished(path)?;
        let file = Arc::new(WriteFile::sized(file, &temporary, spec.plain_bytes()));
        let (mut arrays, mut at) = (Vec::new(), 0u64);
        for variable in &spec.variables {
            let VarType::Numeric(dtype) = variable.dtype else {
                return Err(Error::invalid(format!(
                    "{}: text is not written to NPZ",
                    variable.name
                )));
            };
            if variable.compression.is_some() {
                return Err(Error::invalid(format!(
                    "{}: NPZ is written without compression: leave it out, or write a .nc file",
                    variable.name
                )));
            }
            let dims = spec.dims_of(variable)?;
            let shape: Vec<usize> = dims.into_iter().map(|d| spec.dims[d].len).collect();
            let header = header_bytes(dtype, &shape)?;
            let bytes = checked_bytes(&shape, dtype.size())? as u64;
            let name = format!("{}.npy", variable.name.trim_start_matches('/'));
            if name.len() > usize::from(u16::MAX) {
                return Err(Error::invalid(format!(
                    "{}… is too long a name",
                    &variable.name.chars().take(40).collect::<String>()
                )));
            }
            let member = Member {
                name,
                start: at,
                len: header.len() as u64 + bytes,
            };
            let front = member.local(0).len() as u64 + header.len() as u64;
            let sink = DenseSink {
                file: file.clone(),
                path: path.to_path_buf(),
                variable: variable.name.clone(),
                dtype,
                shape,
                offset: at + front,
                sum: Some(Mutex::new(Checksum::new(bytes))),
            };
            at = (at + front)
                .checked_add(bytes)
                .ok_or_else(|| Error::invalid("the arrays have more bytes than 64 bits count".to_string()))?;
            arrays.push((member, header, Arc::new(sink)));
        }
        file.file().set_len(at).map_err(Error::io("write", path))?;
        Ok(NpzWriter {
            file,
            path: path.to_path_buf(),
            temporary,
            arrays,
            end: at,
        })
    }
}

impl Writer for NpzWriter {
    fn sink(&self, variable: &str) -> Result<Arc<dyn Sink>> {
        match self.arrays.iter().find(|(_, _, sink)| sink.variable == variable) {
            Some((_, _, sink)) => Ok(sink.clone()),
            None => Err(Error::invalid(format!("the file has no variable {variable}"))),
        }
    }

    fn write_text(&self, variable: &str, _values: &[String]) -> Result<()> {
        Err(Error::invalid(format!("{variable}: text is not written to NPZ")))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let mut members = Vec::new();
        let write = |bytes: &[u8], at: u64| {
            self.file
                .write_at(bytes, at)
                .map_err(Error::io("write", &self.path))
        };
        for (member, header, sink) in self.arrays {
            let mut whole = Checksum::new(member.len);
            whole.add(0, header.as_slice());
            if let Some(sum) = &sink.sum {
                let elements = sum.lock().unwrap_or_else(PoisonError::into_inner);
                whole.join(&elements); // of the same bytes behind them, so of the same shift
            }
            let crc = whole.value();
            let mut front = member.local(crc);
            front.extend(&header);
            write(&front, member.start)?;
            members.push((member, crc));
        }
        write(&directory(&members, self.end), self.end)?;
        self.temporary
            .persist(&self.path)
            .map_err(|e| Error::io("rename to", &self.path)(e.error))
    }
}
