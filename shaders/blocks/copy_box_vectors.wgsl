// As copy_box.wgsl, for rows that begin at multiples of 16 bytes in both arrays and are whole ones: an
// invocation moves 16 bytes. The parameters are the same, with vectors in the place of words.

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> source: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> target_vectors: array<vec4<u32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let thread = (group.y * groups.x + group.x) * 64u + lane;
    if (thread >= p[0]) { return; }
    let outer = p[1] - 1u;
    let vectors = p[3];
    var row = thread / vectors;
    let vector = thread % vectors;
    let steps = 4u + outer;
    let tail = steps + 2u * outer;
    var from_byte = p[tail];
    var to_byte = p[tail + 1u];
    for (var turn = 0u; turn < outer; turn = turn + 1u) {
        let axis = outer - 1u - turn;
        let extent = p[4u + axis];
        let index = row % extent;
        row = row / extent;
        from_byte = from_byte + index * p[steps + axis];
        to_byte = to_byte + index * p[steps + outer + axis];
    }
    target_vectors[(to_byte >> 4u) + vector] = source[(from_byte >> 4u) + vector];
}
