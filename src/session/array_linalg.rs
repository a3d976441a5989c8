//! Products of matrices and tensors, named as in NumPy and the Array API.

use super::array::Array;
use crate::Result;
use crate::expr::Expr;

impl Array {
    /// The product of matrices in the last two axes of each, batches broadcast: `(…, m, k)` and
    /// `(…, k, n)` give `(…, m, n)` in the promoted dtype. A vector stands for a row on the left
    /// and a column on the right. Integers wrap; a product of bools is true where some pair of
    /// factors is; half floats are summed in f32.
    ///
    /// ```
    /// use tilewise::Array;
    /// let a = Array::from_vec(&[2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    /// let product = a.matmul(&a.transpose()?)?; // nothing is transposed in memory
    /// assert_eq!(product.compute::<f32>()?.into_raw_vec_and_offset().0, [14.0, 32.0, 32.0, 77.0]);
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// Scalars; inner extents that differ; batches that do not broadcast.
    pub fn matmul(&self, other: &Array) -> Result<Array> {
        self.expr().matmul(other.expr()).map(Array::from_expr)
    }

    /// The sum of products over pairs of axes, `axes[0]` of this and `axes[1]` of the other; the
    /// axes that remain, first of this, are the result's.
    ///
    /// # Errors
    /// Lists of two lengths; an axis out of range or named twice; extents that differ.
    pub fn tensordot(&self, other: &Array, axes: [&[isize]; 2]) -> Result<Array> {
        self.expr().tensordot(other.expr(), axes).map(Array::from_expr)
    }

    /// The sum of products along an axis counted from the end, the other axes broadcast.
    ///
    /// # Errors
    /// An axis that is not negative or out of range; extents that differ.
    pub fn vecdot(&self, other: &Array, axis: isize) -> Result<Array> {
        self.expr().vecdot(other.expr(), axis).map(Array::from_expr)
    }

    /// All products of an element of this and one of the other, both in row-major order.
    ///
    /// # Errors
    /// When the size does not fit 64 bits.
    pub fn outer(&self, other: &Array) -> Result<Array> {
        self.expr().outer(other.expr()).map(Array::from_expr)
    }

    /// The Einstein sum of some arrays: letters name axes, those that the result lacks are summed
    /// over, one that an operand has twice is its diagonal, `...` stands for axes that broadcast.
    /// Without `->` the result has the letters that come once, in alphabetical order.
    ///
    /// ```
    /// use tilewise::Array;
    /// let a = Array::arange(6)?.reshape(&[2, 3])?;
    /// let norms = Array::einsum("ij,ij->i", &[&a, &a])?;
    /// assert_eq!(norms.compute::<i64>()?.into_raw_vec_and_offset().0, [5, 50]);
    /// # Ok::<(), tilewise::Error>(())
    /// ```
    ///
    /// # Errors
    /// A subscript that is not well formed or does not fit the arrays; extents of one letter that
    /// differ.
    pub fn einsum(subscripts: &str, operands: &[&Array]) -> Result<Array> {
        let operands: Vec<Expr> = operands.iter().map(|a| a.expr().clone()).collect();
        Expr::einsum(subscripts, &operands).map(Array::from_expr)
    }
}
