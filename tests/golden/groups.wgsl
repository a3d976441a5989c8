// %0: f32 = load in0
// %1: f32 = load in1
// %2: f32 = subtract %0, %1
// sum %2 [group/12, reduce, keep]
// argmax %2 [group/12, reduce, keep]
// in0 5 x 4 bytes, in1 5 x 4 bytes, out0 3 x 4 bytes, out1 3 x 4 bytes

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
@group(0) @binding(2) var<storage, read> in1: array<u32>;
@group(0) @binding(3) var<storage, read_write> out0: array<u32>;
@group(0) @binding(4) var<storage, read_write> out1: array<u32>;

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
    let n2 = p[7];
    let offset0 = bitcast<i32>(p[8]);
    let step0_0 = bitcast<i32>(p[9]);
    let step0_1 = bitcast<i32>(p[10]);
    let step0_2 = bitcast<i32>(p[11]);
    let offset1 = bitcast<i32>(p[12]);
    let step1_0 = bitcast<i32>(p[13]);
    let step1_1 = bitcast<i32>(p[14]);
    let step1_2 = bitcast<i32>(p[15]);
    let starts = p[16];
    let members = p[17];
    let jump1_0 = bitcast<i32>(p[18]);
    let jump1_1 = bitcast<i32>(p[19]);
    let jump1_2 = bitcast<i32>(p[20]);
    let thread = (group.y * groups.x + group.x) * 256u + lane;
    let part = thread;
    let cell = part % cells;
    let turn = part / cells;
    let place = part;
    let i2 = cell % n2;
    let above_i2 = cell / n2;
    let g0 = above_i2;
    let member0 = p[starts + g0];
    let size = p[starts + g0 + 1u] - member0;
    let count = n1 * size;
    let share = (count + splits - 1u) / splits;
    let begin = turn * share;
    let end = select(min(turn * share + share, count), 0u, part >= total);
    let base0 = offset0 + i32(i2) * step0_2;
    let base1 = offset1 + i32(i2) * step1_2;
    var s0_sum = 0.0f;
    var s0_rest = 0.0f;
    var s0_odd = 0u;
    var s1_has = 0u;
    var s1_at = 0i;
    var s1_value = 0.0f;
    var m = begin % size;
    let above_m = begin / size;
    var i1 = above_m;
    var k = begin;
    for (; k + 3u * 1u < end; k = k + 4u * 1u) {
        let i1_0 = i1;
        let m_0 = m;
        let i0_0 = p[members + member0 + m_0];
        let at0_0 = u32(base0 + i32(i1_0) * step0_1 + i32(i0_0) * step0_0);
        let v0_0 = in0[at0_0];
        let at1_0 = u32(base1 + i32(i1_0) * step1_1 + i32(i0_0) * step1_0);
        let v1_0 = in1[at1_0];
        m = m + 1u;
        if (m >= size) { m = m - size; i1 = i1 + 1u; }
        let i1_1 = i1;
        let m_1 = m;
        let i0_1 = p[members + member0 + m_1];
        let at0_1 = u32(base0 + i32(i1_1) * step0_1 + i32(i0_1) * step0_0);
        let v0_1 = in0[at0_1];
        let at1_1 = u32(base1 + i32(i1_1) * step1_1 + i32(i0_1) * step1_0);
        let v1_1 = in1[at1_1];
        m = m + 1u;
        if (m >= size) { m = m - size; i1 = i1 + 1u; }
        let i1_2 = i1;
        let m_2 = m;
        let i0_2 = p[members + member0 + m_2];
        let at0_2 = u32(base0 + i32(i1_2) * step0_1 + i32(i0_2) * step0_0);
        let v0_2 = in0[at0_2];
        let at1_2 = u32(base1 + i32(i1_2) * step1_1 + i32(i0_2) * step1_0);
        let v1_2 = in1[at1_2];
        m = m + 1u;
        if (m >= size) { m = m - size; i1 = i1 + 1u; }
        let i1_3 = i1;
        let m_3 = m;
        let i0_3 = p[members + member0 + m_3];
        let at0_3 = u32(base0 + i32(i1_3) * step0_1 + i32(i0_3) * step0_0);
        let v0_3 = in0[at0_3];
        let at1_3 = u32(base1 + i32(i1_3) * step1_1 + i32(i0_3) * step1_0);
        let v1_3 = in1[at1_3];
        m = m + 1u;
        if (m >= size) { m = m - size; i1 = i1 + 1u; }
        {
            let r0 = bitcast<f32>(v0_0);
            let r1 = bitcast<f32>(v1_0);
            let r2 = tw_opaque(r0) - tw_opaque(r1);
            let x0 = r2;
            let t0 = tw_pair_add_f32(vec2<f32>(s0_sum, s0_rest), x0);
            s0_sum = t0.x;
            s0_rest = t0.y;
            s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
            let place1 = i32(i0_0) * jump1_0 + i32(i1_0) * jump1_1 + i32(i2) * jump1_2;
            let x1 = r2;
            if (s1_has == 0u || ((tw_is_nan(x1) && !tw_is_nan(s1_value)) || (!tw_is_nan(s1_value) && x1 > s1_value)) || ((x1 == s1_value || (tw_is_nan(x1) && tw_is_nan(s1_value))) && place1 < s1_at)) {
                s1_has = 1u;
                s1_value = x1;
                s1_at = place1;
            }
        }
        {
            let r0 = bitcast<f32>(v0_1);
            let r1 = bitcast<f32>(v1_1);
            let r2 = tw_opaque(r0) - tw_opaque(r1);
            let x0 = r2;
            let t0 = tw_pair_add_f32(vec2<f32>(s0_sum, s0_rest), x0);
            s0_sum = t0.x;
            s0_rest = t0.y;
            s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
            let place1 = i32(i0_1) * jump1_0 + i32(i1_1) * jump1_1 + i32(i2) * jump1_2;
            let x1 = r2;
            if (s1_has == 0u || ((tw_is_nan(x1) && !tw_is_nan(s1_value)) || (!tw_is_nan(s1_value) && x1 > s1_value)) || ((x1 == s1_value || (tw_is_nan(x1) && tw_is_nan(s1_value))) && place1 < s1_at)) {
                s1_has = 1u;
                s1_value = x1;
                s1_at = place1;
            }
        }
        {
            let r0 = bitcast<f32>(v0_2);
            let r1 = bitcast<f32>(v1_2);
            let r2 = tw_opaque(r0) - tw_opaque(r1);
            let x0 = r2;
            let t0 = tw_pair_add_f32(vec2<f32>(s0_sum, s0_rest), x0);
            s0_sum = t0.x;
            s0_rest = t0.y;
            s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
            let place1 = i32(i0_2) * jump1_0 + i32(i1_2) * jump1_1 + i32(i2) * jump1_2;
            let x1 = r2;
            if (s1_has == 0u || ((tw_is_nan(x1) && !tw_is_nan(s1_value)) || (!tw_is_nan(s1_value) && x1 > s1_value)) || ((x1 == s1_value || (tw_is_nan(x1) && tw_is_nan(s1_value))) && place1 < s1_at)) {
                s1_has = 1u;
                s1_value = x1;
                s1_at = place1;
            }
        }
        {
            let r0 = bitcast<f32>(v0_3);
            let r1 = bitcast<f32>(v1_3);
            let r2 = tw_opaque(r0) - tw_opaque(r1);
            let x0 = r2;
            let t0 = tw_pair_add_f32(vec2<f32>(s0_sum, s0_rest), x0);
            s0_sum = t0.x;
            s0_rest = t0.y;
            s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
            let place1 = i32(i0_3) * jump1_0 + i32(i1_3) * jump1_1 + i32(i2) * jump1_2;
            let x1 = r2;
            if (s1_has == 0u || ((tw_is_nan(x1) && !tw_is_nan(s1_value)) || (!tw_is_nan(s1_value) && x1 > s1_value)) || ((x1 == s1_value || (tw_is_nan(x1) && tw_is_nan(s1_value))) && place1 < s1_at)) {
                s1_has = 1u;
                s1_value = x1;
                s1_at = place1;
            }
        }
    }
    for (; k < end; k = k + 1u) {
        let i1_0 = i1;
        let m_0 = m;
        let i0_0 = p[members + member0 + m_0];
        let at0_0 = u32(base0 + i32(i1_0) * step0_1 + i32(i0_0) * step0_0);
        let v0_0 = in0[at0_0];
        let at1_0 = u32(base1 + i32(i1_0) * step1_1 + i32(i0_0) * step1_0);
        let v1_0 = in1[at1_0];
        m = m + 1u;
        if (m >= size) { m = m - size; i1 = i1 + 1u; }
        {
            let r0 = bitcast<f32>(v0_0);
            let r1 = bitcast<f32>(v1_0);
            let r2 = tw_opaque(r0) - tw_opaque(r1);
            let x0 = r2;
            let t0 = tw_pair_add_f32(vec2<f32>(s0_sum, s0_rest), x0);
            s0_sum = t0.x;
            s0_rest = t0.y;
            s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
            let place1 = i32(i0_0) * jump1_0 + i32(i1_0) * jump1_1 + i32(i2) * jump1_2;
            let x1 = r2;
            if (s1_has == 0u || ((tw_is_nan(x1) && !tw_is_nan(s1_value)) || (!tw_is_nan(s1_value) && x1 > s1_value)) || ((x1 == s1_value || (tw_is_nan(x1) && tw_is_nan(s1_value))) && place1 < s1_at)) {
                s1_has = 1u;
                s1_value = x1;
                s1_at = place1;
            }
        }
    }
    if (part < total) {
        out0[0u * total + place] = bitcast<u32>(s0_sum);
        out0[1u * total + place] = bitcast<u32>(s0_rest);
        out0[2u * total + place] = s0_odd;
        out1[0u * total + place] = s1_has;
        out1[1u * total + place] = bitcast<u32>(s1_at);
        out1[2u * total + place] = bitcast<u32>(s1_value);
    }
}
