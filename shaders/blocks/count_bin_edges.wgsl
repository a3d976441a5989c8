// The bin between edges: those that are not greater are counted. A key behind the table is the
// first that lies beyond the last bin.
fn bin_of(element: Record) -> u32 {
    if params[6] != 0u && !before(element, table[params[5]]) {
        return 0xffffffffu;
    }
    var first = 0u;
    var rest = params[5];
    while rest > 0u {
        let half = rest / 2u;
        if before(element, table[first + half]) {
            rest = half;
        } else {
            first += half + 1u;
            rest -= half + 1u;
        }
    }
    return first - 1u;
}
