// What the snippets of the op table call for complex numbers of two f32.
//
// Needs prelude.wgsl and ops.wgsl. Products are hidden from the optimiser, which would fuse them into
// sums and round once less than the CPU does.

fn tw_add_c64(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(tw_opaque(a.x) + tw_opaque(b.x), tw_opaque(a.y) + tw_opaque(b.y));
}

fn tw_subtract_c64(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(tw_opaque(a.x) - tw_opaque(b.x), tw_opaque(a.y) - tw_opaque(b.y));
}

// The product of two real numbers.
fn tw_product(x: f32, y: f32) -> f32 {
    return tw_opaque(tw_opaque(x) * tw_opaque(y));
}

fn tw_multiply_c64(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(
        tw_product(a.x, b.x) - tw_product(a.y, b.y),
        tw_product(a.x, b.y) + tw_product(a.y, b.x),
    );
}

// R. L. Smith, CACM 5, 1962.
fn tw_divide_c64(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    if (tw_less_equal(tw_abs(b.y), tw_abs(b.x))) {
        if (tw_is_zero(b.x) && tw_is_zero(b.y)) {
            return vec2<f32>(tw_opaque(a.x) / tw_abs(b.x), tw_opaque(a.y) / tw_abs(b.x));
        }
        let ratio = tw_opaque(tw_opaque(b.y) / tw_opaque(b.x));
        let scale = 1.0f / (tw_opaque(b.x) + tw_product(b.y, ratio));
        return vec2<f32>(
            tw_product(tw_opaque(a.x) + tw_product(a.y, ratio), scale),
            tw_product(tw_opaque(a.y) - tw_product(a.x, ratio), scale),
        );
    }
    let ratio = tw_opaque(tw_opaque(b.x) / tw_opaque(b.y));
    let scale = 1.0f / (tw_opaque(b.y) + tw_product(b.x, ratio));
    return vec2<f32>(
        tw_product(tw_product(a.x, ratio) + tw_opaque(a.y), scale),
        tw_product(tw_product(a.y, ratio) - tw_opaque(a.x), scale),
    );
}

fn tw_reciprocal_c64(a: vec2<f32>) -> vec2<f32> {
    if (tw_less_equal(tw_abs(a.y), tw_abs(a.x))) {
        let ratio = tw_opaque(tw_opaque(a.y) / tw_opaque(a.x));
        let divisor = tw_opaque(tw_opaque(a.x) + tw_product(a.y, ratio));
        return vec2<f32>(1.0f / divisor, tw_negate(ratio) / divisor);
    }
    let ratio = tw_opaque(tw_opaque(a.x) / tw_opaque(a.y));
    let divisor = tw_opaque(tw_product(a.x, ratio) + tw_opaque(a.y));
    return vec2<f32>(ratio / divisor, -1.0f / divisor);
}

fn tw_equal_c64(a: vec2<f32>, b: vec2<f32>) -> bool {
    return tw_equal(a.x, b.x) && tw_equal(a.y, b.y);
}
