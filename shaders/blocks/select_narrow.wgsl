// Selection, last step of a pass: the digit of each sought record, from the counts, which are
// cleared for the next pass. Before the first pass it clears them and takes what is sought.
//
// Parameters: records sought in all, the digit's first bit, whether passes only begin.

@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read_write> wanted: array<Sought>;
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let which = number(group, groups);
    if which >= params[0] {
        return;
    }
    let count = counts[256u * which + local];
    counts[256u * which + local] = 0u;
    if params[2] != 0u {
        if local == 0u {
            wanted[which] = sought(Key(), places[which]);
        }
        return;
    }
    let sum = running(local, vec2<u32>(count, 0u)).x;
    let rest = wanted[which].before;
    storageBarrier();
    workgroupBarrier();
    if rest < sum && rest >= sum - count {
        let key = with_digit(key_found(wanted[which]), local, params[1]);
        wanted[which] = sought(key, rest - (sum - count));
    }
}
