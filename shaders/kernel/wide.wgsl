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

// The sum of two pairs.
fn tw_wide_add(a: TwWidePair, b: TwWidePair) -> TwWidePair {
    let s = tw_wide_two_sum(a.sum, b.sum);
    return TwWidePair(s.sum, (a.rest + s.rest) + b.rest);
}

// How many values, their mean, what is to be added to it, and the sum of squared
// differences from it.
struct TwWideMoments {
    count: u32,
    mean: f64,
    rest: f64,
    squares: f64,
}

// The moments of values of which sums of differences from `first` and of their
// squares are known.
fn tw_wide_moments(count: u32, first: f64, sum: f64, squares: f64) -> TwWideMoments {
    if (count == 0u) {
        return TwWideMoments(0u, 0.0lf, 0.0lf, 0.0lf);
    }
    let share = sum / f64(count);
    let mean = tw_wide_two_sum(first, share);
    let left = squares - sum * share;
    return TwWideMoments(count, mean.sum, mean.rest, select(left, 0.0lf, left < 0.0lf));
}

// The moments of all values of both (Chan, Golub and LeVeque 1979).
fn tw_wide_moments_add(a: TwWideMoments, b: TwWideMoments) -> TwWideMoments {
    if (b.count == 0u) {
        return a;
    }
    if (a.count == 0u) {
        return b;
    }
    let weight = f64(b.count) / (f64(a.count) + f64(b.count));
    let away = (tw_opaque_f64(b.mean) - tw_opaque_f64(a.mean)) + (b.rest - a.rest);
    let mean = tw_wide_two_sum(a.mean, away * weight);
    let between = away * away * (f64(a.count) * weight);
    return TwWideMoments(
        a.count + b.count,
        mean.sum,
        a.rest + mean.rest,
        a.squares + (b.squares + between),
    );
}
