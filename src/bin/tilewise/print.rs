//! Printing to standard output, which may be a pipe that its reader closes early (`… | head`).
//!
//! The standard macros panic there. Whoever closes a pipe has seen enough, so nothing is said; a
//! full disk behind a redirection is an error of the machine.

use std::fmt;
use std::io::{ErrorKind, Write};

/// Prints text as it is.
pub fn text(text: fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    match out.write_fmt(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("tilewise: error: cannot write to standard output: {error}");
            std::process::exit(3);
        }
        _ => {}
    }
}

/// Prints a line.
pub fn line(line: fmt::Arguments<'_>) {
    text(format_args!("{line}\n"));
}
