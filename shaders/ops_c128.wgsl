// What the snippets of the op table call for complex numbers of two f64; only for adapters
// that have f64.
//
// Needs prelude.wgsl and ops_f64.wgsl. Products are hidden from the optimiser, which would fuse them into
// sums and round once less than the CPU does.

fn tw_add_c128(a: vec2<f64>, b: vec2<f64>) -> vec2<f64> {
    return vec2<f64>(tw_opaque_f64(a.x) + tw_opaque_f64(b.x), tw_opaque_f64(a.y) + tw_opaque_f64(b.y));
}

fn tw_subtract_c128(a: vec2<f64>, b: vec2<f64>) -> vec2<f64> {
    return vec2<f64>(tw_opaque_f64(a.x) - tw_opaque_f64(b.x), tw_opaque_f64(a.y) - tw_opaque_f64(b.y));
}

// The product of two real numbers.
fn tw_product_f64(x: f64, y: f64) -> f64 {
    return tw_opaque_f64(tw_opaque_f64(x) * tw_opaque_f64(y));
}

fn tw_multiply_c128(a: vec2<f64>, b: vec2<f64>) -> vec2<f64> {
    return vec2<f64>(
        tw_product_f64(a.x, b.x) - tw_product_f64(a.y, b.y),
        tw_product_f64(a.x, b.y) + tw_product_f64(a.y, b.x),
    );
}

// R. L. Smith, CACM 5, 1962.
fn tw_divide_c128(a: vec2<f64>, b: vec2<f64>) -> vec2<f64> {
    if (tw_f64_less_equal(tw_abs_f64(b.y), tw_abs_f64(b.x))) {
        if (tw_is_zero_f64(b.x) && tw_is_zero_f64(b.y)) {
            return vec2<f64>(tw_opaque_f64(a.x) / tw_abs_f64(b.x), tw_opaque_f64(a.y) / tw_abs_f64(b.x));
        }
        let ratio = tw_opaque_f64(tw_opaque_f64(b.y) / tw_opaque_f64(b.x));
        let scale = 1.0lf / (tw_opaque_f64(b.x) + tw_product_f64(b.y, ratio));
        return vec2<f64>(
            tw_product_f64(tw_opaque_f64(a.x) + tw_product_f64(a.y, ratio), scale),
            tw_product_f64(tw_opaque_f64(a.y) - tw_product_f64(a.x, ratio), scale),
        );
    }
    let ratio = tw_opaque_f64(tw_opaque_f64(b.x) / tw_opaque_f64(b.y));
    let scale = 1.0lf / (tw_opaque_f64(b.y) + tw_product_f64(b.x, ratio));
    return vec2<f64>(
        tw_product_f64(tw_product_f64(a.x, ratio) + tw_opaque_f64(a.y), scale),
        tw_product_f64(tw_product_f64(a.y, ratio) - tw_opaque_f64(a.x), scale),
    );
}

fn tw_reciprocal_c128(a: vec2<f64>) -> vec2<f64> {
    if (tw_f64_less_equal(tw_abs_f64(a.y), tw_abs_f64(a.x))) {
        let ratio = tw_opaque_f64(tw_opaque_f64(a.y) / tw_opaque_f64(a.x));
        let divisor = tw_opaque_f64(tw_opaque_f64(a.x) + tw_product_f64(a.y, ratio));
        return vec2<f64>(1.0lf / divisor, tw_negate_f64(ratio) / divisor);
    }
    let ratio = tw_opaque_f64(tw_opaque_f64(a.x) / tw_opaque_f64(a.y));
    let divisor = tw_opaque_f64(tw_product_f64(a.x, ratio) + tw_opaque_f64(a.y));
    return vec2<f64>(ratio / divisor, -1.0lf / divisor);
}

fn tw_equal_c128(a: vec2<f64>, b: vec2<f64>) -> bool {
    return tw_f64_equal(a.x, b.x) && tw_f64_equal(a.y, b.y);
}
