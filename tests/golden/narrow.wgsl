// %0: bf16 = load in0
// %1: f32 = cast %0
// %2: f32 = exp %1
// %3: f16 = cast %2
// %4: u8 = cast %1
// store %3
// store %4
// sum %4 [reduce]
// in0 1 x 16 bytes, out0 1 x 16 bytes, out1 1 x 8 bytes

const TW_EXP_0: f32 = 5e-1f;

const TW_EXP_1: f32 = 1.6666666e-1f;

const TW_EXP_2: f32 = 4.1666456e-2f;

const TW_EXP_3: f32 = 8.333568e-3f;

const TW_EXP_4: f32 = 1.3935933e-3f;

const TW_EXP_5: f32 = 1.9743484e-4f;

const TW_INV_LN2_0: f32 = 1.442695e0f;

const TW_LN2_0: f32 = 6.9314575e-1f;

const TW_LN2_1: f32 = 1.4286068e-6f;

var<private> tw_zero: u32;

fn tw_opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ tw_zero);
}

fn tw_is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn tw_signbit(x: f32) -> bool {
    return bitcast<u32>(x) >= 0x80000000u;
}

fn tw_copysign(x: f32, y: f32) -> f32 {
    return bitcast<f32>((bitcast<u32>(x) & 0x7fffffffu) | (bitcast<u32>(y) & 0x80000000u));
}

fn tw_f16_round(x: f32) -> f32 {
    let a = bitcast<u32>(x) & 0x7fffffffu;
    let normal = (a + 0x00000fffu + ((a >> 13u) & 1u)) & 0xffffe000u;
    let bounded = select(normal, 0x7f800000u, normal >= 0x47800000u);
    let tiny = bitcast<u32>(tw_opaque(bitcast<f32>(a) + 0.5f) - 0.5f);
    let r = select(bounded, tiny, a < 0x38800000u);
    return tw_copysign(bitcast<f32>(select(r, a, a > 0x7f800000u)), x);
}

fn tw_power_of_two(k: i32) -> f32 {
    return bitcast<f32>(bitcast<u32>(k + 127) << 23u);
}

fn tw_scale(y: f32, k: i32) -> f32 {
    let half = k >> 1u;
    return tw_opaque(y * tw_power_of_two(half)) * tw_power_of_two(k - half);
}

fn tw_limit(x: f32, low: f32, high: f32) -> f32 {
    let y = select(x, low, x < low);
    return select(y, high, y > high);
}

fn tw_keep_nan(x: f32, y: f32) -> f32 {
    return select(y, x, tw_is_nan(x));
}

struct TwSplit {
    r: f32,
    k: i32,
}

fn tw_nearest(x: f32) -> TwSplit {
    let t = tw_opaque(x + 12582912.0f);
    return TwSplit(t - 12582912.0f, bitcast<i32>(bitcast<u32>(t) - 0x4b400000u));
}

fn tw_exp_poly(r: f32) -> f32 {
    return ((((TW_EXP_5 * r + TW_EXP_4) * r + TW_EXP_3) * r + TW_EXP_2) * r + TW_EXP_1) * r + TW_EXP_0;
}

fn tw_exp_shifted(v: f32, shift: i32) -> f32 {
    let x = tw_limit(v, -105.0f, 90.0f);
    let n = tw_nearest(x * TW_INV_LN2_0);
    let r = tw_opaque(x - n.r * TW_LN2_0) - n.r * TW_LN2_1;
    let p = 1.0f + tw_opaque(r + r * r * tw_exp_poly(r));
    return tw_keep_nan(v, tw_scale(p, n.k + shift));
}

fn tw_exp(x: f32) -> f32 {
    return tw_exp_shifted(x, 0);
}

fn tw_limit_u32(x: u32, high: u32) -> u32 {
    return select(x, high, x > high);
}

fn tw_u32_from_f32(x: f32) -> u32 {
    let above = !tw_is_nan(x) && !tw_signbit(x) && bitcast<u32>(x) >= 0x4f800000u;
    let zero = above || tw_signbit(x) || tw_is_nan(x);
    return select(u32(select(x, 0.0f, zero)), 0xffffffffu, above);
}

fn tw_f16_store(x: f32) -> u32 {
    let b = bitcast<u32>(x);
    let a = b & 0x7fffffffu;
    let normal = (a >> 13u) - (112u << 10u);
    let tiny = bitcast<u32>(tw_opaque(bitcast<f32>(a) + 0.5f)) - 0x3f000000u;
    let finite = select(normal, tiny, a < 0x38800000u);
    let special = select(0x7c00u, 0x7e00u, a > 0x7f800000u);
    return ((b >> 16u) & 0x8000u) | select(finite, special, a >= 0x47800000u);
}


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> out0: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> out1: array<vec2<u32>>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    tw_zero = groups.z - 1u;
    let zero = p[0];
    let total = p[1];
    let n0 = p[2];
    let offset0 = bitcast<i32>(p[3]);
    let step0_0 = bitcast<i32>(p[4]);
    let thread = (group.y * groups.x + group.x) * 256u + lane;
    let point = thread * 8u;
    if (point >= total) { return; }
    let i0 = point;
    let v0 = in0[u32(offset0 + i32(i0)) >> 3u];
    var q0: vec4<u32>;
    var q1: vec2<u32>;
    {
        let r0 = bitcast<f32>(v0.x << 16u);
        let r1 = r0;
        let r2 = tw_exp(r1);
        let r3 = tw_f16_round(tw_f16_round(r2));
        let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
        q0.x = q0.x | (tw_f16_store(r3));
        q1.x = q1.x | (r4);
    }
    {
        let r0 = bitcast<f32>((v0.x >> 16u) << 16u);
        let r1 = r0;
        let r2 = tw_exp(r1);
        let r3 = tw_f16_round(tw_f16_round(r2));
        let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
        q0.x = q0.x | ((tw_f16_store(r3)) << 16u);
        q1.x = q1.x | ((r4) << 8u);
    }
    {
        let r0 = bitcast<f32>(v0.y << 16u);
        let r1 = r0;
        let r2 = tw_exp(r1);
        let r3 = tw_f16_round(tw_f16_round(r2));
        let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
        q0.y = q0.y | (tw_f16_store(r3));
        q1.x = q1.x | ((r4) << 16u);
    }
    {
        let r0 = bitcast<f32>((v0.y >> 16u) << 16u);
        let r1 = r0;
        let r2 = tw_exp(r1);
        let r3 = tw_f16_round(tw_f16_round(r2));
        let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
        q0.y = q0.y | ((tw_f16_store(r3)) << 16u);
        q1.x = q1.x | ((r4) << 24u);
    }
    {
        let r0 = bitcast<f32>(v0.z << 16u);
        let r1 = r0;
        let r2 = tw_exp(r1);
        let r3 = tw_f16_round(tw_f16_round(r2));
        let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
        q0.z = q0.z | (tw_f16_store(r3));
        q1.y = q1.y | (r4);
    }
    {
        let r0 = bitcast<f32>((v0.z >> 16u) << 16u);
        let r1 = r0;
        let r2 = tw_exp(r1);
        let r3 = tw_f16_round(tw_f16_round(r2));
        let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
        q0.z = q0.z | ((tw_f16_store(r3)) << 16u);
        q1.y = q1.y | ((r4) << 8u);
    }
    {
        let r0 = bitcast<f32>(v0.w << 16u);
        let r1 = r0;
        let r2 = tw_exp(r1);
        let r3 = tw_f16_round(tw_f16_round(r2));
        let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
        q0.w = q0.w | (tw_f16_store(r3));
        q1.y = q1.y | ((r4) << 16u);
    }
    {
        let r0 = bitcast<f32>((v0.w >> 16u) << 16u);
        let r1 = r0;
        let r2 = tw_exp(r1);
        let r3 = tw_f16_round(tw_f16_round(r2));
        let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
        q0.w = q0.w | ((tw_f16_store(r3)) << 16u);
        q1.y = q1.y | ((r4) << 24u);
    }
    out0[point >> 3u] = q0;
    out1[point >> 3u] = q1;
}

// ---- the next kernel ----
// in0 9 x 4 bytes, out2 2 x 4 bytes

var<private> tw_zero: u32;

fn tw_is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn tw_signbit(x: f32) -> bool {
    return bitcast<u32>(x) >= 0x80000000u;
}

fn tw_limit_u32(x: u32, high: u32) -> u32 {
    return select(x, high, x > high);
}

fn tw_u32_from_f32(x: f32) -> u32 {
    let above = !tw_is_nan(x) && !tw_signbit(x) && bitcast<u32>(x) >= 0x4f800000u;
    let zero = above || tw_signbit(x) || tw_is_nan(x);
    return select(u32(select(x, 0.0f, zero)), 0xffffffffu, above);
}


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<u32>;
@group(0) @binding(2) var<storage, read_write> out2: array<u32>;
var<workgroup> shared0: array<u32, 256>;
var<workgroup> shared1: array<u32, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    tw_zero = groups.z - 1u;
    let zero = p[0];
    let total = p[1];
    let splits = p[2];
    let team = p[3];
    let cells = p[4];
    let n0 = p[5];
    let offset0 = bitcast<i32>(p[6]);
    let step0_0 = bitcast<i32>(p[7]);
    let thread = (group.y * groups.x + group.x) * 256u + lane;
    let part = thread / team;
    let member = thread & (team - 1u);
    let cell = (part / splits) % cells;
    let turn = part % splits;
    let place = turn * cells + cell;
    let count = n0;
    let share = (count + splits - 1u) / splits;
    let begin = turn * share + member;
    let end = select(min(turn * share + share, count), 0u, part >= total);
    let base0 = offset0;
    var s0_low = 0u;
    var s0_high = 0u;
    var k = begin;
    for (; k + 7u * team < end; k = k + 8u * team) {
        let i0_0 = k;
        let at0_0 = u32(base0 + i32(i0_0) * step0_0);
        let v0_0 = in0[at0_0 >> 1u];
        let i0_1 = k + 1u * team;
        let at0_1 = u32(base0 + i32(i0_1) * step0_0);
        let v0_1 = in0[at0_1 >> 1u];
        let i0_2 = k + 2u * team;
        let at0_2 = u32(base0 + i32(i0_2) * step0_0);
        let v0_2 = in0[at0_2 >> 1u];
        let i0_3 = k + 3u * team;
        let at0_3 = u32(base0 + i32(i0_3) * step0_0);
        let v0_3 = in0[at0_3 >> 1u];
        let i0_4 = k + 4u * team;
        let at0_4 = u32(base0 + i32(i0_4) * step0_0);
        let v0_4 = in0[at0_4 >> 1u];
        let i0_5 = k + 5u * team;
        let at0_5 = u32(base0 + i32(i0_5) * step0_0);
        let v0_5 = in0[at0_5 >> 1u];
        let i0_6 = k + 6u * team;
        let at0_6 = u32(base0 + i32(i0_6) * step0_0);
        let v0_6 = in0[at0_6 >> 1u];
        let i0_7 = k + 7u * team;
        let at0_7 = u32(base0 + i32(i0_7) * step0_0);
        let v0_7 = in0[at0_7 >> 1u];
        {
            let r0 = bitcast<f32>((v0_0 >> ((at0_0 & 1u) * 16u)) << 16u);
            let r1 = r0;
            let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
            let x0 = r4;
            let low0 = s0_low + x0;
            s0_high = s0_high + select(0u, 1u, low0 < s0_low);
            s0_low = low0;
        }
        {
            let r0 = bitcast<f32>((v0_1 >> ((at0_1 & 1u) * 16u)) << 16u);
            let r1 = r0;
            let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
            let x0 = r4;
            let low0 = s0_low + x0;
            s0_high = s0_high + select(0u, 1u, low0 < s0_low);
            s0_low = low0;
        }
        {
            let r0 = bitcast<f32>((v0_2 >> ((at0_2 & 1u) * 16u)) << 16u);
            let r1 = r0;
            let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
            let x0 = r4;
            let low0 = s0_low + x0;
            s0_high = s0_high + select(0u, 1u, low0 < s0_low);
            s0_low = low0;
        }
        {
            let r0 = bitcast<f32>((v0_3 >> ((at0_3 & 1u) * 16u)) << 16u);
            let r1 = r0;
            let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
            let x0 = r4;
            let low0 = s0_low + x0;
            s0_high = s0_high + select(0u, 1u, low0 < s0_low);
            s0_low = low0;
        }
        {
            let r0 = bitcast<f32>((v0_4 >> ((at0_4 & 1u) * 16u)) << 16u);
            let r1 = r0;
            let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
            let x0 = r4;
            let low0 = s0_low + x0;
            s0_high = s0_high + select(0u, 1u, low0 < s0_low);
            s0_low = low0;
        }
        {
            let r0 = bitcast<f32>((v0_5 >> ((at0_5 & 1u) * 16u)) << 16u);
            let r1 = r0;
            let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
            let x0 = r4;
            let low0 = s0_low + x0;
            s0_high = s0_high + select(0u, 1u, low0 < s0_low);
            s0_low = low0;
        }
        {
            let r0 = bitcast<f32>((v0_6 >> ((at0_6 & 1u) * 16u)) << 16u);
            let r1 = r0;
            let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
            let x0 = r4;
            let low0 = s0_low + x0;
            s0_high = s0_high + select(0u, 1u, low0 < s0_low);
            s0_low = low0;
        }
        {
            let r0 = bitcast<f32>((v0_7 >> ((at0_7 & 1u) * 16u)) << 16u);
            let r1 = r0;
            let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
            let x0 = r4;
            let low0 = s0_low + x0;
            s0_high = s0_high + select(0u, 1u, low0 < s0_low);
            s0_low = low0;
        }
    }
    for (; k < end; k = k + team) {
        let i0_0 = k;
        let at0_0 = u32(base0 + i32(i0_0) * step0_0);
        let v0_0 = in0[at0_0 >> 1u];
        {
            let r0 = bitcast<f32>((v0_0 >> ((at0_0 & 1u) * 16u)) << 16u);
            let r1 = r0;
            let r4 = (tw_limit_u32(tw_u32_from_f32(r1), 255u)) & 0xffu;
            let x0 = r4;
            let low0 = s0_low + x0;
            s0_high = s0_high + select(0u, 1u, low0 < s0_low);
            s0_low = low0;
        }
    }
    {
        shared0[lane] = s0_low;
        shared1[lane] = s0_high;
        for (var half = team >> 1u; half > 0u; half = half >> 1u) {
            workgroupBarrier();
            if ((lane & (team - 1u)) < half) {
                let more_low = shared0[lane + half];
                let more_high = shared1[lane + half];
                let s0_both = s0_low + more_low;
                s0_high = s0_high + more_high + select(0u, 1u, s0_both < s0_low);
                s0_low = s0_both;
                shared0[lane] = s0_low;
                shared1[lane] = s0_high;
            }
        }
        workgroupBarrier();
    }
    if (part < total && member == 0u) {
        out2[0u * total + place] = s0_low;
        out2[1u * total + place] = s0_high;
    }
}
