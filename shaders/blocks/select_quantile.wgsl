// Quantiles from records in order: of all of a lane, or of those that its quantiles need.
//
// A group of places holds for each quantile the two records that it lies between, how they are
// blended, and with which weight (two words). Lanes have the group 0, that of the number of their
// records that are numbers, or that of their own number.
//
// Parameters: results in all, quantiles, lanes that are neighbours, records from lane to lane,
// which group (0, 1, 2 in the order above), the record whose NaN makes all results NaN (or none:
// 0xffffffff).

@group(0) @binding(1) var<storage, read> records: array<Record>;
@group(0) @binding(2) var<storage, read> places: array<u32>;
@group(0) @binding(3) var<storage, read_write> results: array<Out>;

// Results of a word, and their bits.
const TOGETHER: u32 = {{TOGETHER}}u;
const BITS: u32 = 32u / TOGETHER;

// No record makes this quantile.
const NONE: u32 = 0xffffffffu;

// How many records of a lane come before the first NaN.
fn numbers_of(lane: u32) -> u32 {
    var first = 0u;
    var rest = params[3];
    while rest > 0u {
        let half = rest / 2u;
        if is_nan(key_of(records[lane * params[3] + first + half])) {
            rest = half;
        } else {
            first += half + 1u;
            rest -= half + 1u;
        }
    }
    return first;
}

fn quantile(lane: u32, which: u32) -> Out {
    var group = 0u;
    switch params[4] {
        case 1u: { group = numbers_of(lane); }
        case 2u: { group = lane; }
        default: {}
    }
    let first = lane * params[3];
    let place = 5u * (group * params[1] + which);
    if places[place] == NONE || (params[5] != NONE && is_nan(key_of(records[first + params[5]]))) {
        return missing();
    }
    let low = key_of(records[first + places[place]]);
    let high = key_of(records[first + places[place + 1u]]);
    return blend(low, high, places[place + 2u], vec2<u32>(places[place + 3u], places[place + 4u]));
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    tw_zero = groups.z - 1u;
    let word = number(group, groups) * 256u + local;
    if word * TOGETHER >= params[0] {
        return;
    }
    var filled = Out();
    for (var k = 0u; k < TOGETHER; k++) {
        let at = word * TOGETHER + k;
        if at < params[0] {
            let inner = params[2];
            let lane = at / (inner * params[1]) * inner + at % inner;
            filled |= quantile(lane, (at / inner) % params[1]) << Out(BITS * k % 32u);
        }
    }
    results[word] = filled;
}
