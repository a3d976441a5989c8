// %0: f32 = load in0
// %1: f32 = load in1
// %2: f32 = subtract %0, %1
// sum %2 [group/12, reduce, keep]
// argmax %2 [group/12, reduce, keep]

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
    let thread = (group.y * groups.x + group.x) * 64u + lane;
    if (thread >= total) { return; }
    let cell = select(thread % cells, thread / splits, interleave == 1u);
    let turn = select(thread / cells, thread % splits, interleave == 1u);
    let part = turn * cells + cell;
    let i2 = cell % n2;
    let above_i2 = cell / n2;
    let g0 = above_i2;
    let member0 = p[starts + g0];
    let size = p[starts + g0 + 1u] - member0;
    let count = n1 * size;
    let share = (count + splits - 1u) / splits;
    let begin = select(turn * share, turn, interleave == 1u);
    let end = select(select(begin + share, count, begin + share > count), count, interleave == 1u);
    let stride = select(1u, splits, interleave == 1u);
    let base0 = offset0 + i32(i2) * step0_2;
    let base1 = offset1 + i32(i2) * step1_2;
    var s0 = vec2<f32>(0.0f, 0.0f);
    var s0_odd = 0u;
    var s1_value = f32(0);
    var s1_has = false;
    var s1_at = 0i;
    var m = begin % size;
    let above_m = begin / size;
    var i1 = above_m;
    let by_m = stride % size;
    let above_by_m = stride / size;
    let by_i1 = above_by_m;
    for (var k = begin; k < end; k = k + stride) {
        let i0 = p[members + member0 + m];
        let at0 = u32(base0 + i32(i1) * step0_1 + i32(i0) * step0_0);
        let at1 = u32(base1 + i32(i1) * step1_1 + i32(i0) * step1_0);
        let r0 = bitcast<f32>(in0[at0]);
        let r1 = bitcast<f32>(in1[at1]);
        let r2 = tw_opaque(r0) - tw_opaque(r1);
        let x0 = r2;
        s0 = tw_pair_add_f32(s0, x0);
        s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
        let place1 = i32(i0) * jump1_0 + i32(i1) * jump1_1 + i32(i2) * jump1_2;
        let x1 = r2;
        if (!s1_has || ((tw_is_nan(x1) && !tw_is_nan(s1_value)) || (!tw_is_nan(s1_value) && x1 > s1_value)) || ((x1 == s1_value || (tw_is_nan(x1) && tw_is_nan(s1_value))) && place1 < s1_at)) { s1_value = x1; s1_has = true; s1_at = place1; }
        m = m + by_m;
        if (m >= size) { m = m - size; i1 = i1 + 1u; }
        i1 = i1 + by_i1;
    }
    out0[0u * total + part] = bitcast<u32>(s0.x);
    out0[1u * total + part] = bitcast<u32>(s0.y);
    out0[2u * total + part] = s0_odd;
    out1[0u * total + part] = select(0u, 1u, s1_has);
    out1[1u * total + part] = bitcast<u32>(s1_at);
    out1[2u * total + part] = bitcast<u32>(s1_value);
}
