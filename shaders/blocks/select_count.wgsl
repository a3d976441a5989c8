// Counts the records of each lane that are numbers.
//
// Parameters: lanes, records of a lane.

@group(0) @binding(1) var<storage, read> records: array<Record>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;

var<workgroup> found: atomic<u32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let lane = number(group, groups);
    if lane >= params[0] {
        return;
    }
    if local == 0u {
        atomicStore(&found, 0u);
    }
    workgroupBarrier();
    var count = 0u;
    for (var at = local; at < params[1]; at += 256u) {
        count += select(1u, 0u, is_nan(key_of(records[lane * params[1] + at])));
    }
    atomicAdd(&found, count);
    workgroupBarrier();
    if local == 0u {
        counts[lane] = atomicLoad(&found);
    }
}
