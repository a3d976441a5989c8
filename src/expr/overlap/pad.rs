//! Padding: elements added at the ends of axes.

use super::{Boundary, reach};
use crate::expr::Expr;
use crate::geometry::checked_bytes;
use crate::{Error, Result};

impl Expr {
    /// The array with so many elements more before and after each axis, which continue it as the
    /// boundary says.
    ///
    /// # Errors
    /// Not one pair per axis; no boundary; a constant that the dtype cannot hold; an empty axis
    /// that is to be continued by what it holds; a size that does not fit 64 bits.
    pub fn pad(&self, widths: &[(usize, usize)], boundary: Boundary) -> Result<Expr> {
        let wrong = |why: String| Error::invalid(format!("pad of {:?} by {widths:?}: {why}", self.shape));
        if widths.len() != self.rank() {
            return Err(wrong(format!("{} pairs for {} axes", widths.len(), self.rank())));
        }
        let mut shape = self.shape.clone();
        for (extent, &(before, after)) in shape.iter_mut().zip(widths) {
            let longer = extent.checked_add(before).and_then(|n| n.checked_add(after));
            *extent = longer.ok_or_else(|| wrong("the size does not fit 64 bits".into()))?;
        }
        checked_bytes(&shape, self.dtype.size()).map_err(|e| wrong(e.to_string()))?;
        let mut out = self.clone();
        for (axis, &(before, after)) in widths.iter().enumerate() {
            if before + after == 0 {
                continue;
            }
            out = match boundary {
                Boundary::None => return Err(wrong("it needs a boundary to continue by".into())),
                Boundary::Constant(value) => {
                    let value = value.to_scalar(self.dtype).map_err(wrong)?;
                    let side = |extent: usize| {
                        let mut shape = out.shape.clone();
                        shape[axis] = extent;
                        Expr::full(&shape, value)
                    };
                    let parts = [side(before)?, out.clone(), side(after)?];
                    let parts: Vec<Expr> = parts.into_iter().filter(|p| p.shape[axis] > 0).collect();
                    Expr::concat(&parts, axis as isize)?
                }
                _ if self.shape[axis] == 0 => {
                    return Err(wrong(format!("axis {axis} is empty; continue it by a constant")));
                }
                _ => reach::continued(&out, axis, before, after, boundary)?,
            };
        }
        Ok(out)
    }
}
