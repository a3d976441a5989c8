//! An open file or store, whatever its format.
//!
//! Everything above this room sees a [`Container`]: what it holds, and a [`Source`] for each of its
//! arrays. A format is one implementation of [`Contents`] and one line of the table in `format.rs`.

use super::catalog::Catalog;
use super::format;
use super::text::TextArray;
use crate::store::Source;
use crate::{Error, Result};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What an open file or store of a format gives.
pub trait Contents: Send + Sync + Debug {
    /// What it holds.
    fn catalog(&self) -> &Catalog;

    /// The files that it is in: one, unless several are joined.
    fn paths(&self) -> Vec<PathBuf> {
        vec![self.catalog().path.clone()]
    }

    /// A source for a numeric variable.
    ///
    /// # Errors
    /// When there is no such variable, or it cannot be read as numbers.
    fn source(&self, variable: &str) -> Result<Arc<dyn Source>>;

    /// The strings of a text variable; formats that hold none need not say so themselves.
    ///
    /// # Errors
    /// When there is no such variable, or it holds no text.
    fn text(&self, variable: &str) -> Result<TextArray> {
        let catalog = self.catalog();
        match catalog.variable(variable) {
            Some(_) => Err(Error::format(
                &catalog.path,
                format!("variable {variable} holds numbers, no text"),
            )),
            None => Err(missing(catalog, variable)),
        }
    }
}

/// An open file or store of any format that can be read.
#[derive(Debug)]
pub struct Container(Box<dyn Contents>);

impl Container {
    /// Opens a file and reads what it holds, no array data.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses, [`Error::Format`] when the format is unknown or not
    /// readable, or the file broken.
    pub fn open(path: impl AsRef<Path>) -> Result<Container> {
        format::open(path.as_ref()).map(Container)
    }

    /// Contents that were opened, or put together, elsewhere.
    pub fn new(contents: impl Contents + 'static) -> Container {
        Container(Box::new(contents))
    }

    /// What the file holds.
    pub fn catalog(&self) -> &Catalog {
        self.0.catalog()
    }

    /// The files that it is in.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.0.paths()
    }

    /// A source for a numeric variable.
    ///
    /// # Errors
    /// As [`Contents::source`].
    pub fn source(&self, variable: &str) -> Result<Arc<dyn Source>> {
        self.0.source(variable)
    }

    /// The strings of a text variable.
    ///
    /// # Errors
    /// As [`Contents::text`].
    pub fn text(&self, variable: &str) -> Result<TextArray> {
        self.0.text(variable)
    }
}

/// What a file holds; reads no array data.
///
/// # Errors
/// As [`Container::open`].
pub fn open_catalog(path: impl AsRef<Path>) -> Result<Catalog> {
    Container::open(path).map(|c| c.catalog().clone())
}

/// A source for a numeric variable of a file.
///
/// # Errors
/// As [`Container::open`] and [`Container::source`].
pub fn open_source(path: impl AsRef<Path>, variable: &str) -> Result<Arc<dyn Source>> {
    Container::open(path)?.source(variable)
}

/// The strings of a text variable of a file.
///
/// # Errors
/// As [`Container::open`] and [`Container::text`].
pub fn open_text(path: impl AsRef<Path>, variable: &str) -> Result<TextArray> {
    Container::open(path)?.text(variable)
}

/// The error for a variable that a file does not have.
pub(super) fn missing(catalog: &Catalog, name: &str) -> Error {
    let reason = if catalog.dim(name).is_some() {
        format!("{name} is a dimension without values")
    } else {
        let names: Vec<&str> = catalog.variables.iter().map(|v| v.name.as_str()).collect();
        format!("no variable {name}: it has {}", names.join(", "))
    };
    Error::format(&catalog.path, reason)
}
