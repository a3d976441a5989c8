// %0: c64 = load in0
// %1: c64 = load in1
// %2: c64 = conj %0
// %3: c64 = multiply %2, %1
// %4: c64 = const 0+1j
// %5: c64 = add %3, %4
// %6: f32 = abs %5
// store %5
// store %6
// in0 1 x 32 bytes, in1 1 x 32 bytes, out0 1 x 32 bytes, out1 1 x 16 bytes

var<private> tw_zero: u32;

fn tw_opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ tw_zero);
}

fn tw_inf() -> f32 {
    return bitcast<f32>(0x7f800000u ^ tw_zero);
}

fn tw_abs(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0x7fffffffu);
}

fn tw_negate(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ 0x80000000u);
}

fn tw_is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn tw_is_inf(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u;
}

fn tw_power_of_two(k: i32) -> f32 {
    return bitcast<f32>(bitcast<u32>(k + 127) << 23u);
}

fn tw_keep_nan(x: f32, y: f32) -> f32 {
    return select(y, x, tw_is_nan(x));
}

fn tw_hypot(x: f32, y: f32) -> f32 {
    let ax = tw_abs(x);
    let ay = tw_abs(y);
    let large = select(ay, ax, ax > ay);
    let huge = large > 1.0e18f;
    let tiny = large < 1.0e-12f;
    let shift = select(select(0, -70, huge), 100, tiny);
    let down = tw_power_of_two(shift);
    let sx = ax * down;
    let sy = ay * down;
    let r = sqrt(sx * sx + sy * sy) * tw_power_of_two(-shift);
    let infinite = tw_is_inf(x) || tw_is_inf(y);
    return select(tw_keep_nan(x, tw_keep_nan(y, r)), tw_inf(), infinite);
}

fn tw_add_c64(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(tw_opaque(a.x) + tw_opaque(b.x), tw_opaque(a.y) + tw_opaque(b.y));
}

fn tw_product(x: f32, y: f32) -> f32 {
    return tw_opaque(tw_opaque(x) * tw_opaque(y));
}

fn tw_multiply_c64(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(
        tw_product(a.x, b.x) - tw_product(a.y, b.y),
        tw_product(a.x, b.y) + tw_product(a.y, b.x),
    );
}


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<array<vec2<f32>, 4>>;
@group(0) @binding(2) var<storage, read> in1: array<array<vec2<f32>, 4>>;
@group(0) @binding(3) var<storage, read_write> out0: array<array<vec2<f32>, 4>>;
@group(0) @binding(4) var<storage, read_write> out1: array<vec4<u32>>;

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
    let offset1 = bitcast<i32>(p[5]);
    let step1_0 = bitcast<i32>(p[6]);
    let thread = (group.y * groups.x + group.x) * 256u + lane;
    let point = thread * 4u;
    if (point >= total) { return; }
    let i0 = point;
    let v0 = in0[u32(offset0 + i32(i0)) >> 2u];
    let v1 = in1[u32(offset1 + i32(i0)) >> 2u];
    var q0: array<vec2<f32>, 4>;
    var q1: vec4<u32>;
    {
        let r0 = v0[0u];
        let r1 = v1[0u];
        let r2 = vec2<f32>(r0.x, tw_negate(r0.y));
        let r3 = tw_multiply_c64(r2, r1);
        let r4 = vec2<f32>(bitcast<f32>(0x00000000u ^ zero), 1.0f);
        let r5 = tw_add_c64(r3, r4);
        let r6 = tw_hypot(r5.x, r5.y);
        q0[0u] = r5;
        q1.x = bitcast<u32>(r6);
    }
    {
        let r0 = v0[1u];
        let r1 = v1[1u];
        let r2 = vec2<f32>(r0.x, tw_negate(r0.y));
        let r3 = tw_multiply_c64(r2, r1);
        let r4 = vec2<f32>(bitcast<f32>(0x00000000u ^ zero), 1.0f);
        let r5 = tw_add_c64(r3, r4);
        let r6 = tw_hypot(r5.x, r5.y);
        q0[1u] = r5;
        q1.y = bitcast<u32>(r6);
    }
    {
        let r0 = v0[2u];
        let r1 = v1[2u];
        let r2 = vec2<f32>(r0.x, tw_negate(r0.y));
        let r3 = tw_multiply_c64(r2, r1);
        let r4 = vec2<f32>(bitcast<f32>(0x00000000u ^ zero), 1.0f);
        let r5 = tw_add_c64(r3, r4);
        let r6 = tw_hypot(r5.x, r5.y);
        q0[2u] = r5;
        q1.z = bitcast<u32>(r6);
    }
    {
        let r0 = v0[3u];
        let r1 = v1[3u];
        let r2 = vec2<f32>(r0.x, tw_negate(r0.y));
        let r3 = tw_multiply_c64(r2, r1);
        let r4 = vec2<f32>(bitcast<f32>(0x00000000u ^ zero), 1.0f);
        let r5 = tw_add_c64(r3, r4);
        let r6 = tw_hypot(r5.x, r5.y);
        q0[3u] = r5;
        q1.w = bitcast<u32>(r6);
    }
    out0[point >> 2u] = q0;
    out1[point >> 2u] = q1;
}
