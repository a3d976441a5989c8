// Copies a box of one dense array into a box of another, row by row.
//
// Arrays are seen as words. Elements of one and two bytes lie several to a word: an invocation then
// has one word of the target and replaces those of its bytes that are in the box. Rows of the target
// begin at whole words, so no two invocations have the same word.
//
// p: 0 invocations, 1 rank, 2 bytes of an element, 3 words a row at most; then, per axis but the last, the
// extent of the box; then, per axis but the last, the strides in bytes of source and target; then
// the first byte in the source, in the target, and the bytes of a row.

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> target_words: array<u32>;

fn byte_at(at: u32) -> u32 {
    return (source[at >> 2u] >> ((at & 3u) * 8u)) & 0xffu;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let thread = (group.y * groups.x + group.x) * 64u + lane;
    if (thread >= p[0]) { return; }
    let outer = p[1] - 1u;
    let words = p[3];
    var row = thread / words;
    let word = thread % words;
    let steps = 4u + outer;
    let tail = steps + 2u * outer;
    var from_byte = p[tail];
    var to_byte = p[tail + 1u];
    let row_bytes = p[tail + 2u];
    for (var turn = 0u; turn < outer; turn = turn + 1u) {
        let axis = outer - 1u - turn;
        let extent = p[4u + axis];
        let index = row % extent;
        row = row / extent;
        from_byte = from_byte + index * p[steps + axis];
        to_byte = to_byte + index * p[steps + outer + axis];
    }
    if (p[2] >= 4u) {
        target_words[(to_byte >> 2u) + word] = source[(from_byte >> 2u) + word];
        return;
    }
    let at = (to_byte >> 2u) + word;
    if (at * 4u >= to_byte + row_bytes) { return; }
    var value = target_words[at];
    for (var k = 0u; k < 4u; k = k + 1u) {
        let place = at * 4u + k;
        if (place >= to_byte && place < to_byte + row_bytes) {
            let moved = byte_at(from_byte + (place - to_byte));
            value = (value & ~(0xffu << (k * 8u))) | (moved << (k * 8u));
        }
    }
    target_words[at] = value;
}
