//! A file in another format, chunking or compression: the stored values as they are.
//!
//! Nothing is decoded: packed integers stay packed, with the attributes that say how, so that the
//! copy means what the original meant. Arrays stream through the session within its memory bound,
//! all of them in one run; text goes through memory.

use super::encode::{CHUNK_BYTES, SMALL_CHUNK_BYTES};
use crate::expr::Expr;
use crate::geometry::Chunks;
use crate::io::{
    Attributes, Compression, Container, FileSpec, OutputFormat, VarType, Variable, VariableSpec,
};
use crate::plan::block_extents;
use crate::session::{Array, Session};
use crate::store::Sink;
use crate::{Error, Result};
use std::path::Path;
use std::sync::Arc;

/// What changes in a conversion.
#[derive(Clone, Debug, Default)]
pub struct Conversion {
    /// The variables to keep; empty for all. Coordinates of what is kept are kept too.
    pub variables: Vec<String>,
    /// Chunk sizes by dimension; others stay, small ones joined and large ones cut where
    /// `rechunk` is set.
    pub chunks: Vec<(String, usize)>,
    /// How arrays are compressed: `None` as before where the format can, `Some(None)` not at all.
    pub compression: Option<Option<Compression>>,
    /// Extents of shards by dimension, for formats that have them.
    pub shards: Vec<(String, usize)>,
    /// Dimensions that can grow, beside those of the original.
    pub unlimited: Vec<String>,
    /// Attributes of the file that are set, such as its history.
    pub attributes: Attributes,
}

/// Writes what `container` holds to `path`; gives a sentence for each thing that was left out.
///
/// # Errors
/// Variables or dimensions that there are not, what the format cannot hold, a folder that refuses,
/// and what reading meets. No file is left then.
pub fn convert(
    session: &Session,
    container: &Container,
    path: &Path,
    format: OutputFormat,
    how: &Conversion,
) -> Result<Vec<String>> {
    let catalog = container.catalog();
    let mut notes = Vec::new();
    let wanted = wanted(container, format, how)?;
    for dim in how
        .chunks
        .iter()
        .chain(&how.shards)
        .map(|(dim, _)| dim)
        .chain(&how.unlimited)
    {
        if catalog.dim(dim).is_none() {
            let known: Vec<&str> = catalog.dims.iter().map(|d| d.name.as_str()).collect();
            return Err(Error::invalid(format!(
                "{} has no dimension {dim}; it has {}",
                catalog.path.display(),
                known.join(", ")
            )));
        }
    }
    let mut spec = FileSpec {
        dims: catalog.dims.clone(),
        variables: Vec::new(),
        attributes: catalog.attributes.clone(),
    };
    for (name, value) in how.attributes.iter() {
        spec.attributes.set(name, value.clone());
    }
    for dim in &mut spec.dims {
        dim.unlimited |= how.unlimited.contains(&dim.name);
    }
    for variable in wanted {
        match &variable.dtype {
            VarType::Other(what) => notes.push(format!("{} is left out: it holds {what}", variable.name)),
            _ if !format.is_labelled() && variable.numeric().is_none() => {
                notes.push(format!("{} is left out: it holds text", variable.name));
            }
            _ => spec.variables.push(described(variable, &spec, format, how)),
        }
    }
    let used = |name: &String| spec.variables.iter().any(|v| v.dims.contains(name));
    let unused: Vec<String> = spec
        .dims
        .iter()
        .map(|d| d.name.clone())
        .filter(|d| !used(d))
        .collect();
    if !how.variables.is_empty() {
        spec.dims.retain(|d| !unused.contains(&d.name));
    }
    let writer = format.create(path, &spec)?;
    let mut streams: Vec<(Array, Arc<dyn Sink>)> = Vec::new();
    for variable in &spec.variables {
        let name = variable.name.as_str();
        match variable.dtype {
            VarType::Numeric(_) => {
                let array = Array::from_expr(Expr::source(container.source(name)?)?);
                streams.push((array, writer.sink(name)?));
            }
            _ => writer.write_text(name, &container.text(name)?.values)?,
        }
    }
    let outputs: Vec<(&Array, Arc<dyn Sink>)> = streams.iter().map(|(a, s)| (a, s.clone())).collect();
    session.store(&outputs)?;
    drop(outputs);
    drop(streams);
    writer.finish()?;
    Ok(notes)
}

/// The variables that are asked for, with their coordinates and bounds where the format has labels, in
/// the order of the file.
fn wanted<'a>(container: &'a Container, format: OutputFormat, how: &Conversion) -> Result<Vec<&'a Variable>> {
    let catalog = container.catalog();
    if how.variables.is_empty() {
        return Ok(catalog.variables.iter().collect());
    }
    let mut names: Vec<String> = how.variables.clone();
    let mut at = 0;
    while at < names.len() {
        let name = names[at].clone();
        let Some(variable) = catalog.variable(&name) else {
            let known: Vec<&str> = catalog.variables.iter().map(|v| v.name.as_str()).collect();
            return Err(Error::invalid(format!(
                "{} has no variable {name}; it has {}",
                catalog.path.display(),
                known.join(", ")
            )));
        };
        at += 1;
        if !format.is_labelled() {
            continue;
        }
        let mut with: Vec<String> = variable.dims.clone();
        for attribute in [
            "coordinates",
            "bounds",
            "grid_mapping",
            "ancillary_variables",
            "cell_measures",
        ] {
            let listed = variable.attributes.text(attribute).unwrap_or_default();
            with.extend(listed.split_whitespace().map(str::to_string));
        }
        for name in with {
            if catalog.variable(&name).is_some() && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    Ok(catalog
        .variables
        .iter()
        .filter(|v| names.contains(&v.name))
        .collect())
}

/// A variable as it is to be written.
fn described(variable: &Variable, spec: &FileSpec, format: OutputFormat, how: &Conversion) -> VariableSpec {
    let size = variable.numeric().map_or(1, |d| d.size());
    let grows = |dim: &String| spec.dims.iter().any(|d| d.name == *dim && d.unlimited);
    let compression = match how.compression {
        Some(compression) => compression,
        // What was compressed is compressed again, with the format's usual codec.
        None if variable.codecs.is_empty() => None,
        None => format.usual_compression(),
    };
    let asked = |list: &[(String, usize)], dim: &String| list.iter().find(|(d, _)| d == dim).map(|(_, n)| *n);
    let compressed = compression.is_some() && !variable.shape.is_empty() && !variable.shape.contains(&0);
    let named = variable.dims.iter().any(|d| asked(&how.chunks, d).is_some());
    let chunked = compressed || named || variable.chunks.is_some() || variable.dims.iter().any(grows);
    let chunks = (chunked && !variable.shape.is_empty()).then(|| {
        let now: Vec<usize> = match &variable.chunks {
            Some(chunks) => chunks.clone(),
            None => {
                let whole: Vec<usize> = variable.shape.iter().map(|&n| n.max(1)).collect();
                let chunks = Chunks::regular(&variable.shape, &whole);
                block_extents(&chunks, size, SMALL_CHUNK_BYTES, CHUNK_BYTES)
            }
        };
        let pairs = variable.dims.iter().zip(now);
        pairs
            .map(|(dim, n)| asked(&how.chunks, dim).unwrap_or(n).max(1))
            .collect::<Vec<usize>>()
    });
    let shards = chunks.as_ref().filter(|_| !how.shards.is_empty()).map(|chunks| {
        let pairs = variable.dims.iter().zip(chunks);
        pairs
            .map(|(dim, &n)| asked(&how.shards, dim).map_or(n, |s| s.div_ceil(n) * n))
            .collect()
    });
    let dims: Vec<&str> = variable.dims.iter().map(String::as_str).collect();
    let numeric = matches!(variable.dtype, VarType::Numeric(_));
    let mut attributes = variable.attributes.clone();
    if !numeric {
        attributes.remove("_FillValue");
    }
    VariableSpec {
        chunks: chunks.filter(|_| format.has_chunks()),
        compression: compression.filter(|_| compressed && numeric),
        shards: shards.filter(|_| numeric),
        attributes,
        ..VariableSpec::new(variable.name.clone(), &dims, variable.dtype.clone())
    }
}
