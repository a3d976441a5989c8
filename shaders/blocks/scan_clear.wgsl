// Before a scan: nothing is inexact.

@group(0) @binding(0) var<storage, read_write> inexact: array<u32>;

@compute @workgroup_size(1)
fn main() {
    inexact[0] = 0u;
}
