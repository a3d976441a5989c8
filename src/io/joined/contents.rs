//! A file that is put together from others, as [`Contents`].

use super::FilePool;
use crate::io::catalog::Catalog;
use crate::io::contents::{Contents, missing};
use crate::io::text::TextArray;
use crate::store::Source;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The files that a text variable is in, in order.
#[derive(Clone, Debug)]
pub struct JoinedText {
    /// Their numbers in the pool.
    pub files: Vec<usize>,
    /// The axis along which they follow each other.
    pub axis: usize,
}

/// Many files under one catalog.
#[derive(Debug)]
pub struct Joined {
    /// What they hold together.
    pub catalog: Catalog,
    /// The files.
    pub pool: Arc<FilePool>,
    /// The numeric variables.
    pub sources: BTreeMap<String, Arc<dyn Source>>,
    /// The text variables.
    pub texts: BTreeMap<String, JoinedText>,
}

impl Contents for Joined {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.pool.paths().to_vec()
    }

    fn source(&self, variable: &str) -> Result<Arc<dyn Source>> {
        match (self.sources.get(variable), self.catalog.variable(variable)) {
            (Some(source), _) => Ok(source.clone()),
            (None, Some(found)) => Err(Error::format(
                &self.catalog.path,
                format!(
                    "variable {variable} holds {} elements, which are not numbers",
                    found.dtype
                ),
            )),
            (None, None) => Err(missing(&self.catalog, variable)),
        }
    }

    fn text(&self, variable: &str) -> Result<TextArray> {
        let Some(text) = self.texts.get(variable) else {
            return Err(match self.catalog.variable(variable) {
                Some(_) => Error::format(
                    &self.catalog.path,
                    format!("variable {variable} holds numbers, no text"),
                ),
                None => missing(&self.catalog, variable),
            });
        };
        let mut joined: Option<TextArray> = None;
        for &file in &text.files {
            let part = self.pool.get(file)?.text(variable)?;
            let Some(whole) = &mut joined else {
                joined = Some(part);
                continue;
            };
            // Only the outermost axis is one piece after the other.
            if text.axis != 0 || part.shape.len() != whole.shape.len() || part.shape.is_empty() {
                return Err(Error::format(
                    self.pool.path(file),
                    format!(
                        "variable {variable}: text is joined along its first axis only, not along axis {} of {:?}",
                        text.axis, part.shape
                    ),
                ));
            }
            whole.shape[0] += part.shape[0];
            whole.values.extend(part.values);
        }
        joined.ok_or_else(|| missing(&self.catalog, variable))
    }
}
