//! Where results go: a NetCDF-4 file with its history, or one array as NPY.

use crate::options::{EvalArgs, OutputArgs, parse_sizes};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tilewise::io::{Attributes, Compression, OutputFormat};
use tilewise::labelled::cftime::now;
use tilewise::labelled::{DataArray, Datasets, Encoding, append, write, write_region};
use tilewise::{DType, Error, Result, Session};

/// An output file and its format.
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    format: OutputFormat,
}

impl Target {
    /// The target of a path, its format told by a flag or by the ending.
    ///
    /// # Errors
    /// For a format that cannot be written.
    pub fn of(path: &Path, form: &OutputArgs) -> Result<Target> {
        let format = match &form.format {
            Some(name) => OutputFormat::parse(name)?,
            None => OutputFormat::of(path)?,
        };
        if path.is_dir() && !format.is_folder() {
            return Err(Error::io("write", path)(std::io::ErrorKind::IsADirectory.into()));
        }
        let path = path.to_path_buf();
        Ok(Target { path, format })
    }

    /// Where it goes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its format.
    pub fn format(&self) -> OutputFormat {
        self.format
    }

    /// Checks that the output is none of the inputs.
    ///
    /// # Errors
    /// When it is.
    pub fn differs_from<P: AsRef<Path>>(&self, inputs: impl IntoIterator<Item = P>) -> Result<()> {
        // Links of either kind lead to one file, which its device and number tell.
        let place = |path: &Path| path.metadata().ok().map(|m| (m.dev(), m.ino()));
        let Some(own) = place(&self.path) else {
            return Ok(());
        };
        for file in inputs {
            if place(file.as_ref()) == Some(own) {
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
        if let Some(dim) = &args.append {
            return append(session, &self.path, self.format, dim, results);
        }
        if !args.region.is_empty() {
            return write_region(session, &self.path, self.format, &args.region, results);
        }
        let sizes = |flag: &str, text: &Option<String>| match text {
            Some(text) => parse_sizes(flag, text),
            None => Ok(Vec::new()),
        };
        let form = &args.form;
        let encoding = Encoding {
            compression: compression(form)?.flatten(),
            chunks: sizes("--stored-chunks", &args.stored_chunks)?,
            shards: sizes("--shards", &form.shards)?,
            unlimited: form.unlimited.clone(),
            pack: args.pack.as_deref().map(packed).transpose()?,
            attributes: attributes(datasets, args),
        };
        write(session, &self.path, self.format, results, &encoding)
    }
}

/// The compression that flags ask for: `None` where none of them is given.
///
/// # Errors
/// For an unknown codec.
pub fn compression(form: &OutputArgs) -> Result<Option<Option<Compression>>> {
    Ok(match (&form.codec, form.deflate) {
        (Some(text), _) => Some(Compression::parse(text)?),
        (None, Some(level)) => Some(Some(Compression::deflate(level))),
        (None, None) => None,
    })
}

/// The dtype of `--pack`.
fn packed(text: &str) -> Result<DType> {
    DType::parse(text)
        .ok_or_else(|| Error::invalid(format!("--pack {text:?} is no dtype; int16 and uint8 are")))
}

/// Puts a line before the history.
pub fn add_history(attributes: &mut Attributes, what: &str) {
    let line = format!("{}: tilewise {} {what}", now(), env!("CARGO_PKG_VERSION"));
    let before = attributes
        .text("history")
        .map(|h| format!("\n{h}"))
        .unwrap_or_default();
    attributes.set("history", format!("{line}{before}"));
}

/// The first file's attributes with a line of history.
fn attributes(datasets: &Datasets, args: &EvalArgs) -> Attributes {
    let mut attributes = datasets.attributes();
    let files: Vec<String> = args.files.iter().map(|f| f.display().to_string()).collect();
    let what = format!(
        "eval '{}' {}",
        args.expression.replace('\n', "; "),
        files.join(" ")
    );
    add_history(&mut attributes, &what);
    if attributes.get("Conventions").is_none() {
        attributes.set("Conventions", "CF-1.8");
    }
    attributes
}
