// A long window, gathered from blocks: of 16 elements, of 16 such blocks and so on, each beginning at a
// multiple of its size on the axis.

@group(0) @binding(3) var<storage, read> blocks: array<State>;
@group(0) @binding(4) var<storage, read> levels: array<u32>;

fn gathered(column: u32, start: u32, end: u32, i: u32) -> State {
    let at = origin(column);
    let shift = p[13];
    let stop = end + shift;
    var state = nothing();
    var place = start + shift;
    while (place < stop) {
        // The largest block that begins here and ends in time.
        var level = 0u;
        var size = 1u;
        while (level < levels[0] && (place & (16u * size - 1u)) == 0u && place + 16u * size <= stop) {
            level = level + 1u;
            size = size * 16u;
        }
        if (level == 0u) {
            state = taken(state, at + (place - shift) * p[1]);
        } else {
            state = merge(state, blocks[(levels[level] + place / size) * p[3] + column]);
        }
        place = place + size;
    }
    return state;
}
