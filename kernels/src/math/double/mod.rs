//! The same functions in f64, on the CPU only.
//!
//! Built as those of f32 are: selections instead of branches, no fused multiply-add, no table and
//! no call, so loops over them vectorise and give the same bits with any instruction set and on
//! any machine. Special values are those of C's Annex F and NumPy. Where f64 leaves room (sums
//! with 1, reduced angles, roots) rounding errors are carried to the last addition, so most
//! results are within 1 ULP.
//!
//! Rare arguments are worked on one by one: angles beyond a million radians and quotients beyond
//! 2⁵¹. The `…_small` functions give the same bits for the others.

mod angle;
mod arcs;
mod bits;
pub mod coefficients;
mod exponential;
mod hyperbolic;
mod logarithm;
mod power;
mod rounding;
mod special;
#[cfg(test)]
mod tests;
mod trigonometric;

pub use angle::angle_is_small;
pub use arcs::{acos, asin, atan, atan2};
pub use bits::{copysign, nextafter};
pub use exponential::{exp, exp_small, exp2, expm1, exponent_is_small};
pub use hyperbolic::{acosh, asinh, atanh, cosh, sinh, tanh};
pub use logarithm::{
    is_positive_normal, log, log_normal, log1p, log2, log2_normal, log10, log10_normal, logaddexp,
};
pub use power::{cbrt, hypot, pow, pow_small, power_is_small};
pub use rounding::{
    ceil, floor, floor_divide, floor_divide_small, fmod, fmod_small, quotient_is_small, remainder,
    remainder_small, rint, trunc,
};
pub use special::erf;
pub use trigonometric::{cos, cos_small, sin, sin_small, tan, tan_small};

use super::Function::{self, Binary, Unary};

/// Every function with its stated error: units in the last place of the result (0: exact), a
/// little above the worst met against 160 bits (MPFR) over 10⁵ arguments or pairs each, most of
/// them where the function turns or cancels.
///
/// `logaddexp` is measured in units of the larger of its result and `ln 2`.
pub const FUNCTIONS: &[(&str, f32, Function<f64>)] = &[
    ("exp", 0.8, Unary(exp)),
    ("exp2", 0.9, Unary(exp2)),
    ("expm1", 1.1, Unary(expm1)),
    ("log", 0.9, Unary(log)),
    ("log2", 0.9, Unary(log2)),
    ("log10", 0.8, Unary(log10)),
    ("log1p", 1.0, Unary(log1p)),
    ("sin", 0.9, Unary(sin)),
    ("cos", 0.9, Unary(cos)),
    ("tan", 1.2, Unary(tan)),
    ("asin", 1.2, Unary(asin)),
    ("acos", 1.2, Unary(acos)),
    ("atan", 0.9, Unary(atan)),
    ("atan2", 1.6, Binary(atan2)),
    ("sinh", 0.9, Unary(sinh)),
    ("cosh", 1.0, Unary(cosh)),
    ("tanh", 1.6, Unary(tanh)),
    ("asinh", 1.8, Unary(asinh)),
    ("acosh", 2.2, Unary(acosh)),
    ("atanh", 2.2, Unary(atanh)),
    ("pow", 0.9, Binary(pow)),
    ("cbrt", 0.6, Unary(cbrt)),
    ("erf", 1.1, Unary(erf)),
    ("hypot", 1.3, Binary(hypot)),
    ("logaddexp", 1.5, Binary(logaddexp)),
    ("rint", 0.0, Unary(rint)),
    ("floor", 0.0, Unary(floor)),
    ("ceil", 0.0, Unary(ceil)),
    ("trunc", 0.0, Unary(trunc)),
    ("copysign", 0.0, Binary(copysign)),
    ("nextafter", 0.0, Binary(nextafter)),
    ("fmod", 0.0, Binary(fmod)),
    ("remainder", 0.5, Binary(remainder)),
    ("floor_divide", 0.5, Binary(floor_divide)),
];
