//! Structure: concatenation, reshaping, rechunking, and what is composed of them.

use super::{Expr, NodeKind, SliceItem};
use crate::geometry::{AxisChunks, AxisMap, Chunks, IndexMap, checked_bytes, element_count, normalize_axis};
use crate::{Error, Result};

impl Expr {
    /// The arrays one after another along `axis`; they agree in dtype and all other extents.
    ///
    /// # Errors
    /// No array, or dtypes or shapes that do not agree (promote first).
    pub fn concat(parts: &[Expr], axis: isize) -> Result<Expr> {
        let Some(first) = parts.first() else {
            return Err(Error::invalid("concat needs at least one array"));
        };
        let axis = normalize_axis(axis, first.rank())?;
        let mut shape = first.shape.clone();
        for part in &parts[1..] {
            let agrees = part.rank() == first.rank()
                && part.dtype == first.dtype
                && (0..first.rank()).all(|a| a == axis || part.shape[a] == first.shape[a]);
            if !agrees {
                return Err(Error::invalid(format!(
                    "concat along axis {axis}: {} {:?} and {} {:?} do not agree",
                    first.dtype, first.shape, part.dtype, part.shape
                )));
            }
            shape[axis] = shape[axis]
                .checked_add(part.shape[axis])
                .ok_or_else(|| Error::invalid("concat: the extent does not fit 64 bits"))?;
        }
        checked_bytes(&shape, first.dtype.size())?;
        if let [only] = parts {
            return Ok(only.clone());
        }
        let mut axes = first.chunks.axes().to_vec();
        let sizes: Vec<usize> = parts
            .iter()
            .flat_map(|p| (0..p.chunks.axes()[axis].count()).map(|c| p.chunks.axes()[axis].span(c).1))
            .filter(|&n| n > 0)
            .collect();
        axes[axis] = AxisChunks::from_sizes(&sizes);
        let kind = NodeKind::Concat { axis };
        Ok(Expr::node(
            kind,
            parts.to_vec(),
            shape,
            first.dtype,
            Chunks::new(axes),
        ))
    }

    /// The same elements in row-major order under another shape; one extent may be `-1`.
    ///
    /// # Errors
    /// When the counts differ.
    pub fn reshape(&self, shape: &[isize]) -> Result<Expr> {
        let wrong = || {
            Error::invalid(format!(
                "cannot reshape {:?} ({} elements) to {shape:?}",
                self.shape,
                self.len()
            ))
        };
        let known: Vec<usize> = shape.iter().filter(|&&n| n >= 0).map(|&n| n as usize).collect();
        let known_count = element_count(&known)?;
        let unknown = shape.iter().filter(|&&n| n < 0).count();
        if unknown > 1 || shape.iter().any(|&n| n < -1) || (unknown == 1 && known_count == 0) {
            return Err(wrong());
        }
        let fill = self.len().checked_div(known_count).unwrap_or(0);
        let target: Vec<usize> = shape
            .iter()
            .map(|&n| if n < 0 { fill } else { n as usize })
            .collect();
        if element_count(&target)? != self.len() {
            return Err(wrong());
        }
        if target == self.shape {
            return Ok(self.clone());
        }
        if let Some(map) = unit_axes_only(&self.shape, &target) {
            return Ok(self.view(map));
        }
        let chunks = Chunks::single(&target);
        Ok(Expr::node(
            NodeKind::Reshape,
            vec![self.clone()],
            target,
            self.dtype,
            chunks,
        ))
    }

    /// The array under another chunk grid.
    ///
    /// # Errors
    /// When the grid is for another shape.
    pub fn rechunk(&self, chunks: Chunks) -> Result<Expr> {
        if chunks.shape() != self.shape {
            return Err(Error::invalid(format!(
                "rechunk: chunks for shape {:?}, the array has {:?}",
                chunks.shape(),
                self.shape
            )));
        }
        if chunks == self.chunks {
            return Ok(self.clone());
        }
        Ok(self.in_chunks(chunks))
    }

    /// A node of the same elements in chunks of its shape, even if they are the same.
    pub(crate) fn in_chunks(&self, chunks: Chunks) -> Expr {
        Expr::node(
            NodeKind::Rechunk,
            vec![self.clone()],
            self.shape.clone(),
            self.dtype,
            chunks,
        )
    }

    /// New axis at `axis` along which the arrays are stacked.
    ///
    /// # Errors
    /// As [`Expr::concat`].
    pub fn stack(parts: &[Expr], axis: isize) -> Result<Expr> {
        let rank = parts.first().map_or(0, |p| p.rank());
        let axis = normalize_axis(axis, rank + 1)? as isize;
        if let Some(other) = parts.iter().find(|p| p.shape != parts[0].shape) {
            return Err(Error::invalid(format!(
                "stack: shapes {:?} and {:?} differ",
                parts[0].shape, other.shape
            )));
        }
        let grown: Vec<Expr> = parts.iter().map(|p| p.expand_dims(axis)).collect::<Result<_>>()?;
        Expr::concat(&grown, axis)
    }

    /// The elements along `axis` moved by `shift` places, those pushed out re-entering.
    ///
    /// # Errors
    /// When the axis is out of range.
    pub fn roll(&self, shift: i64, axis: isize) -> Result<Expr> {
        let axis = normalize_axis(axis, self.rank())?;
        let extent = self.shape[axis];
        if extent == 0 {
            return Ok(self.clone());
        }
        let cut = (extent as i64 - shift.rem_euclid(extent as i64)) as isize;
        if cut == extent as isize {
            return Ok(self.clone());
        }
        let part = |start: Option<isize>, stop: Option<isize>| {
            let mut items = vec![SliceItem::ALL; axis];
            items.push(SliceItem::Slice {
                start,
                stop,
                step: None,
            });
            self.slice(&items)
        };
        Expr::concat(&[part(Some(cut), None)?, part(None, Some(cut))?], axis as isize)
    }

    /// Each element along `axis` repeated `count` times.
    ///
    /// # Errors
    /// When the axis is out of range or the size does not fit 64 bits.
    pub fn repeat(&self, count: usize, axis: isize) -> Result<Expr> {
        let axis = normalize_axis(axis, self.rank())?;
        let len = self.shape[axis]
            .checked_mul(count)
            .ok_or_else(|| Error::invalid("repeat: the extent does not fit 64 bits"))?;
        self.fits_with(axis, len)?;
        self.take_table((0..len).map(|i| i / count).collect(), axis)
    }

    /// The array repeated `counts[axis]` times along each axis; missing counts in front are 1.
    ///
    /// # Errors
    /// When the size does not fit 64 bits.
    pub fn tile(&self, counts: &[usize]) -> Result<Expr> {
        let mut out = self.clone();
        while out.rank() < counts.len() {
            out = out.expand_dims(0)?;
        }
        let lead = out.rank() - counts.len();
        for (i, &count) in counts.iter().enumerate() {
            let axis = lead + i;
            let extent = out.shape[axis];
            if count == 1 {
                continue;
            }
            let len = extent
                .checked_mul(count)
                .ok_or_else(|| Error::invalid("tile: the extent does not fit 64 bits"))?;
            out.fits_with(axis, len)?;
            out = out.take_table((0..len).map(|i| i % extent).collect(), axis)?;
        }
        Ok(out)
    }

    /// Checks the size of the array with another extent along `axis`, which a table of so many
    /// indices will describe.
    fn fits_with(&self, axis: usize, len: usize) -> Result<()> {
        let mut shape = self.shape.clone();
        shape[axis] = len;
        checked_bytes(&shape, self.dtype.size())?;
        if len > u32::MAX as usize {
            return Err(Error::invalid(format!(
                "{len} indices along axis {axis} are more than a table of them holds, {}; \
                 broadcast_to repeats without a table",
                u32::MAX
            )));
        }
        Ok(())
    }
}

/// The view that only drops and adds axes of extent 1, where that is all a reshape does.
fn unit_axes_only(from: &[usize], to: &[usize]) -> Option<IndexMap> {
    let solid: Vec<usize> = (0..to.len()).filter(|&a| to[a] != 1).collect();
    let kept: Vec<usize> = from.iter().copied().filter(|&n| n != 1).collect();
    if kept != solid.iter().map(|&a| to[a]).collect::<Vec<_>>() {
        return None;
    }
    let mut next = solid.into_iter();
    let axes = from
        .iter()
        .map(|&n| match n {
            1 => Some(AxisMap::Fixed(0)),
            _ => next.next().map(|axis| AxisMap::Affine {
                axis,
                start: 0,
                step: 1,
            }),
        })
        .collect::<Option<Vec<_>>>()?;
    Some(IndexMap {
        shape: to.to_vec(),
        axes,
    })
}
