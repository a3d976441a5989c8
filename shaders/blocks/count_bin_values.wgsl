// The bin of a 64-bit integer is its value.
fn bin_of(element: Record) -> u32 {
    return select(0xffffffffu, element.x, element.y == 0x80000000u);
}
