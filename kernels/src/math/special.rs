//! `erf`, the error function.
//!
//! Below 0.925 an odd polynomial; above, `1 - exp(p)` with `p` a polynomial for
//! the logarithm of the complement.

use super::bits::{copysign, limit, polynomial};
use super::coefficients::{ERF, ERFC};
use super::exponential::exp;

/// The error function `2/√π ∫₀ˣ exp(-t²) dt`.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let a = limit(x.abs(), 0.0, 3.95);
    let z = a * a;
    let near = a + a * polynomial(z, &ERF);
    let far = 1.0 - exp(polynomial(a, &ERFC));
    copysign(if a < 0.925 { near } else { far }, x)
}
