// 64-bit floats in sums, on adapters that have them and 64-bit integers.

// A sum and what its roundings lost.
struct TwWidePair {
    sum: f64,
    rest: f64,
}

// `a + b` and its rounding error, for any order of magnitude.
fn tw_wide_two_sum(a: f64, b: f64) -> TwWidePair {
    let s = tw_opaque_f64(a + b);
    let t = tw_opaque_f64(s - a);
    let u = tw_opaque_f64(s - t);
    return TwWidePair(s, tw_opaque_f64(a - u) + tw_opaque_f64(b - t));
}
