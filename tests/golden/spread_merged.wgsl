// %0: f32 = load in0
// var %0 [reduce, reduce]
// words 1 x 4 bytes, wide 3 x 8 bytes, cell_words 2 x 4 bytes, cell_wide 6 x 8 bytes

var<private> tw_zero: u32;

fn tw_opaque_f64(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) ^ u64(tw_zero));
}

struct TwWidePair {
    sum: f64,
    rest: f64,
}

fn tw_wide_two_sum(a: f64, b: f64) -> TwWidePair {
    let s = tw_opaque_f64(a + b);
    let t = tw_opaque_f64(s - a);
    let u = tw_opaque_f64(s - t);
    return TwWidePair(s, tw_opaque_f64(a - u) + tw_opaque_f64(b - t));
}

struct TwWideMoments {
    count: u32,
    mean: f64,
    rest: f64,
    squares: f64,
}

fn tw_wide_moments_add(a: TwWideMoments, b: TwWideMoments) -> TwWideMoments {
    if (b.count == 0u) {
        return a;
    }
    if (a.count == 0u) {
        return b;
    }
    let weight = f64(b.count) / (f64(a.count) + f64(b.count));
    let away = (tw_opaque_f64(b.mean) - tw_opaque_f64(a.mean)) + (b.rest - a.rest);
    let mean = tw_wide_two_sum(a.mean, away * weight);
    let between = away * away * (f64(a.count) * weight);
    return TwWideMoments(
        a.count + b.count,
        mean.sum,
        a.rest + mean.rest,
        a.squares + (b.squares + between),
    );
}


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> words: array<u32>;
@group(0) @binding(2) var<storage, read> wide: array<u64>;
@group(0) @binding(3) var<storage, read_write> cell_words: array<u32>;
@group(0) @binding(4) var<storage, read_write> cell_wide: array<u64>;
var<workgroup> shared0: array<u32, 256>;
var<workgroup> shared_wide0: array<u64, 256>;
var<workgroup> shared_wide1: array<u64, 256>;
var<workgroup> shared_wide2: array<u64, 256>;

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
    var sum_mean = 0.0lf;
    var sum_rest = 0.0lf;
    var sum_squares = 0.0lf;
    for (var k = member; live && k < splits; k = k + team) {
        let part = k * cells + cell;
        let new_count = words[0u * parts + part];
        let new_mean = bitcast<f64>(wide[0u * parts + part]);
        let new_rest = bitcast<f64>(wide[1u * parts + part]);
        let new_squares = bitcast<f64>(wide[2u * parts + part]);
        let sum_both = tw_wide_moments_add(TwWideMoments(sum_count, sum_mean, sum_rest, sum_squares), TwWideMoments(new_count, new_mean, new_rest, new_squares));
        sum_count = sum_both.count;
        sum_mean = sum_both.mean;
        sum_rest = sum_both.rest;
        sum_squares = sum_both.squares;
    }
    {
        shared0[lane] = sum_count;
        shared_wide0[lane] = bitcast<u64>(sum_mean);
        shared_wide1[lane] = bitcast<u64>(sum_rest);
        shared_wide2[lane] = bitcast<u64>(sum_squares);
        for (var half = team >> 1u; half > 0u; half = half >> 1u) {
            workgroupBarrier();
            if ((lane & (team - 1u)) < half) {
                let more_count = shared0[lane + half];
                let more_mean = bitcast<f64>(shared_wide0[lane + half]);
                let more_rest = bitcast<f64>(shared_wide1[lane + half]);
                let more_squares = bitcast<f64>(shared_wide2[lane + half]);
                let sum_both = tw_wide_moments_add(TwWideMoments(sum_count, sum_mean, sum_rest, sum_squares), TwWideMoments(more_count, more_mean, more_rest, more_squares));
                sum_count = sum_both.count;
                sum_mean = sum_both.mean;
                sum_rest = sum_both.rest;
                sum_squares = sum_both.squares;
                shared0[lane] = sum_count;
                shared_wide0[lane] = bitcast<u64>(sum_mean);
                shared_wide1[lane] = bitcast<u64>(sum_rest);
                shared_wide2[lane] = bitcast<u64>(sum_squares);
            }
        }
        workgroupBarrier();
    }
    if (live && member == 0u) {
        if (onto != 0u) {
            var old_count = cell_words[0u * cells + cell];
            var old_mean = bitcast<f64>(cell_wide[0u * cells + cell]);
            var old_rest = bitcast<f64>(cell_wide[1u * cells + cell]);
            var old_squares = bitcast<f64>(cell_wide[2u * cells + cell]);
            let old_both = tw_wide_moments_add(TwWideMoments(old_count, old_mean, old_rest, old_squares), TwWideMoments(sum_count, sum_mean, sum_rest, sum_squares));
            old_count = old_both.count;
            old_mean = old_both.mean;
            old_rest = old_both.rest;
            old_squares = old_both.squares;
            sum_count = old_count;
            sum_mean = old_mean;
            sum_rest = old_rest;
            sum_squares = old_squares;
        }
        cell_words[0u * cells + cell] = sum_count;
        cell_wide[0u * cells + cell] = bitcast<u64>(sum_mean);
        cell_wide[1u * cells + cell] = bitcast<u64>(sum_rest);
        cell_wide[2u * cells + cell] = bitcast<u64>(sum_squares);
    }
}

// ---- the next kernel ----
// words 1 x 4 bytes, wide 3 x 8 bytes, cell_words 2 x 4 bytes, cell_wide 6 x 8 bytes

var<private> tw_zero: u32;

fn tw_opaque_f64(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) ^ u64(tw_zero));
}

struct TwWidePair {
    sum: f64,
    rest: f64,
}

fn tw_wide_two_sum(a: f64, b: f64) -> TwWidePair {
    let s = tw_opaque_f64(a + b);
    let t = tw_opaque_f64(s - a);
    let u = tw_opaque_f64(s - t);
    return TwWidePair(s, tw_opaque_f64(a - u) + tw_opaque_f64(b - t));
}

struct TwWideMoments {
    count: u32,
    mean: f64,
    rest: f64,
    squares: f64,
}

fn tw_wide_moments_add(a: TwWideMoments, b: TwWideMoments) -> TwWideMoments {
    if (b.count == 0u) {
        return a;
    }
    if (a.count == 0u) {
        return b;
    }
    let weight = f64(b.count) / (f64(a.count) + f64(b.count));
    let away = (tw_opaque_f64(b.mean) - tw_opaque_f64(a.mean)) + (b.rest - a.rest);
    let mean = tw_wide_two_sum(a.mean, away * weight);
    let between = away * away * (f64(a.count) * weight);
    return TwWideMoments(
        a.count + b.count,
        mean.sum,
        a.rest + mean.rest,
        a.squares + (b.squares + between),
    );
}


@group(0) @binding(0) var<storage, read> p: array<u32>;
@group(0) @binding(1) var<storage, read> words: array<u32>;
@group(0) @binding(2) var<storage, read> wide: array<u64>;
@group(0) @binding(3) var<storage, read_write> cell_words: array<u32>;
@group(0) @binding(4) var<storage, read_write> cell_wide: array<u64>;

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
    var sum_mean = 0.0lf;
    var sum_rest = 0.0lf;
    var sum_squares = 0.0lf;
    for (var k = member; live && k < splits; k = k + team) {
        let part = k * cells + cell;
        let new_count = words[0u * parts + part];
        let new_mean = bitcast<f64>(wide[0u * parts + part]);
        let new_rest = bitcast<f64>(wide[1u * parts + part]);
        let new_squares = bitcast<f64>(wide[2u * parts + part]);
        let sum_both = tw_wide_moments_add(TwWideMoments(sum_count, sum_mean, sum_rest, sum_squares), TwWideMoments(new_count, new_mean, new_rest, new_squares));
        sum_count = sum_both.count;
        sum_mean = sum_both.mean;
        sum_rest = sum_both.rest;
        sum_squares = sum_both.squares;
    }
    if (live && member == 0u) {
        if (onto != 0u) {
            var old_count = cell_words[0u * cells + cell];
            var old_mean = bitcast<f64>(cell_wide[0u * cells + cell]);
            var old_rest = bitcast<f64>(cell_wide[1u * cells + cell]);
            var old_squares = bitcast<f64>(cell_wide[2u * cells + cell]);
            let old_both = tw_wide_moments_add(TwWideMoments(old_count, old_mean, old_rest, old_squares), TwWideMoments(sum_count, sum_mean, sum_rest, sum_squares));
            old_count = old_both.count;
            old_mean = old_both.mean;
            old_rest = old_both.rest;
            old_squares = old_both.squares;
            sum_count = old_count;
            sum_mean = old_mean;
            sum_rest = old_rest;
            sum_squares = old_squares;
        }
        cell_words[0u * cells + cell] = sum_count;
        cell_wide[0u * cells + cell] = bitcast<u64>(sum_mean);
        cell_wide[1u * cells + cell] = bitcast<u64>(sum_rest);
        cell_wide[2u * cells + cell] = bitcast<u64>(sum_squares);
    }
}
