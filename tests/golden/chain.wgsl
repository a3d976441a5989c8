// %0: f32 = load in0
// %1: f32 = load in1
// %2: f32 = const 2
// %3: f32 = multiply %0, %2
// %4: f32 = add %3, %1
// store %4
// in0 1 x 16 bytes, in1 1 x 16 bytes, out0 1 x 16 bytes

var<private> tw_zero: u32;

fn tw_opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ tw_zero);
}


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> in1: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> out0: array<vec4<u32>>;

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
    var q0: vec4<u32>;
    {
        let r0 = bitcast<f32>(v0.x);
        let r1 = bitcast<f32>(v1.x);
        let r2 = 2.0f;
        let r3 = tw_opaque(r0) * tw_opaque(r2);
        let r4 = tw_opaque(r3) + tw_opaque(r1);
        q0.x = bitcast<u32>(r4);
    }
    {
        let r0 = bitcast<f32>(v0.y);
        let r1 = bitcast<f32>(v1.y);
        let r2 = 2.0f;
        let r3 = tw_opaque(r0) * tw_opaque(r2);
        let r4 = tw_opaque(r3) + tw_opaque(r1);
        q0.y = bitcast<u32>(r4);
    }
    {
        let r0 = bitcast<f32>(v0.z);
        let r1 = bitcast<f32>(v1.z);
        let r2 = 2.0f;
        let r3 = tw_opaque(r0) * tw_opaque(r2);
        let r4 = tw_opaque(r3) + tw_opaque(r1);
        q0.z = bitcast<u32>(r4);
    }
    {
        let r0 = bitcast<f32>(v0.w);
        let r1 = bitcast<f32>(v1.w);
        let r2 = 2.0f;
        let r3 = tw_opaque(r0) * tw_opaque(r2);
        let r4 = tw_opaque(r3) + tw_opaque(r1);
        q0.w = bitcast<u32>(r4);
    }
    out0[point >> 2u] = q0;
}
