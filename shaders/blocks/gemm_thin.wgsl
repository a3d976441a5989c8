// A contraction whose matrices are smaller than a tile: an invocation sums every SPLITS-th product
// of one element of the result, straight from the factors.
//
// LOAD_A and LOAD_B are elements of the words `a` and `b`.

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> a: array<{{WORD}}>;
@group(0) @binding(2) var<storage, read> b: array<{{WORD}}>;
@group(0) @binding(3) var<storage, read_write> sums: array<{{R}}>;

{{PLACE}}
fn load_a(at: u32) -> {{R}} {
    return {{LOAD_A}};
}

fn load_b(at: u32) -> {{R}} {
    return {{LOAD_B}};
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    tw_zero = groups.z - 1u;
    let thread = (group.y * groups.x + group.x) * 64u + lane;
    let cells = p[0];
    let splits = p[1];
    let summed = p[2];
    let along = p[3] == 1u; // whether neighbours share a cell rather than a split
    if (thread >= cells * splits) { return; }
    let cell = select(thread % cells, thread / splits, along);
    let split = select(thread / cells, thread % splits, along);
    let a_base = p[4] + place(cell, p[6]);
    let b_base = p[5] + place(cell, p[7]);
    var sum = {{R}}(0);
    for (var k = split; k < summed; k = k + splits) {
        let left = load_a(a_base + place(k, p[8]));
        let right = load_b(b_base + place(k, p[9]));
        sum = {{SUM}};
    }
    sums[split * cells + cell] = sum;
}
