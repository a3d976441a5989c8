// %0: f32 = load in0
// var %0 [reduce, reduce]
// in0 5 x 4 bytes, out0 1 x 4 bytes, wide0 3 x 8 bytes

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

fn tw_wide_moments(count: u32, first: f64, sum: f64, squares: f64) -> TwWideMoments {
    if (count == 0u) {
        return TwWideMoments(0u, 0.0lf, 0.0lf, 0.0lf);
    }
    let share = sum / f64(count);
    let mean = tw_wide_two_sum(first, share);
    let left = squares - sum * share;
    return TwWideMoments(count, mean.sum, mean.rest, select(left, 0.0lf, left < 0.0lf));
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
@group(0) @binding(1) var<storage, read> in0: array<u32>;
@group(0) @binding(2) var<storage, read_write> out0: array<u32>;
@group(0) @binding(3) var<storage, read_write> wide0: array<u64>;
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
    var s0_first = 0.0lf;
    var s0_sum = 0.0lf;
    var s0_squares = 0.0lf;
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
                s0_first = f64(x0);
            }
            let d0 = f64(x0) - s0_first;
            s0_sum = s0_sum + d0;
            s0_squares = s0_squares + d0 * d0;
            s0_count = s0_count + 1u;
        }
        {
            let r0 = bitcast<f32>(v0_1);
            let x0 = r0;
            if (s0_count == 0u) {
                s0_first = f64(x0);
            }
            let d0 = f64(x0) - s0_first;
            s0_sum = s0_sum + d0;
            s0_squares = s0_squares + d0 * d0;
            s0_count = s0_count + 1u;
        }
        {
            let r0 = bitcast<f32>(v0_2);
            let x0 = r0;
            if (s0_count == 0u) {
                s0_first = f64(x0);
            }
            let d0 = f64(x0) - s0_first;
            s0_sum = s0_sum + d0;
            s0_squares = s0_squares + d0 * d0;
            s0_count = s0_count + 1u;
        }
        {
            let r0 = bitcast<f32>(v0_3);
            let x0 = r0;
            if (s0_count == 0u) {
                s0_first = f64(x0);
            }
            let d0 = f64(x0) - s0_first;
            s0_sum = s0_sum + d0;
            s0_squares = s0_squares + d0 * d0;
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
                s0_first = f64(x0);
            }
            let d0 = f64(x0) - s0_first;
            s0_sum = s0_sum + d0;
            s0_squares = s0_squares + d0 * d0;
            s0_count = s0_count + 1u;
        }
    }
    let m0 = tw_wide_moments(s0_count, s0_first, s0_sum, s0_squares);
    var c0_count = m0.count;
    var c0_mean = m0.mean;
    var c0_rest = m0.rest;
    var c0_squares = m0.squares;
    {
        shared0[lane] = c0_count;
        shared_wide0[lane] = bitcast<u64>(c0_mean);
        shared_wide1[lane] = bitcast<u64>(c0_rest);
        shared_wide2[lane] = bitcast<u64>(c0_squares);
        for (var half = team >> 1u; half > 0u; half = half >> 1u) {
            workgroupBarrier();
            if ((lane & (team - 1u)) < half) {
                let more_count = shared0[lane + half];
                let more_mean = bitcast<f64>(shared_wide0[lane + half]);
                let more_rest = bitcast<f64>(shared_wide1[lane + half]);
                let more_squares = bitcast<f64>(shared_wide2[lane + half]);
                let c0_both = tw_wide_moments_add(TwWideMoments(c0_count, c0_mean, c0_rest, c0_squares), TwWideMoments(more_count, more_mean, more_rest, more_squares));
                c0_count = c0_both.count;
                c0_mean = c0_both.mean;
                c0_rest = c0_both.rest;
                c0_squares = c0_both.squares;
                shared0[lane] = c0_count;
                shared_wide0[lane] = bitcast<u64>(c0_mean);
                shared_wide1[lane] = bitcast<u64>(c0_rest);
                shared_wide2[lane] = bitcast<u64>(c0_squares);
            }
        }
        workgroupBarrier();
    }
    if (part < total && member == 0u) {
        out0[0u * total + place] = c0_count;
        wide0[0u * total + place] = bitcast<u64>(c0_mean);
        wide0[1u * total + place] = bitcast<u64>(c0_rest);
        wide0[2u * total + place] = bitcast<u64>(c0_squares);
    }
}
