// What the kernels of sorting, selecting and counting share.

@group(0) @binding(0) var<storage, read> params: array<u32>;

// Workgroups lie in two dimensions where one is too short.
fn number(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.y * groups.x + group.x;
}

// The elements from the first point of a box to its point of that number: the extents and strides
// of `axes` axes stand in the parameters from `first` on, the innermost one first.
fn walk(point: u32, first: u32, axes: u32) -> u32 {
    var rest = point;
    var at = 0u;
    for (var a = 0u; a < axes; a++) {
        let extent = params[first + 2u * a];
        at += (rest % extent) * params[first + 2u * a + 1u];
        rest /= extent;
    }
    return at;
}
