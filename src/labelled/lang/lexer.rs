//! Text to tokens with their places.

use super::ast::{Number, Span};
use super::error_at;
use crate::Result;

/// A token.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token {
    /// A number.
    Number(Number),
    /// A string without its quotes.
    Text(String),
    /// A name or keyword; names with odd characters stand between backticks.
    Name(String),
    /// An operator or punctuation.
    Symbol(&'static str),
    /// The end of the text.
    End,
}

/// Operators and punctuation, longer ones before their beginnings.
const SYMBOLS: [&str; 30] = [
    "...", "**", "//", "<<", ">>", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "&", "^", "|",
    "~", "(", ")", "[", "]", ",", ":", ";", "=", ".", "\n",
];

impl Token {
    /// How messages call it.
    pub(super) fn describe(&self) -> String {
        match self {
            Token::Number(Number::Int(value)) => format!("the number {value}"),
            Token::Number(Number::Float(value)) => format!("the number {value}"),
            Token::Number(Number::Imaginary(value)) => format!("the number {value}j"),
            Token::Text(text) => format!("the string {text:?}"),
            Token::Name(name) => format!("`{name}`"),
            Token::Symbol("\n") => "the end of the line".into(),
            Token::Symbol(symbol) => format!("`{symbol}`"),
            Token::End => "the end of the expression".into(),
        }
    }
}

/// The tokens of a text, `End` last. A line break outside of brackets separates statements.
///
/// # Errors
/// At a character that begins no token, a string without an end, or a malformed number.
pub(super) fn tokens(source: &str) -> Result<Vec<(Token, Span)>> {
    let mut found = Vec::new();
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(next) = source[at..].chars().next() {
        let rest = &source[at..];
        if next == '#' {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        if next.is_whitespace() && (next != '\n' || depth > 0) {
            at += next.len_utf8();
            continue;
        }
        let (token, length) = token(source, at)?;
        match token {
            Token::Symbol("(" | "[") => depth += 1,
            Token::Symbol(")" | "]") => depth = depth.saturating_sub(1),
            _ => {}
        }
        let span = Span {
            start: at,
            end: at + length,
        };
        found.push((token, span));
        at += length;
    }
    let span = Span { start: at, end: at };
    found.push((Token::End, span));
    Ok(found)
}

/// The token at a place and its length in bytes.
fn token(source: &str, at: usize) -> Result<(Token, usize)> {
    let rest = &source[at..];
    let first = rest.chars().next().unwrap_or(' ');
    let second = rest[first.len_utf8()..].chars().next().unwrap_or(' ');
    let fail = |length: usize, message: &str| {
        let span = Span {
            start: at,
            end: at + length,
        };
        Err(error_at(source, span, message))
    };
    if first.is_ascii_digit() || (first == '.' && second.is_ascii_digit()) {
        let length = number_length(rest);
        return match number(&rest[..length]) {
            Some(value) => Ok((Token::Number(value), length)),
            None => fail(length, &format!("`{}` is no number", &rest[..length])),
        };
    }
    if first.is_alphabetic() || first == '_' {
        let length = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        return Ok((Token::Name(rest[..length].to_string()), length));
    }
    match first {
        '"' | '\'' => match string(rest, first) {
            Some((text, length)) => Ok((Token::Text(text), length)),
            None => fail(1, "this string has no end"),
        },
        '`' => match rest[1..].find('`') {
            Some(length) => Ok((Token::Name(rest[1..=length].to_string()), length + 2)),
            None => fail(1, "this name has no closing backtick"),
        },
        '{' | '}' => fail(
            1,
            "dictionaries are not part of the language; write keywords, as in x.isel(time=0)",
        ),
        '@' => fail(1, "`@` is not supported; write sum(a * b, \"dim\")"),
        _ => match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            Some(symbol) => Ok((Token::Symbol(symbol), symbol.len())),
            None => fail(first.len_utf8(), &format!("`{first}` begins nothing here")),
        },
    }
}

/// The bytes of a number literal: digits, underscores, a point, an exponent, a base prefix.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let exponent_sign = matches!(bytes[at], b'+' | b'-')
            && at > 0
            && matches!(bytes[at - 1], b'e' | b'E')
            && !text.starts_with("0x");
        if !(bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b'_' | b'.') || exponent_sign) {
            break;
        }
        // `1...` is a number and an ellipsis; `1.name` stays one malformed number.
        if bytes[at] == b'.' && text[at..].starts_with("..") {
            break;
        }
        at += 1;
    }
    at
}

fn number(text: &str) -> Option<Number> {
    if text.starts_with('_') || text.ends_with('_') || text.contains("__") {
        return None;
    }
    let digits = text.replace('_', "");
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(body) = digits.to_ascii_lowercase().strip_prefix(prefix) {
            return i128::from_str_radix(body, radix).ok().map(Number::Int);
        }
    }
    if let Some(Number::Int(_) | Number::Float(_)) = digits.strip_suffix(['j', 'J']).and_then(number) {
        return digits[..digits.len() - 1].parse().ok().map(Number::Imaginary);
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return digits.parse().ok().map(Number::Int);
    }
    let floating = digits
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    digits.parse().ok().filter(|_| floating).map(Number::Float)
}

/// The content of the string that begins `text`, and its length with both quotes.
fn string(text: &str, quote: char) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' => return None,
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                other => out.push(other),
            },
            c if c == quote => return Some((out, at + 1)),
            c => out.push(c),
        }
    }
    None
}
