// Sums of products of two packed factors: the inner loops of a contraction.
//
// Factors lie as `gemm_pack.wgsl` leaves them: planes of rows along the summed axis, each of four
// elements times a whole number of tiles, zeros beyond the ends, so that nothing is asked here
// before it is read. A workgroup sums one tile of the result over a run of the summed axis: while
// one slab of both factors is multiplied out of workgroup memory, the next is on its way through
// registers into the other half of that memory. An invocation holds fragments of 4 x 4 sums, spread
// over the tile so that neighbours read neighbouring vectors.
//
// R is the type of the sums. ROWS and COLS are those of a tile in vectors, DEPTH the steps of a slab, of
// which UNROLL are written out. HALF_ and SLAB_ are vectors of one and of both slabs of a factor,
// THREADS those of a workgroup in blocks of 4 x 8, of which BLOCKS_X lie side by side. The rest are
// statements, one per vector that an invocation brings or sums.

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> a: array<vec4<{{R}}>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<{{R}}>>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4<{{R}}>>;

var<workgroup> a_slab: array<vec4<{{R}}>, {{SLAB_A}}>;
var<workgroup> b_slab: array<vec4<{{R}}>, {{SLAB_B}}>;

@compute @workgroup_size({{THREADS}})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
{{TILE}}
    let rows = p[12];
    let cols = p[13]; // vectors of a row of the result
    let c_row = p[15];

    // Neighbouring invocations in blocks of 4 x 8.
    let block = lane / 32u;
    let y = block / {{BLOCKS_X}}u * 4u + lane % 32u / 8u;
    let x = block % {{BLOCKS_X}}u * 8u + lane % 8u;

{{FROM}}
    let c_base = p[14] + plane * p[16];
    let c_row0 = tile_row * {{ROWS}}u * 4u + y * 4u;
    let c_col0 = tile_col * {{COLS}}u + x;
    let continues = p[17] == 1u;
{{SUMS}}
    if (count > 0u) {
{{FETCH_FIRST}}
{{KEEP_FIRST}}
    }
    workgroupBarrier();
    for (var slab = 0u; slab < count; slab = slab + 1u) {
        // The last slab is fetched twice rather than asked for.
        let next = min(slab + 1u, count - 1u);
{{FETCH_NEXT}}
        let a_half = (slab & 1u) * {{HALF_A}}u + y;
        let b_half = (slab & 1u) * {{HALF_B}}u + x;
        for (var k = 0u; k < {{DEPTH}}u; k = k + {{UNROLL}}u) {
            let a_at = a_half + k * {{ROWS}}u;
            let b_at = b_half + k * {{COLS}}u;
{{MULTIPLY}}
        }
        let other = (slab + 1u) & 1u;
{{KEEP_NEXT}}
        workgroupBarrier();
    }
{{STORES}}
}
