//! Arithmetic between literals, exact in integers, so that `2 ** 10` stays weakly typed.

use super::super::lang::UnaryOp;
use crate::{Error, Result};
use tilewise_kernels::{Complex64, Literal};

/// A prefix operator on a literal; `None` where an array's rule should decide.
pub(super) fn unary(op: UnaryOp, literal: Literal) -> Option<Literal> {
    Some(match (op, literal) {
        (UnaryOp::Negative, Literal::Int(v)) => Literal::Int(v.checked_neg()?),
        (UnaryOp::Negative, Literal::Float(v)) => Literal::Float(-v),
        (UnaryOp::Negative, Literal::Complex(re, im)) => Literal::Complex(-re, -im),
        (UnaryOp::Negative, Literal::Bool(v)) => Literal::Int(-i128::from(v)),
        (UnaryOp::Positive, Literal::Bool(v)) => Literal::Int(i128::from(v)),
        (UnaryOp::Positive, other) => other,
        (UnaryOp::Invert, Literal::Int(v)) => Literal::Int(!v),
        (UnaryOp::Invert, _) => return None,
        (UnaryOp::Not, Literal::Complex(re, im)) => Literal::Bool(re == 0.0 && im == 0.0),
        (UnaryOp::Not, other) => Literal::Bool(float(other) == 0.0),
    })
}

/// An infix operator between literals by Python's rules; `None` where an array's rule should
/// decide.
///
/// # Errors
/// Division by zero, as in Python.
pub(super) fn binary(op: &str, a: Literal, b: Literal) -> Result<Option<Literal>> {
    if let (Literal::Int(x), Literal::Int(y)) = (a, b) {
        if y == 0 && matches!(op, "divide" | "floor_divide" | "remainder") {
            return Err(Error::invalid(format!("{x} is divided by zero")));
        }
        let whole = match op {
            "add" => x.checked_add(y),
            "subtract" => x.checked_sub(y),
            "multiply" => x.checked_mul(y),
            "floor_divide" => Some(x.div_euclid(y) - i128::from(y < 0 && x.rem_euclid(y) != 0)),
            "remainder" => Some(x.rem_euclid(y) + if y < 0 && x.rem_euclid(y) != 0 { y } else { 0 }),
            "pow" => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)),
            _ => None,
        };
        if let Some(whole) = whole {
            return Ok(Some(Literal::Int(whole)));
        }
    }
    if matches!(a, Literal::Complex(..)) || matches!(b, Literal::Complex(..)) {
        return complex(op, number(a), number(b));
    }
    let (x, y) = (float(a), float(b));
    if y == 0.0 && matches!(op, "divide" | "floor_divide" | "remainder") {
        return Err(Error::invalid(format!("{x} is divided by zero")));
    }
    Ok(Some(match op {
        "add" => Literal::Float(x + y),
        "subtract" => Literal::Float(x - y),
        "multiply" => Literal::Float(x * y),
        "divide" => Literal::Float(x / y),
        "floor_divide" => Literal::Float((x / y).floor()),
        "remainder" => Literal::Float(x - y * (x / y).floor()),
        "pow" => Literal::Float(x.powf(y)),
        "equal" => Literal::Bool(x == y),
        "not_equal" => Literal::Bool(x != y),
        "less" => Literal::Bool(x < y),
        "less_equal" => Literal::Bool(x <= y),
        "greater" => Literal::Bool(x > y),
        "greater_equal" => Literal::Bool(x >= y),
        _ => return Ok(None),
    }))
}

/// [`binary`] of complex numbers.
fn complex(op: &str, x: Complex64, y: Complex64) -> Result<Option<Literal>> {
    let value = match op {
        "add" => x + y,
        "subtract" => x - y,
        "multiply" => x * y,
        "divide" if y == Complex64::ZERO => {
            return Err(Error::invalid(format!("{x} is divided by zero")));
        }
        "divide" => x / y,
        "equal" => return Ok(Some(Literal::Bool(x == y))),
        "not_equal" => return Ok(Some(Literal::Bool(x != y))),
        _ => return Ok(None),
    };
    Ok(Some(Literal::Complex(value.re, value.im)))
}

/// The value as a complex number.
fn number(literal: Literal) -> Complex64 {
    match literal {
        Literal::Complex(re, im) => Complex64::new(re, im),
        real => Complex64::new(float(real), 0.0),
    }
}

/// The value as a float; of a complex number its real part.
pub(super) fn float(literal: Literal) -> f64 {
    match literal {
        Literal::Bool(v) => f64::from(u8::from(v)),
        Literal::Int(v) => v as f64,
        Literal::Float(v) => v,
        Literal::Complex(re, _) => re,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_divide_as_in_python() {
        let op = |name, x, y| binary(name, Literal::Int(x), Literal::Int(y)).unwrap().unwrap();
        // CPython: 7 // 2, -7 // 2, 7 // -2, -7 // -2 and the same with %
        for (x, y, quotient, rest) in [
            (7, 2, 3, 1),
            (-7, 2, -4, 1),
            (7, -2, -4, -1),
            (-7, -2, 3, -1),
            (6, -2, -3, 0),
        ] {
            assert_eq!(op("floor_divide", x, y), Literal::Int(quotient), "{x} // {y}");
            assert_eq!(op("remainder", x, y), Literal::Int(rest), "{x} % {y}");
        }
        assert_eq!(op("pow", 2, 100), Literal::Int(1 << 100));
        assert_eq!(op("pow", 2, -1), Literal::Float(0.5));
        assert_eq!(op("divide", 1, 2), Literal::Float(0.5));
        assert!(binary("divide", Literal::Int(1), Literal::Int(0)).is_err());
        let z = binary("multiply", Literal::Complex(0.0, 2.0), Literal::Complex(1.0, 3.0));
        assert_eq!(z.unwrap(), Some(Literal::Complex(-6.0, 2.0)));
    }
}
