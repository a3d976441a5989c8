//! The expression language: what xarray users write, read into a tree with places.
//!
//! A subset of Python's expressions, so that `air - air.groupby("time.month").mean()` means here
//! what it means there. Every node knows its place in the text, so that an error found much later
//! (two shapes that do not agree) can still point at it.

mod ast;
mod lexer;
mod parser;

pub use ast::{Argument, BinaryOp, Expr, ExprKind, Item, Number, Span, Statement, UnaryOp};
pub use parser::parse;

use crate::Error;

/// What is wrong at a place of the source text, with the line and a caret beneath the place.
pub fn error_at(source: &str, span: Span, message: &str) -> Error {
    let start = span.start.min(source.len());
    let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = source[start..].find('\n').map_or(source.len(), |at| start + at);
    let line = &source[line_start..line_end];
    let before = source[line_start..start].chars().count();
    let inside = &source[start..span.end.clamp(start, line_end)];
    let width = inside.chars().count().max(1);
    let blank: String = line
        .chars()
        .take(before)
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    Error::invalid(format!("{message}\n  {line}\n  {blank}{}", "^".repeat(width)))
}
