//! Functions on the sign and the bits of an f64, and the branch-free helpers that every other
//! file here uses.
//!
//! Integers of 64 bits are compared and converted slowly, or element by element, where AVX-512 is
//! missing. So they are shifted, added and masked here, and made floats through their bits.

/// The polynomial `c[0] + x * c[1] + x² * c[2] + …`, four terms at a time (Estrin), so that fewer
/// operations wait for each other than by Horner's rule.
#[inline(always)]
pub(super) fn polynomial<const N: usize>(x: f64, c: &[f64; N]) -> f64 {
    let z = x * x;
    let zz = z * z;
    let four = |i: usize| (c[i] + c[i + 1] * x) + (c[i + 2] + c[i + 3] * x) * z;
    let mut fours = N / 4;
    let mut y = match N % 4 {
        0 => {
            fours -= 1;
            four(4 * fours)
        }
        1 => c[N - 1],
        2 => c[N - 2] + c[N - 1] * x,
        _ => (c[N - 3] + c[N - 2] * x) + c[N - 1] * z,
    };
    while fours > 0 {
        fours -= 1;
        y = y * zz + four(4 * fours);
    }
    y
}

/// Adding this to a magnitude below 2⁵¹ leaves the nearest integer in the low bits.
const SHIFTER: f64 = 6_755_399_441_055_744.0;

/// The integer nearest to `x` for `|x| < 2⁵¹`, as a float and as an integer.
#[inline(always)]
pub(super) fn nearest(x: f64) -> (f64, i64) {
    let t = x + SHIFTER;
    let k = t.to_bits().wrapping_sub(SHIFTER.to_bits()) as i64;
    (t - SHIFTER, k)
}

/// `2^k` for `-1022 <= k <= 1023`.
#[inline(always)]
pub(super) fn power_of_two(k: i64) -> f64 {
    f64::from_bits((k.wrapping_add(1023) as u64) << 52)
}

/// Two powers of two whose product is `2^k`, for `-2044 <= k <= 2046`.
#[inline(always)]
pub(super) fn two_powers(k: i64) -> (f64, f64) {
    // A shift of signed numbers is not one instruction before AVX-512.
    let half = ((k.wrapping_add(4096) as u64) >> 1) as i64 - 2048;
    (power_of_two(half), power_of_two(k.wrapping_sub(half)))
}

/// `y * 2^k` for `-2044 <= k <= 2046`, rounded once, for `y` near 1.
#[inline(always)]
pub(super) fn scale(y: f64, k: i64) -> f64 {
    let (a, b) = two_powers(k);
    y * a * b
}

/// The bits of √½.
const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;

/// `x = 2ᵏ m` with `m` in `√½..√2`, for positive finite `x`: `k` with 1023 added and as a float,
/// and `m`.
#[inline(always)]
pub(super) fn split(x: f64) -> (u64, f64, f64) {
    let subnormal = x < f64::MIN_POSITIVE;
    let (biased, k, m) = split_normal(if subnormal {
        x * 18_014_398_509_481_984.0
    } else {
        x
    });
    (biased, if subnormal { k - 54.0 } else { k }, m)
}

/// [`split`] of a positive normal number.
#[inline(always)]
pub(super) fn split_normal(x: f64) -> (u64, f64, f64) {
    let b = x.to_bits().wrapping_add(1.0_f64.to_bits() - SQRT_HALF);
    let biased = b >> 52;
    // An integer in the last bits of 2⁵², less 2⁵² and the bias.
    let k = f64::from_bits(biased | 0x4330_0000_0000_0000) - 4_503_599_627_371_519.0;
    let m = f64::from_bits((b & 0x000f_ffff_ffff_ffff) + SQRT_HALF);
    (biased, k, m)
}

/// Keeps the upper 26 bits of the significand, so that the product of two such values is exact.
#[inline(always)]
pub(super) fn upper_26(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & 0xffff_ffff_f800_0000)
}

/// Limits `x` to `low..=high`; NaN stays NaN.
#[inline(always)]
pub(super) fn limit(x: f64, low: f64, high: f64) -> f64 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// The magnitude of `x` with the sign of `y` (NaN and zeros have signs too).
#[inline(always)]
pub fn copysign(x: f64, y: f64) -> f64 {
    const SIGN: u64 = 1 << 63;
    f64::from_bits((x.to_bits() & !SIGN) | (y.to_bits() & SIGN))
}

/// The next representable number after `x` in the direction of `y`; `y` where they are equal;
/// NaN where either is.
#[inline(always)]
pub fn nextafter(x: f64, y: f64) -> f64 {
    let bits = x.to_bits();
    let away = (x < y) == (bits >> 63 == 0);
    let step = if away {
        bits.wrapping_add(1)
    } else {
        bits.wrapping_sub(1)
    };
    let smallest = (y.to_bits() & (1 << 63)) | 1;
    let moved = f64::from_bits(if x == 0.0 { smallest } else { step });
    let r = if x == y { y } else { moved };
    if x.is_nan() | y.is_nan() { x + y } else { r }
}
