// %0: f32 = load in0
// var %0 [reduce, reduce]
// in0 5 x 4 bytes, out0 6 x 4 bytes

var<private> tw_zero: u32;

fn tw_opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ tw_zero);
}

fn tw_negate(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ 0x80000000u);
}

fn tw_is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u;
}

fn tw_is_zero(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) == 0u;
}

fn tw_two_sum(a: f32, b: f32) -> vec2<f32> {
    let s = tw_opaque(a + b);
    let t = tw_opaque(s - a);
    let u = tw_opaque(s - t);
    return vec2<f32>(s, tw_opaque(a - u) + tw_opaque(b - t));
}

fn tw_fast_two_sum(a: f32, b: f32) -> vec2<f32> {
    let s = tw_opaque(a + b);
    let t = tw_opaque(s - a);
    return vec2<f32>(s, b - t);
}

fn tw_upper_half(a: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
}

fn tw_two_prod(a: f32, b: f32) -> vec2<f32> {
    let p = tw_opaque(a * b);
    let ah = tw_upper_half(a);
    let bh = tw_upper_half(b);
    let al = a - ah;
    let bl = b - bh;
    return vec2<f32>(p, tw_opaque(((ah * bh - p) + ah * bl + al * bh) + al * bl));
}

fn tw_pair_add(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let s = tw_two_sum(a.x, b.x);
    let t = tw_two_sum(a.y, b.y);
    let v = tw_fast_two_sum(s.x, s.y + t.x);
    let w = tw_fast_two_sum(v.x, t.y + v.y);
    return select(vec2<f32>(s.x, 0.0f), w, tw_is_finite(s.x));
}

fn tw_pair_add_f32(a: vec2<f32>, b: f32) -> vec2<f32> {
    let s = tw_two_sum(a.x, b);
    let w = tw_fast_two_sum(s.x, s.y + a.y);
    return select(vec2<f32>(s.x, 0.0f), w, tw_is_finite(s.x));
}

fn tw_pair_u32(n: u32) -> vec2<f32> {
    return tw_fast_two_sum(f32(n & 0xffff0000u), f32(n & 0xffffu));
}

fn tw_pair_mul(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let p = tw_two_prod(a.x, b.x);
    let r = tw_fast_two_sum(p.x, p.y + (a.x * b.y + a.y * b.x));
    return select(vec2<f32>(p.x, 0.0f), r, tw_is_finite(p.x) && tw_is_finite(r.x));
}

fn tw_pair_div(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let q = a.x / b.x;
    let p = tw_pair_mul(vec2<f32>(q, 0.0f), b);
    let left = tw_pair_add(a, vec2<f32>(tw_negate(p.x), tw_negate(p.y)));
    let r = tw_fast_two_sum(q, tw_opaque(left.x / b.x));
    return select(vec2<f32>(q, 0.0f), r, tw_is_finite(r.x));
}

struct TwPairMoments {
    count: u32,
    mean: vec2<f32>,
    squares: vec2<f32>,
    odd: u32,
}

fn tw_pair_moments(count: u32, first: f32, sum: vec2<f32>, squares: vec2<f32>, odd: u32) -> TwPairMoments {
    if (count == 0u) {
        return TwPairMoments(0u, vec2<f32>(0.0f, 0.0f), vec2<f32>(0.0f, 0.0f), odd);
    }
    let share = tw_pair_div(sum, tw_pair_u32(count));
    let mean = tw_pair_add_f32(share, first);
    let p = tw_pair_mul(sum, share);
    let left = tw_pair_add(squares, vec2<f32>(tw_negate(p.x), tw_negate(p.y)));
    return TwPairMoments(count, mean, select(left, vec2<f32>(0.0f, 0.0f), left.x < 0.0f), odd);
}

fn tw_pair_moments_add(a: TwPairMoments, b: TwPairMoments) -> TwPairMoments {
    if (b.count == 0u) {
        return a;
    }
    if (a.count == 0u) {
        return b;
    }
    let weight = tw_pair_div(tw_pair_u32(b.count), tw_pair_u32(a.count + b.count));
    let away = tw_pair_add(b.mean, vec2<f32>(tw_negate(a.mean.x), tw_negate(a.mean.y)));
    let mean = tw_pair_add(a.mean, tw_pair_mul(away, weight));
    let both = tw_pair_mul(tw_pair_u32(a.count), weight);
    let between = tw_pair_mul(tw_pair_mul(away, away), both);
    let squares = tw_pair_add(a.squares, tw_pair_add(b.squares, between));
    let apart = select(2u, 0u, tw_is_zero(away.x));
    return TwPairMoments(a.count + b.count, mean, squares, a.odd | b.odd | apart);
}


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> in0: array<u32>;
@group(0) @binding(2) var<storage, read_write> out0: array<u32>;
var<workgroup> shared0: array<u32, 256>;
var<workgroup> shared1: array<u32, 256>;
var<workgroup> shared2: array<u32, 256>;
var<workgroup> shared3: array<u32, 256>;
var<workgroup> shared4: array<u32, 256>;
var<workgroup> shared5: array<u32, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    tw_zero = groups.z - 1u;
    let zero = p[0];
    let total = p[1];
    let splits = p[2];
    let team = p[3];
    let cells = p[4];
    let n0 = p[5];
    let n1 = p[6];
    let offset0 = bitcast<i32>(p[7]);
    let step0_0 = bitcast<i32>(p[8]);
    let step0_1 = bitcast<i32>(p[9]);
    let thread = (group.y * groups.x + group.x) * 256u + lane;
    let part = thread / team;
    let member = thread & (team - 1u);
    let cell = (part / splits) % cells;
    let turn = part % splits;
    let place = turn * cells + cell;
    let count = n0 * n1;
    let share = (count + splits - 1u) / splits;
    let begin = turn * share + member;
    let end = select(min(turn * share + share, count), 0u, part >= total);
    let base0 = offset0;
    var s0_count = 0u;
    var s0_first = 0.0f;
    var s0_sum = vec2<f32>(0.0f, 0.0f);
    var s0_squares = vec2<f32>(0.0f, 0.0f);
    var s0_odd = 0u;
    var i1 = begin % n1;
    let above_i1 = begin / n1;
    var i0 = above_i1;
    let by_i1 = team % n1;
    let above_by_i1 = team / n1;
    let by_i0 = above_by_i1;
    var k = begin;
    for (; k + 3u * team < end; k = k + 4u * team) {
        let i0_0 = i0;
        let i1_0 = i1;
        let at0_0 = u32(base0 + i32(i0_0) * step0_0 + i32(i1_0) * step0_1);
        let v0_0 = in0[at0_0];
        i1 = i1 + by_i1;
        if (i1 >= n1) { i1 = i1 - n1; i0 = i0 + 1u; }
        i0 = i0 + by_i0;
        let i0_1 = i0;
        let i1_1 = i1;
        let at0_1 = u32(base0 + i32(i0_1) * step0_0 + i32(i1_1) * step0_1);
        let v0_1 = in0[at0_1];
        i1 = i1 + by_i1;
        if (i1 >= n1) { i1 = i1 - n1; i0 = i0 + 1u; }
        i0 = i0 + by_i0;
        let i0_2 = i0;
        let i1_2 = i1;
        let at0_2 = u32(base0 + i32(i0_2) * step0_0 + i32(i1_2) * step0_1);
        let v0_2 = in0[at0_2];
        i1 = i1 + by_i1;
        if (i1 >= n1) { i1 = i1 - n1; i0 = i0 + 1u; }
        i0 = i0 + by_i0;
        let i0_3 = i0;
        let i1_3 = i1;
        let at0_3 = u32(base0 + i32(i0_3) * step0_0 + i32(i1_3) * step0_1);
        let v0_3 = in0[at0_3];
        i1 = i1 + by_i1;
        if (i1 >= n1) { i1 = i1 - n1; i0 = i0 + 1u; }
        i0 = i0 + by_i0;
        {
            let r0 = bitcast<f32>(v0_0);
            let x0 = r0;
            if (s0_count == 0u) {
                s0_first = x0;
            }
            let d0 = tw_two_sum(x0, tw_negate(s0_first));
            s0_sum = tw_pair_add(s0_sum, d0);
            let p0 = tw_two_prod(d0.x, d0.x);
            s0_squares = tw_pair_add(s0_squares, vec2<f32>(p0.x, p0.y + 2.0f * d0.x * d0.y));
            s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
            s0_odd = s0_odd | select(2u, 0u, tw_is_zero(d0.x));
            s0_count = s0_count + 1u;
        }
        {
            let r0 = bitcast<f32>(v0_1);
            let x0 = r0;
            if (s0_count == 0u) {
                s0_first = x0;
            }
            let d0 = tw_two_sum(x0, tw_negate(s0_first));
            s0_sum = tw_pair_add(s0_sum, d0);
            let p0 = tw_two_prod(d0.x, d0.x);
            s0_squares = tw_pair_add(s0_squares, vec2<f32>(p0.x, p0.y + 2.0f * d0.x * d0.y));
            s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
            s0_odd = s0_odd | select(2u, 0u, tw_is_zero(d0.x));
            s0_count = s0_count + 1u;
        }
        {
            let r0 = bitcast<f32>(v0_2);
            let x0 = r0;
            if (s0_count == 0u) {
                s0_first = x0;
            }
            let d0 = tw_two_sum(x0, tw_negate(s0_first));
            s0_sum = tw_pair_add(s0_sum, d0);
            let p0 = tw_two_prod(d0.x, d0.x);
            s0_squares = tw_pair_add(s0_squares, vec2<f32>(p0.x, p0.y + 2.0f * d0.x * d0.y));
            s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
            s0_odd = s0_odd | select(2u, 0u, tw_is_zero(d0.x));
            s0_count = s0_count + 1u;
        }
        {
            let r0 = bitcast<f32>(v0_3);
            let x0 = r0;
            if (s0_count == 0u) {
                s0_first = x0;
            }
            let d0 = tw_two_sum(x0, tw_negate(s0_first));
            s0_sum = tw_pair_add(s0_sum, d0);
            let p0 = tw_two_prod(d0.x, d0.x);
            s0_squares = tw_pair_add(s0_squares, vec2<f32>(p0.x, p0.y + 2.0f * d0.x * d0.y));
            s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
            s0_odd = s0_odd | select(2u, 0u, tw_is_zero(d0.x));
            s0_count = s0_count + 1u;
        }
    }
    for (; k < end; k = k + team) {
        let i0_0 = i0;
        let i1_0 = i1;
        let at0_0 = u32(base0 + i32(i0_0) * step0_0 + i32(i1_0) * step0_1);
        let v0_0 = in0[at0_0];
        i1 = i1 + by_i1;
        if (i1 >= n1) { i1 = i1 - n1; i0 = i0 + 1u; }
        i0 = i0 + by_i0;
        {
            let r0 = bitcast<f32>(v0_0);
            let x0 = r0;
            if (s0_count == 0u) {
                s0_first = x0;
            }
            let d0 = tw_two_sum(x0, tw_negate(s0_first));
            s0_sum = tw_pair_add(s0_sum, d0);
            let p0 = tw_two_prod(d0.x, d0.x);
            s0_squares = tw_pair_add(s0_squares, vec2<f32>(p0.x, p0.y + 2.0f * d0.x * d0.y));
            s0_odd = s0_odd | select(1u, 0u, tw_is_finite(x0));
            s0_odd = s0_odd | select(2u, 0u, tw_is_zero(d0.x));
            s0_count = s0_count + 1u;
        }
    }
    let m0 = tw_pair_moments(s0_count, s0_first, s0_sum, s0_squares, s0_odd);
    var c0_count = m0.count;
    var c0_mean = m0.mean.x;
    var c0_rest = m0.mean.y;
    var c0_squares = m0.squares.x;
    var c0_squares_rest = m0.squares.y;
    var c0_odd = m0.odd;
    {
        shared0[lane] = c0_count;
        shared1[lane] = bitcast<u32>(c0_mean);
        shared2[lane] = bitcast<u32>(c0_rest);
        shared3[lane] = bitcast<u32>(c0_squares);
        shared4[lane] = bitcast<u32>(c0_squares_rest);
        shared5[lane] = c0_odd;
        for (var half = team >> 1u; half > 0u; half = half >> 1u) {
            workgroupBarrier();
            if ((lane & (team - 1u)) < half) {
                let more_count = shared0[lane + half];
                let more_mean = bitcast<f32>(shared1[lane + half]);
                let more_rest = bitcast<f32>(shared2[lane + half]);
                let more_squares = bitcast<f32>(shared3[lane + half]);
                let more_squares_rest = bitcast<f32>(shared4[lane + half]);
                let more_odd = shared5[lane + half];
                let c0_both = tw_pair_moments_add(TwPairMoments(c0_count, vec2<f32>(c0_mean, c0_rest), vec2<f32>(c0_squares, c0_squares_rest), 0u), TwPairMoments(more_count, vec2<f32>(more_mean, more_rest), vec2<f32>(more_squares, more_squares_rest), 0u));
                c0_odd = c0_odd | more_odd | c0_both.odd;
                c0_count = c0_both.count;
                c0_mean = c0_both.mean.x;
                c0_rest = c0_both.mean.y;
                c0_squares = c0_both.squares.x;
                c0_squares_rest = c0_both.squares.y;
                shared0[lane] = c0_count;
                shared1[lane] = bitcast<u32>(c0_mean);
                shared2[lane] = bitcast<u32>(c0_rest);
                shared3[lane] = bitcast<u32>(c0_squares);
                shared4[lane] = bitcast<u32>(c0_squares_rest);
                shared5[lane] = c0_odd;
            }
        }
        workgroupBarrier();
    }
    if (part < total && member == 0u) {
        out0[0u * total + place] = c0_count;
        out0[1u * total + place] = bitcast<u32>(c0_mean);
        out0[2u * total + place] = bitcast<u32>(c0_rest);
        out0[3u * total + place] = bitcast<u32>(c0_squares);
        out0[4u * total + place] = bitcast<u32>(c0_squares_rest);
        out0[5u * total + place] = c0_odd;
    }
}
