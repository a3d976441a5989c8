// Joins the transforms of pairs of real numbers, which lie along the second of three axes, to the first
// halves of the transforms of all these numbers. An invocation makes a coefficient and its mirror.
//
// Parameters: invocations, extent of the inner axes, pairs, the first outer and inner index of the
// result, its step and its elements from row to row, where two levels of roots begin and bits of the
// lower one.

alias Complex = vec2<{{R}}>;

@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> tables: array<Complex>;
@group(0) @binding(2) var<storage, read_write> made: array<Complex>;
@group(0) @binding(3) var<storage, read> given: array<Complex>;

fn times(a: Complex, b: Complex) -> Complex {
    return Complex(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

fn conjugate(a: Complex) -> Complex {
    return Complex(a.x, -a.y);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = (group.y * groups.x + group.x) * 64u + local;
    if (number >= p[0]) { return; }
    let pairs = p[2];
    let column = number % p[1];
    let k = number / p[1] % (pairs / 2u + 1u);
    let row = number / p[1] / (pairs / 2u + 1u);
    let base = row * pairs * p[1] + column;
    let low = given[base + k % pairs * p[1]];
    let high = given[base + (pairs - k) % pairs * p[1]];
    let even = 0.5 * Complex(low.x + high.x, low.y - high.y);
    let odd = 0.5 * Complex(low.y + high.y, high.x - low.x);
    let lower = tables[p[7] + (k & ((1u << p[9]) - 1u))];
    let turned = times(odd, times(lower, tables[p[8] + (k >> p[9])]));
    let first = (p[3] + row) * p[6] + p[4] + column;
    made[first + k * p[5]] = even + turned;
    made[first + (pairs - k) * p[5]] = conjugate(even - turned);
}
