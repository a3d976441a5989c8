// %0: i16 = load in0
// %1: i16 = const -32768
// %2: bool = equal %0, %1
// %3: f32 = cast %0
// %4: f32 = const 0.01
// %5: f32 = multiply %3, %4
// %6: f32 = const NaN
// %7: f32 = where %2, %6, %5
// store %7
// store %2
// in0 1 x 8 bytes, out0 1 x 16 bytes, out1 1 x 4 bytes

var<private> tw_zero: u32;

fn tw_opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ tw_zero);
}


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> out0: array<vec4<u32>>;
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
    let n0 = p[2];
    let n1 = p[3];
    let offset0 = bitcast<i32>(p[4]);
    let step0_0 = bitcast<i32>(p[5]);
    let step0_1 = bitcast<i32>(p[6]);
    let thread = (group.y * groups.x + group.x) * 256u + lane;
    let point = thread * 4u;
    if (point >= total) { return; }
    let i1 = point % n1;
    let above_i1 = point / n1;
    let i0 = above_i1;
    let v0 = in0[u32(offset0 + i32(i0) * step0_0 + i32(i1)) >> 2u];
    var q0: vec4<u32>;
    var q1: u32;
    {
        let r0 = bitcast<i32>(v0.x << 16u) >> 16u;
        let r1 = -32768i;
        let r2 = r0 == r1;
        let r3 = f32(r0);
        let r4 = 0.01f;
        let r5 = tw_opaque(r3) * tw_opaque(r4);
        let r6 = bitcast<f32>(0x7fc00000u ^ zero);
        let r7 = select(r5, r6, r2);
        q0.x = bitcast<u32>(r7);
        q1 = q1 | (select(0u, 1u, r2));
    }
    {
        let r0 = bitcast<i32>((v0.x >> 16u) << 16u) >> 16u;
        let r1 = -32768i;
        let r2 = r0 == r1;
        let r3 = f32(r0);
        let r4 = 0.01f;
        let r5 = tw_opaque(r3) * tw_opaque(r4);
        let r6 = bitcast<f32>(0x7fc00000u ^ zero);
        let r7 = select(r5, r6, r2);
        q0.y = bitcast<u32>(r7);
        q1 = q1 | ((select(0u, 1u, r2)) << 8u);
    }
    {
        let r0 = bitcast<i32>(v0.y << 16u) >> 16u;
        let r1 = -32768i;
        let r2 = r0 == r1;
        let r3 = f32(r0);
        let r4 = 0.01f;
        let r5 = tw_opaque(r3) * tw_opaque(r4);
        let r6 = bitcast<f32>(0x7fc00000u ^ zero);
        let r7 = select(r5, r6, r2);
        q0.z = bitcast<u32>(r7);
        q1 = q1 | ((select(0u, 1u, r2)) << 16u);
    }
    {
        let r0 = bitcast<i32>((v0.y >> 16u) << 16u) >> 16u;
        let r1 = -32768i;
        let r2 = r0 == r1;
        let r3 = f32(r0);
        let r4 = 0.01f;
        let r5 = tw_opaque(r3) * tw_opaque(r4);
        let r6 = bitcast<f32>(0x7fc00000u ^ zero);
        let r7 = select(r5, r6, r2);
        q0.w = bitcast<u32>(r7);
        q1 = q1 | ((select(0u, 1u, r2)) << 24u);
    }
    out0[point >> 2u] = q0;
    out1[point >> 2u] = q1;
}
