//! Dimensions of a store, whose arrays name their own and share no list.
//!
//! Names are those of a group: arrays of one group mean one dimension by one name, and so do those of
//! groups below it where the length is the same. What has no name, or a name that another length has
//! already, gets one made up.

use super::meta::ArrayMeta;
use crate::io::catalog::Dim;
use std::collections::HashMap;

/// The name under which something in a folder is shown: bare at the root, else its path.
pub(super) fn shown(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_string(),
        folder => format!("/{folder}/{name}"),
    }
}

/// The folder of the group of an array, and its own name.
pub(super) fn place(array: &ArrayMeta) -> (&str, &str) {
    array.folder.rsplit_once('/').unwrap_or(("", &array.folder))
}

/// The dimensions, and for each array the number of the dimension of each axis.
pub(super) fn resolve(arrays: &[ArrayMeta]) -> (Vec<Dim>, Vec<Vec<usize>>) {
    let mut found = Found::default();
    // Groups above first, and names that are given before those that are made up.
    let mut order: Vec<usize> = (0..arrays.len()).collect();
    order.sort_by_key(|&n| arrays[n].folder.matches('/').count());
    let mut axes: Vec<Vec<Option<usize>>> = arrays.iter().map(|a| vec![None; a.shape.len()]).collect();
    for &n in &order {
        let group = place(&arrays[n]).0;
        for (axis, &len) in arrays[n].shape.iter().enumerate() {
            let name = arrays[n].names.as_ref().and_then(|names| names[axis].as_deref());
            let dim = name.and_then(|name| found.named(group, name, len));
            axes[n][axis] = dim.filter(|d| !axes[n].contains(&Some(*d)));
        }
    }
    for &n in &order {
        let group = place(&arrays[n]).0;
        for (axis, &len) in arrays[n].shape.iter().enumerate() {
            if axes[n][axis].is_none() {
                axes[n][axis] = Some(found.made_up(group, axis, len, &axes[n]));
            }
        }
    }
    let axes = axes.into_iter().map(|a| a.into_iter().flatten().collect());
    (found.dims, axes.collect())
}

#[derive(Default)]
struct Found {
    dims: Vec<Dim>,
    /// Numbers by shown name.
    numbers: HashMap<String, usize>,
}

impl Found {
    fn add(&mut self, name: String, len: usize) -> usize {
        self.numbers.insert(name.clone(), self.dims.len());
        self.dims.push(Dim {
            name,
            len,
            unlimited: false,
        });
        self.dims.len() - 1
    }

    /// The dimension of that name of a group or the nearest group above that has it with that length;
    /// `None` where the group itself has it with another.
    fn named(&mut self, group: &str, name: &str, len: usize) -> Option<usize> {
        let own = shown(group, name);
        if let Some(&known) = self.numbers.get(&own) {
            return (self.dims[known].len == len).then_some(known);
        }
        let mut above = group;
        while !above.is_empty() {
            above = above.rsplit_once('/').map_or("", |(parent, _)| parent);
            if let Some(&known) = self.numbers.get(&shown(above, name))
                && self.dims[known].len == len
            {
                return Some(known);
            }
        }
        Some(self.add(own, len))
    }

    /// A dimension called `dim_` and a number from `axis` on, of that length and not yet used by the
    /// array.
    fn made_up(&mut self, group: &str, axis: usize, len: usize, used: &[Option<usize>]) -> usize {
        let mut number = axis;
        loop {
            let name = shown(group, &format!("dim_{number}"));
            match self.numbers.get(&name) {
                None => return self.add(name, len),
                Some(&known) if self.dims[known].len == len && !used.contains(&Some(known)) => return known,
                Some(_) => number += 1,
            }
        }
    }
}
