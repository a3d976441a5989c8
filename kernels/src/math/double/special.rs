//! `erf`, the error function, in f64.
//!
//! Below 0.92 an odd polynomial; above, `1 - exp(p)` with `p` a polynomial for the logarithm of
//! the complement.

use super::bits::{copysign, limit, polynomial};
use super::coefficients::{ERF, ERFC};
use super::exponential::exp;

/// The error function `2/√π ∫₀ˣ exp(-t²) dt`.
#[inline(always)]
pub fn erf(x: f64) -> f64 {
    let a = limit(x.abs(), 0.0, 5.95);
    let near = a + a * polynomial(a * a, &ERF);
    let far = 1.0 - exp(polynomial(a - 1.0, &ERFC));
    copysign(if a < 0.92 { near } else { far }, x)
}
