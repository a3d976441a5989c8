// What the snippets of the op table call, in 32-bit registers.
//
// Needs prelude.wgsl. Floats are ordered by their bits, since a driver may
// take subnormals for zero or fold a comparison with NaN; integers are divided
// by a divisor that is never 0 or -1, whose quotients WGSL leaves to the driver.

// ---- order of floats ----

// An integer that orders numbers as they are ordered; both zeros give 0.
fn tw_order(x: f32) -> i32 {
    let bits = bitcast<i32>(x);
    return select(bits, -(bits & 0x7fffffff), bits < 0i);
}

fn tw_equal(x: f32, y: f32) -> bool {
    return tw_order(x) == tw_order(y) && !tw_is_nan(x) && !tw_is_nan(y);
}

fn tw_not_equal(x: f32, y: f32) -> bool {
    return tw_order(x) != tw_order(y) || tw_is_nan(x) || tw_is_nan(y);
}

fn tw_less_than(x: f32, y: f32) -> bool {
    return tw_order(x) < tw_order(y) && !tw_is_nan(x) && !tw_is_nan(y);
}

fn tw_less_equal(x: f32, y: f32) -> bool {
    return tw_order(x) <= tw_order(y) && !tw_is_nan(x) && !tw_is_nan(y);
}

// The larger, the first of equals; NaN where either is.
fn tw_maximum(x: f32, y: f32) -> f32 {
    return select(y, x, tw_less_equal(y, x) || tw_is_nan(x));
}

// The smaller, the first of equals; NaN where either is.
fn tw_minimum(x: f32, y: f32) -> f32 {
    return select(y, x, tw_less_equal(x, y) || tw_is_nan(x));
}

// The larger; the other where one is NaN.
fn tw_fmax(x: f32, y: f32) -> f32 {
    return select(y, x, tw_less_equal(y, x) || tw_is_nan(y));
}

// The smaller; the other where one is NaN.
fn tw_fmin(x: f32, y: f32) -> f32 {
    return select(y, x, tw_less_equal(x, y) || tw_is_nan(y));
}

// -1, 0 or 1; NaN of NaN, 0 of -0.
fn tw_sign(x: f32) -> f32 {
    let unit = tw_copysign(1.0f, x);
    return select(select(unit, 0.0f, tw_is_zero(x)), x, tw_is_nan(x));
}

// ---- the neighbour of a half float held in f32 ----

// The bits of a value that f16 holds exactly.
fn tw_f16_bits(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    let tiny = u32(tw_abs(x) * 16777216.0f); // in 2^-24, the unit of subnormals
    let normal = (magnitude - 0x38000000u) >> 13u;
    let finite = select(normal, tiny, magnitude < 0x38800000u);
    let half = select(finite, 0x7c00u, magnitude >= 0x7f800000u);
    return half | ((bits >> 16u) & 0x8000u);
}

// The value of f16 bits that are not NaN.
fn tw_f16_value(half: u32) -> f32 {
    let magnitude = half & 0x7fffu;
    let tiny = bitcast<u32>(f32(magnitude) * 5.9604644775390625e-8f);
    let normal = (magnitude << 13u) + select(0x38000000u, 0x70000000u, magnitude >= 0x7c00u);
    let bits = select(normal, tiny, magnitude < 0x0400u);
    return bitcast<f32>(bits | ((half & 0x8000u) << 16u));
}

// One step from the sign-magnitude bits `x`, with sign bit `top`, towards `y`; neither is NaN.
fn tw_step(x: u32, y: u32, top: u32, smaller: bool) -> u32 {
    let away = smaller == ((x & top) == 0u);
    let moved = select(x - 1u, x + 1u, away);
    return select(moved, (y & top) | 1u, (x & (top - 1u)) == 0u);
}

fn tw_nextafter_f16(x: f32, y: f32) -> f32 {
    let stepped = tw_f16_value(tw_step(tw_f16_bits(x), tw_f16_bits(y), 0x8000u, tw_less_than(x, y)));
    let kept = select(stepped, x, tw_equal(x, y) || tw_is_nan(x));
    return select(kept, y, tw_is_nan(y) && !tw_is_nan(x));
}

fn tw_nextafter_bf16(x: f32, y: f32) -> f32 {
    let from_bits = bitcast<u32>(x) >> 16u;
    let stepped = bitcast<f32>(tw_step(from_bits, bitcast<u32>(y) >> 16u, 0x8000u, tw_less_than(x, y)) << 16u);
    let kept = select(stepped, x, tw_equal(x, y) || tw_is_nan(x));
    return select(kept, y, tw_is_nan(y) && !tw_is_nan(x));
}

// ---- integers ----

fn tw_limit_i32(x: i32, low: i32, high: i32) -> i32 {
    return select(select(x, low, x < low), high, x > high);
}

fn tw_limit_u32(x: u32, high: u32) -> u32 {
    return select(x, high, x > high);
}

// The quotient rounded to zero; wraps, and 0 for a divisor of 0.
fn tw_quotient_i32(x: i32, y: i32) -> i32 {
    let special = y == 0i || y == -1i;
    let q = x / select(y, 1i, special);
    return select(select(q, -x, y == -1i), 0i, y == 0i);
}

fn tw_fmod_i32(x: i32, y: i32) -> i32 {
    return select(x - tw_quotient_i32(x, y) * y, 0i, y == 0i);
}

fn tw_remainder_i32(x: i32, y: i32) -> i32 {
    let r = tw_fmod_i32(x, y);
    return select(r, r + y, r != 0i && (r < 0i) != (y < 0i));
}

fn tw_floor_divide_i32(x: i32, y: i32) -> i32 {
    let q = tw_quotient_i32(x, y);
    let r = tw_fmod_i32(x, y);
    return select(q, q - 1i, r != 0i && (r < 0i) != (y < 0i));
}

fn tw_floor_divide_u32(x: u32, y: u32) -> u32 {
    return select(x / select(y, 1u, y == 0u), 0u, y == 0u);
}

fn tw_fmod_u32(x: u32, y: u32) -> u32 {
    return select(x - tw_floor_divide_u32(x, y) * y, 0u, y == 0u);
}

fn tw_pow_u32(x: u32, y: u32) -> u32 {
    var base = x;
    var left = y;
    var power = 1u;
    while (left > 0u) {
        if ((left & 1u) == 1u) {
            power = power * base;
        }
        base = base * base;
        left = left >> 1u;
    }
    return power;
}

// A negative power gives 0, but 1 or -1 for those bases.
fn tw_pow_i32(x: i32, y: i32) -> i32 {
    let power = bitcast<i32>(tw_pow_u32(bitcast<u32>(x), bitcast<u32>(select(y, 0i, y < 0i))));
    let unit = select(select(1i, -1i, x == -1i && (y & 1i) == 1i), 0i, x != 1i && x != -1i);
    return select(power, unit, y < 0i);
}

// ---- truncation to integers: saturates, NaN gives 0 ----

fn tw_i32_from_f32(x: f32) -> i32 {
    let inside = select(0.0f, x, tw_is_finite(x) && tw_abs(x) < 2147483648.0f);
    let bound = select(2147483647i, -2147483647i - 1i, tw_signbit(x));
    let outside = !tw_is_nan(x) && (bitcast<u32>(x) & 0x7fffffffu) >= 0x4f000000u;
    return select(i32(inside), bound, outside);
}

fn tw_u32_from_f32(x: f32) -> u32 {
    let above = !tw_is_nan(x) && !tw_signbit(x) && bitcast<u32>(x) >= 0x4f800000u;
    let zero = above || tw_signbit(x) || tw_is_nan(x);
    return select(u32(select(x, 0.0f, zero)), 0xffffffffu, above);
}
