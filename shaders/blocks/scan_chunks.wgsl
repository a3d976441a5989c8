// From the state of each chunk of a column to what comes before it: one workgroup for a column.
// Parameters: chunks of a column, and columns.

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> received: array<{{CARRY}}>;
@group(0) @binding(2) var<storage, read_write> states: array<State>;
@group(0) @binding(3) var<storage, read_write> handed: array<{{CARRY}}>;

var<workgroup> runs: array<State, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    tw_zero = groups.z - 1u;
    let unit = group.y * groups.x + group.x;
    let there = unit < p[1];
    let column = select(0u, unit, there);
    let chunks = p[0];
    let run = (chunks + 63u) / 64u;
    let first = min(lane * run, chunks);
    let last = min(first + run, chunks);
    var state = nothing();
    for (var i = first; i < last; i = i + 1u) {
        state = join(state, states[column * chunks + i]);
    }
    runs[lane] = state;
    workgroupBarrier();
    for (var reach = 1u; reach < 64u; reach = reach << 1u) {
        if (lane >= reach) {
            state = join(runs[lane - reach], state);
        }
        workgroupBarrier();
        runs[lane] = state;
        workgroupBarrier();
    }
    state = receive(column, p[1]);
    if (lane > 0u) {
        state = join(state, runs[lane - 1u]);
    }
    for (var i = first; i < last; i = i + 1u) {
        let here = states[column * chunks + i];
        if (there) {
            states[column * chunks + i] = state;
        }
        state = join(state, here);
    }
}
