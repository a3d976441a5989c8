// Keys: the bits of numbers as unsigned integers that rise as the numbers do, and back. −0 stands
// before 0 and every NaN, its sign lost, behind infinity. Of a 64-bit number `x` is the lower half.

fn tw_key_f32(bits: u32) -> u32 {
    let magnitude = bits & 0x7fffffffu;
    let kept = select(bits, magnitude, magnitude > 0x7f800000u);
    return kept ^ select(0x80000000u, 0xffffffffu, kept >= 0x80000000u);
}

fn tw_unkey_f32(key: u32) -> u32 {
    return key ^ select(0xffffffffu, 0x80000000u, key >= 0x80000000u);
}

// A float of 16 bits whose infinity has these bits.
fn tw_key_half(bits: u32, infinity: u32) -> u32 {
    let magnitude = bits & 0x7fffu;
    let kept = select(bits, magnitude, magnitude > infinity);
    return kept ^ select(0x8000u, 0xffffu, kept >= 0x8000u);
}

fn tw_unkey_half(key: u32) -> u32 {
    return key ^ select(0xffffu, 0x8000u, key >= 0x8000u);
}

fn tw_key_f64(bits: vec2<u32>) -> vec2<u32> {
    let upper = bits.y & 0x7fffffffu;
    let nan = upper > 0x7ff00000u || (upper == 0x7ff00000u && bits.x != 0u);
    let kept = vec2<u32>(bits.x, select(bits.y, upper, nan));
    let negative = kept.y >= 0x80000000u;
    return kept ^ select(vec2<u32>(0u, 0x80000000u), vec2<u32>(0xffffffffu), negative);
}

fn tw_unkey_f64(key: vec2<u32>) -> vec2<u32> {
    let positive = key.y >= 0x80000000u;
    return key ^ select(vec2<u32>(0xffffffffu), vec2<u32>(0u, 0x80000000u), positive);
}

// The key that equal numbers share: one for both zeros, whose first key is `zero`, and one for all
// NaN, which are those from `nan` on.
fn tw_rank(key: u32, zero: u32, nan: u32) -> u32 {
    return select(select(key, zero + 1u, key == zero), 0xffffffffu, key >= nan);
}

fn tw_rank_f64(key: vec2<u32>) -> vec2<u32> {
    let zero = key.x == 0xffffffffu && key.y == 0x7fffffffu;
    let nan = key.y > 0xfff00000u || (key.y == 0xfff00000u && key.x != 0u);
    let rank = select(key, vec2<u32>(0u, 0x80000000u), zero);
    return select(rank, vec2<u32>(0xffffffffu), nan);
}
