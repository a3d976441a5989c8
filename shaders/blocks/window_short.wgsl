// A short window, gathered element by element in the CPU's order: from where its axis is cut, at a
// multiple of the window's length, back to its beginning, and on to its end.

fn gathered(column: u32, start: u32, end: u32, i: u32) -> State {
    let at = origin(column);
    let stop = i + p[9] + 1u;
    let fresh = (p[10] + i) % p[11] + 1u;
    let cut = clamp_to(select(0u, stop - fresh, stop > fresh), start, end);
    var older = nothing();
    for (var k = cut; k > start; k = k - 1u) {
        older = taken(older, at + (k - 1u) * p[1]);
    }
    var newer = nothing();
    for (var k = cut; k < end; k = k + 1u) {
        newer = taken(newer, at + k * p[1]);
    }
    return merge(older, newer);
}

fn clamp_to(x: u32, low: u32, high: u32) -> u32 {
    return max(min(x, high), low);
}
