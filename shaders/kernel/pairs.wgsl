// Moments in pairs of f32, for adapters without 64-bit floats. A pair that is not
// finite has an error of zero.

// `n`, exactly.
fn tw_pair_u32(n: u32) -> vec2<f32> {
    return tw_fast_two_sum(f32(n & 0xffff0000u), f32(n & 0xffffu));
}

// The product of two pairs, to about 2^-44 of its value.
fn tw_pair_mul(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let p = tw_two_prod(a.x, b.x);
    let r = tw_fast_two_sum(p.x, p.y + (a.x * b.y + a.y * b.x));
    return select(vec2<f32>(p.x, 0.0f), r, tw_is_finite(p.x) && tw_is_finite(r.x));
}

// The quotient of two pairs, to about 2^-44 of its value.
fn tw_pair_div(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let q = a.x / b.x;
    let p = tw_pair_mul(vec2<f32>(q, 0.0f), b);
    let left = tw_pair_add(a, vec2<f32>(tw_negate(p.x), tw_negate(p.y)));
    let r = tw_fast_two_sum(q, tw_opaque(left.x / b.x));
    return select(vec2<f32>(q, 0.0f), r, tw_is_finite(r.x));
}

// How many values, their mean, the sum of squared differences from it, and
// bit 0: a value was not finite, bit 1: a difference was not zero.
struct TwPairMoments {
    count: u32,
    mean: vec2<f32>,
    squares: vec2<f32>,
    odd: u32,
}

// The moments of values of which sums of differences from `first` and of their
// squares are known.
fn tw_pair_moments(count: u32, first: f32, sum: vec2<f32>, squares: vec2<f32>, odd: u32) -> TwPairMoments {
    if (count == 0u) {
        return TwPairMoments(0u, vec2<f32>(0.0f, 0.0f), vec2<f32>(0.0f, 0.0f), odd);
    }
    let share = tw_pair_div(sum, tw_pair_u32(count));
    let mean = tw_pair_add_f32(share, first);
    let p = tw_pair_mul(sum, share);
    let left = tw_pair_add(squares, vec2<f32>(tw_negate(p.x), tw_negate(p.y)));
    return TwPairMoments(count, mean, select(left, vec2<f32>(0.0f, 0.0f), left.x < 0.0f), odd);
}

// The moments of all values of both (Chan, Golub and LeVeque 1979).
fn tw_pair_moments_add(a: TwPairMoments, b: TwPairMoments) -> TwPairMoments {
    if (b.count == 0u) {
        return a;
    }
    if (a.count == 0u) {
        return b;
    }
    let weight = tw_pair_div(tw_pair_u32(b.count), tw_pair_u32(a.count + b.count));
    let away = tw_pair_add(b.mean, vec2<f32>(tw_negate(a.mean.x), tw_negate(a.mean.y)));
    let mean = tw_pair_add(a.mean, tw_pair_mul(away, weight));
    let both = tw_pair_mul(tw_pair_u32(a.count), weight);
    let between = tw_pair_mul(tw_pair_mul(away, away), both);
    let squares = tw_pair_add(a.squares, tw_pair_add(b.squares, between));
    let apart = select(2u, 0u, tw_is_zero(away.x));
    return TwPairMoments(a.count + b.count, mean, squares, a.odd | b.odd | apart);
}
