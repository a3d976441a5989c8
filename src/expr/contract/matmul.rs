//! Products of matrices, vectors and tensors, with the rules of NumPy and the Array API.

use super::Label;
use crate::expr::Expr;
use crate::geometry::{broadcast_shapes, normalize_axis};
use crate::{Error, Result};

/// Labels of rows, columns and summed axes; batch axes are labelled by their number.
const ROW: Label = u32::MAX;
const COL: Label = u32::MAX - 1;
const SUM: Label = u32::MAX - 2;

impl Expr {
    /// The product of matrices in the last two axes of each, batches broadcast: `(…, m, k)` and
    /// `(…, k, n)` give `(…, m, n)`. A vector stands for a row on the left and a column on the
    /// right, and its axis is missing in the result.
    ///
    /// # Errors
    /// Scalars; inner extents that differ; batches that do not broadcast.
    pub fn matmul(&self, other: &Expr) -> Result<Expr> {
        let wrong =
            |why: String| Error::invalid(format!("matmul of {:?} and {:?}: {why}", self.shape, other.shape));
        if self.rank() == 0 || other.rank() == 0 {
            return Err(wrong("a scalar is no matrix; use multiply".into()));
        }
        let inner = self.shape[self.rank() - 1];
        let beside = other.shape[other.rank().saturating_sub(2)];
        if inner != beside {
            return Err(wrong(format!("{inner} columns meet {beside} rows")));
        }
        let (lead_a, lead_b) = (self.rank().saturating_sub(2), other.rank().saturating_sub(2));
        let batch = broadcast_shapes(&[&self.shape[..lead_a], &other.shape[..lead_b]])
            .map_err(|e| wrong(format!("batches do not broadcast: {e}")))?;
        let lead = |count: usize| (batch.len() - count..batch.len()).map(|axis| axis as Label);
        let mut a: Vec<Label> = lead(lead_a).collect();
        let mut b: Vec<Label> = lead(lead_b).collect();
        let mut out: Vec<Label> = lead(batch.len()).collect();
        if self.rank() > 1 {
            a.push(ROW);
            out.push(ROW);
        }
        a.push(SUM);
        b.push(SUM);
        if other.rank() > 1 {
            b.push(COL);
            out.push(COL);
        }
        Expr::contract(&[(self, &a), (other, &b)], &out).map_err(|e| wrong(e.to_string()))
    }

    /// The sum of products over pairs of axes; the axes that remain, first of `self`, then of
    /// `other`, are the result's.
    ///
    /// # Errors
    /// Lists of two lengths; an axis out of range or named twice; extents that differ.
    pub fn tensordot(&self, other: &Expr, axes: [&[isize]; 2]) -> Result<Expr> {
        let wrong = |why: String| {
            Error::invalid(format!(
                "tensordot of {:?} and {:?} over axes {:?} and {:?}: {why}",
                self.shape, other.shape, axes[0], axes[1]
            ))
        };
        if axes[0].len() != axes[1].len() {
            return Err(wrong("not as many axes of one as of the other".into()));
        }
        let mut labels = [vec![], vec![]];
        for (number, expr) in [self, other].into_iter().enumerate() {
            let first = (number * self.rank()) as Label;
            labels[number] = (0..expr.rank() as Label).map(|axis| first + axis).collect();
        }
        for (&x, &y) in axes[0].iter().zip(axes[1]) {
            let x = normalize_axis(x, self.rank()).map_err(|e| wrong(e.to_string()))?;
            let y = normalize_axis(y, other.rank()).map_err(|e| wrong(e.to_string()))?;
            if self.shape[x] != other.shape[y] {
                return Err(wrong(format!(
                    "extents {} and {} differ",
                    self.shape[x], other.shape[y]
                )));
            }
            let twice = labels[0].contains(&labels[1][y]) || labels[1].contains(&labels[0][x]);
            if twice {
                return Err(wrong("an axis is named twice".into()));
            }
            labels[1][y] = labels[0][x];
        }
        let [a, b] = &labels;
        let mut out: Vec<Label> = a.iter().copied().filter(|l| !b.contains(l)).collect();
        out.extend(b.iter().copied().filter(|l| !a.contains(l)));
        Expr::contract(&[(self, a), (other, b)], &out).map_err(|e| wrong(e.to_string()))
    }

    /// The sum of products along an axis of both, counted from the end; the other axes broadcast.
    ///
    /// # Errors
    /// An axis that is not negative or out of range; extents that differ; shapes that do not
    /// broadcast.
    pub fn vecdot(&self, other: &Expr, axis: isize) -> Result<Expr> {
        let wrong = |why: String| {
            Error::invalid(format!(
                "vecdot of {:?} and {:?} along axis {axis}: {why}",
                self.shape, other.shape
            ))
        };
        let back = axis.unsigned_abs();
        if axis >= 0 || back > self.rank().min(other.rank()) {
            return Err(wrong(
                "the axis counts from the end, -1 the last, and both have it".into(),
            ));
        }
        let (n, m) = (self.shape[self.rank() - back], other.shape[other.rank() - back]);
        if n != m {
            return Err(wrong(format!("extents {n} and {m} differ")));
        }
        let shape = broadcast_shapes(&[&self.shape, &other.shape]).map_err(|e| wrong(e.to_string()))?;
        let labels = |expr: &Expr| -> Vec<Label> {
            (shape.len() - expr.rank()..shape.len())
                .map(|a| a as Label)
                .collect()
        };
        let mut out: Vec<Label> = (0..shape.len() as Label).collect();
        out.remove(shape.len() - back);
        let (a, b) = (labels(self), labels(other));
        Expr::contract(&[(self, &a), (other, &b)], &out).map_err(|e| wrong(e.to_string()))
    }

    /// All products of an element of `self` and one of `other`, both in row-major order.
    ///
    /// # Errors
    /// When the size does not fit 64 bits.
    pub fn outer(&self, other: &Expr) -> Result<Expr> {
        let (a, b) = (self.reshape(&[-1])?, other.reshape(&[-1])?);
        Expr::contract(&[(&a, &[ROW]), (&b, &[COL])], &[ROW, COL])
    }
}
