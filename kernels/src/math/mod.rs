//! The transcendental functions in f32, the same on the CPU and on the GPU.
//!
//! Libraries differ in their last bits and GPU built-ins in far more (`exp` by 62
//! ULP, `sin(3e9)` = −1), so tilewise has its own: each function here has a twin
//! in `shaders/math.wgsl` named with the prefix `tw_`, with the same coefficients,
//! range reduction and order of operations. They use only `+ - * /`, `sqrt`,
//! integer operations and selections, no fused multiply-add and (except for the
//! remainders) no branches, so loops over them vectorise and give the same bits
//! with any instruction set. Special values are those of C's Annex F and NumPy.
//!
//! Rare arguments cost: angles beyond 6000 radians and quotients beyond 2²². A loop
//! that has tested its strip with [`angle_is_small`] or [`quotient_is_small`] takes
//! the `…_small` functions, which give the same bits in less than half the time.
//!
//! [`double`] has the same names in f64, on the CPU only.

mod bits;
pub mod coefficients;
pub mod double;
pub mod exact;
mod exponential;
mod hyperbolic;
mod logarithm;
#[cfg(test)]
mod platform;
mod power;
mod rounding;
mod special;
#[cfg(test)]
mod tests;
mod trigonometric;

pub use bits::{copysign, nextafter};
pub use coefficients::wgsl_constants;
pub use exponential::{exp, exp2, expm1};
pub use hyperbolic::{acosh, asinh, atanh, cosh, sinh, tanh};
pub use logarithm::{log, log1p, log2, log10, logaddexp};
pub use power::{cbrt, hypot, pow};
pub use rounding::{
    ceil, floor, floor_divide, floor_divide_small, fmod, fmod_small, quotient_is_small, remainder,
    remainder_small, rint, trunc,
};
pub use special::erf;
pub use trigonometric::{
    acos, angle_is_small, asin, atan, atan2, cos, cos_small, sin, sin_small, tan, tan_small,
};

/// A function of one or two floats.
#[derive(Debug, Clone, Copy)]
pub enum Function<T = f32> {
    /// Of one argument.
    Unary(fn(T) -> T),
    /// Of two arguments.
    Binary(fn(T, T) -> T),
}

use Function::{Binary, Unary};

/// Every function with its stated error: units in the last place of the result
/// (0: exact), a little above the worst met against f64 over every ninth f32 or
/// 4.7·10⁸ pairs. It also holds where a driver fuses multiplications with
/// additions. The twin of `name` in WGSL is `tw_name`.
///
/// `logaddexp` is measured in units of the larger of its result and `ln 2`:
/// its result may cancel to zero, as NumPy's does.
pub const FUNCTIONS: &[(&str, f32, Function)] = &[
    ("exp", 1.0, Unary(exp)),
    ("exp2", 1.1, Unary(exp2)),
    ("expm1", 1.6, Unary(expm1)),
    ("log", 0.9, Unary(log)),
    ("log2", 0.9, Unary(log2)),
    ("log10", 0.9, Unary(log10)),
    ("log1p", 0.9, Unary(log1p)),
    ("sin", 2.1, Unary(sin)),
    ("cos", 2.1, Unary(cos)),
    ("tan", 3.5, Unary(tan)),
    ("asin", 2.5, Unary(asin)),
    ("acos", 1.2, Unary(acos)),
    ("atan", 1.6, Unary(atan)),
    ("atan2", 1.6, Binary(atan2)),
    ("sinh", 1.7, Unary(sinh)),
    ("cosh", 1.5, Unary(cosh)),
    ("tanh", 1.4, Unary(tanh)),
    ("asinh", 1.8, Unary(asinh)),
    ("acosh", 2.1, Unary(acosh)),
    ("atanh", 2.1, Unary(atanh)),
    ("pow", 1.3, Binary(pow)),
    ("cbrt", 0.8, Unary(cbrt)),
    ("erf", 1.4, Unary(erf)),
    ("hypot", 1.3, Binary(hypot)),
    ("logaddexp", 1.8, Binary(logaddexp)),
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

/// The name and the number of arguments of every function with a WGSL twin.
pub const TWINS: &[(&str, usize)] = &{
    let mut all = [("", 0); FUNCTIONS.len()];
    let mut i = 0;
    while i < all.len() {
        let arity = match FUNCTIONS[i].2 {
            Unary(_) => 1,
            Binary(_) => 2,
        };
        all[i] = (FUNCTIONS[i].0, arity);
        i += 1;
    }
    all
};
