// Elements narrower than 32 bits: kernels see buffers as u32 words, and the
// conversions of half floats are done on their bits, because the built-in ones may
// flush subnormals or round towards zero.

// The f16 in the lower half of `h`, exactly.
fn tw_f16_load(h: u32) -> f32 {
    let sign = (h & 0x8000u) << 16u;
    let exponent = (h >> 10u) & 0x1fu;
    let fraction = h & 0x3ffu;
    // A subnormal f16 is `fraction * 2^-24`, a normal f32.
    let tiny = bitcast<u32>(f32(fraction) * 5.9604644775390625e-8f);
    let top = select(exponent + 112u, 255u, exponent == 31u);
    let bits = select((top << 23u) | (fraction << 13u), tiny, exponent == 0u);
    return bitcast<f32>(sign | bits);
}

// The bits of an f16 that `x` holds exactly (see `tw_f16_round`); NaN stays NaN.
fn tw_f16_store(x: f32) -> u32 {
    let b = bitcast<u32>(x);
    let a = b & 0x7fffffffu;
    let normal = (a >> 13u) - (112u << 10u);
    // Below 2^-14: 0.5 + x has the f16's fraction in its last bits.
    let tiny = bitcast<u32>(tw_opaque(bitcast<f32>(a) + 0.5f)) - 0x3f000000u;
    let finite = select(normal, tiny, a < 0x38800000u);
    let special = select(0x7c00u, 0x7e00u, a > 0x7f800000u);
    return ((b >> 16u) & 0x8000u) | select(finite, special, a >= 0x47800000u);
}

// The bits of a bf16 that `x` holds exactly; NaN stays NaN.
fn tw_bf16_store(x: f32) -> u32 {
    let b = bitcast<u32>(x);
    return (b >> 16u) | select(0u, 0x40u, (b & 0x7fffffffu) > 0x7f800000u);
}
