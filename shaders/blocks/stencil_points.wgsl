@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    tw_zero = groups.z - 1u;
    let first = ((group.y * groups.x + group.x) * 64u + lane) * PER;
    if (first >= p[0]) {
        return;
    }
    let rows = {{SECOND}};
    var word: {{STORED}};
    for (var k = 0u; k < min(PER, p[0] - first); k = k + 1u) {
        let y = summed(index_of(first + k, rows));
        word = {{JOINED}};
    }
    out[first / PER] = word;
}
