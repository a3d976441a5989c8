//! `tilewise eval`: the main job.

use crate::options::{EvalArgs, Progress, ReportForm};
use crate::print;
use crate::trace::Trace;
use crate::{inputs, output, report, run, summary};
use std::sync::Arc;
use tilewise::Result;
use tilewise::labelled::evaluate;

/// Computes an expression and shows or writes the results.
///
/// # Errors
/// What is wrong with the files, the expression or the machine; no output is left then.
pub fn eval(args: &EvalArgs) -> Result<()> {
    let target = args
        .output
        .as_deref()
        .map(|path| output::Target::of(path, &args.form))
        .transpose()?;
    let datasets = inputs::open(&args.files, &args.inputs)?;
    if let Some(target) = &target {
        target.differs_from(datasets.paths())?;
    }
    let results = evaluate(&args.expression, &datasets)?;
    let keep = run::Keep {
        folder: args.resume.clone(),
        limit: args.resume_limit.clone(),
    };
    let session = run::resumable_session(&args.run, &keep)?;
    let trace = args.trace.as_ref().map(|_| Arc::new(Trace::new()));
    run::watch(
        &session,
        args.progress == Progress::Auto && !args.quiet,
        trace.clone(),
    );
    let shown = session.job(|| match &target {
        Some(target) => target.write(&session, &datasets, &results, args).map(|()| None),
        None => summary::compute(&session, &results).map(Some),
    })?;
    if let (Some(trace), Some(path)) = (trace, &args.trace) {
        trace.write(path)?;
    }
    let as_json = args.json || args.report == Some(ReportForm::Json);
    if as_json {
        let mut out = serde_json::Map::new();
        if let Some(shown) = &shown {
            out.insert("results".into(), summary::json(shown));
        }
        if args.report == Some(ReportForm::Json) {
            out.insert("report".into(), report::json(&session)?);
        }
        print::line(format_args!("{}", serde_json::Value::Object(out)));
    } else if let (Some(shown), false) = (&shown, args.quiet) {
        print::text(format_args!("{}", summary::table(shown)));
    }
    if args.report == Some(ReportForm::Table) {
        eprint!("{}", report::text(&session, ReportForm::Table)?);
    }
    Ok(())
}
