//! The groups and arrays of a store, from consolidated metadata or node by node.

use super::files::{Files, is_metadata, join, small};
use super::json;
use super::meta::ArrayMeta;
use crate::io::catalog::Attributes;
use crate::{Error, Result};
use serde_json::{Map, Value};

/// The most groups and arrays of a store, and how deep they lie at most: stores that somebody made by
/// hand have fewer.
const MOST_NODES: usize = 100_000;
const MOST_DEPTH: usize = 64;

/// What a store holds.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Groups by their folders, parents first, the root first of all.
    pub groups: Vec<(String, Attributes)>,
    pub arrays: Vec<ArrayMeta>,
    /// Arrays whose metadata is not readable, and why.
    pub skipped: Vec<(String, Error)>,
    /// 2 or 3.
    pub version: u8,
}

/// Finds all nodes of a store.
///
/// # Errors
/// When there is none, it cannot be reached, or nothing of it is readable.
pub(super) fn walk(files: &dyn Files) -> Result<Tree> {
    let location = files.location();
    let object = |key: &str| match small(files, key)? {
        Some(bytes) => json::parse(location, key, &bytes).map(Some),
        None => Ok(None),
    };
    let mut tree = Tree::default();
    if let Some(root) = object("zarr.json")? {
        tree.version = 3;
        let inline = root
            .get("consolidated_metadata")
            .and_then(|c| c["metadata"].as_object())
            .cloned();
        tree.add_v3(files, "", root)?;
        match inline {
            Some(nodes) => {
                for (folder, node) in nodes {
                    check_folder(files, &folder)?;
                    let node = node.as_object().cloned().unwrap_or_default();
                    tree.add_v3(files, &folder, node)?;
                }
            }
            None if tree.arrays.is_empty() && tree.skipped.is_empty() => tree.descend(files, "", 0)?,
            None => {}
        }
    } else if let Some(all) = object(".zmetadata")? {
        tree.version = 2;
        let nodes = all
            .get("metadata")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        tree.add_v2(files, &nodes)?;
    } else {
        tree.version = 2;
        tree.visit_v2(files, "")?;
        if tree.groups.is_empty() && tree.arrays.is_empty() && tree.skipped.is_empty() {
            return Err(Error::format(
                location,
                "there is no Zarr group or array: it has no zarr.json, .zgroup or .zarray",
            ));
        }
        if !tree.groups.is_empty() {
            tree.descend(files, "", 0)?;
        }
    }
    tree.groups
        .sort_by_key(|(folder, _)| folder.matches('/').count() + usize::from(!folder.is_empty()));
    match tree.arrays.is_empty() && !tree.skipped.is_empty() {
        true => Err(tree.skipped.remove(0).1),
        false => Ok(tree),
    }
}

impl Tree {
    /// Adds an array whose metadata is at hand.
    fn add_array(
        &mut self,
        files: &dyn Files,
        folder: &str,
        json: Map<String, Value>,
        attributes: Option<&Map<String, Value>>,
    ) {
        match ArrayMeta::parse(files.location(), folder, json, attributes) {
            Ok(meta) => self.arrays.push(meta),
            Err(error) => self.skipped.push((folder.to_string(), error)),
        }
    }

    fn add_v3(&mut self, files: &dyn Files, folder: &str, node: Map<String, Value>) -> Result<bool> {
        self.check_count(files)?;
        match node.get("node_type").and_then(Value::as_str) {
            Some("array") => {
                self.add_array(files, folder, node, None);
                Ok(false)
            }
            Some("group") => {
                let attributes = node.get("attributes").and_then(Value::as_object);
                let attributes = attributes.map(json::attributes).unwrap_or_default();
                self.groups.push((folder.to_string(), attributes));
                Ok(true)
            }
            _ => {
                let reason = format!(
                    "{} is neither a Zarr group nor a Zarr array",
                    join(folder, "zarr.json")
                );
                Err(Error::format(files.location(), reason))
            }
        }
    }

    /// Adds the nodes of the second version's consolidated metadata.
    fn add_v2(&mut self, files: &dyn Files, nodes: &Map<String, Value>) -> Result<()> {
        for (key, value) in nodes {
            let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
            check_folder(files, folder)?;
            self.check_count(files)?;
            let attributes = nodes.get(&join(folder, ".zattrs")).and_then(Value::as_object);
            match (name, value.as_object()) {
                (".zarray", Some(json)) => self.add_array(files, folder, json.clone(), attributes),
                (".zgroup", _) => {
                    let attributes = attributes.map(json::attributes).unwrap_or_default();
                    self.groups.push((folder.to_string(), attributes));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds the node of the second version in a folder; says whether it is a group.
    fn visit_v2(&mut self, files: &dyn Files, folder: &str) -> Result<bool> {
        self.check_count(files)?;
        let object = |name: &str| {
            let key = join(folder, name);
            match small(files, &key)? {
                Some(bytes) => json::parse(files.location(), &key, &bytes).map(Some),
                None => Ok(None),
            }
        };
        if let Some(json) = object(".zarray")? {
            let attributes = object(".zattrs")?;
            self.add_array(files, folder, json, attributes.as_ref());
            return Ok(false);
        }
        if object(".zgroup")?.is_none() {
            return Ok(false);
        }
        let attributes = object(".zattrs")?
            .map(|a| json::attributes(&a))
            .unwrap_or_default();
        self.groups.push((folder.to_string(), attributes));
        Ok(true)
    }

    /// Adds all nodes below a group.
    fn descend(&mut self, files: &dyn Files, folder: &str, depth: usize) -> Result<()> {
        let location = files.location();
        if depth > MOST_DEPTH {
            return Err(Error::format(
                location,
                format!("its groups lie more than {MOST_DEPTH} deep"),
            ));
        }
        let Some(names) = files.list(folder)? else {
            return Err(Error::format(
                location,
                "it has no consolidated metadata, and what is behind such a URL cannot be listed: run zarr.consolidate_metadata on it",
            ));
        };
        for name in names.iter().filter(|n| !is_metadata(n)) {
            let child = join(folder, name);
            let is_group = match self.version {
                2 => self.visit_v2(files, &child)?,
                _ => {
                    let key = join(&child, "zarr.json");
                    match small(files, &key)? {
                        Some(bytes) => self.add_v3(files, &child, json::parse(location, &key, &bytes)?)?,
                        None => false,
                    }
                }
            };
            if is_group {
                self.descend(files, &child, depth + 1)?;
            }
        }
        Ok(())
    }

    fn check_count(&self, files: &dyn Files) -> Result<()> {
        match self.groups.len() + self.arrays.len() + self.skipped.len() {
            n if n < MOST_NODES => Ok(()),
            _ => {
                let reason = format!("it has more than {MOST_NODES} groups and arrays");
                Err(Error::format(files.location(), reason))
            }
        }
    }
}

/// Checks that a folder named by metadata lies within the store.
fn check_folder(files: &dyn Files, folder: &str) -> Result<()> {
    let outside = |part: &str| part.is_empty() || part == "." || part == ".." || part.contains(['\\', '\0']);
    if !folder.is_empty() && folder.split('/').any(outside) {
        let reason = format!("its consolidated metadata names {folder:?}, which is no place in a store");
        return Err(Error::format(files.location(), reason));
    }
    Ok(())
}
