// The twins of the functions of `kernels/src/math/`, operation by operation.
//
// They stand behind `prelude.wgsl` and the constants `TW_…`, which are rendered
// from `kernels/src/math/coefficients.rs`. Change a function in both places or in
// neither: the self-test of an adapter compares them bit by bit. The comments on
// the methods stand in the Rust files.
//
// What differs from Rust: NaN is told by its bits wherever a comparison decides,
// and a rounding that a driver might fold away is made opaque.

// ---- helpers ----

fn tw_power_of_two(k: i32) -> f32 {
    return bitcast<f32>(bitcast<u32>(k + 127) << 23u);
}

fn tw_scale(y: f32, k: i32) -> f32 {
    let half = k >> 1u;
    return tw_opaque(y * tw_power_of_two(half)) * tw_power_of_two(k - half);
}

fn tw_limit(x: f32, low: f32, high: f32) -> f32 {
    let y = select(x, low, x < low);
    return select(y, high, y > high);
}

// `y`, or `x` where that is NaN.
fn tw_keep_nan(x: f32, y: f32) -> f32 {
    return select(y, x, tw_is_nan(x));
}

struct TwSplit {
    r: f32,
    k: i32,
}

// ---- exponentials ----

// The nearest integer as a float (r) and as an integer (k).
fn tw_nearest(x: f32) -> TwSplit {
    let t = tw_opaque(x + 12582912.0f);
    return TwSplit(t - 12582912.0f, bitcast<i32>(bitcast<u32>(t) - 0x4b400000u));
}

fn tw_exp_poly(r: f32) -> f32 {
    return ((((TW_EXP_5 * r + TW_EXP_4) * r + TW_EXP_3) * r + TW_EXP_2) * r + TW_EXP_1) * r + TW_EXP_0;
}

fn tw_exp_shifted(v: f32, shift: i32) -> f32 {
    let x = tw_limit(v, -105.0f, 90.0f);
    let n = tw_nearest(x * TW_INV_LN2_0);
    let r = tw_opaque(x - n.r * TW_LN2_0) - n.r * TW_LN2_1;
    let p = 1.0f + tw_opaque(r + r * r * tw_exp_poly(r));
    return tw_keep_nan(v, tw_scale(p, n.k + shift));
}

fn tw_exp(x: f32) -> f32 {
    return tw_exp_shifted(x, 0);
}

fn tw_exp2_reduced(r: f32, k: i32) -> f32 {
    let p = (((((TW_EXP2_6 * r + TW_EXP2_5) * r + TW_EXP2_4) * r + TW_EXP2_3) * r + TW_EXP2_2) * r
        + TW_EXP2_1) * r + TW_EXP2_0;
    return tw_scale(1.0f + r * p, k);
}

fn tw_exp2(v: f32) -> f32 {
    let x = tw_limit(v, -151.0f, 129.0f);
    let n = tw_nearest(x);
    return tw_keep_nan(v, tw_exp2_reduced(x - n.r, n.k));
}

fn tw_expm1(x: f32) -> f32 {
    let c = tw_limit(x, -30.0f, 88.9f);
    let n = tw_nearest(c * TW_INV_LN2_0);
    let hi = tw_opaque(c - n.r * TW_LN2_0);
    let lo = tw_opaque(n.r * TW_LN2_1);
    let r = tw_opaque(hi - lo);
    let error = tw_opaque(hi - r) - lo;
    let p = r + (r * r * tw_exp_poly(r) + error);
    let half = tw_power_of_two(n.k - 1);
    let y = (half * p + (half - 0.5f)) * 2.0f;
    return select(y, x, tw_abs(x) < 2.9802322e-8f || tw_is_nan(x));
}

// ---- logarithms ----

fn tw_split(x: f32) -> TwSplit {
    let bits = bitcast<u32>(x);
    let subnormal = bits < 0x00800000u;
    let lifted = bitcast<u32>(f32(bitcast<i32>(bits)));
    let b = select(bits, lifted, subnormal) - 0x3f3504f3u;
    let k = (bitcast<i32>(b) >> 23u) - select(0, 149, subnormal);
    return TwSplit(bitcast<f32>((b & 0x007fffffu) + 0x3f3504f3u), k);
}

fn tw_log_edges(x: f32, v: f32) -> f32 {
    let y = select(x, v, tw_is_finite(x));
    let negative = tw_signbit(x) && !tw_is_nan(x);
    return select(select(y, tw_nan(), negative), tw_negate(tw_inf()), tw_is_zero(x));
}

// The terms of ln(1 + f) from f³ on.
fn tw_log_tail(f: f32) -> f32 {
    let p = (((((((TW_LOG_8 * f + TW_LOG_7) * f + TW_LOG_6) * f + TW_LOG_5) * f + TW_LOG_4) * f
        + TW_LOG_3) * f + TW_LOG_2) * f + TW_LOG_1) * f + TW_LOG_0;
    return f * f * f * p;
}

fn tw_log_sum(k: f32, f: f32, c: f32) -> f32 {
    let half_square = 0.5f * f * f;
    return k * TW_LN2_0 + (f - (half_square - (tw_log_tail(f) + (k * TW_LN2_1 + c))));
}

fn tw_log(x: f32) -> f32 {
    let s = tw_split(x);
    return tw_log_edges(x, tw_log_sum(f32(s.k), s.r - 1.0f, 0.0f));
}

fn tw_log_pair(f: f32) -> vec2<f32> {
    let half_square = tw_opaque(0.5f * f * f);
    let hi = tw_upper_half(f - half_square);
    return vec2<f32>(hi, (tw_opaque(f - hi) - half_square) + tw_log_tail(f));
}

fn tw_log2(x: f32) -> f32 {
    let s = tw_split(x);
    let l = tw_log_pair(s.r - 1.0f);
    let y = ((l.y + l.x) * TW_LOG2_E_1 + l.y * TW_LOG2_E_0) + l.x * TW_LOG2_E_0 + f32(s.k);
    return tw_log_edges(x, y);
}

fn tw_log10(x: f32) -> f32 {
    let s = tw_split(x);
    let k = f32(s.k);
    let l = tw_log_pair(s.r - 1.0f);
    let small = k * TW_LOG10_2_1 + (l.y + l.x) * TW_LOG10_E_1 + l.y * TW_LOG10_E_0;
    return tw_log_edges(x, (small + l.x * TW_LOG10_E_0) + k * TW_LOG10_2_0);
}

fn tw_log1p_doubled(x: f32, doublings: f32) -> f32 {
    let u = tw_two_sum(x, 1.0f);
    let s = tw_split(u.x);
    let direct = s.k == 0;
    let f = select(s.r - 1.0f, x, direct);
    let c = select(u.y / u.x, 0.0f, direct);
    return tw_log_edges(u.x, tw_log_sum(f32(s.k) + doublings, f, c));
}

fn tw_log1p(x: f32) -> f32 {
    let y = tw_log1p_doubled(x, 0.0f);
    return select(y, x, tw_abs(x) < 2.9802322e-8f || tw_is_nan(x));
}

fn tw_logaddexp(a: f32, b: f32) -> f32 {
    let larger = select(b, a, a > b);
    let y = larger + tw_log1p(tw_exp(-tw_abs(a - b)));
    let r = select(y, a + 0.6931472f, a == b);
    return tw_keep_nan(a, tw_keep_nan(b, r));
}

// ---- angles ----

// `x` less `kf` quarters of a turn.
fn tw_less_quarters(x: f32, kf: f32) -> f32 {
    let r = tw_opaque(tw_opaque(x - kf * TW_PI_2_0) - kf * TW_PI_2_1);
    let third = tw_opaque(kf * TW_PI_2_2);
    let s = tw_opaque(r - third);
    return s - (kf * TW_PI_2_3 - (tw_opaque(r - s) - third));
}

fn tw_reduce(x: f32) -> TwSplit {
    if tw_abs(x) > 6000.0f {
        return tw_reduce_large(x);
    }
    let n = tw_nearest(x * TW_TWO_OVER_PI_0);
    return TwSplit(tw_less_quarters(x, n.r), n.k);
}

// `a * b` as (high, low) words.
fn tw_mul_wide(a: u32, b: u32) -> vec2<u32> {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let ll = al * bl;
    let lh = al * bh;
    let hl = ah * bl;
    let middle = (ll >> 16u) + (lh & 0xffffu) + (hl & 0xffffu);
    let high = ah * bh + (lh >> 16u) + (hl >> 16u) + (middle >> 16u);
    return vec2<u32>(high, (middle << 16u) | (ll & 0xffffu));
}

fn tw_reduce_large(x: f32) -> TwSplit {
    var table = TW_TWO_OVER_PI_BITS;
    let bits = bitcast<u32>(x);
    let m = (bits & 0x007fffffu) | 0x00800000u;
    let start = ((bits >> 23u) & 0xffu) - 120u;
    let shift = start & 31u;
    let at = start >> 5u;
    let w0 = table[at & 7u];
    let w1 = table[(at + 1u) & 7u];
    let w2 = table[(at + 2u) & 7u];
    let w3 = table[(at + 3u) & 7u];
    let f0 = (w0 << shift) | ((w1 >> 1u) >> (31u - shift));
    let f1 = (w1 << shift) | ((w2 >> 1u) >> (31u - shift));
    let f2 = (w2 << shift) | ((w3 >> 1u) >> (31u - shift));
    let p1 = tw_mul_wide(m, f1);
    let low_word = p1.y + tw_mul_wide(m, f2).x;
    let high_word = m * f0 + p1.x + select(0u, 1u, low_word < p1.y);
    let k = bitcast<i32>((high_word + 0x20000000u) >> 30u);
    let fh = (high_word << 2u) | (low_word >> 30u);
    let fl = low_word << 2u;
    let negative = fh >= 0x80000000u;
    let ml = select(fl, 0u - fl, negative);
    let mh = select(fh, ~fh + select(0u, 1u, ml == 0u), negative);
    let top = f32(bitcast<i32>(mh >> 20u)) * tw_power_of_two(-12);
    let middle = f32(bitcast<i32>(((mh << 4u) | (ml >> 28u)) & 0x00ffffffu)) * tw_power_of_two(-36);
    let low = f32(bitcast<i32>((ml >> 4u) & 0x00ffffffu)) * tw_power_of_two(-60);
    let rest = middle + low;
    let r = top * TW_HALF_PI_12_0
        + ((top * TW_HALF_PI_12_1 + rest * TW_HALF_PI_1) + rest * TW_HALF_PI_0);
    let flip = tw_signbit(x) != negative;
    return TwSplit(select(r, -r, flip), select(k, -k, tw_signbit(x)));
}

// (sine, cosine) of a reduced angle.
fn tw_sin_cos_reduced(r: f32) -> vec2<f32> {
    let z = r * r;
    let s = r + r * z * (((TW_SIN_3 * z + TW_SIN_2) * z + TW_SIN_1) * z + TW_SIN_0);
    let half = tw_opaque(0.5f * z);
    let w = tw_opaque(1.0f - half);
    let p = ((TW_COS_3 * z + TW_COS_2) * z + TW_COS_1) * z + TW_COS_0;
    let c = w + ((tw_opaque(1.0f - w) - half) + z * z * p);
    return vec2<f32>(s, c);
}

fn tw_in_quadrant(r: f32, k: i32) -> f32 {
    let sc = tw_sin_cos_reduced(r);
    let y = select(sc.y, sc.x, (k & 1) == 0);
    return bitcast<f32>(bitcast<u32>(y) ^ (bitcast<u32>(k & 2) << 30u));
}

fn tw_odd_edges(x: f32, v: f32) -> f32 {
    let y = select(v, x, tw_abs(x) < 0.00024414063f);
    return select(tw_nan(), y, tw_is_finite(x));
}

// sin r with the sign of (-1)^k; a driver that fuses could pass 1.
fn tw_signed_sin(r: f32, k: i32) -> f32 {
    let z = r * r;
    let p = ((TW_SIN_HALF_3 * z + TW_SIN_HALF_2) * z + TW_SIN_HALF_1) * z + TW_SIN_HALF_0;
    let v = r + r * z * p;
    let y = select(v, tw_copysign(1.0f, v), tw_abs(v) > 1.0f);
    return bitcast<f32>(bitcast<u32>(y) ^ (bitcast<u32>(k) << 31u));
}

fn tw_sin(x: f32) -> f32 {
    if tw_abs(x) <= 6000.0f {
        let n = tw_nearest(x * TW_ONE_OVER_PI_0);
        return tw_odd_edges(x, tw_signed_sin(tw_less_quarters(x, 2.0f * n.r), n.k));
    }
    let a = tw_reduce_large(x);
    return tw_odd_edges(x, tw_in_quadrant(a.r, a.k));
}

fn tw_cos(x: f32) -> f32 {
    if tw_abs(x) <= 6000.0f {
        let n = tw_nearest(tw_opaque(x * TW_ONE_OVER_PI_0 - 0.5f));
        return tw_signed_sin(tw_less_quarters(x, 2.0f * n.r + 1.0f), n.k + 1);
    }
    let a = tw_reduce_large(x);
    return select(tw_nan(), tw_in_quadrant(a.r, a.k + 1), tw_is_finite(x));
}

fn tw_tan(x: f32) -> f32 {
    let a = tw_reduce(x);
    let sc = tw_sin_cos_reduced(a.r);
    let even = (a.k & 1) == 0;
    return tw_odd_edges(x, select(-sc.y, sc.x, even) / select(sc.x, sc.y, even));
}

fn tw_asin_folded(a: f32) -> f32 {
    let half = 0.5f * (1.0f - a);
    let folded = a > 0.5f;
    let z = select(a * a, half, folded);
    let t = select(a, sqrt(select(0.0f, half, folded)), folded);
    let p = ((((TW_ASIN_5 * z + TW_ASIN_4) * z + TW_ASIN_3) * z + TW_ASIN_2) * z + TW_ASIN_1) * z
        + TW_ASIN_0;
    return t + t * z * p;
}

fn tw_outside_unit(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x3f800000u;
}

fn tw_asin(x: f32) -> f32 {
    let a = tw_abs(x);
    let p = tw_asin_folded(a);
    let y = select(p, TW_HALF_PI_0 - tw_opaque(2.0f * p - TW_HALF_PI_1), a > 0.5f);
    return select(tw_copysign(y, x), tw_nan(), tw_outside_unit(x));
}

fn tw_acos(x: f32) -> f32 {
    let a = tw_abs(x);
    let p = tw_asin_folded(a);
    let middle = TW_HALF_PI_0 - tw_opaque(tw_copysign(p, x) - TW_HALF_PI_1);
    let left = TW_PI_0 - tw_opaque(2.0f * p - TW_PI_1);
    let far = select(2.0f * p, left, x < 0.0f);
    return select(select(middle, far, a > 0.5f), tw_nan(), tw_outside_unit(x));
}

fn tw_atan_unit(t: f32) -> f32 {
    let z = t * t;
    let p = ((((((((TW_ATAN_9 * z + TW_ATAN_8) * z + TW_ATAN_7) * z + TW_ATAN_6) * z + TW_ATAN_5) * z
        + TW_ATAN_4) * z + TW_ATAN_3) * z + TW_ATAN_2) * z + TW_ATAN_1) * z + TW_ATAN_0;
    return t + t * z * p;
}

fn tw_atan(x: f32) -> f32 {
    let a = tw_abs(x);
    let inverted = a > 1.0f;
    // The quotient by infinity is zero by selection, not by trust.
    let inverse = select(1.0f / a, 0.0f, tw_is_inf(x));
    let p = tw_atan_unit(select(a, inverse, inverted));
    let y = select(p, TW_HALF_PI_0 - tw_opaque(p - TW_HALF_PI_1), inverted);
    return tw_keep_nan(x, tw_copysign(y, x));
}

fn tw_atan2(y: f32, x: f32) -> f32 {
    let ax = tw_abs(x);
    let ay = tw_abs(y);
    let steep = ay > ax;
    let large = select(ax, ay, steep);
    let small = select(ay, ax, steep);
    // False also for what a driver takes for zero.
    let some = large > 0.0f;
    let equal = select(0.0f, 1.0f, some);
    let quotient = select(0.0f, small / large, some && !tw_is_inf(large));
    let t = select(quotient, equal, bitcast<u32>(small) == bitcast<u32>(large));
    let p = tw_atan_unit(t);
    let q = select(p, TW_HALF_PI_0 - tw_opaque(p - TW_HALF_PI_1), steep);
    let r = select(q, TW_PI_0 - tw_opaque(q - TW_PI_1), tw_signbit(x));
    return tw_keep_nan(x, tw_keep_nan(y, tw_copysign(r, y)));
}

// ---- hyperbolic functions ----

fn tw_sinh(x: f32) -> f32 {
    let a = tw_abs(x);
    let z = a * a;
    let p = (((TW_SINH_4 * z + TW_SINH_3) * z + TW_SINH_2) * z + TW_SINH_1) * z + TW_SINH_0;
    let h = tw_exp_shifted(a, -1);
    let far = select(h - 0.25f / h, h, tw_is_inf(h));
    return tw_keep_nan(x, tw_copysign(select(far, a + a * z * p, a < 1.0f), x));
}

fn tw_cosh(x: f32) -> f32 {
    let h = tw_exp_shifted(tw_abs(x), -1);
    return tw_keep_nan(x, select(h + 0.25f / h, h, tw_is_inf(h)));
}

fn tw_tanh(x: f32) -> f32 {
    let a = tw_abs(x);
    let z = a * a;
    let p = ((((TW_TANH_5 * z + TW_TANH_4) * z + TW_TANH_3) * z + TW_TANH_2) * z + TW_TANH_1) * z
        + TW_TANH_0;
    let e = tw_exp(2.0f * a);
    let far = 1.0f - select(2.0f / (e + 1.0f), 0.0f, tw_is_inf(e));
    return tw_keep_nan(x, tw_copysign(select(far, a + a * z * p, a < 0.6f), x));
}

fn tw_asinh(x: f32) -> f32 {
    let a = tw_abs(x);
    let z = a * a;
    let near = tw_opaque(a + z / (1.0f + sqrt(z + 1.0f)));
    let huge = a > 1.0737418e9f;
    let y = tw_log1p_doubled(select(near, a, huge), select(0.0f, 1.0f, huge));
    return tw_keep_nan(x, tw_copysign(select(y, a, a < 2.9802322e-8f), x));
}

fn tw_acosh(x: f32) -> f32 {
    let below = x < 1.0f;
    let huge = x > 1.0737418e9f;
    let t = tw_opaque(select(x - 1.0f, 0.0f, below || huge));
    let near = tw_opaque(t + sqrt(tw_opaque(2.0f * t) + t * t));
    let y = tw_log1p_doubled(select(near, x, huge), select(0.0f, 1.0f, huge));
    return tw_keep_nan(x, select(y, tw_nan(), below));
}

fn tw_atanh(x: f32) -> f32 {
    let a = tw_abs(x);
    let u = select(2.0f * a / (1.0f - a), tw_inf(), a == 1.0f);
    let y = 0.5f * tw_log1p(u);
    let r = tw_copysign(select(y, a, a < 0.00024414063f), x);
    return tw_keep_nan(x, select(r, tw_nan(), tw_outside_unit(x)));
}

// ---- powers and roots ----

fn tw_log2_pair(x: f32) -> vec2<f32> {
    let split = tw_split(x);
    let n = split.r - 1.0f;
    let d = tw_two_sum(split.r, 1.0f);
    let s = n / d.x;
    let p = tw_two_prod(s, d.x);
    let s_lo = ((tw_opaque(n - p.x) - p.y) - s * d.y) / d.x;
    let zz = tw_two_prod(s, s);
    let z = zz.x;
    let z_lo = zz.y + 2.0f * s * s_lo;
    let poly = ((TW_LOG2_TAIL_3 * z + TW_LOG2_TAIL_2) * z + TW_LOG2_TAIL_1) * z + TW_LOG2_TAIL_0;
    let w = tw_fast_two_sum(TW_LOG2_S3_0, tw_opaque(z * poly + TW_LOG2_S3_1));
    let v = tw_two_prod(z, w.x);
    let v_lo = v.y + (z * w.y + z_lo * w.x);
    let u = tw_fast_two_sum(TW_LOG2_S_0, v.x);
    let u_lo = u.y + tw_opaque(v_lo + TW_LOG2_S_1);
    let q = tw_two_prod(s, u.x);
    let q_lo = q.y + (s * u_lo + s_lo * u.x);
    let h = tw_fast_two_sum(f32(split.k), q.x);
    let direct = split.k == 0;
    return tw_fast_two_sum(select(h.x, q.x, direct), select(h.y + q_lo, q_lo, direct));
}

fn tw_pow(x: f32, y: f32) -> f32 {
    let a = tw_abs(x);
    let b = tw_abs(y);
    let l = tw_log2_pair(a);
    let exponent = tw_limit(y, -1.0995116e12f, 1.0995116e12f);
    let p = tw_two_prod(l.x, exponent);
    let p_lo = p.y + l.y * exponent;
    let inside = tw_abs(p.x) < 200.0f;
    let limited = tw_limit(p.x, -200.0f, 200.0f);
    let n = tw_nearest(limited);
    let r = tw_opaque(tw_opaque(limited - n.r) + select(0.0f, p_lo, inside));
    let computed = tw_exp2_reduced(r, n.k);

    let grows = (a > 1.0f) == (y > 0.0f);
    let edge = select(0.0f, tw_inf(), grows);
    let at_edge = tw_is_zero(a) || tw_is_inf(a) || tw_is_inf(b);
    let magnitude = select(computed, edge, at_edge);

    let whole = tw_rint(y) == y;
    let half = 0.5f * y;
    let odd = whole && tw_rint(half) != half && !tw_is_inf(b);
    let signed = select(magnitude, tw_negate(magnitude), tw_signbit(x) && odd);
    let no_root = tw_signbit(x) && !tw_is_zero(x) && !whole && !tw_is_inf(a);
    let result = select(signed, tw_nan(), no_root);
    let one = x == 1.0f || tw_is_zero(y) || (x == -1.0f && tw_is_inf(b));
    return select(tw_keep_nan(x, tw_keep_nan(y, result)), 1.0f, one);
}

fn tw_cbrt_step(t: f32, a: f32) -> f32 {
    let cube = tw_opaque(t * t * t);
    return t + t * ((a - cube) / (2.0f * cube + a));
}

fn tw_cbrt(x: f32) -> f32 {
    let a = tw_abs(x);
    let bits = bitcast<u32>(a);
    let subnormal = bits < 0x00800000u;
    let lifted = bitcast<u32>(f32(bitcast<i32>(bits)));
    let b = select(bits, lifted, subnormal);
    let e = (b >> 23u) - select(127u, 276u, subnormal) + 192u;
    let q = (e * 43691u) >> 17u;
    let m = bitcast<f32>((b & 0x007fffffu) | ((e - 3u * q + 127u) << 23u));
    let guess = bitcast<f32>(bitcast<u32>(m) / 3u + 0x2a512000u);
    let rough = tw_cbrt_step(guess, m);
    let t = tw_cbrt_step(bitcast<f32>((bitcast<u32>(rough) + 0x800u) & 0xfffff000u), m);
    let y = bitcast<f32>(bitcast<u32>(t) + ((q - 64u) << 23u));
    return tw_copysign(select(a, y, bits > 0u && bits < 0x7f800000u), x);
}

fn tw_hypot(x: f32, y: f32) -> f32 {
    let ax = tw_abs(x);
    let ay = tw_abs(y);
    let large = select(ay, ax, ax > ay);
    let huge = large > 1.0e18f;
    let tiny = large < 1.0e-12f;
    let shift = select(select(0, -70, huge), 100, tiny);
    let down = tw_power_of_two(shift);
    let sx = ax * down;
    let sy = ay * down;
    let r = sqrt(sx * sx + sy * sy) * tw_power_of_two(-shift);
    let infinite = tw_is_inf(x) || tw_is_inf(y);
    return select(tw_keep_nan(x, tw_keep_nan(y, r)), tw_inf(), infinite);
}

// ---- special functions ----

fn tw_erf(x: f32) -> f32 {
    let a = tw_limit(tw_abs(x), 0.0f, 3.95f);
    let z = a * a;
    let p = (((((TW_ERF_6 * z + TW_ERF_5) * z + TW_ERF_4) * z + TW_ERF_3) * z + TW_ERF_2) * z
        + TW_ERF_1) * z + TW_ERF_0;
    let q = ((((((((TW_ERFC_9 * a + TW_ERFC_8) * a + TW_ERFC_7) * a + TW_ERFC_6) * a + TW_ERFC_5) * a
        + TW_ERFC_4) * a + TW_ERFC_3) * a + TW_ERFC_2) * a + TW_ERFC_1) * a + TW_ERFC_0;
    let y = select(1.0f - tw_exp(q), a + a * p, a < 0.925f);
    return tw_keep_nan(x, tw_copysign(y, x));
}

// ---- rounding, neighbours, remainders ----

fn tw_floor(x: f32) -> f32 {
    let r = tw_rint(x);
    return tw_copysign(select(r, r - 1.0f, r > x), x);
}

fn tw_ceil(x: f32) -> f32 {
    let r = tw_rint(x);
    return tw_copysign(select(r, r + 1.0f, r < x), x);
}

fn tw_trunc(x: f32) -> f32 {
    return tw_copysign(tw_floor(tw_abs(x)), x);
}

// Whether `x < y`, by the bits, for numbers that are not NaN: a driver may flush
// the subnormals that a comparison of floats meets.
fn tw_less(x: f32, y: f32) -> bool {
    let bx = bitcast<i32>(x);
    let by = bitcast<i32>(y);
    let ix = select(bx, bitcast<i32>(0x80000000u - bitcast<u32>(x)), bx < 0);
    let iy = select(by, bitcast<i32>(0x80000000u - bitcast<u32>(y)), by < 0);
    return ix < iy;
}

fn tw_nextafter(x: f32, y: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let up = tw_less(x, y);
    let moved = select(bits - 1u, bits + 1u, up == !tw_signbit(x));
    let smallest = (bitcast<u32>(y) & 0x80000000u) | 1u;
    let r = bitcast<f32>(select(moved, smallest, tw_is_zero(x)));
    let same = !up && !tw_less(y, x);
    return tw_keep_nan(x, tw_keep_nan(y, select(r, y, same)));
}

// The exact remainder of finite magnitudes, the divisor not zero, in integers.
fn tw_fmod_large(a: f32, b: f32) -> f32 {
    let ba = bitcast<u32>(a);
    let bb = bitcast<u32>(b);
    let ea = max(ba >> 23u, 1u);
    let eb = max(bb >> 23u, 1u);
    let mb = (bb & 0x007fffffu) | select(0u, 0x00800000u, bb >= 0x00800000u);
    var r = ((ba & 0x007fffffu) | select(0u, 0x00800000u, ba >= 0x00800000u));
    if ba < bb {
        return a;
    }
    r = r % mb;
    var left = ea - eb;
    while left > 0u {
        let step = min(left, 8u);
        r = (r << step) % mb;
        left -= step;
    }
    // r * 2^(eb - 150) by its bits: exact, and no subnormal arithmetic.
    let lead = firstLeadingBit(r | 1u);
    let room = min(23u - lead, eb - 1u);
    let shifted = r << room;
    let exponent = select(0u, eb - room, shifted >= 0x00800000u);
    return bitcast<f32>((shifted & 0x007fffffu) | (exponent << 23u));
}

fn tw_fmod(x: f32, y: f32) -> f32 {
    let a = tw_abs(x);
    let b = tw_abs(y);
    if tw_is_nan(x) || tw_is_nan(y) || tw_is_inf(x) || tw_is_zero(y) {
        return tw_nan();
    }
    if tw_is_inf(y) {
        return x;
    }
    if (a < b * 4194304.0f) && (b > 1.0e-20f) && (a < 1.0e30f) && (b < 1.0e30f) {
        let p = tw_two_prod(tw_trunc(a / b), b);
        let r = tw_opaque(a - p.x) - p.y;
        let s = select(r, r + b, r < 0.0f);
        return tw_copysign(select(s, s - b, s >= b), x);
    }
    return tw_copysign(tw_fmod_large(a, b), x);
}

fn tw_remainder(x: f32, y: f32) -> f32 {
    let r = tw_fmod(x, y);
    let crossed = select(r, r + y, tw_signbit(y) != tw_signbit(r));
    return tw_keep_nan(r, select(crossed, tw_copysign(0.0f, y), tw_is_zero(r)));
}

fn tw_floor_divide(x: f32, y: f32) -> f32 {
    let r = tw_fmod(x, y);
    let crossed = !tw_is_zero(r) && tw_signbit(y) != tw_signbit(r);
    let q = tw_opaque(x - r) / y;
    let s = select(q, q - 1.0f, crossed);
    let f = tw_floor(s);
    let g = select(f, f + 1.0f, s - f > 0.5f);
    let zero = tw_copysign(0.0f, bitcast<f32>(bitcast<u32>(x) ^ bitcast<u32>(y)));
    let whole = tw_keep_nan(r, select(g, zero, tw_is_zero(s)));
    let nothing = tw_is_zero(x) || tw_is_nan(x) || tw_is_nan(y);
    let divided = select(tw_copysign(tw_inf(), zero), tw_nan(), nothing);
    return select(whole, divided, tw_is_zero(y));
}
