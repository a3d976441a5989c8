// A quantile between two floats: from the lower one with a weight (kind 0), from the upper one with
// the rest of the weight (1), or their mean (2). Every step is rounded to the dtype, as on the CPU.

fn element(key: Key) -> f32 {
    let bits = bits_of(key);
    return {{ELEMENT}};
}

fn rounded(x: f32) -> f32 {
    return {{ROUNDED}};
}

fn blend(low: Key, high: Key, kind: u32, weight: vec2<u32>) -> Out {
    let x = element(low);
    let y = element(high);
    let step = rounded(tw_opaque(y - x));
    let part = rounded(tw_opaque(step * bitcast<f32>(weight.x)));
    let mean = tw_opaque(x + y) / 2.0f;
    let between = select(x + part, y - part, kind == 1u);
    let quantile = rounded(tw_opaque(select(between, mean, kind == 2u)));
    return {{BITS}};
}
