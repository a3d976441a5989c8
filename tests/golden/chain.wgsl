// %0: f32 = load in0
// %1: f32 = load in1
// %2: f32 = const 2
// %3: f32 = multiply %0, %2
// %4: f32 = add %3, %1
// store %4

var<private> tw_zero: u32;

fn tw_opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ tw_zero);
}


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<u32>;
@group(0) @binding(2) var<storage, read> in1: array<u32>;
@group(0) @binding(3) var<storage, read_write> out0: array<u32>;

@compute @workgroup_size(64)
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
    let thread = (group.y * groups.x + group.x) * 64u + lane;
    let first = thread * 4u;
    if (first >= total) { return; }
    var i0 = first;
    for (var point = first; point < min(first + 4u, total); point = point + 1u) {
        let at0 = u32(offset0 + i32(i0) * step0_0);
        let at1 = u32(offset1 + i32(i0) * step1_0);
        let r0 = bitcast<f32>(in0[at0]);
        let r1 = bitcast<f32>(in1[at1]);
        let r2 = 2.0f;
        let r3 = tw_opaque(r0) * tw_opaque(r2);
        let r4 = tw_opaque(r3) + tw_opaque(r1);
        out0[point] = bitcast<u32>(r4);
        i0 = i0 + 1u;
    }
}
