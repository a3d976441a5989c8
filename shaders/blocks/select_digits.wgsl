// Selection, first step of a pass: of the records that agree in their upper digits with a sought
// one, how many have each value of the next digit. Up to eight are sought in a lane.
//
// Parameters: lanes, records of a lane, chunks of a lane, records sought in a lane, the digit's
// first bit, records of a chunk.

@group(0) @binding(1) var<storage, read> records: array<Record>;
@group(0) @binding(2) var<storage, read> wanted: array<Sought>;
@group(0) @binding(3) var<storage, read_write> counts: array<atomic<u32>>;

var<workgroup> found: array<atomic<u32>, 2048>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let lane = number(group, groups) / params[2];
    let chunk = number(group, groups) % params[2];
    let count = params[3];
    for (var w = 0u; w < count; w++) {
        atomicStore(&found[256u * w + local], 0u);
    }
    workgroupBarrier();
    if lane < params[0] {
        let end = min(params[5] * (chunk + 1u), params[1]);
        for (var at = params[5] * chunk + local; at < end; at += 256u) {
            let r = records[lane * params[1] + at];
            for (var w = 0u; w < count; w++) {
                if agrees(r, key_found(wanted[lane * count + w]), params[4]) {
                    atomicAdd(&found[256u * w + digit(r, params[4])], 1u);
                }
            }
        }
    }
    workgroupBarrier();
    if lane < params[0] {
        for (var w = 0u; w < count; w++) {
            let here = atomicLoad(&found[256u * w + local]);
            if here > 0u {
                atomicAdd(&counts[256u * (lane * count + w) + local], here);
            }
        }
    }
}
