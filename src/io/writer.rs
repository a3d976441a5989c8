//! A file or store being written, whatever its format.
//!
//! A [`super::FileSpec`] says what it shall hold, a [`Writer`] takes its elements, and nothing has its
//! name before [`Writer::finish`]. A format is one implementation of [`Writer`] and one row of
//! the table of [`super::OutputFormat`].

use super::catalog::VarType;
use super::spec::VariableSpec;
use crate::geometry::Region;
use crate::store::Sink;
use crate::{Error, Result};
use std::fmt::Debug;
use std::sync::Arc;

/// A file or store being written; dropping it unfinished leaves nothing behind.
pub trait Writer: Send + Sync + Debug {
    /// A sink for a numeric variable.
    ///
    /// # Errors
    /// When there is no such variable or it is text.
    fn sink(&self, variable: &str) -> Result<Arc<dyn Sink>>;

    /// Writes all strings of a text variable, row-major; for [`super::VarType::Char`] the last
    /// dimension is the room of each string, and what is not used is NUL. Texts come before numbers:
    /// some formats need their lengths before they can place anything else.
    ///
    /// # Errors
    /// When there is no such variable, it is numeric, the number of strings is wrong, or one is too
    /// long.
    fn write_text(&self, variable: &str, values: &[String]) -> Result<()>;

    /// Writes all elements of a numeric variable, row-major.
    ///
    /// # Errors
    /// As [`Writer::sink`], and when `bytes` are not the variable's bytes.
    fn write_whole(&self, variable: &str, bytes: &[u8]) -> Result<()> {
        let sink = self.sink(variable)?;
        sink.write(&Region::whole(sink.shape()), bytes)
    }

    /// Gives the file its name, replacing one that has it.
    ///
    /// # Errors
    /// When the system refuses, or a write failed before; then nothing has that name.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Checks the strings of a text variable of that shape, and gives the bytes that each has room for;
/// `None` where strings have a length of their own.
///
/// # Errors
/// When the variable is numeric, the number of strings is wrong, or one is too long.
pub(super) fn check_texts(spec: &VariableSpec, shape: &[usize], values: &[String]) -> Result<Option<usize>> {
    let name = &spec.name;
    let (width, shape) = match (&spec.dtype, shape) {
        (VarType::Text, shape) => (None, shape),
        (VarType::Char, [shape @ .., width]) => (Some(*width), shape),
        (VarType::Char, []) => (Some(1), shape),
        _ => return Err(Error::invalid(format!("variable {name} is not text"))),
    };
    let count: usize = shape.iter().product();
    if values.len() != count {
        return Err(Error::invalid(format!(
            "variable {name} has {count} strings, {} are given",
            values.len()
        )));
    }
    match width.and_then(|w| values.iter().find(|v| v.len() > w).map(|v| (v, w))) {
        Some((long, width)) => Err(Error::invalid(format!(
            "variable {name} has room for {width} bytes, {long:?} has {}",
            long.len()
        ))),
        None => Ok(width),
    }
}
