//! Reductions over dimensions named, with and without weights.

use super::align::{Operand, apply, together};
use super::attributes::after_reduction;
use super::data_array::DataArray;
use super::pick::Pick;
use crate::expr::Expr;
use crate::{DType, Error, Op, ReduceKind, Reduction, Result, Scalar};
use tilewise_kernels::Literal;

/// What is asked of a reduction beside its kind.
#[derive(Clone, Debug, Default)]
pub struct ReduceOptions {
    /// Dimensions to reduce; all of them when `None`.
    pub dims: Option<Vec<String>>,
    /// Whether NaN is left out; `None` means for floats, as xarray.
    pub skipna: Option<bool>,
    /// Delta degrees of freedom of `var` and `std`.
    pub ddof: u32,
    /// Whether reduced dimensions stay with size 1.
    pub keepdims: bool,
    /// Weights of `mean` and `sum`, aligned by name.
    pub weights: Option<DataArray>,
}

/// xarray's default: NaN is skipped in floats.
pub(super) fn default_skipna(kind: ReduceKind, dtype: DType) -> bool {
    dtype.has_nan() && !matches!(kind, ReduceKind::Any | ReduceKind::All)
}

impl DataArray {
    /// A reduction over dimensions.
    ///
    /// # Errors
    /// A dimension that is not there, weights for another kind than `mean` and `sum`, or no
    /// element for a reduction that needs one.
    pub fn reduce(&self, kind: ReduceKind, options: &ReduceOptions) -> Result<DataArray> {
        let dims: Vec<String> = options.dims.clone().unwrap_or_else(|| self.dims().to_vec());
        for (at, dim) in dims.iter().enumerate() {
            self.axis(dim)?;
            if dims[..at].contains(dim) {
                return Err(Error::invalid(format!("{}: {dim} is named twice", kind.name())));
            }
        }
        let skipna = options
            .skipna
            .unwrap_or_else(|| default_skipna(kind, self.dtype()));
        if let Some(weights) = &options.weights {
            return self.weighted(kind, &dims, weights, skipna, options.keepdims);
        }
        let reduction = Reduction {
            kind,
            skipna: skipna && self.dtype().has_nan(),
            ddof: options.ddof,
        };
        self.reduced(self.expr(), reduction, &dims, options.keepdims)
    }

    /// The reduction of an array that has this one's names.
    fn reduced(
        &self,
        expr: &Expr,
        reduction: Reduction,
        dims: &[String],
        keepdims: bool,
    ) -> Result<DataArray> {
        let axes: Vec<isize> = dims
            .iter()
            .map(|d| Ok(self.axis(d)? as isize))
            .collect::<Result<_>>()?;
        let out = expr.reduce(reduction, Some(&axes), keepdims)?;
        let kept: Vec<String> = self
            .dims()
            .iter()
            .filter(|d| keepdims || !dims.contains(d))
            .cloned()
            .collect();
        let attrs = after_reduction(self.attrs(), reduction.kind, dims);
        DataArray::new(self.name(), out, kept, self.coords_without(dims), attrs)
    }

    /// `sum(x w) / sum(w)` over the elements that are not NaN, or the sum alone.
    fn weighted(
        &self,
        kind: ReduceKind,
        dims: &[String],
        weights: &DataArray,
        skipna: bool,
        keepdims: bool,
    ) -> Result<DataArray> {
        if !matches!(kind, ReduceKind::Mean | ReduceKind::Sum) {
            return Err(Error::invalid(format!(
                "weights go with mean and sum, not with {}",
                kind.name()
            )));
        }
        if weights.dtype() == DType::Bool {
            return Err(Error::invalid("weights must be numbers; use astype(\"float64\")"));
        }
        let weights = &weights.matching(self)?;
        let (exprs, names, coords) = together("weights", &[self, weights])?;
        if let Some(extra) = names.iter().find(|n| !self.dims().contains(n)) {
            return Err(Error::invalid(format!(
                "weights have the dimension {extra}, which {} has not",
                self.describe()
            )));
        }
        let frame = self.with_coords(coords);
        let (values, weights) = (&exprs[0], &exprs[1]);
        let table = |name: &str| Op::find(name).ok_or_else(|| Error::invalid(format!("no function {name}")));
        let zero = |dtype| {
            Literal::Int(0)
                .to_scalar(dtype)
                .map(Expr::scalar)
                .map_err(Error::Invalid)
        };
        let (values, counted) = if skipna && self.dtype().has_nan() {
            let missing = Expr::op(table("isnan")?, std::slice::from_ref(values))?;
            let choose = |x: &Expr| Expr::op(table("where")?, &[missing.clone(), zero(x.dtype)?, x.clone()]);
            (choose(values)?, choose(weights)?)
        } else {
            (values.clone(), weights.clone())
        };
        let product = Expr::op(table("multiply")?, &[values, weights.clone()])?;
        let sum = Reduction::new(ReduceKind::Sum);
        let total = frame.reduced(&product, sum, dims, keepdims)?;
        let attrs = after_reduction(self.attrs(), kind, dims);
        if kind == ReduceKind::Sum {
            return Ok(total.with_attrs(attrs));
        }
        let weight = frame.reduced(&counted, sum, dims, keepdims)?;
        let mean = apply(table("divide")?, &[Operand::Array(total), Operand::Array(weight)])?;
        Ok(mean.renamed(self.name()).with_attrs(attrs))
    }

    /// The places that have the labels of `other`, along every dimension both have labels for;
    /// weights of a whole grid so serve a part of it.
    fn matching(&self, other: &DataArray) -> Result<DataArray> {
        let mut out = self.clone();
        for dim in other.dims() {
            let (Some(own), Some(wanted)) = (self.index(dim), other.index(dim)) else {
                continue;
            };
            if own.difference(wanted).is_none() {
                continue;
            }
            let places = own.places_of(wanted).ok_or_else(|| {
                Error::invalid(format!(
                    "weights: {} lacks some labels of {dim} in {}",
                    self.describe(),
                    other.describe()
                ))
            })?;
            out = out.pick(dim, &Pick::List(places.into()))?;
        }
        Ok(out)
    }

    /// Whether each element is NaN; all false where the dtype has none.
    ///
    /// # Errors
    /// None for arrays that exist.
    pub fn isnull(&self) -> Result<DataArray> {
        if self.dtype().has_nan() {
            let isnan = Op::find("isnan").ok_or_else(|| Error::invalid("no function isnan"))?;
            return apply(isnan, &[Operand::Array(self.clone())]);
        }
        let expr = Expr::full(self.shape(), Scalar::new(false))?;
        Ok(self.with_expr(expr).with_attrs(Default::default()))
    }
}
