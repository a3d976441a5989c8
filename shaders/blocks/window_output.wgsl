// The results of a window, each invocation as many as a word holds.
//
// Parameters 7 to 14: results; places of a column of results; where the first window ends in a
// column of the operand; that index modulo the length; the length; elements that must be there;
// where the operand begins in blocks of the highest level; delta degrees of freedom.

@group(0) @binding(2) var<storage, read_write> out: array<{{STORED}}>;

const PER: u32 = {{PER}}u;

// The state with the element at a place of a column, unless it is missing.
fn taken(state: State, at: u32) -> State {
    let x = load(at);
    if ({{MISSING}}) {
        return state;
    }
    return push(state, x);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    tw_zero = groups.z - 1u;
    let first = ((group.y * groups.x + group.x) * 64u + lane) * PER;
    if (first >= p[7]) {
        return;
    }
    var word: {{STORED}};
    for (var k = 0u; k < min(PER, p[7] - first); k = k + 1u) {
        let row = (first + k) / p[4];
        let i = row % p[8];
        let column = (row / p[8]) * p[4] + (first + k) % p[4];
        // The end of the window, and its beginning.
        let end = min(i + p[9] + 1u, p[2]);
        let start = max(i + p[9] + 1u, p[11]) - p[11];
        let state = gathered(column, start, end, i);
        var y = {{NAN}};
        if (state.n >= p[12]) {
            y = finish(state);
        }
        word = {{JOINED}};
    }
    out[first / PER] = word;
}
