// %0: f32 = load in0
// nanmean %0 [reduce, keep]
// nanmax %0 [reduce, keep]
// in0 5 x 4 bytes, out0 4 x 4 bytes, out1 2 x 4 bytes

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
    let n1 = p[6];
    let offset0 = bitcast<i32>(p[7]);
    let step0_0 = bitcast<i32>(p[8]);
    let step0_1 = bitcast<i32>(p[9]);
    let thread = (group.y * groups.x + group.x) * 256u + lane;
    let part = thread;
    let cell = part % cells;
    let turn = part / cells;
    let place = part;
    let i1 = cell;
    let count = n0;
    let share = (count + splits - 1u) / splits;
    let begin = turn * share;
    let end = select(min(turn * share + share, count), 0u, part >= total);
    let base0 = offset0 + i32(i1) * step0_1;
    var s0_sum = 0.0f;
    var s0_rest = 0.0f;
    var s0_odd = 0u;
    var s0_count = 0u;
    var s1_has = 0u;
    var s1_value = 0.0f;
    var k = begin;
    for (; k + 3u * 1u < end; k = k + 4u * 1u) {
        let i0_0 = k;
        let at0_0 = u32(base0 + i32(i0_0) * step0_0);
        let v0_0 = in0[at0_0];
        let i0_1 = k + 1u * 1u;
        let at0_1 = u32(base0 + i32(i0_1) * step0_0);
        let v0_1 = in0[at0_1];
        let i0_2 = k + 2u * 1u;
        let at0_2 = u32(base0 + i32(i0_2) * step0_0);
        let v0_2 = in0[at0_2];
        let i0_3 = k + 3u * 1u;
        let at0_3 = u32(base0 + i32(i0_3) * step0_0);
        let v0_3 = in0[at0_3];
        {
            let r0 = bitcast<f32>(v0_0);
            let x0 = r0;
            if (!tw_is_nan(x0)) {
                let t0 = tw_pair_add_f32(vec2<f32>(s0_sum, s0_rest), x0);
                s0_sum = t0.x;
                s0_rest = t0.y;
                s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
                s0_count = s0_count + 1u;
            }
            let x1 = r0;
            if (!tw_is_nan(x1)) {
                if (s1_has == 0u || (tw_is_nan(x1) && !tw_is_nan(s1_value)) || (!tw_is_nan(s1_value) && x1 > s1_value)) {
                    s1_has = 1u;
                    s1_value = x1;
                }
            }
        }
        {
            let r0 = bitcast<f32>(v0_1);
            let x0 = r0;
            if (!tw_is_nan(x0)) {
                let t0 = tw_pair_add_f32(vec2<f32>(s0_sum, s0_rest), x0);
                s0_sum = t0.x;
                s0_rest = t0.y;
                s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
                s0_count = s0_count + 1u;
            }
            let x1 = r0;
            if (!tw_is_nan(x1)) {
                if (s1_has == 0u || (tw_is_nan(x1) && !tw_is_nan(s1_value)) || (!tw_is_nan(s1_value) && x1 > s1_value)) {
                    s1_has = 1u;
                    s1_value = x1;
                }
            }
        }
        {
            let r0 = bitcast<f32>(v0_2);
            let x0 = r0;
            if (!tw_is_nan(x0)) {
                let t0 = tw_pair_add_f32(vec2<f32>(s0_sum, s0_rest), x0);
                s0_sum = t0.x;
                s0_rest = t0.y;
                s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
                s0_count = s0_count + 1u;
            }
            let x1 = r0;
            if (!tw_is_nan(x1)) {
                if (s1_has == 0u || (tw_is_nan(x1) && !tw_is_nan(s1_value)) || (!tw_is_nan(s1_value) && x1 > s1_value)) {
                    s1_has = 1u;
                    s1_value = x1;
                }
            }
        }
        {
            let r0 = bitcast<f32>(v0_3);
            let x0 = r0;
            if (!tw_is_nan(x0)) {
                let t0 = tw_pair_add_f32(vec2<f32>(s0_sum, s0_rest), x0);
                s0_sum = t0.x;
                s0_rest = t0.y;
                s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
                s0_count = s0_count + 1u;
            }
            let x1 = r0;
            if (!tw_is_nan(x1)) {
                if (s1_has == 0u || (tw_is_nan(x1) && !tw_is_nan(s1_value)) || (!tw_is_nan(s1_value) && x1 > s1_value)) {
                    s1_has = 1u;
                    s1_value = x1;
                }
            }
        }
    }
    for (; k < end; k = k + 1u) {
        let i0_0 = k;
        let at0_0 = u32(base0 + i32(i0_0) * step0_0);
        let v0_0 = in0[at0_0];
        {
            let r0 = bitcast<f32>(v0_0);
            let x0 = r0;
            if (!tw_is_nan(x0)) {
                let t0 = tw_pair_add_f32(vec2<f32>(s0_sum, s0_rest), x0);
                s0_sum = t0.x;
                s0_rest = t0.y;
                s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
                s0_count = s0_count + 1u;
            }
            let x1 = r0;
            if (!tw_is_nan(x1)) {
                if (s1_has == 0u || (tw_is_nan(x1) && !tw_is_nan(s1_value)) || (!tw_is_nan(s1_value) && x1 > s1_value)) {
                    s1_has = 1u;
                    s1_value = x1;
                }
            }
        }
    }
    if (part < total) {
        out0[0u * total + place] = bitcast<u32>(s0_sum);
        out0[1u * total + place] = bitcast<u32>(s0_rest);
        out0[2u * total + place] = s0_odd;
        out0[3u * total + place] = s0_count;
        out1[0u * total + place] = s1_has;
        out1[1u * total + place] = bitcast<u32>(s1_value);
    }
}
