// %0: f32 = load in0
// %1: f64 = load in1
// %2: i64 = load in2
// %3: f64 = cast %0
// %4: f64 = cast %1
// %5: f64 = cast %2
// %6: f64 = add %3, %4
// %7: f64 = add %6, %5
// store %7
// in0 1 x 4 bytes, in1 1 x 8 bytes, in2 1 x 8 bytes, out0 1 x 8 bytes

var<private> tw_zero: u32;

fn tw_opaque_f64(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) ^ u64(tw_zero));
}


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<u32>;
@group(0) @binding(2) var<storage, read> in1: array<f64>;
@group(0) @binding(3) var<storage, read> in2: array<i64>;
@group(0) @binding(4) var<storage, read_write> out0: array<f64>;
var<workgroup> tile1: array<f64, 1056>;

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
    let offset2 = bitcast<i32>(p[10]);
    let step2_0 = bitcast<i32>(p[11]);
    let step2_1 = bitcast<i32>(p[12]);
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
    for (var turn = lane; turn < 1024u; turn = turn + 256u) {
        let down_tile = turn / 32u;
        let along_tile = turn % 32u * 1u;
        let i0 = top + down_tile;
        let i1 = left + along_tile;
        let slot = down_tile * 33u + along_tile;
        if (i0 < n0 && i1 < n1) {
            let point = (i0 * n1 + i1);
            let row0 = offset0 + i32(i0) * step0_0;
            let row2 = offset2 + i32(i0) * step2_0;
            let at0 = u32(row0 + i32(i1) * step0_1);
            let at2 = u32(row2 + i32(i1) * step2_1);
            let r0 = bitcast<f32>(in0[at0]);
            let r1 = tile1[slot];
            let r2 = in2[at2];
            let r3 = f64(r0);
            let r4 = r1;
            let r5 = f64(r2);
            let r6 = tw_opaque_f64(r3) + tw_opaque_f64(r4);
            let r7 = tw_opaque_f64(r6) + tw_opaque_f64(r5);
            out0[point] = r7;
        }
    }
}
