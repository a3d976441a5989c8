// %0: f32 = load in0
// var %0 [reduce, reduce]
// words 6 x 4 bytes, cell_words 12 x 4 bytes

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
@group(0) @binding(1) var<storage, read> words: array<u32>;
@group(0) @binding(2) var<storage, read_write> cell_words: array<u32>;
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
    let cells = p[1];
    let splits = p[2];
    let team = p[3];
    let onto = p[4];
    let shift = bitcast<i32>(p[5]);
    let thread = (group.y * groups.x + group.x) * 256u + lane;
    let cell = thread / team;
    let member = thread & (team - 1u);
    let parts = cells * splits;
    let live = cell < cells;
    var sum_count = 0u;
    var sum_mean = 0.0f;
    var sum_rest = 0.0f;
    var sum_squares = 0.0f;
    var sum_squares_rest = 0.0f;
    var sum_odd = 0u;
    for (var k = member; live && k < splits; k = k + team) {
        let part = k * cells + cell;
        let new_count = words[0u * parts + part];
        let new_mean = bitcast<f32>(words[1u * parts + part]);
        let new_rest = bitcast<f32>(words[2u * parts + part]);
        let new_squares = bitcast<f32>(words[3u * parts + part]);
        let new_squares_rest = bitcast<f32>(words[4u * parts + part]);
        let new_odd = words[5u * parts + part];
        let sum_both = tw_pair_moments_add(TwPairMoments(sum_count, vec2<f32>(sum_mean, sum_rest), vec2<f32>(sum_squares, sum_squares_rest), 0u), TwPairMoments(new_count, vec2<f32>(new_mean, new_rest), vec2<f32>(new_squares, new_squares_rest), 0u));
        sum_odd = sum_odd | new_odd | sum_both.odd;
        sum_count = sum_both.count;
        sum_mean = sum_both.mean.x;
        sum_rest = sum_both.mean.y;
        sum_squares = sum_both.squares.x;
        sum_squares_rest = sum_both.squares.y;
    }
    {
        shared0[lane] = sum_count;
        shared1[lane] = bitcast<u32>(sum_mean);
        shared2[lane] = bitcast<u32>(sum_rest);
        shared3[lane] = bitcast<u32>(sum_squares);
        shared4[lane] = bitcast<u32>(sum_squares_rest);
        shared5[lane] = sum_odd;
        for (var half = team >> 1u; half > 0u; half = half >> 1u) {
            workgroupBarrier();
            if ((lane & (team - 1u)) < half) {
                let more_count = shared0[lane + half];
                let more_mean = bitcast<f32>(shared1[lane + half]);
                let more_rest = bitcast<f32>(shared2[lane + half]);
                let more_squares = bitcast<f32>(shared3[lane + half]);
                let more_squares_rest = bitcast<f32>(shared4[lane + half]);
                let more_odd = shared5[lane + half];
                let sum_both = tw_pair_moments_add(TwPairMoments(sum_count, vec2<f32>(sum_mean, sum_rest), vec2<f32>(sum_squares, sum_squares_rest), 0u), TwPairMoments(more_count, vec2<f32>(more_mean, more_rest), vec2<f32>(more_squares, more_squares_rest), 0u));
                sum_odd = sum_odd | more_odd | sum_both.odd;
                sum_count = sum_both.count;
                sum_mean = sum_both.mean.x;
                sum_rest = sum_both.mean.y;
                sum_squares = sum_both.squares.x;
                sum_squares_rest = sum_both.squares.y;
                shared0[lane] = sum_count;
                shared1[lane] = bitcast<u32>(sum_mean);
                shared2[lane] = bitcast<u32>(sum_rest);
                shared3[lane] = bitcast<u32>(sum_squares);
                shared4[lane] = bitcast<u32>(sum_squares_rest);
                shared5[lane] = sum_odd;
            }
        }
        workgroupBarrier();
    }
    if (live && member == 0u) {
        if (onto != 0u) {
            var old_count = cell_words[0u * cells + cell];
            var old_mean = bitcast<f32>(cell_words[1u * cells + cell]);
            var old_rest = bitcast<f32>(cell_words[2u * cells + cell]);
            var old_squares = bitcast<f32>(cell_words[3u * cells + cell]);
            var old_squares_rest = bitcast<f32>(cell_words[4u * cells + cell]);
            var old_odd = cell_words[5u * cells + cell];
            let old_both = tw_pair_moments_add(TwPairMoments(old_count, vec2<f32>(old_mean, old_rest), vec2<f32>(old_squares, old_squares_rest), 0u), TwPairMoments(sum_count, vec2<f32>(sum_mean, sum_rest), vec2<f32>(sum_squares, sum_squares_rest), 0u));
            old_odd = old_odd | sum_odd | old_both.odd;
            old_count = old_both.count;
            old_mean = old_both.mean.x;
            old_rest = old_both.mean.y;
            old_squares = old_both.squares.x;
            old_squares_rest = old_both.squares.y;
            sum_count = old_count;
            sum_mean = old_mean;
            sum_rest = old_rest;
            sum_squares = old_squares;
            sum_squares_rest = old_squares_rest;
            sum_odd = old_odd;
        }
        cell_words[0u * cells + cell] = sum_count;
        cell_words[1u * cells + cell] = bitcast<u32>(sum_mean);
        cell_words[2u * cells + cell] = bitcast<u32>(sum_rest);
        cell_words[3u * cells + cell] = bitcast<u32>(sum_squares);
        cell_words[4u * cells + cell] = bitcast<u32>(sum_squares_rest);
        cell_words[5u * cells + cell] = sum_odd;
    }
}

// ---- the next kernel ----
// words 6 x 4 bytes, cell_words 12 x 4 bytes

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
@group(0) @binding(1) var<storage, read> words: array<u32>;
@group(0) @binding(2) var<storage, read_write> cell_words: array<u32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    tw_zero = groups.z - 1u;
    let zero = p[0];
    let cells = p[1];
    let splits = p[2];
    let team = p[3];
    let onto = p[4];
    let shift = bitcast<i32>(p[5]);
    let thread = (group.y * groups.x + group.x) * 256u + lane;
    let cell = thread;
    let member = 0u;
    let parts = cells * splits;
    let live = cell < cells;
    var sum_count = 0u;
    var sum_mean = 0.0f;
    var sum_rest = 0.0f;
    var sum_squares = 0.0f;
    var sum_squares_rest = 0.0f;
    var sum_odd = 0u;
    for (var k = member; live && k < splits; k = k + team) {
        let part = k * cells + cell;
        let new_count = words[0u * parts + part];
        let new_mean = bitcast<f32>(words[1u * parts + part]);
        let new_rest = bitcast<f32>(words[2u * parts + part]);
        let new_squares = bitcast<f32>(words[3u * parts + part]);
        let new_squares_rest = bitcast<f32>(words[4u * parts + part]);
        let new_odd = words[5u * parts + part];
        let sum_both = tw_pair_moments_add(TwPairMoments(sum_count, vec2<f32>(sum_mean, sum_rest), vec2<f32>(sum_squares, sum_squares_rest), 0u), TwPairMoments(new_count, vec2<f32>(new_mean, new_rest), vec2<f32>(new_squares, new_squares_rest), 0u));
        sum_odd = sum_odd | new_odd | sum_both.odd;
        sum_count = sum_both.count;
        sum_mean = sum_both.mean.x;
        sum_rest = sum_both.mean.y;
        sum_squares = sum_both.squares.x;
        sum_squares_rest = sum_both.squares.y;
    }
    if (live && member == 0u) {
        if (onto != 0u) {
            var old_count = cell_words[0u * cells + cell];
            var old_mean = bitcast<f32>(cell_words[1u * cells + cell]);
            var old_rest = bitcast<f32>(cell_words[2u * cells + cell]);
            var old_squares = bitcast<f32>(cell_words[3u * cells + cell]);
            var old_squares_rest = bitcast<f32>(cell_words[4u * cells + cell]);
            var old_odd = cell_words[5u * cells + cell];
            let old_both = tw_pair_moments_add(TwPairMoments(old_count, vec2<f32>(old_mean, old_rest), vec2<f32>(old_squares, old_squares_rest), 0u), TwPairMoments(sum_count, vec2<f32>(sum_mean, sum_rest), vec2<f32>(sum_squares, sum_squares_rest), 0u));
            old_odd = old_odd | sum_odd | old_both.odd;
            old_count = old_both.count;
            old_mean = old_both.mean.x;
            old_rest = old_both.mean.y;
            old_squares = old_both.squares.x;
            old_squares_rest = old_both.squares.y;
            sum_count = old_count;
            sum_mean = old_mean;
            sum_rest = old_rest;
            sum_squares = old_squares;
            sum_squares_rest = old_squares_rest;
            sum_odd = old_odd;
        }
        cell_words[0u * cells + cell] = sum_count;
        cell_words[1u * cells + cell] = bitcast<u32>(sum_mean);
        cell_words[2u * cells + cell] = bitcast<u32>(sum_rest);
        cell_words[3u * cells + cell] = bitcast<u32>(sum_squares);
        cell_words[4u * cells + cell] = bitcast<u32>(sum_squares_rest);
        cell_words[5u * cells + cell] = sum_odd;
    }
}
