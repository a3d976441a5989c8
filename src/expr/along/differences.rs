//! Differences and derivatives: slices and elementwise operations, which fuse with what is around.

use super::super::{Expr, SliceItem, named};
use crate::geometry::normalize_axis;
use crate::store::MemorySource;
use crate::{Error, Result};
use std::sync::Arc;
use tilewise_kernels::{DType, Literal, promote, promote_weak};

/// Where the samples of a function lie along an axis.
#[derive(Clone, Debug)]
pub enum Spacing {
    /// At equal distances.
    Even(f64),
    /// At these coordinates, one per index.
    At(Arc<[f64]>),
}

/// `axis` from `start` to `stop`, where negative numbers count from the end.
fn part(expr: &Expr, axis: usize, start: isize, stop: Option<isize>) -> Result<Expr> {
    let mut items = vec![SliceItem::ALL; axis];
    items.push(SliceItem::Slice {
        start: Some(start),
        stop,
        step: None,
    });
    expr.slice(&items)
}

/// An op of the table between two expressions.
fn op(name: &str, a: &Expr, b: &Expr) -> Result<Expr> {
    Expr::op(named(name)?, &[a.clone(), b.clone()])
}

/// A number beside an array of `dtype`, as weakly typed as a literal.
fn number(value: f64, dtype: DType) -> Result<Expr> {
    let literal = Literal::Float(value);
    let dtype = promote_weak(dtype, literal).map_err(Error::Invalid)?;
    Ok(Expr::scalar(literal.to_scalar(dtype).map_err(Error::Invalid)?))
}

/// Numbers along one axis of `rank`, others of extent 1.
fn numbers(values: Vec<f64>, axis: usize, rank: usize) -> Result<Expr> {
    let mut shape = vec![1; rank];
    shape[axis] = values.len();
    Expr::source(Arc::new(MemorySource::from_vec::<f64>(&shape, values)?))
}

impl Expr {
    /// The difference of neighbours along `axis`, `n` times over (NumPy's `diff`); bools differ
    /// where they are not equal. `before` and `after` are put at the ends first; an extent of 1 in
    /// other axes is repeated.
    ///
    /// # Errors
    /// An axis out of range or shapes that do not agree.
    pub fn diff(&self, n: usize, axis: isize, before: Option<&Expr>, after: Option<&Expr>) -> Result<Expr> {
        let axis = normalize_axis(axis, self.rank())?;
        let mut out = self.clone();
        if before.is_some() || after.is_some() {
            let parts = [before, Some(self), after];
            let dtype = parts.iter().flatten().map(|p| p.dtype).reduce(promote);
            let dtype = dtype.unwrap_or(self.dtype);
            let parts = parts.into_iter().flatten().map(|part| {
                let mut part = part.cast(dtype);
                while part.rank() < self.rank() {
                    part = part.expand_dims(0)?;
                }
                let mut shape = self.shape.clone();
                shape[axis] = *part.shape.get(axis).unwrap_or(&1);
                part.broadcast_to(&shape)
            });
            out = Expr::concat(&parts.collect::<Result<Vec<_>>>()?, axis as isize)?;
        }
        let name = if out.dtype == DType::Bool {
            "not_equal"
        } else {
            "subtract"
        };
        for _ in 0..n.min(out.shape[axis]) {
            out = op(name, &part(&out, axis, 1, None)?, &part(&out, axis, 0, Some(-1))?)?;
        }
        Ok(out)
    }

    /// The derivative along `axis` by second-order central differences, at the ends of order
    /// `edge_order` (1 or 2), with NumPy's formulas (`gradient`): weights that are exact for a
    /// quadratic at any spacing. Floats keep their dtype, others give f64.
    ///
    /// # Errors
    /// An axis out of range, fewer than `edge_order + 1` places, another order, or coordinates that
    /// are not one per place.
    pub fn gradient(&self, spacing: &Spacing, axis: isize, edge_order: usize) -> Result<Expr> {
        if self.dtype.is_complex() {
            return self.by_parts(|part| part.gradient(spacing, axis, edge_order));
        }
        let axis = normalize_axis(axis, self.rank())?;
        let extent = self.shape[axis];
        if !(1..=2).contains(&edge_order) {
            return Err(Error::invalid(format!(
                "gradient: edge_order is 1 or 2, not {edge_order}"
            )));
        }
        if extent <= edge_order {
            return Err(Error::invalid(format!(
                "gradient: axis {axis} has {extent} places; edge_order {edge_order} needs {}",
                edge_order + 1
            )));
        }
        let dtype = if self.dtype.is_float() {
            self.dtype
        } else {
            DType::F64
        };
        let values = self.cast(dtype);
        let steps = match spacing {
            Spacing::Even(step) => return even(&values, *step, axis, edge_order),
            Spacing::At(places) if places.len() != extent => {
                return Err(Error::invalid(format!(
                    "gradient: {} coordinates for axis {axis} of extent {extent}",
                    places.len()
                )));
            }
            Spacing::At(places) => places.windows(2).map(|w| w[1] - w[0]).collect::<Vec<f64>>(),
        };
        // The weights are in f64, so all is until the end.
        let values = values.cast(DType::F64);
        let wide = match steps.first() {
            Some(first) if steps.iter().all(|s| s == first) => even(&values, *first, axis, edge_order)?,
            _ => uneven(&values, &steps, axis, edge_order)?,
        };
        Ok(wide.cast(dtype))
    }
}

/// The derivative at equal distances.
fn even(f: &Expr, step: f64, axis: usize, edge_order: usize) -> Result<Expr> {
    let at = |i: isize| part(f, axis, i, if i == -1 { None } else { Some(i + 1) });
    let quotient = |a: &Expr, by: f64| op("divide", a, &number(by, f.dtype)?);
    let times = |a: f64, b: &Expr| op("multiply", b, &number(a, f.dtype)?);
    let middle = || {
        let across = op("subtract", &part(f, axis, 2, None)?, &part(f, axis, 0, Some(-2))?)?;
        quotient(&across, 2.0 * step)
    };
    let (first, last) = if edge_order == 1 {
        (
            quotient(&op("subtract", &at(1)?, &at(0)?)?, step)?,
            quotient(&op("subtract", &at(-1)?, &at(-2)?)?, step)?,
        )
    } else {
        let sum = |weights: [f64; 3], places: [isize; 3]| -> Result<Expr> {
            let [a, b, c] = weights;
            let [i, j, k] = places;
            let two = op("add", &times(a, &at(i)?)?, &times(b, &at(j)?)?)?;
            op("add", &two, &times(c, &at(k)?)?)
        };
        (
            sum([-1.5 / step, 2.0 / step, -0.5 / step], [0, 1, 2])?,
            sum([0.5 / step, -2.0 / step, 1.5 / step], [-3, -2, -1])?,
        )
    };
    joined(f, axis, first, middle, last)
}

/// The derivative at any distances.
fn uneven(f: &Expr, steps: &[f64], axis: usize, edge_order: usize) -> Result<Expr> {
    let rank = f.rank();
    let n = f.shape[axis];
    let weighted = |weights: [Vec<f64>; 3], parts: [Expr; 3]| -> Result<Expr> {
        let terms = weights.into_iter().zip(&parts);
        let terms = terms.map(|(w, x)| op("multiply", &numbers(w, axis, rank)?, x));
        let [a, b, c] = <[Expr; 3]>::try_from(terms.collect::<Result<Vec<_>>>()?)
            .map_err(|_| Error::invalid("gradient: three terms"))?;
        op("add", &op("add", &a, &b)?, &c)
    };
    let pairs = || steps.windows(2).map(|w| (w[0], w[1]));
    let middle = || {
        let weights = [
            pairs().map(|(p, q)| -q / (p * (p + q))).collect(),
            pairs().map(|(p, q)| (q - p) / (p * q)).collect(),
            pairs().map(|(p, q)| p / (q * (p + q))).collect(),
        ];
        let parts = [
            part(f, axis, 0, Some(-2))?,
            part(f, axis, 1, Some(-1))?,
            part(f, axis, 2, None)?,
        ];
        weighted(weights, parts)
    };
    let at = |i: usize| part(f, axis, i as isize, Some(i as isize + 1));
    let (first, last) = if edge_order == 1 {
        let slope = |i: usize| {
            let across = op("subtract", &at(i + 1)?, &at(i)?)?;
            op("divide", &across, &number(steps[i], f.dtype)?)
        };
        (slope(0)?, slope(n - 2)?)
    } else {
        let ((p, q), (r, s)) = ((steps[0], steps[1]), (steps[n - 3], steps[n - 2]));
        let one = |values: [f64; 3]| values.map(|v| vec![v]);
        (
            weighted(
                one([
                    -(2.0 * p + q) / (p * (p + q)),
                    (p + q) / (p * q),
                    -p / (q * (p + q)),
                ]),
                [at(0)?, at(1)?, at(2)?],
            )?,
            weighted(
                one([
                    s / (r * (r + s)),
                    -(s + r) / (r * s),
                    (2.0 * s + r) / (s * (r + s)),
                ]),
                [at(n - 3)?, at(n - 2)?, at(n - 1)?],
            )?,
        )
    };
    joined(f, axis, first, middle, last)
}

/// Ends and middle of a derivative; two places have no middle.
fn joined(f: &Expr, axis: usize, first: Expr, middle: impl Fn() -> Result<Expr>, last: Expr) -> Result<Expr> {
    let whole = if f.shape[axis] == 2 {
        Expr::concat(&[first, last], axis as isize)?
    } else {
        Expr::concat(&[first, middle()?, last], axis as isize)?
    };
    whole.rechunk(f.chunks.clone())
}
