//! Elements of few bits whose sums of products are known in a wider type, for long contractions.

use tilewise::DType;
use tilewise_kernels::{Element, bf16, f16};

/// A number of few bits at each place.
pub fn number(place: usize) -> i64 {
    (place.wrapping_mul(2_654_435_761) >> 11 & 15) as i64 - 7
}

/// Elements of a dtype, with the sum of products in a wider type.
pub trait Wide: Element {
    fn of(place: usize) -> Self;
    fn rounded(sum: i128) -> Self;
}

macro_rules! wide {
    ($($t:ty, $from:expr, $round:expr;)*) => {$(
        impl Wide for $t {
            fn of(place: usize) -> $t { ($from)(number(place)) }
            fn rounded(sum: i128) -> $t { ($round)(sum) }
        }
    )*};
}
wide! {
    i8, |n| n as i8, |sum| sum as i8;
    u16, |n| (n + 7) as u16 * 4111, |sum| sum as u16;
    i32, |n| n as i32 * 70_000, |sum| sum as i32;
    i64, |n| n << 40, |sum| sum as i64;
    f32, |n| n as f32, |sum| sum as f32;
    f64, |n| n as f64, |sum| sum as f64;
    f16, |n| f16::from_f64(n as f64 / 16.0), |sum| f16::from_f64(sum as f64 / 256.0);
    bf16, |n| bf16::from_f64(n as f64 / 16.0), |sum| bf16::from_f64(sum as f64 / 256.0);
}

/// The number behind an element, as `Wide::of` makes it.
pub fn behind<T: Wide>(place: usize) -> i128 {
    let n = i128::from(number(place));
    match T::DTYPE {
        DType::U16 => (n + 7) * 4111 % 65536,
        DType::I32 => n * 70_000,
        DType::I64 => n << 40,
        _ => n,
    }
}
