// The rate of memory, read and written: an invocation copies four times sixteen bytes.

@group(0) @binding(0) var<storage, read> source: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> copied: array<vec4<u32>>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = group.x * 1024u + lane;
    copied[first] = source[first];
    copied[first + 256u] = source[first + 256u];
    copied[first + 512u] = source[first + 512u];
    copied[first + 768u] = source[first + 768u];
}
