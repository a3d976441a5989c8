// A factor of a contraction brought into the layout that the inner loops read: planes of rows along
// the summed axis, as numbers of type MADE, zeros beyond the ends.
//
// A workgroup moves 32 x 32 elements through workgroup memory, so that reads are coalesced along
// whichever axis lies side by side and writes always. LOAD is the element `at` of the words `x`.

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> x: array<{{FROM}}>;
@group(0) @binding(2) var<storage, read_write> packed: array<{{MADE}}>;

var<workgroup> tile: array<{{MADE}}, 1056>;

{{PLACE}}
fn load(at: u32) -> {{MADE}} {
    return {{LOAD}};
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    tw_zero = groups.z - 1u;
    let number = group.y * groups.x + group.x;
    if (number >= p[0]) { return; }
    let tiles_across = p[1]; // along rows of the packed factor
    let tiles_down = p[2];
    let across = p[3]; // elements of a row
    let start = p[4]; // of the summed axis
    let end = p[5];
    let turned = p[6] == 1u; // whether the summed axis lies side by side
    let plane = number / (tiles_across * tiles_down);
    let left = number % tiles_across * 32u;
    let top = number / tiles_across % tiles_down * 32u;
    let base = p[7] + place(p[8] + plane, p[9]);
    let quick = lane % 32u;
    for (var slow = lane / 32u; slow < 32u; slow = slow + 8u) {
        let row = select(slow, quick, turned);
        let col = select(quick, slow, turned);
        var value = {{MADE}}(0);
        if (start + top + row < end && left + col < across) {
            value = load(base + place(left + col, p[10]) + place(start + top + row, p[11]));
        }
        tile[row * 33u + col] = value;
    }
    workgroupBarrier();
    let width = tiles_across * 32u;
    let to = (plane * tiles_down * 32u + top) * width + left + quick;
    for (var row = lane / 32u; row < 32u; row = row + 8u) {
        packed[to + row * width] = tile[row * 33u + quick];
    }
}
