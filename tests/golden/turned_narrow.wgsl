// %0: i16 = load in0
// %1: u8 = load in1
// %2: i16 = cast %0
// %3: i16 = cast %1
// %4: i16 = add %2, %3
// store %4
// in0 1 x 8 bytes, in1 1 x 4 bytes, out0 1 x 8 bytes

var<private> tw_zero: u32;


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> in1: array<u32>;
@group(0) @binding(3) var<storage, read_write> out0: array<vec2<u32>>;
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
    let n2 = p[4];
    let offset0 = bitcast<i32>(p[5]);
    let step0_0 = bitcast<i32>(p[6]);
    let step0_1 = bitcast<i32>(p[7]);
    let step0_2 = bitcast<i32>(p[8]);
    let offset1 = bitcast<i32>(p[9]);
    let step1_0 = bitcast<i32>(p[10]);
    let step1_1 = bitcast<i32>(p[11]);
    let step1_2 = bitcast<i32>(p[12]);
    let thread = (group.y * groups.x + group.x) * 256u + lane;
    let number = group.y * groups.x + group.x;
    let across = (n2 + 31u) / 32u;
    let down = (n1 + 31u) / 32u;
    let left = number % across * 32u;
    let top = number / across % down * 32u;
    let batch = number / across / down;
    let i0 = batch;
    if (i0 >= n0) { return; }
    let base1 = offset1 + i32(i0) * step1_0;
    for (var turn = lane; turn < 1024u; turn = turn + 256u) {
        let down_tile = turn % 32u;
        let along_tile = turn / 32u;
        let i1 = top + down_tile;
        let i2 = left + along_tile;
        if (i1 < n1 && i2 < n2) {
            let at1 = u32(base1 + i32(i1) * step1_1 + i32(i2) * step1_2);
            tile1[down_tile * 33u + along_tile] = in1[at1 >> 2u] >> ((at1 & 3u) * 8u);
        }
    }
    workgroupBarrier();
    for (var turn = lane; turn < 256u; turn = turn + 256u) {
        let down_tile = turn / 8u;
        let along_tile = turn % 8u * 4u;
        let i1 = top + down_tile;
        let i2 = left + along_tile;
        let slot = down_tile * 33u + along_tile;
        if (i1 < n1 && i2 < n2) {
            let point = ((i0 * n1 + i1) * n2 + i2);
            let v0 = in0[u32(offset0 + i32(i0) * step0_0 + i32(i1) * step0_1 + i32(i2)) >> 2u];
            var q0: vec2<u32>;
            {
                let r0 = bitcast<i32>(v0.x << 16u) >> 16u;
                let r1 = tile1[slot] & 0xffu;
                let r2 = ((r0) << 16u) >> 16u;
                let r3 = (((bitcast<i32>(r1) << 16u) >> 16u) << 16u) >> 16u;
                let r4 = ((r2 + r3) << 16u) >> 16u;
                q0.x = q0.x | (bitcast<u32>(r4) & 0xffffu);
            }
            {
                let r0 = bitcast<i32>((v0.x >> 16u) << 16u) >> 16u;
                let r1 = tile1[slot + 1u] & 0xffu;
                let r2 = ((r0) << 16u) >> 16u;
                let r3 = (((bitcast<i32>(r1) << 16u) >> 16u) << 16u) >> 16u;
                let r4 = ((r2 + r3) << 16u) >> 16u;
                q0.x = q0.x | ((bitcast<u32>(r4) & 0xffffu) << 16u);
            }
            {
                let r0 = bitcast<i32>(v0.y << 16u) >> 16u;
                let r1 = tile1[slot + 2u] & 0xffu;
                let r2 = ((r0) << 16u) >> 16u;
                let r3 = (((bitcast<i32>(r1) << 16u) >> 16u) << 16u) >> 16u;
                let r4 = ((r2 + r3) << 16u) >> 16u;
                q0.y = q0.y | (bitcast<u32>(r4) & 0xffffu);
            }
            {
                let r0 = bitcast<i32>((v0.y >> 16u) << 16u) >> 16u;
                let r1 = tile1[slot + 3u] & 0xffu;
                let r2 = ((r0) << 16u) >> 16u;
                let r3 = (((bitcast<i32>(r1) << 16u) >> 16u) << 16u) >> 16u;
                let r4 = ((r2 + r3) << 16u) >> 16u;
                q0.y = q0.y | ((bitcast<u32>(r4) & 0xffffu) << 16u);
            }
            out0[point >> 2u] = q0;
        }
    }
}
