// A pass of a Fourier transform: a workgroup transforms COLUMNS columns of a given number of points.
//
// An invocation holds some points of one column in registers. Between the stages of the transform
// they change hands through workgroup memory; of many points real parts before imaginary ones, so
// that it holds twice as many. In `main`, which is written stage by stage, LANES invocations share a
// column; where columns lie side by side, neighbouring invocations take neighbouring columns.
//
// Columns are numbered through the inner axes, through `parts` of a longer transform, and through
// the outer axes. A point of the caller's arrays is found by its place along the whole axis; one of
// an array between passes by the list that `place` reads.
//
// Parameters: columns (0); of them those along the inner axes (1), and parts (2); the first outer and
// inner index (3, 4), and the extent of the inner axes (5); the operand's first element and step
// (6, 7); the result's step, and from row to row (8, 9); points of the operand, and of the result
// (10, 11); where tables begin: factors of the stages, and of those back (12, 13), roots between
// passes in two levels and bits of the lower one (14 to 16), the chirp and its spectrum (17, 18),
// roots of pairs (19 to 21); lists of the operand's axes and of those between passes (22, 23), and
// the step there (24).

alias Complex = vec2<{{R}}>;

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> tables: array<Complex>;
@group(0) @binding(2) var<storage, read_write> made: array<{{MADE}}>;
{{GIVEN}}
// Of each column, with gaps that keep what neighbours exchange in different banks.
var<workgroup> exchanged: array<{{PART}}, {{EXCHANGED}}>;

{{PLACE}}
fn slot(column: u32, at: u32) -> u32 {
    return column * {{PITCH}}u + {{GAPS}};
}

fn times(a: Complex, b: Complex) -> Complex {
    return Complex(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

fn conjugate(a: Complex) -> Complex {
    return Complex(a.x, -a.y);
}

// The root of unity of an index, of which the tables hold two levels.
fn root(at: u32, levels: u32) -> Complex {
    let shift = p[levels + 2u];
    let low = tables[p[levels] + (at & ((1u << shift) - 1u))];
    return times(low, tables[p[levels + 1u] + (at >> shift)]);
}

// The part of a longer transform that a column is.
fn part_of(column: u32) -> u32 {
    return column / p[1] % p[2];
}

// Outer and inner index of a column in the caller's arrays.
fn index_of(column: u32) -> vec2<u32> {
    return vec2(p[3] + column / (p[1] * p[2]), p[4] + column % p[1]);
}

// Where a column begins in the operand, and in the result.
fn operand_at(column: u32) -> u32 {
    let index = index_of(column);
    return p[6] + place(index.x * p[5] + index.y, p[22]);
}

fn result_at(column: u32) -> u32 {
    let index = index_of(column);
    return index.x * p[9] + index.y;
}

{{LOAD}}
{{STORE}}
@compute @workgroup_size({{THREADS}})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = (group.y * groups.x + group.x) * {{COLUMNS}}u;
{{BODY}}}
