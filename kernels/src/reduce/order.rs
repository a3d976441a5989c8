//! What elements are compared in.
//!
//! Elements are compared as they are stored where they can be; planes hold them in the widest
//! type of their kind, so that a state has few forms.

use super::elements::{Flag, Stored};
use crate::cast::{f32_from_bf16, f32_from_f16};
use crate::{bf16, f16};

/// A type that is compared.
pub(super) trait Ordered: Copy + Default + PartialOrd + 'static {
    /// Below or equal to every value.
    const LOWEST: Self;
    /// Above or equal to every value.
    const HIGHEST: Self;
    /// What stands in a cell to which nothing has joined when NaN is skipped.
    const MISSING: Option<Self>;
    /// An integer of that size.
    type Number: Copy + Default + From<i8> + Into<i64>;
    /// Whether it is NaN.
    #[inline(always)]
    fn nan(self) -> bool {
        false
    }
}

/// An element that is compared.
pub(super) trait Keyed: Stored {
    /// What it is compared as.
    type Key: Ordered;
    /// What planes hold.
    type Plane: Ordered;
    /// What it is compared as.
    fn key(self) -> Self::Key;
    /// A key for the planes.
    fn plane(key: Self::Key) -> Self::Plane;
}

macro_rules! integers {
    ($($t:ty, $number:ty, $plane:ty;)*) => {$(
        impl Ordered for $t {
            const LOWEST: $t = <$t>::MIN;
            const HIGHEST: $t = <$t>::MAX;
            const MISSING: Option<$t> = None;
            type Number = $number;
        }
        impl Keyed for $t {
            type Key = $t;
            type Plane = $plane;
            #[inline(always)]
            fn key(self) -> $t { self }
            #[inline(always)]
            fn plane(key: $t) -> $plane { <$plane>::from(key) }
        }
    )*};
}

macro_rules! floats {
    ($($t:ident, $number:ty;)*) => {$(
        impl Ordered for $t {
            const LOWEST: $t = $t::NEG_INFINITY;
            const HIGHEST: $t = $t::INFINITY;
            const MISSING: Option<$t> = Some($t::NAN);
            type Number = $number;
            #[inline(always)]
            fn nan(self) -> bool { self.is_nan() }
        }
    )*};
}

/// Elements compared in another type, or held in one.
macro_rules! keyed {
    ($($t:ty, $key:ty, $plane:ty, |$x:ident| $value:expr;)*) => {$(
        impl Keyed for $t {
            type Key = $key;
            type Plane = $plane;
            #[inline(always)]
            fn key(self) -> $key {
                let $x = self;
                $value
            }
            #[inline(always)]
            fn plane(key: $key) -> $plane { <$plane>::from(key) }
        }
    )*};
}

integers! {
    i8, i8, i64;
    i16, i16, i64;
    i32, i32, i64;
    i64, i64, i64;
    u8, i8, u64;
    u16, i16, u64;
    u32, i32, u64;
    u64, i64, u64;
}
floats! {
    f32, i32;
    f64, i64;
}
keyed! {
    f32, f32, f32, |x| x;
    f64, f64, f64, |x| x;
    f16, f32, f32, |x| f32_from_f16(x);
    bf16, f32, f32, |x| f32_from_bf16(x);
    Flag, i8, i64, |x| i8::from(x.0 != 0);
}

/// Whether `x` beats `than`; never when one is NaN.
#[inline(always)]
pub(super) fn beats<K: Ordered, const MAX: bool>(x: K, than: K) -> bool {
    if MAX { x > than } else { x < than }
}

/// What an extreme starts from.
#[inline(always)]
pub(super) fn worst<K: Ordered, const MAX: bool, const SKIP: bool>() -> K {
    match K::MISSING {
        Some(nan) if SKIP => nan,
        _ if MAX => K::LOWEST,
        _ => K::HIGHEST,
    }
}
