// The columns of an operand along an axis, numbered in row-major order of the other axes.
//
// The first parameters, which begin every kernel's: where the operand's first element lies, the step
// along the axis, its extent, the number of columns, how many are neighbours, and the number of
// other axes with where the list of their extents and steps begins, from the innermost on.

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<{{WORD}}>;

fn load(at0: u32) -> {{X}} {
    return {{LOAD}};
}

// Where a column begins.
fn origin(column: u32) -> u32 {
    var at = p[0];
    var rest = column;
    for (var axis = 0u; axis < p[5]; axis = axis + 1u) {
        let extent = p[p[6] + 2u * axis];
        at = at + (rest % extent) * p[p[6] + 2u * axis + 1u];
        rest = rest / extent;
    }
    return at;
}
