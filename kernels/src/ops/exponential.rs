//! Exponentials and logarithms.

use super::OpDef;
use super::record::function;

pub(super) static OPS: &[OpDef] = &[
    function!(exp(x) [] f64 if exponent_is_small => exp_small, "e to the power of each element.", "exp(x)"),
    function!(exp2(x) [], "2 to the power of each element.", "exp2(x)"),
    function!(expm1(x) [], "exp(x) - 1, accurate near zero.", "expm1(x)"),
    function!(log(x) [] f64 if is_positive_normal => log_normal, "Natural logarithm; NaN below zero, -inf at zero.", "log(x)"),
    function!(log2(x) [] f64 if is_positive_normal => log2_normal, "Logarithm to base 2.", "log2(x)"),
    function!(log10(x) [] f64 if is_positive_normal => log10_normal, "Logarithm to base 10.", "log10(x)"),
    function!(log1p(x) [], "log(1 + x), accurate near zero.", "log1p(x)"),
    function!(logaddexp(x, y) [], "log(exp(x) + exp(y)) without overflow.", "logaddexp(x, y)"),
    function!(erf(x) [], "The error function.", "erf(x)"),
];
