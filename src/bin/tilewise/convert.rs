//! `tilewise convert`: a file in another format, chunking or compression.

use crate::options::{ConvertArgs, Progress, parse_sizes};
use crate::output::{self, Target};
use crate::{print, run};
use tilewise::Result;
use tilewise::labelled::{Conversion, Dataset, convert as convert_file};

/// Converts a file.
///
/// # Errors
/// What is wrong with the files, the flags or the machine; no output is left then.
pub fn convert(args: &ConvertArgs) -> Result<()> {
    let target = Target::of(&args.output, &args.form)?;
    let dataset = Dataset::open(&args.input)?;
    target.differs_from(dataset.paths())?;
    let container = dataset.container();
    let sizes = |flag: &str, text: &Option<String>| match text {
        Some(text) => parse_sizes(flag, text),
        None => Ok(Vec::new()),
    };
    let line = format!("convert {} {}", args.input.display(), args.output.display());
    let mut attributes = container.catalog().attributes.clone();
    output::add_history(&mut attributes, &line);
    let how = Conversion {
        variables: args.variables.clone(),
        chunks: sizes("--chunks", &args.chunks)?,
        compression: output::compression(&args.form)?,
        shards: sizes("--shards", &args.form.shards)?,
        unlimited: args.form.unlimited.clone(),
        attributes,
    };
    let session = run::session(&args.run)?;
    run::watch(&session, args.progress == Progress::Auto && !args.quiet, None);
    let notes = convert_file(&session, container, target.path(), target.format(), &how)?;
    if !args.quiet {
        for note in notes {
            print::line(format_args!("note: {note}"));
        }
    }
    Ok(())
}
