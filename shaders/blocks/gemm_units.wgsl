// Sums of products of two packed factors of f16 in the matrix units of an adapter: the inner loops of a
// contraction, summed in f32.
//
// Everything is cut as in `gemm.wgsl`: a workgroup sums one tile of the result over a run of the summed
// axis, and while one slab of both factors is multiplied out of workgroup memory, the next is on its way
// through registers into the other half of that memory. Here a subgroup holds the sums, as matrices of
// EDGE x EDGE, and rows of slabs are a little longer than those of tiles, so that what a matrix is loaded
// from lies in different banks. The sums lie in whole tiles, so that nothing is asked before it is stored.
//
// ROWS and COLS are those of a tile in vectors, ROW_A and ROW_B those of its slabs, DEPTH the steps of a
// slab. UNITS_X subgroups lie side by side, each with matrices OWN_ROWS and OWN_COLS elements high and
// wide in all.

enable f16;
enable wgpu_cooperative_matrix;

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> a: array<vec4<f16>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f16>>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

var<workgroup> a_slab: array<vec4<f16>, {{SLAB_A}}>;
var<workgroup> b_slab: array<vec4<f16>, {{SLAB_B}}>;

@compute @workgroup_size({{THREADS}})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) unit: u32,
) {
{{TILE}}
    let c_row = p[15] * 4u; // elements

{{FROM}}
    let own_row = unit / {{UNITS_X}}u * {{OWN_ROWS}}u;
    let own_col = unit % {{UNITS_X}}u * {{OWN_COLS}}u;
    let c_base = (p[14] + plane * p[16]) * 4u
        + (tile_row * {{ROWS}}u * 4u + own_row) * c_row
        + tile_col * {{COLS}}u * 4u + own_col;
{{SUMS}}
    if (p[17] == 1u) {
{{RESUME}}
    }
    if (count > 0u) {
{{FETCH_FIRST}}
{{KEEP_FIRST}}
    }
    workgroupBarrier();
    for (var slab = 0u; slab < count; slab = slab + 1u) {
        // The last slab is fetched twice rather than asked for.
        let next = min(slab + 1u, count - 1u);
{{FETCH_NEXT}}
        let a_half = (slab & 1u) * {{HALF_A}}u + own_row / 4u;
        let b_half = (slab & 1u) * {{HALF_B}}u + own_col / 4u;
{{MULTIPLY}}
        let other = (slab + 1u) & 1u;
{{KEEP_NEXT}}
        workgroupBarrier();
    }
{{STORES}}
}
