//! GRIB files of both editions: weather fields, one message each, as variables of many axes.
//!
//! A file is a list of messages without an index. Opening reads the headers of all of them, never
//! the values, and puts those of one quantity together as cfgrib does: by member, time, step and
//! level. A region is read by decoding the messages it touches.

mod bits;
mod catalog;
mod complex;
mod edition1;
mod edition2;
mod field;
mod grid;
mod group;
mod levels;
mod parameters;
mod scan;
mod source;
mod unpack;

use self::catalog::{Content, Made};
use self::source::GribSource;
use super::catalog::Catalog;
use super::contents::{Contents, missing};
use super::file::ReadFile;
use crate::Result;
use crate::store::Source;
use std::path::Path;
use std::sync::Arc;

/// An open GRIB file.
#[derive(Debug)]
pub struct GribFile {
    file: Arc<ReadFile>,
    made: Made,
}

impl GribFile {
    /// Opens a file and reads the headers of its messages.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when the system refuses, [`Error::Format`](crate::Error::Format)
    /// when it is no GRIB file, is truncated or broken.
    pub fn open(path: &Path) -> Result<GribFile> {
        let file = Arc::new(ReadFile::open(path)?);
        let found = scan::scan(&file)?;
        let made = catalog::make(path, found)?;
        Ok(GribFile { file, made })
    }
}

impl Contents for GribFile {
    fn catalog(&self) -> &Catalog {
        &self.made.catalog
    }

    fn source(&self, name: &str) -> Result<Arc<dyn Source>> {
        match self.made.contents.get(name) {
            Some(Content::Memory(source)) => Ok(source.clone()),
            Some(Content::Fields(variable)) => Ok(Arc::new(GribSource::new(
                self.file.clone(),
                name.to_string(),
                variable.clone(),
            ))),
            None => Err(missing(&self.made.catalog, name)),
        }
    }
}
