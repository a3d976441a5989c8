// The result of a contraction from its sums: parts of one element are added in their order,
// narrowed to the dtype, and put where they belong, a word of the result per invocation.
//
// Where a sum is made in steps, SO_FAR are the sums of those before, in the result's order, and ADD adds them.
// PER elements are in a word; NARROW is the word's part that the sum `sum` becomes, BITS its size.

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> sums: array<{{R}}>;
@group(0) @binding(2) var<storage, read_write> made: array<{{WORD}}>;
{{SO_FAR}}
{{PLACE}}
@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    tw_zero = groups.z - 1u;
    let thread = (group.y * groups.x + group.x) * 64u + lane;
    let total = p[0];
    let splits = p[1];
    let apart = p[2];
    if (thread * {{PER}}u >= total) { return; }
    var word = {{WORD}}(0);
    for (var part = 0u; part < {{PER}}u && thread * {{PER}}u + part < total; part = part + 1u) {
        let at = place(thread * {{PER}}u + part, 3u);
        var sum = sums[at];
        for (var split = 1u; split < splits; split = split + 1u) {
            sum = sum + sums[at + split * apart];
        }
        {{ADD}}
        {{STORE}}
    }
    made[thread] = word;
}
