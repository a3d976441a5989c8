// A copy in which other axes lie side by side than before, through tiles in workgroup memory, so that
// both reads and writes are coalesced.
//
// WORD is what buffers are bound as and PER how many elements are in one; LOAD is the element `at` of
// the words `x`; SIDE is the edge of a tile, PITCH one more, AREA their product, THREADS those of a
// workgroup; MERGE adds the element `value`, number `part` of its word, to `word`.

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> x: array<{{WORD}}>;
@group(0) @binding(2) var<storage, read_write> made: array<{{WORD}}>;

var<workgroup> tile: array<{{WORD}}, {{AREA}}>;

{{PLACE}}
fn load(at: u32) -> {{WORD}} {
    return {{LOAD}};
}

@compute @workgroup_size({{THREADS}})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = group.y * groups.x + group.x;
    if (number >= p[0]) { return; }
    let rows = p[1]; // of the result's matrices; side by side in what is read
    let cols = p[2]; // side by side in the result
    let from_col = p[3]; // elements from column to column of what is read
    let to_row = p[4]; // words from row to row of the result
    let tiles_across = (cols + {{SIDE}}u - 1u) / {{SIDE}}u;
    let tiles_down = (rows + {{SIDE}}u - 1u) / {{SIDE}}u;
    let batch = number / (tiles_across * tiles_down);
    let top = number / tiles_across % tiles_down * {{SIDE}}u;
    let left = number % tiles_across * {{SIDE}}u;

    let source = p[5] + place(batch, p[6]);
    for (var at = lane; at < {{SIDE}}u * {{SIDE}}u; at = at + {{THREADS}}u) {
        let row = at % {{SIDE}}u;
        let col = at / {{SIDE}}u;
        if (top + row < rows && left + col < cols) {
            tile[row * {{PITCH}}u + col] = load(source + (left + col) * from_col + top + row);
        }
    }
    workgroupBarrier();
    let target_at = (place(batch, p[7]) + left) / {{PER}}u;
    for (var at = lane; at < {{SIDE}}u * {{SIDE}}u / {{PER}}u; at = at + {{THREADS}}u) {
        let row = at / ({{SIDE}}u / {{PER}}u);
        let col = at % ({{SIDE}}u / {{PER}}u);
        if (top + row < rows && left + col * {{PER}}u < cols) {
            var word = {{WORD}}();
            for (var part = 0u; part < {{PER}}u; part = part + 1u) {
                let value = tile[row * {{PITCH}}u + col * {{PER}}u + part];
                {{MERGE}}
            }
            made[target_at + (top + row) * to_row + col] = word;
        }
    }
}
