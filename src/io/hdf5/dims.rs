//! NetCDF's dimensions, found again in HDF5's dimension scales.
//!
//! NetCDF-4 keeps a dimension as a dataset that is a scale, numbers it, and lets the axes of other
//! datasets refer to it. Axes without a scale get dimensions called `phony_dim_N`, by the rules of
//! the NetCDF library, so that names agree with what its users see.

use super::walk::{Node, Walk, join};
use crate::io::catalog::Dim;

/// A dimension while they are being collected.
struct Found {
    group: usize,
    dim: Dim,
    /// The node that is its scale.
    scale: Option<usize>,
    number: Option<i64>,
}

/// The name of an object of a group as the catalog shows it: bare at the root.
pub(super) fn shown_name(walk: &Walk, group: usize, name: &str) -> String {
    match walk.groups[group].path.as_str() {
        "/" => name.to_string(),
        path => join(path, name),
    }
}

/// The dimensions of a file and, for each node, the number of the dimension of each axis.
pub(super) fn resolve(walk: &Walk) -> (Vec<Dim>, Vec<Vec<usize>>) {
    let mut found: Vec<Found> = Vec::new();
    for group in 0..walk.groups.len() {
        let mut scales: Vec<usize> = (0..walk.nodes.len())
            .filter(|&n| walk.nodes[n].group == group && walk.nodes[n].is_scale)
            .filter(|&n| !walk.nodes[n].dataset.extent.is_empty())
            .collect();
        scales.sort_by_key(|&n| walk.nodes[n].dim_number.unwrap_or(i64::MAX));
        found.extend(scales.into_iter().map(|n| {
            let node = &walk.nodes[n];
            Found {
                group,
                dim: Dim {
                    name: shown_name(walk, group, &node.name),
                    len: node.dataset.extent[0],
                    unlimited: node.dataset.unlimited[0],
                },
                scale: Some(n),
                number: node.dim_number,
            }
        }));
    }
    let mut axes: Vec<Vec<Option<usize>>> = (0..walk.nodes.len())
        .map(|n| known_axes(walk, n, &found))
        .collect();
    add_phony(walk, &mut found, &mut axes);
    // A dimension that grows is as long as the longest variable along it.
    for (node, dims) in walk.nodes.iter().zip(&axes) {
        for (axis, dim) in dims.iter().enumerate() {
            if let Some(d) = dim.map(|d| &mut found[d].dim).filter(|d| d.unlimited) {
                d.len = d.len.max(node.dataset.extent[axis]);
            }
        }
    }
    let axes = axes
        .into_iter()
        .map(|a| a.into_iter().flatten().collect())
        .collect();
    (found.into_iter().map(|f| f.dim).collect(), axes)
}

/// The dimensions of the axes of a node that the file names.
fn known_axes(walk: &Walk, n: usize, found: &[Found]) -> Vec<Option<usize>> {
    let node = &walk.nodes[n];
    let rank = node.dataset.extent.len();
    let mut axes = vec![None; rank];
    if let Some(scales) = node.scales.as_ref().filter(|s| s.len() == rank) {
        for (axis, address) in axes.iter_mut().zip(scales) {
            *axis = found
                .iter()
                .position(|f| f.scale.is_some_and(|s| walk.nodes[s].address == *address));
        }
    } else if let Some(numbers) = node.coordinate_dims.as_ref().filter(|c| c.len() == rank) {
        for (axis, number) in axes.iter_mut().zip(numbers) {
            *axis = found.iter().position(|f| f.number == Some(*number));
        }
    } else if node.is_scale && rank > 0 {
        axes[0] = found.iter().position(|f| f.scale == Some(n));
    }
    // A dimension of another length is a broken file; a name for the axis as it is does no harm.
    for (axis, dim) in axes.iter_mut().enumerate() {
        let fits = |d: usize| {
            let dim = &found[d].dim;
            dim.unlimited || dim.len == node.dataset.extent[axis]
        };
        *dim = dim.filter(|&d| fits(d));
    }
    axes
}

/// Gives the axes without a dimension one of the same length in the same group, made where needed.
fn add_phony(walk: &Walk, found: &mut Vec<Found>, axes: &mut [Vec<Option<usize>>]) {
    let named = found.len();
    // The NetCDF library names the dimensions of child groups before those of their parents.
    for group in child_first(walk) {
        for (n, node) in walk.nodes.iter().enumerate().filter(|(_, v)| v.group == group) {
            for axis in 0..axes[n].len() {
                if axes[n][axis].is_some() || node.only_a_dimension {
                    continue;
                }
                let (len, unlimited) = (node.dataset.extent[axis], node.dataset.unlimited[axis]);
                let reused = (named..found.len()).find(|&d| {
                    let f = &found[d];
                    let same = f.group == group && f.dim.len == len && f.dim.unlimited == unlimited;
                    same && !axes[n].contains(&Some(d))
                });
                let dim = reused.unwrap_or_else(|| {
                    let name = shown_name(walk, group, &format!("phony_dim_{}", found.len()));
                    found.push(Found {
                        group,
                        dim: Dim { name, len, unlimited },
                        scale: None,
                        number: None,
                    });
                    found.len() - 1
                });
                axes[n][axis] = Some(dim);
            }
        }
    }
}

/// Group numbers, each after all groups below it, siblings in order.
fn child_first(walk: &Walk) -> Vec<usize> {
    fn add(walk: &Walk, group: usize, out: &mut Vec<usize>) {
        let path = &walk.groups[group].path;
        for (child, other) in walk.groups.iter().enumerate().skip(group + 1) {
            let parent = other.path.rsplit_once('/').map_or("", |(p, _)| p);
            if parent == path.trim_end_matches('/') {
                add(walk, child, out);
            }
        }
        out.push(group);
    }
    let mut out = Vec::new();
    if !walk.groups.is_empty() {
        add(walk, 0, &mut out);
    }
    out
}

/// The extent that NetCDF shows for each axis: that of the dimension, which may have grown past
/// what is stored.
pub(super) fn shown_shape(node: &Node, axes: &[usize], dims: &[Dim]) -> Vec<usize> {
    node.dataset
        .extent
        .iter()
        .zip(axes)
        .map(|(&n, &d)| n.max(dims[d].len))
        .collect()
}
