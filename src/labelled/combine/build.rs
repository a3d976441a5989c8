//! The catalog and the sources of files that are joined.

use super::along::Along;
use super::compare::Differences;
use super::convert::{self, Change};
use super::digest::{Digest, dtype_of};
use crate::io::{
    Attributes, Catalog, Container, Dim, FilePool, Joined, JoinedPart, JoinedSource, JoinedText,
};
use crate::io::{VarType, Variable};
use crate::labelled::cftime::TimeUnits;
use crate::labelled::decode::PACKING;
use crate::labelled::index::Index;
use crate::store::{MemorySource, Source};
use crate::{Error, Result};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// One container of all clusters, side by side.
///
/// # Errors
/// When clusters have different labels of one dimension, or a file cannot be opened again.
pub(super) fn build(
    name: PathBuf,
    digests: &[Digest],
    clusters: &[Along],
    most_open: usize,
) -> Result<Container> {
    let files = clusters.iter().flat_map(|c| &c.members);
    // Files are numbered anew, so that a pool holds no others.
    let order: Vec<usize> = files.copied().collect();
    let paths = order.iter().map(|&m| digests[m].path.clone()).collect();
    let mut whole = Whole {
        digests,
        pool: Arc::new(FilePool::new(paths, most_open)),
        dims: Vec::new(),
        variables: Vec::new(),
        sources: BTreeMap::new(),
        texts: BTreeMap::new(),
        labels: Vec::new(),
    };
    let (mut attributes, mut format, mut notes) = (Attributes::new(), "", Vec::new());
    let mut number = 0;
    for (at, cluster) in clusters.iter().enumerate() {
        let catalog = Container::open(&digests[cluster.members[0]].path)?
            .catalog()
            .clone();
        notes.extend(note(digests, cluster));
        notes.extend(catalog.notes.iter().cloned());
        whole.add(cluster, &catalog, number)?;
        if at == 0 {
            (attributes, format) = (catalog.attributes, catalog.format);
        }
        number += cluster.members.len();
    }
    Ok(Container::new(Joined {
        catalog: Catalog {
            path: name,
            format,
            dims: whole.dims,
            variables: whole.variables,
            attributes,
            notes,
        },
        pool: whole.pool,
        sources: whole.sources,
        texts: whole.texts,
    }))
}

/// What a user is told of a cluster.
fn note(digests: &[Digest], cluster: &Along) -> Option<String> {
    let dim = cluster.dim.as_ref()?;
    let file = |m: usize| {
        let path = &digests[m].path;
        path.file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned()
    };
    let [first, .., last] = cluster.members.as_slice() else {
        return None;
    };
    Some(format!(
        "{} files joined along {dim}: {} to {}",
        cluster.members.len(),
        file(*first),
        file(*last)
    ))
}

/// What is being put together.
struct Whole<'a> {
    digests: &'a [Digest],
    pool: Arc<FilePool>,
    dims: Vec<Dim>,
    variables: Vec<Variable>,
    sources: BTreeMap<String, Arc<dyn Source>>,
    texts: BTreeMap<String, JoinedText>,
    /// The labels of each dimension, and the number of the file that it is from.
    labels: Vec<(String, Arc<Index>, usize)>,
}

/// The labels that a cluster is joined by.
struct Axis<'a> {
    dim: &'a str,
    index: Index,
    /// The units of the first file.
    units: Option<TimeUnits>,
}

impl Whole<'_> {
    /// Adds a cluster, whose first file has that catalog and that number in the pool.
    fn add(&mut self, cluster: &Along, catalog: &Catalog, number: usize) -> Result<()> {
        let first = &self.digests[cluster.members[0]];
        let axis = match &cluster.dim {
            None => None,
            Some(dim) => {
                let labels = |&m: &usize| self.digests[m].labels(dim).filter(|l| !l.is_empty());
                let indices: Vec<&Index> = cluster.members.iter().filter_map(labels).map(|l| &**l).collect();
                let units = indices.first().and_then(|i| i.time.clone());
                let index = convert::join_labels(&indices)
                    .map_err(|e| Error::format(&first.path, format!("coordinate {dim}: {e}")))?;
                Some(Axis { dim, index, units })
            }
        };
        self.add_dims(cluster, catalog, axis.as_ref())?;
        for (at, variable) in catalog.variables.iter().enumerate() {
            if self.variables.iter().any(|v| v.name == variable.name) {
                continue;
            }
            let joined = axis.as_ref().filter(|a| variable.dims.iter().any(|d| d == a.dim));
            let variable = match joined {
                Some(axis) if variable.name == axis.dim && variable.numeric().is_some() => {
                    self.label_variable(variable, axis)?
                }
                Some(axis) => self.joined_variable(cluster, variable, at, number, axis)?,
                None => self.first_variable(cluster, variable, at, number)?,
            };
            self.variables.push(variable);
        }
        Ok(())
    }

    /// Adds the dimensions of a cluster, which must be those there are where they have one name.
    fn add_dims(&mut self, cluster: &Along, catalog: &Catalog, axis: Option<&Axis>) -> Result<()> {
        let member = cluster.members[0];
        let first = &self.digests[member];
        for dim in &catalog.dims {
            let mut dim = dim.clone();
            let mut labels = first.labels(&dim.name).cloned();
            if let Some(axis) = axis.filter(|a| a.dim == dim.name) {
                dim.len = axis.index.len();
                labels = Some(Arc::new(axis.index.clone()));
            }
            let own = self.labels.iter().find(|(n, ..)| *n == dim.name);
            let difference = match (self.dims.iter().find(|d| d.name == dim.name), own, &labels) {
                (None, ..) => None,
                (Some(_), Some((_, a, _)), Some(b)) => a.difference(b),
                (Some(old), ..) if old.len != dim.len => {
                    Some(format!("{} places against {}", old.len, dim.len))
                }
                _ => None,
            };
            if let Some(text) = difference {
                let other = own.map_or(0, |(.., m)| *m);
                let mut found = Differences::none();
                found.add(format!("coordinate {} of the files together: {text}", dim.name));
                return Err(found.error(&self.digests[other], first));
            }
            if let Some(labels) = labels {
                self.labels.push((dim.name.clone(), labels, member));
            }
            if !self.dims.iter().any(|d| d.name == dim.name) {
                self.dims.push(dim);
            }
        }
        Ok(())
    }

    /// The coordinate that files are joined by, which lies in memory.
    fn label_variable(&mut self, variable: &Variable, axis: &Axis) -> Result<Variable> {
        let mut out = variable.clone();
        out.shape = vec![axis.index.len()];
        (out.chunks, out.codecs, out.fill) = (None, String::new(), None);
        let (dtype, bytes) = axis.index.bytes().ok_or_else(|| {
            Error::invalid(format!(
                "coordinate {}: its labels do not fit their dtype",
                axis.dim
            ))
        })?;
        out.dtype = VarType::Numeric(dtype);
        out.stored_bytes = bytes.len() as u64;
        if let (Some(before), Some(after)) = (&axis.units, &axis.index.time)
            && before != after
        {
            Change::Units(after.clone()).apply(&mut out.attributes, dtype);
        }
        let packed = PACKING.iter().any(|n| out.attributes.get(n).is_some());
        if axis.index.time.is_none() && packed {
            Change::Unpacked.apply(&mut out.attributes, dtype);
        }
        let source = MemorySource::new(&out.shape, dtype, Arc::new(bytes))?;
        self.sources.insert(out.name.clone(), Arc::new(source));
        Ok(out)
    }

    /// A variable whose parts follow each other along the axis.
    fn joined_variable(
        &mut self,
        cluster: &Along,
        variable: &Variable,
        at: usize,
        number: usize,
        axis: &Axis,
    ) -> Result<Variable> {
        let mut out = variable.clone();
        let place = variable.dims.iter().position(|d| d == axis.dim).unwrap_or(0);
        out.shape[place] = axis.index.len();
        let files = number..number + cluster.members.len();
        if let VarType::Text | VarType::Char = variable.dtype {
            let (files, axis) = (files.collect(), place);
            self.texts.insert(out.name.clone(), JoinedText { files, axis });
            return Ok(out);
        }
        let wrong = |member: usize| {
            Error::format(
                &self.digests[member].path,
                format!("variable {} is gone", out.name),
            )
        };
        let mut parts: Vec<(usize, usize)> = Vec::with_capacity(cluster.members.len());
        for &member in &cluster.members {
            let found = self.digests[member].variable(&variable.name, at);
            parts.push((member, found.ok_or_else(|| wrong(member))?.2));
        }
        let (mut scratch, mut stored_bytes) = (0, 0);
        for &(member, own) in &parts {
            scratch = scratch.max(self.digests[member].scratch);
            stored_bytes += self.digests[member].stored_bytes[own];
        }
        out.stored_bytes = stored_bytes;
        if variable.numeric().is_none() {
            return Ok(out);
        }
        let units = axis.units.as_ref().zip(axis.index.time.as_ref());
        let form = convert::form(self.digests, &parts, units).map_err(|e| {
            Error::format(
                &self.digests[parts[0].0].path,
                format!("variable {}: {e}", out.name),
            )
        })?;
        let pieces: Vec<Piece> = parts
            .iter()
            .map(|&(member, own)| Piece {
                extent: self.digests[member].extent(axis.dim),
                chunks: self.digests[member].form.variables[own].chunks.as_deref(),
            })
            .collect();
        out.chunks = chunks(&out.shape, place, &pieces);
        form.change.apply(&mut out.attributes, form.dtype);
        if !matches!(form.change, Change::None) {
            out.fill = None;
        }
        out.dtype = VarType::Numeric(form.dtype);
        let joined = parts
            .iter()
            .zip(form.converts)
            .zip(files)
            .map(|((&(member, own), convert), file)| {
                let digest = &self.digests[member];
                let stored = dtype_of(&digest.form.variables[own]).unwrap_or(form.dtype);
                JoinedPart {
                    file,
                    extent: digest.extent(axis.dim),
                    stored,
                    fingerprint: digest.facts[own].fingerprint,
                    convert,
                }
            });
        let source = JoinedSource::new(
            self.pool.clone(),
            &variable.name,
            out.shape.clone(),
            place,
            form.dtype,
            out.chunks.clone(),
            joined.collect(),
            scratch,
            stored_bytes,
        )?;
        self.sources.insert(out.name.clone(), Arc::new(source));
        Ok(out)
    }

    /// A variable that is taken from the first file.
    fn first_variable(
        &mut self,
        cluster: &Along,
        variable: &Variable,
        at: usize,
        number: usize,
    ) -> Result<Variable> {
        let digest = &self.digests[cluster.members[0]];
        let fingerprint = digest
            .variable(&variable.name, at)
            .map_or(0, |(_, f, _)| f.fingerprint);
        match (&variable.dtype, variable.numeric()) {
            (VarType::Text | VarType::Char, _) => {
                let text = JoinedText {
                    files: vec![number],
                    axis: 0,
                };
                self.texts.insert(variable.name.clone(), text);
            }
            (_, Some(dtype)) => {
                let part = JoinedPart {
                    file: number,
                    extent: variable.shape.first().copied().unwrap_or(1),
                    stored: dtype,
                    fingerprint,
                    convert: None,
                };
                let source = JoinedSource::new(
                    self.pool.clone(),
                    &variable.name,
                    variable.shape.clone(),
                    0,
                    dtype,
                    variable.chunks.clone(),
                    vec![part],
                    digest.scratch,
                    variable.stored_bytes,
                )?;
                self.sources.insert(variable.name.clone(), Arc::new(source));
            }
            _ => {}
        }
        Ok(variable.clone())
    }
}

/// The extent and the stored chunks of a part.
struct Piece<'a> {
    extent: usize,
    chunks: Option<&'a [usize]>,
}

/// The chunks of a joined array: the stored ones where all parts have them and they do not straddle
/// parts, or are smaller than the parts; else the parts.
fn chunks(shape: &[usize], axis: usize, parts: &[Piece]) -> Option<Vec<usize>> {
    let longest = parts.iter().map(|p| p.extent).max().unwrap_or(1).max(1);
    let rest = |c: &[usize]| -> Vec<usize> {
        let others = c.iter().enumerate().filter(|(a, _)| *a != axis);
        others.map(|(_, &n)| n).collect()
    };
    let first = parts.iter().find_map(|p| p.chunks);
    let alike = first.filter(|f| parts.iter().all(|p| p.chunks.is_some_and(|c| rest(c) == rest(f))));
    let mut out: Cow<[usize]> = match alike {
        Some(chunk) => Cow::Borrowed(chunk),
        None => Cow::Owned(shape.iter().map(|&n| n.max(1)).collect()),
    };
    let own = |p: &Piece| p.chunks.map_or(p.extent, |c| c[axis]).clamp(1, longest);
    let common = parts.iter().map(own).max().unwrap_or(longest);
    let same = alike.is_some() && parts.iter().all(|p| own(p) == common || p.extent <= own(p));
    out.to_mut()[axis] = if same { common } else { longest };
    Some(out.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_those_of_the_parts() {
        let of = |parts: &[(usize, Option<&'static [usize]>)]| {
            let parts: Vec<Piece> = parts
                .iter()
                .map(|&(extent, chunks)| Piece { extent, chunks })
                .collect();
            chunks(&[100, 8, 9], 0, &parts)
        };
        let days: Option<&[usize]> = Some(&[1, 8, 9]);
        assert_eq!(of(&[(31, days), (28, days)]), Some(vec![1, 8, 9]));
        assert_eq!(of(&[(31, None), (28, None)]), Some(vec![31, 8, 9]));
        let (a, b): (Option<&[usize]>, Option<&[usize]>) = (Some(&[31, 4, 9]), Some(&[28, 4, 9]));
        assert_eq!(of(&[(31, a), (28, b)]), Some(vec![31, 4, 9]));
        let large: Option<&[usize]> = Some(&[512, 4, 9]);
        assert_eq!(of(&[(12, large), (12, large)]), Some(vec![12, 4, 9]));
        assert_eq!(of(&[(31, days), (28, None)]), Some(vec![31, 8, 9]));
        assert_eq!(of(&[(31, days), (28, b)]), Some(vec![31, 8, 9]));
    }
}
