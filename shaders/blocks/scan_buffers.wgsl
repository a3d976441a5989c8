// What the kernels of a scan see beside the operand. Parameters 7 and 8: chunks of a column, and
// places of a chunk.

@group(0) @binding(2) var<storage, read> received: array<{{CARRY}}>;
@group(0) @binding(3) var<storage, read_write> states: array<State>;
@group(0) @binding(4) var<storage, read_write> handed: array<{{CARRY}}>;
@group(0) @binding(5) var<storage, read_write> inexact: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read_write> out: array<{{STORED}}>;

// Whether results are written; else the state of each chunk alone.
const RESULTS: bool = {{RESULTS}};

// What comes before a chunk.
fn before(column: u32, chunk: u32) -> State {
    if (!RESULTS) {
        return nothing();
    }
    if (p[7] == 1u) {
        return receive(column, p[3]);
    }
    return states[column * p[7] + chunk];
}

// What is known after a chunk.
fn after(column: u32, chunk: u32, state: State) {
    if (!RESULTS) {
        states[column * p[7] + chunk] = state;
    } else if (chunk + 1u == p[7]) {
        hand_on(column, p[3], state);
    }
}
