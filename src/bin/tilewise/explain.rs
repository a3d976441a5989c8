//! `tilewise explain`: the plan that `eval -o` would run.

use crate::options::ExplainArgs;
use crate::print;
use crate::{inputs, run};
use std::sync::Arc;
use tilewise::labelled::{Nowhere, evaluate};
use tilewise::store::Sink;
use tilewise::{Array, Result};

/// Prints the plan of an expression.
///
/// # Errors
/// What is wrong with the files or the expression, and a budget that cannot be kept.
pub fn explain(args: &ExplainArgs) -> Result<()> {
    let datasets = inputs::open(&args.files, &args.inputs)?;
    let results = evaluate(&args.expression, &datasets)?;
    let session = run::session(&args.run)?;
    let arrays: Vec<(Array, Arc<dyn Sink>)> = results
        .iter()
        .map(|r| (r.array(), Arc::new(Nowhere::like(r)) as Arc<dyn Sink>))
        .collect();
    let outputs: Vec<(&Array, Arc<dyn Sink>)> = arrays.iter().map(|(a, s)| (a, s.clone())).collect();
    let plan = session.plan_store(&outputs)?;
    for result in &results {
        print::line(format_args!("{}", result.describe()));
    }
    print::text(format_args!("{}", session.explain(&plan)));
    Ok(())
}
