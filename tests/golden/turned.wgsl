// %0: f32 = load in0
// %1: f32 = load in1
// %2: f32 = cast %0
// %3: f32 = cast %1
// %4: f32 = add %2, %3
// store %4
// in0 1 x 16 bytes, in1 1 x 4 bytes, out0 1 x 16 bytes

var<private> tw_zero: u32;

fn tw_opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ tw_zero);
}


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> in1: array<u32>;
@group(0) @binding(3) var<storage, read_write> out0: array<vec4<u32>>;
var<workgroup> tile1: array<u32, 1056>;

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
    let number = group.y * groups.x + group.x;
    let across = (n1 + 31u) / 32u;
    let down = (n0 + 31u) / 32u;
    let left = number % across * 32u;
    let top = number / across % down * 32u;
    let batch = number / across / down;
    if (batch > 0u) { return; }
    let base1 = offset1;
    for (var turn = lane; turn < 1024u; turn = turn + 256u) {
        let down_tile = turn % 32u;
        let along_tile = turn / 32u;
        let i0 = top + down_tile;
        let i1 = left + along_tile;
        if (i0 < n0 && i1 < n1) {
            let at1 = u32(base1 + i32(i0) * step1_0 + i32(i1) * step1_1);
            tile1[down_tile * 33u + along_tile] = in1[at1];
        }
    }
    workgroupBarrier();
    for (var turn = lane; turn < 256u; turn = turn + 256u) {
        let down_tile = turn / 8u;
        let along_tile = turn % 8u * 4u;
        let i0 = top + down_tile;
        let i1 = left + along_tile;
        let slot = down_tile * 33u + along_tile;
        if (i0 < n0 && i1 < n1) {
            let point = (i0 * n1 + i1);
            let v0 = in0[u32(offset0 + i32(i0) * step0_0 + i32(i1)) >> 2u];
            var q0: vec4<u32>;
            {
                let r0 = bitcast<f32>(v0.x);
                let r1 = bitcast<f32>(tile1[slot]);
                let r2 = r0;
                let r3 = r1;
                let r4 = tw_opaque(r2) + tw_opaque(r3);
                q0.x = bitcast<u32>(r4);
            }
            {
                let r0 = bitcast<f32>(v0.y);
                let r1 = bitcast<f32>(tile1[slot + 1u]);
                let r2 = r0;
                let r3 = r1;
                let r4 = tw_opaque(r2) + tw_opaque(r3);
                q0.y = bitcast<u32>(r4);
            }
            {
                let r0 = bitcast<f32>(v0.z);
                let r1 = bitcast<f32>(tile1[slot + 2u]);
                let r2 = r0;
                let r3 = r1;
                let r4 = tw_opaque(r2) + tw_opaque(r3);
                q0.z = bitcast<u32>(r4);
            }
            {
                let r0 = bitcast<f32>(v0.w);
                let r1 = bitcast<f32>(tile1[slot + 3u]);
                let r2 = r0;
                let r3 = r1;
                let r4 = tw_opaque(r2) + tw_opaque(r3);
                q0.w = bitcast<u32>(r4);
            }
            out0[point >> 2u] = q0;
        }
    }
}
