//! Comparison of elements in units of the last place.
#![allow(dead_code)] // each test takes what it needs

use tilewise::DType;
use tilewise_kernels::Scalar;

/// A float's place on the line of all floats of its dtype; the two zeros share one.
fn place(dtype: DType, bits: u64) -> i128 {
    let sign = 1u64 << (8 * dtype.size() - 1);
    let magnitude = i128::from(bits & !sign);
    if bits & sign != 0 { -magnitude } else { magnitude }
}

/// How far two elements are apart: 0 for equal bits or two NaN, infinite for a NaN and a number.
pub fn distance(dtype: DType, a: Scalar, b: Scalar) -> f64 {
    if a.bits() == b.bits() {
        return 0.0;
    }
    if !dtype.is_float() {
        return f64::INFINITY;
    }
    match (a.to_f64().is_nan(), b.to_f64().is_nan()) {
        (true, true) => 0.0,
        (false, false) => (place(dtype, a.bits()) - place(dtype, b.bits())).abs() as f64,
        _ => f64::INFINITY,
    }
}

/// Checks that elements are at most `ulp` apart.
pub fn assert_close(dtype: DType, want: &[u8], got: &[u8], ulp: f64, what: impl Fn() -> String) {
    assert_eq!(want.len(), got.len(), "{}", what());
    let size = dtype.size();
    for (at, (w, g)) in want.chunks(size).zip(got.chunks(size)).enumerate() {
        let (w, g) = (Scalar::from_bytes(dtype, w), Scalar::from_bytes(dtype, g));
        let apart = distance(dtype, w, g);
        assert!(
            apart <= ulp,
            "{}: element {at} is {g:?}, not {w:?} ({apart} ulp apart)",
            what()
        );
    }
}
