// Elements become records, lane behind lane. For lanes whose elements are neighbours.
//
// Parameters: lanes, elements of a lane, the first element, the numbers of axes along lanes and
// across them, and extent and stride of each.

@group(0) @binding(1) var<storage, read> source: array<Word>;
@group(0) @binding(2) var<storage, read_write> records: array<Record>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = number(group, groups) * 1024u + local;
    let len = params[1];
    for (var k = 0u; k < 4u; k++) {
        let at = first + 256u * k;
        if at < params[0] * len {
            let along = walk(at % len, 5u, params[3]);
            let across = walk(at / len, 5u + 2u * params[3], params[4]);
            records[at] = record(key_at(params[2] + along + across), at % len);
        }
    }
}
