// What the neighbours of an invocation hand it, by distance: for the self-test.

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;

@compute @workgroup_size({{WORKGROUP}})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    // Distances p[0], p[0] / 2, … 1; what is handed is a number that no other invocation has.
    let own = group.x * {{WORKGROUP}}u + lane;
    var row = 0u;
    for (var half = p[0]; half > 0u; half = half >> 1u) {
        out[row * p[1] + own] = subgroupShuffleDown(own, half);
        row = row + 1u;
    }
}
