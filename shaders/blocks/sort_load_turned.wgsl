// Elements become records, lane behind lane. For lanes that are neighbours: squares of 32 elements
// of 32 lanes are read in one direction and written in the other.
//
// Parameters as those of sort_load.wgsl.

@group(0) @binding(1) var<storage, read> source: array<Word>;
@group(0) @binding(2) var<storage, read_write> records: array<Record>;

// Rows are 33 apart, so that no two elements of a column lie in one bank.
var<workgroup> square: array<Record, 1056>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let lanes = params[0];
    let len = params[1];
    let across = (lanes + 31u) / 32u;
    let left = 32u * (number(group, groups) % across);
    let top = 32u * (number(group, groups) / across);
    let x = local % 32u;
    let y = local / 32u;
    for (var k = y; k < 32u; k += 8u) {
        if left + x < lanes && top + k < len {
            let along = walk(top + k, 5u, params[3]);
            let beside = walk(left + x, 5u + 2u * params[3], params[4]);
            square[33u * k + x] = record(key_at(params[2] + along + beside), top + k);
        }
    }
    workgroupBarrier();
    for (var k = y; k < 32u; k += 8u) {
        if left + k < lanes && top + x < len {
            records[(left + k) * len + top + x] = square[33u * x + k];
        }
    }
}
