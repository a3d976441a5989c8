// The least that a dispatch can do: one workgroup counts up its cells.

@group(0) @binding(0) var<storage, read_write> cells: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    cells[id.x] += 1u;
}
