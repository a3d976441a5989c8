//! The command line: it opens files, hands an expression to the library, and shows what comes.
//!
//! Exit codes: 0 done, 1 the input or the expression is wrong, 2 the command line is, 3 the machine
//! failed, 130 interrupted.

mod bench;
mod convert;
mod devices;
mod eval;
mod explain;
mod info;
mod inputs;
mod options;
mod output;
mod print;
mod report;
mod run;
mod sample;
mod stats;
mod summary;
mod trace;

use clap::Parser;
use options::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Info(args) => info::info(args),
        Command::Eval(args) => eval::eval(args),
        Command::Convert(args) => convert::convert(args),
        Command::Explain(args) => explain::explain(args),
        Command::Devices(args) => devices::devices(args),
        Command::Sample(args) => sample::sample(args),
        Command::Bench(args) => bench::bench(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tilewise: error: {error}");
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(3))
        }
    }
}
