// The states of blocks of 16: elements, or blocks of the level below.
//
// Parameters 7 to 10: invocations, one for each block of each column; where the level's blocks begin;
// where those of the level below do and how many they are, or for elements where the operand begins
// in its first block.

@group(0) @binding(2) var<storage, read_write> blocks: array<State>;

const ELEMENTS: bool = {{ELEMENTS}};

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    tw_zero = groups.z - 1u;
    let thread = (group.y * groups.x + group.x) * 64u + lane;
    if (thread >= p[7]) {
        return;
    }
    let column = thread % p[3];
    let block = thread / p[3];
    var state = nothing();
    if (ELEMENTS) {
        let at = origin(column);
        let start = max(16u * block, p[9]) - p[9];
        let end = min(max(16u * block + 16u, p[9]) - p[9], p[2]);
        for (var k = start; k < end; k = k + 1u) {
            let x = load(at + k * p[1]);
            if (!({{MISSING}})) {
                state = push(state, x);
            }
        }
    } else {
        for (var k = 16u * block; k < min(16u * block + 16u, p[10]); k = k + 1u) {
            state = merge(state, blocks[(p[9] + k) * p[3] + column]);
        }
    }
    blocks[(p[8] + block) * p[3] + column] = state;
}
