// Radix sort, second step of a pass: the counts of a digit become the number of records with it in
// the chunks before, and their sum.
//
// Parameters: lanes, records of a lane, chunks of a lane, the digit's first bit.

@group(0) @binding(1) var<storage, read_write> counts: array<u32>;
@group(0) @binding(2) var<storage, read_write> totals: array<u32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = number(group, groups);
    let chunks = select(0u, params[2], row < 256u * params[0]);
    let each = (params[2] + 255u) / 256u;
    let start = min(each * local, chunks);
    let end = min(start + each, chunks);
    var sum = 0u;
    for (var chunk = start; chunk < end; chunk++) {
        sum += counts[row * params[2] + chunk];
    }
    var sofar = running(local, vec2<u32>(sum, 0u)).x - sum;
    for (var chunk = start; chunk < end; chunk++) {
        let count = counts[row * params[2] + chunk];
        counts[row * params[2] + chunk] = sofar;
        sofar += count;
    }
    if local == 255u && row < 256u * params[0] {
        totals[row] = sums[255].x;
    }
}
