// How many elements fall into each bin. A workgroup counts for itself first where its memory has
// room for all bins; whole numbers add up to the same in any order.
//
// `bin_of` says the bin of an element, a number not below that of bins where it falls into none.
//
// Parameters: elements, bins, elements of a workgroup, the first element, axes, keys of the table,
// whether one more stands behind them, and extent and stride of each axis.

@group(0) @binding(1) var<storage, read> source: array<Word>;
// Counts of 64 bits, of which the upper half stays zero.
@group(0) @binding(2) var<storage, read_write> results: array<atomic<u32>>;
// How many elements fall into none.
@group(0) @binding(3) var<storage, read_write> missed: atomic<u32>;
// Keys by which `bin_of` may find the bin.
@group(0) @binding(4) var<storage, read> table: array<Record>;

// Bins that a workgroup counts for itself.
const OWN: u32 = 2048u;

var<workgroup> own: array<atomic<u32>, 2048>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let bins = params[1];
    var none = 0u;
    for (var b = local; b < OWN; b += 256u) {
        atomicStore(&own[b], 0u);
    }
    workgroupBarrier();
    let start = min(number(group, groups) * params[2], params[0]);
    let end = start + min(params[2], params[0] - start);
    for (var at = start + local; at < end; at += 256u) {
        let bin = bin_of(record(key_at(params[3] + walk(at, 7u, params[4])), 0u));
        if bin >= bins {
            none += 1u;
        } else if bins <= OWN {
            atomicAdd(&own[bin], 1u);
        } else {
            atomicAdd(&results[2u * bin], 1u);
        }
    }
    if none > 0u {
        atomicAdd(&missed, none);
    }
    workgroupBarrier();
    if bins <= OWN {
        for (var b = local; b < bins; b += 256u) {
            let count = atomicLoad(&own[b]);
            if count > 0u {
                atomicAdd(&results[2u * b], count);
            }
        }
    }
}
