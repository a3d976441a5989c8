// %0: f32 = load in0
// nanmean %0 [reduce, keep]
// nanmax %0 [reduce, keep]

var<private> tw_zero: u32;

fn tw_opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ tw_zero);
}

fn tw_is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn tw_is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u;
}

fn tw_two_sum(a: f32, b: f32) -> vec2<f32> {
    let s = tw_opaque(a + b);
    let t = tw_opaque(s - a);
    let u = tw_opaque(s - t);
    return vec2<f32>(s, tw_opaque(a - u) + tw_opaque(b - t));
}

fn tw_fast_two_sum(a: f32, b: f32) -> vec2<f32> {
    let s = tw_opaque(a + b);
    let t = tw_opaque(s - a);
    return vec2<f32>(s, b - t);
}

fn tw_pair_add_f32(a: vec2<f32>, b: f32) -> vec2<f32> {
    let s = tw_two_sum(a.x, b);
    let w = tw_fast_two_sum(s.x, s.y + a.y);
    return select(vec2<f32>(s.x, 0.0f), w, tw_is_finite(s.x));
}


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<u32>;
@group(0) @binding(2) var<storage, read_write> out0: array<u32>;
@group(0) @binding(3) var<storage, read_write> out1: array<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    tw_zero = groups.z - 1u;
    let zero = p[0];
    let total = p[1];
    let splits = p[2];
    let interleave = p[3];
    let cells = p[4];
    let n0 = p[5];
    let n1 = p[6];
    let offset0 = bitcast<i32>(p[7]);
    let step0_0 = bitcast<i32>(p[8]);
    let step0_1 = bitcast<i32>(p[9]);
    let thread = (group.y * groups.x + group.x) * 64u + lane;
    if (thread >= total) { return; }
    let cell = select(thread % cells, thread / splits, interleave == 1u);
    let turn = select(thread / cells, thread % splits, interleave == 1u);
    let part = turn * cells + cell;
    let i1 = cell;
    let count = n0;
    let share = (count + splits - 1u) / splits;
    let begin = select(turn * share, turn, interleave == 1u);
    let end = select(select(begin + share, count, begin + share > count), count, interleave == 1u);
    let stride = select(1u, splits, interleave == 1u);
    let base0 = offset0 + i32(i1) * step0_1;
    var s0 = vec2<f32>(0.0f, 0.0f);
    var s0_odd = 0u;
    var s0_n = 0u;
    var s1_value = f32(0);
    var s1_has = false;
    for (var k = begin; k < end; k = k + stride) {
        let i0 = k;
        let at0 = u32(base0 + i32(i0) * step0_0);
        let r0 = bitcast<f32>(in0[at0]);
        let x0 = r0;
        if (!tw_is_nan(x0)) {
            s0 = tw_pair_add_f32(s0, x0);
            s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
            s0_n = s0_n + 1u;
        }
        let x1 = r0;
        if (!tw_is_nan(x1)) {
            if (!s1_has || (tw_is_nan(x1) && !tw_is_nan(s1_value)) || (!tw_is_nan(s1_value) && x1 > s1_value)) { s1_value = x1; s1_has = true; }
        }
    }
    out0[0u * total + part] = bitcast<u32>(s0.x);
    out0[1u * total + part] = bitcast<u32>(s0.y);
    out0[2u * total + part] = s0_odd;
    out0[3u * total + part] = s0_n;
    out1[0u * total + part] = select(0u, 1u, s1_has);
    out1[1u * total + part] = bitcast<u32>(s1_value);
}
