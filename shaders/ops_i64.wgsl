// What the snippets of the op table call for i64 and u64; only for adapters that have both.
//
// Needs prelude.wgsl. Division is guarded as in ops.wgsl.

fn tw_equal_i64_u64(x: i64, y: u64) -> bool {
    return x >= 0li && bitcast<u64>(x) == y;
}

fn tw_less_i64_u64(x: i64, y: u64) -> bool {
    return x < 0li || bitcast<u64>(x) < y;
}

fn tw_less_u64_i64(x: u64, y: i64) -> bool {
    return y >= 0li && x < bitcast<u64>(y);
}

// The quotient rounded to zero; wraps, and 0 for a divisor of 0.
fn tw_quotient_i64(x: i64, y: i64) -> i64 {
    let special = y == 0li || y == -1li;
    let q = x / select(y, 1li, special);
    return select(select(q, -x, y == -1li), 0li, y == 0li);
}

fn tw_fmod_i64(x: i64, y: i64) -> i64 {
    return select(x - tw_quotient_i64(x, y) * y, 0li, y == 0li);
}

fn tw_remainder_i64(x: i64, y: i64) -> i64 {
    let r = tw_fmod_i64(x, y);
    return select(r, r + y, r != 0li && (r < 0li) != (y < 0li));
}

fn tw_floor_divide_i64(x: i64, y: i64) -> i64 {
    let q = tw_quotient_i64(x, y);
    let r = tw_fmod_i64(x, y);
    return select(q, q - 1li, r != 0li && (r < 0li) != (y < 0li));
}

fn tw_floor_divide_u64(x: u64, y: u64) -> u64 {
    return select(x / select(y, 1lu, y == 0lu), 0lu, y == 0lu);
}

fn tw_fmod_u64(x: u64, y: u64) -> u64 {
    return select(x - tw_floor_divide_u64(x, y) * y, 0lu, y == 0lu);
}

fn tw_pow_u64(x: u64, y: u64) -> u64 {
    var base = x;
    var left = y;
    var power = 1lu;
    while (left > 0lu) {
        if ((left & 1lu) == 1lu) {
            power = power * base;
        }
        base = base * base;
        left = left >> 1u;
    }
    return power;
}

// A negative power gives 0, but 1 or -1 for those bases.
fn tw_pow_i64(x: i64, y: i64) -> i64 {
    let power = bitcast<i64>(tw_pow_u64(bitcast<u64>(x), bitcast<u64>(select(y, 0li, y < 0li))));
    let unit = select(select(1li, -1li, x == -1li && (y & 1li) == 1li), 0li, x != 1li && x != -1li);
    return select(power, unit, y < 0li);
}

// ---- truncation of f32: saturates, NaN gives 0 ----

fn tw_i64_from_f32(x: f32) -> i64 {
    let outside = !tw_is_nan(x) && (bitcast<u32>(x) & 0x7fffffffu) >= 0x5f000000u;
    let bound = select(9223372036854775807li, -9223372036854775807li - 1li, tw_signbit(x));
    return select(i64(select(x, 0.0f, outside || tw_is_nan(x))), bound, outside);
}

fn tw_u64_from_f32(x: f32) -> u64 {
    let above = !tw_is_nan(x) && !tw_signbit(x) && bitcast<u32>(x) >= 0x5f800000u;
    let zero = above || tw_signbit(x) || tw_is_nan(x);
    return select(u64(select(x, 0.0f, zero)), 18446744073709551615lu, above);
}

// The upper half of a product, by products of halves.
fn tw_high_product(x: u64, y: u64) -> u64 {
    let low = 0xffffffffu;
    let a = x >> 32u;
    let b = x & u64(low);
    let c = y >> 32u;
    let d = y & u64(low);
    let middle = a * d + ((b * d) >> 32u);
    let other = b * c + (middle & u64(low));
    return a * c + (middle >> 32u) + (other >> 32u);
}

// Word number `index` of Philox4x64-10 with `key`, as in kernels/src/ops/random.rs.
fn tw_philox(index: u64, key: u64) -> u64 {
    let m0 = 0xd2e7470ee14c6c93lu;
    let m1 = 0xca5a826395121157lu;
    var w0 = (index >> 2u) + 1lu;
    var w1 = 0lu;
    var w2 = 0lu;
    var w3 = 0lu;
    var k0 = key;
    var k1 = 0lu;
    for (var round = 0u; round < 10u; round = round + 1u) {
        let high0 = tw_high_product(m0, w0);
        let low0 = m0 * w0;
        let high1 = tw_high_product(m1, w2);
        let low1 = m1 * w2;
        w0 = high1 ^ w1 ^ k0;
        w1 = low1;
        w2 = high0 ^ w3 ^ k1;
        w3 = low0;
        k0 = k0 + 0x9e3779b97f4a7c15lu;
        k1 = k1 + 0xbb67ae8584caa73blu;
    }
    let lane = u32(index & 3lu);
    return select(select(w3, w2, lane == 2u), select(w1, w0, lane == 0u), lane < 2u);
}
