//! Hyperbolic functions and their inverses.

use super::OpDef;
use super::record::function;

pub(super) static OPS: &[OpDef] = &[
    function!(sinh(x) [], "Hyperbolic sine.", "sinh(x)"),
    function!(cosh(x) [], "Hyperbolic cosine.", "cosh(x)"),
    function!(tanh(x) [], "Hyperbolic tangent.", "tanh(x)"),
    function!(asinh(x)["arcsinh"], "Inverse hyperbolic sine.", "asinh(x)"),
    function!(
        acosh(x)["arccosh"],
        "Inverse hyperbolic cosine; NaN below 1.",
        "acosh(x)"
    ),
    function!(
        atanh(x)["arctanh"],
        "Inverse hyperbolic tangent; NaN outside -1 to 1.",
        "atanh(x)"
    ),
];
