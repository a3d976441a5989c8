@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    tw_zero = groups.z - 1u;
    let thread = (group.y * groups.x + group.x) * 64u + lane;
    let second = AXES + 5u * (RANK - 2u);
    let width = p[AXES + 5u * (RANK - 1u)];
    let bands = (p[second] + ROWS - 1u) / ROWS;
    var index = index_of(thread, bands);
    let band = thread / width;
    let first = index.at[RANK - 2u] * ROWS;
    index.at[RANK - 2u] = first;
    let start = ((band / bands) * p[second] + first) * width + thread % width;
    if (start >= p[0] || band / bands >= p[0] / (p[second] * width)) {
        return;
    }
    if (inside(index, ROWS)) {
        let at = plain(index);
{{INSIDE}}
        return;
    }
    for (var row = 0u; row < min(ROWS, p[second] - first); row = row + 1u) {
        index.at[RANK - 2u] = first + row;
        let y = summed(index);
        out[start + row * width] = {{JOINED}};
    }
}
