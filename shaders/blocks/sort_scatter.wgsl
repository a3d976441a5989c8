// Radix sort, last step of a pass: each chunk is sorted by the digit in workgroup memory, two bits
// at a time, and its records go to their places; those of a digit are neighbours there.
//
// Every step keeps the order of equal digits, so that passes from the lowest digit on sort.
//
// Parameters: lanes, records of a lane, chunks of a lane, the digit's first bit.

@group(0) @binding(1) var<storage, read> taken: array<Record>;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read> totals: array<u32>;
@group(0) @binding(4) var<storage, read_write> sorted: array<Record>;

// An invocation has eight neighbouring records; each 32 are 33 apart, so that those that several
// invocations read at once lie in different banks.
var<workgroup> tile: array<Record, 2112>;
// First the running total of each digit, then where its records go less their place in the tile.
var<workgroup> starts: array<u32, 256>;

fn slot(at: u32) -> u32 {
    return at + at / 32u;
}

// One in the count of `value`; counts of the four values of two bits have 16 bits each.
fn one(value: u32) -> vec2<u32> {
    let bit = 1u << (16u * (value & 1u));
    return select(vec2<u32>(bit, 0u), vec2<u32>(0u, bit), value >= 2u);
}

fn count_of(counted: vec2<u32>, value: u32) -> u32 {
    return (select(counted.x, counted.y, value >= 2u) >> (16u * (value & 1u))) & 0xffffu;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let lane = number(group, groups) / params[2];
    let chunk = number(group, groups) % params[2];
    let shift = params[3];
    let from_lane = lane * params[1];
    let start = 2048u * chunk;
    let present = lane < params[0];
    let filled = select(0u, min(2048u, params[1] - start), present);
    for (var t = local; t < 2048u; t += 256u) {
        var r = LAST;
        if t < filled {
            r = taken[from_lane + start + t];
        }
        tile[slot(t)] = r;
    }
    // What the chunks before leave: places of digits in the lane.
    var total = 0u;
    if present {
        total = totals[256u * lane + local];
    }
    var place = running(local, vec2<u32>(total, 0u)).x - total;
    if present {
        place += counts[(256u * lane + local) * params[2] + chunk];
    }
    for (var low = 0u; low < 8u; low += 2u) {
        workgroupBarrier();
        var mine: array<Record, 8>;
        var counted = vec2<u32>();
        for (var k = 0u; k < 8u; k++) {
            mine[k] = tile[slot(8u * local + k)];
            counted += one((digit(mine[k], shift) >> low) & 3u);
        }
        let earlier = running(local, counted) - counted;
        let all = sums[255];
        let zeros = count_of(all, 0u);
        let ones = zeros + count_of(all, 1u);
        let twos = ones + count_of(all, 2u);
        // No field overflows: together they count 2048.
        var next = earlier + vec2<u32>(zeros << 16u, ones | (twos << 16u));
        for (var k = 0u; k < 8u; k++) {
            let value = (digit(mine[k], shift) >> low) & 3u;
            tile[slot(count_of(next, value))] = mine[k];
            next += one(value);
        }
    }
    workgroupBarrier();
    for (var t = local; t < filled; t += 256u) {
        let value = digit(tile[slot(t)], shift);
        if t == 0u || digit(tile[slot(t - 1u)], shift) != value {
            starts[value] = t;
        }
    }
    workgroupBarrier();
    starts[local] = place - starts[local];
    workgroupBarrier();
    for (var t = local; t < filled; t += 256u) {
        let r = tile[slot(t)];
        sorted[from_lane + starts[digit(r, shift)] + t] = r;
    }
}
