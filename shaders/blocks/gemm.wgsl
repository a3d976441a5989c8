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
    let number = group.y * groups.x + group.x;
    let tiles_down = p[1];
    let tiles_across = p[2];
    let tiles = tiles_down * tiles_across;
    if (number >= p[0]) { return; }
    let splits = p[3]; // planes of the result per plane of the factors
    let share = p[4]; // slabs of one of them
    let slabs = p[5]; // slabs of all
    let a_row = p[7];
    let b_row = p[10];
    let rows = p[12];
    let cols = p[13]; // vectors of a row of the result
    let c_row = p[15];

    // Eight rows of tiles together, column by column, so that what they read stays in the cache.
    let plane = number / tiles;
    let tile = number % tiles;
    let band = tile / (8u * tiles_across) * 8u;
    let height = min(8u, tiles_down - band);
    let within = tile - band * tiles_across;
    let tile_row = band + within % height;
    let tile_col = within / height;
    let batch = plane / splits;
    let first = plane % splits * share;
    let count = min(share, slabs - first);

    // Neighbouring invocations in blocks of 4 x 8.
    let block = lane / 32u;
    let y = block / {{BLOCKS_X}}u * 4u + lane % 32u / 8u;
    let x = block % {{BLOCKS_X}}u * 8u + lane % 8u;

    let a_base = p[6] + batch * p[8] + first * {{DEPTH}}u * a_row + tile_row * {{ROWS}}u;
    let b_base = p[9] + batch * p[11] + first * {{DEPTH}}u * b_row + tile_col * {{COLS}}u;
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
