// Sets words to zero.
//
// Parameters: words.

@group(0) @binding(1) var<storage, read_write> results: array<u32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let word = number(group, groups) * 256u + local;
    if word < params[0] {
        results[word] = 0u;
    }
}
