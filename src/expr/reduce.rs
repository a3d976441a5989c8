//! Reductions over axes and over groups along an axis.

use super::{Expr, Group, NodeKind, complex};
use crate::geometry::{AxisChunks, Chunks, checked_bytes, normalize_axis};
use crate::{Error, Result};
use std::sync::Arc;
use tilewise_kernels::Reduction;

impl Expr {
    /// A reduction over `axes` (all of them when `None`); `keepdims` leaves them with extent 1.
    ///
    /// # Errors
    /// An axis out of range or named twice; no element to reduce for one without identity.
    pub fn reduce(&self, reduction: Reduction, axes: Option<&[isize]>, keepdims: bool) -> Result<Expr> {
        if self.dtype.is_complex() {
            return complex::reduced(self, reduction, |part, one| part.reduce(one, axes, keepdims));
        }
        let mut axes: Vec<usize> = match axes {
            Some(axes) => axes
                .iter()
                .map(|&a| normalize_axis(a, self.rank()))
                .collect::<Result<_>>()?,
            None => (0..self.rank()).collect(),
        };
        axes.sort_unstable();
        if axes.windows(2).any(|w| w[0] == w[1]) {
            return Err(Error::invalid(format!(
                "{}: an axis is named twice",
                reduction.kind.name()
            )));
        }
        let reduced_empty = axes.iter().any(|&a| self.shape[a] == 0);
        if reduced_empty && !reduction.has_identity() {
            return Err(Error::invalid(format!(
                "{} over no element: shape {:?}, axes {axes:?}",
                reduction.kind.name(),
                self.shape
            )));
        }
        let keep: Vec<usize> = (0..self.rank()).filter(|a| !axes.contains(a)).collect();
        let shape: Vec<usize> = keep.iter().map(|&a| self.shape[a]).collect();
        let chunks = Chunks::new(keep.iter().map(|&a| self.chunks.axes()[a].clone()).collect());
        let dtype = reduction.result(self.dtype);
        let kind = NodeKind::Reduce {
            reduction,
            axes: axes.clone(),
            group: None,
        };
        let mut out = Expr::node(kind, vec![self.clone()], shape, dtype, chunks);
        if keepdims {
            for axis in axes {
                out = out.expand_dims(axis as isize)?;
            }
        }
        Ok(out)
    }

    /// A reduction within groups of equal label along `axis`, which keeps its place with extent
    /// `groups`. A label of `u32::MAX` leaves its member out.
    ///
    /// # Errors
    /// A label out of range, or not one label per index.
    pub fn group_reduce(
        &self,
        reduction: Reduction,
        axis: isize,
        labels: Arc<[u32]>,
        groups: usize,
    ) -> Result<Expr> {
        if self.dtype.is_complex() {
            return complex::reduced(self, reduction, |part, one| {
                part.group_reduce(one, axis, labels.clone(), groups)
            });
        }
        let axis = normalize_axis(axis, self.rank())?;
        if labels.len() != self.shape[axis] {
            return Err(Error::invalid(format!(
                "{} labels for axis {axis} of extent {}",
                labels.len(),
                self.shape[axis]
            )));
        }
        if let Some(bad) = labels.iter().find(|&&l| l != u32::MAX && l as usize >= groups) {
            return Err(Error::invalid(format!(
                "group label {bad} is out of range for {groups} groups"
            )));
        }
        let mut shape = self.shape.clone();
        shape[axis] = groups;
        checked_bytes(&shape, 8)?;
        let mut axes = self.chunks.axes().to_vec();
        axes[axis] = AxisChunks::regular(groups, groups);
        let dtype = reduction.result(self.dtype);
        let group = Some(Group { axis, groups, labels });
        let kind = NodeKind::Reduce {
            reduction,
            axes: vec![],
            group,
        };
        Ok(Expr::node(
            kind,
            vec![self.clone()],
            shape,
            dtype,
            Chunks::new(axes),
        ))
    }
}
