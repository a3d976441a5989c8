//! `tilewise info`: what files hold.

use crate::options::InfoArgs;
use crate::stats::{self, Ranged};
use crate::summary::number;
use crate::{print, run};
use serde_json::{Map, Value, json};
use tilewise::io::{AttrValue, Attributes, Catalog, Variable};
use tilewise::labelled::Dataset;
use tilewise::{DType, Result, Scalar, human_bytes};

/// Prints the content of files.
///
/// # Errors
/// When a file cannot be opened.
pub fn info(args: &InfoArgs) -> Result<()> {
    let files: Vec<Dataset> = args.files.iter().map(Dataset::open).collect::<Result<_>>()?;
    let ranges: Vec<Vec<Ranged>> = match args.stats {
        true => {
            let session = run::session(&args.run)?;
            run::watch(&session, true, None);
            files
                .iter()
                .map(|f| stats::of(&session, f))
                .collect::<Result<_>>()?
        }
        false => files.iter().map(|_| Vec::new()).collect(),
    };
    if args.json {
        let all = files.iter().zip(&ranges).map(|(f, r)| to_json(f.catalog(), r));
        print::line(format_args!("{}", all.collect::<Value>()));
        return Ok(());
    }
    for (at, (file, ranges)) in files.iter().zip(&ranges).enumerate() {
        if at > 0 {
            print::line(format_args!(""));
        }
        show(file.catalog(), ranges);
    }
    Ok(())
}

fn show(catalog: &Catalog, ranges: &[Ranged]) {
    print::line(format_args!("{} ({})", catalog.path.display(), catalog.format));
    if !catalog.dims.is_empty() {
        print::line(format_args!("dimensions:"));
        for dim in &catalog.dims {
            let grows = if dim.unlimited { ", unlimited" } else { "" };
            print::line(format_args!("  {} = {}{grows}", dim.name, dim.len));
        }
    }
    print::line(format_args!("variables:"));
    for variable in &catalog.variables {
        let axes: Vec<String> = variable
            .dims
            .iter()
            .zip(&variable.shape)
            .map(|(d, n)| format!("{d}: {n}"))
            .collect();
        let mut storage = vec![human_bytes(variable.stored_bytes)];
        if let Some(ratio) = ratio(variable).filter(|_| !variable.codecs.is_empty()) {
            storage.push(format!("1:{ratio:.1}"));
        }
        if let Some(chunks) = &variable.chunks {
            let sizes: Vec<String> = chunks.iter().map(usize::to_string).collect();
            storage.push(format!("chunks {}", sizes.join("x")));
        }
        if !variable.codecs.is_empty() {
            storage.push(variable.codecs.clone());
        }
        print::line(format_args!(
            "  {} {} ({})  [{}]",
            variable.dtype,
            variable.name,
            axes.join(", "),
            storage.join(", ")
        ));
        if let Some(range) = ranges.iter().find(|r| r.name == variable.name) {
            match range.statistics {
                Some([min, max, mean, count]) => print::line(format_args!(
                    "    min {min}  max {max}  mean {mean}  missing {}",
                    missing(range, count)
                )),
                None => print::line(format_args!("    no element")),
            }
        }
        show_attributes(&variable.attributes, "    ");
    }
    if !catalog.attributes.is_empty() {
        print::line(format_args!("attributes:"));
        show_attributes(&catalog.attributes, "  ");
    }
    for note in &catalog.notes {
        print::line(format_args!("note: {note}"));
    }
}

fn show_attributes(attributes: &Attributes, indent: &str) {
    for (name, value) in attributes.iter() {
        let text = match value {
            AttrValue::Text(text) => text.replace('\n', "\\n"),
            AttrValue::Float(dtype, values) => numbers(*dtype, values),
            other => attribute_json(other).to_string(),
        };
        print::line(format_args!("{indent}{name} = {text}"));
    }
}

/// Floats in their dtype's shortest form, several in brackets.
fn numbers(dtype: DType, values: &[f64]) -> String {
    let shown: Vec<String> = values
        .iter()
        .map(|&v| match dtype {
            DType::F32 => Scalar::new(v as f32).to_string(),
            _ => Scalar::new(v).to_string(),
        })
        .collect();
    match shown.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// How many bytes of values one stored byte holds.
fn ratio(variable: &Variable) -> Option<f64> {
    let bytes = variable.shape.iter().product::<usize>() * variable.numeric()?.size();
    (bytes > 0 && variable.stored_bytes > 0).then(|| bytes as f64 / variable.stored_bytes as f64)
}

/// Values that are not there.
fn missing(range: &Ranged, count: Scalar) -> u64 {
    (range.elements as u64).saturating_sub(count.to_f64() as u64)
}

fn to_json(catalog: &Catalog, ranges: &[Ranged]) -> Value {
    let variables: Vec<Value> = catalog
        .variables
        .iter()
        .map(|v| {
            let mut entry = json!({
                "name": v.name,
                "dims": v.dims,
                "shape": v.shape,
                "dtype": v.dtype.to_string(),
                "chunks": v.chunks,
                "codecs": v.codecs,
                "stored_bytes": v.stored_bytes,
                "compression_ratio": ratio(v),
                "attributes": attributes_json(&v.attributes),
            });
            let range = ranges.iter().find(|r| r.name == v.name);
            if let (Some(range), Some(object)) = (range, entry.as_object_mut()) {
                let [min, max, mean, count] = match range.statistics {
                    Some(s) => s.map(number),
                    None => [Value::Null, Value::Null, Value::Null, 0.into()],
                };
                let missing = range.statistics.map_or(0, |s| missing(range, s[3]));
                object.insert(
                    "stats".into(),
                    json!({ "min": min, "max": max, "mean": mean, "count": count, "missing": missing }),
                );
            }
            entry
        })
        .collect();
    let dims: Vec<Value> = catalog
        .dims
        .iter()
        .map(|d| json!({ "name": d.name, "size": d.len, "unlimited": d.unlimited }))
        .collect();
    json!({
        "path": catalog.path.display().to_string(),
        "format": catalog.format,
        "dims": dims,
        "variables": variables,
        "attributes": attributes_json(&catalog.attributes),
        "notes": catalog.notes,
    })
}

fn attributes_json(attributes: &Attributes) -> Value {
    let entries: Map<String, Value> = attributes
        .iter()
        .map(|(n, v)| (n.to_string(), attribute_json(v)))
        .collect();
    Value::Object(entries)
}

/// An attribute as JSON: one value alone, several as a list, NaN as null.
pub fn attribute_json(value: &AttrValue) -> Value {
    let several = |mut list: Vec<Value>| match list.len() {
        1 => list.remove(0),
        _ => Value::Array(list),
    };
    match value {
        AttrValue::Text(text) => text.as_str().into(),
        AttrValue::TextList(list) => list.iter().map(|t| Value::from(t.as_str())).collect(),
        AttrValue::Int(_, v) => several(v.iter().map(|&x| x.into()).collect()),
        AttrValue::UInt(_, v) => several(v.iter().map(|&x| x.into()).collect()),
        AttrValue::Float(_, v) => several(v.iter().map(|&x| json!(x)).collect()),
    }
}
