// The rate of memory that is only read: an invocation adds up 64 times sixteen bytes, so that
// next to nothing is written. The array is a whole number of these.

@group(0) @binding(0) var<storage, read> source: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;

@compute @workgroup_size(256)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let step = groups.x * 256u;
    var a = vec4<u32>();
    var b = vec4<u32>();
    var c = vec4<u32>();
    var d = vec4<u32>();
    for (var part = 0u; part < 16u; part++) {
        let at = id.x + part * 4u * step;
        a += source[at];
        b += source[at + step];
        c += source[at + 2u * step];
        d += source[at + 3u * step];
    }
    let all = (a + b) + (c + d);
    sums[id.x] = all.x + all.y + all.z + all.w;
}
