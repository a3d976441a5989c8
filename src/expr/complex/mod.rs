//! Complex numbers in expressions: what is done to both parts, and what is refused.
//!
//! The op table has the arithmetic of complex numbers. Reductions, scans, windows, stencils and
//! products of matrices are linear, or sums over both parts, so they are those of the parts, put
//! together again: every device runs them as it runs real numbers. Complex numbers have no order, so
//! what asks for one is refused.

mod functions;

use super::{Expr, named};
use crate::{Error, Result};
use tilewise_kernels::scan::{Scan, ScanKind};
use tilewise_kernels::window::{Window, WindowKind};
use tilewise_kernels::{DType, Literal, Op, ReduceKind, Reduction, Scalar};

/// An op of the table.
fn op(name: &str, args: &[&Expr]) -> Result<Expr> {
    let args: Vec<Expr> = args.iter().map(|&arg| arg.clone()).collect();
    Expr::op(named(name)?, &args)
}

/// The complex number of two parts.
fn join(re: &Expr, im: &Expr) -> Result<Expr> {
    op("complex", &[re, im])
}

/// A number in a dtype.
fn number(value: f64, dtype: DType) -> Result<Expr> {
    let scalar = Literal::Float(value).to_scalar(dtype).map_err(Error::Invalid)?;
    Ok(Expr::scalar(scalar))
}

/// The function of complex numbers that an op of the table is for these arguments, where the table has
/// it for real ones only.
///
/// # Errors
/// What its parts meet.
pub(super) fn function(table: Op, args: &[Expr]) -> Result<Option<Expr>> {
    match args.iter().any(|arg| arg.dtype.is_complex()) {
        true => functions::find(table, args),
        false => Ok(None),
    }
}

impl Expr {
    /// The real and the imaginary part.
    pub(super) fn parts(&self) -> Result<[Expr; 2]> {
        Ok([op("real", &[self])?, op("imag", &[self])?])
    }

    /// The parts, both NaN where one is and NaN is to be skipped.
    fn parts_masked(&self, skipna: bool) -> Result<[Expr; 2]> {
        let parts = self.parts()?;
        if !skipna {
            return Ok(parts);
        }
        let (missing, nan) = (op("isnan", &[self])?, number(f64::NAN, self.dtype.part())?);
        let [re, im] = &parts;
        Ok([
            op("where", &[&missing, &nan, re])?,
            op("where", &[&missing, &nan, im])?,
        ])
    }

    /// The same done to both parts.
    pub(super) fn by_parts(&self, work: impl Fn(&Expr) -> Result<Expr>) -> Result<Expr> {
        let [re, im] = self.parts()?;
        join(&work(&re)?, &work(&im)?)
    }

    /// # Errors
    /// When the array holds complex numbers, which have no order.
    pub(super) fn refuse_complex(&self, what: &str) -> Result<()> {
        match self.dtype.is_complex() {
            false => Ok(()),
            true => Err(Error::invalid(format!(
                "{what} of {}: complex numbers have no order; take abs, real or imag first",
                self.dtype
            ))),
        }
    }
}

/// A reduction of complex numbers by `run`, which reduces real ones.
pub(super) fn reduced(
    expr: &Expr,
    reduction: Reduction,
    run: impl Fn(&Expr, Reduction) -> Result<Expr>,
) -> Result<Expr> {
    use ReduceKind as K;
    let of = |kind| Reduction { kind, ..reduction };
    match reduction.kind {
        K::Any | K::All => run(&expr.cast(DType::Bool), reduction),
        K::Count => run(&expr.parts_masked(reduction.skipna)?[0], reduction),
        K::Sum | K::Mean | K::First | K::Last => {
            let [re, im] = expr.parts_masked(reduction.skipna)?;
            join(&run(&re, reduction)?, &run(&im, reduction)?)
        }
        // The mean of |z - mean|², which is the sum of both parts' own.
        K::Var | K::Std => {
            let [re, im] = expr.parts_masked(reduction.skipna)?;
            let variance = op("add", &[&run(&re, of(K::Var))?, &run(&im, of(K::Var))?])?;
            match reduction.kind {
                K::Std => op("sqrt", &[&variance]),
                _ => Ok(variance),
            }
        }
        K::Prod => Err(Error::invalid(format!(
            "prod of {} is not there; exp(sum(log(x))) is it where no element is 0",
            expr.dtype
        ))),
        K::Min | K::Max | K::ArgMin | K::ArgMax => {
            expr.refuse_complex(reduction.kind.name())?;
            Ok(expr.clone())
        }
    }
}

/// A scan of complex numbers.
pub(super) fn scanned(expr: &Expr, scan: Scan, axis: isize) -> Result<Expr> {
    if scan.kind != ScanKind::Sum {
        return Err(Error::invalid(format!(
            "{} of {} is not there; of complex numbers there is cumulative_sum",
            scan.kind.name(),
            expr.dtype
        )));
    }
    let [re, im] = expr.parts_masked(scan.skipna)?;
    join(&re.scan(scan, axis)?, &im.scan(scan, axis)?)
}

/// A window over complex numbers.
pub(super) fn rolled(expr: &Expr, window: Window, axis: isize) -> Result<Expr> {
    match window.kind {
        WindowKind::Sum | WindowKind::Mean => {
            let [re, im] = expr.parts_masked(true)?;
            join(&re.rolling(window, axis)?, &im.rolling(window, axis)?)
        }
        WindowKind::Count => expr.parts_masked(true)?[0].rolling(window, axis),
        other => Err(Error::invalid(format!(
            "rolling {} of {} is not there; of complex numbers there are sum, mean and count",
            other.name(),
            expr.dtype
        ))),
    }
}

/// A weighted sum of neighbours by `run`, which takes real numbers, real weights and whether fills are
/// the imaginary parts.
pub(super) fn weighted(
    expr: &Expr,
    weights: &[Scalar],
    run: impl Fn(&Expr, &[Scalar], bool) -> Result<Expr>,
) -> Result<Expr> {
    let (first, second): (Vec<Scalar>, Vec<Scalar>) = weights.iter().map(|w| w.parts()).unzip();
    let [re, im] = expr.parts()?;
    let by = |weights: &[Scalar]| join(&run(&re, weights, false)?, &run(&im, weights, true)?);
    match weights.iter().any(|w| w.dtype().is_complex()) {
        false => by(weights),
        true => op("add", &[&by(&first)?, &times_i(&by(&second)?)?]),
    }
}

/// A contraction of arrays of which at least one is complex by `run`, which contracts the same arrays
/// with one of them replaced.
pub(super) fn contracted(
    operands: &[(&Expr, &[u32])],
    run: impl Fn(&[(&Expr, &[u32])]) -> Result<Expr>,
) -> Result<Option<Expr>> {
    let Some(at) = operands.iter().position(|(expr, _)| expr.dtype.is_complex()) else {
        return Ok(None);
    };
    let [re, im] = operands[at].0.parts()?;
    let with = |part: &Expr| {
        let mut parts = operands.to_vec();
        parts[at].0 = part;
        run(&parts)
    };
    let (x, y) = (with(&re)?, with(&im)?);
    match x.dtype.is_complex() {
        true => op("add", &[&x, &times_i(&y)?]).map(Some),
        false => join(&x, &y).map(Some),
    }
}

/// The number times the imaginary unit.
fn times_i(z: &Expr) -> Result<Expr> {
    let [re, im] = z.parts()?;
    join(&op("negative", &[&im])?, &re)
}
