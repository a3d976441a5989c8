// Where the element of an index lies, for axes that the list at `list` of the parameters `p` names,
// the innermost first: their number, then extent and stride of each.
fn place(index: u32, list: u32) -> u32 {
    let axes = p[list];
    if (axes == 1u) { return index * p[list + 2u]; }
    var rest = index;
    var at = 0u;
    for (var axis = 0u; axis < axes; axis = axis + 1u) {
        let extent = p[list + 1u + 2u * axis];
        let outer = rest / extent;
        at = at + (rest - outer * extent) * p[list + 2u + 2u * axis];
        rest = outer;
    }
    return at;
}
