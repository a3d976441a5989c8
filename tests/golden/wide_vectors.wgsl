// %0: f32 = load in0
// %1: f64 = load in1
// %2: f64 = cast %0
// %3: f64 = subtract %2, %1
// store %3
// in0 1 x 16 bytes, in1 1 x 32 bytes, out0 1 x 32 bytes

var<private> tw_zero: u32;

fn tw_opaque_f64(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) ^ u64(tw_zero));
}


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> in1: array<vec4<f64>>;
@group(0) @binding(3) var<storage, read_write> out0: array<vec4<f64>>;

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
    let offset1 = bitcast<i32>(p[7]);
    let step1_0 = bitcast<i32>(p[8]);
    let step1_1 = bitcast<i32>(p[9]);
    let thread = (group.y * groups.x + group.x) * 256u + lane;
    let point = thread * 4u;
    if (point >= total) { return; }
    let i1 = point % n1;
    let above_i1 = point / n1;
    let i0 = above_i1;
    let v0 = in0[u32(offset0 + i32(i0) * step0_0 + i32(i1)) >> 2u];
    let v1 = in1[u32(offset1 + i32(i0) * step1_0 + i32(i1)) >> 2u];
    var q0: vec4<f64>;
    {
        let r0 = bitcast<f32>(v0.x);
        let r1 = v1.x;
        let r2 = f64(r0);
        let r3 = tw_opaque_f64(r2) - tw_opaque_f64(r1);
        q0.x = r3;
    }
    {
        let r0 = bitcast<f32>(v0.y);
        let r1 = v1.y;
        let r2 = f64(r0);
        let r3 = tw_opaque_f64(r2) - tw_opaque_f64(r1);
        q0.y = r3;
    }
    {
        let r0 = bitcast<f32>(v0.z);
        let r1 = v1.z;
        let r2 = f64(r0);
        let r3 = tw_opaque_f64(r2) - tw_opaque_f64(r1);
        q0.z = r3;
    }
    {
        let r0 = bitcast<f32>(v0.w);
        let r1 = v1.w;
        let r2 = f64(r0);
        let r3 = tw_opaque_f64(r2) - tw_opaque_f64(r1);
        q0.w = r3;
    }
    out0[point >> 2u] = q0;
}
