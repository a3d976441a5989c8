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

var<private> tw_zero: u32;

fn tw_opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ tw_zero);
}


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<u32>;
@group(0) @binding(2) var<storage, read_write> out0: array<u32>;
@group(0) @binding(3) var<storage, read_write> out1: array<u32>;

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
    let n1 = p[3];
    let offset0 = bitcast<i32>(p[4]);
    let step0_0 = bitcast<i32>(p[5]);
    let step0_1 = bitcast<i32>(p[6]);
    let thread = (group.y * groups.x + group.x) * 64u + lane;
    let first = thread * 4u;
    if (first >= total) { return; }
    var word1 = 0u;
    var i1 = first % n1;
    let above_i1 = first / n1;
    var i0 = above_i1;
    for (var point = first; point < min(first + 4u, total); point = point + 1u) {
        let at0 = u32(offset0 + i32(i0) * step0_0 + i32(i1) * step0_1);
        let r0 = bitcast<i32>((in0[at0 >> 1u] >> ((at0 & 1u) * 16u)) << 16u) >> 16u;
        let r1 = -32768i;
        let r2 = r0 == r1;
        let r3 = f32(r0);
        let r4 = 0.01f;
        let r5 = tw_opaque(r3) * tw_opaque(r4);
        let r6 = bitcast<f32>(0x7fc00000u ^ zero);
        let r7 = select(r5, r6, r2);
        out0[point] = bitcast<u32>(r7);
        word1 = word1 | ((select(0u, 1u, r2)) << ((point & 3u) * 8u));
        if ((point & 3u) == 3u || point + 1u == total) {
            out1[point / 4u] = word1;
            word1 = 0u;
        }
        i1 = i1 + 1u;
        if (i1 >= n1) { i1 = i1 - n1; i0 = i0 + 1u; }
    }
}
