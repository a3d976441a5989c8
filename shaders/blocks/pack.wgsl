// Narrow elements, each in a word of its own, packed into words. Parameter: number of elements.

const PER: u32 = {{PER}}u;

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> loose: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let first = ((group.y * groups.x + group.x) * 64u + lane) * PER;
    if (first >= p[0]) {
        return;
    }
    var word = 0u;
    for (var i = 0u; i < min(PER, p[0] - first); i = i + 1u) {
        word = word | (loose[first + i] << (i * (32u / PER)));
    }
    out[first / PER] = word;
}
