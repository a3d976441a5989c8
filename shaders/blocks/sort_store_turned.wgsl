// The first records of each lane become elements of the result. For lanes that are neighbours:
// squares of 32 records of 32 lanes are read in one direction and written in the other.
//
// Parameters as those of sort_store.wgsl.

@group(0) @binding(1) var<storage, read> records: array<Record>;
@group(0) @binding(2) var<storage, read_write> results: array<Out>;

var<workgroup> square: array<Out, 1056>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let len = params[1];
    let inner = params[2];
    let lanes = params[0] / len;
    let across = (lanes + 31u) / 32u;
    let left = 32u * (number(group, groups) % across);
    let top = 32u * (number(group, groups) / across);
    let x = local % 32u;
    let y = local / 32u;
    for (var k = y; k < 32u; k += 8u) {
        if left + k < lanes && top + x < len {
            square[33u * k + x] = result(records[(left + k) * params[3] + top + x]);
        }
    }
    workgroupBarrier();
    for (var k = y; k < 32u; k += 8u) {
        let lane = left + x;
        if lane < lanes && top + k < len {
            results[(lane / inner * len + top + k) * inner + lane % inner] = square[33u * x + k];
        }
    }
}
