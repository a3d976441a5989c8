// A scan by one invocation for each chunk of a column; neighbours take neighbouring columns.

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    tw_zero = groups.z - 1u;
    let thread = (group.y * groups.x + group.x) * 64u + lane;
    let columns = p[3];
    if (thread >= columns * p[7]) {
        return;
    }
    let column = thread % columns;
    let chunk = thread / columns;
    let end = min((chunk + 1u) * p[8], p[2]);
    let inner = p[4];
    var at = origin(column) + chunk * p[8] * p[1];
    var to = ((column / inner) * p[2] + chunk * p[8]) * inner + column % inner;
    var state = before(column, chunk);
    for (var i = chunk * p[8]; i < end; i = i + 1u) {
        state = take(state, load(at));
        if (RESULTS) {
            let y = result(state);
            out[to] = {{STORE}};
        }
        at = at + p[1];
        to = to + inner;
    }
    after(column, chunk, state);
    if (!exact(state)) {
        atomicStore(&inexact[0], 1u);
    }
}
