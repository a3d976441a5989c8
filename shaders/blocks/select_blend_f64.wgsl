// A quantile between two numbers in f64: from the lower one with a weight (kind 0), from the upper
// one with the rest of the weight (1), or their mean (2). Steps are rounded as on the CPU; that from
// one integer to another only when it is complete.

fn whole(words: vec2<u32>) -> u64 {
    return (u64(words.y) << 32u) | u64(words.x);
}

fn element(key: Key) -> f64 {
    let bits = bits_of(key);
    return {{ELEMENT}};
}

fn blend(low: Key, high: Key, kind: u32, weight: vec2<u32>) -> Out {
    let x = element(low);
    let y = element(high);
    let step = tw_opaque_f64({{STEP}});
    let part = tw_opaque_f64(step * bitcast<f64>(whole(weight)));
    let mean = tw_opaque_f64(x + y) / 2.0lf;
    let between = select(x + part, y - part, kind == 1u);
    let bits = bitcast<u64>(select(between, mean, kind == 2u));
    return vec2<u32>(u32(bits & 0xfffffffflu), u32(bits >> 32u));
}
