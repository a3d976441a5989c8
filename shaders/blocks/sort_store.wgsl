// The first records of each lane become elements of the result. For lanes whose results are
// neighbours, and for any whose elements are narrower than a word.
//
// Parameters: results in all, results of a lane, lanes that are neighbours, records from lane to lane.

@group(0) @binding(1) var<storage, read> records: array<Record>;
@group(0) @binding(2) var<storage, read_write> results: array<Out>;

// Results of a word, and their bits.
const TOGETHER: u32 = {{TOGETHER}}u;
const BITS: u32 = 32u / TOGETHER;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let word = number(group, groups) * 256u + local;
    if word * TOGETHER >= params[0] {
        return;
    }
    var filled = Out();
    for (var k = 0u; k < TOGETHER; k++) {
        let at = word * TOGETHER + k;
        if at < params[0] {
            let inner = params[2];
            let place = (at / inner) % params[1];
            let lane = at / (inner * params[1]) * inner + at % inner;
            filled |= result(records[lane * params[3] + place]) << Out(BITS * k % 32u);
        }
    }
    results[word] = filled;
}
