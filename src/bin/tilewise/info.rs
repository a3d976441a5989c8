//! `tilewise info`: what files hold.

use crate::options::InfoArgs;
use crate::print;
use serde_json::{Map, Value, json};
use tilewise::io::{AttrValue, Attributes, Catalog, open_catalog};
use tilewise::{DType, Result, Scalar, human_bytes};

/// Prints the content of files.
///
/// # Errors
/// When a file cannot be opened.
pub fn info(args: &InfoArgs) -> Result<()> {
    let catalogs: Vec<Catalog> = args.files.iter().map(open_catalog).collect::<Result<_>>()?;
    if args.json {
        print::line(format_args!(
            "{}",
            catalogs.iter().map(to_json).collect::<Value>()
        ));
        return Ok(());
    }
    for (at, catalog) in catalogs.iter().enumerate() {
        if at > 0 {
            print::line(format_args!(""));
        }
        show(catalog);
    }
    Ok(())
}

fn show(catalog: &Catalog) {
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

fn to_json(catalog: &Catalog) -> Value {
    let variables: Vec<Value> = catalog
        .variables
        .iter()
        .map(|v| {
            json!({
                "name": v.name,
                "dims": v.dims,
                "shape": v.shape,
                "dtype": v.dtype.to_string(),
                "chunks": v.chunks,
                "codecs": v.codecs,
                "stored_bytes": v.stored_bytes,
                "attributes": attributes_json(&v.attributes),
            })
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
