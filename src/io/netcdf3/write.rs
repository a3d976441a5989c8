//! NetCDF-3 files, written whole or not at all.
//!
//! Every place is known once the header is, so regions are written where they belong from any
//! thread. The header needs the lengths of texts: it is fixed when the first number is written, and
//! texts come before that.

use super::describe::{Description, Laid};
use super::sink::{NetCdf3Sink, fill_gaps, write_elements};
use super::types::{Version, size_of};
use crate::io::catalog::VarType;
use crate::io::spec::{FileSpec, VariableSpec};
use crate::io::unfinished::create_unfinished;
use crate::io::writer::{Writer, check_texts};
use crate::io::written::Written;
use crate::store::Sink;
use crate::{Error, Result};
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tempfile::TempPath;

/// A NetCDF-3 file being written; dropping it before it is finished removes it.
#[derive(Debug)]
pub(in crate::io) struct NetCdf3Writer {
    shared: Arc<Shared>,
    temporary: TempPath,
}

/// What the sinks share.
#[derive(Debug)]
pub(super) struct Shared {
    pub file: File,
    pub path: PathBuf,
    pub description: Description,
    laid: OnceLock<Laid>,
    /// Texts that wait for the header, by the number of their variable.
    waiting: Mutex<HashMap<usize, Vec<String>>>,
    /// What was written of each variable.
    pub written: Vec<Mutex<Written>>,
    failed: AtomicBool,
}

impl NetCdf3Writer {
    /// Creates a file that will be called `path`, with everything that `spec` describes. Chunks are
    /// of no meaning here. Booleans are stored as bytes with xarray's `dtype = "bool"`, texts as rows
    /// of characters along a dimension `stringN`. Elements never written are fill values.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the description contradicts itself or the version cannot hold it (the
    /// text says which format can), [`Error::Io`] when the folder refuses.
    pub(in crate::io) fn create(path: &Path, version: Version, spec: &FileSpec) -> Result<NetCdf3Writer> {
        let description = Description::new(spec, version)?;
        let has_texts = spec.variables.iter().any(|v| v.dtype == VarType::Text);
        // What does not depend on the lengths of texts fails now.
        let laid = description.lay_out(&vec![1; spec.variables.len()])?;
        let (file, temporary) = create_unfinished(path)?;
        let shared = Shared {
            file,
            path: path.to_path_buf(),
            written: spec.variables.iter().map(|_| Mutex::default()).collect(),
            description,
            laid: OnceLock::new(),
            waiting: Mutex::default(),
            failed: AtomicBool::new(false),
        };
        if !has_texts {
            shared.begin(laid)?;
        }
        Ok(NetCdf3Writer {
            shared: Arc::new(shared),
            temporary,
        })
    }

    fn find(&self, variable: &str) -> Result<(usize, &VariableSpec)> {
        let variables = &self.shared.description.spec.variables;
        let at = variables.iter().position(|v| v.name == variable);
        at.map(|at| (at, &variables[at]))
            .ok_or_else(|| Error::invalid(format!("the file has no variable {variable}")))
    }
}

impl Shared {
    /// Where everything lies, which is decided now if it was not.
    pub fn laid(&self) -> Result<&Laid> {
        if let Some(laid) = self.laid.get() {
            return Ok(laid);
        }
        let mut waiting = self.waiting();
        if let Some(laid) = self.laid.get() {
            return Ok(laid);
        }
        let variables = &self.description.spec.variables;
        let longest = |v: usize| waiting.get(&v).and_then(|t| t.iter().map(String::len).max());
        let widths: Vec<usize> = (0..variables.len()).map(|v| longest(v).unwrap_or(1)).collect();
        self.begin(self.description.lay_out(&widths)?)?;
        let laid = self.laid.get().ok_or(Error::Cancelled)?;
        for (number, values) in waiting.drain() {
            self.put_texts(laid, number, &values, widths[number].max(1))?;
        }
        Ok(laid)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<usize, Vec<String>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the header and makes the file as long as it will be.
    fn begin(&self, laid: Laid) -> Result<()> {
        self.file
            .set_len(laid.len.max(laid.header.len() as u64))
            .and_then(|()| self.file.write_all_at(&laid.header, 0))
            .map_err(Error::io("write", &self.path))?;
        let _ = self.laid.set(laid); // the lock of the texts, or having no other owner yet, rules out a second
        Ok(())
    }

    /// Writes rows of characters.
    fn put_texts(&self, laid: &Laid, number: usize, values: &[String], width: usize) -> Result<()> {
        let mut bytes = vec![0u8; values.len() * width];
        for (row, value) in bytes.chunks_exact_mut(width).zip(values) {
            row[..value.len()].copy_from_slice(value.as_bytes());
        }
        self.put(laid, number, 0, &bytes, &[0])
    }

    /// Writes elements at byte `at` of a variable, and remembers that.
    pub fn put(&self, laid: &Laid, number: usize, at: usize, bytes: &[u8], fill: &[u8]) -> Result<()> {
        let size = size_of(&self.description.spec.variables[number].dtype);
        write_elements(&self.file, &laid.places[number], at, bytes, size, fill).map_err(|e| {
            self.failed.store(true, Ordering::Relaxed);
            Error::io("write", &self.path)(e)
        })?;
        let mut written = self.written[number]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        written.add(at as u64, (at + bytes.len()) as u64);
        Ok(())
    }
}

impl Writer for NetCdf3Writer {
    fn sink(&self, variable: &str) -> Result<Arc<dyn Sink>> {
        let (number, spec) = self.find(variable)?;
        let VarType::Numeric(dtype) = spec.dtype else {
            return Err(Error::invalid(format!(
                "variable {variable} is text: write it with write_text"
            )));
        };
        Ok(Arc::new(NetCdf3Sink {
            shared: self.shared.clone(),
            number,
            variable: variable.to_string(),
            dtype,
            shape: self.shared.description.shape(spec)?,
            fill: self.shared.description.fill(spec)?,
        }))
    }

    /// As [`Writer::write_text`]; before any number is written where the variable has no width of
    /// its own.
    fn write_text(&self, variable: &str, values: &[String]) -> Result<()> {
        let (number, spec) = self.find(variable)?;
        let shape = self.shared.description.shape(spec)?;
        match check_texts(spec, &shape, values)? {
            Some(0) => Ok(()),
            Some(width) => self.shared.put_texts(self.shared.laid()?, number, values, width),
            None => {
                let mut waiting = self.shared.waiting();
                if self.shared.laid.get().is_some() {
                    return Err(Error::invalid(format!(
                        "variable {variable}: NetCDF-3 needs texts before the first number is written"
                    )));
                }
                waiting.insert(number, values.to_vec());
                Ok(())
            }
        }
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let shared = &self.shared;
        let laid = shared.laid()?;
        if shared.failed.load(Ordering::Relaxed) {
            return Err(Error::format(
                &shared.path,
                "not kept, because a write to it failed",
            ));
        }
        for (number, spec) in shared.description.spec.variables.iter().enumerate() {
            let fill = shared.description.fill(spec)?;
            let place = &laid.places[number];
            let written = shared.written[number]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let gaps = written.gaps((place.pieces * place.bytes) as u64).ok_or_else(|| {
                Error::format(
                    &shared.path,
                    format!(
                        "not kept: parts of variable {} were never written, too scattered to be filled",
                        spec.name
                    ),
                )
            })?;
            fill_gaps(&shared.file, place, &gaps, size_of(&spec.dtype), &fill)
                .map_err(Error::io("write", &shared.path))?;
        }
        let path = shared.path.clone();
        self.temporary
            .persist(&path)
            .map_err(|e| Error::io("rename to", &path)(e.error))
    }
}
