//! `asin`, `acos`, `atan` and `atan2` in f64.
//!
//! Arguments are folded to where a short odd polynomial holds: beyond 1/2 the arcsine is that of
//! a root, and the arctangent about 1 is π/4 and that of `(t - 1) / (t + 1)`.

use super::super::exact::fast_two_sum;
use super::bits::{copysign, polynomial};
use super::coefficients::{ASIN, ATAN, HALF_PI, PI, QUARTER_PI};

/// For `|x| > 1/2` the root of `(1 - |x|) / 2`, else `|x|`, and what its arcsine is more.
#[inline(always)]
fn asin_folded(x: f64) -> (bool, f64, f64) {
    let a = x.abs();
    let folded = a > 0.5;
    let half = 0.5 * (1.0 - a);
    let z = if folded { half } else { a * a };
    let t = if folded { half.sqrt() } else { a };
    (folded, t, t * z * polynomial(z, &ASIN))
}

/// The arcsine in radians; NaN outside −1..1.
#[inline(always)]
pub fn asin(x: f64) -> f64 {
    let (folded, t, more) = asin_folded(x);
    let (far, lost) = fast_two_sum(HALF_PI[0], -2.0 * t);
    let far = far + (lost - (2.0 * more - HALF_PI[1]));
    copysign(if folded { far } else { t + more }, x)
}

/// The arccosine in radians; NaN outside −1..1.
#[inline(always)]
pub fn acos(x: f64) -> f64 {
    let (folded, t, more) = asin_folded(x);
    let negative = x < 0.0;
    // π/2 - asin, or for a negative root π - 2 asin, each rounded once.
    let start = if folded { PI } else { HALF_PI };
    let step = if folded { -2.0 * t } else { -copysign(t, x) };
    let rest = if folded { 2.0 * more } else { copysign(more, x) };
    let (y, lost) = fast_two_sum(start[0], step);
    let y = y + (lost - (rest - start[1]));
    if folded & !negative { 2.0 * (t + more) } else { y }
}

/// The least `t` whose arctangent is taken from that of `(t - 1) / (t + 1)`: `tan(1/2)`.
const MIDDLE: f64 = 0.546_302_489_843_790_5;

/// The arctangent of `small / large` and which of the two the angle is measured from: zero, π/4
/// less or zero again.
#[inline(always)]
fn atan_ratio(small: f64, large: f64) -> (f64, f64, [f64; 2]) {
    let middle = small > MIDDLE * large;
    let n = if middle { small - large } else { small };
    let d = if middle { small + large } else { large };
    let t = n / d;
    let z = t * t;
    let start = if middle { QUARTER_PI } else { [0.0; 2] };
    (t, t * z * polynomial(z, &ATAN), start)
}

/// The arctangent in radians; ±π/2 at ±inf.
#[inline(always)]
pub fn atan(x: f64) -> f64 {
    let a = x.abs();
    let steep = a > 1.0 / MIDDLE;
    let (t, more, start) = atan_ratio(if steep { -1.0 } else { a }, if steep { a } else { 1.0 });
    let start = if steep { HALF_PI } else { start };
    let (y, lost) = fast_two_sum(start[0], t);
    copysign(y + (lost + (more + start[1])), x)
}

/// The angle of the point `(x, y)` in −π..π; zeros and infinities as C's Annex F.
#[inline(always)]
pub fn atan2(y: f64, x: f64) -> f64 {
    let (ax, ay) = (x.abs(), y.abs());
    let steep = ay > ax;
    let large = if steep { ay } else { ax };
    let small = if steep { ax } else { ay };
    // Where the sum of the two would overflow, small ones may lose bits.
    let down = if large > 4.0e307 { 0.5 } else { 1.0 };
    let (small, large) = (small * down, large * down);
    // 0/0 and inf/inf have angles too.
    let equal = small == large;
    let zero = large == 0.0;
    let (small, large) = (
        if equal {
            if zero { 0.0 } else { 1.0 }
        } else {
            small
        },
        if equal { 1.0 } else { large },
    );
    let (t, more, start) = atan_ratio(small, large);
    // The angle is ±(start + t + more) from 0, π/2 or π.
    let left = x.to_bits() >> 63 == 1;
    let base = if steep {
        HALF_PI
    } else if left {
        PI
    } else {
        [0.0; 2]
    };
    let minus = steep != left;
    let sign = if minus { -1.0 } else { 1.0 };
    // start is π/4 or 0, so base ± start is exact but for the last bit of the second part.
    let base = [base[0] + sign * start[0], base[1] + sign * start[1]];
    let (p, lost) = fast_two_sum(base[0], sign * t);
    copysign(p + (lost + (sign * more + base[1])), y)
}
