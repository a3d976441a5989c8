// Radix sort, first step of a pass: how often each digit occurs in each chunk of 2048 records.
//
// Parameters: lanes, records of a lane, chunks of a lane, the digit's first bit.

@group(0) @binding(1) var<storage, read> taken: array<Record>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;

var<workgroup> found: array<atomic<u32>, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let lane = number(group, groups) / params[2];
    let chunk = number(group, groups) % params[2];
    atomicStore(&found[local], 0u);
    workgroupBarrier();
    if lane < params[0] {
        let end = min(2048u * (chunk + 1u), params[1]);
        for (var at = 2048u * chunk + local; at < end; at += 256u) {
            atomicAdd(&found[digit(taken[lane * params[1] + at], params[3])], 1u);
        }
    }
    workgroupBarrier();
    if lane < params[0] {
        counts[(256u * lane + local) * params[2] + chunk] = atomicLoad(&found[local]);
    }
}
