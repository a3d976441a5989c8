//! The files of a command line as one set of named variables.

use crate::options::{Inputs, parse_chunks};
use std::path::{Path, PathBuf};
use tilewise::io::{Container, RawFile};
use tilewise::labelled::{Dataset, Datasets};
use tilewise::{Error, Result};

/// Opens files with their aliases and chunk sizes.
///
/// # Errors
/// A file that cannot be opened, or an alias of another form than `name=FILE:VAR`.
pub fn open(files: &[PathBuf], inputs: &Inputs) -> Result<Datasets> {
    let mut datasets = Datasets::open(files)?;
    for text in &inputs.lets {
        let (name, file, variable) = alias(text)
            .ok_or_else(|| Error::invalid(format!("--let {text:?} is not of the form name=FILE:VAR")))?;
        datasets.alias(name, Path::new(file), variable)?;
    }
    for text in &inputs.raw {
        let (name, described) = text
            .split_once('=')
            .filter(|(name, _)| !name.trim().is_empty())
            .ok_or_else(|| {
                Error::invalid(format!(
                    "--raw {text:?} is not of the form NAME=FILE:DTYPE:SHAPE, as in x=field.bin:float32:100x200"
                ))
            })?;
        let file = Dataset::of(Container::new(RawFile::parse(described)?));
        datasets.add(name.trim(), file, "data")?;
    }
    if let Some(chunks) = &inputs.chunks {
        datasets.chunk(parse_chunks(chunks)?)?;
    }
    if datasets.is_empty() {
        return Err(Error::invalid("no input file is given"));
    }
    Ok(datasets)
}

fn alias(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('=')?;
    let (file, variable) = rest.rsplit_once(':')?;
    let whole = [name, file, variable].iter().all(|part| !part.trim().is_empty());
    whole.then_some((name.trim(), file, variable.trim()))
}
