//! JSON of stores: numbers that JSON lacks, and attributes to and from it.
//!
//! Python writes `NaN` and `Infinity` into attributes, which no JSON has; a text with such words is read
//! all the same.

use crate::io::catalog::{AttrValue, Attributes};
use crate::{DType, Error, Result};
use serde_json::{Map, Number, Value};
use std::path::Path;

/// Marks texts that stand for numbers that JSON lacks.
const MARK: char = '\u{1}';

/// The words, and their numbers.
const WORDS: [(&str, f64); 3] = [
    ("-Infinity", f64::NEG_INFINITY),
    ("Infinity", f64::INFINITY),
    ("NaN", f64::NAN),
];

/// Parses an object of a store.
///
/// # Errors
/// When it is no JSON object.
pub(super) fn parse(location: &Path, key: &str, bytes: &[u8]) -> Result<Map<String, Value>> {
    let wrong = |what: String| Error::format(location, format!("{key} is not readable: {what}"));
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".into()))?;
    let parsed = serde_json::from_str(text)
        .or_else(|e| serde_json::from_str(&with_marks(text)).map_err(|_| wrong(e.to_string())))?;
    match parsed {
        Value::Object(map) => Ok(map),
        _ => Err(wrong("it is no JSON object".into())),
    }
}

/// The text with the bare words that are no JSON as marked strings.
fn with_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let (mut rest, mut quoted) = (text, false);
    while let Some(c) = rest.chars().next() {
        if quoted && c == '\\' {
            let end = rest.char_indices().nth(2).map_or(rest.len(), |(i, _)| i);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        quoted ^= c == '"';
        match WORDS.iter().find(|(word, _)| !quoted && rest.starts_with(word)) {
            Some((word, _)) => {
                out.push_str(&format!("\"\\u0001{word}\""));
                rest = &rest[word.len()..];
            }
            None => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

/// A number as it stands in JSON, marked words included.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(text) => {
            let word = text.strip_prefix(MARK)?;
            WORDS.iter().find(|(w, _)| *w == word).map(|(_, v)| *v)
        }
        _ => None,
    }
}

/// Attributes as the catalog has them.
pub(super) fn attributes(map: &Map<String, Value>) -> Attributes {
    let mut out = Attributes::new();
    for (name, value) in map {
        out.set(name.as_str(), attribute(value));
    }
    out
}

fn attribute(value: &Value) -> AttrValue {
    let list = match value {
        Value::String(text) if !text.starts_with(MARK) => return AttrValue::Text(text.clone()),
        Value::Array(list) => list.as_slice(),
        single => std::slice::from_ref(single),
    };
    list_of(list).unwrap_or_else(|| AttrValue::Text(value.to_string()))
}

/// Values of one family; `None` for none, a mixture, and what is neither number nor text.
fn list_of(list: &[Value]) -> Option<AttrValue> {
    if list.is_empty() {
        return None;
    }
    let all = |f: fn(&Value) -> bool| list.iter().all(f);
    if all(Value::is_boolean) {
        let bits = list.iter().map(|v| i64::from(v.as_bool() == Some(true)));
        return Some(AttrValue::Int(DType::Bool, bits.collect()));
    }
    if all(Value::is_i64) {
        return Some(AttrValue::Int(
            DType::I64,
            list.iter().filter_map(Value::as_i64).collect(),
        ));
    }
    if all(Value::is_u64) {
        return Some(AttrValue::UInt(
            DType::U64,
            list.iter().filter_map(Value::as_u64).collect(),
        ));
    }
    let numbers: Option<Vec<f64>> = list.iter().map(number).collect();
    if let Some(numbers) = numbers {
        return Some(AttrValue::Float(DType::F64, numbers));
    }
    let texts: Option<Vec<String>> = list
        .iter()
        .map(|v| v.as_str().filter(|t| !t.starts_with(MARK)).map(str::to_string))
        .collect();
    texts.map(AttrValue::TextList)
}

/// An attribute as JSON: one element as itself, several as a list. Numbers that JSON lacks become
/// texts, which every reader takes.
pub(super) fn value_of(attribute: &AttrValue) -> Value {
    fn one_or_list<T>(values: &[T], json: impl Fn(&T) -> Value) -> Value {
        match values {
            [one] => json(one),
            many => Value::Array(many.iter().map(json).collect()),
        }
    }
    match attribute {
        AttrValue::Text(text) => Value::String(text.clone()),
        AttrValue::TextList(list) => Value::Array(list.iter().cloned().map(Value::String).collect()),
        AttrValue::Int(DType::Bool, v) => one_or_list(v, |x| Value::Bool(*x != 0)),
        AttrValue::Int(_, v) => one_or_list(v, |x| Value::from(*x)),
        AttrValue::UInt(_, v) => one_or_list(v, |x| Value::from(*x)),
        AttrValue::Float(_, v) => one_or_list(v, |x| float(*x)),
    }
}

/// A float as JSON; what JSON lacks as the text that Zarr uses for it.
pub(super) fn float(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => Value::from("NaN"),
        None if value > 0.0 => Value::from("Infinity"),
        None => Value::from("-Infinity"),
    }
}

/// Attributes as a JSON object.
pub(super) fn object_of(attributes: &Attributes) -> Map<String, Value> {
    attributes
        .iter()
        .map(|(name, value)| (name.to_string(), value_of(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_json_lacks_are_numbers() {
        let text = br#"{"a": NaN, "b": [1, -Infinity], "c": "NaN \" Infinity", "d": true, "e": [],
            "f": {"g": 1}, "h": ["x", "y"], "i": 18446744073709551615, "j": -3, "k": [0.5, 2]}"#;
        let map = parse(Path::new("s"), ".zattrs", text).unwrap();
        let a = attributes(&map);
        assert!(a.get("a").and_then(AttrValue::as_f64).is_some_and(f64::is_nan));
        assert_eq!(
            a.get("b"),
            Some(&AttrValue::Float(DType::F64, vec![1.0, f64::NEG_INFINITY]))
        );
        assert_eq!(a.text("c"), Some("NaN \" Infinity"));
        assert_eq!(a.get("d"), Some(&AttrValue::Int(DType::Bool, vec![1])));
        assert_eq!((a.text("e"), a.text("f")), (Some("[]"), Some("{\"g\":1}")));
        assert_eq!(a.get("i"), Some(&AttrValue::UInt(DType::U64, vec![u64::MAX])));
        assert_eq!(a.get("j"), Some(&AttrValue::Int(DType::I64, vec![-3])));
        assert_eq!(a.get("k"), Some(&AttrValue::Float(DType::F64, vec![0.5, 2.0])));
        let back = object_of(&a);
        assert_eq!((&back["h"], &back["j"]), (&map["h"], &map["j"]));
        assert_eq!(back["a"], Value::from("NaN"));
        for bad in ["[1]", "{\"a\": nan}", "\u{0}", "{"] {
            assert!(parse(Path::new("s"), "zarr.json", bad.as_bytes()).is_err());
        }
    }
}
