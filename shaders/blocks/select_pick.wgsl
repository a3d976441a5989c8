// A quantile that is an element.

fn blend(low: Key, high: Key, kind: u32, weight: vec2<u32>) -> Out {
    return bits_of(low);
}
