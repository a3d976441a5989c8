//! What a scan does with each element, per dtype.
//!
//! Floats are summed and multiplied in f64 and rounded at each place; sums keep the error of every
//! addition beside them, as reductions do. Integers wrap in 64 bits.

use super::walk::select;
use super::{Scan, ScanFn, ScanKind};
use crate::cast::Convert;
use crate::{Element, Isa, bf16, f16};
use std::marker::PhantomData;

/// One scan's meaning: a state of one or two words per column, changed by each element.
pub(super) trait Rule {
    /// The elements.
    type In: Element;
    /// The results.
    type Out: Element;
    /// Each word of the state.
    type Word: Copy;
    /// Whether the state has a second word.
    const PAIR: bool = false;
    /// The words of a column before its first element.
    const START: (Self::Word, Self::Word);
    /// A word as bits to hand on.
    fn bits(word: Self::Word) -> u64;
    /// A word that was handed on.
    fn word(bits: u64) -> Self::Word;
    /// Takes in an element; gives the result at its place.
    fn step(first: &mut Self::Word, second: &mut Self::Word, x: Self::In) -> Self::Out;
}

/// An element type that is scanned.
pub trait Scanned: Element {
    /// The type of its sums and products.
    type Total: Element;

    /// The loop of a sum or product; other kinds are summed.
    fn total(scan: Scan, isa: Isa) -> ScanFn<Self, Self::Total>;

    /// The loop of a maximum or minimum; other kinds are minima.
    fn extreme(scan: Scan, isa: Isa) -> ScanFn<Self, Self>;
}

/// Sums (or products) of integers modulo 2^64.
struct Wrapping<T, const PROD: bool>(PhantomData<T>);

impl<T: Scanned + Convert<i64>, const PROD: bool> Rule for Wrapping<T, PROD>
where
    i64: Convert<T::Total>,
{
    type In = T;
    type Out = T::Total;
    type Word = i64;
    const START: (i64, i64) = (PROD as i64, 0);
    #[inline(always)]
    fn bits(word: i64) -> u64 {
        word as u64
    }
    #[inline(always)]
    fn word(bits: u64) -> i64 {
        bits as i64
    }
    #[inline(always)]
    fn step(total: &mut i64, _: &mut i64, x: T) -> T::Total {
        let x: i64 = x.convert();
        *total = if PROD {
            total.wrapping_mul(x)
        } else {
            total.wrapping_add(x)
        };
        total.convert()
    }
}

/// Products of floats in f64.
struct Product<T, const SKIP: bool>(PhantomData<T>);

impl<T: Element + Convert<f64>, const SKIP: bool> Rule for Product<T, SKIP>
where
    f64: Convert<T>,
{
    type In = T;
    type Out = T;
    type Word = f64;
    const START: (f64, f64) = (1.0, 0.0);
    #[inline(always)]
    fn bits(word: f64) -> u64 {
        word.to_bits()
    }
    #[inline(always)]
    fn word(bits: u64) -> f64 {
        f64::from_bits(bits)
    }
    #[inline(always)]
    fn step(total: &mut f64, _: &mut f64, x: T) -> T {
        let x: f64 = x.convert();
        let x = if SKIP && x.is_nan() { 1.0 } else { x };
        *total *= x;
        total.convert()
    }
}

/// Sums of floats in f64, with what rounding lost.
struct Sum<T, const SKIP: bool>(PhantomData<T>);

impl<T: Element + Convert<f64>, const SKIP: bool> Rule for Sum<T, SKIP>
where
    f64: Convert<T>,
{
    type In = T;
    type Out = T;
    type Word = f64;
    const PAIR: bool = true;
    // −0 is what changes no sum, not even one of −0.
    const START: (f64, f64) = (-0.0, 0.0);
    #[inline(always)]
    fn bits(word: f64) -> u64 {
        word.to_bits()
    }
    #[inline(always)]
    fn word(bits: u64) -> f64 {
        f64::from_bits(bits)
    }
    #[inline(always)]
    fn step(total: &mut f64, lost: &mut f64, x: T) -> T {
        let x: f64 = x.convert();
        let x = if SKIP && x.is_nan() { 0.0 } else { x };
        // Knuth's two-sum.
        let sum = *total + x;
        let part = sum - *total;
        *lost += (*total - (sum - part)) + (x - part);
        *total = sum;
        // The error of an infinite sum is NaN; and −0 is kept from an error of 0.
        let whole = sum + *lost;
        let result = if (whole < sum) | (whole > sum) { whole } else { sum };
        result.convert()
    }
}

/// A type that extremes are kept in.
pub(super) trait Ordered: Copy + PartialOrd {
    /// What every element is at least.
    const LEAST: Self;
    /// What every element is at most.
    const MOST: Self;
    /// What no element has come to; for floats NaN.
    const NONE: Self;
    /// As bits.
    fn bits(self) -> u64;
    /// From bits.
    fn of_bits(bits: u64) -> Self;
}

macro_rules! ordered {
    ($($t:ident: $least:expr, $most:expr, $none:expr, $x:ident => $bits:expr, $b:ident => $from:expr;)*) => {$(
        impl Ordered for $t {
            const LEAST: $t = $least;
            const MOST: $t = $most;
            const NONE: $t = $none;
            #[inline(always)]
            fn bits(self) -> u64 { let $x = self; $bits }
            #[inline(always)]
            fn of_bits($b: u64) -> $t { $from }
        }
    )*};
    ($($t:ident)*) => { ordered! { $($t: $t::MIN, $t::MAX, 0, x => x as u64, b => b as $t;)* } };
}
ordered!(i8 i16 i32 i64 u8 u16 u32 u64);
ordered! {
    f32: f32::NEG_INFINITY, f32::INFINITY, f32::NAN, x => u64::from(x.to_bits()), b => f32::from_bits(b as u32);
    f64: f64::NEG_INFINITY, f64::INFINITY, f64::NAN, x => x.to_bits(), b => f64::from_bits(b);
}

/// Running extremes, kept in `W`.
struct Extreme<T, W, const MAX: bool, const SKIP: bool>(PhantomData<(T, W)>);

impl<T, W, const MAX: bool, const SKIP: bool> Rule for Extreme<T, W, MAX, SKIP>
where
    T: Element + Convert<W>,
    W: Ordered + Convert<T>,
{
    type In = T;
    type Out = T;
    type Word = W;
    const START: (W, W) = match (SKIP, MAX) {
        (true, _) => (W::NONE, W::NONE),
        (false, true) => (W::LEAST, W::NONE),
        (false, false) => (W::MOST, W::NONE),
    };
    #[inline(always)]
    fn bits(word: W) -> u64 {
        word.bits()
    }
    #[inline(always)]
    fn word(bits: u64) -> W {
        W::of_bits(bits)
    }
    #[inline(always)]
    #[allow(clippy::eq_op)] // a NaN is what differs from itself
    fn step(best: &mut W, _: &mut W, x: T) -> T {
        let x: W = x.convert();
        let holds = if MAX { *best >= x } else { *best <= x };
        // With SKIP a NaN never replaces and is always replaced, otherwise the reverse.
        let keep = match SKIP {
            true => holds | (x != x),
            false => holds | (*best != *best),
        };
        *best = if keep { *best } else { x };
        (*best).convert()
    }
}

macro_rules! scanned {
    (integers $($t:ident in $w:ident to $total:ident;)*) => {$(
        impl Scanned for $t {
            type Total = $total;
            fn total(scan: Scan, isa: Isa) -> ScanFn<$t, $total> {
                match scan.kind {
                    ScanKind::Prod => select::<Wrapping<$t, true>>(isa),
                    _ => select::<Wrapping<$t, false>>(isa),
                }
            }
            fn extreme(scan: Scan, isa: Isa) -> ScanFn<$t, $t> {
                match scan.kind {
                    ScanKind::Max => select::<Extreme<$t, $w, true, false>>(isa),
                    _ => select::<Extreme<$t, $w, false, false>>(isa),
                }
            }
        }
    )*};
    (floats $($t:ident in $w:ident;)*) => {$(
        impl Scanned for $t {
            type Total = $t;
            fn total(scan: Scan, isa: Isa) -> ScanFn<$t, $t> {
                match (scan.kind, scan.skipna) {
                    (ScanKind::Prod, true) => select::<Product<$t, true>>(isa),
                    (ScanKind::Prod, false) => select::<Product<$t, false>>(isa),
                    (_, true) => select::<Sum<$t, true>>(isa),
                    (_, false) => select::<Sum<$t, false>>(isa),
                }
            }
            fn extreme(scan: Scan, isa: Isa) -> ScanFn<$t, $t> {
                match (scan.kind, scan.skipna) {
                    (ScanKind::Max, true) => select::<Extreme<$t, $w, true, true>>(isa),
                    (ScanKind::Max, false) => select::<Extreme<$t, $w, true, false>>(isa),
                    (_, true) => select::<Extreme<$t, $w, false, true>>(isa),
                    (_, false) => select::<Extreme<$t, $w, false, false>>(isa),
                }
            }
        }
    )*};
}
scanned! { integers
    bool in u8 to i64;
    i8 in i8 to i64;
    i16 in i16 to i64;
    i32 in i32 to i64;
    i64 in i64 to i64;
    u8 in u8 to u64;
    u16 in u16 to u64;
    u32 in u32 to u64;
    u64 in u64 to u64;
}
scanned! { floats
    f16 in f32;
    bf16 in f32;
    f32 in f32;
    f64 in f64;
}
