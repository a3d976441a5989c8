// Sums over the invocations of a workgroup.

var<workgroup> sums: array<vec2<u32>, 512>;

// The sum of `value` over the invocations up to this one. Then `sums[255]` is that over all.
fn running(local: u32, value: vec2<u32>) -> vec2<u32> {
    var sum = value;
    var half = 0u;
    sums[local] = sum;
    workgroupBarrier();
    for (var step = 1u; step < 256u; step *= 4u) {
        for (var k = 1u; k < 4u; k++) {
            if local >= k * step {
                sum += sums[half + local - k * step];
            }
        }
        half = 256u - half;
        sums[half + local] = sum;
        workgroupBarrier();
    }
    return sum;
}
