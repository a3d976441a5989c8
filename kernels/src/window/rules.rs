//! What a window gathers: states that take in elements one by one and merge two by two.
//!
//! Nothing is ever taken out of a state, so no error drifts and an infinity leaves with its window.

use crate::cast::Convert;
use bytemuck::Pod;

/// A type that windows are computed from.
pub(super) trait Real: Pod + PartialOrd + Convert<f64> {
    /// The dtype.
    const DTYPE: crate::DType;
    /// Whether it is f64, whose quotients are worth a division.
    const DOUBLE: bool;
    /// Larger than any other.
    const INFINITY: Self;
    /// NaN.
    const NAN: Self;
    /// Zero.
    const ZERO: Self;
    /// From f64, rounded.
    fn narrow(x: f64) -> Self;
    /// −x.
    fn negative(self) -> Self;
}

macro_rules! real {
    ($($t:ident $d:ident $double:literal;)*) => {$(
        impl Real for $t {
            const DTYPE: crate::DType = crate::DType::$d;
            const DOUBLE: bool = $double;
            const INFINITY: $t = $t::INFINITY;
            const NAN: $t = $t::NAN;
            const ZERO: $t = 0.0;
            #[inline(always)]
            fn narrow(x: f64) -> $t { x as $t }
            #[inline(always)]
            fn negative(self) -> $t { -self }
        }
    )*};
}
real! {
    f32 F32 false;
    f64 F64 true;
}

/// A window's meaning: a state of one or two words. Counts of elements are kept beside it.
pub(super) trait Rule<K: Real> {
    /// Each word of the state.
    type Word: Pod;
    /// The results.
    type Out: Real;
    /// Whether there is a second word.
    const PAIR: bool = false;
    /// The state of no element.
    const EMPTY: (Self::Word, Self::Word);
    /// Takes in `x`, which makes it `n` elements.
    fn push(state: (Self::Word, Self::Word), x: K, n: f64) -> (Self::Word, Self::Word);
    /// Two states together, of `na` and `nb` elements, not both 0.
    fn merge(
        a: (Self::Word, Self::Word),
        na: f64,
        b: (Self::Word, Self::Word),
        nb: f64,
    ) -> (Self::Word, Self::Word);
    /// The result for `n` elements, not 0.
    fn finish(state: (Self::Word, Self::Word), n: f64, ddof: f64) -> Self::Out;
}

/// The number of elements that are there.
pub(super) struct Count;

impl<K: Real> Rule<K> for Count {
    type Word = f32;
    type Out = f64;
    const EMPTY: (f32, f32) = (0.0, 0.0);
    #[inline(always)]
    fn push(state: (f32, f32), _: K, _: f64) -> (f32, f32) {
        state
    }
    #[inline(always)]
    fn merge(a: (f32, f32), _: f64, _: (f32, f32), _: f64) -> (f32, f32) {
        a
    }
    #[inline(always)]
    fn finish(_: (f32, f32), n: f64, _: f64) -> f64 {
        n
    }
}

/// Their sum, or with `MEAN` their mean.
pub(super) struct Sum<const MEAN: bool>;

impl<K: Real, const MEAN: bool> Rule<K> for Sum<MEAN> {
    type Word = f64;
    type Out = K;
    const EMPTY: (f64, f64) = (0.0, 0.0);
    #[inline(always)]
    fn push((sum, none): (f64, f64), x: K, _: f64) -> (f64, f64) {
        (sum + x.convert(), none)
    }
    #[inline(always)]
    fn merge((a, none): (f64, f64), _: f64, (b, _): (f64, f64), _: f64) -> (f64, f64) {
        (a + b, none)
    }
    #[inline(always)]
    fn finish((sum, _): (f64, f64), n: f64, _: f64) -> K {
        K::narrow(match (MEAN, K::DOUBLE) {
            (false, _) => sum,
            (true, true) => sum / n,
            (true, false) => sum * (1.0 / n),
        })
    }
}

/// Their variance, or with `ROOT` their standard deviation: mean and sum of squared differences
/// from it, by the formulas of Welford (1962) and of Chan, Golub and LeVeque (1979).
pub(super) struct Spread<const ROOT: bool>;

impl<K: Real, const ROOT: bool> Rule<K> for Spread<ROOT> {
    type Word = f64;
    type Out = K;
    const PAIR: bool = true;
    const EMPTY: (f64, f64) = (0.0, 0.0);
    #[inline(always)]
    fn push((mean, squares): (f64, f64), x: K, n: f64) -> (f64, f64) {
        let x: f64 = x.convert();
        let apart = x - mean;
        let mean = mean + apart * (1.0 / n);
        (mean, squares + apart * (x - mean))
    }
    #[inline(always)]
    fn merge(a: (f64, f64), na: f64, b: (f64, f64), nb: f64) -> (f64, f64) {
        let share = nb / (na + nb);
        let apart = b.0 - a.0;
        let both = (a.0 + apart * share, a.1 + b.1 + apart * apart * (na * share));
        // With nothing on one side the difference means nothing, and may overflow.
        let (left, right) = (nb == 0.0, na == 0.0);
        let pick = |a: f64, b: f64, both: f64| {
            if left {
                a
            } else if right {
                b
            } else {
                both
            }
        };
        (pick(a.0, b.0, both.0), pick(a.1, b.1, both.1))
    }
    #[inline(always)]
    fn finish((_, squares): (f64, f64), n: f64, ddof: f64) -> K {
        let free = n - ddof;
        let variance = match (free > 0.0, K::DOUBLE) {
            (false, _) => f64::NAN,
            (true, true) => squares / free,
            (true, false) => squares * (1.0 / free),
        };
        K::narrow(if ROOT { variance.sqrt() } else { variance })
    }
}

/// The largest of them with `MAX`, else the smallest.
pub(super) struct Extreme<const MAX: bool>;

impl<K: Real, const MAX: bool> Rule<K> for Extreme<MAX> {
    type Word = K;
    type Out = K;
    // The smallest of the negatives is the largest, so infinity begins either.
    const EMPTY: (K, K) = (K::INFINITY, K::ZERO);
    #[inline(always)]
    fn push((best, none): (K, K), x: K, _: f64) -> (K, K) {
        let x = if MAX { x.negative() } else { x };
        (if x < best { x } else { best }, none)
    }
    #[inline(always)]
    fn merge((a, none): (K, K), _: f64, (b, _): (K, K), _: f64) -> (K, K) {
        (if b < a { b } else { a }, none)
    }
    #[inline(always)]
    fn finish((best, _): (K, K), _: f64, _: f64) -> K {
        if MAX { best.negative() } else { best }
    }
}
