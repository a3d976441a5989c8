//! Functions of complex numbers as expressions of real functions of their parts.
//!
//! They have the branch cuts and, at zeros, infinities and NaN, the values of C99's Annex G where its
//! sign of zero is not asked for. The error is a few units in the last place of the result's length,
//! which a part that is much smaller may not have right. Formulas: W. Kahan, "Branch cuts for complex
//! elementary functions", in The State of the Art in Numerical Analysis, 1987.

use super::{join, number, op};
use crate::Result;
use crate::expr::{Expr, NodeKind};
use crate::geometry::broadcast_shapes;
use tilewise_kernels::{Op, promote};

/// The function that an op is for complex arguments, if it is one of these.
pub(super) fn find(table: Op, args: &[Expr]) -> Result<Option<Expr>> {
    let z = &args[0];
    let made = match (table.name, args.len()) {
        ("exp", 1) => exp(z),
        ("exp2", 1) => exp(&scaled(z, std::f64::consts::LN_2)?),
        ("log", 1) => log(z),
        ("log2", 1) => scaled(&log(z)?, std::f64::consts::LOG2_E),
        ("log10", 1) => scaled(&log(z)?, std::f64::consts::LOG10_E),
        ("sqrt", 1) => sqrt(z),
        ("sinh", 1) => {
            let [x, y] = z.parts()?;
            let [re, im] = hyperbolic("sinh", &x, &y)?;
            join(&re, &im)
        }
        ("cosh", 1) => {
            let [x, y] = z.parts()?;
            let [re, im] = hyperbolic("cosh", &x, &y)?;
            join(&re, &im)
        }
        // sin(z) = -i sinh(iz)
        ("sin", 1) => {
            let [x, y] = z.parts()?;
            let [im, re] = hyperbolic("sinh", &y, &x)?;
            join(&re, &im)
        }
        // cos(z) = cosh(iz)
        ("cos", 1) => {
            let [x, y] = z.parts()?;
            let [re, im] = hyperbolic("cosh", &y, &x)?;
            join(&re, &op("negative", &[&im])?)
        }
        ("tanh", 1) => {
            let [x, y] = z.parts()?;
            let [re, im] = tanh(&x, &y)?;
            join(&re, &im)
        }
        // tan(z) = -i tanh(iz)
        ("tan", 1) => {
            let [x, y] = z.parts()?;
            let [im, re] = tanh(&y, &x)?;
            join(&re, &im)
        }
        ("sign", 1) => {
            let quotient = op("divide", &[z, &op("abs", &[z])?])?;
            let zero = is_zero(z)?;
            op("where", &[&zero, &number(0.0, z.dtype)?, &quotient])
        }
        ("pow", 2) => power(z, &args[1]),
        _ => return Ok(None),
    };
    made.map(Some)
}

/// A product of real numbers, 0 where the first is, also beside infinity and NaN.
fn times(a: &Expr, b: &Expr) -> Result<Expr> {
    let product = op("multiply", &[a, b])?;
    op("where", &[&is_zero(a)?, a, &product])
}

/// The same where either is 0.
fn times_either(a: &Expr, b: &Expr) -> Result<Expr> {
    let product = times(a, b)?;
    op("where", &[&is_zero(b)?, b, &product])
}

fn is_zero(x: &Expr) -> Result<Expr> {
    op("equal", &[x, &number(0.0, x.dtype)?])
}

/// Both parts times a real number.
fn scaled(z: &Expr, by: f64) -> Result<Expr> {
    z.by_parts(|part| op("multiply", &[part, &number(by, part.dtype)?]))
}

/// Both parts of sinh(x + iy) or cosh(x + iy).
fn hyperbolic(name: &str, x: &Expr, y: &Expr) -> Result<[Expr; 2]> {
    let other = if name == "sinh" { "cosh" } else { "sinh" };
    let (size, across) = (op(name, &[x])?, op(other, &[x])?);
    let along = times_either(&op("cos", &[y])?, &size)?;
    Ok([
        op("where", &[&unknown_turn(x, y)?, &size, &along])?,
        times_either(&op("sin", &[y])?, &across)?,
    ])
}

/// Whether x is infinite and y not finite: in which direction e^(x + iy) lies is not known.
fn unknown_turn(x: &Expr, y: &Expr) -> Result<Expr> {
    let turned = op("logical_not", &[&op("isfinite", &[y])?])?;
    op("logical_and", &[&turned, &op("isinf", &[x])?])
}

fn exp(z: &Expr) -> Result<Expr> {
    let [x, y] = z.parts()?;
    let size = op("exp", &[&x])?;
    let extreme = unknown_turn(&x, &y)?;
    let part = |name: &str| -> Result<Expr> {
        let plain = times(&op(name, &[&y])?, &size)?;
        match name {
            "cos" => op("where", &[&extreme, &size, &plain]),
            _ => {
                let gone = op("logical_and", &[&is_zero(&size)?, &extreme])?;
                op("where", &[&gone, &size, &plain])
            }
        }
    };
    join(&part("cos")?, &part("sin")?)
}

fn log(z: &Expr) -> Result<Expr> {
    let [x, y] = z.parts()?;
    let (x, y) = (op("abs", &[&x])?, op("abs", &[&y])?);
    let (large, small) = (op("maximum", &[&x, &y])?, op("minimum", &[&x, &y])?);
    let one = number(1.0, x.dtype)?;
    // Near the unit circle the logarithm is small: log1p((a - 1)(a + 1) + b²) / 2.
    let square = op(
        "add",
        &[
            &op(
                "multiply",
                &[&op("subtract", &[&large, &one])?, &op("add", &[&large, &one])?],
            )?,
            &op("multiply", &[&small, &small])?,
        ],
    )?;
    let near = op("multiply", &[&op("log1p", &[&square])?, &number(0.5, x.dtype)?])?;
    let size = op("abs", &[z])?;
    let inside = op(
        "logical_and",
        &[
            &op("greater", &[&size, &number(0.5, x.dtype)?])?,
            &op("less", &[&size, &number(2.0, x.dtype)?])?,
        ],
    )?;
    let re = op("where", &[&inside, &near, &op("log", &[&size])?])?;
    join(&re, &op("angle", &[z])?)
}

fn sqrt(z: &Expr) -> Result<Expr> {
    let [x, y] = z.parts()?;
    let half = number(0.5, x.dtype)?;
    let halved = |part: &Expr| op("multiply", &[part, &half]);
    // Halves first, so that nothing overflows.
    let sum = op(
        "add",
        &[&halved(&op("abs", &[&x])?)?, &halved(&op("abs", &[z])?)?],
    )?;
    let root = op("sqrt", &[&sum])?;
    let other = op("divide", &[&halved(&op("abs", &[&y])?)?, &root])?;
    let zero = is_zero(z)?;
    let other = op("where", &[&zero, &root, &other])?;
    let left = op("signbit", &[&x])?;
    let re = op("where", &[&left, &other, &root])?;
    let im = op("copysign", &[&op("where", &[&left, &root, &other])?, &y])?;
    // The root of an infinite imaginary part is infinite whatever the real part is.
    let endless = op("isinf", &[&y])?;
    let infinity = number(f64::INFINITY, x.dtype)?;
    join(
        &op("where", &[&endless, &infinity, &re])?,
        &op("where", &[&endless, &y, &im])?,
    )
}

/// Both parts of tanh(x + iy).
fn tanh(x: &Expr, y: &Expr) -> Result<[Expr; 2]> {
    let one = number(1.0, x.dtype)?;
    let tangent = op("tan", &[y])?;
    let beta = op("add", &[&one, &op("multiply", &[&tangent, &tangent])?])?;
    let sinh = op("sinh", &[x])?;
    let squared = op("multiply", &[&sinh, &sinh])?;
    let rho = op("sqrt", &[&op("add", &[&one, &squared])?])?;
    let below = op("add", &[&one, &op("multiply", &[&beta, &squared])?])?;
    let along = op("multiply", &[&beta, &op("multiply", &[&rho, &sinh])?])?;
    let (re, im) = (
        op("divide", &[&along, &below])?,
        op("divide", &[&tangent, &below])?,
    );
    // Further out the real part is ±1 and the imaginary part 4 sin y cos y exp(-2|x|).
    let (limit, size) = (number(18.0, x.dtype)?, op("abs", &[x])?);
    let far = op("greater", &[&size, &limit])?;
    let falling = op("exp", &[&op("multiply", &[&number(-2.0, x.dtype)?, &size])?])?;
    let turned = op("multiply", &[&op("sin", &[y])?, &op("cos", &[y])?])?;
    let turned = op("multiply", &[&number(4.0, x.dtype)?, &turned])?;
    let endless = op("isinf", &[x])?;
    let last = op(
        "where",
        &[
            &endless,
            &number(0.0, x.dtype)?,
            &op("multiply", &[&turned, &falling])?,
        ],
    )?;
    Ok([
        op(
            "where",
            &[
                &is_zero(x)?,
                x,
                &op("where", &[&far, &op("copysign", &[&one, x])?, &re])?,
            ],
        )?,
        op("where", &[&is_zero(y)?, y, &op("where", &[&far, &last, &im])?])?,
    ])
}

/// The whole number that an expression is everywhere, if it is a small one.
fn small_integer(expr: &Expr) -> Option<i32> {
    match &expr.kind {
        NodeKind::Scalar(value) => {
            let (re, im) = value.parts();
            let whole = im.to_f64() == 0.0 && re.to_f64().fract() == 0.0 && re.to_f64().abs() <= 64.0;
            whole.then(|| re.to_f64() as i32)
        }
        NodeKind::Cast | NodeKind::View(_) => small_integer(&expr.inputs[0]),
        _ => None,
    }
}

fn power(z: &Expr, exponent: &Expr) -> Result<Expr> {
    let dtype = promote(z.dtype, exponent.dtype);
    let shape = broadcast_shapes(&[&z.shape, &exponent.shape])?;
    let z = z.cast(dtype).broadcast_to(&shape)?;
    if let Some(count) = small_integer(exponent) {
        let mut made: Option<Expr> = None;
        let mut factor = z.clone();
        let mut rest = count.unsigned_abs();
        while rest > 0 {
            if rest & 1 == 1 {
                made = Some(match made {
                    Some(made) => op("multiply", &[&made, &factor])?,
                    None => factor.clone(),
                });
            }
            rest >>= 1;
            if rest > 0 {
                factor = op("square", &[&factor])?;
            }
        }
        let Some(made) = made else {
            return number(1.0, dtype)?.broadcast_to(&shape);
        };
        return if count < 0 {
            op("reciprocal", &[&made])
        } else {
            Ok(made)
        };
    }
    let exponent = exponent.cast(dtype);
    let raised = exp(&op("multiply", &[&exponent, &log(&z)?])?)?;
    let (zero, one) = (number(0.0, dtype)?, number(1.0, dtype)?);
    let positive = op(
        "greater",
        &[&op("real", &[&exponent])?, &number(0.0, dtype.part())?],
    )?;
    let of_zero = op("where", &[&positive, &zero, &number(f64::NAN, dtype)?])?;
    let of_zero = op("where", &[&op("equal", &[&exponent, &zero])?, &one, &of_zero])?;
    let from_zero = op("equal", &[&z, &zero])?;
    let to_zero = op("equal", &[&exponent, &zero])?;
    let value = op("where", &[&from_zero, &of_zero, &raised])?;
    op("where", &[&to_zero, &one, &value])
}
