//! Elementwise operations, operators and reductions of arrays.

use super::array::{Array, IntoOperand};
use crate::Result;
use crate::expr::Expr;
use crate::{Error, Op};
use std::sync::Arc;
use tilewise_kernels::{DType, ReduceKind, Reduction};

impl Array {
    /// An op of the table by name on this array and others, e.g. `x.apply("hypot", &[&y])`.
    ///
    /// # Errors
    /// No such op, another number of arguments, shapes or dtypes that do not go together.
    pub fn apply(&self, op: &str, others: &[&dyn IntoOperand]) -> Result<Array> {
        let op =
            Op::find(op).ok_or_else(|| Error::invalid(format!("there is no elementwise function {op}")))?;
        let mut args = vec![self.expr().clone()];
        for other in others {
            args.push(other.operand(self.dtype())?);
        }
        Expr::op(op, &args).map(Array::from_expr)
    }

    /// In another dtype.
    pub fn astype(&self, dtype: DType) -> Array {
        Array::from_expr(self.expr().cast(dtype))
    }

    /// This where `condition` holds, `other` elsewhere.
    ///
    /// # Errors
    /// Shapes or dtypes that do not go together.
    pub fn where_(&self, condition: &Array, other: impl IntoOperand) -> Result<Array> {
        let op = crate::expr::named("where")?;
        let args = [
            condition.expr().clone(),
            self.expr().clone(),
            other.operand(self.dtype())?,
        ];
        Expr::op(op, &args).map(Array::from_expr)
    }

    /// A reduction over `axes` (all when `None`).
    ///
    /// # Errors
    /// An axis out of range; nothing to reduce for a reduction without identity.
    pub fn reduce(&self, reduction: Reduction, axes: Option<&[isize]>, keepdims: bool) -> Result<Array> {
        self.expr()
            .reduce(reduction, axes, keepdims)
            .map(Array::from_expr)
    }

    /// A reduction within groups of equal label along `axis`.
    ///
    /// # Errors
    /// A label out of range, or not one label per index.
    pub fn group_reduce(
        &self,
        reduction: Reduction,
        axis: isize,
        labels: impl Into<Arc<[u32]>>,
        groups: usize,
    ) -> Result<Array> {
        self.expr()
            .group_reduce(reduction, axis, labels.into(), groups)
            .map(Array::from_expr)
    }

    /// Sum over axes; integers in 64 bits, floats accumulated in f64.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn sum(&self, axes: &[isize]) -> Result<Array> {
        self.reduce(Reduction::new(ReduceKind::Sum), Some(axes), false)
    }

    /// Mean over axes, accumulated in f64.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn mean(&self, axes: &[isize]) -> Result<Array> {
        self.reduce(Reduction::new(ReduceKind::Mean), Some(axes), false)
    }

    /// Standard deviation over axes with `ddof`.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn std(&self, axes: &[isize], ddof: u32) -> Result<Array> {
        self.reduce(
            Reduction {
                kind: ReduceKind::Std,
                skipna: false,
                ddof,
            },
            Some(axes),
            false,
        )
    }

    /// Smallest element over axes; NaN wins.
    ///
    /// # Errors
    /// An axis out of range or empty.
    pub fn min(&self, axes: &[isize]) -> Result<Array> {
        self.reduce(Reduction::new(ReduceKind::Min), Some(axes), false)
    }

    /// Largest element over axes; NaN wins.
    ///
    /// # Errors
    /// An axis out of range or empty.
    pub fn max(&self, axes: &[isize]) -> Result<Array> {
        self.reduce(Reduction::new(ReduceKind::Max), Some(axes), false)
    }

    /// Mean weighted by `weights`, which broadcast to this shape: `sum(x·w) / sum(w)`. With
    /// `skipna`, NaN elements count for neither sum.
    ///
    /// # Errors
    /// Shapes or axes that do not go together.
    pub fn weighted_mean(
        &self,
        weights: &Array,
        axes: Option<&[isize]>,
        keepdims: bool,
        skipna: bool,
    ) -> Result<Array> {
        let sum = Reduction::new(ReduceKind::Sum).skipna(skipna);
        let product = (self * weights)?;
        // Weights count where the element does; either way they get the array's shape.
        let weights = if skipna && self.dtype().has_nan() {
            let valid = self.apply("isnan", &[])?.apply("logical_not", &[])?;
            (weights * &valid.astype(weights.dtype()))?
        } else {
            Array::from_expr(weights.expr().broadcast_to(self.shape())?)
        };
        let total = product.reduce(sum, axes, keepdims)?;
        let weight = weights.reduce(sum, axes, keepdims)?;
        let mean = (&total / &weight)?;
        Ok(if self.dtype().has_nan() {
            mean.astype(self.dtype())
        } else {
            mean
        })
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident $op:literal;)*) => {$(
        impl<R: IntoOperand> std::ops::$trait<R> for &Array {
            type Output = Result<Array>;
            fn $method(self, other: R) -> Result<Array> {
                self.apply($op, &[&other])
            }
        }
    )*};
}
operators! {
    Add add "add";
    Sub sub "subtract";
    Mul mul "multiply";
    Div div "divide";
    Rem rem "remainder";
    BitAnd bitand "bitwise_and";
    BitOr bitor "bitwise_or";
    BitXor bitxor "bitwise_xor";
}

impl std::ops::Neg for &Array {
    type Output = Result<Array>;
    fn neg(self) -> Result<Array> {
        self.apply("negative", &[])
    }
}
