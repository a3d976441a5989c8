// A scan by one workgroup for each chunk of a row whose elements lie side by side.
//
// A tile of a row is read and written in order; between, each invocation has some elements in a run,
// so that only the states of runs are scanned together.

const RUN: u32 = {{RUN}}u;
const TILE: u32 = 256u * RUN;

var<workgroup> items: array<{{X}}, TILE + TILE / 32u>;
var<workgroup> results: array<{{STORED}}, TILE + TILE / 32u>;
var<workgroup> runs: array<State, 256>;

// Where an element of a tile is kept, so that runs lie in different banks.
fn slot(i: u32) -> u32 {
    return i + i / 32u;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    tw_zero = groups.z - 1u;
    let unit = group.y * groups.x + group.x;
    let there = unit < p[3] * p[7];
    let row = select(0u, unit / p[7], there);
    let chunk = select(0u, unit % p[7], there);
    let at = origin(row);
    let end = min((chunk + 1u) * p[8], p[2]);
    var running = before(row, chunk);
    var right = true;
    for (var tile = chunk * p[8]; tile < end; tile = tile + TILE) {
        let count = min(TILE, end - tile);
        for (var i = lane; i < count; i = i + 256u) {
            items[slot(i)] = load(at + (tile + i) * p[1]);
        }
        workgroupBarrier();
        let first = min(lane * RUN, count);
        let last = min(first + RUN, count);
        var state = nothing();
        for (var i = first; i < last; i = i + 1u) {
            state = take(state, items[slot(i)]);
        }
        runs[lane] = state;
        workgroupBarrier();
        for (var reach = 1u; reach < 256u; reach = reach << 1u) {
            if (lane >= reach) {
                state = join(runs[lane - reach], state);
            }
            workgroupBarrier();
            runs[lane] = state;
            workgroupBarrier();
        }
        if (RESULTS) {
            state = running;
            if (lane > 0u) {
                state = join(running, runs[lane - 1u]);
            }
            for (var i = first; i < last; i = i + 1u) {
                state = take(state, items[slot(i)]);
                let y = result(state);
                results[slot(i)] = {{STORE}};
            }
            right = right && exact(state);
            workgroupBarrier();
            for (var i = lane; i < count; i = i + 256u) {
                if (there) {
                    out[row * p[2] + tile + i] = results[slot(i)];
                }
            }
        }
        running = join(running, runs[255]);
        workgroupBarrier();
    }
    if (there && lane == 0u) {
        after(row, chunk, running);
        right = right && exact(running);
    }
    if (there && !right) {
        atomicStore(&inexact[0], 1u);
    }
}
