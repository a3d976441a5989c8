// What the snippets of the op table call for f64; only for adapters that have f64, i64 and u64.
//
// Needs prelude.wgsl. As for f32, classes and order are told by bits.

// `x`, hidden from the optimiser.
fn tw_opaque_f64(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) ^ u64(tw_zero));
}

fn tw_abs_f64(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) & 0x7ffffffffffffffflu);
}

fn tw_negate_f64(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) ^ 0x8000000000000000lu);
}

fn tw_copysign_f64(x: f64, y: f64) -> f64 {
    return bitcast<f64>((bitcast<u64>(x) & 0x7ffffffffffffffflu) | (bitcast<u64>(y) & 0x8000000000000000lu));
}

// The nearest whole number, halves to even; by the floor, as a driver was met that cuts some halves.
fn tw_round_f64(x: f64) -> f64 {
    let low = floor(x);
    let over = x - low;
    let odd = floor(low * 0.5lf) * 2.0lf != low;
    let up = over > 0.5lf || (over == 0.5lf && odd);
    return tw_copysign_f64(select(low, low + 1.0lf, up), x);
}

fn tw_is_nan_f64(x: f64) -> bool {
    return (bitcast<u64>(x) & 0x7ffffffffffffffflu) > 0x7ff0000000000000lu;
}

fn tw_is_inf_f64(x: f64) -> bool {
    return (bitcast<u64>(x) & 0x7ffffffffffffffflu) == 0x7ff0000000000000lu;
}

fn tw_is_finite_f64(x: f64) -> bool {
    return (bitcast<u64>(x) & 0x7ffffffffffffffflu) < 0x7ff0000000000000lu;
}

fn tw_is_zero_f64(x: f64) -> bool {
    return (bitcast<u64>(x) & 0x7ffffffffffffffflu) == 0lu;
}

fn tw_signbit_f64(x: f64) -> bool {
    return bitcast<u64>(x) >= 0x8000000000000000lu;
}

// An integer that orders numbers as they are ordered; both zeros give 0.
fn tw_f64_order(x: f64) -> i64 {
    let bits = bitcast<i64>(x);
    return select(bits, -bitcast<i64>(bitcast<u64>(x) & 0x7ffffffffffffffflu), bits < 0li);
}

fn tw_f64_equal(x: f64, y: f64) -> bool {
    return tw_f64_order(x) == tw_f64_order(y) && !tw_is_nan_f64(x) && !tw_is_nan_f64(y);
}

fn tw_f64_not_equal(x: f64, y: f64) -> bool {
    return tw_f64_order(x) != tw_f64_order(y) || tw_is_nan_f64(x) || tw_is_nan_f64(y);
}

fn tw_f64_less_than(x: f64, y: f64) -> bool {
    return tw_f64_order(x) < tw_f64_order(y) && !tw_is_nan_f64(x) && !tw_is_nan_f64(y);
}

fn tw_f64_less_equal(x: f64, y: f64) -> bool {
    return tw_f64_order(x) <= tw_f64_order(y) && !tw_is_nan_f64(x) && !tw_is_nan_f64(y);
}

// The larger, the first of equals; NaN where either is.
fn tw_f64_maximum(x: f64, y: f64) -> f64 {
    return select(y, x, tw_f64_less_equal(y, x) || tw_is_nan_f64(x));
}

// The smaller, the first of equals; NaN where either is.
fn tw_f64_minimum(x: f64, y: f64) -> f64 {
    return select(y, x, tw_f64_less_equal(x, y) || tw_is_nan_f64(x));
}

// The larger; the other where one is NaN.
fn tw_f64_fmax(x: f64, y: f64) -> f64 {
    return select(y, x, tw_f64_less_equal(y, x) || tw_is_nan_f64(y));
}

// The smaller; the other where one is NaN.
fn tw_f64_fmin(x: f64, y: f64) -> f64 {
    return select(y, x, tw_f64_less_equal(x, y) || tw_is_nan_f64(y));
}

// -1, 0 or 1; NaN of NaN, 0 of -0.
fn tw_sign_f64(x: f64) -> f64 {
    let unit = tw_copysign_f64(1.0lf, x);
    return select(select(unit, 0.0lf, tw_is_zero_f64(x)), x, tw_is_nan_f64(x));
}

fn tw_nextafter_f64(x: f64, y: f64) -> f64 {
    let bits = bitcast<u64>(x);
    let away = tw_f64_less_than(x, y) != tw_signbit_f64(x);
    let moved = bitcast<f64>(select(bits - 1lu, bits + 1lu, away));
    let smallest = bitcast<f64>((bitcast<u64>(y) & 0x8000000000000000lu) | 1lu);
    let stepped = select(moved, smallest, tw_is_zero_f64(x));
    let toward = select(stepped, y, tw_f64_equal(x, y) || tw_is_nan_f64(y));
    return select(toward, x, tw_is_nan_f64(x));
}

// ---- casts ----

// The nearest f32, but with the last bit set where that is not exact, cut otherwise: rounding it
// again to a half float gives what rounding `x` once would.
fn tw_odd_f32(x: f64) -> f32 {
    let near = tw_opaque(f32(x));
    let back = tw_opaque_f64(f64(near));
    let bits = bitcast<u32>(near);
    let order = tw_f64_order(tw_abs_f64(back)) - tw_f64_order(tw_abs_f64(x));
    let odd = bitcast<f32>(select(bits, bits - 1u, order > 0li) | 1u);
    return select(odd, near, order == 0li || tw_is_nan_f64(x));
}

// Truncation saturates and gives 0 for NaN.
fn tw_i64_from_f64(x: f64) -> i64 {
    let magnitude = bitcast<u64>(x) & 0x7ffffffffffffffflu;
    let outside = magnitude >= 0x43e0000000000000lu && !tw_is_nan_f64(x);
    let bound = select(9223372036854775807li, -9223372036854775807li - 1li, tw_signbit_f64(x));
    return select(i64(select(x, 0.0lf, outside || tw_is_nan_f64(x))), bound, outside);
}

fn tw_u64_from_f64(x: f64) -> u64 {
    let above = !tw_is_nan_f64(x) && !tw_signbit_f64(x) && bitcast<u64>(x) >= 0x43f0000000000000lu;
    let zero = above || tw_signbit_f64(x) || tw_is_nan_f64(x);
    return select(u64(select(x, 0.0lf, zero)), 18446744073709551615lu, above);
}

fn tw_i32_from_f64(x: f64) -> i32 {
    let whole = tw_i64_from_f64(x);
    let below = select(whole, -2147483648li, whole < -2147483648li);
    return i32(select(below, 2147483647li, below > 2147483647li));
}

fn tw_u32_from_f64(x: f64) -> u32 {
    let whole = tw_u64_from_f64(x);
    return u32(select(whole, 4294967295lu, whole > 4294967295lu));
}
