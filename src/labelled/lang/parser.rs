//! Tokens to statements, by precedence climbing.
//!
//! Errors say what was found, what could stand there, and where.

use super::ast::{
    Argument, BinaryOp, COMPARISON, Expr, ExprKind, Item, NOT, Number, POWER, SIGN, Span, Statement, UnaryOp,
};
use super::error_at;
use super::lexer::{Token, tokens};
use crate::{Error, Result};

/// Expressions nested deeper than this are refused, so that a hostile text cannot exhaust the
/// stack.
const MAX_DEPTH: usize = 200;

/// Operators or points in one row beyond this are refused for the same reason.
const MAX_CHAIN: usize = 1000;

/// The statements of a text, separated by `;` or line breaks; at least one.
///
/// # Errors
/// With the line, a caret under the place, and what was expected there.
pub fn parse(source: &str) -> Result<Vec<Statement>> {
    let mut parser = Parser {
        source,
        tokens: tokens(source)?,
        at: 0,
        depth: 0,
    };
    let mut statements = Vec::new();
    loop {
        while parser.take(";") || parser.take("\n") {}
        if parser.token() == &Token::End {
            break;
        }
        statements.push(parser.statement()?);
        if !matches!(parser.token(), Token::End | Token::Symbol(";" | "\n")) {
            return Err(parser.unexpected("an operator, `;` or the end"));
        }
    }
    if statements.is_empty() {
        return Err(parser.fail(parser.span(), "the expression is empty"));
    }
    Ok(statements)
}

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn token(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn span(&self) -> Span {
        self.tokens[self.at].1
    }

    fn ahead(&self, steps: usize) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + steps).min(last)].0
    }

    fn next(&mut self) -> (Token, Span) {
        let found = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        found
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.token(), Token::Symbol(s) if *s == symbol)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, symbol: &str, expected: &str) -> Result<Span> {
        if self.is(symbol) {
            return Ok(self.next().1);
        }
        Err(self.unexpected(expected))
    }

    fn fail(&self, span: Span, message: &str) -> Error {
        error_at(self.source, span, message)
    }

    fn unexpected(&self, expected: &str) -> Error {
        let message = format!("expected {expected}, found {}", self.token().describe());
        self.fail(self.span(), &message)
    }

    fn statement(&mut self) -> Result<Statement> {
        let assigned = match (self.token(), self.ahead(1)) {
            (Token::Name(name), Token::Symbol("=")) => Some(name.clone()),
            _ => None,
        };
        if let Some(name) = &assigned {
            let (_, span) = self.next();
            self.next();
            if is_keyword(name) {
                return Err(self.fail(span, &format!("`{name}` cannot be given a value")));
            }
        }
        let value = self.expression(0)?;
        if self.is("=") {
            return Err(self.fail(value.span, "only a plain name can be given a value"));
        }
        Ok(Statement {
            name: assigned,
            value,
        })
    }

    /// An expression whose operators bind at least as tightly as `floor`.
    fn expression(&mut self, floor: u8) -> Result<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fail(self.span(), "the expression is nested too deeply"));
        }
        let mut left = self.prefix()?;
        let mut chain = 0;
        while let Some(op) = self.infix() {
            if op.binding < floor {
                break;
            }
            chain += 1;
            if chain > MAX_CHAIN {
                return Err(self.fail(self.span(), "the expression has too many operators in one row"));
            }
            let (_, op_span) = self.next();
            let right_floor = match op.binding {
                POWER => SIGN, // to the right, and a sign may follow: 2 ** -x
                binding => binding + 1,
            };
            let right = self.expression(right_floor)?;
            let span = left.span.to(right.span);
            let kind = ExprKind::Binary(op, Box::new(left), Box::new(right));
            left = Expr { kind, span };
            if op.binding == COMPARISON && self.infix().is_some_and(|next| next.binding == COMPARISON) {
                let hint = "comparisons do not chain here; write (a < b) & (b < c)";
                return Err(self.fail(op_span.to(self.span()), hint));
            }
        }
        self.depth -= 1;
        Ok(left)
    }

    /// The infix operator at this place.
    fn infix(&self) -> Option<BinaryOp> {
        let symbol = match self.token() {
            Token::Symbol(symbol) => symbol,
            Token::Name(name) => name.as_str(),
            _ => return None,
        };
        BinaryOp::ALL.into_iter().find(|op| op.symbol == symbol)
    }

    fn prefix(&mut self) -> Result<Expr> {
        let (op, binding) = match self.token() {
            Token::Symbol("-") => (UnaryOp::Negative, SIGN),
            Token::Symbol("+") => (UnaryOp::Positive, SIGN),
            Token::Symbol("~") => (UnaryOp::Invert, SIGN),
            Token::Name(name) if name == "not" => (UnaryOp::Not, NOT),
            _ => return self.postfix(),
        };
        let (_, start) = self.next();
        let inner = self.expression(binding)?;
        let span = start.to(inner.span);
        // A negated literal is a literal, so that it stays weakly typed and exact.
        let kind = match (op, inner.kind) {
            (UnaryOp::Negative, ExprKind::Number(Number::Int(value))) => {
                ExprKind::Number(Number::Int(-value))
            }
            (UnaryOp::Negative, ExprKind::Number(Number::Float(value))) => {
                ExprKind::Number(Number::Float(-value))
            }
            (UnaryOp::Negative, ExprKind::Number(Number::Imaginary(value))) => {
                ExprKind::Number(Number::Imaginary(-value))
            }
            (op, kind) => ExprKind::Unary(
                op,
                Box::new(Expr {
                    kind,
                    span: inner.span,
                }),
            ),
        };
        Ok(Expr { kind, span })
    }

    /// A primary with calls, attributes and indices behind it.
    fn postfix(&mut self) -> Result<Expr> {
        let mut object = self.primary()?;
        for _ in 0..MAX_CHAIN {
            let start = object.span;
            if self.take("(") {
                if !matches!(object.kind, ExprKind::Name(_) | ExprKind::Attribute { .. }) {
                    return Err(self.fail(object.span, "this cannot be called; only names and methods can"));
                }
                let arguments = self.arguments()?;
                let end = self.expect(")", "`,` or `)`")?;
                let kind = ExprKind::Call {
                    callee: Box::new(object),
                    arguments,
                };
                object = Expr {
                    kind,
                    span: start.to(end),
                };
            } else if self.take("[") {
                let items = self.items()?;
                let end = self.expect("]", "`,`, `:` or `]`")?;
                let kind = ExprKind::Index {
                    object: Box::new(object),
                    items,
                };
                object = Expr {
                    kind,
                    span: start.to(end),
                };
            } else if self.take(".") {
                let Token::Name(name) = self.token().clone() else {
                    return Err(self.unexpected("the name of a method or attribute"));
                };
                let (_, name_span) = self.next();
                let kind = ExprKind::Attribute {
                    object: Box::new(object),
                    name,
                    name_span,
                };
                object = Expr {
                    kind,
                    span: start.to(name_span),
                };
            } else {
                return Ok(object);
            }
        }
        Err(self.fail(self.span(), "the expression has too many calls in one row"))
    }

    fn primary(&mut self) -> Result<Expr> {
        let span = self.span();
        let kind = match self.token().clone() {
            Token::Number(number) => {
                self.next();
                ExprKind::Number(number)
            }
            Token::Text(text) => {
                self.next();
                match self.qualifier(&text) {
                    Some(found) => found,
                    None => ExprKind::Text(text),
                }
            }
            Token::Name(name) if is_keyword(&name) && constant(&name).is_none() => {
                let hint = match name.as_str() {
                    "if" | "else" => "; write where(condition, a, b)",
                    "lambda" => "; functions of your own are part of the Rust API",
                    "in" | "is" => "; write isin-like tests with == and |",
                    _ => "",
                };
                return Err(self.fail(span, &format!("expected a value, found `{name}`{hint}")));
            }
            Token::Name(name) => {
                self.next();
                match constant(&name) {
                    Some(kind) => kind,
                    None => self.qualifier(&name).unwrap_or(ExprKind::Name(name)),
                }
            }
            Token::Symbol("...") => {
                self.next();
                ExprKind::Ellipsis
            }
            Token::Symbol("(") => {
                self.next();
                let first = self.expression(0)?;
                if self.is(",") {
                    let mut list = vec![first];
                    while self.take(",") && !self.is(")") {
                        list.push(self.expression(0)?);
                    }
                    let end = self.expect(")", "`,` or `)`")?;
                    return Ok(Expr {
                        kind: ExprKind::List(list),
                        span: span.to(end),
                    });
                }
                let end = self.expect(")", "an operator or `)`")?;
                return Ok(Expr {
                    kind: first.kind,
                    span: span.to(end),
                });
            }
            Token::Symbol("[") => {
                self.next();
                let mut list = Vec::new();
                while !self.is("]") {
                    list.push(self.expression(0)?);
                    if !self.take(",") {
                        break;
                    }
                }
                let end = self.expect("]", "`,` or `]`")?;
                return Ok(Expr {
                    kind: ExprKind::List(list),
                    span: span.to(end),
                });
            }
            _ => return Err(self.unexpected("a value")),
        };
        let end = self.tokens[self.at.saturating_sub(1)].1;
        Ok(Expr {
            kind,
            span: span.to(end),
        })
    }

    /// `file:variable` after the file's name. Slices of indices never come here with a name
    /// before the colon, because [`Parser::items`] asks for a bare bound first.
    fn qualifier(&mut self, file: &str) -> Option<ExprKind> {
        let Token::Name(name) = self.ahead(1).clone() else {
            return None;
        };
        if !self.is(":") || self.in_index() {
            return None;
        }
        self.next();
        self.next();
        Some(ExprKind::Qualified {
            file: file.to_string(),
            name,
        })
    }

    /// Whether the innermost open bracket before this place is an index's.
    fn in_index(&self) -> bool {
        let mut depth = 0usize;
        for at in (0..self.at).rev() {
            match self.tokens[at].0 {
                Token::Symbol(")" | "]") => depth += 1,
                Token::Symbol("(" | "[") if depth > 0 => depth -= 1,
                Token::Symbol(open @ ("(" | "[")) => {
                    let after_value =
                        at > 0 && matches!(self.tokens[at - 1].0, Token::Name(_) | Token::Symbol(")" | "]"));
                    return open == "[" && after_value;
                }
                _ => {}
            }
        }
        false
    }

    fn arguments(&mut self) -> Result<Vec<Argument>> {
        let mut arguments: Vec<Argument> = Vec::new();
        while !self.is(")") {
            let keyword = match (self.token(), self.ahead(1)) {
                (Token::Name(name), Token::Symbol("=")) => Some(name.clone()),
                _ => None,
            };
            let span = self.span();
            if let Some(name) = &keyword {
                if arguments.iter().any(|a| a.keyword.as_ref() == Some(name)) {
                    return Err(self.fail(span, &format!("the keyword `{name}` is given twice")));
                }
                self.next();
                self.next();
            } else if arguments.iter().any(|a| a.keyword.is_some()) {
                return Err(self.fail(span, "an argument without a keyword cannot follow one with it"));
            }
            let value = self.expression(0)?;
            arguments.push(Argument { keyword, value });
            if !self.take(",") {
                break;
            }
        }
        Ok(arguments)
    }

    fn items(&mut self) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        while !self.is("]") {
            items.push(self.item()?);
            if !self.take(",") {
                break;
            }
        }
        if items.is_empty() {
            return Err(self.unexpected("an index, a slice or `...`"));
        }
        Ok(items)
    }

    fn item(&mut self) -> Result<Item> {
        let start = self.span();
        if self.take("...") {
            return Ok(Item::Ellipsis(start));
        }
        let mut bounds = [None, None, None];
        let mut colons = 0;
        loop {
            if !self.is(":") && !self.is(",") && !self.is("]") {
                bounds[colons] = Some(self.expression(0)?);
            }
            if colons == 2 || !self.take(":") {
                break;
            }
            colons += 1;
        }
        let end = self.tokens[self.at.saturating_sub(1)].1;
        let [first, stop, step] = bounds;
        match (colons, first) {
            (0, Some(value)) => Ok(Item::At(value)),
            (0, None) => Err(self.unexpected("an index, a slice or `...`")),
            (_, first) => Ok(Item::Slice {
                start: first,
                stop,
                step,
                span: start.to(end),
            }),
        }
    }
}

/// Python's words that are no names, as far as they can appear in an expression.
fn is_keyword(name: &str) -> bool {
    let words = [
        "and", "or", "not", "if", "else", "for", "in", "is", "lambda", "True", "False", "None",
    ];
    words.contains(&name)
}

/// The value of a constant's name. `nan`, `inf` and `pi` are names that statements may redefine.
fn constant(name: &str) -> Option<ExprKind> {
    match name {
        "True" => Some(ExprKind::Bool(true)),
        "False" => Some(ExprKind::Bool(false)),
        "None" => Some(ExprKind::None),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
