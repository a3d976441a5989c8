// Where elements stand in a table that rises: how many of its keys are less, or not greater.
//
// The steps are those of the CPU, so that a table that does not rise gives the same too.
//
// Parameters: elements, keys of the table, the number to count from (or 0xffffffff to count up),
// the first element, axes, and extent and stride of each.

@group(0) @binding(1) var<storage, read> source: array<Word>;
@group(0) @binding(2) var<storage, read> table: array<Record>;
@group(0) @binding(3) var<storage, read_write> results: array<vec2<u32>>;

fn behind(at: u32, key: Record) -> bool {
    return {{BEHIND}};
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = number(group, groups) * 256u + local;
    if at >= params[0] {
        return;
    }
    let key = record(key_at(params[3] + walk(at, 5u, params[4])), 0u);
    var first = 0u;
    var len = params[1];
    while len > 1u {
        let half = len / 2u;
        first += select(0u, half, behind(first + half - 1u, key));
        len -= half;
    }
    if len == 1u && behind(first, key) {
        first += 1u;
    }
    let count = select(params[2] - first, first, params[2] == 0xffffffffu);
    results[at] = vec2<u32>(count, 0u);
}
