// Helpers that every generated kernel may use.
//
// WGSL promises little about NaN, infinities and the rounding of sums, and
// drivers use that freedom: `x != x` is false for NaN, `(a + b) - a` folds to
// `b`. So classes of numbers are told by their bits, and values whose rounding
// matters pass through `tw_opaque`, which no compiler can see through.

// Zero, but only at run time: the entry point sets it from `num_workgroups.z - 1u`.
var<private> tw_zero: u32;

// `x`, hidden from the optimiser.
fn tw_opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ tw_zero);
}

fn tw_nan() -> f32 {
    return bitcast<f32>(0x7fc00000u ^ tw_zero);
}

fn tw_inf() -> f32 {
    return bitcast<f32>(0x7f800000u ^ tw_zero);
}

fn tw_abs(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0x7fffffffu);
}

fn tw_negate(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ 0x80000000u);
}

fn tw_is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn tw_is_inf(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u;
}

fn tw_is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u;
}

// True for ±0 only; `x == 0.0` is true for subnormals where a driver flushes them.
fn tw_is_zero(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) == 0u;
}

fn tw_signbit(x: f32) -> bool {
    return bitcast<u32>(x) >= 0x80000000u;
}

fn tw_copysign(x: f32, y: f32) -> f32 {
    return bitcast<f32>((bitcast<u32>(x) & 0x7fffffffu) | (bitcast<u32>(y) & 0x80000000u));
}

// The smaller; NaN where either is, the first of two. Of zeros, either.
fn tw_min(a: f32, b: f32) -> f32 {
    let r = select(b, a, a < b);
    return select(select(r, b, tw_is_nan(b)), a, tw_is_nan(a));
}

// The larger; NaN where either is, the first of two. Of zeros, either.
fn tw_max(a: f32, b: f32) -> f32 {
    let r = select(b, a, a > b);
    return select(select(r, b, tw_is_nan(b)), a, tw_is_nan(a));
}

// The nearest integer, halves to even; the sign of zero survives.
fn tw_rint(x: f32) -> f32 {
    let a = tw_abs(x);
    let r = tw_opaque(a + 8388608.0f) - 8388608.0f;
    return tw_copysign(select(a, r, a < 8388608.0f), x);
}

// ---- sums and products with their exact error: (rounded, error) ----
//
// Pass an argument that is itself a sum with a constant through `tw_opaque`:
// a driver may merge the two sums.

// `a + b`, for any order of magnitude.
fn tw_two_sum(a: f32, b: f32) -> vec2<f32> {
    let s = tw_opaque(a + b);
    let t = tw_opaque(s - a);
    let u = tw_opaque(s - t);
    return vec2<f32>(s, tw_opaque(a - u) + tw_opaque(b - t));
}

// `a + b`, where `|a| >= |b|` or `a == 0`.
fn tw_fast_two_sum(a: f32, b: f32) -> vec2<f32> {
    let s = tw_opaque(a + b);
    let t = tw_opaque(s - a);
    return vec2<f32>(s, b - t);
}

// The upper 12 bits of the significand.
fn tw_upper_half(a: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
}

// `a * b`, where neither product nor error leaves the normal range.
fn tw_two_prod(a: f32, b: f32) -> vec2<f32> {
    let p = tw_opaque(a * b);
    let ah = tw_upper_half(a);
    let bh = tw_upper_half(b);
    let al = a - ah;
    let bl = b - bh;
    return vec2<f32>(p, tw_opaque(((ah * bh - p) + ah * bl + al * bh) + al * bl));
}

// The sum of two pairs, to about 2^-46 of its value. A sum that is not finite
// has an error of zero, so that adding the parts keeps it.
fn tw_pair_add(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let s = tw_two_sum(a.x, b.x);
    let t = tw_two_sum(a.y, b.y);
    let v = tw_fast_two_sum(s.x, s.y + t.x);
    let w = tw_fast_two_sum(v.x, t.y + v.y);
    return select(vec2<f32>(s.x, 0.0f), w, tw_is_finite(s.x));
}

// The sum of a pair and a number, as `tw_pair_add`.
fn tw_pair_add_f32(a: vec2<f32>, b: f32) -> vec2<f32> {
    let s = tw_two_sum(a.x, b);
    let w = tw_fast_two_sum(s.x, s.y + a.y);
    return select(vec2<f32>(s.x, 0.0f), w, tw_is_finite(s.x));
}

// ---- half floats held in f32 ----

// `x` rounded to the nearest f16, halves to even: subnormals and overflow too.
fn tw_f16_round(x: f32) -> f32 {
    let a = bitcast<u32>(x) & 0x7fffffffu;
    let normal = (a + 0x00000fffu + ((a >> 13u) & 1u)) & 0xffffe000u;
    let bounded = select(normal, 0x7f800000u, normal >= 0x47800000u);
    // Below 2^-14 an f16 is a multiple of 2^-24, the last bit of 0.5.
    let tiny = bitcast<u32>(tw_opaque(bitcast<f32>(a) + 0.5f) - 0.5f);
    let r = select(bounded, tiny, a < 0x38800000u);
    return tw_copysign(bitcast<f32>(select(r, a, a > 0x7f800000u)), x);
}

// `x` rounded to the nearest bf16, halves to even.
fn tw_bf16_round(x: f32) -> f32 {
    let b = bitcast<u32>(x);
    let r = (b + 0x00007fffu + ((b >> 16u) & 1u)) & 0xffff0000u;
    return select(bitcast<f32>(r), x, tw_is_nan(x));
}
