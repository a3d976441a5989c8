// Sorts segments of lanes, up to 2048 records each, in workgroup memory by a bitonic network, and
// hands out the first ones of each. A workgroup takes as many segments as fit.
//
// All comparisons point the same way: a merge first compares the two halves from both ends. Equal
// records are equal in every bit, so that the network's order among them does not show.
//
// Parameters: segments, segments of a lane, records of a lane, records from lane to lane, records
// kept of a segment, and those from lane to lane in what is written.

@group(0) @binding(1) var<storage, read> taken: array<Record>;
@group(0) @binding(2) var<storage, read_write> sorted: array<Record>;

// Records of a segment: a power of two.
const LENGTH: u32 = {{LENGTH}}u;
const TILE: u32 = 2048u;

var<workgroup> tile: array<Record, 2048>;

fn put_in_order(a: u32, b: u32) {
    let low = tile[a];
    let high = tile[b];
    if before(high, low) {
        tile[a] = high;
        tile[b] = low;
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = number(group, groups) * (TILE / LENGTH);
    let len = params[2];
    for (var t = local; t < TILE; t += 256u) {
        let segment = first + t / LENGTH;
        let at = (segment % params[1]) * LENGTH + t % LENGTH;
        var r = LAST;
        if segment < params[0] && at < len {
            r = taken[(segment / params[1]) * params[3] + at];
        }
        tile[t] = r;
    }
    workgroupBarrier();
    for (var half = 1u; half < LENGTH; half *= 2u) {
        for (var t = local; t < TILE / 2u; t += 256u) {
            let start = 2u * (t - t % half);
            put_in_order(start + t % half, start + 2u * half - 1u - t % half);
        }
        workgroupBarrier();
        for (var step = half / 2u; step > 0u; step /= 2u) {
            for (var t = local; t < TILE / 2u; t += 256u) {
                let a = 2u * t - t % step;
                put_in_order(a, a + step);
            }
            workgroupBarrier();
        }
    }
    for (var t = local; t < TILE; t += 256u) {
        let segment = first + t / LENGTH;
        let within = (segment % params[1]) * LENGTH + t % LENGTH;
        if segment < params[0] && within < len && t % LENGTH < params[4] {
            let at = (segment % params[1]) * params[4] + t % LENGTH;
            sorted[(segment / params[1]) * params[5] + at] = tile[t];
        }
    }
}
