// The rate of multiply-adds of {{T}} in registers: eight vectors, none of which waits for another.
// Factor and addend come from memory, so that nothing is folded; 32 rounds bring every number to
// 1 when both are 0.5.

@group(0) @binding(0) var<storage, read> given: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let factor = vec4<{{T}}>({{T}}(given[0]));
    let addend = vec4<{{T}}>({{T}}(given[1]));
    let rounds = u32(given[2]);
    let start = vec4<{{T}}>({{T}}(f32(id.x & 255u) / 256.0));
    var a = start;
    var b = start * factor;
    var c = b * factor;
    var d = c * factor;
    var e = d * factor;
    var f = e * factor;
    var g = f * factor;
    var h = g * factor;
    for (var round = 0u; round < rounds; round++) {
        a = fma(a, factor, addend);
        b = fma(b, factor, addend);
        c = fma(c, factor, addend);
        d = fma(d, factor, addend);
        e = fma(e, factor, addend);
        f = fma(f, factor, addend);
        g = fma(g, factor, addend);
        h = fma(h, factor, addend);
        a = fma(a, factor, addend);
        b = fma(b, factor, addend);
        c = fma(c, factor, addend);
        d = fma(d, factor, addend);
        e = fma(e, factor, addend);
        f = fma(f, factor, addend);
        g = fma(g, factor, addend);
        h = fma(h, factor, addend);
    }
    let all = (a + b) + (c + d) + (e + f) + (g + h);
    sums[id.x] = f32(all.x + all.y + all.z + all.w);
}
