// Sorts segments of lanes, up to 2048 records each, in workgroup memory by a bitonic network, and
// hands out the first ones of each. A workgroup takes as many segments as fit.
//
// An invocation takes eight records at a time through three steps of the network, so that memory
// and barriers are met once for three steps. Equal records are equal in every bit, so that the
// network's order among them does not show.
//
// Parameters: segments, segments of a lane, records of a lane, records from lane to lane, records
// kept of a segment, and those from lane to lane in what is written.

@group(0) @binding(1) var<storage, read> taken: array<Record>;
@group(0) @binding(2) var<storage, read_write> sorted: array<Record>;

// Records of a segment: a power of two.
const LENGTH: u32 = {{LENGTH}}u;
const TILE: u32 = 2048u;

// Each eight are nine apart, so that what neighbouring invocations take lies in different banks.
var<workgroup> tile: array<Record, 2304>;

fn slot(at: u32) -> u32 {
    return at + at / 8u;
}

// Whether merges of `size` records fall at this one: every second does, but the last one rises.
fn falls(at: u32, size: u32) -> bool {
    return (at & (LENGTH - 1u) & size) != 0u;
}

fn put_in_order(a: ptr<function, Record>, b: ptr<function, Record>, falling: bool) {
    let low = *a;
    let high = *b;
    if before(high, low) != falling {
        *a = high;
        *b = low;
    }
}

// The first merges, of two, four and eight neighbours.
fn sort_eight(first: u32) {
    var a = tile[slot(first)];
    var b = tile[slot(first + 1u)];
    var c = tile[slot(first + 2u)];
    var d = tile[slot(first + 3u)];
    var e = tile[slot(first + 4u)];
    var f = tile[slot(first + 5u)];
    var g = tile[slot(first + 6u)];
    var h = tile[slot(first + 7u)];
    put_in_order(&a, &b, false);
    put_in_order(&c, &d, falls(2u, 2u));
    put_in_order(&e, &f, false);
    put_in_order(&g, &h, falls(2u, 2u));
    if LENGTH >= 4u {
        put_in_order(&a, &c, false);
        put_in_order(&b, &d, false);
        put_in_order(&e, &g, falls(4u, 4u));
        put_in_order(&f, &h, falls(4u, 4u));
        put_in_order(&a, &b, false);
        put_in_order(&c, &d, false);
        put_in_order(&e, &f, falls(4u, 4u));
        put_in_order(&g, &h, falls(4u, 4u));
    }
    if LENGTH >= 8u {
        let falling = falls(first, 8u);
        put_in_order(&a, &e, falling);
        put_in_order(&b, &f, falling);
        put_in_order(&c, &g, falling);
        put_in_order(&d, &h, falling);
        put_in_order(&a, &c, falling);
        put_in_order(&b, &d, falling);
        put_in_order(&e, &g, falling);
        put_in_order(&f, &h, falling);
        put_in_order(&a, &b, falling);
        put_in_order(&c, &d, falling);
        put_in_order(&e, &f, falling);
        put_in_order(&g, &h, falling);
    }
    tile[slot(first)] = a;
    tile[slot(first + 1u)] = b;
    tile[slot(first + 2u)] = c;
    tile[slot(first + 3u)] = d;
    tile[slot(first + 4u)] = e;
    tile[slot(first + 5u)] = f;
    tile[slot(first + 6u)] = g;
    tile[slot(first + 7u)] = h;
}

// Steps of a merge of `size` records: comparisons over 4, 2 and 1 times `step`, as many of these
// three as `steps` says, of the eight records from `first` on that are `step` apart.
fn merge_eight(first: u32, step: u32, steps: u32, size: u32) {
    var a = tile[slot(first)];
    var b = tile[slot(first + step)];
    var c = tile[slot(first + 2u * step)];
    var d = tile[slot(first + 3u * step)];
    var e = tile[slot(first + 4u * step)];
    var f = tile[slot(first + 5u * step)];
    var g = tile[slot(first + 6u * step)];
    var h = tile[slot(first + 7u * step)];
    let falling = falls(first, size);
    put_in_order(&a, &e, falling);
    put_in_order(&b, &f, falling);
    put_in_order(&c, &g, falling);
    put_in_order(&d, &h, falling);
    if steps > 1u {
        put_in_order(&a, &c, falling);
        put_in_order(&b, &d, falling);
        put_in_order(&e, &g, falling);
        put_in_order(&f, &h, falling);
    }
    if steps > 2u {
        put_in_order(&a, &b, falling);
        put_in_order(&c, &d, falling);
        put_in_order(&e, &f, falling);
        put_in_order(&g, &h, falling);
    }
    tile[slot(first)] = a;
    tile[slot(first + step)] = b;
    tile[slot(first + 2u * step)] = c;
    tile[slot(first + 3u * step)] = d;
    tile[slot(first + 4u * step)] = e;
    tile[slot(first + 5u * step)] = f;
    tile[slot(first + 6u * step)] = g;
    tile[slot(first + 7u * step)] = h;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = number(group, groups) * (TILE / LENGTH);
    let len = params[2];
    for (var t = local; t < TILE; t += 256u) {
        let segment = first + t / LENGTH;
        let at = (segment % params[1]) * LENGTH + t % LENGTH;
        var r = LAST;
        if segment < params[0] && at < len {
            r = taken[(segment / params[1]) * params[3] + at];
        }
        tile[slot(t)] = r;
    }
    workgroupBarrier();
    sort_eight(8u * local);
    workgroupBarrier();
    // Merges of 2^power records, of which the steps over 2^left records and less are left to do.
    for (var power = 4u; (1u << power) <= LENGTH; power++) {
        var left = power;
        while left > 0u {
            let steps = (left - 1u) % 3u + 1u;
            let bit = max(left, 3u) - 3u;
            let step = 1u << bit;
            merge_eight(((local >> bit) << (bit + 3u)) | (local & (step - 1u)), step, steps, 1u << power);
            workgroupBarrier();
            left -= steps;
        }
    }
    for (var t = local; t < TILE; t += 256u) {
        let segment = first + t / LENGTH;
        let within = (segment % params[1]) * LENGTH + t % LENGTH;
        if segment < params[0] && within < len && t % LENGTH < params[4] {
            let at = (segment % params[1]) * params[4] + t % LENGTH;
            sorted[(segment / params[1]) * params[5] + at] = tile[slot(t)];
        }
    }
}
