//! The platform's f64 functions, as an oracle for our own.
//!
//! They are `std`'s or the `libm` crate's. Most err by less than 1 ULP, `sinh` and its kin by 2.

/// Declares `name(x)` for each method of f64 that has the same meaning.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident => $method:ident($($arg:ident),*);)*) => {
        $($(#[$doc])* #[inline] pub fn $name($($arg: f64),*) -> f64 { methods!(@ $method $($arg)*) })*
    };
    (@ $method:ident $x:ident) => { f64::$method($x) };
    (@ $method:ident $x:ident $y:ident) => { f64::$method($x, $y) };
}

methods! {
    /// e to the power `x`.
    exp => exp(x);
    /// 2 to the power `x`.
    exp2 => exp2(x);
    /// `exp(x) - 1`, accurate near zero.
    expm1 => exp_m1(x);
    /// The natural logarithm.
    log => ln(x);
    /// The logarithm to base 2.
    log2 => log2(x);
    /// The logarithm to base 10.
    log10 => log10(x);
    /// `log(1 + x)`, accurate near zero.
    log1p => ln_1p(x);
    /// The sine of `x` radians.
    sin => sin(x);
    /// The cosine of `x` radians.
    cos => cos(x);
    /// The tangent of `x` radians.
    tan => tan(x);
    /// The arcsine in radians; NaN outside −1..1.
    asin => asin(x);
    /// The arccosine in radians; NaN outside −1..1.
    acos => acos(x);
    /// The arctangent in radians.
    atan => atan(x);
    /// The angle of the point `(x, y)`.
    atan2 => atan2(y, x);
    /// The hyperbolic sine.
    sinh => sinh(x);
    /// The hyperbolic cosine.
    cosh => cosh(x);
    /// The hyperbolic tangent.
    tanh => tanh(x);
    /// `x` to the power `y`.
    pow => powf(x, y);
    /// The real cube root.
    cbrt => cbrt(x);
    /// `√(x² + y²)` without overflow.
    hypot => hypot(x, y);
    /// The nearest integer, halves to even.
    rint => round_ties_even(x);
    /// The largest integer not above `x`.
    floor => floor(x);
    /// The smallest integer not below `x`.
    ceil => ceil(x);
    /// The integer part of `x`.
    trunc => trunc(x);
    /// The magnitude of `x` with the sign of `y`.
    copysign => copysign(x, y);
}

/// The error function.
#[inline]
pub fn erf(x: f64) -> f64 {
    libm::erf(x)
}

/// The inverse hyperbolic sine (std's is inaccurate for large arguments).
#[inline]
pub fn asinh(x: f64) -> f64 {
    libm::asinh(x)
}

/// The inverse hyperbolic cosine; NaN below 1.
#[inline]
pub fn acosh(x: f64) -> f64 {
    // libm returns noise for large negative arguments.
    if x < 1.0 { f64::NAN } else { libm::acosh(x) }
}

/// The inverse hyperbolic tangent; NaN outside −1..1.
#[inline]
pub fn atanh(x: f64) -> f64 {
    libm::atanh(x)
}

/// The next representable number after `x` in the direction of `y`.
#[inline]
pub fn nextafter(x: f64, y: f64) -> f64 {
    libm::nextafter(x, y)
}

/// `log(exp(a) + exp(b))` without overflow.
#[inline]
pub fn logaddexp(a: f64, b: f64) -> f64 {
    if a == b {
        return a + std::f64::consts::LN_2;
    }
    let larger = if a > b { a } else { b };
    larger + (-(a - b).abs()).exp().ln_1p()
}

/// The remainder of the truncated division, exact, with the sign of `x`.
#[inline]
pub fn fmod(x: f64, y: f64) -> f64 {
    x % y
}

/// The remainder of the floored division, with the sign of `y`.
#[inline]
pub fn remainder(x: f64, y: f64) -> f64 {
    let r = x % y;
    if r == 0.0 {
        0.0_f64.copysign(y)
    } else if (y < 0.0) != (r < 0.0) {
        r + y
    } else {
        r
    }
}

/// The floored quotient as NumPy rounds it; `x / y` where `y` is zero.
#[inline]
pub fn floor_divide(x: f64, y: f64) -> f64 {
    if y == 0.0 {
        return x / y;
    }
    let r = x % y;
    let q = (x - r) / y;
    let q = if r != 0.0 && (y < 0.0) != (r < 0.0) {
        q - 1.0
    } else {
        q
    };
    if q == 0.0 {
        return 0.0_f64.copysign(x / y);
    }
    let f = q.floor();
    if q - f > 0.5 { f + 1.0 } else { f }
}

/// The function `name` of one argument.
pub fn unary(name: &str) -> fn(f64) -> f64 {
    match name {
        "exp" => exp,
        "exp2" => exp2,
        "expm1" => expm1,
        "log" => log,
        "log2" => log2,
        "log10" => log10,
        "log1p" => log1p,
        "sin" => sin,
        "cos" => cos,
        "tan" => tan,
        "asin" => asin,
        "acos" => acos,
        "atan" => atan,
        "sinh" => sinh,
        "cosh" => cosh,
        "tanh" => tanh,
        "asinh" => asinh,
        "acosh" => acosh,
        "atanh" => atanh,
        "cbrt" => cbrt,
        "erf" => erf,
        "rint" => rint,
        "floor" => floor,
        "ceil" => ceil,
        "trunc" => trunc,
        other => panic!("no oracle for {other}"),
    }
}

/// The function `name` of two arguments.
pub fn binary(name: &str) -> fn(f64, f64) -> f64 {
    match name {
        "atan2" => atan2,
        "pow" => pow,
        "hypot" => hypot,
        "logaddexp" => logaddexp,
        "copysign" => copysign,
        "nextafter" => nextafter,
        "fmod" => fmod,
        "remainder" => remainder,
        "floor_divide" => floor_divide,
        other => panic!("no oracle for {other}"),
    }
}
