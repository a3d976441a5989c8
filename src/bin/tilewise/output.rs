//! Where results go: a NetCDF-4 file with its history, or one array as NPY.

use crate::options::EvalArgs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tilewise::io::{Attributes, Compression, OutputFormat};
use tilewise::labelled::cftime::now;
use tilewise::labelled::{DataArray, Datasets, Encoding, write};
use tilewise::{Error, Result, Session};

/// An output file and its format.
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    format: OutputFormat,
}

impl Target {
    /// The target of a path, its format told by the ending.
    ///
    /// # Errors
    /// For an ending of no format that can be written, and for a folder.
    pub fn of(path: &Path) -> Result<Target> {
        let format = OutputFormat::of(path)?;
        if path.is_dir() {
            return Err(Error::io("write", path)(std::io::ErrorKind::IsADirectory.into()));
        }
        let path = path.to_path_buf();
        Ok(Target { path, format })
    }

    /// Checks that the output is none of the inputs.
    ///
    /// # Errors
    /// When it is.
    pub fn check(&self, datasets: &Datasets) -> Result<()> {
        // Links of either kind lead to one file, which its device and number tell.
        let place = |path: &Path| path.metadata().ok().map(|m| (m.dev(), m.ino()));
        let Some(own) = place(&self.path) else {
            return Ok(());
        };
        for file in datasets.paths() {
            if place(file) == Some(own) {
                return Err(Error::invalid(format!(
                    "the output {} is also an input; write to another file",
                    self.path.display()
                )));
            }
        }
        Ok(())
    }

    /// Computes the results into the file.
    ///
    /// # Errors
    /// What the run and the file system meet; nothing has the file's name then.
    pub fn write(
        &self,
        session: &Session,
        datasets: &Datasets,
        results: &[DataArray],
        args: &EvalArgs,
    ) -> Result<()> {
        let compression = match &args.codec {
            Some(text) => Compression::parse(text)?,
            None => args.deflate.map(Compression::deflate),
        };
        let encoding = Encoding {
            compression,
            attributes: attributes(datasets, args),
        };
        write(session, &self.path, self.format, results, &encoding)
    }
}

/// The first file's attributes with a line of history.
fn attributes(datasets: &Datasets, args: &EvalArgs) -> Attributes {
    let mut attributes = datasets.attributes();
    let files: Vec<String> = args.files.iter().map(|f| f.display().to_string()).collect();
    let line = format!(
        "{}: tilewise {} eval '{}' {}",
        now(),
        env!("CARGO_PKG_VERSION"),
        args.expression.replace('\n', "; "),
        files.join(" ")
    );
    let before = attributes
        .text("history")
        .map(|h| format!("\n{h}"))
        .unwrap_or_default();
    attributes.set("history", format!("{line}{before}"));
    if attributes.get("Conventions").is_none() {
        attributes.set("Conventions", "CF-1.8");
    }
    attributes
}
